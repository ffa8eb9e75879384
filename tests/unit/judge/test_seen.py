"""What a summary shows of a finding: what was seen without its bounds, and whether a threshold allows or requires."""

from __future__ import annotations

import pytest

from proofbook.judge.check import Check, Recipe
from proofbook.judge.checks.success_rate import judge_rate
from proofbook.judge.checks.symptoms import compare
from proofbook.judge.findings import Control, Judgement, Verdict
from proofbook.judge.settle import settle
from proofbook.judge.view import View, view_of


def view() -> View:
    """A view without any evidence."""
    return view_of(lambda name, phase: None, phases={})


def rate(failures: int) -> Judgement:
    return judge_rate(
        count=365,
        failures=failures,
        target=0.99,
        planned=False,
        view=view(),
        unit="connections",
        what="were made",
    )


def test_what_was_seen_of_a_success_rate_has_no_bound() -> None:
    assert (
        rate(0).statement == "365 of 365 connections were made (100.00%; at least 99.18% at 95% confidence)"
    )
    assert rate(0).seen == "365 of 365 connections were made"
    assert not rate(0).limits


@pytest.mark.parametrize(
    ("hits", "before", "tolerated", "seen"),
    [
        (0, (40, 40), 0.0, "40 of 40 connections closed with 1011 before → 0 of 50 after"),
        (1, (40, 40), 0.1, "40 of 40 connections closed with 1011 before → 1 of 50 after"),
        (
            0,
            None,
            0.0,
            "absent: 0 of 50 connections closed with 1011; nothing recorded from before says that they ever did",
        ),
    ],
)
def test_what_was_seen_of_a_symptom_has_no_bound_and_its_threshold_allows(
    hits: int, before: tuple[int, int] | None, tolerated: float, seen: str
) -> None:
    found = compare(
        view(),
        what="closed with 1011",
        unit="connections",
        hits=hits,
        count=50,
        before=before,
        example="",
        tolerated_rate=tolerated,
        absent_rate=0.1,
    )
    assert found.seen == seen and found.limits
    assert "(at most " in found.statement and found.statement != seen


def test_of_a_control_that_did_not_hold_what_it_got_is_seen() -> None:
    silent = Control(
        kind="liveness", name="the log", guards=("pass",), expected="it", got="silence", held=False
    )
    judged = Judgement(
        verdict=Verdict.PASS, statement="all well (at most 3%)", seen="all well", controls=(silent,)
    )
    check = Check(id="a", kind="guard", claim="a", group="own", recipe=Recipe(judge=lambda view: judged))
    assert settle(check, view()).seen == "all well; but the log: silence"
