// What a server of served.js says after its greeting, by the name of a language; `how` is `well`, `silent` or `wrong`.
const END = "\x1e";
const NUL = "\x00";

function nothing() {}

function echo(connection) {
  connection.onmessage = (data) => connection.send(data);
}

function small(connection) {
  connection.onmessage = (data) => (data.length > 32768 ? connection.close(1011, "internal error") : connection.send(data));
}

// Who is connected, where replies go to another one.
const people = [];

// Answers {FIELD: id, text} with the same id and text, and says in between what is no reply; `how` may also be lost, twice, altered, late.
function replies(connection, said) {
  const { id = "id", text = "text", progress = false, how = "well", share = 1, wait_ms = 0, most = 0 } = said.language;
  if (how === "crossed") people.push(connection);
  connection.onclose = () => { if (people.includes(connection)) people.splice(people.indexOf(connection), 1); };
  connection.onmessage = (data) => {
    const asked = JSON.parse(data);
    const wrong = Math.random() < share;
    const send = (value) => connection.send(JSON.stringify(value));
    if (progress) send({ type: "progress", [id]: asked[id], done: 0.5 });
    if (how === "lost" && wrong) return;
    if (how === "short" && data.length > most) return;
    const plain = how === "ascii" ? asked[text].replace(/[^\x00-\x7f]/g, "?") : asked[text];
    const told = how === "altered" && wrong ? `${asked[text]}?` : plain;
    const reply = { type: "reply", [id]: asked[id], [text]: told };
    setTimeout(() => {
      if (how === "breaks" && wrong) return connection.close(1011, "internal error");
      if (how === "crossed" && people.length > 1) {
        const other = people[(people.indexOf(connection) + 1) % people.length];
        return other.send(JSON.stringify(reply));
      }
      send(reply);
      if (how === "twice" && wrong) send(reply);
    }, wait_ms * Math.random());
  };
}

function jsonrpc(connection, said) {
  const { how = "well" } = said.language;
  connection.onmessage = (data) => {
    const asked = JSON.parse(data);
    if (how === "silent") return;
    connection.send(JSON.stringify({ jsonrpc: "2.0", method: "progress", params: { id: asked.id } }));
    const error = how === "wrong" ? { code: -32603, message: "Internal error" } : { code: -32601, message: "Method not found" };
    connection.send(JSON.stringify({ jsonrpc: "2.0", id: asked.id, error }));
  };
}

function signalr(connection, said) {
  const { how = "well" } = said.language;
  let met = false;
  connection.onmessage = (data) => {
    for (const record of String(data).split(END).slice(0, -1)) {
      const asked = JSON.parse(record);
      if (!met) {
        met = true;
        connection.send(`{}${END}{"type":6}${END}`);
      } else if (asked.type === 1 && how !== "silent") {
        const invocationId = how === "wrong" ? "another" : asked.invocationId;
        connection.send(JSON.stringify({ type: 3, invocationId, error: "Unknown hub method" }) + END);
      }
    }
  };
}

function stomp(connection, said) {
  const { how = "well", passcode = "" } = said.language;
  connection.onmessage = (data) => {
    const [command, ...lines] = String(data).trimStart().split("\n\n")[0].split("\n");
    const headers = Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1)]));
    if (command === "CONNECT" || command === "STOMP") {
      if (passcode && headers.passcode !== passcode) {
        connection.send(`ERROR\nmessage:Bad credentials\n\n${NUL}`);
        connection.close(1000, "");
      } else connection.send(`CONNECTED\nversion:1.2\n\n${NUL}`);
    } else if (headers.receipt && how !== "silent") {
      connection.send(`RECEIPT\nreceipt-id:${how === "wrong" ? "another" : headers.receipt}\n\n${NUL}`);
    }
  };
}

function cable(connection, said) {
  const { how = "well" } = said.language;
  connection.send('{"type":"welcome"}');
  const beat = setInterval(() => connection.send(JSON.stringify({ type: "ping", message: Date.now() })), 300);
  setTimeout(() => clearInterval(beat), 10000);
  connection.onmessage = (data) => {
    const asked = JSON.parse(data);
    if (how === "silent" || asked.command !== "subscribe") return;
    const identifier = how === "wrong" ? "{}" : asked.identifier;
    connection.send(JSON.stringify({ identifier, type: "confirm_subscription" }));
  };
}

// Says nothing before somebody logs in, in words of its own.
function first(connection, said) {
  connection.onmessage = (data) => {
    let shown;
    try { shown = JSON.parse(data); } catch { return; }
    if (shown[said.language.field] === said.language.good) connection.send('{"op":"ready"}');
  };
}

module.exports = { first, nothing, echo, small, replies, jsonrpc, signalr, stomp, cable };
