"""The table `log_unread`: which lines of a log gave no entry with a time, where they stand, and what they hold.

Columns: source; pattern: what the lines match, ANY_LINE for all of them, ERROR_LINE for those that look like an error;
bucket: second in which the entry before them was written, missing where there is none; lines; first, last: they were
written between these times, each missing where no entry says it; sample.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

NAME = "log_unread"
# No pattern of a case: an empty one is refused there, and RE2 knows no lookahead.
ANY_LINE = ""
ERROR_LINE = "(?!error)"
COLUMNS = {
    "source": "str",
    "pattern": "str",
    "bucket": "float64",
    "lines": "int64",
    "first": "datetime64[us, UTC]",
    "last": "datetime64[us, UTC]",
    "sample": "str",
}


def empty() -> pd.DataFrame:
    """The table of a log that was read whole."""
    return typed(pd.DataFrame({name: [] for name in COLUMNS}))


def typed(table: pd.DataFrame) -> pd.DataFrame:
    """The same types from wherever the rows come."""
    return table[list(COLUMNS)].astype(COLUMNS)


def merge(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """One table of several readings of the same log that overlap: no line counts twice."""
    rows = pd.concat(list(tables), ignore_index=True)
    if rows.empty:
        return typed(rows)
    merged = rows.groupby(["source", "pattern", "bucket"], dropna=False, as_index=False).agg(
        lines=("lines", "max"), first=("first", "min"), last=("last", "max"), sample=("sample", "min")
    )
    return typed(merged)
