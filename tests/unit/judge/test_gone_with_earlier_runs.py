"""Earlier runs of the same environment count as history of a symptom: with their age, and only where they read the same."""

from __future__ import annotations

from pathlib import Path

import pytest
from log_histories import DAY, HOUR, SYMPTOM, History, between, by_day, earlier_runs, judged, minute

from proofbook.evidence import store
from proofbook.judge.findings import Finding, from_json

pytestmark = pytest.mark.slow

DAYS = 21
DEPLOYED = DAYS * DAY + 3 * HOUR
SPANS = [(day * DAY + 3 * HOUR, (day + 1) * DAY + 3 * HOUR) for day in range(DAYS - 1)]


def daily_job(*, until: float) -> History:
    """A job that fails each night at two, until the deployment at three."""
    it = History().messages(0, until, "minute {}", per_min=0.1)
    return it.bursts([day * DAY + 2 * HOUR for day in range(DAYS + 1)])


def with_runs(history: History, folder: Path, *, spans: list[tuple[float, float]] | None = None, deployed: float = DEPLOYED, **more: str) -> Finding:  # fmt: skip
    """What is said by a log that reaches back one day, beside earlier runs of which each read one day."""
    earlier_runs(history, folder, SPANS if spans is None else spans, **more)
    own = between(history, deployed - DAY, 1e9)
    return judged(own, folder / "outputs" / "e" / "now" / "evidence", base=folder, deployed=deployed)


def test_a_daily_job_is_held_against_its_hour_as_earlier_runs_saw_it(tmp_path: Path) -> None:
    found = with_runs(daily_job(until=DEPLOYED + 22.9 * HOUR), tmp_path)
    assert (found.verdict.value, found.reason) == ("inconclusive", "quiet-phase")
    assert "20 earlier runs, reaching back 20 days" in found.seen
    assert found.needed is not None and found.needed.until is not None
    # At two again it would have shown.
    assert found.needed.until.startswith(f"{minute((DAYS + 1) * DAY + 2 * HOUR):%Y-%m-%dT%H:0}")


@pytest.mark.extended
def test_a_daily_job_that_stays_silent_at_its_hour_is_gone_by_what_earlier_runs_saw(tmp_path: Path) -> None:
    history = daily_job(until=DEPLOYED + 30 * HOUR)
    found = with_runs(history, tmp_path)
    assert (found.verdict.value, found.reason) == ("pass", ""), found.statement
    assert found.history is not None and (found.history.runs, round(found.history.days)) == (20, 20)
    assert "20 earlier runs, reaching back 20 days" in found.seen
    assert from_json(found.to_json()).history == found.history
    alone = judged(between(history, DEPLOYED - DAY, 1e9), tmp_path / "alone", deployed=DEPLOYED)
    assert (alone.verdict.value, alone.history) == ("inconclusive", None)
    assert "history" not in alone.to_json()


@pytest.mark.extended
@pytest.mark.parametrize("changed", [{"environment": "other"}, {"pattern": "Recursion"}])
def test_what_another_environment_or_another_pattern_saw_counts_for_nothing(changed: dict[str, str], tmp_path: Path) -> None:  # fmt: skip
    found = with_runs(daily_job(until=DEPLOYED + 30 * HOUR), tmp_path, **changed)
    assert (found.verdict.value, found.history) == ("inconclusive", None)


@pytest.mark.extended
def test_windows_that_several_runs_read_count_once(tmp_path: Path) -> None:
    history = daily_job(until=DEPLOYED + 30 * HOUR)
    overlapping = [(max(start - 20 * HOUR, SPANS[0][0]), end) for start, end in SPANS]
    read = []
    for number, spans in enumerate((SPANS, overlapping + SPANS[::2])):
        with_runs(history, tmp_path / f"{number}", spans=spans)
        past = store.read(tmp_path / f"{number}" / "outputs" / "e" / "now" / "evidence").table("log_past")
        assert past is not None
        read.append((past["entries"].sum(), past["affected"].sum(), past["first"].min()))
    assert read[0] == read[1]
    assert read[0][1] == 10 * len(SPANS)


def test_a_night_is_known_to_be_quiet_from_the_nights_that_earlier_runs_read(tmp_path: Path) -> None:
    deployed = 9 * DAY + 18 * HOUR
    history = History().messages(0, deployed + 13 * HOUR, "minute {}", per_min=0.5)
    history.messages(0, deployed, SYMPTOM, per_min=by_day(0.2, 0.0), severity="ERROR")
    spans = [(day * DAY, (day + 1) * DAY) for day in range(9)]
    own = between(history, deployed - 9 * HOUR, 1e9)
    earlier_runs(history, tmp_path, spans)
    found = judged(own, tmp_path / "now", base=tmp_path, deployed=deployed)
    assert (found.verdict.value, found.reason) == ("inconclusive", "quiet-phase")
    alone = judged(own, tmp_path / "alone", deployed=deployed)
    assert alone.reason != "quiet-phase"


def test_a_log_that_begins_late_is_held_against_what_earlier_runs_saw(tmp_path: Path) -> None:
    history = daily_job(until=DEPLOYED + 30 * HOUR)
    earlier_runs(history, tmp_path, [*SPANS, (DEPLOYED - DAY, DEPLOYED - 0.5 * HOUR)])
    own = between(history, DEPLOYED - 0.5 * HOUR, 1e9)
    found = judged(own, tmp_path / "now", base=tmp_path, deployed=DEPLOYED)
    assert (found.verdict.value, found.reason) == ("pass", ""), (found.reason, found.seen)
    assert "of earlier runs →" in found.seen


def test_a_symptom_that_ended_before_the_deployment_was_not_ended_by_it(tmp_path: Path) -> None:
    history = History().messages(0, 12 * DAY, "minute {}", per_min=0.5)
    history.messages(0, 8 * DAY, SYMPTOM, per_min=0.1, severity="ERROR")
    earlier_runs(history, tmp_path, [(day * DAY, (day + 1) * DAY) for day in range(9)])
    own = between(history, 9 * DAY, 1e9)
    found = judged(own, tmp_path / "now", base=tmp_path, deployed=10 * DAY)
    assert (found.verdict.value, found.reason) == ("inconclusive", "never-seen"), found.seen


def test_a_damaged_run_counts_for_nothing_and_costs_no_other(tmp_path: Path) -> None:
    history = daily_job(until=DEPLOYED + 30 * HOUR)
    earlier_runs(history, tmp_path, SPANS)
    damaged = sorted((tmp_path / "outputs" / "e").iterdir())[3]
    (damaged / "evidence" / "after" / "log_rhythm.parquet").write_bytes(b"PAR1")
    found = judged(between(history, DEPLOYED - DAY, 1e9), tmp_path / "now", base=tmp_path, deployed=DEPLOYED)
    assert found.history is not None and found.history.runs == 19
