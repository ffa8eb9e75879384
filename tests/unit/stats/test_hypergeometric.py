"""Over-representation against SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from proofbook.stats.hypergeometric import stratified, tails


def test_tails_are_those_of_scipy() -> None:
    rng = np.random.default_rng(1)
    of = rng.integers(20, 4000, 200)
    having, size = rng.integers(1, of), rng.integers(1, of)
    k = np.minimum(
        rng.hypergeometric(having, of - having, size) + rng.integers(0, 5, 200), np.minimum(having, size)
    )
    found = tails(k, of=of, having=having, size=size)
    more = k * of > having * size
    wanted = -np.log10(stats.hypergeom.sf(k - 1, of, having, size))
    assert more.sum() > 50
    assert found[more] == pytest.approx(wanted[more], rel=1e-6)
    assert not found[~more].any()


def test_a_chance_too_small_for_a_float_is_still_told_from_another() -> None:
    one, other = tails([900, 950], of=100_000, having=[1000, 1000], size=1000)
    assert 300 < one < other


def test_strata_are_judged_each_by_itself() -> None:
    # Half of each stratum is selected, and half has the value: nothing, though together it looks otherwise.
    assert stratified([(100, 90, 90, 81), (100, 10, 10, 1)]) == 0
    assert stratified([(200, 100, 100, 82)]) > 10
