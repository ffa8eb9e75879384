"""Nothing was down while the deployment rolled, and held sockets were treated well."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from proofbook.evidence.schema import HELD, ROLLOUT
from proofbook.judge.check import Mutant, Recipe
from proofbook.judge.checks.access import changed
from proofbook.judge.findings import Control, Estimate, Exposure, Judgement, Method, Needed, Verdict
from proofbook.judge.view import InsufficientEvidence, View
from proofbook.stats import events, proportions, severity


def no_downtime(service: str, *, budget_s: float) -> Recipe:
    """A recipe for "the service was down for at most `budget_s` during the rollout"."""
    it = _NoDowntime(service=service, budget_s=budget_s)
    return Recipe(judge=it.judge, mutants=(Mutant(name=f"a gap of {2.2 * budget_s:g} s", change=it.gap),))


@dataclass(frozen=True, slots=True, kw_only=True)
class _NoDowntime:
    """Probes of one service through a rollout."""

    service: str
    budget_s: float

    def rows_of(self, view: View) -> pd.DataFrame:
        rows = view.need(ROLLOUT, "rollout")
        rows = rows[rows["service"] == self.service].sort_values("at_s", ignore_index=True)
        if rows.empty:
            raise InsufficientEvidence(
                "not-probed",
                f"{self.service} was not probed through the rollout",
                repair="record it: proofbook collect ENV --phase rollout",
            )
        return rows

    def judge(self, view: View) -> Judgement:
        rows = self.rows_of(view)
        good = rows["ok"].fillna(False).astype(bool)
        count, failures = len(rows), int((~good).sum())
        window_s = float(rows["at_s"].iloc[-1] - rows["at_s"].iloc[0])
        upper_s = (
            events.downtime_share_upper(failures=failures, count=count, confidence=view.confidence_once)
            * window_s
        )
        longest_s, outage_s = _gaps(rows["at_s"].to_numpy(dtype=np.float64), good.to_numpy(dtype=bool))
        verdict = (
            Verdict.FAIL
            if outage_s > self.budget_s
            else Verdict.PASS
            if max(upper_s, longest_s) <= self.budget_s
            else Verdict.INCONCLUSIVE
        )
        revisions = list(dict.fromkeys(rows["revision"].dropna()))
        saw_change = len(revisions) > 1
        pause_s = float(np.diff(rows["at_s"].to_numpy()).max()) if count > 1 else window_s
        named = " → ".join(revisions) if revisions else "health names no revision"
        seen = f"{failures} of {count} probes failed in {window_s:.1f} s"
        return Judgement(
            verdict=verdict,
            reason={Verdict.PASS: "", Verdict.FAIL: "downtime", Verdict.INCONCLUSIVE: "too-early"}[verdict],
            seen=f"{seen}, longest time between successes {longest_s:.2f} s",
            statement=f"{seen}; down for at most {upper_s:.2f} s, longest time between successes {longest_s:.2f} s",
            estimate=Estimate(value=failures / count * window_s, low=outage_s, high=upper_s, unit="s down"),
            method=self.method(view),
            threshold=f"at most {self.budget_s:g} s",
            limits=True,
            severity=severity.of_share(
                count, most=min(1.0, self.budget_s / max(window_s, 1e-9)), confidence=view.confidence_once
            ),
            severity_at=f"down for {self.budget_s:g} of {window_s:.1f} s",
            exposure=Exposure(n=count, unit="probes"),
            controls=self.controls(named, saw_change, pause_s),
            needed=Needed(what="probe faster through the next rollout")
            if verdict is Verdict.INCONCLUSIVE
            else None,
        )

    def method(self, view: View) -> Method:
        """How it is judged."""
        return Method(
            name="jittered probes on new connections; upper bound of the failing share times the window",
            confidence=view.confidence_once,
            side="one-sided",
            null_hypothesis=f"it was down for more than {self.budget_s:g} s",
            source="Clopper and Pearson 1934",
        )

    def controls(self, named: str, saw_change: bool, pause_s: float) -> tuple[Control, ...]:
        """The prober saw the change, and never paused."""
        return (
            Control(
                kind="positive",
                name="the prober saw the revision change",
                guards=("pass",),
                expected="two revisions",
                got=named,
                held=saw_change,
            ),
            Control(
                kind="liveness",
                name="the prober itself never paused",
                guards=("pass",),
                expected=f"a probe at least every {self.budget_s:g} s",
                got=f"at most {pause_s:.2f} s between two",
                held=pause_s <= self.budget_s,
            ),
        )

    def gap(self, view: View) -> View:
        rows = view.need(ROLLOUT, "rollout")
        middle = rows["at_s"].median()
        down = rows.index[(rows["at_s"] - middle).abs() <= self.budget_s * 1.1]
        return view.exchange(ROLLOUT, changed(rows, down, {"ok": False}), "rollout")


def held_sockets(
    endpoint: str, *, target: float, allowed: list[int], max_connection_s: float | None
) -> Recipe:
    """A recipe for "sockets held through the rollout are kept, or closed as the environment allows"."""
    it = _HeldSockets(endpoint=endpoint, target=target, allowed=allowed, max_connection_s=max_connection_s)
    return Recipe(
        judge=it.judge,
        mutants=(Mutant(name="four sockets dropped with 1006", change=it.dropped),),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _HeldSockets:
    """Sockets of one endpoint held through a rollout."""

    endpoint: str
    target: float
    allowed: list[int]
    max_connection_s: float | None

    def judge(self, view: View) -> Judgement:
        rows = view.need(HELD, "rollout")
        rows = rows[rows["endpoint"] == self.endpoint]
        opened = rows[rows["upgraded"]]
        if opened.empty:
            raise InsufficientEvidence(
                "nothing-connected", "no socket could be held", repair="find out why connections fail"
            )
        aged = (
            (opened["dwell_s"] >= 0.95 * self.max_connection_s)
            if self.max_connection_s
            else pd.Series(False, index=opened.index)
        )
        kept = (opened["closed_by"] == "probe") | opened["close_code"].isin(self.allowed).fillna(False) | aged
        count, lost = len(opened), int((~kept).sum())
        bounds = proportions.proportion(count - lost, count, confidence=view.confidence_once)
        endings = opened["close_code"].fillna(1006).astype(str).where(opened["closed_by"] != "probe", "kept")
        ledger = ", ".join(
            f"{name}: {number}" for name, number in endings.value_counts().sort_index().items()
        )
        verdict = (
            Verdict.FAIL if lost else Verdict.PASS if bounds.low >= self.target else Verdict.INCONCLUSIVE
        )
        drained = int((opened["closed_by"] != "probe").sum())
        return Judgement(
            verdict=verdict,
            reason={Verdict.PASS: "", Verdict.FAIL: "dropped", Verdict.INCONCLUSIVE: "too-early"}[verdict],
            statement=f"{count - lost} of {count} held sockets were kept or closed as allowed ({ledger})",
            estimate=Estimate.of(bounds, unit="fraction"),
            method=self.method(view),
            threshold=f"at least {self.target:.0%}, close codes {', '.join(map(str, self.allowed))}",
            severity=severity.of_tries(count, rate=1 - self.target),
            severity_at=f"{1 - self.target:.2%} of held sockets are dropped",
            exposure=Exposure(n=count, unit="held sockets"),
            controls=self.controls(drained, count, rows),
            needed=Needed(what="hold 59 sockets or more", n=59) if verdict is Verdict.INCONCLUSIVE else None,
        )

    def method(self, view: View) -> Method:
        """How it is judged."""
        return Method(
            name="Clopper-Pearson; any other close code fails",
            confidence=view.confidence_once,
            side="one-sided",
            null_hypothesis=f"less than {self.target:.0%} are treated as allowed",
            source="Clopper and Pearson 1934",
        )

    def controls(self, drained: int, count: int, rows: pd.DataFrame) -> tuple[Control, ...]:
        """The rollout reached the held sockets, and there were some."""
        return (
            Control(
                kind="positive",
                name="the rollout reached the held sockets",
                guards=("pass",),
                expected="at least 1 closed by the server",
                got=f"{drained} of {count}",
                held=drained > 0,
            ),
            Control(
                kind="liveness",
                name="sockets were held",
                guards=("pass", "fail"),
                expected="at least 1",
                got=f"{count} of {len(rows)} opened",
                held=count > 0,
            ),
        )

    def dropped(self, view: View) -> View | None:
        rows = view.need(HELD, "rollout")
        return view.exchange(
            HELD,
            changed(rows, rows.index[rows["upgraded"]][:4], {"close_code": 1006, "closed_by": "server"}),
            "rollout",
        )


def _gaps(at_s: proportions.Floats, good: np.ndarray) -> tuple[float, float]:
    """(longest time between two successes, longest time within which every probe failed)."""
    successes = at_s[good]
    longest = float(np.diff(successes).max()) if len(successes) > 1 else float(at_s[-1] - at_s[0])
    outage, began = 0.0, None
    for time, ok in zip(at_s, good, strict=True):
        if ok:
            began = None
        else:
            began = time if began is None else began
            outage = max(outage, float(time - began))
    return longest, outage
