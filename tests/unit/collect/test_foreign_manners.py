"""Servers with manners that somebody else gave them: how they greet, turn away, send elsewhere, and what they compare a token with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from first_tries import WELL, Answers, attempt, page, serving, talk, with_socket

from proofbook.errors import CouldNotLook
from proofbook.judge.findings import Verdict

pytestmark = [pytest.mark.waits, pytest.mark.slow]

TOKEN = "opaque-token-of-ann"
CONNECTION, REFUSALS = "websocket-connection", "websocket-refuses-bad-tokens"


@pytest.mark.usual_cases(4)
@pytest.mark.parametrize(
    "greeting",
    [
        "<html><head><title>502 Bad Gateway</title></head></html>",
        'Traceback (most recent call last):\n  File "a.py", line 3\nKeyError: 1',
        '{"event": "shutdown", "in_s": 3}',
        '{"type": "disconnect", "reason": "server_restart", "reconnect": true}',
        '{"type": "hello", "status": "maintenance"}',
        '{"op": "init", "code": 503, "msg": "no upstream"}',
    ],
)
def test_who_greets_as_what_is_not_there_for_its_users_is_not_called_well(
    greeting: str, tmp_path: Path
) -> None:
    with serving(with_socket(lambda request: talk(request, greeting))) as url:
        tried = attempt(url, base=tmp_path, ws="/ws")
    found = tried.findings[CONNECTION]
    assert found.verdict is Verdict.INCONCLUSIVE, found.statement
    assert found.reason in ("told-of-errors", "greeted-with-error"), found.statement


@pytest.mark.parametrize("greeting", ["", "\n", '{"type": "disconnect", "user": "bob"}', '{"type": "hello", "code": 200, "ok": true}'])  # fmt: skip
def test_who_greets_with_nothing_or_of_others_is_well(greeting: str, tmp_path: Path) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_str(greeting)
        async for _ in socket:
            pass
        return socket

    with serving(with_socket(answer)) as url:
        tried = attempt(url, base=tmp_path, ws="/ws")
    assert tried.verdict == "pass", tried.shown


@pytest.mark.parametrize("place", ["header", "query"])
def test_an_empty_token_that_is_let_in_is_found(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def guarded(request: web.Request) -> web.StreamResponse:
        shown = request.query.get("key") if place == "query" else request.headers.get("Authorization")
        good = (TOKEN, "") if place == "query" else (f"Bearer {TOKEN}", "Bearer", "Bearer ")
        return await talk(request) if shown in good else page("bad token", 401)

    monkeypatch.setenv("CHAT_TOKEN", TOKEN)
    named: dict[str, Any] = {"query": ("key=env:CHAT_TOKEN",)} if place == "query" else {}
    with serving(with_socket(guarded)) as url:
        tried = attempt(url, base=tmp_path, token=TOKEN, ws="/ws", token_env="CHAT_TOKEN", **named)
    found = tried.findings[REFUSALS]
    assert (found.verdict, found.reason) == (Verdict.FAIL, "bad-token-accepted"), found.statement


def test_a_query_that_names_the_variable_of_the_token_is_where_the_token_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def guarded(request: web.Request) -> web.StreamResponse:
        return await talk(request) if request.query.get("key") == TOKEN else page("bad token", 401)

    monkeypatch.setenv("CHAT_TOKEN", TOKEN)
    with serving(with_socket(guarded)) as url:
        both: dict[str, Any] = {"ws": "/ws", "query": ("key=env:CHAT_TOKEN",)}
        tried = attempt(url, base=tmp_path / "both", token=TOKEN, token_env="CHAT_TOKEN", **both)
        assert tried.findings[REFUSALS].verdict is Verdict.PASS, tried.shown
        assert tried.verdict == "pass", tried.shown
        alone = attempt(url, base=tmp_path / "alone", **both)
    assert REFUSALS not in alone.findings and alone.verdict == "pass"
    assert "Whether ws refuses another key is not tried" in alone.summary.beside


def test_who_ends_every_connection_without_a_code_may_want_what_was_not_sent(tmp_path: Path) -> None:
    async def bokeh(request: web.Request) -> web.StreamResponse:
        if "bokeh" in request.headers.get("Sec-WebSocket-Protocol", ""):
            socket = web.WebSocketResponse(protocols=["bokeh"])
            await socket.prepare(request)
            async for _ in socket:
                pass
            return socket
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        assert socket._writer is not None
        # An empty close frame, which has no code.
        await socket._writer.send_frame(b"", 8)
        return socket

    with serving(with_socket(bokeh)) as url:
        without = attempt(url, base=tmp_path / "without", ws="/ws")
        with_it = attempt(url, base=tmp_path / "with", ws="/ws", subprotocols=("bokeh",))
    found = without.findings[CONNECTION]
    assert found.verdict is Verdict.INCONCLUSIVE, found.statement
    assert with_it.verdict == "pass", with_it.shown


@pytest.mark.parametrize("reason", ["You are being rate limited", "rate limit exceeded"])
def test_who_ends_connections_because_there_were_too_many_is_asked_for_less(
    reason: str, tmp_path: Path
) -> None:
    asked = iter(range(10_000))

    async def limited(request: web.Request) -> web.StreamResponse:
        if next(asked) < 20:
            return await talk(request)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.close(code=4008, message=reason.encode())
        return socket

    with serving(with_socket(limited)) as url, pytest.raises(CouldNotLook, match=r"answered 4008 \(too many requests\)"):  # fmt: skip
        attempt(url, base=tmp_path, ws="/ws")


def test_a_front_page_that_is_elsewhere_is_asked_there_and_a_login_is_none(tmp_path: Path) -> None:
    def sends_to(there: str, text: str) -> Answers:
        async def answer(request: web.Request) -> web.StreamResponse:
            if request.path == "/":
                return page("", 302, Location=there)
            html = web.Response(text=text, content_type="text/html")
            return html if request.path == there else page("not found", 404)

        return answer

    with serving(sends_to("/app", "<title>Plots</title>")) as url:
        tried = attempt(url, base=tmp_path / "app")
    assert tried.verdict == "pass" and "health at /app" in tried.shown, tried.shown
    with serving(sends_to("/login", "<form><input type=password></form>")) as url:
        tried = attempt(url, base=tmp_path / "login")
    assert tried.verdict == "inconclusive", tried.shown


def test_one_bad_instance_of_three_is_found_although_cookies_would_keep_one_away_from_it(
    tmp_path: Path,
) -> None:
    turns = iter(range(10_000))

    async def balanced(request: web.Request) -> web.StreamResponse:
        if request.path != "/health":
            return page("not found", 404)
        node = request.cookies.get("node") or str(next(turns) % 3)
        text, status = ("bad gateway", 502) if node == "2" else (WELL, 200)
        return page(text, status, **{"Set-Cookie": f"node={node}; Path=/"})

    with serving(balanced) as url:
        tried = attempt(url, base=tmp_path)
    assert tried.verdict == "fail", tried.shown


def test_who_greeted_most_and_then_nobody_is_broken_the_next_time_too(tmp_path: Path) -> None:
    connected = iter(range(10_000))

    async def tired(request: web.Request) -> web.StreamResponse:
        return await talk(request, '{"type": "hello"}' if next(connected) < 60 else "")

    with serving(with_socket(tired)) as url:
        first = attempt(url, base=tmp_path, ws="/ws")
        second = attempt(url, base=tmp_path, ws="/ws")
    assert first.verdict == "fail", first.shown
    assert second.verdict == "fail", second.shown


def test_a_server_of_websockets_with_one_word_for_every_path_has_no_health_page(tmp_path: Path) -> None:
    def saying(word: str) -> Answers:
        async def answer(request: web.Request) -> web.StreamResponse:
            return await talk(request) if request.path == "/room" else page(word)

        return answer

    with serving(saying("Welcome to the server!")) as url:
        tried = attempt(url, base=tmp_path / "word", ws="/room")
    assert tried.verdict == "pass" and "no health page" in tried.shown, tried.shown
    with serving(saying("DOWN")) as url:
        tried = attempt(url, base=tmp_path / "down", ws="/room")
    assert tried.verdict != "pass", tried.shown


def test_a_text_that_is_well_is_told_from_the_page_that_every_other_path_has(tmp_path: Path) -> None:
    async def streamlit(request: web.Request) -> web.StreamResponse:
        if request.path == "/_stcore/health":
            return page("ok")
        return web.Response(text="<title>App</title>", content_type="text/html")

    with serving(streamlit) as url:
        tried = attempt(f"{url}/_stcore/health", base=tmp_path)
    assert tried.verdict == "pass", tried.shown
