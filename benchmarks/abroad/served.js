// A server that is what a specification says: node served.js SPECIFICATION PORT. It ends when its standard input does.
//
// `make` is who speaks WebSocket: `ws`, `faye` (faye-websocket), or `bare` (frames written by hand on the socket that Node upgrades).
// Node leaves HTTP to its own parser. See specification.py for the words of a specification.
const crypto = require("crypto");
const fs = require("fs");
const http = require("http");
const https = require("https");
const zlib = require("zlib");
const languages = require("./languages.js");

const spec = JSON.parse(fs.readFileSync(process.argv[2], "utf8"));
const started = Date.now();
let number = 0;
let opened = 0;

const later = (ms, then) => (ms ? setTimeout(then, ms) : then());
const chance = (share) => share !== undefined && Math.random() < share;
const picked = (choices) => {
  let left = Math.random() * choices.reduce((sum, item) => sum + (item.weight || 1), 0);
  return choices.find((item) => (left -= item.weight || 1) <= 0) || choices[choices.length - 1];
};
const filled = (text) =>
  text
    .replaceAll("$HEX", () => crypto.randomBytes(8).toString("hex"))
    .replaceAll("$ELSEWHERE", () => new Date(Date.now() + 9 * 3600 * 1000).toISOString().slice(0, 19).replace("T", " "))
    .replaceAll("$NOW", () => new Date().toISOString())
    .replaceAll("$UPTIME", () => String((Date.now() - started) / 1000))
    .replaceAll(/\$GROWS\((\d+),(\d+)\)/g, (_, from, each_s) => String(Math.round(Number(from) + (Number(each_s) * (Date.now() - started)) / 1000 + 20000 * (number++ % 5))))
    .replaceAll("$N", () => String(++number));

// A door is closed to whom its condition holds for.
function closed(doors, request) {
  return (doors || []).find((door) => {
    if (door.header === undefined) return chance(door.share);
    const value = request.headers[door.header.toLowerCase()];
    if (door.is === "there") return value !== undefined;
    if (door.is === "missing") return value === undefined;
    return new RegExp(door.like || door.unlike).test(value || "") === (door.like !== undefined);
  });
}

// Pages --------------------------------------------------------------------------------------------------------------

function answer(request, response, page) {
  const door = closed(page.doors, request);
  if (door) page = door;
  if (page.only && page.only !== request.method) page = { status: 405, type: "text/plain", body: "Method Not Allowed" };
  const { status = 200, type = "application/json", headers = {}, how = "" } = page;
  const body = Buffer.from((page.bom ? "\ufeff" : "") + filled(page.body || ""), page.latin1 ? "latin1" : "utf8");
  later(page.wait_ms, () => {
    if (how === "drop") return request.socket.destroy();
    if (how === "hang") return undefined;
    if (how === "old") return request.socket.end(`HTTP/1.0 ${status}\r\nContent-Type: ${type}\r\n\r\n${body}`);
    if (how === "early") response.writeEarlyHints({ link: "</style.css>; rel=preload; as=style" });
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    response.setHeader("Content-Type", type);
    if (spec.closes) response.setHeader("Connection", "close");
    response.statusCode = status;
    if (how === "cut") {
      response.setHeader("Content-Length", body.length + 100);
      response.write(body);
      return setTimeout(() => request.socket.destroy(), 20);
    }
    if (how === "stream") {
      response.write(":\n\n");
      const beat = setInterval(() => response.write(":\n\n"), 200);
      return response.on("close", () => clearInterval(beat));
    }
    if (how === "gzip" && /gzip/.test(request.headers["accept-encoding"] || "")) {
      response.setHeader("Content-Encoding", "gzip");
      return response.end(zlib.gzipSync(body));
    }
    if (how === "pieces") {
      for (const byte of body) response.write(Buffer.from([byte]));
      return response.end();
    }
    return response.end(status === 204 ? undefined : body);
  });
}

function page(request, response) {
  const path = request.url.split("?")[0];
  const nowhere = { status: 404, type: "text/plain", body: "not found" };
  const beside = Object.entries(spec.under || {}).find(([start]) => path.startsWith(start));
  const choices = (spec.pages || {})[path] || (beside && beside[1]) || spec.else || [nowhere];
  const upgrade = spec.ws && path === spec.ws.path ? [{ status: 426, type: "text/plain", body: "Upgrade Required" }] : choices;
  answer(request, response, picked(upgrade));
}

// Tokens -------------------------------------------------------------------------------------------------------------

function shown(request, rule) {
  const [place, name] = rule.place.split(":");
  if (place === "subprotocol") return (request.headers["sec-websocket-protocol"] || "").replace("jwt.", "");
  if (place === "query") return new URL(request.url, "http://here").searchParams.get(name) || "";
  if (place === "header") return request.headers[name.toLowerCase()] || "";
  return (request.headers.authorization || "").replace("Bearer ", "");
}

const signed = (text, key) => crypto.createHmac("sha256", key).update(text).digest("base64url");

function known(token, rule) {
  if (rule.rule === "exact") return token === rule.good;
  if (rule.rule === "any") return token !== "";
  if (rule.rule === "everybody") return true;
  if (rule.rule === "none-is-guest") return token === "" || token === rule.good;
  if (rule.rule === "longer") return token.startsWith(rule.good);
  if (rule.rule === "prefix") return token !== "" && token.slice(0, 12) === rule.good.slice(0, 12);
  try {
    const [head, body, signature] = token.split(".");
    const { alg } = JSON.parse(Buffer.from(head, "base64url"));
    const claims = JSON.parse(Buffer.from(body, "base64url"));
    if (claims.exp < Date.now() / 1000) return false;
    if (rule.rule === "jwt-unverified") return true;
    if (rule.rule === "jwt-none" && alg.toLowerCase() === "none") return true;
    const keys = rule.rule === "jwt-empty-key" ? [rule.key, ""] : [rule.key];
    return keys.some((key) => signed(`${head}.${body}`, key) === signature);
  } catch {
    return false;
  }
}

// WebSocket ------------------------------------------------------------------------------------------------------------

const OPS = { text: 1, binary: 2, close: 8, ping: 9, pong: 10 };

function frame(op, payload, first = 0x80) {
  const size = payload.length;
  const head = size < 126 ? [size] : size < 65536 ? [126, size >> 8, size & 255] : [127, 0, 0, 0, 0, size >>> 24, (size >> 16) & 255, (size >> 8) & 255, size & 255];
  return Buffer.concat([Buffer.from([first | op, ...head]), payload]);
}

const closing = (code, reason = "") => Buffer.concat([Buffer.from([code >> 8, code & 255]), Buffer.from(reason)]);

// By hand: enough of RFC 6455 to be told apart from none.
function bare(request, socket, head, { protocol, headers }, then) {
  const key = crypto.createHash("sha1").update(`${request.headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
  const lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade", `Sec-WebSocket-Accept: ${key}`, ...headers];
  if (protocol) lines.push(`Sec-WebSocket-Protocol: ${protocol}`);
  socket.write([...lines, "", ""].join("\r\n"));
  let kept = head;
  const connection = {
    send: (data) => socket.write(frame(Buffer.isBuffer(data) ? OPS.binary : OPS.text, Buffer.from(data))),
    close: (code, reason) => socket.end(frame(OPS.close, closing(code, reason))),
    onmessage: () => {},
    onpong: () => {},
  };
  function read() {
    while (kept.length >= 2) {
      let size = kept[1] & 127;
      let at = 2;
      if (size === 126) [size, at] = [kept.length < 4 ? Infinity : kept.readUInt16BE(2), 4];
      else if (size === 127) [size, at] = [kept.length < 10 ? Infinity : Number(kept.readBigUInt64BE(2)), 10];
      if (kept.length < at + 4 + size) return;
      const mask = kept.subarray(at, at + 4);
      const data = Buffer.from(kept.subarray(at + 4, at + 4 + size).map((byte, place) => byte ^ mask[place % 4]));
      const op = kept[0] & 15;
      kept = kept.subarray(at + 4 + size);
      if (op === OPS.close) return void socket.end(frame(OPS.close, data.subarray(0, 2)));
      if (op === OPS.ping) socket.write(frame(OPS.pong, data));
      if (op === OPS.pong) connection.onpong();
      if (op === OPS.text || op === OPS.binary) connection.onmessage(op === OPS.text ? data.toString() : data);
    }
  }
  socket.on("data", (data) => { kept = Buffer.concat([kept, data]); read(); });
  then(connection);
  read();
}

function faye(request, socket, head, { protocol, headers, deflate }, then) {
  const Faye = require("faye-websocket");
  const extensions = deflate ? [require("permessage-deflate")] : [];
  const named = Object.fromEntries(headers.map((line) => line.split(": ")));
  const peer = new Faye(request, socket, head, protocol ? [protocol] : null, { headers: named, extensions });
  // Its own close() knows only the codes that a page may use.
  const connection = { send: (data) => peer.send(data), close: (code, reason) => peer._driver.close(reason, code), onmessage: () => {} };
  peer.on("message", (event) => connection.onmessage(typeof event.data === "string" ? event.data : Buffer.from(event.data)));
  peer.on("open", () => then(connection));
}

function ws(request, socket, head, { protocol, headers, deflate }, then) {
  const { WebSocketServer } = require("ws");
  const server = new WebSocketServer({ noServer: true, perMessageDeflate: deflate, handleProtocols: () => protocol || false });
  server.on("headers", (lines) => lines.push(...headers));
  server.handleUpgrade(request, socket, head, (peer) => {
    const connection = { send: (data) => peer.send(data), close: (code, reason) => peer.close(code, reason), onmessage: () => {} };
    peer.on("message", (data, isBinary) => connection.onmessage(isBinary ? data : data.toString()));
    peer.on("error", () => {});
    then(connection);
  });
}

const MAKES = { ws, faye, bare };

function refuse(socket, { status = 403, body = "", location = "" }) {
  const sends = location ? `Location: ${location}\r\n` : "";
  socket.end(`HTTP/1.1 ${status} ${http.STATUS_CODES[status]}\r\n${sends}Content-Type: text/plain\r\nConnection: close\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
}

function end(connection, socket, { how = "close", code = 1011, reason = "" }) {
  if (how === "reset") return socket.resetAndDestroy ? socket.resetAndDestroy() : socket.destroy();
  if (how === "cut") return socket.destroy();
  if (how === "frame") return socket.write(Buffer.from([0xf0 | OPS.text, 1, 65]));
  if (how === "letters") return socket.write(frame(OPS.text, Buffer.from([0xc3, 0x28])));
  if (how === "code") return socket.write(frame(OPS.close, closing(1006)));
  return connection.close(code, reason);
}

function greet(connection, socket, said) {
  const told = said.greeting ? filled(picked(said.greeting).text) : "";
  if (said.padding) return connection.send(JSON.stringify({ type: "hello", padding: "x".repeat(said.padding) }));
  if (!told || chance(said.silent_share)) return undefined;
  if (!said.fragmented) return connection.send(said.binary ? Buffer.from(told) : told);
  const half = Math.floor(told.length / 2);
  socket.write(frame(OPS.text, Buffer.from(told.slice(0, half)), 0));
  socket.write(frame(OPS.ping, Buffer.from("there?")));
  return socket.write(frame(0, Buffer.from(told.slice(half))));
}

function ping(connection, socket, { every_ms, within_ms }) {
  let heard = Date.now();
  connection.onpong = () => { heard = Date.now(); };
  const beat = setInterval(() => (Date.now() - heard > within_ms ? socket.destroy() : socket.write(frame(OPS.ping, Buffer.from("there?")))), every_ms);
  socket.on("close", () => clearInterval(beat));
}

const joined = new Set();

function join(connection, socket) {
  const tell = (type) => { for (const other of joined) other.send(JSON.stringify({ type, who: crypto.randomBytes(8).toString("hex") })); };
  tell("join");
  joined.add(connection);
  socket.on("close", () => { joined.delete(connection); tell("leave"); });
}

function talk(connection, socket, said) {
  const speaker = languages[said.speaks || "nothing"];
  socket.on("close", () => connection.onclose && connection.onclose());
  // What is said before its greeting is lost, as by many a server that listens once it has made up its mind; one that does not greet
  // gives nobody a sign to wait for, and hears everything.
  const early = [];
  if (!said.greeting) connection.onmessage = (data) => early.push(data);
  later(said.greeting_ms, () => {
    greet(connection, socket, said);
    speaker(connection, said);
    for (const data of early.splice(0)) connection.onmessage(data);
    if (said.pings) ping(connection, socket, said.pings);
    if (said.joins) join(connection, socket);
    if (said.ends && (said.ends.share === undefined || chance(said.ends.share))) {
      later(said.ends.after_ms, () => end(connection, socket, said.ends));
    }
  });
}

function turnedAway(connection, socket, said, refusal) {
  if (refusal.greets) greet(connection, socket, said);
  if (refusal.says) connection.send(refusal.says);
  if (refusal.stays) return;
  const go = () => connection.close(refusal.code || 1008, refusal.reason || "");
  if (refusal.at_message) connection.onmessage = go;
  else later(refusal.after_ms, go);
}

function upgrade(request, socket, head) {
  socket.on("error", () => {});
  const said = spec.ws;
  const path = request.url.split("?")[0];
  const isElsewhere = said && path !== said.path && !said.any_path;
  if (isElsewhere && said.elsewhere === "hangs up") return socket.destroy();
  if (!said || isElsewhere) return refuse(socket, { status: 404, body: "not found" });
  const door = closed(said.doors, request);
  if (door) return later(door.wait_ms, () => refuse(socket, door));
  if (spec.dies_at && ++number >= spec.dies_at) process.exit(1);
  const rule = said.token;
  const good = !rule || known(shown(request, rule), rule) || chance(rule.leak);
  if (!good && rule.refusal.status) return later(rule.refusal.after_ms, () => refuse(socket, rule.refusal));
  const offered = (request.headers["sec-websocket-protocol"] || "").split(/, */).filter(Boolean);
  const protocol = said.forced || (said.protocols || []).find((name) => offered.includes(name)) || (rule && rule.place === "subprotocol" ? offered[0] : "");
  opened += 1;
  socket.on("close", () => { opened -= 1; });
  const crowded = said.most && opened > said.most.count;
  if (crowded && said.most.status) return refuse(socket, said.most);
  const headers = Array.from({ length: said.headers || 0 }, (_, place) => `X-Cookie-${place}: ${"v".repeat(20)}`);
  socket.cork();
  if (said.together === undefined) process.nextTick(() => socket.uncork());
  return later(said.upgrade_ms, () =>
    MAKES[spec.make](request, socket, head, { protocol, headers, deflate: said.deflate || false }, (connection) => {
      if (crowded) connection.close(said.most.code, said.most.reason);
      else if (!good) turnedAway(connection, socket, said, rule.refusal);
      else talk(connection, socket, said);
      if (said.together !== undefined) process.nextTick(() => socket.uncork());
    }),
  );
}

const tls = spec.tls && {
  cert: fs.readFileSync(spec.tls.cert),
  key: fs.readFileSync(spec.tls.key),
  ...(spec.tls.client_ca ? { ca: fs.readFileSync(spec.tls.client_ca), requestCert: true, rejectUnauthorized: true } : {}),
};
const server = tls ? https.createServer(tls, page) : http.createServer({ maxHeaderSize: 65536 }, page);
server.on("upgrade", upgrade);
server.listen(Number(process.argv[3]), spec.address || "127.0.0.1");
process.on("uncaughtException", (error) => console.error(error));
process.stdin.on("end", () => process.exit(0)).resume();
