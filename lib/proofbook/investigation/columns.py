"""Columns of entries as numbers by unit, read from Parquet piece by piece as they lie there: a text that comes again and again is one entry of a dictionary."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from proofbook.investigation import mapped

Numbers: TypeAlias = NDArray[np.float64]
Marks: TypeAlias = NDArray[np.bool_]
# Numbers of units, entries and values.
Places: TypeAlias = NDArray[Any]
# Values of keys are held for so many pairs of an entry and a key at once, each in six bytes or eight.
HELD_AT_ONCE = 12_000_000
# The number of a text, where a piece of a log has no more of them than this.
FEW, SHORT = 2**16, np.uint16


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """Texts of units. units, codes: pairs of a unit and the number of its text in `texts`."""

    units: Places
    codes: Places
    texts: pa.Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Texts of some entries. units: the unit of each; codes: the number of its text in `texts`."""

    units: Places
    codes: Places
    texts: pa.Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """The entries of a file that are counted. counted: which they are. unit: of each of those its unit, from 0 on in the order of time. every, ids, at_s: of units."""

    file: Path
    counted: Marks
    unit: Places
    every: Places
    ids: Places
    at_s: Numbers

    def __len__(self) -> int:
        return len(self.ids)

    def held(self, name: str) -> Marks:
        """Which units have an entry in which a column holds something."""
        found = self.new(bool)
        for units, values, counted in self._pieces(name):
            found[units[np.asarray(values.is_valid())[counted]]] = True
        return found

    def numbers(self, name: str) -> Numbers:
        """The largest number of each unit, NaN where it has none."""
        found = self.new(np.float64, value=np.nan)
        for units, values, counted in self._pieces(name):
            np.fmax.at(found, units, _plain(values.cast(pa.float64()))[counted])
        return found

    def texts(self, name: str) -> Column:
        """The last text by the alphabet of each unit that has one."""
        return Largest(self.every, self.file.parent, self._texts(name)).column()

    def all_texts(self, name: str) -> Column:
        """Every text of each unit, once, but for empty ones: the last by the alphabet first."""
        largest = Largest(self.every, self.file.parent, self._texts(name, but=""))
        column, more = largest.column(), largest.others()
        if not more.size:
            return column
        units, codes = (mapped.new(len(column.units) + more.shape[1], np.int32, self.file.parent) for _ in range(2))  # fmt: skip
        for part in mapped.parts(len(column.units)):
            ends = column.units[part.stop] if part.stop < len(column.units) else len(self)
            begun, ended = np.searchsorted(more[0], [column.units[part.start] if part.start else 0, ends])
            both = np.concatenate([column.units[part], more[0, begun:ended]])
            order = np.argsort(both, kind="stable")
            to = slice(part.start + begun, part.stop + ended)
            units[to], codes[to] = both[order], np.concatenate([column.codes[part], more[1, begun:ended]])[order]  # fmt: skip
        return Column(units=units, codes=codes, texts=column.texts)

    def by_row(self, lengths: Sequence[int]) -> Places:
        """Of each row of logs of such lengths its unit, −1 where it has none that is counted."""
        found = mapped.new(sum(lengths), np.int32, self.file.parent, value=-1)
        for units, rows, counted in self._pieces("row"):
            found[_plain(rows)[counted]] = units
        return found

    def new(self, kind: Any, *, value: float = 0) -> Places:
        """An array with a value for each unit."""
        return mapped.new(len(self), kind, self.file.parent, value=value)

    def _texts(self, name: str, *, but: str | None = None) -> Iterator[Piece]:
        """What entries say, but for one text."""
        for units, values, counted in self._pieces(name, as_dictionary=True):
            codes, texts = _coded(values)
            codes = codes[counted]
            there = codes >= 0
            if but is not None and len(texts):
                there &= np.asarray(pc.not_equal(texts, but), dtype=bool)[codes]
            # Where each says something no copy is made.
            yield _kept(units if there.all() else units[there], codes[there], texts)

    def _pieces(self, name: str, *, as_dictionary: bool = False) -> Iterator[tuple[Places, pa.Array, Marks]]:
        """Piece by piece the units of entries that are counted, the values of all of them, and which are counted."""
        row = passed = 0
        for (values,) in _read(self.file, name, dictionaries=[name] if as_dictionary else None):
            counted = self.counted[row : row + len(values)]
            count = int(np.count_nonzero(counted))
            yield self.unit[passed : passed + count], values, counted
            row, passed = row + len(values), passed + count


def of(file: Path, *, of_requests: bool) -> Columns:
    """The entries that belong to requests, or those that do not, without those of our own probes."""
    count, folder = pq.read_metadata(file).num_rows, file.parent
    counted, there = (mapped.new(count, bool, folder) for _ in range(2))
    unit = mapped.new(count, np.int32, folder)
    row = passed = 0
    for own, of_request, named in _read(file, "own", "of_request", "unit"):
        here = ~_plain(own) & (_plain(of_request) == of_requests)
        held = _plain(named)[here]
        counted[row : row + len(here)], unit[passed : passed + len(held)] = here, held
        there[held] = True
        row, passed = row + len(here), passed + len(held)
    unit = unit[:passed]
    ids = _numbered_from_0(unit, there, folder)
    every = mapped.numbered(len(ids), folder)
    found = Columns(file=file, counted=counted, unit=unit, every=every, ids=ids, at_s=np.zeros(0))
    return _in_order(found, _first_us(found))


def _numbered_from_0(unit: Places, there: Marks, folder: Path) -> Places:
    """The numbers of units that are there, which in `unit` become their places among these."""
    ids = mapped.new(sum(int(np.count_nonzero(there[part])) for part in mapped.parts(len(there))), np.int32, folder)  # fmt: skip
    place = mapped.new(len(there), np.int32, folder)
    passed = 0
    for part in mapped.parts(len(there)):
        here = np.flatnonzero(there[part])
        ids[passed : passed + len(here)] = here + part.start
        place[part] = np.cumsum(there[part]) + (passed - 1)
        passed += len(here)
    for part in mapped.parts(len(unit)):
        unit[part] = place[unit[part]]
    return ids


def _first_us(read: Columns) -> Places:
    """When the first entry of each unit was written, in microseconds since 1970."""
    found = read.new(np.int64, value=np.iinfo(np.int64).max)
    for units, values, counted in read._pieces("timestamp"):
        np.minimum.at(found, units, _plain(values.cast(pa.int64()))[counted])
    return found


def _in_order(read: Columns, at_us: Places) -> Columns:
    """The same with units in the order of time."""
    ids, unit = read.ids, read.unit
    if mapped.descends(at_us):
        order = np.lexsort((ids, at_us))
        place = np.empty(len(ids), dtype=np.int32)
        place[order] = np.arange(len(ids), dtype=np.int32)
        ids, at_us = ids[order], at_us[order]
        for part in mapped.parts(len(unit)):
            unit[part] = place[unit[part]]
    at_s = read.new(np.float64)
    for part in mapped.parts(len(at_s)):
        at_s[part] = at_us[part] / 1e6
    return replace(read, ids=ids, at_s=at_s)


class Largest:
    """Of units with several texts the last by the alphabet, and which others they have, from pieces that come one after the other."""

    def __init__(self, every: Places, folder: Path, pieces: Iterable[Piece] = ()) -> None:
        self._every, self._folder = every, folder
        self._texts = pa.array([], pa.string())
        self._best = mapped.new(len(every), np.int32, folder, value=-1)
        self._torn = [np.zeros((2, 0), dtype=np.int32)]
        self._waiting: list[Piece] = []
        for piece in pieces:
            self.add(piece)

    def add(self, piece: Piece) -> None:
        """Takes a piece; so many of them wait until they are worth a look at all texts."""
        self._waiting.append(piece)
        if sum(len(waiting.units) for waiting in self._waiting) >= mapped.AT_ONCE:
            self._take()

    def column(self) -> Column:
        """The last text by the alphabet of each unit that has one."""
        self._take()
        best, every = self._best, self._every
        count = sum(int(np.count_nonzero(best[part] >= 0)) for part in mapped.parts(len(best)))
        if count == len(best):
            return Column(units=every, codes=best, texts=self._texts)
        units, codes = (mapped.new(count, np.int32, self._folder) for _ in range(2))
        passed = 0
        for part in mapped.parts(len(best)):
            has = np.flatnonzero(best[part] >= 0)
            to = slice(passed, passed + len(has))
            units[to], codes[to] = has + part.start, best[part][has]
            passed += len(has)
        return Column(units=units, codes=codes, texts=self._texts)

    def others(self) -> Places:
        """Pairs of a unit and another text of it, in order."""
        pairs = np.unique(np.concatenate(self._torn, axis=1), axis=1)
        return pairs[:, self._best[pairs[0]] != pairs[1]]

    def _take(self) -> None:
        pieces, self._waiting = self._waiting, []
        known = len(self._texts)
        whole = pa.chunked_array([self._texts, *(piece.texts for piece in pieces)], pa.string())
        whole = whole.combine_chunks().dictionary_encode()
        # What was known keeps its number.
        self._texts = whole.dictionary
        numbers = np.split(_plain(whole.indices)[known:], np.cumsum([len(piece.texts) for piece in pieces]))
        for piece, number in zip(pieces, numbers, strict=False):
            self._keep(piece.units, number[piece.codes])

    def _keep(self, units: Places, codes: Places) -> None:
        best = self._best
        before = best[units]
        best[units] = codes
        torn = (best[units] != codes) | ((before >= 0) & (before != codes))
        if not torn.any():
            return
        units = units[torn]
        pairs = np.stack([np.tile(units, 3), np.concatenate([codes[torn], before[torn], best[units]])])
        pairs = np.unique(pairs[:, pairs[1] >= 0], axis=1)
        self._torn.append(pairs)
        named, number = np.unique(pairs[1], return_inverse=True)
        rank = np.empty(len(named), dtype=np.int32)
        rank[pc.array_sort_indices(self._texts.take(pa.array(named))).to_numpy()] = np.arange(len(named))
        units, codes = pairs[:, np.lexsort((rank[number], pairs[0]))]
        last = np.append(units[1:] != units[:-1], True)
        best[units[last]] = codes[last]


def keys(
    unit_of: Places, files: Sequence[Path], wanted: Sequence[str], *, every: Places, folder: Path
) -> Iterator[tuple[str, Column]]:
    """Of each key of the entries of logs what units have under it. unit_of: of each row its unit, in the order in which rows are numbered. every: all units."""
    lengths = [pq.read_metadata(file).num_rows for file in files]
    at_once = max(1, HELD_AT_ONCE // max(1, min(len(unit_of), mapped.AT_ONCE)))
    for first in range(0, len(wanted), at_once):
        some = {key: Largest(every, folder) for key in wanted[first : first + at_once]}
        for file, begins in zip(files, np.cumsum([0, *lengths]).tolist(), strict=False):
            for key, at, codes, texts in _of_keys(file, set(some)):
                units = unit_of[begins + at]
                some[key].add(_kept(units[units >= 0], codes[units >= 0], texts))
        for key in list(some):
            yield key, some.pop(key).column()


def _of_keys(file: Path, wanted: set[str]) -> Iterator[tuple[str, Places, Places, pa.Array]]:
    """Key by key and piece by piece the rows of a log that hold something under it, the number of what, and the texts."""
    with pq.ParquetFile(file) as opened:
        names = [opened.schema.column(place).path for place in range(len(opened.schema))]
    paths = [name for name in names if name.startswith("fields.")]
    if not paths:
        # Evidence of older versions.
        return
    begins = 0
    for (piece,) in _read(file, "fields", dictionaries=paths):
        offsets = piece.offsets.to_numpy()
        held = slice(int(offsets[0]), int(offsets[-1]))
        named, (codes, texts) = piece.keys[held], _coded(piece.items[held])
        row = np.repeat(np.arange(begins, begins + len(piece)), np.diff(offsets))
        numbers = _plain(named.indices)
        for number, key in enumerate(named.dictionary.to_pylist()):
            if key in wanted:
                there = np.flatnonzero((numbers == number) & (codes >= 0))
                yield key, row[there], codes[there], texts
        begins += len(piece)


def _kept(units: Places, codes: Places, texts: pa.Array) -> Piece:
    """A piece with the texts alone that it names, and their numbers as short as can be."""
    used = np.flatnonzero(np.bincount(codes, minlength=len(texts)))
    to = np.zeros(len(texts), dtype=SHORT if len(used) <= FEW else np.int32)
    to[used] = np.arange(len(used))
    return Piece(units=units, codes=to[codes], texts=texts.take(pa.array(used)))


def _coded(values: pa.Array) -> tuple[Places, pa.Array]:
    """Of each text its number, −1 where there is none, and the texts."""
    if not pa.types.is_dictionary(values.type):
        values = values.dictionary_encode()
    return _plain(values.indices.fill_null(-1)), values.dictionary.cast(pa.string())


def _read(file: Path, *names: str, dictionaries: Sequence[str] | None = None) -> Iterator[list[pa.Array]]:
    """Columns, piece by piece. By this thread alone: others keep for long what they once needed."""
    passed = 0
    with pq.ParquetFile(file, read_dictionary=dictionaries) as opened:
        for group in range(opened.num_row_groups):
            for batch in opened.read_row_group(group, columns=list(names), use_threads=False).to_batches():
                yield [batch.column(name) for name in names]
                passed += batch.num_rows
            if passed >= mapped.AT_ONCE:
                mapped.leave()
                passed = 0


def _plain(values: pa.Array) -> Any:
    return values.to_numpy(zero_copy_only=False)
