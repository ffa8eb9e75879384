"""TODO proofbook.pipeline.watch"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from proofbook import validation
from proofbook.collect import phases, planning
from proofbook.collect.session import Session
from proofbook.concurrency import sync
from proofbook.config import consistency
from proofbook.config import environment as environments
from proofbook.errors import CouldNotLook
from proofbook.evidence import baseline
from proofbook.execution.executor import Executor
from proofbook.judge import catalogue
from proofbook.pipeline import rounds as watching
from proofbook.pipeline.steps import Say, earlier_run, judge, keep_inputs, recorded
from proofbook.redaction.scrubbing import scrub
from proofbook.report import writer
from proofbook.runs.folders import find, has_phase, new_folder


def watch(
    environment: str,
    case: str,
    *,
    every_s: float,
    for_s: float,
    run: str | None,
    jobs: int,
    timeout_s: float,
    base: Path,
    options: writer.Options = writer.STANDARD,
    say: Say = print,
    before: str = "",
) -> tuple[Path, dict[str, Any]]:
    """Looks again and again by a plan fixed beforehand, until decided or over; then judges all looks as one run.

    before: a run whose evidence counts as before, unless this run has its own.

    Raises:
        UsageError: known before anything is written. CouldNotLook: not one look could be taken.
    """
    where, what = validation.load(environment, case, base=base)
    catalogue.check_files(where, what)
    consistency.check_deployed(what, now=dt.datetime.now(dt.UTC))
    environments.keep_private(where, base=base)
    Session(where, base=base)
    plan = watching.make_plan(environment, case, every_s=every_s, for_s=for_s, base=base)
    earlier = earlier_run(before, what, where.name, base=base)
    folder = find(run, base=base) if run else new_folder(where.name, base=base)
    watching.check_can_begin(folder)
    if run and (folder / watching.STATE).exists():
        plan = watching.begin(folder, plan)
    again = f"proofbook watch {environment} --every {every_s:g}s --for {for_s:g}s --run {folder.name}"
    started = dt.datetime.fromisoformat(plan.started)
    with recorded(folder, where.name, what.name, started, again=again, base=base):
        content = _looked(
            folder,
            plan,
            earlier,
            environment,
            case,
            jobs=jobs,
            timeout_s=timeout_s,
            base=base,
            options=options,
            say=say,
        )
    return folder, content


def _looked(
    folder: Path,
    plan: watching.Plan,
    earlier: Path | None,
    environment: str,
    case: str,
    *,
    jobs: int,
    timeout_s: float,
    base: Path,
    options: writer.Options,
    say: Say,
) -> dict[str, Any]:
    """All looks that are still due, each recorded and judged, then the whole; gives the content of run.json."""
    where, what = validation.load(environment, case, base=base)
    if earlier is not None and not (folder / watching.STATE).exists() and not has_phase(folder, "before"):
        say(f"before · {baseline.take(earlier, into=folder / 'evidence')}")
    watching.keep_earlier(folder)
    plan = watching.begin(folder, plan)
    keep_inputs(environment, case or where.case, folder=folder, base=base)
    for line in planning.describe_plan(where, what, planning.LOOK):
        say(f"plan · each look · {line}")
    say(f"plan · {plan.looks} looks, one every {plan.every_s:g} s, until {plan.due(plan.looks):%Y-%m-%d %H:%M} UTC or decided")  # fmt: skip
    problem = ""
    for number in _due(plan, first=watching.next_number(folder)):
        try:
            watching.take(
                folder,
                number,
                lambda aside: sync.run(
                    phases.record(where, what, planning.LOOK, folder=aside, base=base, say=lambda _: None)
                ),
            )
        except CouldNotLook as error:
            problem = str(error)
            say(f"look {number + 1} of {plan.looks}: could not look: {scrub(problem)}")
            continue
        found, verdict = watching.judge(watching.put_together(folder, plan), environment, case, base=base)
        told = watching.status(number, plan, found, verdict)
        later = f"; earliest answer {told['earliest'][:16].replace('T', ' ')} UTC" if told["earliest"] else ""
        say(f"look {told['look']} of {told['of']}: {told['verdict']}: {scrub(told['sentence'])}{later}")
        if watching.is_decided(verdict.verdict):
            say(f"decided at look {number + 1} of {plan.looks}")
            break
    if not watching.taken(folder):
        raise CouldNotLook(problem or "not one look was due in the time of this watch")
    watching.put_together(folder, plan)
    with Executor() as executor:
        return judge(
            folder,
            environment,
            case,
            base=base,
            executor=executor,
            jobs=jobs,
            timeout_s=timeout_s,
            options=options,
            say=say,
        )


def _due(plan: watching.Plan, *, first: int) -> Iterator[int]:
    """The numbers of the looks still to take, each when it is due; those whose time went by during an interruption are left out."""
    for number in range(first, plan.looks):
        now = dt.datetime.now(dt.UTC)
        if number + 1 < plan.looks and plan.due(number + 1) <= now:
            continue
        if number + 1 == plan.looks and plan.due(plan.looks) <= now:
            return
        time.sleep(max(0.0, (plan.due(number) - now).total_seconds()))
        yield number
