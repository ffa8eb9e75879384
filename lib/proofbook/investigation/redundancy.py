"""Suspects without the redundant ones: pairs in the place of their parts, the same units once, and without what only rides along."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from proofbook.investigation.columns import Marks
from proofbook.investigation.contrast import Contrast, Suspect, having
from proofbook.investigation.tested import MIN_RATIO
from proofbook.investigation.units import Units
from proofbook.stats.hypergeometric import stratified, tails

# Values of which so much is in the same units are one suspect by several names.
SAME = 0.98
MOST_COMPARED = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """A suspect that is none beside another: `part of` it, or `rides along` with it."""

    suspect: Suspect
    why: str
    beside: Suspect


@dataclass(frozen=True, slots=True, kw_only=True)
class Distinct:
    """suspects: those that are left, the strongest first. removed: those that are none beside these. outcomes: those that go with what was selected."""

    suspects: tuple[Suspect, ...]
    removed: tuple[Removed, ...]
    outcomes: tuple[Suspect, ...]


def distinct(units: Units, found: Contrast, *, selected: Marks, others: Marks) -> Distinct:
    """The suspects one after the other, each given those before it. selected, others: the units of the window in question."""
    named = {item.name for item in units.fields if item.is_outcome}
    outcomes = tuple(item for item in found.suspects if named & set(item.tested.names))
    left = [item for item in found.suspects if not named & set(item.tested.names)][:MOST_COMPARED]
    here = selected | others
    marks = {item.tested.parts: having(units, item.tested.parts) & here for item in left}
    left, removed = _pairs_first(left, marks, selected, others, found)
    kept: list[Suspect] = []
    for item in left:
        same = next(
            (
                place
                for place, other in enumerate(kept)
                if _are_same(marks[item.tested.parts], marks[other.tested.parts])
            ),
            None,
        )
        if same is not None:
            if len(item.tested.parts) == 1:
                kept[same] = replace(kept[same], aliases=(*kept[same].aliases, item.tested.parts[0]))
            continue
        beside = next(
            (
                other
                for other in kept
                if other.is_called and _rides_along(item, marks, other, selected, here, found)
            ),
            None,
        )
        if beside is None:
            kept.append(item)
        else:
            removed.append(Removed(suspect=item, why="rides along", beside=beside))
    return Distinct(suspects=tuple(kept), removed=tuple(removed), outcomes=outcomes)


def _pairs_first(
    left: Sequence[Suspect],
    marks: dict[tuple[tuple[str, int], ...], Marks],
    selected: Marks,
    others: Marks,
    found: Contrast,
) -> tuple[list[Suspect], list[Removed]]:
    """Without the parts of a called pair of which nothing is left outside of it; the pair then stands where the first of them stood."""
    kept, removed = list(left), []
    for pair in [item for item in left if len(item.tested.parts) == 2 and item.is_called]:
        outside = ~marks[pair.tested.parts]
        for single in [
            item for item in kept if len(item.tested.parts) == 1 and item.tested.parts[0] in pair.tested.parts
        ]:
            if _is_left(single, marks[single.tested.parts], selected & outside, others & outside, found):
                continue
            place = kept.index(single)
            kept.remove(single)
            removed.append(Removed(suspect=single, why="part of", beside=pair))
            if pair in kept and kept.index(pair) > place:
                kept.remove(pair)
                kept.insert(place, pair)
    return kept, removed


def _is_left(single: Suspect, marks: Marks, selected: Marks, others: Marks, found: Contrast) -> bool:
    """Whether a value would still be called by the units outside of a pair alone."""
    x, y, of_x, of_y = (
        int(np.count_nonzero(group)) for group in (selected & marks, others & marks, selected, others)
    )
    if x * of_y < MIN_RATIO * y * of_x:
        return False
    strength = float(tails(np.array([x]), of=of_x + of_y, having=np.array([x + y]), size=of_x)[0])
    return found.is_called(strength, single.tested.names)


def _are_same(one: Marks, other: Marks) -> bool:
    both = np.count_nonzero(one & other)
    return bool(both >= SAME * np.count_nonzero(one | other))


def _rides_along(
    item: Suspect,
    marks: dict[tuple[tuple[str, int], ...], Marks],
    first: Suspect,
    selected: Marks,
    here: Marks,
    found: Contrast,
) -> bool:
    """Whether nothing is left of a suspect within those that have the first and within those that do not."""
    with_it, tables = marks[item.tested.parts], []
    for stratum in (here & marks[first.tested.parts], here & ~marks[first.tested.parts]):
        groups = (here, selected, with_it, selected & with_it)
        size, chosen, having_it, both = (int(np.count_nonzero(stratum & group)) for group in groups)
        tables.append((size, chosen, having_it, both))
    strength = stratified(tables)
    again = min(strength, item.tested.strength)
    # What was never called is no more so for being weaker.
    return strength < 1 or (item.is_called and not found.is_called(again, item.tested.names))
