"""Medians compared by a block bootstrap, and quantiles."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from scipy import special

from proofbook.stats.proportions import Floats, Interval

# Fewer resamples than this beyond a quantile do not tell where it is.
MIN_BEYOND = 5


def median_ratio(
    before: Floats, after: Floats, *, confidence: float = 0.95, resamples: int = 1000, seed: int = 20
) -> Interval:
    """The ratio of medians after/before, with one-sided bounds from a circular block bootstrap.

    Blocks keep neighbours together, since latencies in a series are not independent.
    Source: Politis and Romano 1992.
    """
    ratios = _ratios(np.asarray(before, "<f8").tobytes(), np.asarray(after, "<f8").tobytes(), resamples, seed)
    tail, value = 1 - confidence, float(np.median(after) / np.median(before))
    if tail * resamples >= MIN_BEYOND:
        low, high = float(np.quantile(ratios, tail)), float(np.quantile(ratios, 1 - tail))
    else:
        # So far out there are too few resamples; their spread gives the bounds.
        reach = float(special.ndtri(confidence) * np.log(ratios).std(ddof=1))
        low, high = value * math.exp(-reach), value * math.exp(reach)
    return Interval(value=value, low=low, high=high, confidence=confidence)


# Bounds of several confidences are asked of the same samples, one after the other.
@lru_cache(maxsize=4)
def _ratios(before: bytes, after: bytes, resamples: int, seed: int) -> Floats:
    rng = np.random.default_rng(seed)
    first, second = (np.frombuffer(values, "<f8") for values in (before, after))
    ratios = _block_medians(second, rng, resamples) / _block_medians(first, rng, resamples)
    ratios.flags.writeable = False
    return ratios


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
