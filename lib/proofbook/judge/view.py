"""The evidence as a judge sees it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd

from proofbook.evidence.table import Table
from proofbook.judge.window import Windows, find_windows

Tables = Callable[[str, str], "pd.DataFrame | None"]


class InsufficientEvidence(Exception):
    """A judge has nothing to judge by: becomes an inconclusive finding, never leaves this package."""

    def __init__(self, reason: str, statement: str, *, repair: str) -> None:
        self.reason = reason
        self.statement = statement
        self.repair = repair
        super().__init__(statement)


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """The evidence as a judge sees it, with tables exchanged for mutants, or before in the place of after.

    looks: how often the same growing evidence is judged, as planned beforehand; `confidence` and `alpha_fail` share the
    chance of error among them. A rule that may be asked as often as one likes takes those that end in `_once`.
    reads: (phase, table) of what was handed out, in that order; views made of this one add to the same.
    """

    tables: Tables
    windows: Windows
    alpha_fail_once: float = 0.05
    confidence_once: float = 0.95
    looks: int = 1
    exchanged: Mapping[tuple[str, str], pd.DataFrame] = field(default_factory=dict)
    before_as_after: bool = False
    live: bool = True
    reads: dict[tuple[str, str], None] = field(default_factory=dict, compare=False, repr=False)

    @property
    def confidence(self) -> float:
        return 1 - (1 - self.confidence_once) / self.looks

    @property
    def alpha_fail(self) -> float:
        return self.alpha_fail_once / self.looks

    def table(self, name: Table | str, phase: str = "after") -> pd.DataFrame | None:
        """A table or None; treat it as read-only."""
        name = str(name)
        if phase == "after" and self.before_as_after:
            phase = "before"
        recorded = self.recorded(name, phase)
        return self.exchanged.get((phase, name), recorded)

    def recorded(self, name: str, phase: str) -> pd.DataFrame | None:
        """A table of that very phase as it was recorded, whatever was exchanged; None where it was not."""
        self.reads[(phase, name)] = None
        return self.tables(name, phase)

    def need(self, name: Table | str, phase: str = "after") -> pd.DataFrame:
        """A table that has rows.

        Raises:
            InsufficientEvidence: it was not recorded, or is empty.
        """
        table = self.table(name, phase)
        if table is None or table.empty:
            what = "was not recorded" if table is None else "is empty"
            raise InsufficientEvidence(
                "no-evidence",
                f"the table {phase}/{name} {what}",
                repair=f"record it: proofbook collect ENV --phase {phase}",
            )
        return table

    def has_before(self, name: Table | str) -> bool:
        table = self.table(name, "before")
        return table is not None and not table.empty

    def as_before(self) -> View:
        """The same view with the evidence from before in the place of after."""
        return replace(self, before_as_after=True, windows=self.windows.as_before())

    def exchange(self, name: Table | str, table: pd.DataFrame, phase: str = "after") -> View:
        """The same view with one table exchanged."""
        return replace(self, exchanged={**self.exchanged, (phase, str(name)): table})


def view_of(
    tables: Tables,
    *,
    phases: Mapping[str, tuple[pd.Timestamp, pd.Timestamp]],
    deployment: Any = None,
    find_deployment: bool = True,
    confidence: float = 0.95,
    checks: int = 1,
    alongside: bool = False,
) -> View:
    """A view over recorded tables. `checks` is the number of statistical checks that share the chance of a false `fail`.

    Without a phase `after` nothing was probed: the log's own span is then the window.
    """
    windows = find_windows(
        tables, phases=phases, deployment=deployment, find_deployment=find_deployment, alongside=alongside
    )
    return View(
        tables=tables,
        windows=windows,
        confidence_once=confidence,
        alpha_fail_once=(1 - confidence) / max(1, checks),
        looks=planned_looks(tables),
        live="after" in phases,
    )


def planned_looks(tables: Tables) -> int:
    """How many looks a watch planned when it began; one where nothing was watched."""
    looks = tables("looks", "after")
    return 1 if looks is None or looks.empty else max(1, int(looks["planned"].max()))


def stamp(time: pd.Timestamp) -> str:
    """A time as RFC 3339 in UTC, to the millisecond."""
    return str(time.isoformat(timespec="milliseconds")).replace("+00:00", "Z")
