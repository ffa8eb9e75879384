// An MQTT broker (aedes) over WebSocket, without health. TOKEN: the only password that is let in; empty: any.
const http = require("http");
const { WebSocketServer, createWebSocketStream } = require("ws");

const token = process.env.TOKEN;
const authenticate = (client, user, password, done) => {
  if (!token || String(password) === token) return done(null, true);
  return done(Object.assign(new Error("not authorized"), { returnCode: 5 }), false);
};
const server = http.createServer((request, response) => {
  response.statusCode = 404;
  response.end("nothing here");
});
import(require.resolve("aedes")).then(async ({ Aedes }) => {
  const broker = await Aedes.createBroker({ authenticate });
  const sockets = new WebSocketServer({ server, path: "/mqtt" });
  sockets.on("connection", (socket, request) => broker.handle(createWebSocketStream(socket), request));
  server.listen(Number(process.argv[2]), "127.0.0.1");
});
