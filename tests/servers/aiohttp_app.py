"""An aiohttp application: health at /healthz as text, a WebSocket that wants a token and greets with text. ANY_TOKEN: any will do.

AS_SUBPROTOCOL: the token is wanted as the subprotocol `jwt.<token>`.
"""

from __future__ import annotations

import os
import sys

from aiohttp import WSMsgType, web


async def health(_: web.Request) -> web.Response:
    return web.Response(text="fine")


async def talk(request: web.Request) -> web.WebSocketResponse:
    told = request.headers.get("Authorization", "")
    if os.environ.get("AS_SUBPROTOCOL"):
        told = request.headers.get("Sec-WebSocket-Protocol", "").replace("jwt.", "Bearer ")
    if not (told == "Bearer correct-horse-battery-staple" or (os.environ.get("ANY_TOKEN") and told)):
        raise web.HTTPUnauthorized
    socket = web.WebSocketResponse(protocols=request.headers.get("Sec-WebSocket-Protocol", "").split(","))
    await socket.prepare(request)
    await socket.send_str("hello")
    async for message in socket:
        if message.type == WSMsgType.TEXT:
            await socket.send_str(message.data)
    return socket


if __name__ == "__main__":
    app = web.Application()
    app.add_routes([web.get("/healthz", health), web.get("/ws", talk)])
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=lambda *_: None)
