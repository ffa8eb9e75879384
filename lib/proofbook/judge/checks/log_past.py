"""What earlier runs of the same environment read in a log: history of a symptom beyond the log that this run read."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from proofbook.evidence.log_tables import LOG_PAST
from proofbook.judge.findings import History
from proofbook.judge.view import View, stamp
from proofbook.judge.window import Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """A log as earlier runs read it, from before the window before of this one, without the revision that is judged.

    entries, hits: rows like those of `log_rhythm` and `log_matches`. spans: the times that it covers, in order and apart.
    runs: how many added something. until: the deployment, from which its age is counted.
    """

    entries: pd.DataFrame
    hits: pd.DataFrame
    spans: tuple[Span, ...]
    runs: int
    until: pd.Timestamp

    @property
    def since(self) -> pd.Timestamp:
        """From when on it counts: since the symptom is known; before that the defect may not have been there."""
        return self.spans[0][0]

    @property
    def days(self) -> float:
        """Its age at the deployment."""
        return float((self.until - self.since).total_seconds() / 86400)

    @property
    def in_words(self) -> str:
        """How much it is and how old, for a statement."""
        hours = 24 * self.days
        age = (
            f"{self.days:,.0f} days"
            if self.days >= 2
            else f"{hours:,.0f} h"
            if hours >= 2
            else f"{60 * hours:,.0f} min"
        )
        return f"{self.runs:,} earlier run{'s' * (self.runs != 1)}, reaching back {age}"

    @property
    def history(self) -> History:
        """The same as fields of a finding."""
        return History(runs=self.runs, since=stamp(self.since), days=round(self.days, 3))


def past(view: View, pattern: str, *, source: str | None) -> Past | None:
    """What earlier runs say of a pattern; None where they say nothing of it, or nothing says what is before."""
    return view.once(_past, pattern, source)


def _past(view: View, pattern: str, source: str | None) -> Past | None:
    table, windows = view.recorded(LOG_PAST.name, "after"), view.windows
    if table is None or windows.before is None or windows.after is None or view.before_as_after:
        return None
    rows = table[(table["pattern"] == pattern) & (table["last"] < windows.before[0])]
    rows = rows if source is None else rows[rows["source"] == source]
    if rows["source"].nunique() != 1:
        # Of several logs together nobody knows when all of them were read.
        return None
    if windows.new_revision is not None:
        rows = rows[(rows["service_version"] != windows.new_revision).fillna(True)]
    met = rows[rows["affected"] > 0]
    if met.empty:
        return None
    rows = rows[rows["last"] >= met["first"].min()]
    ends = rows.groupby("run").agg(first=("first", "min"), last=("last", "max"))
    return Past(
        entries=rows[rows["entries"] > 0],
        hits=met.assign(lines=met["affected"], longest_s=(met["last"] - met["first"]).dt.total_seconds()),
        spans=together([*zip(ends["first"], ends["last"], strict=True)]),
        runs=len(ends),
        until=windows.before[1],
    )


def together(spans: list[Span]) -> tuple[Span, ...]:
    """The spans in order, those that touch or overlap as one."""
    found: list[Span] = []
    for begin, end in sorted(spans):
        if found and begin <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((begin, end))
    return tuple(found)
