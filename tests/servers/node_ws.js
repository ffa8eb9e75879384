// A Node server with the package ws: health as JSON, a WebSocket that greets in binary.
const http = require("http");
const { WebSocketServer } = require("ws");

const server = http.createServer((request, response) => {
  if (request.url.startsWith("/api/health")) {
    response.setHeader("Content-Type", "application/json");
    response.end(JSON.stringify({ status: "UP", commit: "9f1c2ab" }));
  } else {
    response.statusCode = request.url.startsWith("/ws") ? 426 : 404;
    response.end("nothing here");
  }
});
const sockets = new WebSocketServer({ server, path: "/ws" });
sockets.on("connection", (socket) => {
  socket.send(Buffer.from([1, 2, 3]));
  socket.on("message", (data) => socket.send(data));
});
server.listen(Number(process.argv[2]), "127.0.0.1");
