"""Our own steps: health, latency, WebSocket journeys, tokens, user ids, metrics and the watch of a rollout."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from typing import Any

import pandas as pd

from proofbook import connections
from proofbook.collect import rollout
from proofbook.collect.registry import Recorded, Step
from proofbook.collect.services import certificates, health, metrics, openapi, openapi_files
from proofbook.collect.session import Session
from proofbook.collect.websocket import probes
from proofbook.collect.websocket.journey import Journey, frame
from proofbook.config.case import Case
from proofbook.config.environment import Environment
from proofbook.config.services import Service, WebSocket
from proofbook.errors import CouldNotLook
from proofbook.evidence.schema import (
    ANSWERS,
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
    ROLLOUT,
    SHADOW,
    WEBSOCKET,
)
from proofbook.protocol import UNMARKED_KINDS, UNMARKED_PAGE_KINDS
from proofbook.stats import plans as sampling

CONTROL_EVERY = 4
# So many show a plain failure early, and nothing is asked less often.
FIRST_CHECKPOINT = 60
# The part of α that collecting may spend on stopping early for a failure; judging uses its own, from the case.
ALPHA_STOP = 0.05 / 20
QUICK_ANSWER_S = 0.1
# At the default pace twice a second, and never more than four times.
METRICS_PER_REQUEST = 2.5
METRICS_MIN_S = 0.25

Work = Callable[[Session], Awaitable[Recorded]]


# Services -----------------------------------------------------------------------------------------------------------


def health_steps(environment: Environment, case: Case, *, count: int | None) -> list[Step]:
    """Health of every service, as often as the plan of its target wants, or `count` times; the first one speaks for all."""
    plan = sampling.plan_for(case.targets.health)
    checkpoints = [count] if count is not None else sorted({FIRST_CHECKPOINT, *(n for n, _ in plan.looks)})
    asked = f"up to {checkpoints[-1]} health requests" if count is None else f"{count} health requests"
    least = count if count is not None else max(FIRST_CHECKPOINT, plan.looks[0][0])
    services = [item for item in environment.services if item.health]
    each = ", each" if len(services) > 1 else ""
    why = f"; {plan.describe()}" if count is None else ""
    says = f"{', '.join(item.name for item in services)}: {asked} and {health.UNKNOWN_TRIES} to a path that must not exist{each}{why}"
    return [
        Step(
            says=says if item is services[0] else "",
            requests=least + health.UNKNOWN_TRIES,
            run=functools.partial(_ask_health, item, plan, checkpoints),
        )
        for item in services
    ]


async def _ask_health(
    item: Service, plan: sampling.Plan, checkpoints: Sequence[int], session: Session
) -> Recorded:
    def decided(failures: int, count: int) -> bool:
        return sampling.decided(plan, failures=failures, count=count, alpha_fail=ALPHA_STOP)

    table = await health.probe_health(item, session=session, checkpoints=checkpoints, decided=decided)
    return {HEALTH.name: table}


def unmarked_page_steps(environment: Environment, *, count: int) -> list[Step]:
    """The pages of every service by unmarked probes, so many times of each kind."""
    return [
        Step(
            says=f"{item.name}: {each} unmarked requests to {', '.join((item.health, *item.timed))}: {each // 2} without our headers, {each // 2} as a browser",
            requests=each,
            run=functools.partial(_ask_unmarked, item, count),
        )
        for item in environment.services
        if item.health
        for each in [count * len(UNMARKED_PAGE_KINDS) * (1 + len(item.timed))]
    ]


async def _ask_unmarked(item: Service, count: int, session: Session) -> Recorded:
    return {HEALTH.name: await health.ask_unmarked(item, count=count, session=session)}


def document_steps(environment: Environment) -> Iterator[Step]:
    """Certificates of encrypted services, and API definitions."""

    async def look(session: Session) -> Recorded:
        shown = await certificates.look(environment, session=session)
        return {} if shown is None else {CERTIFICATES.name: shown}

    encrypted = [item.name for item in environment.services if item.url.text is None or item.is_encrypted]
    if encrypted:
        yield Step(says=f"TLS certificates of {', '.join(encrypted)}", run=look)
    for item in environment.services:
        if item.openapi:
            asked = len(openapi.answered_paths(item))
            yield Step(
                says=f"{item.name}: its API definition, once, with up to {openapi_files.MOST_FILES} files that it refers to, and {asked} {'answer' if asked == 1 else 'answers'} to compare with it",
                requests=1 + asked,
                run=functools.partial(_fetch_openapi, item),
            )


async def _fetch_openapi(item: Service, session: Session) -> Recorded:
    document = await openapi.fetch_openapi(item, session=session)
    return {OPENAPI.name: document, ANSWERS.name: await openapi.fetch_answers(item, session=session)}


def latency_steps(environment: Environment, *, count: int) -> Iterator[Step]:
    """Timed endpoints, with the health endpoint asked in between, which tells a slower endpoint from a slower machine."""
    beside = -(-count // CONTROL_EVERY)
    for item in environment.services:
        for path in item.timed:
            yield Step(
                says=f"{item.name}: {count} timed requests to {path}, and {beside} to {item.health} in between",
                requests=count + beside,
                run=functools.partial(_time, item, path, count),
            )


async def _time(item: Service, path: str, count: int, session: Session) -> Recorded:
    own, beside = await health.time_endpoint(item, path, count=count, every=CONTROL_EVERY, session=session)
    return {LATENCY.name: own, LATENCY_CONTROL.name: beside.assign(beside=path)}


def metrics_steps(environment: Environment, over: asyncio.Event) -> Iterator[Step]:
    """Pages of metrics, read again and again until it is over."""
    every_s = max(METRICS_MIN_S, METRICS_PER_REQUEST / environment.pace.per_s)
    for item in environment.services:
        if item.metrics:
            yield Step(
                says=f"{item.name}: metrics every {every_s:g} s meanwhile",
                run=functools.partial(_sample, item, every_s, over),
            )


async def _sample(item: Service, every_s: float, over: asyncio.Event, session: Session) -> Recorded:
    return {METRICS.name: await metrics.sample(item, every_s=every_s, until=over, session=session)}


# WebSocket ----------------------------------------------------------------------------------------------------------


def plans_of(socket: WebSocket, environment: Environment, case: Case) -> dict[str, sampling.Plan]:
    """How many connections each claim about an endpoint needs."""
    plans = {"connection": sampling.plan_for(case.targets.connection)}
    if environment.delivers(socket):
        plans["delivery"] = sampling.plan_for(case.targets.delivery)
    return plans


def checkpoints_of(socket: WebSocket, environment: Environment, case: Case) -> Sequence[int]:
    """60 to see a plain failure early, then every look of the plans."""
    looks = [n for plan in plans_of(socket, environment, case).values() for n, _ in plan.looks]
    return sorted({min(FIRST_CHECKPOINT, *looks), *looks})


def is_decided(socket: WebSocket, environment: Environment, case: Case, seen: Sequence[Journey]) -> bool:
    """Whether more connections could not change what the plans say."""
    made = connections.connected(frame(seen), socket, max_connection_s=environment.rollout.max_connection_s)
    failures = {
        "connection": int((~made).sum()),
        "delivery": sum(journey.reply_ok is not True for journey in seen),
    }
    plans = plans_of(socket, environment, case)
    if any(failures[claim] == len(seen) for claim in plans):
        # Where everything fails, more of it says nothing more, and does the service no good.
        return True
    return all(
        sampling.decided(plan, failures=failures[claim], count=len(seen), alpha_fail=ALPHA_STOP)
        for claim, plan in plans.items()
    )


def journey_steps(environment: Environment, *, count: int) -> list[Step]:
    """So many connections to each endpoint."""
    return [
        _journeys(socket, environment, says=f"{count} connections", checkpoints=(count,), least=count)
        for socket in environment.websockets
    ]


def decided_journey_steps(environment: Environment, case: Case) -> list[Step]:
    """Connections to each endpoint until its plans are decided."""
    return [
        _journeys(
            socket,
            environment,
            says=f"up to {max(plan.most for plan in plans.values())} connections",
            plan="; " + plans["connection"].describe(),
            checkpoints=checkpoints_of(socket, environment, case),
            least=max(plan.looks[0][0] for plan in plans.values()),
            decided=functools.partial(is_decided, socket, environment, case),
        )
        for socket in environment.websockets
        for plans in [plans_of(socket, environment, case)]
    ]


def _journeys(
    socket: WebSocket,
    environment: Environment,
    *,
    says: str,
    plan: str = "",
    checkpoints: Sequence[int],
    least: int,
    decided: Callable[[Sequence[Journey]], bool] = lambda _: True,
) -> Step:
    messages = socket.messages if environment.delivers(socket) else 0

    async def run(session: Session) -> Recorded:
        made, received = await probes.make_journeys(
            socket, user=environment.user, session=session, checkpoints=checkpoints, decided=decided
        )
        return {WEBSOCKET.name: made, MESSAGES.name: received}

    listens = messages > 0 and socket.greeting is None
    first = ", after one that only waits for a greeting" if listens else ""
    return Step(
        says=f"{socket.name}: {says}, each with {messages} messages and {socket.dwell_s:g} s of dwell{first}{plan}",
        requests=least + listens,
        seconds=_connecting_s(least, socket, environment),
        run=run,
    )


def unmarked_steps(environment: Environment, *, count: int) -> list[Step]:
    """Connections as ordinary users make them, so many of each kind."""
    each = count * len(UNMARKED_KINDS)
    return [
        Step(
            says=f"{socket.name}: {each} unmarked connections, without test headers: {count} without our headers, {count} as a browser (agent, Origin, cookie), {count} without compression",
            requests=each,
            seconds=_connecting_s(each, socket, environment),
            run=functools.partial(_make_unmarked, socket, environment, count),
        )
        for socket in environment.websockets
    ]


async def _make_unmarked(
    socket: WebSocket, environment: Environment, count: int, session: Session
) -> Recorded:
    made = await probes.make_unmarked_journeys(socket, user=environment.user, session=session, count=count)
    return {SHADOW.name: made}


def token_steps(environment: Environment, *, bad: int) -> Iterator[Step]:
    """Bad tokens of every kind, so many together, beside the good one."""
    if environment.login is None or not environment.login.bad_tokens:
        return
    for socket in environment.websockets:
        if socket.token.place == "none":
            continue
        kinds = probes.token_kinds(socket, environment)
        tries = probes.tries_of(kinds, bad=bad)
        speaks = not socket.lets_in_by_name and (
            environment.delivers(socket) or socket.refusal.send is not None
        )
        yield Step(
            says=f"{socket.name}: up to {sum(tries.values())} tries with {len(kinds)} kinds of token: {', '.join(f'{count} {kind}' for kind, count in tries.items())}"
            + ("; each followed by a message, since only a reply shows who is let in" if speaks else ""),
            requests=sum(tries.values()),
            run=functools.partial(_try_tokens, socket, environment.login.user, bad),
        )


async def _try_tokens(socket: WebSocket, user: str, bad: int, session: Session) -> Recorded:
    return {REFUSALS.name: await probes.try_tokens(socket, user=user, session=session, bad=bad)}


def identity_steps(environment: Environment, case: Case, *, tries: int) -> Iterator[Step]:
    """The user ids that the case names, at the first endpoint."""
    symptoms = [symptom for fix in case.fixes for symptom in fix.symptoms if symptom.refused_user]
    named = [*(item.user for item in case.identities), *(str(symptom.refused_user) for symptom in symptoms)]
    users = list(dict.fromkeys(named))
    if not (users and environment.websockets):
        return
    socket = environment.websockets[0]

    async def run(session: Session) -> Recorded:
        table = await probes.try_identities(socket, users, session=session, tries=tries)
        return {IDENTITIES.name: table}

    able = [user for user in users if environment.can_log_in(user)]
    yield Step(
        says=f"{socket.name}: {len(able)} user ids, {tries} {'try' if tries == 1 else 'tries'} each",
        requests=len(able) * tries,
        run=run,
    )


def _connecting_s(count: int, socket: WebSocket, environment: Environment) -> float:
    """How long so many connections take where each answers at once, so many beside each other as the pace allows."""
    return count * (socket.dwell_s + QUICK_ANSWER_S) / environment.pace.concurrency


# Rollout ------------------------------------------------------------------------------------------------------------


def rollout_step(environment: Environment, during: Awaitable[Any] | None) -> Step:
    """Health of the critical services on new connections, and sockets held open, until `during` is over."""
    held = environment.rollout.held_sockets
    sockets = [f"{socket.name}: {held} sockets held open" for socket in environment.websockets if held]
    says = f"health of the critical services at {environment.rollout.per_s:g} requests a second, on new connections, until the deployment is over"
    return Step(says="; ".join([*sockets, says]), run=functools.partial(_watch, environment, during))


async def _watch(environment: Environment, during: Awaitable[Any] | None, session: Session) -> Recorded:
    over = asyncio.Event()
    watched = [item for item in environment.services if item.critical and item.health]
    if not watched:
        raise CouldNotLook(
            f"{environment.name} has no critical service with a health page to watch through a deployment"
        )
    count, user = environment.rollout.held_sockets, environment.user
    held = [
        asyncio.create_task(rollout.hold(socket, user=user, count=count, until=over, session=session))
        for socket in environment.websockets
        if count
    ]
    shared = asyncio.ensure_future(_open_first(count, environment, during))
    tables: Recorded = {}
    try:
        seen = await asyncio.gather(*(_watch_one(item, shared, session) for item in watched))
        tables[ROLLOUT.name] = pd.concat(seen, ignore_index=True)
    finally:
        over.set()
        ended = await asyncio.gather(*held)
    if ended:
        tables[HELD.name] = pd.concat(ended, ignore_index=True)
    return tables


async def _open_first(held: int, environment: Environment, during: Awaitable[Any] | None) -> None:
    """Gives held sockets and probes a moment before the deployment starts, so that they see the old revision."""
    await asyncio.sleep(1.0 + held / environment.pace.per_s)
    await (during if during is not None else asyncio.sleep(environment.rollout.duration_s))


def _watch_one(
    item: Service, shared: asyncio.Future[None], session: Session
) -> Coroutine[Any, Any, pd.DataFrame]:
    return rollout.watch(item, during=asyncio.shield(shared), session=session)
