"""A server on loopback that nobody should ask, and that remembers who did."""

from __future__ import annotations

import contextlib
import http.server
from collections.abc import Iterator

from shops import Handler, serving


@contextlib.contextmanager
def listening() -> Iterator[tuple[str, list[str]]]:
    """Its address, and the paths that it was asked for."""
    asked: list[str] = []

    class Recorder(Handler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.answer(200, {})

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Recorder) as server, serving(server):
        yield f"127.0.0.1:{server.server_address[1]}", asked
