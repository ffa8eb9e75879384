"""Records one phase: its plan is said, its steps are run, and what they give is written."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from proofbook.collect import access, registry, standstills
from proofbook.collect.planning import ROUND, Plan, Sizes, Stage, plan_of
from proofbook.collect.registry import Recorded
from proofbook.collect.services import deployments
from proofbook.collect.session import Session, side_by_side
from proofbook.config.case import Case
from proofbook.config.dialects import DIALECTS
from proofbook.config.environment import Environment
from proofbook.config.probes import COLLECTORS
from proofbook.errors import CouldNotLook, ExtensionError
from proofbook.evidence import store
from proofbook.evidence.access import ACCESS
from proofbook.evidence.log_tables import LOG_PAST
from proofbook.evidence.schema import REVISIONS

Say = Callable[[str], None]
logger = logging.getLogger("proofbook.collect")
# A table, or the Parquet file of one that need not fit into memory.
Tables = dict[str, pd.DataFrame | Path]


async def record(
    environment: Environment,
    case: Case,
    phase: str,
    *,
    folder: Path,
    base: Path,
    during: Awaitable[Any] | None = None,
    say: Say = print,
    alongside: bool = False,
    until: float | None = None,
    sizes: Sizes | None = None,
) -> None:
    """Records a phase into `folder`. ROUND is a small phase `after`, one of many while watching.

    alongside: before is recorded only now, where the old revision still answers. until: when probing ends at the latest, by
    `time.monotonic`; what is not over then is left out, and a problem. sizes: how often to ask, else as that phase wants.

    Raises:
        MissingValue, ConfigurationError: known before anything is sent or written.
        CouldNotLook: a host name does not resolve, the login gives no token, or the service said 429 too often.
    """
    session = Session(environment, base=base)
    plan = plan_of(environment, case, phase, during=during, sizes=sizes)
    planned = plan.lines(environment, reads=phase != "rollout")
    for line in planned:
        say(f"plan · {phase} · {line}")
    started = dt.datetime.now(dt.UTC)
    with standstills.noted() as stood:
        recorded, problems = await _run(plan, session, until)
    tables: Tables = {**recorded, **standstills.as_table(stood)}
    # Before the logs are read: reading takes time, in which nothing more can be in what was read.
    ended = dt.datetime.now(dt.UTC)
    if phase != "rollout":
        problems += await _read_records(environment, case, session, tables, folder=folder / phase)
    if phase in ("after", ROUND) and (known := await asyncio.to_thread(access.read, session, recorded, folder=folder)) is not None:  # fmt: skip
        tables[ACCESS.name] = known
    for name in tables:
        logger.info("phase %s: collected table %s", phase, name)
    written = store.Phase(
        started=started,
        ended=ended,
        planned=planned,
        done=dict(session.done),
        problems=problems,
        alongside=alongside,
    )
    name = "after" if phase == ROUND else phase
    store.write_phase(folder, environment=environment.name, phase=name, tables=tables, recorded=written)
    _say_outcome(phase, written, say)


def _say_outcome(phase: str, written: store.Phase, say: Say) -> None:
    """What went wrong, and what was done in which time."""
    for problem in written.problems:
        say(f"problem · {phase} · {problem}")
    done = ", ".join(f"{count} {what}" for what, count in sorted(written.done.items())) or "nothing sent"
    say(f"done · {phase} · {done} in {(written.ended - written.started).total_seconds():.0f} s")


async def _run(plan: Plan, session: Session, until: float | None) -> tuple[Recorded, list[str]]:
    """The tables of all steps, and what went wrong with those of other packages."""
    problems = list[str]()
    beside = asyncio.ensure_future(_run_stage(plan.beside, session, problems, until))
    try:
        parts, broken = await _run_stages(plan, session, problems, until)
    except BaseException:
        beside.cancel()
        await asyncio.gather(beside, return_exceptions=True)
        raise
    recorded = _joined([*parts, await beside])
    for followup in plan.last:
        more = await _run_stage([followup.step(recorded)], session, problems, until)
        recorded = _joined([recorded, more])
    return recorded, [*dict.fromkeys(problems), *broken, *_names_taken()]


async def _run_stages(
    plan: Plan, session: Session, problems: list[str], until: float | None
) -> tuple[list[Mapping[str, pd.DataFrame]], list[str]]:
    """The tables of each stage, and which probes broke; the plan is over then."""
    began = time.monotonic()
    parts: list[Mapping[str, pd.DataFrame]] = [
        await _run_stage(stage, session, problems, until) for stage in plan.first
    ]
    probed, broken = await registry.run(plan.probes, session)
    await _wait(began, plan.warm_up_s)
    began = time.monotonic()
    sampled = asyncio.ensure_future(_run_stage(plan.meanwhile, session, problems, None))
    try:
        parts += [await _run_stage(stage, session, problems, until) for stage in plan.steady]
        await _wait(began, plan.observe_s)
    finally:
        plan.over.set()
        parts.append(await sampled)
    return [*parts, probed], broken


def _names_taken() -> list[str]:
    """Why collectors and dialects cannot be used whose name is taken: that of whom has it is."""
    return [str(error) for registered in (COLLECTORS, DIALECTS) for error in registered.doubles()]


async def _run_stage(stage: Stage, session: Session, problems: list[str], until: float | None) -> Recorded:
    return _joined(await side_by_side(_run_step(step, session, problems, until) for step in stage))


async def _run_step(
    step: registry.Step, session: Session, problems: list[str], until: float | None
) -> Mapping[str, pd.DataFrame]:
    """The tables of a step; none where the time was over, or something of another package broke in it, which is then a problem."""
    try:
        async with asyncio.timeout(None if until is None else until - time.monotonic()) as limit:
            return await step.run(session)
    except TimeoutError:
        if not limit.expired():
            raise
        problems.append(f"the time that was given is over, so this is left out: {step.says}")
        return {}
    except ExtensionError as error:
        problems.append(str(error))
        return {}


def _joined(parts: Iterable[Mapping[str, pd.DataFrame]]) -> Recorded:
    """The rows of every table of that name, in the order of the steps."""
    found: dict[str, list[pd.DataFrame]] = {}
    for part in parts:
        for name, table in part.items():
            found.setdefault(name, []).append(table)
    return {name: pd.concat(tables, ignore_index=True) for name, tables in found.items()}


async def _wait(began: float, seconds: float) -> None:
    await asyncio.sleep(max(0.0, seconds - (time.monotonic() - began)))


async def _read_records(
    environment: Environment, case: Case, session: Session, tables: Tables, *, folder: Path
) -> list[str]:
    """Adds what others wrote down, logs and revisions, to the tables; gives what could not be read."""
    problems: list[str] = []
    if environment.logs:
        # Late: the engine takes a second to load, and many environments have no logs.
        from proofbook.collect.logs import past, recorder

        recorded, problems = await asyncio.to_thread(
            recorder.record,
            environment.logs,
            case.log_patterns(),
            base=session.base,
            folder=folder,
            # Where nothing was sent there is nothing to find again.
            canary=session.canary if environment.services else None,
        )
        tables |= recorded
        earlier = await asyncio.to_thread(
            past.read, environment.name, recorded, base=session.base, without=folder
        )
        if earlier is not None:
            tables[LOG_PAST.name] = earlier
    if environment.deployments is not None:
        try:
            tables[REVISIONS.name] = await asyncio.to_thread(
                deployments.read_revisions, environment.deployments, base=session.base
            )
        except CouldNotLook as error:
            problems.append(str(error))
    return problems
