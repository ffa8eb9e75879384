"""One WebSocket connection: made with its phases timed, and left with the ledger of its close."""

from __future__ import annotations

import asyncio
import re
import secrets
import socket as sockets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

import websockets
from websockets import http11
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as websocket_connect
from websockets.exceptions import (
    ConnectionClosed,
    InvalidHandshake,
    InvalidHeader,
    InvalidStatus,
    NegotiationError,
)
from websockets.frames import CloseCode
from websockets.proxy import get_proxy
from websockets.uri import parse_uri

from proofbook import probe_marks
from proofbook.collect.connection_errors import describe
from proofbook.collect.rate_limit import asks_for_less
from proofbook.collect.session import Session, is_loopback
from proofbook.collect.websocket.dialects import Handshake, Line, prepare, refuses
from proofbook.collect.websocket.journey import Journey
from proofbook.config.services import WebSocket
from proofbook.errors import CouldNotLook
from proofbook.protocol import CLOSED_WITHIN_S, TokenKind
from proofbook.redaction.scrubbing import Secret, scrub

MAX_MESSAGE_BYTES = 4 * 1024 * 1024
_FORBIDDEN = (CloseCode.PROTOCOL_ERROR, CloseCode.INVALID_DATA)
# Clients take many more than the library does, such as a cookie a line of a single sign-on.
http11.MAX_NUM_HEADERS = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How a connection is made, where not as usual.

    compressed: whether permessage-deflate is offered. address: as `getaddrinfo` gives it; None: the first that takes a connection.
    backs_off: whether a 429 delays everything that is sent after it; else that is for the caller.
    """

    compressed: bool = True
    address: tuple[Any, ...] | None = None
    backs_off: bool = True


USUAL = Way()


async def connect(
    journey: Journey,
    endpoint: WebSocket,
    token: Secret | None,
    session: Session,
    extra: dict[str, str],
    *,
    way: Way = USUAL,
) -> Line | None:
    """A connection, or None with what came instead in `journey`.

    Raises:
        CouldNotLook: the host name does not resolve, or the server asks to wait for too long.
    """
    handshake = _handshake(endpoint, token, session, journey.token_kind, extra)
    journey.trace_id = probe_marks.trace_sent(handshake.headers)
    try:
        connection = await _open(endpoint, session, journey, handshake, way)
        shown = token.reveal() if token is not None else None
        return Line(connection, endpoint, shown, user=journey.user)
    except InvalidStatus as error:
        journey.http_status = error.response.status_code
        journey.http_body = scrub(bytes(error.response.body or b"").decode("utf-8", "replace")[:300])
        journey.closed_in, journey.error = "upgrade", f"HTTP {journey.http_status}"
        journey.refused = refuses(endpoint, journey.http_status, None)
        headers = {name.lower(): value for name, value in error.response.headers.raw_items()}
        if way.backs_off and asks_for_less(journey.http_status, headers, journey.http_body):
            await session.back_off(
                headers.get("retry-after"), host=session.host_of(endpoint), status=journey.http_status
            )
    except NegotiationError as error:
        said = f"an answer with a subprotocol or an extension that was not asked for: {error}"
        journey.closed_in, journey.error = "upgrade", scrub(said)[:300]
    except (InvalidHandshake, ConnectionClosed, EOFError) as error:
        journey.closed_in, journey.error = "upgrade", _why_not_upgraded(error)
        journey.closed_by = "server" if _is_without_answer(error) else ""
    except TimeoutError:
        journey.closed_in, journey.error = (
            "upgrade",
            f"no answer within {session.environment.pace.timeout_s:g} s",
        )
    except OSError as error:
        journey.closed_in, journey.error = "connect", describe(error)
    return None


def _why_not_upgraded(error: InvalidHandshake | ConnectionClosed | EOFError) -> str:
    """What came instead of an upgrade, told by the type of the error and by what led to it."""
    if _is_without_answer(error):
        return "no answer, and the connection was ended"
    if isinstance(error, InvalidHeader) and error.name.lower() == "sec-websocket-accept":
        # Another value each time, as the key is.
        return "an answer whose Sec-WebSocket-Accept does not fit the key that was sent"
    return describe(error)


def _is_without_answer(error: BaseException) -> bool:
    """Whether the connection was ended before there was an answer to the upgrade, or all of one."""
    return isinstance(error, ConnectionClosed | EOFError) or isinstance(error.__cause__, EOFError)


async def close(journey: Journey, endpoint: WebSocket, line: Line) -> None:
    """Closes if still open, and writes the ledger: code, reason, who closed first, clean or not."""
    connection = line.connection
    protocol = connection.protocol
    # Who hears it from the server answers with the same code.
    too_long = (
        protocol.close_sent is not None
        and protocol.close_sent.code == CloseCode.MESSAGE_TOO_BIG
        and not protocol.close_rcvd_then_sent
    )
    by_peer = connection.close_code is not None and not too_long
    if too_long:
        journey.error = f"a message of more than {MAX_MESSAGE_BYTES:,} bytes, which was not read"
    if not by_peer:
        began = time.perf_counter()
        await connection.close()
        journey.close_s = time.perf_counter() - began
    journey.close_code = connection.close_code
    journey.close_reason = scrub(connection.close_reason or "")[:120]
    journey.closed_by = (
        "server"
        if by_peer or (protocol.close_rcvd is not None and protocol.close_rcvd_then_sent and not too_long)
        else "probe"
    )
    if journey.closed_by == "server":
        journey.refused |= refuses(endpoint, None, journey.close_code)
    # What we say of it where the library could not go on with what came.
    if protocol.close_sent is not None and protocol.close_sent.code in _FORBIDDEN:
        journey.error = scrub(f"it sent what RFC 6455 forbids: {protocol.close_sent.reason}")[:300]
    if line.problem:
        journey.error, journey.heard = scrub(line.problem)[:300], scrub(line.last_heard)[:200]
        journey.greeted = journey.understood = False
    journey.clean = protocol.close_rcvd is not None and protocol.close_sent is not None
    if journey.closed_by == "probe":
        journey.closed_in = "end"


def _handshake(
    endpoint: WebSocket, token: Secret | None, session: Session, kind: str, extra: dict[str, str]
) -> Handshake:
    """The request for an upgrade. That of an unmarked probe does not say that it is a probe."""
    url = session.socket_urls[endpoint.name]
    if kind == TokenKind.AT_UNKNOWN_PATH:
        known = urlsplit(url).query
        url = urljoin(url, session.environment.service(endpoint.service).unknown_path)
        url = f"{url}?{known}" if known and "?" not in url else url
    headers = session.socket_headers(
        endpoint,
        kind=kind,
        as_test=endpoint.sends_test_headers and kind == TokenKind.GOOD,
    )
    url = _with_new_id(url)
    found = Handshake(url=url, headers={**headers, **extra}, subprotocols=list(endpoint.subprotocols))
    prepare(found, endpoint, token.reveal() if token is not None else None)
    return found


async def _open(
    endpoint: WebSocket, session: Session, journey: Journey, handshake: Handshake, way: Way
) -> _TimedConnection:
    """A connection with its phases timed into `journey`.

    Raises:
        OSError, TimeoutError, InvalidHandshake: it could not be made.
        CouldNotLook: the host name does not resolve.
    """
    url = handshake.url
    proxy = None if is_loopback(url) else get_proxy(parse_uri(url))
    plain = await _plain(endpoint, session, journey, url, way) if proxy is None else None
    connected = time.perf_counter()
    stated = session.environment.tls(endpoint)
    tls = session.tls(stated, url)
    # What is asked for is in the address that the library sees; where it connects is settled above.
    connection = await _Upgrade(
        _named(url, stated.server_name) if plain is not None else url,
        sock=plain,
        ssl=tls,
        server_hostname=(stated.server_name or urlsplit(url).hostname) if tls else None,
        additional_headers=handshake.headers,
        subprotocols=[websockets.Subprotocol(name) for name in handshake.subprotocols] or None,
        user_agent_header=None,
        open_timeout=session.environment.pace.timeout_s,
        close_timeout=CLOSED_WITHIN_S,
        ping_interval=None,
        compression="deflate" if way.compressed and journey.token_kind != TokenKind.UNCOMPRESSED else None,
        max_size=MAX_MESSAGE_BYTES,
        create_connection=_TimedConnection,
        proxy=proxy,
    )
    assert isinstance(connection, _TimedConnection)
    journey.tls_s = connection.ready_at - connected if tls and proxy is None else None
    journey.upgrade_s = time.perf_counter() - connection.ready_at
    journey.upgraded, journey.http_status = True, 101
    journey.deflate = any(item.name == "permessage-deflate" for item in connection.protocol.extensions)
    return connection


def _with_new_id(url: str) -> str:
    """The address with an id that no other connection has, wherever {id} stands in it.

    >>> _with_new_id("ws://a/ws?v=3"), len(_with_new_id("ws://a/ws?id=%7Bid%7D"))
    ('ws://a/ws?v=3', 29)
    """
    return re.sub(r"\{id\}|%7Bid%7D", lambda _: secrets.token_hex(8), url, flags=re.IGNORECASE)


def _named(url: str, server_name: str | None) -> str:
    """The address with another host, which is asked for and not connected to.

    >>> _named("wss://user@127.0.0.1:8443/ws?a=1", "api.example.com")
    'wss://api.example.com/ws?a=1'
    """
    return urlsplit(url)._replace(netloc=server_name).geturl() if server_name else url


async def _plain(
    endpoint: WebSocket, session: Session, journey: Journey, url: str, way: Way
) -> sockets.socket:
    """A connection that is made here and not by the library, so that resolving and connecting can be told apart."""
    began = time.perf_counter()
    addresses = await addresses_of(endpoint, url) if way.address is None else [way.address]
    journey.resolve_s = time.perf_counter() - began
    plain = await _connect(addresses, timeout_s=session.environment.pace.timeout_s)
    journey.tcp_s = time.perf_counter() - began - journey.resolve_s
    return plain


class _Upgrade(websocket_connect):
    """Never goes elsewhere: the address that was given is what is asked about, and a token is for nobody else."""

    def process_redirect(self, exc: Exception) -> Exception:
        return exc


class _TimedConnection(ClientConnection):
    """Notes when the transport is ready, so that TLS and upgrade can be told apart."""

    ready_at = 0.0

    def connection_made(self, transport: Any) -> None:
        self.ready_at = time.perf_counter()
        super().connection_made(transport)


async def addresses_of(endpoint: WebSocket, url: str) -> list[Any]:
    """The addresses of the host of a URL, as `getaddrinfo` gives them.

    Raises:
        CouldNotLook: it does not resolve.
    """
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "wss" else 80)
    try:
        found: list[Any] = await asyncio.get_running_loop().getaddrinfo(
            parts.hostname, port, type=sockets.SOCK_STREAM
        )
    except sockets.gaierror:
        raise CouldNotLook(
            f"the host of websocket {endpoint.name!r} ({parts.hostname}) does not resolve; check its url"
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
        except BaseException:
            # Cancelled: a socket that is left open keeps the server waiting for a request.
            plain.close()
            raise
        else:
            return plain
    raise problem
