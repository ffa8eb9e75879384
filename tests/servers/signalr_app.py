"""A SignalR hub (aiosignalr under uvicorn): python signalr_app.py PORT. TOKEN: who does not show it is refused; empty: nobody is."""

from __future__ import annotations

import os
import sys
from typing import Any

import uvicorn
from aiosignalr.server import Hub, SignalRServer

TOKEN = os.environ.get("TOKEN", "")


class ChatHub(Hub):
    async def say(self, text: str) -> str:
        return text


hub = SignalRServer(ChatHub).asgi_app()


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    shown = dict(scope.get("headers", ())).get(b"authorization", b"").decode().removeprefix("Bearer ")
    if scope["type"] == "http" and scope["path"] == "/health":
        await send(
            {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]}
        )
        await send({"type": "http.response.body", "body": b"Healthy"})
    elif scope["type"] == "websocket" and (scope["path"] != "/hub" or (TOKEN and shown != TOKEN)):
        await receive()
        # Before it is accepted: HTTP 403.
        await send({"type": "websocket.close", "code": 1008})
    else:
        await hub(scope, receive, send)


uvicorn.run(application, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
