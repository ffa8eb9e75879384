"""A check is a recipe, never a table: so it can be judged again on the evidence from before, and on mutants."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd

from proofbook.judge.findings import Control, Finding, Judgement, Needed, Verdict
from proofbook.judge.reasons import REASONS
from proofbook.judge.window import Windows, find_windows

Tables = Callable[[str, str], "pd.DataFrame | None"]


class CouldNotSee(Exception):
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
    """

    tables: Tables
    windows: Windows
    alpha_fail_once: float = 0.05
    confidence_once: float = 0.95
    looks: int = 1
    exchanged: Mapping[tuple[str, str], pd.DataFrame] = field(default_factory=dict)
    before_as_after: bool = False
    live: bool = True

    @property
    def confidence(self) -> float:
        return 1 - (1 - self.confidence_once) / self.looks

    @property
    def alpha_fail(self) -> float:
        return self.alpha_fail_once / self.looks

    def table(self, name: str, phase: str = "after") -> pd.DataFrame | None:
        """A table or None; treat it as read-only."""
        if phase == "after" and self.before_as_after:
            phase = "before"
        return self.exchanged[(phase, name)] if (phase, name) in self.exchanged else self.tables(name, phase)

    def need(self, name: str, phase: str = "after") -> pd.DataFrame:
        """A table that has rows.

        Raises:
            CouldNotSee: it was not recorded, or is empty.
        """
        table = self.table(name, phase)
        if table is None or table.empty:
            what = "was not recorded" if table is None else "is empty"
            raise CouldNotSee(
                "no-evidence",
                f"the table {phase}/{name} {what}",
                repair=f"record it: proofbook collect --phase {phase}",
            )
        return table

    def has_before(self, name: str) -> bool:
        table = self.table(name, "before")
        return table is not None and not table.empty

    def as_before(self) -> View:
        """The same view with the evidence from before in the place of after."""
        return replace(self, before_as_after=True, windows=self.windows.as_before())

    def exchange(self, name: str, table: pd.DataFrame, phase: str = "after") -> View:
        """The same view with one table exchanged."""
        return replace(self, exchanged={**self.exchanged, (phase, name): table})


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """A way to break the evidence that the check must notice. `change` gives None where it cannot apply."""

    name: str
    change: Callable[[View], View | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How to judge: which tables, and a function of a view.

    compares: after with before, so that nothing can be said without. trials: when each was made (timestamp) and whether it
    was ok, for a success rate with that target.
    """

    tables: tuple[str, ...]
    judge: Callable[[View], Judgement]
    mutants: tuple[Mutant, ...] = ()
    compares: bool = False
    trials: Callable[[View], pd.DataFrame] | None = None
    target: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One claim and its recipe. kind: `fix` or `guard`."""

    id: str
    kind: str
    claim: str
    group: str
    recipe: Recipe
    required: bool = False
    critical: bool = True
    fix: str | None = None
    waived_by: str = ""
    waived_until: dt.date | None = None
    voided_by: str = ""


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


def settle(check: Check, view: View, *, digests: tuple[dict[str, str], ...] = ()) -> Finding:
    """The finding: the judgement, less every verdict whose control did not hold."""
    judgement = _judge(check.recipe, view)
    controls = [
        *judgement.controls,
        *_deployed(check, view, judgement),
        *_right_before(check, view),
        *_proofs(check, view, judgement),
    ]
    verdict, reason, statement = judgement.verdict, judgement.reason, judgement.statement
    broken = next(
        (control for control in controls if not control.held and verdict.value in control.guards), None
    )
    if broken is not None:
        statement = f"{judgement.statement}; but the {broken.kind} control “{broken.name}” did not hold: expected {broken.expected}, got {broken.got}"
        verdict, reason = Verdict.INCONCLUSIVE, broken.code or f"control-{broken.kind}"
    elif verdict is Verdict.PASS and not any(
        control.held and "pass" in control.guards for control in controls
    ):
        verdict, reason, statement = (
            Verdict.INCONCLUSIVE,
            "no-control",
            f"{statement}; but nothing shows that this check could have failed",
        )
    if verdict is Verdict.PASS and check.voided_by:
        verdict, reason, statement = (
            Verdict.INCONCLUSIVE,
            "voided",
            f"{statement}; but the open risk “{check.voided_by}” voids it",
        )
    severity, severity_by = (judgement.severity, "samples") if verdict is Verdict.PASS else (None, "")
    if severity is None and verdict is Verdict.PASS:
        severity, severity_by = _share_caught(controls), "mutants"
    windows = view.windows
    return Finding(
        id=check.id,
        kind=check.kind,
        claim=check.claim,
        fix=check.fix,
        required=check.required,
        critical=check.critical,
        group=check.group,
        verdict=verdict,
        reason=reason,
        statement=statement,
        estimate=judgement.estimate,
        method=judgement.method,
        threshold=judgement.threshold,
        severity=severity,
        severity_by=severity_by,
        exposure=judgement.exposure,
        window={"before": _shown(windows.before), "after": _shown(windows.after)},
        controls=tuple(controls),
        needed=_needed(judgement, broken, reason, windows) if verdict is Verdict.INCONCLUSIVE else None,
        evidence=digests,
        not_established=judgement.not_established,
        waived=_waiver(check, view),
    )


def _judge(recipe: Recipe, view: View) -> Judgement:
    try:
        if view.windows.problem:
            raise CouldNotSee(
                "clock" if "ends" in view.windows.problem else "no-deployment",
                view.windows.problem,
                repair="see the clocks, and [deployment] time in the case",
            )
        return recipe.judge(view)
    except CouldNotSee as error:
        return Judgement(
            verdict=Verdict.INCONCLUSIVE,
            reason=error.reason,
            statement=error.statement,
            needed=Needed(what=error.repair),
        )


def _proofs(check: Check, view: View, judgement: Judgement) -> list[Control]:
    """The controls that every check gets: a fix claim is judged on before, a guard on its mutants."""
    if judgement.verdict is not Verdict.PASS:
        return []
    if check.kind == "fix":
        from_log = "logs" in check.recipe.tables and view.windows.before is not None
        if not from_log and not any(view.has_before(name) for name in check.recipe.tables):
            return []
        there = _judge(check.recipe, view.as_before())
        return [
            Control(
                kind="before",
                name="the same check on the evidence from before",
                guards=("pass",),
                expected="not pass",
                got=f"{there.verdict.value}: {there.statement}",
                held=there.verdict is not Verdict.PASS,
            )
        ]
    changed = [(mutant.name, mutant.change(view)) for mutant in check.recipe.mutants]
    tried = [(name, _judge(check.recipe, view)) for name, view in changed if view is not None]
    if not tried:
        return []
    missed = [name for name, there in tried if there.verdict is Verdict.PASS]
    caught = [f"{name}: {there.verdict.value}" for name, there in tried if there.verdict is not Verdict.PASS]
    got = (
        f"caught {len(caught)} of {len(tried)} ({'; '.join(caught + [f'{name}: MISSED' for name in missed])})"
    )
    return [
        Control(
            kind="mutation",
            name="the same check on evidence broken on purpose",
            guards=("pass",),
            expected=f"caught {len(tried)} of {len(tried)}",
            got=got,
            held=not missed,
        )
    ]


def _share_caught(controls: list[Control]) -> float | None:
    for control in controls:
        if control.kind == "mutation":
            caught, _, tried = control.got.removeprefix("caught ").partition(" (")[0].partition(" of ")
            return int(caught) / int(tried)
    return None


def _deployed(check: Check, view: View, judgement: Judgement) -> list[Control]:
    """Comparability: something was deployed between before and after; without that, nothing says what made a symptom go."""
    if check.kind != "fix" or judgement.verdict is not Verdict.PASS or judgement.reason == "absent":
        return []
    windows = view.windows
    old, new = windows.old_revision, windows.new_revision
    known = windows.deployed_at is not None or windows.alongside or (old is not None and new is not None)
    return [
        Control(
            kind="comparability",
            name="another revision serves than before",
            guards=("pass",),
            expected="a new revision, or a time that the case states",
            got=f"{old or 'unknown'} → {new or 'unknown'}"
            + (f", since {stamp(windows.deployed_at)}" if windows.deployed_at is not None else "")
            + (", at another address, which the environment names" if windows.alongside else ""),
            held=known and (old is None or new is None or old != new),
            code="no-deployment",
        )
    ]


def _right_before(check: Check, view: View) -> list[Control]:
    """Comparability: where a window of before was found to be no such thing, nothing is compared with it."""
    problem = view.windows.before_problem
    if not problem or not (check.kind == "fix" or check.recipe.compares):
        return []
    return [
        Control(
            kind="comparability",
            name="the window of before",
            guards=("pass",) if check.kind == "fix" else ("pass", "fail"),
            expected="over before the deployment",
            got=problem,
            held=False,
            code="no-before-window",
        )
    ]


def _needed(judgement: Judgement, broken: Control | None, reason: str, windows: Windows) -> Needed:
    """What would settle it: in samples where the judge says so, and then in time at the pace of this evidence too."""
    needed = judgement.needed
    if broken is not None:
        if broken.code in REASONS:
            return Needed(what=REASONS[broken.code].do)
        return Needed(what=f"repair what the {broken.kind} control “{broken.name}” shows, then run again")
    if needed is None:
        return Needed(what=REASONS[reason].do)
    exposure, after = judgement.exposure, windows.after
    if needed.n is None or exposure is None or exposure.n <= 0 or after is None:
        return needed
    seconds = needed.n * (after[1] - after[0]).total_seconds() / exposure.n
    until = stamp((after[1] + pd.Timedelta(seconds=seconds)).ceil("s"))
    return replace(needed, seconds=round(seconds, 1), until=until)


def _waiver(check: Check, view: View) -> str:
    """The waiver in words while it lasts; its end is compared with the evidence, since judging knows no clock."""
    after = view.windows.after
    if (
        not check.waived_by
        or check.waived_until is None
        or after is None
        or after[1].date() > check.waived_until
    ):
        return ""
    return f"waived by {check.waived_by} until {check.waived_until.isoformat()}"


def _shown(window: tuple[pd.Timestamp, pd.Timestamp] | None) -> tuple[str, str] | None:
    return None if window is None else (stamp(window[0]), stamp(window[1]))


def stamp(time: pd.Timestamp) -> str:
    """A time as RFC 3339 in UTC, to the millisecond."""
    return str(time.isoformat(timespec="milliseconds")).replace("+00:00", "Z")
