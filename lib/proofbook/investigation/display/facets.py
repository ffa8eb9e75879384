"""What is selected, counted by the values of each field, in any window of time: the same numbers for a brush and for code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from proofbook.investigation import asking, mapped, prepare
from proofbook.investigation.columns import Marks, Places
from proofbook.investigation.moments import Span
from proofbook.investigation.units import Field, Units

if TYPE_CHECKING:
    from proofbook.investigation.look import Look
    from proofbook.investigation.records import Records

MOST_FIELDS, MOST_VALUES = 12, 6
# In this order where a log has them; then the keys of its entries, the most frequent first.
FIRST = ("status", "path", "method", "template", "service", "revision", "instance", "user", "address", "agent")  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """A value: how many have it, and how many of them went wrong."""

    text: str
    count: int
    wrong: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Facet:
    """The most frequent values of a field, those that went wrong first. distinct: how many values there are."""

    name: str
    values: tuple[Value, ...]
    distinct: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Facets:
    """The facets of a window. count, wrong: its units. word: what they are."""

    count: int
    wrong: int
    word: str
    facets: tuple[Facet, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """The units of a log, of all times, which of them a look selects by its conditions, and the numbers of the entries that it selects."""

    read: Records
    units: Units
    selected: Marks
    wrong: Marks
    shown: tuple[Field, ...]
    entries: Places

    def entries_of(self, look: Look) -> Places:
        """The numbers of the entries in the window of a look."""
        if look.stated_span is None:
            return self.entries
        window = [int(moment.value // 1000) for moment in _in_ns(look.stated_span)]
        return self.entries[
            slice(*np.searchsorted(self.entries, np.searchsorted(self.read.times_us, window)))
        ]

    def facets_of(self, look: Look) -> Facets:
        """The facets of the units that begin in the window of a look."""
        window = [moment.timestamp() for moment in look.span]
        low, high = np.searchsorted(self.units.at_s, window) if look.stated_span else (0, len(self.units))
        chosen = self.selected[low:high]
        return Facets(
            count=int(chosen.sum()),
            wrong=int((chosen & self.wrong[low:high]).sum()),
            word=self.units.word,
            facets=tuple(facet for field in self.shown if (facet := self._facet(field, low, high)).values),
        )

    def _facet(self, field: Field, low: int, high: int) -> Facet:
        first, end = np.searchsorted(field.units, np.array((low, high), field.units.dtype)).tolist()
        size = len(field.values)
        counts = field.counts_between(first, end, self.selected)
        wrong = field.counts_between(first, end, self.selected, self.wrong)
        order = np.lexsort((np.arange(size), -counts, -wrong))[:MOST_VALUES].tolist()
        values = tuple(Value(text=field.values[code], count=int(counts[code]), wrong=int(wrong[code])) for code in order if counts[code])  # fmt: skip
        return Facet(name=field.name, values=values, distinct=int(np.count_nonzero(counts)))


def tally(look: Look) -> Tally:
    """The units of a look without its window, so that every window of it counts alike."""
    whole = type(look)(look.records, conditions=look.conditions)
    asked = asking.counted(whole)
    units = asked.units
    read = look.records
    wrong = units.marked(read.wrong_units)
    return Tally(read=read, units=units, selected=asked.selected, wrong=wrong, shown=_shown(units), entries=_entries(whole))  # fmt: skip


def _entries(whole: Look) -> Places:
    """The numbers of the entries that a look selects, in their order."""
    if not whole.conditions:
        return mapped.numbered(whole.records.count, whole.records.derived.parent)
    found = whole.records.arrow(f"SELECT entry::INTEGER AS entry FROM {prepare.view_for(whole.selected)} WHERE {whole.selected} ORDER BY entry")  # fmt: skip
    return np.asarray(found["entry"].to_numpy())


def _in_ns(span: Span) -> list[pd.Timestamp]:
    return [moment.as_unit("ns") for moment in span]


def _shown(units: Units) -> tuple[Field, ...]:
    """The fields that say something: more than one value, and not one of its own for most units."""
    left_out = {name for name, _ in units.left_out}
    some = {
        field.name: field for field in units.fields if field.name not in left_out and len(field.values) > 1
    }
    some.pop("latency_s", None)
    names = [*(name for name in FIRST if name in some), *(name for name in some if name not in FIRST)]
    return tuple(some[name] for name in names[:MOST_FIELDS])
