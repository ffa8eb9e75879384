"""Since when: a rate that became another, by the likelihood of two segments with overdispersion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from proofbook.stats.proportions import Floats

Places = NDArray[np.int64]
# At least so many buckets lie on either side of a step.
LEAST_SIDE = 2
DRAWS, SHUFFLES = 300, 199
# A segment in between is a ramp if it makes the counts so much more likely, in units of the overdispersion.
RAMP_GAIN, RAMP_GRID, LEAST_RAMP = 9.0, 30, 4
# Buckets of the shortest block, which must hold a storm whole.
LEAST_BLOCK = 3
# The interval holds the step in so many of the drawn series, and what is as likely as the chi-squared law says in any case.
INSIDE, LEAST_CUT = 0.97, 3.84


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A rate that rose. at: the first bucket of the higher one; low, high: the first and last bucket at which it may have risen.

    before, after: events per unit of exposure. strength: twice the gain in log-likelihood over the overdispersion. ramp: the
    buckets between which it grew, where that fits better than a step. ended: the bucket in which it fell back, if it did.
    """

    at: int
    low: int
    high: int
    before: float
    after: float
    strength: float
    overdispersion: float
    ramp: tuple[int, int] | None = None
    ended: int | None = None


def rise(counts: Places, exposure: Floats, *, rng: np.random.Generator) -> Step | None:
    """The strongest rise of a rate; None where it never rises.

    counts, exposure: by bucket, in the order of time.
    """
    k, n = counts.astype(np.float64), exposure.astype(np.float64)
    located = _locate(k, n)
    if located is None:
        return None
    at, ended = located
    stop = ended if ended is not None else len(k)
    k, n = k[:stop], n[:stop]
    phi = _overdispersion(k, n, at)
    low, high = _interval(k, n, at, phi=phi, rng=rng)
    return Step(
        at=at, low=low, high=high, before=_rate(k[:at], n[:at]), after=_rate(k[at:], n[at:]),
        strength=_strength(k, n, at), overdispersion=phi, ramp=_ramp(k, n, at, phi=phi), ended=ended,
    )  # fmt: skip


def strongest(counts: Places, exposure: Floats) -> float:
    """The strength of the strongest rise, to rank series by; 0.0 where there is none."""
    return _strongest(counts.astype(np.float64), exposure.astype(np.float64), lasting=False)


def chance(
    counts: Places,
    exposure: Floats,
    step: Step,
    *,
    block: int,
    rng: np.random.Generator,
    shuffles: int = SHUFFLES,
) -> float:
    """How often blocks of the same series in another order show a rise as strong: one that lasts, or one that ends as this one did.

    Blocks keep bursts and storms whole. Of a rise that ended they are at most a quarter of it long, since it would else stand whole in every order.
    """
    k, n = counts.astype(np.float64), exposure.astype(np.float64)
    if step.ended is not None:
        block = min(block, max(LEAST_BLOCK, (step.ended - step.at) // 4))
    blocks = len(k) // block
    if blocks < 2:
        return 1.0
    cut = np.arange(blocks * block).reshape(blocks, block) + len(k) - blocks * block
    strengths = []
    for _ in range(shuffles):
        order = cut[rng.permutation(blocks)].ravel()
        strengths.append(_strongest(k[order], n[order], lasting=step.ended is None))
    return float((1 + np.count_nonzero(np.array(strengths) >= step.strength)) / (1 + shuffles))


def _locate(k: Floats, n: Floats) -> tuple[int, int | None] | None:
    """The first bucket of the strongest rise, and the one in which it fell back."""
    if len(k) < 2 * LEAST_SIDE:
        return None
    gains, up = _gains(k[None], n[None])
    if not np.isfinite(gains).any():
        return None
    best = int(np.argmax(gains[0]))
    if not up[0, best] and (at := _strongest_rise(k[:best], n[:best])) is not None:
        return at, best
    rose = _strongest_rise(k, n)
    return None if rose is None else (rose, _fall(k, n, rose))


def _strongest(k: Floats, n: Floats, *, lasting: bool) -> float:
    """The strength of the strongest rise of a series; lasting: of those that do not end."""
    if lasting:
        at = _strongest_rise(k, n)
        return 0.0 if at is None else _strength(k, n, at)
    located = _locate(k, n)
    if located is None:
        return 0.0
    return _strength(k[: located[1]], n[: located[1]], located[0])


def _strength(k: Floats, n: Floats, at: int) -> float:
    return float(_gains(k[None], n[None])[0][0, at]) / _overdispersion(k, n, at)


def _gains(k: Floats, n: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Of each row and each first bucket of a second segment twice the gain in log-likelihood, and whether the rate is higher from there on."""
    first_k, first_n = np.cumsum(k, axis=1), np.cumsum(n, axis=1)
    last_k, last_n = first_k[:, -1:] - first_k, first_n[:, -1:] - first_n
    with np.errstate(divide="ignore", invalid="ignore"):
        gain = 2 * (_part(first_k, first_n) + _part(last_k, last_n) - _part(first_k[:, -1:], first_n[:, -1:]))
        higher = last_k / last_n > first_k / first_n
    found = np.full(k.shape, -np.inf)
    usable = (first_n > 0) & (last_n > 0)
    usable[:, : LEAST_SIDE - 1] = False
    usable[:, len(k[0]) - LEAST_SIDE :] = False
    found[:, 1:] = np.where(usable, gain, -np.inf)[:, :-1]
    rises = np.zeros(k.shape, dtype=bool)
    rises[:, 1:] = higher[:, :-1]
    return found, rises


def _part(k: Floats, n: Floats) -> Floats:
    part: Floats = special.xlogy(k, k / np.where(n > 0, n, 1.0))
    return part


def _rate(k: Floats, n: Floats) -> float:
    return float(k.sum() / n.sum()) if n.sum() > 0 else 0.0


def _strongest_rise(k: Floats, n: Floats) -> int | None:
    if len(k) < 2 * LEAST_SIDE:
        return None
    gains, up = _gains(k[None], n[None])
    rises = np.where(up[0] & np.isfinite(gains[0]), gains[0], -np.inf)
    return int(np.argmax(rises)) if np.isfinite(rises).any() and rises.max() > 0 else None


def _fall(k: Floats, n: Floats, at: int) -> int | None:
    """Where the rate fell back after a rise, if it is much likelier that it did."""
    if len(k) - at < 2 * LEAST_SIDE:
        return None
    gains, up = _gains(k[None, at:], n[None, at:])
    falls = np.where(~up[0] & np.isfinite(gains[0]), gains[0], -np.inf)
    best = int(np.argmax(falls))
    if not np.isfinite(falls[best]):
        return None
    phi = _overdispersion(k[at:], n[at:], best)
    fallen = _rate(k[at + best :], n[at + best :])
    halfway = (_rate(k[:at], n[:at]) + _rate(k[at : at + best], n[at : at + best])) / 2
    return at + best if falls[best] / phi > 12 and fallen < halfway else None


def _overdispersion(k: Floats, n: Floats, at: int) -> float:
    """By how much counts vary more than Poisson's, given a step; at least 1."""
    mean = np.where(np.arange(len(k)) < at, _rate(k[:at], n[:at]), _rate(k[at:], n[at:])) * n
    used = mean > 0
    if used.sum() <= 3:
        return 1.0
    return float(
        max(1.0, ((k[used] - mean[used]) ** 2 / np.maximum(mean[used], 0.05)).sum() / (used.sum() - 3))
    )


def _interval(k: Floats, n: Floats, at: int, *, phi: float, rng: np.random.Generator) -> tuple[int, int]:
    """The buckets at which the step may be: those not much less likely than the likeliest, by how much that is in series with a step here.

    The series are drawn block by block from what is before and what is after, so that their storms are those of this one.
    """
    places = np.concatenate(
        [_blocks(0, at, DRAWS, rng), _blocks(at, len(k), DRAWS, rng)],
        axis=1,
    )
    drawn_k, drawn_n = k[places], n[places]
    gains, _ = _gains(drawn_k, drawn_n)
    best = gains.argmax(axis=1)
    missed = [
        (gains[row, best[row]] - gains[row, at]) / _overdispersion(drawn_k[row], drawn_n[row], int(best[row]))
        for row in range(DRAWS)
        if np.isfinite(gains[row, at])
    ]
    cut = max(float(np.quantile(missed, INSIDE)), LEAST_CUT) if missed else np.inf
    own, _ = _gains(k[None], n[None])
    likely = np.flatnonzero(np.isfinite(own[0]) & ((own[0, at] - own[0]) / phi <= cut))
    return int(min(likely.min(initial=at), at)), int(max(likely.max(initial=at), at))


def _blocks(first: int, last: int, rows: int, rng: np.random.Generator) -> Places:
    """Rows of places between two, in blocks that follow each other by chance."""
    length = last - first
    block = min(LEAST_BLOCK, length)
    starts = rng.integers(first, last - block + 1, (rows, -(-length // block)))
    return (starts[:, :, None] + np.arange(block)).reshape(rows, -1)[:, :length]


def _ramp(k: Floats, n: Floats, at: int, *, phi: float) -> tuple[int, int] | None:
    """Between which buckets the rate grew, where a line fits much better than a step."""
    grid = np.unique(np.linspace(LEAST_SIDE, len(k) - LEAST_SIDE, RAMP_GRID).astype(int))
    place = np.arange(len(k))
    best, found = 0.0, None
    step = _likelihood(k, np.where(place < at, _rate(k[:at], n[:at]), _rate(k[at:], n[at:])) * n)
    for first in grid:
        for last in grid[grid >= first + LEAST_RAMP]:
            low, high = _rate(k[:first], n[:first]), _rate(k[last:], n[last:])
            if high <= low:
                continue
            gain = 2 * (_likelihood(k, n * np.interp(place, [first, last], [low, high])) - step) / phi
            if gain > best:
                best, found = gain, (int(first), int(last))
    return found if best > RAMP_GAIN else None


def _likelihood(k: Floats, mean: Floats) -> float:
    used = mean > 0
    if (k[~used] > 0).any():
        return -np.inf
    return float((special.xlogy(k[used], mean[used]) - mean[used]).sum())
