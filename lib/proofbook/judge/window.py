"""Which time counts as before and which as after, and which revision carries the fix."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

Span = tuple[pd.Timestamp, pd.Timestamp]
Tables = Callable[[str, str], "pd.DataFrame | None"]


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
    tables: Tables, *, phases: Mapping[str, Span], deployment: Any = None, find_deployment: bool = True
) -> Windows:
    """Windows from what was stated, else from the revisions document, else from revisions in the log.

    Args:
        tables: (name, phase) to table.
        phases: when each phase was recorded; without `after`, the log's own span counts.
        deployment: the case's deployment (time, revision, service), or None.
        find_deployment: whether a deployment matters at all; without a fix the phases stay as they were recorded.
    """
    logs = tables("log_rhythm", "after")
    before, after = phases.get("before"), phases.get("after")
    # Without live probes the entries' own times say what the log is about.
    if after is None and logs is not None and len(logs):
        after = (logs["first"].min(), logs["last"].max())
    old, new = _serving(tables("health", "before")), _serving(tables("health", "after"))
    if not find_deployment:
        return Windows(before=before, after=after, old_revision=old, new_revision=new)
    made = _made(tables, getattr(deployment, "service", None))
    new = getattr(deployment, "revision", None) or (made.index[-1] if len(made) > 1 else new)
    older = [name for name in made.index if name != new]
    deployed_at = _deployed_at(deployment, made, new, older)
    if after is not None and deployed_at is not None and deployed_at < after[1]:
        after = (deployed_at, after[1])
    if before is None and deployed_at is not None and logs is not None and len(logs):
        first = logs["first"].min()
        before = (first, deployed_at) if first < deployed_at else None
    old = old or (older[-1] if older else None)
    return Windows(before=before, after=after, deployed_at=deployed_at, old_revision=old, new_revision=new)


def _deployed_at(deployment: Any, made: pd.Series, new: str | None, older: list[str]) -> pd.Timestamp | None:
    """When the new revision came; one revision alone is no deployment, since nothing was there before it."""
    stated = getattr(deployment, "time", None)
    if stated is not None:
        return pd.Timestamp(stated).tz_convert("UTC")
    return made.get(new) if new is not None and older else None


def _made(tables: Tables, service: str | None) -> pd.Series:
    """When each revision was made, oldest first: from the platform's document, else from its first log entry."""
    table = tables("revisions", "after")
    if table is not None and len(table):
        return table.dropna(subset=["created"]).sort_values("created").set_index("revision")["created"]
    logs = tables("log_rhythm", "after")
    if logs is None or logs.empty:
        return pd.Series(dtype="datetime64[ns, UTC]")
    named = logs.dropna(subset=["service_version"])
    if service is not None and "service_name" in named:
        named = named[named["service_name"] == service]
    return named.groupby("service_version")["first"].min().sort_values()


def _serving(health: pd.DataFrame | None) -> str | None:
    """The revision that answered most, where health says so."""
    named = (
        health["revision"].dropna() if health is not None and "revision" in health else pd.Series(dtype="str")
    )
    return str(named.mode().iloc[0]) if len(named) else None
