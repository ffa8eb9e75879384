"""Every kind collected in turns, two at a time, resumed where it was interrupted."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from abroad import servers
from abroad.catalogue import KINDS
from abroad.trials import Result, collect


def results(kept: Path, *, turns: Sequence[int], only: Sequence[str] = (), jobs: int = 2) -> list[Result]:
    """The results of all kinds, or of those that are named, collected where they are not kept yet."""
    if lacking := servers.missing():
        raise SystemExit(f"the catalogue needs {' '.join(lacking)}: sudo apt-get install {' '.join(lacking)}")
    modules = servers.node_modules(kept / "node")
    names = [name for name in KINDS if not only or name in only]
    work = [(name, turn, kept / f"turn-{turn}" / name) for turn in turns for name in names]
    found = []
    with ProcessPoolExecutor(jobs) as pool:
        waiting = [pool.submit(collect, *item, modules) for item in work]
        for future in waiting:
            result = future.result()
            found.append(result)
            print(f"{result.name} {result.turn} ({result.make}): {result.verdict}, {result.outcome}, {result.seconds:.0f} s", flush=True)  # fmt: skip
    return found
