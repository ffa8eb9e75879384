"""When a check that does not hold now held last, by what earlier runs of the same environment and case found."""

from __future__ import annotations

import filecmp
from collections.abc import Iterable
from pathlib import Path

from proofbook.judge.findings import Finding, Verdict
from proofbook.runs.record import LastHeld, RunRecord

INPUTS = "inputs"


def last(previous: RunRecord | None, found: Iterable[Finding], *, folder: Path) -> tuple[LastHeld, ...]:
    """For each of the findings, which do not pass, the run in which that check did last; none of a check that never did.

    Only the last run is read: it says the same of what did not hold in it either.

    Args:
        previous: the last finished run before this one. folder: of the run that is judged.
    """
    if previous is None:
        return ()
    passed = {item.id for item in previous.findings if item.verdict is Verdict.PASS}
    before = {item.finding: item for item in previous.summary.last_held} if previous.summary else {}
    told = []
    for item in found:
        run_id, at, since = previous.run_id, previous.ended or previous.started, 0
        if item.id not in passed:
            if item.id not in before:
                continue
            was = before[item.id]
            run_id, at, since = was.run_id, was.at, was.runs_since + 1
        same = _is_same(folder.parent / run_id / INPUTS, folder / INPUTS)
        told.append(LastHeld(finding=item.id, run_id=run_id, at=at, runs_since=since, same_settings=same))
    return tuple(told)


def _is_same(was: Path, now: Path) -> bool:
    """Whether both runs kept the same files of environment and case; no where one of them has none."""
    names = [path.relative_to(now) for path in sorted(now.rglob("*")) if path.is_file()]
    _, differ, missing = filecmp.cmpfiles(was, now, list(map(str, names)), shallow=False)
    return bool(names) and not differ and not missing
