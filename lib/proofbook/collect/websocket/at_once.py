"""Opens connections beside each other until as many are open as the pace allows, and asks on all of them at the same time."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pandas as pd

from proofbook.collect.session import Session, side_by_side
from proofbook.collect.websocket.asking import Asker, Opened, settle
from proofbook.collect.websocket.connection import Way
from proofbook.config.services import WebSocket
from proofbook.evidence.asked import Asks
from proofbook.protocol import FULL_CODES, FULL_STATUS

# What fails is tried again, since once may be chance; so many at once are none.
ROUNDS = 3
ALONE = 5
PLAIN = 4


def most_connections(at_once: int) -> int:
    """How many connections it takes at most."""
    return ALONE + ROUNDS * at_once


async def ask(endpoint: WebSocket, *, user: str, session: Session, at_once: int) -> pd.DataFrame:
    """Some connections one after the other, then so many at once: each stays until all have been answered. Once if all are, else some times.

    Returns:
        The table `asked`: a row for each connection. Where the server says that it is full no more are opened.
    """
    token = await session.token(user)
    asker = Asker(endpoint=endpoint, user=user, token=token, session=session)
    alone = 0
    for _ in range(ALONE):
        alone += await _Together(asker=asker, at_once=1).go()
    if not alone:
        # Who turns everybody away is not full of us.
        return asker.frame()
    for _ in range(ROUNDS):
        together = _Together(asker=asker, at_once=at_once)
        failed = at_once - await together.go()
        if not failed or failed >= PLAIN or together.full.is_set():
            break
    return asker.frame()


@dataclass(slots=True, kw_only=True)
class _Together:
    """Connections of one round, which wait for each other.

    full: set where one was turned away as too many, so that those which were not opened yet are not.
    """

    asker: Asker
    at_once: int
    full: asyncio.Event = field(default_factory=asyncio.Event)
    well: int = 0

    async def go(self) -> int:
        """Opens and asks; how many went well."""
        opened, answered = _Meeting(self.at_once), _Meeting(self.at_once)
        await side_by_side(self._one(number, opened, answered) for number in range(self.at_once))
        if self.full.is_set() and self.at_once > 1:
            session = self.asker.session
            await session.back_off(None, host=session.host_of(self.asker.endpoint))
        return self.well

    async def _one(self, number: int, all_open: _Meeting, all_answered: _Meeting) -> None:
        asker = self.asker
        async with asker.session.acquire("websocket connections"):
            if self.full.is_set():
                asker.session.done["websocket connections"] -= 1
                all_open.arrive()
                all_answered.arrive()
                return
            async with asker.opened(Way(backs_off=False)) as opened:
                self._look_whether_full(opened)
                row = asker.note(Asks.AT_ONCE, opened, connection=number, at_once=self.at_once)
                await all_open.wait()
                is_well = await asker.is_answered(row, opened)
                await all_answered.wait()
                is_well = is_well and opened.line is not None and opened.line.connection.close_code is None
            self._look_whether_full(opened)
            settle(row, opened)
            self.well += is_well

    def _look_whether_full(self, opened: Opened) -> None:
        journey = opened.journey
        ended = journey.close_code if journey.closed_by == "server" else None
        if journey.http_status in FULL_STATUS or ended in FULL_CODES:
            self.full.set()


class _Meeting:
    """Where so many wait for each other."""

    def __init__(self, number: int) -> None:
        self._missing = number
        self._all_here = asyncio.Event()

    def arrive(self) -> None:
        """Does not wait for the others."""
        self._missing -= 1
        if self._missing <= 0:
            self._all_here.set()

    async def wait(self) -> None:
        """Waits until all have arrived."""
        self.arrive()
        await self._all_here.wait()
