"""Reads logs of any shape and size into one table with OpenTelemetry's names, and says what was read.

DuckDB reads the lines and writes Parquet, so memory does not grow with the file. What is not one entry a line (arrays,
wrapped documents, OTLP) is first written out as such; bytes that DuckDB does not take are repaired in a copy.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import ibis
import pandas as pd

from proofbook import log_places, log_tables, marks
from proofbook.collect import log_documents, log_fetch, log_files
from proofbook.collect.log_shapes import CHAINS, COLUMNS, CONTINUES, SHAPES, Shape, shape_of
from proofbook.collect.log_sql import entries_sql, objects_sql, quoted, starts_sql
from proofbook.environment import LogSource
from proofbook.errors import CouldNotLook
from proofbook.redaction import rules, scrub

MEMORY_LIMIT = "700MB"
SAMPLES = 3
SAMPLE_LINES = 2000
# A field separator that no text holds: each line is one field.
_AS_LINES = f"columns={{'text': 'VARCHAR'}}, delim='\x02', quote='', escape='', header=false, auto_detect=false, compression='none', max_line_size={log_files.LONGEST_LINE_BYTES}"


@dataclass(slots=True, kw_only=True)
class Reading:
    """What one source gave: its entries as a Parquet file, and what must be known to trust them.

    lines: lines that are not blank; each is in an entry, a duplicate, or unparsed.
    joined: entries that were parts of the traceback before them.
    ahead_s: how far the last entry lies after the moment of reading; delay_s: from writing an entry to its arrival.
    note: what went wrong while the rest was read. sampled_s: the length of slices of which only some entries were read.
    """

    source: str
    path: Path | None = None
    shape: str = ""
    lines: int = 0
    read: int = 0
    kept: int = 0
    duplicates: int = 0
    joined: int = 0
    unparsed: int = 0
    unparsed_sample: str = ""
    empty_bodies: int = 0
    newest_first: bool = False
    first: pd.Timestamp | None = None
    last: pd.Timestamp | None = None
    ahead_s: float = 0.0
    delay_s: float = 0.0
    problem: str = ""
    note: str = ""
    sampled_s: float | None = None
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def entries(self) -> pd.DataFrame:
        """The entries as a pandas table, in the order of the source."""
        if self.path is None:
            return empty()
        with connect() as engine:
            return table(engine, f"SELECT * FROM {entries_of(self.path)}")


def connect() -> duckdb.DuckDBPyConnection:
    """An engine in memory that speaks UTC and spills to disk rather than grow."""
    engine = duckdb.connect(
        config={
            "memory_limit": MEMORY_LIMIT,
            "temp_directory": tempfile.gettempdir(),
            # Nothing is fetched: what the package brings is all that reading needs.
            "autoinstall_known_extensions": False,
        }
    )
    engine.execute("SET TimeZone = 'UTC'")
    # Its bar would be printed into whatever reads our output. In a kernel without widgets there is none to switch off.
    with contextlib.suppress(duckdb.Error):
        engine.execute("SET enable_progress_bar = false")
    return engine


def table(engine: duckdb.DuckDBPyConnection, sql: str) -> pd.DataFrame:
    """The answer to a query, through Arrow, which keeps types and time zones."""
    found: pd.DataFrame = engine.execute(sql).to_arrow_table().to_pandas()
    return found


def entries_of(path: Path) -> str:
    """SQL for the entries in a Parquet file of this module: unparsed lines and blank ones left out."""
    return f"(SELECT * FROM {_rows_of(path)} WHERE timestamp IS NOT NULL)"


def _rows_of(path: Path) -> str:
    """SQL for every row, `line` filled in."""
    names = ", ".join(
        "coalesce(line, file_row_number + 1) AS line" if name == "line" else name for name in COLUMNS
    )
    return f"(SELECT {names} FROM read_parquet({quoted(str(path))}, file_row_number=true))"


_NOTHING = "SELECT " + ", ".join(f"NULL::{kind} AS {name}" for name, kind in COLUMNS.items()) + " LIMIT 0"


def empty() -> pd.DataFrame:
    """A table of entries that holds none."""
    with connect() as engine:
        return table(engine, _NOTHING)


def read_logs(
    source: LogSource,
    *,
    base: Path,
    to: Path,
    now: dt.datetime | None = None,
    since: dt.datetime | None = None,
    until: dt.datetime | None = None,
    patterns: Sequence[str] = (),
) -> Reading:
    """Writes every entry of a source to the Parquet file `to`. What cannot be parsed is counted and sampled, never dropped in silence.

    A source that is absent, empty or unreadable gives a Reading with a `problem`: that is a finding about the log, not a crash.

    Args:
        now: the moment of reading, by which times without a year are placed. since, until: what lies outside is not kept.
        patterns: what a server that holds too much to be read whole is asked for.
    """
    now = now or dt.datetime.now(dt.UTC)
    with tempfile.TemporaryDirectory(dir=to.parent, prefix=".reading-") as name, connect() as engine:
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
) -> log_fetch.Fetched | None:
    """A log with a short name as a file; None of what is a file already."""
    place = log_places.parse(source.source) if source.source is not None else None
    if place is None or place.kind in ("file", "-"):
        return None
    return log_fetch.fetch(
        place,
        since=now - dt.timedelta(seconds=source.covers_s or log_files.A_DAY_S),
        until=now,
        patterns=patterns,
        base=base,
        to=work / "fetched",
        timeout_s=source.timeout_s,
        most=source.limit or log_fetch.MOST_ENTRIES,
    )


def record(
    sources: Sequence[LogSource],
    patterns: Iterable[str],
    *,
    base: Path,
    folder: Path,
    canary: str | None = None,
) -> tuple[dict[str, pd.DataFrame | Path], list[str]]:
    """The tables that a phase keeps of its logs, one source after the other since each uses every core; and what went wrong.

    Returns:
        logs: the Parquet file of all entries but those that lie in an engine. log_sources: one row per source. And the
        small tables of `log_tables.NAMES`, over all sources; log_canaries also says `sent`: the canary that was sent, and
        one that nobody sent, which must not be found.
    """
    folder.mkdir(parents=True, exist_ok=True)
    wanted = sorted(set(patterns))
    canaries = [] if canary is None else [canary, marks.new_canary()]
    read, elsewhere = [], []
    for index, source in enumerate(sources):
        if source.engine is None:
            read.append(
                read_logs(source, base=base, to=folder / f".{index}.reading.parquet", patterns=wanted)
            )
        else:
            elsewhere.append(_summarise_there(source, wanted, canaries, base=base))
    to = folder / ".logs.parquet"
    paths = [reading.path for reading in read if reading.path is not None]
    with connect() as engine:
        if len(paths) == 1:
            paths[0].replace(to)
        else:
            rows = " UNION ALL ".join(f"SELECT * FROM {_rows_of(path)}" for path in paths) or _NOTHING
            engine.execute(f"COPY ({rows}) TO {quoted(str(to))} (FORMAT parquet)")
        for path in paths:
            path.unlink(missing_ok=True)
    parts = [summarise(to, wanted, canaries), *(small for _, small in elsewhere)]
    together = log_tables.together(parts)
    together["log_canaries"] = canaries_of(
        together["log_canaries"], canaries, [source.name for source in sources]
    )
    readings = {reading.source: reading for reading in [*read, *(reading for reading, _ in elsewhere)]}
    sampled = [name for name, reading in readings.items() if reading.sampled_s is not None]
    # Requests of which only some were read, and all that the patterns match, are no share of anything.
    rhythm = together["log_rhythm"]
    rhythm.loc[rhythm["source"].isin(sampled), ["requests", "server_errors"]] = 0
    tables: dict[str, pd.DataFrame | Path] = dict(together)
    about = pd.DataFrame([_about(readings[source.name], source) for source in sources])
    problems = [words for reading in readings.values() for words in (reading.problem, reading.note) if words]
    return {**tables, "logs": to, "log_sources": about}, problems


def canaries_of(found: pd.DataFrame, canaries: Sequence[str], names: Sequence[str]) -> pd.DataFrame:
    """A row per canary and source, also where it was not found; the first canary is the one that was sent."""
    looked_for = pd.DataFrame(
        [(canary, name, canary == canaries[0]) for canary in canaries for name in names],
        columns=["canary", "source", "sent"],
    ).astype({"canary": "str", "source": "str", "sent": "bool"})
    rows = looked_for.merge(found, on=["canary", "source"], how="left")
    return rows.assign(entries=rows["entries"].fillna(0).astype("int64"))


def _summarise_there(
    source: LogSource, patterns: list[str], canaries: list[str], *, base: Path
) -> tuple[Reading, dict[str, pd.DataFrame]]:
    """The small tables of a log that lies in an engine; its entries stay there."""
    from proofbook.collect import log_engines

    try:
        small = log_tables.summarise(log_engines.entries(source, base=base), patterns, canaries=canaries)
    except CouldNotLook as error:
        return Reading(source=source.name, problem=str(error)), log_tables.nothing(
            patterns, canaries=canaries
        )
    rhythm = small["log_rhythm"]
    reading = Reading(source=source.name, shape=f"table {source.table}", read=int(rhythm["entries"].sum()))
    reading.lines = reading.kept = reading.read
    reading.empty_bodies = int(rhythm["empty"].sum())
    counts = rhythm.fillna({"severity_text": "none"}).groupby("severity_text")["entries"].sum()
    reading.counts = {str(name): int(count) for name, count in counts.items()}
    if not reading.read:
        reading.problem = f"source {source.name!r} holds no entries"
    else:
        reading.first, reading.last = rhythm["first"].min(), rhythm["last"].max()
        reading.ahead_s = max(0.0, (rhythm["last"].max() - pd.Timestamp.now(tz="UTC")).total_seconds())
    return reading, small


def expression(engine: duckdb.DuckDBPyConnection, path: Path) -> Any:
    """The entries in a Parquet file of this module as an Ibis table."""
    return ibis.duckdb.from_connection(engine).sql(f"SELECT * FROM {entries_of(path)}")


def summarise(path: Path, patterns: Iterable[str], canaries: Iterable[str] = ()) -> dict[str, pd.DataFrame]:
    """The small tables of `log_tables` from a Parquet file of entries."""
    with connect() as engine:
        return log_tables.summarise(expression(engine, path), patterns, canaries=canaries)


def look_for(path: Path, patterns: Iterable[str]) -> dict[str, pd.DataFrame]:
    """`log_patterns` and `log_matches` of patterns in a recorded Parquet file of entries."""
    with connect() as engine:
        return log_tables.look_for(expression(engine, path), patterns)


def _about(reading: Reading, source: LogSource) -> dict[str, Any]:
    return {
        "source": reading.source,
        "shape": reading.shape,
        "lines": reading.lines,
        "read": reading.read,
        "kept": reading.kept,
        "duplicates": reading.duplicates,
        "joined": reading.joined,
        "unparsed": reading.unparsed,
        "unparsed_sample": reading.unparsed_sample,
        "empty_bodies": reading.empty_bodies,
        "newest_first": reading.newest_first,
        "ahead_s": reading.ahead_s,
        "delay_s": reading.delay_s,
        "problem": reading.problem,
        "note": reading.note,
        "sampled_s": float("nan") if reading.sampled_s is None else reading.sampled_s,
        "limit": float("nan") if source.limit is None else float(source.limit),
        "covers_s": float("nan") if source.covers_s is None else source.covers_s,
        "canary": float("nan") if source.canary is None else float(source.canary),
        "severities": ", ".join(f"{name} {count}" for name, count in sorted(reading.counts.items())),
    }


# Reading ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    path: Path
    shape: Shape


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
    _, shape = ask(
        path,
        shown,
        question=lambda entries: f"COPY ({entries}) TO {quoted(str(out))} (FORMAT parquet)",
        source=source,
        engine=engine,
        work=work,
        now=now,
    )
    return _Part(path=out, shape=shape)


def ask(
    path: Path,
    shown: str,
    *,
    question: Callable[[str], str],
    source: LogSource,
    engine: duckdb.DuckDBPyConnection,
    work: Path,
    now: dt.datetime,
    holding: Sequence[str] | None = None,
) -> tuple[pd.DataFrame, Shape]:
    """The answer to a question about the entries of a file, and the file's shape.

    Args:
        question: SQL from SQL for the entries. holding: only lines with one of these texts are wanted, where lines are entries.
        work: a folder that is not there yet, for what must be written on the way.
    Raises:
        CouldNotLook: the file is absent, empty or cannot be read.
    """
    opened = _Opened(path, shown, source=source, engine=engine, work=work, now=now)
    why = ""
    for entries in opened.attempts(holding=holding):
        try:
            return table(engine, question(entries)), opened.shape
        # DuckDB cuts its messages by bytes, and one cut within a character is no duckdb.Error.
        except (duckdb.Error, UnicodeDecodeError) as error:
            why = scrub(str(error).splitlines()[0])[:200]
    raise CouldNotLook(f"file {shown} cannot be read as {opened.shape.in_words}: {why}")


class _Opened:
    """A file whose shape was found, and the ways to read it: the fastest first, the most patient last."""

    def __init__(
        self,
        path: Path,
        shown: str,
        *,
        source: LogSource,
        engine: duckdb.DuckDBPyConnection,
        work: Path,
        now: dt.datetime,
    ) -> None:
        work.mkdir()
        self.path, self.shown, self.source = path, shown, source
        self.engine, self.work, self.now = engine, work, now
        head = log_files.head_of(path, shown)
        whole = len(head) < log_files.HEAD_BYTES
        text = head.decode("utf-8", "replace").lstrip("\ufeff")
        self.document = log_documents.kind_of(text, whole=whole)
        in_array = self.document == "array"
        sample = log_documents.sample(text) if in_array else _sample(text, whole=whole)
        self.shape = _stated(source) or shape_of(sample)

    def attempts(self, *, holding: Sequence[str] | None = None) -> Iterator[str]:
        """SQL for the entries, one way after the other; the next is for when the one before failed."""
        path = self.path
        with path.open("rb") as file:
            packed = log_files.packing(file.read(4)) != "none"
        if packed:
            # Unpacked here and not by DuckDB, which does not say when a packed file was cut.
            path = self.work / "unpacked"
            log_files.unpack(self.path, path)
        typed = (
            self.shape.name == "cloud-logging" and not self.shape.wrapper and self.document in ("", "array")
        )
        if typed and holding is None:
            yield self._query(
                objects_sql(self.shape, path=str(path), array=self.document == "array"), typed=True
            )
        if self.document:
            document, path = path, self.work / "entries.jsonl"
            with log_files.opened(document) as stream:
                log_documents.write_lines(stream, self.document, to=path)
            self.shape = _stated(self.source) or shape_of(_sample(_head_text(path), whole=False))
        if not log_files.has_long_lines(path):
            with contextlib.suppress(duckdb.Error, UnicodeDecodeError):
                yield self._query(self._lines(path, holding=holding), only_bodies=holding is not None)
        # What DuckDB does not take: bytes that are not UTF-8, carriage returns, lines of megabytes.
        repaired = self.work / "repaired"
        log_files.repair(path, repaired)
        lines = self._lines(repaired, holding=holding)
        yield self._query(lines, only_bodies=holding is not None)

    def _lines(self, path: Path, *, holding: Sequence[str] | None = None) -> str:
        lines = (
            f"SELECT text, NULL::BIGINT AS line, 1 AS lines FROM read_csv({quoted(str(path))}, {_AS_LINES})"
        )
        if not self.shape.of_json and not self.shape.wrapper:
            return _joined_lines(lines, self.shape, engine=self.engine, work=self.work)
        # A line in which characters are escaped may hold anything.
        may = (
            " OR ".join(f"contains(text, {quoted(text)})" for text in (*holding, "\\u00")) if holding else ""
        )
        return f"{lines} WHERE {may}" if may else lines

    def _query(self, lines: str, *, typed: bool = False, only_bodies: bool = False) -> str:
        return entries_sql(
            self.shape,
            lines=lines,
            source=self.source.name,
            service=self.source.service,
            file=self.shown,
            zone=self.source.utc_offset,
            now=self.now,
            rules=rules(),
            typed=typed,
            only_bodies=only_bodies,
        )


def _sample(text: str, *, whole: bool) -> list[str]:
    """The first lines of a text, less one that may be cut."""
    lines = text.splitlines()
    return (lines if whole or len(lines) < 2 else lines[:-1])[:SAMPLE_LINES]


def _head_text(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(log_files.HEAD_BYTES).decode("utf-8", "replace")


def _stated(source: LogSource) -> Shape | None:
    if source.pattern is not None:
        return Shape(name="pattern", of_json=False, pattern=source.pattern)
    if source.shape == "auto":
        return None
    return Shape(name=source.shape, of_json=SHAPES.index(source.shape) < SHAPES.index("nginx-access"))


def _joined_lines(lines: str, shape: Shape, *, engine: duckdb.DuckDBPyConnection, work: Path) -> str:
    """Lines of text as entries: a line that starts none goes on with the one before it."""
    numbered = work / "lines.parquet"
    engine.execute(
        f"COPY (SELECT text, {starts_sql(shape)} AS starts FROM ({lines})) TO {quoted(str(numbered))} (FORMAT parquet)"
    )
    # Counting the starts so far runs on one core: only text needs it.
    grouped = f"""(SELECT text, file_row_number + 1 AS line, starts,
        count_if(starts) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS entry
        FROM read_parquet({quoted(str(numbered))}, file_row_number=true) WHERE text IS NOT NULL)"""
    if engine.execute(
        f"SELECT bool_and(starts) FROM read_parquet({quoted(str(numbered))}) WHERE text IS NOT NULL"
    ).fetchall()[0][0]:
        return f"SELECT text, line, 1 AS lines FROM {grouped}"
    rest = work / "rest.parquet"
    engine.execute(f"""COPY (SELECT entry, string_agg(text, chr(10) ORDER BY line) AS more, count(*) AS n FROM {grouped}
        WHERE NOT starts AND entry > 0 GROUP BY entry) TO {quoted(str(rest))} (FORMAT parquet)""")
    return f"""SELECT CASE WHEN more IS NULL THEN text ELSE text || chr(10) || more END AS text, line, (1 + coalesce(n, 0))::INTEGER AS lines
        FROM {grouped} LEFT JOIN read_parquet({quoted(str(rest))}) USING (entry) WHERE starts OR entry = 0 ORDER BY line"""


# Together -----------------------------------------------------------------------------------------------------------


def _together(
    parts: Sequence[_Part],
    source: LogSource,
    *,
    engine: duckdb.DuckDBPyConnection,
    to: Path,
    now: dt.datetime,
    span: tuple[dt.datetime | None, dt.datetime | None],
) -> Reading:
    """One Parquet file of all parts, without duplicates and with split tracebacks joined."""
    all_parts = " UNION ALL ".join(f"SELECT * FROM {_rows_of(part.path)}" for part in parts)
    told = table(engine, _SUMMARY.format(entries=all_parts)).iloc[0]
    shapes = ", ".join(dict.fromkeys(part.shape.in_words for part in parts))
    reading = Reading(
        source=source.name, path=to, shape=shapes, lines=int(told["lines"]), read=int(told["read"])
    )
    reading.unparsed = int(told["unparsed"])
    reading.newest_first = bool(told["slope"] < -0.8)
    doubles = int(told["named"] - told["distinct_named"])
    if len(parts) == 1 and not doubles and not told["continues"] and span == (None, None):
        parts[0].path.replace(to)
    else:
        _rewrite(
            all_parts,
            reading,
            engine=engine,
            to=to,
            doubles=doubles > 0,
            joins=told["continues"] > 0,
            span=span,
        )
    _describe(reading, engine, now)
    reading.problem = _problem(reading, parts, source)
    return reading


_SUMMARY = f"""SELECT coalesce(sum(lines) FILTER (body IS NOT NULL), 0) AS lines, count(timestamp) AS read,
    coalesce(sum(lines) FILTER (body IS NOT NULL AND timestamp IS NULL), 0) AS unparsed,
    count(insert_hash) FILTER (timestamp IS NOT NULL) AS named,
    count(DISTINCT hash(insert_hash, timestamp)) FILTER (insert_hash IS NOT NULL AND timestamp IS NOT NULL) AS distinct_named,
    count(*) FILTER (timestamp IS NOT NULL AND regexp_matches(left(body, 60), {quoted(CONTINUES)})) AS continues,
    coalesce(nullif(corr(line, epoch(timestamp)), 'nan'), 0) AS slope
    FROM ({{entries}})"""


def _rewrite(
    parts: str,
    reading: Reading,
    *,
    engine: duckdb.DuckDBPyConnection,
    to: Path,
    doubles: bool,
    joins: bool,
    span: tuple[dt.datetime | None, dt.datetime | None],
) -> None:
    since, until = span
    rows = f"SELECT * FROM ({parts}) WHERE body IS NOT NULL"
    if since is not None:
        rows += f" AND (timestamp IS NULL OR timestamp >= TIMESTAMPTZ {quoted(since.isoformat())})"
    if until is not None:
        rows += f" AND (timestamp IS NULL OR timestamp <= TIMESTAMPTZ {quoted(until.isoformat())})"
    if doubles:
        # The first of those with one id and time is kept. Only ids that occur twice are looked at, so memory stays small.
        twice = f"SELECT insert_hash, timestamp, min(struct_pack(f := file, l := line)) AS first, count(*) - 1 AS more FROM ({rows}) WHERE insert_hash IS NOT NULL AND timestamp IS NOT NULL GROUP BY ALL HAVING count(*) > 1"
        engine.execute(f"CREATE OR REPLACE TEMP TABLE twice AS {twice}")
        reading.duplicates = int(engine.execute("SELECT coalesce(sum(more), 0) FROM twice").fetchall()[0][0])
        rows = f"SELECT r.* FROM ({rows}) r LEFT JOIN twice t ON r.insert_hash = t.insert_hash AND r.timestamp = t.timestamp WHERE t.first IS NULL OR (t.first.f = r.file AND t.first.l = r.line)"
    if joins:
        engine.execute(_SPLIT.format(rows=rows, order="DESC" if reading.newest_first else "ASC"))
        reading.joined = int(
            engine.execute("SELECT count(*) FILTER (NOT is_head) FROM split").fetchall()[0][0]
        )
        rows = f"""SELECT r.* REPLACE (coalesce(j.body, r.body) AS body, coalesce(j.lines, r.lines) AS lines,
            CASE WHEN j.severity_number > r.severity_number THEN j.severity_number ELSE r.severity_number END AS severity_number,
            CASE WHEN j.severity_number > r.severity_number THEN j.severity_text ELSE r.severity_text END AS severity_text,
            CASE WHEN j.severity_number > r.severity_number THEN j.severity_source ELSE r.severity_source END AS severity_source)
            FROM ({rows}) r LEFT JOIN (SELECT file, line FROM split WHERE NOT is_head) s USING (file, line)
            LEFT JOIN (SELECT any_value(file) FILTER (is_head) AS file, any_value(line) FILTER (is_head) AS line,
                string_agg(body, chr(10) ORDER BY place) AS body, sum(lines)::INTEGER AS lines, max(severity_number) AS severity_number,
                arg_max(severity_text, severity_number) AS severity_text, arg_max(severity_source, severity_number) AS severity_source
                FROM split GROUP BY instance, part HAVING count(*) > 1) j USING (file, line)
            WHERE s.line IS NULL"""
    names = ", ".join(COLUMNS)
    engine.execute(
        f"COPY (SELECT {names} FROM ({rows}) ORDER BY file, line) TO {quoted(str(to))} (FORMAT parquet)"
    )


# What an entry is to a traceback. `tb` starts one, `in` is a part of one, `chain` joins two, `exc` ends one.
_KIND = r"""CASE WHEN regexp_matches(body, '^Traceback \(most recent call last\)') THEN 'tb'
    WHEN regexp_matches(body, '^[ \t]+\S') THEN 'in'
    WHEN regexp_matches(body, '^(?:CHAINS)') THEN 'chain'
    WHEN regexp_matches(body, '^[A-Za-z_][\w.$]*(?:Error|Exception|Exit|Interrupt|Fault|Warning)(?::|$)') THEN 'exc'
    WHEN trim(body) = '' THEN 'blank' ELSE 'other' END""".replace("CHAINS", CHAINS)

# Entries of one instance in the order of their times. One goes on with the entry before it when that was written at most
# a tenth of a second earlier and the two fit together; only seconds around such entries are looked at.
_SPLIT = f"""CREATE OR REPLACE TEMP TABLE split AS
WITH rows AS (SELECT file, line, coalesce(service_instance_id, file) AS instance, timestamp, body, lines, severity_number, severity_text, severity_source,
        {_KIND} AS kind, contains(body, 'Traceback (most recent call last)') OR regexp_matches(body, '\n\\s+at ') AS holds
    FROM ({{rows}}) WHERE timestamp IS NOT NULL AND http_status IS NULL),
near AS (SELECT DISTINCT instance, unnest([epoch(timestamp)::BIGINT - 1, epoch(timestamp)::BIGINT, epoch(timestamp)::BIGINT + 1]) AS second
    FROM rows WHERE kind IN ('in', 'chain')),
placed AS (SELECT rows.*, row_number() OVER w AS place, lag(kind) OVER w AS before, lag(holds) OVER w AS after_one,
        timestamp - lag(timestamp) OVER w AS gap
    FROM rows JOIN near ON rows.instance = near.instance AND epoch(rows.timestamp)::BIGINT = near.second
    WINDOW w AS (PARTITION BY rows.instance ORDER BY timestamp, line {{order}})),
linked AS (SELECT *, coalesce(gap <= INTERVAL 100 MILLISECOND AND CASE kind
        WHEN 'in' THEN before <> 'blank'
        WHEN 'chain' THEN before IN ('tb', 'in', 'exc', 'chain', 'blank') OR after_one
        WHEN 'tb' THEN before = 'chain'
        WHEN 'exc' THEN before = 'in'
        WHEN 'blank' THEN before IN ('chain', 'exc') OR after_one
        ELSE false END, false) AS goes_on FROM placed),
parts AS (SELECT *, count_if(NOT goes_on) OVER (PARTITION BY instance ORDER BY place ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS part FROM linked)
SELECT file, line, instance, place, part, body, lines, severity_number, severity_text, severity_source, NOT goes_on AS is_head FROM parts
QUALIFY count(*) OVER (PARTITION BY instance, part) > 1"""


def _describe(reading: Reading, engine: duckdb.DuckDBPyConnection, now: dt.datetime) -> None:
    assert reading.path is not None
    entries = entries_of(reading.path)
    told = table(
        engine,
        f"""SELECT count(*) AS kept, min(timestamp) AS first, max(timestamp) AS last,
        count(*) FILTER (trim(body) IN {log_tables.EMPTY} AND http_status IS NULL) AS empty,
        coalesce(median(epoch(observed_timestamp) - epoch(timestamp)), 0) AS delay FROM {entries}""",
    ).iloc[0]
    reading.kept, reading.empty_bodies, reading.delay_s = (
        int(told["kept"]),
        int(told["empty"]),
        float(told["delay"]),
    )
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
    hint = ""
    if all(part.shape.name == "uvicorn" for part in parts):
        hint = "; they state no time at all: have the container runtime add it (docker logs --timestamps, kubectl logs --timestamps) or log with asctime"
    elif not source.utc_offset and any(_TIMED.search(reading.unparsed_sample) is not None for _ in parts):
        hint = '; they state no time zone: set utc_offset, such as "+00:00"'
    return f"none of {reading.lines:,} lines of source {source.name!r} could be parsed{hint}"


_TIMED = re.compile(r"\d\d:\d\d:\d\d")
