"""What the lines of a log that were not read may hide: with a share of the source unread, zero matches speak of the rest only."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from proofbook.evidence.log_tables import ANY_LINE, LOG_UNREAD
from proofbook.judge.findings import Control, percent
from proofbook.judge.view import View


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """Lines without a readable time that may have been written in a window, beside the entries of it."""

    lines: int
    entries: int

    @property
    def share(self) -> float:
        return self.lines / (self.lines + self.entries) if self.lines else 0.0

    @property
    def in_words(self) -> str:
        """
        >>> Unread(lines=3, entries=97).in_words
        '3 of 100 lines (3%) were not read'
        """
        verb = "was" if self.lines == 1 else "were"
        return (
            f"{self.lines:,} of {self.lines + self.entries:,} lines ({percent(self.share)}) {verb} not read"
        )

    @property
    def aside(self) -> str:
        """The words at the end of a statement; nothing where every line was read."""
        return f"; {self.in_words}" if self.lines else ""

    def control(self, *, harmless: bool) -> tuple[Control, ...]:
        """Liveness: a claim must hold also if every line that was not read spoke against it. None where every line was read."""
        if not self.lines:
            return ()
        return (
            Control(
                kind="liveness",
                name="lines that were not read",
                guards=("pass",),
                expected="so few that the claim holds also if each of them speaks against it",
                got=self.in_words,
                held=harmless,
                code="log-unread",
            ),
        )


def unread_in(view: View, which: str, *, source: str | None, entries: pd.DataFrame) -> Unread:
    """The unread lines of the window `before` or `after`; `entries` are its rows of `log_rhythm`."""
    rows = lines_in(view, which, ANY_LINE, source=source)
    count = int(entries["entries"].sum())
    return Unread(
        lines=_noted(view, which, source) if rows is None else int(rows["lines"].sum()), entries=count
    )


def lines_in(view: View, which: str, pattern: str, *, source: str | None) -> pd.DataFrame | None:
    """Rows of `log_unread` of a pattern that may lie in a window; None where unread lines were not looked at.

    A line was written between its neighbours' times; where one is missing, nothing says on that side when.
    """
    is_before = which == "before" or view.before_as_after
    window = view.windows.before if which == "before" else view.windows.after
    table = view.table(LOG_UNREAD.name, "before") if is_before else view.table(LOG_UNREAD.name)
    if table is None:
        table = view.recorded(LOG_UNREAD.name, "after")
    if table is None:
        return None
    rows = table[table["pattern"] == pattern]
    rows = rows if source is None else rows[rows["source"] == source]
    if window is None:
        return rows.iloc[0:0] if is_before else rows
    return rows[~(rows["last"] < window[0]) & ~(rows["first"] > window[1])]


def certainly_after(view: View, rows: pd.DataFrame) -> pd.Series:
    """Which rows of `log_unread` something places in the window of after, once only the new revision wrote."""
    window, settled_at = view.windows.after, view.windows.settled_at
    if window is None:
        return pd.Series(False, index=rows.index)
    start = window[0] if settled_at is None or view.before_as_after else max(window[0], settled_at)
    return (rows["first"] >= start) & (rows["last"].isna() | (rows["last"] <= window[1]))


def _noted(view: View, which: str, source: str | None) -> int:
    """How many lines the reading itself could not read: all that evidence from before `log_unread` says."""
    is_before = which == "before" or view.before_as_after
    sources = view.table("log_sources", "before") if is_before else None
    sources = view.table("log_sources") if sources is None else sources
    if sources is None:
        return 0
    rows = sources if source is None else sources[sources["source"] == source]
    return int(rows["unparsed"].sum()) if "unparsed" in rows else 0
