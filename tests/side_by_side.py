"""How pytest-xdist shares the tests out: those with a rehearsal to the few workers that have one, the others one by one."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import guard

# Collecting is mostly waiting: two rehearsals leave half of two processors to the other tests, four disturb each other.
REHEARSING = ("gw0", "gw1")
# The other workers give way to them.
NICE = 5


def tell_rehearsing(ids: list[str]) -> None:
    """Tells the process that shares out which tests need a rehearsal: it collects none itself."""
    folder = Path(os.environ[guard.VARIABLE])
    file = folder / f"rehearsing-{os.getpid()}"
    file.write_text(json.dumps(ids), encoding="utf-8")
    file.replace(folder / "rehearsing")


def scheduler(config: Any, log: Any) -> Any:
    """The scheduler for `-n`; None where another way to share was asked for."""
    if config.getvalue("dist") != "load":
        return None
    from xdist.scheduler import LoadScopeScheduling

    class Sharing(LoadScopeScheduling):  # type: ignore[misc, unused-ignore]
        def schedule(self) -> None:
            if self.collection is None:
                ids = json.loads(
                    (Path(os.environ[guard.VARIABLE]) / "rehearsing").read_text(encoding="utf-8")
                )
                count = min(len(REHEARSING), self.numnodes)
                self.part = {name: f"rehearsal {number % count}" for number, name in enumerate(ids)}
                # They come first, so they go to the workers that come first.
                self.assigned_work = dict(
                    sorted(self.assigned_work.items(), key=lambda item: item[0].gateway.id)
                )
            super().schedule()

        def _split_scope(self, nodeid: str) -> str:
            return str(self.part.get(nodeid, nodeid))

    # As they were collected, and not the largest first.
    config.option.loadscopereorder = False
    return Sharing(config, log)
