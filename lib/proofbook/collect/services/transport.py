"""Why a service gave no HTTP answer: another protocol on its port, or what its TLS requires."""

from __future__ import annotations

import contextlib
import ipaddress
import re
import socket
import ssl
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

TIMEOUT_S = 3.0
_REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
# What OpenSSL says of a certificate that nobody known here has signed: alone, or with others above it.
_UNKNOWN_ISSUER = (18, 19, 20, 21)
_OTHER_NAME = (62, 64)
# Of a message within a handshake, RFC 8446.
_CERTIFICATE_REQUEST = 13
_HEADER_OF_HTTP2, _SETTINGS = 9, 4


class Cause(StrEnum):
    """What may be our mistake as well as the server's fault. Empty: nothing of that kind."""

    NONE = ""
    UNTRUSTED = "untrusted"
    OTHER_NAME = "other-name"
    CLIENT_CERTIFICATE = "client-certificate"
    HTTP2 = "http/2"
    TLS = "tls"
    NO_TLS = "no-tls"
    NO_HTTP = "no-http"


# As nginx, Apache, Go and others say it.
_SAID = (
    (
        r"no required (?:ssl|tls) certificate was sent|client certificate (?:is )?required",
        Cause.CLIENT_CERTIFICATE,
    ),
    (
        r"plain http request was sent to https|speaking plain http to an ssl|http request to an https server",
        Cause.TLS,
    ),
)


def cause_in(page: str) -> Cause:
    """What a server says of the connection itself where it answers 400 to everything that comes over it.

    >>> cause_in("<title>400 The plain HTTP request was sent to HTTPS port</title>"), cause_in("<h1>Bad Request</h1>")
    (<Cause.TLS: 'tls'>, <Cause.NONE: ''>)
    """
    return next((cause for pattern, cause in _SAID if re.search(pattern, page, re.IGNORECASE)), Cause.NONE)


def why_no_answer(url: str, context: ssl.SSLContext | None, *, server_name: str | None = None) -> Cause:
    """What explains that nothing answers HTTP at this address. It takes a few seconds at most; call it in a thread.

    server_name: the name to ask for, where the address has another.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    try:
        if context is None:
            return _in_clear((host, parts.port or 80))
        return _encrypted((host, parts.port or 443), context, server_name or host)
    except OSError:
        return Cause.NONE


def _in_clear(address: tuple[str, int]) -> Cause:
    with socket.create_connection(address, timeout=TIMEOUT_S) as plain:
        said = _first_bytes(plain)
    if _is_http2(said):
        return Cause.HTTP2
    if said.startswith(b"HTTP/"):
        return Cause.NONE
    with socket.create_connection(address, timeout=TIMEOUT_S) as plain, contextlib.suppress(OSError):
        _trusting(address[0], plain).close()
        return Cause.TLS
    return Cause.NO_HTTP if said else Cause.NONE


def _encrypted(address: tuple[str, int], context: ssl.SSLContext, name: str) -> Cause:
    try:
        with (
            socket.create_connection(address, timeout=TIMEOUT_S) as plain,
            context.wrap_socket(plain, server_hostname=name) as tls,
        ):
            if _is_http2(_first_bytes(tls)):
                return Cause.HTTP2
    except ssl.SSLCertVerificationError as error:
        if error.verify_code in _UNKNOWN_ISSUER:
            return Cause.UNTRUSTED
        # Whoever asks for an address or for a short name may well have taken another than the one that users take.
        is_short = _is_address(name) or "." not in name
        return Cause.OTHER_NAME if error.verify_code in _OTHER_NAME and is_short else Cause.NONE
    except ssl.SSLError as error:
        if error.reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST"):
            return Cause.NO_TLS
    except OSError:
        pass
    return Cause.CLIENT_CERTIFICATE if _asks_for_certificate(address, name) else Cause.NONE


def _asks_for_certificate(address: tuple[str, int], name: str) -> bool:
    """Whether the server asks for a certificate of its client during the handshake."""
    asked: list[Any] = []

    def note(_connection: Any, _direction: Any, _version: Any, _content: Any, kind: Any, _data: Any) -> None:
        if kind == _CERTIFICATE_REQUEST:
            asked.append(kind)

    with contextlib.suppress(OSError), socket.create_connection(address, timeout=TIMEOUT_S) as plain:
        _trusting(name, plain, note).close()
    return bool(asked)


def _trusting(host: str, plain: socket.socket, note: Any = None) -> ssl.SSLSocket:
    """A handshake with whoever is there, over which nothing is sent: only what it says of itself is of interest."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if note is not None:
        # Without it the question is left open.
        with contextlib.suppress(AttributeError):
            context._msg_callback = note  # type: ignore[attr-defined]  # Python has no public name for it
    return context.wrap_socket(plain, server_hostname=host)


def _first_bytes(connection: socket.socket) -> bytes:
    """The beginning of what comes after a request of HTTP/1.1; nothing where it was closed or reset."""
    found = b""
    with contextlib.suppress(OSError):
        connection.sendall(_REQUEST)
        while len(found) < _HEADER_OF_HTTP2 and (more := connection.recv(_HEADER_OF_HTTP2)):
            found += more
    return found


def _is_http2(said: bytes) -> bool:
    """Whether that is the header of a SETTINGS frame, by which each side of HTTP/2 begins."""
    return len(said) >= _HEADER_OF_HTTP2 and said[0] == 0 and said[3] == _SETTINGS


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
