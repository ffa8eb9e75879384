"""What may be said of real log exports, and what may not: counts and conclusions, nothing of what is written in them.

    python benchmarks/real_exports.py FOLDER    # or PROOFBOOK_REAL_LOGS=FOLDER, whose netra-staging/ holds them

Each export is read and judged as a user's log alone is, by a case that says that errors are gone since the last deployment.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from proofbook.collect.logs.recorder import record
from proofbook.config.case import Case
from proofbook.config.environment import Environment
from proofbook.config.sources import LogSource
from proofbook.evidence import store
from proofbook.judge.findings import Finding, Verdict
from proofbook.judge.reasons import REASONS
from proofbook.validation import Assessment

# Any error, in any words: what an export can carry does not depend on which one.
PATTERN = r"(?i)\b(?:error|exception|failed)\b"
PLAIN = ("no-evidence", "no-requests")
CLAIMS = {
    "log-coverage": "what happened in the window",
    "log-error-gone": "that errors are gone since a deployment",
    "log-error-rate": "that no more requests fail than before it",
    "log-new-errors": "that no kind of error is new since it",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One export: what is in it, what may be said, and what may not, each with why."""

    name: str
    entries: int
    seconds: float
    services: int
    revisions: int
    requests: int
    silent: float
    may: tuple[str, ...]
    may_not: tuple[str, ...]

    @property
    def row(self) -> str:
        """It as a row of a table."""
        span = f"{self.seconds / 60:,.1f} min" if self.seconds < 7200 else f"{self.seconds / 3600:,.1f} h"
        cells = (
            f"`{self.name}`",
            f"{self.entries:,} over {span}",
            f"{self.services}, {self.revisions}",
            f"{self.requests:,}",
            f"{self.silent:.0%}",
            "; ".join(self.may) or "nothing but these counts",
            "; ".join(self.may_not) or "",
        )
        return f"| {' | '.join(cells)} |"


HEAD = "| export | entries | services, revisions | requests | messages that say nothing | may be said | may not be said, and why |\n|---|---|---|---|---|---|---|"


def exports(folder: Path) -> list[Path]:
    """The exports in a folder, or in its netra-staging/."""
    inside = folder / "netra-staging"
    return sorted((inside if inside.is_dir() else folder).glob("*.json"))


def said_of(export: Path) -> Said:
    """What may be said of an export, and what may not."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        source = LogSource(name="log", file=str(export))
        tables, _ = record([source], [PATTERN], base=export.parent, folder=folder)
        now = dt.datetime.now(dt.UTC)
        store.write_phase(
            folder,
            environment="exports",
            phase="after",
            tables=tables,
            recorded=store.Phase(started=now, ended=now),
        )
        environment = Environment.model_validate(
            {"name": "exports", "log": [{"name": "log", "file": str(export)}]}
        )
        symptom = {"id": "error", "log": PATTERN, "examples": ["an error"]}
        case = Case.model_validate({"fix": [{"title": "errors", "symptom": [symptom]}]})
        assessment = Assessment.of(environment, case, store.read(folder), base=folder)
        deployed = assessment.view.windows.deployed_at is not None
        return _said(export.name, assessment.evidence, assessment.judge_all(), deployed=deployed)


def _said(name: str, evidence: store.Evidence, found: Sequence[Finding], *, deployed: bool) -> Said:
    may, may_not = [], []
    for finding in found:
        claim = CLAIMS[finding.id]
        if finding.verdict is Verdict.PASS:
            may.append(claim)
        elif finding.reason == "still-there" and not deployed:
            may.append("that errors show in it")
            may_not.append("whether they are from after a fix: no service wrote under two revisions")
        elif finding.verdict is Verdict.FAIL:
            may.append(f"the opposite of {claim}: {REASONS[finding.reason].means}")
        else:
            # These sentences hold nothing of the log.
            told = finding.statement if finding.reason in PLAIN else REASONS[finding.reason].means
            may_not.append(f"{claim}: {told} (`{finding.reason}`)")
    rhythm, about = evidence.table("log_rhythm"), evidence.table("log_sources")
    assert rhythm is not None and about is not None
    plain, empty = int(rhythm["plain"].sum()), int(rhythm["empty"].sum())
    return Said(
        name=name.removesuffix(".json"),
        entries=int(about["read"].sum()),
        seconds=float((rhythm["last"].max() - rhythm["first"].min()).total_seconds()),
        services=int(rhythm["service_name"].nunique()),
        revisions=int(rhythm["service_version"].nunique()),
        requests=int(rhythm["requests"].sum()),
        silent=empty / plain if plain else 0.0,
        may=tuple(may),
        may_not=tuple(may_not),
    )


def main(arguments: Iterable[str] | None = None) -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", default=os.environ.get("PROOFBOOK_REAL_LOGS"))
    given = parser.parse_args(None if arguments is None else list(arguments))
    if given.folder is None or not exports(Path(given.folder)):
        parser.error(f"expected a folder of exports (*.json), got {given.folder}")
    print(HEAD)
    for export in exports(Path(given.folder)):
        print(said_of(export).row, flush=True)


if __name__ == "__main__":
    main()
