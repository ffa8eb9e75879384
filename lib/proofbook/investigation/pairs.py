"""Pairs of values that are over-represented together, each beyond what the other explains."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from proofbook.investigation.columns import Marks, Numbers, Places
from proofbook.investigation.tested import LEAST, LEAST_POOL, MIN_HOLDS, MIN_RATIO, Tested
from proofbook.investigation.units import Field, Units
from proofbook.stats.hypergeometric import tails

# Pairs are looked for among so many of the values that most selected units have.
MOST_PARTS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """The pairs of one window that are of interest, and how many were tried."""

    found: list[Tested]
    tried: int

    def best(self, names: tuple[str, ...]) -> float:
        """The strength of the strongest pair of two fields; 0 where there is none."""
        return max((item.strength for item in self.found if item.names == names), default=0.0)


def search(
    units: Units,
    strengths: Mapping[str, Numbers],
    *,
    selected: Marks,
    others: Marks,
    windows: Places,
    number: int,
) -> list[Pairs]:
    """The pairs of each window. A pair counts by the weakest of its proofs: against all others, among the units that have one of
    its values each, and against what is selected in other windows."""
    kept = [item for item in units.fields if not item.is_outcome]
    everywhere = selected & (windows >= 0)
    chosen = [_of_units(item, everywhere) for item in kept]
    found = []
    for window in range(number):
        inside = windows == window
        here, there, pool = selected & inside, np.flatnonzero(others & inside), everywhere & ~inside
        these = [_of_units(item, here) for item in chosen]
        count = int(np.count_nonzero(here))
        parts = _parts(these, count)
        if count < LEAST or len(parts) < 2:
            found.append(Pairs(found=[], tried=0))
            continue
        rest = [_between(item, there) for item in kept]
        together = [
            _together(fields, parts, np.flatnonzero(group))
            for fields, group in ((these, here), (rest, others & inside), (chosen, pool))
        ]
        found.append(_of_window(parts, *together, sizes=(count, len(there), int(np.count_nonzero(pool)))))
    return found


def _of_units(item: Field, marks: Marks) -> Field:
    """A field of some units alone."""
    kept = marks[item.units]
    return replace(item, units=item.units[kept], codes=item.codes[kept])


def _between(item: Field, units: Places) -> Field:
    """A field of the units from the first of these to the last."""
    if not len(units):
        return replace(item, units=item.units[:0], codes=item.codes[:0])
    span = slice(*np.searchsorted(item.units, np.array([units[0], units[-1] + 1], item.units.dtype)).tolist())
    return replace(item, units=item.units[span], codes=item.codes[span])


def _parts(fields: list[Field], count: int) -> list[tuple[str, int]]:
    """The values of which enough of so many selected units have one, the most frequent first."""
    found = []
    for item in fields:
        counts = np.bincount(item.codes, minlength=len(item.values))
        found += [
            (-int(counts[value]), item.name, value)
            for value in np.flatnonzero(counts >= max(LEAST, MIN_HOLDS * count)).tolist()
        ]
    return [(name, value) for _, name, value in sorted(found)[:MOST_PARTS]]


def _together(fields: list[Field], parts: list[tuple[str, int]], group: Places) -> NDArray[np.int64]:
    """How many units of a group have both of two values; on the diagonal one."""
    width = len(parts)
    found = np.zeros((width + 1, width + 1), dtype=np.int64)
    layers = {item.name: _layers(item, parts, group) for item in fields}
    for name, of_one in layers.items():
        for other, of_other in layers.items():
            # Counting is quicker than multiplying, and takes no threads that others need.
            if name < other:
                for one, two in itertools.product(of_one, of_other):
                    found += np.bincount(one * (width + 1) + two, minlength=(width + 1) ** 2).reshape(
                        found.shape
                    )
            elif name == other:
                for one in of_one:
                    found[np.diag_indices(width + 1)] += np.bincount(one, minlength=width + 1)
    both = found[:width, :width]
    return both + both.T - np.diag(np.diag(both))


def _layers(item: Field, parts: list[tuple[str, int]], group: Places) -> list[Places]:
    """Of each unit of a group which part it has, in as many layers as a unit has values; the number after the last part where it has none."""
    to = np.full(len(item.values), -1)
    for column, (name, value) in enumerate(parts):
        if name == item.name:
            to[value] = column
    column_of = to[item.codes]
    row = np.searchsorted(group, item.units)
    kept = (column_of >= 0) & (row < len(group))
    kept[kept] = group[row[kept]] == item.units[kept]
    row, column_of = row[kept], column_of[kept]
    found = []
    while len(row):
        first = np.concatenate([[True], row[1:] != row[:-1]])
        layer = np.full(len(group), len(parts))
        layer[row[first]] = column_of[first]
        found.append(layer)
        row, column_of = row[~first], column_of[~first]
    return found


def _of_window(
    parts: list[tuple[str, int]], x: Places, y: Places, pool: Places, *, sizes: tuple[int, ...]
) -> Pairs:
    names = np.array([name for name, _ in parts], dtype=object)
    first, second = np.triu_indices(len(parts), 1)
    apart = names[first] != names[second]
    first, second = first[apart], second[apart]
    both, other = x[first, second], y[first, second]
    enough = (both >= LEAST) & (both >= MIN_HOLDS * sizes[0])
    first, second, both, other = first[enough], second[enough], both[enough], other[enough]
    proofs = [tails(both, of=sizes[0] + sizes[1], having=both + other, size=sizes[0])]
    telling = both / sizes[0] >= MIN_RATIO * np.maximum(other, 0.5) / max(sizes[1], 1)
    for one in (first, second):
        x_one, y_one = x[one, one], y[one, one]
        proofs.append(tails(both, of=x_one + y_one, having=both + other, size=x_one))
        telling &= both / x_one >= MIN_RATIO * np.maximum(other, 0.5) / np.maximum(y_one, 1)
    if sizes[2] >= LEAST_POOL:
        proofs.append(tails(both, of=sizes[0] + sizes[2], having=both + pool[first, second], size=sizes[0]))
    strength = np.min(proofs, axis=0)
    found = [
        Tested(
            parts=tuple(sorted((parts[first[row]], parts[second[row]]))),
            selected=int(both[row]), others=int(other[row]), of_selected=sizes[0], of_others=sizes[1], strength=float(strength[row]),
        )
        for row in np.flatnonzero(telling & (strength > 0)).tolist()
    ]  # fmt: skip
    return Pairs(found=found, tried=len(both))
