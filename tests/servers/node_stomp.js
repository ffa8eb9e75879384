// A STOMP broker (stomp-broker-js) with health. TOKEN: the only passcode that is let in; empty: any.
const http = require("http");
const StompServer = require("stomp-broker-js");

const token = process.env.TOKEN;
const server = http.createServer((request, response) => {
  response.statusCode = request.url === "/health" ? 200 : 404;
  response.end(response.statusCode === 200 ? '{"status":"ok"}' : "nothing here");
});
const broker = new StompServer({ server, path: "/stomp", serverName: "broker" });
broker.addMiddleware("connect", (socket, { headers }, next) => (!token || headers.passcode === token ? next() : false));
server.listen(Number(process.argv[2]), "127.0.0.1");
