"""The messages of a conversation and what answers them: each reply once, in order, unaltered and whole."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from proofbook.collect.session import Session
from proofbook.collect.websocket.dialects import Line
from proofbook.collect.websocket.entering import Heard, keep, shown
from proofbook.collect.websocket.journey import Journey
from proofbook.collect.websocket.messages import Reply, correlate, say, tells_apart, text_of
from proofbook.config.services import WebSocket


async def exchange(
    journey: Journey,
    endpoint: WebSocket,
    expected: Sequence[dict[str, str]],
    line: Line,
    session: Session,
    messages: Heard,
) -> None:
    """Sends the journey's messages and reads until each has its reply, or time is up."""
    open_replies, last_answered = list(range(len(expected))), -1
    others: dict[int, str] = {}
    begun: set[int] = set()
    began = time.perf_counter()
    try:
        # Sending takes as long as the other side takes to read.
        async with asyncio.timeout(session.environment.pace.timeout_s):
            for values in expected:
                await line.send(say(endpoint, values))
                session.done["messages sent"] += 1
                journey.sent += 1
            while open_replies:
                message = await line.receive()
                keep(message, journey, messages)
                reply = correlate(endpoint, message, expected)
                if reply is None:
                    continue
                index = _answered(endpoint, reply, open_replies)
                if not reply.as_expected or not (reply.is_part or index in begun):
                    others.setdefault(index, text_of(message))
                    continue
                journey.reply_s = journey.reply_s or time.perf_counter() - began
                begun.add(index)
                if (reply.ends or index not in open_replies) and _count_reply(
                    journey, index, open_replies, last_answered
                ):
                    last_answered = max(last_answered, index)
    except TimeoutError:
        missing = "a reply that began and did not end" if begun else "no reply"
        journey.error = f"{missing} within {session.environment.pace.timeout_s:g} s"
        journey.heard = shown(line.last_heard)
    finally:
        journey.reply_cut = len(begun.intersection(open_replies))
        altered = [others[index] for index in open_replies if index in others and index not in begun]
        _settle_replies(journey, altered, len(expected))


def _answered(endpoint: WebSocket, reply: Reply, open_replies: Sequence[int]) -> int:
    """The index of the message that a reply answers; an end that bears no id is of the first that is open."""
    if reply.ends and endpoint.ends is not None and not tells_apart(endpoint.ends):
        return open_replies[0]
    return reply.index


def _settle_replies(journey: Journey, altered: Sequence[str], expected: int) -> None:
    """Counts what came instead of replies that did not come as expected, and says whether all came well."""
    journey.replied += len(altered)
    journey.reply_altered += len(altered)
    if altered:
        journey.error, journey.heard = "another reply than expected", shown(altered[0])
    if journey.reply_cut:
        journey.error = journey.error or "a reply that began and did not end"
    journey.reply_lost = expected - journey.replied
    journey.reply_ok = journey.reply_lost == 0 and not (
        journey.reply_altered or journey.reply_duplicated or journey.reply_reordered
    )


def _count_reply(journey: Journey, index: int, open_replies: list[int], last_answered: int) -> bool:
    """Counts a reply to the message of that index; whether it is the first."""
    if index not in open_replies:
        journey.reply_duplicated += 1
        return False
    open_replies.remove(index)
    journey.replied += 1
    journey.reply_reordered += index < last_answered
    return True
