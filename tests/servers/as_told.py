"""A service that is what the variables say, to be asked by somebody who does not know it.

AT: where its health is. BODY, STATUS, TYPE: what it says there. ROOT: what / says; elsewhere is 404. A root of `stream` never ends,
one of `huge` is of 500 MB. ENDS: how it ends each WebSocket 0.1 s after its greeting, by close code, `reset` or `cut`; empty where it does not.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import sys

from aiohttp import web

TOLD = os.environ


async def health(_: web.Request) -> web.Response:
    return web.Response(
        text=TOLD.get("BODY", '{"status": "ok"}'),
        status=int(TOLD.get("STATUS", "200")),
        content_type=TOLD.get("TYPE", "application/json"),
    )


async def root(request: web.Request) -> web.StreamResponse:
    said = TOLD["ROOT"]
    if said not in ("stream", "huge"):
        return web.Response(text=said)
    answer = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await answer.prepare(request)
    for _ in range(500 if said == "huge" else 1_000_000):
        await answer.write(bytes(1_000_000) if said == "huge" else b":\n\n")
        await asyncio.sleep(0 if said == "huge" else 0.2)
    return answer


async def talk(request: web.Request) -> web.WebSocketResponse:
    connection = web.WebSocketResponse()
    await connection.prepare(request)
    await connection.send_json({"type": "hello"})
    ends = TOLD.get("ENDS", "")
    if not ends:
        async for _ in connection:
            pass
        return connection
    await asyncio.sleep(0.1)
    transport = request.transport
    assert transport is not None
    if ends == "cut":
        transport.close()
    elif ends == "reset":
        told = struct.pack("ii", 1, 0)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, told)
        transport.abort()
    else:
        await connection.close(code=int(ends))
    return connection


if __name__ == "__main__":
    app = web.Application()
    app.router.add_get(TOLD.get("AT", "/health"), health)
    if "ROOT" in TOLD:
        app.router.add_get("/", root)
    app.router.add_get("/ws", talk)
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None)
