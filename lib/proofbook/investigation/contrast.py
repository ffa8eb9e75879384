"""What is over-represented among some units against others, and how often that much is when nothing is wrong.

The same search is done in the window in question and in quiet windows of the same length. A value counts by the exact
hypergeometric tail, against the other units of its window and against what is selected in the other windows: what always
fails so is usual. Every field is measured by what it does in all windows, and the strongest of all fields by the strongest
of each quiet window. That is Westfall and Young's maximum over windows of time in the place of permutations, so that
storms and habits of the system are in the reference.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from proofbook.investigation import pairs
from proofbook.investigation.columns import Marks, Numbers, Places
from proofbook.investigation.tested import LEAST, LEAST_POOL, MIN_HOLDS, MIN_RATIO, Tested
from proofbook.investigation.units import Field, Units
from proofbook.stats.hypergeometric import tails

# The chance at which a suspect is called, and the quiet windows that it takes.
CALLED = 0.05
LEAST_PLACEBOS = 19
MOST_PLACEBOS = 60
# A field's scale is what it reaches in one window of five, and at least a tenth.
SCALE_QUANTILE, LEAST_SCALE = 0.8, 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspect:
    """What was tested in the window in question, by how usual it is.

    is_called: there are enough quiet windows, and nothing as strong comes up in them more often than CALLED allows.

    score: its strength over the scale of its field. chance: how often anything of such a score comes up in windows of which nothing is
    known to be wrong, this one counted in. aliases: other values that the very same units have.
    """

    tested: Tested
    score: float
    chance: float
    is_called: bool
    aliases: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Of one field, by window and value: selected units and others that have it, and by window how many have any value."""

    selected: Places
    others: Places
    of_selected: Places
    of_others: Places

    def strengths(self) -> Numbers:
        """−log10 p by window and value; 0 of what is not of interest."""
        x, y, of_x, of_y = self.selected, self.others, self.of_selected[:, None], self.of_others[:, None]
        against = tails(x, of=of_x + of_y, having=x + y, size=of_x)
        pool, of_pool = x.sum(axis=0) - x, of_x.sum() - of_x
        usual = tails(x, of=of_x + of_pool, having=x + pool, size=of_x)
        found = np.where(of_pool >= LEAST_POOL, np.minimum(against, usual), against)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio, holds = (x / of_x) / (np.maximum(y, 0.5) / np.maximum(of_y, 1)), x / of_x
        return np.where((x >= LEAST) & (ratio >= MIN_RATIO) & (holds >= MIN_HOLDS), found, 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """All that was found in the window in question, the strongest first. best: the largest score of each quiet window. scales: by fields. counted: by field."""

    suspects: tuple[Suspect, ...]
    best: Numbers
    scales: dict[tuple[str, ...], float] = field(default_factory=dict)
    tried_values: int = 0
    tried_pairs: int = 0
    counted: Mapping[str, Counts] = field(default_factory=dict)

    def chance(self, score: float) -> float:
        """How often anything so strong comes up."""
        return float((1 + np.count_nonzero(self.best >= score)) / (1 + len(self.best)))

    def judged(self, item: Tested) -> Suspect:
        """What was tested, with its score and chance."""
        score = item.strength / self.scales[item.names]
        return Suspect(
            tested=item,
            score=score,
            chance=self.chance(score),
            is_called=self.is_called(item.strength, item.names),
        )

    def is_called(self, strength: float, names: tuple[str, ...]) -> bool:
        """Whether something of these fields is called at such a strength."""
        return len(self.best) >= LEAST_PLACEBOS and self.chance(strength / self.scales[names]) <= CALLED


def count(
    item: Field, selected: Marks, others: Marks, windows: Places, number: int, *, moving: bool
) -> Counts:
    """The counts of a field in the windows 0 to `number` - 1. moving: others are those of the window before each, which has the next number."""
    width = len(item.values)
    place = windows[item.units]

    def by_window(marks: Marks, shift: int) -> Places:
        kept = marks[item.units] & (place >= shift) & (place < number + shift)
        cells = (place[kept] - shift) * width + item.codes[kept]
        return np.bincount(cells, minlength=number * width).reshape(number, width)

    def carriers(marks: Marks, shift: int) -> Places:
        if item.is_outcome:
            # To say nothing is telling, while a key that is not there may belong to another kind of entry.
            there = marks & (windows >= shift) & (windows < number + shift)
            return np.bincount(windows[there] - shift, minlength=number)
        once = np.ones(len(item.units), dtype=bool)
        once[1:] = item.units[1:] != item.units[:-1]
        kept = once & marks[item.units] & (place >= shift) & (place < number + shift)
        return np.bincount(place[kept] - shift, minlength=number)

    shift = 1 if moving else 0
    return Counts(
        selected=by_window(selected, 0), others=by_window(others, shift),
        of_selected=carriers(selected, 0), of_others=carriers(others, shift),
    )  # fmt: skip


def contrast(
    units: Units,
    *,
    selected: Marks,
    others: Marks,
    windows: Places,
    moving: bool = False,
    with_pairs: bool = True,
) -> Contrast:
    """What is over-represented among the selected units of window 0 against the others of it.

    Args:
        windows: of each unit the number of its window: 0 in question, others quiet, the nearest first; −1: none.
        moving: every window is compared with the one before it in place of the others of its own.
    """
    number = int(windows.max(initial=0)) + (0 if moving else 1)
    counted = {
        item.name: count(item, selected, others, windows, number, moving=moving) for item in units.fields
    }
    strengths = {name: counts.strengths() for name, counts in counted.items()}
    best: dict[tuple[str, ...], Numbers] = {
        (name,): values.max(axis=1, initial=0.0) for name, values in strengths.items()
    }
    found = [
        _tested(name, value, counted[name], strengths[name])
        for name, values in strengths.items()
        for value in np.flatnonzero(values[0]).tolist()
    ]
    values_tried = sum(((counts.selected >= LEAST).sum(axis=1) for counts in counted.values()), start=np.zeros(number, dtype=np.int64))  # fmt: skip
    pairs_tried = np.zeros(number, dtype=np.int64)
    if with_pairs and not moving:
        searched = pairs.search(
            units, strengths, selected=selected, others=others, windows=windows, number=number
        )
        for names in sorted({item.names for window in searched for item in window.found}):
            best[names] = np.array([window.best(names) for window in searched])
        found += searched[0].found
        pairs_tried = np.array([window.tried for window in searched])
    best = _evened(best, tried=np.maximum(1, values_tried + pairs_tried))
    tried = int(values_tried[0]), int(pairs_tried[0])
    return _ranked(best, found, counted, tried=tried, quiet=number - 1)


def _evened(best: Mapping[tuple[str, ...], Numbers], *, tried: Places) -> dict[tuple[str, ...], Numbers]:
    """The strongest of each window as if as much had been tried in it: the more is selected, the more values are tried, and the stronger is the strongest by luck alone."""
    return {
        names: np.where(values > 0, np.maximum(0.0, values + np.log10(tried[0] / tried)), 0.0)
        for names, values in best.items()
    }


def _ranked(
    best: Mapping[tuple[str, ...], Numbers],
    found: Iterable[Tested],
    counted: Mapping[str, Counts],
    *,
    tried: tuple[int, int],
    quiet: int,
) -> Contrast:
    """What was found by its score. tried: values and pairs. quiet: windows."""
    scales = {
        names: max(LEAST_SCALE, float(np.quantile(values, SCALE_QUANTILE))) for names, values in best.items()
    }
    scored = [values / scales[names] for names, values in best.items()]
    result = Contrast(
        suspects=(),
        best=np.max(scored, axis=0)[1:] if scored else np.zeros(max(0, quiet)),
        scales=scales,
        tried_values=tried[0],
        tried_pairs=tried[1],
        counted=counted,
    )
    ranked = sorted(
        map(result.judged, found), key=lambda item: (-item.score, -item.tested.strength, item.tested.parts)
    )
    return replace(result, suspects=tuple(ranked))


def _tested(name: str, value: int, counts: Counts, strengths: Numbers) -> Tested:
    return Tested(
        parts=((name, value),),
        selected=int(counts.selected[0, value]), others=int(counts.others[0, value]),
        of_selected=int(counts.of_selected[0]), of_others=int(counts.of_others[0]), strength=float(strengths[0, value]),
    )  # fmt: skip


def having(units: Units, parts: Iterable[tuple[str, int]]) -> Marks:
    """Which units have all of these values."""
    by_name = {item.name: item for item in units.fields}
    found = np.ones(len(units), dtype=bool)
    for name, value in parts:
        found &= by_name[name].having(value, len(units))
    return found
