"""What speaks against each service in one look, strongest first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from proofbook.investigation.services.scores import Differences, Scales, Trial
from proofbook.investigation.services.suspects import Measure, Sign
from proofbook.investigation.services.tables import Array, Counted

# Weaker than this is no sign: one in six differs so by chance.
LEAST_SCORE = 1.0
# By its numbers alone one in two hundred differs so by chance.
LEAST_Z = 2.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Traced:
    """A sign, and where it stands in the tables, so that its traces can be found.

    row: of its table. operation: row of the operation that shows it; -1: none does. scale: what its size is measured by.
    """

    sign: Sign
    row: int
    operation: int
    size: float
    scale: float


def signs_of(trial: Trial, scales: Scales) -> dict[str, tuple[float, list[Traced]]]:
    """By service, its score and its signs; services without any are left out."""
    tables = scales.tables
    kept: dict[str, list[Traced]] = {}
    for traced in [*_steps(trial, scales), *_times(trial, scales), *_uses(trial, scales)]:
        kept.setdefault(traced.sign.service, []).append(traced)
    found = {}
    for place, score in enumerate(trial.scores):
        signs = sorted(kept.get(tables.services[place], ()), key=lambda item: -item.sign.score)
        if signs:
            # Several calls that are slow together weigh more than each.
            found[tables.services[place]] = (float(score), signs)
    return found


def _steps(trial: Trial, scales: Scales) -> list[Traced]:
    tables, steps = scales.tables, trial.steps
    held, traces = tables.held, tables.traces
    found = []
    for row in _strongest(steps):
        known = tables.steps.iloc[row]
        seen = tables.operations.iloc[int(known["operation"])]
        before, after = traces[int(known["operation"]), trial.before].sum(), traces[int(known["operation"]), trial.after].sum()  # fmt: skip
        found.append(
            _traced(
                steps, row, Measure.ERRORS if scales.is_error[row] else Measure.STEPS, at=int(known["operation"]),
                service=known["service"], seen_at=seen["service"], operation=seen["name"], what=known["what"], kind=known["kind"],
                before=held[row, trial.before].sum() / max(1.0, before), after=held[row, trial.after].sum() / max(1.0, after),
                counts=(before, after),
            )
        )  # fmt: skip
    return found


def _times(trial: Trial, scales: Scales) -> list[Traced]:
    tables, found = scales.tables, []
    for row in _strongest(trial.times):
        known = tables.operations.iloc[row]
        before, after, counts = _typical(tables.own, row, trial)
        measure = Measure.OWN_TIME if scales.remote[row] < 0 else Measure.CALL_TIME
        # A slow way counts for both of its ends.
        for service in [known["service"]] if scales.remote[row] < 0 else [known["remote"], known["service"]]:
            found.append(
                _traced(
                    trial.times, row, measure, at=row,
                    service=service, seen_at=known["service"], operation=known["name"], what=known["remote"] if scales.remote[row] >= 0 else "",
                    kind="", before=before, after=after, counts=counts,
                )
            )  # fmt: skip
    return found


def _uses(trial: Trial, scales: Scales) -> list[Traced]:
    tables, found = scales.tables, []
    for row in _strongest(trial.uses):
        known = tables.series.iloc[row]
        before, after, counts = _typical(tables.used, row, trial)
        before, after = (max(0.0, value - float(known["least"])) for value in (before, after))
        found.append(
            _traced(
                trial.uses, row, Measure.RESOURCES, at=-1,
                service=known["service"], seen_at=known["service"], operation="", what=known["name"], kind="",
                before=before, after=after, counts=counts,
            )
        )  # fmt: skip
    return found


def _strongest(found: Differences) -> list[int]:
    """Rows that are signs, strongest first; what is clear by its numbers and usual for its service is a weak one."""
    is_sign = (found.score >= LEAST_SCORE) | ((np.abs(found.z) >= LEAST_Z) & (found.score > 0))
    return [int(row) for row in np.argsort(-found.score, kind="stable") if is_sign[row]]


def _typical(values: Counted, row: int, trial: Trial) -> tuple[float, float, tuple[float, float]]:
    """The geometric means before and after, and of how many values."""
    counts: list[float] = [float(values.count[row, groups].sum()) for groups in (trial.before, trial.after)]
    totals: list[float] = [float(values.total[row, groups].sum()) for groups in (trial.before, trial.after)]
    means: Array = np.exp(np.array(totals) / np.maximum(1.0, np.array(counts)))
    return float(means[0]), float(means[1]), (counts[0], counts[1])


def _traced(
    found: Differences,
    row: int,
    measure: Measure,
    *,
    at: int,
    service: str,
    seen_at: str,
    operation: str,
    what: str,
    kind: str,
    before: float,
    after: float,
    counts: tuple[float, float],
) -> Traced:
    sign = Sign(
        measure=measure, service=service, seen_at=seen_at, operation=operation, what=what, kind=kind, before=float(before), after=float(after),
        of_before=round(counts[0]), of_after=round(counts[1]), z=float(found.z[row]), score=float(found.score[row]),
    )  # fmt: skip
    return Traced(
        sign=sign, row=row, operation=at, size=float(found.size[row]), scale=float(found.scale[row])
    )
