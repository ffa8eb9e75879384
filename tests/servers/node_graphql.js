// GraphQL over WebSocket (graphql-ws) with health. TOKEN: the only one that is let in; empty: any. SILENT: nothing is executed.
const http = require("http");
const { WebSocketServer } = require("ws");
const { useServer } = require("graphql-ws/use/ws");
const { GraphQLObjectType, GraphQLSchema, GraphQLString } = require("graphql");

const fields = { hello: { type: GraphQLString, resolve: () => "world" } };
const schema = new GraphQLSchema({ query: new GraphQLObjectType({ name: "Root", fields }) });
const server = http.createServer((request, response) => {
  response.statusCode = request.url === "/health" ? 200 : 404;
  response.end(response.statusCode === 200 ? '{"status":"ok"}' : "nothing here");
});
useServer(
  {
    schema,
    onConnect: (context) =>
      !process.env.TOKEN || (context.connectionParams || {}).Authorization === `Bearer ${process.env.TOKEN}`,
    onSubscribe: () => (process.env.SILENT ? new Promise(() => {}) : undefined),
  },
  new WebSocketServer({ server, path: "/graphql" }),
);
server.listen(Number(process.argv[2]), "127.0.0.1");
