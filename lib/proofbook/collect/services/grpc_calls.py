"""Health over gRPC: what is posted as JSON is sent as a call of `grpc.health.v1.Health`, and answered as a gateway would in JSON."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from urllib.parse import unquote

import httpx

# Of a message that is not packed: a zero, and its length.
_PREFIX_BYTES = 5
_LONGEST_BYTES = 64 * 1024
_SERVICE_FIELD, _STATUS_FIELD = 1, 1
_VARINT, _LENGTH = 0, 2
_JSON = {"content-type": "application/json"}
_STATUS = ("UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN")
# The codes of gRPC as gateways write them over HTTP; a method that is not there is there as little as a page.
_AS_HTTP = {
    3: HTTPStatus.BAD_REQUEST,
    4: HTTPStatus.GATEWAY_TIMEOUT,
    5: HTTPStatus.NOT_FOUND,
    7: HTTPStatus.FORBIDDEN,
    8: HTTPStatus.TOO_MANY_REQUESTS,
    12: HTTPStatus.NOT_FOUND,
    14: HTTPStatus.SERVICE_UNAVAILABLE,
    16: HTTPStatus.UNAUTHORIZED,
}


class Transport(httpx.AsyncBaseTransport):
    """A transport of httpx over HTTP/2 alone: a POST of JSON becomes a call of gRPC, anything else goes as it is.

    Each call has a connection of its own: HTTP/2 would send all of them over one, and so to one of several instances.
    """

    def __init__(self, *, context: ssl.SSLContext | None) -> None:
        self._verify = context if context is not None else False
        self._pages = self._new()

    def _new(self) -> httpx.AsyncHTTPTransport:
        return httpx.AsyncHTTPTransport(verify=self._verify, http1=False, http2=True)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The answer, of a call as JSON with the status that a gateway gives."""
        if request.method != "POST":
            return await self._pages.handle_async_request(request)
        said = json.loads(await request.aread() or b"{}")
        async with self._new() as connection:
            response = await connection.handle_async_request(_call(request, str(said.get("service", ""))))
            body = await _body(response)
        if not response.headers.get("content-type", "").startswith("application/grpc"):
            return _answer(response.status_code, body, response.headers)
        return _as_json(body, response.headers)

    async def aclose(self) -> None:
        """Closes what was kept open."""
        await self._pages.aclose()


def _as_json(message: bytes, headers: httpx.Headers) -> httpx.Response:
    """What a gateway makes of the answer to a call. Where none came, and no code before it, the code came behind it, where it is not read."""
    stated = headers.get("grpc-status", "0" if message else "2")
    code = int(stated) if stated.isdigit() else 2
    if not code:
        return _answer(HTTPStatus.OK, json.dumps({"status": _status(message)}).encode(), _JSON)
    said = unquote(headers.get("grpc-message", "")) or "the call ended without an answer"
    status = _AS_HTTP.get(code, HTTPStatus.INTERNAL_SERVER_ERROR)
    return _answer(status, json.dumps({"code": code, "message": said}).encode(), _JSON)


def _answer(status: int, body: bytes, headers: Mapping[str, str]) -> httpx.Response:
    # As a stream, since who asks reads it as one.
    return httpx.Response(status, headers=headers, stream=httpx.ByteStream(body))


def _call(request: httpx.Request, service: str) -> httpx.Request:
    kept = {name: value for name, value in request.headers.items() if name not in ("content-type", "content-length", "accept", "accept-encoding")}  # fmt: skip
    text = service.encode()
    field = bytes([_SERVICE_FIELD << 3 | _LENGTH, *_varint(len(text))]) + text if text else b""
    return httpx.Request(
        "POST",
        request.url,
        headers={**kept, "content-type": "application/grpc", "te": "trailers"},
        content=bytes(1) + len(field).to_bytes(4, "big") + field,
        extensions=request.extensions,
    )


def _varint(number: int) -> Iterator[int]:
    while number > 127:
        yield number & 127 | 128
        number >>= 7
    yield number


async def _body(response: httpx.Response) -> bytes:
    """The beginning of the body; of a call the message with the five bytes before it, or nothing where it failed."""
    kept = bytearray()
    try:
        async for piece in response.aiter_raw():
            kept += piece
            if len(kept) > _LONGEST_BYTES:
                break
    finally:
        await response.aclose()
    return bytes(kept)


def _status(message: bytes) -> str:
    """The status in an answer of Check: a field that is left out has the value 0.

    >>> _status(b"\\0\\0\\0\\0\\2\\x08\\1"), _status(b"\\0\\0\\0\\0\\0"), _status(b"\\0\\0\\0\\0\\2\\x08\\x63")
    ('SERVING', 'UNKNOWN', '99')
    """
    field = message[_PREFIX_BYTES:]
    number = field[1] if len(field) > 1 and field[0] == _STATUS_FIELD << 3 | _VARINT else 0
    return _STATUS[number] if number < len(_STATUS) else str(number)
