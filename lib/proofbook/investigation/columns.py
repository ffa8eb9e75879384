"""Columns of entries as numbers by unit, read from Parquet piece by piece as they lie there: a text that comes again and again is one entry of a dictionary."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

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
    """The entries of a file that are counted. counted: which they are. unit: of each of those its unit, from 0 on in the order of time. ids, at_s: of units."""

    file: Path
    counted: Marks
    unit: Places
    ids: Places
    at_s: Numbers

    def __len__(self) -> int:
        return len(self.ids)

    def held(self, name: str) -> Marks:
        """Which units have an entry in which a column holds something."""
        found = np.zeros(len(self), dtype=bool)
        for units, values, counted in self._pieces(name):
            found[units[np.asarray(values.is_valid())[counted]]] = True
        return found

    def numbers(self, name: str) -> Numbers:
        """The largest number of each unit, NaN where it has none."""
        found = np.full(len(self), np.nan)
        for units, values, counted in self._pieces(name):
            np.fmax.at(found, units, _plain(values.cast(pa.float64()))[counted])
        return found

    def texts(self, name: str) -> Column:
        """The last text by the alphabet of each unit that has one."""
        return _largest(*_numbered(self._texts(name)), size=len(self))

    def all_texts(self, name: str) -> Column:
        """Every text of each unit, once, but for empty ones."""
        held, texts = _numbered(self._texts(name, but=""))
        largest = _largest(held, texts, size=len(self))
        of_unit = np.full(len(self), -1, dtype=np.int32)
        of_unit[largest.units] = largest.codes
        # Most units have one: what is left is little.
        more = [np.zeros((2, 0), dtype=np.int32)]
        more += [
            np.stack([units[other], number[codes[other]]])
            for units, codes, number in held
            if (other := of_unit[units] != number[codes]).any()
        ]
        pairs = np.unique(np.concatenate(more, axis=1), axis=1)
        both = [np.concatenate(parts) for parts in zip((largest.units, largest.codes), pairs, strict=True)]
        return Column(units=both[0], codes=both[1], texts=texts)

    def by_row(self, lengths: Sequence[int]) -> Places:
        """Of each row of logs of such lengths its unit, −1 where it has none that is counted."""
        found = np.full(sum(lengths), -1, dtype=np.int32)
        for units, rows, counted in self._pieces("row"):
            found[_plain(rows)[counted]] = units
        return found

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
        for (values,) in _read(self.file, name, as_dictionary=as_dictionary):
            counted = self.counted[row : row + len(values)]
            count = int(np.count_nonzero(counted))
            yield self.unit[passed : passed + count], values, counted
            row, passed = row + len(values), passed + count


def of(file: Path, *, of_requests: bool) -> Columns:
    """The entries that belong to requests, or those that do not, without those of our own probes."""
    count = pq.read_metadata(file).num_rows
    counted, unit = np.empty(count, dtype=bool), np.empty(count, dtype=np.int32)
    row = passed = 0
    for own, of_request, named in _read(file, "own", "of_request", "unit"):
        here = ~_plain(own) & (_plain(of_request) == of_requests)
        ids = _plain(named)[here]
        counted[row : row + len(here)], unit[passed : passed + len(ids)] = here, ids
        row, passed = row + len(here), passed + len(ids)
    unit = unit[:passed]
    there = np.zeros(int(unit.max(initial=-1)) + 1, dtype=bool)
    there[unit] = True
    ids = np.flatnonzero(there).astype(np.int32)
    # In place: what is as long as a log is held as seldom as can be.
    _take(np.cumsum(there, dtype=np.int32) - 1, unit)
    found = Columns(file=file, counted=counted, unit=unit, ids=ids, at_s=np.zeros(0))
    return _in_order(found, _first_us(found))


def _first_us(read: Columns) -> Places:
    """When the first entry of each unit was written, in microseconds since 1970."""
    found = np.full(len(read), np.iinfo(np.int64).max)
    for units, values, counted in read._pieces("timestamp"):
        np.minimum.at(found, units, _plain(values.cast(pa.int64()))[counted])
    return found


def _in_order(read: Columns, at_us: Places) -> Columns:
    """The same with units in the order of time."""
    ids, unit = read.ids, read.unit
    if (np.diff(at_us) < 0).any():
        order = np.lexsort((ids, at_us))
        place = np.empty(len(ids), dtype=np.int32)
        place[order] = np.arange(len(ids), dtype=np.int32)
        ids, unit, at_us = ids[order], place[unit], at_us[order]
    return Columns(file=read.file, counted=read.counted, unit=unit, ids=ids, at_s=at_us / 1e6)


def keys(
    unit_of: Places, files: Sequence[Path], wanted: Sequence[str], *, size: int
) -> Iterator[tuple[str, Column]]:
    """Of each key of the entries of logs what units have under it. unit_of: of each row its unit, in the order in which rows are numbered. size: how many units there are."""
    lengths = [pq.read_metadata(file).num_rows for file in files]
    at_once = max(1, HELD_AT_ONCE // max(1, len(unit_of)))
    for first in range(0, len(wanted), at_once):
        some = wanted[first : first + at_once]
        found: dict[str, list[Piece]] = {key: [] for key in some}
        for file, begins in zip(files, np.cumsum([0, *lengths]).tolist(), strict=False):
            for key, at, codes, texts in _of_keys(file, set(some)):
                units = unit_of[begins + at]
                found[key].append(_kept(units[units >= 0], codes[units >= 0], texts))
        for key in some:
            yield key, _largest(*_numbered(found.pop(key)), size=size)


def _of_keys(file: Path, wanted: set[str]) -> Iterator[tuple[str, Places, Places, pa.Array]]:
    """Key by key and piece by piece the rows of a log that hold something under it, the number of what, and the texts."""
    with pq.ParquetFile(file) as opened:
        names = [opened.schema.column(place).path for place in range(len(opened.schema))]
    paths = [name for name in names if name.startswith("fields.")]
    if not paths:
        # Evidence of older versions.
        return
    begins = 0
    with pq.ParquetFile(file, read_dictionary=paths) as opened:
        for group in range(opened.num_row_groups):
            for piece in opened.read_row_group(group, columns=["fields"], use_threads=False).column(0).chunks:
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


def _numbered(pieces: Iterable[Piece]) -> tuple[list[tuple[Places, Places, Places]], pa.Array]:
    """Of each piece the units, the numbers of texts, and for each of those its number among all texts; and these."""
    held = list(pieces)
    whole = pa.chunked_array([piece.texts for piece in held], pa.string()).combine_chunks()
    whole = whole.dictionary_encode()
    ends = np.cumsum([len(piece.texts) for piece in held])
    numbers = np.split(_plain(whole.indices), ends)
    return [(piece.units, piece.codes, number) for piece, number in zip(held, numbers, strict=False)], whole.dictionary  # fmt: skip


def _largest(held: Iterable[tuple[Places, Places, Places]], texts: pa.Array, *, size: int) -> Column:
    """Of units with several texts the last by the alphabet."""
    order = pc.array_sort_indices(texts).to_numpy().astype(np.int32)
    rank = np.empty(len(texts), dtype=np.int32)
    rank[order] = np.arange(len(texts), dtype=np.int32)
    best = np.full(size, -1, dtype=np.int32)
    for units, codes, number in held:
        np.maximum.at(best, units, rank[number][codes])
    has = np.flatnonzero(best >= 0).astype(np.int32)
    best = best[has] if len(has) < size else best
    _take(order, best)
    return Column(units=has, codes=best, texts=texts)


def _take(values: Places, places: Places) -> None:
    """Puts the values in these places there, in place of their numbers."""
    if len(places):
        np.take(values, places, out=places, mode="clip")


def _read(file: Path, *names: str, as_dictionary: bool = False) -> Iterator[list[pa.Array]]:
    """Columns, piece by piece. By this thread alone: others keep for long what they once needed."""
    with pq.ParquetFile(file, read_dictionary=list(names) if as_dictionary else None) as opened:
        for group in range(opened.num_row_groups):
            for batch in opened.read_row_group(group, columns=list(names), use_threads=False).to_batches():
                yield [batch.column(name) for name in names]


def _plain(values: pa.Array) -> Any:
    return values.to_numpy(zero_copy_only=False)
