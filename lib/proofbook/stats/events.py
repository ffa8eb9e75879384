"""Rates of events: bounds, and tests of a rate that dropped."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import special

from proofbook.stats.proportions import Floats, proportion


def gone_severity(
    *, seen_before: int, count_before: int, count_after: int, confidence: float = 0.95
) -> float:
    """The chance to see the fault again in `count_after` trials, had it stayed: 1 − (1 − q)ⁿ, q the lower bound before.

    >>> round(gone_severity(seen_before=20, count_before=20, count_after=5), 3)
    1.0
    """
    rate = proportion(seen_before, count_before, confidence=confidence).low
    return float(1 - (1 - rate) ** count_after)


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


def fewer_by_luck(
    *, before_events: int, before_exposure: float, after_events: int, after_exposure: float
) -> float:
    """The chance of so few events after, had the rate stayed (exact conditional Poisson); of none it is `silence_by_luck`.

    Source: Przyborowski and Wilenski 1940.

    >>> round(fewer_by_luck(before_events=20, before_exposure=60, after_events=0, after_exposure=60), 7)
    1e-06
    >>> round(fewer_by_luck(before_events=20, before_exposure=60, after_events=9, after_exposure=60), 3)
    0.031
    """
    share = after_exposure / (before_exposure + after_exposure) if before_exposure > 0 else 1.0
    return float(special.bdtr(after_events, before_events + after_events, share))


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


def downtime_share_upper(*, failures: int, count: int, confidence: float = 0.95) -> float:
    """Upper bound of the share of a window in which the service was down, from jittered probes.

    >>> round(300 * downtime_share_upper(failures=0, count=3000), 2)
    0.3
    """
    return 1 - proportion(count - failures, count, confidence=confidence).low
