"""What an endpoint that nobody described answers to a first word of ours: a dialect, or a refusal of a wrong token. It judges nothing."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from websockets.exceptions import ConnectionClosed

from proofbook.collect.session import Session
from proofbook.collect.websocket.connection import close, connect
from proofbook.collect.websocket.dialects import Line, Refused
from proofbook.collect.websocket.journey import Journey
from proofbook.collect.websocket.messages import correlate, say, text_of, what_to_say
from proofbook.collect.websocket.probes import tamper
from proofbook.config.services import WebSocket
from proofbook.protocol import REFUSED_CODES
from proofbook.redaction.scrubbing import Secret, scrub

# Those that are silent until they are spoken to, and have a question that changes nothing.
ASKED = ("json-rpc", "signalr")
# What JSON-RPC calls an answer; who only sends back what was sent gives none.
_MUST_HOLD = {"json-rpc": r'"(?:result|error)"\s*:'}
ANSWER_WAIT_S = 1.0
# Who is refused at once, or a moment later; and by what most applications know as no more than a sign of life.
WORD = '{"type":"ping"}'
MOST_MESSAGES = 20
_REFUSAL = re.compile(
    r"unauthori[sz]ed|not authori[sz]ed|unauthenticated|not authenticated|(?:authentication|authorization|auth)[ _-](?:failed|failure|required|error)"
    r"|forbidden|access[ _-]denied|permission[ _-]denied|not (?:logged|signed) in|login required"
    r"|(?:invalid|bad|wrong|expired|missing|unknown|no)[ _-](?:access[ _-])?(?:token|jwt|session|credentials?|signature|api[ _-]?key)",
    re.IGNORECASE,
)
# With these a server ends what it has no word for.
_UNNAMED = (1000, 1001, 1005, 1006, 1011)


async def answers_as(endpoint: WebSocket, *, session: Session) -> bool:
    """Whether an endpoint answers the question of its dialect as that dialect demands; one connection."""
    user = session.environment.user
    journey = Journey(endpoint=endpoint.name, user=user)
    async with session.acquire("websocket connections"):
        line = await connect(journey, endpoint, await _token(endpoint, session), session, {})
        if line is None:
            return False
        try:
            async with asyncio.timeout(ANSWER_WAIT_S):
                await line.enter()
                asked = what_to_say(endpoint, user)[:1]
                await line.send(say(endpoint, asked[0]))
                session.done["messages sent"] += 1
                return await _is_answered(line, endpoint, asked)
        except (Refused, ConnectionClosed, OSError):  # a TimeoutError is one
            return False
        finally:
            await close(journey, endpoint, line)


async def _is_answered(line: Line, endpoint: WebSocket, asked: Sequence[dict[str, str]]) -> bool:
    must_hold = _MUST_HOLD.get(endpoint.dialect, "")
    while True:
        message = await line.receive()
        reply = correlate(endpoint, message, asked)
        if reply is not None and reply.as_expected:
            return re.search(must_hold, text_of(message)) is not None


@dataclass(slots=True, kw_only=True)
class _Met:
    """What one token met: whether it was connected, what came before and after our word, and the close code, where it was ended."""

    connected: bool = False
    ended: bool = False
    code: int | None = None
    heard: list[str] = field(default_factory=list)


async def learn_refusal(endpoint: WebSocket, *, session: Session) -> dict[str, object] | None:
    """What `refusal` of [[websocket]] says of a server that connects a wrong token and refuses it at its first message.

    None where it refuses earlier, or treats it as the good one. At most two connections, the wrong token first.
    """
    good = await _token(endpoint, session)
    if good is None:
        return None
    within_s = endpoint.refusal.within_s
    wrong = await _meet(endpoint, Secret(tamper(good.reveal()), issued=True), session, within_s, waits=True)
    if not wrong.connected or not (wrong.ended or wrong.heard):
        return None
    right = await _meet(endpoint, good, session, within_s, waits=False)
    if not right.connected or right.ended:
        return None
    return _learnt(wrong, right)


def _learnt(wrong: _Met, right: _Met) -> dict[str, object] | None:
    """What the wrong token met and the good one did not, as `refusal`.

    >>> _learnt(_Met(ended=True, code=4003), _Met())
    {'send': '{"type":"ping"}', 'close_codes': [4003]}
    >>> _learnt(_Met(heard=['{"error": "Invalid token"}']), _Met(heard=['{"type": "pong"}']))
    {'send': '{"type":"ping"}', 'message': {'regex': 'Invalid token'}}
    >>> _learnt(_Met(heard=["pong"]), _Met(heard=["pong"])) is None
    True
    """
    said = [found[0] for text in wrong.heard if (found := _REFUSAL.search(text))]
    word = next((word for word in said if not any(word in text for text in right.heard)), "")
    if word:
        return {"send": WORD, "message": {"regex": re.escape(word).replace(r"\ ", " ")}}
    if wrong.ended:
        is_named = wrong.code is not None and wrong.code not in (*_UNNAMED, *REFUSED_CODES)
        return {"send": WORD, **({"close_codes": [wrong.code]} if is_named else {})}
    return None


async def _meet(
    endpoint: WebSocket, token: Secret, session: Session, within_s: float, *, waits: bool
) -> _Met:
    """What a token meets after our word. waits: first it is given time to be refused without one, and is then not `connected`."""
    met, journey = _Met(), Journey(endpoint=endpoint.name, user=session.environment.user)
    async with session.acquire("websocket connections"):
        line = await connect(journey, endpoint, token, session, {})
        if line is None:
            return met
        try:
            before = await _hear(line, within_s if waits else ANSWER_WAIT_S)
            met.connected = True
            await line.send(WORD)
            session.done["messages sent"] += 1
            met.heard = [text for text in await _hear(line, within_s) if text not in before]
        except Refused as error:
            met.ended = True
            met.heard.append(scrub(str(error)))
        except (ConnectionClosed, OSError):
            met.ended = met.connected
        finally:
            met.heard += [] if not line.last_heard or line.last_heard in met.heard else [line.last_heard]
            await close(journey, endpoint, line)
        if met.ended:
            met.code = journey.close_code
            met.heard += [journey.close_reason] if journey.close_reason else []
    return met


async def _hear(line: Line, within_s: float) -> list[str]:
    """What is said within a time, or until it refuses in words.

    Raises:
        Refused, ConnectionClosed: the server refuses, or ends the connection.
    """
    heard: list[str] = []
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(within_s):
            while len(heard) < MOST_MESSAGES and not (heard and _REFUSAL.search(heard[-1])):
                heard.append(text_of(await line.receive()))
    return heard


async def _token(endpoint: WebSocket, session: Session) -> Secret | None:
    return await session.token(session.environment.user) if endpoint.token.place != "none" else None
