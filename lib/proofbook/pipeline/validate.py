"""One validation from files to verdict: collect missing evidence, execute the notebooks, write the report."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Callable
from pathlib import Path

from proofbook import paths
from proofbook.collect import phases
from proofbook.collect.session import Session
from proofbook.concurrency import sync
from proofbook.config import consistency
from proofbook.config.environment import keep_private
from proofbook.evidence import store
from proofbook.execution import selection
from proofbook.execution.executor import Executor, Orders
from proofbook.pipeline.steps import (
    STANDARD,
    Options,
    evidence_of,
    judge,
    keep_inputs,
    recorded,
)
from proofbook.redaction import log_lines
from proofbook.runs import earlier as earlier_runs
from proofbook.runs import known_issues
from proofbook.runs.folders import find, has_phase, new_folder
from proofbook.runs.record import RunRecord
from proofbook.validation import Validation


def validate(
    asked: Validation,
    *,
    run: str | None = None,
    evidence_path: str | None = None,
    before: str = "",
    once_recorded: Callable[[Path], Validation | None] = lambda _: None,
    orders: Orders | None = None,
    options: Options = STANDARD,
) -> tuple[Path, RunRecord]:
    """The folder of a run and its record, after collecting missing evidence and judging it.

    Args:
        before: a run whose evidence counts as before, unless this run has its own.
        once_recorded: told the run's folder when its evidence is there and no notebook has been executed yet; may give
            another validation to go on with.
        orders: executes the notebooks; None for a process that this call begins and ends.
    Raises:
        UsageError: known before anything is written. CouldNotLook: kept in run.json before it is raised.
    """
    environment, base = asked.environment, asked.base
    consistency.check_deployed(asked.case, now=dt.datetime.now(dt.UTC))
    keep_private(environment, base=base)
    selection.select(options.notebooks, base=base)
    known_issues.read(paths.outputs(base) / environment.name, case=asked.case.name)
    source = evidence_of(evidence_path, base=base) if evidence_path else None
    earlier = earlier_runs.of(before, asked, without=Path(run or "").name) if source is None else None
    if source is None and not (run and has_phase(find(run, base=base), "after")):
        # What can be known without the network is known before a folder is made.
        Session(environment, base=base)
    folder = find(run, base=base) if run else new_folder(environment.name, base=base)
    again = f"proofbook run {asked.words} --run {folder.name}"
    over = orders.over_now if orders is not None else lambda: ""
    with recorded(folder, asked, dt.datetime.now(dt.UTC), again=again, over=over):
        if source is not None and not (folder / "evidence").exists():
            store.copy(source, folder / "evidence")
        if earlier is not None and earlier.folder != folder and not has_phase(folder, "before"):
            options.say(f"before · {earlier.take(environment, into=folder / 'evidence')}")
        _collect_missing(asked, folder, options=options)
        compares = bool(asked.case.fixes) or has_phase(folder, "before")
        with (
            contextlib.nullcontext(orders) if orders is not None else Executor(compares=compares) as executor
        ):
            asked = once_recorded(folder) or asked
            keep_inputs(asked, folder=folder)
            found = judge(folder, asked, executor=executor, options=options)
    return folder, found


def _collect_missing(asked: Validation, folder: Path, *, options: Options) -> None:
    """Records the phase `after` if it is missing, and `before` if an old revision still answers beside the new one."""
    environment, case, base, to = asked.environment, asked.case, asked.base, folder / "evidence"
    say, until = options.say, options.until
    old = environment.of_before()
    if has_phase(folder, "after"):
        return
    if old is not None and not has_phase(folder, "before"):
        with log_lines.bound(phase="before"):
            sync.run(phases.record(old, case, "before", folder=to, base=base, say=say, alongside=True))
    with log_lines.bound(phase="after"):
        sync.run(phases.record(environment, case, "after", folder=to, base=base, say=say, until=until))
