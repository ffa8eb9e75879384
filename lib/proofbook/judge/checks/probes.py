"""Whether the collector of a [[probe]] recorded what it should."""

from __future__ import annotations

from proofbook.evidence.schema import PROBES
from proofbook.judge.check import Mutant, Recipe
from proofbook.judge.findings import Control, Exposure, Judgement, Method, Needed, Verdict
from proofbook.judge.view import View


def recorded(probe: str) -> Recipe:
    """A recipe for "the probe was recorded": an error where its collector broke, since that says nothing of the system."""

    def judge(view: View) -> Judgement:
        return _judge(view, probe)

    def broken(view: View) -> View:
        rows = view.need(PROBES)
        mine = rows["name"] == probe
        return view.exchange(PROBES, rows.assign(problem=rows["problem"].mask(mine, "it broke")))

    return Recipe(judge=judge, mutants=(Mutant(name="a collector that breaks", change=broken),))


def _judge(view: View, probe: str) -> Judgement:
    rows = view.need(PROBES)
    problems = rows.loc[rows["name"] == probe, "problem"].unique()
    if not len(problems):
        return Judgement(
            verdict=Verdict.INCONCLUSIVE,
            reason="no-evidence",
            statement=f"the probe {probe} was not there when this was recorded",
            needed=Needed(what="record the phase again"),
        )
    worst = [problem for problem in problems if problem]
    if worst:
        return Judgement(verdict=Verdict.ERROR, reason="extension", statement="; ".join(worst))
    return Judgement(
        verdict=Verdict.PASS,
        statement="its collector recorded what its tables want",
        method=Method(name="every step ended, and every table has the columns of its schema"),
        threshold="no problem",
        exposure=Exposure(n=1, unit="collector"),
        controls=(
            Control(
                kind="liveness",
                name="the collector was run",
                guards=("pass",),
                expected="run",
                got="run",
                held=True,
            ),
        ),
    )
