"""What became of the answers to our own probes, after against before, and what was lost where there is no before."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import builders
import pandas as pd
import pytest

import proofbook as pb
from proofbook.errors import UsageError
from proofbook.evidence import schema, store
from proofbook.evidence.table import Table
from proofbook.investigation import met, outcomes, probed
from proofbook.investigation.answers import FOUND, NOTHING, UNSURE, Answer

NOON = dt.datetime(2026, 1, 5, 12, tzinfo=dt.UTC)
Rows = Sequence[tuple[int, dict[str, Any]]]


def rows(table: Table, parts: Rows) -> pd.DataFrame:
    return builders.table_of(table, *(row for count, row in parts for _ in range(count)))


def asked(folder: Path, table: Table, **phases: Rows) -> Answer:
    for number, (phase, parts) in enumerate(phases.items()):
        builders.write(folder, {table.name: rows(table, parts)}, at=NOON + dt.timedelta(hours=number), phase=phase)  # fmt: skip
    return outcomes.judge(store.read(folder))


CLOSED = {"close_code": 1011, "closed_by": "server"}


def test_what_more_probes_met_than_before_is_found_and_said_first(tmp_path: Path) -> None:
    answer = asked(tmp_path, schema.WEBSOCKET, before=[(60, {})], after=[(40, {}), (20, CLOSED)])
    assert answer.answer == FOUND
    first = answer.table.iloc[0]
    assert first["outcome"] == "greeted, closed with 1011" and first["called"]
    assert (first["before"], first["after"]) == ("0 of 60", "20 of 60")
    assert "20 ended with close 1011" in answer.statement and answer.statement.endswith("; before: 0 of 60")


def test_what_comes_up_as_often_by_luck_is_not_called(tmp_path: Path) -> None:
    answer = asked(tmp_path, schema.WEBSOCKET, before=[(60, {})], after=[(59, {}), (1, CLOSED)])
    assert answer.answer == NOTHING and answer.table.empty
    assert "1 of 60" in str(answer.more["As often as before"]["after"].tolist())


@pytest.mark.parametrize(
    ("table", "row", "probe", "outcome"),
    [
        (schema.REFUSALS, {"token_kind": "tampered"}, "refusals ws tampered", "greeted"),
        (schema.IDENTITIES, {"user": "user_9", **builders.refused(403)}, "identities ws user_9", "answered 403"),
        (schema.WEBSOCKET, {"greeted": False}, "websocket ws", "not greeted"),
        (schema.WEBSOCKET, {"reply_lost": 1}, "websocket ws", "greeted, a reply lost"),
        (schema.WEBSOCKET, {"upgraded": False, "http_status": None, "error": "timed out after 3 s"}, "websocket ws", "no answer: timed out after <*> s"),
        (schema.HEALTH, {"ok": False}, "health s health /", "answered 200, and not as expected"),
        (schema.HEALTH, {"kind": "unknown-path", "path": "/none?x=17"}, "health s unknown-path /none", "answered 200"),
        (schema.MESSAGES, {"body": json.dumps({"a": {"c": 1}, "b": 2})}, "messages ws", "a.c, b"),
    ],
)  # fmt: skip
def test_an_outcome_is_told_in_words(
    table: Table, row: dict[str, Any], probe: str, outcome: str, tmp_path: Path
) -> None:
    usual = {key: value for key, value in row.items() if key in ("token_kind", "user", "kind", "path")}
    otherwise = {**usual, **({"body": "{}"} if table is schema.MESSAGES else builders.refused(401) if table in (schema.REFUSALS, schema.WEBSOCKET) else {"status": 404} if table is schema.HEALTH else {})}  # fmt: skip
    answer = asked(tmp_path, table, before=[(30, otherwise)], after=[(30, row)])
    told = answer.table.set_index(["probe", "outcome"])
    assert told.loc[(probe, outcome), "after"] == "30 of 30"
    assert told.loc[(probe, outcome), "before"] == "0 of 30"


@pytest.mark.parametrize(
    ("table", "before", "after"),
    [
        (schema.WEBSOCKET, [(60, {})], [(40, {}), (20, CLOSED)]),
        (schema.WEBSOCKET, [(60, {})], [(59, {}), (1, CLOSED)]),
        (schema.HEALTH, [(60, {})], [(30, {}), (30, {"ok": False, "status": 404})]),
        (schema.LATENCY, [(60, {})], [(30, {}), (30, {"ok": False, "status": 503})]),
        (schema.ROLLOUT, [], [(60, {}), (40, {"ok": False, "status": 404})]),
    ],
)
def test_the_card_says_what_the_first_display_says(
    table: Table, before: Rows, after: Rows, tmp_path: Path
) -> None:
    answer = asked(tmp_path, table, **({"before": before, "after": after} if before else {"rollout": after}))
    (fact,) = probed.facts(store.read(tmp_path))
    assert answer.statement == met.in_words(fact)
    assert isinstance(fact, probed.Failed)
    # What is more than by luck in the sentence is called in the table, and the other way round.
    assert (answer.answer == FOUND) == (fact.p is not None and not fact.is_usual)
    assert ("no sure difference" in answer.statement) == fact.is_usual


def test_requests_that_take_longer_than_nearly_all_of_before_are_counted(tmp_path: Path) -> None:
    quick = [(1, {"total_s": 0.04 + number / 1e5}) for number in range(200)]
    slow = [(1, {"total_s": 0.4 if number % 10 == 0 else 0.04}) for number in range(200)]
    answer = asked(tmp_path, schema.LATENCY, before=quick, after=slow)
    first = answer.table.iloc[0]
    assert first["probe"] == "time of s /" and first["outcome"] == "more than 42 ms"
    assert (first["before"], first["after"]) == ("2 of 200", "20 of 200")


def test_a_moment_in_which_the_machine_was_slow_is_not_called(tmp_path: Path) -> None:
    quick = [(1, {"total_s": 0.04 + number / 1e5}) for number in range(400)]
    moment = [(1, {"total_s": 0.4 if 100 <= number < 118 else 0.04}) for number in range(400)]
    apart = [(1, {"total_s": 0.4 if number % 22 == 0 else 0.04}) for number in range(400)]
    assert asked(tmp_path / "a", schema.LATENCY, before=quick, after=moment).answer == NOTHING
    assert asked(tmp_path / "b", schema.LATENCY, before=quick, after=apart).answer == FOUND


def test_what_was_lost_during_a_rollout_is_told_without_a_before_and_not_called(tmp_path: Path) -> None:
    answer = asked(
        tmp_path,
        schema.ROLLOUT,
        rollout=[(80, {}), (20, {"status": None, "error": "connection refused", "ok": False})],
    )
    assert answer.answer == UNSURE and answer.needed is not None
    assert list(answer.table["outcome"]) == ["no answer: connection refused"]
    assert not answer.table["called"].any() and answer.table["after"].iloc[0] == "20 of 100"


def test_a_log_has_no_probes_and_says_so(tmp_path: Path) -> None:
    log = tmp_path / "log.json"
    log.write_text(json.dumps({"timestamp": "2026-01-05T09:00:00Z", "textPayload": "a line of text"}))
    with pytest.raises(UsageError, match="expected a run, whose probes were recorded"):
        pb.look(log).probes()
