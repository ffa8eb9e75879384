"""WebSockets that greet some connections alone, or with an error: a first look takes neither for the norm."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from aiohttp import web
from first_tries import attempt, serving, talk, with_socket

from proofbook.collect.websocket.look import _as_heard
from proofbook.pipeline import quickstart, try_options

pytestmark = pytest.mark.waits

HELLO = '{"type": "hello"}'


@pytest.mark.slow
@pytest.mark.parametrize("silent", [{1, 5}, {0, 3, 6}, {2, 4, 5}], ids=str)
def test_who_is_not_greeted_where_most_are_is_not_served(silent: set[int], tmp_path: Path) -> None:
    number = itertools.count()

    async def socket(request: web.Request) -> web.WebSocketResponse:
        # Who offers subprotocols asks for a dialect, at the same time as others are looked at.
        if "Sec-WebSocket-Protocol" in request.headers:
            return await talk(request, "")
        return await talk(request, "" if next(number) % 8 in silent else HELLO)

    with serving(with_socket(socket)) as url:
        tried = attempt(url, base=tmp_path, ws="/ws", pace={"per_s": 1000.0, "concurrency": 40, "timeout_s": 1.0})  # fmt: skip
    assert tried.verdict == "fail", tried.shown
    assert f"{len(silent)} of 8 connections were not greeted within 1 s" in tried.shown
    assert "with no greeting" in tried.shown


@pytest.mark.parametrize(
    "heard",
    [
        [HELLO, None, None, None, None, None, None, None],  # what is told to everybody now and then
        ["a 1", None, "b 2", "c 3", None, "d", "e", "f"],  # no two alike
    ],
    ids=["seldom", "never alike"],
)
def test_what_is_told_by_chance_is_no_greeting(heard: list[str | bytes | None]) -> None:
    told = sum(item is not None for item in heard)
    found = _as_heard(heard)
    assert found.greeting is None and found.remarks == (f"{told} of 8 connections were told something",)


@pytest.mark.slow
def test_who_is_greeted_each_time_is_asked_no_more_often_than_before(tmp_path: Path) -> None:
    number = itertools.count()

    async def socket(request: web.Request) -> web.WebSocketResponse:
        nonlocal number
        next(number)
        return await talk(request, HELLO)

    with serving(with_socket(socket)) as url:
        tried = attempt(url, base=tmp_path, ws="/ws")
        assert tried.verdict == "pass", tried.shown
        number = itertools.count()
        options = try_options.Options(url=url, ws="/ws")
        quickstart.prepare(options, base=tmp_path / "again", say=tried.said.append)
    assert next(number) == 3


@pytest.mark.usual_cases(2)
@pytest.mark.slow
@pytest.mark.parametrize(
    "error",
    [
        '{"type": "error", "code": 500}',
        '{"error": "database unavailable"}',
        '{"event": "session", "status": "failed"}',
        '{"ok": false, "why": "no session"}',
        "ERROR no backend 7",
    ],
)
def test_a_server_that_greets_everybody_with_an_error_is_not_called_well(error: str, tmp_path: Path) -> None:
    async def socket(request: web.Request) -> web.WebSocketResponse:
        return await talk(request, error)

    with serving(with_socket(socket)) as url:
        tried = attempt(url, base=tmp_path, ws="/ws")
    finding = tried.findings["websocket-connection"]
    assert (finding.verdict.value, finding.reason) == ("inconclusive", "greeted-with-error"), tried.shown


@pytest.mark.slow
@pytest.mark.parametrize("well", ['{"type": "hello", "error": false}', '{"type": "errors-enabled"}', "errands of 7", '{"ok": true}'])  # fmt: skip
def test_a_greeting_that_names_no_error_is_one(well: str, tmp_path: Path) -> None:
    async def socket(request: web.Request) -> web.WebSocketResponse:
        return await talk(request, well)

    with serving(with_socket(socket)) as url:
        tried = attempt(url, base=tmp_path, ws="/ws")
    assert tried.verdict == "pass", tried.shown
