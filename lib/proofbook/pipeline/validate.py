"""One validation from files to verdict: collect what is missing, execute the notebooks, write everything that is kept."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from proofbook import validation
from proofbook.collect import phases
from proofbook.collect.session import Session
from proofbook.concurrency import sync
from proofbook.config import consistency
from proofbook.config import environment as environments
from proofbook.evidence import baseline
from proofbook.execution import selection
from proofbook.execution.executor import Executor
from proofbook.judge import catalogue
from proofbook.pipeline.steps import Say, earlier_run, evidence_of, judge, keep_inputs, recorded
from proofbook.report import writer
from proofbook.runs.folders import find, has_phase, new_folder


def validate(
    environment: str,
    case: str,
    *,
    base: Path,
    run: str | None = None,
    evidence_path: str | None = None,
    notebooks: Sequence[str] = (),
    jobs: int = 2,
    timeout_s: float = 300.0,
    options: writer.Options = writer.STANDARD,
    say: Say = print,
    before: str = "",
    once_recorded: Callable[[Path], None] = lambda _: None,
) -> tuple[Path, dict[str, Any]]:
    """One whole run: continue or start, collect what is missing, judge.

    before: a run whose evidence counts as before, unless this run has its own. once_recorded: told the run's folder when its evidence is there and no notebook has been executed yet.

    Raises:
        UsageError: known before anything is written. CouldNotLook: kept in run.json before it is raised.
    """
    where, what = validation.load(environment, case, base=base)
    catalogue.check_files(where, what)
    consistency.check_deployed(what, now=dt.datetime.now(dt.UTC))
    environments.keep_private(where, base=base)
    selection.select(notebooks, base=base)
    source = evidence_of(evidence_path, base=base) if evidence_path else None
    earlier = earlier_run(before, what, where.name, base=base) if source is None else None
    if source is None and not (run and has_phase(find(run, base=base), "after")):
        # What can be known without the network is known before a folder is made.
        Session(where, base=base)
    folder = find(run, base=base) if run else new_folder(where.name, base=base)
    started = dt.datetime.now(dt.UTC)

    again = f"proofbook run {environment} --run {folder.name}"
    with recorded(folder, where.name, what.name, started, again=again, base=base):
        if source is not None and not (folder / "evidence").exists():
            shutil.copytree(source, folder / "evidence")
        if earlier is not None and earlier != folder and not has_phase(folder, "before"):
            say(f"before · {baseline.take(earlier, into=folder / 'evidence')}")
        old = where.of_before()
        if old is not None and not has_phase(folder, "before") and not has_phase(folder, "after"):
            sync.run(
                phases.record(
                    old, what, "before", folder=folder / "evidence", base=base, say=say, alongside=True
                )
            )
        if not has_phase(folder, "after"):
            sync.run(phases.record(where, what, "after", folder=folder / "evidence", base=base, say=say))
        with Executor() as executor:
            once_recorded(folder)
            keep_inputs(environment, case or where.case, folder=folder, base=base)
            content = judge(
                folder,
                environment,
                case,
                base=base,
                executor=executor,
                notebooks=notebooks,
                jobs=jobs,
                timeout_s=timeout_s,
                options=options,
                say=say,
            )
    return folder, content
