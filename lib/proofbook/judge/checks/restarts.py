"""Processes that start and end with no deployment: crashes, and leaks that restarts hide."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from proofbook.evidence.schema import METRICS
from proofbook.evidence.store import STARTED
from proofbook.judge.check import Mutant, Recipe
from proofbook.judge.findings import Control, Estimate, Exposure, Judgement, Method, Verdict
from proofbook.judge.view import InsufficientEvidence, View

MIN_READINGS = 10
# Start times of one process differ by no more than rounding.
SAME_S = 1.0
# An instance that is not seen in this many readings, times the instances that answer in turn, is not there.
READINGS_A_TURN = 3


def few(service: str, *, allowed: int) -> Recipe:
    """A recipe for "at most `allowed` processes took the place of another while it was watched".

    A process that started meanwhile is a restart once another is seen no more; one more beside the others is growth.
    """
    it = _Few(service=service, allowed=allowed)
    return Recipe(
        judge=it.judge,
        mutants=(
            Mutant(name=f"{allowed + 1} process{'es' if allowed else ''} exchanged", change=it.replaced),
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Few:
    """Processes of one service that took the place of others."""

    service: str
    allowed: int

    def readings(self, view: View) -> pd.DataFrame:
        rows: pd.DataFrame = view.need(METRICS)
        rows = rows[(rows["service"] == self.service) & (rows["name"] == STARTED)].sort_values("timestamp")
        rows = rows.loc[np.isfinite(rows["value"])]
        if len(rows) < MIN_READINGS:
            raise InsufficientEvidence(
                "no-metrics",
                f"{self.service} said {len(rows)} times when its process started, at least {MIN_READINGS} are needed",
                repair=f"see whether its metrics page holds {STARTED}, and observe longer",
            )
        return rows

    def judge(self, view: View) -> Judgement:
        rows = self.readings(view)
        number, processes = restarts(rows)
        seconds = (rows["timestamp"].max() - rows["timestamp"].min()).total_seconds()
        verdict = Verdict.PASS if number <= self.allowed else Verdict.FAIL
        return Judgement(
            verdict=verdict,
            reason="" if verdict is Verdict.PASS else "restarts",
            statement=f"{number} of {processes} processes took another's place in {seconds:.0f} s",
            estimate=Estimate(
                value=float(number),
                low=float(number),
                high=float(number),
                unit=f"restarts in {seconds:.0f} s",
            ),
            method=self.method(),
            threshold=f"at most {self.allowed}",
            limits=True,
            exposure=Exposure(n=seconds, unit="s watched"),
            controls=self.controls(rows),
            not_established=(f"restarts outside the {seconds:.0f} s in which it was watched",),
        )

    def method(self) -> Method:
        """How it is judged."""
        return Method(
            name="start times that the processes state; one that comes as another goes is a restart",
            null_hypothesis=f"more than {self.allowed} restarts",
        )

    def controls(self, rows: pd.DataFrame) -> tuple[Control, ...]:
        """What shows that restarts would have been seen."""
        return (
            Control(
                kind="liveness",
                name="start times were read",
                guards=("pass", "fail"),
                expected=f"at least {MIN_READINGS}",
                got=f"{len(rows)}",
                held=len(rows) >= MIN_READINGS,
            ),
        )

    def replaced(self, view: View) -> View:
        rows = view.need(METRICS)
        mine = rows[(rows["service"] == self.service) & (rows["name"] == STARTED)].sort_values("timestamp")
        changed = rows.copy()
        for number, part in enumerate(np.array_split(mine.index.to_numpy(), self.allowed + 2)):
            changed.loc[part, "value"] = mine["value"].max() + 2 * SAME_S * number
        return view.exchange(METRICS, changed)


def restarts(rows: pd.DataFrame) -> tuple[int, int]:
    """(how many processes took the place of another, how many there were), from rows of start times in order of time."""
    starts = (rows["value"] / SAME_S).round().reset_index(drop=True)
    places = pd.Series(range(len(starts))).groupby(starts).agg(["min", "max"])
    # Of instances that answer in turn, each is seen once in that many readings, more or less.
    at_once = math.ceil((places["max"] - places["min"] + 1).sum() / len(starts))
    turn = READINGS_A_TURN * at_once
    came = int((places["min"] >= turn).sum())
    went = int((places["max"] < len(starts) - turn).sum())
    return min(came, went), len(places)
