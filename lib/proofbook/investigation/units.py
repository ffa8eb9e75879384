"""What is counted: requests (or entries, where there are none) in the order of time, each with the values that it has."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from proofbook.investigation import columns
from proofbook.investigation.columns import Column, Columns, Marks, Numbers, Places
from proofbook.investigation.names import COUNTED, NAMES

if TYPE_CHECKING:
    from proofbook.investigation.records import Records

# Of a field at most so many values are kept, the most frequent, and of the keys of entries the most frequent.
MOST_VALUES, MOST_KEYS = 3000, 40
# Numbers of values, of which there are at most MOST_VALUES; where they are few, one byte holds them.
CODES, SHORT, FEW = np.int16, np.uint8, 2**8
# Where numbers are cut.
QUANTILES = (0.5, 0.9, 0.99)


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """The values of one field. units, codes: pairs of a unit and the number of a value that it has, in the order of units.

    is_outcome: an outcome, known once the request is under way.
    """

    name: str
    values: tuple[str, ...]
    units: Places
    codes: Places
    is_outcome: bool = False

    @classmethod
    def of_texts(
        cls, name: str, texts: Sequence[str | None] | NDArray[np.object_], *, is_outcome: bool = False
    ) -> Field:
        """A field of which each unit has at most one value."""
        array = pa.array(texts, type=pa.string()).dictionary_encode()
        has = np.flatnonzero(array.indices.is_valid())
        column = Column(units=has, codes=array.indices.drop_null().to_numpy(), texts=array.dictionary)
        return _field(name, column, is_outcome=is_outcome)

    def having(self, value: int, count: int) -> Marks:
        """Which of `count` units have a value."""
        found = np.zeros(count, dtype=bool)
        found[self.units[self.codes == value]] = True
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Units:
    """Units in the order of time. at_s: since 1970. word: what they are. left_out: fields whose values are too many to be compared, and why.

    ids: the numbers of their first entries. asked: which of them hold the entry of a request, beside messages of its trace.
    """

    at_s: Numbers
    fields: tuple[Field, ...]
    word: str
    left_out: tuple[tuple[str, str], ...] = ()
    ids: Places | None = None
    asked: Marks | None = None

    def __len__(self) -> int:
        return len(self.at_s)

    def marked(self, ids: Places) -> Marks:
        """Which units have one of these ids."""
        assert self.ids is not None
        found = np.zeros(int(max(self.ids.max(initial=0), ids.max(initial=0))) + 1, dtype=bool)
        found[ids] = True
        return np.asarray(found[self.ids])

    def without(self, names: Iterable[str]) -> Units:
        """The same units without some fields."""
        gone = set(names)
        return replace(self, fields=tuple(field for field in self.fields if field.name not in gone))


def of_records(read: Records, *, of_requests: bool) -> Units:
    """The requests of a log, or its entries of no request, without those of our own probes."""
    found = columns.of(read.derived, of_requests=of_requests)
    at_s, ids, asked = found.at_s, found.ids, found.held("http_status")
    every = np.arange(len(found), dtype=np.int32)
    fields = [
        _shared(_of_name(name, found, each_has_one=not (NAMES[name].many and of_requests)), every)
        for name in sorted(COUNTED, key=lambda name: NAMES[name].many)
    ]
    # Who asked is counted by its name alone.
    keys = [key for key in read.keys[:MOST_KEYS] if key not in read.user_keys]
    unit_of = found.by_row([pq.read_metadata(file).num_rows for file in read.files])
    # What is as long as a log goes as soon as it can.
    del found
    of_keys = columns.keys(unit_of, read.files, keys, size=len(every))
    held = [_shared(_field(read.known.short(key), column), every) for key, column in of_keys]
    single = [field for field in fields if not NAMES[field.name].many]
    many = [field for field in fields if NAMES[field.name].many]
    fields = [field for field in (*single, *held, *many) if field.values]
    left_out = tuple((field.name, why) for field in fields if (why := _why_not(field)))
    return Units(
        at_s=at_s,
        fields=tuple(fields),
        word="requests" if of_requests else "entries",
        left_out=left_out,
        ids=ids,
        asked=asked,
    )


def _shared(field: Field, every: Places) -> Field:
    """The same field with the places of all units, where each of them has a value: one list for all such fields."""
    return replace(field, units=every) if np.array_equal(field.units, every) else field


def _of_name(name: str, read: Columns, *, each_has_one: bool) -> Field:
    about = NAMES[name]
    if about.is_number:
        numbers = read.numbers(about.column)
        column = _of_numbers(numbers) if name == "status" else _cut(numbers)
    else:
        column = read.texts(about.column) if each_has_one else read.all_texts(about.column)
    return _field(name, column, is_outcome=about.is_outcome)


def _of_numbers(values: Numbers) -> Column:
    """Whole numbers as texts."""
    units = np.flatnonzero(np.isfinite(values))
    distinct, codes = np.unique(values[units], return_inverse=True)
    return Column(units=units, codes=codes, texts=pa.array([f"{value:.0f}" for value in distinct.tolist()], pa.string()))  # fmt: skip


def _cut(values: Numbers) -> Column:
    """Numbers as the part of all of them that they lie in."""
    units = np.flatnonzero(np.isfinite(values))
    if not len(units):
        return Column(units=units, codes=units, texts=pa.array([], pa.string()))
    edges = np.unique(np.quantile(values[units], QUANTILES))
    titles = [f"up to {edges[0]:.3g}", *(f"over {edge:.3g}" for edge in edges)]
    # Edges that lie close together may have the same title.
    distinct = list(dict.fromkeys(titles))
    number = np.array([distinct.index(title) for title in titles])
    codes = number[np.searchsorted(edges, values[units], side="left")]
    return Column(units=units, codes=codes, texts=pa.array(distinct, pa.string()))


def _field(name: str, column: Column, *, is_outcome: bool = False) -> Field:
    units, codes, texts = column.units, column.codes, column.texts
    counts = np.bincount(codes, minlength=len(texts))
    there = np.count_nonzero(counts)
    counts[np.asarray(pc.equal(texts, ""), dtype=bool)] = 0
    frequent = np.argsort(-counts, kind="stable")[:MOST_VALUES]
    frequent = frequent[counts[frequent] > 0]
    number = np.full(len(texts), -1, dtype=CODES)
    number[frequent] = np.arange(len(frequent))
    if len(frequent) < there:
        kept = number[codes] >= 0
        units, codes = units[kept], codes[kept]
    codes = number.astype(SHORT if len(frequent) <= FEW else CODES)[codes]
    if len(units) > 1 and (np.diff(units) < 0).any():
        order = np.argsort(units, kind="stable")
        units, codes = units[order], codes[order]
    return Field(
        name=name,
        values=tuple(texts.take(pa.array(frequent)).to_pylist()),
        units=units.astype(np.int32, copy=False),
        codes=codes,
        is_outcome=is_outcome,
    )


def _why_not(field: Field) -> str:
    """Why a field is not counted: nearly every unit has a value of its own. Empty where it is."""
    counts = np.bincount(field.codes, minlength=len(field.values))
    # They are in order: the first of each is where another begins.
    carriers = int(np.count_nonzero(np.diff(field.units))) + min(1, len(field.units))
    if len(field.values) >= MOST_VALUES and counts.sum() < carriers / 2:
        return "its values are too many"
    if carriers > 1 and (counts == 1).sum() > carriers / 2:
        return "most of its values occur once"
    return ""
