"""Whether an environment has had a finished run in time, and when the next one is due.

That file, `due.js`, is a script of one call an environment, since that is what a page opened from a disk may load: whoever
opens the page sees what is late also where nothing runs any more.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from proofbook import paths
from proofbook.concurrency import locks
from proofbook.config.durations import in_words
from proofbook.files import replace_text
from proofbook.judge.findings import Verdict
from proofbook.runs import newest, record
from proofbook.runs.permissions import file_mode
from proofbook.runs.provenance import rfc3339

FILE = "due.js"
# Of the time between two runs; a run takes time itself, and schedulers start late.
GRACE = 0.5
_CALL, _END = "due(", ");\n"
_PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A run that ended by itself, whatever its verdict."""

    run_id: str
    ended: dt.datetime
    verdict: Verdict
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """When the next finished run of an environment is due, as seen at a moment.

    last: the newest finished run; None without one. every_s, grace_s: a run is late when so much of both has passed since.
    """

    environment: str
    last: Finished | None
    every_s: float
    grace_s: float
    at: dt.datetime

    @property
    def by(self) -> dt.datetime | None:
        """When the next finished run is due at the latest; None where there was none."""
        if self.last is None:
            return None
        return self.last.ended + dt.timedelta(seconds=self.every_s + self.grace_s)

    @property
    def is_overdue(self) -> bool:
        return self.by is None or self.at > self.by

    def in_words(self) -> str:
        """The sentence for people."""
        expected = f"one every {in_words(self.every_s)} is expected"
        if self.last is None:
            return f"{self.environment}: overdue: no run has ever finished; {expected}"
        ago = in_words(max(0.0, (self.at - self.last.ended).total_seconds()))
        when = f"{record.moment(rfc3339(self.last.ended))}, {ago} ago ({self.last.verdict.value})"
        if self.is_overdue:
            return f"{self.environment}: overdue: the last finished run ended {when}; {expected}"
        assert self.by is not None
        return f"{self.environment}: in time: the last run ended {when}; the next is due by {record.moment(rfc3339(self.by))}"


def of(environment: str, *, every_s: float, grace_s: float | None, now: dt.datetime, base: Path) -> Due:
    """When the next finished run of an environment is due.

    Args:
        grace_s: how long after `every_s` it is still in time; half of that where None.
    """
    return Due(
        environment=environment,
        last=last_finished(paths.outputs(base) / environment, now=now),
        every_s=every_s,
        grace_s=every_s * GRACE if grace_s is None else grace_s,
        at=now,
    )


def last_finished(folder: Path, *, now: dt.datetime) -> Finished | None:
    """The newest finished run in an environment's folder; None without one."""
    run = newest.newest(folder, now=now, finished=True)
    if run is None:
        return None
    return Finished(run_id=run.run_id, ended=newest.ended(run), verdict=run.verdict, sentence=run.sentence)


def note(found: Sequence[Due], *, base: Path) -> None:
    """Notes for the page of all runs when the next runs are due; nothing where there are no outputs or they may only be read.

    Raises:
        Locked: another process has been writing there for long.
    """
    outputs = paths.outputs(base)
    if not outputs.is_dir():
        return
    with contextlib.suppress(OSError), locks.held(outputs, patience_s=_PATIENCE_S):
        known = noted(outputs)
        for item in found:
            known[item.environment] = rfc3339(item.by) if item.by else ""
        lines = (
            f"{_CALL}{json.dumps({'environment': name, 'by': by}, separators=(',', ':'))}{_END}"
            for name, by in sorted(known.items())
        )
        replace_text(outputs / FILE, "".join(lines), mode=file_mode())


def noted(outputs: Path) -> dict[str, str]:
    """When the next finished run of each environment is due, as noted; empty where none has ever finished."""
    found = {}
    with contextlib.suppress(OSError), (outputs / FILE).open(encoding="utf-8", errors="replace") as file:
        for line in file:
            # What was cut or altered is noted again with the next run.
            with contextlib.suppress(ValueError, KeyError, TypeError):
                item = json.loads(line.removeprefix(_CALL).removesuffix(_END))
                if paths.is_name(item["environment"]):
                    found[str(item["environment"])] = str(item["by"])
    return found
