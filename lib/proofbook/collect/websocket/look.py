"""A first look at a WebSocket that nobody described: whether it upgrades, lets in and greets, and which dialect it shows. It judges nothing."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from websockets.exceptions import ConnectionClosed

from proofbook.collect.session import Session, side_by_side
from proofbook.collect.websocket.connection import USUAL, Way, close, connect
from proofbook.collect.websocket.dialects import Line, Refused, lets_in_by_name
from proofbook.collect.websocket.journey import Journey
from proofbook.collect.websocket.messages import recognises, text_of
from proofbook.collect.websocket.questions import Questions, back_off_once
from proofbook.config.known_dialects import STATED
from proofbook.config.services import WebSocket
from proofbook.files import parse_json
from proofbook.protocol import UPGRADE_UNSEEN
from proofbook.redaction.scrubbing import Secret, scrub

_TELLING = ("type", "event", "kind", "op", "action", "status")
GREETING_WAIT_S = 1.0
# Who has said nothing for so long is likely to say nothing at all; others are connected meanwhile.
SILENT_S = 0.5
TIMES = 3
# Where some are greeted and others are not.
MOST_TIMES = 8
# A greeting of which only that it came is known.
ANYTHING: dict[str, object] = {"regex": "(?s)."}
# As above, where what is said may be an empty message, or a line that is.
_EVEN_NOTHING: dict[str, object] = {"regex": "^"}
# Known by what it says first, by how it refuses, or by its path.
_FIRST = (
    (r'^\{"type": ?"auth_required", ?"ha_version"', "home-assistant"),
    (r'^0\{"sid"', "socket-io"),
    (r"^INFO \{", "nats"),
    (r'^\{"type":"welcome"\}$', "action-cable"),
    (r'^\{[^{}\[\]]*"jsonrpc"\s*:\s*"2\.0"', "json-rpc"),
)
_REFUSED = ((r"Transport unknown|Unsupported protocol version", "socket-io"),)
_PATHS = ((r"/api/kernels/[^/]+/channels$", "jupyter"), (r"/comms$", "node-red"))
# With these an upgrade is refused for the token, or the address is not that of a WebSocket.
_NOT_BY_PROTOCOL = (200, 401, 403, 404, 410)


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointFacts:
    """What is known of a WebSocket endpoint: whether the upgrade was made, what greets (as `greeting` of [[websocket]]), remarks.

    refused: by name, for the token. let_in: whether the server said so, where its dialect has a word for that. shows: a dialect
    that it seems to speak. asks: whether it may speak one of those that are known by a subprotocol. subprotocol: what it chose.
    speaks_otherwise: whether what it says is nothing of the dialect that is stated.
    """

    upgraded: bool
    refused: bool = False
    let_in: bool = False
    greeting: dict[str, object] | None = None
    remarks: tuple[str, ...] = ()
    shows: str = ""
    asks: bool = False
    subprotocol: str = ""
    speaks_otherwise: bool = False


@dataclass(slots=True, kw_only=True)
class _Try:
    """One connection: its row, and the first message, if one came."""

    journey: Journey
    first: str | bytes | None = None
    let_in: bool = False
    subprotocol: str = ""


async def look(
    endpoint: WebSocket,
    *,
    session: Session,
    times: int = TIMES,
    knows_dialects: bool = True,
    questions: Questions | None = None,
) -> EndpointFacts:
    """Connects a few times and listens for a moment: what every connection is told first is the greeting.

    Args:
        knows_dialects: stops as soon as a dialect shows; else what is said first is a greeting, whatever it looks like.
        questions: asked of who is silent, while others wait for a word.
    """
    token = await _token(endpoint, session)
    where = endpoint.path or "the endpoint"
    by_name = lets_in_by_name(endpoint)
    heard: list[str | bytes | None] = []
    waiting = await _begin(endpoint, token, session, questions, times=times)
    while len(heard) < times or (times > 1 and _is_unsure(heard)):
        tried = waiting.pop(0) if waiting else await _connect(endpoint, token, session)
        shows = _shown(tried, endpoint) if knows_dialects else ""
        if not tried.let_in and (problem := _problem(tried, where, has_token=token is not None)):
            return EndpointFacts(
                upgraded=tried.journey.upgraded,
                refused=tried.journey.refused,
                remarks=(problem,),
                shows=shows,
                subprotocol=tried.subprotocol,
                speaks_otherwise=tried.journey.understood is False,
                asks=not tried.journey.refused and tried.journey.http_status not in _NOT_BY_PROTOCOL,
            )
        if shows or by_name:
            return EndpointFacts(
                upgraded=True, let_in=tried.let_in, shows=shows, subprotocol=tried.subprotocol
            )
        heard.append(tried.first)
    return _as_heard(heard)


async def _begin(
    endpoint: WebSocket, token: Secret | None, session: Session, questions: Questions | None, *, times: int
) -> list[_Try]:
    """The first connection, and where it is told nothing for a moment, as many more as there are to be."""
    is_silent = asyncio.Event()
    first = asyncio.ensure_future(_connect(endpoint, token, session, is_silent=is_silent))
    silence = asyncio.ensure_future(is_silent.wait())
    try:
        await asyncio.wait((first, silence), return_when=asyncio.FIRST_COMPLETED)
        if first.done() or times == 1:
            return [await first]
        others = await _side_by_side(endpoint, token, session, questions, times=times - 1)
        tried = await first
    finally:
        for task in (first, silence):
            task.cancel()
        await asyncio.gather(first, silence, return_exceptions=True)
    # Whom others have replaced is tried again alone, as by a server that ends the older connection for a newer.
    return [] if _is_broken(tried) else [tried, *others]


async def _side_by_side(
    endpoint: WebSocket, token: Secret | None, session: Session, questions: Questions | None, *, times: int
) -> list[_Try]:
    """More connections, each of which waits for a word, and the questions, all at once; none where one of them is turned away, as by a server that takes one at a time."""
    way = Way(backs_off=False)
    work: list[Coroutine[Any, Any, _Try | None]] = [
        _connect(endpoint, token, session, way=way) for _ in range(times)
    ]
    # Behind the others, so that these come first where only a few are taken.
    work += [questions.ask_at_once()] if questions is not None else []
    made = [tried for tried in await side_by_side(work) if tried is not None]
    journeys = [tried.journey for tried in made]
    await back_off_once([*journeys, *(questions.journeys if questions else [])], endpoint, session)
    return [] if any(map(_is_broken, made)) else made


def _is_broken(tried: _Try) -> bool:
    """Whether a connection did not come about or did not last."""
    return bool(_problem(tried, "", has_token=False))


def _is_unsure(heard: Sequence[str | bytes | None]) -> bool:
    """Whether some connections were told something first and others were not, and more of them would tell."""
    return None in heard and any(item is not None for item in heard) and len(heard) < MOST_TIMES


def _as_heard(heard: Sequence[str | bytes | None]) -> EndpointFacts:
    """What first messages say of an endpoint; None stands for a connection that was told nothing.

    Where half of them are told the same kind of message, those that are not lack it. Where fewer are, it comes by chance, as
    what is told to everybody now and then.
    """
    told = [message for message in heard if message is not None]
    if len(told) == len(heard):
        return EndpointFacts(upgraded=True, greeting=greeting_of(told))
    if told and 2 * len(told) >= len(heard):
        greeting = greeting_of(told)
        remark = f"{len(heard) - len(told)} of {len(heard)} connections were not greeted within {GREETING_WAIT_S:g} s"
        if greeting != ANYTHING:
            return EndpointFacts(upgraded=True, greeting=greeting, remarks=(remark,))
    remark = f"{len(told)} of {len(heard)} connections were told something" if told else "it does not greet"
    return EndpointFacts(upgraded=True, remarks=(remark,), asks=not told)


async def says_the_same(endpoint: WebSocket, *, session: Session) -> bool:
    """Whether an endpoint, at a path that must not exist, lets in by name or greets as it does at its own."""
    tried = await _connect(endpoint, await _token(endpoint, session), session)
    if endpoint.greeting is None:
        return tried.let_in
    return tried.first is not None and recognises(endpoint.greeting, tried.first, {})


def is_only_a_path(name: str, path: str) -> bool:
    """Whether nothing but the path speaks for a dialect whose servers say who is let in, so that silence speaks against it.

    >>> is_only_a_path("node-red", "/comms"), is_only_a_path("jupyter", "/api/kernels/1/channels")
    (True, False)
    """
    by_path = any(name == known and re.search(pattern, path) for pattern, known in _PATHS)
    return by_path and "opening" in STATED[name]


async def _token(endpoint: WebSocket, session: Session) -> Secret | None:
    user = session.environment.user
    return await session.token(user) if endpoint.token.place != "none" else None


async def _connect(
    endpoint: WebSocket,
    token: Secret | None,
    session: Session,
    *,
    way: Way = USUAL,
    is_silent: asyncio.Event | None = None,
) -> _Try:
    user = session.environment.user
    tried = _Try(journey=Journey(endpoint=endpoint.name, user=user))
    async with session.acquire("websocket connections"):
        line = await connect(tried.journey, endpoint, token, session, {}, way=way)
        if line is None:
            return tried
        tried.subprotocol = line.connection.subprotocol or ""
        try:
            await _listen(tried, line, within_s=session.environment.pace.timeout_s, is_silent=is_silent)
        except Refused as error:
            tried.journey.refused = True
            tried.journey.error = scrub(f"refused: {error}")[:300]
        except (OSError, ConnectionClosed) as error:  # a TimeoutError is one
            heard = f"; it said {scrub(line.last_heard)[:120]!r}" if line.last_heard else ""
            tried.journey.error = (
                "" if isinstance(error, ConnectionClosed) else f"{str(error) or 'it does not let in'}{heard}"
            )
        await close(tried.journey, endpoint, line)
    return tried


async def _listen(tried: _Try, line: Line, *, within_s: float, is_silent: asyncio.Event | None) -> None:
    """Waits to be let in, and for a word; is_silent is set where none came for a moment."""
    async with asyncio.timeout(within_s):
        tried.let_in = await line.enter()
    if tried.let_in:
        return
    silence = (is_silent or asyncio.Event()).set
    after_a_moment = asyncio.get_running_loop().call_later(SILENT_S, silence)
    try:
        async with asyncio.timeout(GREETING_WAIT_S):
            tried.first = await line.receive()
    except TimeoutError:
        return
    finally:
        after_a_moment.cancel()


def _shown(tried: _Try, endpoint: WebSocket) -> str:
    """The dialect that a connection shows: by what was said first, how it was refused, or the path."""
    said = text_of(tried.first) if tried.first is not None else ""
    looked_at = ((said, _FIRST), (tried.journey.http_body, _REFUSED), (endpoint.path or "", _PATHS))
    return next(
        (name for text, known in looked_at for pattern, name in known if re.search(pattern, text)), ""
    )


def _problem(tried: _Try, where: str, *, has_token: bool) -> str:
    """Why a connection did not come about or did not last, in words; nothing where it did."""
    journey = tried.journey
    if not journey.upgraded:
        return _no_upgrade(journey, where, has_token=has_token)
    code = journey.close_code if journey.closed_by == "server" else None
    closes = f"{where} closes with {code} {journey.close_reason}".strip()
    if journey.refused:
        says = f"{where} says: {journey.error}" if journey.error else closes
        return f"{says}: " + ("it wants another token" if has_token else "name a token with --token-env")
    if code is not None and code not in (1000, 1001):
        return f"{closes} at once"
    return f"{where}: {journey.error}" if journey.error else ""


def greeting_of(messages: Sequence[str | bytes]) -> dict[str, object]:
    """What first messages have in common, as `greeting` of [[websocket]]: fields of JSON, the text itself, or that there is one.

    Only what says which kind of message it is: whatever else was the same a few times, such as the name of an instance, may
    be another the next time.

    >>> greeting_of(['{"type": "hello", "node": "a"}', '{"type": "hello", "node": "a"}'])
    {'json': {'type': 'hello'}}
    >>> greeting_of(['{"node": "a"}', '{"node": "a"}'])
    {'regex': '"node"\\\\s*:'}
    >>> greeting_of(["welcome", "welcome"]), greeting_of(["Hi!", "Hi! You are the first today."])
    ({'regex': '^welcome\\\\b'}, {'regex': '^Hi!'})
    """
    texts = [
        message if isinstance(message, str) else message.decode("utf-8", "replace") for message in messages
    ]
    if not all(text.strip() for text in texts):
        return _EVEN_NOTHING
    try:
        parsed = [_scalars(parse_json(text)) for text in texts]
    except ValueError:
        parsed = []
    if parsed and all(parsed):
        common = {
            path: value
            for path, value in parsed[0].items()
            if all(other.get(path) == value for other in parsed) and _is_telling(path, value)
        }
        chosen = sorted(common, key=lambda path: (_rank(path), path.count("."), path))[:2]
        if chosen:
            return {"json": {path: common[path] for path in chosen}}
        key = next((key for key in parsed[0] if "." not in key and all(key in other for other in parsed)), "")
        if key:
            return {"regex": rf'"{key}"\s*:'}
    words = {text.split()[0] for text in texts if text.split()}
    if all(isinstance(message, str) for message in messages) and len(words) == 1:
        (word,) = words
        # What was all of it a few times may be followed by more the next time.
        if re.fullmatch(r"[^\W\d_]{2,40}\W?", word) or (set(texts) == {word} and len(word) <= 80):
            return {"regex": f"^{re.escape(word)}" + (r"\b" if word[-1].isalnum() else "")}
    return ANYTHING


def _scalars(value: Any) -> dict[str, object]:
    """Texts and truth values of a JSON object and of the objects in it, by JMESPath."""
    if not isinstance(value, dict):
        return {}
    found: dict[str, object] = {}
    for key, item in value.items():
        if not re.fullmatch(r"[A-Za-z_]\w*", key):
            continue
        if isinstance(item, str | bool):
            found[key] = item
        elif isinstance(item, dict):
            found |= {
                f"{key}.{inner}": more
                for inner, more in item.items()
                if isinstance(more, str | bool) and re.fullmatch(r"[A-Za-z_]\w*", inner)
            }
    return found


def _is_telling(path: str, value: Any) -> bool:
    """Whether it says which kind of message it is, and is no id or time, which would be another next time."""
    if _rank(path) == len(_TELLING) and not isinstance(value, bool):
        return False
    return not isinstance(value, str) or (len(value) <= 60 and not re.search(r"\d{4}|[0-9a-f]{8}", value))


def _rank(path: str) -> int:
    last = path.rpartition(".")[2]
    return _TELLING.index(last) if last in _TELLING else len(_TELLING)


def _no_upgrade(journey: Journey, where: str, *, has_token: bool) -> str:
    """An upgrade that was not made, in a sentence that says what to do."""
    status = journey.http_status
    if status is None:
        return f"{where} cannot be connected to: {journey.error}"
    does = {
        200: "answers as a page (200), not as a WebSocket: is the path right?",
        401: "refuses the token (401): is it a good one?"
        if has_token
        else "wants a token (401): name one with --token-env",
        403: "refuses (403): is the token a good one, and the path right?"
        if has_token
        else "refuses (403): name the token with --token-env, or the origin with --origin",
        404: "is not there (404): is the path right?",
        426: "asks for an upgrade that it did not see (426): something in between takes the Upgrade header away",
    }
    body = " ".join(journey.http_body.split())[:120]
    said = f"; it says: {body!r}" if body and not body.startswith("<") else ""
    if status != 426 and 400 <= status < 500 and re.search(UPGRADE_UNSEEN, body, re.IGNORECASE):
        return f"{where} {does[426].replace('426', str(status))}{said}"
    if status in does:
        return f"{where} {does[status]}{'' if status == 200 else said}"
    if 300 <= status < 400:
        return f"{where} sends elsewhere ({status}): name the address that it sends to"
    return f"{where} refuses the upgrade ({status}){said}"
