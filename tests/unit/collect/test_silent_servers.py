"""Servers that are well and say nothing, or hang up, until one does what they wait for: none of them is called broken."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import WSMsgType, web
from first_tries import WELL, Answers, attempt, attempt_with, page, serving, talk, with_socket

from proofbook.judge.findings import Verdict

pytestmark = pytest.mark.waits

TOKEN = "a-token-of-somebody-who-may"


def silent(until: str = "", *, says: str = "", code: int = 0, after_s: float = 0.0) -> Answers:
    """A WebSocket that says nothing until somebody says a word, and then something; one that ends others by a code after a while."""

    async def answer(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        if code:
            await asyncio.sleep(after_s)
            await socket.close(code=code, message=b"")
        async for message in socket:
            if message.type == WSMsgType.TEXT and until and until in message.data:
                await socket.send_str(says)
        return socket

    return with_socket(answer)


def upgrades(where: Callable[[web.Request], Any]) -> Answers:
    """An application that answers requests for an upgrade so, at every path, and is healthy at /health."""

    async def answer(request: web.Request) -> web.StreamResponse:
        if "upgrade" in request.headers.get("Connection", "").lower():
            return await where(request)
        return page(WELL) if request.path == "/health" else page("not found", 404)

    return answer


async def hang_up(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def send_to_login(request: web.Request) -> web.StreamResponse:
    return page("", 302, Location="/login")


async def want_subprotocol(request: web.Request) -> web.StreamResponse:
    if "xmpp" in request.headers.get("Sec-WebSocket-Protocol", ""):
        return await talk(request, "")
    return page("expected the subprotocol xmpp", 400)


def first_token(*, asks_for_one: bool) -> Answers:
    """A WebSocket that connects and never speaks; asks_for_one: whom nobody shows any token is refused with a status."""

    async def answer(request: web.Request) -> web.StreamResponse:
        if asks_for_one and "Authorization" not in request.headers:
            return page("no", 401)
        return await talk(request, "")

    return with_socket(answer)


@pytest.mark.slow
def test_who_takes_a_token_in_a_first_message_of_its_own_is_not_called_open_to_everybody(
    tmp_path: Path,
) -> None:
    with serving(silent('"key"', says='{"op":"ready"}')) as url:
        found = attempt_with(TOKEN, url, base=tmp_path, ws="/ws")
    bad = found.findings["websocket-refuses-bad-tokens"]
    assert (bad.verdict, bad.reason) == (Verdict.INCONCLUSIVE, "silent-to-all"), found.shown
    assert found.verdict == "inconclusive" and "release" not in found.summary.advice
    assert "first message" in found.summary.advice, found.shown


@pytest.mark.slow
def test_who_is_silent_to_any_token_and_refuses_none_is_open_to_everybody(tmp_path: Path) -> None:
    with serving(first_token(asks_for_one=True)) as url:
        found = attempt_with(TOKEN, url, base=tmp_path, ws="/ws")
    bad = found.findings["websocket-refuses-bad-tokens"]
    assert (bad.verdict, bad.reason) == (Verdict.FAIL, "bad-token-accepted"), found.shown


@pytest.mark.usual_cases(2)
@pytest.mark.slow
@pytest.mark.parametrize("token", ["", TOKEN], ids=["no token", "a token"])
@pytest.mark.parametrize(
    "server",
    [
        silent(code=4408, after_s=0.1),
        silent(code=1008, after_s=0.1),
        silent(code=1000, after_s=0.1),
        upgrades(hang_up),
        upgrades(send_to_login),
        upgrades(want_subprotocol),
    ],
    ids=["4408", "1008", "1000", "hangs up", "login", "subprotocol"],
)
def test_who_wants_something_before_it_serves_is_neither_healthy_nor_broken(
    server: Answers, token: str, tmp_path: Path
) -> None:
    with serving(server) as url:
        found = attempt_with(token, url, base=tmp_path, ws="/ws")
    assert found.verdict == "inconclusive", found.shown
    assert "release" not in found.summary.advice


@pytest.mark.slow
def test_who_waits_for_a_subscription_and_asks_for_no_token_is_healthy(tmp_path: Path) -> None:
    with serving(silent("subscribe", says='{"event":"subscribed"}')) as url:
        found = attempt_with("", url, base=tmp_path, ws="/ws")
    assert found.verdict == "pass", found.shown


def waits_at(path: str) -> Answers:
    """An application that waits for news at one path."""

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.path != path:
            return page("not found", 404)
        await asyncio.sleep(30)
        return page('{"news": []}')

    return answer


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "verdict", "reason"),
    [("/news/poll", "inconclusive", "long-answer"), ("/health", "fail", "below-target")],
)
def test_a_page_that_waits_for_news_is_not_called_broken_and_one_of_health_that_hangs_is(
    path: str, verdict: str, reason: str, tmp_path: Path
) -> None:
    pace = {"per_s": 1000.0, "concurrency": 70, "timeout_s": 1.0}
    with serving(waits_at(path)) as url:
        found = attempt(f"{url}{path}", base=tmp_path, pace=pace)
    assert (found.verdict, found.findings["health-service"].reason) == (verdict, reason), found.shown
