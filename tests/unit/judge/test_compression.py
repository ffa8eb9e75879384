"""Connections with permessage-deflate and without are compared; who is refused an upgrade is another matter."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from asked_more import ECHO, Handler, echo, environment, judge
from websockets.asyncio.server import ServerConnection, serve

from proofbook.collect.session import Session
from proofbook.collect.websocket import probes
from proofbook.config.case import Case
from proofbook.judge.findings import Finding

COMPRESSION = "websocket-compression"
CASE = Case.model_validate({"title": "t"})


def recorded(handler: Handler, **server: Any) -> tuple[dict[str, pd.DataFrame], Finding]:
    """The connections to a server, and the finding."""

    async def go() -> tuple[dict[str, pd.DataFrame], Finding]:
        async with serve(handler, "127.0.0.1", 0, **server) as serving:
            port = serving.sockets[0].getsockname()[1]
            where = environment(f"ws://127.0.0.1:{port}/ws", **ECHO)
            session, socket = Session(where, base=Path()), where.websockets[0]
            made, _ = await probes.make_journeys(
                socket, user="", session=session, checkpoints=(20,), decided=lambda _: True
            )
            shadow = await probes.make_unmarked_journeys(socket, user="", session=session)
        tables = {"websocket": made, "shadow": shadow}
        return tables, judge(where, CASE, tables, only=COMPRESSION)[COMPRESSION]

    return asyncio.run(go())


def breaking(*, compressed: bool) -> Handler:
    """A server that ends connections at the first message, if they are compressed, or if they are not."""

    async def answer(connection: ServerConnection) -> None:
        if bool(connection.protocol.extensions) is compressed:
            await connection.recv()
            await connection.close(1011, "internal error")
        else:
            await echo(connection)

    return answer


@pytest.mark.parametrize(("compressed", "which"), [(True, "with"), (False, "without")])
def test_a_server_that_fails_in_one_of_the_ways_fails(compressed: bool, which: str) -> None:
    _, finding = recorded(breaking(compressed=compressed))
    assert (finding.verdict.value, finding.reason) == ("fail", "compression"), finding.statement
    count = 40 if compressed else 10
    assert f"0 of {count} connections {which} permessage-deflate went well, {count} ended with close 1011" in finding.statement  # fmt: skip


def test_a_server_that_works_in_both_ways_passes_and_fails_where_all_without_it_broke() -> None:
    tables, finding = recorded(echo)
    assert (finding.verdict.value, finding.reason) == ("pass", ""), finding.statement
    assert "40 of 40 connections with permessage-deflate went well; 10 of 10" in finding.statement
    assert tables["websocket"]["deflate"].all()
    assert [control.mutants for control in finding.controls if control.kind == "mutation"] == ["1 of 1"]


def test_a_server_that_does_not_compress_passes() -> None:
    _, finding = recorded(echo, compression=None)
    assert (finding.verdict.value, finding.reason) == ("pass", ""), finding.statement
    assert "the server agrees to none with it" in finding.statement


@pytest.mark.slow
def test_a_server_that_answers_browsers_alone_is_not_called_broken_by_compression() -> None:
    async def picky(connection: ServerConnection) -> None:
        assert connection.request is not None
        if connection.request.headers.get("user-agent", "").startswith("Mozilla"):
            await connection.close(1011)
        await echo(connection)

    _, finding = recorded(picky)
    assert finding.verdict.value != "fail", finding.statement


def test_evidence_from_before_compression_was_noted_says_nothing_of_it() -> None:
    tables, _ = recorded(echo)
    older = {name: table.drop(columns=["deflate"]) for name, table in tables.items()}
    finding = judge(environment("ws://127.0.0.1:1/ws", **ECHO), CASE, older, only=COMPRESSION)[COMPRESSION]
    assert (finding.verdict.value, finding.reason) == ("inconclusive", "no-evidence")
