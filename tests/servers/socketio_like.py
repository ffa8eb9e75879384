"""A server that speaks Engine.IO 4 and Socket.IO over WebSocket, as far as a chat needs it; written by the public protocol."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from http import HTTPStatus

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

TOKEN = "good-token-of-a-user"


class SocketIo:
    """The server's state: what it was told, and how it behaves.

    accepts: whether any token will do. ping_first: a ping between connecting and the reply, which must be answered first.
    """

    def __init__(self, *, accepts: bool = False, ping_first: bool = True, silent: bool = False) -> None:
        self.accepts, self.ping_first, self.silent = accepts, ping_first, silent
        self.paths: list[str] = []
        self.pongs = 0

    async def handle(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        self.paths.append(connection.request.path)
        await connection.send('0{"sid":"e1","upgrades":[],"pingInterval":25000,"pingTimeout":20000}')
        with contextlib.suppress(ConnectionClosed):
            async for packet in connection:
                await self._answer(connection, str(packet))

    async def _answer(self, connection: ServerConnection, packet: str) -> None:
        if packet.startswith("40"):
            asked = json.loads(packet[2:] or "{}")
            if self.silent:
                return
            if self.accepts or asked.get("token") == TOKEN:
                await connection.send('40{"sid":"s1"}')
            else:
                await connection.send('44{"message":"invalid token"}')
        elif packet == "3":
            self.pongs += 1
        elif packet.startswith("42"):
            if self.ping_first:
                pongs = self.pongs
                await connection.send("2")
                while self.pongs == pongs and (answer := str(await connection.recv())):
                    self.pongs += answer == "3"
            name, *values = json.loads(packet[2:])
            await connection.send(f"42{json.dumps([f'{name} received', *values])}")


def only_its_path(connection: ServerConnection, request: Request) -> Response | None:
    if request.path.startswith("/socket.io/?EIO=4"):
        return None
    return connection.respond(HTTPStatus.NOT_FOUND, "nothing here")


@contextlib.asynccontextmanager
async def serving(state: SocketIo) -> AsyncIterator[int]:
    """Its port on loopback."""
    async with serve(state.handle, "127.0.0.1", 0, process_request=only_its_path) as server:
        yield server.sockets[0].getsockname()[1]
