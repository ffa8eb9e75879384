"""Few requests in the log end in a server error."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from proofbook.judge.check import Mutant, Recipe
from proofbook.judge.checks.log_coverage import coverage_of
from proofbook.judge.checks.log_rows import RHYTHM, others_of_new, served
from proofbook.judge.checks.success_rate import judge_rate
from proofbook.judge.findings import Judgement
from proofbook.judge.view import InsufficientEvidence, View
from proofbook.stats import proportions


def error_rate(*, source: str | None, most: float) -> Recipe:
    """A recipe for "few requests in the log end in a server error"."""
    it = _ErrorRate(source=source, most=most)
    return Recipe(
        judge=it.judge,
        mutants=(Mutant(name=f"{2 * most:.0%} server errors", change=it.broken),),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _ErrorRate:
    """Server errors among the requests of one log."""

    source: str | None
    most: float

    def judge(self, view: View) -> Judgement:
        rows = others_of_new(view, source=self.source)
        if served(rows) == 0:
            raise InsufficientEvidence(
                "no-requests",
                "the log holds no request entries of the new revision",
                repair="name a log source with request entries",
            )
        cover = coverage_of(view, self.source, "after")
        return judge_rate(
            count=served(rows),
            failures=int(rows["server_errors"].sum()),
            target=1 - self.most,
            planned=False,
            view=view,
            unit="logged requests",
            what="ended without a server error",
            controls=(
                cover.control("the log after", guards=("pass",)),
                *cover.unread.control(
                    harmless=proportions.proportion(
                        served(rows) - int(rows["server_errors"].sum()), served(rows) + cover.unread.lines, confidence=view.confidence
                    ).low
                    >= 1 - self.most
                ),
            ),
        )  # fmt: skip

    def broken(self, view: View) -> View:
        rows = view.need(RHYTHM)
        return view.exchange(
            RHYTHM, rows.assign(server_errors=np.ceil(2 * self.most * rows["requests"]).astype("int64"))
        )
