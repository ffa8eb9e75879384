"""The columns of logs in CSV or TSV, or of files that name theirs in a comment (W3C, IIS, CloudFront, Zeek).

They are found by their names and by what stands in them.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from proofbook.collect.logs import keys, times
from proofbook.collect.logs.times import TimeForm
from proofbook.config.log_formats import ColumnFormat

DELIMITERS = ",\t;|"
SAMPLE_ROWS = 500
# Of the rows of a sample, so many must have a cell for each column.
MOST = 0.9
LONGEST_NAME, MOST_COLUMNS = 80, 400
_MESSAGES = ("message", "msg", "body", "text")
NAMED_FIELDS = re.compile(r"#\s*fields\s*:?[ \t]+(.+)", re.IGNORECASE)
_SEPARATOR = re.compile(r"#separator\s+\\x([0-9a-fA-F]{2})")
# Before a header: what PowerShell's Export-Csv and spreadsheets write.
PREAMBLE = re.compile(r"(?:#TYPE .*|sep=.)")
_DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}")
_CLOCK = re.compile(r"\d{1,2}:\d\d(?::\d\d(?:[.,]\d+)?)?(?: ?[AaPp][Mm])?")
_ZONE_IN_NAME = re.compile(r"\s*[\[(](?:UTC|GMT|Z)[\])]\s*$", re.IGNORECASE)


def name_of(place: int) -> str:
    """The name of a column within `cells`."""
    return f"c{place}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """The columns of a file, and what stands in which.

    Args:
        kind: the name of its format.
        quoted: whether a cell may be quoted, and hold line ends then. padded: whether several delimiters stand between cells.
        places: for each thing that an entry has the names of the columns that hold it, the best first.
        date_and_time: the columns of a time that stands in two. time: the form of its times. is_utc: whether times that name no zone are UTC.
        numbers: what its severities mean that are numbers. zones: that its times name, an empty one where they name none. severities: its own words for them.
        assumed: a time that may be of another day, with the day that it is taken for.
    """

    kind: str
    delimiter: str
    names: tuple[str, ...]
    quoted: bool = True
    padded: bool = False
    places: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    date_and_time: tuple[str, str] | None = None
    time: TimeForm | None = None
    is_utc: bool = False
    numbers: Mapping[str, str] = field(default_factory=dict)
    zones: tuple[str, ...] = ()
    severities: Mapping[str, str] = field(default_factory=dict)
    assumed: Mapping[str, str] = field(default_factory=dict)

    @property
    def has_comments(self) -> bool:
        """Whether a line that begins with # is none of its rows."""
        return self.kind == "w3c"

    def cell(self, name: str) -> str:
        """SQL: what stands in a column, NULL where that is a sign for nothing."""
        return f"nullif(cells.{name_of(self.names.index(name))}, '-')"

    @property
    def written(self) -> str:
        """SQL: the text of a row's time."""
        names = self.date_and_time or self.places.get("timestamp", ())[:1]
        return f"({' || chr(32) || '.join(map(self.cell, names))})" if names else "NULL::VARCHAR"

    @property
    def text(self) -> str:
        """SQL: the message of a row; the whole row where no column is one, or none is a time."""
        dated = [f"regexp_matches({self.cell(name)}, '[0-9]')" for name in self.places.get("timestamp", ())]
        if not self.body or not dated:
            return "text"
        return f"CASE WHEN {' OR '.join(dated)} THEN coalesce(cells.{name_of(self.names.index(self.body))}, '') ELSE text END"

    @property
    def body(self) -> str | None:
        """The column of the message; None where no column is."""
        return next(iter(self.places.get("body", ())), None)


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
    first = next((n for n, line in enumerate(head) if line.strip() and not PREAMBLE.match(line)), None)
    if first is None:
        return None
    rest = "".join(head[first:])
    found = _named_in_comment(rest) if rest.startswith("#") else None
    for name, format in known.items():
        if found is None and format.names:
            found = _without_header(rest, name, format, forced=forced == name)
    if found is None:
        delimiters = known[forced].delimiter if forced else ""
        found = _with_header(rest, delimiters=delimiters or DELIMITERS, forced=bool(forced))
    if found is None:
        return None
    format = known.get(found.kind, ColumnFormat())
    if time is None and format.time_form:
        time = times.stated(format.time_form)
    settled = _settled(found, rest, {**format.places, **stated}, time=time)
    settled = replace(settled, is_utc=settled.is_utc or format.utc, severities=format.severities)
    is_sure = forced or stated or found.kind not in ("csv", "tsv")
    return settled if is_sure or _is_a_log(settled) else None


def _with_header(text: str, *, delimiters: str, forced: bool) -> Columns | None:
    """The columns that the first row names."""
    best: Columns | None = None
    for delimiter in delimiters:
        rows = _parsed(text, delimiter)
        if len(rows) < 2 or not _are_names(rows[0]):
            continue
        names = [name.strip() for name in rows[0]]
        widths = [len(row) for row in rows[1:]]
        # Windows names no column for the text of an event.
        is_named = any(keys.is_named("body", name) for name in names)
        if not is_named and sum(width == len(names) + 1 for width in widths) >= MOST * len(widths):
            names.append("message")
        # A message that is not quoted may hold the delimiter.
        ends_in_message = keys.is_named("body", names[-1])
        fitting = sum(width == len(names) or (ends_in_message and width > len(names)) for width in widths)
        if len(names) < 2 or (fitting < MOST * len(widths) and not forced):
            continue
        if best is None or len(names) > len(best.names):
            kind = "tsv" if delimiter == "\t" else "csv"
            best = Columns(kind=kind, delimiter=delimiter, names=_unique(names))
    return best


def _named_in_comment(text: str) -> Columns | None:
    """The columns that a comment names, as W3C's format for logs does."""
    head = [line for line in text.splitlines()[:SAMPLE_ROWS] if line.startswith("#")]
    named = next((found for line in head if (found := NAMED_FIELDS.match(line))), None)
    if named is None:
        return None
    row = next((line for line in text.splitlines() if line.strip() and not line.startswith("#")), "")
    told = next((found for line in head if (found := _SEPARATOR.match(line))), None)
    delimiter = chr(int(told[1], 16)) if told else "\t" if "\t" in row else " "
    names = fields_of(named)
    is_padded = delimiter == " " and "  " in row
    return Columns(
        kind="w3c", delimiter=delimiter, names=names, quoted='"' in row and delimiter == " ", padded=is_padded, is_utc=True
    )  # fmt: skip


def fields_of(named: re.Match[str]) -> tuple[str, ...]:
    """The names that a comment states."""
    return _unique(named[1].split())


def _without_header(text: str, name: str, format: ColumnFormat, *, forced: bool) -> Columns | None:
    """The columns of a format that names none in its files: a time stands where it must, and a severity unless the format states places."""
    delimiter = format.delimiter or ","
    rows = _parsed(text, delimiter, most=20)
    width = len(rows[0]) if rows else 0
    names = format.names[:width]
    columns = Columns(kind=name, delimiter=delimiter, names=names)
    # Later versions of a program add columns.
    if not len(format.names) * 0.8 <= width <= len(format.names):
        return None
    entries = [dict(zip(names, row, strict=False)) for row in rows if len(row) == width]
    stated = format.places.get("timestamp")
    fits = (
        {"timestamp", "severity"} <= keys.learn(entries).keys()
        if stated is None
        else _is_dated(entries, stated)
    )
    return columns if forced or fits else None


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
    form, assumed = None, {}
    if place := places.get("timestamp"):
        texts = [" ".join(entry.get(name, "") for name in (both or place[:1])) for entry in entries]
        readings = [times.first_in(item) for item in texts]
        form = time or times.most_common(readings)
        assumed = {} if time else times.assumed(readings, form)
    return Columns(
        kind=columns.kind, delimiter=columns.delimiter, names=columns.names, quoted=columns.quoted, padded=columns.padded,
        places={thing: names for thing, names in places.items() if names}, date_and_time=both, time=form,
        is_utc=columns.is_utc or any(_ZONE_IN_NAME.search(name) for name in places.get("timestamp", ())[:1]),
        numbers=keys.scale_of(entries, severity), zones=keys.zones_of(entries, places.get("timestamp", ())[:1]),
        assumed=assumed,
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
        for pattern, found in ((_DATE, dates), (_CLOCK, clocks)):
            if sum(bool(pattern.fullmatch(item)) for item in held) >= MOST * len(held):
                found.append(name)
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
    if columns.padded:
        text = re.sub(" {2,}", " ", text)
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
