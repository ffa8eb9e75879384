"""A line that a healthy system writes is in the log."""

from __future__ import annotations

from dataclasses import dataclass

from proofbook.config.fixes import LogPattern
from proofbook.evidence.log_tables import LOG_MATCHES
from proofbook.judge.check import Mutant, Recipe
from proofbook.judge.checks.log_controls import judge_unread_lines, near_miss_control
from proofbook.judge.checks.log_coverage import coverage_of
from proofbook.judge.checks.log_rows import affected, matching, on_new_revision, others_in, others_of_new
from proofbook.judge.checks.log_unread import lines_in
from proofbook.judge.findings import Control, Estimate, Exposure, Judgement, Method, Verdict
from proofbook.judge.view import View
from proofbook.stats import events


def present(signature: LogPattern, *, source: str | None) -> Recipe:
    """A recipe for "this line of a healthy system is written"."""
    it = _Present(signature=signature, source=source)
    return Recipe(
        judge=it.judge,
        mutants=(Mutant(name="its lines removed", change=it.removed),),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Present:
    """A pattern of one log that must be written."""

    signature: LogPattern
    source: str | None

    @property
    def pattern(self) -> str:
        return self.signature.log or ""

    def judge(self, view: View) -> Judgement:
        everything = others_in(view, "after", source=self.source)
        after = others_of_new(view, source=self.source)
        hits = on_new_revision(view, matching(view, "after", self.pattern, source=self.source), everything)
        cover = coverage_of(view, self.source, "after")
        number = affected(hits)
        found = lines_in(view, "after", self.pattern, source=self.source)
        if not number and found is not None and len(found):
            return judge_unread_lines(view, found, cover, near_miss_control(self.signature), refutes=False)
        minutes = max(cover.window_s / 60, 1e-9)
        controls = (
            *near_miss_control(self.signature),
            cover.control("the log after", guards=("fail",)),
            _can_match(view, self.signature),
        )
        return Judgement(
            verdict=Verdict.PASS if number else Verdict.FAIL,
            reason="" if number else "indicator-absent",
            statement=f"written for {number:,} requests in {minutes:.1f} min"
            if number
            else f"never written in {minutes:.1f} min",
            estimate=Estimate(
                value=number / minutes,
                low=None,
                high=None if number else events.event_rate_upper(0, exposure=minutes),
                unit="requests per minute",
            ),
            method=Method(name="count of affected requests", null_hypothesis="it is not written"),
            threshold="at least 1",
            exposure=Exposure(n=int(after["entries"].sum()), unit="entries"),
            controls=controls,
        )

    def removed(self, view: View) -> View:
        rows = view.need(LOG_MATCHES)
        return view.exchange(LOG_MATCHES, rows[rows["pattern"] != self.pattern])


def _can_match(view: View, signature: LogPattern) -> Control:
    """Positive: a pattern with a typing mistake is never written either."""
    found = [
        table for phase in ("before", "after") if (table := view.recorded("log_matches", phase)) is not None
    ]
    matched = any((table["pattern"] == signature.log).any() for table in found)
    proof = f"{len(signature.examples)} example lines" if signature.examples else "a line of this log"
    return Control(
        kind="positive",
        name="the pattern can match",
        guards=("fail",),
        expected="an example line in the case, or a line of the log at any time",
        got=proof if signature.examples or matched else "neither",
        held=bool(signature.examples) or matched,
    )
