"""Background traffic: users who list threads and chat, all the time, whatever is being validated."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import secrets
import sys
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import websockets

from proofbook.rehearsal.lifeline import end_with_parent

HTTP_PER_S = 20.0
# Few: each traceback of the old build holds its event loop up, and would hide how slow an endpoint was before.
CHATS_PER_S = 1.0
USERS = ("user_1", "user_2", "user_3")
TEXTS = ("Hello", "Grüße")
# The old build refuses this one at the door, which costs it nothing.
REFUSED_USER = "staging-e2e-user-002"
REFUSED_PER_S = 2.0
# Without a token there is no traffic, and a log without traffic looks cut: on a busy machine it may take its time.
LOGIN_S = 60.0
ANSWER_S = 5.0
# Tokens live for an hour, a rehearsal may live longer.
RENEWED_S = 1200.0


def trace_header() -> dict[str, str]:
    return {"traceparent": f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"}


async def list_threads(base: str) -> None:
    """One request on a connection of its own: a kept one would tie the traffic to a revision that is going away.

    Written by hand, since a client for everything takes five times as long, twenty times a second.
    """
    where = urlsplit(base)
    headers = {"host": where.netloc, "user-agent": "rehearsal-traffic", "accept": "*/*", "connection": "close", **trace_header()}  # fmt: skip
    asked = ["GET /api/threads HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(ANSWER_S):
            reader, writer = await asyncio.open_connection(where.hostname, where.port)
            try:
                writer.write("\r\n".join(asked).encode())
                await reader.read()
            finally:
                writer.close()


async def chat(base: str, token: str, number: int) -> None:
    headers = {"Authorization": f"Bearer {token}", **trace_header()}
    with contextlib.suppress(OSError, TimeoutError, websockets.WebSocketException):
        async with websockets.connect(
            base.replace("http", "ws", 1) + "/ws", additional_headers=headers, proxy=None, open_timeout=5
        ) as socket:
            await asyncio.wait_for(socket.recv(), 5)
            text = TEXTS[number % len(TEXTS)]
            await socket.send(json.dumps({"type": "chat_message", "id": f"traffic-{number}", "text": text}))
            await asyncio.wait_for(socket.recv(), 5)


async def log_in(auth: str, secret: str) -> list[str]:
    """Tokens of all users, that of the one who is refused last."""
    tokens = []
    async with httpx.AsyncClient(timeout=LOGIN_S) as client:
        for user in (*USERS, REFUSED_USER):
            answer = await client.post(
                f"{auth}/token", json={"user_id": user}, headers={"X-Client-Secret": secret}
            )
            tokens.append(answer.json()["access_token"])
    return tokens


async def keep_logged_in(tokens: list[str], auth: str, secret: str, *, every_s: float = RENEWED_S) -> None:
    """Replaces the tokens in the list again and again; while nobody gives new ones, the old ones stay."""
    while True:
        await asyncio.sleep(every_s)
        with contextlib.suppress(httpx.HTTPError, KeyError, ValueError):
            tokens[:] = await log_in(auth, secret)


async def main(base: str, auth: str, client_secret_file: str, share: str = "1") -> None:
    secret = Path(client_secret_file).read_text(encoding="utf-8").strip()  # noqa: ASYNC240 — once, before anything runs
    tokens = await log_in(auth, secret)
    running = {asyncio.create_task(keep_logged_in(tokens, auth, secret))}
    numbers = itertools.count()
    for tick in itertools.count():
        work = [list_threads(base)]
        if tick % round(HTTP_PER_S / CHATS_PER_S) == 0:
            number = next(numbers)
            work.append(chat(base, tokens[number % len(USERS)], number))
        if tick % round(HTTP_PER_S / REFUSED_PER_S) == 5:
            work.append(chat(base, tokens[-1], next(numbers)))
        for coroutine in work:
            task = asyncio.create_task(coroutine)
            running.add(task)
            task.add_done_callback(running.discard)
        await asyncio.sleep(1 / HTTP_PER_S / float(share))


if __name__ == "__main__":
    end_with_parent()
    asyncio.run(main(*sys.argv[1:5]))
