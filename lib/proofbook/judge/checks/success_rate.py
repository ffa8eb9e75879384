"""Success rates: connections, logins, deliveries, health, anything that works or does not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from proofbook.judge import failure_summary
from proofbook.judge.check import Mutant, Recipe
from proofbook.judge.findings import Control, Estimate, Exposure, Judgement, Method, Needed, Verdict, percent
from proofbook.judge.view import InsufficientEvidence, View
from proofbook.stats import plans, proportions, sequential, severity

Rows = Callable[[pd.DataFrame], Any]
MoreControls = Callable[[View], Sequence[Control]]


def success_rate(
    table: str,
    ok: Rows,
    *,
    fails_on: Mapping[str, Any],
    also_fails_on: Mapping[str, Mapping[str, Any]] | None = None,
    target: float = 0.99,
    where: Rows | None = None,
    unit: str = "attempts",
    what: str = "succeeded",
    planned: bool = False,
    tells_endings: bool = False,
    adds: Callable[[pd.DataFrame], str] | None = None,
    controls: MoreControls | None = None,
    not_established: tuple[str, ...] = (),
) -> Recipe:
    """A recipe for "at least `target` of the rows are ok".

    Args:
        table: name of an evidence table.
        ok: from the table's rows to one boolean per row; missing counts as not ok.
        fails_on: column to a value with which a row must not be ok; the mutants are made of it.
        target: fraction, 0 to 1.
        also_fails_on: more ways in which a row must not be ok, each by a name that says how it ended.
        where: from the table to the rows that count.
        planned: the rows were collected by `plan_for(target)`; otherwise their number was fixed beforehand.
        tells_endings: the statement says how the failed rows ended; for rows of `websocket` and `health`.
        adds: from the rows that are ok to what the statement says of them beside their number, where most are.
    Raises:
        ValueError: no `fails_on`, or a target outside 0 to 1, before any data arrives.
    """
    if not fails_on:
        raise ValueError(
            "expected fails_on = {column: value}, a row that must not be ok; without it the check could not fail"
        )
    if not 0 < target < 1:
        raise ValueError(f"expected a target between 0 and 1, got {target}")
    it = _Rate(
        table=table,
        ok=ok,
        fails_on=fails_on,
        also_fails_on=also_fails_on,
        target=target,
        where=where,
        unit=unit,
        what=what,
        planned=planned,
        tells_endings=tells_endings,
        adds=adds,
        controls=controls,
        not_established=not_established,
    )
    return Recipe(judge=it.judge, mutants=it.mutants(), trials=it.trials if planned else None, target=target)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rate:
    """Rows of one table that are ok or not."""

    table: str
    ok: Rows
    fails_on: Mapping[str, Any]
    also_fails_on: Mapping[str, Mapping[str, Any]] | None
    target: float
    where: Rows | None
    unit: str
    what: str
    planned: bool
    tells_endings: bool
    adds: Callable[[pd.DataFrame], str] | None
    controls: MoreControls | None
    not_established: tuple[str, ...]

    def rows_of(self, view: View) -> pd.DataFrame:
        return view.once(self._rows_of)

    def _rows_of(self, view: View) -> pd.DataFrame:
        rows = view.need(self.table)
        rows = rows[self.where(rows)] if self.where is not None else rows
        if rows.empty:
            raise InsufficientEvidence("no-samples", f"no {self.unit} in {self.table}", repair="collect some")
        return rows

    def good(self, rows: pd.DataFrame) -> pd.Series:
        """Whether each row is ok; missing counts as not ok."""
        return pd.Series(self.ok(rows)).fillna(False).astype(bool)

    def judge(self, view: View) -> Judgement:
        rows = self.rows_of(view)
        good = self.good(rows)
        count, failures = len(good), int((~good).sum())
        in_full = not view.verdict_only
        return judge_rate(
            count=count,
            failures=failures,
            target=self.target,
            planned=self.planned,
            view=view,
            unit=self.unit,
            what=self.what,
            instead=self.more(rows, good) if in_full else "",
            controls=tuple(self.controls(view)) if in_full and self.controls else (),
            not_established=self.not_established,
        )

    def more(self, rows: pd.DataFrame, good: pd.Series) -> str:
        """How the failed rows ended, or what is to be said of the others."""
        if not good.all():
            return failure_summary.in_words(rows[~good]) if self.tells_endings else ""
        return self.adds(rows) if self.adds is not None else ""

    def mutants(self) -> tuple[Mutant, ...]:
        """Some rows broken, all broken, and all ended in each further way."""
        twice = 2 * (1 - self.target)
        ended = (self.also_fails_on or {}).items()
        return (
            Mutant(name=f"{twice:.0%} of the {self.unit} broken", change=self.mutant(twice, self.fails_on)),
            Mutant(name=f"all {self.unit} broken", change=self.mutant(1.0, self.fails_on)),
            *(
                Mutant(name=f"all {self.unit} ended {how}", change=self.mutant(1.0, item))
                for how, item in ended
            ),
        )

    def mutant(self, share: float, fails_on: Mapping[str, Any]) -> Callable[[View], View | None]:
        def change(view: View) -> View:
            rows = self.rows_of(view)
            number = min(len(rows), int(np.ceil(share * len(rows))) + len(plans.plan_for(self.target).looks))
            broken = view.need(self.table).copy()
            chosen = rows.index[np.linspace(0, len(rows) - 1, number).astype(int)]
            for column, value in fails_on.items():
                broken[column] = broken[column].astype(object)
                broken.loc[chosen, column] = value
                broken[column] = (
                    broken[column].astype(rows[column].dtype)
                    if value is not None and value is not pd.NA
                    else broken[column]
                )
            return view.exchange(self.table, broken)

        return change

    def trials(self, view: View) -> pd.DataFrame:
        rows = self.rows_of(view)
        good = self.good(rows)
        return pd.DataFrame({"timestamp": rows["timestamp"], "ok": good}).sort_values("timestamp")


def judge_rate(
    *,
    count: int,
    failures: int,
    target: float,
    planned: bool,
    view: View,
    unit: str,
    what: str,
    instead: str = "",
    controls: tuple[Control, ...] = (),
    not_established: tuple[str, ...] = (),
) -> Judgement:
    """Pass by rejecting "the rate is below target", fail by rejecting its opposite, else inconclusive."""
    bounds = proportions.proportion(count - failures, count, confidence=view.confidence)
    rule = rule_of(view, target=target, planned=planned)
    passed, failed = rule.passed(failures, count), rule.failed(failures, count)
    verdict, reason = (
        (Verdict.FAIL, "below-target")
        if failed
        else (Verdict.PASS, "")
        if passed
        else (Verdict.INCONCLUSIVE, "too-early")
    )
    bound = f"at most {bounds.high:.2%}" if verdict is Verdict.FAIL else f"at least {bounds.low:.2%}"
    share = f"{bounds.value:.2%}; {bound} at {percent(view.confidence)} confidence"
    seen = f"{count - failures:,} of {count:,} {unit} {what}{instead and f', {instead}'}"
    needed = rule.needed(failures, count, unit) if verdict is Verdict.INCONCLUSIVE else None
    return Judgement(
        verdict=verdict,
        reason=reason,
        statement=f"{seen} ({share})",
        seen=seen,
        estimate=Estimate.of(bounds, unit="fraction"),
        method=Method(
            name=rule.name,
            confidence=rule.confidence,
            side="one-sided",
            null_hypothesis=f"the success rate is below {target:.1%}",
            source=rule.source,
        ),
        threshold=f"at least {target:.1%}",
        severity=rule.severity(count) if verdict is Verdict.PASS else None,
        severity_at=f"{percent(1 - target)} of {unit} fail",
        exposure=Exposure(n=count, unit=unit),
        controls=(
            Control(
                kind="liveness",
                name="samples were taken",
                guards=("pass", "fail"),
                expected="at least 1",
                got=f"{count:,}",
                held=count > 0,
            ),
            *controls,
        ),
        needed=needed,
        not_established=not_established,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    """How a rate is decided, from (failures, count). severity: from the count to the chance not to pass exactly at the target."""

    name: str
    confidence: float
    source: str
    severity: Callable[[int], float]
    passed: Callable[[int, int], bool]
    failed: Callable[[int, int], bool]
    needed: Callable[[int, int, str], Needed]


def rule_of(view: View, *, target: float, planned: bool) -> _Rule:
    """By looks fixed beforehand; while watching by Wald's test; else by one number of samples fixed beforehand."""

    def too_many(failures: int, count: int) -> bool:
        return plans.too_many(failures=failures, count=count, target=target, alpha_fail=view.alpha_fail)

    if planned and view.looks > 1:
        return _sequential(view, target)
    if planned:
        return _by_looks(view, target, too_many)

    def needed(failures: int, count: int, unit: str) -> Needed:
        wanted = plans.fixed_n(target, failures=failures, confidence=view.confidence)
        return Needed(what=f"{wanted:,} {unit} in all with no more than {failures} failed", n=wanted - count)

    return _Rule(
        name="Clopper-Pearson",
        confidence=view.confidence,
        source="Clopper and Pearson 1934",
        severity=lambda count: severity.of_share(count, most=1 - target, confidence=view.confidence),
        passed=lambda failures, count: (
            proportions.proportion(count - failures, count, confidence=view.confidence).low >= target
        ),
        failed=too_many,
        needed=needed,
    )


def _by_looks(view: View, target: float, too_many: Callable[[int, int], bool]) -> _Rule:
    plan = plans.plan_for(target, confidence=view.confidence)

    def needed(failures: int, count: int, unit: str) -> Needed:
        more = plans.more_clean_needed(plan, failures=failures, count=count)
        return Needed(
            what=f"{more:,} more {unit}, all of which succeed"
            if more
            else f"a new run: with {failures} failures no look of this plan can pass",
            n=more,
        )

    return _Rule(
        name=f"Clopper-Pearson, looks fixed beforehand: {plan.describe()}",
        confidence=view.confidence,
        source="Clopper and Pearson 1934",
        severity=lambda _: severity.of_plan(plan),
        passed=lambda failures, count: plans.passes(plan, failures=failures, count=count),
        failed=too_many,
        needed=needed,
    )


def sequential_test(view: View, target: float) -> sequential.Wald:
    """Wald's test of a target while watching: between a tenth of what it allows and all of it lies the zone of indifference."""
    bad = 1 - target
    return sequential.Wald(good=bad / 10, bad=bad, alpha=1 - view.confidence_once, beta=view.alpha_fail_once)


def _sequential(view: View, target: float) -> _Rule:
    test = sequential_test(view, target)

    def needed(failures: int, count: int, unit: str) -> Needed:
        more = test.more_clean_needed(failures=failures, count=count)
        return Needed(what=f"{more:,} more {unit}, if all succeed", n=more)

    return _Rule(
        name=f"Wald's sequential test, {test.good:.2%} failing against {test.bad:.2%}; what lies between is not told apart",
        # The test itself allows for looking often; only the interval shown beside it is widened for that.
        confidence=view.confidence_once,
        source="Wald 1945",
        severity=lambda _: severity.of_watch(test),
        passed=lambda failures, count: test.evidence(failures=failures, count=count) >= test.pass_above,
        failed=lambda failures, count: test.evidence(failures=failures, count=count) <= test.fail_below,
        needed=needed,
    )
