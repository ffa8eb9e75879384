"""How a server refuses a wrong token in a way of its own, which a first look learns by showing it one; and careless comparisons."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from first_tries import WELL, Answers, page, serving, talk, with_socket
from test_first_words import BAD_TOKENS, TOKEN, kept, with_token

from proofbook.judge.findings import Verdict

pytestmark = pytest.mark.waits

Refuse = Callable[[web.Request], Any]


def guarded(refuse: Refuse, *, is_good: Callable[[str], bool] = TOKEN.__eq__) -> Answers:
    async def answer(request: web.Request) -> web.StreamResponse:
        shown = request.headers.get("Authorization", "").removeprefix("Bearer ")
        return await talk(request) if is_good(shown) else await refuse(request)

    return with_socket(answer)


def by_status(status: int, **headers: str) -> Refuse:
    async def refuse(_: web.Request) -> web.StreamResponse:
        return page("no", status, **headers)

    return refuse


def by_close(code: int, reason: str = "", *, first: str = "", after_s: float = 0.0) -> Refuse:
    async def refuse(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        if first:
            await socket.send_str(first)
        await asyncio.sleep(after_s)
        await socket.close(code=code, message=reason.encode())
        return socket

    return refuse


@pytest.mark.usual_cases(4)
@pytest.mark.slow
@pytest.mark.parametrize(
    ("refuse", "refusal"),
    [
        (by_status(404), {"http_status": [404]}),
        (by_status(302, Location="/login"), {"http_status": [302]}),
        (by_status(200), {"http_status": [200]}),
        (by_close(4009), {"close_codes": [4009]}),
        (by_close(1000, "unauthorized"), {"close_codes": [1000]}),
        (by_close(1011, "authentication failed"), {"close_codes": [1011]}),
        (by_close(1000, first='{"type":"auth_invalid"}'), {"message": {"regex": "auth_invalid"}}),
        # Greeted like everybody, and thrown out later than is usual.
        (by_close(4401, first='{"type": "hello"}', after_s=3.0), {"within_s": 7.0}),
    ],
)
def test_how_a_wrong_token_is_refused_is_learnt(
    refuse: Refuse, refusal: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(guarded(refuse)) as url:
        tried = with_token(url, tmp_path, monkeypatch)
    learnt = kept(tried)["refusal"]
    if "within_s" in refusal:
        # How long it takes depends on the machine.
        assert learnt.pop("within_s") >= 6.0
        assert not learnt
    else:
        assert {key: value for key, value in learnt.items() if key not in ("within_s", "send")} == refusal
    assert tried.findings[BAD_TOKENS].verdict is Verdict.PASS, tried.findings[BAD_TOKENS].statement
    assert tried.verdict == "pass", tried.shown


@pytest.mark.slow
@pytest.mark.parametrize("refuse", [by_status(503), by_close(1011), by_close(1000)])
def test_what_may_be_a_fault_is_learnt_as_no_refusal(
    refuse: Refuse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(guarded(refuse)) as url:
        tried = with_token(url, tmp_path, monkeypatch)
    assert "refusal" not in kept(tried)
    assert tried.findings[BAD_TOKENS].reason == "unnamed-refusal", tried.findings[BAD_TOKENS].statement


@pytest.mark.slow
def test_a_wrong_token_that_is_thrown_out_late_proves_nothing_of_a_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = by_close(4401, first='{"type": "hello"}', after_s=1.0)
    with serving(guarded(late, is_good=lambda _: False)) as url:
        tried = with_token(url, tmp_path, monkeypatch)
    found = tried.findings[BAD_TOKENS]
    assert (found.verdict, found.reason) == (Verdict.INCONCLUSIVE, "good-token-refused"), found.statement
    assert "--query NAME=env:VARIABLE" in tried.shown


@pytest.mark.usual_cases(2)
@pytest.mark.slow
@pytest.mark.parametrize(
    "is_good",
    [
        lambda shown: shown.startswith(TOKEN),
        lambda shown: bool(shown) and shown in TOKEN,
        lambda shown: shown[1:] == TOKEN[1:],
        lambda shown: shown[:8] == TOKEN[:8],
        lambda shown: len(shown) == len(TOKEN),
    ],
)
def test_a_careless_comparison_is_found(
    is_good: Callable[[str], bool], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(guarded(by_status(401), is_good=is_good)) as url:
        found = with_token(url, tmp_path, monkeypatch).findings[BAD_TOKENS]
    assert (found.verdict, found.reason) == (Verdict.FAIL, "bad-token-accepted"), found.statement


@pytest.mark.slow
@pytest.mark.parametrize(
    ("user", "nobody"),
    [
        ('{"type": "hello", "user": "ann"}', '{"type": "hello", "user": "guest"}'),
        ('{"type": "hello", "guest": false}', '{"type": "hello", "guest": true}'),
        ('{"type": "hello", "authenticated": true}', '{"type": "hello", "authenticated": false}'),
    ],
)
def test_who_is_let_in_as_nobody_in_particular_is_not_let_in_by_his_token(
    user: str, nobody: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        is_good = request.headers.get("Authorization") == f"Bearer {TOKEN}"
        return await talk(request, user if is_good else nobody)

    with serving(with_socket(answer)) as url:
        tried = with_token(url, tmp_path, monkeypatch)
    assert "message" in kept(tried)["refusal"]
    assert tried.verdict == "pass", tried.shown


@pytest.mark.slow
def test_who_calls_everybody_a_guest_and_lets_any_token_in_is_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        return await talk(request, '{"type": "hello", "user": "guest"}')

    with serving(with_socket(answer)) as url:
        tried = with_token(url, tmp_path, monkeypatch)
    assert "refusal" not in kept(tried)
    assert tried.findings[BAD_TOKENS].reason == "bad-token-accepted", tried.shown


@pytest.mark.slow
@pytest.mark.parametrize("greeting", ['{"type": "hello"}', ""], ids=["greets", "is silent"])
def test_a_server_that_says_the_same_wherever_one_comes_looks_at_no_path(
    greeting: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        if "upgrade" not in request.headers.get("Connection", "").lower():
            return page(WELL) if request.path == "/health" else page("not found", 404)
        is_good = request.headers.get("Authorization") == f"Bearer {TOKEN}"
        return await talk(request, greeting) if is_good else page("no", 401)

    with serving(answer) as url:
        tried = with_token(url, tmp_path, monkeypatch)
    assert kept(tried).get("any_path", False) is bool(greeting)
    # Of one that says nothing it is not known whether anybody is there.
    found = tried.findings["websocket-connection"]
    assert found.verdict is (Verdict.PASS if greeting else Verdict.INCONCLUSIVE), found.statement
    assert found.reason == ("" if greeting else "any-path")
