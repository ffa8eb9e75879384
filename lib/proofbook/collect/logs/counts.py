"""Patterns counted per minute straight from a file: for a quick look at a large log, without keeping its entries."""

from __future__ import annotations

import datetime as dt
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from proofbook.collect.logs import files, opening
from proofbook.collect.logs.entries import connect
from proofbook.config.duckdb_text import quoted
from proofbook.config.sources import LogSource

_LEAST = 4


def per_minute(source: LogSource, patterns: Sequence[str], *, base: Path) -> pd.DataFrame:
    """How many entries of a file hold each pattern.

    Returns:
        One row per minute in which any does: minute (UTC), then a column per pattern. Duplicates and split tracebacks are
        counted as they are written; `read_logs` tells them apart.
    Raises:
        CouldNotLook: the file is absent, empty or cannot be read.
    """
    now = dt.datetime.now(dt.UTC)
    counts = ", ".join(
        f"count(*) FILTER (regexp_matches(body, {quoted(pattern)})) AS p{number}"
        for number, pattern in enumerate(patterns)
    )
    with tempfile.TemporaryDirectory() as name, connect() as engine:
        tables = []
        for index, (path, shown) in enumerate(files.files_of(source, base=base, work=Path(name), now=now)):
            found, _ = opening.ask(
                path,
                shown,
                question=lambda entries: (
                    f"SELECT date_trunc('minute', timestamp) AS minute, {counts} FROM ({entries}) WHERE timestamp IS NOT NULL GROUP BY 1"
                ),
                source=source,
                engine=engine,
                work=Path(name) / str(index),
                now=now,
                holding=literals(patterns),
            )
            tables.append(found)
    names = {f"p{number}": pattern for number, pattern in enumerate(patterns)}
    whole = pd.concat(tables, ignore_index=True).groupby("minute", as_index=False).sum()
    hit = whole[list(names)].sum(axis=1) > 0
    return whole[hit].sort_values("minute", ignore_index=True).rename(columns=names)


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
