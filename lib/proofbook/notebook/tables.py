"""Small tables for notebooks: each takes a recorded table and gives what a reader wants to see of it, also of an empty one."""

from __future__ import annotations

import pandas as pd

from proofbook.judge.checks import log_novelty, log_rows
from proofbook.judge.view import InsufficientEvidence, View

__all__ = ["changes", "exceptions", "health", "journeys", "log_sources", "patterns", "refusals", "revisions"]
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
    """Requests by service, kind and status: how many, how many ok, the median time."""
    if table.empty:
        return pd.DataFrame()
    groups = table.groupby(["service", "kind", "status"], dropna=False)
    summary = groups.agg(
        requests=("ok", "size"),
        ok=("ok", "sum"),
        median_s=("total_s", "median"),
    )
    return summary.reset_index().round({"median_s": 3})


def journeys(table: pd.DataFrame, *, most: int = 5) -> pd.DataFrame:
    """The journeys that went wrong first, else the first ones: one row a connection with its close ledger."""
    if table.empty:
        return pd.DataFrame()
    wrong = table[~table["upgraded"] | (table["error"] != "") | (table["closed_by"] == "server")]
    shown = (wrong if len(wrong) else table)[JOURNEY_COLUMNS].head(most)
    return shown.assign(timestamp=shown["timestamp"].dt.strftime("%H:%M:%S.%f").str[:-3] + " UTC")


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
    except InsufficientEvidence:
        return pd.DataFrame()
    table = table[~table["change"].isin(["same", "unsure"])].head(most)
    shown = _with_clock(
        table[["change", "severity", "what", "before", "after", "ratio", "p", "first", "last"]]
    )
    return shown.assign(
        ratio=[f"×{ratio:.2g}" if 0 < ratio < float("inf") else "" for ratio in table["ratio"]],
        p=[f"{p:.4f}" if p >= 0.0001 else "<0.0001" for p in table["p"]],
    )


def exceptions(view: View) -> pd.DataFrame:
    """The groups of exceptions before and after, one row per fingerprint."""
    try:
        table = log_novelty.exceptions(view)
    except InsufficientEvidence:
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
    return _with_clock(table[shown]) if len(table) else table


def log_sources(table: pd.DataFrame) -> pd.DataFrame:
    """What each log source gave: entries read, counted twice, joined, lost, by severity; and what went wrong."""
    if table.empty:
        return pd.DataFrame()
    shown = [
        "source",
        "shape",
        "read",
        "duplicates",
        "joined",
        "unparsed",
        "unparsed_sample",
        "severities",
        "problem",
    ]
    # What is empty everywhere says nothing.
    told = table[[name for name in shown if (table[name] != "").any()]]
    return told.rename(columns={"shape": "format"})


def patterns(view: View, patterns: dict[str, str]) -> pd.DataFrame:
    """Per pattern: affected requests before and after, with the minutes and requests in which they could have been."""
    rows = []
    for check_id, pattern in patterns.items():
        row: dict[str, object] = {"check": check_id, "pattern": pattern}
        for which in ("before", "after"):
            try:
                row |= log_rows.exposed(view, which, pattern)
            except InsufficientEvidence:
                continue
        rows.append(row)
    return pd.DataFrame(rows).round(2)


def revisions(table: pd.DataFrame) -> pd.DataFrame:
    """Revisions as the platform lists them, sizes in MB and MiB; what it does not state is empty."""
    if table.empty:
        return pd.DataFrame()
    sizes = {
        "image (MB)": table["image_bytes"] / 1e6,
        "memory limit (MiB)": table["memory_limit_bytes"] / 2**20,
    }
    return pd.DataFrame(
        {
            "revision": table["revision"],
            "created": table["created"].dt.strftime("%Y-%m-%d %H:%M:%S UTC").fillna(""),
            **{
                name: ["" if pd.isna(size) else f"{size:,.0f}" for size in found]
                for name, found in sizes.items()
            },
        }
    )


def _with_clock(table: pd.DataFrame) -> pd.DataFrame:
    """Times to the second; the day only where there is more than one."""
    if table.empty:
        return table
    days = pd.concat([table["first"], table["last"]]).dt.date.nunique()
    form = "%H:%M:%S" if days == 1 else "%Y-%m-%d %H:%M:%S"
    return table.assign(first=table["first"].dt.strftime(form), last=table["last"].dt.strftime(form))


def __dir__() -> list[str]:
    return __all__
