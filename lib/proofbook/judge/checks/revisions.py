"""What was deployed: which revision serves, and what the platform says of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from proofbook.evidence.log_tables import LOG_MATCHES
from proofbook.evidence.schema import HEALTH, REVISIONS
from proofbook.judge.check import SEEN_SHARE, Mutant, Recipe
from proofbook.judge.findings import Control, Estimate, Exposure, Judgement, Method, Verdict
from proofbook.judge.view import InsufficientEvidence, View
from proofbook.stats import severity
from proofbook.stats.proportions import proportion


def new_one_serves(service: str, *, expected: str | None) -> Recipe:
    """A recipe for "a new revision answers, and no old one does"."""
    it = _NewOneServes(service=service, expected=expected)
    return Recipe(
        judge=it.judge,
        mutants=(
            Mutant(name="one answer in ten from the old revision", change=it.still_old(0.1)),
            Mutant(name="all answers from the old revision", change=it.still_old(1.0)),
        ),
        compares=True,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _NewOneServes:
    """Which revision of a service answers."""

    service: str
    expected: str | None

    def named(self, view: View, phase: str) -> pd.Series:
        rows = view.need(HEALTH, phase)
        return rows.loc[(rows["service"] == self.service) & (rows["kind"] == "health"), "revision"].dropna()

    def judge(self, view: View) -> Judgement:
        after = self.named(view, "after")
        if after.empty:
            raise InsufficientEvidence(
                "no-revision",
                f"{self.service} does not say which revision answers",
                repair="set revision_path in the environment file",
            )
        before = set(self.named(view, "before")) if view.has_before(HEALTH) else set()
        wanted = self.expected or view.windows.new_revision
        if (
            self.expected is None
            and wanted is not None
            and not {wanted, view.windows.old_revision} & {*after, *before}
        ):
            # The log and health name revisions in two ways, such as api-00012 and 2.3.1.
            if not before:
                raise InsufficientEvidence(
                    "no-revision",
                    f"{self.service} calls itself {', '.join(sorted(set(after)))}, the log speaks of {wanted}: names of two kinds cannot be compared",
                    repair="set revision_path to where health names what the log calls the revision",
                )
            wanted = None
        old = after.isin(before) if wanted is None else after != wanted
        bounds = proportion(int((~old).sum()), len(after), confidence=view.confidence)
        known = wanted is not None or bool(before)
        verdict = Verdict.FAIL if old.any() else Verdict.PASS if known else Verdict.INCONCLUSIVE
        return Judgement(
            verdict=verdict,
            reason={Verdict.PASS: "", Verdict.FAIL: "old-revision", Verdict.INCONCLUSIVE: "no-deployment"}[
                verdict
            ],
            statement=f"{int((~old).sum())} of {len(after)} answers came from {wanted or 'a new revision'}"
            + (
                f", {int(old.sum())} from {', '.join(sorted(set(after[old])))}"
                if old.any()
                else f"; before: {', '.join(sorted(before)) or 'not recorded'}"
            ),
            estimate=Estimate.of(bounds, unit="fraction of answers"),
            method=self.method(view),
            threshold="none from another revision",
            limits=True,
            severity=severity.of_tries(len(after), rate=SEEN_SHARE),
            severity_at=f"1 of {1 / SEEN_SHARE:.0f} answers comes from another revision",
            exposure=Exposure(n=len(after), unit="answers"),
            controls=self.controls(before, view),
        )

    def method(self, view: View) -> Method:
        """How it is judged."""
        return Method(
            name="the revision that health names",
            confidence=view.confidence,
            side="one-sided",
            null_hypothesis="an old revision still serves",
            source="Clopper and Pearson 1934",
        )

    def controls(self, before: set[str], view: View) -> tuple[Control, ...]:
        """The old revision is known by name."""
        return (
            Control(
                kind="comparability",
                name="the old revision is known",
                guards=("pass",),
                expected="a name",
                got=", ".join(sorted(before)) or view.windows.old_revision or "unknown",
                held=bool(before) or view.windows.old_revision is not None,
            ),
        )

    def still_old(self, share: float) -> Callable[[View], View | None]:
        def change(view: View) -> View:
            rows = view.need(HEALTH).copy()
            chosen = rows.index[(rows["service"] == self.service) & (rows["kind"] == "health")]
            rows.loc[chosen[:: max(1, round(1 / share))], "revision"] = (
                view.windows.old_revision or "an-old-one"
            )
            return view.exchange(HEALTH, rows)

        return change


def shrunk(column: str, *, ratio: float, what: str, unit_bytes: float, unit: str) -> Recipe:
    """A recipe for "this figure of the platform is at most `ratio` of what it was"."""
    it = _Shrunk(column=column, ratio=ratio, what=what, unit_bytes=unit_bytes, unit=unit)
    return Recipe(
        judge=it.judge,
        mutants=(Mutant(name="the same figure for both", change=it.unchanged),),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shrunk:
    """A figure of the platform for the old revision and the new one."""

    column: str
    ratio: float
    what: str
    unit_bytes: float
    unit: str

    def judge(self, view: View) -> Judgement:
        table = view.need(REVISIONS)
        table = table[np.isfinite(table[self.column]) & (table[self.column] > 0)]
        rows = {str(row["revision"]): float(row[self.column]) for _, row in table.iterrows()}
        old, new = view.windows.old_revision, view.windows.new_revision
        if old not in rows or new not in rows or old == new:
            raise InsufficientEvidence(
                "no-deployment",
                f"the platform does not give {self.what} of both revisions",
                repair="name a document with both in [deployments]",
            )
        value = rows[new] / rows[old]
        return Judgement(
            verdict=Verdict.PASS if value <= self.ratio else Verdict.FAIL,
            reason="" if value <= self.ratio else "over-budget",
            statement=f"{self.what} {rows[old] / self.unit_bytes:,.0f} → {rows[new] / self.unit_bytes:,.0f} {self.unit} ({value - 1:+.0%})",
            estimate=Estimate(value=value, low=value, high=value, unit="ratio"),
            method=Method(name="the figures that the platform states", null_hypothesis="it did not shrink"),
            threshold=f"at most {self.ratio:g} of before",
            limits=True,
            exposure=Exposure(n=2, unit="revisions"),
            controls=(
                Control(
                    kind="comparability",
                    name="both revisions are described",
                    guards=("pass", "fail"),
                    expected="old and new",
                    got=f"{old}, {new}",
                    held=True,
                ),
            ),
        )

    def unchanged(self, view: View) -> View:
        return view.exchange(REVISIONS, view.need(REVISIONS).assign(**{self.column: 1.0}))


def starts_within(pattern: str, *, budget_s: float) -> Recipe:
    """A recipe for "the new revision was ready within `budget_s` of being made", read from its log."""
    it = _StartsWithin(pattern=pattern, budget_s=budget_s)
    return Recipe(
        judge=it.judge,
        mutants=(Mutant(name=f"{2 * budget_s:g} s later", change=it.late),),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _StartsWithin:
    """From the creation of a revision to its line that says ready."""

    pattern: str
    budget_s: float

    def judge(self, view: View) -> Judgement:
        new = view.windows.new_revision
        created = view.need(REVISIONS).set_index("revision")["created"].get(new)
        hits = view.need(LOG_MATCHES)
        lines = hits[(hits["service_version"] == new) & (hits["pattern"] == self.pattern)]
        ready = lines["first"][lines["first"] >= created] if created is not None else lines["first"].iloc[0:0]
        if ready.empty:
            raise InsufficientEvidence(
                "never-seen",
                f"the log of {new} holds no line that says it is ready",
                repair="see [deployment] started_log in the case and the log's coverage",
            )
        seconds = (ready.min() - created).total_seconds()
        return Judgement(
            verdict=Verdict.PASS if seconds <= self.budget_s else Verdict.FAIL,
            reason="" if seconds <= self.budget_s else "over-budget",
            statement=f"{new} was ready {seconds:.2f} s after it was made",
            estimate=Estimate(value=seconds, low=seconds, high=seconds, unit="s"),
            method=Method(
                name="from the platform's creation time to the log line that says ready",
                null_hypothesis="it starts too slowly",
            ),
            threshold=f"at most {self.budget_s:g} s",
            limits=True,
            exposure=Exposure(n=1, unit="start"),
            controls=(
                Control(
                    kind="positive",
                    name="the line was found",
                    guards=("pass",),
                    expected="at least 1",
                    got=f"{len(ready)}",
                    held=True,
                ),
            ),
            not_established=("one start does not say how starts vary",),
        )

    def late(self, view: View) -> View:
        revisions = view.need(REVISIONS)
        return view.exchange(
            REVISIONS,
            revisions.assign(created=revisions["created"] - pd.Timedelta(seconds=2 * self.budget_s)),
        )
