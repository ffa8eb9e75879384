"""Small tables for notebooks: each takes a recorded table and gives what a reader wants to see of it, also of an empty one."""

from __future__ import annotations

import pandas as pd

JOURNEY_COLUMNS = [
    "endpoint",
    "timestamp",
    "upgraded",
    "greeted",
    "sent",
    "replied",
    "reply_ok",
    "close_code",
    "closed_by",
    "closed_in",
    "error",
]


def health(table: pd.DataFrame) -> pd.DataFrame:
    """Requests by service, kind and status: how many, how many ok, the median time, days left of the certificate."""
    if table.empty:
        return pd.DataFrame()
    groups = table.groupby(["service", "kind", "status"], dropna=False)
    summary = groups.agg(
        requests=("ok", "size"),
        ok=("ok", "sum"),
        median_s=("total_s", "median"),
        certificate_days=("certificate_days", "min"),
    )
    return summary.reset_index()


def journeys(table: pd.DataFrame, *, most: int = 5) -> pd.DataFrame:
    """The journeys that went wrong first, else the first ones: one row a connection with its close ledger."""
    if table.empty:
        return pd.DataFrame()
    wrong = table[~table["upgraded"] | (table["error"] != "") | (table["closed_by"] == "server")]
    return (wrong if len(wrong) else table)[JOURNEY_COLUMNS].head(most)


def refusals(table: pd.DataFrame) -> pd.DataFrame:
    """Tries by endpoint and kind of token, with the status or close code that answered them."""
    if table.empty:
        return pd.DataFrame()
    groups = table.groupby(["endpoint", "token_kind", "http_status", "close_code"], dropna=False)
    return groups.size().rename("tries").reset_index()
