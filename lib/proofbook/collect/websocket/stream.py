"""What is sent and heard on one open connection: frames taken apart into messages, and heartbeats answered."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping

from websockets.asyncio.client import ClientConnection

from proofbook.collect.websocket.messages import recognises, say, text_of
from proofbook.config.conversation import Conversation


class Refused(Exception):
    """The server refused by name, in a message; its text is the reason."""


class Stream:
    """An open connection as messages of its endpoint's protocol.

    A message that ends with the separator may come in several frames, and a frame may hold several. What `answers` of the
    endpoint answer is answered here and not given. `last` is the last message heard, for a reader who waited for another.
    """

    def __init__(self, connection: ClientConnection, spoken: Conversation, values: Mapping[str, str]) -> None:
        self._connection, self._spoken, self._values = connection, spoken, values
        self._whole: deque[str | bytes] = deque()
        self._part = ""
        self._last = ""

    @property
    def last(self) -> str:
        """The last message heard, or what came of one that has not ended."""
        return self._last or self._part

    @property
    def close_code(self) -> int | None:
        return self._connection.close_code

    async def send(self, message: str | bytes) -> None:
        """Sends a message, and what ends it."""
        if isinstance(message, str):
            message += self._spoken.separator
        await self._connection.send(message)

    async def recv(self) -> str | bytes:
        """The next message that is no heartbeat.

        Raises:
            Refused: it says that the server refuses.
        """
        while True:
            message = await self._next()
            self._last = text_of(message)
            refusal = self._spoken.refusal.message
            if refusal is not None and recognises(refusal, message, self._values):
                raise Refused(" ".join(self.last.split()))
            answer = next(
                (item for item in self._spoken.answers if recognises(item.to, message, self._values)), None
            )
            if answer is None:
                return message
            await self.send(say(answer, self._values))

    async def _next(self) -> str | bytes:
        while not self._whole:
            frame = await self._connection.recv()
            if not self._spoken.separator:
                return frame
            *whole, self._part = (self._part + text_of(frame)).split(self._spoken.separator)
            self._whole.extend(item for item in whole if item.strip())
            # Where a flood is never waited for, nobody else has a turn.
            await asyncio.sleep(0)
        return self._whole.popleft()
