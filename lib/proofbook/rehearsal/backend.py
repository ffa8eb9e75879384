"""The backend: a small agent service over HTTP and WebSocket, in one of two builds, broken on purpose when asked."""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import random
import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import jwt
from fastapi import FastAPI, HTTPException, Request, Response, WebSocket, WebSocketDisconnect
from prometheus_client import CONTENT_TYPE_LATEST, Counter, generate_latest
from pydantic import BaseModel

from proofbook.rehearsal import tokens
from proofbook.rehearsal.cloud_log import CloudLog

STARTED = time.monotonic()
BUILD = os.environ["REHEARSAL_BUILD"]
REVISION = os.environ["REHEARSAL_REVISION"]
FAULTS = frozenset(filter(None, os.environ.get("REHEARSAL_FAULTS", "").split(",")))
SERVICE_S = 0.040 * (1.4 if "slow" in FAULTS else 1.0)

# Kept for what is not under test; the handler below looks asyncio.sleep up each time, as its users' code does.
pause = asyncio.sleep

log = CloudLog(
    Path(os.environ["REHEARSAL_LOG"]), service="backend", revision=REVISION, silent="log-silent" in FAULTS
)
requests_total = Counter("rehearsal_requests", "Requests served", ["path", "status"])
id_manager = importlib.import_module(f"proofbook.rehearsal.builds.{BUILD}.id_manager")
asyncio_safe = importlib.import_module(f"proofbook.rehearsal.builds.{BUILD}.windows_asyncio_safe")
old_asyncio_safe = importlib.import_module("proofbook.rehearsal.builds.before.windows_asyncio_safe")
chance = random.Random()


async def answer(socket: WebSocket, message: dict[str, Any], user: str) -> None:
    """Answers one chat message."""
    await asyncio.sleep(0.01)
    await pause(SERVICE_S - 0.01)
    await socket.send_json(
        {"type": "agent_response", "reply_to": message.get("id"), "text": message.get("text"), "user": user}
    )


answer_safely = asyncio_safe.windows_asyncio_safe(answer)
answer_the_old_way = old_asyncio_safe.windows_asyncio_safe(answer)


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    log.structured(
        "Application startup complete", severity="INFO", startup_s=round(time.monotonic() - STARTED, 3)
    )
    leak = asyncio.create_task(leak_memory()) if "memory-leak" in FAULTS else None
    yield
    if leak is not None:
        leak.cancel()
    log.text("INFO: Application shutdown")


async def leak_memory() -> None:
    """Keeps 2 MB more every second, touched so that it is resident."""
    kept = []
    while True:
        kept.append(bytearray(os.urandom(200_000)))
        await pause(0.1)


app = FastAPI(title="Rehearsal backend", version="1.0.0", lifespan=lifespan)


class Thread(BaseModel):
    id: str
    title: str
    messages: int


class ThreadBefore(Thread):
    owner: str


class Agent(BaseModel):
    name: str
    ready: bool


@app.middleware("http")
async def log_request(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    began = time.perf_counter()
    response = await call_next(request)
    requests_total.labels(
        request.url.path if response.status_code != 404 else "other", response.status_code
    ).inc()
    log_http(request.method, str(request.url), response.status_code, began, request.headers)
    return response


def log_http(method: str, url: str, status: int, began: float, headers: Any) -> None:
    log.request(
        method=method,
        url=url,
        status=status,
        latency_s=time.perf_counter() - began,
        user_agent=headers.get("user-agent", ""),
        trace=trace_of(headers),
    )


def trace_of(headers: Any) -> str | None:
    parts = headers.get("traceparent", "").split("-")
    return parts[1] if len(parts) == 4 else None


@app.get("/health")
async def health() -> dict[str, str]:
    return {"status": "healthy", "service": "backend", "revision": REVISION}


@app.get("/metrics")
async def metrics() -> Response:
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


if "breaking-api" in FAULTS:

    @app.get("/api/threads")
    async def threads_without_owner() -> list[Thread]:
        await pause(SERVICE_S)
        return [Thread(id="t-1", title="First", messages=3)]

    @app.get("/api/v2/agents")
    async def agents_renamed() -> list[Agent]:
        await pause(SERVICE_S)
        return [Agent(name="triage", ready=True)]

else:

    @app.get("/api/threads")
    async def threads() -> list[ThreadBefore]:
        await pause(SERVICE_S)
        return [ThreadBefore(id="t-1", title="First", messages=3, owner="user_1")]

    @app.get("/api/agents")
    async def agents() -> list[Agent]:
        await pause(SERVICE_S)
        return [Agent(name="triage", ready=True)]


@app.get("/api/whoami")
async def whoami(request: Request) -> dict[str, str]:
    try:
        return {"user_id": tokens.check(request.headers.get("authorization", "").removeprefix("Bearer "))}
    except jwt.InvalidTokenError as error:
        raise HTTPException(401, str(error)) from None


@app.websocket("/ws")
async def chat(socket: WebSocket) -> None:
    began, trace = time.perf_counter(), trace_of(socket.headers)
    if "health-only" in FAULTS:
        await refuse(socket, 503, began)
        return
    token, subprotocol = token_of(socket)
    try:
        user = user_of(token, socket)
    except jwt.InvalidTokenError as error:
        log.text(f"[WARNING] WebSocket authentication failed: {error}", trace=trace)
        await refuse(socket, 403, began)
        return
    await socket.accept(subprotocol=subprotocol)
    log_http("GET", str(socket.url), 101, began, socket.headers)
    if not id_manager.accepts(user):
        log.text(f"[ERROR] Invalid user id format: {user}", trace=trace)
        await socket.close(1008, "invalid user id")
        return
    log.text(f"[INFO] WebSocket authenticated user={user}", trace=trace)
    await socket.send_json(
        {
            "type": "system_message",
            "data": {"event": "connection_established", "connection_ready": True, "user_id": user},
        }
    )
    await converse(socket, user, trace)


async def converse(socket: WebSocket, user: str, trace: str | None) -> None:
    try:
        while True:
            message = json.loads(await socket.receive_text())
            if message.get("type") == "ping":
                await socket.send_json({"type": "pong"})
            elif message.get("type") == "chat_message":
                old_path = "intermittent-1011" in FAULTS and chance.random() < 0.02
                await (answer_the_old_way if old_path else answer_safely)(socket, message, user)
                log.structured(
                    "Message delivered",
                    severity="INFO",
                    trace=trace,
                    user_id=user,
                    message_id=message.get("id"),
                )
            else:
                await socket.send_json({"type": "error", "error": "unknown message type"})
    except WebSocketDisconnect:
        return
    except Exception:
        log.text(f"[ERROR] WebSocket handler failed for user={user}\n{traceback.format_exc()}", trace=trace)
        await socket.close(1011, "internal error")


async def refuse(socket: WebSocket, status: int, began: float) -> None:
    await socket.send_denial_response(
        Response(json.dumps({"detail": "refused"}), status_code=status, media_type="application/json")
    )
    log_http("GET", str(socket.url), status, began, socket.headers)


def token_of(socket: WebSocket) -> tuple[str, str | None]:
    """The bearer token from the header, or from a `jwt.<token>` subprotocol beside the one to agree on."""
    for offered in socket.scope.get("subprotocols", []):
        if offered.startswith("jwt."):
            others = [name for name in socket.scope["subprotocols"] if not name.startswith("jwt.")]
            return offered.removeprefix("jwt."), others[0] if others else None
    return socket.headers.get("authorization", "").removeprefix("Bearer "), None


def user_of(token: str, socket: WebSocket) -> str:
    if "auth-bypass" in FAULTS and token:
        return unchecked_user(token)
    if "auth-bypass-header" in FAULTS and socket.headers.get("x-e2e-test"):
        return unchecked_user(token)
    return tokens.check(token)


def unchecked_user(token: str) -> str:
    """The defect behind both bypasses: the signature is not looked at."""
    return str(jwt.decode(token, options={"verify_signature": False}).get("sub", "user_0"))
