"""Proportions with exact intervals: their difference, and the test of two of them.

Distributions come from `scipy.special`. Every notebook and every command that judges loads this module, and `scipy.stats` takes
0.7 s and 45 MB to load, so the functions that need it load it when they are called.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """An estimate with one- or two-sided bounds at `confidence` each side."""

    value: float
    low: float
    high: float
    confidence: float


def proportion(successes: int, count: int, *, confidence: float = 0.95) -> Interval:
    """A success rate with one-sided bounds, each at `confidence`.

    Raises:
        ValueError: no samples (empty is not zero), or more successes than samples.
    Source: Clopper and Pearson 1934.

    >>> round(proportion(3, 3).low, 3)
    0.368
    >>> round(proportion(100, 100).low, 3)
    0.97
    """
    if count <= 0 or not 0 <= successes <= count:
        raise ValueError(f"expected 0 <= successes <= count with count > 0, got {successes} of {count}")
    tail = 1 - confidence
    low = 0.0 if successes == 0 else float(special.betaincinv(successes, count - successes + 1, tail))
    high = (
        1.0 if successes == count else float(special.betaincinv(successes + 1, count - successes, 1 - tail))
    )
    return Interval(value=successes / count, low=low, high=high, confidence=confidence)


def difference(before: Interval, after: Interval) -> Interval:
    """`after` less `before`, with bounds drawn from the bounds of both; the two must come from different samples.

    A bound that is infinite makes the bound that rests on it infinite.

    Source: Zou and Donner 2008; with Wilson's bounds it is method 10 of Newcombe 1998, whose example (a) this is:

    >>> from scipy import stats
    >>> both = [(x / n, *stats.binomtest(x, n).proportion_ci(0.95, method="wilson")) for x, n in ((48, 80), (56, 70))]
    >>> worse, better = (Interval(value=v, low=l, high=h, confidence=0.975) for v, l, h in both)
    >>> change = difference(worse, better)
    >>> round(change.value, 4), round(change.low, 4), round(change.high, 4)
    (0.2, 0.0524, 0.3339)
    """
    change = after.value - before.value
    return Interval(
        value=change,
        low=change - math.hypot(after.value - after.low, before.high - before.value),
        high=change + math.hypot(after.high - after.value, before.value - before.low),
        confidence=min(before.confidence, after.confidence),
    )


def fisher(*, before: tuple[int, int], after: tuple[int, int]) -> float:
    """One-sided p-value as that of `two_samples`, by Fisher's exact test: at least as large, and without loading `scipy.stats`.

    Source: Fisher 1935; the hypergeometric tail by logarithms of factorials.

    >>> round(fisher(before=(3, 3), after=(0, 3)), 4), round(fisher(before=(5, 8), after=(2, 60)), 6)
    (0.05, 0.000104)
    """
    seen, count, rest = before[0] + after[0], before[1] + after[1], before[1]
    hits = np.arange(before[0], min(seen, rest) + 1)
    if not hits.size:
        return 1.0

    def log_ways(n: Any, k: Any) -> Any:
        return special.gammaln(n + 1) - special.gammaln(k + 1) - special.gammaln(n - k + 1)

    possible = hits[rest - hits <= count - seen]
    logs = log_ways(seen, possible) + log_ways(count - seen, rest - possible) - log_ways(count, rest)
    return float(min(1.0, np.exp(logs).sum()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Tested:
    """A p-value, and the name and source of the test that gave it."""

    p_value: float
    name: str
    source: str


# Above so many samples Boschloo's test takes long, and Fisher's decides alike.
MOST_BY_BOSCHLOO = 400


def two_samples(*, before: tuple[int, int], after: tuple[int, int]) -> Tested:
    """A one-sided test that the fault's rate after is not lower than before, for (seen, count) pairs.

    Source: Boschloo 1970, through scipy. Fisher's exact test stands in above 400 samples, where its p-value is somewhat larger.

    >>> few = two_samples(before=(3, 3), after=(0, 3))
    >>> round(few.p_value, 4), few.name
    (0.0156, "Boschloo's exact test")
    >>> two_samples(before=(3, 300), after=(0, 300)).name
    "Fisher's exact test"
    """
    from scipy import stats

    table = [[before[0], after[0]], [before[1] - before[0], after[1] - after[0]]]
    if before[1] + after[1] > MOST_BY_BOSCHLOO:
        p = float(stats.fisher_exact(table, alternative="greater").pvalue)
        return Tested(p_value=p, name="Fisher's exact test", source="Fisher 1935")
    p = float(stats.boschloo_exact(table, alternative="greater").pvalue)
    return Tested(p_value=p, name="Boschloo's exact test", source="Boschloo 1970")
