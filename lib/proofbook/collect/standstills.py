"""When this process stood still while it collected: what its probes did not see then, nobody knows."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator

import pandas as pd

from proofbook.evidence.schema import STANDSTILLS

# It wakes so often, and a standstill is noted from so many seconds on in which it was not let run.
EVERY_S, LEAST_S = 0.05, 0.5
Row = tuple[pd.Timestamp, pd.Timestamp]


@contextlib.contextmanager
def noted() -> Iterator[list[Row]]:
    """The rows of STANDSTILLS, which grow while the body runs."""
    rows: list[Row] = []
    over = threading.Event()
    watch = threading.Thread(target=_watch, args=(rows, over), name="standstills", daemon=True)
    watch.start()
    try:
        yield rows
    finally:
        over.set()
        watch.join()


def as_table(rows: list[Row]) -> dict[str, pd.DataFrame]:
    """The table by its name; nothing where the process never stood still."""
    return {STANDSTILLS.name: STANDSTILLS.frame(rows)} if rows else {}


def _watch(rows: list[Row], over: threading.Event) -> None:
    asleep = _now()
    while not over.wait(EVERY_S):
        awake = _now()
        # What the process itself computed meanwhile kept its other threads waiting, and no probe of another.
        late_s = awake[1] - asleep[1] - EVERY_S - (awake[2] - asleep[2])
        if late_s >= LEAST_S:
            rows.append((asleep[0], awake[0]))
        asleep = _now()


def _now() -> tuple[pd.Timestamp, float, float]:
    """The time of day, of a clock that never jumps, and of the processor."""
    return pd.Timestamp.now("UTC"), time.monotonic(), time.process_time()
