"""Holds connections open beside everything else that is asked, says nothing on them, and asks at the end whether they still answer."""

from __future__ import annotations

import asyncio
import time

import pandas as pd

from proofbook.collect.session import Session, side_by_side
from proofbook.collect.websocket.asking import Asker, Opened, length_of, settle, stays
from proofbook.collect.websocket.dialects import Line
from proofbook.collect.websocket.messages import what_to_say
from proofbook.config.services import WebSocket
from proofbook.evidence.asked import Asks

# One message may be lost by chance.
MESSAGES = 3


async def ask(
    endpoint: WebSocket, *, user: str, session: Session, count: int, until: asyncio.Event, least_s: float
) -> pd.DataFrame:
    """Holds so many until the event is set, and at least so long; each keeps its place within the pace.

    Returns:
        The table `asked`: a row for each connection.
    """
    token = await session.token(user)
    asker = Asker(endpoint=endpoint, user=user, token=token, session=session)
    await side_by_side(_hold(asker, number, until, least_s) for number in range(count))
    return asker.frame()


async def _hold(asker: Asker, number: int, until: asyncio.Event, least_s: float) -> None:
    async with asker.session.acquire("websocket connections"):
        async with asker.opened() as opened:
            row = asker.note(Asks.HELD, opened, connection=number)
            if opened.line is not None and await _stays(opened, opened.line, until, least_s):
                await _ask_at_the_end(asker, opened.line, row)
        settle(row, opened)


async def _stays(opened: Opened, line: Line, until: asyncio.Event, least_s: float) -> bool:
    """Whether it is still open when it is over."""
    over = asyncio.Event()

    async def end() -> None:
        await until.wait()
        await asyncio.sleep(max(0.0, least_s - (time.perf_counter() - opened.began)))
        over.set()

    ending = asyncio.create_task(end())
    try:
        return await stays(opened, line, over)
    finally:
        ending.cancel()


async def _ask_at_the_end(asker: Asker, line: Line, row: dict[str, object]) -> None:
    if not asker.session.environment.delivers(asker.endpoint):
        return
    for _ in range(MESSAGES):
        (said, *_) = what_to_say(asker.endpoint, asker.user)
        heard = await asker.ask(line, said)
        row |= {"bytes": length_of(asker.endpoint, said), "reply": heard.reply.value, "heard": heard.heard}
        if heard.is_well or line.connection.close_code is not None:
            return
