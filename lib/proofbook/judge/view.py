"""The evidence as a judge sees it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar, TypeVarTuple

import pandas as pd

from proofbook.config import asked_alike
from proofbook.evidence.table import Table
from proofbook.judge.findings import EarlierRun
from proofbook.judge.window import Windows, find_windows

Tables = Callable[[str, str], "pd.DataFrame | None"]
Result = TypeVar("Result")
Arguments = TypeVarTuple("Arguments")
# Results of one work that are kept: of after, of before in its place, and of the last mutant.
KEPT = 3


class InsufficientEvidence(Exception):
    """A judge has nothing to judge by: becomes an inconclusive finding, never leaves this package."""

    def __init__(self, reason: str, statement: str, *, repair: str) -> None:
        self.reason = reason
        self.statement = statement
        self.repair = repair
        super().__init__(statement)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Done:
    """What a work gave, with all that it saw of a view: settings, and the tables that it read, as recorded and as exchanged."""

    settings: tuple[Any, ...]
    read: Mapping[tuple[str, str], tuple[pd.DataFrame | None, pd.DataFrame | None]]
    result: Any

    @property
    def of_mutant(self) -> bool:
        return any(exchanged is not None for _, exchanged in self.read.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """The evidence as a judge sees it, with tables exchanged for mutants, or before in the place of after.

    looks: how often the same growing evidence is judged, as planned beforehand; `confidence` and `alpha_fail` share the
    chance of error among them. A rule that may be asked as often as one likes takes those that end in `_once`.
    before_run: the earlier run that before was taken from; None where this one recorded it.
    reads: (phase, table) of what was handed out, in that order; views made of this one add to the same.
    done: what `once` keeps, for this view and those made of it.
    verdict_only: nobody will look at anything but the verdict, as of a mutant; words and controls may be left out.
    """

    tables: Tables
    windows: Windows
    alpha_fail_once: float = 0.05
    confidence_once: float = 0.95
    looks: int = 1
    exchanged: Mapping[tuple[str, str], pd.DataFrame] = field(default_factory=dict)
    before_as_after: bool = False
    live: bool = True
    before_run: EarlierRun | None = None
    verdict_only: bool = field(default=False, compare=False)
    reads: dict[tuple[str, str], None] = field(default_factory=dict, compare=False, repr=False)
    done: dict[Any, list[_Done]] = field(default_factory=dict, compare=False, repr=False)

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

    def once(self, work: Callable[[View, *Arguments], Result], *arguments: *Arguments) -> Result:
        """What `work` makes of this view: done once for all views made of one in which it reads the very same tables.

        Checks share most of what they look at, and so do a check and its mutants. Treat the result as read-only.
        """
        kept = self.done.setdefault((work, arguments), [])
        settings = self._settings()
        for item in kept:
            if item.settings == settings and all(
                self.tables(name, phase) is recorded and self.exchanged.get((phase, name)) is exchanged
                for (phase, name), (recorded, exchanged) in item.read.items()
            ):
                self.reads.update(dict.fromkeys(item.read))
                return item.result  # type: ignore[no-any-return]  # of this very work
        # What is kept may be asked for by who looks at more than the verdict.
        own = replace(self, reads={}, verdict_only=False)
        try:
            result = work(own, *arguments)
        finally:
            self.reads.update(own.reads)
        read = {key: (self.tables(key[1], key[0]), self.exchanged.get(key)) for key in own.reads}
        # Of mutants only the last: they are many, and each holds a table of its own.
        of_evidence = [item for item in kept if not item.of_mutant]
        kept[:] = [_Done(settings=settings, read=read, result=result), *of_evidence][:KEPT]
        return result

    def _settings(self) -> tuple[Any, ...]:
        return (
            self.windows, self.alpha_fail_once, self.confidence_once, self.looks, self.before_as_after, self.live
        )  # fmt: skip

    def asked_otherwise(self, *parts: str, address: bool = False) -> tuple[str, ...]:
        """The settings by which parts (`service api`, `websocket ws`) are asked otherwise now than by the run that before was taken from."""
        if self.before_run is None or self.before_run.differs is None:
            return ()
        return asked_alike.concerning(self.before_run.differs, *parts, address=address)

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
    before_run: EarlierRun | None = None,
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
        before_run=before_run,
    )


def planned_looks(tables: Tables) -> int:
    """How many looks a watch planned when it began; one where nothing was watched."""
    looks = tables("looks", "after")
    return 1 if looks is None or looks.empty else max(1, int(looks["planned"].max()))


def stamp(time: pd.Timestamp) -> str:
    """A time as RFC 3339 in UTC, to the millisecond."""
    return str(time.isoformat(timespec="milliseconds")).replace("+00:00", "Z")
