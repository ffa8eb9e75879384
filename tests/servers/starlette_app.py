"""A Starlette application under uvicorn: health as JSON, a WebSocket that greets with JSON.

KILLED: it dies at that connection. CRASHES: every so many connections end with 1011. VERSION: what health names.
"""

from __future__ import annotations

import os
import signal
import sys

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

connections = 0


async def health(_: Request) -> JSONResponse:
    return JSONResponse({"status": "ok", "version": os.environ.get("VERSION", "2.3.1")})


async def talk(socket: WebSocket) -> None:
    global connections
    connections += 1
    if connections == int(os.environ.get("KILLED", "-1")):
        os.kill(os.getpid(), signal.SIGKILL)
    await socket.accept()
    if connections % int(os.environ.get("CRASHES", "1000000")) == 0:
        await socket.close(1011)
        return
    await socket.send_json({"type": "welcome", "session": f"{connections:08d}"})
    try:
        while True:
            await socket.send_text(await socket.receive_text())
    except WebSocketDisconnect:
        pass


if __name__ == "__main__":
    app = Starlette(routes=[Route("/health", health), WebSocketRoute("/ws", talk)])
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
