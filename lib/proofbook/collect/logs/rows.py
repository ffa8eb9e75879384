"""The rows of logs in columns, as Arrow batches: a row is an entry, also where a cell holds line ends."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from proofbook.collect.logs import lines
from proofbook.collect.logs.columns import DATED, NAMED_FIELDS, PREAMBLE, Columns, fields_of, name_of
from proofbook.collect.logs.documents import Bytes

# A row of more lines has a quote that nothing closes.
MAX_ROW_LINES = 200
_QUOTE, _NEWLINE = ord('"'), ord("\n")


def schema_of(columns: Columns) -> pa.Schema:
    """Of the batches of `rows`: those of lines, where text is the row as it stands, and `cells`, NULL in a line that is no row."""
    cells = pa.struct([(name_of(place), pa.string()) for place in range(len(columns.names))])
    return lines.SCHEMA.append(pa.field("cells", cells))


def rows(file: Bytes, columns: Columns) -> Iterator[pa.RecordBatch]:
    """The rows of a file, as batches; headers, comments and blank lines are left out. A line that is no row stands alone, as a stray.

    Memory holds a block and the longest row.
    """
    open_, line, now = b"", 1, _Told(names=columns.names_in_rows)
    for data, is_last in lines.blocks(file):
        block = open_ + data
        edges = _edges(block, quoted=columns.quoted)
        # The last row may go on in the next block, unless a quote is broken.
        last = int(edges.starts[-1])
        whole = len(block) if is_last or len(block) - last > lines.MAX_ENTRY_BYTES else last
        open_, edges = block[whole:], edges.until(whole)
        for part in _between_comments(block[:whole], columns, now, first_line=line, edges=edges):
            now = part.told
            yield _batch(part, columns)
        line += len(edges.ends)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """What the comments before rows state: the names of their columns, and their date."""

    names: tuple[str, ...]
    date: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Edges:
    """Where each line ends, and where each row begins and the last one ends."""

    ends: npt.NDArray[np.int64]
    starts: npt.NDArray[np.int64]

    def until(self, place: int) -> _Edges:
        """Those up to a place at which a row ends."""
        return _Edges(ends=self.ends[self.ends < place], starts=self.starts[self.starts <= place])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """Whole rows under the same comments."""

    data: bytes
    edges: _Edges
    first_line: int
    told: _Told

    @property
    def names(self) -> tuple[str, ...]:
        return self.told.names


def _edges(data: bytes, *, quoted: bool) -> _Edges:
    """The edges of the rows in a text: a row ends at a line end that is in no quotes."""
    array = np.frombuffer(data, np.uint8)
    ends = last = np.flatnonzero(array == _NEWLINE)
    if quoted:
        quotes = np.flatnonzero(array == _QUOTE)
        if len(quotes):
            last = ends[np.searchsorted(quotes, ends) % 2 == 0]
    return _Edges(ends=ends, starts=np.concatenate([np.zeros(1, np.int64), last + 1]))


def _between_comments(
    data: bytes, columns: Columns, told: _Told, *, first_line: int, edges: _Edges
) -> Iterator[_Part]:
    """The rows of a block; of a file that names its columns in comments, those between the comments."""
    if columns.padded:
        data = re.sub(rb" {2,}", b" ", data)
        edges = _edges(data, quoted=columns.quoted)
    if not columns.has_comments or not (data.startswith(b"#") or b"\n#" in data):
        yield _Part(data=data, edges=edges, first_line=first_line, told=told)
        return
    pending: list[bytes] = []
    begun, number = first_line, first_line
    for number, line in enumerate(data.splitlines(keepends=True), start=first_line):
        if not line.startswith(b"#"):
            begun = begun if pending else number
            pending.append(line)
            continue
        if pending:
            yield _part(pending, columns, told, first_line=begun)
            pending = []
        text = line.decode().rstrip()
        if named := NAMED_FIELDS.match(text):
            told = replace(told, names=fields_of(named))
        elif dated := DATED.match(text):
            told = replace(told, date=dated[1])
    yield _part(pending, columns, told, first_line=begun)


def _part(pending: Sequence[bytes], columns: Columns, told: _Told, *, first_line: int) -> _Part:
    data = b"".join(pending)
    return _Part(data=data, edges=_edges(data, quoted=columns.quoted), first_line=first_line, told=told)


def _batch(part: _Part, columns: Columns) -> pa.RecordBatch:
    starts, ends = part.edges.starts, part.edges.ends
    if starts[-1] < len(part.data):
        starts = np.append(starts, len(part.data))
    filled = np.flatnonzero(np.diff(starts) > 1)
    edges = starts[filled], starts[filled + 1]
    cells = _cells(part, columns, count=len(filled)) if len(filled) else None
    if cells is None:
        return _one_by_one(part, columns)
    first = np.searchsorted(ends, edges[0])
    taken = np.searchsorted(ends, edges[1]) - first
    text = lines.texts(part.data, starts.astype(np.int32))
    text = text if len(filled) == len(text) else text.take(pa.array(filled))
    batch = pa.RecordBatch.from_arrays(
        [
            pc.ascii_rtrim(text, characters="\n"),
            pa.array(part.first_line + first),
            pa.array(taken.astype(np.int32)),
            _undated(cells, columns),
            cells,
        ],
        schema=schema_of(columns),
    )
    return _without_header(batch, part, columns)


def _undated(cells: pa.StructArray, columns: Columns) -> pa.BooleanArray:
    """Which rows have nothing where a time belongs: lines of something else that fall into as many cells."""
    name = next(iter(columns.places.get("timestamp", ())), None)
    if name is None:
        return pa.array(np.zeros(len(cells), bool))
    has_digit = pc.match_substring_regex(cells.field(columns.names.index(name)), "[0-9]")
    return pc.invert(pc.fill_null(has_digit, False))


def _without_header(batch: pa.RecordBatch, part: _Part, columns: Columns) -> pa.RecordBatch:
    """The rows that are not the header, which stands again where files were put together."""
    first = columns.names[0]
    if '"' not in first and first.encode() not in part.data:
        return batch
    cells = batch["cells"]
    named = (pc.equal(pc.utf8_trim_whitespace(cells.field(place)), columns.names[place]) for place in (0, 1))
    return batch.filter(pc.invert(pc.fill_null(pc.and_(*named), False)))


def _cells(part: _Part, columns: Columns, *, count: int) -> pa.StructArray | None:
    """The cells of rows that all have one for each column; None where some have not."""
    names = [name_of(place) for place in range(len(part.names))]
    try:
        table = arrow_csv.read_csv(
            pa.BufferReader(part.data),
            read_options=arrow_csv.ReadOptions(
                column_names=names, use_threads=False, block_size=len(part.data) + 1
            ),
            parse_options=arrow_csv.ParseOptions(
                delimiter=columns.delimiter,
                quote_char='"' if columns.quoted else False,
                newlines_in_values=columns.quoted,
            ),
            convert_options=arrow_csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string())),
        ).combine_chunks()
    except pa.ArrowInvalid:
        return None
    if len(table) != count:
        return None
    found = [column.chunk(0) if column.num_chunks else pa.array([], pa.string()) for column in table.columns]
    return _in_order(found, part, columns)


def _in_order(found: Sequence[pa.Array], part: _Part, columns: Columns) -> pa.StructArray:
    """Cells under the names of the file's first columns; of what a later comment adds nothing is kept."""
    rows = len(found[0])
    if part.names != columns.names:
        by_name = dict(zip(part.names, found, strict=True))
        if columns.dated:
            by_name[columns.names[-1]] = pa.repeat(pa.scalar(part.told.date or None, pa.string()), rows)
        found = [by_name.get(name, pa.nulls(rows, pa.string())) for name in columns.names]
    return pa.StructArray.from_arrays(
        list(found), names=[name_of(place) for place in range(len(columns.names))]
    )


def _one_by_one(part: _Part, columns: Columns) -> pa.RecordBatch:
    """The same of rows of which some are broken."""
    told: list[tuple[str, int, int, list[str] | None]] = []
    pieces = re.findall(r"[^\n]*\n|[^\n]+", part.data.decode())
    place = 0
    while place < len(pieces):
        end = place + 1
        quotes = pieces[place].count('"')
        while columns.quoted and quotes % 2 and end < len(pieces) and end - place < MAX_ROW_LINES:
            quotes += pieces[end].count('"')
            end += 1
        cells = _cells_of("".join(pieces[place:end]), part, columns)
        if cells is None and end > place + 1:
            # Its quote is broken: what follows is no part of it.
            end = place + 1
            cells = _cells_of(pieces[place], part, columns)
        text = "".join(pieces[place:end]).rstrip("\n")
        if text and not (cells is None and _is_above(text, columns)):
            told.append((text, part.first_line + place, end - place, cells))
        place = end
    found = [
        pa.array([cells[n] if cells else None for *_, cells in told], pa.string())
        for n in range(len(part.names))
    ]
    batch = pa.RecordBatch.from_arrays(
        [
            pa.array([text for text, *_ in told], pa.string()),
            pa.array([line for _, line, _, _ in told], pa.int64()),
            pa.array([taken for _, _, taken, _ in told], pa.int32()),
            _undated(in_order := _in_order(found, part, columns), columns),
            in_order,
        ],
        schema=schema_of(columns),
    )
    return _without_header(batch, part, columns)


def _is_above(text: str, columns: Columns) -> bool:
    """Whether a line is one that stands before rows: a header that names fewer columns than they have, or a preamble."""
    if PREAMBLE.match(text):
        return True
    named = [name.strip() for name in text.lstrip("\ufeff").split(columns.delimiter)]
    return tuple(name.strip('"') for name in named) == columns.names[:-1]


def _cells_of(text: str, part: _Part, columns: Columns) -> list[str] | None:
    """The cells of one row; None where it has not one for each column."""
    if columns.quoted:
        try:
            found = list(csv.reader(io.StringIO(text, newline=""), delimiter=columns.delimiter))
        except csv.Error:
            return None
        cells = found[0] if len(found) == 1 else []
    else:
        cells = text.rstrip("\n").split(columns.delimiter)
    width = len(part.names)
    if len(cells) > width and columns.body == part.names[-1]:
        # A message that is not quoted holds the delimiter.
        cells = [*cells[: width - 1], columns.delimiter.join(cells[width - 1 :])]
    return cells if len(cells) == width else None
