"""Times and memory of the promises in one run, as a table: `make bench`.

    python benchmarks/speed.py [DEMOS]

Needs two free cores and a quarter of an hour: the demo runs ten times, since one good run proves little.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
from rich.console import Console
from rich.table import Table

from proofbook.collect.session import Session
from proofbook.collect.websocket import probes
from proofbook.config import environment
from proofbook.evidence import store
from proofbook.judge.settle import settle
from proofbook.rehearsal.stack import Stack
from proofbook.validation import Validation

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
        table, _ = await probes.make_journeys(
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


def tried(server: str) -> tuple[float, float, float]:
    """`proofbook try` in an empty folder against one of the tests' servers: (seconds to the answer, in all, largest MB)."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    serving = subprocess.Popen([sys.executable, BASE / "tests" / "servers" / f"{server}.py", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    try:
        time.sleep(3)
        with tempfile.TemporaryDirectory() as empty:
            began = time.perf_counter()
            command = [
                sys.executable,
                "-m",
                "proofbook.cli",
                "try",
                f"http://127.0.0.1:{port}",
                "--ws",
                "/ws",
            ]
            with subprocess.Popen(
                [sys.executable, BASE / "benchmarks" / "measured.py", *command],
                cwd=empty,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            ) as trying:
                assert trying.stdout is not None
                answer = trying.stdout.readline()
                answered = time.perf_counter() - began
                *_, most_kb = trying.stdout.read().splitlines()
            assert trying.returncode == 0, answer
            return answered, time.perf_counter() - began, int(most_kb) / 1024
    finally:
        serving.terminate()
        serving.wait()


def judging_s() -> tuple[float, int, int]:
    """(CPU seconds for every check, journeys, rows of the small log tables) over the last demo's evidence made as large as promised.

    A million entries of an hour come down to about four rows for each of its seconds.
    """
    last = sorted((BASE / "outputs" / "rehearsal").glob("2*/evidence"))[-1]
    opened = Validation.load("rehearsal", base=BASE).over(store.read(last))
    view = opened.view
    large = {"websocket": 5_000, "log_rhythm": 14_400, "log_kind_times": 14_400}
    for name, rows in large.items():
        table = view.need(name)
        view = view.exchange(
            name, pd.concat([table] * (rows // len(table) + 1), ignore_index=True).head(rows)
        )
    for check in opened.checks.values():
        settle(check, view)
    began = time.process_time()
    for check in opened.checks.values():
        settle(check, view)
    return time.process_time() - began, large["websocket"], large["log_rhythm"]


def main() -> None:
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("demos", nargs="?", type=int, default=DEMOS)
    demos = given.parse_args().demos
    table = Table("what", "measured", "promised", title=f"{os.cpu_count()} cores")
    table.add_row("300 WebSocket journeys", f"{asyncio.run(journeys(300)):.1f} s", "10 s")
    answered, reported, _ = tried("starlette_app")
    table.add_row("proofbook try, to the answer (and to the report)", f"{answered:.1f} s ({reported:.1f} s)", "15 s")  # fmt: skip
    answered, _, most = tried("flood")
    table.add_row("the same where the server floods: to the answer", f"{answered:.1f} s", "")
    table.add_row("… and its largest process", f"{most:.0f} MB", "300 MB")
    results = [demo() for _ in range(demos)]
    seconds = sorted(wall for wall, _ in results)
    passed = sum(code == 0 for _, code in results)
    spread = f"{statistics.median(seconds):.0f} s ({seconds[0]:.0f} to {seconds[-1]:.0f})"
    table.add_row("make report after set-up, median", spread, "90 s")
    table.add_row("demos in a row that pass", f"{passed} of {demos}", f"{demos} of {demos}")
    judging, journeys_made, rows = judging_s()
    table.add_row(
        f"all checks, {journeys_made:,} journeys, {rows:,} rows of log rhythm",
        f"{judging:.1f} s of CPU",
        "2 s",
    )
    largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    table.add_row("largest process of all this", f"{largest:.0f} MB", "500 MB")
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import proofbook"], check=True)
    table.add_row("import proofbook", f"{time.perf_counter() - began:.2f} s", "quick")
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
