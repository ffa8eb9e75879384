"""A watch: rounds of collecting by a plan fixed beforehand, judged together."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator
from pathlib import Path

from proofbook.collect import phases, planning
from proofbook.collect.session import Session
from proofbook.concurrency import sync
from proofbook.config import consistency
from proofbook.config.environment import keep_private
from proofbook.errors import CouldNotLook
from proofbook.evidence import baseline
from proofbook.execution.executor import Executor
from proofbook.pipeline import rounds
from proofbook.pipeline.steps import STANDARD, Options, Say, earlier_run, judge, keep_inputs, recorded
from proofbook.redaction.scrubbing import scrub
from proofbook.runs.folders import find, has_phase, new_folder
from proofbook.runs.record import RunRecord
from proofbook.validation import Validation


def watch(
    asked: Validation,
    *,
    every_s: float,
    for_s: float,
    run: str | None = None,
    before: str = "",
    options: Options = STANDARD,
) -> tuple[Path, RunRecord]:
    """Looks again and again by a plan fixed beforehand, until decided or over; then judges all looks as one run.

    Args:
        run: the watch to go on with, or a run that recorded before. before: a run whose evidence counts as before, unless
            this run has its own.
    Raises:
        UsageError: known before anything is written. CouldNotLook: not one look could be taken.
    """
    consistency.check_deployed(asked.case, now=dt.datetime.now(dt.UTC))
    keep_private(asked.environment, base=asked.base)
    Session(asked.environment, base=asked.base)
    plan = rounds.make_plan(asked, every_s=every_s, for_s=for_s)
    earlier = earlier_run(before, asked)
    folder = find(run, base=asked.base) if run else new_folder(asked.environment.name, base=asked.base)
    rounds.check_can_begin(folder)
    if run and (folder / rounds.STATE).exists():
        plan = rounds.begin(folder, plan)
    again = f"proofbook watch {asked.words} --every {every_s:g}s --for {for_s:g}s --run {folder.name}"
    with recorded(folder, asked, dt.datetime.fromisoformat(plan.started), again=again):
        _prepare(folder, asked, plan, earlier, say=options.say)
        problem = _take_all(folder, asked, rounds.begin(folder, plan), say=options.say)
        if not rounds.taken(folder):
            raise CouldNotLook(problem or "not one look was due in the time of this watch")
        rounds.put_together(folder, plan)
        with Executor() as executor:
            found = judge(folder, asked, executor=executor, options=options)
    return folder, found


def _prepare(folder: Path, asked: Validation, plan: rounds.Plan, earlier: Path | None, *, say: Say) -> None:
    """Sets aside what counts as before, keeps the inputs and says the plan."""
    if earlier is not None and not (folder / rounds.STATE).exists() and not has_phase(folder, "before"):
        say(f"before · {baseline.take(earlier, into=folder / 'evidence')}")
    rounds.keep_earlier(folder)
    keep_inputs(asked, folder=folder)
    for line in planning.describe_plan(asked.environment, asked.case, planning.LOOK):
        say(f"plan · each look · {line}")
    say(f"plan · {plan.looks} looks, one every {plan.every_s:g} s, until {plan.due(plan.looks):%Y-%m-%d %H:%M} UTC or decided")  # fmt: skip


def _take_all(folder: Path, asked: Validation, plan: rounds.Plan, *, say: Say) -> str:
    """Takes every look that is still due, until it is decided; gives what went wrong with the last that could not be taken."""

    def record(aside: Path) -> None:
        sync.run(
            phases.record(
                asked.environment,
                asked.case,
                planning.LOOK,
                folder=aside,
                base=asked.base,
                say=lambda _: None,
            )
        )

    problem = ""
    for number in _due(plan, first=rounds.next_number(folder)):
        try:
            rounds.take(folder, number, record)
        except CouldNotLook as error:
            problem = str(error)
            say(f"look {number + 1} of {plan.looks}: could not look: {scrub(problem)}")
            continue
        found, verdict = rounds.judge(asked.over(rounds.put_together(folder, plan)))
        told = rounds.status(number, plan, found, verdict)
        later = f"; earliest answer {told.earliest[:16].replace('T', ' ')} UTC" if told.earliest else ""
        say(f"look {told.look} of {told.of}: {told.verdict.value}: {scrub(told.sentence)}{later}")
        if rounds.is_decided(verdict.verdict):
            say(f"decided at look {number + 1} of {plan.looks}")
            break
    return problem


def _due(plan: rounds.Plan, *, first: int) -> Iterator[int]:
    """The numbers of the looks still to take, each when it is due; those whose time went by during an interruption are left out."""
    for number in range(first, plan.looks):
        now = dt.datetime.now(dt.UTC)
        if number + 1 < plan.looks and plan.due(number + 1) <= now:
            continue
        if number + 1 == plan.looks and plan.due(plan.looks) <= now:
            return
        time.sleep(max(0.0, (plan.due(number) - now).total_seconds()))
        yield number
