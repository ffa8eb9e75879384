"""Patterns counted per minute straight from a file: for a quick look at a large log, without keeping its entries."""

from __future__ import annotations

import datetime as dt
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

import duckdb
import pandas as pd

from proofbook.collect.logs import files, opening
from proofbook.collect.logs.entries import connect, entries_of, table
from proofbook.collect.logs.reader import read_logs
from proofbook.config.duckdb_text import quoted
from proofbook.config.sources import LogSource
from proofbook.errors import CouldNotLook

_LEAST = 4


def per_minute(source: LogSource, patterns: Sequence[str], *, base: Path) -> pd.DataFrame:
    """How many entries of a file hold each pattern.

    Returns:
        One row per minute in which any does: minute (UTC), then a column per pattern. Duplicates and split tracebacks of
        objects are counted as they are written; `read_logs` tells them apart.
    Raises:
        CouldNotLook: the file is absent, empty or cannot be read.
    """
    now = dt.datetime.now(dt.UTC)
    with tempfile.TemporaryDirectory() as name, connect() as engine:
        work = Path(name)
        found = files.files_of(source, base=base, work=work, now=now)
        opened = [
            opening.Opened(path, shown, source=source, engine=engine, work=work / str(index), now=now)
            for index, (path, shown) in enumerate(found)
        ]
        if any(item.shape.is_settled_whole or item.shape.has_places(source.zone) for item in opened):
            tables = [_of_whole(source, patterns, base=base, to=work / "entries.parquet", engine=engine)]
        else:
            tables = [
                opening.ask(
                    file,
                    question=lambda entries: _per_minute(f"({entries})", "body", patterns),
                    holding=literals(patterns),
                )
                for file in opened
            ]
    names = {f"p{number}": pattern for number, pattern in enumerate(patterns)}
    whole = pd.concat(tables, ignore_index=True).groupby("minute", as_index=False).sum()
    hit = whole[list(names)].sum(axis=1) > 0
    return whole[hit].sort_values("minute", ignore_index=True).rename(columns=names)


def _of_whole(
    source: LogSource, patterns: Sequence[str], *, base: Path, to: Path, engine: duckdb.DuckDBPyConnection
) -> pd.DataFrame:
    """The counts of a log whose times are known only when all of it was read: years, doubled hours, and lines without a time of their own."""
    reading = read_logs(source, base=base, to=to)
    if reading.problem:
        raise CouldNotLook(reading.problem)
    return table(engine, _per_minute(entries_of(to), "coalesce(header, '') || body", patterns))


def _per_minute(entries: str, text: str, patterns: Sequence[str]) -> str:
    counts = ", ".join(
        f"count(*) FILTER (regexp_matches({text}, {quoted(pattern)})) AS p{number}"
        for number, pattern in enumerate(patterns)
    )
    return f"SELECT date_trunc('minute', timestamp) AS minute, {counts} FROM {entries} WHERE timestamp IS NOT NULL GROUP BY 1"


def literals(patterns: Sequence[str]) -> list[str] | None:
    """For each pattern a piece of text that every match holds; None when one has none that is sure and long enough.

    >>> literals([r"RecursionError: \\w+", "Invalid .* id"])
    ['RecursionError: ', 'Invalid ']
    >>> literals(["RecursionError", "(?i)invalid"])
    """
    found = [_literal(pattern) for pattern in patterns]
    return None if any(len(text) < _LEAST for text in found) else found


def _literal(pattern: str) -> str:
    """The longest run of plain characters; nothing where a choice, a group or a count makes it uncertain."""
    if re.search(r"[|()\[\]{}]", pattern):
        return ""
    # An escape, a sign, or a character that need not be there ends a run. Quotes and such are escaped by JSON writers.
    return max(re.split(r"\\.|.[?*]|[^A-Za-z0-9 _,:;=!@#%~-]", pattern), key=len)
