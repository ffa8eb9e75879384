"""The run's verdict follows from its findings, and a control that did not hold takes its verdict away."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import builders
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import proofbook as pb
from proofbook.judge.check import NOT_SAID, Check, Mutant, Recipe
from proofbook.judge.findings import Control, Finding, Judgement, Verdict, from_json
from proofbook.judge.settle import settle
from proofbook.judge.verdict import overall
from proofbook.judge.view import View
from proofbook.judge.window import WindowProblem, Windows
from proofbook.report import finding_html

PASS, FAIL, INCONCLUSIVE, ERROR = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.ERROR


def finding(verdict: Verdict, *, required: bool = True, kind: str = "guard", **more: Any) -> Finding:
    name = f"{kind}-{verdict.value}-{required}"
    return builders.finding(verdict, name, required=required, kind=kind, **more)


@pytest.mark.parametrize(
    ("verdicts", "wanted"),
    [
        ([], INCONCLUSIVE),
        ([PASS], PASS),
        ([PASS, INCONCLUSIVE], INCONCLUSIVE),
        ([PASS, INCONCLUSIVE, ERROR], ERROR),
        ([PASS, INCONCLUSIVE, ERROR, FAIL], FAIL),
    ],
)
def test_the_worst_required_finding_decides(verdicts: list[Verdict], wanted: Verdict) -> None:
    assert overall([finding(verdict) for verdict in verdicts]).verdict is wanted


def test_an_optional_guard_vetoes_only_by_failing_on_something_critical() -> None:
    assert overall([finding(PASS), finding(INCONCLUSIVE, required=False)]).verdict is PASS
    assert overall([finding(PASS), finding(FAIL, required=False)]).verdict is FAIL
    assert overall([finding(PASS), finding(FAIL, required=False, critical=False)]).verdict is PASS
    assert overall([finding(PASS), finding(INCONCLUSIVE, required=False)]).beside == (
        "guard-inconclusive-False",
    )


def test_optional_findings_alone_decide_nothing() -> None:
    assert overall([finding(PASS, required=False)]).verdict is INCONCLUSIVE


def test_what_was_owed_and_not_judged_is_an_error_except_in_a_partial_run() -> None:
    assert overall([finding(PASS)], missing=["log-coverage"]).verdict is ERROR
    assert overall([finding(PASS)], missing=["log-coverage"], partial=True).reason == "partial"
    assert overall([finding(PASS)], missing=[], partial=True).verdict is PASS


def test_a_waiver_covers_what_could_not_be_seen_and_never_a_failure() -> None:
    waived = overall([finding(PASS), finding(INCONCLUSIVE, waived="waived by Ada until 2027-01-01")])
    assert waived.verdict is PASS and "1 waived" in waived.sentence
    assert overall([finding(PASS), finding(FAIL, waived="waived by Ada until 2027-01-01")]).verdict is FAIL


def test_absent_is_never_worded_fixed() -> None:
    assert overall([finding(PASS, kind="fix", reason="absent")]).sentence.startswith("ABSENT")
    assert overall([finding(PASS, kind="fix")]).sentence.startswith("FIXED")
    assert overall([finding(PASS)]).sentence.startswith("HEALTHY")


@given(
    st.lists(st.sampled_from([PASS, INCONCLUSIVE, ERROR, FAIL]), max_size=6),
    st.sampled_from([INCONCLUSIVE, ERROR, FAIL]),
)
def test_one_more_bad_finding_never_makes_it_pass(verdicts: list[Verdict], bad: Verdict) -> None:
    assert overall([*(finding(verdict) for verdict in verdicts), finding(bad)]).verdict is not PASS


def view(tables: dict[tuple[str, str], pd.DataFrame]) -> View:
    now = pd.Timestamp("2026-01-01T00:00:00Z")
    return builders.view(tables, Windows(before=None, after=(now, now)))


def check(judgement: Judgement, mutants: tuple[Mutant, ...] = (), kind: str = "guard") -> Check:
    return Check(
        id="x",
        kind=kind,
        claim="it works",
        group="own",
        recipe=Recipe(judge=lambda _: judgement, mutants=mutants),
    )


def control(*, held: bool, guards: tuple[str, ...]) -> Control:
    return Control(
        kind="liveness", name="alive", guards=guards, expected="yes", got="yes" if held else "no", held=held
    )


@given(
    st.sampled_from([PASS, FAIL]),
    st.lists(st.tuples(st.booleans(), st.sampled_from([("pass",), ("fail",), ("pass", "fail")])), max_size=4),
)
def test_a_control_that_did_not_hold_never_leaves_the_verdict_that_it_guards(
    verdict: Verdict, controls: list[tuple[bool, tuple[str, ...]]]
) -> None:
    made = tuple(control(held=held, guards=guards) for held, guards in controls)
    found = settle(check(Judgement(verdict=verdict, statement="seen", controls=made)), view({}))
    if any(not held and verdict.value in guards for held, guards in controls):
        assert found.verdict is INCONCLUSIVE and found.needed is not None


def test_a_pass_without_any_control_is_inconclusive() -> None:
    found = settle(check(Judgement(verdict=PASS, statement="all good")), view({}))
    assert (found.verdict, found.reason) == (INCONCLUSIVE, "no-control")


def test_a_check_that_passes_on_its_mutant_is_inconclusive() -> None:
    blind = check(
        Judgement(verdict=PASS, statement="all good"), (Mutant(name="broken", change=lambda seen: seen),)
    )
    found = settle(blind, view({}))
    assert (found.verdict, found.reason) == (INCONCLUSIVE, "control-mutation")
    assert "MISSED" in found.controls[0].got


@pytest.mark.parametrize("reason", ["", "my-own-reason"])
def test_a_check_of_ones_own_may_give_a_reason_that_is_not_in_the_list(reason: str) -> None:
    unsure = Judgement(verdict=INCONCLUSIVE, reason=reason, statement="seen too little")
    found = settle(check(unsure), view({}))
    assert (found.verdict, found.reason, found.statement) == (INCONCLUSIVE, reason, "seen too little")
    assert found.needed is not None and found.needed.what == NOT_SAID
    finding_html.finding(found)
    assert "NOT KNOWN, could not see: seen too little" in overall([replace(found, required=True)]).sentence


def test_how_many_mutants_were_caught_is_a_number_and_absent_where_none_were_tried() -> None:
    held = control(held=True, guards=("pass",))
    seen = check(
        Judgement(verdict=PASS, statement="good", controls=(held,)),
        (Mutant(name="cannot apply", change=lambda _: None), Mutant(name="empty", change=lambda _: missing)),
    )
    missing = View(
        tables=lambda name, phase: None,
        windows=Windows(before=None, after=None, problem=WindowProblem(reason="clock", sentence="backwards")),
    )
    found = settle(seen, view({}))
    plain, mutation = found.controls
    assert (mutation.caught, mutation.tried, mutation.mutants) == (1, 1, "1 of 1")
    assert (found.severity, found.sensitivity) == (None, 1.0)
    assert (
        finding_html.detection_power(found) == ""
        and finding_html.sensitivity(found) == "1 of 1 mutants caught"
    )
    written = found.to_json()
    assert "tried" not in written["controls"][0] and written["controls"][1]["tried"] == 1
    assert from_json(written).controls == (plain, mutation)
    # Of a run of before these were numbers.
    del written["controls"][1]["caught"], written["controls"][1]["tried"]
    assert finding_html.sensitivity(from_json(written)) == "100% of mutants caught"


def test_what_older_runs_called_severity_by_mutants_is_read_as_sensitivity() -> None:
    held = control(held=True, guards=("pass",))
    found = settle(check(Judgement(verdict=PASS, statement="good", severity=0.9, controls=(held,))), view({}))
    assert (found.severity, found.sensitivity) == (0.9, None)
    written = {
        key: value for key, value in found.to_json().items() if key not in ("severity_at", "sensitivity")
    }
    by_mutants = from_json({**written, "severity": 1.0, "severity_by": "mutants"})
    assert (by_mutants.severity, by_mutants.sensitivity) == (None, 1.0)
    by_samples = from_json({**written, "severity_by": "samples"})
    assert (by_samples.severity, by_samples.sensitivity) == (0.9, None)


@pytest.mark.parametrize("reason", ["clock", "no-deployment"])
def test_what_is_wrong_with_a_window_gives_its_own_reason_whatever_its_sentence(reason: str) -> None:
    problem = WindowProblem(reason=reason, sentence="the evidence ends nowhere")
    wrong = replace(view({}), windows=Windows(before=None, after=None, problem=problem))
    found = settle(check(Judgement(verdict=PASS, statement="good")), wrong)
    assert (found.verdict, found.reason, found.statement) == (INCONCLUSIVE, reason, problem.sentence)


def rows(ok: list[Any]) -> View:
    return view({("after", "websocket"): pd.DataFrame({"ok": pd.array(ok, dtype="boolean")})})


def test_a_check_of_ones_own_is_judged_with_its_mutants() -> None:
    recipe = pb.success_rate("websocket", lambda table: table["ok"], fails_on={"ok": False}, target=0.9)
    own = Check(id="own", kind="guard", claim="mine", group="own", recipe=recipe)
    assert settle(own, rows([True] * 60)).verdict is PASS
    assert settle(own, rows([True] * 3)).reason == "too-early"
    assert settle(own, rows([True] * 3)).needed.n == 26
    assert settle(own, rows([False] * 30 + [True] * 30)).verdict is FAIL
    assert settle(own, rows([pd.NA] * 60)).verdict is FAIL
    assert settle(own, rows([])).reason == "no-evidence"
    assert settle(own, view({})).reason == "no-evidence"


def test_a_recipe_that_cannot_fail_is_refused_before_data_arrives() -> None:
    with pytest.raises(ValueError, match="could not fail"):
        pb.success_rate("websocket", lambda table: table["ok"], fails_on={})
    with pytest.raises(ValueError, match="between 0 and 1"):
        pb.success_rate("websocket", lambda table: table["ok"], fails_on={"ok": False}, target=1.0)


def test_a_finding_survives_the_way_through_json() -> None:
    recipe = pb.success_rate("websocket", lambda table: table["ok"], fails_on={"ok": False}, target=0.9)
    found = settle(Check(id="own", kind="guard", claim="mine", group="own", recipe=recipe), rows([True] * 60))
    assert from_json(found.to_json()).to_json() == found.to_json()


@pytest.mark.parametrize(
    ("reason", "words"),
    [("too-early", "too early"), ("never-seen", "never seen before"), ("log-cut", "could not see")],
)
def test_an_inconclusive_run_says_which_kind_it_is(reason: str, words: str) -> None:
    assert overall([finding(INCONCLUSIVE, reason=reason)]).sentence == f"NOT KNOWN, {words}: seen"
