"""Memory stable: its growth over a horizon stays within a budget."""

from __future__ import annotations

import numpy as np
import pandas as pd

from proofbook.judge import estimates
from proofbook.judge.checks import CouldNotSee, Mutant, Recipe, View
from proofbook.judge.findings import Control, Estimate, Exposure, Judgement, Method, Needed, Verdict

LEAST_READINGS = 30
# Resident memory is counted in pages.
PAGE_MB = 4096 / 1e6


def stable(service: str, *, budget_mb: float, horizon_min: float) -> Recipe:
    """A recipe for "memory grows by at most `budget_mb` in `horizon_min` minutes". The worst instance counts."""
    horizon_s = horizon_min * 60

    def readings(view: View) -> pd.DataFrame:
        rows = view.need("metrics")
        rows = rows[rows["service"] == service]
        if rows.empty:
            raise CouldNotSee(
                "no-metrics",
                f"{service} gave no memory readings",
                repair="see whether /metrics answers and holds the memory metric",
            )
        return rows

    def judge(view: View) -> Judgement:
        rows = readings(view)
        slopes = {}
        for instance, part in rows.groupby("instance"):
            seconds = (
                (part["timestamp"] - part["timestamp"].min()).dt.total_seconds().to_numpy(dtype=np.float64)
            )
            values = part["value"].to_numpy(dtype=np.float64) / 1e6
            slope = estimates.batch_slope(seconds, values, resolution=PAGE_MB, confidence=view.confidence)
            strict = estimates.batch_slope(
                seconds, values, resolution=PAGE_MB, confidence=1 - view.alpha_fail
            )
            if slope is not None and strict is not None:
                slopes[str(instance)] = (slope, strict)
        if not slopes:
            raise CouldNotSee(
                "too-early",
                f"{len(rows)} readings are too few for a trend",
                repair=f"observe longer: at least {LEAST_READINGS} readings of one instance",
            )
        slope, strict = max(slopes.values(), key=lambda pair: pair[0].high)
        growth = slope.high * horizon_s
        verdict = (
            Verdict.PASS
            if growth <= budget_mb
            else Verdict.FAIL
            if strict.low * horizon_s > budget_mb
            else Verdict.INCONCLUSIVE
        )
        seconds = (rows["timestamp"].max() - rows["timestamp"].min()).total_seconds()
        return Judgement(
            verdict=verdict,
            reason={Verdict.PASS: "", Verdict.FAIL: "leak", Verdict.INCONCLUSIVE: "too-early"}[verdict],
            statement=f"{rows['value'].iloc[0] / 1e6:.0f} → {rows['value'].iloc[-1] / 1e6:.0f} MB in {seconds:.0f} s; over {horizon_min:g} min {slope.per_s * horizon_s:+.0f} MB (at most {growth:+.0f} at {view.confidence:.0%} confidence)",
            estimate=Estimate(
                value=slope.per_s * horizon_s,
                low=slope.low * horizon_s,
                high=growth,
                unit=f"MB in {horizon_min:g} min",
            ),
            method=Method(
                name=f"trend of {slope.batches} batch means, t-interval widened for what correlation is left",
                confidence=view.confidence,
                side="one-sided",
                null_hypothesis="it grows beyond the budget",
                source="Conway 1963",
            ),
            threshold=f"at most {budget_mb:g} MB in {horizon_min:g} min",
            exposure=Exposure(n=len(rows), unit="readings"),
            controls=(
                Control(
                    kind="liveness",
                    name="readings were taken",
                    guards=("pass", "fail"),
                    expected=f"at least {LEAST_READINGS}",
                    got=f"{len(rows)} of {len(slopes)} instance{'s' if len(slopes) > 1 else ''}",
                    held=len(rows) >= LEAST_READINGS,
                ),
            ),
            needed=Needed(what="a longer observation: the interval holds the budget")
            if verdict is Verdict.INCONCLUSIVE
            else None,
            not_established=("the trend beyond the observed time is extrapolated",),
        )

    def leaking(view: View) -> View:
        rows = view.need("metrics")
        seconds = (rows["timestamp"] - rows["timestamp"].min()).dt.total_seconds()
        return view.exchange(
            "metrics", rows.assign(value=rows["value"] + seconds * 2 * budget_mb * 1e6 / horizon_s)
        )

    return Recipe(
        tables=("metrics",),
        judge=judge,
        mutants=(Mutant(name="a slope of twice the budget added", change=leaking),),
    )
