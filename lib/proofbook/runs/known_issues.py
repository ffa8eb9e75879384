"""Known issues: findings that a person has seen and accepted until a date. They are shown, are no news, and change no verdict."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from proofbook import paths
from proofbook.errors import UnknownName, UsageError
from proofbook.files import read_json, replace_text
from proofbook.judge.findings import Verdict
from proofbook.redaction.scrubbing import for_others
from proofbook.runs.record import RunRecord

FILE = "known-issues.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """One accepted finding of a case. `until` is the last day on which it counts, as ISO date."""

    finding: str
    case: str
    by: str
    until: str
    why: str
    run: str

    def lasts(self, day: dt.date) -> bool:
        """Whether it counts on that day."""
        return day <= dt.date.fromisoformat(self.until)

    def in_words(self) -> str:
        """Who accepted it, until when, and why."""
        return f"known, accepted by {self.by} until {self.until}: {self.why}"


def read(environment: Path, *, case: str) -> tuple[Known, ...]:
    """What was accepted of a case in an environment, given its folder of runs; expired ones too, since they come back.

    Raises:
        UsageError: the file was altered.
    """
    return tuple(item for item in _all(environment) if item.case == case)


def accept(
    run: RunRecord, finding: str, *, environment: Path, by: str, until: dt.date, why: str, today: dt.date
) -> Known:
    """Records that a finding of a run is known. One of the same finding is replaced.

    Raises:
        UnknownName: the run has no such finding. UsageError: it passed, or the date is over.
    """
    verdicts = {item.id: item.verdict for item in run.findings}
    if finding not in verdicts:
        raise UnknownName("finding", finding, verdicts, where=f"run {run.run_id}")
    if verdicts[finding] is Verdict.PASS:
        raise UsageError(f"{finding} passed in run {run.run_id}: there is nothing to accept")
    if until < today:
        raise UsageError(f"--until: expected a date that is not over, got {until.isoformat()}")
    for option, text in (("--by", by), ("--why", why)):
        if not text.strip():
            raise UsageError(f"{option}: expected a text, got nothing")
    item = Known(
        finding=finding,
        case=run.case,
        by=for_others(by.strip()),
        until=until.isoformat(),
        why=for_others(why.strip()),
        run=run.run_id,
    )
    others = [old for old in _all(environment) if (old.finding, old.case) != (finding, item.case)]
    rows = [asdict(known) for known in sorted([*others, item], key=lambda known: (known.case, known.finding))]
    replace_text(environment / FILE, json.dumps(rows, indent=2, ensure_ascii=False) + "\n")
    return item


def _all(environment: Path) -> Sequence[Known]:
    path = environment / FILE
    try:
        found = [Known(**row) for row in read_json(path)]
        for item in found:
            dt.date.fromisoformat(item.until)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except (ValueError, TypeError):
        raise UsageError(
            f"{paths.shown(path)}: expected the known issues as `proofbook accept` writes them, got something else; remove the file to start over"
        ) from None
    return found
