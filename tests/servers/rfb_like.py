"""A screen that is shared by VNC, as far as its first word: it names its version to everybody who connects."""

from __future__ import annotations

import asyncio
import contextlib
import sys


async def shows(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"RFB 003.008\n")
    with contextlib.suppress(OSError):
        await reader.read()
    writer.close()


async def main() -> None:
    async with await asyncio.start_server(shows, "127.0.0.1", int(sys.argv[1])) as server:
        await server.serve_forever()


asyncio.run(main())
