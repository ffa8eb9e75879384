"""Connections are held beside the rest, without a word: what ends them is a figure until somebody says how long they must live."""

from __future__ import annotations

import asyncio
import re
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from asked_more import ECHO, Asked, Handler, ask, echo, environment, judge
from websockets.asyncio.server import ServerConnection, serve

from proofbook import connections
from proofbook.collect import phases
from proofbook.config.case import Case
from proofbook.config.environment import Environment
from proofbook.evidence import store

pytestmark = pytest.mark.waits

HELD = "websocket-held"
ONLY = {
    "message_bytes": 0,
    "characters": False,
    "at_once": False,
    "compression": False,
    "addresses": False,
    "held": True,
}


def held(handler: Handler, *, held_s: float = 0.6, required_s: float = 0.0, **stated: Any) -> Asked:
    return ask(handler, asks={**ONLY, "held_s": required_s}, held_s=held_s, **stated)


def ending_idle(after_s: float, *, code: int = 1011) -> Handler:
    """A server that ends a connection that was idle for so long; 1006: without a close frame."""

    async def impatient(connection: ServerConnection) -> None:
        try:
            while True:
                async with asyncio.timeout(after_s):
                    message = await connection.recv()
                await connection.send(message)
        except TimeoutError:
            if code == 1006:
                connection.transport.abort()
            else:
                await connection.close(code, "idle")

    return impatient


def test_connections_that_stay_open_and_answer_at_the_end_pass() -> None:
    found = held(echo)
    assert found.told(HELD) == ("pass", ""), found.findings[HELD].statement
    assert "2 of 2 idle connections were open after" in found.findings[HELD].statement
    assert "and 2 of them answered then" in found.findings[HELD].statement
    assert found.connections == 2 and (found.tables["asked"]["open_s"] >= 0.3).all()
    assert found.plan == ["ws: 2 idle connections held meanwhile; then a message on each"]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("code", [1011, 1006, 1001])
def test_an_end_of_what_is_idle_is_a_figure_where_nobody_says_how_long_it_must_live(code: int) -> None:
    found = held(ending_idle(0.2, code=code), held_s=1.0)
    assert found.told(HELD) == ("inconclusive", "idle-end"), found.findings[HELD].statement
    # A busy machine ends one of the two a little later.
    ended = rf"were ended after 0\.\d (to \d\.\d )?s, 2 by close {code}"
    assert re.search(ended, found.findings[HELD].statement), found.findings[HELD].statement


@pytest.mark.slow
def test_an_end_before_the_time_that_is_stated_fails_and_one_after_it_passes() -> None:
    found = held(ending_idle(0.2), required_s=2.0)
    assert found.told(HELD) == ("fail", "held"), found.findings[HELD].statement
    assert "at least 2 s" in found.plan[0]
    assert held(ending_idle(1.0), required_s=0.3, held_s=2.0).told(HELD) == ("pass", "")


def test_what_the_environment_calls_normal_is_no_end_before_its_time() -> None:
    found = held(ending_idle(0.2, code=1000), held_s=1.0, normal_close_codes=[1000])
    assert found.told(HELD) == ("pass", ""), found.findings[HELD].statement


def test_they_are_held_as_long_as_is_stated_even_where_the_rest_is_over() -> None:
    found = held(echo, held_s=0.0, required_s=1.0)
    assert found.told(HELD) == ("pass", "")
    assert (found.tables["asked"]["open_s"] >= 1.0).all()


def test_connections_that_were_held_for_less_than_is_stated_show_nothing_yet() -> None:
    found = held(echo)
    case = Case.model_validate({"title": "t", "asks": {**ONLY, "held_s": 60}})
    where = environment("ws://127.0.0.1:1/ws", **ECHO)
    finding = judge(where, case, {"asked": found.tables["asked"]}, only=HELD)[HELD]
    assert (finding.verdict.value, finding.reason) == ("inconclusive", "too-early"), finding.statement


@pytest.mark.slow
def test_connections_that_are_open_and_dead_fail_where_ordinary_ones_are_answered() -> None:
    async def falls_asleep(connection: ServerConnection) -> None:
        await asyncio.sleep(0.3)
        await connection.recv()
        await connection.wait_closed()

    found = held(falls_asleep, timeout_s=0.5)
    # Alone it may be chance; beside seventy that were answered it is none.
    assert found.told(HELD) == ("inconclusive", "too-early"), found.findings[HELD].statement
    where = environment("ws://127.0.0.1:1/ws", **ECHO)
    rows = {"endpoint": "ws", "reply_ok": True}
    ordinary = pd.DataFrame([rows] * 72)
    tables = {"asked": found.tables["asked"], "websocket": ordinary}
    finding = judge(where, Case.model_validate({"title": "t", "asks": ONLY}), tables, only=HELD)[HELD]
    assert (finding.verdict.value, finding.reason) == ("fail", "held"), finding.statement
    assert "and 0 of them answered then" in finding.statement


def test_where_nothing_may_be_sent_they_are_only_held() -> None:
    found = held(echo, send_json=None, expect=None)
    assert found.told(HELD) == ("pass", "")
    assert "answered" not in found.findings[HELD].statement


def paced(concurrency: int) -> Environment:
    return environment("ws://127.0.0.1:1/ws", concurrency=concurrency)


def test_those_that_are_held_and_those_at_once_are_together_no_more_than_the_pace_allows() -> None:
    case = Case.model_validate({"title": "t"})
    shares = {
        count: (connections.held_of_each(paced(count), case), connections.most_at_once(paced(count), case))
        for count in (1, 2, 3, 4, 10)
    }
    assert shares == {1: (0, 0), 2: (0, 2), 3: (0, 3), 4: (2, 2), 10: (2, 8)}


def test_what_is_held_ends_with_the_time_that_was_given(tmp_path: Path) -> None:
    asks = Case.model_validate({"title": "t", "asks": {**ONLY, "held_s": 60}})

    async def go() -> float:
        async with serve(echo, "127.0.0.1", 0) as server:
            where = environment(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/ws", **ECHO)
            began = time.monotonic()
            await phases.record(
                where, asks, "after", folder=tmp_path, base=tmp_path, say=lambda _: None, until=began + 1.0
            )
            return time.monotonic() - began

    # Not a minute, however busy the machine is.
    assert asyncio.run(go()) < 30
    problems = store.read(tmp_path).manifest.phases["after"].problems
    assert any("idle connections held" in problem for problem in problems), problems
