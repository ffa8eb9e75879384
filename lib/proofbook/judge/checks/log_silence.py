"""How often chance alone would silence a pattern: placebo windows and silent blocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from proofbook.judge.window import Span
from proofbook.stats import events, severity

BLOCKS_BEFORE = 5
# Two silent blocks after five loud ones give p = 1/21 whatever was counted: no verdict comes from fewer than these.
BLOCKS_AFTER = 3
MOST_BLOCKS = 100
# With fewer windows of history, placebos cannot give a p-value under 0.05.
MIN_PLACEBOS = 19
# A half of before that holds fewer than the half before it, by more than chance, is what after is held against.
VANISHING, STEADY = 0.05, 0.7
# By halves alone a symptom of twelve hits that halves five times is taken for a steady one too often; one in ten of the steady
# ones is held against its end, which costs them time.
CELLS, FALLING_Z = (400, 100, 40, 20), -1.28
LEAST_RECENT = 1 / 16
# Of a window that earlier runs read so much, their silence says that it was silent: between two readings a moment is lost.
NEARLY = 0.95
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Placebos:
    """Windows of before, as long as the one after, and how many of them were silent too."""

    windows: int
    silent: int

    def severity(self, *, confidence: float) -> float:
        """The chance that a window as long as this is loud, by the lower bound of how many were."""
        return severity.of_windows(self.windows - self.silent, self.windows, confidence=confidence)

    @property
    def p(self) -> float:
        """How often a window as long as this is silent with nothing fixed."""
        return (1 + self.silent) / (1 + self.windows)

    @property
    def in_words(self) -> str:
        return f"{self.windows} placebo windows of before, {self.silent} of them silent (p = {self.p:.2g})"


def placebo_windows(
    entries: pd.DataFrame,
    hits: pd.DataFrame,
    before: Span | None,
    after: Span | None,
    *,
    spans: Sequence[Span] = (),
    shorter: bool = False,
) -> Placebos | None:
    """Disjoint windows of before of the length of after in which something was logged; None with too little history.

    spans: where only these times of before were read, windows of others do not count. shorter: where before is too short for
    windows of the length of after, those of which it holds enough are taken: a longer silence is no more likely than they are.
    """
    if before is None or after is None or after[1] <= after[0]:
        return None
    length, whole = (after[1] - after[0]).total_seconds(), (before[1] - before[0]).total_seconds()
    if shorter:
        length = min(length, whole / (MIN_PLACEBOS + 1))
    count = int(whole // length)
    if count < MIN_PLACEBOS:
        return None

    def windows(rows: pd.DataFrame) -> set[int]:
        # Counted back from the deployment, so that the rest which does not fill a window is the oldest.
        index = ((before[1] - rows["first"]).dt.total_seconds() // length).astype(int)
        return set(index[index < count])

    alive, loud = windows(entries), windows(hits)
    if spans:
        ends = _seconds([before[1]]) - length * np.arange(count)
        seen = read_in(spans, ends - length, ends)
        alive = {index for index in alive if seen[index]}
    return Placebos(windows=len(alive), silent=len(alive - loud)) if len(alive) >= MIN_PLACEBOS else None


def read_in(spans: Sequence[Span], begins: Floats, ends: Floats) -> NDArray[np.bool_]:
    """Which windows, given in seconds since 1970, lie nearly wholly in the spans, which are apart from each other."""
    starts, stops = _seconds([span[0] for span in spans]), _seconds([span[1] for span in spans])
    overlap = np.minimum(ends[:, None], stops) - np.maximum(begins[:, None], starts)
    return np.asarray(overlap.clip(min=0).sum(axis=1) >= NEARLY * (ends - begins))


def _seconds(times: Sequence[pd.Timestamp]) -> Floats:
    return np.array([time.timestamp() for time in times])


def hits_per_block(
    hits: pd.DataFrame, before: Span | None, after: Span | None, *, ratio: float = float("inf")
) -> tuple[list[int], list[int]] | None:
    """Hits per block of equal length; None when clusters are longer than a block.

    ratio: exposure of after in that of before; a block after that holds less than one of before is none.
    """
    if before is None or after is None:
        return None
    length = (before[1] - before[0]).total_seconds() / BLOCKS_BEFORE
    longest = float(hits["longest_s"].max()) if len(hits) else 0.0
    if length <= longest or length <= 0:
        return None
    index = ((hits["first"] - before[0]).dt.total_seconds() // length).clip(0, BLOCKS_BEFORE - 1).astype(int)
    counts = [int((index == block).sum()) for block in range(BLOCKS_BEFORE)]
    by_time = (after[1] - after[0]).total_seconds() / length
    return counts, [0] * int(min(by_time, BLOCKS_BEFORE * ratio))


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """The window after, moved back by a period to where the same hour, day or week was seen before.

    windows: how often it could be moved. silent: how many of these were silent. loud_at: when more than half would have been loud.
    """

    name: str
    windows: int
    silent: int
    loud_at: pd.Timestamp | None

    @property
    def held(self) -> bool:
        """Whether an earlier window at this phase would have been loud, more likely than not."""
        return self.windows == 0 or (1 + self.silent) / (1 + self.windows) <= 0.5

    @property
    def in_words(self) -> str:
        name = self.name if self.windows != 1 else self.name.removesuffix("s")
        return f"at {_SAME[self.name]} of {self.windows:,} earlier {name} it was silent {self.silent:,} times too"


_SAME = {"hours": "these minutes", "days": "these hours", "weeks": "these days and hours"}
PERIODS = {"hours": pd.Timedelta(hours=1), "days": pd.Timedelta(days=1), "weeks": pd.Timedelta(weeks=1)}


def phases(
    hits: pd.DataFrame, before: Span | None, after: Span | None, *, spans: Sequence[Span] = ()
) -> list[Phase]:
    """The window after, held against the same phase of earlier hours, days and weeks; a period that before does not reach back to is left out.

    spans: where only these times of before were read, windows of others do not count.
    """
    if before is None or after is None or after[1] <= after[0] or hits.empty:
        return []
    times = np.sort(hits["first"].to_numpy(dtype="datetime64[us]"))
    start, end = (np.datetime64(time.tz_convert("UTC").tz_localize(None), "us") for time in after)
    first, last = (np.datetime64(time.tz_convert("UTC").tz_localize(None), "us") for time in before)
    found = []
    for name, period in PERIODS.items():
        step = period.to_timedelta64().astype("timedelta64[us]")
        shifts = np.arange(max(1, int(np.ceil((end - last) / step))), int((start - first) / step) + 1) * step
        if spans and len(shifts):
            back = shifts / np.timedelta64(1, "s")
            begun, ended = _seconds(after)
            shifts = shifts[read_in(spans, begun - back, ended - back)]
        if not len(shifts):
            continue
        begins, ends = (
            np.searchsorted(times, start - shifts),
            np.searchsorted(times, end - shifts, side="right"),
        )
        silent = ends == begins
        # When each silent one became loud, at the time of now.
        later = np.sort(
            np.concatenate(
                [(times[ends[silent & (ends < len(times))]] + shifts[silent & (ends < len(times))])]
            )
        )
        wanted = int(np.ceil(silent.sum() - (len(shifts) - 1) / 2))
        at = pd.Timestamp(later[wanted - 1], tz="UTC") if 0 < wanted <= len(later) else None
        found.append(Phase(name=name, windows=len(shifts), silent=int(silent.sum()), loud_at=at))
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Gaps:
    """How long the symptom was silent before, from one hit to the next, and how long it is now; in exposure, of which before holds `whole`."""

    longest: float
    now: float
    whole: float

    @property
    def held(self) -> bool:
        return self.now > self.longest


def gaps(entries: pd.DataFrame, hits: pd.DataFrame, *, column: str, after: float) -> Gaps:
    """The silences of before in what `column` of `log_rhythm` counts. after: the exposure of the window after."""
    ordered = entries.sort_values("first", kind="stable")
    counted = ordered[column].cumsum().to_numpy()
    at = np.searchsorted(ordered["first"].to_numpy(), np.sort(hits["first"].to_numpy()), side="right")
    reached = np.concatenate([[0], counted])[at]
    longest = float(np.diff(reached).max()) if len(reached) > 1 else 0.0
    rest = float(counted[-1] - reached[-1]) if len(counted) and len(reached) else 0.0
    return Gaps(longest=longest, now=rest + after, whole=float(counted[-1]) if len(counted) else 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recent:
    """The last part of before, by which after is held: less than all where the symptom was vanishing already.

    hits: how many may be counted on. share: of the exposure of before. loud: of its BLOCKS_BEFORE blocks, how many hold a hit.
    cluster: how many hits of all of before come together.
    """

    hits: int
    cluster: float = 1.0
    share: float = 1.0
    loud: int = BLOCKS_BEFORE

    def by_blocks(self, ratio: float) -> float:
        """The chance of silence after, where hits come in clusters; ratio: exposure of after in that of before. Half of it counts, as of `hits`."""
        if self.share == 1:
            return 0.0
        loud = [1] * self.loud + [0] * (BLOCKS_BEFORE - self.loud)
        after = int(BLOCKS_BEFORE * ratio / self.share / 2)
        return events.silent_blocks(before=loud, after=[0] * after) if after else 1.0


def recent(entries: pd.DataFrame, hits: pd.DataFrame, *, column: str) -> Recent:
    """The last part of before, as far as the symptom was steady there."""
    ordered = entries.sort_values("first", kind="stable")
    counted = ordered[column].cumsum().to_numpy()
    whole = float(counted[-1]) if len(counted) else 0.0
    at = np.searchsorted(ordered["first"].to_numpy(), hits["first"].to_numpy(), side="right")
    place = np.concatenate([[0], counted])[at] / whole if whole else np.zeros(len(hits))
    weights, share = hits["affected"].to_numpy(), 1.0
    falls = _falls(place, weights)
    while share > LEAST_RECENT:
        within = place > 1 - share
        latter = place > 1 - share / 2
        older, newer = int(weights[within & ~latter].sum()), int(weights[latter].sum())
        luck = events.fewer_by_luck(
            before_events=older, before_exposure=1, after_events=newer, after_exposure=1
        )
        # Once it is known to vanish, what is left is too little to show it again at each step.
        if luck >= VANISHING and (not falls if share == 1 else newer > STEADY * older):
            break
        share /= 2
    number, cluster = int(weights[place > 1 - share].sum()), _cluster(place, weights)
    # What vanishes goes on vanishing: half of its last rate is all that may be expected, and a cluster is one occurrence of it.
    if share == 1:
        return Recent(hits=number, cluster=cluster)
    blocks = ((place - (1 - share)) / share * BLOCKS_BEFORE)[place > 1 - share].clip(0, BLOCKS_BEFORE - 1)
    return Recent(
        hits=int(number / (2 * cluster)), cluster=cluster, share=share, loud=len(set(blocks.astype(int)))
    )


def _cluster(place: Floats, weights: NDArray[np.int64]) -> float:
    """How many hits come together, at least 1: the largest Allan factor, which a slow trend leaves at 1. place: of each in the exposure of before, 0 to 1.

    Source: Allan 1966; of counts, Barnes and Allan 1966.
    """
    found = [1.0]
    for cells in CELLS:
        counts = np.bincount((place * cells).astype(int).clip(0, cells - 1), weights=weights, minlength=cells)
        if counts.any():
            found.append(float((np.diff(counts) ** 2).mean() / (2 * counts.mean())))
    return max(found)


def _falls(place: Floats, weights: NDArray[np.int64]) -> bool:
    """Whether hits were falling: Laplace's test for a trend, in which a cluster counts as one hit.

    place: of each in the exposure of before, 0 to 1. Source: Cox and Lewis 1966.
    """
    number = float(weights.sum())
    if not number:
        return False
    middle = float((place * weights).sum()) / number
    return float((middle - 0.5) * np.sqrt(12 * number / _cluster(place, weights))) < FALLING_Z


def blocks_needed(loud: int, *, confidence: float) -> int:
    """How many silent blocks after would be convincing, where so many of before were loud.

    >>> blocks_needed(5, confidence=0.95), blocks_needed(2, confidence=0.95)
    (3, 16)
    """
    before = [1] * loud + [0] * (BLOCKS_BEFORE - loud)
    many = range(BLOCKS_AFTER, MOST_BLOCKS)
    return next(
        (n for n in many if events.silent_blocks(before=before, after=[0] * n) < 1 - confidence), MOST_BLOCKS
    )
