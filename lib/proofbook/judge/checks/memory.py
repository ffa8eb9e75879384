"""Memory stable: its growth over a horizon stays within a budget."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pandas as pd

from proofbook.evidence.schema import METRICS
from proofbook.evidence.store import STARTED
from proofbook.judge.check import Mutant, Recipe
from proofbook.judge.findings import Control, Estimate, Exposure, Judgement, Method, Needed, Verdict, percent
from proofbook.judge.view import InsufficientEvidence, View
from proofbook.stats import proportions, trends

# A trend at both confidences, how it was found, and the source of that.
_Trend: TypeAlias = tuple[trends.Slope, trends.Slope, str, str]
MIN_READINGS = 30
MIN_REQUESTS = 20
# Resident memory is counted in pages.
PAGE_MB = 4096 / 1e6


def stable(service: str, *, budget_mb: float, horizon_min: float, summed: bool = False) -> Recipe:
    """A recipe for "memory grows by at most `budget_mb` in `horizon_min` minutes". The worst instance counts.

    summed: the series of one instance at one reading are added; else each is judged by itself, and the worst counts.
    """
    it = _Stable(service=service, budget_mb=budget_mb, horizon_min=horizon_min, summed=summed)
    return Recipe(
        judge=it.judge,
        mutants=(Mutant(name="a slope of twice the budget added", change=it.leaking),),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stable:
    """The growth of memory of one service."""

    service: str
    budget_mb: float
    horizon_min: float
    summed: bool

    @property
    def horizon_s(self) -> float:
        return self.horizon_min * 60

    def readings(self, view: View) -> pd.DataFrame:
        rows = view.need(METRICS)
        rows = rows[(rows["service"] == self.service) & (rows["name"] != STARTED)].sort_values("timestamp")
        if rows.empty:
            raise InsufficientEvidence(
                "no-metrics",
                f"{self.service} gave no memory readings",
                repair="see whether /metrics answers and holds the memory metric",
            )
        return rows

    def apart(self, rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
        """The readings of each series, or of their sum, by its labels.

        Raises:
            InsufficientEvidence: an instance has several readings of one time, and nothing tells them apart.
        """
        if "series" not in rows:
            # Older evidence does not tell them apart.
            parts = {"": rows}
        elif self.summed:
            keys = [name for name in rows.columns if name not in ("series", "value")]
            parts = {"": pd.DataFrame(rows.groupby(keys, as_index=False, sort=False)["value"].sum())}
        else:
            parts = {str(name): part for name, part in rows.groupby("series")}
        if any(part.duplicated(["instance", "timestamp"]).any() for part in parts.values()):
            raise InsufficientEvidence(
                "several-series",
                f"{self.service} gave several readings of one instance at one time, which nothing tells apart",
                repair="record again, or name a metric with one series in memory_metric",
            )
        return parts

    def judge(self, view: View) -> Judgement:
        parts = self.apart(self.readings(view))
        # So that the more series there are, no more of them are wrongly called a leak.
        strict = 1 - view.alpha_fail / len(parts)
        trends_of = {
            name: _trend(
                {str(instance): _series(one) for instance, one in part.groupby("instance")},
                confidence=view.confidence,
                strict=strict,
            )
            for name, part in parts.items()
        }
        known = {name: found for name, found in trends_of.items() if found is not None}
        if len(known) < len(parts):
            short = min(len(parts[name]) for name in parts if name not in known)
            raise InsufficientEvidence(
                "too-early",
                f"{short} readings are too few for a trend",
                repair=f"observe longer: at least {MIN_READINGS} readings of one instance",
            )
        worst = max(
            known,
            key=lambda name: (known[name][1].low * self.horizon_s > self.budget_mb, known[name][0].high),
        )
        return self.judged(view, parts[worst], known[worst], series=worst, among=len(parts))

    def judged(self, view: View, rows: pd.DataFrame, found: _Trend, *, series: str, among: int) -> Judgement:
        """The judgement by the readings of one series, the worst among several."""
        slope, strict, method, source = found
        growth = slope.high * self.horizon_s
        verdict = (
            Verdict.PASS
            if growth <= self.budget_mb
            else Verdict.FAIL
            if strict.low * self.horizon_s > self.budget_mb
            else Verdict.INCONCLUSIVE
        )
        seconds = (rows["timestamp"].max() - rows["timestamp"].min()).total_seconds()
        of_series = f"{series or 'one without labels'}, the worst of {among} series: " if among > 1 else ""
        seen = f"{of_series}{rows['value'].iloc[0] / 1e6:.0f} → {rows['value'].iloc[-1] / 1e6:.0f} MB in {seconds:.0f} s; over {self.horizon_min:g} min {_change(slope.per_s * self.horizon_s)}"
        return Judgement(
            verdict=verdict,
            reason={Verdict.PASS: "", Verdict.FAIL: "leak", Verdict.INCONCLUSIVE: "too-early"}[verdict],
            seen=seen,
            statement=f"{seen} (at most {round(growth):+d} MB at {percent(view.confidence)} confidence)",
            estimate=Estimate(
                value=slope.per_s * self.horizon_s,
                low=slope.low * self.horizon_s,
                high=growth,
                unit=f"MB in {self.horizon_min:g} min",
            ),
            method=self.method(method, source, view),
            threshold=f"at most {self.budget_mb:g} MB in {self.horizon_min:g} min",
            limits=True,
            # By construction of the interval, and as simulated: `proofbook.selfcheck.rule_error_rates`.
            severity=view.confidence,
            severity_at=f"it grows by {self.budget_mb:g} MB in {self.horizon_min:g} min",
            exposure=Exposure(n=len(rows), unit="readings"),
            controls=self.controls(view, rows, instances=rows["instance"].nunique()),
            needed=Needed(what="a longer observation: the interval holds the budget")
            if verdict is Verdict.INCONCLUSIVE
            else None,
            not_established=(
                "the trend beyond the observed time is extrapolated",
                *(
                    (
                        f"it shrank while it was watched, which would hide a leak of up to {-slope.per_s * self.horizon_s:.0f} MB in {self.horizon_min:g} min",
                    )
                    if slope.high < 0
                    else ()
                ),
            ),
        )

    def method(self, method: str, source: str, view: View) -> Method:
        """How it is judged."""
        return Method(
            name=method,
            confidence=view.confidence,
            side="one-sided",
            null_hypothesis="it grows beyond the budget",
            source=source,
        )

    def controls(self, view: View, rows: pd.DataFrame, *, instances: int) -> tuple[Control, ...]:
        """Enough readings, under the load that there was."""
        return (
            Control(
                kind="liveness",
                name="readings were taken",
                guards=("pass", "fail"),
                expected=f"at least {MIN_READINGS}",
                got=f"{len(rows)} of {instances} instance{'s' if instances > 1 else ''}",
                held=len(rows) >= MIN_READINGS,
            ),
            *_load(view, rows),
        )

    def leaking(self, view: View) -> View:
        """A leak on top of what does not shrink: freed memory is given back for a while, a leak goes on."""
        rows = view.need(METRICS).copy()
        keys = ["instance", *(["series"] if "series" in rows else [])]
        for _, part in self.readings(view).groupby(keys):
            seconds = (part["timestamp"] - part["timestamp"].min()).dt.total_seconds().to_numpy()
            shrinking = min(0.0, float(np.polyfit(seconds, part["value"], 1)[0])) if len(part) > 1 else 0.0
            added = seconds * (2 * self.budget_mb * 1e6 / self.horizon_s - shrinking)
            rows.loc[part.index, "value"] = part["value"] + added
        return view.exchange(METRICS, rows)


def _load(view: View, readings: pd.DataFrame) -> tuple[Control, ...]:
    """Comparability: memory that does not grow while nothing is asked proves nothing. Left out where nothing else was probed."""
    probed = [
        table["timestamp"] for name in ("latency", "websocket") if (table := view.table(name)) is not None
    ]
    if not probed:
        return ()
    first, last = readings["timestamp"].min(), readings["timestamp"].max()
    asked = sum(int(times.between(first, last).sum()) for times in probed)
    return (
        Control(
            kind="comparability",
            name="it worked while it was watched",
            guards=("pass",),
            expected=f"at least {MIN_REQUESTS} requests",
            got=f"{asked:,}",
            held=asked >= MIN_REQUESTS,
        ),
    )


def _series(part: pd.DataFrame) -> tuple[proportions.Floats, proportions.Floats]:
    """(seconds, megabytes) of one instance. A clock that never jumps counts where there is one."""
    seconds = (
        part["at_s"] - part["at_s"].min()
        if "at_s" in part
        else (part["timestamp"] - part["timestamp"].min()).dt.total_seconds()
    )
    return seconds.to_numpy(dtype=np.float64), part["value"].to_numpy(dtype=np.float64) / 1e6


def _trend(
    series: dict[str, tuple[proportions.Floats, proportions.Floats]], *, confidence: float, strict: float
) -> _Trend | None:
    """The trend at both confidences and how it was found: over instances where there are four, else of the worst one, else
    of all together where none was seen for long enough.
    """
    everything = list(series.values())
    pair = [trends.instance_slope(everything, confidence=level) for level in (confidence, strict)]
    if pair[0] is not None and pair[1] is not None:
        name = f"Theil-Sen slopes of {pair[0].values} instances, t-interval over them"
        return pair[0], pair[1], name, "Theil 1950, Sen 1968"
    alone = []
    for one in everything if all(len(seconds) >= MIN_READINGS for seconds, _ in everything) else []:
        found = [
            trends.batch_slope([one], resolution=PAGE_MB, confidence=level) for level in (confidence, strict)
        ]
        if found[0] is not None and found[1] is not None:
            alone.append((found[0], found[1]))
    if not alone:
        found = [
            trends.batch_slope(everything, resolution=PAGE_MB, confidence=level)
            for level in (confidence, strict)
        ]
        alone = [(found[0], found[1])] if found[0] is not None and found[1] is not None else []
    if not alone:
        return None
    slope, narrow = max(alone, key=lambda item: item[0].high)
    return (
        slope,
        narrow,
        f"trend of {slope.values} batch means, t-interval widened for what correlation is left",
        "Conway 1963",
    )


def _change(mb: float) -> str:
    """A growth in words.

    >>> _change(-0.2), _change(3.2), _change(-12)
    ('no change', '+3 MB', '-12 MB')
    """
    return f"{round(mb):+d} MB" if round(mb) else "no change"
