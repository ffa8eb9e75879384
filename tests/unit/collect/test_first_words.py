"""What a server that nobody described answers to a first word: JSON-RPC and SignalR, and a refusal of a wrong token."""

from __future__ import annotations

import json
import time
import tomllib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import WSMsgType, web
from first_tries import Answers, Tried, attempt, attempt_with, serving, with_socket

from proofbook.collect.websocket import questions
from proofbook.judge.findings import Verdict
from proofbook.pipeline import quickstart, try_options

pytestmark = [pytest.mark.waits, pytest.mark.slow]

TOKEN = "good-token-of-a-user"
BAD_TOKENS, DELIVERY = "websocket-refuses-bad-tokens", "websocket-delivery"
PACE = {"per_s": 1000.0, "concurrency": 70, "timeout_s": 5.0}
Talk = Callable[[web.WebSocketResponse, str], Awaitable[None]]


def talks(talk: Talk, *, first: str = "") -> Answers:
    """A WebSocket that says something first, if anything, and then answers every message so."""

    async def answer(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        if first:
            await socket.send_str(first)
        async for message in socket:
            if message.type == WSMsgType.TEXT:
                await talk(socket, message.data)
        return socket

    return with_socket(answer)


def kept(tried: Tried) -> dict[str, Any]:
    service: dict[str, Any] = tomllib.loads(tried.files.environment.read_text())["service"][0]
    return dict(service["ws"])


async def json_rpc(socket: web.WebSocketResponse, text: str) -> None:
    try:
        asked = json.loads(text)
        error, number = {"code": -32601, "message": "Method not found"}, asked["id"]
    except (ValueError, KeyError, TypeError):
        error, number = {"code": -32700, "message": "Parse error"}, None
    await socket.send_str(json.dumps({"jsonrpc": "2.0", "id": number, "error": error}))


async def signalr(socket: web.WebSocketResponse, text: str) -> None:
    for record in text.split("\x1e"):
        said = json.loads(record) if record else {}
        if "protocol" in said:
            await socket.send_str("{}\x1e")
        elif said.get("type") == 1:
            await socket.send_str(json.dumps({"type": 3, "invocationId": said["invocationId"], "error": "no"}) + "\x1e")  # fmt: skip
        elif "jsonrpc" in said:
            await socket.close(code=1000)


async def same(socket: web.WebSocketResponse, text: str) -> None:
    await socket.send_str(text)


async def nothing(_: web.WebSocketResponse, __: str) -> None:
    return


@pytest.mark.parametrize(("talk", "dialect"), [(json_rpc, "json-rpc"), (signalr, "signalr")])
def test_a_silent_server_is_asked_and_its_dialect_found(
    talk: Talk, dialect: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Both answer, or close, at once, if the machine is not busy.
    monkeypatch.setattr(questions, "ANSWER_WAIT_S", 60.0)
    with serving(talks(talk)) as url:
        tried = attempt(url, base=tmp_path, ws="/ws")
    assert kept(tried) == {"path": "/ws", "dialect": dialect} and f"it speaks {dialect}" in tried.shown
    assert tried.findings[DELIVERY].verdict is Verdict.PASS, tried.shown
    plan = next(line for line in tried.said if "connections to /ws" in line)
    assert "4 more at once, each with a question of a dialect (json-rpc, signalr, stomp, mqtt)" in plan


async def stomp(request: web.Request) -> web.StreamResponse:
    """A broker that says nothing before CONNECT, and knows one passcode."""
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    async for message in socket:
        if message.type == WSMsgType.TEXT and message.data.startswith("CONNECT\n"):
            told = (
                "CONNECTED\nversion:1.1"
                if f"passcode:{TOKEN}\n" in message.data
                else "ERROR\nmessage:Access refused"
            )
            await socket.send_str(f"{told}\n\n\x00")
        elif message.type == WSMsgType.TEXT:
            await socket.send_str("ERROR\nmessage:what is that?\n\n\x00")
    return socket


async def mqtt(request: web.Request) -> web.StreamResponse:
    """A broker that takes whatever subprotocol is offered first, and knows one password."""
    offered = request.headers.get("Sec-WebSocket-Protocol", "").split(",")[0].strip()
    socket = web.WebSocketResponse(protocols=[offered] if offered else [])
    await socket.prepare(request)
    async for message in socket:
        if message.type == WSMsgType.BINARY and message.data[0] == 0x10:
            await socket.send_bytes(
                b"\x20\x02\x00\x00"
                if message.data.endswith(len(TOKEN).to_bytes(2, "big") + TOKEN.encode())
                else b"\x20\x02\x00\x05"
            )
        elif message.type == WSMsgType.BINARY and message.data[0] == 0xC0:
            await socket.send_bytes(b"\xd0\x00")
        else:
            await socket.close(code=1000)
    return socket


@pytest.mark.slow
@pytest.mark.parametrize(("broker", "dialect"), [(stomp, "stomp"), (mqtt, "mqtt")])
@pytest.mark.parametrize(("token", "verdict"), [(TOKEN, "pass"), ("another-token-of-a-user", "inconclusive")])
def test_a_broker_that_waits_for_a_client_to_come_in_is_found_and_refuses_by_its_own_word(
    broker: Answers, dialect: str, token: str, verdict: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(questions, "ANSWER_WAIT_S", 30.0 if dialect == "stomp" else 1.0)
    monkeypatch.setattr(questions, "ASKED", (dialect,))
    with serving(with_socket(broker)) as url:
        tried = attempt_with(token, url, base=tmp_path, ws="/ws")
    assert kept(tried)["dialect"] == dialect, tried.shown
    assert tried.verdict == verdict, tried.shown


@pytest.mark.parametrize("talk", [same, nothing])
def test_who_sends_back_what_was_sent_or_nothing_speaks_no_dialect(talk: Talk, tmp_path: Path) -> None:
    with serving(talks(talk)) as url:
        tried = attempt(url, base=tmp_path, ws="/ws")
    assert kept(tried) == {"path": "/ws"} and DELIVERY not in tried.findings
    assert tried.verdict == "pass", tried.shown


def test_a_server_whose_first_word_is_one_of_json_rpc_speaks_it(tmp_path: Path) -> None:
    first = '{"jsonrpc": "2.0", "method": "server.ready", "params": {}}'
    with serving(talks(json_rpc, first=first)) as url:
        tried = attempt(url, base=tmp_path, ws="/ws")
    assert kept(tried) == {"path": "/ws", "dialect": "json-rpc"}
    assert tried.findings[DELIVERY].verdict is Verdict.PASS, tried.shown


def test_a_server_that_greets_is_asked_nothing(tmp_path: Path) -> None:
    heard: list[str] = []

    async def note(_: web.WebSocketResponse, text: str) -> None:
        heard.append(text)

    with serving(talks(note, first='{"type": "hello"}')) as url:
        assert attempt(url, base=tmp_path, ws="/ws").verdict == "pass"
    assert not heard


# A wrong token --------------------------------------------------------------------------------------------------------


def knocked(refuse: Talk, *, good: Talk = nothing) -> Answers:
    """Greets everybody, and at the first message does that with who has not the good token."""

    async def answer(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_str('{"type": "hello"}')
        is_good = request.headers.get("Authorization") == f"Bearer {TOKEN}"
        async for message in socket:
            if message.type == WSMsgType.TEXT:
                await (good if is_good else refuse)(socket, message.data)
        return socket

    return with_socket(answer)


def closing(code: int) -> Talk:
    async def close(socket: web.WebSocketResponse, _: str) -> None:
        await socket.close(code=code, message=b"who are you")

    return close


def saying(text: str) -> Talk:
    async def say(socket: web.WebSocketResponse, _: str) -> None:
        await socket.send_str(text)

    return say


def with_token(url: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Tried:
    monkeypatch.setenv("A_TOKEN", TOKEN)
    return attempt(url, base=folder, ws="/ws", token=TOKEN, token_env="A_TOKEN", pace=PACE)


PING = '{"type":"ping"}'


@pytest.mark.parametrize(
    ("refuse", "good", "refusal"),
    [
        (closing(1008), nothing, {"send": PING}),
        (closing(4003), saying('{"type":"pong"}'), {"send": PING, "close_codes": [4003]}),
        (saying('{"type":"error","code":"UNAUTHORIZED"}'), saying('{"type":"pong"}'), {"send": PING, "message": {"regex": "UNAUTHORIZED"}}),
        (saying("Invalid token."), saying("unknown command"), {"send": PING, "message": {"regex": "Invalid token"}}),
    ],
)  # fmt: skip
def test_a_server_that_refuses_at_the_first_message_refuses(
    refuse: Talk, good: Talk, refusal: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(knocked(refuse, good=good)) as url:
        tried = with_token(url, tmp_path, monkeypatch)
    found = tried.findings[BAD_TOKENS]
    assert kept(tried)["refusal"] == refusal
    assert found.verdict is Verdict.PASS, found.statement
    assert tried.verdict == "pass" and "refuses it at its first message" in tried.shown
    assert any("each followed by a message" in line for line in tried.said)
    assert TOKEN not in tried.files.environment.read_text()


@pytest.mark.parametrize("code", [1011])
def test_who_ends_the_connection_of_a_wrong_token_without_a_word_does_not_let_it_in(
    code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(knocked(closing(code))) as url:
        found = with_token(url, tmp_path, monkeypatch).findings[BAD_TOKENS]
    assert (found.verdict, found.reason) == (Verdict.INCONCLUSIVE, "unnamed-refusal"), found.statement
    assert f"close {code} (who are you)" in found.statement


@pytest.mark.parametrize("refuse", [closing(4401), closing(4003), saying('{"error":"unauthorized"}')])
def test_who_refuses_the_good_token_as_well_at_its_first_message_may_want_it_elsewhere(
    refuse: Talk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(knocked(refuse, good=refuse)) as url:
        tried = with_token(url, tmp_path, monkeypatch)
    found = tried.findings[BAD_TOKENS]
    assert (found.verdict, found.reason) == (Verdict.INCONCLUSIVE, "good-token-refused"), found.statement
    assert tried.verdict == "inconclusive" and "where the server expects it" in tried.shown


@pytest.mark.parametrize("serve", [same])
def test_who_treats_a_wrong_token_as_the_good_one_lets_it_in(
    serve: Talk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(knocked(serve, good=serve)) as url:
        tried = with_token(url, tmp_path, monkeypatch)
    assert "refusal" not in kept(tried)
    assert tried.findings[BAD_TOKENS].verdict is Verdict.FAIL, tried.shown


def test_one_bad_token_of_many_that_is_served_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = 0

    async def refuse_most(socket: web.WebSocketResponse, _: str) -> None:
        nonlocal refused
        refused += 1
        if refused % 10:
            await socket.close(code=1008)

    with serving(knocked(refuse_most)) as url:
        found = with_token(url, tmp_path, monkeypatch).findings[BAD_TOKENS]
    assert (found.verdict, found.reason) == (Verdict.FAIL, "bad-token-accepted"), found.statement


def alone(talk: Talk, how: str = "403") -> Answers:
    """Takes one connection at a time: answers others with a status, closes them by a code, or ends the older one."""
    open_: list[web.WebSocketResponse] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        if open_ and how.isdigit() and int(how) < 1000:
            return web.Response(status=int(how), text="already connected")
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        if open_ and how.isdigit():
            await socket.close(code=int(how), message=b"already connected")
            return socket
        for older in open_:
            await older.close(code=4001, message=b"connected elsewhere")
        open_.append(socket)
        try:
            async for message in socket:
                if message.type == WSMsgType.TEXT:
                    await talk(socket, message.data)
        finally:
            open_.remove(socket)
        return socket

    return with_socket(answer)


def found_first(url: str, folder: Path) -> tuple[dict[str, Any], str]:
    """What a first look keeps of the WebSocket, and what it says of it."""
    said: list[str] = []
    files = quickstart.prepare(try_options.Options(url=url, ws="/ws"), base=folder, say=said.append)
    service: dict[str, Any] = tomllib.loads(files.environment.read_text())["service"][0]
    return dict(service["ws"]), next(line for line in said if "WebSocket at /ws" in line)


def test_a_silent_server_that_takes_one_connection_is_asked_all_the_same(tmp_path: Path) -> None:
    with serving(alone(json_rpc)) as url:
        tried = attempt(url, base=tmp_path, ws="/ws", pace={**PACE, "concurrency": 1})
    assert kept(tried) == {"path": "/ws", "dialect": "json-rpc"}, tried.shown


@pytest.mark.parametrize("how", ["403", "429", "503", "1008", "1013", "4000", "the newest"])
@pytest.mark.parametrize(("talk", "dialect"), [(signalr, "signalr"), (nothing, "")])
def test_what_is_asked_at_once_is_no_refusal_of_a_server_that_takes_one_connection(
    how: str, talk: Talk, dialect: str, tmp_path: Path
) -> None:
    with serving(alone(talk, how)) as url:
        ws, told = found_first(url, tmp_path)
    assert ws == {"path": "/ws", **({"dialect": dialect} if dialect else {})}, told
    assert told.endswith(
        "it speaks signalr; it says that we are let in" if dialect else "WebSocket at /ws: it does not greet"
    )


def test_a_limit_of_connections_in_a_time_is_heeded_once_for_all_that_was_asked_at_once(
    tmp_path: Path,
) -> None:
    came: list[float] = []

    async def limited(request: web.Request) -> web.StreamResponse:
        lately = [moment for moment in came if time.monotonic() - moment < 1.5]
        if len(lately) >= 4:
            return web.Response(status=429)
        came.append(time.monotonic())
        return await talks(signalr)(request)

    with serving(with_socket(limited)) as url:
        ws, told = found_first(url, tmp_path)
    assert ws == {"path": "/ws", "dialect": "signalr"}, told


def test_more_than_one_at_once_is_no_matter_where_a_silent_server_takes_one(tmp_path: Path) -> None:
    with serving(alone(nothing)) as url:
        tried = attempt(url, base=tmp_path, ws="/ws")
    assert "it does not greet" in tried.shown and kept(tried) == {"path": "/ws"}, tried.shown


def test_questions_to_a_silent_server_are_asked_at_once(tmp_path: Path) -> None:
    came: list[float] = []
    gone: list[float] = []

    async def noted(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        came.append(time.monotonic())
        async for _ in socket:
            pass
        gone.append(time.monotonic())
        return socket

    with serving(with_socket(noted)) as url:
        options = try_options.Options(url=url, ws="/ws")
        quickstart.prepare(options, base=tmp_path, say=lambda _: None)
    # One that waits for a word, soon two more, one that offers every subprotocol, and four questions.
    assert len(came) == 8 and max(came) < sorted(gone)[2]
