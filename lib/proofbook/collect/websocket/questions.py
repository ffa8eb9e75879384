"""What a WebSocket that says nothing by itself is asked to find out which dialect it speaks. It judges nothing."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from websockets.exceptions import ConnectionClosed

from proofbook.collect.rate_limit import asks_for_less
from proofbook.collect.session import Session
from proofbook.collect.websocket.connection import USUAL, Way, close, connect
from proofbook.collect.websocket.dialects import Line, Refused
from proofbook.collect.websocket.journey import Journey
from proofbook.collect.websocket.messages import correlate, say, text_of, what_to_say
from proofbook.config.services import WebSocket
from proofbook.redaction.scrubbing import Secret

# Those whose name says how they are spoken; a server chooses among what is offered.
SUBPROTOCOLS = {
    "graphql-transport-ws": "graphql-transport-ws",
    "actioncable-v1-json": "action-cable",
    "v12.stomp": "stomp",
    "v11.stomp": "stomp",
    "mqtt": "mqtt",
}
# Of no protocol: a server that chooses one of these chooses the first or the last, whatever it is.
_NOBODYS = ("none.first", "none.last")
# Those that are silent until they are spoken to, and have a question, or a way to come in, that changes nothing.
ASKED = ("json-rpc", "signalr", "stomp", "mqtt")
# What JSON-RPC calls an answer; who only sends back what was sent gives none.
_MUST_HOLD = {"json-rpc": r'"(?:result|error)"\s*:'}
# As no other server says it.
_REFUSES_AS = {"stomp": r"^\s*ERROR\s(?s:.*)\bmessage:", "mqtt": "^CONNACK "}
ANSWER_WAIT_S = 1.0


@dataclass(slots=True, kw_only=True)
class Questions:
    """What an endpoint is asked for its dialect: which subprotocol it chooses of all, and then a question in each dialect that has one.

    Args:
        in_dialect: the endpoint as it is spoken to in a dialect.
    """

    endpoint: WebSocket
    session: Session
    in_dialect: Callable[[str], WebSocket]
    # Of what is asked at once.
    journeys: list[Journey] = field(default_factory=list)
    # Empty where it chooses none; None where it was not asked, or turned us away.
    _chosen: str | None = None
    # None where it turned us away or hung up.
    _answers: dict[str, bool | None] = field(default_factory=dict)

    async def ask_at_once(self) -> None:
        """Asks beside whatever else is connected. That it is too much at a time is for the caller to heed: `back_off_once`."""
        self._chosen = await self._choose(Way(backs_off=False))
        if not self._chosen:
            await self._ask_each()

    async def dialect(self, *, upgraded: bool) -> str:
        """The dialect of the subprotocol that it chooses, else the first in which it answers; empty where it shows none.

        Whom it turned away, or hung up on, while others were connected asks again alone.

        Args:
            upgraded: whether it ever connected us; else it is only offered subprotocols.
        """
        if self._chosen is None:
            self._chosen = await self._choose(USUAL)
        if self._chosen or not upgraded:
            return self._chosen or ""
        if not self._answers:
            await self._ask_each()
            await back_off_once(self.journeys, self.endpoint, self.session)
        if answered := next((name for name in ASKED if self._answers.get(name)), ""):
            return answered
        for name in ASKED:
            if self._answers.get(name) is None and await self._is_answered(name, USUAL):
                return name
        return ""

    async def _ask_each(self) -> None:
        """Asks in each dialect until one answers before which none does; all at once, since each answer is waited for."""
        way = Way(backs_off=False)
        questions = {name: asyncio.ensure_future(self._is_answered(name, way)) for name in ASKED}
        try:
            for name, question in questions.items():
                self._answers[name] = await question
                if self._answers[name]:
                    return
        finally:
            for question in questions.values():
                question.cancel()
            await asyncio.gather(*questions.values(), return_exceptions=True)

    async def _choose(self, way: Way) -> str | None:
        """The dialect of the subprotocol that it chooses of all that are known; empty where it chooses none, None where it turns us away."""
        offered = self.endpoint.model_copy(update={"subprotocols": [_NOBODYS[0], *SUBPROTOCOLS, _NOBODYS[1]]})
        journey = self._journey()
        async with self.session.acquire("websocket connections"):
            line = await connect(journey, offered, await self._token(offered), self.session, {}, way=way)
            if line is None:
                return None
            await close(journey, offered, line)
            return SUBPROTOCOLS.get(line.connection.subprotocol or "", "")

    async def _is_answered(self, name: str, way: Way) -> bool | None:
        """Whether it answers the question of a dialect as that demands; None where it turns us away or hangs up."""
        endpoint, journey = self.in_dialect(name), self._journey()
        async with self.session.acquire("websocket connections"):
            line = await connect(journey, endpoint, await self._token(endpoint), self.session, {}, way=way)
            if line is None:
                return None
            try:
                async with asyncio.timeout(ANSWER_WAIT_S):
                    return await self._is_told(line, endpoint)
            except Refused as error:
                # Who refuses in the words of the dialect speaks it.
                return re.search(_REFUSES_AS.get(name, "$."), str(error)) is not None
            except TimeoutError:
                return False
            except (ConnectionClosed, OSError):
                return None
            finally:
                await close(journey, endpoint, line)

    async def _is_told(self, line: Line, endpoint: WebSocket) -> bool:
        """Whether it lets in as the dialect demands, or answers. Ends only then, or with the connection."""
        if await line.enter() and endpoint.expect is None:
            return True
        asked = what_to_say(endpoint, self.session.environment.user)[:1]
        await line.send(say(endpoint, asked[0]))
        self.session.done["messages sent"] += 1
        must_hold = _MUST_HOLD.get(endpoint.dialect, "")
        while True:
            message = await line.receive()
            reply = correlate(endpoint, message, asked)
            if reply is not None and reply.as_expected:
                return re.search(must_hold, text_of(message)) is not None

    def _journey(self) -> Journey:
        journey = Journey(endpoint=self.endpoint.name, user=self.session.environment.user)
        self.journeys.append(journey)
        return journey

    async def _token(self, endpoint: WebSocket) -> Secret | None:
        user = self.session.environment.user
        return await self.session.token(user) if endpoint.token.place != "none" else None


async def back_off_once(journeys: Sequence[Journey], endpoint: WebSocket, session: Session) -> None:
    """Backs off once if any of several connections that were made at once was rate limited, however many were."""
    if any(asks_for_less(journey.http_status, {}, journey.http_body) for journey in journeys):
        await session.back_off(None, host=session.host_of(endpoint))
