"""What an environment can state of a conversation, against servers that want just that."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pydantic import ValidationError
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from proofbook import connections
from proofbook.collect.session import Session
from proofbook.collect.websocket import probes
from proofbook.collect.websocket.entering import FIRST_WORD_S
from proofbook.config.environment import Environment
from proofbook.evidence.schema import WEBSOCKET
from proofbook.judge.checks import access
from proofbook.judge.failure_summary import in_words
from proofbook.protocol import TokenKind

pytestmark = pytest.mark.waits

Handler = Callable[[ServerConnection], Awaitable[None]]
GOOD = "good-token-of-a-user"


def stated(port: int, *, login: bool = False, timeout_s: float = 3.0, **socket: Any) -> Environment:
    url = f"http://127.0.0.1:{port}"
    ws = {"path": "/ws", "dwell_s": 0.05, "token": {"in": "none"}, **socket}
    service = {"name": "s", "url": url, "ws": ws, **({"token": {"file": "token"}} if login else {})}
    pace = {"per_s": 1000, "concurrency": 20, "timeout_s": timeout_s}
    return Environment.model_validate({"writes": True, "pace": pace, "service": [service]})


def journeys(handler: Handler, *, count: int = 3, **more: Any) -> pd.DataFrame:
    async def go() -> pd.DataFrame:
        async with serve(handler, "127.0.0.1", 0) as server:
            where = stated(server.sockets[0].getsockname()[1], **more)
            found, _ = await probes.make_journeys(
                where.websockets[0], user="ada", session=Session(where, base=Path()), checkpoints=(count,), decided=lambda _: True
            )  # fmt: skip
            return found.assign(made=connections.connected(WEBSOCKET.typed(found), where.websockets[0]))

    return asyncio.run(go())


def tries(handler: Handler, folder: Path, *, process_request: Any = None, **more: Any) -> pd.DataFrame:
    (folder / "token").write_text(GOOD)

    async def go() -> pd.DataFrame:
        async with serve(handler, "127.0.0.1", 0, process_request=process_request) as server:
            where = stated(server.sockets[0].getsockname()[1], login=True, **more)
            session = Session(where, base=folder)
            return await probes.try_tokens(where.websockets[0], user="proofbook", session=session, bad=2)

    return WEBSOCKET.typed(asyncio.run(go()))


def is_good(connection: ServerConnection) -> bool:
    assert connection.request is not None
    return connection.request.headers.get("Authorization") == f"Bearer {GOOD}"


TOKEN = {"in": "header"}
ASK: dict[str, Any] = {"send_json": {"id": "{id}"}, "expect": {"json": {"id": "{id}", "type": "result"}}}


# Who speaks first ------------------------------------------------------------------------------------------------------


def deaf_until_it_greeted(after_s: float) -> Handler:
    """Greets after so long, and loses what was said to it before, as a server that listens only once it has made up its mind."""

    async def handler(connection: ServerConnection) -> None:
        early = asyncio.create_task(connection.recv())
        await asyncio.wait({early}, timeout=after_s)
        if early.done():
            early.result()
        else:
            early.cancel()
            await asyncio.wait({early})
        await connection.send("connected")
        async for message in connection:
            await connection.send(json.dumps({"id": json.loads(message)["id"], "type": "result"}))

    return handler


def test_a_server_that_speaks_first_is_let_speak_where_no_greeting_is_stated() -> None:
    found = journeys(deaf_until_it_greeted(0.05), count=30, **ASK)
    assert found.reply_ok.all() and found.greeted.isna().all()


def test_one_connection_finds_out_that_a_server_says_nothing_by_itself_and_nobody_else_waits() -> None:
    waited: list[float] = []

    async def handler(connection: ServerConnection) -> None:
        opened = time.perf_counter()
        with contextlib.suppress(ConnectionClosed):
            message = await connection.recv()
            await connection.send(json.dumps({"id": json.loads(message)["id"], "type": "result"}))
        waited.append(time.perf_counter() - opened)

    found = journeys(handler, count=60, **ASK)
    assert found.reply_ok.all() and len(found) == 60
    assert len(waited) == 61 and sum(one >= FIRST_WORD_S for one in waited) == 1


def test_a_server_that_ends_what_is_silent_is_asked_before_that() -> None:
    async def handler(connection: ServerConnection) -> None:
        try:
            async with asyncio.timeout(FIRST_WORD_S / 2):
                message = await connection.recv()
        except TimeoutError:
            await connection.close(1001, "idle")
            return
        await connection.send(json.dumps({"id": json.loads(message)["id"], "type": "result"}))
        await connection.wait_closed()

    assert journeys(handler, count=30, **ASK).reply_ok.all()


# Steps, heartbeats, other messages ------------------------------------------------------------------------------------


async def two_steps(connection: ServerConnection) -> None:
    """Says what it is, wants a name, is ready after a word in between, and drops what comes too early."""
    await connection.send('{"type":"hello"}')
    said = json.loads(await connection.recv())
    if said.get("type") != "join" or said.get("user") != "ada":
        return
    await connection.send('{"type":"presence","users":3}')
    await connection.send('{"type":"ready"}')
    async for message in connection:
        await connection.send(json.dumps({**json.loads(message), "type": "result"}))


STEPS = [
    {"wait_for": {"json": {"type": "hello"}}},
    {"send_json": {"type": "join", "user": "{user}"}, "wait_for": {"json": {"type": "ready"}}},
]


def test_a_conversation_of_several_steps_is_opened_before_anything_is_asked() -> None:
    rows = journeys(two_steps, opening=STEPS, **ASK)
    assert rows["made"].all() and rows["greeted"].all() and rows["reply_ok"].all()
    # Without the second step nobody is let in, and the row says what came instead.
    rows = journeys(two_steps, opening=[{"wait_for": {"json": {"type": "ready"}}}], timeout_s=0.5, **ASK)
    assert not rows["made"].any() and not rows["greeted"].any()
    assert rows["heard"].str.contains("hello").all() and "hello" in in_words(rows)


async def beats(connection: ServerConnection) -> None:
    """Says 2 and closes who does not say 3."""
    async for message in connection:
        await connection.send("2")
        try:
            async with asyncio.timeout(1.0):
                if await connection.recv() != "3":
                    raise TimeoutError
        except TimeoutError:
            await connection.close(1002, "no heartbeat")
            return
        await connection.send(json.dumps({**json.loads(message), "type": "result"}))


@pytest.mark.slow
def test_a_heartbeat_is_answered_and_who_does_not_answer_it_is_thrown_out() -> None:
    rows = journeys(beats, answers=[{"to": {"regex": "^2$"}, "send": "3"}], **ASK)
    assert rows["made"].all() and rows["reply_ok"].all()
    rows = journeys(beats, **ASK)
    assert not rows["made"].any() and in_words(rows) == "3 ended with close 1002 (no heartbeat)"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("states", "ok"),
    [
        (("busy", "result", "idle"), True),
        (("result", "result"), False),
        (("busy", "idle"), False),
        (("error",), False),
    ],
)
def test_messages_that_bear_the_id_are_the_reply_only_as_it_is_expected(
    states: tuple[str, ...], ok: bool
) -> None:
    async def several(connection: ServerConnection) -> None:
        async for message in connection:
            for state in states:
                await connection.send(json.dumps({**json.loads(message), "type": state}))

    rows = journeys(several, timeout_s=1.0, **ASK)
    assert (rows["reply_ok"] == ok).all()
    if "result" not in states:
        assert (rows["reply_altered"] == 1).all() and in_words(rows).startswith(
            "3 ended with another reply than expected ({"
        )
    if states.count("result") == 2:
        assert in_words(rows) == "3 ended with a reply that came twice"


@pytest.mark.slow
def test_an_acknowledgement_that_looks_like_the_reply_can_be_named_as_none() -> None:
    async def acknowledges(connection: ServerConnection) -> None:
        async for message in connection:
            await connection.send(f"ack {message}")
            await connection.send(f"done {message}")

    said = {"send": "job {id}", "expect": {"regex": "{id}"}}
    assert not journeys(acknowledges, **said)["reply_ok"].any()
    assert journeys(acknowledges, ignores=[{"regex": "^ack "}], **said)["reply_ok"].all()


# Ids, braces, bytes, pieces of frames -----------------------------------------------------------------------------------


async def as_graphql(connection: ServerConnection) -> None:
    async for message in connection:
        asked = json.loads(message)
        right = asked["query"] == "{user{id}}"
        await connection.send(json.dumps({"id": asked["id"], "data": {"user": 1} if right else None}))


@pytest.mark.slow
def test_doubled_braces_are_braces_and_single_ones_a_value() -> None:
    expect = {"json": {"id": "{id}", "data.user": 1}}
    assert journeys(as_graphql, send_json={"id": "{id}", "query": "{user{{id}}}"}, expect=expect)[
        "reply_ok"
    ].all()
    rows = journeys(as_graphql, send_json={"id": "{id}", "query": "{user{id}}"}, expect=expect, timeout_s=0.5)
    assert not rows["reply_ok"].any()


async def numbers(connection: ServerConnection) -> None:
    async for message in connection:
        asked = json.loads(message)
        await connection.send(json.dumps({"id": asked["id"] if isinstance(asked["id"], int) else None}))


def test_an_id_can_be_a_number() -> None:
    rows = journeys(numbers, send_json={"id": "{number}"}, expect={"json": {"id": "{number}"}}, messages=3)
    assert rows["reply_ok"].all()


def test_an_id_varies_among_bytes_too() -> None:
    seen: list[bytes] = []

    async def echo(connection: ServerConnection) -> None:
        async for message in connection:
            assert isinstance(message, bytes)
            seen.append(message)
            await connection.send(b"\xff" + message[1:])

    sent = base64.b64encode(b"\xfe\x00{id}{{id}}").decode()
    rows = journeys(echo, send_base64=sent, expect={"regex": "{id}"})
    assert rows["reply_ok"].all() and len(set(seen)) == 3
    assert all(item[:2] == b"\xfe\x00" and item.endswith(b"{id}") for item in seen)


@pytest.mark.slow
def test_a_message_may_come_in_several_frames_and_a_frame_hold_several() -> None:
    async def records(connection: ServerConnection) -> None:
        async for message in connection:
            text = str(message)
            assert text.endswith(";")
            await connection.send(f"hello;got {text[:5]}")
            await connection.send(text[5:])

    rows = journeys(records, separator=";", send="say {id}", expect={"regex": "^got say {id}$"})
    assert rows["reply_ok"].all()
    assert not journeys(records, send="say {id};", expect={"regex": "^got say {id}$"}, timeout_s=0.5)[
        "reply_ok"
    ].any()


# Refusals -----------------------------------------------------------------------------------------------------------


def after(seconds: float, code: int, *, greets: bool) -> Handler:
    async def handle(connection: ServerConnection) -> None:
        if greets:
            await connection.send('{"type":"hello"}')
        if not is_good(connection):
            await asyncio.sleep(seconds)
            await connection.close(code, "no")
        await connection.wait_closed()

    return handle


@pytest.mark.parametrize("greets", [True, False])
@pytest.mark.parametrize(
    ("seconds", "code", "refusal", "refused"),
    [
        (0.9, 1008, {}, True),
        (0.0, 3000, {}, True),
        (0.9, 4408, {"close_codes": [4408]}, True),
        (0.9, 4408, {}, False),
        # Later than it is stated: then it was let in.
        (0.9, 1008, {"within_s": 0.1}, None),
    ],
)
@pytest.mark.slow
def test_a_refusal_may_come_late_and_with_a_code_that_is_stated(
    seconds: float, code: int, refusal: dict[str, Any], refused: bool | None, greets: bool, tmp_path: Path
) -> None:
    greeting = {"greeting": {"json": {"type": "hello"}}} if greets else {}
    rows = tries(
        after(seconds, code, greets=greets), tmp_path, token=TOKEN, refusal=refusal, any_path=True, **greeting
    )
    good, bad = rows[rows["token_kind"] == TokenKind.GOOD], rows[~rows["token_kind"].str.startswith("good")]
    assert access.accepted(good).all() and len(bad)
    # Who is neither is closed without a word that refuses.
    assert (access.accepted(bad) == (refused is None)).all()
    assert (access.explicitly_refused(bad) == (refused is True)).all()


@pytest.mark.slow
@pytest.mark.parametrize(
    "told", ['{"type":"hello","authenticated":false}', '{"type":"goodbye"}', "no session"]
)
def test_who_is_greeted_otherwise_and_then_closed_by_name_is_refused(told: str, tmp_path: Path) -> None:
    greeting = {"json": {"type": "hello", "authenticated": True}}

    async def handle(connection: ServerConnection) -> None:
        good = is_good(connection)
        await connection.send('{"type":"hello","authenticated":true}' if good else told)
        if not good:
            await asyncio.sleep(0.3)
            await connection.close(1008, "token")
        await connection.wait_closed()

    rows = tries(handle, tmp_path, token=TOKEN, greeting=greeting, any_path=True)
    good, bad = rows[rows["token_kind"] == TokenKind.GOOD], rows[~rows["token_kind"].str.startswith("good")]
    assert access.accepted(good).all() and len(bad)
    assert access.explicitly_refused(bad).all() and not access.accepted(bad).any()


@pytest.mark.parametrize(("checks", "accepted"), [(True, False), (False, True)])
def test_who_is_refused_at_the_first_message_was_not_let_in(
    checks: bool, accepted: bool, tmp_path: Path
) -> None:
    async def greets_all(connection: ServerConnection) -> None:
        await connection.send('{"type":"hello"}')
        async for message in connection:
            if checks and not is_good(connection):
                await connection.close(1008, "token")
            else:
                await connection.send(json.dumps({**json.loads(message), "type": "result"}))

    greeting = {"json": {"type": "hello"}}
    rows = tries(
        greets_all, tmp_path, token=TOKEN, greeting=greeting, any_path=True, refusal={"within_s": 0.1}, **ASK
    )
    good, bad = rows[rows["token_kind"] == TokenKind.GOOD], rows[rows["token_kind"] != TokenKind.GOOD]
    assert access.accepted(good).all()
    assert (access.accepted(bad) == accepted).all() and (access.explicitly_refused(bad) == checks).all()


@pytest.mark.slow
def test_a_status_that_is_stated_refuses(tmp_path: Path) -> None:
    def only_good(connection: ServerConnection, request: Request) -> Response | None:
        good = request.headers.get("Authorization") == f"Bearer {GOOD}"
        return None if good else connection.respond(HTTPStatus.BAD_REQUEST, "bad token")

    async def handle(connection: ServerConnection) -> None:
        await connection.wait_closed()

    rows = tries(
        handle,
        tmp_path,
        process_request=only_good,
        token=TOKEN,
        refusal={"http_status": [400]},
        any_path=True,
    )
    assert access.explicitly_refused(rows[rows["token_kind"] == TokenKind.MISSING]).all()
    rows = tries(handle, tmp_path, process_request=only_good, token=TOKEN, any_path=True)
    assert not access.explicitly_refused(rows[rows["token_kind"] == TokenKind.MISSING]).any()


async def binary_login(connection: ServerConnection) -> None:
    first = await connection.recv()
    if first != b"\x01proofbook\x00" + GOOD.encode():
        await connection.send(b"\x02no")
        return
    await connection.send(b"\x01ok")
    await connection.wait_closed()


@pytest.mark.slow
def test_a_token_goes_into_bytes_beside_a_user_and_a_message_refuses(tmp_path: Path) -> None:
    first = {
        "send_base64": base64.b64encode(b"\x01{user}\x00{token}").decode(),
        "wait_for": {"regex": "^\x01ok"},
    }
    login = {"opening": [first], "refusal": {"message": {"regex": "^\x02no"}}}
    rows = tries(binary_login, tmp_path, token={"in": "first_message"}, any_path=True, **login)
    good, bad = rows[rows["token_kind"] == TokenKind.GOOD], rows[rows["token_kind"] != TokenKind.GOOD]
    assert access.accepted(good).all()
    assert set(bad["token_kind"]) == {"missing", "tampered"} and access.explicitly_refused(bad).all()


@pytest.mark.slow
def test_where_the_path_does_not_matter_none_must_be_refused(tmp_path: Path) -> None:
    kinds = set(tries(after(0, 1008, greets=False), tmp_path, token=TOKEN)["token_kind"])
    assert TokenKind.AT_UNKNOWN_PATH in kinds
    kinds = set(tries(after(0, 1008, greets=False), tmp_path, token=TOKEN, any_path=True)["token_kind"])
    assert TokenKind.AT_UNKNOWN_PATH not in kinds


# What cannot be stated ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("socket", "sentence"),
    [
        ({"opening": [{}]}, "expected send, send_json, send_base64 or wait_for, got none of them"),
        ({"opening": [{"without_token": "40", "wait_for": {"regex": "."}}]}, "expected without_token beside a message that shows a token, got it alone"),
        ({"opening": [{"send": "a", "send_json": 1}]}, "expected one of send, send_json, send_base64, got send and send_json"),
        ({"answers": [{"to": {"regex": "2"}}]}, "expected send, send_json or send_base64, got none of them"),
        ({"send_base64": "no base64!", "expect": {"regex": "."}}, "expected bytes in base64, got 'no base64!'"),
        ({"token": {"in": "first_message"}, "opening": [{"send": "hi"}]}, "expected {token} in a message of opening, since the token is in the first message"),
        ({"refusal": {"close_codes": [99]}}, "greater than or equal to 1000"),
        ({"dialect": "socketio"}, "did you mean socket-io?"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_one_sentence(socket: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValidationError) as caught:
        stated(1, login=True, **socket)
    assert sentence in str(caught.value)
