"""How an endpoint that nobody described refuses a wrong token: at once, late, or at a first word of ours. It judges nothing."""

from __future__ import annotations

import asyncio
import contextlib
import math
import re
import time
from dataclasses import dataclass, field

from websockets.exceptions import ConnectionClosed

from proofbook.collect import forged_tokens
from proofbook.collect.session import Session
from proofbook.collect.websocket.connection import close, connect
from proofbook.collect.websocket.dialects import Line, Refused
from proofbook.collect.websocket.journey import Journey
from proofbook.collect.websocket.messages import text_of
from proofbook.config.services import WebSocket
from proofbook.protocol import FULL_STATUS, REFUSED_CODES, REFUSED_STATUS
from proofbook.redaction.scrubbing import Secret, scrub

# Who is refused at once, or a moment later; and by what most applications know as no more than a sign of life.
WORD = '{"type":"ping"}'
MOST_MESSAGES = 20
# A server may look at a token where it takes its time, and have said a word before; for longer nobody calls it a refusal.
LATEST_S = 6.0
_REFUSAL = re.compile(
    r"unauthori[sz]ed|auth_invalid|not authori[sz]ed|unauthenticated|not authenticated|(?:authentication|authorization|auth)[ _-](?:failed|failure|required|error)"
    r"|forbidden|access[ _-]denied|permission[ _-]denied|not (?:logged|signed) in|login required"
    r"|(?:invalid|bad|wrong|expired|missing|unknown|no)[ _-](?:access[ _-])?(?:token|jwt|session|credentials?|password|signature|api[ _-]?key)",
    re.IGNORECASE,
)
# That who was connected is nobody in particular: let in as everybody is, and not by his token.
_NOBODY = re.compile(
    r':\s*"(?:guest|anonymous|anon|visitor|unauthenticated)"|"(?:is_?)?(?:guest|anonymous)"\s*:\s*true|"(?:is_?)?(?:authenticated|authorized|logged_?in)"\s*:\s*false',
    re.IGNORECASE,
)
# With these a server ends what it has no word for.
_UNNAMED = (1000, 1001, 1005, 1006, 1011)


@dataclass(slots=True, kw_only=True)
class _Met:
    """What one token met: whether it was connected for as long as it may take to refuse it, what came after our word (heard) and
    before, the status of an upgrade that was not made, and the close code, where it was ended. after_s: when it was, where it was not yet connected.
    """

    connected: bool = False
    ended: bool = False
    status: int | None = None
    code: int | None = None
    reason: str = ""
    after_s: float = 0.0
    heard: list[str] = field(default_factory=list)
    before: list[str] = field(default_factory=list)


async def learn_refusal(endpoint: WebSocket, *, session: Session) -> dict[str, object] | None:
    """What `refusal` of [[websocket]] says of a server that refuses a wrong token in words or by a code of its own, at once or at its first message.

    None where it refuses in a way that everybody knows, or treats it as the good one. At most two connections, the wrong token first.
    """
    good = await _token(endpoint, session)
    if good is None:
        return None
    within_s = endpoint.refusal.within_s
    altered = Secret(forged_tokens.tamper(good.reveal()), issued=True)
    wrong = await _meet(endpoint, altered, session, LATEST_S)
    late: dict[str, object] = (
        {"within_s": float(math.ceil(2 * wrong.after_s))} if 2 * wrong.after_s > within_s else {}
    )
    as_nobody = next((found[0] for text in wrong.before if (found := _NOBODY.search(text))), "")
    if _is_known(wrong) and not as_nobody:
        return late if wrong.ended and late else None
    right = await _meet(endpoint, good, session, max(within_s, wrong.after_s), speaks=wrong.connected)
    if not right.connected:
        return None
    if as_nobody and not any(_NOBODY.search(text) for text in right.before):
        return {"message": {"regex": re.escape(as_nobody)}, **late}
    if not wrong.connected:
        learnt = _learnt_at_once(wrong, right)
        return learnt and {**learnt, **late}
    # Who refuses the good token as well at its first message does not look at it where it is shown.
    return _learnt(wrong, _Met() if right.ended or _refuses(right) else right)


def _is_known(wrong: _Met) -> bool:
    """Whether there is nothing to learn: it was not refused, or by what says so everywhere, or it failed."""
    if wrong.connected:
        return not (wrong.ended or wrong.heard)
    if wrong.status is not None:
        return wrong.status in REFUSED_STATUS or wrong.status in FULL_STATUS or wrong.status >= 500
    return not wrong.ended or wrong.code in REFUSED_CODES


def _refuses(met: _Met) -> bool:
    return any(_REFUSAL.search(text) for text in met.heard)


def _learnt_at_once(wrong: _Met, right: _Met) -> dict[str, object] | None:
    """What the wrong token met before our first word, as `refusal`.

    >>> _learnt_at_once(_Met(status=404), _Met(connected=True))
    {'http_status': [404]}
    >>> _learnt_at_once(_Met(ended=True, code=1000, heard=["auth_invalid: Invalid password"]), _Met(connected=True))
    {'message': {'regex': 'auth_invalid'}}
    >>> _learnt_at_once(_Met(ended=True, code=1011), _Met(connected=True)) is None
    True
    """
    if right.ended:
        return None
    if wrong.status is not None:
        return {"http_status": [wrong.status]}
    if _REFUSAL.search(wrong.reason):
        # By its reason it is a refusal, whatever its code says.
        return {"close_codes": [wrong.code]}
    learnt = _learnt(wrong, right) or {}
    return {key: value for key, value in learnt.items() if key != "send"} or None


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
    endpoint: WebSocket, token: Secret, session: Session, within_s: float, *, speaks: bool = True
) -> _Met:
    """What a token meets: in the time that it may take to refuse it, and after our word. speaks: whether one is said."""
    met, journey = _Met(), Journey(endpoint=endpoint.name, user=session.environment.user)
    async with session.acquire("websocket connections"):
        line = await connect(journey, endpoint, token, session, {})
        if line is None:
            met.status = journey.http_status
            return met
        began = time.perf_counter()
        before: list[str] = []
        after: list[str] = []
        try:
            await _hear(line, before, within_s)
            met.connected = True
            if speaks:
                await line.send(WORD)
                session.done["messages sent"] += 1
                await _hear(line, after, within_s)
        except Refused as error:
            met.ended = True
            after.append(scrub(str(error)))
        except (ConnectionClosed, OSError):
            met.ended = True
        finally:
            met.after_s = 0.0 if met.connected else time.perf_counter() - began
            met.before = before
            met.heard = [text for text in after if text not in before] if met.connected else [*before, *after]
            met.heard += [] if not line.last_heard or line.last_heard in met.heard else [line.last_heard]
            await close(journey, endpoint, line)
        if met.ended:
            met.code, met.reason = journey.close_code, journey.close_reason or ""
            met.heard += [met.reason] if met.reason else []
    return met


async def _hear(line: Line, heard: list[str], within_s: float) -> None:
    """Adds what is said within a time, or until it refuses in words.

    Raises:
        Refused, ConnectionClosed: the server refuses, or ends the connection.
    """
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(within_s):
            while len(heard) < MOST_MESSAGES and not (heard and _REFUSAL.search(heard[-1])):
                heard.append(text_of(await line.receive()))


async def _token(endpoint: WebSocket, session: Session) -> Secret | None:
    return await session.token(session.environment.user) if endpoint.token.place != "none" else None
