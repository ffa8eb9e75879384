"""What breaks in real incidents while a request is served: a dependency, a query, a queue, a limit. Each breaks by itself, and small."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from proofbook.rehearsal import defects

SEARCH_S = 0.15
SLOW_QUERY_S = 0.3
QUEUE_SIZE = 20
LIMIT_PER_S = 8
# Nobody listens there.
CLOSED_PORT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """What a request met. said: its line in the log. status: of the answer; None where it is served all the same."""

    said: str
    status: int | None = None


async def met() -> Trouble | None:
    """What a request for threads meets; None where nothing is in its way."""
    for name, meet in _MEETINGS.items():
        if defects.strikes(name):
            return await meet()
    return None


async def _search_is_silent() -> Trouble | None:
    try:
        async with asyncio.timeout(SEARCH_S):
            await asyncio.get_running_loop().create_future()
    except TimeoutError:
        return Trouble(
            said=f"[ERROR] Search index did not answer within {SEARCH_S * 1000:.0f} ms, giving up", status=504
        )
    return None


async def _previews_are_asked_for() -> Trouble | None:
    try:
        raise NotImplementedError("previews of archived threads")
    except NotImplementedError:
        return Trouble(said=f"[ERROR] Flag thread-previews is on\n{traceback.format_exc()}", status=500)


async def _column_is_asked_for() -> Trouble | None:
    with contextlib.closing(sqlite3.connect(":memory:")) as database:
        database.execute("CREATE TABLE threads (id TEXT, title TEXT)")
        try:
            database.execute("SELECT id, title, archived_at FROM threads")
        except sqlite3.OperationalError:
            return Trouble(said=f"[ERROR] Threads could not be read\n{traceback.format_exc()}", status=500)
    return None


async def _table_is_locked() -> Trouble | None:
    shared = "file:threads?mode=memory&cache=shared"
    with (
        contextlib.closing(sqlite3.connect(shared, uri=True, isolation_level=None)) as job,
        contextlib.closing(sqlite3.connect(shared, uri=True, timeout=0)) as ours,
    ):
        job.execute("CREATE TABLE threads (id TEXT, title TEXT)")
        job.execute("BEGIN IMMEDIATE")
        job.execute("INSERT INTO threads VALUES ('t-1', 'First')")
        try:
            ours.execute("SELECT id, title FROM threads")
        except sqlite3.OperationalError as error:
            return Trouble(said=f"[ERROR] Threads could not be read: {error}", status=503)
    return None


_events: asyncio.Queue[str] = asyncio.Queue(QUEUE_SIZE)


async def _event_is_queued() -> Trouble | None:
    """Nobody takes what is queued."""
    try:
        _events.put_nowait("threads listed")
    except asyncio.QueueFull:
        return Trouble(said=f"[ERROR] Audit event was dropped\n{traceback.format_exc()}")
    return None


_admitted: list[float] = []


async def _limit_is_asked() -> Trouble | None:
    now = time.monotonic()
    _admitted[:] = [at for at in _admitted if now - at < 1]
    if len(_admitted) < LIMIT_PER_S:
        _admitted.append(now)
        return None
    return Trouble(said=f"[WARNING] Limit of {LIMIT_PER_S} requests a second is exceeded", status=503)


async def _query_is_slow() -> Trouble | None:
    await asyncio.sleep(SLOW_QUERY_S)
    return Trouble(said=f"[WARNING] Slow query ({SLOW_QUERY_S * 1000:.0f} ms): SELECT id, title FROM threads")


async def _cache_is_asked() -> Trouble | None:
    try:
        await asyncio.open_connection("127.0.0.1", CLOSED_PORT)
    except OSError:
        return Trouble(said=f"[ERROR] Cache is not reachable, database is read\n{traceback.format_exc()}")
    return None


_MEETINGS: dict[str, Callable[[], Awaitable[Trouble | None]]] = {
    "dependency-times-out": _search_is_silent,
    "flag-turned-on": _previews_are_asked_for,
    "column-missing": _column_is_asked_for,
    "database-locked": _table_is_locked,
    "queue-full": _event_is_queued,
    "limit-too-tight": _limit_is_asked,
    "slow-query": _query_is_slow,
    "cache-refuses": _cache_is_asked,
}
