"""Connects to every address of an endpoint's host name, and not to the first that takes a connection alone."""

from __future__ import annotations

import asyncio
import errno
import socket as sockets
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pandas as pd
from websockets.proxy import get_proxy
from websockets.uri import parse_uri

from proofbook.collect.session import Session, is_loopback, side_by_side
from proofbook.collect.websocket.asking import Asker, length_of, settle
from proofbook.collect.websocket.connection import Way, addresses_of
from proofbook.collect.websocket.messages import what_to_say
from proofbook.config.services import WebSocket
from proofbook.evidence.asked import Asks, Reach

MOST_ADDRESSES = 8
TRIES = 2
# Where one of them fails, each is tried so often more.
MORE_TRIES = 4
# What says that the way there is not open from here.
_NO_WAY = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.ENETDOWN)

Resolve = Callable[[WebSocket, str], Awaitable[Sequence[Any]]]


async def ask(
    endpoint: WebSocket, *, user: str, session: Session, resolve: Resolve = addresses_of
) -> pd.DataFrame:
    """Connects to each address, with a message where some may be sent; more often where not all are well.

    Returns:
        The table `asked`: a row for each connection; empty where a proxy chooses the address.
    """
    token = await session.token(user)
    asker = Asker(endpoint=endpoint, user=user, token=token, session=session)
    url = session.socket_urls[endpoint.name]
    if not is_loopback(url) and get_proxy(parse_uri(url)) is not None:
        return asker.frame()
    found = {item[4][0]: item for item in await resolve(endpoint, url)}
    chosen = list(found.values())[:MOST_ADDRESSES]
    if not await _all_well(asker, chosen, tries=TRIES) and len(chosen) > 1:
        await _all_well(asker, chosen, tries=MORE_TRIES)
    return asker.frame()


async def _all_well(asker: Asker, addresses: Sequence[Any], *, tries: int) -> bool:
    return all(await side_by_side(_one(asker, item) for _ in range(tries) for item in addresses))


async def _one(asker: Asker, address: Any) -> bool:
    """Whether a connection to that address went well."""
    async with asker.session.acquire("websocket connections"):
        async with asker.opened(Way(address=address)) as opened:
            row = asker.note(Asks.ADDRESS, opened, address=address[4][0])
            is_well = opened.line is not None
            if opened.line is not None and asker.session.environment.delivers(asker.endpoint):
                (said, *_) = what_to_say(asker.endpoint, asker.user)
                heard = await asker.ask(opened.line, said)
                row |= {
                    "bytes": length_of(asker.endpoint, said),
                    "reply": heard.reply.value,
                    "heard": heard.heard,
                }
                is_well = heard.is_well
        settle(row, opened)
        if not opened.journey.upgraded and opened.journey.http_status is None:
            timeout_s = asker.session.environment.pace.timeout_s
            row["detail"] = (await reach(address, timeout_s=timeout_s)).value
        return is_well


async def reach(address: Any, *, timeout_s: float) -> Reach:
    """How far one comes to an address that gave no answer."""
    family, kind, protocol, _, place = address
    try:
        with sockets.socket(family, kind, protocol) as plain:
            plain.setblocking(False)
            async with asyncio.timeout(timeout_s):
                await asyncio.get_running_loop().sock_connect(plain, place)
    except TimeoutError:
        return Reach.SILENT
    except OSError as error:
        if error.errno == errno.ECONNREFUSED:
            return Reach.CLOSED
        return Reach.NO_WAY if error.errno in _NO_WAY else Reach.SILENT
    return Reach.OPEN
