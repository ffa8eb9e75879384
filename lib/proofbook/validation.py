"""One question over one evidence: environment, case, declared checks and view."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from proofbook.collect.logs import recorder
from proofbook.config import case as cases
from proofbook.config import environment as environments
from proofbook.errors import UsageError
from proofbook.evidence import store as recorded_evidence
from proofbook.judge import view


def load(name: str, case_name: str, *, base: Path) -> tuple[environments.Environment, cases.Case]:
    """The environment and the case that it names or that was asked for."""
    where = environments.load(name, base=base)
    return where, cases.load(case_name or where.case, base=base)


def evidence_folder(text: str, *, base: Path) -> Path:
    """The evidence folder that a path means: itself, or `evidence/` of a run's folder.

    Raises:
        UsageError: nothing is there.
    """
    for path in (Path(text), base / text):
        if (path / recorded_evidence.MANIFEST).is_file():
            return path.resolve()
        if (path / "evidence" / recorded_evidence.MANIFEST).is_file():
            return (path / "evidence").resolve()
    raise UsageError(
        f"expected a folder of evidence (with {recorded_evidence.MANIFEST}) at {text}, found none; give a run's folder or its evidence/"
    )


def view_of(
    recorded: recorded_evidence.Evidence,
    *,
    environment: environments.Environment,
    case: cases.Case,
    count: int,
) -> view.View:
    """The view by which every check of this environment and case is judged."""
    live = (
        {phase: span for phase in recorded.manifest.phases if (span := recorded.window(phase)) is not None}
        if environment.services
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
    )


def with_patterns(recorded: recorded_evidence.Evidence, patterns: list[str]) -> view.Tables:
    """The recorded tables; patterns that were not looked for when the log was read are looked for in its entries now."""
    added: dict[tuple[str, str], pd.DataFrame] = {}

    def table(name: str, phase: str) -> pd.DataFrame | None:
        found = recorded.table(name, phase)
        if name not in ("log_patterns", "log_matches", "log_unread") or found is None:
            return found
        if (phase, name) not in added:
            known = recorded.table("log_patterns", phase)
            new = sorted(set(patterns) - set(known["pattern"])) if known is not None else []
            file = recorded.file("logs", phase)
            if not new or file is None:
                return found
            # Late: only a changed case needs the engine.

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
