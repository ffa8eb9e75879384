"""A quick look without any file: a log export or an endpoint as a table."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pandas as pd

from proofbook import background
from proofbook.collect import logs as log_reader
from proofbook.collect import websocket
from proofbook.collect.session import Session
from proofbook.environment import Environment, LogSource
from proofbook.errors import UsageError


def logs(file: str, *, utc_offset: str | None = None) -> pd.DataFrame:
    """The entries of a log export, columns as `proofbook.collect.log_shapes.COLUMNS`, one row per entry.

    Raises:
        UsageError: there is nothing to read.
    """
    source = LogSource(name="look", file=str(Path(file).resolve()), utc_offset=utc_offset)
    with tempfile.TemporaryDirectory() as folder:
        reading = log_reader.read_logs(source, base=Path(), to=Path(folder) / "logs.parquet")
        if reading.problem:
            raise UsageError(reading.problem)
        return reading.entries


def probe(url: str, *, count: int = 5) -> pd.DataFrame:
    """`count` connections to a WebSocket endpoint without a token, at five a second; columns as the fields of Journey."""
    host = url.split("://", 1)[-1].split("/", 1)[0]
    where = Environment.model_validate(
        {
            "service": [{"name": "look", "url": f"http://{host}"}],
            "websocket": [{"name": "look", "service": "look", "url": url, "token": {"in": "none"}}],
        }
    )

    async def look() -> pd.DataFrame:
        session = Session(where, base=Path())
        made, _ = await websocket.make_journeys(
            where.websockets[0], user="", session=session, checkpoints=(count,), decided=lambda _: True
        )
        return made

    return background.run(look())
