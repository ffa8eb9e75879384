"""Probes WebSocket endpoints: whole journeys, bad tokens, and user ids."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence

import pandas as pd
from websockets.exceptions import ConnectionClosed

from proofbook.collect import forged_tokens
from proofbook.collect.rate_limit import TOO_MANY, asks_for_less
from proofbook.collect.session import Session, side_by_side
from proofbook.collect.websocket.connection import close, connect
from proofbook.collect.websocket.dialects import Line, Refused, lets_in_by_name, refuses
from proofbook.collect.websocket.entering import (
    Heard,
    enter,
    find_who_speaks_first,
    greet,
    keep,
    refuse,
    shown,
)
from proofbook.collect.websocket.exchange import exchange
from proofbook.collect.websocket.journey import Journey, frame
from proofbook.collect.websocket.messages import correlate, tells_apart, text_of, what_to_say
from proofbook.config.environment import Environment
from proofbook.config.services import WebSocket
from proofbook.errors import ExtensionError
from proofbook.evidence.schema import MESSAGES
from proofbook.protocol import UNMARKED_KINDS, TokenKind, shows_test_header, tampered_with
from proofbook.redaction.scrubbing import Secret

# As many as each kind of unmarked probe makes.
UNMARKED_JOURNEYS = 10
# With the good token, at a path that must not exist, and as each user id.
TRIES = 5
# With bad tokens of all kinds: one instance of twenty that lets any in is then seen in nineteen of twenty runs.
BAD_TRIES = 60


async def make_journeys(
    endpoint: WebSocket,
    *,
    user: str,
    session: Session,
    checkpoints: Sequence[int],
    decided: Callable[[Sequence[Journey]], bool],
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Connects, sends, reads and dwells until `decided(journeys)`, which is asked at the checkpoints only.

    Returns:
        The journeys (one row each, columns as the fields of Journey) and the messages received (endpoint, body, connected).
    """
    token = await session.token(user)
    await find_who_speaks_first(endpoint, token, session)
    journeys: list[Journey] = []
    messages: Heard = {}
    for checkpoint in checkpoints:
        batch = [Journey(endpoint=endpoint.name, user=user) for _ in range(checkpoint - len(journeys))]
        await side_by_side(_run_journey(journey, endpoint, token, session, messages) for journey in batch)
        journeys += batch
        if decided(journeys):
            break
    received = MESSAGES.frame([(endpoint.name, body, connected) for connected, body in messages])
    return frame(journeys), received


async def make_unmarked_journeys(
    endpoint: WebSocket, *, user: str, session: Session, count: int = UNMARKED_JOURNEYS
) -> pd.DataFrame:
    """Journeys that carry no mark of a probe and no header that only tests send: what ordinary users meet, `count` of each kind.

    Returns:
        One row per journey, columns as the fields of Journey; token_kind is one of UNMARKED_KINDS.
    """
    token = await session.token(user)
    await find_who_speaks_first(endpoint, token, session)
    journeys = [
        Journey(endpoint=endpoint.name, user=user, token_kind=kind)
        for _ in range(count)
        for kind in UNMARKED_KINDS
    ]
    await side_by_side(_run_journey(journey, endpoint, token, session, {}) for journey in journeys)
    return frame(journeys)


def token_kinds(endpoint: WebSocket, environment: Environment) -> list[str]:
    """The kinds of token that `try_tokens` tries, each as often as the others."""
    login = environment.login
    kinds: list[str] = [TokenKind.GOOD, *([] if endpoint.any_path else [TokenKind.AT_UNKNOWN_PATH])]
    if login is not None and login.expired is not None:
        kinds.append(TokenKind.EXPIRED)
    if login is not None and login.wrong_audience is not None:
        kinds.append(TokenKind.WRONG_AUDIENCE)
    if login is not None and login.without_right is not None:
        kinds.append(TokenKind.WITHOUT_RIGHT)
    if not endpoint.token.is_message or environment.delivers(endpoint) or _acknowledges(endpoint):
        # Who waits for a first message waits also where none is shown, which tells nothing unless one may speak.
        kinds.append(TokenKind.MISSING)
    if login is not None:
        # Those that are forged are tried where the good one turns out to be one that can be.
        kinds += [
            TokenKind.TAMPERED,
            TokenKind.UNSIGNED,
            TokenKind.OTHER_KEY,
            *(tampered_with(name) for name in endpoint.test_headers),
        ]
    return kinds


def tries_of(kinds: Sequence[str], *, bad: int = BAD_TRIES) -> dict[str, int]:
    """How often each kind is tried: together so many bad ones, but none less often than a good one."""
    wrong = [kind for kind in kinds if not TokenKind.is_good_kind(kind)]
    # Those beside a header that only tests send are a question of their own.
    counted = [kind for kind in wrong if not shows_test_header(kind)]
    each = max(min(bad, TRIES), -(-bad // max(1, len(counted))))
    return {kind: each if kind in wrong else min(bad, TRIES) for kind in kinds}


def _acknowledges(endpoint: WebSocket) -> bool:
    """Whether the server says who is let in; False where its dialect cannot be used."""
    try:
        return lets_in_by_name(endpoint)
    except ExtensionError:
        return False


async def try_tokens(
    endpoint: WebSocket, *, user: str, session: Session, bad: int = BAD_TRIES
) -> pd.DataFrame:
    """Tries so many bad tokens beside the good one; every header that only tests send, with a bad token; and a path that must not exist.

    Returns:
        One row per try, columns as the fields of Journey; token_kind is one of `token_kinds`.
    """
    good = await session.token(user)
    tampered: list[Secret | None] = [None]
    if good is not None:
        tampered = [Secret(one, issued=True) for one in forged_tokens.tampered(good.reveal())]
        if endpoint.token.place != "subprotocol":
            # What a server compares with that was never given a token; as a subprotocol nothing is empty.
            tampered.append(Secret(""))
    shown = _tokens_by_kind(good, session)
    extra = {tampered_with(name): {name: value} for name, value in endpoint.test_headers.items()}
    kinds = [kind for kind in token_kinds(endpoint, session.environment) if shown.get(kind, tampered)]
    journeys = [
        (Journey(endpoint=endpoint.name, user=user, token_kind=kind), shown.get(kind, tampered), number)
        for kind, tries in tries_of(kinds, bad=bad).items()
        for number in range(tries)
    ]
    # By turns, so that good ones are let in while bad ones are refused.
    journeys.sort(key=lambda item: item[2])
    await side_by_side(
        _probe_auth(
            journey, endpoint, tokens[number % len(tokens)], session, extra.get(journey.token_kind, {})
        )
        for journey, tokens, number in journeys
    )
    return frame([journey for journey, _, _ in journeys])


def _tokens_by_kind(good: Secret | None, session: Session) -> dict[str, list[Secret | None]]:
    """The tokens that are tried of each kind but those that are the good one, altered."""
    shown: dict[str, list[Secret | None]] = {
        TokenKind.GOOD: [good],
        TokenKind.AT_UNKNOWN_PATH: [good],
        TokenKind.MISSING: [None],
        **{kind: [token] for kind, token in session.bad_tokens.items()},
    }
    if good is None:
        return shown
    forged = {
        TokenKind.UNSIGNED: forged_tokens.unsigned,
        TokenKind.OTHER_KEY: forged_tokens.signed_by_another,
    }
    for kind, make in forged.items():
        shown[kind] = [Secret(one, issued=True) for one in make(good.reveal())]
    return shown


async def try_identities(
    endpoint: WebSocket, users: Sequence[str], *, session: Session, tries: int = TRIES
) -> pd.DataFrame:
    """Logs in as each user id and connects; the rows are those of `try_tokens`, with token_kind `good`."""
    journeys: list[Journey] = []
    for user in users:
        token = await session.token(user)
        if token is None:
            continue
        batch = [Journey(endpoint=endpoint.name, user=user) for _ in range(tries)]
        await side_by_side(_probe_auth(journey, endpoint, token, session, {}) for journey in batch)
        journeys += batch
    return frame(journeys)


async def _run_journey(
    journey: Journey, endpoint: WebSocket, token: Secret | None, session: Session, messages: Heard
) -> None:
    """The whole way: connect, greeting, send, read, dwell, close."""
    async with session.acquire("websocket connections"):
        journey.timestamp = pd.Timestamp.now("UTC")
        line = await connect(journey, endpoint, token, session, {})
        if line is None:
            return
        try:
            journey.closed_in = "greeting"
            if not await enter(journey, line, session):
                await close(journey, endpoint, line)
                return
            await greet(journey, endpoint, line, session, messages)
            said: list[dict[str, str]] = []
            if session.environment.delivers(endpoint) and journey.greeted is not False:
                journey.closed_in = "reply"
                said = what_to_say(endpoint, journey.user)
                await exchange(journey, endpoint, said, line, session, messages)
            journey.closed_in = "dwell"
            await _dwell(journey, endpoint, said, line, messages)
        except Refused as error:
            refuse(journey, error)
        except ConnectionClosed:
            pass
        except BaseException:
            line.abort()
            raise
        await close(journey, endpoint, line)
        if journey.closed_by == "server" and asks_for_less(None, {}, journey.close_reason):
            host = session.host_of(endpoint)
            await session.back_off(None, host=host, status=journey.close_code or TOO_MANY)


async def _probe_auth(
    journey: Journey, endpoint: WebSocket, token: Secret | None, session: Session, extra: dict[str, str]
) -> None:
    """Connects and looks whether one is let in: a greeting, or half a second without being thrown out.

    Where the token is the first message neither says so: then only a reply tells. Who was told something is let in only if it is
    not thrown out by name afterwards either: a server may look at the token later.
    """
    async with session.acquire("websocket connections"):
        journey.timestamp = pd.Timestamp.now("UTC")
        line = await connect(journey, endpoint, token, session, extra)
        if line is None:
            return
        try:
            journey.closed_in = "greeting"
            if await enter(journey, line, session):
                await _look_whether_let_in(journey, endpoint, line, session)
                # Who was told something, even another thing than those who are let in, may still be thrown out by name.
                was_told = journey.greeted or journey.greeting_s is not None
                if was_told and not TokenKind.is_good_kind(journey.token_kind):
                    await _wait_for_refusal(endpoint, line)
                elif was_told and journey.token_kind == TokenKind.GOOD:
                    # A good token that is refused as late as bad ones are is none.
                    journey.greeted = not await _is_refused(endpoint, line)
        except Refused as error:
            refuse(journey, error)
        except ConnectionClosed:
            journey.greeted = False
        except BaseException:
            line.abort()
            raise
        await close(journey, endpoint, line)


async def _heard_so_far(line: Line) -> str:
    """A message that came meanwhile; empty where none did.

    Raises:
        Refused, ConnectionClosed: it was a refusal, or an end.
    """
    try:
        async with asyncio.timeout(0.01):
            return shown(text_of(await line.receive()))
    except TimeoutError:
        return ""


async def _wait_for_refusal(endpoint: WebSocket, line: Line) -> None:
    """Listens as long as a refusal may take.

    Raises:
        Refused, ConnectionClosed: it came.
    """
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(endpoint.refusal.within_s):
            while True:
                await line.receive()


async def _is_refused(endpoint: WebSocket, line: Line) -> bool:
    """Whether who was let in is thrown out by name as late as a refusal may come; any other end is no refusal."""
    try:
        await _wait_for_refusal(endpoint, line)
    except ConnectionClosed:
        return refuses(endpoint, None, line.connection.close_code)
    return False


async def _look_whether_let_in(journey: Journey, endpoint: WebSocket, line: Line, session: Session) -> None:
    acknowledged = journey.greeted is True
    if endpoint.greeting is not None:
        await greet(journey, endpoint, line, session, {})
    elif not acknowledged:
        await asyncio.sleep(0.5)
        journey.greeted = line.connection.close_code is None
        journey.heard = await _heard_so_far(line)
    if acknowledged or not journey.greeted:
        return
    if endpoint.token.is_message:
        journey.greeted = await _is_served(journey, endpoint, line, session)
    elif session.environment.delivers(endpoint):
        # A server may let everybody connect, and refuse at the first message.
        served = await _is_served(journey, endpoint, line, session)
        journey.greeted = True if served is None and TokenKind.is_good_kind(journey.token_kind) else served
    elif endpoint.refusal.send is not None:
        await line.send(endpoint.refusal.send)
        session.done["messages sent"] += 1
        if TokenKind.is_good_kind(journey.token_kind):
            # A bad one is waited for in any case.
            await _wait_for_refusal(endpoint, line)


async def _is_served(journey: Journey, endpoint: WebSocket, line: Line, session: Session) -> bool | None:
    """Whether somebody who was not thrown out is let in; None where that cannot be told."""
    if session.environment.delivers(endpoint):
        said = what_to_say(endpoint, journey.user)[:1]
        await exchange(journey, endpoint, said, line, session, {})
        return True if journey.replied else None
    await asyncio.sleep(0.5)
    if line.connection.close_code is not None:
        return False
    return True if journey.token_kind == TokenKind.GOOD else None


async def _dwell(
    journey: Journey,
    endpoint: WebSocket,
    said: Sequence[dict[str, str]],
    line: Line,
    messages: Heard,
) -> None:
    """Stays and listens: a close or a second reply that comes late is seen."""
    began = time.perf_counter()
    try:
        async with asyncio.timeout(endpoint.dwell_s):
            while True:
                message = await line.receive()
                keep(message, journey, messages)
                reply = correlate(endpoint, message, said) if said else None
                if reply is not None and reply.as_expected and tells_apart(endpoint.expect):
                    journey.reply_duplicated += 1
                    journey.reply_ok = False
    except TimeoutError:
        pass
    finally:
        journey.dwell_s = time.perf_counter() - began
