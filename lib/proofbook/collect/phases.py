"""Records one phase: which collectors run, in which order, and what is printed before they do."""

from __future__ import annotations

import asyncio
import datetime as dt
import functools
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from proofbook.collect import rollout
from proofbook.collect.planning import (
    ALPHA_STOP,
    BEFORE_JOURNEYS,
    CONTROL_EVERY,
    LATENCY_COUNT,
    LOOK,
    LOOK_COUNT,
    LOOK_LATENCY_COUNT,
    LOOK_TRIES,
    checkpoints_of,
    describe_plan,
    is_decided,
)
from proofbook.collect.services import certificates, deployments, metrics, openapi
from proofbook.collect.services import health as service
from proofbook.collect.session import Session, side_by_side
from proofbook.collect.websocket import probes
from proofbook.collect.websocket.journey import Journey
from proofbook.config.case import Case
from proofbook.config.environment import Environment
from proofbook.config.services import Service, WebSocket
from proofbook.errors import CouldNotLook
from proofbook.evidence import store
from proofbook.evidence.schema import (
    CERTIFICATES,
    HEALTH,
    HELD,
    IDENTITIES,
    LATENCY,
    LATENCY_CONTROL,
    MESSAGES,
    METRICS,
    OPENAPI,
    REFUSALS,
    REVISIONS,
    ROLLOUT,
    SHADOW,
    WEBSOCKET,
)
from proofbook.stats import plans as sampling

Say = Callable[[str], None]
logger = logging.getLogger("proofbook.collect")
# At the default pace twice a second, and never more than four times.
METRICS_PER_TURN = 2.5
METRICS_LEAST_S = 0.25


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
) -> None:
    """Records a phase into `folder`. LOOK is a small phase `after`, one of many while watching.

    alongside: before is recorded only now, where the old revision still answers.

    Raises:
        MissingValue, ConfigurationError: known before anything is sent or written.
        CouldNotLook: a host name does not resolve, the login gives no token, or the service said 429 too often.
    """
    session = Session(environment, base=base)
    planned = describe_plan(environment, case, phase)
    for line in planned:
        say(f"plan · {phase} · {line}")
    started = dt.datetime.now(dt.UTC)
    collect = {"before": _before, "rollout": _rollout, "after": _after, LOOK: _look}[phase]
    tables: Tables = dict(await collect(environment, case, session, during))
    # Before the logs are read: reading takes time, in which nothing more can be in what was read.
    ended = dt.datetime.now(dt.UTC)
    problems: list[str] = []
    if phase != "rollout":
        problems = await _read_records(environment, case, session, tables, folder=folder / phase)
    for name in tables:
        logger.info("phase %s: collected table %s", phase, name)
    recorded = store.Phase(
        started=started,
        ended=ended,
        planned=planned,
        done=dict(session.done),
        problems=problems,
        alongside=alongside,
    )
    store.write_phase(
        folder,
        environment=environment.name,
        phase="after" if phase == LOOK else phase,
        tables=tables,
        recorded=recorded,
    )
    done = ", ".join(f"{count} {what}" for what, count in sorted(session.done.items())) or "nothing sent"
    say(f"done · {phase} · {done} in {(recorded.ended - started).total_seconds():.0f} s")


Recorded = dict[str, pd.DataFrame]
# A table, or the Parquet file of one that need not fit into memory.
Tables = dict[str, pd.DataFrame | Path]


async def _before(environment: Environment, case: Case, session: Session, _: Any) -> Recorded:
    tables: dict[str, pd.DataFrame] = {}
    began = time.monotonic()
    tables |= await _settled(environment, case, session)
    tables |= await _latency(environment, session)
    tables |= await _journeys(
        environment, session, checkpoints=lambda _: (BEFORE_JOURNEYS,), decided=lambda *_: True
    )
    await asyncio.sleep(max(0.0, environment.observe_s - (time.monotonic() - began)))
    return tables


async def _after(environment: Environment, case: Case, session: Session, _: Any) -> Recorded:
    began = time.monotonic()
    # First what loads the service most: what it takes for that, it gives back while the rest is asked.
    tables = await _journeys(
        environment,
        session,
        checkpoints=lambda socket: checkpoints_of(socket, environment, case),
        decided=lambda socket, seen: is_decided(socket, environment, case, seen),
    )
    tables |= await _settled(environment, case, session)
    tables |= await _refusals(environment, session)
    tables |= await _shadows(environment, session)
    await asyncio.sleep(max(0.0, environment.warm_up_s - (time.monotonic() - began)))
    # Memory is watched under steady load only: many connections at once make a step that looks like growth.
    began, over = time.monotonic(), asyncio.Event()
    sampled = asyncio.gather(*_sampling(environment, session, over))
    try:
        tables |= await _latency(environment, session)
        await asyncio.sleep(max(0.0, environment.observe_s - (time.monotonic() - began)))
    finally:
        over.set()
        found = await sampled
    if found:
        tables[METRICS.name] = pd.concat(found, ignore_index=True)
    return tables


async def _look(environment: Environment, case: Case, session: Session, _: Any) -> Recorded:
    """A little of everything that `_after` does: how often is decided by the watch."""
    tables = await _settled(environment, case, session, count=LOOK_COUNT, tries=LOOK_TRIES)
    tables |= await _refusals(environment, session, tries=LOOK_TRIES)
    tables |= await _shadows(environment, session, count=LOOK_TRIES)
    over = asyncio.Event()
    sampled = asyncio.gather(*_sampling(environment, session, over))
    try:
        tables |= await _journeys(
            environment, session, checkpoints=lambda _: (LOOK_COUNT,), decided=lambda *_: True
        )
        tables |= await _latency(environment, session, count=LOOK_LATENCY_COUNT)
    finally:
        over.set()
        found = await sampled
    if found:
        tables[METRICS.name] = pd.concat(found, ignore_index=True)
    return tables


async def _rollout(
    environment: Environment, case: Case, session: Session, during: Awaitable[Any] | None
) -> Recorded:
    over = asyncio.Event()
    watched = [item for item in environment.services if item.critical]
    if not watched:
        raise CouldNotLook(f"{environment.name} has no critical service to watch through a deployment")
    held_count = environment.rollout.held_sockets
    user = environment.login.user if environment.login else ""
    held = [
        asyncio.create_task(rollout.hold(socket, user=user, count=held_count, until=over, session=session))
        for socket in environment.websockets
        if held_count
    ]
    shared = asyncio.ensure_future(_open_first(held_count, environment, during))
    tables: dict[str, pd.DataFrame] = {}
    try:
        seen = await asyncio.gather(*(_watch_one(item, shared, session) for item in watched))
        tables[ROLLOUT.name] = pd.concat(seen, ignore_index=True)
    finally:
        over.set()
        sockets = await asyncio.gather(*held)
    if sockets:
        tables[HELD.name] = pd.concat(sockets, ignore_index=True)
    return tables


async def _open_first(held: int, environment: Environment, during: Awaitable[Any] | None) -> None:
    """Gives held sockets and probes a moment before the deployment starts, so that they see the old revision."""
    await asyncio.sleep(1.0 + held / environment.pace.per_s)
    await (during if during is not None else asyncio.sleep(environment.rollout.duration_s))


async def _watch_one(item: Service, shared: asyncio.Future[None], session: Session) -> pd.DataFrame:
    return await rollout.watch(item, during=asyncio.shield(shared), session=session)


def _sampling(
    environment: Environment, session: Session, over: asyncio.Event
) -> list[Coroutine[Any, Any, pd.DataFrame]]:
    every_s = max(METRICS_LEAST_S, METRICS_PER_TURN / environment.pace.per_s)
    return [
        metrics.sample(item, every_s=every_s, until=over, session=session)
        for item in environment.services
        if item.metrics
    ]


async def _settled(
    environment: Environment, case: Case, session: Session, *, count: int | None = None, tries: int = 5
) -> dict[str, pd.DataFrame]:
    """Health, the OpenAPI documents, and the table of user ids: what does not mind a cold start.

    Health is asked by the plan of its target, or `count` times.
    """
    plan = sampling.plan_for(case.targets.health)
    checkpoints = [count] if count is not None else sorted({60, *(n for n, _ in plan.looks)})

    def decided(failures: int, count: int) -> bool:
        return sampling.decided(plan, failures=failures, count=count, alpha_fail=ALPHA_STOP)

    tables: dict[str, pd.DataFrame] = {}
    health = await side_by_side(
        service.probe_health(item, session=session, checkpoints=checkpoints, decided=decided)
        for item in environment.services
    )
    if health:
        tables[HEALTH.name] = pd.concat(health, ignore_index=True)
    shown = await certificates.look(environment, session=session)
    if shown is not None:
        tables[CERTIFICATES.name] = shown
    documents = [
        await openapi.fetch_openapi(item, session=session) for item in environment.services if item.openapi
    ]
    if documents:
        tables[OPENAPI.name] = pd.concat(documents, ignore_index=True)
    users = list(
        dict.fromkeys(
            [item.user for item in case.identities]
            + [symptom.refused_user for fix in case.fixes for symptom in fix.symptoms if symptom.refused_user]
        )
    )
    if users and environment.websockets:
        tables[IDENTITIES.name] = await probes.try_identities(
            environment.websockets[0], users, session=session, tries=tries
        )
    return tables


async def _latency(
    environment: Environment, session: Session, *, count: int = LATENCY_COUNT
) -> dict[str, pd.DataFrame]:
    timed, control = [], []
    for item in environment.services:
        for path in item.timed:
            # The health endpoint, asked in between, tells a slower endpoint from a slower machine.
            own, beside = await service.time_endpoint(
                item, path, count=count, every=CONTROL_EVERY, session=session
            )
            timed.append(own)
            control.append(beside.assign(beside=path))
    if not timed:
        return {}
    return {
        LATENCY.name: pd.concat(timed, ignore_index=True),
        LATENCY_CONTROL.name: pd.concat(control, ignore_index=True),
    }


async def _journeys(
    environment: Environment,
    session: Session,
    *,
    checkpoints: Callable[[WebSocket], Sequence[int]],
    decided: Callable[[WebSocket, Sequence[Journey]], bool],
) -> dict[str, pd.DataFrame]:
    journeys, messages = [], []
    for socket in environment.websockets:
        user = environment.login.user if environment.login else ""
        made, received = await probes.make_journeys(
            socket,
            user=user,
            session=session,
            checkpoints=checkpoints(socket),
            decided=functools.partial(decided, socket),
        )
        journeys.append(made)
        messages.append(received)
    return (
        {
            WEBSOCKET.name: pd.concat(journeys, ignore_index=True),
            MESSAGES.name: pd.concat(messages, ignore_index=True),
        }
        if journeys
        else {}
    )


async def _shadows(
    environment: Environment, session: Session, *, count: int = probes.SHADOW_JOURNEYS
) -> dict[str, pd.DataFrame]:
    user = environment.login.user if environment.login else ""
    made = [
        await probes.shadow_journeys(socket, user=user, session=session, count=count)
        for socket in environment.websockets
    ]
    return {SHADOW.name: pd.concat(made, ignore_index=True)} if made else {}


async def _refusals(environment: Environment, session: Session, *, tries: int = 5) -> dict[str, pd.DataFrame]:
    if environment.login is None or not environment.login.bad_tokens:
        return {}
    tried = [
        await probes.try_tokens(socket, user=environment.login.user, session=session, tries=tries)
        for socket in environment.websockets
        if socket.token.place != "none"
    ]
    return {REFUSALS.name: pd.concat(tried, ignore_index=True)} if tried else {}


async def _read_records(
    environment: Environment, case: Case, session: Session, tables: Tables, *, folder: Path
) -> list[str]:
    """Adds what others wrote down, logs and revisions, to the tables; gives what could not be read."""
    from proofbook.collect.logs import recorder

    problems: list[str] = []
    if environment.logs:
        # Late: the engine takes a second to load, and many environments have no logs.

        patterns = case.log_patterns()
        recorded, problems = await asyncio.to_thread(
            recorder.record,
            environment.logs,
            patterns,
            base=session.base,
            folder=folder,
            # Where nothing was sent there is nothing to find again.
            canary=session.canary if environment.services else None,
        )
        tables |= recorded
    if environment.deployments is not None:
        try:
            tables[REVISIONS.name] = await asyncio.to_thread(
                deployments.read_revisions, environment.deployments, base=session.base
            )
        except CouldNotLook as error:
            problems.append(str(error))
    return problems
