"""A server that greets, and tells of an error before anything was asked of it, is not called well."""

from __future__ import annotations

import asyncio
import itertools
from pathlib import Path

import pytest
from aiohttp import web
from first_tries import Answers, attempt, described, page, serving, with_socket

from proofbook.judge.findings import Verdict

pytestmark = [pytest.mark.waits, pytest.mark.slow]

CONNECTION = "websocket-connection"
READY, WRONG = '{"type": "ready"}', '{"type": "error", "message": "upstream timed out"}'


def saying(*turns: list[str]) -> Answers:
    """Says these messages on each connection, the lists in turn, and stays."""
    which = itertools.cycle(turns)

    async def answer(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        for message in next(which):
            await socket.send_str(message)
            await asyncio.sleep(0.02)
        async for _ in socket:
            pass
        return socket

    return with_socket(answer)


@pytest.mark.usual_cases(2)
@pytest.mark.parametrize(
    "turns",
    [
        (['{"action": "unauthorized", "redirect": "/login"}'],),
        ([READY], [READY], [READY], [READY], [WRONG]),
        ([READY, WRONG],),
        ([READY, '{"error": "no database", "type": "status"}'],),
        ([READY, "ERROR: no database"],),
    ],
)
def test_who_tells_of_errors_unasked_is_not_known_to_be_well(turns: tuple[list[str]], tmp_path: Path) -> None:
    with serving(saying(*turns)) as url:
        tried = attempt(url, base=tmp_path, ws="/ws")
    found = tried.findings[CONNECTION]
    assert tried.verdict != "pass", tried.shown
    if found.verdict is Verdict.INCONCLUSIVE:
        assert found.reason in ("told-of-errors", "greeted-with-error"), found.statement
        assert "error" in found.statement or "unauthorized" in found.statement
        assert 'greeting = { regex = "." }' in tried.shown


def test_what_is_only_about_an_error_is_none(tmp_path: Path) -> None:
    turns = [READY, '{"type": "log", "level": "error", "text": "a user typed nonsense"}', "errors today: 0"]
    with serving(saying(turns)) as url:
        tried = attempt(url, base=tmp_path, ws="/ws")
    assert tried.verdict == "pass", tried.shown


def test_whoever_says_that_any_word_will_do_is_believed(tmp_path: Path) -> None:
    with serving(saying([READY, WRONG])) as url:
        stated = (
            f'[[service]]\nname = "s"\nurl = "{url}"\nws = {{ path = "/ws", greeting = {{ regex = "." }} }}\n'
        )
        tried = described(stated, base=tmp_path)
    assert tried.findings[CONNECTION].verdict is Verdict.PASS, tried.shown


@pytest.mark.parametrize(
    "says",
    ["No WebSocket UPGRADE hdr: None", "missing Upgrade header", "websocket: no upgrade was asked for"],
)
def test_who_did_not_see_that_an_upgrade_was_asked_for_is_behind_something_that_loses_it(
    says: str, tmp_path: Path
) -> None:
    async def answer(_: web.Request) -> web.StreamResponse:
        return page(says, 400)

    with serving(with_socket(answer)) as url:
        tried = attempt(url, base=tmp_path, ws="/ws")
    assert tried.findings[CONNECTION].verdict is Verdict.FAIL, tried.shown
    assert "something in between takes the Upgrade header away" in tried.shown


def test_who_wants_a_subprotocol_before_it_upgrades_saw_that_an_upgrade_was_asked_for(tmp_path: Path) -> None:
    async def answer(_: web.Request) -> web.StreamResponse:
        return page("the upgrade needs a subprotocol", 400)

    with serving(with_socket(answer)) as url:
        tried = attempt(url, base=tmp_path, ws="/ws")
    assert tried.findings[CONNECTION].reason == "not-understood", tried.shown
