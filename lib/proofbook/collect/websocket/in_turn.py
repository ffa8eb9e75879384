"""Connections that are made while nothing of ours is open, in turn with several beside each other.

A server may reject a client for what the client has open already, which no single user meets. When that was cannot be told from
the times of probes that overlap: a server learns of an end as late as it likes. So it is asked again, with the order known.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack

import numpy as np
import pandas as pd

from proofbook import connections
from proofbook.collect.registry import Recorded
from proofbook.collect.session import Session
from proofbook.collect.websocket.asking import Asker, Opened, settle, stays
from proofbook.collect.websocket.connection import Way
from proofbook.config.environment import Environment
from proofbook.config.services import WebSocket
from proofbook.evidence.asked import ASKED, Asks
from proofbook.evidence.schema import WEBSOCKET

TURNS = 3
# In each turn, before those that are beside each other.
ALONE = 3
# A server notices an end some time after the client; one that takes its time over an upgrade takes it over this, too.
LEAST_PAUSE_S, MOST_PAUSE_S, UPGRADES_LONG = 0.5, 2.0, 2
# Beside each other where some are let in and hear nothing: each takes as long as is waited for a word.
MOST_SILENT = 3
# Repeated with a longer pause if one that is alone is rejected.
LONGER = (1, 3)
# How long at most it is waited until one is let in again.
LET_IN_WITHIN_S = 6.0
# To be rejected is what is tried: it slows nothing down.
_WAY = Way(backs_off=False)


def most_connections(at_once: int) -> int:
    """How many connections it takes at most, without those that find out when one is let in again."""
    return len(LONGER) * TURNS * (ALONE + at_once)


async def ask(
    endpoint: WebSocket, *, environment: Environment, session: Session, recorded: Recorded
) -> pd.DataFrame:
    """Some connections alone, then as many as the pace allows, each opened when the one before has been decided on; and again.

    recorded: what was collected. Nothing is asked unless some of ours came in, and all that did not were rejected by name, as a client
    is that is not wanted; or however they failed, where the address names one client for all of them. It ends early if one alone is
    rejected as well, or none beside others.

    Returns:
        The table `asked`: a row for each connection, in their order.
    """
    token = await session.token(environment.user)
    asker = Asker(endpoint=endpoint, user=environment.user, token=token, session=session)
    at_once = _in_question(endpoint, environment, recorded)
    if not at_once:
        return asker.frame()
    pause_s = _pause_s(recorded[WEBSOCKET.name], endpoint)
    for longer in LONGER:
        asker.rows.clear()
        if await _are_well_alone(asker, longer * pause_s, at_once):
            break
    return asker.frame()


async def _are_well_alone(asker: Asker, pause_s: float, at_once: int) -> bool:
    """Whether none that was alone is rejected; one may be if the pause was too short for the server to notice an end."""
    for _ in range(TURNS):
        if not await _until_let_in(asker, pause_s):
            return True
        for _ in range(ALONE):
            await asyncio.sleep(pause_s)
            if not await _beside_each_other(asker, 1):
                return False
        await asyncio.sleep(pause_s)
        if await _beside_each_other(asker, at_once) == at_once:
            break
    return True


def _in_question(endpoint: WebSocket, environment: Environment, recorded: Recorded) -> int:
    """How many are to be opened beside each other; 0 unless some were let in, and those that failed may have for the others' sake."""
    rows = recorded.get(WEBSOCKET.name)
    at_once = environment.pace.concurrency
    if rows is None or at_once < 2:
        return 0
    rows = rows[rows["endpoint"] == endpoint.name]
    good = connections.connected(rows, endpoint, max_connection_s=environment.rollout.max_connection_s)
    failed = rows[~good]
    if failed.empty or not (good.any() or any(_let_in(recorded, endpoint))):
        return 0
    if connections.perhaps_full(failed).all():
        return at_once
    return min(at_once, MOST_SILENT) if connections.client_named_by(endpoint) else 0


def _let_in(recorded: Recorded, endpoint: WebSocket) -> Iterator[bool]:
    rows = recorded.get(ASKED.name)
    if rows is not None:
        yield bool(rows.loc[rows["endpoint"] == endpoint.name, "let_in"].fillna(False).any())


def _pause_s(rows: pd.DataFrame, endpoint: WebSocket) -> float:
    took_s = rows.loc[rows["endpoint"] == endpoint.name, "upgrade_s"].dropna().to_numpy(dtype=float)
    longest_s = float(np.quantile(took_s, 0.9)) if took_s.size else 0.0
    return min(MOST_PAUSE_S, max(LEAST_PAUSE_S, UPGRADES_LONG * longest_s))


async def _until_let_in(asker: Asker, pause_s: float) -> bool:
    """Whether one is let in soon, once all of ours are closed; those that are tried for it count for nothing."""
    loop = asyncio.get_running_loop()
    until = loop.time() + LET_IN_WITHIN_S + pause_s
    while loop.time() < until:
        await asyncio.sleep(pause_s)
        async with asker.session.acquire("websocket connections"), asker.opened(_WAY) as opened:
            if opened.line is not None:
                return True
    return False


async def _beside_each_other(asker: Asker, count: int) -> int:
    """Opens so many one after the other, and closes none before all have been tried and have dwelt; how many went well."""
    tried: list[tuple[dict[str, object], Opened]] = []
    async with AsyncExitStack() as stack:
        for number in range(count):
            await stack.enter_async_context(asker.session.acquire("websocket connections"))
            opened = await stack.enter_async_context(asker.opened(_WAY))
            row = asker.note(Asks.IN_TURN, opened, connection=number, at_once=count)
            await asker.is_answered(row, opened)
            tried.append((row, opened))
        over = asyncio.Event()
        asyncio.get_running_loop().call_later(asker.endpoint.dwell_s, over.set)
        open_ = [(opened, opened.line) for _, opened in tried if opened.line is not None]
        await asyncio.gather(*(stays(opened, line, over) for opened, line in open_))
    for row, opened in tried:
        settle(row, opened)
    left = (None, *connections.normal_codes(asker.endpoint))
    return sum(bool(row["let_in"]) and row["close_code"] in left for row, _ in tried)
