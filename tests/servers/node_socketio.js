// Socket.IO with health. TOKEN: the only one that is let in; empty: any. SILENT: events are not answered.
const http = require("http");
const { Server } = require("socket.io");

const server = http.createServer((request, response) => {
  response.statusCode = request.url === "/health" ? 200 : 404;
  response.end(response.statusCode === 200 ? '{"status":"ok"}' : "nothing here");
});
const sockets = new Server(server, { pingInterval: Number(process.env.PING_MS || 25000), pingTimeout: 300 });
sockets.use((socket, next) => {
  const good = !process.env.TOKEN || socket.handshake.auth.token === process.env.TOKEN;
  next(good ? undefined : new Error("invalid token"));
});
sockets.on("connection", (socket) => {
  socket.on("say", (said) => process.env.SILENT || socket.emit("said", said));
});
server.listen(Number(process.argv[2]), "127.0.0.1");
