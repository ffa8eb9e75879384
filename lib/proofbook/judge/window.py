"""Which time counts as before and which as after, and which revision carries the fix."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

Span = tuple[pd.Timestamp, pd.Timestamp]
Tables = Callable[[str, str], "pd.DataFrame | None"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowProblem:
    """What is wrong with a window: the code of `reasons` that a finding gives for it, and a sentence."""

    reason: str
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Windows:
    """before and after as (start, end) in UTC; None where nobody looked. Revisions are None where nothing names them.

    alongside: what the probes of before saw was recorded now, where the old revision still answers; `before` is then the log's.
    settled_at: from when on the old revision is known to be gone; while a deployment rolls, both write the log.
    problem: why nothing can be judged by these windows; before_problem: why nothing can be compared with before.
    """

    before: Span | None
    after: Span | None
    deployed_at: pd.Timestamp | None = None
    old_revision: str | None = None
    new_revision: str | None = None
    alongside: bool = False
    settled_at: pd.Timestamp | None = None
    problem: WindowProblem | None = None
    before_problem: WindowProblem | None = None

    @property
    def settled(self) -> Span | None:
        """The window after from when on the old revision is known to be gone; until then silence is not that of the new one."""
        if self.after is None or self.settled_at is None:
            return self.after
        return (min(max(self.after[0], self.settled_at), self.after[1]), self.after[1])

    def as_before(self) -> Windows:
        """The windows for judging the evidence from before as if it were after."""
        return replace(
            self,
            after=self.before,
            new_revision=self.old_revision,
            settled_at=None,
            problem=self.before_problem,
        )


def find_windows(
    tables: Tables,
    *,
    phases: Mapping[str, Span],
    deployment: Any = None,
    find_deployment: bool = True,
    alongside: bool = False,
) -> Windows:
    """Windows from what was stated, else from the revisions document, else from revisions in the log.

    Args:
        tables: (name, phase) to table.
        phases: when each phase was recorded; without `after`, the log's own span counts.
        deployment: the case's deployment (time, revision, service), or None.
        alongside: whether the phase before was recorded only now, at another address.
        find_deployment: whether a deployment matters at all; without a fix the phases stay as they were recorded.
    """
    logs = tables("log_rhythm", "after")
    before, after = None if alongside else phases.get("before"), phases.get("after")
    # Without live probes the entries' own times say what the log is about.
    if after is None and logs is not None and len(logs):
        after = (logs["first"].min(), logs["last"].max())
    old, new = _serving(tables("health", "before")), _serving(tables("health", "after"))
    if not find_deployment:
        return _checked(
            Windows(before=before, after=after, old_revision=old, new_revision=new, alongside=alongside)
        )
    made = _made(tables, getattr(deployment, "service", None))
    if not made.empty and not {old, new} & set(made.index):
        # Health names revisions in another way than log and platform, such as 2.3.1 and api-00012.
        old = new = None
    new = getattr(deployment, "revision", None) or (
        made.index[-1] if len(made) > 1 or (new is None and len(made)) else new
    )
    older = [name for name in made.index if name != new]
    deployed_at = _deployed_at(deployment, made, new, older)
    stated = getattr(deployment, "time", None) is not None
    settled_at = after[0] if "after" in phases and after is not None and not stated else deployed_at
    if after is not None and deployed_at is not None and deployed_at < after[1]:
        after = (deployed_at, after[1])
    if before is None and deployed_at is not None and logs is not None and len(logs):
        first = logs["first"].min()
        before = (first, deployed_at) if first < deployed_at else None
    old = old or (older[-1] if older else None)
    return _checked(
        Windows(
            before=before,
            after=after,
            deployed_at=deployed_at,
            old_revision=old,
            new_revision=new,
            alongside=alongside,
            settled_at=settled_at,
        )
    )


def _checked(windows: Windows) -> Windows:
    """The windows, with what is wrong with them: times that run backwards, overlap, or lie on the wrong side of the deployment."""
    return replace(windows, problem=_problem_after(windows), before_problem=_problem_before(windows))


def _problem_after(windows: Windows) -> WindowProblem | None:
    after, deployed_at = windows.after, windows.deployed_at
    if after is None:
        return None
    if after[1] < after[0]:
        return WindowProblem(
            reason="clock",
            sentence=f"the evidence from after ends ({after[1]:%H:%M:%S}) before it begins ({after[0]:%H:%M:%S})",
        )
    if deployed_at is not None and deployed_at >= after[1]:
        return WindowProblem(
            reason="no-deployment",
            sentence=f"the deployment ({deployed_at:%Y-%m-%d %H:%M:%S}) is later than everything recorded after it ({after[1]:%Y-%m-%d %H:%M:%S})",
        )
    return None


def _problem_before(windows: Windows) -> WindowProblem | None:
    before, after, deployed_at = windows.before, windows.after, windows.deployed_at
    if before is None:
        return None
    if before[1] < before[0]:
        return WindowProblem(
            reason="clock",
            sentence=f"the evidence from before ends ({before[1]:%H:%M:%S}) before it begins ({before[0]:%H:%M:%S})",
        )
    if deployed_at is not None and before[0] >= deployed_at:
        return WindowProblem(
            reason="no-deployment",
            sentence=f"the evidence called before begins ({before[0]:%Y-%m-%d %H:%M:%S}) after the deployment ({deployed_at:%Y-%m-%d %H:%M:%S})",
        )
    if after is not None and before[1] > after[0]:
        return WindowProblem(
            reason="clock",
            sentence=f"the evidence from before ends ({before[1]:%Y-%m-%d %H:%M:%S}) after that from after begins ({after[0]:%Y-%m-%d %H:%M:%S})",
        )
    return None


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
    if "service_name" in named:
        # The first entry of another service is no deployment: only a service that wrote under two revisions had one.
        services = named["service_name"].astype("str").fillna("")
        several = named.groupby(services)["service_version"].nunique()
        if len(several) > 1:
            named = named[services.isin(several.index[several > 1])]
    return named.groupby("service_version")["first"].min().sort_values()


def _serving(health: pd.DataFrame | None) -> str | None:
    """The revision that answered most, where health says so."""
    named = (
        health["revision"].dropna() if health is not None and "revision" in health else pd.Series(dtype="str")
    )
    return str(named.mode().iloc[0]) if len(named) else None
