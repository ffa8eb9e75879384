"""Probes WebSocket endpoints: journeys with a close ledger, bad tokens, and user ids."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import secrets
import socket as sockets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

import pandas as pd
import websockets
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.frames import CloseCode
from websockets.proxy import get_proxy
from websockets.uri import parse_uri

from proofbook import marks
from proofbook.collect.session import Session, describe, fill, is_loopback, match_fields, side_by_side
from proofbook.environment import Expectation, WebSocket
from proofbook.errors import CouldNotLook
from proofbook.redaction import Secret, scrub

MESSAGE_SAMPLE = 4096
MOST_MESSAGES = 2000
MAX_MESSAGE_BYTES = 4 * 1024 * 1024
SHADOW_JOURNEYS = 20


@dataclass(slots=True, kw_only=True)
class Journey:
    """One connection from address to close: the row that it becomes."""

    endpoint: str
    user: str
    token_kind: str = "good"
    timestamp: pd.Timestamp = field(default_factory=lambda: pd.Timestamp.now("UTC"))
    upgraded: bool = False
    http_status: int | None = None
    http_body: str = ""
    greeted: bool | None = None
    sent: int = 0
    replied: int = 0
    reply_ok: bool | None = None
    reply_lost: int = 0
    reply_altered: int = 0
    reply_duplicated: int = 0
    reply_reordered: int = 0
    close_code: int | None = None
    close_reason: str = ""
    closed_by: str = ""
    clean: bool | None = None
    closed_in: str = ""
    dwell_s: float = 0.0
    resolve_s: float | None = None
    tcp_s: float | None = None
    tls_s: float | None = None
    upgrade_s: float | None = None
    greeting_s: float | None = None
    reply_s: float | None = None
    error: str = ""


class _Upgrade(connect):
    """Never goes elsewhere: the address that was given is what is asked about, and a token is for nobody else."""

    def process_redirect(self, exc: Exception) -> Exception:
        return exc


class _TimedConnection(ClientConnection):
    """Notes when the transport is ready, so that TLS and upgrade can be told apart."""

    ready_at = 0.0

    def connection_made(self, transport: Any) -> None:
        self.ready_at = time.perf_counter()
        super().connection_made(transport)


async def make_journeys(
    endpoint: WebSocket,
    *,
    user: str,
    session: Session,
    checkpoints: Sequence[int],
    decided: Callable[[Sequence[Journey]], bool],
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Connects, sends, reads and dwells until `decided(journeys)`, which is asked at the checkpoints only.

    Returns:
        The journeys (one row each, columns as the fields of Journey) and the messages received (endpoint, body).
    """
    token = await session.token(user)
    journeys: list[Journey] = []
    messages: dict[str, None] = {}
    for checkpoint in checkpoints:
        batch = [Journey(endpoint=endpoint.name, user=user) for _ in range(checkpoint - len(journeys))]
        await side_by_side(_travel(journey, endpoint, token, session, messages) for journey in batch)
        journeys += batch
        if decided(journeys):
            break
    return frame(journeys), pd.DataFrame({"endpoint": endpoint.name, "body": list(messages)}, dtype="str")


async def shadow_journeys(
    endpoint: WebSocket, *, user: str, session: Session, count: int = SHADOW_JOURNEYS
) -> pd.DataFrame:
    """Journeys that carry no mark of a probe and no header that only tests send: what an ordinary user meets.

    Returns:
        One row per journey, columns as the fields of Journey; token_kind is marks.AS_A_USER.
    """
    token = await session.token(user)
    journeys = [Journey(endpoint=endpoint.name, user=user, token_kind=marks.AS_A_USER) for _ in range(count)]
    await side_by_side(_travel(journey, endpoint, token, session, {}) for journey in journeys)
    return frame(journeys)


async def try_tokens(endpoint: WebSocket, *, user: str, session: Session, tries: int = 5) -> pd.DataFrame:
    """Tries bad tokens, each beside the good one; every header that only tests send, with a bad token; and a path that must not exist.

    Returns:
        One row per try, columns as the fields of Journey; token_kind is `good`, `tampered`, `missing`, `expired`,
        `wrong-audience`, `tampered with <header>` or marks.AT_UNKNOWN_PATH.
    """
    good = await session.token(user)
    bad: dict[str, Secret | None] = {"missing": None, **session.bad_tokens}
    if good is not None:
        bad["tampered"] = Secret(tamper(good.reveal()), issued=True)
    attempts: list[tuple[Journey, Secret | None, dict[str, str]]] = []
    for _ in range(tries):
        attempts += [
            (Journey(endpoint=endpoint.name, user=user, token_kind=kind), good, {})
            for kind in ("good", marks.AT_UNKNOWN_PATH)
        ]
        attempts += [
            (Journey(endpoint=endpoint.name, user=user, token_kind=kind), token, {})
            for kind, token in bad.items()
        ]
        if "tampered" in bad:
            attempts += [
                (
                    Journey(endpoint=endpoint.name, user=user, token_kind=f"tampered with {name}"),
                    bad["tampered"],
                    {name: value},
                )
                for name, value in endpoint.test_headers.items()
            ]
    await side_by_side(_knock(journey, endpoint, token, session, extra) for journey, token, extra in attempts)
    return frame([journey for journey, _, _ in attempts])


async def try_identities(
    endpoint: WebSocket, users: Sequence[str], *, session: Session, tries: int = 5
) -> pd.DataFrame:
    """Logs in as each user id and connects; the rows are those of `try_tokens`, with token_kind `good`."""
    journeys: list[Journey] = []
    for user in users:
        token = await session.token(user)
        if token is None:
            continue
        batch = [Journey(endpoint=endpoint.name, user=user) for _ in range(tries)]
        await side_by_side(_knock(journey, endpoint, token, session, {}) for journey in batch)
        journeys += batch
    return frame(journeys)


async def open_connection(
    endpoint: WebSocket,
    token: Secret | None,
    session: Session,
    journey: Journey,
    extra_headers: dict[str, str] | None = None,
) -> _TimedConnection:
    """A connection with its phases timed into `journey`. One of token_kind marks.AS_A_USER does not say that it is a probe.

    Raises:
        OSError, TimeoutError, InvalidHandshake: it could not be made.
        CouldNotLook: the host name does not resolve.
    """
    url = session.socket_urls[endpoint.name]
    if journey.token_kind == marks.AT_UNKNOWN_PATH:
        url = urljoin(url, session.environment.service(endpoint.service).unknown_path)
    headers = session.socket_headers(
        endpoint,
        shadow=journey.token_kind == marks.AS_A_USER,
        as_test=endpoint.sends_test_headers and journey.token_kind == "good",
    ) | (extra_headers or {})
    subprotocols = list(endpoint.subprotocols)
    if token is not None:
        url = _place_token(endpoint, token.reveal(), url, headers, subprotocols)
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "wss" else 80)
    timeout_s = session.environment.pace.timeout_s
    began = time.perf_counter()
    proxy = None if is_loopback(url) else get_proxy(parse_uri(url))
    plain = None
    if proxy is None:
        # Connected here and not by the library, so that resolving and connecting can be told apart.
        addresses = await _resolve(parts.hostname, port, endpoint)
        journey.resolve_s = time.perf_counter() - began
        plain = await _connect(addresses, timeout_s=timeout_s)
        journey.tcp_s = time.perf_counter() - began - journey.resolve_s
    connected = time.perf_counter()
    tls = session.tls(session.environment.ca_file(endpoint), url)
    connection = await _Upgrade(
        url,
        sock=plain,
        ssl=tls,
        server_hostname=parts.hostname if tls else None,
        additional_headers=headers,
        subprotocols=[websockets.Subprotocol(name) for name in subprotocols] or None,
        user_agent_header=None,
        open_timeout=timeout_s,
        close_timeout=2,
        ping_interval=None,
        max_size=MAX_MESSAGE_BYTES,
        create_connection=_TimedConnection,
        proxy=proxy,
    )
    assert isinstance(connection, _TimedConnection)
    journey.tls_s = connection.ready_at - connected if tls and proxy is None else None
    journey.upgrade_s = time.perf_counter() - connection.ready_at
    journey.upgraded, journey.http_status = True, 101
    return connection


async def _resolve(host: str | None, port: int, endpoint: WebSocket) -> list[Any]:
    try:
        found: list[Any] = await asyncio.get_running_loop().getaddrinfo(host, port, type=sockets.SOCK_STREAM)
    except sockets.gaierror:
        raise CouldNotLook(
            f"the host of websocket {endpoint.name!r} ({host}) does not resolve; check its url"
        ) from None
    return found


async def _connect(addresses: Sequence[Any], *, timeout_s: float) -> sockets.socket:
    """A connection to the first address that takes one: a name may stand for IPv6 and IPv4, and a server listen on one."""
    problem: OSError = TimeoutError()
    for family, kind, protocol, _, address in addresses:
        plain = sockets.socket(family, kind, protocol)
        plain.setblocking(False)
        try:
            async with asyncio.timeout(timeout_s / len(addresses)):
                await asyncio.get_running_loop().sock_connect(plain, address)
        except OSError as error:  # a TimeoutError is one
            plain.close()
            problem = error
        else:
            return plain
    raise problem


async def _travel(
    journey: Journey, endpoint: WebSocket, token: Secret | None, session: Session, messages: dict[str, None]
) -> None:
    """The whole way: connect, greeting, send, read, dwell, close."""
    async with session.turn("websocket connections"):
        journey.timestamp = pd.Timestamp.now("UTC")
        connection = await enter(journey, endpoint, token, session, {})
        if connection is None:
            return
        try:
            journey.closed_in = "greeting"
            await _say_first(connection, endpoint, token)
            await _greet(journey, endpoint, connection, session, messages)
            said: list[dict[str, str]] = []
            if session.environment.delivers(endpoint) and journey.greeted is not False:
                journey.closed_in = "reply"
                said = _what_to_say(endpoint, journey.user)
                await _converse(journey, endpoint, said, connection, session, messages)
            journey.closed_in = "dwell"
            await _dwell(journey, endpoint, said, connection, messages)
        except ConnectionClosed:
            pass
        await leave(journey, connection)


def _what_to_say(endpoint: WebSocket, user: str) -> list[dict[str, str]]:
    """The values of each message of a conversation; the last is as long as the environment wants it."""
    said = [
        {"id": secrets.token_hex(8), "text": f"hello {secrets.token_hex(4)}", "user": user}
        for _ in range(endpoint.messages)
    ]
    said[-1]["text"] = said[-1]["text"].ljust(endpoint.long_message_chars, ".")
    return said


async def _knock(
    journey: Journey, endpoint: WebSocket, token: Secret | None, session: Session, extra: dict[str, str]
) -> None:
    """Connects and looks whether one is let in: a greeting, or half a second without being thrown out."""
    async with session.turn("websocket connections"):
        journey.timestamp = pd.Timestamp.now("UTC")
        connection = await enter(journey, endpoint, token, session, extra)
        if connection is None:
            return
        try:
            journey.closed_in = "greeting"
            await _say_first(connection, endpoint, token)
            if endpoint.greeting is not None:
                await _greet(journey, endpoint, connection, session, {})
            else:
                await asyncio.sleep(0.5)
                journey.greeted = connection.close_code is None
        except ConnectionClosed:
            journey.greeted = False
        await leave(journey, connection)


async def enter(
    journey: Journey, endpoint: WebSocket, token: Secret | None, session: Session, extra: dict[str, str]
) -> _TimedConnection | None:
    try:
        return await open_connection(endpoint, token, session, journey, extra)
    except InvalidStatus as error:
        journey.http_status = error.response.status_code
        journey.http_body = scrub(bytes(error.response.body or b"").decode("utf-8", "replace")[:300])
        journey.closed_in, journey.error = "upgrade", f"HTTP {journey.http_status}"
        if journey.http_status == 429:
            await session.throttled(error.response.headers.get("Retry-After"))
    except (InvalidHandshake, ConnectionClosed, EOFError) as error:
        journey.closed_in, journey.error = "upgrade", describe(error)
    except TimeoutError:
        journey.closed_in, journey.error = (
            "upgrade",
            f"no answer within {session.environment.pace.timeout_s:g} s",
        )
    except OSError as error:
        journey.closed_in, journey.error = "connect", describe(error)
    return None


async def _say_first(connection: ClientConnection, endpoint: WebSocket, token: Secret | None) -> None:
    if endpoint.token.place == "first_message" and token is not None:
        await connection.send(
            (endpoint.token.format or '{"token": "{token}"}').replace("{token}", token.reveal())
        )


async def _greet(
    journey: Journey,
    endpoint: WebSocket,
    connection: ClientConnection,
    session: Session,
    messages: dict[str, None],
) -> None:
    if endpoint.greeting is None:
        return
    began = time.perf_counter()
    try:
        async with asyncio.timeout(session.environment.pace.timeout_s):
            message = await connection.recv()
    except TimeoutError:
        journey.greeted, journey.error = False, "no greeting"
        return
    except ConnectionClosed:
        journey.greeted = False
        raise
    journey.greeting_s = time.perf_counter() - began
    _keep(message, messages)
    journey.greeted = recognises(endpoint.greeting, message, {"user": journey.user})
    if not journey.greeted:
        journey.error = f"another greeting: {_text(message)[:120]}"


async def _converse(
    journey: Journey,
    endpoint: WebSocket,
    expected: Sequence[dict[str, str]],
    connection: ClientConnection,
    session: Session,
    messages: dict[str, None],
) -> None:
    """Sends the journey's messages and reads until each has its reply, or time is up."""
    open_replies, last_answered = list(range(len(expected))), -1
    began = time.perf_counter()
    try:
        for values in expected:
            await connection.send(_message(endpoint, values))
            session.done["messages sent"] += 1
            journey.sent += 1
        async with asyncio.timeout(session.environment.pace.timeout_s):
            while open_replies:
                message = await connection.recv()
                _keep(message, messages)
                index, kind = _correlate(endpoint, message, expected)
                if index is None:
                    continue
                if index not in open_replies:
                    journey.reply_duplicated += 1
                    continue
                open_replies.remove(index)
                journey.replied += 1
                journey.reply_altered += kind == "altered"
                journey.reply_reordered += index < last_answered
                last_answered = max(last_answered, index)
                if journey.reply_s is None:
                    journey.reply_s = time.perf_counter() - began
    except TimeoutError:
        journey.error = f"no reply within {session.environment.pace.timeout_s:g} s"
    finally:
        journey.reply_lost = len(expected) - journey.replied
        journey.reply_ok = journey.reply_lost == 0 and not (
            journey.reply_altered or journey.reply_duplicated or journey.reply_reordered
        )


async def _dwell(
    journey: Journey,
    endpoint: WebSocket,
    said: Sequence[dict[str, str]],
    connection: ClientConnection,
    messages: dict[str, None],
) -> None:
    """Stays and listens: a close or a second reply that comes late is seen."""
    began = time.perf_counter()
    try:
        async with asyncio.timeout(endpoint.dwell_s):
            while True:
                message = await connection.recv()
                _keep(message, messages)
                if said and _has_id(endpoint.expect) and _correlate(endpoint, message, said)[0] is not None:
                    journey.reply_duplicated += 1
                    journey.reply_ok = False
    except TimeoutError:
        pass
    finally:
        journey.dwell_s = time.perf_counter() - began


def _keep(message: str | bytes, messages: dict[str, None]) -> None:
    """Keeps a message for its schema; one that is too long to keep is not kept in part, which no schema would fit."""
    if len(message) <= MESSAGE_SAMPLE and len(messages) < MOST_MESSAGES:
        messages[_text(message)] = None


def _has_id(expected: Expectation | None) -> bool:
    """Whether replies can be told apart: without `{id}` every message of that kind looks like a reply."""
    return expected is not None and (
        "{id}" in (expected.regex or "") or "{id}" in json.dumps(expected.fields)
    )


async def leave(journey: Journey, connection: ClientConnection) -> None:
    """Closes if still open, and writes the ledger: code, reason, who closed first, clean or not."""
    protocol = connection.protocol
    too_long = protocol.close_sent is not None and protocol.close_sent.code == CloseCode.MESSAGE_TOO_BIG
    by_peer = connection.close_code is not None and not too_long
    if too_long:
        journey.error = f"a message of more than {MAX_MESSAGE_BYTES:,} bytes, which was not read"
    if not by_peer:
        await connection.close()
    journey.close_code = connection.close_code
    journey.close_reason = scrub(connection.close_reason or "")[:120]
    journey.closed_by = (
        "server"
        if by_peer or (protocol.close_rcvd is not None and protocol.close_rcvd_then_sent and not too_long)
        else "probe"
    )
    journey.clean = protocol.close_rcvd is not None and protocol.close_sent is not None
    if journey.closed_by == "probe":
        journey.closed_in = "end"


def frame(journeys: Sequence[Journey]) -> pd.DataFrame:
    """Journeys as a table with stable types, also when there are none."""
    table = pd.DataFrame(
        [{name: getattr(journey, name) for name in Journey.__dataclass_fields__} for journey in journeys],
        columns=list(Journey.__dataclass_fields__),
    )
    whole = {
        "http_status": "Int64",
        "close_code": "Int64",
        "greeted": "boolean",
        "reply_ok": "boolean",
        "clean": "boolean",
        "upgraded": "bool",
    }
    counts = dict.fromkeys(
        ("sent", "replied", "reply_lost", "reply_altered", "reply_duplicated", "reply_reordered"), "int64"
    )
    seconds = dict.fromkeys((name for name in table.columns if name.endswith("_s")), "float64")
    texts = dict.fromkeys(
        ("endpoint", "user", "token_kind", "http_body", "close_reason", "closed_by", "closed_in", "error"),
        "str",
    )
    table["timestamp"] = pd.to_datetime(table["timestamp"], utc=True)
    return table.astype({**whole, **counts, **seconds, **texts})


def recognises(expected: Expectation, message: str | bytes, values: dict[str, str]) -> bool:
    """Whether a message is what was expected."""
    text = _text(message)
    if expected.regex is not None and not re.search(
        fill(expected.regex, {name: re.escape(value) for name, value in values.items()}), text
    ):
        return False
    return not expected.fields or match_fields(expected.fields, _json(text), values)


def tamper(token: str) -> str:
    """A token that nobody issued: of a JWT the signature is altered, of any other the middle.

    >>> tamper("aaaa.bbbb.cccccccccc")
    'aaaa.bbbb.cccccAcccc'
    """
    middle = len(token) - max(1, len(token.rpartition(".")[2]) // 2)
    return token[:middle] + ("B" if token[middle] == "A" else "A") + token[middle + 1 :]


def _correlate(
    endpoint: WebSocket, message: str | bytes, expected: Sequence[dict[str, str]]
) -> tuple[int | None, str]:
    """Which sent message a received one answers, and whether as expected or altered."""
    assert endpoint.expect is not None
    for index, values in enumerate(expected):
        if recognises(endpoint.expect, message, values):
            return index, "ok"
    by_id = {
        path: wanted
        for path, wanted in endpoint.expect.fields.items()
        if isinstance(wanted, str) and "{id}" in wanted
    }
    parsed = _json(_text(message))
    for index, values in enumerate(expected):
        if by_id and match_fields(by_id, parsed, values):
            return index, "altered"
    return None, ""


def _message(endpoint: WebSocket, values: dict[str, str]) -> str | bytes:
    if endpoint.send_base64 is not None:
        return base64.b64decode(endpoint.send_base64)
    if endpoint.send is not None:
        return str(fill(endpoint.send, values))
    return json.dumps(fill(endpoint.send_json, values))


def _place_token(
    endpoint: WebSocket, token: str, url: str, headers: dict[str, str], subprotocols: list[str]
) -> str:
    place = endpoint.token
    if place.place == "header":
        headers[place.name or "Authorization"] = (place.format or "Bearer {token}").replace("{token}", token)
    elif place.place == "subprotocol":
        subprotocols.append((place.format or "jwt.{token}").replace("{token}", token))
    elif place.place == "cookie":
        headers["Cookie"] = f"{place.name or 'token'}={token}"
    elif place.place == "query":
        return f"{url}{'&' if '?' in url else '?'}{urlencode({place.name or 'token': token})}"
    return url


def _text(message: str | bytes) -> str:
    return message if isinstance(message, str) else message.decode("utf-8", "replace")


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
