"""A healthy page, and a WebSocket that sends some ten thousand messages a second to everyone who connects."""

import asyncio
import contextlib
import http
import sys
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed


def page(connection: ServerConnection, request: Any) -> Any:
    if request.path == "/ws":
        return None
    known = request.path == "/health"
    return connection.respond(http.HTTPStatus.OK if known else http.HTTPStatus.NOT_FOUND, "well")


async def flood(connection: ServerConnection) -> None:
    with contextlib.suppress(ConnectionClosed):
        for number in range(1_000_000):
            await connection.send(f"{number:08d} " + "x" * 1000)
            if number % 100 == 0:
                await asyncio.sleep(0.01)


async def main() -> None:
    async with serve(flood, "127.0.0.1", int(sys.argv[1]), process_request=page):
        await asyncio.Future()


if __name__ == "__main__":
    asyncio.run(main())
