"""A Litestar application under uvicorn: health as JSON, a WebSocket that says everything back.

TOKEN: the only bearer token that is let in; empty: any. BROKEN: every handler of the WebSocket raises before it accepts.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import uvicorn
from litestar import Litestar, WebSocket, get, websocket
from litestar.connection import ASGIConnection
from litestar.exceptions import NotAuthorizedException, WebSocketDisconnect
from litestar.handlers.base import BaseRouteHandler

Connection = ASGIConnection[Any, Any, Any, Any]


def is_known(connection: Connection, _: BaseRouteHandler) -> None:
    token = os.environ.get("TOKEN")
    if token and connection.headers.get("authorization") != f"Bearer {token}":
        raise NotAuthorizedException()


@get("/health")
async def health() -> dict[str, str]:
    return {"status": "ok"}


@websocket("/ws", guards=[is_known])
async def talk(socket: WebSocket[Any, Any, Any]) -> None:
    if os.environ.get("BROKEN"):
        raise RuntimeError("the pool of connections is empty")
    await socket.accept()
    try:
        while True:
            await socket.send_json(await socket.receive_json())
    except WebSocketDisconnect:
        pass


if __name__ == "__main__":
    app = Litestar([health, talk])
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
