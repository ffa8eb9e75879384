"""The rate limit and what else probes keep to: what is sent, what is never sent, and when probing stops."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import itertools
import json
import re
import time
from pathlib import Path

import builders
import pytest
from websockets.asyncio.server import ServerConnection, serve

from proofbook.collect import rate_limit
from proofbook.collect.planning import describe_plan
from proofbook.collect.services import health, openapi
from proofbook.collect.session import Session
from proofbook.collect.websocket import probes
from proofbook.config.case import Case
from proofbook.config.environment import Environment
from proofbook.errors import CouldNotLook
from proofbook.evidence import log_tables
from proofbook.judge import catalogue
from proofbook.probe_marks import PROBE_TRACE


async def answering(
    status: int, body: str = "{}", headers: dict[str, str] | None = None
) -> tuple[asyncio.Server, list[str]]:
    """A bare HTTP server that gives every request the same answer and keeps what was asked."""
    asked: list[str] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            asked.append((await reader.readuntil(b"\r\n\r\n")).decode())
            lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", "Connection: close"]
            lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
            writer.write(("\r\n".join(lines) + "\r\n\r\n" + body).encode())
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass  # the probe gave up
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    return await asyncio.start_server(answer, "127.0.0.1", 0), asked


environment = functools.partial(builders.environment, timeout_s=2)


@pytest.mark.parametrize(
    ("status", "body", "asks"),
    [
        (503, "Rate limit exceeded", True),
        (403, '{"message": "API rate limit exceeded for 10.0.0.1"}', True),
        (503, '{"status": "error", "message": "Too many requests"}', True),
        (403, "Daily limit exceeded", True),
        # Its own trouble, or that of what it depends on.
        (500, "OSError: [Errno 122] Disk quota exceeded", False),
        (507, "storage quota exceeded", False),
        (503, '{"status": "down", "payments": "too many requests"}', False),
        (200, '{"healthy": false, "reason": "upstream rate limit exceeded"}', False),
        (503, "Service Unavailable", False),
    ],
)
def test_a_refusal_for_too_many_requests_is_told_from_a_service_that_reports_itself(
    status: int, body: str, asks: bool
) -> None:
    assert rate_limit.asks_for_less(status, {}, body) is asks


def test_probes_are_marked_and_health_is_more_than_a_status() -> None:
    async def go() -> None:
        server, asked = await answering(200, json.dumps({"status": "degraded"}))
        async with server:
            where = environment(
                server.sockets[0].getsockname()[1], health_expect={"json": {"status": "healthy"}}
            )
            table = await health.probe_health(
                where.services[0],
                session=Session(where, base=Path()),
                checkpoints=(3,),
                decided=lambda *_: True,
            )
        assert (table["kind"] == "health").sum() == 3 and not table.loc[table["kind"] == "health", "ok"].any()
        assert all(
            "proofbook-probe" in request and f"traceparent: 00-{PROBE_TRACE}" in request for request in asked
        )
        met = [re.search(r"traceparent: 00-(\w{32})-", request) for request in asked]
        assert sorted(table["trace_id"]) == sorted(match[1] for match in met if match)

    asyncio.run(go())


def test_too_many_requests_are_obeyed_and_then_it_stops() -> None:
    async def go() -> None:
        server, asked = await answering(429, headers={"Retry-After": "0"})
        async with server:
            where = environment(server.sockets[0].getsockname()[1])
            with pytest.raises(CouldNotLook, match="answered 429"):
                await health.probe_health(
                    where.services[0],
                    session=Session(where, base=Path()),
                    checkpoints=(60,),
                    decided=lambda *_: True,
                )
            await asyncio.sleep(0.2)  # what the server had accepted ends before its loop does
        assert len(asked) <= 20

    asyncio.run(go())


@pytest.mark.slow
def test_no_two_requests_are_closer_than_the_pace_also_after_a_wait() -> None:
    async def go() -> list[float]:
        session = Session(environment(1), base=Path())
        at: list[float] = []

        async def ask(number: int) -> None:
            async with session.acquire("requests"):
                at.append(time.monotonic())
                if number == 5:
                    await session.back_off("1", host="api.example")

        await asyncio.gather(*(ask(number) for number in range(30)))
        return sorted(at)

    at = asyncio.run(go())
    apart = [later - earlier for earlier, later in itertools.pairwise(at)]
    # 200 a second; a clock that is read a moment later may take a little from one and give it to the next.
    assert min(apart) > 0.0045 and max(apart) >= 0.99
    assert sum(gap >= 0.5 for gap in apart) == 1


def test_a_service_that_asks_to_wait_for_long_is_left_alone() -> None:
    async def go() -> int:
        server, asked = await answering(429, headers={"Retry-After": "3600"})
        async with server:
            where = environment(server.sockets[0].getsockname()[1])
            with pytest.raises(CouldNotLook, match="asks to wait 3,600 s"):
                await health.probe_health(
                    where.services[0],
                    session=Session(where, base=Path()),
                    checkpoints=(60,),
                    decided=lambda *_: True,
                )
            await asyncio.sleep(0.2)
        return len(asked)

    assert asyncio.run(go()) <= 10


def test_a_definition_that_is_not_there_is_kept_as_such() -> None:
    async def go() -> None:
        server, _ = await answering(200, "<html>not a definition</html>")
        async with server:
            where = environment(server.sockets[0].getsockname()[1], openapi="/openapi.json")
            table = await openapi.fetch_openapi(where.services[0], session=Session(where, base=Path()))
        assert table.iloc[0]["document"] == ""
        assert (
            table.iloc[0]["error"]
            == "the answer is no definition: it is no mapping in JSON or YAML that names its version or paths"
        )

    asyncio.run(go())


@pytest.mark.parametrize("writes", [False, True])
def test_nothing_is_sent_where_writing_is_not_allowed(writes: bool) -> None:
    received: list[str] = []

    async def keep(connection: ServerConnection) -> None:
        async for message in connection:
            received.append(str(message))
            await connection.send(message)

    async def go() -> None:
        async with serve(keep, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            where = Environment.model_validate(
                {
                    "writes": writes,
                    "service": [{"name": "a", "url": f"http://127.0.0.1:{port}"}],
                    "websocket": [
                        {
                            "name": "ws",
                            "service": "a",
                            "url": f"ws://127.0.0.1:{port}",
                            "token": {"in": "none"},
                            "send": "{id}",
                            "expect": {"regex": "^{id}$"},
                            "dwell_s": 0,
                        }
                    ],
                }
            )
            checks = catalogue.declare(where, Case(title="t"))
            assert ("websocket-delivery" in checks) is writes
            assert ("1 messages" in " ".join(describe_plan(where, Case(title="t"), "after"))) is writes
            session = Session(where, base=Path())
            table, _ = await probes.make_journeys(
                where.websockets[0], user="", session=session, checkpoints=(2,), decided=lambda _: True
            )
            assert table["upgraded"].all() and table["sent"].sum() == (2 if writes else 0)

    asyncio.run(go())
    assert len(received) == (2 if writes else 0)


def test_a_login_that_gives_no_token_is_an_error_with_its_address_and_without_its_secret(
    tmp_path: Path,
) -> None:
    (tmp_path / "secret").write_text("correct-horse-battery")

    async def go() -> None:
        server, asked = await answering(200, "{}")
        async with server:
            port = server.sockets[0].getsockname()[1]
            where = Environment.model_validate(
                {
                    "service": [{"name": "a", "url": f"http://127.0.0.1:{port}"}],
                    "login": {
                        "url": f"http://127.0.0.1:{port}",
                        "path": "/token",
                        "headers": {"X-Secret": {"file": "secret"}},
                    },
                }
            )
            with pytest.raises(CouldNotLook) as raised:
                await Session(where, base=tmp_path).token("user_1")
        assert "expected a token at 'access_token'" in str(raised.value) and "correct-horse" not in str(
            raised.value
        )
        assert "correct-horse-battery" in asked[0]

    asyncio.run(go())


def test_a_quick_look_needs_no_file(tmp_path: Path) -> None:
    import proofbook as pb

    (tmp_path / "export.json").write_text(
        json.dumps([{"timestamp": "2026-01-01T00:00:00Z", "textPayload": "x"}])
    )
    assert len(pb.logs(str(tmp_path / "export.json"))) == 1
    assert tuple(pb.logs(str(tmp_path / "export.json")).columns) == tuple(
        column.name for column in log_tables.LOGS.columns
    )


@pytest.mark.parametrize(
    ("status", "body", "headers"),
    [
        (503, "Rate limit exceeded, retry later", {"Retry-After": "0"}),
        (403, '{"message": "API rate limit exceeded for 127.0.0.1."}', {"Retry-After": "0"}),
        (403, "no", {"X-RateLimit-Remaining": "0", "Retry-After": "0"}),
        (420, "Enhance your calm", {"Retry-After": "0"}),
        (400, '{"__type": "ThrottlingException"}'.replace("Exception", "ed"), {"Retry-After": "0"}),
        (200, '{"error": "rate limit exceeded"}', {"Retry-After": "0"}),
    ],
)
def test_too_many_requests_are_obeyed_whatever_their_status(
    status: int, body: str, headers: dict[str, str]
) -> None:
    async def go() -> None:
        server, asked = await answering(status, body, headers)
        async with server:
            where = environment(server.sockets[0].getsockname()[1])
            with pytest.raises(CouldNotLook, match=rf"answered {status} \(too many requests\) [3-9] times"):
                await health.probe_health(
                    where.services[0],
                    session=Session(where, base=Path()),
                    checkpoints=(100,),
                    decided=lambda *_: True,
                )
        assert len(asked) < 100

    asyncio.run(go())


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, '{"status": "ok", "throttled": false, "rate_limit": 100}'),
        (503, "no backend"),
        (403, "forbidden"),
        (200, "rate limit exceeded is what the second chapter is about. " * 20),
    ],
)
def test_an_answer_that_only_speaks_of_limits_is_an_answer(status: int, body: str) -> None:
    assert not rate_limit.asks_for_less(status, {"x-ratelimit-remaining": "12"}, body)
