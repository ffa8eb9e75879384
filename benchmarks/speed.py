"""Times and memory of the promises in one run, as a table: `make bench`.

Needs two free cores and a quarter of an hour: the demo runs ten times, since one good run proves little.
"""

from __future__ import annotations

import asyncio
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from proofbook import environment
from proofbook.collect import websocket
from proofbook.collect.session import Session
from proofbook.rehearsal.stack import Stack

BASE = Path(__file__).parent.parent
DEMOS = 10


async def journeys(count: int) -> float:
    """Seconds for `count` WebSocket journeys against the fixed rehearsal, background traffic running."""
    stack = Stack(BASE / "outputs" / "rehearsal" / "up")
    await stack.start()
    try:
        await stack.deploy("after", ())
        where = environment.load("rehearsal", base=BASE)
        session = Session(where, base=BASE)
        began = time.perf_counter()
        table, _ = await websocket.make_journeys(
            where.websockets[0], user="user_1", session=session, checkpoints=(count,), decided=lambda _: True
        )
        seconds = time.perf_counter() - began
        assert table["reply_ok"].all()
        return seconds
    finally:
        await stack.stop()


def demo() -> tuple[float, int]:
    """(seconds, exit code) of one demo."""
    began = time.perf_counter()
    done = subprocess.run([sys.executable, "-m", "proofbook.cli", "demo"], cwd=BASE, capture_output=True)
    return time.perf_counter() - began, done.returncode


def main() -> None:
    table = Table("what", "measured", "promised", title=f"{os.cpu_count()} cores")
    table.add_row("300 WebSocket journeys", f"{asyncio.run(journeys(300)):.1f} s", "10 s")
    results = [demo() for _ in range(DEMOS)]
    seconds = sorted(wall for wall, _ in results)
    passed = sum(code == 0 for _, code in results)
    spread = f"{statistics.median(seconds):.0f} s ({seconds[0]:.0f} to {seconds[-1]:.0f})"
    table.add_row("make report after set-up, median", spread, "90 s")
    table.add_row("demos in a row that pass", f"{passed} of {DEMOS}", f"{DEMOS} of {DEMOS}")
    largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    table.add_row("largest process", f"{largest:.0f} MB", "500 MB")
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import proofbook"], check=True)
    table.add_row("import proofbook", f"{time.perf_counter() - began:.2f} s", "quick")
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
