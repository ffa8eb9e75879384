"""Rows of the small tables of logs that judges count: of one window, without our probes, of the new revision."""

from __future__ import annotations

import pandas as pd

from proofbook.evidence.log_tables import LOG_PATTERNS, LOG_RHYTHM
from proofbook.judge.checks.log_unread import lines_in
from proofbook.judge.view import InsufficientEvidence, View
from proofbook.judge.window import Span

RHYTHM = LOG_RHYTHM.name
# What a row of it counts.
_COUNTS = ("entries", "requests", "server_errors", "plain", "empty", "health_checks")


def rows_in(view: View, name: str, which: str, *, source: str | None = None) -> pd.DataFrame:
    """The rows of a small table of logs that lie in the window `before` or `after` (all revisions), of one source or of all.

    What was written before comes from its own recording, else from the older part of the log read after.

    Raises:
        InsufficientEvidence: no log was recorded.
    """
    return view.once(_rows_in, name, which, source)


def _rows_in(view: View, name: str, which: str, source: str | None) -> pd.DataFrame:
    is_before = which == "before" or view.before_as_after
    window = view.windows.before if which == "before" else view.windows.after
    table = (
        view.table(name, "before") if is_before else view.need(name) if name == RHYTHM else view.table(name)
    )
    if table is None:
        table = view.recorded(name, "after")
    if table is None:
        raise InsufficientEvidence(
            "no-evidence",
            "no log was recorded before",
            repair="record it: proofbook collect ENV --phase before",
        )
    if source is not None:
        table = table[table["source"] == source]
    if window is None:
        return table.iloc[0:0] if is_before else table
    if name == RHYTHM:
        # What is written in the moment of the deployment is its own.
        own = is_before and window[1] == view.windows.deployed_at
        return cut_to(table[table["first"] < window[1]] if own else table, window)
    # A row is one bucket of time. One that holds the deployment counts as after, if it has something in it from after.
    began = table["first"] if is_before else table["last"]
    return table[(began >= window[0]) & (table["first"] <= window[1])]


def cut_to(rows: pd.DataFrame, window: Span) -> pd.DataFrame:
    """Rows of `log_rhythm` in a window. Of a bucket at its edge as many entries count as lie in it.

    The first and the last entry of a bucket have their times; those between are taken to be spread evenly.
    """
    rows = rows[(rows["last"] >= window[0]) & (rows["first"] <= window[1])]
    early, late = rows["first"] < window[0], rows["last"] > window[1]
    if not (early | late).any():
        return rows
    edge = rows[early | late]
    first = edge["first"].mask(edge["first"] < window[0], window[0])
    last = edge["last"].mask(edge["last"] > window[1], window[1])
    inside = (last - first) / (edge["last"] - edge["first"])
    outer = early[edge.index].astype(int) + late[edge.index].astype(int)
    # Of the two whose times are known, as many as lie inside; of the rest, their share.
    share = ((2 - outer) + (edge["entries"] - 2) * inside) / edge["entries"]
    counts = [name for name in _COUNTS if name in rows]
    cut = edge[counts].mul(share, axis=0).round().astype("Int64").astype(edge[counts].dtypes)
    kept = edge.assign(first=first, last=last, **{name: cut[name] for name in counts})
    return pd.concat([rows[~(early | late)], kept[kept["entries"] > 0]]).sort_index()


def entries_in(view: View, which: str, *, source: str | None = None) -> pd.DataFrame:
    """How many entries of which severity and revision were written when: rows of `log_rhythm`."""
    return rows_in(view, RHYTHM, which, source=source)


def others_in(view: View, which: str, *, source: str | None = None) -> pd.DataFrame:
    """The entries that our own probes did not cause: rows of `log_rhythm`."""
    return view.once(_others_in, which, source)


def _others_in(view: View, which: str, source: str | None) -> pd.DataFrame:
    return without_probes(entries_in(view, which, source=source))


def others_of_new(view: View, *, source: str | None = None) -> pd.DataFrame:
    """The entries of after that our own probes did not cause, less those of other revisions."""
    return view.once(_others_of_new, source)


def _others_of_new(view: View, source: str | None) -> pd.DataFrame:
    others = others_in(view, "after", source=source)
    return on_new_revision(view, others, others)


def without_probes(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of what our own probes did not cause."""
    return rows[~rows["own"].astype(bool)]


def on_new_revision(view: View, rows: pd.DataFrame, entries: pd.DataFrame) -> pd.DataFrame:
    """The rows less those of other revisions of the service that was deployed; other services stay.

    A row that names no revision may be of either until the old one is gone.
    """
    revision, settled_at = view.windows.new_revision, view.windows.settled_at
    if view.before_as_after:
        return rows
    named = rows["service_version"].notna()
    deployed = entries.loc[entries["service_version"] == revision, "service_name"].dropna().unique()
    service = rows["service_name"]
    same = service.isin(deployed) if len(deployed) else pd.Series(True, index=rows.index)
    gone = pd.Series(False, index=rows.index)
    if revision is not None:
        gone |= named & same & (rows["service_version"] != revision)
    if settled_at is not None:
        gone |= ~named & (same | service.isna()) & (rows["first"] < settled_at)
    return rows[~gone]


def silence_of(view: View, *, source: str | None) -> Span | None:
    """The window after without the time in which the old revision still wrote: what was silent then was not the new one.

    Where the log does not name the new revision, from when on the old one is known to be gone.
    """
    window, settled = view.windows.after, view.windows.settled
    if window is None or settled is None or view.before_as_after:
        return window
    rows = others_in(view, "after", source=source)
    revision = view.windows.new_revision
    new = rows[rows["service_version"] == revision]
    if new.empty:
        return settled
    of_service = (
        rows["service_name"].isin(new["service_name"].dropna().unique()) | rows["service_name"].isna()
    )
    old = rows[of_service & rows["service_version"].notna() & (rows["service_version"] != revision)]
    last = window[0] if old.empty else pd.Timestamp(old["last"].max())
    return (min(max(last, window[0]), settled[0]), window[1])


def matching(view: View, which: str, pattern: str, *, source: str | None) -> pd.DataFrame:
    """The rows of `log_matches` of a pattern in a window, without what our own probes caused.

    Raises:
        InsufficientEvidence: the pattern was not looked for when the log was read.
    """
    return view.once(_matching, which, pattern, source)


def _matching(view: View, which: str, pattern: str, source: str | None) -> pd.DataFrame:
    phase = (
        "before"
        if (which == "before" or view.before_as_after) and view.table(LOG_PATTERNS, "before") is not None
        else "after"
    )
    tried = view.recorded("log_patterns", phase)
    if tried is None or pattern not in set(tried["pattern"]):
        raise InsufficientEvidence(
            "no-evidence",
            f"“{pattern}” was not looked for when the log was read",
            repair="record the log again with this case",
        )
    rows = rows_in(view, "log_matches", which, source=source)
    return without_probes(rows[rows["pattern"] == pattern])


def affected(hits: pd.DataFrame) -> int:
    """How many requests were hit: lines of one trace count once, since crashes come in bursts of lines."""
    return int(hits["affected"].sum())


def served(entries: pd.DataFrame) -> int:
    """How many requests the platform logged."""
    return int(entries["requests"].sum())


def exposed(view: View, which: str, pattern: str) -> dict[str, float]:
    """Affected requests in a window, per minute too, with the minutes and the requests in which they could have been."""
    entries = others_in(view, which)
    hits = matching(view, which, pattern, source=None)
    if which == "after":
        hits, entries = on_new_revision(view, hits, entries), others_of_new(view)
    window = view.windows.before if which == "before" else view.windows.after
    minutes = (window[1] - window[0]).total_seconds() / 60 if window else 0.0
    unread = lines_in(view, which, pattern, source=None)
    found = (
        {}
        if unread is None or unread.empty
        else {f"lines without a time {which}": int(unread["lines"].sum())}
    )
    return {
        f"affected {which}": affected(hits),
        **found,
        f"per minute {which}": affected(hits) / minutes if minutes else float("nan"),
        f"minutes {which}": minutes,
        f"requests {which}": served(entries),
    }
