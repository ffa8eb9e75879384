"""Guards that need no rehearsal: restarts, tails, certificates, contracts of requests, and canaries in logs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import builders
import numpy as np
import pandas as pd
import pytest

from proofbook import probe_marks
from proofbook.collect.logs import recorder
from proofbook.config.sources import LogSource
from proofbook.evidence.schema import CERTIFICATES, METRICS
from proofbook.judge.check import Check, Recipe
from proofbook.judge.checks import certificates, latency, openapi, restarts
from proofbook.judge.checks.log_coverage import coverage_of, covers
from proofbook.judge.findings import Finding, Verdict
from proofbook.judge.settle import settle
from proofbook.judge.view import View
from proofbook.judge.window import Windows

START = pd.Timestamp("2026-01-01T00:00:00Z")
PASS, FAIL, INCONCLUSIVE = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE


def judged(recipe: Recipe, tables: dict[tuple[str, str], pd.DataFrame], **more: Any) -> Finding:
    minute = pd.Timedelta(minutes=1)
    windows = Windows(
        before=(START - 10 * minute, START - minute),
        after=(START, START + minute),
        deployed_at=START - minute / 2,
        old_revision="r-1",
        new_revision="r-2",
    )
    check = Check(id="x", kind="guard", claim="it holds", group="own", recipe=recipe)
    return settle(check, builders.view(tables, windows, **more))


def starts(*processes: tuple[float, int, int], every_s: float = 0.25) -> pd.DataFrame:
    """Start times as read: (start, first reading, number of readings) of each process."""
    rows = [
        {
            "service": "backend",
            "timestamp": START + pd.Timedelta(seconds=every_s * (first + number)),
            "instance": f"started {start}",
            "name": restarts.STARTED,
            "value": start,
        }
        for start, first, count in processes
        for number in range(count)
    ]
    return builders.table_of(METRICS, *rows).drop(columns="at_s")


@pytest.mark.parametrize(
    ("table", "allowed", "verdict"),
    [
        (starts((100.0, 0, 48)), 0, PASS),
        (starts((100.0, 0, 24), (106.0, 24, 24)), 0, FAIL),
        (starts((100.0, 0, 24), (106.0, 24, 24)), 1, PASS),
        (starts((100.0, 0, 16), (104.0, 16, 16), (108.0, 32, 16)), 1, FAIL),
        # One more beside the other is growth, not a restart.
        (starts((100.0, 0, 48), (106.0, 24, 24)), 0, PASS),
        (starts((100.0, 0, 5)), 0, INCONCLUSIVE),
    ],
)
def test_a_process_that_comes_as_another_goes_is_a_restart(
    table: pd.DataFrame, allowed: int, verdict: Verdict
) -> None:
    found = judged(restarts.few("backend", allowed=allowed), {("after", "metrics"): table})
    assert found.verdict is verdict, found.statement
    if verdict is INCONCLUSIVE:
        assert found.reason == "no-metrics"


def test_instances_that_answer_in_turn_are_not_restarts() -> None:
    rng = np.random.default_rng(3)
    for _ in range(50):
        table = starts(*((100.0 + float(rng.integers(3)) * 10, number, 1) for number in range(60)))
        assert restarts.restarts(table.sort_values("timestamp"))[0] == 0


@pytest.mark.parametrize(
    ("values", "verdict", "reason"),
    [
        ({}, PASS, ""),
        ({"days": 5.0}, FAIL, "certificate"),
        ({"verified": False, "problem": "certificate has expired"}, FAIL, "certificate"),
        ({"reached": False, "verified": False, "problem": "refused"}, INCONCLUSIVE, "no-certificate"),
        # A handshake that nobody checks says nothing about the certificate.
        ({"distrusted": False}, INCONCLUSIVE, "control-negative"),
    ],
)
def test_a_certificate_must_verify_for_a_while_yet(
    values: dict[str, Any], verdict: Verdict, reason: str
) -> None:
    table = builders.table_of(CERTIFICATES, {"service": "web", **values})
    found = judged(certificates.valid("web", least_days=14), {("after", "certificates"): table})
    assert (found.verdict, found.reason) == (verdict, reason), found.statement


@pytest.mark.parametrize(("slow", "verdict"), [(0, PASS), (1, PASS), (3, INCONCLUSIVE), (27, FAIL)])
def test_slow_requests_are_held_against_the_median_of_before(slow: int, verdict: Verdict) -> None:
    tables = {
        ("before", "latency"): builders.latency(*[0.05] * 600),
        ("after", "latency"): builders.latency(*[0.05] * (600 - slow), *[0.4] * slow),
    }
    found = judged(latency.tail_kept("s", "/", times=5, share=0.01), tables, alpha_fail_once=0.05 / 35)
    assert found.verdict is verdict, found.statement


def definition(parameter: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
    content = {"application/json": {"schema": answer}}
    return {
        "paths": {
            "/x": {
                "get": {
                    "parameters": [{"in": "query", "name": "order", "schema": parameter}],
                    "requestBody": {
                        "content": {"application/json": {"schema": {"properties": {"p": parameter}}}}
                    },
                    "responses": {"200": {"content": content}},
                }
            }
        }
    }


NUMBER, TEXT, NULL = {"type": "integer"}, {"type": "string"}, {"type": "null"}


@pytest.mark.parametrize(
    ("was", "now", "words"),
    [
        ({"type": "string", "enum": ["a", "b"]}, {"type": "string", "enum": ["a"]}, "no longer takes b"),
        ({"type": "string", "enum": ["a"]}, {"type": "string", "enum": ["a", "b"]}, ""),
        (TEXT, {"type": "string", "enum": ["a"]}, "takes only a"),
        (TEXT, NUMBER, "no longer takes string"),
        (NUMBER, {"anyOf": [NUMBER, NULL]}, ""),
        ({"anyOf": [NUMBER, NULL]}, NUMBER, "no longer takes null"),
        (NUMBER, {"type": "number"}, ""),
    ],
)
def test_what_clients_could_send_they_can_still_send(
    was: dict[str, Any], now: dict[str, Any], words: str
) -> None:
    broken, unclear = openapi.breaks(definition(was, TEXT), definition(now, TEXT))
    assert not unclear
    assert len(broken) == (2 if words else 0) and all(words in line for line in broken), broken


@pytest.mark.parametrize(
    ("was", "now", "breaks"),
    [
        (NUMBER, {"anyOf": [NUMBER, NULL]}, True),
        ({"anyOf": [NUMBER, NULL]}, NUMBER, False),
        ({"oneOf": [NUMBER, TEXT]}, {"type": ["integer", "string"]}, False),
        ({"type": "number"}, NUMBER, False),
    ],
)
def test_what_clients_get_is_what_they_could_get(
    was: dict[str, Any], now: dict[str, Any], breaks: bool
) -> None:
    broken, _ = openapi.breaks(definition(TEXT, was), definition(TEXT, now))
    assert bool(broken) is breaks, broken


def written(folder: Path, canary: str, *, where: str) -> LogSource:
    """A minute of log in which every tenth request is a probe's, marked in one place or in none."""
    lines = []
    for number in range(120):
        probe = number % 10 == 0
        entry: dict[str, Any] = {
            "timestamp": (START + pd.Timedelta(seconds=number / 2)).isoformat(),
            "severity": "INFO",
            "message": f"request {number}" + (f" {canary}" if probe and where == "text" else ""),
        }
        if probe and where == "trace":
            entry["trace"] = probe_marks.trace_id(canary)
        lines.append(json.dumps(entry))
    (folder / "log.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return LogSource(name="backend", file="log.jsonl")


def recorded(tmp_path: Path, *, before: str, after: str, canary: bool | None = None) -> View:
    """The small tables of a log before and after."""
    tables: dict[tuple[str, str], pd.DataFrame] = {}
    for phase, where in (("before", before), ("after", after)):
        folder = tmp_path / phase
        folder.mkdir()
        mark = probe_marks.new_canary()
        source = written(folder, mark, where=where).model_copy(update={"canary": canary})
        found, problems = recorder.record([source], [], base=folder, folder=folder, canary=mark)
        assert not problems
        tables |= {(phase, name): table for name, table in found.items() if isinstance(table, pd.DataFrame)}
    minute = (START, START + pd.Timedelta(minutes=1))
    return builders.view(tables, Windows(before=minute, after=minute))


@pytest.mark.parametrize(
    ("before", "after", "canary", "covered"),
    [
        ("trace", "trace", None, True),
        ("text", "text", None, True),
        ("trace", "nowhere", None, False),
        # A log that never keeps marks cannot be asked for them, unless the environment says so.
        ("nowhere", "nowhere", None, True),
        ("nowhere", "nowhere", True, False),
        ("trace", "nowhere", False, True),
    ],
)
def test_a_canary_that_was_sent_is_found_in_the_log_or_it_is_not_this_log(
    tmp_path: Path, before: str, after: str, canary: bool | None, covered: bool
) -> None:
    view = recorded(tmp_path, before=before, after=after, canary=canary)
    found = coverage_of(view, "backend", "after")
    assert found.held is covered, found.reasons
    if not covered:
        assert [code for code, _ in found.reasons] == ["log-no-canary"]
    item = settle(
        Check(id="x", kind="guard", claim="covers", group="logs", recipe=covers("backend", fixes=True)), view
    )
    established = not any("whether it is this system" in words for words in item.not_established)
    assert established is (after != "nowhere")


def test_a_canary_that_nobody_sent_must_not_be_found(tmp_path: Path) -> None:
    view = recorded(tmp_path, before="trace", after="trace")
    rows = view.need("log_canaries")
    assert sorted(rows["entries"]) == [0, 12]
    everywhere = view.exchange("log_canaries", rows.assign(entries=12))
    found = coverage_of(everywhere, "backend", "after")
    assert not found.held and "nobody sent" in found.reasons[0][1]
