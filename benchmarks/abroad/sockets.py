"""Kinds that a WebSocket shows: of the packages ws and faye-websocket, of frames written by hand in Node, and of aiohttp."""

from __future__ import annotations

from typing import Any

from abroad.kinds import FAIL, OPEN, PASS, Asked, Dice, Kind, Scene, Server, State, Words, catalogue

SOCKETS: list[Kind] = []
kind = catalogue(SOCKETS)
BROKEN, WELL, UNASKED, BEYOND = State.BROKEN, State.WELL, State.UNASKED, State.BEYOND
NODE = ("ws", "faye", "bare")


def socket(dice: Dice, *, make: str = "", greets: bool = True, options: Words | None = None, token: str = "", server: Words | None = None, rule: Words | None = None, **said: Any) -> Scene:  # fmt: skip
    """A server that is well at its health page and has a WebSocket that is so."""
    path = dice.ws_path()
    spec = {"pages": {dice.health_path(): [dice.well()]}, **(server or {})}
    greeting = {"greeting": dice.greeting()} if greets else {}
    guard = {"token": rule} if rule else {}
    spec["ws"] = {"path": path, **guard, **greeting, "greeting_ms": dice.of(0, 0, dice.ms(1, 80)), **said}
    return Scene(
        server=Server(make=make or dice.make(), words=spec),
        asked=Asked(ws=path, token=token, options=options or {}),
    )


# Broken ---------------------------------------------------------------------------------------------------------------------


@kind("greets-then-dies", "every connection is closed by name soon after its greeting", BROKEN)
def _(dice: Dice) -> Scene:
    code = dice.of(1011, 1011, 1012, 1002, 1008, 4500)
    return socket(dice, ends={"after_ms": dice.ms(20, 150), "code": code, "reason": dice.of("", "internal error")})  # fmt: skip


@kind("greets-then-resets", "every connection is cut soon after its greeting", BROKEN)
def _(dice: Dice) -> Scene:
    return socket(dice, ends={"after_ms": dice.ms(20, 150), "how": dice.of("reset", "cut")})


@kind("some-die", "some connections are closed with 1011 after their greeting", BROKEN)
def _(dice: Dice) -> Scene:
    return socket(dice, ends={"after_ms": dice.ms(20, 150), "code": 1011, "share": dice.of(0.15, 0.2, 0.3)})


@kind("no-frame", "what comes after the greeting is no frame of RFC 6455", BROKEN)
def _(dice: Dice) -> Scene:
    return socket(dice, make=dice.make("ws", "bare"), ends={"after_ms": 50, "how": dice.of("frame", "letters", "code")})  # fmt: skip


@kind("closed-with-the-upgrade", "the upgrade and a close come in one segment", BROKEN)
def _(dice: Dice) -> Scene:
    return socket(dice, make=dice.make("ws", "bare"), greets=False, together=True, greeting_ms=0, ends={"code": dice.of(1012, 1011)})  # fmt: skip


@kind("upgrade-503", "health is well, every upgrade is 503", BROKEN)
def _(dice: Dice) -> Scene:
    return socket(dice, doors=[{"share": 1, "status": dice.of(500, 502, 503), "body": "no backend"}])


@kind("some-upgrades-fail", "a fifth of the upgrades fails", BROKEN)
def _(dice: Dice) -> Scene:
    return socket(dice, doors=[{"share": 0.2, "status": dice.of(500, 502, 503), "body": ""}])


@kind("greets-some", "a quarter of the connections is never greeted", BROKEN)
def _(dice: Dice) -> Scene:
    return socket(dice, greeting_ms=0, silent_share=0.25)


@kind("subprotocol-forced", "it answers with a subprotocol that nobody asked for", BROKEN)
def _(dice: Dice) -> Scene:
    return socket(dice, make="bare", forced=dice.of("chat.v1", "mqtt", "json"))


@kind("dies-in-the-middle", "the process ends while it is asked", BROKEN)
def _(dice: Dice) -> Scene:
    return socket(dice, server={"dies_at": dice.ms(20, 60)})


@kind("browsers-refused", "whoever comes as a browser does is refused", BROKEN, FAIL, OPEN)
def _(dice: Dice) -> Scene:
    door = dice.of({"header": "Origin", "is": "there", "status": 403}, {"header": "User-Agent", "like": "Mozilla", "status": 403}, {"header": "Cookie", "is": "there", "status": 500})  # fmt: skip
    return socket(dice, doors=[{**door, "body": "no"}])


@kind("packed-alone", "who does not offer permessage-deflate is refused", BROKEN, FAIL, OPEN)
def _(dice: Dice) -> Scene:
    return socket(dice, doors=[{"header": "Sec-WebSocket-Extensions", "unlike": "permessage-deflate", "status": 500, "body": ""}])  # fmt: skip


@kind("later-silent", "asked again: it upgrades, and no longer greets", BROKEN)
def _(dice: Dice) -> Scene:
    first = socket(dice, make=dice.make(*NODE))
    spec = {**first.server.words, "ws": {**first.server.words["ws"], "greeting": []}}
    return Scene(server=first.server, asked=first.asked, later=Server(make=first.server.make, words=spec))


@kind("later-other-greeting", "asked again: it greets with an error", BROKEN)
def _(dice: Dice) -> Scene:
    greeting = [{"text": '{"type":"hello"}'}]
    first = socket(dice, make=dice.make(*NODE), greets=False, greeting=greeting)
    error = [{"text": dice.of('{"type":"error","code":500}', '{"error":"no session"}')}]
    spec = {**first.server.words, "ws": {**first.server.words["ws"], "greeting": error}}
    return Scene(server=first.server, asked=first.asked, later=Server(make=first.server.make, words=spec))


@kind(
    "greets-with-an-error", "every connection is told that there was an error, and stays", BROKEN, FAIL, OPEN
)
def _(dice: Dice) -> Scene:
    return socket(dice, greets=False, greeting=[{"text": dice.of('{"type":"error","message":"internal error"}', '{"error":"database unavailable"}')}])  # fmt: skip


@kind("never-upgrades", "the upgrade is never answered", BROKEN)
def _(dice: Dice) -> Scene:
    return socket(dice, make=dice.make(*NODE), upgrade_ms=60_000)


# Well -----------------------------------------------------------------------------------------------------------------------


@kind("greets", "it greets in one of the usual ways", WELL)
def _(dice: Dice) -> Scene:
    return socket(dice)


@kind("does-not-greet", "it waits for the client to speak", WELL)
def _(dice: Dice) -> Scene:
    return socket(dice, greets=False, speaks=dice.of("echo", "nothing"))


@kind("greets-in-bytes", "its greeting is binary", WELL)
def _(dice: Dice) -> Scene:
    return socket(dice, binary=True)


@kind("greeting-of-a-node", "the greeting names the instance, eight of ten times the same", WELL)
def _(dice: Dice) -> Scene:
    key = dice.of("node", "server", "host")
    texts = [{"text": f'{{"type":"hello","{key}":"{name}"}}', "weight": weight} for name, weight in (("alpha", 8), ("beta", 2))]  # fmt: skip
    return socket(dice, greets=False, greeting=texts)


@kind("greets-with-the-upgrade", "the upgrade and the greeting come in one segment", WELL)
def _(dice: Dice) -> Scene:
    return socket(dice, make=dice.make("ws", "bare"), together=True, greeting_ms=0)


@kind("greets-in-pieces", "the greeting comes in two frames with a ping between", WELL)
def _(dice: Dice) -> Scene:
    return socket(dice, make=dice.make("ws", "bare"), fragmented=True)


@kind("greets-at-length", "the greeting is of several hundred kilobytes", WELL)
def _(dice: Dice) -> Scene:
    return socket(dice, make=dice.make(*NODE), padding=dice.ms(100_000, 900_000))


@kind("many-headers", "the upgrade has 150 headers", WELL)
def _(dice: Dice) -> Scene:
    return socket(dice, make=dice.make(*NODE), headers=dice.ms(120, 180))


@kind("packs", "it packs messages where the client offers that", WELL)
def _(dice: Dice) -> Scene:
    return socket(dice, make=dice.make("ws", "faye", "aiohttp"), deflate=True)


@kind("own-origin-wanted", "it wants the Origin of its own pages", WELL)
def _(dice: Dice) -> Scene:
    return socket(dice, doors=[{"header": "Origin", "unlike": r"^http://127\.0\.0\.1:\d+$", "status": 403, "body": "origin not allowed"}])  # fmt: skip


@kind("stated-origin-wanted", "it wants an Origin, which is given", WELL)
def _(dice: Dice) -> Scene:
    origin = f"https://{dice.word()}.example.com"
    return socket(dice, options={"origin": origin}, doors=[{"header": "Origin", "unlike": f"^{origin}$", "status": 403, "body": "origin not allowed"}])  # fmt: skip


@kind("agent-wanted", "who has no User-Agent is refused", WELL)
def _(dice: Dice) -> Scene:
    return socket(dice, doors=[{"header": "User-Agent", "is": "missing", "status": 403, "body": "denied"}])


@kind("subprotocol-stated", "it wants a subprotocol, which is given", WELL)
def _(dice: Dice) -> Scene:
    name = f"{dice.word()}.v{dice.ms(1, 3)}"
    door = {"header": "Sec-WebSocket-Protocol", "unlike": name, "status": 400, "body": "Missing Sec-WebSocket-Protocol"}  # fmt: skip
    return socket(dice, options={"subprotocols": (name,)}, protocols=[name], doors=[door])


@kind("slow-handshake", "it takes a third of a second for an upgrade", WELL)
def _(dice: Dice) -> Scene:
    return socket(dice, upgrade_ms=dice.ms(200, 400))


@kind("says-goodbye", "it closes with 1000 after a while, as the client asked for nothing", WELL, PASS, OPEN)
def _(dice: Dice) -> Scene:
    return socket(dice, ends={"after_ms": dice.ms(1500, 2500), "code": dice.of(1000, 1001)})


@kind("socket-alone", "it serves a WebSocket, and no page at all", WELL)
def _(dice: Dice) -> Scene:
    scene = socket(dice, make=dice.make(*NODE))
    no = {"status": dice.of(426, 400), "type": "text/plain", "body": "Upgrade Required"}
    spec = {"ws": scene.server.words["ws"], "else": [no]}
    return Scene(server=Server(make=scene.server.make, words=spec), asked=scene.asked)


@kind("later-new-session", "asked again: the same, with another session in its greeting", WELL)
def _(dice: Dice) -> Scene:
    scene = socket(dice, make=dice.make(*NODE))
    return Scene(server=scene.server, asked=scene.asked, later=scene.server)


# Well, and asked in a way that cannot show it ------------------------------------------------------------------------------------


@kind("origin-not-given", "it wants an Origin, which is not given", UNASKED)
def _(dice: Dice) -> Scene:
    return socket(dice, doors=[{"header": "Origin", "unlike": r"\.example\.com$", "status": 403, "body": "Request origin not allowed"}])  # fmt: skip


@kind("subprotocol-not-given", "it wants a subprotocol, which is not given", UNASKED)
def _(dice: Dice) -> Scene:
    return socket(dice, doors=[{"header": "Sec-WebSocket-Protocol", "unlike": "chat[.]v", "status": 400, "body": "Missing Sec-WebSocket-Protocol"}])  # fmt: skip


@kind("closes-by-its-own-code", "it upgrades, and closes by a code of its own, with a reason", UNASKED)
def _(dice: Dice) -> Scene:
    return socket(dice, make=dice.make(*NODE, "aiohttp"), greets=False, ends={"code": dice.of(4400, 4406, 4001), "reason": dice.of("Subprotocol not acceptable", "init expected")})  # fmt: skip


@kind("few-at-once", "it takes four connections of one address, and says so", UNASKED, OPEN, "error")
def _(dice: Dice) -> Scene:
    most = dice.of({"status": 429, "body": "too many connections"}, {"code": 1013, "reason": "too many connections from this address"})  # fmt: skip
    return socket(dice, make=dice.make(*NODE), most={"count": dice.ms(2, 5), **most})


@kind("wrong-path", "the path that was given is not that of its WebSocket", UNASKED, OPEN, FAIL)
def _(dice: Dice) -> Scene:
    scene = socket(dice, make=dice.make(*NODE))
    return Scene(server=scene.server, asked=Asked(ws="/not/there"))


@kind("wrong-path-hangs-up", "the path that was given is not that of its WebSocket, and it hangs up there", UNASKED)  # fmt: skip
def _(dice: Dice) -> Scene:
    scene = socket(dice, make=dice.make(*NODE), elsewhere="hangs up")
    return Scene(server=scene.server, asked=Asked(ws="/not/there"))


# Beyond what a try asks -------------------------------------------------------------------------------------------------------------


@kind("ends-idle", "whoever says nothing for a few seconds is cut", BEYOND, why="a try holds a connection for a moment")  # fmt: skip
def _(dice: Dice) -> Scene:
    return socket(dice, ends={"after_ms": dice.ms(4000, 9000), "how": "cut"})


@kind("large-breaks", "messages over 32 kB end with 1011", BEYOND, why="a try sends nothing, or small messages")  # fmt: skip
def _(dice: Dice) -> Scene:
    return socket(dice, make=dice.make(*NODE), speaks="small")


@kind(
    "sends-nothing-on",
    "what clients send is swallowed",
    BEYOND,
    why="a try does not know what a reply would be",
)
def _(dice: Dice) -> Scene:
    return socket(dice, make=dice.make(*NODE), speaks="nothing")
