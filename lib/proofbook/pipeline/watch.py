"""A watch: rounds of collecting by a plan fixed beforehand, all judged as one run."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from proofbook import paths
from proofbook.collect import phases, planning
from proofbook.collect.session import Session
from proofbook.concurrency import sync
from proofbook.config import consistency
from proofbook.config.environment import keep_private
from proofbook.errors import CouldNotLook
from proofbook.execution.executor import Executor
from proofbook.pipeline import rounds
from proofbook.pipeline.steps import STANDARD, Options, Say, judge, keep_inputs, recorded
from proofbook.redaction.scrubbing import scrub
from proofbook.runs import earlier as earlier_runs
from proofbook.runs import known_issues
from proofbook.runs.earlier import Earlier
from proofbook.runs.folders import find, has_phase, new_folder
from proofbook.runs.record import RunRecord
from proofbook.validation import Validation

# A sleep does not count the time in which the machine slept.
LONGEST_SLEEP_S = 30.0


def watch(
    asked: Validation,
    *,
    every_s: float,
    for_s: float,
    run: str | None = None,
    before: str = "",
    options: Options = STANDARD,
) -> tuple[Path, RunRecord]:
    """The folder of a watch and its record, after rounds by a fixed plan until a clear verdict or the end.

    Args:
        run: the watch to continue, or a run that holds only `before`. before: a run whose evidence counts as before,
            unless this run has its own.
    Raises:
        UsageError: known before anything is written. CouldNotLook: not one round succeeded.
    """
    consistency.check_deployed(asked.case, now=dt.datetime.now(dt.UTC))
    keep_private(asked.environment, base=asked.base)
    Session(asked.environment, base=asked.base)
    known_issues.read(paths.outputs(asked.base) / asked.environment.name, case=asked.case.name)
    plan = rounds.make_plan(asked, every_s=every_s, for_s=for_s)
    earlier = earlier_runs.of(before, asked, without=Path(run or "").name)
    folder = find(run, base=asked.base) if run else new_folder(asked.environment.name, base=asked.base)
    rounds.check_can_start(folder)
    if run and (folder / rounds.STATE).exists():
        plan = rounds.start_or_continue(folder, plan)
    again = f"proofbook watch {asked.words} --every {every_s:g}s --for {for_s:g}s --run {folder.name}"
    with recorded(folder, asked, dt.datetime.fromisoformat(plan.started), again=again):
        _prepare(folder, asked, plan, earlier, say=options.say)
        problem = _run_rounds(folder, asked, rounds.start_or_continue(folder, plan), say=options.say)
        if not rounds.finished(folder):
            raise CouldNotLook(
                problem or "the watch ended before its first round; make --for longer than --every"
            )
        rounds.merge_rounds(folder, plan)
        with Executor() as executor:
            found = judge(folder, asked, executor=executor, options=options)
    return folder, found


def _prepare(
    folder: Path, asked: Validation, plan: rounds.Plan, earlier: Earlier | None, *, say: Say
) -> None:
    """Sets the evidence from before aside, copies the inputs and prints the plan."""
    if earlier is not None and not (folder / rounds.STATE).exists() and not has_phase(folder, "before"):
        say(f"before · {earlier.take(asked.environment, into=folder / 'evidence')}")
    rounds.set_aside_before(folder)
    keep_inputs(asked, folder=folder)
    for line in planning.describe_plan(asked.environment, asked.case, planning.ROUND):
        say(f"plan · each round · {line}")
    say(f"plan · {plan.rounds} rounds, one every {plan.every_s:g} s, until {plan.due(plan.rounds):%Y-%m-%d %H:%M} UTC or a clear verdict")  # fmt: skip


def _run_rounds(folder: Path, asked: Validation, plan: rounds.Plan, *, say: Say) -> str:
    """The problem of the last failed round, empty without one, after all rounds that are due or a clear verdict."""

    def record(aside: Path) -> None:
        sync.run(
            phases.record(
                asked.environment,
                asked.case,
                planning.ROUND,
                folder=aside,
                base=asked.base,
                say=lambda _: None,
            )
        )

    problem = ""
    for number in _due(plan, first=rounds.next_number(folder)):
        try:
            rounds.record_round(folder, number, record)
        except CouldNotLook as error:
            problem = str(error)
            say(f"round {number + 1} of {plan.rounds}: failed: {scrub(problem)}")
            continue
        found, verdict = rounds.judge(asked.over(rounds.merge_rounds(folder, plan)))
        told = rounds.progress(number, found, verdict)
        later = f"; earliest verdict {told.earliest[:16].replace('T', ' ')} UTC" if told.earliest else ""
        say(f"round {told.number} of {plan.rounds}: {told.verdict}: {scrub(told.sentence)}{later}")
        if rounds.is_decided(verdict.verdict):
            say(f"clear verdict after round {number + 1} of {plan.rounds}")
            break
    return problem


def _due(plan: rounds.Plan, *, first: int) -> Iterator[int]:
    """The numbers of the remaining rounds, each when it is due; rounds missed during an interruption are skipped."""
    now = _clock()
    for number in range(first, plan.rounds):
        if number + 1 < plan.rounds and plan.due(number + 1) <= now():
            continue
        if number + 1 == plan.rounds and plan.due(plan.rounds) <= now():
            return
        while (left_s := (plan.due(number) - now()).total_seconds()) > 0:
            time.sleep(min(left_s, LONGEST_SLEEP_S))
        yield number


def _clock() -> Callable[[], dt.datetime]:
    """The time of day from now on, whatever the clock is set to meanwhile."""
    began, ticks = dt.datetime.now(dt.UTC), _ticks_s()
    return lambda: began + dt.timedelta(seconds=_ticks_s() - ticks)


def _ticks_s() -> float:
    """Seconds since some moment, those in which the machine slept included where the system counts them."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()
