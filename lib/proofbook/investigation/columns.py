"""Columns of entries as numbers by unit, read from Parquet as they lie there: a text that comes again and again is one entry of a dictionary."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
# Values of keys are held for so many pairs of an entry and a key at once.
HELD_AT_ONCE = 20_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """Texts of units. units, codes: pairs of a unit and the number of its text in `texts`."""

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
        found[self.unit[np.asarray(_read(self.file, name).is_valid())[self.counted]]] = True
        return found

    def numbers(self, name: str) -> Numbers:
        """The largest number of each unit, NaN where it has none."""
        values = _read(self.file, name).cast(pa.float64()).to_numpy()[self.counted]
        found = np.full(len(self), np.nan)
        np.fmax.at(found, self.unit, values)
        return found

    def texts(self, name: str) -> Column:
        """The last text by the alphabet of each unit that has one."""
        return _largest(*self._coded(name), size=len(self))

    def all_texts(self, name: str) -> Column:
        """Every text of each unit, once, but for empty ones."""
        units, codes, texts = self._coded(name)
        kept = np.asarray(pc.not_equal(texts, ""))[codes] if len(codes) else np.zeros(0, dtype=bool)
        largest = _largest(units[kept], codes[kept], texts, size=len(self))
        of_unit = np.full(len(self), -1, dtype=np.int32)
        of_unit[largest.units] = largest.codes
        # Most units have one: what is left is little.
        more = kept & (of_unit[units] != codes)
        pairs = np.unique(np.stack([units[more], codes[more]]), axis=1) if more.any() else np.zeros((2, 0), dtype=np.int32)  # fmt: skip
        both = [np.concatenate(parts) for parts in zip((largest.units, largest.codes), pairs, strict=True)]
        return Column(units=both[0], codes=both[1], texts=texts)

    def _coded(self, name: str) -> tuple[Places, Places, pa.Array]:
        """Of each entry that holds a text its unit and the number of the text."""
        column = pq.ParquetFile(self.file, read_dictionary=[name]).read(columns=[name]).column(0)
        codes, texts = _codes(column)
        codes = codes[self.counted]
        there = codes >= 0
        return self.unit[there], codes[there], texts


def of(file: Path, *, of_requests: bool) -> Columns:
    """The entries that belong to requests, or those that do not, without those of our own probes."""
    own, of_request = (np.asarray(_read(file, name)) for name in ("own", "of_request"))
    counted = ~own & (of_request == of_requests)
    del own, of_request
    ids, unit = np.unique(_read(file, "unit").to_numpy()[counted], return_inverse=True)
    at_us = np.full(len(ids), np.iinfo(np.int64).max)
    np.minimum.at(at_us, unit, _read(file, "timestamp").cast(pa.int64()).to_numpy()[counted])
    order = np.lexsort((ids, at_us))
    place = np.empty(len(ids), dtype=np.int32)
    place[order] = np.arange(len(ids), dtype=np.int32)
    return Columns(file=file, counted=counted, unit=place[unit], ids=ids[order], at_s=at_us[order] / 1e6)


def keys(read: Columns, files: Sequence[Path], wanted: Sequence[str]) -> Iterator[tuple[str, Column]]:
    """Of each key of the entries of logs what units have under it. files: the logs, in the order in which their rows are numbered."""
    rows = _read(read.file, "row").to_numpy()[read.counted]
    lengths = [pq.read_metadata(file).num_rows for file in files]
    unit_of = np.full(sum(lengths), -1, dtype=np.int32)
    unit_of[rows] = read.unit
    del rows
    at_once = max(1, HELD_AT_ONCE // max(1, len(unit_of)))
    for first in range(0, len(wanted), at_once):
        some = wanted[first : first + at_once]
        found: dict[str, list[tuple[Places, pa.Array]]] = {key: [] for key in some}
        for file, begins in zip(files, np.cumsum([0, *lengths]).tolist(), strict=False):
            for key, at, values in _of_keys(file, set(some)):
                units = unit_of[begins + at]
                found[key].append((units[units >= 0], values.filter(pa.array(units >= 0))))
        for key in some:
            yield key, _together(found.pop(key), size=len(read))


def _of_keys(file: Path, wanted: set[str]) -> Iterator[tuple[str, Places, pa.Array]]:
    """Key by key and piece by piece the rows of a log that hold something under it, and what."""
    with pq.ParquetFile(file) as opened:
        names = [opened.schema.column(place).path for place in range(len(opened.schema))]
    paths = [name for name in names if name.startswith("fields.")]
    if not paths:
        # Evidence of older versions.
        return
    begins = 0
    with pq.ParquetFile(file, read_dictionary=paths) as opened:
        for group in range(opened.num_row_groups):
            for piece in opened.read_row_group(group, columns=["fields"]).column(0).chunks:
                offsets = piece.offsets.to_numpy()
                held = slice(int(offsets[0]), int(offsets[-1]))
                named, values = piece.keys[held], piece.items[held]
                row = np.repeat(np.arange(begins, begins + len(piece)), np.diff(offsets))
                codes = named.indices.to_numpy(zero_copy_only=False)
                for number, key in enumerate(named.dictionary.to_pylist()):
                    if key in wanted:
                        there = np.flatnonzero(codes == number)
                        yield key, row[there], values.take(pa.array(there))
                begins += len(piece)


def _together(parts: Sequence[tuple[Places, pa.Array]], *, size: int) -> Column:
    if not parts:
        return Column(units=np.zeros(0, np.int32), codes=np.zeros(0, np.int32), texts=pa.array([], pa.string()))  # fmt: skip
    units = np.concatenate([units for units, _ in parts])
    codes, texts = _codes(pa.chunked_array([values for _, values in parts]))
    return _largest(units[codes >= 0], codes[codes >= 0], texts, size=size)


def _codes(column: pa.ChunkedArray) -> tuple[Places, pa.Array]:
    """Of each text its number, −1 where there is none, and the texts."""
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    if not column.num_chunks:
        return np.zeros(0, dtype=np.int32), pa.array([], pa.string())
    whole = column.unify_dictionaries()
    parts = [part.indices.fill_null(-1).to_numpy(zero_copy_only=False) for part in whole.chunks]
    return np.concatenate(parts).astype(np.int32, copy=False), whole.chunk(0).dictionary


def _largest(units: Places, codes: Places, texts: pa.Array, *, size: int) -> Column:
    """Of units with several texts the last by the alphabet."""
    order = pc.array_sort_indices(texts).to_numpy().astype(np.int32)
    rank = np.empty(len(texts), dtype=np.int32)
    rank[order] = np.arange(len(texts), dtype=np.int32)
    best = np.full(size, -1, dtype=np.int32)
    np.maximum.at(best, units, rank[codes])
    has = np.flatnonzero(best >= 0).astype(np.int32)
    return Column(units=has, codes=order[best[has]], texts=texts)


def _read(file: Path, name: str) -> pa.ChunkedArray:
    return pq.ParquetFile(file).read(columns=[name]).column(0)
