"""Latency not worse than before: non-inferiority on the median."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from proofbook.evidence.schema import LATENCY, LATENCY_CONTROL
from proofbook.judge.check import Mutant, Recipe
from proofbook.judge.checks.success_rate import judge_rate
from proofbook.judge.findings import Control, Estimate, Exposure, Judgement, Method, Needed, Verdict, percent
from proofbook.judge.view import InsufficientEvidence, View
from proofbook.stats import bootstrap, proportions

MIN_SAMPLES = 100
# A busy machine costs an endpoint that works for its answer somewhat more than one that only answers: with 195 ms lost by the
# health endpoint 235 were lost by the other. What is taken off is good for small losses only.
MAX_SHIFT = 1 / 3
# It is late more often too, since it must be woken more often for one answer.
LATE_TIMES = 3


def not_slower(service: str, path: str, *, ratio: float) -> Recipe:
    """A recipe for "the median latency is less than `ratio` times what it was"."""
    it = _NotSlower(service=service, path=path, ratio=ratio)
    return Recipe(
        judge=it.judge,
        mutants=(Mutant(name=f"latencies × {ratio * 1.25:g}", change=it.slowed),),
        compares=True,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _NotSlower:
    """The median of one path against what it was."""

    service: str
    path: str
    ratio: float

    def samples(self, view: View, phase: str) -> proportions.Floats:
        rows = view.need(LATENCY, phase)
        rows = rows[(rows["service"] == self.service) & (rows["path"] == self.path)]
        good = rows[rows["ok"].fillna(False).astype(bool)].sort_values("timestamp")
        if len(good) < MIN_SAMPLES:
            raise InsufficientEvidence(
                "too-few-samples",
                f"{len(good)} good answers from {self.path} {phase}, at least {MIN_SAMPLES} are needed",
                repair="collect more, or see why they fail",
            )
        values = good["total_s"].to_numpy(dtype=np.float64)
        if not np.isfinite(values).all():
            raise InsufficientEvidence(
                "not-finite",
                f"{int((~np.isfinite(values)).sum())} of {len(values)} times of {self.path} {phase} are no numbers",
                repair="see what was recorded",
            )
        if np.ptp(values) == 0:
            raise InsufficientEvidence(
                "all-identical",
                f"all {len(values)} times of {self.path} {phase} are {values[0]:g} s to the last digit",
                repair="see whether the clock stands",
            )
        return values

    def judge(self, view: View) -> Judgement:
        before, after = self.samples(view, "before"), self.samples(view, "after")
        interval = bootstrap.median_ratio(before, after, confidence=view.confidence)
        # What the health endpoint lost at the same time was the machine's, not the endpoint's. Taken off where a verdict
        # would be too easy otherwise: a failure where the machine was slower after, a pass where it was slower before.
        shift = _control_shift(view, self.service, self.path)
        _check_small(shift, before if shift < 0 else after)
        calm_before, calm_after = _less(before, max(0.0, -shift)), _less(after, max(0.0, shift))
        fair = bootstrap.median_ratio(calm_before, after, confidence=view.confidence)
        strict = bootstrap.median_ratio(calm_before, calm_after, confidence=1 - view.alpha_fail)
        verdict = (
            Verdict.PASS
            if fair.high < self.ratio
            else Verdict.FAIL
            if strict.low > self.ratio
            else Verdict.INCONCLUSIVE
        )
        tails = bootstrap.quantile(before, 0.95), bootstrap.quantile(after, 0.95)
        p95 = (
            f"; p95 {1000 * tails[0]:.0f} → {1000 * tails[1]:.0f} ms"
            if tails[0] is not None and tails[1] is not None
            else ""
        )
        seen = f"median {1000 * np.median(before):.0f} → {1000 * np.median(after):.0f} ms, ratio {interval.value:.2f}"
        return Judgement(
            verdict=verdict,
            reason={Verdict.PASS: "", Verdict.FAIL: "slower", Verdict.INCONCLUSIVE: "too-early"}[verdict],
            statement=f"{seen} (at most {interval.high:.2f} at {percent(view.confidence)} confidence){p95}{_in_words(shift)}",
            seen=f"{seen}{p95}{_in_words(shift)}",
            estimate=Estimate.of(interval, unit="ratio of medians"),
            method=self.method(view),
            threshold=f"ratio below {self.ratio:g}",
            # By construction of the interval, and as simulated: `proofbook.selfcheck.rule_error_rates`.
            severity=view.confidence,
            severity_at=f"the median is {self.ratio:g} times what it was",
            exposure=Exposure(n=len(after), unit="requests"),
            controls=self.controls(view, before, after),
            not_established=(
                "whether the defect itself slowed the service before, which would hide a slowdown now",
            ),
            needed=Needed(
                what=f"more samples: the interval {interval.low:.2f} to {interval.high:.2f} holds the margin {self.ratio:g}",
                n=4 * len(after),
            )
            if verdict is Verdict.INCONCLUSIVE
            else None,
        )

    def method(self, view: View) -> Method:
        """How it is judged."""
        return Method(
            name="non-inferiority on the median, circular block bootstrap",
            confidence=view.confidence,
            side="one-sided",
            null_hypothesis=f"the median is at least {self.ratio:g} times what it was",
            source="Politis and Romano 1992",
        )

    def controls(
        self, view: View, before: proportions.Floats, after: proportions.Floats
    ) -> tuple[Control, ...]:
        """As many answers as before, and enough of both."""
        return (
            _answered(view, self.service, self.path),
            Control(
                kind="liveness",
                name="samples were taken",
                guards=("pass", "fail"),
                expected=f"at least {MIN_SAMPLES} of both",
                got=f"{len(before)} before, {len(after)} after",
                held=min(len(before), len(after)) >= MIN_SAMPLES,
            ),
        )

    def slowed(self, view: View) -> View:
        rows = view.need(LATENCY)
        return view.exchange(LATENCY, rows.assign(total_s=rows["total_s"] * self.ratio * 1.25))


def tail_kept(service: str, path: str, *, times: float, share: float) -> Recipe:
    """A recipe for "at most `share` of the requests take longer than `times` the median of before"."""
    it = _TailKept(service=service, path=path, times=times, share=share)
    return Recipe(
        judge=it.judge,
        mutants=(Mutant(name=f"{4 * share:.0%} of requests slow", change=it.slowed),),
        compares=True,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _TailKept:
    """The share of slow requests to one path against the median of before."""

    service: str
    path: str
    times: float
    share: float

    def slow_after(self, view: View) -> tuple[float, pd.Series]:
        rows = {}
        for phase in ("before", "after"):
            table = view.need(LATENCY, phase)
            table = table[(table["service"] == self.service) & (table["path"] == self.path)]
            rows[phase] = table[table["ok"].fillna(False).astype(bool)]
        if rows["before"].empty or rows["after"].empty:
            raise InsufficientEvidence(
                "too-few-samples", f"no good answer from {self.path}", repair="see why it fails"
            )
        # Where a busy machine made before slow, nothing would be slow against it.
        faster = min(0.0, _control_shift(view, self.service, self.path))
        _check_small(faster, rows["before"]["total_s"].to_numpy(dtype=np.float64))
        limit_s = self.times * float(rows["before"]["total_s"].median())
        return limit_s, rows["after"]["total_s"] > limit_s

    def judge(self, view: View) -> Judgement:
        limit_s, slow = self.slow_after(view)
        return judge_rate(
            count=len(slow),
            failures=int(slow.sum()),
            target=1 - self.share,
            planned=False,
            view=view,
            unit="requests",
            what=f"took at most {1000 * limit_s:.0f} ms, {self.times:g} times the median of before",
            controls=(
                _answered(view, self.service, self.path),
                *_health_kept_its_time(
                    view, self.service, self.path, slow=slow, late_s=limit_s * (1 - 1 / self.times)
                ),
            ),
        )

    def slowed(self, view: View) -> View:
        limit_s, slow = self.slow_after(view)
        rows = view.need(LATENCY).copy()
        chosen = slow.index[:: max(1, round(1 / (4 * self.share)))]
        rows.loc[chosen, "total_s"] = 2 * limit_s
        return view.exchange(LATENCY, rows)


def _answered(view: View, service: str, path: str) -> Control:
    """Comparability: what is not answered at all takes no time, and would make the rest look quick."""
    shares = []
    for phase in ("before", "after"):
        rows = view.need(LATENCY, phase)
        rows = rows[(rows["service"] == service) & (rows["path"] == path)]
        shares.append(float(rows["ok"].fillna(False).astype(bool).mean()) if len(rows) else 0.0)
    return Control(
        kind="comparability",
        name="as many answers as before",
        guards=("pass",),
        expected="at least 99 % of both",
        got=f"{shares[0]:.1%} before, {shares[1]:.1%} after",
        held=min(shares) >= 0.99,
    )


def _health_kept_its_time(
    view: View, service: str, path: str, *, slow: pd.Series, late_s: float
) -> tuple[Control, ...]:
    """Comparability: where the health endpoint, asked in between, is as often late by as much, the machine was slow and not the endpoint.

    No control where it was not timed.
    """
    medians = []
    for phase in ("before", "after"):
        rows = view.table(LATENCY_CONTROL, phase)
        if rows is None:
            return ()
        rows = rows[(rows["service"] == service) & (rows["beside"] == path)]
        good = rows[rows["ok"].fillna(False).astype(bool)]["total_s"]
        if good.empty:
            return ()
        medians.append(float(good.median()))
    late = int((good > medians[0] + late_s).sum())
    rarer = proportions.two_samples(before=(int(slow.sum()), len(slow)), after=(late, len(good)))
    is_rarer = rarer.p_value <= 0.05 and LATE_TIMES * late / len(good) <= slow.mean()
    return (
        Control(
            kind="comparability",
            name="the health endpoint, asked in between, is late less often",
            guards=("fail",),
            expected="never, or at most a third as often, with p of at most 0.05",
            got=f"{late} of {len(good)}, p = {rarer.p_value:.2g} by {rarer.name}",
            held=late == 0 or bool(is_rarer),
        ),
    )


def _less(values: proportions.Floats, seconds: float) -> proportions.Floats:
    """Times without what the machine cost; none of them below a millionth of a second, so that ratios mean something."""
    return np.maximum(values - seconds, 1e-6)


def _check_small(shift_s: float, values: proportions.Floats) -> None:
    """Where the machine changed by more than a third of what is compared, what is left after taking that off says nothing."""
    if abs(shift_s) > np.median(values) * MAX_SHIFT:
        raise InsufficientEvidence(
            "control-comparability",
            f"the health endpoint alone is {1000 * abs(shift_s):.0f} ms {'slower' if shift_s > 0 else 'faster'} than before, more than a third of what is compared",
            repair="record both when the machine is alike",
        )


def _control_shift(view: View, service: str, path: str) -> float:
    """How many seconds the health endpoint, timed beside this one, got slower; 0 where it was not timed."""
    medians = []
    for phase in ("before", "after"):
        rows = view.table(LATENCY_CONTROL, phase)
        if rows is None:
            return 0.0
        rows = rows[(rows["service"] == service) & (rows["beside"] == path)]
        good = rows[rows["ok"].fillna(False).astype(bool)]["total_s"]
        if good.empty:
            return 0.0
        medians.append(float(good.median()))
    return medians[1] - medians[0]


def _in_words(shift: float) -> str:
    """A shift of the control that a reader should know of."""
    return f"; the health endpoint beside it {1000 * shift:+.0f} ms" if abs(shift) >= 0.002 else ""
