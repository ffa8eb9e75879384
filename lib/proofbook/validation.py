"""What is asked, and over which evidence: an environment, a case, the checks that they declare, and how these are judged."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd

from proofbook import paths
from proofbook.config import case as cases
from proofbook.config import environment as environments
from proofbook.config import layers
from proofbook.config.case import Case
from proofbook.config.environment import Environment
from proofbook.errors import UsageError
from proofbook.evidence import store
from proofbook.evidence.store import Evidence
from proofbook.judge import catalogue, view
from proofbook.judge.check import Check
from proofbook.judge.findings import EarlierRun, Finding
from proofbook.judge.registry import is_unusable
from proofbook.judge.settle import settle
from proofbook.judge.view import View


@dataclass(frozen=True, kw_only=True)
class Validation:
    """An environment and a case, and the checks that they declare between them: loaded once, and handed on.

    base: the workspace. words: how they were named on the command line. environment_file, case_file: where they were read;
    None where they were not read from a file.
    """

    environment: Environment
    case: Case
    base: Path
    words: str = ""
    environment_file: Path | None = None
    case_file: Path | None = None

    @classmethod
    def load(cls, environment: str, case: str = "", *, base: Path) -> Validation:
        """The validation that names or paths of files mean; without a case the environment's own.

        Raises:
            UnknownName, ConfigurationError, MissingSecret: a file, or the two together, say something that cannot be.
        """
        where = environments.load(environment, base=base)
        chosen = case or where.case
        found = cls(
            environment=where,
            case=cases.load(chosen, base=base),
            base=base,
            words=f"{environment} --case {case}" if case else environment,
            environment_file=environments.find(environment, base=base),
            case_file=cases.find(chosen, base=base) if chosen else None,
        )
        found.check()
        return found

    def check(self) -> None:
        """Finds everything that can be wrong between environment and case before anything is touched.

        Raises:
            ConfigurationError, UnknownName: something is.
        """
        catalogue.check_files(self.environment, self.case)

    @cached_property
    def checks(self) -> dict[str, Check]:
        """Every declared check by id."""
        return catalogue.declare(self.environment, self.case)

    @property
    def expected(self) -> set[str]:
        """The ids of all checks that a run must judge: the declared ones and those of the case's own."""
        return catalogue.expected_ids(self.case, self.checks)

    @property
    def not_measured(self) -> list[str]:
        """What nobody should take for checked, in sentences."""
        return catalogue.not_measured(self.environment, self.case)

    @cached_property
    def digest(self) -> str:
        """sha256 of both files, and of what they extend: another one means that something else is asked."""
        files = [*(layers.read(self.environment_file).files if self.environment_file is not None else ())]
        files += [self.case_file] if self.case_file is not None else []
        return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()

    def parameters(self, evidence: Path) -> dict[str, str]:
        """The three parameters of every notebook."""
        return {
            "environment": str(self.environment_file or ""),
            "case": str(self.case_file or ""),
            "evidence": str(evidence),
        }

    def over(self, evidence: Evidence) -> Assessment:
        """This validation over recorded evidence."""
        return Assessment(validation=self, evidence=evidence)


@dataclass(frozen=True, kw_only=True)
class Assessment:
    """A validation over one evidence: what judging needs, and nothing that touches the network."""

    validation: Validation
    evidence: Evidence

    @classmethod
    def of(
        cls, environment: Environment, case: Case, evidence: Evidence, *, base: Path = Path()
    ) -> Assessment:
        """The assessment of an environment and a case that are loaded already."""
        return Validation(environment=environment, case=case, base=base).over(evidence)

    @property
    def environment(self) -> Environment:
        return self.validation.environment

    @property
    def case(self) -> Case:
        return self.validation.case

    @property
    def checks(self) -> dict[str, Check]:
        return self.validation.checks

    @cached_property
    def view(self) -> View:
        """The evidence as every check sees it."""
        return view_of(self.evidence, environment=self.environment, case=self.case, count=len(self.checks))

    def judge(self, check: Check) -> Finding:
        """The finding of one check, declared or of one's own."""
        return settle(check, self.view, digests=self.evidence.digests())

    def judge_all(self) -> list[Finding]:
        """Every declared check judged, in the order of the catalogue."""
        return [self.judge(check) for check in self.checks.values()]

    def unusable(self, found: Iterable[Finding]) -> list[Finding]:
        """A finding for each extension that cannot be used and is not among the findings: no notebook asks for these."""
        known = {item.id for item in found}
        return [
            self.judge(check)
            for check in self.checks.values()
            if is_unusable(check) and check.id not in known
        ]

    def missing(self, found: Iterable[Finding]) -> list[str]:
        """The ids that a run must judge and that are not among the findings."""
        return sorted(self.validation.expected - {item.id for item in found})


def evidence_folder(text: str, *, base: Path) -> Path:
    """The evidence folder that a path means: itself, or `evidence/` of a run's folder.

    Raises:
        UsageError: nothing is there.
    """
    for path in (Path(text), base / text):
        if paths.is_file(path / store.MANIFEST):
            return path.resolve()
        if paths.is_file(path / "evidence" / store.MANIFEST):
            return (path / "evidence").resolve()
    raise UsageError(
        f"expected a folder of evidence (with {store.MANIFEST}) at {text}, found none; give a run's folder or its evidence/"
    )


def view_of(
    recorded: Evidence,
    *,
    environment: Environment,
    case: Case,
    count: int,
) -> View:
    """The view by which every check of this environment and case is judged."""
    live = (
        {phase: span for phase in recorded.manifest.phases if (span := recorded.window(phase)) is not None}
        if environment.services or environment.probes
        else {}
    )
    return view.view_of(
        with_patterns(recorded, case.log_patterns()),
        phases=live,
        deployment=case.deployment,
        find_deployment=bool(case.fixes),
        confidence=case.budgets.confidence,
        checks=count,
        alongside="before" in recorded.manifest.phases and recorded.manifest.phases["before"].alongside,
        before_run=_before_run(recorded),
    )


def _before_run(recorded: Evidence) -> EarlierRun | None:
    """The run that before was taken from; None where this one recorded it."""
    phases = recorded.manifest.phases
    before, after = phases.get("before"), phases.get("after")
    if before is None or before.taken is None or after is None:
        return None
    taken, age_s = before.taken, (after.started - before.ended).total_seconds()
    return EarlierRun(run_id=taken.run, phase=taken.phase, age_s=age_s, differs=taken.differs)


def with_patterns(recorded: Evidence, patterns: list[str]) -> view.Tables:
    """The recorded tables; patterns that were not looked for when the log was read are looked for in its entries now."""
    added: dict[tuple[str, str], pd.DataFrame] = {}

    def table(name: str, phase: str) -> pd.DataFrame | None:
        found = recorded.table(name, phase)
        if name not in ("log_patterns", "log_matches", "log_places", "log_unread") or found is None:
            return found
        if (phase, name) not in added:
            known = recorded.table("log_patterns", phase)
            new = sorted(set(patterns) - set(known["pattern"])) if known is not None else []
            file = recorded.file("logs", phase)
            if not new or file is None:
                return found
            # Late: only a changed case needs the engine.
            from proofbook.collect.logs import recorder

            sources = recorded.table("log_sources", phase)
            order = (
                {} if sources is None else dict(zip(sources["source"], sources["newest_first"], strict=True))
            )
            for other, more in recorder.look_for(file, new, newest_first=order).items():
                before = recorded.table(other, phase)
                # Evidence from before lines that were not read were looked at holds no such table.
                added[(phase, other)] = (
                    more if before is None else pd.concat([before, more], ignore_index=True)
                )
        return added[(phase, name)]

    return table
