"""Servers that do what they should not, and ways to a server that are not straight: one sentence or a right row each, within bounds."""

from __future__ import annotations

import asyncio
import contextlib
import email.utils
import http
import re
import socket
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import builders
import pandas as pd
import pytest
from builders import connections, refused, view
from websockets.asyncio.server import ServerConnection, serve

from proofbook.collect import discovery
from proofbook.collect.services import health as service
from proofbook.collect.session import Session
from proofbook.collect.websocket import look, probes
from proofbook.config.case import Case
from proofbook.config.environment import Environment
from proofbook.evidence.schema import REFUSALS, WEBSOCKET
from proofbook.judge import catalogue
from proofbook.judge.findings import Verdict
from proofbook.judge.settle import settle
from proofbook.judge.view import View
from proofbook.judge.window import Windows
from proofbook.protocol import TokenKind

pytestmark = pytest.mark.waits

Talk = Callable[[ServerConnection], Awaitable[None]]


def environment(port: int, *, host: str = "127.0.0.1", **more: Any) -> Environment:
    return builders.environment(port, host=host, ws={"path": "/ws", **more})


def met(talk: Talk, *, count: int = 20, **more: Any) -> tuple[pd.DataFrame, look.EndpointFacts]:
    """Journeys to a server that behaves so, and how it met a first look."""

    async def go() -> tuple[pd.DataFrame, look.EndpointFacts]:
        async with serve(talk, "127.0.0.1", 0, max_size=None) as server:
            where = environment(server.sockets[0].getsockname()[1], **more)
            session = Session(where, base=Path())
            first = await look.look(where.websockets[0], session=session)
            table, _ = await probes.make_journeys(
                where.websockets[0], user="", session=session, checkpoints=(count,), decided=lambda _: True
            )
            return table, first

    return asyncio.run(go())


@pytest.mark.slow
def test_a_greeting_in_binary_is_a_greeting() -> None:
    async def greet(connection: ServerConnection) -> None:
        await connection.send(bytes(range(256)))
        await connection.wait_closed()

    _, first = met(greet)
    assert first.greeting == {"regex": "(?s)."}
    table, _ = met(greet, greeting=first.greeting)
    assert table["greeted"].fillna(False).all()


def answering(
    status: http.HTTPStatus, **headers: str
) -> tuple[pd.DataFrame, look.EndpointFacts, Environment]:
    """Journeys to a path that answers every upgrade with this."""

    async def go() -> tuple[pd.DataFrame, look.EndpointFacts, Environment]:
        def page(connection: ServerConnection, request: Any) -> Any:
            answer = connection.respond(status, "a page")
            for name, value in headers.items():
                answer.headers[name] = value
            return answer

        async with serve(lambda _: asyncio.sleep(0), "127.0.0.1", 0, process_request=page) as server:
            where = environment(server.sockets[0].getsockname()[1])
            session = Session(where, base=Path())
            first = await look.look(where.websockets[0], session=session)
            table, _ = await probes.make_journeys(
                where.websockets[0], user="", session=session, checkpoints=(60,), decided=lambda _: True
            )
            return table, first, where

    return asyncio.run(go())


@pytest.mark.parametrize(
    ("status", "remark", "verdict", "reason"),
    [
        (200, "/ws answers as a page (200), not as a WebSocket: is the path right?", Verdict.INCONCLUSIVE, "no-endpoint"),
        (301, "/ws sends elsewhere (301): name the address that it sends to", Verdict.INCONCLUSIVE, "no-endpoint"),
        (401, "/ws wants a token (401): name one with --token-env", Verdict.INCONCLUSIVE, "no-token"),
        (404, "/ws is not there (404): is the path right?", Verdict.INCONCLUSIVE, "no-endpoint"),
        (426, "/ws asks for an upgrade that it did not see (426): something in between takes the Upgrade header away", Verdict.FAIL, "below-target"),
        (503, "/ws refuses the upgrade (503)", Verdict.FAIL, "below-target"),
    ],
)  # fmt: skip
def test_a_path_that_upgrades_nobody_is_one_sentence_and_a_right_verdict(
    status: int, remark: str, verdict: Verdict, reason: str
) -> None:
    table, first, where = answering(http.HTTPStatus(status), Location="https://elsewhere.test/ws")
    said = "" if status in (200, 301) else "; it says: 'a page'"
    assert not first.upgraded and first.remarks == (f"{remark}{said}",)
    what = Case.model_validate({"title": "t", "targets": {"connection": 0.95}})
    check = catalogue.declare(where, what)["websocket-connection"]
    found = settle(check, view({("after", "websocket"): table}))
    assert (found.verdict, found.reason) == (verdict, reason), found.statement
    assert found.statement.startswith(f"0 of 60 connections were made, 60 ended with HTTP {status}")
    # Where somebody came in before, at this address and without a token, it is a defect.
    open_before = table.assign(upgraded=True, http_status=101, refused=False)
    tables = {("after", "websocket"): table, ("before", "websocket"): open_before}
    found = settle(check, view(tables))
    assert found.verdict is Verdict.FAIL, found.statement


GIVEN = {"token": {"env": "A_TOKEN"}}
ISSUED = {"url": "http://127.0.0.1:9", "path": "/token"}


@pytest.mark.parametrize(
    ("login", "status", "at_unknown", "let_in_before", "verdict", "reason"),
    [
        # A token that somebody gave may be a wrong one; with an answer that any address gets, the path may be too.
        (GIVEN, 403, 404, False, Verdict.INCONCLUSIVE, "token-unproven"),
        (GIVEN, 403, 403, False, Verdict.INCONCLUSIVE, "token-unproven"),
        (GIVEN, 403, 403, True, Verdict.FAIL, "below-target"),
        # One that a login issued is a good one.
        (ISSUED, 403, 404, False, Verdict.FAIL, "below-target"),
        (ISSUED, 403, 403, False, Verdict.INCONCLUSIVE, "no-endpoint"),
        (GIVEN, 400, 400, False, Verdict.INCONCLUSIVE, "no-endpoint"),
        # A status that blames the request blames it of what we did not state as well.
        (GIVEN, 400, 404, False, Verdict.INCONCLUSIVE, "not-understood"),
        (GIVEN, 400, 404, True, Verdict.FAIL, "below-target"),
        (GIVEN, 426, 426, False, Verdict.FAIL, "below-target"),
        # A service that breaks breaks at every address.
        (GIVEN, 503, 503, False, Verdict.FAIL, "below-target"),
    ],
)  # fmt: skip
def test_a_refusal_of_everybody_is_a_failure_only_if_token_and_address_are_known_to_be_right(
    login: dict[str, Any], status: int, at_unknown: int, let_in_before: bool, verdict: Verdict, reason: str
) -> None:
    def tries(number: int, kind: str, answer: int) -> list[dict[str, Any]]:
        return [{"token_kind": kind, **({} if answer == 101 else refused(answer))}] * number

    where = Environment.model_validate(
        {
            "writes": True,
            "login": login,
            "service": [{"name": "a", "url": "http://127.0.0.1:9"}],
            "websocket": [{"name": "ws", "service": "a", "path": "/ws", "send": "{id}", "expect": {"regex": "{id}"}}],
        }
    )  # fmt: skip
    refusals = [*tries(5, "good", status), *tries(5, TokenKind.AT_UNKNOWN_PATH, at_unknown), *tries(5, "missing", status)]  # fmt: skip
    tables = {
        ("after", "websocket"): connections(WEBSOCKET, *tries(60, "good", status)),
        ("after", "refusals"): connections(REFUSALS, *refusals),
        **(
            {("before", "websocket"): connections(WEBSOCKET, *tries(30, "good", 101))}
            if let_in_before
            else {}
        ),
    }
    seen = view(tables)
    declared = catalogue.declare(where, Case.model_validate({"title": "t"}))
    for name in ("websocket-connection", "websocket-authentication", "websocket-delivery"):
        found = settle(declared[name], seen)
        assert (found.verdict, found.reason) == (verdict, reason), found.statement
        assert found.needed is not None or verdict is Verdict.FAIL


@pytest.mark.parametrize(
    ("at_health", "elsewhere", "well_before", "verdict", "reason"),
    [
        # Who asks at the wrong address, or without the login that all pages want, learns nothing of the service.
        (404, 404, False, Verdict.INCONCLUSIVE, "no-endpoint"),
        (401, 401, False, Verdict.INCONCLUSIVE, "no-endpoint"),
        (302, 302, False, Verdict.INCONCLUSIVE, "no-endpoint"),
        (404, 404, True, Verdict.FAIL, "below-target"),
        (403, 404, False, Verdict.INCONCLUSIVE, "no-endpoint"),
        (405, 404, False, Verdict.INCONCLUSIVE, "no-endpoint"),
        (403, 404, True, Verdict.FAIL, "below-target"),
        (503, 503, False, Verdict.FAIL, "below-target"),
    ],
)  # fmt: skip
def test_health_that_is_nowhere_is_a_failure_only_if_it_was_there_before(
    at_health: int, elsewhere: int, well_before: bool, verdict: Verdict, reason: str
) -> None:
    async def go() -> tuple[pd.DataFrame, Environment]:
        def page(connection: ServerConnection, request: Any) -> Any:
            status = at_health if request.path.startswith("/health") else elsewhere
            return connection.respond(http.HTTPStatus(status), "a page")

        async with serve(lambda _: asyncio.sleep(0), "127.0.0.1", 0, process_request=page) as server:
            where = environment(server.sockets[0].getsockname()[1])
            session = Session(where, base=Path())
            table = await service.probe_health(
                where.services[0], session=session, checkpoints=(60,), decided=lambda *_: True
            )
            return table, where

    table, where = asyncio.run(go())
    tables = {("after", "health"): table}
    if well_before:
        tables["before", "health"] = table.assign(ok=table["kind"] == "health", status=200)
    check = catalogue.declare(where, Case.model_validate({"title": "t"}))["health-a"]
    found = settle(check, view(tables))
    assert (found.verdict, found.reason) == (verdict, reason), found.statement


def test_an_upgrade_that_sends_elsewhere_is_not_followed() -> None:
    came: list[str] = []

    async def go() -> pd.DataFrame:
        def note(connection: ServerConnection, request: Any) -> None:
            came.append(request.path)

        async def quiet(connection: ServerConnection) -> None:
            await connection.wait_closed()

        async with serve(quiet, "127.0.0.1", 0, process_request=note) as other:
            elsewhere = f"ws://127.0.0.1:{other.sockets[0].getsockname()[1]}/ws"

            def page(connection: ServerConnection, request: Any) -> Any:
                answer = connection.respond(http.HTTPStatus.TEMPORARY_REDIRECT, "")
                answer.headers["Location"] = elsewhere
                return answer

            async with serve(quiet, "127.0.0.1", 0, process_request=page) as server:
                where = environment(server.sockets[0].getsockname()[1])
                session = Session(where, base=Path())
                table, _ = await probes.make_journeys(
                    where.websockets[0], user="", session=session, checkpoints=(3,), decided=lambda _: True
                )
                return table

    table = asyncio.run(go())
    assert set(table["error"]) == {"HTTP 307"} and not table["upgraded"].any() and came == []


def test_a_clock_that_is_an_hour_off_is_named() -> None:
    async def go() -> discovery.Health:
        def page(connection: ServerConnection, request: Any) -> Any:
            there = request.path == "/health"
            answer = connection.respond(http.HTTPStatus.OK if there else http.HTTPStatus.NOT_FOUND, "well")
            del answer.headers["Date"]
            answer.headers["Date"] = email.utils.formatdate(time.time() + 3600, usegmt=True)
            return answer

        async with serve(lambda _: asyncio.sleep(0), "127.0.0.1", 0, process_request=page) as server:
            where = environment(server.sockets[0].getsockname()[1])
            return await discovery.find_health(
                where.services[0], ("/health",), session=Session(where, base=Path())
            )

    (remark,) = asyncio.run(go()).remarks
    assert re.fullmatch(r"its clock is 3,(599|600) s ahead of this machine's, so times in its log may mislead", remark)  # fmt: skip


@pytest.mark.slow
def test_a_message_of_a_hundred_megabytes_is_not_read_and_not_held_against_the_server() -> None:
    async def shout(connection: ServerConnection) -> None:
        with contextlib.suppress(Exception):
            await connection.send(bytes(100_000_000))
            await connection.wait_closed()

    table, _ = met(shout, count=2)
    assert table["upgraded"].all() and set(table["closed_by"]) == {"probe"}
    assert table["error"].str.contains("a message of more than 4,194,304 bytes, which was not read").all()


@pytest.mark.slow
def test_a_server_that_never_closes_is_left_in_time() -> None:
    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        import base64
        import hashlib

        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        key = next(line.partition(": ")[2] for line in head.split("\r\n") if line.lower().startswith("sec-websocket-key"))  # fmt: skip
        accept = base64.b64encode(hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()  # fmt: skip
        writer.write(f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n".encode())  # fmt: skip
        with contextlib.suppress(OSError):
            while await reader.read(1000):
                pass
        writer.close()

    async def go() -> pd.DataFrame:
        server = await asyncio.start_server(deaf, "127.0.0.1", 0)
        async with server:
            where = environment(server.sockets[0].getsockname()[1])
            table, _ = await probes.make_journeys(
                where.websockets[0],
                user="",
                session=Session(where, base=Path()),
                checkpoints=(5,),
                decided=lambda _: True,
            )
            return table

    began = time.monotonic()
    table = asyncio.run(go())
    assert time.monotonic() - began < 60
    assert table["upgraded"].all() and set(table["closed_by"]) == {"probe"} and not table["clean"].any()


@pytest.mark.parametrize(
    ("code", "normal", "verdict"),
    [
        (1011, {}, Verdict.FAIL),
        (1000, {}, Verdict.INCONCLUSIVE),
        (1000, {"normal_close_codes": [1000]}, Verdict.PASS),
        (1000, {"normal_close_codes": []}, Verdict.FAIL),
        (4000, {"normal_close_codes": [4000]}, Verdict.PASS),
    ],
)
def test_where_nothing_greets_a_connection_that_is_thrown_out_was_none(
    code: int, normal: dict[str, list[int]], verdict: Verdict
) -> None:
    async def close(connection: ServerConnection) -> None:
        await connection.close(code)

    table, _ = met(close, count=60)
    where = environment(1, **normal)
    what = Case.model_validate({"title": "t", "targets": {"connection": 0.9}})
    view = View(
        tables=lambda name, phase: {"websocket": table}.get(name), windows=Windows(before=None, after=None)
    )
    found = settle(catalogue.declare(where, what)["websocket-connection"], view)
    assert found.verdict is verdict, found.statement


def test_a_name_of_several_addresses_is_tried_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    async def go() -> pd.DataFrame:
        async def quiet(connection: ServerConnection) -> None:
            await connection.wait_closed()

        async with serve(quiet, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            where = environment(port, host="several.test")

            async def both(host: str, port: int, **_: Any) -> list[Any]:
                # Nobody listens on the first.
                first = (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", port, 0, 0))
                return [first, (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

            monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", both)
            table, _ = await probes.make_journeys(
                where.websockets[0],
                user="",
                session=Session(where, base=Path()),
                checkpoints=(3,),
                decided=lambda _: True,
            )
            return table

    assert asyncio.run(go())["upgraded"].all()


@pytest.mark.slow
def test_an_http_proxy_is_used_for_health_and_websocket_and_never_for_loopback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []

    async def go() -> tuple[pd.DataFrame, pd.DataFrame, int]:
        async def quiet(connection: ServerConnection) -> None:
            await connection.wait_closed()

        def page(connection: ServerConnection, request: Any) -> Any:
            return connection.respond(200, "fine") if request.path != "/ws" else None

        async with serve(quiet, "127.0.0.1", 0, process_request=page) as inner:
            port = inner.sockets[0].getsockname()[1]

            async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                with contextlib.suppress(OSError):
                    while data := await reader.read(65536):
                        writer.write(data)
                        await writer.drain()
                writer.close()

            async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                method, target, _ = head.split("\r\n")[0].split(" ")
                asked.append(f"{method} {target}")
                behind, ahead = await asyncio.open_connection("127.0.0.1", port)
                if method == "CONNECT":
                    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
                else:
                    ahead.write(head.replace("http://only-the-proxy-knows.test", "", 1).encode())
                await asyncio.gather(pour(reader, ahead), pour(behind, writer))

            between = await asyncio.start_server(proxy, "127.0.0.1", 0)
            async with between:
                address = f"http://127.0.0.1:{between.sockets[0].getsockname()[1]}"
                for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
                    monkeypatch.setenv(name, address)
                for name in ("no_proxy", "NO_PROXY", "all_proxy", "ALL_PROXY"):
                    monkeypatch.delenv(name, raising=False)
                tables = []
                for where in (environment(80, host="only-the-proxy-knows.test"), environment(port)):
                    before = len(asked)
                    session = Session(where, base=Path())
                    health = await service.probe_health(
                        where.services[0], session=session, checkpoints=(3,), decided=lambda *_: True
                    )
                    table, _ = await probes.make_journeys(
                        where.websockets[0],
                        user="",
                        session=session,
                        checkpoints=(3,),
                        decided=lambda _: True,
                    )
                    assert health.loc[health["kind"] == "health", "ok"].all(), health["error"].tolist()
                    assert table["upgraded"].all(), table["error"].tolist()
                    tables += [health, table]
                return tables[0], tables[1], len(asked) - before

    _, _, direct = asyncio.run(go())
    assert sum(line.startswith("CONNECT only-the-proxy-knows.test:80") for line in asked) == 3
    assert sum(line.startswith("GET http://only-the-proxy-knows.test") for line in asked) == 8
    assert direct == 0
