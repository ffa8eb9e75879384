"""Whether a match after the fix is the defect: in its form, and written by what was deployed."""

from __future__ import annotations

import re

import pandas as pd

from proofbook.judge.findings import Judgement, Needed, Verdict
from proofbook.judge.view import View

# A process that is told to end gets this long on most platforms, twice.
DRAINS_S = 60.0
# Severities at which less of a symptom was written say nothing of its form.
LEAST_OF_FORM = 0.1


def in_form(hits: pd.DataFrame, before: pd.DataFrame | None) -> pd.Series:
    """Which rows of `log_matches` are of the form that the defect had before: as severe, or in the same words.

    Where nothing is known of its form, all are.
    """
    everything = pd.Series(True, index=hits.index)
    if before is None or before.empty or "severity_number" not in hits or "severity_number" not in before:
        return everything
    weights = before.groupby("severity_number")["lines"].sum()
    usual = weights[weights >= LEAST_OF_FORM * weights.sum()]
    mildest = int(usual.index.min())
    if mildest == 0:
        return everything
    words = {_masked(text) for text in before["sample"]}
    severe = (hits["severity_number"] >= mildest) | (hits["severity_number"] == 0)
    return severe | hits["sample"].map(lambda text: _masked(text) in words)


def drained(view: View, hits: pd.DataFrame) -> pd.Series:
    """Which rows a process that was told to end at the stated time may have written: they name no revision."""
    windows = view.windows
    stated = windows.settled_at is not None and windows.settled_at == windows.deployed_at
    if not stated or windows.alongside or view.before_as_after:
        return pd.Series(False, index=hits.index)
    until = pd.Timestamp(windows.settled_at) + pd.Timedelta(seconds=DRAINS_S)
    return hits["service_version"].isna() & (hits["last"] <= until)


def untied(view: View, hits: pd.DataFrame, before: pd.DataFrame | None) -> Judgement | None:
    """The judgement where no match after is tied to the fixed revision and to the form of the defect; None where one is."""
    formed, late = in_form(hits, before), ~drained(view, hits)
    if (formed & late).any():
        return None
    row = hits.sort_values(["first", "sample"]).iloc[0]
    sample = str(row["sample"]).strip().rpartition("\n")[2][:160]
    number = int(hits["lines"].sum())
    lines = f"{number:,} {'lines match' if number != 1 else 'line matches'} after, such as “{sample}”"
    if not formed.any():
        why = (
            "milder and in other words than the defect was written before, as where somebody only mentions it"
        )
        what = "a pattern that matches the defect alone (state this line under near_misses), or a look at the line"
    else:
        seconds = (hits["last"].max() - view.windows.deployed_at).total_seconds()
        why = f"within {seconds:.0f} s of the deployment and without a revision, as what drains would write"
        what = "[deployment] time at which the last old process had ended, or a log that names revisions"
    return Judgement(
        verdict=Verdict.INCONCLUSIVE,
        reason="not-tied",
        statement=f"{lines}: {why}",
        needed=Needed(what=what),
    )


def _masked(text: str) -> str:
    return re.sub(r"\S*\d\S*", "#", str(text))
