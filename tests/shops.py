"""HTTP servers on loopback, served from a thread; and services that are well until they are broken."""

from __future__ import annotations

import contextlib
import http.server
import json
import threading
from collections.abc import Iterator


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers in JSON, and logs nothing."""

    def answer(self, status: int, content: object) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@contextlib.contextmanager
def serving(server: http.server.ThreadingHTTPServer) -> Iterator[None]:
    """Serves from a thread until the end."""
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()


class Shops(http.server.ThreadingHTTPServer):
    """Services by the path that they lie below; that of no path is called by an empty name.

    broken: the names of those whose health page says so.
    """

    daemon_threads = True
    request_queue_size = 200

    def __init__(self) -> None:
        self.broken: set[str] = set()
        super().__init__(("127.0.0.1", 0), _Shop)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Shop(Handler):
    server: Shops

    def do_GET(self) -> None:
        name, _, page = self.path.strip("/").rpartition("/")
        if page != "health":
            self.answer(404, {"detail": "Not Found"})
        elif name in self.server.broken:
            self.answer(500, {"status": "error"})
        else:
            self.answer(200, {"status": "ok"})


@contextlib.contextmanager
def shops() -> Iterator[Shops]:
    with Shops() as server, serving(server):
        yield server
