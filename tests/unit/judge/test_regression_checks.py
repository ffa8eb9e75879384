"""Regression checks that need no rehearsal: restarts, tails, certificates, contracts of requests, and canaries in logs."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import builders
import numpy as np
import pandas as pd
import pytest

from proofbook import probe_marks
from proofbook.collect.logs import recorder
from proofbook.collect.websocket.journey import Journey, frame
from proofbook.config import case
from proofbook.config.case import Case
from proofbook.config.environment import Environment
from proofbook.config.sources import LogSource
from proofbook.errors import ConfigurationError
from proofbook.evidence.schema import CERTIFICATES, METRICS
from proofbook.judge import catalogue
from proofbook.judge.check import Check, Recipe
from proofbook.judge.checks import certificates, latency, restarts
from proofbook.judge.checks.log_coverage import coverage_of
from proofbook.judge.checks.log_covers import covers
from proofbook.judge.contracts.compare import changes
from proofbook.judge.contracts.words import sentence
from proofbook.judge.findings import Finding, Verdict
from proofbook.judge.settle import settle
from proofbook.judge.view import View
from proofbook.judge.window import Windows
from proofbook.protocol import GOOD_KINDS, TokenKind, shows_test_header, tampered_with

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


def evidence_by_hand(folder: Path) -> tuple[Environment, Case, dict[tuple[str, str], pd.DataFrame]]:
    """A system with an endpoint, a log and metrics, and a few rows of each table that its checks may read."""
    where = Environment.model_validate(
        {
            "login": {"token": {"env": "TOKEN"}},
            "service": [{"name": "api", "url": "http://127.0.0.1:9", "metrics": "/metrics"}],
            "websocket": [{"name": "ws", "service": "api", "path": "/ws"}],
            "log": [{"name": "backend", "file": "log.jsonl"}],
        }
    )
    what = Case.model_validate(
        {
            "title": "t",
            "fix": [{"id": "f", "title": "f", "problem": "p", "solution": "s", "symptom": [{"id": "gone", "log": "RecursionError"}]}],
            "identity": [{"user": "ada", "accept": True}, {"user": "eve", "accept": False}],
        }
    )  # fmt: skip
    times = [START + pd.Timedelta(seconds=number) for number in range(60)]

    def journeys(kind: str, *users: str) -> pd.DataFrame:
        rows = [Journey(endpoint="ws", user=user, token_kind=kind, http_status=403, timestamp=at) for user in users for at in times[:9]]  # fmt: skip
        return frame(rows)

    tables: dict[tuple[str, str], pd.DataFrame] = {
        ("after", "metrics"): pd.DataFrame({"service": "api", "timestamp": times, "instance": "1", "name": "resident", "value": 1e8}),
        ("after", "latency"): pd.DataFrame({"timestamp": times}),
        ("after", "identities"): journeys(TokenKind.GOOD, "ada", "eve"),
        **{("after", name): journeys(TokenKind.GOOD, "u") for name in ("websocket", "shadow", "refusals")},
        ("before", "websocket"): journeys(TokenKind.GOOD, "u"),
    }  # fmt: skip
    for phase in ("before", "after"):
        (folder / phase).mkdir()
        mark = probe_marks.new_canary()
        request = {"requestMethod": "GET", "requestUrl": "/x", "status": 200}
        lines = [{"timestamp": at.isoformat(), "httpRequest": request, "insertId": str(at)} for at in times]
        lines += [{"timestamp": at.isoformat(), "textPayload": "[INFO] well", "trace": mark, "insertId": f"said {at}"} for at in times]  # fmt: skip
        (folder / phase / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        source = LogSource(name="backend", file="log.jsonl")
        read, _ = recorder.record([source], what.log_patterns(), base=folder / phase, folder=folder / phase, canary=mark)  # fmt: skip
        tables |= {(phase, name): table for name, table in read.items() if isinstance(table, pd.DataFrame)}
    return where, what, tables


LOG_TABLES = {f"{phase}/{name}" for phase in ("before", "after") for name in ("log_rhythm", "log_sources", "log_canaries")}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    ("check_id", "names"),
    [
        ("memory-api", {"after/metrics", "after/latency", "after/websocket"}),
        ("log-gone-gone", LOG_TABLES | {"before/log_patterns", "before/log_matches", "after/log_patterns", "after/log_matches"}),
        ("log-error-rate", LOG_TABLES - {"before/log_sources"}),
        ("identity-table", {"after/identities", "after/websocket", "after/refusals", "after/shadow", "before/websocket"}),
        ("websocket-authentication", {"after/websocket", "after/refusals", "after/shadow", "before/websocket"}),
    ],
)  # fmt: skip
def test_a_finding_names_all_the_evidence_that_it_rests_on(
    check_id: str, names: set[str], tmp_path: Path
) -> None:
    where, what, tables = evidence_by_hand(tmp_path)
    handed_out = set()

    def table(name: str, phase: str) -> pd.DataFrame | None:
        handed_out.add(f"{phase}/{name}")
        return tables.get((phase, name))

    minute = (START, START + pd.Timedelta(minutes=1))
    view = View(tables=table, windows=Windows(before=minute, after=minute))
    recorded = {f"{phase}/{name}": f"digest of {phase}/{name}" for phase, name in tables}
    declared = catalogue.declare(where, what)
    found = settle(declared[check_id], view, digests=recorded)
    named = {item["name"] for item in found.evidence}
    assert named == handed_out & set(recorded)
    assert names <= named, sorted(names - named)
    assert all(item["sha256"] == f"digest of {item['name']}" for item in found.evidence)


WITH_SCHEMA = 'title = "t"\n[[message]]\nid = "reply"\nschema = "reply.json"\nwhen = { type = "reply" }\n'


def test_message_schemas_come_with_the_case_and_no_judge_reads_a_file(tmp_path: Path) -> None:
    (tmp_path / "case.toml").write_text(WITH_SCHEMA)
    schema = tmp_path / "reply.json"
    schema.write_text('{"type": "object", "required": ["id"]}')
    what = case.load(str(tmp_path / "case.toml"), base=tmp_path)
    schema.unlink()
    where = Environment.model_validate({"service": [{"name": "api", "url": "http://127.0.0.1:9"}]})
    catalogue.check_files(where, what)
    check = catalogue.declare(where, what)["contract-message-reply"]
    bodies = ['{"type": "reply", "id": 1}', '{"type": "reply"}']
    rows = pd.DataFrame({"endpoint": "ws", "timestamp": START, "body": bodies})
    view = View(tables=lambda name, phase: rows if name == "messages" else None, windows=Windows(before=None, after=None))  # fmt: skip
    found = settle(check, view)
    assert (found.verdict, found.reason) == (FAIL, "schema"), found.statement


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "message[0].schema: expected a JSON file at reply.json, got: Expecting property name"),
        (
            '{"type": "odd"}',
            "message[0].schema: expected a JSON Schema in reply.json, got: 'odd' is not valid",
        ),
    ],
)
def test_a_message_schema_that_is_none_is_a_sentence(text: str, problem: str, tmp_path: Path) -> None:
    (tmp_path / "case.toml").write_text(WITH_SCHEMA)
    (tmp_path / "reply.json").write_text(text)
    where = Environment.model_validate({"service": [{"name": "api", "url": "http://127.0.0.1:9"}]})
    with pytest.raises(ConfigurationError, match=re.escape(problem)):
        catalogue.check_files(where, case.load(str(tmp_path / "case.toml"), base=tmp_path))


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


@pytest.mark.slow
def test_collecting_loads_no_judge() -> None:
    code = "import proofbook.collect.phases, sys; print(*sorted(n for n in sys.modules if n.startswith('proofbook.judge')))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert loaded.split() == []


@pytest.mark.parametrize("header", ["X-Test-User", "good"])
def test_a_kind_of_token_is_good_or_shows_a_test_header_or_neither(header: str) -> None:
    kind = tampered_with(header)
    assert shows_test_header(kind) and kind not in GOOD_KINDS
    assert {item.value for item in GOOD_KINDS} == {
        "good",
        "good, as a user",
        "good, as a browser",
        "good, without compression",
        "good, at a path that must not exist",
    }
    assert not any(shows_test_header(item) for item in TokenKind)


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


def test_a_certificate_that_only_one_of_several_instances_has_must_last_too() -> None:
    tables = {
        ("after", "certificates"): builders.table_of(CERTIFICATES, {"service": "web"}),
        ("after", "health"): builders.health(*[{"service": "web", "certificate_days": days} for days in (90.0, 90.0, 2.0, 90.0)]),
    }  # fmt: skip
    found = judged(certificates.valid("web", least_days=14), tables)
    assert found.verdict is FAIL
    assert found.statement == "valid for 2.0 more days, on 1 of 4 connections"


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
    found = changes(definition(was, TEXT), definition(now, TEXT))
    assert all(item.sure for item in found)
    broken = [sentence(item) for item in found]
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
    found = changes(definition(TEXT, was), definition(TEXT, now))
    assert any(item.sure for item in found) is breaks, found


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


@pytest.mark.slow
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


@pytest.mark.slow
def test_a_canary_that_nobody_sent_must_not_be_found(tmp_path: Path) -> None:
    view = recorded(tmp_path, before="trace", after="trace")
    rows = view.need("log_canaries")
    assert sorted(rows["entries"]) == [0, 12]
    everywhere = view.exchange("log_canaries", rows.assign(entries=12))
    found = coverage_of(everywhere, "backend", "after")
    assert not found.held and "nobody sent" in found.reasons[0][1]
