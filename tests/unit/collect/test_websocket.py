"""The WebSocket probe against real servers that misbehave in known ways."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from proofbook import connections, probe_marks
from proofbook.collect import rollout
from proofbook.collect.session import Session
from proofbook.collect.websocket import probes
from proofbook.collect.websocket.journey import Journey, frame
from proofbook.config.case import Case
from proofbook.config.environment import Environment
from proofbook.config.services import Pace
from proofbook.errors import CouldNotLook
from proofbook.judge import catalogue
from proofbook.judge.check import Check
from proofbook.judge.checks import access
from proofbook.judge.findings import Finding, Verdict
from proofbook.judge.settle import settle
from proofbook.judge.view import View
from proofbook.judge.window import Windows
from proofbook.protocol import UNMARKED_KINDS, TokenKind
from proofbook.rehearsal.certificates import Authority

pytestmark = pytest.mark.waits

Handler = Callable[[ServerConnection], Awaitable[None]]


def environment(
    port: int,
    *,
    scheme: str = "ws",
    host: str = "127.0.0.1",
    login: dict[str, Any] | None = None,
    timeout_s: float = 3.0,
    **socket: Any,
) -> Environment:
    # So long that no busy machine is taken for a silent server; shorter where a test waits for just that.
    text = {
        "writes": True,
        "service": [{"name": "backend", "url": f"http://{host}:{port}"}],
        "websocket": [
            {
                "name": "ws",
                "service": "backend",
                "url": f"{scheme}://{host}:{port}/ws",
                "token": {"in": "none"},
                "dwell_s": 0.15,
                **socket,
            }
        ],
        "pace": {"per_s": 1000, "concurrency": 20, "timeout_s": timeout_s},
    }
    return Environment.model_validate({**text, **({"login": login} if login else {})})


ECHO = {"send_json": {"id": "{id}", "text": "{text}"}, "expect": {"json": {"id": "{id}", "text": "{text}"}}}


async def journeys(
    handler: Handler,
    *,
    count: int = 3,
    tls: ssl.SSLContext | None = None,
    base: Path = Path(),
    process_request: Any = None,
    **socket: Any,
) -> pd.DataFrame:
    async with serve(handler, "127.0.0.1", 0, ssl=tls, process_request=process_request) as server:
        where = environment(server.sockets[0].getsockname()[1], scheme="wss" if tls else "ws", **socket)
        session = Session(where, base=base)
        user = where.login.user if where.login else "user_1"
        table, _ = await probes.make_journeys(
            where.websockets[0], user=user, session=session, checkpoints=(count,), decided=lambda _: True
        )
        return table


def run(handler: Handler, **kwargs: Any) -> pd.Series:
    """The first of three journeys, once all three look the same in what is judged."""
    table = asyncio.run(journeys(handler, **kwargs))
    assert len(table) == 3
    row: pd.Series = table.iloc[0]
    return row


async def echo(connection: ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)


def test_a_good_server_is_seen_as_good_with_its_phases_timed() -> None:
    row = run(echo, **ECHO)
    assert row["upgraded"] and row["reply_ok"] and row["close_code"] == 1000 and row["closed_by"] == "probe"
    assert all(row[name] > 0 for name in ("resolve_s", "tcp_s", "upgrade_s", "reply_s"))
    assert row["dwell_s"] >= 0.15


def test_a_close_at_the_first_message_is_in_the_ledger() -> None:
    async def crash(connection: ServerConnection) -> None:
        await connection.recv()
        await connection.close(1011, "internal error")

    row = run(crash, **ECHO)
    assert (row["close_code"], row["closed_by"], row["closed_in"], row["close_reason"]) == (
        1011,
        "server",
        "reply",
        "internal error",
    )
    assert row["reply_lost"] == 1 and not row["reply_ok"] and row["clean"]


def test_a_close_after_the_reply_is_seen_because_the_probe_dwells() -> None:
    async def late(connection: ServerConnection) -> None:
        await connection.send(await connection.recv())
        await asyncio.sleep(0.05)
        await connection.close(1011)

    row = run(late, **ECHO)
    assert row["reply_ok"] and row["close_code"] == 1011 and row["closed_in"] == "dwell"


def test_a_connection_cut_without_a_close_frame_is_1006_and_not_clean() -> None:
    async def cut(connection: ServerConnection) -> None:
        await connection.recv()
        connection.transport.abort()

    row = run(cut, **ECHO)
    assert row["close_code"] == 1006 and not row["clean"] and row["closed_by"] == "server"


def _linger(connection: ServerConnection) -> None:
    """Resets the TCP connection."""
    connection.transport.get_extra_info("socket").setsockopt(
        socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
    )
    connection.transport.abort()


# Ways in which a server ends a connection that it has already greeted or answered.
ENDINGS: dict[str, Callable[[ServerConnection], Any]] = {
    "1011": lambda connection: connection.close(1011, "internal error"),
    "1013": lambda connection: connection.close(1013, "try again later"),
    "4000": lambda connection: connection.close(4000),
    "reset": _linger,
    "end of the stream without a close frame": lambda connection: connection.transport.close(),
    "close frame without a code": lambda connection: connection.transport.write(b"\x88\x00"),
    "close frame with 1006": lambda connection: connection.transport.write(b"\x88\x02\x03\xee"),
    "reserved bits": lambda connection: connection.transport.write(b"\xf1\x01x"),
    "text that is no UTF-8": lambda connection: connection.transport.write(b"\x81\x02\xc3\x28"),
    "masked frame": lambda connection: connection.transport.write(b"\x81\x81\x01\x02\x03\x04\x05"),
}
WELCOME = {"greeting": {"json": {"type": "hello"}}}


def ends(how: str, *, greets: bool, answers: bool, after_s: float = 0.05) -> Handler:
    """A server that does its part first and then ends the connection."""

    async def handle(connection: ServerConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            if greets:
                await connection.send('{"type": "hello"}')
            if answers:
                await connection.send(await connection.recv())
            await asyncio.sleep(after_s)
            done = ENDINGS[how](connection)
            if done is not None:
                await done
            await connection.wait_closed()

    return handle


def judged(table: pd.DataFrame, **socket: Any) -> Finding:
    """The finding about the connections."""
    where = environment(1, **socket)
    what = Case.model_validate({"title": "t", "targets": {"connection": 0.95, "delivery": 0.95}})
    view = View(
        tables=lambda name, phase: {("websocket", "after"): table}.get((name, phase)),
        windows=Windows(before=None, after=None),
    )
    return settle(catalogue.declare(where, what)["websocket-connection"], view)


@pytest.mark.parametrize(
    ("how", "greets", "answers"),
    [
        *((how, True, False) for how in ENDINGS),
        *((how, True, True) for how in ("1011", "4000", "reset")),
        *((how, False, True) for how in ("1011", "end of the stream without a close frame")),
        *((how, False, False) for how in ("1013", "reserved bits")),
    ],
)
def test_a_connection_that_the_server_ends_first_is_no_success_whatever_it_said_before(
    how: str, greets: bool, answers: bool
) -> None:
    # Long enough for a busy machine: a connection that ends is not dwelt on any longer.
    said = {"dwell_s": 5.0, **(WELCOME if greets else {}), **(ECHO if answers else {})}
    table = asyncio.run(journeys(ends(how, greets=greets, answers=answers), count=24, **said))
    assert table["upgraded"].all() and (not greets or table["greeted"].all())
    assert not answers or table["reply_ok"].all()
    finding = judged(table, **said)
    assert (finding.verdict, finding.reason) == (Verdict.FAIL, "below-target"), finding.statement
    assert "0 of 24 connections were made, 24 ended with " in finding.statement
    # Who collects stops by the same answer: there is no more to learn.
    where = environment(1, **said)
    assert not connections.connected(table, where.websockets[0]).any()


@pytest.mark.parametrize("how", ["reserved bits", "text that is no UTF-8", "masked frame"])
def test_what_the_protocol_forbids_is_named_and_no_end_without_a_reason(how: str) -> None:
    said = {"dwell_s": 5.0, **WELCOME}
    finding = judged(asyncio.run(journeys(ends(how, greets=True, answers=False), count=24, **said)), **said)
    assert "24 ended with close 1006 (it sent what RFC 6455 forbids: " in finding.statement


def answering(*parts: bytes) -> pd.DataFrame:
    """Journeys to a server that answers an upgrade with these bytes, and ends the connection."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.writelines(parts)
        writer.close()

    async def go() -> pd.DataFrame:
        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            where = environment(server.sockets[0].getsockname()[1])
            table, _ = await probes.make_journeys(
                where.websockets[0],
                user="",
                session=Session(where, base=Path()),
                checkpoints=(3,),
                decided=lambda _: True,
            )
        return table

    return asyncio.run(go())


@pytest.mark.parametrize(
    ("parts", "error"),
    [
        ((), "no answer, and the connection was ended"),
        ((b"HTTP/1.1 101 Swi",), "no answer, and the connection was ended"),
        (
            (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
             b"Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n",),
            "an answer whose Sec-WebSocket-Accept does not fit the key that was sent",
        ),
    ],
)  # fmt: skip
def test_what_came_instead_of_an_upgrade_is_told_by_its_kind(parts: tuple[bytes, ...], error: str) -> None:
    table = answering(*parts)
    assert set(table["error"]) == {error}
    assert set(table["closed_by"]) == {"server" if error.startswith("no answer") else ""}


def test_a_wrong_answer_to_an_upgrade_is_no_missing_one() -> None:
    assert set(answering(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")["closed_by"]) == {""}


@pytest.mark.parametrize(
    ("code", "normal", "verdict"),
    [
        (1000, None, Verdict.INCONCLUSIVE),
        (1001, None, Verdict.INCONCLUSIVE),
        (1000, [1000], Verdict.PASS),
        (4000, [1000, 4000], Verdict.PASS),
        (1001, [1000], Verdict.FAIL),
        (1000, [], Verdict.FAIL),
    ],
)
def test_what_end_is_normal_is_for_the_environment_to_say(
    code: int, normal: list[int] | None, verdict: Verdict
) -> None:
    async def goodbye(connection: ServerConnection) -> None:
        await connection.send('{"type": "hello"}')
        await connection.close(code)

    said = {"dwell_s": 5.0, **WELCOME, **({} if normal is None else {"normal_close_codes": normal})}
    finding = judged(asyncio.run(journeys(goodbye, count=72, **said)), **said)
    assert finding.verdict is verdict, finding.statement
    if verdict is Verdict.INCONCLUSIVE:
        assert finding.reason == "end-unstated" and finding.needed is not None
        assert "normal_close_codes = [1000, 1001]" in finding.needed.what


def test_a_server_that_keeps_its_connections_passes_and_the_check_could_have_seen_them_end() -> None:
    async def keep(connection: ServerConnection) -> None:
        await connection.send('{"type": "hello"}')
        await connection.wait_closed()

    finding = judged(asyncio.run(journeys(keep, count=72, **WELCOME)), **WELCOME)
    assert finding.verdict is Verdict.PASS, finding.statement
    (mutation,) = (control for control in finding.controls if control.kind == "mutation")
    assert "all connections ended with 1011: fail" in mutation.got
    assert "all connections ended without a close frame: fail" in mutation.got


def test_a_few_ends_that_nobody_called_normal_take_nothing_from_a_claim_that_does_not_need_them() -> None:
    kept = frame([Journey(endpoint="ws", user="", upgraded=True, closed_by="probe", close_code=1000)] * 108)
    gone = frame([Journey(endpoint="ws", user="", upgraded=True, closed_by="server", close_code=1001)])
    assert judged(pd.concat([kept, gone], ignore_index=True)).verdict is Verdict.PASS
    assert judged(pd.concat([kept, *[gone] * 33], ignore_index=True)).verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(("dwell_s", "made"), [(2.9, True), (1.0, False)])
def test_an_end_at_the_age_that_the_platform_allows_is_normal(dwell_s: float, made: bool) -> None:
    row = Journey(endpoint="ws", user="", upgraded=True, closed_by="server", close_code=1006, dwell_s=dwell_s)
    (chat,) = environment(1).websockets
    assert connections.connected(frame([row]), chat, max_connection_s=3.0).tolist() == [made]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "column"),
    [
        (lambda message: [], "reply_lost"),
        (lambda message: [message, message], "reply_duplicated"),
        (lambda message: [{**message, "text": "other"}], "reply_altered"),
    ],
)
def test_wrong_replies_are_told_apart(
    change: Callable[[dict[str, str]], list[dict[str, str]]], column: str
) -> None:
    async def answer(connection: ServerConnection) -> None:
        async for message in connection:
            for reply in change(json.loads(message)):
                await connection.send(json.dumps(reply))

    row = run(answer, timeout_s=1.0, **ECHO)
    assert row[column] == 1 and not row["reply_ok"]
    assert (
        sum(row[name] for name in ("reply_lost", "reply_duplicated", "reply_altered", "reply_reordered")) == 1
    )


def test_replies_in_another_order_are_seen() -> None:
    async def swap(connection: ServerConnection) -> None:
        first, second = await connection.recv(), await connection.recv()
        await connection.send(second)
        await connection.send(first)
        await connection.wait_closed()

    row = run(swap, messages=2, **ECHO)
    assert row["reply_reordered"] == 1 and row["replied"] == 2 and not row["reply_ok"]


@pytest.mark.slow
def test_a_server_that_accepts_and_then_is_silent_loses_the_reply() -> None:
    async def silent(connection: ServerConnection) -> None:
        await connection.wait_closed()

    row = run(silent, timeout_s=1.0, **ECHO)
    assert row["upgraded"] and row["reply_lost"] == 1 and "no reply within 1 s" in row["error"]


def test_a_refused_upgrade_keeps_its_status_and_body() -> None:
    def refuse(connection: ServerConnection, request: Request) -> Response:
        return connection.respond(503, "no healthy upstream\n")

    row = run(echo, process_request=refuse, **ECHO)
    assert (
        not row["upgraded"]
        and row["http_status"] == 503
        and "no healthy upstream" in row["http_body"]
        and row["closed_in"] == "upgrade"
    )


@pytest.mark.slow
def test_a_missing_greeting_and_a_wrong_one_are_told_apart() -> None:
    async def other(connection: ServerConnection) -> None:
        await connection.send("hi there")
        await connection.wait_closed()

    async def none(connection: ServerConnection) -> None:
        await connection.wait_closed()

    greeting = {"greeting": {"regex": "^welcome"}}
    assert "another greeting" in run(other, **greeting)["error"]
    assert run(none, timeout_s=1.0, **greeting)["error"] == "no greeting"


@pytest.mark.slow
def test_binary_and_plain_text_conversations_work() -> None:
    assert run(echo, send_base64=base64.b64encode(b"\x00ping").decode(), expect={"regex": "ping"})["reply_ok"]
    assert run(echo, send="hello {id}", expect={"regex": "^hello {id}$"})["reply_ok"]


@pytest.mark.parametrize(
    ("place", "got"),
    [
        ({"in": "header"}, lambda request: request.headers.get("Authorization") == "Bearer good"),
        (
            {"in": "header", "name": "X-Token", "format": "Token {token}"},
            lambda request: request.headers.get("X-Token") == "Token good",
        ),
        ({"in": "query", "name": "t"}, lambda request: request.path.endswith("?t=good")),
        (
            {"in": "cookie", "name": "session"},
            lambda request: request.headers.get("Cookie") == "session=good",
        ),
        (
            {"in": "subprotocol"},
            lambda request: "jwt.good" in request.headers.get("Sec-WebSocket-Protocol", ""),
        ),
    ],
)
def test_the_token_goes_where_the_environment_says(
    place: dict[str, str], got: Callable[[Request], bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOD_TOKEN", "good")
    seen: list[bool] = []

    def look(connection: ServerConnection, request: Request) -> Response | None:
        seen.append(got(request))
        return None

    run(echo, process_request=look, token=place, login={"token": {"env": "GOOD_TOKEN"}}, **ECHO)
    # Three, and the one that listens first whether it greets.
    assert seen == [True] * 4


@pytest.mark.slow
def test_a_token_that_goes_as_the_first_message_is_sent_on_every_kind_of_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GOOD_TOKEN", "good")

    async def strict(connection: ServerConnection) -> None:
        if json.loads(await connection.recv()) != {"login": "good"}:
            await connection.close(4401, "who are you?")
            return
        async for message in connection:
            await connection.send(message)

    async def all_kinds() -> list[pd.DataFrame]:
        async with serve(strict, "127.0.0.1", 0) as server:
            where = environment(
                server.sockets[0].getsockname()[1],
                token={"in": "first_message", "format": '{"login": "{token}"}'},
                login={"token": {"env": "GOOD_TOKEN"}},
                **ECHO,
            )
            session = Session(where, base=Path())
            (socket,) = where.websockets
            assert where.login is not None
            user = where.login.user
            made, _ = await probes.make_journeys(
                socket, user=user, session=session, checkpoints=(2,), decided=lambda _: True
            )
            shadows = await probes.make_unmarked_journeys(socket, user=user, session=session, count=2)
            tried = await probes.try_tokens(socket, user=user, session=session, bad=4)
            over = asyncio.Event()
            asyncio.get_running_loop().call_later(0.4, over.set)
            held = await rollout.hold(socket, user=user, count=2, until=over, session=session)
            return [made, shadows, held, tried]

    made, shadows, held, tried = asyncio.run(all_kinds())
    assert made["reply_ok"].all() and shadows["reply_ok"].all()
    assert (held["closed_by"] == "probe").all() and (held["dwell_s"] > 0).all()
    assert tried.groupby("token_kind")["close_code"].agg(set).to_dict() == {
        "good": {1000},
        "missing": {4401},  # what it said instead of a token was none
        "tampered": {4401},
        TokenKind.AT_UNKNOWN_PATH: {1000},
    }


@pytest.mark.parametrize("greets", [True, False])
@pytest.mark.parametrize(
    ("bad_tokens", "speaks", "verdict", "reason"),
    [
        ("thrown out", True, "pass", ""),
        # Without a message of ours a connection that stays open may just be waited for.
        ("thrown out", False, "pass", ""),
        ("ignored", True, "inconclusive", "unnamed-refusal"),
        ("ignored", False, "inconclusive", "unnamed-refusal"),
        ("served", True, "fail", "bad-token-accepted"),
        ("served", False, "inconclusive", "unnamed-refusal"),
    ],
)
@pytest.mark.slow
def test_who_may_log_in_by_a_first_message_is_let_in_once_he_is_served(
    monkeypatch: pytest.MonkeyPatch, greets: bool, bad_tokens: str, speaks: bool, verdict: str, reason: str
) -> None:
    monkeypatch.setenv("GOOD_TOKEN", "good-token")

    async def served(connection: ServerConnection) -> None:
        if greets:
            await connection.send("hello, who are you?")
        try:
            known = await connection.recv() == "good-token"
            if not known and bad_tokens == "thrown out":
                await connection.close(4401)
            async for message in connection:
                if known or bad_tokens == "served":
                    await connection.send(message)
        except ConnectionClosed:
            pass

    async def tried() -> Finding:
        async with serve(served, "127.0.0.1", 0) as server:
            where = environment(
                server.sockets[0].getsockname()[1],
                token={"in": "first_message", "format": "{token}"},
                login={"token": {"env": "GOOD_TOKEN"}},
                timeout_s=1.0,
                **({"greeting": {"regex": "hello"}} if greets else {}),
                **(ECHO if speaks else {}),
            )
            assert where.login is not None
            rows = await probes.try_tokens(
                where.websockets[0], user=where.login.user, session=Session(where, base=Path()), bad=4
            )
        assert ("missing" in set(rows["token_kind"])) == speaks
        recipe = access.refuses_tokens("ws", with_test_headers=False)
        check = Check(id="x", kind="guard", claim="bad tokens are refused", group="own", recipe=recipe)
        return settle(
            check,
            View(
                tables=lambda name, phase: rows if phase == "after" else None,
                windows=Windows(before=None, after=None),
            ),
        )

    finding = asyncio.run(tried())
    assert (finding.verdict.value, finding.reason) == (verdict, reason), finding.statement


def test_a_refused_connection_is_a_failed_sample_and_an_unknown_host_is_an_error() -> None:
    async def dead() -> pd.DataFrame:
        where = environment(1)
        table, _ = await probes.make_journeys(
            where.websockets[0],
            user="",
            session=Session(where, base=Path()),
            checkpoints=(2,),
            decided=lambda _: True,
        )
        return table

    table = asyncio.run(dead())
    assert not table["upgraded"].any() and (table["closed_in"] == "connect").all()

    async def unknown() -> None:
        where = environment(1, host="no-such-host.invalid")
        await probes.make_journeys(
            where.websockets[0],
            user="",
            session=Session(where, base=Path()),
            checkpoints=(1,),
            decided=lambda _: True,
        )

    with pytest.raises(CouldNotLook, match=r"no-such-host\.invalid.* does not resolve"):
        asyncio.run(unknown())


def certificate(folder: Path) -> tuple[ssl.SSLContext, str]:
    """A server context and the file of the private CA that signed it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*Authority(folder).issue("server", days=10))
    return context, "ca.pem"


def test_a_private_ca_is_trusted_only_when_named(tmp_path: Path) -> None:
    context, file = certificate(tmp_path)
    good = run(echo, tls=context, base=tmp_path, ca_file=file, **ECHO)
    assert good["reply_ok"] and good["tls_s"] > 0
    bad = run(echo, tls=context, base=tmp_path, **ECHO)
    assert not bad["upgraded"] and "its certificate is not accepted" in bad["error"]


@pytest.mark.slow
def test_pace_and_concurrency_hold() -> None:
    open_now, most, times = 0, 0, []

    async def count(connection: ServerConnection) -> None:
        nonlocal open_now, most
        open_now += 1
        most = max(most, open_now)
        times.append(asyncio.get_running_loop().time())
        with contextlib.suppress(Exception):
            await connection.wait_closed()
        open_now -= 1

    async def go() -> None:
        async with serve(count, "127.0.0.1", 0) as server:
            polite = {"pace": Pace(per_s=40, concurrency=3)}
            where = environment(server.sockets[0].getsockname()[1]).model_copy(update=polite)
            session = Session(where, base=Path())
            await probes.make_journeys(
                where.websockets[0], user="", session=session, checkpoints=(12,), decided=lambda _: True
            )
            assert session.done["websocket connections"] == 12

    asyncio.run(go())
    assert most <= 4  # a connection that the probe has closed may still be ending on the server's side
    assert len(times) == 12 and max(times) - min(times) >= 11 / 40 - 0.05


def test_a_shadow_probe_carries_nothing_by_which_a_server_could_know_it() -> None:
    seen: list[dict[str, str]] = []

    def look(connection: ServerConnection, request: Request) -> Response | None:
        seen.append({name.lower(): value for name, value in request.headers.raw_items()})
        return None

    async def go() -> tuple[pd.DataFrame, pd.DataFrame]:
        async with serve(echo, "127.0.0.1", 0, process_request=look) as server:
            port = server.sockets[0].getsockname()[1]
            where = environment(
                port,
                test_headers={"X-E2E-Test": "true"},
                sends_test_headers=True,
                headers={"X-E2E-Test": "always", "X-Tenant": "7"},
                **ECHO,
            )
            session = Session(where, base=Path())
            socket = where.websockets[0]
            marked = await probes.make_journeys(
                socket, user="u", session=session, checkpoints=(1,), decided=lambda _: True
            )
            return marked[0], await probes.make_unmarked_journeys(socket, user="u", session=session, count=1)

    marked, shadows = asyncio.run(go())
    # First one that listens whether it greets. The three come in no certain order.
    _, probe, *strangers = seen
    (shadow,) = (headers for headers in strangers if "user-agent" not in headers)
    browser, uncompressed = sorted(
        (headers for headers in strangers if headers is not shadow),
        key=lambda headers: "cookie" not in headers,
    )
    assert probe["user-agent"] == probe_marks.USER_AGENT and probe["x-e2e-test"] == "true"
    assert probe_marks.PROBE_TRACE in probe["traceparent"]
    # The row holds the trace id that the server met, and of a stranger none.
    assert marked["trace_id"].tolist() == [probe["traceparent"].split("-")[1]]
    assert shadows["trace_id"].isna().all()
    assert shadow["x-tenant"] == "7"
    assert not {"user-agent", "traceparent", "x-e2e-test"} & shadow.keys()
    for stranger in (browser, uncompressed):
        assert stranger["x-tenant"] == "7" and not {"traceparent", "x-e2e-test"} & stranger.keys()
        assert stranger["user-agent"].startswith("Mozilla/5.0")
    assert browser["origin"] == f"http://{browser['host']}" and "cookie" in browser
    assert "sec-websocket-extensions" in browser and "sec-websocket-extensions" not in uncompressed
    assert shadows["reply_ok"].all() and list(shadows["token_kind"]) == list(UNMARKED_KINDS)


def test_the_last_message_is_as_long_as_the_environment_wants_it() -> None:
    lengths: list[int] = []

    async def measure(connection: ServerConnection) -> None:
        async for message in connection:
            lengths.append(len(json.loads(message)["text"]))
            await connection.send(message)

    row = run(measure, messages=2, long_message_chars=9000, **ECHO)
    assert row["reply_ok"] and lengths[0] < 100 and lengths[1] == 9000
