"""A run in one value: its findings, the verdict that follows from them, and the evidence that they rest on."""

from __future__ import annotations

import datetime as dt
import fnmatch
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from proofbook import book as books
from proofbook import evidence as recorded_evidence
from proofbook import known, workspace
from proofbook.case import Case
from proofbook.environment import Environment
from proofbook.judge import findings as judged
from proofbook.judge import owed, watching
from proofbook.judge.checks import View
from proofbook.judge.findings import Finding, Overall
from proofbook.known import Known
from proofbook.report import changes


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What the report is made of. `previous` is the content of the last run before, if there is one; known: accepted findings."""

    environment: Environment
    case: Case
    findings: tuple[Finding, ...]
    overall: Overall
    evidence: recorded_evidence.Evidence
    view: View
    run_id: str = ""
    previous: dict[str, Any] | None = None
    known: tuple[Known, ...] = ()

    @property
    def ended(self) -> dt.datetime:
        """When the last evidence was recorded: the report's time, since judging knows no clock."""
        return max(
            (phase.ended for phase in self.evidence.manifest.phases.values()),
            default=dt.datetime.fromtimestamp(0, dt.UTC),
        )

    @property
    def next_review(self) -> dt.datetime:
        return self.ended + dt.timedelta(hours=self.case.next_review_h)

    @property
    def not_checked(self) -> list[str]:
        """What nobody should take for checked, in sentences."""
        return owed.not_measured(self.environment, self.case)

    @property
    def accepted(self) -> dict[str, Known]:
        """The accepted findings that still count, by their ids."""
        return {item.finding: item for item in self.known if item.lasts(self.ended.date())}

    @property
    def path(self) -> pd.DataFrame:
        """What was known after each look of a watch; empty where nothing was watched."""
        return watching.path(self.view, owed.declare(self.environment, self.case).values())

    def of(self, patterns: Iterable[str]) -> list[Finding]:
        """Findings whose id matches one of the patterns."""
        return [
            item for item in self.findings if any(fnmatch.fnmatch(item.id, pattern) for pattern in patterns)
        ]


def of_run(folder: Path, where: Environment, what: Case, *, base: Path) -> Summary:
    """The summary of a run's folder, from its evidence and from what its executed notebooks carry."""
    executed = {path.stem for path in (folder / "notebooks").glob("*.ipynb")}
    return summarise(
        where,
        what,
        recorded_evidence.read(folder / "evidence"),
        findings_in(folder / "notebooks"),
        folder=folder,
        partial=any(name not in executed for name in workspace.notebooks(base) if not name.startswith("00-")),
        broken=problems_in(folder / "notebooks"),
    )


def summarise(
    where: Environment,
    what: Case,
    recorded: recorded_evidence.Evidence,
    found: Iterable[Finding],
    *,
    partial: bool = False,
    broken: dict[str, str] | None = None,
    folder: Path | None = None,
) -> Summary:
    """Findings with the verdict that follows from them and from what was owed; in a run's folder, beside other runs, with what is known from those."""
    items = tuple(found)
    declared = owed.declare(where, what)
    missing = sorted(owed.owed_ids(what, declared) - {item.id for item in items})
    overall = judged.overall(items, missing=missing, partial=partial, broken=broken)
    view = books.view_of(recorded, environment=where, case=what, count=len(declared))
    return Summary(
        environment=where,
        case=what,
        findings=items,
        overall=overall,
        evidence=recorded,
        view=view,
        run_id=folder.name if folder else "",
        previous=changes.last_before(folder, case=what.name) if folder else None,
        known=known.read(folder.parent, case=what.name) if folder else (),
    )


def problems_in(folder: Path) -> dict[str, str]:
    """What went wrong with executed notebooks, by name, as the runner wrote it into them."""
    found = {}
    for path in sorted(folder.glob("*.ipynb")):
        problem = (
            json.loads(path.read_text(encoding="utf-8"))
            .get("metadata", {})
            .get("proofbook", {})
            .get("problem")
        )
        if problem:
            found[path.stem] = str(problem)
    return found


def findings_in(folder: Path) -> list[Finding]:
    """The findings that executed notebooks carry, in the order of notebooks and cells; the last of each id counts."""
    found: dict[str, Finding] = {}
    for path in sorted(folder.glob("*.ipynb")):
        for cell in json.loads(path.read_text(encoding="utf-8")).get("cells", []):
            for output in cell.get("outputs", []):
                data = output.get("data", {}).get(judged.MIME)
                if isinstance(data, dict):
                    finding = judged.from_json(data)
                    found[finding.id] = finding
    return list(found.values())
