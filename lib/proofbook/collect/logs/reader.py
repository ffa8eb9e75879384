"""Reads logs of any shape and size into one table with OpenTelemetry's names, and says what was read.

DuckDB reads the lines and writes Parquet, so memory does not grow with the file. What is not one entry a line (arrays,
wrapped documents, OTLP) is first written out as such; bytes that DuckDB does not take are repaired in a copy.
"""

from __future__ import annotations

import datetime as dt
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa

from proofbook.collect.logs import aggregates, doubled_hours, fetch, times, years, zones
from proofbook.collect.logs import files as log_files
from proofbook.collect.logs.doubled_hours import DoubledHour
from proofbook.collect.logs.entries import Reading, Stoppable, connect, entries_of, rows_of, table
from proofbook.collect.logs.opening import Opened, ask
from proofbook.collect.logs.shape import MOST_KEYS, Shape
from proofbook.collect.logs.sources import LogRequest
from proofbook.collect.logs.tidy import SUMMARY, rewrite
from proofbook.collect.logs.years import Years
from proofbook.config import log_uri, moments
from proofbook.config.duckdb_text import quoted
from proofbook.config.sources import LogSource
from proofbook.errors import CouldNotLook

SAMPLES = 3
# A text that says nothing, as DuckDB's `trim` would leave one of aggregates.EMPTY: to trim every text takes four times as long.
EMPTY = rf"\p{{Zs}}*(?:{'|'.join(map(re.escape, aggregates.EMPTY))})\p{{Zs}}*"
SET_ZONE = 'set utc_offset, such as "+00:00", or time_zone, such as "Europe/Berlin", where clocks change to summer time'


def read_logs(
    source: LogSource,
    *,
    base: Path,
    to: Path,
    now: dt.datetime | None = None,
    since: str = "",
    until: str = "",
    patterns: Sequence[str] = (),
) -> Reading:
    """Writes every entry of a source to the Parquet file `to`. What cannot be parsed is counted and sampled, never dropped in silence.

    A source that is absent, empty or unreadable gives a Reading with a `problem`: that is a finding about the log, not a crash.

    Args:
        now: the moment of reading, by which times without a year are placed. since, until: what lies outside is not kept; durations count
            back from the end of the log, as everywhere where a log is asked.
        patterns: what a server that holds too much to be read whole is asked for.
    """
    now = now or dt.datetime.now(dt.UTC)
    with tempfile.TemporaryDirectory(dir=to.parent, prefix=".reading-") as name, connect() as engine, Stoppable(engine):  # fmt: skip
        work = Path(name)
        try:
            fetched = _fetch(source, patterns, base=base, work=work, now=now)
            files = (
                log_files.files_of(source, base=base, work=work, now=now)
                if fetched is None
                else [(fetched.path, fetched.shown)]
            )
            parts = [
                _read_file(path, shown, source=source, engine=engine, work=work / f"{index}", now=now)
                for index, (path, shown) in enumerate(files)
            ]
        except CouldNotLook as error:
            return Reading(source=source.name, problem=str(error))
        reading = _together(parts, source, engine=engine, to=to, now=now, span=(since, until))
        if fetched is not None:
            reading.note, reading.sampled_s = fetched.note, fetched.sampled_s
        return reading


def _fetch(
    source: LogSource, patterns: Sequence[str], *, base: Path, work: Path, now: dt.datetime
) -> fetch.Fetched | None:
    """A log with a short name as a file; None of what is a file already."""
    place = log_uri.parse(source.source) if source.source is not None else None
    if place is None or place.is_here:
        return None
    request = LogRequest(
        since=now - dt.timedelta(seconds=source.covers_s or log_files.A_DAY_S),
        until=now,
        patterns=tuple(patterns),
        base=base,
        timeout_s=source.timeout_s,
        most=source.limit or fetch.MAX_ENTRIES,
    )
    return fetch.fetch(place, request, to=work / "fetched")


# Reading ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """A file as Parquet. years: of times that name none. places: by whose clocks times were read; doubled: hours that came twice there. untimed: entries without a time of their own; placed: the
    table of their times. unread_zones: names of zones, empty where none is named, that kept times from being read."""

    path: Path
    shape: Shape
    years: Years | None = None
    places: tuple[str, ...] = ()
    doubled: tuple[DoubledHour, ...] = ()
    untimed: int = 0
    placed: str = ""
    unread_zones: tuple[str, ...] = ()

    @property
    def dated(self) -> str:
        """SQL for its rows, in their years and in their hours."""
        if not self.places:
            return self.in_years()
        first = "".join(hour.when_first("timestamp", "line", "place") for hour in self.doubled)
        timestamp = f"CASE {first}ELSE timestamp END" if first else "timestamp"
        return (
            f"(SELECT * EXCLUDE (place) REPLACE ({timestamp} AS timestamp) FROM {self.in_years('place')} r)"
        )

    def in_years(self, *more: str) -> str:
        """SQL for its rows, of hours that came twice all in the second; more: columns beside the usual ones."""
        if self.years is None:
            return rows_of(self.path, more=more)
        moved = self.years.sql("timestamp", "line")
        # Without a year, the clock of a place could not be read.
        local = f"timezone('UTC', {moved})"
        cases = [f"WHEN yearless AND place = {quoted(place)} THEN {zones.in_zone(local, place)}" for place in self.places]  # fmt: skip
        dated = f"CASE {' '.join([*cases, f'WHEN yearless THEN {moved}'])} ELSE timestamp END AS timestamp"
        return rows_of(self.path, instead={"timestamp": dated}, more=more)

    @property
    def rows(self) -> str:
        """SQL for its rows, each with a time where there is one."""
        if not self.placed:
            return self.dated
        return f"(SELECT r.* REPLACE (coalesce(timestamp, placed) AS timestamp) FROM {self.dated} r LEFT JOIN {self.placed} p ON r.line = p.line)"


def _read_file(
    path: Path,
    shown: str,
    *,
    source: LogSource,
    engine: duckdb.DuckDBPyConnection,
    work: Path,
    now: dt.datetime,
) -> _Part:
    """One file as Parquet with a row per line, in order, so that a row's number is its line's."""
    out = work / "part.parquet"
    opened = Opened(path, shown, source=source, engine=engine, work=work, now=now)
    ask(opened, question=lambda entries: f"COPY ({entries}) TO {quoted(str(out))} (FORMAT parquet)")
    places = _places(out, engine=engine) if opened.shape.has_places(source.zone) else ()
    part = _Part(
        path=out,
        shape=opened.shape,
        years=_years(out, places, engine=engine, now=now) if opened.shape.may_be_yearless else None,
        places=places,
        unread_zones=_unread_zones(out, opened.shape, engine=engine),
    )
    if part.places:
        part = replace(part, doubled=doubled_hours.find(part.in_years("place"), engine=engine))
    return _placed(part, opened.strays, engine=engine, name=f"placed_{work.name}")


def _placed(part: _Part, strays: pa.ChunkedArray, *, engine: duckdb.DuckDBPyConnection, name: str) -> _Part:
    """The part, with a time for each entry without one of its own: that of the entry before it, else of the one after.

    Args:
        strays: numbers of the lines that neither begin an entry nor go on with one. name: of the table to make.
    """
    if not len(strays):
        return part
    engine.register("strays", pa.table({"line": strays}))
    alone = f"(SELECT line FROM {part.dated} SEMI JOIN strays USING (line) WHERE timestamp IS NULL AND body <> '')"
    timed = f"(SELECT line AS at, timestamp AS t FROM {part.dated} WHERE timestamp IS NOT NULL)"
    engine.execute(f"""CREATE OR REPLACE TEMP TABLE {name} AS SELECT line, coalesce(before.t, after.t) AS placed FROM {alone} alone
        ASOF LEFT JOIN {timed} before ON alone.line >= before.at ASOF LEFT JOIN {timed} after ON alone.line <= after.at""")
    engine.unregister("strays")
    (count,) = engine.execute(f"SELECT count(placed) FROM {name}").fetchall()[0]
    return replace(part, untimed=int(count), placed=name) if count else part


def _places(path: Path, *, engine: duckdb.DuckDBPyConnection) -> tuple[str, ...]:
    """The places by whose clocks times in a file were read."""
    found = engine.execute(f"SELECT DISTINCT place FROM {_all(path)} WHERE place IS NOT NULL ORDER BY 1")
    return tuple(str(name) for (name,) in found.fetchall())


def _unread_zones(path: Path, shape: Shape, *, engine: duckdb.DuckDBPyConnection) -> tuple[str, ...]:
    """The zones, an empty name where none is named, of times that stand in a file and could not be read."""
    forms = [layout.time for layout in shape.layouts if layout.form is not None]
    if not forms:
        return shape.zones
    time = f"regexp_extract(body, {quoted('|'.join(forms))})"
    zone = f"regexp_extract({time}, {quoted(zones.ZONE_AT_END)})"
    found = engine.execute(
        f"SELECT DISTINCT {zone} FROM {_all(path)} WHERE timestamp IS NULL AND {time} <> '' ORDER BY 1"
    )
    return (*shape.zones, *(str(name) for (name,) in found.fetchall()))


def _all(path: Path) -> str:
    return f"read_parquet({quoted(str(path))})"


def _years(
    path: Path, places: Sequence[str], *, engine: duckdb.DuckDBPyConnection, now: dt.datetime
) -> Years | None:
    """The years of the times in a file that name none; None where each does. places: by whose clocks it has times."""
    yearless = table(engine, f"SELECT timestamp, line FROM {_all(path)} WHERE yearless AND timestamp IS NOT NULL ORDER BY line")  # fmt: skip
    if yearless.empty:
        return None
    named = table(
        engine,
        f"""SELECT DISTINCT coalesce(try_cast(day || ' 12:00:00+00' AS TIMESTAMPTZ), make_timestamptz(epoch_us(try_strptime(day || ' 12', '%d/%b/%Y %H')))) AS day FROM (
            SELECT strftime(timestamp, '%Y-%m-%d') AS day FROM {_all(path)} WHERE NOT yearless AND timestamp IS NOT NULL
            UNION ALL SELECT regexp_extract(coalesce(header, '') || body, {quoted(_A_DAY)}) FROM {_all(path)} WHERE yearless)""",
    )
    found = years.find(yearless, named["day"].dropna(), now=now)
    is_leap_day = (yearless["timestamp"].dt.month == 2) & (yearless["timestamp"].dt.day == 29)
    if found.stated or len(places) != 1 or is_leap_day.any():
        return found
    # A clock that goes back tells the year.
    t = yearless["timestamp"].to_numpy("datetime64[us]").astype(np.int64)
    of_lines = found.of(yearless["line"].to_numpy())
    return found.back(doubled_hours.years_back(t, of_lines, places[0], engine=engine))


# Together -----------------------------------------------------------------------------------------------------------


def _together(
    parts: Sequence[_Part],
    source: LogSource,
    *,
    engine: duckdb.DuckDBPyConnection,
    to: Path,
    now: dt.datetime,
    span: tuple[str, str],
) -> Reading:
    """One Parquet file of all parts, without duplicates and with split tracebacks joined."""
    all_parts = " UNION ALL ".join(f"{part.rows}" for part in parts)
    told = table(engine, SUMMARY.format(entries=all_parts)).iloc[0]
    shapes = ", ".join(dict.fromkeys(part.shape.in_words for part in parts))
    reading = Reading(
        source=source.name, path=to, shape=shapes, lines=int(told["lines"]), read=int(told["read"])
    )
    reading.unparsed = int(told["unparsed"])
    reading.untimed = sum(part.untimed for part in parts)
    guessed = [part.years for part in parts if part.years is not None and not part.years.stated]
    reading.assumed_years = tuple(sorted({year for years in guessed for year in years.years}))
    hours = [hour for part in parts for hour in part.doubled if hour.assumed]
    reading.assumed_hours = {f"{hour.clock.local} {hour.clock.place}": hour.reading for hour in hours}
    # A format that says itself what its numbers mean leaves nothing to assume.
    scales = [part.shape.numbers for part in parts if not part.shape.format.severities]
    reading.assumed_levels = {word: name for scale in scales for word, name in scale.items() if name}
    reading.assumed_dates = {time: day for part in parts for time, day in part.shape.assumed_dates.items()}
    reading.newest_first = bool(told["slope"] < -0.8)
    doubles = int(told["named"] - told["distinct_named"])
    is_as_written = (
        len(parts) == 1
        and not parts[0].placed
        and not parts[0].shape.may_be_yearless
        and not parts[0].shape.has_places(source.zone)
    )
    if is_as_written and not doubles and not told["continues"] and not any(span):
        parts[0].path.replace(to)
    else:
        rewrite(
            all_parts,
            reading,
            engine=engine,
            to=to,
            doubles=doubles > 0,
            joins=told["continues"] > 0,
            span=_placed_in_log(span, told["first"], told["last"]),
        )
    _describe(reading, engine, now)
    reading.problem = _problem(reading, parts, source)
    return reading


def _placed_in_log(
    span: tuple[str, str], first: pd.Timestamp, last: pd.Timestamp
) -> tuple[dt.datetime | None, dt.datetime | None]:
    """The ends of a window in a log from `first` to `last`, None of an end that is not stated."""
    if pd.isna(first):
        return None, None
    since, reference = (at.to_pydatetime(warn=False) for at in (first, last))
    ends = [moments.moment(text, reference=reference, since=since, end=at_end) if text else None for text, at_end in zip(span, (False, True), strict=True)]  # fmt: skip
    return ends[0], ends[1]


def _describe(reading: Reading, engine: duckdb.DuckDBPyConnection, now: dt.datetime) -> None:
    assert reading.path is not None
    entries = entries_of(reading.path)
    told = table(
        engine,
        f"""SELECT count(*) AS kept, min(timestamp) AS first, max(timestamp) AS last,
        count(*) FILTER (regexp_full_match(body, {quoted(EMPTY)}) AND http_status IS NULL) AS empty, coalesce(sum(fields_cut), 0) AS cut,
        coalesce(median(epoch(observed_timestamp) - epoch(timestamp)), 0) AS delay FROM {entries}""",
    ).iloc[0]
    reading.kept, reading.empty_bodies, reading.delay_s = (
        int(told["kept"]),
        int(told["empty"]),
        float(told["delay"]),
    )
    reading.fields_cut = int(told["cut"])
    if reading.kept:
        reading.first, reading.last = told["first"], told["last"]
        reading.ahead_s = max(0.0, (told["last"] - pd.Timestamp(now)).total_seconds())
    counts = engine.execute(
        f"SELECT coalesce(severity_text, 'none'), count(*) FROM {entries} GROUP BY 1 ORDER BY 1"
    ).fetchall()
    reading.counts = {str(name): int(count) for name, count in counts}
    if reading.unparsed:
        lost = engine.execute(
            f"SELECT left(body, 200) FROM read_parquet({quoted(str(reading.path))}) WHERE timestamp IS NULL AND body IS NOT NULL LIMIT {SAMPLES}"
        ).fetchall()
        reading.unparsed_sample = " ⏎ ".join(str(line) for (line,) in lost)


def _problem(reading: Reading, parts: Sequence[_Part], source: LogSource) -> str:
    """Words for a source that gave nothing, with what to do."""
    if reading.kept:
        return ""
    if not reading.lines:
        return f"source {source.name!r} holds no entries"
    if reading.read:
        return f"none of the {reading.read:,} entries of source {source.name!r} lies in the window asked for"
    unread = {zone for part in parts for zone in part.unread_zones}
    word = times.word_after(reading.unparsed_sample)
    if any(part.shape.pattern and not part.shape.format.utc for part in parts):
        unread.add(word if word in zones.AMBIGUOUS_ZONES else "")
    hint = ""
    if all(not part.shape.has_time for part in parts):
        hint = "; they state no time at all: have the container runtime add it (docker logs --timestamps, kubectl logs --timestamps) or log with asctime"
    elif unclear := sorted(unread & zones.AMBIGUOUS_ZONES.keys()):
        place = zones.AMBIGUOUS_ZONES[unclear[0]]
        hint = f'; the time zone {unclear[0]} is not the same everywhere: set time_zone, such as "{place}", or utc_offset, such as "+08:00"'
    elif unknown := sorted(filter(zones.is_unknown, unread)):
        hint = f"; the time zone {unknown[0]}, which they name, is not known"
    elif source.zone is None and "" in unread:
        hint = f"; {f'{word}, which follows the time, is no time zone that is known' if word else 'they state no time zone'}: {SET_ZONE}"
    else:
        hint = _what_is_there(reading, parts, source)
    return f"none of {reading.lines:,} lines of source {source.name!r} could be parsed{hint}"


def _what_is_there(reading: Reading, parts: Sequence[_Part], source: LogSource) -> str:
    """Words for what a file holds instead of times that are known, and for what to state."""
    shape = parts[0].shape
    names = shape.columns.names if shape.columns else shape.keys
    if names:
        what = "columns" if shape.columns else "keys"
        shown = f"{', '.join(names[:MOST_KEYS])}{' …' if len(names) > MOST_KEYS else ''}"
        return f'; none of their {what} is known as a time: {shown}; say which one is, such as columns = {{ timestamp = "{names[0]}" }}, and with time_form how it is written'
    first = reading.unparsed_sample.split(" ⏎ ")[0].partition("\n")[0][:60]
    if source.pattern:
        return f"; the pattern gives a time that can be read in none of them, such as {first!r}: mend the pattern, or say with time_form how the times are written"
    if source.time_form:
        return f"; none begins with a time as of time_form {source.time_form!r}, such as {first!r}: where it stands elsewhere, state a pattern with the group timestamp"
    if times.has_clock(reading.unparsed_sample) and not times.has_date(reading.unparsed_sample):
        return f"; they hold times of day, but no date, such as {first!r}: have the program write the date too, or {_RUNTIME_ADDS_THEM}"
    if any(item.start > 1 for item in times.first_in(first)):
        return f"; they name a time only within what they say, such as {first!r}: state a pattern with the group timestamp, or {_RUNTIME_ADDS_THEM}"
    state = "state time_form, such as %d.%m.%Y %H:%M:%S, or a pattern with the group timestamp"
    if times.has_clock(reading.unparsed_sample):
        return f"; they hold times of day, but no date and time in a form that is known, such as {first!r}: {state}"
    return f"; they hold no time in a form that is known, such as {first!r}: {state}; or {_RUNTIME_ADDS_THEM}"


_RUNTIME_ADDS_THEM = (
    "have the container runtime add them (docker logs --timestamps, kubectl logs --timestamps)"
)
# A day with its year, also as servers write it in access logs.
_A_DAY = r"\b(?:20\d\d-[01]\d-[0-3]\d|[0-3]\d/[A-Z][a-z]{2}/20\d\d)"
