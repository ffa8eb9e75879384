"""Few requests in the log end in a server error, or no more than before."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from proofbook.judge.check import Mutant, Recipe
from proofbook.judge.checks.log_coverage import coverage_of
from proofbook.judge.checks.log_rows import RHYTHM, others_in, others_of_new, served
from proofbook.judge.checks.success_rate import judge_rate
from proofbook.judge.findings import Estimate, Exposure, Judgement, Method, Needed, Verdict, percent
from proofbook.judge.view import InsufficientEvidence, View
from proofbook.stats import events, proportions

# A rate must change by half to be called more: with many requests any change is significant.
MIN_RATIO = 1.5


def error_rate(*, source: str | None, most: float) -> Recipe:
    """A recipe for "few requests in the log end in a server error"."""
    it = _ErrorRate(source=source, most=most)
    return Recipe(
        judge=it.judge,
        mutants=(Mutant(name=f"{2 * most:.0%} server errors", change=it.broken),),
    )


def no_more_errors(*, source: str | None, most: float) -> Recipe:
    """A recipe for "no more requests in the log end in a server error than before": what the log alone can say of them."""
    it = _NoMoreErrors(source=source, most=most)
    return Recipe(
        judge=it.judge,
        mutants=(Mutant(name="twice as many server errors as before, or as may be", change=it.broken),),
        compares=True,
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _NoMoreErrors:
    """Server errors among the requests of one log, before and after."""

    source: str | None
    most: float

    def judge(self, view: View) -> Judgement:
        before, after = self._rows(view)
        asked, errors = (served(before), served(after)), (_errors(before), _errors(after))
        if view.windows.before is None and not view.has_before(RHYTHM):
            raise InsufficientEvidence(
                "no-evidence",
                "the log holds no entries from before",
                repair="a log that reaches back to before the deployment",
            )
        if min(asked) == 0:
            which = "before" if asked[0] == 0 else "of the new revision"
            raise InsufficientEvidence(
                "no-requests",
                f"the log holds no request entries {which}",
                repair="name a log source with request entries",
            )
        allowed = self.allowed(view)
        bounds = proportions.proportion(errors[1], asked[1], confidence=view.confidence)
        risen = self._p(before, after) < view.alpha_fail and bounds.value > MIN_RATIO * errors[0] / asked[0]
        over = risen and bounds.low > self.most
        within = not risen and bounds.high <= allowed
        covers = coverage_of(view, self.source, "before"), coverage_of(view, self.source, "after")
        seen = f"{errors[0]:,} of {asked[0]:,} requests before and {errors[1]:,} of {asked[1]:,} after ended with 500 or more"
        more = Needed(what="more requests to the new revision, or a look at those that ended so")
        return Judgement(
            verdict=Verdict.FAIL if over else Verdict.PASS if within else Verdict.INCONCLUSIVE,
            reason="more-errors" if risen else "" if within else "too-early",
            seen=seen,
            statement=f"{seen} ({bounds.value:.2%} after; at most {bounds.high:.2%} at {percent(view.confidence)} confidence)",
            estimate=Estimate.of(bounds, unit="fraction of requests"),
            method=Method(
                name="exact conditional test of the rates, errors of one second counted by their mean number; Clopper-Pearson upper bound",
                confidence=view.confidence,
                side="one-sided",
                null_hypothesis="the rate of server errors is what it was before",
                source="Przyborowski and Wilenski 1940; Clopper and Pearson 1934",
            ),
            threshold=f"at most {allowed:.2%} of requests: what may be, or {MIN_RATIO:g} times as many as before",
            limits=True,
            exposure=Exposure(n=asked[1], unit="requests"),
            controls=(
                covers[0].control("the log before", guards=("pass", "fail")),
                covers[1].control("the log after", guards=("pass",)),
            ),
            needed=None if over or within else more,
        )

    def allowed(self, view: View) -> float:
        """The share that may end so: the budget, or a little more than before where that was more."""
        before, _ = self._rows(view)
        return max(self.most, MIN_RATIO * _errors(before) / max(served(before), 1))

    def broken(self, view: View) -> View | None:
        rows, share = view.need(RHYTHM).copy(), min(1.0, 2 * self.allowed(view))
        after = self._rows(view)[1].index
        if not served(rows.loc[after]):
            return None
        rows.loc[after, "server_errors"] = np.ceil(share * rows.loc[after, "requests"]).astype("int64")
        return view.exchange(RHYTHM, rows)

    def _rows(self, view: View) -> tuple[pd.DataFrame, pd.DataFrame]:
        return others_in(view, "before", source=self.source), others_of_new(view, source=self.source)

    def _p(self, before: pd.DataFrame, after: pd.DataFrame) -> float:
        """The chance of so many errors after, had their rate stayed."""
        both = pd.concat([before, after]).groupby("bucket")["server_errors"].sum()
        size = max(1.0, float((both**2).sum()) / max(int(both.sum()), 1))
        counts = [int(np.ceil(_errors(rows) / size)) for rows in (before, after)]
        share = served(after) / (served(before) + served(after))
        return float(events.rates_differ(counts[:1], counts[1:], share_after=share)[0])


def _errors(rows: pd.DataFrame) -> int:
    return int(rows["server_errors"].sum())
