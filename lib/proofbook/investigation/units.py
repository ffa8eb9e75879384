"""What is counted: requests (or entries, where there are none) in the order of time, each with the values that it has."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from proofbook.investigation import columns, mapped
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
        has = np.flatnonzero(array.indices.is_valid()).astype(np.int32)
        column = Column(units=has, codes=array.indices.drop_null().to_numpy(), texts=array.dictionary)
        return _field(name, column, Path(tempfile.gettempdir()), is_outcome=is_outcome)

    def having(self, value: int, count: int) -> Marks:
        """Which of `count` units have a value."""
        found = np.zeros(count, dtype=bool)
        found[self.units[self.codes == value]] = True
        return found

    def counts(self, marks: Marks) -> Places:
        """How many of the marked units have each value."""
        return self.counts_between(0, len(self.units), marks)

    def counts_between(self, first: int, end: int, *marks: Marks) -> Places:
        """How many of the units that are marked in all of `marks` have each value, of the pairs from `first` to `end`."""
        found = np.zeros(len(self.values), dtype=np.int64)
        for part in mapped.parts(end - first):
            here = slice(first + part.start, first + part.stop)
            units = self.units[here]
            has = np.logical_and.reduce([mark[units] for mark in marks])
            found += np.bincount(self.codes[here][has], minlength=len(self.values))
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
    every, folder = found.every, read.derived.parent
    fields = [
        _of_name(name, found, each_has_one=not (NAMES[name].many and of_requests))
        for name in sorted(COUNTED, key=lambda name: NAMES[name].many)
    ]
    # Who asked is counted by its name alone.
    keys = [key for key in read.keys[:MOST_KEYS] if key not in read.user_keys]
    unit_of = found.by_row([pq.read_metadata(file).num_rows for file in read.files])
    of_keys = columns.keys(unit_of, read.files, keys, every=every, folder=folder)
    held = [_field(read.known.short(key), column, folder) for key, column in of_keys]
    single = [field for field in fields if not NAMES[field.name].many]
    many = [field for field in fields if NAMES[field.name].many]
    fields = [field for field in (*single, *held, *many) if field.values]
    left_out = tuple((field.name, why) for field in fields if (why := _why_not(field)))
    mapped.leave()
    return Units(
        at_s=found.at_s,
        fields=tuple(fields),
        word="requests" if of_requests else "entries",
        left_out=left_out,
        ids=found.ids,
        asked=found.held("http_status"),
    )


def _of_name(name: str, read: Columns, *, each_has_one: bool) -> Field:
    about = NAMES[name]
    if about.is_number:
        numbers = read.numbers(about.column)
        column = _of_numbers(numbers, read) if name == "status" else _cut(numbers, read)
    else:
        column = read.texts(about.column) if each_has_one else read.all_texts(about.column)
    return _field(name, column, read.file.parent, is_outcome=about.is_outcome)


def _of_numbers(values: Numbers, read: Columns) -> Column:
    """Whole numbers as texts."""
    distinct = np.zeros(0)
    for part in mapped.parts(len(values)):
        some = values[part]
        distinct = np.union1d(distinct, some[np.isfinite(some)])
    texts = pa.array([f"{value:.0f}" for value in distinct.tolist()], pa.string())
    return _placed(values, lambda some: np.searchsorted(distinct, some), texts, read)


def _cut(values: Numbers, read: Columns) -> Column:
    """Numbers as the part of all of them that they lie in."""
    count = _finite(values)
    if not count:
        return _placed(values, lambda some: some, pa.array([], pa.string()), read)
    held, passed = mapped.new(count, np.float64, read.file.parent), 0
    for part in mapped.parts(len(values)):
        some = values[part]
        some = some[np.isfinite(some)]
        held[passed : passed + len(some)] = some
        passed += len(some)
    edges = np.unique(np.quantile(held, QUANTILES, overwrite_input=True))
    titles = [f"up to {edges[0]:.3g}", *(f"over {edge:.3g}" for edge in edges)]
    # Edges that lie close together may have the same title.
    distinct = list(dict.fromkeys(titles))
    number = np.array([distinct.index(title) for title in titles])
    texts = pa.array(distinct, pa.string())
    return _placed(values, lambda some: number[np.searchsorted(edges, some, side="left")], texts, read)


def _finite(values: Numbers) -> int:
    return sum(int(np.count_nonzero(np.isfinite(values[part]))) for part in mapped.parts(len(values)))


def _placed(values: Numbers, number: Callable[[Numbers], Places], texts: pa.Array, read: Columns) -> Column:
    """The units that have a number, each with the number of its text."""
    count = _finite(values)
    codes = mapped.new(count, np.int32, read.file.parent)
    units = read.every if count == len(values) else mapped.new(count, np.int32, read.file.parent)
    passed = 0
    for part in mapped.parts(len(values)):
        has = np.flatnonzero(np.isfinite(values[part]))
        to = slice(passed, passed + len(has))
        codes[to] = number(values[part][has])
        if units is not read.every:
            units[to] = has + part.start
        passed += len(has)
    return Column(units=units, codes=codes, texts=texts)


def _field(name: str, column: Column, folder: Path, *, is_outcome: bool = False) -> Field:
    units, codes, texts = column.units, column.codes, column.texts
    counts = _counted(codes, len(texts))
    there = np.count_nonzero(counts)
    counts[np.asarray(pc.equal(texts, ""), dtype=bool)] = 0
    frequent = np.argsort(-counts, kind="stable")[:MOST_VALUES]
    frequent = frequent[counts[frequent] > 0]
    number = np.full(len(texts), -1, dtype=CODES)
    number[frequent] = np.arange(len(frequent))
    size = int(counts[frequent].sum())
    kind = SHORT if len(frequent) <= FEW else CODES
    of_value = mapped.new(size, kind, folder)
    of_unit = units if len(frequent) == there else mapped.new(size, np.int32, folder)
    passed = 0
    for part in mapped.parts(len(codes)):
        some = number[codes[part]]
        kept = some >= 0
        to = slice(passed, passed + int(np.count_nonzero(kept)))
        of_value[to] = some[kept]
        if of_unit is not units:
            of_unit[to] = units[part][kept]
        passed = to.stop
    values = tuple(texts.take(pa.array(frequent)).to_pylist())
    return Field(name=name, values=values, units=of_unit, codes=of_value, is_outcome=is_outcome)


def _counted(codes: Places, size: int) -> Places:
    """How often each number comes."""
    found = np.zeros(size, dtype=np.int64)
    for part in mapped.parts(len(codes)):
        found += np.bincount(codes[part], minlength=size)
    return found


def _why_not(field: Field) -> str:
    """Why a field is not counted: nearly every unit has a value of its own. Empty where it is."""
    counts, units = _counted(field.codes, len(field.values)), field.units
    # They are in order: the first of each is where another begins.
    carriers = sum(int(np.count_nonzero(np.diff(units[part.start : part.stop + 1]))) for part in mapped.parts(len(units))) + min(1, len(units))  # fmt: skip
    if len(field.values) >= MOST_VALUES and counts.sum() < carriers / 2:
        return "its values are too many"
    if carriers > 1 and (counts == 1).sum() > carriers / 2:
        return "most of its values occur once"
    return ""
