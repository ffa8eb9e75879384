"""A Tornado application on IPv6: its pages at / alone, a WebSocket that does not greet."""

from __future__ import annotations

import asyncio
import sys

import tornado.web
import tornado.websocket


class Page(tornado.web.RequestHandler):
    def get(self) -> None:
        self.write("<h1>Tickets</h1>")


class Talk(tornado.websocket.WebSocketHandler):
    def on_message(self, message: str | bytes) -> None:
        self.write_message(message)


async def main() -> None:
    app = tornado.web.Application([("/", Page), ("/live", Talk)])
    app.listen(int(sys.argv[1]), address="::1")
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
