"""Trends of a series that is not independent: slopes with intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from proofbook.stats.proportions import Floats


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
    degrees of freedom by Bayley and Hammersley 1946. Simulated in `selfcheck/rule_error_rates.py`.

    >>> flat = batch_slope([(np.arange(60.0), np.full(60, 5.0))], resolution=0.1)
    >>> flat.per_s, flat.low < 0 < flat.high
    (0.0, True)
    >>> halves = [(np.arange(30.0), np.arange(30.0)), (np.arange(30.0), 500 + np.arange(30.0))]
    >>> round(batch_slope(halves).per_s, 6)
    1.0
    """
    clean = [_finite(seconds, values) for seconds, values in series]
    x, y = _batch_means(clean, batches=batches)
    number = sum(len(part) for part in x)
    spread_x = sum(float(part @ part) for part in x)
    if number < MIN_BATCHES or spread_x <= 0:
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


def _batch_means(
    series: Sequence[tuple[Floats, Floats]], *, batches: int
) -> tuple[list[Floats], list[Floats]]:
    """Seconds and values of the batches of each series, about the mean of that series."""
    total = sum(len(seconds) for seconds, _ in series)
    x, y = [], []
    for seconds, values in series:
        count = max(1, round(batches * len(seconds) / total)) if total else 1
        parts = [part for part in np.array_split(np.argsort(seconds, kind="stable"), count) if len(part) >= 3]
        if len(parts) < 2:
            continue
        means = np.array([(seconds[part].mean(), values[part].mean()) for part in parts])
        centred = means - means.mean(axis=0)
        x.append(centred[:, 0])
        y.append(centred[:, 1])
    return x, y


MIN_BATCHES = 10
MIN_INSTANCES = 4


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
    if len(slopes) < MIN_INSTANCES:
        return None
    reach = float(special.stdtrit(len(slopes) - 1, confidence) * slopes.std(ddof=1) / math.sqrt(len(slopes)))
    mean = float(slopes.mean())
    return Slope(per_s=mean, low=mean - reach, high=mean + reach, values=len(slopes))


def _finite(seconds: Floats, values: Floats) -> tuple[Floats, Floats]:
    kept = np.isfinite(seconds) & np.isfinite(values)
    return seconds[kept], values[kept]
