"""The backend: a small agent service over HTTP and WebSocket, in one of two builds, broken on purpose when asked."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import importlib
import json
import os
import re
import secrets
import signal
import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import jwt
from fastapi import FastAPI, HTTPException, Request, Response, WebSocket, WebSocketDisconnect
from prometheus_client import CONTENT_TYPE_LATEST, Counter, generate_latest
from pydantic import BaseModel

from proofbook import probe_marks
from proofbook.rehearsal import defects, incidents, tokens
from proofbook.rehearsal.cloud_log import CloudLog
from proofbook.rehearsal.defects import on

STARTED = time.monotonic()
BUILD = os.environ["REHEARSAL_BUILD"]
REVISION = os.environ["REHEARSAL_REVISION"]
SERVICE_S = 0.040

# Kept for what is not under test; the handler below looks asyncio.sleep up each time, as its users' code does.
pause = asyncio.sleep

log = CloudLog(
    Path(os.environ["REHEARSAL_LOG"]), service="backend", revision=REVISION, silent=on("log-silent")
)
requests_total = Counter("rehearsal_requests", "Requests served", ["path", "status"])
id_manager = importlib.import_module(f"proofbook.rehearsal.builds.{BUILD}.id_manager")
asyncio_safe = importlib.import_module(f"proofbook.rehearsal.builds.{BUILD}.windows_asyncio_safe")
old_asyncio_safe = importlib.import_module("proofbook.rehearsal.builds.before.windows_asyncio_safe")
open_sockets: set[WebSocket] = set()
still_cold = defects.COLD_REQUESTS if on("cold-start") else 0


async def work() -> None:
    """What a request takes."""
    global still_cold
    if still_cold > 0:
        still_cold -= 1
        await pause(defects.COLD_S)
    await pause(SERVICE_S * defects.service_times())


async def answer(socket: WebSocket, messages: list[dict[str, object]]) -> None:
    """Sends the answers to a chat message: one, unless a fault says otherwise."""
    await asyncio.sleep(0.01)
    await pause(SERVICE_S * defects.service_times() - 0.01)
    for message in messages:
        await socket.send_json(message)


answer_safely = asyncio_safe.windows_asyncio_safe(answer)
answer_the_old_way = old_asyncio_safe.windows_asyncio_safe(answer)


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    log.structured(
        "Application startup complete", severity="INFO", startup_s=round(time.monotonic() - STARTED, 3)
    )
    tasks: list[asyncio.Task[None]] = [asyncio.create_task(job()) for job in jobs()]
    asyncio.get_running_loop().add_signal_handler(
        signal.SIGUSR1, lambda: tasks.append(asyncio.create_task(say_going_away()))
    )
    yield
    for task in tasks:
        task.cancel()
    log.text("INFO: Application shutdown")


def jobs() -> list[Callable[[], Coroutine[Any, Any, None]]]:
    """What goes on beside the requests: nothing in a sound build."""
    leaking = next((rate for name, rate in defects.LEAK_MB_PER_S.items() if on(name)), None)
    found: list[Callable[[], Coroutine[Any, Any, None]]] = []
    if leaking is not None:
        found.append(functools.partial(leak_memory, leaking))
    if on("new-error"):
        found.append(fail_in_the_background)
    if on("noisy-log"):
        found.append(chatter)
    if on("crash-loop"):
        found.append(crash)
    return found


async def leak_memory(mb_per_s: float) -> None:
    """Keeps more and more, touched so that it is resident, in pieces too large to fit where others were freed."""
    kept = []
    while True:
        kept.append(os.urandom(200_000))
        await pause(0.2 / mb_per_s)


async def fail_in_the_background() -> None:
    """A job that the fix broke, which no request shows."""
    while True:
        try:
            {"session": "s-1"}["expires"]
        except KeyError:
            log.text(f"[ERROR] Session sweeper failed\n{traceback.format_exc()}")
        await pause(0.4)


async def chatter() -> None:
    """Lines that mean nothing, warnings among them, in bursts."""
    while True:
        for _ in range(secrets.randbelow(30)):
            level = secrets.choice(("INFO", "INFO", "DEBUG", "WARNING"))
            log.text(
                f"[{level}] cache shard {secrets.randbelow(64)} evicted {secrets.randbelow(9000)} keys for tenant-{secrets.token_hex(3)}"
            )
        await pause(0.5)


async def crash() -> None:
    await pause(defects.CRASH_AFTER_S)
    os._exit(1)


async def say_going_away() -> None:
    """Closes every socket with 1001, as a platform that drains politely does."""
    for socket in list(open_sockets):
        with contextlib.suppress(RuntimeError):
            await socket.close(1001, "going away")


app = FastAPI(title="Rehearsal backend", version="1.0.0", lifespan=lifespan)


class Agent(BaseModel):
    name: str
    ready: bool


class Thread(BaseModel):
    id: str
    title: str
    messages: int
    owner: str


class ThreadWithoutOwner(BaseModel):
    id: str
    title: str
    messages: int


class ThreadWithCountInWords(BaseModel):
    id: str
    title: str
    messages: str
    owner: str


Shape: Any = (
    ThreadWithoutOwner
    if on("breaking-api", "api-field-removed")
    else ThreadWithCountInWords
    if on("api-type-changed")
    else Thread
)
Order: Any = Literal["newest", "oldest"] if on("api-enum-tightened") else Literal["newest", "oldest", "title"]
THREAD = {"id": "t-1", "title": "First", "messages": "3" if on("api-type-changed") else 3, "owner": "user_1"}


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


@app.exception_handler(404)
async def not_found(_: Request, error: Exception) -> Response:
    if on("health-for-any-path"):
        return Response(json.dumps({"status": "healthy"}), media_type="application/json")
    return Response(json.dumps({"detail": "Not Found"}), status_code=404, media_type="application/json")


@app.get("/health")
async def health() -> dict[str, str]:
    status = "degraded" if on("degraded-called-healthy") else "healthy"
    return {"status": status, "service": "backend", "revision": REVISION}


@app.get("/metrics")
async def metrics() -> Response:
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


@app.get("/api/threads", response_model=list[Shape])
async def threads(request: Request, order: Order = "newest") -> list[dict[str, str | int]]:
    await work()
    if trouble := await incidents.met():
        log.text(trouble.said, trace=trace_of(request.headers))
        if trouble.status is not None:
            raise HTTPException(trouble.status, "not now")
    if defects.strikes("health-lies"):
        raise HTTPException(500, "no database")
    return [THREAD]


@app.get("/api/v2/agents" if on("breaking-api") else "/api/agents")
async def agents() -> list[Agent]:
    await work()
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
    if on("health-only"):
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
    if not accepts(user):
        log.text(f"[ERROR] Invalid user id format: {user}", trace=trace)
        await socket.close(1008, "invalid user id")
        return
    log.text(f"[INFO] WebSocket authenticated user={user}", trace=trace)
    open_sockets.add(socket)
    try:
        if not on("accepted-then-silent"):
            await socket.send_json(greeting_of(user))
        await converse(socket, user, trace)
    finally:
        open_sockets.discard(socket)


def accepts(user: str) -> bool:
    if on("ids-too-strict"):
        return re.fullmatch(r"user_\d+|staging-e2e-user-\d{3,}", user) is not None
    if on("ids-too-loose"):
        return re.match(r"user_\d+|staging-e2e-user-\d+", user) is not None
    return bool(id_manager.accepts(user))


def greeting_of(user: str) -> dict[str, object]:
    name = "uid" if on("message-schema-changed") else "user_id"
    data = {"event": "connection_established", "connection_ready": True, name: user}
    return {"type": "system_message", "data": data}


async def converse(socket: WebSocket, user: str, trace: str | None) -> None:
    is_probe = socket.headers.get("user-agent") == probe_marks.USER_AGENT
    unlucky = defects.strikes("intermittent-1011", "frequent-1011", "rare-1011")
    wrong = next((name for name in WRONG_REPLIES if defects.strikes(name)), "")
    number = 0
    held: list[dict[str, object]] = []
    try:
        while True:
            message = json.loads(await socket.receive_text())
            if message.get("type") == "ping":
                await socket.send_json({"type": "pong"})
            elif message.get("type") == "chat_message":
                number += 1
                if on("text-not-encoded"):
                    str(message.get("text")).encode("ascii")
                old_path = defects.takes_the_old_path(
                    number=number, text=str(message.get("text")), unlucky=unlucky, is_probe=is_probe
                )
                replies, held = replies_to(message, user, wrong=wrong, number=number, held=held)
                await (answer_the_old_way if old_path else answer_safely)(socket, replies)
                log_delivery(message, user, trace)
                if on("late-1011"):
                    await pause(defects.LATE_S)
                    await answer_the_old_way(socket, [])
            else:
                await socket.send_json({"type": "error", "error": "unknown message type"})
    except WebSocketDisconnect:
        return
    except Exception:
        log.text(f"[ERROR] WebSocket handler failed for user={user}\n{traceback.format_exc()}", trace=trace)
        with contextlib.suppress(RuntimeError):
            await socket.close(1011, "internal error")


WRONG_REPLIES = (
    "reply-lost",
    "reply-duplicated",
    "reply-reordered",
    "reply-altered",
    "reply-of-another-user",
)


def replies_to(
    message: dict[str, object], user: str, *, wrong: str, number: int, held: list[dict[str, object]]
) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    """(what is sent now, what is kept for later) for the `number`-th message of a conversation that goes wrong in that way."""
    reply = {"type": "agent_response", "reply_to": message.get("id"), "text": message.get("text"), "user": user}  # fmt: skip
    if number == 1:
        if wrong == "reply-lost":
            return [], []
        if wrong == "reply-duplicated":
            return [reply, reply], []
        if wrong == "reply-reordered":
            return [], [reply]
        if wrong == "reply-altered":
            return [{**reply, "text": f"{reply['text']}?"}], []
        if wrong == "reply-of-another-user":
            return [{**reply, "user": "user_2"}], []
    return [reply, *held], []


def log_delivery(message: dict[str, object], user: str, trace: str | None) -> None:
    if on("log-forged"):
        # What a user wrote ends up in the log as it came: a line of it looks like a success.
        log.text(f"[INFO] received from {user}: hello\nMessage delivered\n", trace=trace)
        return
    log.structured(
        "Message delivered", severity="INFO", trace=trace, user_id=user, message_id=message.get("id")
    )


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
    if on("auth-bypass") and token:
        return unchecked_user(token)
    if on("auth-bypass-header") and socket.headers.get("x-e2e-test"):
        return unchecked_user(token)
    if on("tokens-of-some-refused") and unchecked_user(token).startswith("staging-"):
        raise jwt.InvalidSignatureError("Signature verification failed")
    return tokens.check(token, expiry=not on("expired-accepted"), audience=not on("wrong-audience-accepted"))


def unchecked_user(token: str) -> str:
    """The defect behind both bypasses: the signature is not looked at."""
    return str(jwt.decode(token, options={"verify_signature": False}).get("sub", "user_0"))
