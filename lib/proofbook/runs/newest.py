"""The newest finished run of an environment."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from proofbook.errors import CouldNotLook
from proofbook.runs import record
from proofbook.runs.record import RunRecord

# Such a run says nothing of the system: it goes on, was ended by somebody, or has not been judged.
NO_NEWS = ("unfinished", "interrupted", "not-judged", "locked")
# Clocks of machines that share outputs differ by less.
CLOCKS_DIFFER_S = 300.0


def is_news(run: RunRecord) -> bool:
    """Whether a run says anything of its environment: it ended, or could not look."""
    return bool(run.ended) or run.reason not in NO_NEWS


def newest(folder: Path, *, now: dt.datetime, finished: bool = False) -> RunRecord | None:
    """The newest run in an environment's folder that says anything; None without one.

    A run from the future was made while the clock was wrong, and says nothing of today.

    Args:
        finished: only one that ended by itself, whatever its verdict.
    """
    latest = now + dt.timedelta(seconds=CLOCKS_DIFFER_S)
    for path in sorted(folder.iterdir(), reverse=True) if folder.is_dir() else ():
        run = None if path.name.startswith(".") else _read(path)
        if run is not None and (run.ended if finished else is_news(run)) and ended(run) <= latest:
            return run
    return None


def ended(run: RunRecord) -> dt.datetime:
    """When a run ended, or began where it could not look."""
    return time(run.ended or run.started)


def time(text: str) -> dt.datetime:
    """A time as a run says it; in UTC where it names no zone.

    Raises:
        ValueError: it is none.
    """
    found = dt.datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=dt.UTC)


def _read(folder: Path) -> RunRecord | None:
    if not (folder / "run.json").is_file():
        return None
    try:
        found = record.read(folder)
        ended(found)
    except (CouldNotLook, ValueError):
        # Damaged, which the page of all runs shows.
        return None
    return found
