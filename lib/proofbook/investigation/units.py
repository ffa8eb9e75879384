"""What is counted: requests (or entries, where there are none) in the order of time, each with the values that it has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from proofbook.config.duckdb_text import quoted
from proofbook.investigation.names import COUNTED, NAMES
from proofbook.investigation.prepare import view_for

if TYPE_CHECKING:
    from proofbook.investigation.records import Records

Places = NDArray[np.int64]
Marks = NDArray[np.bool_]
Numbers = NDArray[np.float64]
# Of a field at most so many values are kept, the most frequent, and of the keys of entries the most frequent.
MOST_VALUES, MOST_KEYS = 3000, 40
# Keys are read so many at a time, so that the texts of all of them are never in memory together.
KEYS_AT_ONCE = 4
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
        array = pa.array(texts, type=pa.string())
        return _field(name, np.arange(len(array)), array, is_outcome=is_outcome)

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

    def marked(self, ids: Iterable[int]) -> Marks:
        """Which units have one of these ids."""
        assert self.ids is not None
        return np.isin(self.ids, np.fromiter(ids, dtype=np.int64))

    def without(self, names: Iterable[str]) -> Units:
        """The same units without some fields."""
        gone = set(names)
        return replace(self, fields=tuple(field for field in self.fields if field.name not in gone))


def of_records(read: Records, *, of_requests: bool) -> Units:
    """The requests of a log, or its entries of no request, without those of our own probes."""
    where = f"NOT own AND {'of_request' if of_requests else 'NOT of_request'}"
    # Who asked is counted by its name alone.
    keys = [key for key in read.keys[:MOST_KEYS] if key not in read.user_keys]
    single = [name for name in COUNTED if not (NAMES[name].many and of_requests)]
    columns = [f'max("{NAMES[name].column}") AS c{number}' for number, name in enumerate(single)]
    found = read.arrow(
        f"SELECT unit, epoch(min(timestamp)) AS at_s, bool_or(http_status IS NOT NULL) AS asked, {', '.join(columns)} FROM {view_for(*columns)} WHERE {where} GROUP BY unit ORDER BY at_s, unit"
    )
    ids, at_s, asked = found["unit"].to_numpy(), found["at_s"].to_numpy(), found["asked"].to_numpy()
    fields, each = [], np.arange(len(ids))
    for title, name in zip(single, found.column_names[3:], strict=True):
        fields.append(_of_column(title, each, found[name].combine_chunks()))
    del found
    places = np.empty(read.count, dtype=np.int64)
    places[ids] = each
    for title, units, values in _of_keys(read, keys, where=where):
        fields.append(_field(title, places[units], values, is_outcome=False))
    if of_requests:
        for name in (name for name in COUNTED if NAMES[name].many):
            pairs = read.arrow(
                f'SELECT DISTINCT unit, "{NAMES[name].column}" AS v FROM {view_for(NAMES[name].column)} WHERE {where} AND "{NAMES[name].column}" <> \'\''
            )
            units = places[pairs["unit"].to_numpy()]
            fields.append(_field(name, units, pairs["v"].combine_chunks(), is_outcome=NAMES[name].is_outcome))
    fields = [field for field in fields if field.values]
    left_out = tuple((field.name, why) for field in fields if (why := _why_not(field)))
    return Units(
        at_s=at_s,
        fields=tuple(fields),
        word="requests" if of_requests else "entries",
        left_out=left_out,
        ids=ids,
        asked=asked,
    )


def _of_keys(read: Records, keys: Sequence[str], *, where: str) -> Iterator[tuple[str, Places, pa.Array]]:
    """Of each key of entries its name, the ids of units and the value that each has."""
    for first in range(0, len(keys), KEYS_AT_ONCE):
        some = keys[first : first + KEYS_AT_ONCE]
        columns = ", ".join(f"max(fields[{quoted(key)}]) AS k{number}" for number, key in enumerate(some))
        held = read.arrow(f"SELECT unit, {columns} FROM {read.relation} WHERE {where} GROUP BY unit")
        for key, name in zip(some, held.column_names[1:], strict=True):
            yield read.known.short(key), held["unit"].to_numpy(), held[name].combine_chunks()


def _of_column(name: str, units: Places, column: pa.Array) -> Field:
    about = NAMES.get(name)
    is_outcome = about is not None and about.is_outcome
    if about is not None and about.is_number and name != "status":
        column = _cut(column.to_numpy(zero_copy_only=False).astype(float))
    else:
        column = column.cast(pa.string())
    return _field(name, units, column, is_outcome=is_outcome)


def _cut(values: Numbers) -> pa.Array:
    """Numbers as the part of all of them that they lie in."""
    known = np.isfinite(values)
    if not known.any():
        return pa.nulls(len(values), pa.string())
    edges = np.unique(np.quantile(values[known], QUANTILES))
    titles = [f"up to {edges[0]:.3g}", *(f"over {edge:.3g}" for edge in edges)]
    parts = pa.array(np.searchsorted(edges, values, side="left").astype(np.int32), mask=~known)
    coded = pa.DictionaryArray.from_arrays(parts, pa.array(titles))
    # Edges that lie close together may have the same title.
    return coded if len(set(titles)) == len(titles) else coded.cast(pa.string())


def _field(name: str, units: Places, column: pa.Array, *, is_outcome: bool) -> Field:
    coded = column.dictionary_encode()
    values = [str(value) for value in coded.dictionary.to_pylist()]
    codes = coded.indices.fill_null(0).to_numpy(zero_copy_only=False)
    if coded.null_count:
        has = np.asarray(coded.indices.is_valid())
        units, codes = units[has], codes[has]
    counts = np.bincount(codes, minlength=len(values))
    there = np.count_nonzero(counts)
    counts[[number for number, value in enumerate(values) if value == ""]] = 0
    frequent = np.argsort(-counts, kind="stable")[:MOST_VALUES]
    frequent = frequent[counts[frequent] > 0]
    number = np.full(len(values) + 1, -1)
    number[frequent] = np.arange(len(frequent))
    codes = number[codes]
    if len(frequent) < there:
        units, codes = units[codes >= 0], codes[codes >= 0]
    if len(units) > 1 and (np.diff(units) < 0).any():
        order = np.argsort(units, kind="stable")
        units, codes = units[order], codes[order]
    return Field(
        name=name,
        values=tuple(values[place] for place in frequent),
        units=units,
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
