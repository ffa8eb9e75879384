"""Steps of a phase: what each says that it does, how much it sends, how long it takes, and the work itself.

Printed plan, length and work are the same object. The steps of a `[[probe]]` come from the collector that its kind names; one
that breaks is a problem of the phase, which names package and place, and the rest of the phase goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from proofbook.collect.session import Session, describe
from proofbook.config.case import Case
from proofbook.config.environment import Environment
from proofbook.config.probes import COLLECTORS, Probe
from proofbook.errors import CouldNotLook, ExtensionError, SchemaError
from proofbook.evidence import extensions
from proofbook.evidence.schema import PROBES
from proofbook.evidence.table import Table

Recorded = dict[str, pd.DataFrame]
# A step of another package that takes this many times as long as it said, and this much more, is stopped.
MAX_TIMES_LONGER, GRACE_S = 10, 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One part of a phase.

    Args:
        says: what it does, in a line of the plan; empty where another step says it. run: does it, and gives tables by name.
        requests: how many it sends at least, each within the pace. seconds: how long it takes where that is longer.
    """

    says: str
    run: Callable[[Session], Awaitable[Mapping[str, pd.DataFrame]]]
    requests: int = 0
    seconds: float = 0.0

    def shortest_s(self, per_s: float) -> float:
        """How long it takes at least, at so many requests a second."""
        return max(self.seconds, self.requests / per_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Followup:
    """What is asked once all else was, because of what came back.

    says: what it does, in a line of the plan. run: does it, given the tables so far, and gives more rows by name of table.
    """

    says: str
    run: Callable[[Session, Recorded], Awaitable[Recorded]]

    def step(self, recorded: Recorded) -> Step:
        """It as a step, for what was recorded."""

        async def run(session: Session) -> Recorded:
            return await self.run(session, recorded)

        return Step(says=self.says, run=run)


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What the steps of a probe are made from.

    probe: its settings. phase: `before` or `after`. is_round: whether it is one of the many small phases of a watch.
    """

    probe: Probe
    environment: Environment
    case: Case
    phase: str
    is_round: bool = False


def steps_of(task: Task) -> list[Step]:
    """The steps of a probe.

    Raises:
        ExtensionError: its collector cannot be used, or does not give steps.
    """
    kind = task.probe.kind
    collector = COLLECTORS.get(kind)
    try:
        steps = list(collector.planned()(task))
    # Whatever the code of somebody else raises.
    except Exception as error:
        raise _failed(task, f"it cannot be planned ({_words(error)})") from error
    for step in steps:
        if not isinstance(step, Step):
            raise _failed(task, f"expected a Step, got {type(step).__name__}")
    return steps


def lines_of(task: Task) -> list[str]:
    """What a probe will do, a line of the plan for each step; why it cannot be done where that is known already."""
    try:
        return [f"{task.probe.name}: {step.says}" for step in steps_of(task)]
    except ExtensionError as error:
        return [f"{task.probe.name}: not probed: {error}"]


def shortest_s(tasks: Iterable[Task]) -> float:
    """How long the probes take at least, one after the other."""
    return sum(_shortest_s(task) for task in tasks)


def _shortest_s(task: Task) -> float:
    try:
        return sum(step.shortest_s(task.environment.pace.per_s) for step in steps_of(task))
    except ExtensionError:
        return 0.0


async def run(tasks: Sequence[Task], session: Session) -> tuple[Recorded, list[str]]:
    """The tables of all probes, and what went wrong, a sentence for each probe that broke.

    What a probe recorded before it broke is left out: half of it would be judged as if it were the whole.
    """
    parts: dict[str, list[pd.DataFrame]] = {}
    about: list[tuple[str, str, str]] = []
    for task in tasks:
        problem = ""
        try:
            for name, table in (await _run(task, session)).items():
                parts.setdefault(name, []).append(table)
        except ExtensionError as error:
            problem = describe(error)
        about.append((task.probe.name, task.probe.kind, problem))
    tables = {name: pd.concat(some, ignore_index=True) for name, some in parts.items()}
    if about:
        tables[PROBES.name] = PROBES.frame(about)
    return tables, [problem for *_, problem in about if problem]


async def _run(task: Task, session: Session) -> Recorded:
    """The tables of one probe, checked by their schema.

    Raises:
        ExtensionError: it broke, took too long, or wrote something else than it registers.
    """
    steps = steps_of(task)
    known = {table.name: table for table in extensions.add_tables(task.probe.kind)}
    parts: dict[str, list[pd.DataFrame]] = {}
    for step in steps:
        most_s = MAX_TIMES_LONGER * step.shortest_s(session.environment.pace.per_s) + GRACE_S
        try:
            async with asyncio.timeout(most_s) as limit:
                written = dict(await step.run(session))
        # Whatever the code of somebody else raises.
        except Exception as error:
            why = f"it took longer than {most_s:.0f} s" if limit.expired() else _words(error)
            raise _failed(task, f"it broke while collecting ({why})") from error
        for name, table in written.items():
            parts.setdefault(name, []).append(_checked(task, name, table, known))
    return {name: pd.concat(some, ignore_index=True) for name, some in parts.items()}


def _checked(task: Task, name: str, table: object, known: Mapping[str, Table]) -> pd.DataFrame:
    if name not in known:
        registers = ", ".join(known) or "none"
        raise _failed(task, f"it wrote the table {name!r}, and registers {registers}")
    if not isinstance(table, pd.DataFrame):
        raise _failed(task, f"expected the table {name!r} as a DataFrame, got {type(table).__name__}")
    try:
        return known[name].typed(table)
    except SchemaError as error:
        raise _failed(task, str(error)) from error


def _failed(task: Task, why: str) -> ExtensionError:
    return COLLECTORS.failed(task.probe.kind, f"probe {task.probe.name!r}: {why}")


def _words(error: Exception) -> str:
    """An error in one line: our own sentences as they are, others with their type."""
    text = " ".join(describe(error).split())
    return text if isinstance(error, CouldNotLook) else f"{type(error).__name__}: {text}"
