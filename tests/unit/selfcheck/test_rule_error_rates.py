"""The decision rules are wrong as seldom as they promise, and still decide: simulated, with a seed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from proofbook.selfcheck import rule_error_rates
from proofbook.selfcheck.rule_error_rates import Rate
from proofbook.stats import plans, sequential


@pytest.mark.usual_cases(4)
@pytest.mark.parametrize("rule", rule_error_rates.RULES, ids=lambda rule: rule.__name__)
@pytest.mark.slow
def test_a_rule_passes_at_its_boundary_in_at_most_one_of_twenty(
    rule: Callable[[np.random.Generator, float], Rate],
) -> None:
    found = rule(np.random.default_rng(rule_error_rates.SEED), 0.5)
    # What so many simulations could show by luck, were the true share 5 %.
    allowed = 0.05 + 2 * np.sqrt(0.05 * 0.95 / found.simulations)
    assert found.false_pass <= allowed, found
    assert found.power >= 0.9, found


def test_looking_hourly_with_a_test_for_one_look_would_pass_a_bad_service_far_too_often() -> None:
    """What watching must not do: 15 to 19 % pass by the 24th look."""
    rng = np.random.default_rng(1)
    failures = np.cumsum(rng.binomial(300, 0.01, size=(2000, 24)), axis=1)
    counts = 300 * np.arange(1, 25)
    passed = np.zeros(len(failures), dtype=bool)
    for look in range(24):
        most = plans.fixed_n(0.99, failures=0) and max(
            (k for k in range(60) if plans.fixed_n(0.99, failures=k) <= counts[look]), default=-1
        )
        passed |= failures[:, look] <= most
    assert passed.mean() > 0.10


@pytest.mark.slow
def test_the_watch_fails_a_good_service_as_seldom_as_many_checks_allow() -> None:
    rng = np.random.default_rng(2)
    test = sequential.Wald(good=0.001, bad=0.01, alpha=0.05, beta=0.05 / 30)
    failures = np.cumsum(rng.binomial(20, 0.001, size=(20_000, 288)), axis=1)
    counts = 20 * np.arange(1, 289)
    evidence = failures * np.log(test.good / test.bad) + (counts - failures) * np.log(
        (1 - test.good) / (1 - test.bad)
    )
    up, down = evidence >= test.pass_above, evidence <= test.fail_below
    first_up = np.where(up.any(axis=1), up.argmax(axis=1), 288)
    first_down = np.where(down.any(axis=1), down.argmax(axis=1), 288)
    assert (first_down < first_up).mean() <= 0.003
    # Between good and bad nothing is promised, but a service that is bad without doubt is called so, and soon.
    broken = np.cumsum(rng.binomial(20, 0.05, size=(2_000, 288)), axis=1)
    evidence = broken * np.log(test.good / test.bad) + (counts - broken) * np.log(
        (1 - test.good) / (1 - test.bad)
    )
    assert ((evidence <= test.fail_below).argmax(axis=1) <= 20).mean() > 0.99
