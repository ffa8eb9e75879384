"""A proxy of TCP that keeps every byte back for DELAY_S seconds: argv is its own port, then the port behind it on ::1."""

from __future__ import annotations

import asyncio
import os
import sys


async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            await asyncio.sleep(float(os.environ["DELAY_S"]))
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    inner_reader, inner_writer = await asyncio.open_connection("::1", int(sys.argv[2]))
    await asyncio.gather(pour(reader, inner_writer), pour(inner_reader, writer))


async def main() -> None:
    server = await asyncio.start_server(pass_on, "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
