"""A rise is found where it is, and none where there is none."""

from __future__ import annotations

import numpy as np
import pytest

from proofbook.stats import steps


def drawn(
    seed: int, *, at: int | None, ends: int = 300, rate: float = 0.01, higher: float = 0.04
) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    exposure = rng.poisson(200, 300)
    place = np.arange(300)
    rates = np.where((place >= at) & (place < ends), higher, rate) if at is not None else np.full(300, rate)
    return rng.binomial(exposure, rates), exposure.astype(float)


@pytest.mark.parametrize("at", [40, 150, 260])
def test_the_moment_of_a_step_lies_inside_its_interval(at: int) -> None:
    counts, exposure = drawn(1, at=at)
    found = steps.rise(counts, exposure, rng=np.random.default_rng(0))
    assert found is not None and found.low <= at <= found.high and found.high - found.low < 10
    assert found.before == pytest.approx(0.01, abs=0.003) and found.after == pytest.approx(0.04, abs=0.006)
    assert found.ramp is None and found.ended is None
    assert steps.chance(counts, exposure, found, block=10, rng=np.random.default_rng(0)) <= 0.01


def test_a_rate_that_falls_back_is_said_to_end() -> None:
    counts, exposure = drawn(2, at=100, ends=160)
    found = steps.rise(counts, exposure, rng=np.random.default_rng(0))
    assert found is not None and found.low <= 100 <= found.high
    assert found.ended is not None and abs(found.ended - 160) <= 2


def test_a_rate_that_grows_is_a_ramp() -> None:
    rng = np.random.default_rng(3)
    exposure = np.full(300, 400)
    counts = rng.binomial(exposure, np.interp(np.arange(300), [100, 220], [0.01, 0.1]))
    found = steps.rise(counts, exposure.astype(float), rng=rng)
    assert found is not None and found.ramp is not None
    assert found.ramp[0] == pytest.approx(100, abs=25) and found.ramp[1] == pytest.approx(220, abs=25)


@pytest.mark.slow
def test_of_rates_that_do_not_change_few_are_said_to_rise() -> None:
    claimed = 0
    for seed in range(40):
        counts, exposure = drawn(100 + seed, at=None)
        found = steps.rise(counts, exposure, rng=np.random.default_rng(0))
        claimed += found is not None and steps.chance(counts, exposure, found, block=10, rng=np.random.default_rng(0), shuffles=79) <= 0.025  # fmt: skip
    assert claimed <= 5


def test_a_series_without_events_rises_nowhere() -> None:
    assert steps.rise(np.zeros(50, dtype=int), np.full(50, 10.0), rng=np.random.default_rng(0)) is None
    assert steps.rise(np.zeros(2, dtype=int), np.full(2, 10.0), rng=np.random.default_rng(0)) is None
