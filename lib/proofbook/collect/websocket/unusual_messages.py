"""Asks endpoints for messages of other lengths and characters than ordinary ones, with and without compression."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from proofbook.collect.session import Session, side_by_side
from proofbook.collect.websocket.asking import Asker, Opened, length_of, longer, settle
from proofbook.collect.websocket.connection import Way
from proofbook.collect.websocket.messages import what_to_say
from proofbook.config.services import WebSocket
from proofbook.evidence.asked import Asks
from proofbook.protocol import TURNED_DOWN_CODES

# Somewhat beyond 4 KiB, 16 KiB and 64 KiB, where buffers end and lengths are written otherwise, and so on.
FIRST_BYTES, TIMES = 5_000, 4
# By how many bytes UTF-8 writes each character: Latin and Cyrillic; Chinese, Hindi and currencies; emoji.
CHARACTERS = {"2 bytes": "Grüße, Ærø, привет, αβγ", "3 bytes": "你好世界 नमस्ते € ", "4 bytes": "🙂🚀𝄞 👩‍🚀"}  # fmt: skip
# What is not answered once is asked so often again, on a new connection each.
REPEATS = 5
# So often a limit is halved; it is then known to a few per cent.
HALVINGS = 6
WAYS = (Way(), Way(compressed=False))


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One message: of that length, or with those characters."""

    asks: Asks
    size_bytes: int = 0
    characters: str = ""

    @property
    def name(self) -> str:
        """Its `detail`: the length that is wanted, or the characters."""
        return self.characters or str(self.size_bytes)


def sizes_up_to(most_bytes: int) -> list[int]:
    """The lengths that are asked.

    >>> sizes_up_to(70_000), sizes_up_to(0)
    ([5000, 20000, 70000], [])
    """
    sizes, size = [], FIRST_BYTES
    while size < most_bytes:
        sizes.append(size)
        size *= TIMES
    return [*sizes, most_bytes] if most_bytes else []


def most_connections(questions: Sequence[Question]) -> int:
    """How many connections they take at most: one of each way if all is answered."""
    kinds = len({item.asks for item in questions})
    has_sizes = any(item.asks is Asks.SIZE for item in questions)
    return len(WAYS) * kinds * (1 + REPEATS) + (HALVINGS - REPEATS if has_sizes else 0)


def questions_of(endpoint: WebSocket, *, most_bytes: int, characters: bool) -> list[Question]:
    """What an endpoint is asked; nothing where its message holds no text that could be another."""
    if not endpoint.carries_text:
        return []
    asked = [Question(asks=Asks.CHARACTERS, characters=name) for name in CHARACTERS if characters]
    return asked + [Question(asks=Asks.SIZE, size_bytes=size) for size in sizes_up_to(most_bytes)]


async def ask(
    endpoint: WebSocket, questions: Sequence[Question], *, user: str, session: Session
) -> pd.DataFrame:
    """Asks the questions with and without compression, once each as long as all is answered.

    Returns:
        The table `asked`: a row for each message, the first of each connection an ordinary one.
    """
    token = await session.token(user)
    asker = Asker(endpoint=endpoint, user=user, token=token, session=session)
    # At random, so that compression does not make it short, and what is cut or mixed up shows; in words, so that it looks like no secret.
    most_bytes = max(item.size_bytes for item in questions)
    filling = "".join(f" {secrets.token_hex(4)}" for _ in range(-(-most_bytes // 9)))
    it = _Asking(asker=asker, questions=questions, filling=filling)
    for way in WAYS:
        await it.on(way)
        if not it.agreed:
            # Without an agreement both ways are the same.
            break
    return asker.frame()


@dataclass(slots=True, kw_only=True)
class _Asking:
    """The questions to one endpoint.

    agreed: whether the last connection agreed on compression. has_limit: whether a limit was looked for.
    """

    asker: Asker
    questions: Sequence[Question]
    filling: str
    agreed: bool = False
    has_limit: bool = False
    number: int = 0

    async def on(self, way: Way) -> None:
        """Asks until all is answered, or it is known what is not."""
        waiting = list(self.questions)
        while waiting:
            done = await self._converse(way, waiting)
            if done is None or done == len(waiting):
                return
            failed = waiting[done]
            answered = [item.size_bytes for item in waiting[:done]]
            if failed.asks is Asks.SIZE and self._was_turned_down():
                await self._find_limit(way, max(answered, default=0), failed.size_bytes)
                return
            await side_by_side(self._converse(way, [failed]) for _ in range(REPEATS))
            # Which other characters are not answered either, or which lengths, says little more.
            waiting = [item for item in waiting if item.asks is not failed.asks and item.asks is Asks.SIZE]

    async def _find_limit(self, way: Way, low: int, high: int) -> None:
        """Halves between what was answered and what was turned down."""
        if self.has_limit:
            return
        self.has_limit = True
        for _ in range(HALVINGS):
            middle = (low + high) // 2
            done = await self._converse(way, [Question(asks=Asks.SIZE, size_bytes=middle)])
            low, high = (middle, high) if done else (low, middle)

    def _was_turned_down(self) -> bool:
        """Whether the last message was, by a code that says so; silence states no limit."""
        return self.asker.rows[-1]["close_code"] in TURNED_DOWN_CODES

    async def _converse(self, way: Way, questions: Sequence[Question]) -> int | None:
        """How many of the questions were answered on one connection, up to the first that was not; None where an ordinary message was not."""
        asker, self.number = self.asker, self.number + 1
        number, done = self.number, 0
        async with asker.session.acquire("websocket connections"), asker.opened(way) as opened:
            said = self._said(Question(asks=Asks.ORDINARY))
            row = asker.note(Asks.ORDINARY, opened, connection=number, bytes=length_of(asker.endpoint, said))
            self.agreed = bool(opened.journey.deflate)
            if not await self._is_answered(row, opened, said):
                done = -1
            for question in questions if not done else ():
                said = self._said(question)
                row = asker.note(
                    question.asks,
                    opened,
                    connection=number,
                    detail=question.name,
                    bytes=length_of(asker.endpoint, said),
                )
                if not await self._is_answered(row, opened, said):
                    break
                done += 1
        settle(row, opened)
        return None if done < 0 else done

    async def _is_answered(self, row: dict[str, object], opened: Opened, said: dict[str, str]) -> bool:
        """Says it where there is a connection; the row then tells what came back."""
        if opened.line is None:
            return False
        is_ordinary = row["asks"] == Asks.ORDINARY
        heard = await self.asker.ask(opened.line, said, is_ordinary=is_ordinary)
        row |= {"reply": heard.reply.value, "echoed": heard.echoed, "heard": heard.heard}
        return heard.is_well

    def _said(self, question: Question) -> dict[str, str]:
        """The values of a message."""
        (said, *_) = what_to_say(self.asker.endpoint, self.asker.user)
        if question.characters:
            # Letters of ASCII at both ends: what is in between is found, and seen to be altered.
            said["text"] += f" {CHARACTERS[question.characters]} {secrets.token_hex(4)}"
        if question.size_bytes:
            said = longer(self.asker.endpoint, said, size_bytes=question.size_bytes, filling=self.filling)
        return said


def in_words(questions: Sequence[Question]) -> Iterator[str]:
    """What is asked, for the plan."""
    sizes = [item.size_bytes for item in questions if item.asks is Asks.SIZE]
    if sizes:
        yield f"messages of up to {max(sizes):,} bytes"
    if any(item.asks is Asks.CHARACTERS for item in questions):
        yield "of characters beyond ASCII" if sizes else "messages of characters beyond ASCII"
