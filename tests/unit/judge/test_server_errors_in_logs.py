"""Server errors of a log's requests speak also where nothing but the log is looked at."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from log_histories import HOUR, History, assessed, recorded

UNTIL = 4 * HOUR


def served(*, before: float, after: float) -> History:
    """Requests of which so many end with 500, with nothing said of it; and the symptom of the case, which is gone."""
    it = History().traffic(0, UNTIL, per_min=3, faults=before, symptom=None)
    it.traffic(0, UNTIL, per_min=1, faults=0.05, status=200)
    return it.traffic(UNTIL, 2 * UNTIL, per_min=4, faults=after, symptom=None, revision="r-2")


def more_than_before() -> History:
    return served(before=0.002, after=0.08)


def as_many_as_before() -> History:
    return served(before=0.06, after=0.045)


def none() -> History:
    return served(before=0.0, after=0.0)


def a_few_more() -> History:
    return served(before=0.0, after=0.008)


def no_requests() -> History:
    it = History().messages(0, UNTIL, "step {} done", per_min=3, revision="r-1")
    return it.messages(UNTIL, 2 * UNTIL, "step {} done", per_min=3, revision="r-2")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("build", "verdict", "reasons"),
    [
        (more_than_before, "fail", {"more-errors"}),
        (as_many_as_before, "pass", {""}),
        (none, "pass", {""}),
        (a_few_more, "inconclusive", {"more-errors", "too-early"}),
        (no_requests, "inconclusive", {"no-requests"}),
    ],
)
def test_more_server_errors_than_before_fail_by_the_log_alone(build: Callable[[], History], verdict: str, reasons: set[str], tmp_path: Path) -> None:  # fmt: skip
    recorded(build(), tmp_path)
    asked = assessed(tmp_path)
    found = asked.judge(asked.checks["log-error-rate"])
    assert found.verdict.value == verdict, found.statement
    assert found.reason in reasons
    if verdict == "pass":
        [mutants] = [control for control in found.controls if control.kind == "mutation"]
        assert mutants.held
