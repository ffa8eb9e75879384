"""How often chance alone would silence a pattern: placebo windows and silent blocks."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from proofbook.judge.window import Span

BLOCKS_BEFORE = 5
# With fewer windows of history, placebos cannot give a p-value under 0.05.
MIN_PLACEBOS = 19


@dataclass(frozen=True, slots=True, kw_only=True)
class Placebos:
    """Windows of before, as long as the one after, and how many of them were silent too."""

    windows: int
    silent: int

    @property
    def p(self) -> float:
        """How often a window as long as this is silent with nothing fixed."""
        return (1 + self.silent) / (1 + self.windows)

    @property
    def in_words(self) -> str:
        return f"{self.windows} placebo windows of before, {self.silent} of them silent (p = {self.p:.2g})"


def placebo_windows(
    entries: pd.DataFrame, hits: pd.DataFrame, before: Span | None, after: Span | None
) -> Placebos | None:
    """Disjoint windows of before of the length of after in which something was logged; None with too little history."""
    if before is None or after is None or after[1] <= after[0]:
        return None
    length = (after[1] - after[0]).total_seconds()
    count = int((before[1] - before[0]).total_seconds() // length)
    if count < MIN_PLACEBOS:
        return None

    def windows(rows: pd.DataFrame) -> set[int]:
        # Counted back from the deployment, so that the rest which does not fill a window is the oldest.
        index = ((before[1] - rows["first"]).dt.total_seconds() // length).astype(int)
        return set(index[index < count])

    alive, loud = windows(entries), windows(hits)
    return Placebos(windows=len(alive), silent=len(alive - loud)) if len(alive) >= MIN_PLACEBOS else None


def hits_per_block(
    hits: pd.DataFrame, before: Span | None, after: Span | None
) -> tuple[list[int], list[int]] | None:
    """Hits per block of equal length; None when clusters are longer than a block."""
    if before is None or after is None:
        return None
    length = (before[1] - before[0]).total_seconds() / BLOCKS_BEFORE
    longest = float(hits["longest_s"].max()) if len(hits) else 0.0
    if length <= longest or length <= 0:
        return None
    index = ((hits["first"] - before[0]).dt.total_seconds() // length).clip(0, BLOCKS_BEFORE - 1).astype(int)
    counts = [int((index == block).sum()) for block in range(BLOCKS_BEFORE)]
    return counts, [0] * int((after[1] - after[0]).total_seconds() // length)


def more_exposure(k0: int, exposure: tuple[float, float], unit: str, confidence: float) -> str:
    """The exposure after which silence would be convincing."""
    wanted = exposure[0] * ((1 - confidence) ** (-1 / k0) - 1)
    return f"{max(0.0, wanted - exposure[1]):,.0f} more {unit} without it, in at least 4 blocks"
