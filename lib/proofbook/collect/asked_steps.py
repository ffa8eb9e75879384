"""Steps of the further questions of a case: unusual messages, connections at once, compression, idle connections, every address."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Iterator, Sequence

from proofbook import connections
from proofbook.collect.registry import Followup, Recorded, Step
from proofbook.collect.services import addresses as service_addresses
from proofbook.collect.session import Session
from proofbook.collect.websocket import addresses, at_once, held, in_turn, unusual_messages
from proofbook.collect.websocket.unusual_messages import Question
from proofbook.config.case import Case
from proofbook.config.environment import Environment
from proofbook.config.services import Service, WebSocket
from proofbook.evidence.asked import ASKED


def asked_steps(environment: Environment, case: Case) -> Iterator[Step]:
    """What each endpoint is asked."""
    for socket in environment.websockets:
        yield from _message_steps(socket, environment, case)
        if count := connections.most_at_once(environment, case):
            yield _at_once_step(socket, environment, count)
        if case.asks.addresses and environment.has_host_name(socket):
            yield _address_step(socket, environment)
    for service in environment.services if case.asks.addresses else ():
        if environment.asks_addresses(service):
            yield _service_step(service)


def _message_steps(socket: WebSocket, environment: Environment, case: Case) -> Iterator[Step]:
    """Messages of other lengths and characters, where messages may be sent."""
    if not environment.delivers(socket):
        return
    asks = case.asks
    questions = unusual_messages.questions_of(
        socket, most_bytes=asks.message_bytes, characters=asks.characters
    )
    if not questions:
        return
    least, most = len(unusual_messages.WAYS), unusual_messages.most_connections(questions)
    yield Step(
        says=f"{socket.name}: {least} connections, with and without compression, for {' and '.join(unusual_messages.in_words(questions))}; up to {most} if some are not answered",
        requests=least,
        run=functools.partial(_ask, socket, environment, questions),
    )


def _at_once_step(socket: WebSocket, environment: Environment, count: int) -> Step:
    """As many connections as the pace allows, open and asked at the same time."""
    speaks = ", each with a message" if environment.delivers(socket) else ""

    async def run(session: Session) -> Recorded:
        user = environment.user
        return {ASKED.name: await at_once.ask(socket, user=user, session=session, at_once=count)}

    return Step(
        says=f"{socket.name}: {at_once.ALONE} connections one after the other, then {count} open at once{speaks}; up to {at_once.most_connections(count)} if some are not answered",
        requests=at_once.ALONE + count,
        run=run,
    )


def _address_step(socket: WebSocket, environment: Environment) -> Step:
    """Every address of the endpoint's name, and not the first alone."""

    async def run(session: Session) -> Recorded:
        return {ASKED.name: await addresses.ask(socket, user=environment.user, session=session)}

    each = addresses.TRIES
    most = (each + addresses.MORE_TRIES) * addresses.MOST_ADDRESSES
    return Step(
        says=f"{socket.name}: {each} connections to each of up to {addresses.MOST_ADDRESSES} addresses of its host name; up to {most} in all if some are not answered",
        requests=each,
        run=run,
    )


def _service_step(service: Service) -> Step:
    """Health at every address of the service's name."""

    async def run(session: Session) -> Recorded:
        return {ASKED.name: await service_addresses.ask(service, session=session)}

    each = addresses.TRIES
    most = (each + addresses.MORE_TRIES) * addresses.MOST_ADDRESSES
    return Step(
        says=f"{service.name}: {each} health requests to each of up to {addresses.MOST_ADDRESSES} addresses of its host name; up to {most} in all if some are not answered",
        requests=each,
        run=run,
    )


def held_steps(environment: Environment, case: Case, over: asyncio.Event, *, held_s: float) -> Iterator[Step]:
    """Connections that are held until the rest is over, and at least so long."""
    count = connections.held_of_each(environment, case)
    for socket in environment.websockets if count else ():
        least = f", at least {held_s:g} s" if held_s else ""
        asks = "; then a message on each" if environment.delivers(socket) else ""
        yield Step(
            says=f"{socket.name}: {count} idle connections held meanwhile{least}{asks}",
            requests=count,
            seconds=held_s,
            run=functools.partial(_hold, socket, environment, count, over, held_s),
        )


def in_turn_followups(environment: Environment) -> Iterator[Followup]:
    """If connections are rejected: whether that is because others of ours are open."""
    count = environment.pace.concurrency
    for socket in environment.websockets if count > 1 else ():
        most = in_turn.most_connections(count)
        yield Followup(
            says=f"{socket.name}: if connections are rejected, up to {most} more: {in_turn.ALONE} alone, then {count} open at once, {in_turn.TURNS} times; repeated with longer pauses if one alone is rejected",
            run=functools.partial(_ask_in_turn, socket, environment),
        )


async def _ask_in_turn(
    socket: WebSocket, environment: Environment, session: Session, recorded: Recorded
) -> Recorded:
    table = await in_turn.ask(socket, environment=environment, session=session, recorded=recorded)
    return {ASKED.name: table} if len(table) else {}


async def _hold(
    socket: WebSocket,
    environment: Environment,
    count: int,
    over: asyncio.Event,
    held_s: float,
    session: Session,
) -> Recorded:
    table = await held.ask(
        socket, user=environment.user, session=session, count=count, until=over, least_s=held_s
    )
    return {ASKED.name: table}


async def _ask(
    socket: WebSocket, environment: Environment, questions: Sequence[Question], session: Session
) -> Recorded:
    user = environment.user
    return {ASKED.name: await unusual_messages.ask(socket, questions, user=user, session=session)}
