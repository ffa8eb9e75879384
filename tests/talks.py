"""A small service on loopback that is well until it is told not to be: a health page that names its revision, and a WebSocket."""

from __future__ import annotations

import contextlib
import http
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

from websockets.http11 import Request, Response
from websockets.sync.server import Server, ServerConnection, serve


@dataclass(kw_only=True)
class Talk:
    """The service as it is now.

    closes: the code with which it ends each connection once it was greeted; 0: it does not. paths: where its WebSocket lies.
    tokens: who is let in by `Authorization: Bearer`; none: everybody. refuses: how it answers all others. health: how it answers its health page.
    """

    revision: str = "r-1"
    closes: int = 0
    paths: set[str] = field(default_factory=lambda: {"/ws"})
    tokens: set[str] = field(default_factory=set)
    refuses: int = 401
    health: int = 200
    url: str = ""

    def answer(self, connection: ServerConnection, request: Request) -> Response | None:
        if request.path == "/health":
            said = {"status": "ok", "revision": self.revision} if self.health == 200 else {}
            return connection.respond(http.HTTPStatus(self.health), json.dumps(said))
        if request.path not in self.paths:
            return connection.respond(http.HTTPStatus.NOT_FOUND, "no such page")
        if self.tokens and request.headers.get("Authorization", "").removeprefix("Bearer ") not in self.tokens:  # fmt: skip
            return connection.respond(http.HTTPStatus(self.refuses), "no")
        return None

    def talk(self, connection: ServerConnection) -> None:
        connection.send("hello")
        if self.closes:
            connection.close(self.closes)
        for message in connection:
            connection.send(message)


@contextlib.contextmanager
def talks() -> Iterator[Talk]:
    """The service, from a thread."""
    it = Talk()
    with serve(it.talk, "127.0.0.1", 0, process_request=it.answer) as server:
        it.url = f"http://127.0.0.1:{server.socket.getsockname()[1]}"
        thread = threading.Thread(target=Server.serve_forever, args=(server,))
        thread.start()
        try:
            yield it
        finally:
            server.shutdown()
            thread.join()
