"""Which earlier run counts as before: named on the command line, by the case, or pinned for an environment."""

from __future__ import annotations

import json
from pathlib import Path

from proofbook.errors import CouldNotLook, UsageError
from proofbook.evidence import store
from proofbook.files import read_json, replace_text

FILE = "baseline.json"


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


def take(run: Path, *, into: Path) -> str:
    """Copies what counts as before from a run into the evidence of another; gives where it came from, in words.

    Raises:
        UsageError, EvidenceError: there is nothing that could be it, or it was altered.
    """
    phase = _phase_of(run)
    source = store.read(run / "evidence")
    recorded = source.manifest.phases[phase]
    altered = [line for line in source.altered() if f"/{phase}/" in line]
    if altered:
        raise CouldNotLook(f"run {run.name} cannot count as before: {altered[0]}")
    origin = f"taken from {phase} of run {run.name}"
    store.copy_phase(
        source.folder / phase,
        into,
        environment=source.manifest.environment,
        phase="before",
        recorded=recorded.model_copy(update={"planned": [origin, *recorded.planned]}),
    )
    return origin


def _phase_of(run: Path) -> str:
    """The phase of a run that can count as before: what it recorded as such, else what it found itself."""
    if (run / "evidence" / store.MANIFEST).is_file():
        phases = store.read(run / "evidence").manifest.phases
        for phase in ("before", "after"):
            if phase in phases:
                return phase
    raise UsageError(
        f"expected a run that recorded something, but {run.name} holds no evidence of before or after"
    )
