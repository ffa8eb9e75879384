"""What a server sends together with an upgrade, byte by byte: greetings, ends, and what nobody asked for."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import re
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from first_tries import WELL, attempt

pytestmark = pytest.mark.slow

MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
HELLO = b'{"type": "hello"}'
GREETING = bytes([0x81, len(HELLO)]) + HELLO
# One message in two frames, with a ping between them.
IN_PIECES = bytes([0x01, 9]) + HELLO[:9] + b"\x89\x02hi" + bytes([0x80, len(HELLO) - 9]) + HELLO[9:]


@contextmanager
def upgrading(frames: bytes, *headers: bytes) -> Iterator[str]:
    """A server that is well at /health, and at /ws sends these frames in the same segment as the upgrade."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            connection: socket.socket = self.request
            asked = b""
            with contextlib.suppress(OSError):
                while not asked.endswith(b"\r\n\r\n") and (more := connection.recv(4096)):
                    asked += more
                key = re.search(rb"(?i)sec-websocket-key: *(\S+)", asked)
                if asked.startswith(b"GET /ws ") and key is not None:
                    accept = base64.b64encode(hashlib.sha1(key[1] + MAGIC).digest())
                    lines = (b"HTTP/1.1 101 Switching Protocols", b"Upgrade: websocket", b"Connection: Upgrade", b"Sec-WebSocket-Accept: " + accept, *headers)  # fmt: skip
                    connection.sendall(b"\r\n".join([*lines, b"", frames]))
                    # Its close is answered as any server does; what else it says is left alone.
                    while (heard := connection.recv(4096)) and heard[:1] != b"\x88":
                        continue
                    connection.sendall(b"\x88\x02\x03\xe8" if heard else b"")
                    return
                is_health = asked.startswith(b"GET /health ")
                body = WELL.encode() if is_health else b"nothing here"
                status = b"200 OK" if is_health else b"404 Not Found"
                connection.sendall(b"HTTP/1.1 %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (status, len(body), body))  # fmt: skip

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        request_queue_size = 100

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("frames", [GREETING, IN_PIECES, b""], ids=["greeting", "in pieces", "nothing"])
def test_a_greeting_that_comes_with_the_upgrade_is_one(frames: bytes, tmp_path: Path) -> None:
    with upgrading(frames) as url:
        tried = attempt(url, base=tmp_path, ws="/ws")
    assert tried.verdict == "pass", tried.shown
    assert ('greeting = { json = { type = "hello" } }' in tried.files.environment.read_text()) is bool(frames)


@pytest.mark.usual_cases(2)
@pytest.mark.parametrize(
    ("frames", "headers", "said"),
    [
        (b"\x88\x02\x03\xf4", (), "1012"),
        (GREETING + b"\x88\x02\x03\xf3", (), "1011"),
        (GREETING + b"\x88\x00", (), "close 1005"),
        (
            GREETING,
            (b"Sec-WebSocket-Protocol: chat.v1",),
            "a subprotocol or an extension that was not asked for",
        ),
        # The name of one that is known, of which it says nothing.
        (
            GREETING,
            (b"Sec-WebSocket-Protocol: mqtt",),
            "a subprotocol or an extension that was not asked for",
        ),
        (GREETING, (b"Sec-WebSocket-Extensions: x-of-its-own",), "x-of-its-own"),
    ],
    ids=[
        "an end",
        "an end after a greeting",
        "an end without a code",
        "a subprotocol",
        "mqtt",
        "an extension",
    ],
)
def test_an_end_or_what_nobody_asked_for_with_the_upgrade_is_a_failure(
    frames: bytes, headers: tuple[bytes, ...], said: str, tmp_path: Path
) -> None:
    with upgrading(frames, *headers) as url:
        tried = attempt(url, base=tmp_path, ws="/ws")
    assert tried.verdict == "fail", tried.shown
    assert said in tried.shown, tried.shown
