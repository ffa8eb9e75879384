"""“Gone” is said of a log only where the symptom would have shown: by who serves, who came, when, and what is still written."""

from __future__ import annotations

from pathlib import Path

import pytest
from gone_cases import CASES, FIXED, NOT_KNOWN, Case
from log_histories import History, assessed, judged, recorded

from proofbook.judge.reasons import REASONS


@pytest.mark.usual_cases(5)
@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.kind}-{case.name}")
def test_gone_is_said_where_the_symptom_would_have_shown_and_nowhere_else(case: Case, tmp_path: Path) -> None:
    found = judged(case.build(), tmp_path, deployed=case.deployed)
    assert (found.verdict.value, found.reason in case.reasons) == (case.should, True), (
        found.reason,
        found.seen,
    )
    assert case.says in found.seen
    assert found.reason == "" or found.reason in REASONS
    if found.verdict.value == NOT_KNOWN:
        assert found.needed is not None and found.needed.what


def test_each_kind_of_deception_has_three_cases_and_one_that_is_well() -> None:
    for kind in "ADEFQR":
        mine = [case for case in CASES if case.kind == kind]
        assert len(mine) >= 3, kind
        assert kind == "R" or any(case.should == FIXED for case in mine), kind


@pytest.mark.slow
def test_a_pattern_of_a_few_lines_of_a_kind_is_of_requests_too(tmp_path: Path) -> None:
    pattern = "room [5-9] was lost"
    it = History()
    for room in range(1, 10):
        it.traffic(0, 240, per_min=0.5, faults=0.3, symptom=f"room {room} was lost")
    it.traffic(240, 720, revision="r-2")
    it.messages(240, 720, "cache shard {} was evicted", per_min=0.3, severity="WARNING", revision="r-2")
    recorded(it, tmp_path, pattern=pattern)
    found = assessed(tmp_path, pattern=pattern)
    [check] = [item for item in found.checks.values() if item.kind == "fix"]
    said = found.judge(check)
    assert (said.verdict.value, said.reason) == ("pass", ""), said.seen
