"""How one comes in on a connection: what the dialect wants first, and the greeting."""

from __future__ import annotations

import asyncio
import contextlib
import time

import pandas as pd
from websockets.exceptions import ConnectionClosed

from proofbook.collect.session import Session
from proofbook.collect.websocket.connection import close, connect
from proofbook.collect.websocket.dialects import Line, Refused
from proofbook.collect.websocket.journey import Journey
from proofbook.collect.websocket.messages import recognises, text_of
from proofbook.config.services import WebSocket
from proofbook.redaction.scrubbing import Secret, scrub

MESSAGE_SAMPLE = 4096
MAX_MESSAGES = 5000
# How long a server that was not said to greet may take to say something before it is spoken to.
FIRST_WORD_S = 1.0
# Messages received, each with when its connection began: equal ones of one connection once.
Heard = dict[tuple[pd.Timestamp, str], None]


async def enter(journey: Journey, line: Line, session: Session) -> bool:
    """Says what comes first in the dialect; whether that did not fail. Whether one is let in is then known where it says so."""
    try:
        async with asyncio.timeout(session.environment.pace.timeout_s):
            if await line.enter():
                journey.greeted = True
    except Refused as error:
        refuse(journey, error)
        return False
    except TimeoutError:
        journey.greeted, journey.error = False, "not let in, and not refused"
        journey.heard, journey.understood = shown(line.last_heard), line.understood
        return False
    journey.understood = True if journey.greeted else line.understood
    return True


async def greet(
    journey: Journey,
    endpoint: WebSocket,
    line: Line,
    session: Session,
    messages: Heard,
) -> None:
    """Waits for the greeting, where one is expected, and notes in the journey whether it is that."""
    if endpoint.greeting is None:
        await _let_speak_first(journey, endpoint, line, session, messages)
        return
    began = time.perf_counter()
    try:
        async with asyncio.timeout(session.environment.pace.timeout_s):
            message = await line.receive()
    except TimeoutError:
        journey.greeted, journey.error = False, "no greeting"
        return
    except ConnectionClosed:
        journey.greeted = False
        raise
    journey.greeting_s = time.perf_counter() - began
    keep(message, journey, messages)
    journey.greeted = recognises(endpoint.greeting, message, {"user": journey.user})
    if not journey.greeted:
        journey.error = f"another greeting: {text_of(message)[:120]}"


async def find_who_speaks_first(endpoint: WebSocket, token: Secret | None, session: Session) -> None:
    """Finds out, on a connection of its own, whether a server says something before it is spoken to although nobody stated a greeting.

    Many a server hears nothing until it has greeted. Asked once in a session, and only where messages are sent.
    """
    if endpoint.greeting is not None or not session.environment.delivers(endpoint):
        return
    asked = session.speaks_first.get(endpoint.name)
    if asked is None:
        asked = asyncio.create_task(_speaks_first(endpoint, token, session))
        session.speaks_first[endpoint.name] = asked
    # Whoever gives up waiting does not end it for the others.
    await asyncio.shield(asked)


async def _speaks_first(endpoint: WebSocket, token: Secret | None, session: Session) -> bool:
    journey = Journey(endpoint=endpoint.name, user=session.environment.user)
    async with session.acquire("websocket connections"):
        line = await connect(journey, endpoint, token, session, {})
        if line is None:
            return False
        spoke = False
        try:
            if await enter(journey, line, session):
                async with asyncio.timeout(FIRST_WORD_S):
                    await line.receive()
                spoke = True
        except (TimeoutError, ConnectionClosed, Refused):
            pass
        except BaseException:
            line.abort()
            raise
        await close(journey, endpoint, line)
    return spoke


async def _let_speak_first(
    journey: Journey, endpoint: WebSocket, line: Line, session: Session, messages: Heard
) -> None:
    """Waits for the first message of a server that is known to speak first, before anything is sent to it."""
    asked = session.speaks_first.get(endpoint.name)
    if asked is None or not asked.done() or not asked.result():
        return
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(FIRST_WORD_S):
            keep(await line.receive(), journey, messages)


def refuse(journey: Journey, error: Refused) -> None:
    """Notes that the server refused in a message, whenever that came."""
    journey.greeted, journey.refused, journey.error = False, True, scrub(f"refused: {error}")[:300]


def shown(message: str) -> str:
    """As much of a message as a reader needs to see what it is."""
    return scrub(message)[:200]


def keep(message: str | bytes, journey: Journey, messages: Heard) -> None:
    """Keeps a message for its schema; one that is too long to keep is not kept in part, which no schema would fit."""
    if len(message) <= MESSAGE_SAMPLE and len(messages) < MAX_MESSAGES:
        messages[journey.timestamp, text_of(message)] = None


async def listen(line: Line, until: asyncio.Event) -> None:
    """Receives until the event is set.

    Raises:
        ConnectionClosed: the server ended the connection before that.
    """
    ended = asyncio.create_task(until.wait())
    try:
        while not until.is_set():
            receive = asyncio.create_task(line.receive())
            # Where nobody waits for it any more, what it ends with is of no interest.
            receive.add_done_callback(lambda task: task.cancelled() or task.exception())
            done, _ = await asyncio.wait({receive, ended}, return_when=asyncio.FIRST_COMPLETED)
            if receive in done:
                receive.result()
            else:
                receive.cancel()
                # Whoever receives next must be the only one.
                await asyncio.wait({receive})
    finally:
        ended.cancel()
