"""One connection on which more is asked than by ordinary messages, and the rows that it becomes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
from websockets.exceptions import ConnectionClosed

from proofbook.collect.session import Session
from proofbook.collect.websocket.connection import USUAL, Way, close, connect
from proofbook.collect.websocket.dialects import Line, Refused, lets_in_by_name
from proofbook.collect.websocket.entering import enter, greet, listen, refuse, shown
from proofbook.collect.websocket.journey import Journey
from proofbook.collect.websocket.messages import correlate, say, text_of, what_to_say
from proofbook.config.services import WebSocket
from proofbook.evidence.asked import ASKED, Asks, Reply
from proofbook.files import parse_json
from proofbook.redaction.scrubbing import Secret

# What a server says of its own on a message comes at once; its reply may take longer.
OWN_WORDS_S = 1.0
# The beginning of a text by which it is found again, however the rest was altered.
MARK_CHARS = 14


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What came back on a message."""

    reply: Reply
    echoed: bool | None = None
    heard: str = ""

    @property
    def is_well(self) -> bool:
        return self.reply is Reply.AS_EXPECTED


@dataclass(slots=True, kw_only=True)
class Opened:
    """A connection that was tried: its ledger, and the line where it was let in."""

    journey: Journey
    way: Way
    line: Line | None = None
    let_in: bool | None = None
    began: float = field(default_factory=time.perf_counter)
    open_s: float = 0.0


@dataclass(slots=True, kw_only=True)
class Asker:
    """Who asks: what all connections of one endpoint have in common, and the rows so far.

    chatter: kinds of messages that come without being asked for, or beside every reply, so that they are no answer.
    said: the values of what other connections say meanwhile.
    """

    endpoint: WebSocket
    user: str
    token: Secret | None
    session: Session
    rows: list[dict[str, object]] = field(default_factory=list)
    chatter: set[str] = field(default_factory=set)
    said: list[dict[str, str]] = field(default_factory=list)

    @asynccontextmanager
    async def opened(self, way: Way = USUAL) -> AsyncIterator[Opened]:
        """A connection; afterwards its ledger says how it was closed."""
        journey = Journey(endpoint=self.endpoint.name, user=self.user)
        found = Opened(journey=journey, way=way)
        line = await connect(journey, self.endpoint, self.token, self.session, {}, way=way)
        if line is None:
            yield found
            return
        found.began = time.perf_counter()
        try:
            found.let_in = await self._comes_in(journey, line)
            found.line = line if found.let_in else None
            yield found
        except BaseException:
            line.abort()
            raise
        if line.connection.close_code is None:
            found.open_s = time.perf_counter() - found.began
        await close(journey, self.endpoint, line)
        found.open_s = found.open_s or time.perf_counter() - found.began

    async def _comes_in(self, journey: Journey, line: Line) -> bool:
        try:
            if not await enter(journey, line, self.session):
                return False
            if not lets_in_by_name(self.endpoint) or self.endpoint.greeting is not None:
                await greet(journey, self.endpoint, line, self.session, {})
        except Refused as error:
            refuse(journey, error)
        except ConnectionClosed:
            journey.greeted = False
        return journey.greeted is not False

    async def ask(self, line: Line, values: dict[str, str], *, is_ordinary: bool = False) -> Heard:
        """What comes back on a message with these values; a connection that ends is silence."""
        altered = other = anothers = ""
        try:
            async with asyncio.timeout(self.session.environment.pace.timeout_s) as limit:
                await line.send(say(self.endpoint, values))
                self.session.done["messages sent"] += 1
                while True:
                    message = await line.receive()
                    reply, text = correlate(self.endpoint, message, [values]), text_of(message)
                    if reply is not None and reply.as_expected:
                        return Heard(reply=Reply.AS_EXPECTED, echoed=carries(text, values["text"]))
                    if is_ordinary:
                        self.chatter.add(_kind_of(text))
                    elif reply is not None or values["text"][:MARK_CHARS] in text:
                        altered = text
                    elif self.said and correlate(self.endpoint, message, self.said) is not None:
                        anothers = text
                    elif _kind_of(text) not in self.chatter:
                        other = other or text
                        _shorten(limit)
        except (TimeoutError, ConnectionClosed):
            pass
        except Refused as error:
            other = str(error)
        if altered:
            return Heard(reply=Reply.ALTERED, echoed=False, heard=shown(altered))
        if anothers:
            return Heard(reply=Reply.ANOTHERS, echoed=False, heard=shown(anothers))
        return Heard(reply=Reply.OTHER, heard=shown(other)) if other else Heard(reply=Reply.NONE)

    async def is_answered(self, row: dict[str, object], opened: Opened) -> bool:
        """Whether a connection was let in, and answers a message where one may be sent; notes in its row what came back."""
        if opened.line is None or not self.session.environment.delivers(self.endpoint):
            return opened.line is not None
        (said, *_) = what_to_say(self.endpoint, self.user)
        self.said.append(said)
        heard = await self.ask(opened.line, said)
        found: Mapping[str, object] = {
            "bytes": length_of(self.endpoint, said),
            "reply": heard.reply.value,
            "echoed": heard.echoed,
            "heard": heard.heard,
        }
        row |= found
        return heard.is_well

    def note(self, asks: Asks, opened: Opened, **more: Any) -> dict[str, object]:
        """A new row, which `settle` completes once the connection is closed."""
        row: dict[str, object] = {
            "endpoint": self.endpoint.name,
            "asks": asks.value,
            "detail": "",
            "connection": 0,
            "timestamp": pd.Timestamp.now("UTC"),
            "address": "",
            "offered": opened.way.compressed,
            "bytes": None,
            "at_once": 1,
            "reply": Reply.NOT_ASKED.value,
            "echoed": None,
            "heard": "",
            **more,
        }
        self.rows.append(row)
        settle(row, opened)
        return row

    def frame(self) -> pd.DataFrame:
        """The rows as a table."""
        return ASKED.frame(self.rows)


async def stays(opened: Opened, line: Line, until: asyncio.Event) -> bool:
    """Whether a connection that was let in is still open at the event; it is listened to until then."""
    try:
        await listen(line, until)
    except Refused as error:
        refuse(opened.journey, error)
    except ConnectionClosed:
        opened.open_s = time.perf_counter() - opened.began
    return line.connection.close_code is None


def settle(row: dict[str, object], opened: Opened) -> None:
    """Puts into a row what is known of its connection by now."""
    journey = opened.journey
    row |= {
        "deflate": journey.deflate,
        "upgraded": journey.upgraded,
        "http_status": journey.http_status,
        "let_in": opened.let_in,
        "close_code": journey.close_code if journey.closed_by == "server" else None,
        "open_s": opened.open_s,
        "error": journey.error,
        "heard": row["heard"] or journey.heard or journey.close_reason or journey.http_body,
    }


def _shorten(limit: asyncio.Timeout) -> None:
    at = asyncio.get_running_loop().time() + OWN_WORDS_S
    due = limit.when()
    if due is not None and at < due:
        limit.reschedule(at)


def carries(message: str, text: str) -> bool:
    """Whether a message holds a text, as it is or as JSON writes it.

    >>> carries('{"said": "gr\\\\u00fc\\\\u00dfe"}', "grüße"), carries("gr??e", "grüße")
    (True, False)
    """
    if text in message:
        return True
    with contextlib.suppress(ValueError):
        return any(text in found for found in _texts(parse_json(message)))
    return False


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _texts(item)


def _kind_of(message: str) -> str:
    """What kind of message it is: the names in JSON, or the first letters of a text.

    >>> _kind_of('{"tick": 7, "at": 1}') == _kind_of('{"at": 2, "tick": 8}'), _kind_of("tick 7") == _kind_of("tick 8")
    (True, True)
    """
    with contextlib.suppress(ValueError):
        value = parse_json(message)
        if isinstance(value, dict):
            return json.dumps(sorted(value))
    return re.sub(r"[^A-Za-z]+", " ", message)[:20]


def longer(endpoint: WebSocket, values: dict[str, str], *, size_bytes: int, filling: str) -> dict[str, str]:
    """The values with a text so long that the message has about that length."""
    now, more = (
        length_of(endpoint, {**values, "text": text}) for text in (values["text"], f"{values['text']}x")
    )
    missing = max(0, (size_bytes - now) // max(1, more - now))
    return {**values, "text": values["text"] + filling[:missing]}


def length_of(endpoint: WebSocket, values: dict[str, str]) -> int:
    """How many bytes a message with these values has."""
    said = say(endpoint, values)
    return len(said if isinstance(said, bytes) else said.encode())
