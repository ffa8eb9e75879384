"""Which time counts as before and which as after, and which revision carries the fix."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

Span = tuple[pd.Timestamp, pd.Timestamp]


@dataclass(frozen=True, slots=True, kw_only=True)
class Windows:
    """before and after as (start, end) in UTC; None where nobody looked. Revisions are None where nothing names them."""

    before: Span | None
    after: Span | None
    deployed_at: pd.Timestamp | None = None
    old_revision: str | None = None
    new_revision: str | None = None

    def as_before(self) -> Windows:
        """The windows for judging the evidence from before as if it were after."""
        return replace(self, after=self.before, new_revision=self.old_revision)


def find_windows(
    tables: Callable[[str, str], pd.DataFrame | None], *, phases: Mapping[str, Span], deployment: Any = None
) -> Windows:
    """Windows from what was stated, else from the revisions document, else from revisions in the log.

    Args:
        tables: (name, phase) to table.
        phases: when each phase was recorded; without `after`, the log's own span counts.
        deployment: the case's deployment (time, revision, service), or None.
    """
    revisions = _revisions(tables)
    logs = tables("logs", "after")
    seen = _first_seen(logs)
    newest = getattr(deployment, "revision", None) or (
        revisions.index[-1] if len(revisions) else seen.index[-1] if len(seen) > 1 else None
    )
    older = [name for name in (revisions.index if len(revisions) else seen.index) if name != newest]
    stated = getattr(deployment, "time", None)
    deployed_at = pd.Timestamp(stated).tz_convert("UTC") if stated is not None else None
    # One revision alone is no deployment: something must have been there before it.
    if deployed_at is None and newest is not None and older:
        deployed_at = revisions.get(newest, seen.get(newest))
    before = phases.get("before")
    after = phases.get("after")
    # Without live probes the entries' own times say what the log is about.
    if after is None and logs is not None and len(logs):
        after = (logs["timestamp"].min(), logs["timestamp"].max())
    if after is not None and deployed_at is not None and deployed_at < after[1]:
        after = (deployed_at, after[1])
    if before is None and deployed_at is not None and logs is not None and len(logs):
        first = logs["timestamp"].min()
        before = (first, deployed_at) if first < deployed_at else None
    old = _serving(tables("health", "before")) or (older[-1] if older else None)
    return Windows(before=before, after=after, deployed_at=deployed_at, old_revision=old, new_revision=newest)


def _revisions(tables: Callable[[str, str], pd.DataFrame | None]) -> pd.Series:
    """Creation times by revision, oldest first."""
    table = tables("revisions", "after")
    if table is None or table.empty:
        return pd.Series(dtype="datetime64[ns, UTC]")
    known = table.dropna(subset=["created"]).sort_values("created")
    return known.set_index("revision")["created"]


def _first_seen(logs: pd.DataFrame | None) -> pd.Series:
    """First entry by revision, oldest first."""
    if logs is None or logs.empty:
        return pd.Series(dtype="datetime64[ns, UTC]")
    return logs.dropna(subset=["service_version"]).groupby("service_version")["timestamp"].min().sort_values()


def _serving(health: pd.DataFrame | None) -> str | None:
    """The revision that answered most, where health says so."""
    named = (
        health["revision"].dropna() if health is not None and "revision" in health else pd.Series(dtype="str")
    )
    return str(named.mode().iloc[0]) if len(named) else None
