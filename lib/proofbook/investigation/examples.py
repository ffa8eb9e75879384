"""Whole entries to read: the most telling first."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from proofbook.investigation import tables


def examples(ask: Callable[[str], pd.DataFrame], n: int) -> pd.DataFrame:
    """One entry of each kind before a second of any: errors before others, messages before answers alone, then what is rare, then the middle one in time."""
    chosen = ask(
        f"""WITH ranked AS (
            SELECT entry, template, http_status, severity_number, coalesce(template, 'HTTP ' || http_status || ' ' || path, '') AS kind FROM entries_brief
        ), placed AS (
            SELECT *, count(*) OVER (PARTITION BY kind) AS of_kind,
                abs(row_number() OVER (PARTITION BY kind ORDER BY entry) - (count(*) OVER (PARTITION BY kind) + 1) // 2) AS away
            FROM ranked
        )
        SELECT entry FROM placed
        ORDER BY away, coalesce(severity_number, 0) >= 17 DESC, template IS NOT NULL DESC, coalesce(http_status, 0) >= 500 DESC, coalesce(severity_number, 0) >= 13 DESC, of_kind, entry
        LIMIT {max(1, int(n))}"""
    )["entry"].tolist()
    # Whole entries are read of these alone.
    found = ask(f"SELECT * FROM entries WHERE entry IN ({', '.join(map(str, chosen)) or -1})")
    found = found.set_index("entry", drop=False).reindex(chosen).reset_index(drop=True)
    return tables.telling(found)
