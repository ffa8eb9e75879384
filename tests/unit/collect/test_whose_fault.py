"""What fails because of how a server is asked is not held against it, and what it said stands in the finding."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from builders import FEW
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from proofbook import probe_marks
from proofbook.collect import phases
from proofbook.config.case import Case
from proofbook.config.environment import Environment
from proofbook.evidence import store
from proofbook.judge.findings import Finding, Verdict
from proofbook.validation import Assessment

pytestmark = [pytest.mark.waits, pytest.mark.slow]

TARGETS = dict.fromkeys(("health", "connection", "authentication", "delivery"), 0.8)
CASE = Case.model_validate({"title": "t", "targets": TARGETS})
Handler = Callable[[ServerConnection], Awaitable[None]]


async def wait(connection: ServerConnection) -> None:
    await connection.wait_closed()


def judged(
    folder: Path,
    *,
    handler: Handler = wait,
    answer: Any = None,
    login: str = "",
    concurrency: int = 10,
    timeout_s: float = 10,
    **ws: Any,
) -> dict[str, Finding]:
    (folder / "token").write_text("a-token-of-somebody")

    async def go() -> Environment:
        async with serve(handler, "127.0.0.1", 0, process_request=answer) as server:
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            place = {"in": "header" if login else "none"}
            service = {
                "name": "s",
                "url": url,
                "health": "",
                "ws": {"path": "/ws", "dwell_s": 0.05, "token": place, **ws},
            }
            pace = {"per_s": 1000, "concurrency": concurrency, "timeout_s": timeout_s}
            where = Environment.model_validate(
                {
                    "writes": True,
                    "pace": pace,
                    "service": [{**service, **({"token": {"file": login}} if login else {})}],
                }
            )
            await phases.record(
                where, CASE, "after", folder=folder / "evidence", base=folder, say=lambda _: None, sizes=FEW
            )
            return where

    where = asyncio.run(go())
    found = Assessment.of(where, CASE, store.read(folder / "evidence")).judge_all()
    return {item.id: item for item in found}


def wants(name: str, value: str, status: HTTPStatus, says: str) -> Any:
    """Answers an upgrade without that header by this status."""

    def page(connection: ServerConnection, request: Request) -> Response | None:
        return None if value in request.headers.get(name, "") else connection.respond(status, says)

    return page


@pytest.mark.parametrize(
    ("wanted", "stated", "reason", "said"),
    [
        (("Origin", "https://app.example.com", HTTPStatus.FORBIDDEN, "Request origin not allowed"), {"headers": {"Origin": "https://app.example.com"}}, "no-token", "HTTP 403 (Request origin not allowed)"),
        (("Sec-WebSocket-Protocol", "chat.v1", HTTPStatus.BAD_REQUEST, "Missing Sec-WebSocket-Protocol"), {"subprotocols": ["chat.v1"]}, "not-understood", "HTTP 400 (Missing Sec-WebSocket-Protocol)"),
        (("X-Tenant", "7", HTTPStatus.UNPROCESSABLE_ENTITY, "no tenant"), {"headers": {"X-Tenant": "7"}}, "not-understood", "HTTP 422 (no tenant)"),
    ],
)  # fmt: skip
def test_what_a_server_wants_of_the_request_is_shown_and_once_it_is_stated_it_is_well(
    wanted: Any, stated: dict[str, Any], reason: str, said: str, tmp_path: Path
) -> None:
    found = judged(tmp_path, answer=wants(*wanted))["websocket-connection"]
    assert (found.verdict, found.reason) == (Verdict.INCONCLUSIVE, reason), found.statement
    assert said in found.seen
    (tmp_path / "again").mkdir()
    # A server that is offered a subprotocol need not choose one.
    found = judged(tmp_path / "again", answer=wants(*wanted), **stated)["websocket-connection"]
    assert found.verdict is Verdict.PASS, found.statement


@pytest.mark.parametrize(
    ("code", "says"), [(4406, "Subprotocol not acceptable"), (1002, "bad frame"), (3008, "timeout")]
)
def test_a_close_by_a_rule_before_anything_was_said_is_as_likely_our_slip(
    code: int, says: str, tmp_path: Path
) -> None:
    async def close(connection: ServerConnection) -> None:
        await connection.close(code, says)

    found = judged(tmp_path, handler=close)["websocket-connection"]
    assert (found.verdict, found.reason) == (Verdict.INCONCLUSIVE, "not-understood"), found.statement
    assert f"close {code} ({says})" in found.seen


def test_a_crash_is_nobody_elses_fault(tmp_path: Path) -> None:
    async def close(connection: ServerConnection) -> None:
        await connection.close(1011, "internal error")

    found = judged(tmp_path, handler=close)["websocket-connection"]
    assert (found.verdict, found.reason) == (Verdict.FAIL, "below-target")
    assert "ended with close 1011 (internal error)" in found.seen


@pytest.mark.slow
def test_a_message_of_three_megabytes_is_read(tmp_path: Path) -> None:
    async def tell(connection: ServerConnection) -> None:
        await connection.send("x" * 3_000_000)
        await connection.wait_closed()

    found = judged(tmp_path, handler=tell, timeout_s=30, greeting={"regex": "^x+$"})["websocket-connection"]
    assert found.verdict is Verdict.PASS, found.statement


def test_a_rule_that_only_some_meet_is_a_failure(tmp_path: Path) -> None:
    number = 0

    async def half(connection: ServerConnection) -> None:
        nonlocal number
        number += 1
        await (connection.close(4500, "shard is gone") if number % 2 else connection.wait_closed())

    found = judged(tmp_path, handler=half)["websocket-connection"]
    assert (found.verdict, found.reason) == (Verdict.FAIL, "below-target"), found.statement


@pytest.mark.parametrize(
    ("stops", "verdict", "reason"),
    [("probes", Verdict.INCONCLUSIVE, "probes-refused"), ("half", Verdict.FAIL, "below-target")],
)
def test_a_firewall_that_stops_probes_by_their_name_is_no_fault_of_the_server(
    stops: str, verdict: Verdict, reason: str, tmp_path: Path
) -> None:
    number = 0

    def page(connection: ServerConnection, request: Request) -> Response | None:
        nonlocal number
        number += 1
        stopped = (
            probe_marks.USER_AGENT in request.headers.get("User-Agent", "")
            if stops == "probes"
            else number % 2
        )
        return connection.respond(HTTPStatus.FORBIDDEN, "blocked") if stopped else None

    found = judged(tmp_path, answer=page)["websocket-connection"]
    assert (found.verdict, found.reason) == (verdict, reason), found.statement


@pytest.mark.slow
def test_a_server_that_answers_browsers_alone_is_asked_as_one(tmp_path: Path) -> None:
    async def page(_: ServerConnection, request: Request) -> None:
        if "Origin" not in request.headers:
            await asyncio.sleep(60)

    found = judged(tmp_path, answer=page, timeout_s=3)["websocket-connection"]
    assert (found.verdict, found.reason) == (Verdict.INCONCLUSIVE, "probes-refused"), found.statement
    assert "as a browser, " in found.seen


@pytest.mark.parametrize(
    ("concurrency", "verdict", "reason"),
    [(10, Verdict.INCONCLUSIVE, "too-many-at-once"), (1, Verdict.PASS, "")],
)
def test_a_server_that_takes_a_few_connections_at_once_is_asked_for_fewer(
    concurrency: int, verdict: Verdict, reason: str, tmp_path: Path
) -> None:
    here = 0

    async def few(connection: ServerConnection) -> None:
        nonlocal here
        here += 1
        try:
            if here > 4:
                await connection.close(1013, "too many connections from this address")
            await connection.wait_closed()
        finally:
            here -= 1

    found = judged(tmp_path, handler=few, concurrency=concurrency)["websocket-connection"]
    assert (found.verdict, found.reason) == (verdict, reason), found.statement


@pytest.mark.slow
def test_a_wrong_token_that_is_swallowed_makes_no_slow_server(tmp_path: Path) -> None:
    async def refuses_at_the_first_message(connection: ServerConnection) -> None:
        async for _ in connection:
            await connection.close(1008, "token")

    ask = {"send": "{id}", "expect": {"regex": "{id}"}}
    found = judged(tmp_path, handler=refuses_at_the_first_message, login="token", any_path=True, **ask)
    assert (found["websocket-reply-time"].verdict, found["websocket-reply-time"].reason) == (
        Verdict.INCONCLUSIVE,
        "token-unproven",
    ), found["websocket-reply-time"].statement
    assert not [item.statement for item in found.values() if item.verdict is Verdict.FAIL]


def test_an_upgrade_with_many_headers_is_an_upgrade(tmp_path: Path) -> None:
    async def handle(connection: ServerConnection) -> None:
        await connection.wait_closed()

    def many(connection: ServerConnection, request: Request, response: Response) -> Response:
        for number in range(300):
            response.headers["Set-Cookie"] = f"part{number}=x"
        return response

    async def go() -> None:
        from proofbook.collect.session import Session
        from proofbook.collect.websocket import probes

        async with serve(handle, "127.0.0.1", 0, process_response=many) as server:
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            where = Environment.model_validate({"service": [{"name": "s", "url": url, "ws": "/ws"}]})
            rows, _ = await probes.make_journeys(
                where.websockets[0], user="", session=Session(where, base=tmp_path), checkpoints=(1,), decided=lambda _: True
            )  # fmt: skip
            assert rows["upgraded"].all(), rows["error"].tolist()

    asyncio.run(go())


GREETS_OTHERWISE = {
    "stomp": "welcome",
    "socket-io": "hello",
    "action-cable": '{"type":"hello"}',
    "graphql-transport-ws": "hi",
    # Of which nothing can be read where text comes.
    "mqtt": "hello",
}


@pytest.mark.slow
@pytest.mark.parametrize("dialect", GREETS_OTHERWISE)
def test_a_dialect_that_was_named_wrongly_is_not_the_fault_of_the_server(
    dialect: str, tmp_path: Path
) -> None:
    async def plain(connection: ServerConnection) -> None:
        await connection.send(GREETS_OTHERWISE[dialect])
        await connection.wait_closed()

    found = judged(tmp_path, handler=plain, timeout_s=0.3, dialect=dialect)["websocket-connection"]
    assert (found.verdict, found.reason) == (Verdict.INCONCLUSIVE, "not-understood"), found.statement
    assert f"({GREETS_OTHERWISE[dialect]})" in found.seen


@pytest.mark.slow
@pytest.mark.parametrize(
    "says", ["", '0{"sid":"e1","pingInterval":25000}'], ids=["nothing", "the first word alone"]
)
def test_a_server_of_the_dialect_that_lets_nobody_in_is_broken(says: str, tmp_path: Path) -> None:
    async def stuck(connection: ServerConnection) -> None:
        if says:
            await connection.send(says)
        await connection.wait_closed()

    found = judged(tmp_path, handler=stuck, timeout_s=0.3, dialect="socket-io")["websocket-connection"]
    assert (found.verdict, found.reason) == (Verdict.FAIL, "below-target"), found.statement
