"""Replay: judges a run again from its evidence and gives every difference."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from proofbook import paths
from proofbook.errors import CouldNotLook
from proofbook.evidence import store
from proofbook.execution import document, selection
from proofbook.execution.executor import Executor
from proofbook.judge import findings
from proofbook.pipeline.steps import REPORT_NOTEBOOK, Say
from proofbook.runs import record, retention
from proofbook.runs.record import RunRecord
from proofbook.validation import Validation


def replay(folder: Path, *, base: Path, jobs: int = 0, say: Say = print) -> list[str]:
    """One sentence for every difference after judging a run's evidence again; none when the findings are identical.

    Raises:
        CouldNotLook: the run is not whole, or a notebook came to no end. UsageError: its files cannot be read.
    """
    recorded = record.read(folder)
    retention.check_whole(folder)
    kept = store.read(folder / "evidence")
    environment, case = _inputs(folder, recorded)
    Validation.load(str(environment), str(case) if case is not None else "", base=base)
    differences = kept.altered()
    if differences:
        return differences
    again = folder / ".replay"
    parameters = {
        "environment": str(environment),
        "case": str(case) if case is not None else "",
        "evidence": str(folder / "evidence"),
    }
    try:
        names = [item.name for item in recorded.notebooks if item.name != REPORT_NOTEBOOK]
        chosen = selection.select(names, base=base)
        with Executor() as executor:
            executed = executor.execute(chosen, folder=again, parameters=parameters, jobs=jobs, say=say)
        known = {note.problem for note in recorded.notebooks}
        if new := [item for item in executed if item.problem and item.problem not in known]:
            problems = "; ".join(f"notebook {item.name} {item.problem}" for item in new)
            raise CouldNotLook(f"the run could not be judged again: {problems}")
        found = [item.to_json() for item in document.findings_in(again)]
        differences += compare_findings(findings.of_notebooks(recorded.findings_json, found), found)
    finally:
        shutil.rmtree(again, ignore_errors=True)
    return differences


def _inputs(folder: Path, recorded: RunRecord) -> tuple[Path, Path | None]:
    """The files of the run's environment and case that it kept; None for a run without a case.

    Raises:
        CouldNotLook: one is not there: by another one the run would be judged by something else than it was.
    """
    inputs = folder / "inputs"
    environment = inputs / f"{recorded.environment}.toml"
    case = inputs / "case" / f"{recorded.case}.toml" if recorded.case else None
    for path in (environment, case):
        if path is not None and not path.is_file():
            raise CouldNotLook(
                f"expected the file that the run was judged by at {paths.shown(path)}, found none; the run is not whole"
            )
    return environment, case


def compare_findings(
    before: Sequence[Mapping[str, object]], after: Sequence[Mapping[str, object]]
) -> list[str]:
    """One sentence for every finding that differs, with its differing fields."""
    old, new = {item["id"]: item for item in before}, {item["id"]: item for item in after}
    lines = [f"{name}: only in the run" for name in old if name not in new] + [
        f"{name}: only in the replay" for name in new if name not in old
    ]
    for name in old:
        if name in new and old[name] != new[name]:
            fields = [key for key in old[name] if old[name][key] != new[name].get(key)]
            shown = (
                f"{old[name]['verdict']} → {new[name]['verdict']}"
                if "verdict" in fields
                else f"{old[name]['statement']} → {new[name]['statement']}"
                if "statement" in fields
                else ""
            )
            lines.append(
                f"{name}: {', '.join(fields)} differ{'s' if len(fields) == 1 else ''}{': ' + shown if shown else ''}"
            )
    return lines
