"""The path of the evidence while watching: what Wald's test of each success rate had after every look."""

from __future__ import annotations

import re
from collections.abc import Iterable

import pandas as pd

from proofbook.evidence.schema import LOOKS
from proofbook.judge.check import Check
from proofbook.judge.checks.success_rate import sequential_test
from proofbook.judge.view import InsufficientEvidence, View


def path(view: View, checks: Iterable[Check]) -> pd.DataFrame:
    """One row per success rate and look, in order.

    Returns:
        check, claim, look, at (UTC, when the look ended), failures, count, evidence (log-likelihood ratio), pass_above,
        fail_below. Empty where nothing was watched.
    """
    looks = view.table(LOOKS)
    columns = ["check", "claim", "look", "at", "failures", "count", "evidence", "pass_above", "fail_below"]
    if looks is None or looks.empty:
        return pd.DataFrame(columns=columns)
    rows = []
    for check in checks:
        if check.recipe.trials is None:
            continue
        try:
            trials = check.recipe.trials(view)
        except InsufficientEvidence:
            continue
        test = sequential_test(view, check.recipe.target)
        for number, ended in zip(looks["look"].tolist(), looks["ended"], strict=True):
            # Trials carry the time at which they began, within their look.
            seen = trials[trials["timestamp"] <= ended]
            failures, count = int((~seen["ok"]).sum()), len(seen)
            evidence = test.evidence(failures=failures, count=count)
            rows.append((check.id, check.claim, number + 1, ended, failures, count, evidence, test.pass_above, test.fail_below))  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def in_words(view: View) -> str:
    """How the watch went, in a sentence; empty where nothing was watched."""
    looks = view.table(LOOKS)
    if looks is None or looks.empty:
        return ""
    taken, planned, every_s = len(looks), int(looks["planned"].max()), float(looks["every_s"].iloc[0])
    span = (looks["ended"].max() - looks["started"].min()).total_seconds()
    early = f"; {planned - taken} were not taken" if taken < planned else ""
    return f"{taken} of {planned} looks, one every {_length(every_s)}, over {_length(span)}{early}"


def _length(seconds: float) -> str:
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{re.sub(r'[.]0$', '', f'{seconds / size:.1f}')} {unit}"
    return f"{seconds:.0f} s"
