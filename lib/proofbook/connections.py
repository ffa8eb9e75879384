"""When a connection counts as made, by its columns: one definition for collectors and judges."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, unquote, urlsplit

import pandas as pd

from proofbook.config.case import Case
from proofbook.config.environment import Environment
from proofbook.config.services import WebSocket
from proofbook.protocol import FULL_CODES, FULL_STATUS, TURNED_DOWN_CODES

# Normal closure, and going away: what a server may mean well. Whether it does, only the environment can say.
CLEAN_CODES = (1000, 1001)
# Parameters of an address by which a server may know a client again, and what stands for another one on each connection.
_OF_A_CLIENT = re.compile(
    r"(?i)id|(?:.*[-_.])?(?:uid|uuid|guid|(?:user|client|peer|device|session|socket|player|member|participant|connection)(?:[-_]?(?:u?id|name))?|sid|name|nick(?:name)?|login|account)"
)
NEW_ID = "{id}"
# An intermediary that cuts by age is not exact to the millisecond.
_NEARLY = 0.95


# Of each endpoint, where the pace has room for them beside the rest.
HELD = 2


def held_of_each(environment: Environment, case: Case) -> int:
    """How many connections of each endpoint are held beside the rest: none where they would take more than half of the pace."""
    wanted = HELD * len(environment.websockets)
    return HELD if case.asks.held and 0 < 2 * wanted <= environment.pace.concurrency else 0


def most_at_once(environment: Environment, case: Case) -> int:
    """How many connections are open at once beside those that are held; 0 where that is not asked."""
    room = environment.pace.concurrency - len(environment.websockets) * held_of_each(environment, case)
    return room if case.asks.at_once and room > 1 else 0


def normal_codes(socket: WebSocket) -> tuple[int, ...]:
    """Close codes with which a server ends a connection that was made: those that are stated, else those that it may mean well."""
    return CLEAN_CODES if socket.normal_close_codes is None else tuple(socket.normal_close_codes)


def connected(rows: pd.DataFrame, socket: WebSocket, *, max_connection_s: float | None = None) -> pd.Series:
    """Whether each row of `websocket` is a connection that was made: upgraded, greeted where a greeting is expected, and not thrown out.

    A connection that the server ends before the probe does was not one, whatever it said before; unless the environment
    calls that end normal. max_connection_s: the age at which the platform ends every connection.
    """
    thrown_out = ended_by_server(rows) & ~rows["close_code"].isin(normal_codes(socket)).fillna(False).astype(
        bool
    )
    if max_connection_s is not None:
        thrown_out &= rows["dwell_s"] < _NEARLY * max_connection_s
    # Where no greeting is expected, a dialect may still say that one is not let in.
    greeted = rows["greeted"].fillna(socket.greeting is None).astype(bool)
    return rows["upgraded"].astype(bool) & ~thrown_out & greeted


def ended_unasked(rows: pd.DataFrame, socket: WebSocket) -> pd.Series:
    """Whether each connection was ended by the server with a clean code that nobody has called normal."""
    if socket.normal_close_codes is not None:
        return pd.Series(False, index=rows.index)
    return ended_by_server(rows) & rows["close_code"].isin(CLEAN_CODES).fillna(False).astype(bool)


def ended_by_server(rows: pd.DataFrame) -> pd.Series:
    """Whether each connection was closed, reset or broken off by the server."""
    return rows["upgraded"].astype(bool) & rows["closed_by"].eq("server")


def client_named_by(socket: WebSocket) -> str:
    """The parameter of the address by which the server may take all probes for one client; empty where there is none, or each probe has its own value.

    >>> client_named_by(WebSocket(service="a", path="/peers?id=p1")), client_named_by(WebSocket(service="a", path="/ws", query={"v": "3"}))
    ('id', '')
    >>> client_named_by(WebSocket(service="a", path="/ws?roomId=1")), client_named_by(WebSocket(service="a", path="/ws?clientId=1"))
    ('', 'clientId')
    """
    written = urlsplit(socket.path or (socket.url.text if socket.url is not None else "") or "").query
    stated = {**dict(parse_qsl(written)), **{name: value.text or "" for name, value in socket.query.items()}}
    return next((name for name, value in stated.items() if _OF_A_CLIENT.fullmatch(name) and NEW_ID not in unquote(value)), "")  # fmt: skip


def perhaps_full(rows: pd.DataFrame) -> pd.Series:
    """Whether each was turned away by a status or a close code as one that is not wanted, and not because anything is broken.

    503 counts: some proxies say so that a client has too many open. Whether it was that, only a connection that is alone can tell.
    """
    status = rows["http_status"]
    by_status = (status.between(400, 499) & status.ne(404)) | status.isin(FULL_STATUS)
    by_code = rows["close_code"].isin((*FULL_CODES, *TURNED_DOWN_CODES))
    return (by_status | by_code).fillna(False).astype(bool)
