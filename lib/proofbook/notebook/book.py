"""What a notebook holds: the evidence, the checks that the case declares, and the findings so far."""

from __future__ import annotations

import fnmatch
import os
from pathlib import Path

import pandas as pd

from proofbook import paths
from proofbook.concurrency import sync
from proofbook.config import json_schema
from proofbook.errors import JUDGED_BY_RUN, CheckFailed, UnknownName
from proofbook.evidence import schema, store
from proofbook.judge import catalogue, findings
from proofbook.judge.check import Check, Recipe
from proofbook.judge.findings import Finding, Verdict
from proofbook.notebook.display import show, show_part
from proofbook.redaction import scrubbing
from proofbook.report import finding_html
from proofbook.report.section_registry import Nothing
from proofbook.runs import folders
from proofbook.validation import Assessment, Validation


class Book:
    """Evidence and checks of one environment and case. Made by `open`."""

    def __init__(self, assessment: Assessment) -> None:
        self.assessment = assessment
        self.environment = assessment.environment
        self.case = assessment.case
        self.evidence = assessment.evidence
        self.declared = assessment.checks
        self.view = assessment.view
        self.findings: dict[str, Finding] = {}

    def table(self, name: str, phase: str = "after") -> pd.DataFrame:
        """A recorded table; an empty one where that phase did not record it.

        Raises:
            UnknownName: there is no such table or phase at all; with the nearest.
        """
        recorded = {name for item in self.evidence.manifest.phases.values() for name in item.tables}
        if name not in (known := recorded | set(schema.TABLES)):
            raise UnknownName("table", name, known)
        if phase not in store.PHASES:
            raise UnknownName("phase", phase, store.PHASES)
        table = self.evidence.table(name, phase)
        return pd.DataFrame() if table is None else table

    def tables(self) -> pd.DataFrame:
        """What was recorded: phase, table, rows, and what a row is."""
        rows = [
            {
                "phase": phase,
                "table": name,
                "rows": table.rows,
                "a row is": schema.TABLES[name].row if name in schema.TABLES else "",
            }
            for phase, item in self.evidence.manifest.phases.items()
            for name, table in item.tables.items()
        ]
        return pd.DataFrame(rows, columns=["phase", "table", "rows", "a row is"])

    def check(
        self, check_id: str, recipe: Recipe | None = None, *, claim: str = "", kind: str = "guard"
    ) -> None:
        """Judges and shows a check, or every check whose id matches a pattern such as `health-*`.

        With a recipe it is a check of one's own. Returns nothing: the finding is in `findings[check_id]`.

        Raises:
            UnknownName: neither the case and environment declare it nor a recipe is given.
        """
        if recipe is not None:
            own = Check(
                id=check_id,
                kind=kind,
                claim=claim or check_id.replace("-", " "),
                group="own",
                recipe=recipe,
                critical=False,
            )
            self._judge(catalogue.as_the_case_says(own, self.case))
            return
        matching = fnmatch.filter(self.declared, check_id)
        if not matching and not any(sign in check_id for sign in "*?["):
            raise UnknownName(
                "check",
                check_id,
                self.declared,
                where=f"case {self.case.name or '(none)'} on environment {self.environment.name}",
            )
        if not matching:
            show_part(Nothing(f"Nothing to check here: this environment and case declare no {check_id}."))
        for item in matching:
            self._judge(self.declared[item])

    def judge_all(self) -> list[Finding]:
        """Every declared check judged, without showing anything."""
        return self.assessment.judge_all()

    def patterns(self) -> dict[str, str]:
        """The patterns that the case looks for in logs, by the id of their check."""
        symptoms = [symptom for fix in self.case.fixes for symptom in fix.symptoms]
        signs = {f"log-{item.id}-present": item.log for item in self.case.indicators if item.log}
        return {symptom.check_id: symptom.pattern for symptom in symptoms if symptom.pattern} | signs

    def require(self, *, conclusive: bool = False) -> None:
        """Raises if a required check judged so far failed, so that the task of a scheduler that executes this notebook fails.

        Executed by `proofbook run` it does nothing: the run's verdict says so already.

        Args:
            conclusive: raises too if one is inconclusive.
        Raises:
            CheckFailed: with what the first of them says.
        """
        wrong = {Verdict.FAIL, Verdict.ERROR} | ({Verdict.INCONCLUSIVE} if conclusive else set())
        found = [item for item in self.findings.values() if item.required and item.verdict in wrong]
        if not found or os.environ.get(JUDGED_BY_RUN):
            return
        found.sort(key=lambda item: item.verdict is Verdict.INCONCLUSIVE)
        first, *others = found
        more = f" (and {len(others)} more: {', '.join(item.id for item in others)})" if others else ""
        raise CheckFailed(
            f"{first.id}: {first.verdict.value}: {first.statement}{more}", checks=[item.id for item in found]
        )

    def needed(self) -> None:
        """Shows what would settle the findings so far that are inconclusive, and what was not established."""
        needs = (f"{item.id}: {item.needed.what}" for item in self.findings.values() if item.needed)
        show(
            {
                "text/html": finding_html.needed(list(self.findings.values())),
                "text/plain": "; ".join(needs) or "nothing more is needed",
            }
        )

    def _judge(self, check: Check) -> None:
        finding = self.assessment.judge(check)
        self.findings[check.id] = finding
        show(
            {
                "text/html": finding_html.finding(finding),
                "text/plain": f"{finding.verdict.value}: {finding.claim}: {finding.statement}",
                findings.MIME: finding.to_json(),
            }
        )

    def __repr__(self) -> str:
        phases = ", ".join(
            f"{phase} ({len(item.tables)} tables)" for phase, item in self.evidence.manifest.phases.items()
        )
        return f"{self.environment.title or self.environment.name} · {self.case.title} · Evidence: {phases} · {len(self.declared)} checks declared"

    def _repr_html_(self) -> str:
        recorded = ", ".join(
            f"{phase} ({sum(table.rows for table in item.tables.values()):,} rows)"
            for phase, item in self.evidence.manifest.phases.items()
        )
        file = self.assessment.validation.environment_file
        # By its whole path: another workspace may have an environment of that name.
        where = f" · {file}" if file is not None and not os.environ.get(JUDGED_BY_RUN) else ""
        return finding_html.note(
            f"{self.environment.title or self.environment.name} · {self.case.title} · Evidence: {recorded}. {len(self.declared)} checks declared{where}."
        )


def open(name: str, *, case: str = "", evidence: str = "") -> Book:
    """The book of an environment: from recorded evidence, or from evidence recorded now.

    Args:
        name: environment, as a name or the path of its TOML file.
        case: likewise; empty means the environment's own.
        evidence: folder of evidence, or of a run that holds one; the id of a run, its beginning, or `last`; empty means collect now.
    Raises:
        UsageError: a file or name is wrong. CouldNotLook: collecting broke.
    """
    scrubbing.guard_kernel()
    # Showing the first chart loads nbformat and with it jsonschema.
    json_schema.skip_iri_grammar()
    # A message that is cut after fifty characters, as pandas does it, says little.
    pd.set_option("display.max_colwidth", 200)
    # MathJax would typeset what stands between `\\[` and `\\]`, or two dollars, in the text of a log.
    pd.set_option("display.html.use_mathjax", False)
    base = paths.root()
    asked = Validation.load(name, case, base=base)
    folder = folders.evidence(evidence, base=base) if evidence else _collect_now(asked)
    return Book(asked.over(store.read(folder)))


def _collect_now(asked: Validation) -> Path:
    # Late: a notebook over recorded evidence never touches the network.
    from proofbook.collect import phases

    folder = paths.outputs(asked.base) / asked.environment.name / folders.new_run_id() / "evidence"
    sync.run(phases.record(asked.environment, asked.case, "after", folder=folder, base=asked.base))
    return folder
