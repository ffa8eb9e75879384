"""A symptom may be a status at a path: requests that were answered with it before and are not any more."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from builders import json_lines
from log_histories import HOUR, History
from pydantic import ValidationError

from proofbook.collect.logs.recorder import record
from proofbook.config import status_pattern
from proofbook.config.case import Case
from proofbook.config.environment import Environment
from proofbook.config.fixes import Symptom
from proofbook.config.sources import LogSource
from proofbook.config.status_pattern import StatusPattern
from proofbook.evidence import store
from proofbook.judge.findings import Finding
from proofbook.validation import Assessment

DEPLOYED = 3 * HOUR
ENDED = 6 * HOUR


def refused(*, until: float = ENDED, after: float = 0.0, status_after: int = 403, url: str = "/ws", per_min_after: float = 4.0) -> History:  # fmt: skip
    """Three in ten upgrades are refused by the old revision, and a share of them by the new one; other paths answer all the time."""
    it = History().traffic(0, DEPLOYED, url=url, status=403, faults=0.3, symptom=None)
    it.traffic(DEPLOYED, until, url=url, status=status_after, faults=after, symptom=None, revision="r-2", per_min=per_min_after)  # fmt: skip
    it.traffic(0, DEPLOYED, url="/api/cart?n=1")
    return it.traffic(DEPLOYED, until, url="/api/cart?n=1", revision="r-2")


def judged(history: History, folder: Path, *, looked_for: bool = True, more: str = "", **symptom: Any) -> Finding:  # fmt: skip
    """What is said of "no longer answered so". looked_for: when the log was read; else only in what was kept of it. more: lines at the end."""
    case = Case.model_validate({"fix": [{"title": "Upgrades", "symptom": [{"http_status": 403, "path": "/ws"} | symptom]}]})  # fmt: skip
    environment = Environment.model_validate({"name": "e", "log": [{"name": "log", "file": "log.json"}]})
    entries = sorted(history.entries, key=lambda entry: str(entry["timestamp"]))
    (folder / "log.json").write_text(json_lines(*entries) + more)
    patterns = case.log_patterns() if looked_for else []
    tables, problems = record([LogSource(name="log", file="log.json")], patterns, base=folder, folder=folder)
    assert not problems, problems
    ended = dt.datetime.now(dt.UTC)
    store.write_phase(folder, environment="e", phase="after", tables=tables, recorded=store.Phase(started=ended, ended=ended))  # fmt: skip
    found = Assessment.of(environment, case, store.read(folder), base=folder)
    [check] = [item for item in found.checks.values() if item.kind == "fix"]
    return found.judge(check)


@pytest.mark.slow
@pytest.mark.parametrize("looked_for", [True, False])
def test_upgrades_that_are_refused_no_more_are_fixed(looked_for: bool, tmp_path: Path) -> None:
    found = judged(refused(), tmp_path, looked_for=looked_for)
    assert (found.verdict.value, found.reason) == ("pass", ""), found.statement
    assert found.claim == "requests for /ws are no longer answered with 403"
    assert found.id == "log-403-ws-gone"


@pytest.mark.slow
def test_one_in_twenty_that_is_still_refused_is_not_fixed(tmp_path: Path) -> None:
    found = judged(refused(after=0.05), tmp_path)
    assert (found.verdict.value, found.reason) == ("fail", "still-there")
    assert "GET /ws 403" in found.statement


@pytest.mark.slow
@pytest.mark.parametrize("instead", [401, 404, 502])
def test_another_error_in_its_place_is_not_fixed(instead: int, tmp_path: Path) -> None:
    found = judged(refused(after=0.3, status_after=instead), tmp_path)
    assert (found.verdict.value, found.reason) == ("inconclusive", "errors-remain")
    assert "ended with another error for /ws" in found.statement


@pytest.mark.slow
def test_a_path_that_nobody_asked_for_since_is_not_fixed(tmp_path: Path) -> None:
    found = judged(refused(per_min_after=0.0), tmp_path)
    assert found.verdict.value == "inconclusive"


@pytest.mark.slow
def test_the_same_status_at_another_path_is_another_matter(tmp_path: Path) -> None:
    it = refused().traffic(DEPLOYED, ENDED, url="/admin", status=403, faults=1.0, symptom=None, revision="r-2", per_min=1)  # fmt: skip
    it.traffic(0, DEPLOYED, url="/admin", status=403, faults=1.0, symptom=None, per_min=1)
    assert judged(it, tmp_path).verdict.value == "pass"


@pytest.mark.slow
def test_a_star_stands_for_any_part_of_a_path(tmp_path: Path) -> None:
    history = refused(url="https://api.example.com/rooms/7/ws?token=x", after=0.1)
    assert judged(history, tmp_path, path="/rooms/*/ws").reason == "still-there"


@pytest.mark.slow
def test_without_a_path_requests_for_any_path_count(tmp_path: Path) -> None:
    found = judged(refused(after=0.1), tmp_path, path=None)
    assert (found.id, found.reason) == ("log-403-gone", "still-there")


@pytest.mark.slow
def test_a_line_that_was_not_read_and_tells_of_it_counts(tmp_path: Path) -> None:
    found = judged(refused(), tmp_path, more="at noon GET /ws was answered with 403\n")
    assert found.verdict.value == "fail" and "403" in found.statement


def test_evidence_names_what_was_looked_for_as_no_expression_could() -> None:
    pattern = StatusPattern(least=403, most=403, path='/a "b"')
    assert status_pattern.of(str(pattern)) == pattern
    assert status_pattern.of("http_status 403") is None
    with pytest.raises(ValidationError, match="regular expression"):
        Symptom.model_validate({"log": str(pattern)})


@pytest.mark.parametrize(
    ("stated", "said"),
    [
        ({"http_status": 403, "log": "x"}, "expected one of log, close_code, http_status, refused_user, got log and http_status"),
        ({"log": "x", "path": "/ws"}, "expected http_status beside path"),
        ({"http_status": 403, "examples": ["x"]}, "expected examples and near_misses beside log only"),
        ({"http_status": 42}, "greater than or equal to 100"),
    ],
)  # fmt: skip
def test_what_cannot_be_a_symptom_is_refused(stated: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Symptom.model_validate(stated)
