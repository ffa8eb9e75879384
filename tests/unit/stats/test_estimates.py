"""Estimates agree with the published tables and with SciPy, and the decision rules keep their error rates."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from proofbook.stats import bootstrap, events, plans, proportions, trends


@pytest.mark.parametrize(("target", "n"), [(0.90, 29), (0.95, 59), (0.99, 299), (0.999, 2995)])
def test_zero_failures_show_the_target_only_from_the_known_n_on(target: float, n: int) -> None:
    assert proportions.proportion(n, n).low >= target
    assert proportions.proportion(n - 1, n - 1).low < target


@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_bounds_are_those_of_scipy(pair: tuple[int, int]) -> None:
    successes, n = pair
    ours = proportions.proportion(successes, n)
    theirs = stats.binomtest(successes, n).proportion_ci(confidence_level=0.90, method="exact")
    assert ours.low == pytest.approx(theirs.low, abs=1e-9)
    assert ours.high == pytest.approx(theirs.high, abs=1e-9)


def test_no_samples_are_not_zero() -> None:
    with pytest.raises(ValueError, match="count > 0"):
        proportions.proportion(0, 0)


def test_walking_along_the_fixed_plans_would_pass_a_bad_service_too_often() -> None:
    assert plans.false_pass(((299, 0), (473, 1), (628, 2)), rate=0.01) == pytest.approx(0.093, abs=0.001)


@pytest.mark.parametrize("target", [0.9, 0.95, 0.99, 0.995])
def test_looks_fixed_beforehand_keep_the_chance_of_a_false_pass(target: float) -> None:
    plan = plans.plan_for(target)
    assert 0.04 < plans.false_pass(plan.looks, rate=1 - target) <= 0.05


def test_the_plan_passes_good_services() -> None:
    looks = plans.plan_for(0.99).looks
    assert plans.false_pass(looks, rate=0.001) == pytest.approx(0.970, abs=0.002)
    assert plans.false_pass(looks, rate=0.0001) > 0.9999


def test_an_exact_false_pass_rate_agrees_with_simulation() -> None:
    looks = plans.plan_for(0.9).looks
    rng = np.random.default_rng(3)
    failed = rng.random((20_000, looks[-1][0])) < 0.1
    counts = failed.cumsum(axis=1)
    passed = np.zeros(len(failed), dtype=bool)
    for n, allowed in looks:
        passed |= counts[:, n - 1] <= allowed
    assert passed.mean() == pytest.approx(plans.false_pass(looks, rate=0.1), abs=0.005)


@given(st.integers(1, 800), st.integers(0, 5))
def test_one_more_failure_never_helps(count: int, failures: int) -> None:
    plan = plans.plan_for(0.99)
    failures = min(failures, count - 1)
    if plans.passes(plan, failures=failures + 1, count=count):
        assert plans.passes(plan, failures=failures, count=count)
    if plans.too_many(failures=failures, count=count, target=0.99, alpha_fail=0.01):
        assert plans.too_many(failures=failures + 1, count=count, target=0.99, alpha_fail=0.01)


def test_a_service_at_its_target_seldom_fails() -> None:
    rng = np.random.default_rng(4)
    failures = rng.binomial(365, 0.01, size=5000)
    called = [
        plans.too_many(failures=int(number), count=365, target=0.99, alpha_fail=0.05) for number in failures
    ]
    assert np.mean(called) <= 0.055


@pytest.mark.parametrize(("q", "n"), [(0.5, 5), (0.2, 14), (0.1, 29), (0.05, 59), (0.02, 149), (0.01, 299)])
def test_clean_trials_that_show_a_fault_gone(q: float, n: int) -> None:
    assert 1 - (1 - q) ** n >= 0.95 > 1 - (1 - q) ** (n - 1)


def test_two_of_ten_then_none_of_ten_proves_nothing() -> None:
    assert proportions.two_samples(before=(2, 10), after=(0, 10)).p_value == pytest.approx(0.13, abs=0.01)


def test_thirty_quiet_minutes_bound_the_rate_at_six_an_hour() -> None:
    assert events.event_rate_upper(0, exposure=0.5) == pytest.approx(6.0, abs=0.01)


def test_blocks_stay_honest_under_bursts_where_poisson_does_not() -> None:
    rng = np.random.default_rng(5)
    fooled_poisson, fooled_blocks = 0, 0
    for _ in range(400):
        # Nothing fixed: bursts of ten at one in three blocks, before and after alike.
        before, after = (10 * rng.binomial(1, 0.33, size=6) for _ in range(2))
        if after.sum() == 0 and before.sum() > 0:
            fooled_poisson += (
                events.silence_by_luck(before_events=int(before.sum()), before_exposure=1, after_exposure=1)
                < 0.05
            )
            fooled_blocks += events.silent_blocks(before=list(before), after=list(after)) < 0.05
    assert fooled_poisson > 20
    assert fooled_blocks / 400 <= 0.02


@pytest.mark.slow
def test_latency_of_a_slower_service_is_not_called_as_good() -> None:
    rng = np.random.default_rng(6)
    before = 0.04 * rng.lognormal(0, 0.1, 600)
    assert bootstrap.median_ratio(before, 0.04 * rng.lognormal(0, 0.1, 600)).high < 1.2
    assert bootstrap.median_ratio(before, 0.056 * rng.lognormal(0, 0.1, 600)).low > 1.2
    passed = [
        bootstrap.median_ratio(
            rng.lognormal(0, 0.5, 150), 1.2 * rng.lognormal(0, 0.5, 150), resamples=300
        ).high
        < 1.2
        for _ in range(200)
    ]
    assert np.mean(passed) <= 0.09


def test_a_trendless_series_with_memory_is_seldom_called_a_leak() -> None:
    rng = np.random.default_rng(7)
    seconds = np.arange(240) / 4
    called = 0
    for _ in range(300):
        values = np.zeros(240)
        for index in range(1, 240):
            values[index] = 0.8 * values[index - 1] + rng.normal()
        slope = trends.batch_slope([(seconds, values)])
        assert slope is not None
        called += slope.low > 0
    assert called / 300 <= 0.08


def test_identical_and_broken_readings_give_no_false_certainty() -> None:
    flat = trends.batch_slope([(np.arange(48.0), np.full(48, 71.7))], resolution=0.004)
    assert flat is not None and flat.per_s == 0 and flat.low < 0 < flat.high
    holed = np.full(48, 71.7)
    holed[::7] = np.nan
    again = trends.batch_slope([(np.arange(48.0), holed)], resolution=0.004)
    assert again is not None and np.isfinite([again.low, again.high]).all()
    assert trends.batch_slope([(np.arange(48.0), np.full(48, np.nan))]) is None


def test_the_trend_is_that_of_scipy() -> None:
    rng = np.random.default_rng(8)
    seconds = np.arange(120.0)
    values = 3 * seconds + rng.normal(size=120)
    ours = trends.batch_slope([(seconds, values)])
    x, y = (part.reshape(12, 10).mean(axis=1) for part in (seconds, values))
    theirs = stats.linregress(x, y)
    assert ours is not None and ours.per_s == pytest.approx(theirs.slope)
    least = stats.t.ppf(0.95, 10) * theirs.stderr
    assert ours.high - ours.per_s >= least * 0.999999


def test_too_few_points_give_no_trend() -> None:
    assert trends.batch_slope([(np.arange(20.0), np.arange(20.0))]) is None
    assert trends.batch_slope([(np.zeros(100), np.arange(100.0))]) is None
