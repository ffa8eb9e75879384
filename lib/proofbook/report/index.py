"""`outputs/index.html`: the runs of each environment and case, newest first, with how their verdicts went; drawn from the index."""

from __future__ import annotations

import logging
from pathlib import Path

from proofbook import paths
from proofbook.concurrency import locks
from proofbook.errors import Locked
from proofbook.files import replace_text
from proofbook.judge import findings
from proofbook.judge.findings import Verdict
from proofbook.report import templating
from proofbook.runs import due, history, object_store
from proofbook.runs.history import Entry
from proofbook.runs.permissions import file_mode

logger = logging.getLogger(__name__)
PAGE = "index.html"


# How long the end of a run waits for another process that writes the index.
PATIENCE_S = 60.0


def add(folder: Path, *, base: Path) -> None:
    """Adds a run that ended to the index of runs, and writes the page that shows it.

    Raises:
        Locked: another process has been writing the index for long. OSError: it cannot be written.
    """
    with locks.held(paths.outputs(base), patience_s=PATIENCE_S):
        added = history.add(folder, base=base)
        _write_page(base)
    if not added:
        refresh(base=base)


def refresh(*, base: Path) -> list[Entry]:
    """Every run, oldest first; writes the index of runs and the page that shows it.

    Raises:
        Locked: another process has been writing the index for long. OSError: it cannot be written.
    """
    outputs = paths.outputs(base)
    if not outputs.is_dir():
        return []
    # Read again while nobody else writes: whoever came last has seen all.
    with locks.held(outputs, patience_s=PATIENCE_S):
        entries = history.entries(base=base)
        history.write_index(entries, base=base)
        _write_page(base)
    return entries


def _write_page(base: Path) -> None:
    outputs = paths.outputs(base)
    replace_text(outputs / PAGE, render(), mode=file_mode())
    if not (outputs / due.FILE).exists():
        # The page asks for it also where no environment says how often it runs.
        replace_text(outputs / due.FILE, "", mode=file_mode())


def read(*, base: Path) -> list[Entry]:
    """Every run, oldest first; writes index and page where that can be: who may only read sees the runs all the same.

    Raises:
        CouldNotLook: an object store keeps the runs, and cannot be read.
    """
    object_store.refresh(base=base)
    try:
        return refresh(base=base)
    except (OSError, Locked) as error:
        logger.warning("the index of runs was not written: %s", error)
        return history.entries(base=base)


def render() -> str:
    """The page, which is the same whatever the runs."""
    return templating.render(
        "index.html.j2",
        script="index.js",
        index=history.INDEX,
        due=due.FILE,
        verdicts=[
            (verdict.value, findings.MARKS[verdict])
            for verdict in (Verdict.FAIL, Verdict.ERROR, Verdict.INCONCLUSIVE, Verdict.PASS)
        ],
    )
