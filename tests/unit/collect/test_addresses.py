"""Every address of a name is connected to, and one that leads elsewhere is told from one that nobody promised."""

from __future__ import annotations

import asyncio
import contextlib
import http
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from asked_more import ECHO, Handler, ask, ask_at, echo, environment, judge
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from proofbook.collect.session import Session
from proofbook.collect.websocket import addresses
from proofbook.config.case import Case
from proofbook.config.services import WebSocket
from proofbook.judge.findings import Finding

pytestmark = pytest.mark.waits

ADDRESSES = "websocket-addresses"
# Each a loopback address of its own, at which another server may listen on the same port.
GOOD, OTHER, NOBODY = "127.0.0.1", "127.0.0.2", "127.0.0.3"
# An address that this machine has no way to.
FAR = "2001:db8::1"


def not_found(connection: ServerConnection, _: Request) -> Response:
    return connection.respond(http.HTTPStatus.NOT_FOUND, "another server")


async def greets_otherwise(connection: ServerConnection) -> None:
    async for _ in connection:
        await connection.send('{"id": "not yours"}')


def place(address: str, port: int) -> Any:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    rest = (address, port, 0, 0) if ":" in address else (address, port)
    return family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", rest


def found(
    names: Sequence[str], *, host: str = "chat.test", at: dict[str, dict[str, Any]] | None = None
) -> tuple[Finding, pd.DataFrame]:
    """What is found of a name that stands for these addresses, and the table; `at` says what else listens where."""

    async def go() -> tuple[Finding, pd.DataFrame]:
        async with contextlib.AsyncExitStack() as stack:
            first = await stack.enter_async_context(serve(echo, GOOD, 0))
            port = first.sockets[0].getsockname()[1]
            for address, how in (at or {}).items():
                handler: Handler = how.get("handler", echo)
                await stack.enter_async_context(
                    serve(handler, address, port, process_request=how.get("process_request"))
                )
            where = environment(f"ws://{host}:{port}/ws", timeout_s=1.0, **ECHO)

            async def resolve(endpoint: WebSocket, url: str) -> list[Any]:
                return [place(address, port) for address in names]

            session = Session(where, base=Path())
            table = await addresses.ask(where.websockets[0], user="", session=session, resolve=resolve)
        return judge(where, Case.model_validate({"title": "t"}), {"asked": table})[ADDRESSES], table

    return asyncio.run(go())


def told(finding: Finding) -> tuple[str, str]:
    return finding.verdict.value, finding.reason


@pytest.mark.slow
@pytest.mark.parametrize("host", ["chat.test", "localhost"])
@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"process_request": not_found}, "6 of 6 failed, 6 by HTTP 404"),
        ({"handler": greets_otherwise}, "6 of 6 failed, 6 by another message"),
    ],
)
def test_another_server_at_one_of_the_addresses_fails(how: dict[str, Any], says: str, host: str) -> None:
    finding, _ = found([GOOD, OTHER], host=host, at={OTHER: how})
    assert told(finding) == ("fail", "address"), finding.statement
    assert f"{OTHER}: {says}" in finding.statement


def test_an_address_at_which_nobody_listens_fails_where_it_is_published() -> None:
    finding, table = found([GOOD, NOBODY])
    assert told(finding) == ("fail", "address"), finding.statement
    assert f"{NOBODY}: nothing listens there" in finding.statement
    assert len(table) == 2 * (addresses.TRIES + addresses.MORE_TRIES)


@pytest.mark.parametrize("host", ["localhost", "api.localhost"])
def test_a_server_on_one_of_the_addresses_of_localhost_is_well(host: str) -> None:
    finding, _ = found([NOBODY, GOOD], host=host)
    assert told(finding) == ("pass", ""), finding.statement
    assert f"{NOBODY}: nothing listens there" in finding.statement


@pytest.mark.slow
def test_an_address_without_a_way_from_here_is_not_held_against_the_server() -> None:
    finding, _ = found([GOOD, FAR])
    assert told(finding) == ("inconclusive", "no-way"), finding.statement


def test_each_address_that_leads_there_passes_with_few_connections() -> None:
    finding, table = found([GOOD, OTHER], at={OTHER: {}})
    assert told(finding) == ("pass", ""), finding.statement
    assert f"2 of 2 addresses of its name: {GOOD}, {OTHER}" in finding.statement
    assert list(table["address"]) == [GOOD, OTHER] * addresses.TRIES


def test_one_address_alone_passes() -> None:
    finding, table = found([GOOD])
    assert told(finding) == ("pass", "") and len(table) == addresses.TRIES


def test_where_no_address_answers_it_is_another_claim_that_fails() -> None:
    finding, _ = found([NOBODY, "127.0.0.4"])
    assert told(finding) == ("inconclusive", "no-samples"), finding.statement


def test_an_address_that_is_written_has_no_others() -> None:
    asked = ask(echo, asks={"message_bytes": 0, "characters": False, "at_once": False, "held": False})
    assert ADDRESSES not in asked.findings and not asked.plan


def test_the_addresses_of_localhost_are_found_by_the_system() -> None:
    only = {"message_bytes": 0, "characters": False, "at_once": False, "held": False}
    asked = ask(echo, asks=only, host="localhost")
    assert asked.told(ADDRESSES) == ("pass", ""), asked.findings[ADDRESSES].statement
    assert GOOD in asked.findings[ADDRESSES].statement
    assert "2 connections to each of up to 8 addresses of its host name" in asked.plan[0]


def test_a_host_that_does_not_resolve_is_not_our_finding() -> None:
    where = environment("ws://no-such-host.invalid:1/ws", **ECHO)
    with pytest.raises(Exception, match="does not resolve"):
        asyncio.run(ask_at(where, {"message_bytes": 0, "characters": False, "at_once": False, "held": False}))
