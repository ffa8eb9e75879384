"""Sampling plans for a success rate: how many samples, with looks fixed beforehand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import special


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How many samples to take: looks fixed beforehand, (n, failures allowed) each, in order."""

    target: float
    looks: tuple[tuple[int, int], ...]

    @property
    def most(self) -> int:
        return self.looks[-1][0]

    def describe(self) -> str:
        """The plan in words, printed before it starts."""
        steps = ", else ".join(f"{n} with at most {allowed} failed" for n, allowed in self.looks)
        return f"to show {self.target:.3%} success: {steps}".replace(".000%", " %").replace("00%", " %")


@lru_cache(maxsize=64)
def plan_for(target: float, *, confidence: float = 0.95, looks: int = 3) -> Plan:
    """Looks whose joint chance to pass a service exactly at the target stays at or under 1 − confidence.

    Each look spends the same part of it; the part is lowered until the exact joint chance fits.

    >>> plan_for(0.99).looks
    ((365, 0), (553, 1), (717, 2))
    >>> false_pass(plan_for(0.99).looks, rate=0.01) <= 0.05
    True
    """
    rate = 1 - target
    share = (1 - confidence) * 0.5113
    while True:
        chosen = tuple((_smallest_n(rate, allowed, share), allowed) for allowed in range(looks))
        if false_pass(chosen, rate=rate) <= 1 - confidence:
            return Plan(target=target, looks=chosen)
        share *= 0.98


def false_pass(looks: Sequence[tuple[int, int]], *, rate: float) -> float:
    """The exact chance that a service failing at `rate` passes at one of the looks."""
    alive = np.array([1.0])
    passed, before = 0.0, 0
    for n, allowed in looks:
        step = np.diff(special.bdtr(np.arange(n - before + 1), n - before, rate), prepend=0.0)
        alive = np.convolve(alive, step)
        passed += float(alive[: allowed + 1].sum())
        alive[: allowed + 1] = 0.0
        before = n
    return passed


def _smallest_n(rate: float, allowed: int, share: float) -> int:
    low = high = allowed + 1
    while special.bdtr(allowed, high, rate) > share:
        high *= 2
    while low < high:
        middle = (low + high) // 2
        if special.bdtr(allowed, middle, rate) > share:
            low = middle + 1
        else:
            high = middle
    return low


def fixed_n(target: float, *, failures: int, confidence: float = 0.95) -> int:
    """The smallest number of samples, fixed beforehand, that shows the target with at most this many failures.

    >>> [fixed_n(0.99, failures=failures) for failures in range(4)]
    [299, 473, 628, 773]
    """
    return _smallest_n(1 - target, failures, 1 - confidence)


def passes(plan: Plan, *, failures: int, count: int) -> bool:
    """Whether the largest look that `count` reaches allows this many failures.

    >>> passes(plan_for(0.99), failures=0, count=364), passes(plan_for(0.99), failures=0, count=365)
    (False, True)
    """
    reached = [allowed for n, allowed in plan.looks if n <= count]
    return bool(reached) and failures <= reached[-1]


def too_many(*, failures: int, count: int, target: float, alpha_fail: float) -> bool:
    """Whether the failures reject "the service keeps its target" at `alpha_fail` (exact binomial tail)."""
    return failures > 0 and float(special.bdtrc(failures - 1, count, 1 - target)) < alpha_fail


def decided(plan: Plan, *, failures: int, count: int, alpha_fail: float) -> bool:
    """Whether more samples cannot change the answer of this plan. Asked at n = 60 and at the plan's looks only."""
    if count >= plan.most or passes(plan, failures=failures, count=count):
        return True
    return too_many(
        failures=failures, count=count, target=plan.target, alpha_fail=alpha_fail / (len(plan.looks) + 1)
    )


def more_clean_needed(plan: Plan, *, failures: int, count: int) -> int | None:
    """How many further samples, all clean, reach a look that passes; None when no look can."""
    reachable = [n for n, allowed in plan.looks if failures <= allowed and n > count]
    return reachable[0] - count if reachable else None
