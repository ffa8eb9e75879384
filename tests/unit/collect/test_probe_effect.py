"""What probes bring about themselves is no fault of the server: too many at once, too often, and a firewall that asks who they are."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from pathlib import Path

import pandas as pd
import pytest
from aiohttp import web
from builders import START, refused, table_of, view
from first_tries import WELL, Answers, attempt, page, serving, talk, with_socket

from proofbook.config.services import WebSocket
from proofbook.connections import client_named_by
from proofbook.evidence.schema import WEBSOCKET
from proofbook.judge.checks.probe_effect import _depends_on_others, beside_our_own
from proofbook.judge.findings import Verdict

pytestmark = [pytest.mark.waits, pytest.mark.slow]

CONNECTION, HEALTH, AT_ONCE, HELD = "websocket-connection", "health-service", "websocket-at-once", "websocket-held"  # fmt: skip
# As many at once as usual, and as quickly.
PACE = {"per_s": 50.0, "concurrency": 10, "timeout_s": 5.0}
Away = Callable[[web.Request], Awaitable[web.StreamResponse]]


def saying(status: int, text: str) -> Away:
    async def away(_: web.Request) -> web.StreamResponse:
        return page(text, status)

    return away


def closing(code: int, reason: str) -> Away:
    async def away(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.close(code=code, message=reason.encode())
        return socket

    return away


def at_most(count: int, away: Away) -> Answers:
    """Takes so many connections of one client, and turns the others away."""
    open_: list[int] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        if len(open_) >= count:
            return await away(request)
        open_.append(1)
        try:
            return await talk(request)
        finally:
            open_.pop()

    return with_socket(answer)


def the_newest_alone(code: int) -> Answers:
    """Ends the connection that a client has when it makes another."""
    open_: list[web.WebSocketResponse] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        older, open_[:] = open_[:], [socket]
        for other in older:
            await other.close(code=code, message=b"replaced by a newer connection")
        await socket.send_str('{"type": "hello"}')
        async for _ in socket:
            pass
        return socket

    return with_socket(answer)


@pytest.mark.usual_cases(3)
@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (at_most(1, saying(403, "already connected")), "while 1 or more of ours were open"),
        (at_most(4, saying(403, "too many connections")), "or more of ours were open"),
        # As nginx says it of a client that has more open than it may.
        (at_most(4, saying(503, "503 Service Temporarily Unavailable")), "or more of ours were open"),
        # All but one of those that the pace opens.
        (at_most(9, saying(403, "too many connections")), "while 9 or more of ours were open"),
        (the_newest_alone(4409), "while another of ours was made"),
    ],
)
def test_a_server_that_lets_a_client_have_a_few_connections_is_not_broken(
    answer: Answers, told: str, tmp_path: Path
) -> None:
    with serving(answer) as url:
        tried = attempt(url, base=tmp_path, ws="/ws", pace=PACE)
    found = tried.findings[CONNECTION]
    assert (found.verdict, found.reason) == (Verdict.INCONCLUSIVE, "too-many-at-once"), found.statement
    assert told in found.statement and tried.verdict == "inconclusive", tried.shown
    assert "lower [pace] concurrency" in tried.shown


def in_turn(*turns: str) -> pd.DataFrame:
    """Rows of `asked`, a letter for each connection of a turn: `i` let in, `a` turned away, `e` ended later."""
    rows = [
        {
            "connection": number,
            "let_in": letter in "ie",
            "reply": "",
            "close_code": 4409 if letter == "e" else None,
        }
        for turn in turns
        for number, letter in enumerate(turn)
    ]
    return pd.DataFrame(rows).convert_dtypes()


ALONE = ("i", "i", "i")


@pytest.mark.parametrize(
    ("beside", "told"),
    [
        ("iiaa", "6 of 6 rejected while 2 or more of ours were open, 0 of 15 while not"),
        ("ia", "3 of 3 rejected while 1 or more of ours were open, 0 of 12 while not"),
        ("eeei", "9 of 9 rejected while another of ours was made, 0 of 12 while not"),
        ("iiiiiiiiia", "3 of 3 rejected while 9 or more of ours were open, 0 of 36 while not"),
        # Whom they turn away does not depend on how many are open.
        ("aiii", ""),
        ("aiai", ""),
        ("iiii", ""),
    ],
)
def test_whether_company_is_why_some_are_turned_away_is_told_by_their_order(beside: str, told: str) -> None:
    assert _depends_on_others(in_turn(*(*ALONE, beside) * 3), (1000, 1001)) == told


def test_who_is_turned_away_alone_as_well_is_not_turned_away_for_its_company() -> None:
    assert not _depends_on_others(in_turn(*("a", "i", "a", "iiaa") * 3), (1000, 1001))


@pytest.mark.parametrize(
    ("query", "ends", "code"),
    [
        ({"id": "p1"}, "without a word", "same-client"),
        ({"id": "p1"}, "by name", "same-client"),
        # Whoever has an id of its own, or none, is not one client: then a server that serves one at a time is broken.
        ({"id": "{id}"}, "without a word", ""),
        ({"room": "a"}, "without a word", ""),
        ({"room": "a"}, "by name", "too-many-at-once"),
    ],
)
def test_connections_of_one_client_may_shut_each_other_out_in_any_way(
    query: dict[str, str], ends: str, code: str
) -> None:
    socket = WebSocket(service="s", path="/ws", query=query)
    failed = {"greeted": False} if ends == "without a word" else refused(409)
    rows = table_of(WEBSOCKET, *[{}] * 2, *[failed] * 8)
    turns = in_turn(*(*ALONE, "ia") * 3).assign(endpoint="ws", asks="in-turn", timestamp=START)
    over = view({("after", "websocket"): rows, ("after", "asked"): turns})
    found = beside_our_own(socket, lambda rows: rows["endpoint"] == "ws", lambda rows: rows["greeted"].fillna(False))(over)  # fmt: skip
    assert [(control.code, control.held) for control in found] == ([(code, False)] if code else [])
    assert all(("same id in the address" in control.name) is (code == "same-client") for control in found)


@pytest.mark.parametrize(
    ("stated", "named"),
    [
        ({"path": "/ws?v=3&clientId=7"}, "clientId"),
        ({"path": "/ws", "query": {"peer_id": {"env": "ID"}}}, "peer_id"),
        ({"path": "/ws?user={id}"}, ""),
        ({"path": "/ws", "query": {"valid": "1", "grid": "2", "room": "a"}}, ""),
    ],
)
def test_which_parameter_of_an_address_names_a_client(stated: dict[str, object], named: str) -> None:
    assert client_named_by(WebSocket.model_validate({"service": "s", **stated})) == named


def test_a_server_that_cuts_the_older_of_two_of_one_id_is_not_broken(tmp_path: Path) -> None:
    open_: dict[str, asyncio.BaseTransport] = {}

    async def answer(request: web.Request) -> web.StreamResponse:
        if (older := open_.pop(who := request.query["id"], None)) is not None:
            older.close()
        assert request.transport is not None
        open_[who] = request.transport
        return await talk(request)

    with serving(with_socket(answer)) as url:
        tried = attempt(url, base=tmp_path, ws="/ws", query=("id=p1",), pace=PACE)
        apart = attempt(url, base=tmp_path / "apart", ws="/ws", query=("id={id}",), pace=PACE)
    assert (tried.verdict, tried.findings[CONNECTION].reason) == ("inconclusive", "same-client"), tried.shown
    assert "let each probe name a client of its own" in tried.shown
    assert apart.verdict == "pass", apart.shown


def at_most_and_slowly(count: int, away: Away) -> Answers:
    """As `at_most`, on a machine that has little time for it: it is late with an upgrade, and later with noticing an end."""
    open_: list[int] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(0.3)
        if len(open_) >= count:
            return await away(request)
        open_.append(1)
        try:
            return await talk(request)
        finally:
            await asyncio.sleep(0.4)
            open_.pop()

    return with_socket(answer)


@pytest.mark.parametrize("count", [2, 4])
def test_a_server_that_has_little_time_and_lets_a_client_have_a_few_connections_is_not_broken(
    count: int, tmp_path: Path
) -> None:
    with serving(at_most_and_slowly(count, saying(403, "too many connections"))) as url:
        tried = attempt(url, base=tmp_path, ws="/ws", pace=PACE)
    assert tried.findings[CONNECTION].reason == "too-many-at-once", tried.shown


def test_once_the_pace_is_one_connection_such_a_server_is_well(tmp_path: Path) -> None:
    with serving(at_most(1, saying(403, "already connected"))) as url:
        tried = attempt(url, base=tmp_path, ws="/ws", pace={**PACE, "concurrency": 1})
    assert tried.verdict == "pass", tried.shown


@pytest.mark.usual_cases(2)
@pytest.mark.parametrize(("share", "takes_s"), [(0.2, 0.0), (0.5, 0.0), (0.9, 0.0), (0.2, 0.3), (0.9, 0.3)])
def test_a_server_that_refuses_by_chance_is_broken_however_many_are_open(
    share: float, takes_s: float, tmp_path: Path
) -> None:
    dice = random.Random(7)
    came: list[int] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        came.append(1)
        await asyncio.sleep(takes_s)
        # A first look finds it well.
        refused = len(came) > 6 and dice.random() < share
        return page("not today", 403) if refused else await talk(request)

    with serving(with_socket(answer)) as url:
        found = attempt(url, base=tmp_path, ws="/ws", pace=PACE).findings[CONNECTION]
    assert found.verdict is Verdict.FAIL, found.statement


# Kept out from one moment on ------------------------------------------------------------------------------------------


def after(count: int, then: Away) -> Answers:
    """Answers so many requests, and does that with all that come later."""
    came: list[int] = []
    well = with_socket(talk)

    async def answer(request: web.Request) -> web.StreamResponse:
        came.append(1)
        return await then(request) if len(came) > count else await well(request)

    return answer


@pytest.mark.parametrize("count", [60, 130])
def test_a_firewall_that_bars_our_address_after_a_while_is_no_fault_of_the_server(
    count: int, tmp_path: Path
) -> None:
    with serving(after(count, saying(403, "you have been blocked"))) as url:
        tried = attempt(url, base=tmp_path, ws="/ws", pace=PACE)
    assert tried.verdict == "inconclusive", tried.shown
    reasons = {tried.findings[check].reason for check in (CONNECTION, HEALTH)}
    assert "kept-out" in reasons, tried.shown
    assert not [item for item in tried.findings.values() if item.verdict is Verdict.FAIL]


def test_a_server_that_breaks_from_one_moment_on_is_broken(tmp_path: Path) -> None:
    with serving(after(60, saying(500, "no pool left"))) as url:
        tried = attempt(url, base=tmp_path, ws="/ws", pace=PACE)
    assert tried.verdict == "fail", tried.shown


def test_a_challenge_that_comes_in_the_middle_is_named_and_is_no_fault(tmp_path: Path) -> None:
    challenge = "<html><title>Verify you are human</title></html>"

    async def asks(_: web.Request) -> web.StreamResponse:
        return page(challenge, **{"Content-Type": "text/html"})

    came: list[int] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.path != "/health":
            return page("not found", 404)
        came.append(1)
        return await asks(request) if len(came) > 10 else page(WELL)

    with serving(answer) as url:
        tried = attempt(url, base=tmp_path)
    found = tried.findings[HEALTH]
    assert (found.verdict, found.reason) == (Verdict.INCONCLUSIVE, "challenged"), found.statement
    assert "Verify you are human" in found.statement


def test_a_challenge_to_whoever_comes_is_no_fault_of_the_server(tmp_path: Path) -> None:
    challenge = "<html><title>Just a moment...</title>Checking your browser</html>"

    async def asks(_: web.Request) -> web.StreamResponse:
        return page(challenge, 503, **{"Content-Type": "text/html"})

    with serving(asks) as url:
        tried = attempt(url, base=tmp_path, ws="/ws")
    assert tried.verdict == "inconclusive", tried.shown
    assert tried.findings[CONNECTION].reason == "challenged"


# Nobody at the other end, or not for long -----------------------------------------------------------------------------


def test_connections_on_which_nothing_is_ever_heard_are_not_well(tmp_path: Path) -> None:
    async def upgrades_and_reads_nothing(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(autoclose=False, autoping=False)
        await socket.prepare(request)
        await asyncio.sleep(30)
        return socket

    with serving(with_socket(upgrades_and_reads_nothing)) as url:
        tried = attempt(url, base=tmp_path, ws="/ws")
    found = tried.findings[CONNECTION]
    assert (found.verdict, found.reason) == (Verdict.INCONCLUSIVE, "never-heard"), found.statement


def ending(after_s: float, code: int, reason: str) -> Answers:
    async def answer(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_str('{"type": "hello"}')
        try:
            async with asyncio.timeout(after_s):
                async for _ in socket:
                    pass
        except TimeoutError:
            await socket.close(code=code, message=reason.encode())
        return socket

    return with_socket(answer)


def test_connections_that_all_break_off_soon_are_not_well(tmp_path: Path) -> None:
    with serving(ending(1.0, 1011, "internal")) as url:
        found = attempt(url, base=tmp_path, ws="/ws", pace=PACE).findings[CONNECTION]
    assert (found.verdict, found.reason) == (Verdict.INCONCLUSIVE, "idle-end"), found.statement
    assert "2 by close 1011 (“internal”)" in found.statement


@pytest.mark.parametrize(("code", "reason"), [(1011, "keepalive ping timeout"), (4408, "say something")])
def test_an_end_that_speaks_of_idleness_is_a_rule_and_is_said_beside_the_verdict(
    code: int, reason: str, tmp_path: Path
) -> None:
    with serving(ending(1.0, code, reason)) as url:
        tried = attempt(url, base=tmp_path, ws="/ws", pace=PACE)
    assert tried.verdict == "pass", tried.shown
    assert (
        f"Not required, did not pass: {HELD}: 2 of 2 idle connections were ended after"
        in tried.summary.beside
    )
    assert f"by close {code} (“{reason}”)" in tried.summary.beside


def test_a_goodbye_is_no_failure_where_several_are_open_at_once(tmp_path: Path) -> None:
    with serving(ending(0.1, 1000, "bye")) as url:
        tried = attempt(url, base=tmp_path, ws="/ws", pace=PACE)
    assert tried.findings[AT_ONCE].verdict is Verdict.PASS, tried.findings[AT_ONCE].statement
    assert (tried.verdict, tried.findings[CONNECTION].reason) == ("inconclusive", "end-unstated")
