"""Small tables for notebooks: each takes a recorded table and gives what a reader wants to see of it, also of an empty one."""

from __future__ import annotations

import pandas as pd

from proofbook.judge import log_novelty, log_signatures
from proofbook.judge.checks import CouldNotSee, View

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


def changes(view: View, *, most: int = 12) -> pd.DataFrame:
    """What the deployment changed in the log, the most telling first; what is the same, or too rare to say, is left out."""
    try:
        table = log_novelty.changes(view)
    except CouldNotSee:
        return pd.DataFrame()
    table = table[~table["change"].isin(["same", "unsure"])].head(most)
    return table[["change", "severity", "what", "before", "after", "ratio", "p", "first", "last"]]


def exceptions(view: View) -> pd.DataFrame:
    """The groups of exceptions before and after, one row per fingerprint."""
    try:
        table = log_novelty.exceptions(view)
    except CouldNotSee:
        return pd.DataFrame()
    shown = [
        "type",
        "where",
        "recursion",
        "caused by",
        "before",
        "after",
        "change",
        "first",
        "last",
        "revisions",
        "message",
    ]
    return table[shown] if len(table) else table


def signatures(view: View, patterns: dict[str, str]) -> pd.DataFrame:
    """Per pattern: affected requests before and after, with the minutes and requests in which they could have been."""
    rows = []
    for check_id, pattern in patterns.items():
        row: dict[str, object] = {"check": check_id, "pattern": pattern}
        for which in ("before", "after"):
            try:
                row |= log_signatures.exposed(view, which, pattern)
            except CouldNotSee:
                continue
        rows.append(row)
    return pd.DataFrame(rows)
