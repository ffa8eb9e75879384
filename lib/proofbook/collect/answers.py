"""HTTP answers read with limits of time and size: an endless stream or a huge page is a failed sample."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import ssl
import sys
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import httpx

from proofbook.files import parse_json

if importlib.util.find_spec("sniffio") is None:
    # httpcore asks for it several times a request, and Python looks through every folder of its path each time: that takes
    # as long as the request. None is how Python spells "not importable".
    sys.modules["sniffio"] = None  # type: ignore[assignment]

KIB, MIB = 1024, 1024 * 1024
# A health page or a token is small; a listing, an API definition or a page of metrics need not be.
PAGE_BYTES = 1 * MIB
DOCUMENT_BYTES = 16 * MIB
# How many times as long a document may take as any other answer.
DOCUMENT_TIMES = 3
_PIECE_BYTES = 64 * KIB
# What is asked for is what can be unpacked piece by piece, so that little cannot become much unseen.
_ENCODINGS = {"gzip": 16 + zlib.MAX_WBITS, "x-gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}
_ACCEPTED = "gzip, deflate"
# What browsers and others know, and sends who does not look at what was asked for.
_KNOWN_ELSEWHERE = ("br", "zstd", "compress", "x-compress", "dcb", "dcz")
_GZIP_BEGINS = b"\x1f\x8b"


# Of httpcore: the name of an event, and what is known of it.
Trace: TypeAlias = Callable[[str, Mapping[str, Any]], Awaitable[None]]


class TooMuch(httpx.HTTPError):
    """An answer that is larger than what is read of any."""


class Unending(httpx.HTTPError):
    """An answer that began and was not over in time."""


class Unreadable(httpx.HTTPError):
    """An answer that is packed in a way that nobody asked for, or is not what its headers say; with its status."""

    def __init__(self, said: str, status: int) -> None:
        super().__init__(said)
        self.status = status


class PackedOtherwise(Unreadable):
    """An answer that is packed in a way that others can read, and that was not asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer: its status and headers, and as much of its body as was kept."""

    status_code: int
    headers: httpx.Headers
    body: bytes
    encoding: str = "utf-8"

    @property
    def is_redirect(self) -> bool:
        return self.status_code in (301, 302, 303, 307, 308) and "location" in self.headers

    @property
    def is_html(self) -> bool:
        return "html" in self.headers.get("content-type", "")

    @property
    def text(self) -> str:
        try:
            return self.body.decode(self.encoding, "replace")
        except LookupError:
            return self.body.decode("utf-8", "replace")

    def json(self) -> Any:
        """The body as JSON.

        Raises:
            ValueError: it is none.
        """
        return parse_json(self.body)


async def ask(
    client: httpx.AsyncClient,
    path: str,
    *,
    within_s: float,
    most_bytes: int = PAGE_BYTES,
    keep_bytes: int | None = None,
    method: str = "GET",
    headers: dict[str, str],
    trace: Trace | None = None,
    **more: Any,
) -> Answer:
    """The answer to one request, whole: it has `within_s` from the first byte sent to the last one received.

    trace: told of each phase of the connection, as httpcore names it, and of its facts. keep_bytes: how much of the body to keep where the rest is only to be received; all of it unless stated.

    Raises:
        httpx.HTTPError: nothing answers, or with too much, or without end; in words that say which.
    """
    came: list[int] = []
    asked_for = {"accept-encoding": _ACCEPTED}
    if any(name.lower() == "accept-encoding" for name in headers):
        asked_for = {}
    try:
        async with (
            asyncio.timeout(within_s),
            _closing_what_is_not_encrypted(trace) as note,
            client.stream(
                method,
                path,
                headers={**asked_for, **headers},
                extensions={"trace": note},
                **more,
            ) as response,
        ):
            came.append(response.status_code)
            body = await _read(response, most_bytes=most_bytes, keep_bytes=keep_bytes)
    except (TimeoutError, httpx.TimeoutException) as error:
        if came:
            raise Unending(f"an answer {came[0]} that was not over within {within_s:g} s") from None
        if isinstance(error, httpx.TimeoutException):
            raise
        raise httpx.ReadTimeout(f"no answer within {within_s:g} s") from None
    except ssl.SSLError as error:
        # TLS 1.3 tells only now that the client's certificate will not do, and httpx expects such words of a handshake alone.
        raise httpx.ReadError(str(error)) from error
    return Answer(
        status_code=response.status_code,
        headers=response.headers,
        body=body,
        encoding=response.charset_encoding or "utf-8",
    )


@contextlib.asynccontextmanager
async def _closing_what_is_not_encrypted(trace: Trace | None) -> AsyncIterator[Trace]:
    """A trace by which a connection is closed that is left while its TLS handshake lasts: httpcore closes it only where the handshake fails.

    trace: another one, that is told the same.
    """
    open_: list[Any] = []

    async def note(event: str, told: Mapping[str, Any]) -> None:
        if event == "connection.connect_tcp.complete":
            open_.append(told["return_value"])
        elif event == "connection.start_tls.complete":
            open_.clear()
        if trace is not None:
            await trace(event, told)

    try:
        yield note
    except asyncio.CancelledError:
        for stream in open_:
            await stream.aclose()
        raise


async def _read(response: httpx.Response, *, most_bytes: int, keep_bytes: int | None) -> bytes:
    unpack = _unpacker(response)
    kept, size = bytearray(), 0
    most_kept = most_bytes if keep_bytes is None else keep_bytes
    async for raw in response.aiter_raw():
        for piece in unpack(raw):
            size += len(piece)
            if size > most_bytes:
                raise TooMuch(
                    f"an answer {response.status_code} of more than {most_bytes:,} bytes, which was not read to the end"
                )
            kept += piece[: most_kept - len(kept)]
    return bytes(kept)


def _unpacker(response: httpx.Response) -> Any:
    """A function from a piece as it was sent to the pieces that it holds, none of them large.

    Raises:
        Unreadable: it is packed in another way than was asked for.
    """
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding in ("", "identity"):
        return lambda raw: (raw,)
    if encoding not in _ENCODINGS:
        kind = PackedOtherwise if encoding in _KNOWN_ELSEWHERE else Unreadable
        said = f"an answer {response.status_code} packed as {encoding[:40]!r}, not as {_ACCEPTED}"
        raise kind(said, response.status_code)
    return _Unpacking(response.status_code, encoding).pieces


class _Unpacking:
    def __init__(self, status: int, encoding: str) -> None:
        self._status, self._encoding = status, encoding
        self._inflate = zlib.decompressobj(_ENCODINGS[encoding])
        self._began = False

    def pieces(self, raw: bytes) -> Any:
        """What these bytes hold, piece by piece."""
        rest, more = raw, True
        while more and not self._inflate.eof:
            piece = self._next(rest)
            yield piece
            rest = self._inflate.unconsumed_tail
            # A full piece may have left something in the window although nothing is left of what came.
            more = bool(rest) or len(piece) == _PIECE_BYTES
            if self._inflate.eof and self._inflate.unused_data.startswith(_GZIP_BEGINS):
                # A file of gzip may have several members, one behind the other.
                rest, more = self._inflate.unused_data, True
                self._inflate = zlib.decompressobj(_ENCODINGS[self._encoding])

    def _next(self, raw: bytes) -> bytes:
        try:
            piece = self._inflate.decompress(raw, _PIECE_BYTES)
        except zlib.error:
            if self._began or self._encoding != "deflate":
                raise self._not_so() from None
            # Many servers mean the bare format by that name.
            self._inflate = zlib.decompressobj(-zlib.MAX_WBITS)
            try:
                piece = self._inflate.decompress(raw, _PIECE_BYTES)
            except zlib.error:
                raise self._not_so() from None
        self._began = True
        return piece

    def _not_so(self) -> Unreadable:
        return Unreadable(f"an answer {self._status} that is not {self._encoding}, as it says", self._status)
