"""Kinds of servers that speak a dialect: Socket.IO and graphql-ws by their own packages, the brokers NATS and Mosquitto, and small ones."""

from __future__ import annotations

from typing import Any

from abroad.kinds import FAIL, OPEN, PASS, Asked, Dice, Kind, Scene, Server, State, catalogue
from abroad.sockets import NODE, socket

SPOKEN: list[Kind] = []
kind = catalogue(SPOKEN)
BROKEN, WELL, UNASKED, BEYOND = State.BROKEN, State.WELL, State.UNASKED, State.BEYOND

SOCKETIO, GRAPHQL = ("socketio", "/socket.io/"), ("graphql", "/graphql")
# Mosquitto 2.0.11 does not start with a WebSocket alone; where it may, it becomes another user, who reads no file of ours.
MOSQUITTO = "user root\nlistener OTHER 127.0.0.1\nlistener PORT 127.0.0.1\nprotocol websockets\n"
NATS = 'port: -1\nwebsocket { port: PORT, host: "127.0.0.1", no_tls: true }\n'


def package(which: tuple[str, str], *, token: str = "", shows: str = "", **variables: Any) -> Scene:
    """Socket.IO or graphql-ws. token: the good one; empty where everybody is let in."""
    make, path = which
    words = {**variables, **({"TOKEN": token} if token else {})}
    return Scene(server=Server(make=make, words=words), asked=Asked(ws=path, token=shows or token))


def mosquitto(dice: Dice, *, good: str = "", shows: str = "", stopped: bool = False) -> Scene:
    settings = f"{MOSQUITTO}allow_anonymous false\npassword_file HERE/passwords\n" if good else f"{MOSQUITTO}allow_anonymous true\n"  # fmt: skip
    server = Server(make="mosquitto", settings=settings, words={"password": good} if good else {}, stopped=stopped)  # fmt: skip
    return Scene(server=server, asked=Asked(ws=dice.of("/mqtt", "/"), token=shows))


def nats(dice: Dice, *, good: str = "", shows: str = "", stopped: bool = False) -> Scene:
    settings = f'{NATS}authorization {{ token: "{good}" }}\n' if good else NATS
    return Scene(server=Server(make="nats-server", settings=settings, stopped=stopped), asked=Asked(ws="/", token=shows))  # fmt: skip


def speaks(dice: Dice, language: str, how: str = "well", *, stated: bool = True, **more: Any) -> Scene:
    """A small server of a dialect, whose name is given where it cannot be seen."""
    dialect, path, protocols = {
        "jsonrpc": ("json-rpc", "/rpc", []),
        "signalr": ("signalr", "/hub", []),
        "stomp": ("stomp", "/stomp", ["v12.stomp"]),
        "cable": ("action-cable", "/cable", ["actioncable-v1-json"]),
    }[language]
    scene = socket(dice, make=dice.make(*NODE), greets=False, greeting_ms=0, speaks=language, language={"how": how, **more}, protocols=protocols)  # fmt: skip
    words = {**scene.server.words, "ws": {**scene.server.words["ws"], "path": path}}
    options = {"dialect": dialect} if stated else {}
    return Scene(server=Server(make=scene.server.make, words=words), asked=Asked(ws=path, options=options))


# Broken -----------------------------------------------------------------------------------------------------------------------


@kind("package-lets-anybody-in", "Socket.IO or graphql-ws lets any token in", BROKEN)
def _(dice: Dice) -> Scene:
    return package(dice.of(SOCKETIO, GRAPHQL), shows=dice.secret())


@kind("graphql-executes-nothing", "graphql-ws acknowledges, and executes nothing", BROKEN)
def _(dice: Dice) -> Scene:
    return package(GRAPHQL, SILENT=1)


@kind("broker-lets-anybody-in", "Mosquitto or NATS lets any password in", BROKEN)
def _(dice: Dice) -> Scene:
    return dice.of(mosquitto, nats)(dice, shows=dice.secret())  # type: ignore[no-any-return]  # a choice of two


@kind("broker-stopped", "the process of the broker stands still", BROKEN)
def _(dice: Dice) -> Scene:
    return dice.of(mosquitto, nats)(dice, stopped=True)  # type: ignore[no-any-return]  # a choice of two


@kind("language-silent", "it lets in by name, and then answers nothing", BROKEN)
def _(dice: Dice) -> Scene:
    return speaks(dice, dice.of("jsonrpc", "signalr"), "silent")


@kind("language-wrong", "its replies are those of another request, or errors of its own", BROKEN)
def _(dice: Dice) -> Scene:
    return speaks(dice, dice.of("jsonrpc", "signalr"), "wrong")


# Well -------------------------------------------------------------------------------------------------------------------------


@kind("socketio", "Socket.IO, with a token or without", WELL)
def _(dice: Dice) -> Scene:
    return package(SOCKETIO, token=dice.of("", dice.secret()))


@kind("socketio-beats", "Socket.IO that throws out who does not answer its heartbeat", WELL)
def _(dice: Dice) -> Scene:
    return package(SOCKETIO, PING_MS=dice.ms(200, 500))


@kind("graphql", "graphql-ws, with a token or without", WELL)
def _(dice: Dice) -> Scene:
    return package(GRAPHQL, token=dice.of("", dice.secret()))


@kind("mosquitto", "Mosquitto, with a password or without", WELL)
def _(dice: Dice) -> Scene:
    good = dice.of("", dice.secret())
    return mosquitto(dice, good=good, shows=good)


@kind("nats", "NATS, with a token or without", WELL)
def _(dice: Dice) -> Scene:
    good = dice.of("", dice.secret())
    return nats(dice, good=good, shows=good)


@kind("language-named", "a dialect that is named: JSON-RPC, SignalR, STOMP, Action Cable", WELL)
def _(dice: Dice) -> Scene:
    return speaks(dice, dice.of("jsonrpc", "signalr", "stomp", "cable"))


@kind("language-found", "STOMP or Action Cable, which it shows by itself", WELL)
def _(dice: Dice) -> Scene:
    return speaks(dice, dice.of("stomp", "cable"), stated=False)


@kind("welcome-and-no-cable", "it greets as Action Cable does, and is none", WELL)
def _(dice: Dice) -> Scene:
    return socket(dice, greets=False, greeting=[{"text": '{"type":"welcome"}'}])


# Well, and asked in a way that cannot show it ---------------------------------------------------------------------------------------


@kind("package-wrong-token", "Socket.IO or graphql-ws, and a token that is none of its", UNASKED)
def _(dice: Dice) -> Scene:
    return package(dice.of(SOCKETIO, GRAPHQL), token=dice.secret(), shows=dice.secret())


@kind("broker-wrong-token", "Mosquitto or NATS, and a password that is none of its", UNASKED)
def _(dice: Dice) -> Scene:
    return dice.of(mosquitto, nats)(dice, good=dice.secret(), shows=dice.secret())  # type: ignore[no-any-return]  # a choice of two


@kind("stomp-without-passcode", "STOMP that wants a passcode, which was not given", UNASKED)
def _(dice: Dice) -> Scene:
    return speaks(dice, "stomp", passcode=dice.secret())


@kind(
    "language-not-named", "JSON-RPC or SignalR, which it does not show, and nobody named", UNASKED, OPEN, PASS
)
def _(dice: Dice) -> Scene:
    return speaks(dice, dice.of("jsonrpc", "signalr"), stated=False)


@kind("another-dialect-named", "a dialect was named that it does not speak", UNASKED)
def _(dice: Dice) -> Scene:
    scene = socket(dice, make=dice.make(*NODE))
    return Scene(server=scene.server, asked=Asked(ws=scene.asked.ws, options={"dialect": dice.of("stomp", "socket-io", "graphql-transport-ws")}))  # fmt: skip


# Beyond -----------------------------------------------------------------------------------------------------------------------


@kind("socketio-answers-nothing", "Socket.IO lets in, and no event is answered", BEYOND, PASS, FAIL, why="no event of an application is known; stated in a file it is asked")  # fmt: skip
def _(dice: Dice) -> Scene:
    return package(SOCKETIO, SILENT=1)


@kind("stomp-or-cable-silent", "STOMP or Action Cable lets in, and answers nothing that is asked after", BEYOND, PASS, FAIL, why="neither has a question that every server answers and that changes nothing; stated in a file it is asked")  # fmt: skip
def _(dice: Dice) -> Scene:
    return speaks(dice, dice.of("stomp", "cable"), "silent")
