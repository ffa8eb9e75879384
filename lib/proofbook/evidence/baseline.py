"""Evidence from before that is taken from an earlier run, and the run that is pinned for it (the baseline)."""

from __future__ import annotations

import json
from pathlib import Path

from proofbook.errors import CouldNotLook, UsageError
from proofbook.evidence import store
from proofbook.files import read_json, replace_text

FILE = "baseline.json"
# Of a run that has both, the first counts.
PHASES = ("before", "after")


def pin(run: Path) -> str:
    """Pins a run for its environment; gives the phase that will count as before.

    Raises:
        UsageError: it holds nothing that could be one.
    """
    phase = _phase_of(run)
    replace_text(run.parent / FILE, json.dumps({"run": run.name}) + "\n")
    return phase


def unpin(environment: Path) -> None:
    """Ends the pinning of an environment, given its folder of runs."""
    (environment / FILE).unlink(missing_ok=True)


def pinned(environment: Path) -> str:
    """The id of the run that is pinned for an environment, given its folder of runs; empty without one."""
    try:
        return str(read_json(environment / FILE)["run"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def take(run: Path, *, into: Path, phase: str = "", differs: tuple[str, ...] | None = None) -> str:
    """Copies what counts as before from a run into the evidence of another; gives where it came from, in words.

    Args:
        phase: which of its phases; empty for its before, else what it found itself. differs: the settings of asking that
            have another value now than in that run; None where that is not known.
    Raises:
        UsageError, EvidenceError: there is nothing that could be it, or it was altered.
    """
    phase = _phase_of(run, phase)
    source = store.read(run / "evidence")
    recorded = source.manifest.phases[phase]
    altered = [line for line in source.altered() if f"/{phase}/" in line]
    if altered:
        raise CouldNotLook(f"run {run.name} cannot count as before: {altered[0]}")
    taken = _taken(recorded.taken, store.Taken(run=run.name, phase=phase, differs=differs))
    origin = f"taken from {taken.phase} of run {taken.run}"
    store.copy_phase(
        source.folder / phase,
        into,
        environment=source.manifest.environment,
        phase="before",
        recorded=recorded.model_copy(update={"planned": [origin, *recorded.planned], "taken": taken}),
    )
    return origin


def _taken(first: store.Taken | None, now: store.Taken) -> store.Taken:
    """Where evidence comes from that an earlier run may have taken from yet another one, which recorded it."""
    if first is None:
        return now
    known = None not in (first.differs, now.differs)
    differs = tuple(dict.fromkeys([*(first.differs or ()), *(now.differs or ())])) if known else None
    return first.model_copy(update={"differs": differs})


def _phase_of(run: Path, wanted: str = "") -> str:
    """The phase of a run that can count as before: the wanted one, else what it recorded as such, else what it found itself."""
    phases = store.read(run / "evidence").manifest.phases if (run / "evidence" / store.MANIFEST).is_file() else {}  # fmt: skip
    for phase in (wanted,) if wanted else PHASES:
        if phase in phases:
            return phase
    raise UsageError(
        f"expected a run that recorded {wanted or 'something'}, but {run.name} holds no evidence of {wanted or 'before or after'}"
    )
