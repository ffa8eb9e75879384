"""Over-representation: how likely so many of some have a value, had they been drawn from all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import special

from proofbook.stats.proportions import Floats


def tails(k: Any, *, of: Any, having: Any, size: Any) -> Floats:
    """−log10 of the chance that of `size` units drawn from `of`, of which some have a value, at least k have it; 0 where k is no more than expected.

    By logarithms, so that no chance is too small to be told from another.

    Source: the hypergeometric tail, summed from its first term.

    >>> float(np.round(tails(np.array([3]), of=6, having=np.array([3]), size=3), 4)[0])
    1.301
    """
    some, have, all_of, drawn = np.broadcast_arrays(
        *(np.asarray(item, dtype=np.float64) for item in (k, having, of, size))
    )
    found = np.zeros(some.shape)
    more = (some > 0) & (some * all_of > have * drawn)
    some, have, all_of, drawn = some[more], have[more], all_of[more], drawn[more]
    first = _ways(have, some) + _ways(all_of - have, drawn - some) - _ways(all_of, drawn)
    whole, term, step = np.ones(some.shape), np.ones(some.shape), 0.0
    while term.size and bool((term > 1e-12 * whole).any()):
        up = np.maximum(have - some - step, 0) * np.maximum(drawn - some - step, 0)
        term = term * up / ((some + 1 + step) * np.maximum(all_of - have - drawn + some + 1 + step, 1))
        whole = whole + term
        step += 1
    found[more] = np.maximum(0.0, -(first + np.log(whole)) / np.log(10))
    return found


def _ways(total: Floats, some: Floats) -> Floats:
    ways: Floats = special.gammaln(total + 1) - special.gammaln(some + 1) - special.gammaln(total - some + 1)
    return ways


def stratified(tables: Sequence[tuple[int, int, int, int]]) -> float:
    """−log10 of the one-sided chance that selected units have a value no more often than others, in each of several strata.

    tables: of each stratum its units, those selected, those that have the value, and those selected that have it.

    Source: Mantel and Haenszel 1959.

    >>> stratified([(100, 50, 50, 25)]), round(stratified([(100, 50, 50, 40)]), 1)
    (0.0, 8.9)
    """
    more, variance = 0.0, 0.0
    for size, chosen, having, both in tables:
        if size < 2:
            continue
        more += both - chosen * having / size
        variance += chosen * (size - chosen) * having * (size - having) / (size * size * (size - 1))
    if variance <= 0 or more <= 0:
        return 0.0
    return float(-special.log_ndtr(-more / np.sqrt(variance)) / np.log(10))
