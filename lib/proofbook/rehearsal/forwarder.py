"""One public address whose backends can be exchanged: a TCP forwarder that can also lose, cut and refuse."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Sequence


class Forwarder:
    """Passes bytes both ways. `switch` sends new connections elsewhere; open ones stay where they are.

    max_age_s: WebSocket connections are cut at this age, without a close frame. half_open: of a WebSocket nothing that the
    client sends after the handshake arrives, and nobody is told.
    """

    def __init__(self) -> None:
        self._targets: list[int] = []
        self._weights: list[float] = []
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._chance = random.Random()
        self.port = 0
        self.max_age_s: float | None = None
        self.half_open = False

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    def switch(self, *ports: int, weights: Sequence[float] = ()) -> None:
        """New connections go to these ports, chance by weight; with none they are refused."""
        self._targets, self._weights = list(ports), list(weights) or [1.0] * len(ports)

    def cut(self) -> None:
        """Ends every open connection without a word."""
        for writer in self._writers:
            writer.transport.abort()

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        ending = list(self._open)
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        task.add_done_callback(self._open.discard)
        self._writers.add(writer)
        try:
            if not self._targets:
                raise ConnectionRefusedError
            port = self._chance.choices(self._targets, self._weights)[0]
            upstream_reader, upstream_writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            self._writers.discard(writer)
            writer.close()
            return
        try:
            with contextlib.suppress(asyncio.CancelledError, OSError):
                first = await reader.read(65536)
                upstream_writer.write(first)
                upgrades = b"upgrade: websocket" in first.lower()
                if upgrades and self.max_age_s is not None:
                    asyncio.get_running_loop().call_later(self.max_age_s, writer.transport.abort)
                lost = upgrades and self.half_open
                await asyncio.gather(
                    _pump(reader, upstream_writer, lost=lost), _pump(upstream_reader, writer, lost=False)
                )
        finally:
            self._writers.discard(writer)
            writer.close()
            upstream_writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, lost: bool) -> None:
    """Copies until the end; a reset on one side closes the other. What is lost is read and goes nowhere."""
    try:
        while data := await reader.read(65536):
            if not lost:
                writer.write(data)
                await writer.drain()
    except OSError:
        pass
    finally:
        with contextlib.suppress(OSError):
            writer.close()
