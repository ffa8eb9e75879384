"""Probes the health of a service at every address of its host name, not only at the first that connects."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

import httpx
import pandas as pd
from websockets.proxy import get_proxy
from websockets.uri import parse_uri

from proofbook.collect import answers
from proofbook.collect.connection_errors import describe
from proofbook.collect.services import health
from proofbook.collect.session import Session, is_loopback, side_by_side
from proofbook.collect.websocket.addresses import MORE_TRIES, MOST_ADDRESSES, TRIES, reach
from proofbook.config.services import Service
from proofbook.errors import CouldNotLook
from proofbook.evidence.asked import ASKED, Asks, Reply
from proofbook.redaction.scrubbing import scrub

HEARD_CHARS = 120

Resolve = Callable[[Service, str], Awaitable[Sequence[Any]]]


async def addresses_of(service: Service, url: str) -> Sequence[Any]:
    """The addresses of the host of a URL, as `getaddrinfo` gives them.

    Raises:
        CouldNotLook: it does not resolve.
    """
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        return await asyncio.get_running_loop().getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    except socket.gaierror:
        raise CouldNotLook(
            f"the host of service {service.name!r} ({parts.hostname}) does not resolve; check its url"
        ) from None


async def ask(service: Service, *, session: Session, resolve: Resolve = addresses_of) -> pd.DataFrame:
    """Asks each address for the health page; more often where not all are well.

    Returns:
        The table `asked`: a row for each request; empty where a proxy chooses the address.
    Raises:
        CouldNotLook: the host name does not resolve.
    """
    url = session.service_urls[service.name]
    rows: list[dict[str, object]] = []
    if not is_loopback(url) and get_proxy(parse_uri(url.replace("http", "ws", 1))) is not None:
        return ASKED.frame(rows)
    found = {item[4][0]: item for item in await resolve(service, url)}
    chosen = list(found.values())[:MOST_ADDRESSES]

    async def all_well(tries: int) -> bool:
        asked = await side_by_side(_one(service, item, session) for _ in range(tries) for item in chosen)
        rows.extend(asked)
        return all(row["let_in"] for row in asked)

    if not await all_well(TRIES) and len(chosen) > 1:
        await all_well(MORE_TRIES)
    return ASKED.frame(rows)


async def _one(service: Service, address: Any, session: Session) -> dict[str, object]:
    """The row of one request to that address, by the name that users take."""
    url = urlsplit(session.service_urls[service.name])
    host = f"[{address[4][0]}]" if ":" in address[4][0] else address[4][0]
    shown = f"{url.netloc.rpartition('@')[0]}@" if "@" in url.netloc else ""
    there = url._replace(netloc=f"{shown}{host}:{address[4][1]}").geturl()
    named = service.model_copy(update={"server_name": service.server_name or url.hostname})
    row = _row(service, address[4][0])
    async with (
        health.client_for(named, session, keep_alive=False, at=there) as client,
        session.acquire("http requests"),
    ):
        try:
            answer = await answers.ask(
                client,
                service.health,
                headers=session.service_headers(service),
                within_s=session.environment.pace.timeout_s,
                **health.asking(service),
            )
        except httpx.HTTPError as error:
            reached = await reach(address, timeout_s=session.environment.pace.timeout_s)
            return {**row, "error": describe(error), "detail": reached.value}
    well = health.is_well(answer, service)
    return {
        **row,
        "http_status": answer.status_code,
        "let_in": well,
        "heard": "" if well else scrub(answer.text[:HEARD_CHARS]),
    }


def _row(service: Service, address: str) -> dict[str, object]:
    """A row of a request that had no answer yet."""
    return {
        "endpoint": service.name,
        "asks": Asks.HEALTH_ADDRESS.value,
        "detail": "",
        "connection": 0,
        "timestamp": pd.Timestamp.now("UTC"),
        "address": address,
        "deflate": pd.NA,
        "offered": False,
        "bytes": pd.NA,
        "at_once": 1,
        "upgraded": False,
        "http_status": pd.NA,
        "let_in": False,
        "reply": Reply.NOT_ASKED.value,
        "echoed": pd.NA,
        "close_code": pd.NA,
        "open_s": 0.0,
        "error": "",
        "heard": "",
    }
