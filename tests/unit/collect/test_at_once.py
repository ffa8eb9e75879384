"""As many connections as the pace allows are open at once, and each is answered as one alone is."""

from __future__ import annotations

import asyncio
import http
from collections.abc import Callable

import pytest
from asked_more import Handler, ask, echo
from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request, Response

pytestmark = pytest.mark.waits

AT_ONCE = "websocket-at-once"
ONLY = {"message_bytes": 0, "characters": False, "compression": False, "addresses": False, "held": False}
HELLO = {"greeting": {"regex": "^hello$"}, "send_json": None, "expect": None}


def test_connections_that_are_all_answered_pass_and_are_opened_once() -> None:
    most = 0
    here: set[ServerConnection] = set()

    async def count(connection: ServerConnection) -> None:
        nonlocal most
        here.add(connection)
        most = max(most, len(here))
        try:
            await echo(connection)
        finally:
            here.discard(connection)

    found = ask(count, asks=ONLY, concurrency=8)
    assert found.told(AT_ONCE) == ("pass", ""), found.findings[AT_ONCE].statement
    assert "8 of 8 connections open at once were answered" in found.findings[AT_ONCE].statement
    assert found.connections == 13 and most == 8
    assert found.plan == [
        "ws: 5 connections one after the other, then 8 open at once, each with a message; up to 29 if some are not answered"
    ]


def one_at_a_time(*, greets: bool = False) -> Handler:
    """A server that looks at the next connection when the one before is over."""
    turn = asyncio.Lock()

    async def serve_alone(connection: ServerConnection) -> None:
        async with turn:
            if greets:
                await connection.send("hello")
            await echo(connection)

    return serve_alone


def mixing() -> Handler:
    """A server that sends every reply on the connection that was opened last."""
    newest: list[ServerConnection] = []

    async def mix(connection: ServerConnection) -> None:
        newest.append(connection)
        async for message in connection:
            await newest[-1].send(message)
        newest.remove(connection)

    return mix


def dropping() -> Handler:
    """A server that ends an older connection with 1011 whenever there are more than three."""
    here: list[ServerConnection] = []

    async def drop(connection: ServerConnection) -> None:
        here.append(connection)
        if len(here) > 3:
            await here.pop(0).close(1011, "worker lost")
        await echo(connection)
        if connection in here:
            here.remove(connection)

    return drop


def sharing() -> Handler:
    """A server that answers with what was said last on any connection."""
    said: list[str | bytes] = []

    async def share(connection: ServerConnection) -> None:
        async for message in connection:
            said.append(message)
            await asyncio.sleep(0.2)
            await connection.send(said[-1])

    return share


@pytest.mark.slow
@pytest.mark.parametrize(
    ("server", "how"),
    [
        (one_at_a_time, "by silence"),
        (mixing, "by silence"),
        (dropping, "by close 1011 (“worker lost”)"),
        (sharing, "by the reply to another connection"),
    ],
)
def test_connections_that_disturb_each_other_fail(server: Callable[[], Handler], how: str) -> None:
    found = ask(server(), asks=ONLY, concurrency=20, timeout_s=1.0)
    assert found.told(AT_ONCE) == ("fail", "at-once"), found.findings[AT_ONCE].statement
    assert how in found.findings[AT_ONCE].statement, found.findings[AT_ONCE].statement


def test_connections_that_wait_for_each_other_fail_also_where_nothing_may_be_sent() -> None:
    found = ask(one_at_a_time(greets=True), asks=ONLY, concurrency=10, timeout_s=1.0, **HELLO)
    assert found.told(AT_ONCE) == ("fail", "at-once"), found.findings[AT_ONCE].statement
    assert "by no greeting" in found.findings[AT_ONCE].statement


@pytest.mark.parametrize("says", ["503", "429", "1013"])
def test_a_server_that_says_that_it_is_full_is_not_broken(says: str) -> None:
    here: set[ServerConnection] = set()

    def door(connection: ServerConnection, _: Request) -> Response | None:
        full = len(here) >= 6 and says != "1013"
        return connection.respond(http.HTTPStatus(int(says)), "too many") if full else None

    async def few(connection: ServerConnection) -> None:
        if len(here) >= 6:
            await connection.close(1013, "try again later")
            return
        here.add(connection)
        await echo(connection)
        here.discard(connection)

    found = ask(few, asks=ONLY, concurrency=10, server={"process_request": door})
    assert found.told(AT_ONCE) == ("inconclusive", "too-many-at-once"), found.findings[AT_ONCE].statement
    assert "6 of " in found.findings[AT_ONCE].statement and says in found.findings[AT_ONCE].statement


def test_a_server_that_ends_an_older_connection_of_the_same_user_by_name_is_not_broken() -> None:
    here: list[ServerConnection] = []

    async def one_each(connection: ServerConnection) -> None:
        here.append(connection)
        if len(here) > 1:
            await here.pop(0).close(4001, "logged in elsewhere")
        await echo(connection)
        if connection in here:
            here.remove(connection)

    found = ask(one_each, asks=ONLY, concurrency=10)
    assert found.told(AT_ONCE) == ("inconclusive", "too-many-at-once"), found.findings[AT_ONCE].statement
    assert "4001 (“logged in elsewhere”)" in found.findings[AT_ONCE].statement


def test_a_server_that_tells_everybody_what_anybody_says_is_well() -> None:
    here: set[ServerConnection] = set()

    async def room(connection: ServerConnection) -> None:
        here.add(connection)
        async for message in connection:
            for other in list(here):
                await other.send(message)
        here.discard(connection)

    found = ask(room, asks=ONLY, concurrency=6)
    assert found.told(AT_ONCE) == ("pass", ""), found.findings[AT_ONCE].statement


def test_a_pace_of_one_connection_asks_for_none_at_once() -> None:
    found = ask(echo, asks=ONLY, concurrency=1)
    assert AT_ONCE not in found.findings and found.connections == 0


def test_a_server_that_turns_everybody_away_is_not_full_of_us() -> None:
    def away(connection: ServerConnection, request: Request) -> Response:
        return connection.respond(http.HTTPStatus.SERVICE_UNAVAILABLE, "down")

    found = ask(echo, asks=ONLY, concurrency=8, server={"process_request": away})
    assert found.told(AT_ONCE)[0] == "inconclusive", found.findings[AT_ONCE].statement
