"""Every kind collected in turns, two at a time, resumed where it was interrupted."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from abroad import servers
from abroad.catalogue import KINDS
from abroad.trials import Result, collect


def results(
    kept: Path,
    *,
    turns: Sequence[int],
    only: Sequence[str] = (),
    jobs: int = 2,
    within_s: float | None = None,
) -> list[Result]:
    """The results of all kinds, or of those that are named, collected where they are not kept yet.

    within_s: when no more are begun. Kinds come in an order by chance within each turn, so that what was left out says nothing.
    """
    if lacking := servers.missing():
        raise SystemExit(f"the catalogue needs {' '.join(lacking)}: sudo apt-get install {' '.join(lacking)}")
    modules = servers.node_modules(kept / "node")
    names = [name for name in KINDS if not only or name in only]
    until = None if within_s is None else time.monotonic() + within_s
    found: list[Result] = []
    pool = ProcessPoolExecutor(jobs)
    try:
        for turn in turns:
            order = random.Random(turn).sample(names, len(names))
            waiting = [pool.submit(_in_time, name, turn, kept, modules, until) for name in order]
            for future in as_completed(waiting):
                result = future.result()
                if result is not None:
                    found.append(result)
                    told = f"{result.name} {result.turn} ({result.make}): {result.verdict}, {result.outcome}"
                    again = f", made anew {result.starved} times" if result.starved else ""
                    print(f"{told}, {result.seconds:.0f} s{again}", flush=True)
    finally:
        # Whoever interrupts it does not wait for all that has not begun.
        pool.shutdown(cancel_futures=True)
    return sorted(found, key=lambda item: (list(KINDS).index(item.name), item.turn))


def _in_time(name: str, turn: int, kept: Path, modules: Path, until: float | None) -> Result | None:
    folder = kept / f"turn-{turn}" / name
    if until is not None and time.monotonic() > until and not (folder / "result.json").is_file():
        return None
    return collect(name, turn, folder, modules)
