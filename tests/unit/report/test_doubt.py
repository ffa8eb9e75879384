"""The sentence of doubt over a pass names what was not asked, and no number stands over what was not looked at."""

from __future__ import annotations

import asyncio
import itertools
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import made
import pandas as pd
import pytest
import recorded
from asked_more import ECHO, Handler, environment
from builders import START, connections, health, table_of
from websockets.asyncio.server import ServerConnection, serve

from proofbook.collect.session import Session
from proofbook.collect.websocket import probes
from proofbook.config.case import Case
from proofbook.evidence import store
from proofbook.evidence.asked import ASKED
from proofbook.evidence.schema import WEBSOCKET
from proofbook.judge import catalogue
from proofbook.judge.checks.log_met import Place
from proofbook.judge.findings import Verdict
from proofbook.judge.reach import Asked, Log, NotAsked, Reach, Sureness, Unasked, reach_of, sureness_of
from proofbook.judge.settle import settle
from proofbook.judge.view import View
from proofbook.judge.window import Windows
from proofbook.report import doubt, sections, summary
from proofbook.report.result import of_findings
from proofbook.report.section_registry import Section

# Two lines of a terminal of 100 columns, less what stands before it.
LONGEST = 200 - len("  Could we be wrong? ")
assert LONGEST == doubt.LONGEST
NOTHING_MORE = {"message_bytes": 0, "characters": False, "at_once": False, "compression": False, "addresses": False, "held": False}  # fmt: skip
CASE = Case.model_validate({"title": "t", "targets": {"connection": 0.9, "delivery": 0.9}, "asks": NOTHING_MORE})  # fmt: skip


def told(handler: Handler, **stated: Any) -> tuple[set[str], str]:
    """The verdicts of what is required of a server on loopback, and the sentence over them."""

    async def go() -> tuple[set[str], str]:
        async with serve(handler, "127.0.0.1", 0, max_size=2**22) as serving:
            port = serving.sockets[0].getsockname()[1]
            where = environment(f"ws://127.0.0.1:{port}/ws", **stated)
            session, socket = Session(where, base=Path()), where.websockets[0]
            rows, _ = await probes.make_journeys(
                socket, user="", session=session, checkpoints=(40,), decided=lambda _: True
            )
            shadow = await probes.make_unmarked_journeys(socket, user="", session=session, count=2)
        return of_tables({"websocket": rows, "shadow": shadow}, where)

    return asyncio.run(go())


def of_tables(tables: dict[str, pd.DataFrame], where: Any, case: Case = CASE) -> tuple[set[str], str]:
    view = View(tables=lambda name, phase: tables.get(name) if phase == "after" else None, windows=Windows(before=None, after=None))  # fmt: skip
    declared = catalogue.declare(where, case)
    found = [settle(check, view) for name, check in declared.items() if name.startswith("websocket-")]
    required = [item for item in found if item.required]
    return {item.verdict.value for item in required}, doubt.in_words(reach_of(view, where, case, required))


async def ends_with_large(connection: ServerConnection) -> None:
    """Ends where a message is over 64 kB, or holds anything but ASCII."""
    async for message in connection:
        if len(message) > 64_000 or not str(message).isascii():
            await connection.close(1011)
        await connection.send(message)


async def ends_idle(connection: ServerConnection) -> None:
    """Ends what says nothing for half a second."""
    try:
        while True:
            await connection.send(await asyncio.wait_for(connection.recv(), 0.5))
    except TimeoutError:
        await connection.close(1001)


def ends_from(most: int) -> Handler:
    """Ends what comes while so many are open."""
    count = itertools.count(1)
    open_now: set[int] = set()

    async def handler(connection: ServerConnection) -> None:
        own = next(count)
        open_now.add(own)
        try:
            if len(open_now) > most:
                await connection.close(1013)
            async for message in connection:
                await connection.send(message)
        finally:
            open_now.discard(own)

    return handler


async def swallows(connection: ServerConnection) -> None:
    """Takes whatever is sent, and answers nothing."""
    async for _ in connection:
        pass


def dead_after(seconds: float) -> Handler:
    """Well until then, from its first connection on; as what is dead for twenty of every 120 seconds, and asked between."""
    began: list[float] = []

    async def handler(connection: ServerConnection) -> None:
        began.append(time.monotonic())
        async for message in connection:
            if time.monotonic() - began[0] > seconds:
                await connection.close(1011)
            await connection.send(message)

    return handler


@pytest.mark.slow
@pytest.mark.parametrize(
    ("handler", "stated", "names"),
    [
        (ends_with_large, ECHO, ["ASCII"]),
        (ends_with_large, {**ECHO, "long_message_chars": 8_000}, ["8 kB ASCII"]),
        (ends_idle, ECHO, ["open 0.1 s"]),
        (dead_after(600), ECHO, [" s at ", " UTC", "1 client"]),
        (ends_from(20), ECHO, ["20 at once"]),
        (swallows, {}, ["no messages", "Would add most: a message and its reply"]),
    ],
    ids=["big messages", "length stated", "idle-close", "once-in-a-while", "first-n at once", "one-way"],
)  # fmt: skip
def test_a_pass_over_what_was_not_asked_names_that_limit(handler: Handler, stated: dict[str, Any], names: list[str]) -> None:  # fmt: skip
    verdicts, line = told(handler, **stated)
    assert verdicts == {"pass"}
    assert [name for name in names if name not in line] == [], line
    assert len(line) <= LONGEST, line


def test_what_was_asked_and_answered_is_no_limit_any_more() -> None:
    where = environment("ws://127.0.0.1:1/ws", **ECHO)
    rows = connections(WEBSOCKET, *({"sent": 1, "reply_ok": True, "dwell_s": 0.1} for _ in range(40)))
    common = {"endpoint": "ws", "upgraded": True, "let_in": True, "close_code": None, "reply": "as-expected"}
    asked = table_of(
        ASKED,
        {**common, "asks": "size", "detail": "70000", "bytes": 70_012, "timestamp": START},
        {**common, "asks": "characters", "detail": "2 bytes", "bytes": 60, "timestamp": START},
        {
            **common,
            "asks": "held",
            "detail": "idle",
            "open_s": 75.0,
            "timestamp": START + pd.Timedelta(hours=2),
        },
        {**common, "asks": "at-once", "at_once": 150, "bytes": 60, "timestamp": START},
    )
    _, line = of_tables({"websocket": rows, "asked": asked}, where)
    assert line.startswith("Tested only: 2 h at 00:00 UTC, 1 client, 150 at once, idle 75 s, 70 kB text. ")
    assert "Would add most" not in line
    ended = asked.assign(close_code=asked["close_code"].mask(asked["asks"] == "held", 1001))
    _, line = of_tables({"websocket": rows, "asked": ended}, where)
    # One that was ended says nothing of how long an idle one lives.
    assert "open 0.1 s" in line and line.endswith("Would add most: to idle for 1 min.")


def test_the_number_is_that_of_the_least_sure_claim_and_covers_none_without_one() -> None:
    def item(name: str, power: float | None, sensitivity: float | None = None) -> Any:
        return replace(made.finding(name, verdict=Verdict.PASS), severity=power, sensitivity=sensitivity)

    some = sureness_of([item("a", 0.99), item("b", 0.9508), item("mutants-only", None, 1.0)])
    assert some == Sureness(least=0.9508, of="b", numbered=2, claims=3, without=("mutants-only",))
    assert doubt._sure(some) == "Detection power: at least 95% (2 of 3 claims)"
    assert doubt._sure(sureness_of([item("a", 1.0)])) == "Detection power: at least 99%"
    alone = sureness_of([item("mutants-only", None, 1.0)])
    assert alone.least is None
    assert doubt._sure(alone) == "Detection power: not known"
    assert doubt._sure(sureness_of([item("a", 0.2262)])) == "Detection power: at least 22%"


def log(**more: Any) -> Log:
    window = (START, START + pd.Timedelta(minutes=53))
    return Log(**{"window": window, "number": 1600, "unit": "requests", "revision": "r-2", **more})


SURE = Sureness(least=0.9084, of="log-x-gone", numbered=1, claims=1)


@pytest.mark.parametrize(
    ("parts", "left", "names"),
    [
        ({"share": 0.6}, NotAsked(kind=Unasked.TRAFFIC, share=0.6), ["60% on r-2", "the other 40% of traffic"]),
        ({"places": (Place(name="/api/chat", before=90, after=40, affected=9),)}, None, ["1,600 requests at /api/chat"]),
        ({}, NotAsked(kind=Unasked.PLACE, share=0.0, what="/api/report"), ["Would add most: requests to /api/report."]),
        ({"unread": 0.034}, NotAsked(kind=Unasked.LINES, share=0.966), ["3% unread", "the 3% of lines that were not read"]),
        ({}, NotAsked(kind=Unasked.HOURS, share=0.5, what="02"), ["the hours at which it showed before (02 UTC)"]),
        ({}, NotAsked(kind=Unasked.HOURS, share=0.04), ["53 min from 00:00 UTC", "the other hours of the day"]),
    ],
)  # fmt: skip
def test_a_log_says_which_part_was_judged_and_what_was_not(
    parts: dict[str, Any], left: NotAsked | None, names: list[str]
) -> None:
    reach = Reach(probes=None, logs=(log(**parts),), not_asked=(left,) if left else (), sureness=SURE)
    line = doubt.in_words(reach)
    assert [name for name in names if name not in line] == [], line
    assert "at least 90%" in line and len(line) <= LONGEST


@pytest.mark.parametrize("kind", list(Unasked))
def test_everything_that_can_be_left_has_words_of_its_own(kind: Unasked) -> None:
    words = doubt._more(NotAsked(kind=kind, share=0.5, what="x"))
    others = {
        doubt._more(NotAsked(kind=other, share=0.5, what="x")) for other in Unasked if other is not kind
    }
    assert words and words not in others


def test_it_fits_in_two_lines_also_where_everything_was_asked() -> None:
    asked = Asked(began=START, ended=START + pd.Timedelta(minutes=12), sockets=365, open_s=0.3, idle_s=12.4, messages=730, carries_text=True, message_bytes=70_000, characters=False, at_once=24, revision="backend-00003", share=0.97)  # fmt: skip
    reach = Reach(probes=asked, logs=(log(),), not_asked=(NotAsked(kind=Unasked.TIME, share=0.2),), sureness=replace(SURE, numbered=13, claims=15))  # fmt: skip
    line = doubt.in_words(reach)
    assert len(line) <= LONGEST and "97% judged" in line, line


def screen(name: str, folder: Path) -> str:
    asked = recorded.asked_of(name, base=folder)
    assessment = asked.over(store.read(recorded.evidence_of(name, to=folder / "evidence")))
    return summary.of(of_findings(assessment, assessment.judge_all())).doubt


@pytest.mark.slow
def test_two_runs_have_two_sentences_and_neither_speaks_of_what_was_not_looked_at(tmp_path: Path) -> None:
    live, alone = screen("healthy", tmp_path / "a"), screen("logs-only", tmp_path / "b")
    assert live == "Tested only: 12 s at 23:34 UTC, 1 client, 24 at once, open 0.3 s, 8 kB ASCII, 571 logged. Detection power: at least 22% (13 of 15 claims). Would add most: other characters."  # fmt: skip
    assert alone == "Tested only: 1,600 requests, 53 min from 11:06 UTC, 100% on api-00012. Detection power: at least 90% (1 of 2 claims). Would add most: the other hours of the day."  # fmt: skip
    assert all(len(line) <= LONGEST for line in (live, alone))
    # What is not known, or failed, keeps its own next step.
    assert screen("log-truncated", tmp_path / "c").startswith(("Nothing is decided yet", "Hardly"))


def test_the_report_names_the_least_sure_claim_and_those_without_a_number(tmp_path: Path) -> None:
    asked = recorded.asked_of("logs-only", base=tmp_path)
    assessment = asked.over(store.read(recorded.evidence_of("logs-only", to=tmp_path / "evidence")))
    part = sections.uncertainty(of_findings(assessment, assessment.judge_all()))
    assert isinstance(part, Section)
    assert "The least sure is log-charged-twice-gone: 90.8%, if it goes on as often as the lower bound of before says. Without such a number: log-coverage." in part.html  # fmt: skip


def test_an_http_service_alone_is_asked_nothing_of_sockets() -> None:
    where = environment("ws://127.0.0.1:1/ws")
    rows = health({"timestamp": START}, {"timestamp": START + pd.Timedelta(seconds=40)})
    _, line = of_tables({"health": rows}, where)
    assert line.startswith("Tested only: 40 s at 00:00 UTC, 1 client, 20 at once. ")
    assert "message" not in line and "open" not in line


def test_nothing_that_was_asked_is_said() -> None:
    reach = Reach(probes=None, logs=(), not_asked=(), sureness=sureness_of([]))
    assert doubt.in_words(reach) == "Nothing was asked. Detection power: not known."
