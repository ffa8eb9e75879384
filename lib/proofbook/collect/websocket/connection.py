"""One WebSocket connection: made with its phases timed, and left with the ledger of its close."""

from __future__ import annotations

import asyncio
import socket as sockets
import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

import websockets
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.frames import CloseCode
from websockets.proxy import get_proxy
from websockets.uri import parse_uri

from proofbook.collect.session import Session, describe, is_loopback
from proofbook.collect.websocket.journey import Journey
from proofbook.config.services import WebSocket
from proofbook.errors import CouldNotLook
from proofbook.protocol import TokenKind
from proofbook.redaction.scrubbing import Secret, scrub

MAX_MESSAGE_BYTES = 4 * 1024 * 1024


async def enter(
    journey: Journey, endpoint: WebSocket, token: Secret | None, session: Session, extra: dict[str, str]
) -> ClientConnection | None:
    """A connection, or None with what came instead in `journey`.

    Raises:
        CouldNotLook: the host name does not resolve, or the server asks to wait for too long.
    """
    try:
        return await _open(endpoint, token, session, journey, extra)
    except InvalidStatus as error:
        journey.http_status = error.response.status_code
        journey.http_body = scrub(bytes(error.response.body or b"").decode("utf-8", "replace")[:300])
        journey.closed_in, journey.error = "upgrade", f"HTTP {journey.http_status}"
        if journey.http_status == 429:
            await session.back_off(
                error.response.headers.get("Retry-After"),
                host=urlsplit(session.socket_urls[endpoint.name]).hostname or "",
            )
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


async def send_token(connection: ClientConnection, endpoint: WebSocket, token: Secret | None) -> None:
    """Sends the token, where it goes as the first message."""
    if endpoint.token.is_message and token is not None:
        await connection.send(
            (endpoint.token.format or '{"token": "{token}"}').replace("{token}", token.reveal())
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


async def _open(
    endpoint: WebSocket,
    token: Secret | None,
    session: Session,
    journey: Journey,
    extra_headers: dict[str, str] | None = None,
) -> _TimedConnection:
    """A connection with its phases timed into `journey`. One of token_kind TokenKind.AS_A_USER does not say that it is a probe.

    Raises:
        OSError, TimeoutError, InvalidHandshake: it could not be made.
        CouldNotLook: the host name does not resolve.
    """
    url = session.socket_urls[endpoint.name]
    if journey.token_kind == TokenKind.AT_UNKNOWN_PATH:
        url = urljoin(url, session.environment.service(endpoint.service).unknown_path)
    headers = session.socket_headers(
        endpoint,
        shadow=journey.token_kind == TokenKind.AS_A_USER,
        as_test=endpoint.sends_test_headers and journey.token_kind == TokenKind.GOOD,
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
