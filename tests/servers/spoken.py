"""Small servers that speak a dialect, each written after its public protocol, and ways in which each can be broken.

`how` is `well`, `silent` (nothing after the first word), `wrong` (replies that are none) or `refuses` (any token); `TOKEN` is the good one.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import websockets
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

TOKEN = "good-token-of-a-user"
END, NUL = "\x1e", "\x00"
Talk = Callable[[ServerConnection, str], Awaitable[None]]


def _bearer(connection: ServerConnection) -> bool:
    assert connection.request is not None
    return connection.request.headers.get("Authorization") == f"Bearer {TOKEN}"


async def json_rpc(connection: ServerConnection, how: str) -> None:
    """JSON-RPC 2.0: every request has a response with its id."""
    async for message in connection:
        asked = json.loads(message)
        if how == "silent":
            continue
        code = -32603 if how == "wrong" else -32601
        await connection.send(
            json.dumps({"jsonrpc": "2.0", "method": "progress", "params": {"id": asked["id"]}})
        )
        error = {"code": code, "message": "Internal error" if how == "wrong" else "Method not found"}
        await connection.send(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "error": error}))


async def signalr(connection: ServerConnection, how: str) -> None:
    """SignalR's hub protocol in JSON: a handshake, records that end with 0x1e, pings, completions."""
    asked = json.loads(str(await connection.recv()).removesuffix(END))
    if asked != {"protocol": "json", "version": 1}:
        await connection.send('{"error":"another protocol"}' + END)
        return
    if how == "refuses" or (how == "login" and not _bearer(connection)):
        await connection.send('{"error":"not authorized"}' + END)
        return
    # The handshake's answer and the first ping come in one frame.
    await connection.send("{}" + END + '{"type":6}' + END)
    async for message in connection:
        for record in str(message).split(END)[:-1]:
            said = json.loads(record)
            if said["type"] != 1 or how == "silent":
                continue
            name = "other" if how == "wrong" else said["invocationId"]
            whole = json.dumps({"type": 3, "invocationId": name, "error": "Unknown hub method"}) + END
            # In two frames.
            await connection.send(whole[:9])
            await connection.send(whole[9:])


async def stomp(connection: ServerConnection, how: str) -> None:
    """STOMP 1.2: frames that end with NUL, ends of line between them."""
    command, headers = _frame(str(await connection.recv()))
    if command != "CONNECT" or "accept-version" not in headers:
        return
    if how == "refuses" or (how == "login" and headers.get("passcode") != TOKEN):
        await connection.send(f"ERROR\nmessage:Bad credentials\n\n{NUL}")
        return
    await connection.send(f"CONNECTED\nversion:1.2\n\n{NUL}")
    async for message in connection:
        command, headers = _frame(str(message))
        if how != "silent" and "receipt" in headers:
            receipt = "another" if how == "wrong" else headers["receipt"]
            await connection.send(f"\nRECEIPT\nreceipt-id:{receipt}\n\n{NUL}")


def _frame(text: str) -> tuple[str, dict[str, str]]:
    command, *lines = text.lstrip("\n").partition("\n\n")[0].split("\n")
    return command, dict(line.split(":", 1) for line in lines)


async def action_cable(connection: ServerConnection, how: str) -> None:
    """Action Cable: a welcome, pings, subscriptions that are confirmed."""
    if how == "refuses" or (how == "login" and not _bearer(connection)):
        await connection.send('{"type":"disconnect","reason":"unauthorized","reconnect":false}')
        return
    if connection.subprotocol != "actioncable-v1-json":
        return
    await connection.send('{"type":"welcome"}')
    async for message in connection:
        asked = json.loads(message)
        await connection.send('{"type":"ping","message":1700000000}')
        if how != "silent" and asked["command"] == "subscribe":
            name = "{}" if how == "wrong" else asked["identifier"]
            await connection.send(json.dumps({"identifier": name, "type": "confirm_subscription"}))


async def jupyter(connection: ServerConnection, how: str) -> None:
    """Jupyter's kernel messages: states bear the id of the request, before the reply and after it."""
    async for message in connection:
        asked = json.loads(message)
        if how == "silent":
            continue

        def answer(kind: str, parent: Any, **content: str) -> str:
            return json.dumps({"header": {"msg_type": kind}, "parent_header": parent, "content": content})

        parent = asked["header"]
        await connection.send(answer("status", parent, execution_state="busy"))
        await connection.send(answer("error" if how == "wrong" else "kernel_info_reply", parent))
        await connection.send(answer("status", parent, execution_state="idle"))


async def home_assistant(connection: ServerConnection, how: str) -> None:
    """Home Assistant: everybody is asked for a token; commands have numbers, which must grow."""
    await connection.send('{"type":"auth_required","ha_version":"2024.3.3"}')
    asked = json.loads(await connection.recv())
    if how == "refuses" or (how == "login" and asked != {"type": "auth", "access_token": TOKEN}):
        await connection.send('{"type":"auth_invalid","message":"Invalid access token or password"}')
        return
    await connection.send('{"type":"auth_ok","ha_version":"2024.3.3"}')
    last = 0
    async for message in connection:
        asked = json.loads(message)
        if how != "silent" and asked["id"] > last:
            last = asked["id"]
            await connection.send(json.dumps({"id": last + (how == "wrong"), "type": "pong"}))


async def node_red(connection: ServerConnection, how: str) -> None:
    """Node-RED's editor: everybody is connected; the first message must show a token."""
    asked = json.loads(await connection.recv())
    if how == "refuses" or (how == "login" and asked.get("auth") != TOKEN):
        await connection.send('{"auth":"fail"}')
        return
    await connection.send('{"auth":"ok"}')
    async for message in connection:
        if how != "silent":
            told = json.loads(message)
            await connection.send(json.dumps([{"topic": "hb"} if how == "wrong" else told]))


async def nats(connection: ServerConnection, how: str) -> None:
    """NATS: lines; it greets everybody, and looks at the token only in CONNECT."""
    await connection.send(b'INFO {"auth_required":true}\r\n')
    async for message in connection:
        text = message if isinstance(message, str) else message.decode()
        for line in text.split("\r\n"):
            if line.startswith("CONNECT"):
                token = json.loads(line.removeprefix("CONNECT ")).get("auth_token")
                if how == "refuses" or (how == "login" and token != TOKEN):
                    await connection.send(b"-ERR 'Authorization Violation'\r\n")
                    return
            elif line == "PING":
                await connection.send(b"PO")
                await connection.send(b"NG\r\nPING\r\n" if how != "wrong" else b"PO\r\n")
        if how == "silent" and "PING" in text:
            await connection.wait_closed()


SERVED: dict[str, tuple[Talk, list[str]]] = {
    "json-rpc": (json_rpc, []),
    "signalr": (signalr, []),
    "stomp": (stomp, ["v12.stomp"]),
    "action-cable": (action_cable, ["actioncable-v1-json"]),
    "jupyter": (jupyter, []),
    "nats": (nats, []),
    "home-assistant": (home_assistant, []),
    "node-red": (node_red, []),
}


@contextlib.asynccontextmanager
async def speaking(dialect: str, how: str = "well") -> AsyncIterator[int]:
    """The port on loopback of a server that speaks a dialect."""
    talk, subprotocols = SERVED[dialect]

    async def handle(connection: ServerConnection) -> None:
        with contextlib.suppress(ConnectionClosed, asyncio.TimeoutError):
            await talk(connection, how)

    offered = [websockets.Subprotocol(name) for name in subprotocols] or None
    async with serve(handle, "127.0.0.1", 0, subprotocols=offered) as server:
        yield server.sockets[0].getsockname()[1]
