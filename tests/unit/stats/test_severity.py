"""Severity is the chance not to pass where the defect is there: as often as simulations say."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofbook.judge.checks import access, success_rate
from proofbook.judge.findings import Verdict
from proofbook.judge.view import View
from proofbook.judge.window import Windows
from proofbook.stats import plans, proportions, severity

RUNS = 20_000


def view(*, looks: int = 1) -> View:
    return View(tables=lambda name, phase: None, windows=Windows(before=None, after=None), looks=looks)


def noise(share: float, runs: int = RUNS) -> float:
    """How far a simulated share may lie off: once in some ten thousand times it lies further."""
    return 4 * float(np.sqrt(share * (1 - share) / runs)) + 1 / runs


@pytest.mark.parametrize(
    ("count", "target"), [(60, 0.95), (100, 0.95), (300, 0.99), (573, 0.99), (3000, 0.999)]
)
def test_the_severity_of_a_rate_is_how_often_it_does_not_pass_exactly_at_its_target(
    count: int, target: float
) -> None:
    failures = np.random.default_rng(1).binomial(count, 1 - target, RUNS)

    def judged(failed: int) -> tuple[Verdict, float | None]:
        found = success_rate.judge_rate(count=count, failures=failed, target=target, planned=False, view=view(), unit="tries", what="went well")  # fmt: skip
        return found.verdict, found.severity

    answers = {int(number): judged(int(number)) for number in np.unique(failures)}
    passed = np.array([answers[int(number)][0] is Verdict.PASS for number in failures])
    stated = {power for verdict, power in answers.values() if verdict is Verdict.PASS}
    [power] = stated
    assert power is not None and power >= 0.95
    assert 1 - passed.mean() == pytest.approx(power, abs=noise(power))


@pytest.mark.parametrize("target", [0.9, 0.95, 0.99])
def test_so_is_that_of_looks_fixed_beforehand(target: float) -> None:
    plan = plans.plan_for(target)
    rule = success_rate.rule_of(view(), target=target, planned=True)
    steps = np.diff([0, *(n for n, _ in plan.looks)])
    failures = np.cumsum(
        np.random.default_rng(2).binomial(steps, 1 - target, size=(RUNS, len(steps))), axis=1
    )
    passed = np.zeros(RUNS, dtype=bool)
    for place, (count, _) in enumerate(plan.looks):
        passed |= np.array([rule.passed(int(failed), count) for failed in failures[:, place]])
    power = rule.severity(plan.most)
    assert 1 - passed.mean() == pytest.approx(power, abs=noise(power))


@pytest.mark.slow
def test_so_is_that_of_a_watch_that_may_look_as_often_as_it_likes() -> None:
    test = success_rate.sequential_test(view(looks=10), 0.95)
    rule = success_rate.rule_of(view(looks=10), target=0.95, planned=True)
    runs, most = 4_000, 3_000
    failed = np.cumsum(np.random.default_rng(3).random((runs, most)) < test.bad, axis=1)
    counts = np.arange(1, most + 1)
    evidence = failed * np.log(test.good / test.bad) + (counts - failed) * np.log(
        (1 - test.good) / (1 - test.bad)
    )
    never = 1 - (evidence >= test.pass_above).any(axis=1).mean()
    power = rule.severity(0)
    assert never == pytest.approx(power, abs=noise(power, runs))
    # That of Wald's own approximation is not exact.
    assert power == severity.of_watch(test) >= 1 - test.alpha / (1 - test.beta)


@given(count=st.integers(1, 2_000), most=st.floats(0.001, 0.5))
def test_so_many_failures_are_allowed_as_the_bound_allows(count: int, most: float) -> None:
    allowed = severity.allowed_failures(count, most=most, confidence=0.95)

    def passes(failures: int) -> bool:
        return proportions.proportion(count - failures, count).low >= 1 - most

    if allowed is None:
        assert not passes(0)
    else:
        assert passes(allowed) and (allowed == count or not passes(allowed + 1))


@given(tries=st.integers(0, 500), rate=st.floats(0, 1), other=st.floats(0, 1))
def test_more_tries_and_larger_defects_show_more(tries: int, rate: float, other: float) -> None:
    low, high = sorted((rate, other))
    assert severity.of_tries(tries, rate=low) <= severity.of_tries(tries, rate=high) + 1e-12
    assert severity.of_tries(tries, rate=rate) <= severity.of_tries(tries + 1, rate=rate) + 1e-12


def test_five_tries_of_a_door_that_is_open_one_time_in_ten_miss_it_more_often_than_not() -> None:
    assert 1 - severity.of_tries(5, rate=0.1) == pytest.approx(0.59, abs=0.001)


@pytest.mark.parametrize("ratio", [0.1, 0.5, 1.0])
def test_the_severity_of_silence_is_the_chance_that_the_symptom_had_shown_at_the_lower_bound_of_its_rate(
    ratio: float,
) -> None:
    rng = np.random.default_rng(4)
    bound = severity.of_silence(20, ratio=ratio)
    # Where the true rate is that of the bound, 20 or more are seen in one window of 20.
    least = -np.log(1 - bound) / ratio
    assert (rng.poisson(least, RUNS) >= 20).mean() == pytest.approx(0.05, abs=noise(0.05))
    assert (rng.poisson(least * ratio, RUNS) > 0).mean() == pytest.approx(bound, abs=noise(bound))


def test_the_severity_of_silent_blocks_is_not_one_less_a_p_value() -> None:
    # Five loud blocks of five and three silent ones: p = 1/56, and a fault as often as the lower bound shows in nine of ten.
    assert severity.of_windows(5, 5, windows=3) == pytest.approx(1 - 0.45072**3, abs=1e-3)
    assert severity.of_windows(24, 24) == pytest.approx(0.05 ** (1 / 24))


@pytest.mark.parametrize("count", [200, 201])
def test_the_test_of_two_samples_bears_the_name_of_the_one_that_was_used(count: int) -> None:
    from scipy import stats

    before, after = (12, count), (3, 200)
    found = proportions.two_samples(before=before, after=after)
    table = [[before[0], after[0]], [before[1] - before[0], after[1] - after[0]]]
    used = {"Boschloo's exact test": stats.boschloo_exact, "Fisher's exact test": stats.fisher_exact}[
        found.name
    ]
    assert found.p_value == pytest.approx(float(used(table, alternative="greater").pvalue))
    assert found.name == ("Boschloo's exact test" if count == 200 else "Fisher's exact test")


def test_the_kind_of_token_with_the_fewest_tries_gives_the_severity() -> None:
    rows = pd.DataFrame({"token_kind": ["missing"] * 40 + ["tampered"] * 5})
    assert access._fewest(rows, "token_kind") == 5
