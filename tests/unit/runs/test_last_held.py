"""What earlier runs say of a check that does not hold now: when it held last, how many runs ago, and whether it was asked in the same way."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace
from pathlib import Path

import made
import pytest
import told

from proofbook.judge.findings import Finding, Verdict
from proofbook.report.summary import _all_held, _held
from proofbook.runs import diff, held, record
from proofbook.runs.record import LastHeld, RunRecord, Summary

FAILED = made.finding("a", "a", Verdict.FAIL)
PASSED = made.finding("a", "a", Verdict.PASS)


class Past:
    """Runs one after the other, an hour apart, each of which keeps what it says of those before it."""

    def __init__(self, base: Path) -> None:
        self.base, self.at, self.last = base, told.START, None
        self.ids: list[str] = []

    last: RunRecord | None

    def run(self, found: Finding, *, settings: str = "x") -> tuple[LastHeld, ...]:
        self.at += dt.timedelta(hours=1)
        folder = told.add_run(self.base, "eu", self.at, found.verdict.value, found=[found])
        (folder / "inputs").mkdir()
        (folder / "inputs" / "eu.toml").write_text(settings)
        items = [found] if found.verdict is not Verdict.PASS else []
        said = held.last(self.last, items, folder=folder)
        run = record.read(folder)
        summary = Summary(
            verdict=found.verdict.value, words="", result="", environment="eu", case="c", at="", facts=(), beside="", doubt="",
            advice="", next_review="", since="", last_held=said,
        )  # fmt: skip
        # As it is read again from run.json.
        self.last = RunRecord.from_json(replace(run, summary=summary).to_json())
        self.ids.append(folder.name)
        return said


@pytest.fixture
def past(tmp_path: Path) -> Past:
    return Past(tmp_path)


def test_the_first_failure_names_the_run_before_it(past: Past) -> None:
    past.run(PASSED)
    [said] = past.run(FAILED)
    assert said == LastHeld(finding="a", run_id=past.ids[0], at="2026-01-05T11:00:00.000Z", runs_since=0, same_settings=True)  # fmt: skip


def test_later_failures_name_the_same_run_and_count_those_since(past: Past) -> None:
    for found in (PASSED, PASSED, FAILED, FAILED):
        past.run(found)
    [said] = past.run(made.finding("a", "a", Verdict.INCONCLUSIVE))
    assert (said.run_id, said.runs_since) == (past.ids[1], 2)


def test_a_check_that_never_held_or_holds_now_has_none(past: Past) -> None:
    assert past.run(FAILED) == () and past.run(FAILED) == ()
    assert past.run(PASSED) == ()
    assert past.run(made.finding("b", "b", Verdict.FAIL)) == ()


def test_settings_that_changed_since_are_not_called_the_same(past: Past) -> None:
    past.run(PASSED)
    [said] = past.run(FAILED, settings="y")
    assert not said.same_settings
    [said] = past.run(FAILED)
    assert said.same_settings, "they are held against those of the run in which it held"


def test_a_run_that_is_gone_is_named_and_its_settings_are_not_called_the_same(past: Past) -> None:
    past.run(PASSED)
    past.run(FAILED)
    for path in sorted((past.base / "outputs" / "eu" / past.ids[0]).rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    [said] = past.run(FAILED)
    assert (said.run_id, said.same_settings) == (past.ids[0], False)


@pytest.mark.parametrize(
    ("runs_since", "same", "at", "sentence"),
    [
        (0, True, "2026-01-05T11:00:00.000Z", "a last held in run R (5 Jan 2026 11:00 UTC, 1 h earlier, with the same settings)."),
        (1, True, "2026-01-05T11:00:00.000Z", "a last held in run R (5 Jan 2026 11:00 UTC, 1 h earlier, with the same settings); 1 run since did not show it."),
        (2, False, "2026-01-04T12:00:00.000Z", "a last held in run R (4 Jan 2026 12:00 UTC, 1 d earlier); 2 runs since did not show it."),
        (0, False, "2026-01-05T13:00:00.000Z", "a last held in run R (5 Jan 2026 13:00 UTC)."),
    ],
)  # fmt: skip
def test_the_sentence_says_where_how_long_before_and_how_it_was_asked(
    runs_since: int, same: bool, at: str, sentence: str
) -> None:
    now = dt.datetime(2026, 1, 5, 12, tzinfo=dt.UTC)
    assert _held(LastHeld(finding="a", run_id="R", at=at, runs_since=runs_since, same_settings=same), now) == sentence  # fmt: skip


def test_checks_that_held_last_in_the_same_run_share_a_sentence() -> None:
    now = dt.datetime(2026, 1, 5, 12, tzinfo=dt.UTC)
    items = [
        LastHeld(finding=name, run_id=run, at="2026-01-05T13:00:00.000Z", runs_since=0, same_settings=False)
        for name, run in (("a", "R"), ("b", "S"), ("c", "R"), ("d", "R"))
    ]
    assert _all_held(items, now) == [
        "a, c and d last held in run R (5 Jan 2026 13:00 UTC).",
        "b last held in run S (5 Jan 2026 13:00 UTC).",
    ]


@pytest.mark.parametrize("key", ["ended", "last_held"])
def test_an_earlier_run_whose_times_are_damaged_ends_no_later_run(past: Past, key: str) -> None:
    past.run(PASSED)
    past.run(FAILED)
    assert past.last is not None
    folder = past.base / "outputs" / "eu" / past.ids[1]
    content = past.last.to_json()
    if key == "ended":
        content["ended"] = "yesterday"
    else:
        content["summary"]["last_held"][0]["at"] = "an hour ago"
    (folder / "run.json").write_text(json.dumps(content))
    found = diff.last_before(folder.with_name("20260106T000000Z-0000"), case="c")
    assert found is not None and found.run_id == past.ids[0]
