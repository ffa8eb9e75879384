"""The result of a run: its findings, the verdict that follows from them, and the evidence that they rest on."""

from __future__ import annotations

import datetime as dt
import fnmatch
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from proofbook import paths
from proofbook.config.case import Case
from proofbook.config.environment import Environment
from proofbook.evidence import store
from proofbook.evidence.store import Evidence
from proofbook.execution.document import findings_in, problems_in
from proofbook.judge import sequential_path
from proofbook.judge import verdict as verdicts
from proofbook.judge.findings import Finding
from proofbook.judge.reach import Reach, reach_of
from proofbook.judge.verdict import Overall
from proofbook.judge.view import View
from proofbook.report import diffs
from proofbook.runs import diff, held
from proofbook.runs import known_issues as known
from proofbook.runs.known_issues import Known
from proofbook.runs.record import LastHeld, RunRecord
from proofbook.validation import Assessment, Validation


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What the report is made of. `previous` is the last run before, if there is one; known: accepted findings.

    last_held: of the checks that keep this run from passing, when each held last.

    diffs: what each fix changed, by its id, as it was recorded when the run was made.
    """

    assessment: Assessment
    findings: tuple[Finding, ...]
    overall: Overall
    run_id: str = ""
    previous: RunRecord | None = None
    last_held: tuple[LastHeld, ...] = ()
    known: tuple[Known, ...] = ()
    diffs: Mapping[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> Environment:
        return self.assessment.environment

    @property
    def case(self) -> Case:
        return self.assessment.case

    @property
    def evidence(self) -> Evidence:
        return self.assessment.evidence

    @property
    def view(self) -> View:
        return self.assessment.view

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
        return self.assessment.validation.not_measured

    @property
    def accepted(self) -> dict[str, Known]:
        """The accepted findings that still count, by their ids."""
        return {item.finding: item for item in self.known if item.lasts(self.ended.date())}

    @property
    def reach(self) -> Reach:
        """What was asked, and what was not."""
        return reach_of(self.view, self.environment, self.case, self.findings)

    @property
    def path(self) -> pd.DataFrame:
        """What was known after each look of a watch; empty where nothing was watched."""
        return sequential_path.path(self.view, self.assessment.checks.values())

    def of(self, patterns: Iterable[str]) -> list[Finding]:
        """Findings whose id matches one of the patterns."""
        return [
            item for item in self.findings if any(fnmatch.fnmatch(item.id, pattern) for pattern in patterns)
        ]


def of_run(folder: Path, asked: Validation) -> Result:
    """The result of a run's folder, from its evidence and from what its executed notebooks carry."""
    executed = {path.stem for path in (folder / "notebooks").glob("*.ipynb")}
    return of_findings(
        asked.over(store.read(folder / "evidence")),
        findings_in(folder / "notebooks"),
        folder=folder,
        partial=any(
            name not in executed for name in paths.notebooks(asked.base) if not name.startswith("00-")
        ),
        broken=problems_in(folder / "notebooks"),
    )


def of_findings(
    assessment: Assessment,
    found: Iterable[Finding],
    *,
    partial: bool = False,
    broken: dict[str, str] | None = None,
    folder: Path | None = None,
) -> Result:
    """Findings with the verdict that follows from them and from what was expected; in a run's folder, beside other runs, with what is known from those."""
    items = tuple(found)
    items += tuple(assessment.unusable(items))
    overall = verdicts.overall(items, missing=assessment.missing(items), partial=partial, broken=broken)
    what = assessment.case
    previous = diff.last_before(folder, case=what.name) if folder else None
    kept_from_passing = [item for item in items if item.id in overall.blocking]
    return Result(
        assessment=assessment,
        findings=items,
        overall=overall,
        run_id=folder.name if folder else "",
        previous=previous,
        last_held=held.last(previous, kept_from_passing, folder=folder) if folder else (),
        known=known.read(folder.parent, case=what.name) if folder else (),
        diffs=diffs.read(folder, what) if folder else {},
    )
