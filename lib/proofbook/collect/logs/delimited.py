"""Logs in columns: CSV and TSV with a header, and files that name their columns in a comment (W3C, IIS, CloudFront, Zeek).

A row is an entry, also where a cell holds line ends. Columns are found by their names and by what stands in them.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from proofbook.collect.logs import keys, lines, times
from proofbook.collect.logs.documents import Bytes
from proofbook.collect.logs.times import TimeForm
from proofbook.config.log_formats import ColumnFormat

DELIMITERS = ",\t;|"
SAMPLE_ROWS = 500
# Of the rows of a sample, so many must have a cell for each column.
MOST = 0.9
LONGEST_NAME, MOST_COLUMNS = 80, 400
# A row of more lines has a quote that nothing closes.
MAX_ROW_LINES = 200
_QUOTE, _NEWLINE, _COMMENT = ord('"'), ord("\n"), ord("#")
_MESSAGES = ("message", "msg", "body", "text")
_FIELDS = re.compile(r"#\s*fields\s*:?[ \t]+(.+)", re.IGNORECASE)
_SEPARATOR = re.compile(r"#separator\s+\\x([0-9a-fA-F]{2})")
# Before a header: what PowerShell's Export-Csv and spreadsheets write.
_PREAMBLE = re.compile(r"(?:#TYPE .*|sep=.)")
_ZONE_IN_NAME = re.compile(r"\s*[\[(](?:UTC|GMT|Z)[\])]\s*$", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """The columns of a file, and what stands in which.

    Args:
        kind: the name of its format.
        quoted: whether a cell may be quoted, and hold line ends then. skip: lines before the header.
        places: for each thing that an entry has the names of the columns that hold it, the best first.
        date_and_time: the columns of a time that stands in two. time: the form of its times. is_utc: whether times that name no zone are UTC.
        numbers: what its severities mean that are numbers.
    """

    kind: str
    delimiter: str
    names: tuple[str, ...]
    quoted: bool = True
    skip: int = 0
    places: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    date_and_time: tuple[str, str] | None = None
    time: TimeForm | None = None
    is_utc: bool = False
    numbers: Mapping[str, str] = field(default_factory=dict)

    @property
    def has_comments(self) -> bool:
        """Whether a line that begins with # is none of its rows."""
        return self.kind == "w3c"

    @property
    def body(self) -> str | None:
        """The column of the message; None where no column is."""
        return next(iter(self.places.get("body", ())), None)


# Recognised ---------------------------------------------------------------------------------------------------------


def recognise(
    text: str,
    known: Mapping[str, ColumnFormat],
    *,
    stated: Mapping[str, str] = MappingProxyType({}),
    time: TimeForm | None = None,
    forced: str = "",
) -> Columns | None:
    """The columns of a file that begins with this text; None where it is none in columns.

    Args:
        known: formats that may be recognised. stated: which column holds a thing, such as {"timestamp": "When"}.
        time: the form of its times, where it is stated. forced: the name of the format that it is known to have.
    """
    head = text.splitlines(keepends=True)
    skip = next((n for n, line in enumerate(head) if line.strip() and not _PREAMBLE.match(line)), None)
    if skip is None:
        return None
    rest = "".join(head[skip:])
    found = _named_in_comment(rest) if rest.startswith("#") else None
    for name, format in known.items():
        if found is None and format.names:
            found = _without_header(rest, name, format, forced=forced == name)
    if found is None:
        delimiters = known[forced].delimiter if forced else ""
        found = _with_header(rest, skip, delimiters=delimiters or DELIMITERS, forced=bool(forced))
    if found is None:
        return None
    format = known.get(found.kind, ColumnFormat())
    settled = _settled(found, rest, {**format.places, **stated}, time=time)
    is_sure = forced or stated or found.kind not in ("csv", "tsv")
    return settled if is_sure or _is_a_log(settled) else None


def _with_header(text: str, skip: int, *, delimiters: str, forced: bool) -> Columns | None:
    """The columns that the first row names."""
    best: Columns | None = None
    for delimiter in delimiters:
        rows = _parsed(text, delimiter)
        if len(rows) < 2 or not _are_names(rows[0]):
            continue
        names = [name.strip() for name in rows[0]]
        widths = [len(row) for row in rows[1:]]
        # Windows names no column for the text of an event.
        if sum(width == len(names) + 1 for width in widths) >= MOST * len(widths):
            names.append("message")
        # A message that is not quoted may hold the delimiter.
        ends_in_message = keys.is_named("body", names[-1])
        fitting = sum(width == len(names) or (ends_in_message and width > len(names)) for width in widths)
        if len(names) < 2 or (fitting < MOST * len(widths) and not forced):
            continue
        if best is None or len(names) > len(best.names):
            kind = "tsv" if delimiter == "\t" else "csv"
            best = Columns(kind=kind, delimiter=delimiter, names=_unique(names), skip=skip)
    return best


def _named_in_comment(text: str) -> Columns | None:
    """The columns that a comment names, as W3C's format for logs does."""
    head = [line for line in text.splitlines()[:SAMPLE_ROWS] if line.startswith("#")]
    named = next((found for line in head if (found := _FIELDS.match(line))), None)
    if named is None:
        return None
    row = next((line for line in text.splitlines() if line.strip() and not line.startswith("#")), "")
    told = next((found for line in head if (found := _SEPARATOR.match(line))), None)
    delimiter = chr(int(told[1], 16)) if told else "\t" if "\t" in row else " "
    names = _fields_of(named)
    return Columns(
        kind="w3c", delimiter=delimiter, names=names, quoted='"' in row and delimiter == " ", is_utc=True
    )


def _fields_of(named: re.Match[str]) -> tuple[str, ...]:
    return _unique(named[1].split())


def _without_header(text: str, name: str, format: ColumnFormat, *, forced: bool) -> Columns | None:
    """The columns of a format that names none in its files: times and severities stand where they must."""
    delimiter = format.delimiter or ","
    rows = _parsed(text, delimiter, most=20)
    width = len(rows[0]) if rows else 0
    names = format.names[:width]
    columns = Columns(kind=name, delimiter=delimiter, names=names)
    # Later versions of a program add columns.
    if not len(format.names) * 0.8 <= width <= len(format.names):
        return None
    places = keys.learn([dict(zip(names, row, strict=False)) for row in rows if len(row) == width])
    return columns if forced or {"timestamp", "severity"} <= places.keys() else None


def _are_names(cells: Sequence[str]) -> bool:
    """Whether these can be the names of columns: words, no times and no numbers, each once."""
    names = [cell.strip() for cell in cells]
    filled = [name for name in names if name]
    return (
        1 < len(filled) <= MOST_COLUMNS
        and len(names) - len(filled) <= 1
        and len(set(filled)) == len(filled)
        and all(len(name) <= LONGEST_NAME and re.search("[A-Za-z]", name) for name in filled)
        and not any(
            "\n" in name or times.first_in(name) or re.fullmatch(r"[-+\d.,]+", name) for name in filled
        )
    )


def _unique(names: Sequence[str]) -> tuple[str, ...]:
    """The names, each once."""
    seen: dict[str, int] = {}
    found = []
    for place, name in enumerate(names):
        named = name or f"column {place + 1}"
        seen[named] = seen.get(named, 0) + 1
        found.append(named if seen[named] == 1 else f"{named} {seen[named]}")
    return tuple(found)


def _parsed(text: str, delimiter: str, *, most: int = SAMPLE_ROWS) -> list[list[str]]:
    """The first rows, blank ones left out; the last one may be cut and is left out where there are others."""
    found: list[list[str]] = []
    try:
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter):
            if row:
                found.append(row)
            if len(found) > most:
                break
    except csv.Error:
        return []
    return found[:-1] if len(found) > 2 and not text.endswith("\n") else found


def _settled(columns: Columns, text: str, stated: Mapping[str, str], *, time: TimeForm | None) -> Columns:
    """The columns, with what stands in which."""
    rows = [row for row in sample(columns, text) if len(row) >= len(columns.names)]
    entries = [
        {name: cell for name, cell in zip(columns.names, row, strict=False) if cell not in ("", "-")}
        for row in rows
    ]
    known = {re.sub(_ZONE_IN_NAME, "", name): name for name in columns.names}
    found = keys.learn(
        [{re.sub(_ZONE_IN_NAME, "", name): cell for name, cell in entry.items()} for entry in entries]
    )
    places = {thing: tuple(known[name] for name in names) for thing, names in found.items()}
    # Called so, a column is one of messages whatever the sample has in it.
    named = tuple(name for name in columns.names if name.strip().lower() in _MESSAGES)
    places.setdefault("body", named[:1])
    both = _date_and_time(entries)
    if both is not None and not (places.get("timestamp") and _is_dated(entries, places["timestamp"][0])):
        places["timestamp"] = both
    else:
        both = None
    places |= {thing: (name,) for thing, name in stated.items() if name in columns.names}
    if "timestamp" in stated:
        both = None
    # A column says one thing; a time that is written twice is one.
    taken: set[str] = set()
    for thing in dict.fromkeys((*stated, *places)):
        places[thing] = tuple(
            name for name in places.get(thing, ()) if name not in taken or thing in ("timestamp", "trace")
        )
        taken |= set(places[thing])
    severity = places.get("severity", ())[:1]
    form = None
    if place := places.get("timestamp"):
        texts = [" ".join(entry.get(name, "") for name in (both or place[:1])) for entry in entries]
        form = time or times.most_common([times.first_in(item) for item in texts])
    return Columns(
        kind=columns.kind, delimiter=columns.delimiter, names=columns.names, quoted=columns.quoted, skip=columns.skip,
        places={thing: names for thing, names in places.items() if names}, date_and_time=both, time=form,
        is_utc=columns.is_utc or any(_ZONE_IN_NAME.search(name) for name in places.get("timestamp", ())[:1]),
        numbers=keys.scale_of(entries, severity),
    )  # fmt: skip


def _is_dated(entries: Sequence[Mapping[str, str]], name: str) -> bool:
    held = [entry[name] for entry in entries if name in entry]
    return bool(held) and sum(bool(times.first_in(item)) for item in held) >= MOST * len(held)


def _date_and_time(entries: Sequence[Mapping[str, str]]) -> tuple[str, str] | None:
    """The columns of a date and of a time of day that make a time together."""
    dates: list[str] = []
    clocks: list[str] = []
    for name in dict.fromkeys(name for entry in entries for name in entry):
        held = [entry[name] for entry in entries if name in entry]
        if sum(bool(re.fullmatch(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}", item)) for item in held) >= MOST * len(
            held
        ):
            dates.append(name)
        if sum(
            bool(re.fullmatch(r"\d{1,2}:\d\d(?::\d\d(?:[.,]\d+)?)?(?: ?[AaPp][Mm])?", item)) for item in held
        ) >= MOST * len(held):
            clocks.append(name)
    return (dates[0], clocks[0]) if dates and clocks else None


def _is_a_log(columns: Columns) -> bool:
    """Whether its columns are those of a log: one is a time by its name too, or several things are there beside a time."""
    if "timestamp" not in columns.places:
        return False
    others = columns.places.keys() - {"timestamp"}
    return len(others) > 1 or any(
        keys.is_named("timestamp", _ZONE_IN_NAME.sub("", name)) for name in columns.places["timestamp"]
    )


def sample(columns: Columns, text: str) -> list[list[str]]:
    """The first rows of a text in these columns."""
    if columns.quoted:
        rows = _parsed(text, columns.delimiter)
    else:
        rows = [line.split(columns.delimiter) for line in text.splitlines()[: SAMPLE_ROWS + 20]]
    rows = [row for row in rows if not (columns.has_comments and row[0].startswith("#"))]
    return [
        row
        for row in rows
        if tuple(cell.strip() for cell in row) != columns.names[: len(row)] or len(row) < 2
    ]


# Read ---------------------------------------------------------------------------------------------------------------


def schema_of(columns: Columns) -> pa.Schema:
    """Of the batches of `rows`: those of lines, where text is the row as it stands, and `cells`, NULL in a line that is no row."""
    cells = pa.struct([(name_of(place), pa.string()) for place in range(len(columns.names))])
    return lines.SCHEMA.append(pa.field("cells", cells))


def name_of(place: int) -> str:
    """The name of a column within `cells`."""
    return f"c{place}"


def rows(file: Bytes, columns: Columns) -> Iterator[pa.RecordBatch]:
    """The rows of a file, as batches; headers, comments and blank lines are left out. A line that is no row stands alone, as a stray.

    Memory holds a block and the longest row.
    """
    open_, line, now = b"", 1, columns.names
    for data, is_last in lines.blocks(file):
        block = open_ + data
        starts = _starts(block, quoted=columns.quoted)
        # The last row may go on in the next block, unless a quote is broken.
        whole = len(block) if is_last or len(block) - starts[-1] > lines.MAX_ENTRY_BYTES else int(starts[-1])
        open_ = block[whole:]
        for part in _between_comments(block[:whole], columns, now, first_line=line):
            now = part.names
            yield _batch(part, columns)
        line += block.count(b"\n", 0, whole)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """Whole rows under the same names of columns."""

    data: bytes
    first_line: int
    names: tuple[str, ...]


def _starts(data: bytes, *, quoted: bool) -> npt.NDArray[np.int64]:
    """Where each row begins, and the last one ends: behind a line end that is in no quotes."""
    array = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(array == _NEWLINE)
    if quoted:
        quotes = np.flatnonzero(array == _QUOTE)
        if len(quotes):
            ends = ends[np.searchsorted(quotes, ends) % 2 == 0]
    return np.concatenate([np.zeros(1, np.int64), ends + 1])


def _between_comments(
    data: bytes, columns: Columns, names: tuple[str, ...], *, first_line: int
) -> Iterator[_Part]:
    """The rows of a block; of a file that names its columns in comments, those between the comments."""
    if not columns.has_comments or not (data.startswith(b"#") or b"\n#" in data):
        yield _Part(data=data, first_line=first_line, names=names)
        return
    pending: list[bytes] = []
    begun, number = first_line, first_line
    for number, line in enumerate(data.splitlines(keepends=True), start=first_line):
        if not line.startswith(b"#"):
            begun = begun if pending else number
            pending.append(line)
            continue
        if pending:
            yield _Part(data=b"".join(pending), first_line=begun, names=names)
            pending = []
        if named := _FIELDS.match(line.decode().rstrip()):
            names = _fields_of(named)
    yield _Part(data=b"".join(pending), first_line=begun, names=names)


def _batch(part: _Part, columns: Columns) -> pa.RecordBatch:
    starts = _starts(part.data, quoted=columns.quoted)
    if starts[-1] < len(part.data):
        starts = np.append(starts, len(part.data))
    filled = np.flatnonzero(np.diff(starts) > 1)
    edges = starts[filled], starts[filled + 1]
    cells = _cells(part, columns, count=len(filled)) if len(filled) else None
    if cells is None:
        return _one_by_one(part, columns)
    ends = np.flatnonzero(np.frombuffer(part.data, np.uint8) == _NEWLINE)
    first = np.searchsorted(ends, edges[0])
    taken = np.searchsorted(ends, edges[1]) - first
    text = lines.texts(part.data, starts.astype(np.int32)).take(pa.array(filled))
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
    return batch.filter(pc.invert(_are_header(cells, columns)))


def _undated(cells: pa.StructArray, columns: Columns) -> pa.BooleanArray:
    """Which rows have nothing where a time belongs: lines of something else that fall into as many cells."""
    name = next(iter(columns.places.get("timestamp", ())), None)
    if name is None:
        return pa.array(np.zeros(len(cells), bool))
    has_digit = pc.match_substring_regex(cells.field(columns.names.index(name)), "[0-9]")
    return pc.invert(pc.fill_null(has_digit, False))


def _are_header(cells: pa.StructArray, columns: Columns) -> pa.BooleanArray:
    """Which rows are the header, which stands again where files were put together."""
    found = pc.equal(pc.utf8_trim_whitespace(cells.field(0)), columns.names[0])
    return pc.and_(found, pc.equal(pc.utf8_trim_whitespace(cells.field(1)), columns.names[1]))


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
        found = [by_name.get(name, pa.nulls(rows, pa.string())) for name in columns.names]
    return pa.StructArray.from_arrays(
        list(found), names=[name_of(place) for place in range(len(columns.names))]
    )


def _one_by_one(part: _Part, columns: Columns) -> pa.RecordBatch:
    """The same of rows of which some are broken."""
    told: list[tuple[str, int, int, list[str] | None]] = []
    pieces = part.data.decode().splitlines(keepends=True) if part.data else []
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
    return batch.filter(pc.invert(pc.fill_null(_are_header(batch["cells"], columns), False)))


def _is_above(text: str, columns: Columns) -> bool:
    """Whether a line is one that stands before rows: a header that names fewer columns than they have, or a preamble."""
    if _PREAMBLE.match(text):
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
