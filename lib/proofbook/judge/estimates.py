"""Estimates with their intervals: pure functions over numbers, each with its source.

Distributions come from `scipy.special`. Every notebook and every command that judges loads this module, and `scipy.stats` takes
0.7 s and 45 MB to load; the three functions that need it load it when they are asked.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

Floats = NDArray[np.float64]
# Fewer resamples than this beyond a quantile do not tell where it is.
LEAST_BEYOND = 5


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


def fixed_n(target: float, *, failures: int, confidence: float = 0.95) -> int:
    """The smallest number of samples, fixed beforehand, that shows the target with at most this many failures.

    >>> [fixed_n(0.99, failures=failures) for failures in range(4)]
    [299, 473, 628, 773]
    """
    return _smallest_n(1 - target, failures, 1 - confidence)


def gone_severity(
    *, seen_before: int, count_before: int, count_after: int, confidence: float = 0.95
) -> float:
    """The chance to see the fault again in `count_after` trials, had it stayed: 1 − (1 − q)ⁿ, q the lower bound before.

    >>> round(gone_severity(seen_before=20, count_before=20, count_after=5), 3)
    1.0
    """
    rate = proportion(seen_before, count_before, confidence=confidence).low
    return float(1 - (1 - rate) ** count_after)


def two_samples(*, before: tuple[int, int], after: tuple[int, int]) -> float:
    """One-sided p-value that the fault's rate after is not lower than before, for (seen, count) pairs.

    Source: Boschloo 1970, through scipy. Fisher's exact test stands in above 400 samples, where both agree.

    >>> round(two_samples(before=(3, 3), after=(0, 3)), 4)
    0.0156
    """
    from scipy import stats

    table = [[before[0], after[0]], [before[1] - before[0], after[1] - after[0]]]
    if before[1] + after[1] > 400:
        return float(stats.fisher_exact(table, alternative="greater").pvalue)
    return float(stats.boschloo_exact(table, alternative="greater").pvalue)


def event_rate_upper(events: int, *, exposure: float, confidence: float = 0.95) -> float:
    """Upper bound of a Poisson rate. Zero events in T: 3.00/T.

    >>> round(event_rate_upper(0, exposure=1.0), 2)
    3.0
    """
    return float(special.gammaincinv(events + 1, confidence) / exposure)


def silence_by_luck(*, before_events: int, before_exposure: float, after_exposure: float) -> float:
    """The chance of no event after, had the rate stayed (exact conditional Poisson): (T0/(T0+T1))^k0.

    Source: Przyborowski and Wilenski 1940.

    >>> round(silence_by_luck(before_events=100, before_exposure=24 * 60, after_exposure=30), 3)
    0.127
    """
    return float((before_exposure / (before_exposure + after_exposure)) ** before_events)


def rates_differ(before: Any, after: Any, *, share_after: float) -> Floats:
    """Two-sided p-values, one per pair of counts, that events fall after with another chance than `share_after`.

    Source: Przyborowski and Wilenski 1940; twice the smaller tail.

    >>> [round(float(p), 4) for p in rates_differ([0, 10], [5, 10], share_after=0.5)]
    [0.0625, 1.0]
    """
    first, second = np.asarray(before), np.asarray(after)
    both = first + second
    at_most, at_least = special.bdtr(second, both, share_after), special.bdtrc(second - 1, both, share_after)
    return np.asarray(np.minimum(1.0, 2 * np.minimum(at_most, at_least)), dtype=np.float64)


def holm(p_values: Floats) -> Floats:
    """p-values adjusted for their number, step down.

    Source: Holm 1979.

    >>> [round(float(p), 3) for p in holm(np.array([0.01, 0.04, 0.03]))]
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p_values, kind="stable")
    scaled = p_values[order] * (len(p_values) - np.arange(len(p_values)))
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(scaled))
    return adjusted


def silent_blocks(*, before: Sequence[int], after: Sequence[int]) -> float:
    """One-sided Fisher p-value for silent against non-silent blocks: safe under bursts shorter than a block.

    >>> round(silent_blocks(before=[3, 1, 4, 1], after=[0, 0, 0, 0]), 3)
    0.014
    """
    from scipy import stats

    loud_before, loud_after = sum(n > 0 for n in before), sum(n > 0 for n in after)
    table = [[loud_before, loud_after], [len(before) - loud_before, len(after) - loud_after]]
    return float(stats.fisher_exact(table, alternative="greater").pvalue)


def median_ratio(
    before: Floats, after: Floats, *, confidence: float = 0.95, resamples: int = 1000, seed: int = 20
) -> Interval:
    """The ratio of medians after/before, with one-sided bounds from a circular block bootstrap.

    Blocks keep neighbours together, since latencies in a series are not independent.
    Source: Politis and Romano 1992.
    """
    rng = np.random.default_rng(seed)
    ratios = _block_medians(after, rng, resamples) / _block_medians(before, rng, resamples)
    tail, value = 1 - confidence, float(np.median(after) / np.median(before))
    if tail * resamples >= LEAST_BEYOND:
        low, high = float(np.quantile(ratios, tail)), float(np.quantile(ratios, 1 - tail))
    else:
        # So far out there are too few resamples; their spread gives the bounds.
        reach = float(special.ndtri(confidence) * np.log(ratios).std(ddof=1))
        low, high = value * math.exp(-reach), value * math.exp(reach)
    return Interval(value=value, low=low, high=high, confidence=confidence)


def _block_medians(values: Floats, rng: np.random.Generator, resamples: int) -> Floats:
    n = len(values)
    length = max(1, round(2 * n ** (1 / 3)))
    starts = rng.integers(0, n, size=(resamples, math.ceil(n / length)))
    index = (starts[:, :, None] + np.arange(length)).reshape(resamples, -1)[:, :n] % n
    return np.asarray(np.median(values[index], axis=1), dtype=np.float64)


def quantile(values: Floats, q: float) -> float | None:
    """A quantile, or None when there are too few samples for it to mean anything (59 for p95, 299 for p99).

    >>> quantile(np.arange(20.0), 0.95) is None
    True
    """
    least = math.ceil(math.log(0.05) / math.log(max(q, 1 - q)))
    return float(np.quantile(values, q)) if len(values) >= least else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Slope:
    """Growth per second with one-sided bounds, and how many independent values carry it."""

    per_s: float
    low: float
    high: float
    values: int


def batch_slope(
    series: Sequence[tuple[Floats, Floats]],
    *,
    resolution: float = 0.0,
    confidence: float = 0.95,
    batches: int = 12,
) -> Slope | None:
    """The common trend of one or several series by batch means, each with a level of its own, with a t-interval widened
    for what correlation is left between batches.

    Args:
        series: (seconds, values) each; readings that are not finite are left out.
        resolution: the smallest step that the measurement can show; identical readings are known no better than that.
    Returns:
        None with fewer than 10 batches of at least 3 points, or when time does not move.
    Source: batch means, Conway 1963; for the lag-1 correlation r of what is left, its bias by Kendall 1954, widening and
    degrees of freedom by Bayley and Hammersley 1946. Simulated in `error_rates`.

    >>> flat = batch_slope([(np.arange(60.0), np.full(60, 5.0))], resolution=0.1)
    >>> flat.per_s, flat.low < 0 < flat.high
    (0.0, True)
    >>> halves = [(np.arange(30.0), np.arange(30.0)), (np.arange(30.0), 500 + np.arange(30.0))]
    >>> round(batch_slope(halves).per_s, 6)
    1.0
    """
    clean = [_finite(seconds, values) for seconds, values in series]
    total = sum(len(seconds) for seconds, _ in clean)
    x, y = [], []
    for seconds, values in clean:
        count = max(1, round(batches * len(seconds) / total)) if total else 1
        parts = [part for part in np.array_split(np.argsort(seconds, kind="stable"), count) if len(part) >= 3]
        if len(parts) < 2:
            continue
        means = np.array([(seconds[part].mean(), values[part].mean()) for part in parts])
        centred = means - means.mean(axis=0)
        x.append(centred[:, 0])
        y.append(centred[:, 1])
    number = sum(len(part) for part in x)
    spread_x = sum(float(part @ part) for part in x)
    if number < LEAST_BATCHES or spread_x <= 0:
        return None
    slope = sum(float(one @ other) for one, other in zip(x, y, strict=True)) / spread_x
    residuals = [other - slope * one for one, other in zip(x, y, strict=True)]
    spread = sum(float(part @ part) for part in residuals)
    raw = sum(float(part[1:] @ part[:-1]) for part in residuals) / spread if spread > 0 else 0.0
    # Residuals of so few batches look less correlated than they are, by about (2 + 4r)/n.
    r = min(0.9, max(0.0, (number * raw + 2) / (number - 4)))
    freedom = number - len(x) - 1
    # A step of `resolution` is spread evenly over its width: variance resolution²/12.
    variance = max(spread / freedom, resolution**2 / 12)
    error = math.sqrt(variance / spread_x * (1 + r) / (1 - r))
    # Batches that hang together carry less, so that many fewer count.
    reach = float(special.stdtrit(max(2.0, freedom * (1 - r) / (1 + r)), confidence)) * error
    return Slope(per_s=slope, low=slope - reach, high=slope + reach, values=number)


LEAST_BATCHES = 10
LEAST_INSTANCES = 4


def instance_slope(series: Sequence[tuple[Floats, Floats]], *, confidence: float = 0.95) -> Slope | None:
    """The mean trend of several instances: a Theil-Sen slope each, and a t-interval over them.

    Returns:
        None with fewer than four instances of at least 10 readings.
    Source: Theil 1950, Sen 1968, through scipy.

    >>> rng = np.random.default_rng(1)
    >>> four = [(np.arange(20.0), 2 * np.arange(20.0) + rng.normal(size=20)) for _ in range(4)]
    >>> found = instance_slope(four)
    >>> round(found.per_s, 1), found.low < 2 < found.high
    (2.0, True)
    """
    from scipy import stats

    clean = [_finite(seconds, values) for seconds, values in series]
    slopes = np.array(
        [
            float(stats.theilslopes(values, seconds).slope)
            for seconds, values in clean
            if len(seconds) >= 10 and np.ptp(seconds) > 0
        ]
    )
    if len(slopes) < LEAST_INSTANCES:
        return None
    reach = float(special.stdtrit(len(slopes) - 1, confidence) * slopes.std(ddof=1) / math.sqrt(len(slopes)))
    mean = float(slopes.mean())
    return Slope(per_s=mean, low=mean - reach, high=mean + reach, values=len(slopes))


def _finite(seconds: Floats, values: Floats) -> tuple[Floats, Floats]:
    kept = np.isfinite(seconds) & np.isfinite(values)
    return seconds[kept], values[kept]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wald:
    """A sequential test of a failure rate: may be asked after every sample. Between `good` and `bad` lies the zone of indifference.

    alpha: the chance to pass a service that fails at `bad`. beta: the chance to fail one that fails at `good`.
    Source: Wald 1945.
    """

    good: float
    bad: float
    alpha: float = 0.05
    beta: float = 0.05

    @property
    def pass_above(self) -> float:
        return math.log((1 - self.beta) / self.alpha)

    @property
    def fail_below(self) -> float:
        return math.log(self.beta / (1 - self.alpha))

    def evidence(self, *, failures: int, count: int) -> float:
        """The log-likelihood ratio of `good` against `bad`."""
        return failures * math.log(self.good / self.bad) + (count - failures) * math.log(
            (1 - self.good) / (1 - self.bad)
        )

    def more_clean_needed(self, *, failures: int, count: int) -> int:
        """How many further samples without a failure reach the boundary of a pass.

        >>> Wald(good=0.001, bad=0.01).more_clean_needed(failures=0, count=0)
        326
        """
        missing = self.pass_above - self.evidence(failures=failures, count=count)
        return max(0, math.ceil(missing / math.log((1 - self.good) / (1 - self.bad))))


def downtime_share_upper(*, failures: int, count: int, confidence: float = 0.95) -> float:
    """Upper bound of the share of a window in which the service was down, from jittered probes.

    >>> round(300 * downtime_share_upper(failures=0, count=3000), 2)
    0.3
    """
    return 1 - proportion(count - failures, count, confidence=confidence).low
