"""What a notebook holds: the evidence, the checks that the case declares, and the findings so far."""

from __future__ import annotations

import fnmatch
from pathlib import Path
from typing import Any

import pandas as pd

from proofbook import import_shims, paths
from proofbook.config import case as cases
from proofbook.config import environment as environments
from proofbook.errors import UnknownName
from proofbook.evidence import store as recorded_evidence
from proofbook.judge import catalogue, findings
from proofbook.judge.check import Check, Recipe
from proofbook.judge.findings import Finding
from proofbook.judge.settle import settle
from proofbook.notebook import sync
from proofbook.redaction import scrubbing
from proofbook.report import finding_html
from proofbook.runs.folders import new_run_id
from proofbook.validation import evidence_folder, load, view_of


class Book:
    """Evidence and checks of one environment and case. Made by `open`."""

    def __init__(
        self, *, environment: environments.Environment, case: cases.Case, evidence: recorded_evidence.Evidence
    ) -> None:
        self.environment = environment
        self.case = case
        self.evidence = evidence
        self.declared = catalogue.declare(environment, case)
        self.findings: dict[str, Finding] = {}
        self.view = view_of(evidence, environment=environment, case=case, count=len(self.declared))

    def table(self, name: str, phase: str = "after") -> pd.DataFrame:
        """A recorded table; an empty one where that phase did not record it."""
        table = self.evidence.table(name, phase)
        return pd.DataFrame() if table is None else table

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
            _display(
                html=finding_html.nothing(
                    f"Nothing to check here: this environment and case declare no {check_id}."
                ),
                text=f"no check matches {check_id}",
            )
        for item in matching:
            self._judge(self.declared[item])

    def judge_all(self) -> list[Finding]:
        """Every declared check judged, without showing anything."""
        return [self._settle(check) for check in self.declared.values()]

    def patterns(self) -> dict[str, str]:
        """The patterns that the case looks for in logs, by the id of their check."""
        symptoms = [symptom for fix in self.case.fixes for symptom in fix.symptoms]
        signs = {f"log-{item.id}-present": item.log for item in self.case.indicators if item.log}
        return {symptom.check_id: symptom.log for symptom in symptoms if symptom.log} | signs

    def needed(self) -> None:
        """Shows what would settle the findings so far that are inconclusive, and what was not established."""
        _display(
            html=finding_html.needed(list(self.findings.values())),
            text="; ".join(f"{item.id}: {item.needed.what}" for item in self.findings.values() if item.needed)
            or "nothing more is needed",
        )

    def _judge(self, check: Check) -> None:
        finding = self._settle(check)
        self.findings[check.id] = finding
        _display(
            html=finding_html.finding(finding),
            text=f"{finding.verdict.value}: {finding.claim}: {finding.statement}",
            data={findings.MIME: finding.to_json()},
        )

    def _settle(self, check: Check) -> Finding:
        return settle(check, self.view, digests=self.evidence.digests())

    def _repr_html_(self) -> str:
        recorded = ", ".join(
            f"{phase} ({sum(table.rows for table in item.tables.values()):,} rows)"
            for phase, item in self.evidence.manifest.phases.items()
        )
        return finding_html.note(
            f"{self.environment.title or self.environment.name} · {self.case.title} · Evidence: {recorded}. {len(self.declared)} checks declared."
        )


def open(name: str, *, case: str = "", evidence: str = "") -> Book:
    """The book of an environment: from recorded evidence, or from evidence recorded now.

    Args:
        name: environment, as a name or the path of its TOML file.
        case: likewise; empty means the environment's own.
        evidence: folder of evidence, or of a run that holds one; empty means collect now.
    Raises:
        UsageError: a file or name is wrong. CouldNotLook: collecting broke.
    """
    scrubbing.guard_kernel()
    # Showing the first chart loads nbformat and with it jsonschema.
    import_shims.skip_iri_grammar()
    # A message that is cut after fifty characters, as pandas does it, says little.
    pd.set_option("display.max_colwidth", 200)
    base = paths.root()
    where, what = load(name, case, base=base)
    catalogue.declare(where, what)
    folder = evidence_folder(evidence, base=base) if evidence else _collect_now(where, what, base)
    return Book(environment=where, case=what, evidence=recorded_evidence.read(folder))


def _collect_now(where: environments.Environment, what: cases.Case, base: Path) -> Path:
    # Late: a notebook over recorded evidence never touches the network.
    from proofbook.collect import phases

    folder = paths.outputs(base) / where.name / new_run_id() / "evidence"
    sync.run(phases.record(where, what, "after", folder=folder, base=base))
    return folder


def _display(*, html: str, text: str, data: dict[str, Any] | None = None) -> None:
    from IPython import display

    display.display({"text/html": html, "text/plain": text, **(data or {})}, raw=True)
