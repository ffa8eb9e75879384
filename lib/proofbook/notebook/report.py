"""The report as a notebook shows it, section by section."""

from __future__ import annotations

from typing import Any

from proofbook import paths, validation
from proofbook.config import json_schema
from proofbook.errors import UsageError
from proofbook.execution.document import findings_in
from proofbook.report.sections import (
    conclusion,
    contracts,
    deployment,
    diffs,
    findings,
    fixes,
    header,
    impact,
    readiness,
    recommendations,
    risks,
    uncertainty,
    verdict,
    watch,
)
from proofbook.report.summary import Summary, of_run


class Report:
    """What `00-validation-report` shows, part by part."""

    def __init__(self, summary: Summary) -> None:
        self.summary = summary

    def __getattr__(self, name: str) -> Any:
        """Each part (`verdict`, `fixes`, `risks`, …) shows itself when called."""
        if name not in PARTS:
            raise AttributeError(f"the report has no part {name!r}; it has: {', '.join(PARTS)}")

        def show() -> None:
            from IPython import display

            display.display(display.HTML(PARTS[name](self.summary)))

        return show

    def __dir__(self) -> list[str]:
        return [*PARTS, "summary"]


def open_report(name: str, *, case: str = "", evidence: str = "") -> Report:
    """The report of a run, read from the executed notebooks that lie beside its evidence.

    Raises:
        UsageError: no evidence was named, or no executed notebook lies beside it.
    """
    json_schema.skip_iri_grammar()
    base = paths.root()
    asked = validation.Validation.load(name, case, base=base)
    if not evidence:
        raise UsageError(
            "the report judges nothing: give it a run's evidence, or let the runner call it: proofbook run ENV"
        )
    folder = validation.evidence_folder(evidence, base=base)
    if not findings_in(folder.parent / "notebooks"):
        raise UsageError(
            f"expected executed notebooks beside {paths.shown(folder)}, found none; run them first: proofbook run"
        )
    return Report(of_run(folder.parent, asked))


PARTS = {
    "verdict": verdict,
    "header": header,
    "impact": impact,
    "fixes": fixes,
    "findings": findings,
    "deployment": deployment,
    "contracts": contracts,
    "risks": risks,
    "recommendations": recommendations,
    "watch": watch,
    "readiness": readiness,
    "uncertainty": uncertainty,
    "diffs": diffs,
    "conclusion": conclusion,
}
