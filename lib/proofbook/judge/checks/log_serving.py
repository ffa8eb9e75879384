"""Which revision the log shows at work now: a fix is gone only where the fixed revision serves what users get."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from proofbook.judge.checks.log_rows import matching, others_in
from proofbook.judge.findings import Needed
from proofbook.judge.view import View

# What still drains, or is asked by a client that keeps its connection, is less.
MOST_OF_OLD = 0.05
# "Now" is the last part of the time since the deployment: rollouts take their time, and a rollback may be new.
NOW = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """The end of the window of after: what of it the fixed revision did.

    unit: requests, or entries where none name a revision. others: revision to how many, the busiest first.
    writers: revision to how many requests it hit there. seconds: how long that end is.
    """

    revision: str
    unit: str
    count: int
    others: dict[str, int]
    writers: dict[str, int]
    seconds: float

    @property
    def share(self) -> float:
        """The share of the fixed revision."""
        total = self.count + sum(self.others.values())
        return self.count / total if total else 1.0

    @property
    def held(self) -> bool:
        return not self.writers and 1 - self.share <= MOST_OF_OLD

    @property
    def in_words(self) -> str:
        """Who serves, for a statement."""
        minutes = (
            f"the last {self.seconds / 60:,.0f} min"
            if self.seconds >= 120
            else f"the last {self.seconds:,.0f} s"
        )
        judged = f"{self.revision}, which is judged"
        number = sum(self.writers.values())
        times = f"{number:,} time{'s' * (number != 1)}"
        wrote = f"{', '.join(list(self.writers)[:3])} wrote it {times} in {minutes}" if number else ""
        if not self.others:
            alone = f"{judged}, had all {self.unit} of {minutes}"
            return f"{wrote}, though {alone}" if wrote else alone
        names, more = list(self.others)[:3], len(self.others) - 3
        shown = ", ".join(names) + (f" and {more} more" if more > 0 else "")
        total = self.count + sum(self.others.values())
        served = f"{shown} had {sum(self.others.values()):,} of {total:,} {self.unit} of {minutes}; {judged}, {self.share:.0%}"  # fmt: skip
        return f"{served}; {wrote}" if wrote else served

    @property
    def needed(self) -> Needed:
        """What would settle it."""
        what = f"a log in which {self.revision} serves all users, or [deployment] revision where another one carries the fix"
        several = "; if these are names of instances and no revisions, set [deployment] time"
        return Needed(what=f"{what}{several if len(self.others) > 1 else ''}")


def serving(view: View, pattern: str, *, source: str | None) -> Serving | None:
    """Who was at work at the end of the window of after; None where the log names no revisions, or nothing was deployed."""
    revision, window = view.windows.new_revision, view.windows.after
    if revision is None or window is None or view.before_as_after:
        return None
    rows = others_in(view, "after", source=source)
    since = window[1] - NOW * (window[1] - window[0])
    rows = _of_service(rows[rows["service_version"].notna()], revision)
    rows = rows[rows["last"] >= since]
    if rows.empty or (not (rows["service_version"] == revision).any() and view.live):
        # The log of a live run may name revisions in another way than health does.
        return None
    unit = "requests" if rows["requests"].sum() else "entries"
    counts = (
        rows.groupby(rows["service_version"].astype("str"))[unit]
        .sum()
        .sort_values(ascending=False, kind="stable")
    )
    hits = matching(view, "after", pattern, source=source)
    hits = hits[
        hits["service_version"].notna() & (hits["service_version"] != revision) & (hits["last"] >= since)
    ]
    hits = _of_service(hits, revision, known=rows)
    written = hits.groupby(hits["service_version"].astype("str"))["affected"].sum()
    return Serving(
        revision=revision,
        unit=unit,
        count=int(counts.get(revision, 0)),
        others={str(name): int(number) for name, number in counts.items() if name != revision and number},
        writers={str(name): int(number) for name, number in written.items()},
        seconds=float((window[1] - since).total_seconds()),
    )


def _of_service(rows: pd.DataFrame, revision: str, *, known: pd.DataFrame | None = None) -> pd.DataFrame:
    """The rows of the service that the revision is one of."""
    named = rows if known is None else known
    names = named.loc[named["service_version"] == revision, "service_name"].dropna().unique()
    return rows[rows["service_name"].isin(names)] if len(names) else rows
