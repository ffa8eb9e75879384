"""Watches a service through a rolling deployment: fresh connections all the time, and sockets held open."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Mapping
from typing import Any

import httpx
import pandas as pd
from websockets.exceptions import ConnectionClosed

from proofbook import probe_marks
from proofbook.collect import answers
from proofbook.collect.connection_errors import describe
from proofbook.collect.services import health as services
from proofbook.collect.session import Session
from proofbook.collect.websocket.connection import close, connect
from proofbook.collect.websocket.dialects import Refused
from proofbook.collect.websocket.entering import listen
from proofbook.collect.websocket.journey import Journey, frame
from proofbook.config.services import Service, WebSocket
from proofbook.evidence.schema import ROLLOUT
from proofbook.redaction.scrubbing import Secret, scrub

MAX_ANSWER_S = 5.0


async def watch(service: Service, *, during: Awaitable[Any], session: Session) -> pd.DataFrame:
    """Asks for the service's health at jittered times while `during` runs, and for `settle_s` after it.

    Returns:
        One row per request: service, timestamp (UTC), at_s (since the start), status (nullable int), ok, error, total_s, revision, trace_id.
    """
    pace = session.environment.rollout
    began = time.perf_counter()
    deployment = asyncio.ensure_future(during)
    asked: list[asyncio.Task[Mapping[str, object]]] = []
    chance = random.Random()
    async with services.client_for(service, session, keep_alive=False) as client:
        ends_at: float | None = None
        while ends_at is None or time.perf_counter() < ends_at:
            asked.append(asyncio.create_task(_ask(service, client, session, began)))
            await asyncio.sleep(chance.uniform(0.5, 1.5) / pace.per_s)
            if ends_at is None and deployment.done():
                ends_at = time.perf_counter() + pace.settle_s
        rows = await asyncio.gather(*asked)
    await deployment
    return ROLLOUT.frame(rows).sort_values("at_s", ignore_index=True)


async def hold(
    endpoint: WebSocket, *, user: str, count: int, until: asyncio.Event, session: Session
) -> pd.DataFrame:
    """Opens `count` sockets and keeps them open until the event is set or the server ends them.

    Returns:
        One row per socket, columns as the fields of Journey; dwell_s is the time held.
    """
    token = await session.token(user)
    journeys = [Journey(endpoint=endpoint.name, user=user) for _ in range(count)]
    await asyncio.gather(*(_hold_one(journey, endpoint, token, until, session) for journey in journeys))
    return frame(journeys)


async def _hold_one(
    journey: Journey, endpoint: WebSocket, token: Secret | None, until: asyncio.Event, session: Session
) -> None:
    async with session.acquire("websocket connections"):
        line = await connect(journey, endpoint, token, session, {})
        if line is None:
            return
    began = time.perf_counter()
    journey.closed_in = "hold"
    try:
        async with asyncio.timeout(session.environment.pace.timeout_s):
            await line.enter()
        await listen(line, until)
    except Refused as error:
        journey.greeted, journey.refused, journey.error = False, True, scrub(f"refused: {error}")[:300]
    except TimeoutError:
        journey.greeted, journey.error = False, "not let in, and not refused"
    except ConnectionClosed:
        pass
    journey.dwell_s = time.perf_counter() - began
    await close(journey, endpoint, line)


async def _ask(
    service: Service, client: httpx.AsyncClient, session: Session, began: float
) -> Mapping[str, object]:
    """One request outside the pace: a watch that waits its turn would not see a gap."""
    session.done["http requests"] += 1
    headers = session.service_headers(service)
    row: dict[str, object] = {
        "service": service.name,
        "timestamp": pd.Timestamp.now("UTC"),
        "at_s": time.perf_counter() - began,
        "status": pd.NA,
        "ok": False,
        "error": "",
        "revision": None,
        "trace_id": probe_marks.trace_sent(headers),
    }
    sent = time.perf_counter()
    try:
        answer = await answers.ask(
            client,
            service.health,
            headers=headers,
            within_s=MAX_ANSWER_S,
            timeout=MAX_ANSWER_S,
            **services.asking(service),
        )
    except httpx.HTTPError as error:
        return {**row, "error": describe(error), "total_s": time.perf_counter() - sent}
    return {
        **row,
        "status": answer.status_code,
        "ok": answer.status_code in service.health_status,
        "revision": services.field_of(service.revision_path, answer),
        "total_s": time.perf_counter() - sent,
    }
