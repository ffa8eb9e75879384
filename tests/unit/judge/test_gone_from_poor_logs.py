"""Logs that carry little: each says what it cannot carry, and from when on it could, where that is known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from log_histories import DAY, HOUR, SYMPTOM, History, judged

UNTIL = 4 * HOUR


def of_one_minute() -> History:
    """Half a minute of either revision."""
    it = History().traffic(0, 0.5, per_min=40, faults=0.06)
    return it.traffic(0.5, 1, per_min=40, revision="r-2")


def of_ten_months() -> History:
    it = History().messages(0, 240 * DAY, "step {}", per_min=1 / 20, revision="r-1")
    it.messages(0, 240 * DAY, SYMPTOM, per_min=1 / 720, severity="ERROR", revision="r-1")
    return it.messages(240 * DAY, 300 * DAY, "step {}", per_min=1 / 20, revision="r-2")


def of_ten_months_and_a_day() -> History:
    it = History().messages(0, 299 * DAY, "step {}", per_min=1 / 20, revision="r-1")
    it.messages(0, 299 * DAY, SYMPTOM, per_min=1 / 720, severity="ERROR", revision="r-1")
    return it.messages(299 * DAY, 300 * DAY, "step {}", per_min=1 / 20, revision="r-2")


def with_a_gap_at_the_deployment() -> History:
    it = History().traffic(0, UNTIL, faults=0.05)
    return it.traffic(UNTIL + HOUR, 2 * UNTIL + HOUR, revision="r-2")


def with_two_clocks() -> History:
    """The new revision's clock is two hours behind: it seems to have begun while the old one failed."""
    it = History().traffic(0, UNTIL, faults=0.05)
    return it.traffic(UNTIL - 2 * HOUR, UNTIL + HOUR, revision="r-2")


def without_requests() -> History:
    it = History().messages(0, UNTIL, "step {} done", per_min=5, revision="r-1")
    it.messages(0, UNTIL, SYMPTOM, per_min=0.2, severity="ERROR", revision="r-1")
    return it.messages(UNTIL, 2 * UNTIL, "step {} done", per_min=5, revision="r-2")


def without_requests_for_long() -> History:
    return without_requests().messages(2 * UNTIL, 2 * UNTIL + 30, "step {} done", per_min=5, revision="r-2")


def of_one_client() -> History:
    it = History().traffic(0, UNTIL, faults=0.05, client="192.0.2.7")
    return it.traffic(UNTIL, 2 * UNTIL, client="192.0.2.7", revision="r-2")


def of_health_checks_and_hardly_a_user() -> History:
    it = History()
    for start, revision in ((0.0, "r-1"), (UNTIL, "r-2")):
        it.health_checks(start, start + UNTIL, every=0.12, revision=revision)
        it.traffic(start, start + UNTIL, per_min=0.1, faults=0.2 if start == 0 else 0.0, revision=revision)
    return it


def once_a_week() -> History:
    it = History().messages(0, 23 * DAY, "minute {}", per_min=0.05, revision="r-1")
    it.bursts([7 * DAY, 14 * DAY, 21 * DAY], revision="r-1")
    return it.messages(23 * DAY, 26 * DAY, "minute {}", per_min=0.05, revision="r-2")


def before_on_a_holiday() -> History:
    """Hardly anybody came, and two met it; then a working day begins."""
    it = History().traffic(0, 10 * HOUR, per_min=0.2)
    for at in (100.0, 400.0):
        it.ask(at, status=500, revision="r-1", trace=f"{int(at):032x}")
        it.say(at + 0.01, SYMPTOM, severity="ERROR", revision="r-1", trace=f"{int(at):032x}")
    return it.traffic(10 * HOUR, 11 * HOUR, per_min=4, revision="r-2")


def before_on_a_holiday_then_a_day() -> History:
    it = History().traffic(0, 10 * HOUR, per_min=0.4, faults=0.1)
    return it.traffic(10 * HOUR, 20 * HOUR, per_min=4, revision="r-2")


CARRIES = (
    with_two_clocks,
    without_requests_for_long,
    of_one_client,
    before_on_a_holiday_then_a_day,
)
# What each cannot carry, and whether waiting helps.
CANNOT: tuple[tuple[Callable[[], History], set[str], bool], ...] = (
    (of_one_minute, {"too-early", "log-few", "shorter-silence"}, True),
    (of_ten_months, {"too-early"}, True),
    (of_ten_months_and_a_day, {"too-early", "shorter-silence", "quiet-phase"}, True),
    (with_a_gap_at_the_deployment, {"log-gap", "log-ends-early"}, False),
    (of_health_checks_and_hardly_a_user, {"too-early", "shorter-silence", "little-met"}, True),
    (once_a_week, {"quiet-phase", "shorter-silence", "too-early"}, True),
    (before_on_a_holiday, {"too-early", "shorter-silence", "vanishing", "quiet-phase"}, True),
)


@pytest.mark.slow
@pytest.mark.parametrize("build", CARRIES)
def test_a_log_that_carries_it_is_believed(build: Callable[[], History], tmp_path: Path) -> None:
    found = judged(build(), tmp_path)
    assert (found.verdict.value, found.reason) == ("pass", ""), found.seen


@pytest.mark.usual_cases(4)
@pytest.mark.slow
@pytest.mark.parametrize(
    ("build", "reasons", "later"), CANNOT, ids=lambda item: getattr(item, "__name__", "")
)
def test_a_log_that_cannot_carry_it_says_why_and_from_when_on_it_could(build: Callable[[], History], reasons: set[str], later: bool, tmp_path: Path) -> None:  # fmt: skip
    found = judged(build(), tmp_path)
    assert (found.verdict.value, found.reason in reasons) == ("inconclusive", True), (
        found.reason,
        found.seen,
    )
    assert found.needed is not None and found.needed.what
    assert (found.needed.until is not None) or not later, found.needed
