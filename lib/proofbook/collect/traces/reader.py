"""Reads spans and measurements from files of others into the tables `spans` and `measurements`."""

from __future__ import annotations

import glob
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pandas as pd

from proofbook.collect.logs.entries import connect
from proofbook.collect.logs.files import opened, packing
from proofbook.collect.traces import columns, documents
from proofbook.collect.traces.names import service_sql
from proofbook.config.duckdb_text import error_text, quoted
from proofbook.errors import UsageError
from proofbook.evidence.traces import MEASUREMENTS, SPANS

HEAD_BYTES = 1 << 16
# Written where a span has no parent.
_NO_PARENT = "('', 'root', '0', 'null', 'none', 'nan', '-', '0000000000000000')"
_ERRORS = "('error', 'status_code_error', 'true', 'failed', 'failure', 'fail', 'exception', '2')"
_NO_ERRORS = "('ok', 'status_code_ok', 'false', 'success', '1')"


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What was read into one table.

    Attributes:
        form: of each file, in order. rows: that were kept. duplicates: rows that came again. unread: rows without a readable
            time, id or value.
    """

    form: tuple[str, ...]
    rows: int
    duplicates: int
    unread: int


def read_spans(files: Sequence[str], *, base: Path, to: Path) -> Read:
    """Spans of CSV files, or of JSON as OpenTelemetry, Jaeger and Zipkin write it, as a Parquet file with the columns of `spans`.

    files: paths or patterns; packed by gzip or not. base: what they are relative to.

    Raises:
        UsageError: a file is absent, or holds no spans in a form that is known.
    """
    with closing(connect()) as engine:
        engine.execute("CREATE TABLE found (trace_id VARCHAR, span_id VARCHAR, parent_id VARCHAR, service VARCHAR, instance VARCHAR, operation VARCHAR, started TIMESTAMPTZ, took_s DOUBLE, status VARCHAR)")  # fmt: skip
        forms = [_add_spans(engine, path, shown) for shown, path in _paths(files, base, what="spans")]
        read = _count(engine, "SELECT count(*) FROM found")
        engine.execute("CREATE TABLE whole AS SELECT * FROM found WHERE trace_id <> '' AND span_id <> '' AND service <> '' AND started IS NOT NULL AND took_s >= 0")  # fmt: skip
        engine.execute("CREATE TABLE kept AS SELECT * FROM whole QUALIFY row_number() OVER (PARTITION BY trace_id, span_id ORDER BY started, took_s DESC, operation, service) = 1")  # fmt: skip
        whole, kept = _count(engine, "SELECT count(*) FROM whole"), _count(engine, "SELECT count(*) FROM kept")  # fmt: skip
        if not kept:
            raise UsageError(
                f"expected spans in {', '.join(files)}, got {read:,} rows of which none has ids, a service, a start and a duration"
            )
        _write(
            engine,
            f"SELECT {', '.join(column.name for column in SPANS.columns)} FROM kept ORDER BY started, trace_id, span_id",
            to,
        )
    return Read(form=tuple(forms), rows=kept, duplicates=whole - kept, unread=read - whole)


def read_measurements(files: Sequence[str], *, base: Path, to: Path) -> Read:
    """Measurements in long form (one row a value: time, instance or service, metric, value), as `measurements` has them.

    Raises:
        UsageError: a file is absent, or no column holds one of these.
    """
    with closing(connect()) as engine:
        engine.execute("CREATE TABLE found (service VARCHAR, instance VARCHAR, timestamp TIMESTAMPTZ, name VARCHAR, value DOUBLE)")  # fmt: skip
        forms = []
        for shown, path in _paths(files, base, what="measurements"):
            _open_csv(engine, path, shown, what="measurements")
            held = _columns_of(engine, columns.MEASUREMENT_COLUMNS)
            _require(
                held, ("timestamp", "name", "value"), ("service", "instance"), shown, engine, "measurements"
            )
            forms.append(f"CSV ({', '.join(held.values())})")
            moment = _moment(engine, held["timestamp"], shown)
            engine.execute(f"INSERT INTO found SELECT {_service(held)}, {_cell(held, 'instance')}, {moment}, {_cell(held, 'name')}, try_cast({_cell(held, 'value')} AS DOUBLE) FROM raw")  # fmt: skip
        read = _count(engine, "SELECT count(*) FROM found")
        whole = "service <> '' AND name <> '' AND timestamp IS NOT NULL AND isfinite(value)"
        engine.execute(f"CREATE TABLE kept AS SELECT DISTINCT * FROM found WHERE {whole}")
        valid = _count(engine, f"SELECT count(*) FROM found WHERE {whole}")
        kept = _count(engine, "SELECT count(*) FROM kept")
        if not kept:
            raise UsageError(f"expected measurements in {', '.join(files)}, got {read:,} rows of which none has a time and a number")  # fmt: skip
        _write(
            engine,
            f"SELECT {', '.join(column.name for column in MEASUREMENTS.columns)} FROM kept ORDER BY timestamp, service, name",
            to,
        )
    return Read(form=tuple(forms), rows=kept, duplicates=valid - kept, unread=read - valid)


def _write(engine: duckdb.DuckDBPyConnection, query: str, to: Path) -> None:
    engine.execute(f"COPY ({query}) TO {quoted(str(to))} (FORMAT parquet)")


def _count(engine: duckdb.DuckDBPyConnection, query: str) -> int:
    found = engine.execute(query).fetchone()
    return int(found[0]) if found else 0


def _paths(files: Sequence[str], base: Path, *, what: str) -> list[tuple[str, Path]]:
    """Each file as it was named, and where it is.

    Raises:
        UsageError: there is none of that name.
    """
    found = []
    for name in files:
        whole = str(base / name)
        paths = [Path(whole)] if Path(whole).exists() else [Path(path) for path in sorted(glob.glob(whole))]  # noqa: PTH207 – the pattern may be absolute
        if not paths:
            raise UsageError(f"expected a file of {what} at {name}, there is none; give its path or a pattern such as 'export/*.json'")  # fmt: skip
        for path in paths:
            if path.is_dir():
                raise UsageError(f"expected a file of {what} at {name}, got a folder; name its files, such as '{name.rstrip('/')}/*.csv'")  # fmt: skip
            found.append((name if len(paths) == 1 else str(path), path))
    return found


# Spans --------------------------------------------------------------------------------------------------------------


def _add_spans(engine: duckdb.DuckDBPyConnection, path: Path, shown: str) -> str:
    """Adds a file's spans to the table `found`; the form that it has."""
    head = _head(path, shown, what="spans")
    if head.lstrip()[:1] in ("{", "["):
        with opened(path) as file:
            pieces = []
            while piece := file.read(1 << 24):
                pieces.append(piece)
        read = documents.rows(b"".join(pieces).decode("utf-8", "replace"))
        if read is None:
            raise UsageError(
                f"expected spans in {shown} as {documents.FORMS}, or CSV with a header; got JSON that begins {head.strip()[:60]!r}"
            )
        form, rows = read
        if rows:
            frame = pd.DataFrame(rows, columns=documents.Row._fields)
            for name in ("parent_id", "service", "instance", "status"):
                frame[name] = frame[name].astype("str")
            engine.register("rows", frame)
            held = f"coalesce(nullif(service, ''), {service_sql('instance')})"
            engine.execute(f"INSERT INTO found SELECT trace_id, span_id, parent_id, {held}, instance, operation, make_timestamptz(CAST(started * 1e6 AS BIGINT)), took_s, status FROM rows")  # fmt: skip
            engine.unregister("rows")
        return form
    _open_csv(engine, path, shown, what="spans")
    held_by = _columns_of(engine, columns.SPAN_COLUMNS)
    _require(
        held_by,
        ("trace_id", "span_id", "operation", "started"),
        ("service", "instance"),
        shown,
        engine,
        "spans",
    )
    _require(held_by, (), ("ended", "took"), shown, engine, "spans")
    started = _moment(engine, held_by["started"], shown)
    parent = f"CASE WHEN lower({_cell(held_by, 'parent_id')}) IN {_NO_PARENT} THEN NULL ELSE {_cell(held_by, 'parent_id')} END"
    engine.execute(f"INSERT INTO found SELECT {_cell(held_by, 'trace_id')}, {_cell(held_by, 'span_id')}, {parent}, {_service(held_by)}, {_cell(held_by, 'instance')}, {_cell(held_by, 'operation')}, {started}, {_took(engine, held_by, shown)}, {_status(held_by)} FROM raw")  # fmt: skip
    return f"CSV ({', '.join(held_by.values())})"


def _took(engine: duckdb.DuckDBPyConnection, held: Mapping[str, str], shown: str) -> str:
    """How long a span took, in seconds: to its end where that is known, since a duration may be in any unit."""
    if "ended" in held:
        unit = _unit(engine, held["started"])
        if unit is not None and unit == _unit(engine, held["ended"]):
            # As numbers: moments are cut to microseconds.
            kind = "HUGEINT" if unit <= 1e-6 else "DOUBLE"
            ended, started = (f"try_cast({_quoted(held[name])} AS {kind})" for name in ("ended", "started"))
            return f"(CAST({ended} - {started} AS DOUBLE) * {unit!r})"
        ended, started = (_moment(engine, held[name], shown) for name in ("ended", "started"))
        return f"(epoch({ended}) - epoch({started}))"
    name = held["took"]
    unit = columns.unit_of_lengths_s(name)
    if unit is None:
        # OpenTelemetry and Go write nanoseconds, most others microseconds; a request of more than 1000 s is none.
        typical = engine.execute(f"SELECT median(try_cast({_quoted(name)} AS DOUBLE)) FROM raw").fetchone()
        unit = 1e-9 if typical and typical[0] and typical[0] > 1e9 else 1e-6
    return f"try_cast({_quoted(name)} AS DOUBLE) * {unit!r}"


def _status(held: Mapping[str, str]) -> str:
    """`error` or `ok` by a status: a word, a code of OpenTelemetry (2: error), or a status of HTTP (from 500 on: error)."""
    if "status" not in held:
        return "NULL"
    cell = f"lower({_cell(held, 'status')})"
    number = f"try_cast({_cell(held, 'status')} AS DOUBLE)"
    if held["status"].lower() == "success":
        return f"CASE {cell} WHEN 'false' THEN 'error' WHEN '0' THEN 'error' WHEN 'true' THEN 'ok' WHEN '1' THEN 'ok' END"
    return f"CASE WHEN {cell} IN {_ERRORS} OR {number} BETWEEN 500 AND 599 THEN 'error' WHEN {cell} IN {_NO_ERRORS} OR {number} BETWEEN 100 AND 499 THEN 'ok' END"


# What both have -----------------------------------------------------------------------------------------------------


def _head(path: Path, shown: str, *, what: str) -> str:
    try:
        with opened(path) as file:
            head = file.read(HEAD_BYTES)
    except OSError as error:
        raise UsageError(f"expected a file of {what} at {shown}, but it cannot be read ({error.strerror})") from None  # fmt: skip
    if not head.strip():
        raise UsageError(f"expected {what} in {shown}, got an empty file")
    if b"\0" in head:
        raise UsageError(f"expected {what} in {shown} as text, got a binary file")
    return head.decode("utf-8-sig", "replace")


def _open_csv(engine: duckdb.DuckDBPyConnection, path: Path, shown: str, *, what: str) -> None:
    """Makes the view `raw` of a file's rows, each cell as text.

    Raises:
        UsageError: it is no table of cells with a header.
    """
    head = _head(path, shown, what=what)
    first = head.splitlines()[0]
    delimiter = max((",", "\t", ";", "|"), key=first.count)
    if not first.count(delimiter):
        raise UsageError(f"expected {what} in {shown} as CSV with a header; got a file that begins {first[:60]!r}")  # fmt: skip
    with path.open("rb") as file:
        packed = packing(file.read(4))
    engine.execute("DROP VIEW IF EXISTS raw; DROP TABLE IF EXISTS raw_rows")
    try:
        engine.execute(f"CREATE TABLE raw_rows AS SELECT * FROM read_csv({quoted(str(path))}, header = true, all_varchar = true, delim = {quoted(delimiter)}, quote = '\"', escape = '\"', compression = {quoted(packed)}, null_padding = true, ignore_errors = true, strict_mode = false)")  # fmt: skip
    except duckdb.Error as error:
        raise UsageError(f"expected {what} in {shown} as CSV with a header, but it cannot be read ({error_text(error)})") from None  # fmt: skip
    engine.execute("CREATE VIEW raw AS SELECT * FROM raw_rows")


def _header(engine: duckdb.DuckDBPyConnection) -> list[str]:
    return [str(name) for (name, *_) in engine.execute("DESCRIBE raw").fetchall()]


def _columns_of(engine: duckdb.DuckDBPyConnection, known: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    return columns.recognise(_header(engine), known)


def _require(
    held: Mapping[str, str],
    all_of: Sequence[str],
    one_of: Sequence[str],
    shown: str,
    engine: duckdb.DuckDBPyConnection,
    what: str,
) -> None:
    missing = [name for name in all_of if name not in held]
    if one_of and not any(name in held for name in one_of):
        missing.append(" or ".join(one_of))
    if missing:
        raise UsageError(
            f"expected {what} in {shown} with a column for each of {', '.join(missing)}, got the columns {', '.join(_header(engine)[:20])}; rename those that hold them"
        )


def _unit(engine: duckdb.DuckDBPyConnection, name: str) -> float | None:
    """What one of the numbers of a column of moments is in seconds; None: they are no numbers since 1970."""
    typical = engine.execute(f"SELECT median(try_cast({_quoted(name)} AS DOUBLE)) FROM raw").fetchone()
    return columns.unit_of_moments_s(typical[0]) if typical and typical[0] is not None else None


def _moment(engine: duckdb.DuckDBPyConnection, name: str, shown: str) -> str:
    """A DuckDB expression for the moment in a column of numbers since 1970 or of texts.

    Raises:
        UsageError: it holds no times.
    """
    cell = _quoted(name)
    unit = _unit(engine, name)
    if unit is not None:
        # Nanoseconds are more than a double holds: whole numbers where they are.
        count = f"try_cast({cell} AS HUGEINT)" if unit <= 1e-6 else f"try_cast({cell} AS DOUBLE)"
        micros = {1.0: f"{count} * 1000000", 1e-3: f"{count} * 1000", 1e-6: count, 1e-9: f"{count} // 1000"}[unit]  # fmt: skip
        return f"make_timestamptz(CAST({micros} AS BIGINT))"
    texts, example = engine.execute(f"SELECT count(try_cast({cell} AS TIMESTAMPTZ)), min({cell}) FROM raw").fetchone() or (0, "")  # fmt: skip
    if not texts:
        raise UsageError(
            f"expected times in the column {name} of {shown}, such as 2026-01-31T08:00:00Z or nanoseconds since 1970, got {example!r}"
        )
    return f"try_cast({cell} AS TIMESTAMPTZ)"


def _service(held: Mapping[str, str]) -> str:
    """A DuckDB expression for the service: its column, else what the instance's name says."""
    by_instance = service_sql(f"trim({_quoted(held['instance'])})") if "instance" in held else "NULL"
    return f"coalesce({_cell(held, 'service')}, {by_instance})"


def _cell(held: Mapping[str, str], field: str) -> str:
    return f"nullif(trim({_quoted(held[field])}), '')" if field in held else "NULL"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
