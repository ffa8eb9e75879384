"""Logs that lie in an engine: Spark, BigQuery, ClickHouse, or any other that Ibis speaks to. Counting happens there."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import ibis
import pandas as pd

from proofbook.collect.logs import aggregates
from proofbook.collect.logs.formats import COLUMNS, SAME_SEVERITY, SEVERITY_NUMBERS
from proofbook.config import status_pattern
from proofbook.config.duckdb_text import error_text
from proofbook.config.sources import LogSource
from proofbook.errors import CouldNotLook
from proofbook.evidence.log_tables import ANY_LINE, ERROR_LINE, LOG_UNREAD
from proofbook.redaction.scrubbing import scrub

# What the small tables are drawn from; the rest of an entry stays where it is.
WANTED = (
    "timestamp", "severity_text", "body", "header", "service_name", "service_version", "trace_id", "http_url", "http_status",
    "http_user_agent", "http_remote_ip", "http_method",
)  # fmt: skip
_TYPES = {"VARCHAR": "string", "INTEGER": "int32", "TIMESTAMPTZ": "timestamp('UTC')"}


def entries(source: LogSource, *, base: Path) -> Any:
    """The entries of a source in an engine that have a time, as an Ibis table with the columns of `rows`."""
    found = rows(source, base=base)
    return found.filter(found.timestamp.notnull())


def undated(rows: Any, source: LogSource, patterns: Sequence[str]) -> pd.DataFrame:
    """Rows of `log_unread` of the rows that have no time: nothing says when they were written."""
    lost = rows.filter(rows.timestamp.isnull() & rows.body.notnull())
    wanted = [(ANY_LINE, lost), (ERROR_LINE, lost.filter(lost.severity_number >= SEVERITY_NUMBERS["ERROR"]))]
    for pattern in sorted(set(patterns)):
        # A line without a time may tell of a request in words.
        requests = status_pattern.of(pattern)
        wanted.append((pattern, lost.filter(lost.body.re_search(requests.in_text if requests else pattern))))
    found = []
    for name, part in wanted:
        told = aggregates.frame(part.aggregate(lines=part.count(), sample=part.body.min())).iloc[0]
        if told["lines"]:
            row = {"source": source.name, "pattern": name, "bucket": None, "lines": told["lines"]}
            found.append({**row, "first": None, "last": None, "sample": scrub(str(told["sample"]))[:200]})
        elif name == ANY_LINE:
            break
    return LOG_UNREAD.frame(found)


def rows(source: LogSource, *, base: Path) -> Any:
    """The rows of a source in an engine, as an Ibis table with the columns of WANTED, severity_number and source.

    Raises:
        CouldNotLook: the engine or the table cannot be reached, or a column is not there.
    """
    assert source.engine is not None and source.table is not None
    url = source.engine.read(base=base, where=f"log {source.name!r}: engine")
    shown = f"{urlsplit(url).scheme}://{urlsplit(url).hostname or ''}"
    try:
        engine = connect(url)
        is_file = source.table.endswith(".parquet")
        table = engine.read_parquet(str(base / source.table)) if is_file else engine.table(source.table)
        missing = sorted({path.partition(".")[0] for path in source.columns.values()} - set(table.columns))
        if missing:
            raise CouldNotLook(
                f"expected the columns {', '.join(missing)} in table {source.table} of {shown}, found {', '.join(table.columns)}"
            )
        return _mapped(table, source)
    except CouldNotLook:
        raise
    except ImportError as error:
        raise CouldNotLook(
            f"the engine of log {source.name!r} needs {error.name}, which is not installed; install it with: pip install 'proofbook[spark]' or 'ibis-framework[{urlsplit(url).scheme}]'"
        ) from None
    except Exception as error:  # an engine's errors have no base of their own
        first = scrub(error_text(error))
        raise CouldNotLook(f"log {source.name!r}: table {source.table} of {shown} cannot be read: {first[:200]}") from None  # fmt: skip


def connect(url: str) -> Any:
    """The engine that a URL names: `spark://host:port` (or `spark://local`), else one of Ibis's own, such as `duckdb://`."""
    parts = urlsplit(url)
    if parts.scheme != "spark":
        return ibis.connect(url)
    # Rows come back through Arrow; what PySpark warns of is its way through pandas.
    warnings.filterwarnings(
        "ignore", message="PySpark does not yet fully support pandas", category=FutureWarning
    )
    from pyspark.sql import SparkSession

    builder: Any = SparkSession.builder
    session = (
        builder.master("local[*]" if parts.hostname == "local" else url)
        .appName("proofbook")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.shuffle.partitions", "8")
        .getOrCreate()
    )
    return ibis.pyspark.connect(session)


def _mapped(table: Any, source: LogSource) -> Any:
    columns: dict[str, Any] = {}
    for name in WANTED:
        kind = _TYPES[COLUMNS[name]]
        path = source.columns.get(name)
        column = ibis.null() if path is None else _at(table, path)
        columns[name] = _answered(column) if name == "http_status" else column.cast(kind)
    stated = columns["severity_text"].upper()
    names = {**{name: name for name in SEVERITY_NUMBERS}, **SAME_SEVERITY}
    columns["severity_text"] = stated.cases(*names.items(), else_=ibis.null().cast("string"))
    # From what is stated, and not from the name: an engine writes the expression out wherever it is used, and Spark could not
    # compile nine comparisons of eighty.
    numbers = {word: SEVERITY_NUMBERS[name] for word, name in names.items()}
    columns["severity_number"] = stated.cases(*numbers.items(), else_=0).cast("int64")
    return table.select(**columns, source=ibis.literal(source.name))


def _answered(status: Any) -> Any:
    """A status as a number, as `requests.answered` reads one."""
    if status.type().is_string():
        status = status.re_search("^[1-5][0-9]{2}$").ifelse(status, ibis.null().cast("string"))
    number = status.cast("int32")
    return number.between(100, 599).ifelse(number, ibis.null().cast("int32"))


def _at(table: Any, path: str) -> Any:
    """A column, or a field inside one: `resource.labels.service_name`."""
    first, *rest = path.split(".")
    found = table[first]
    for step in rest:
        found = found[step]
    return found
