"""How pytest-xdist shares the tests out: those with a rehearsal to the few workers that have one, the others one by one.

Tests with a fixture of their module stay together, so that it is made once. Every second worker begins with the tests that wait and every other with those that compute, so that the two lie beside each
other from the beginning to the end; whoever has none of his own left takes those of the others.
"""

from __future__ import annotations

import json
import os
from collections import deque
from pathlib import Path
from typing import Any

import guard

# Collecting is mostly waiting: two rehearsals leave half of two processors to the other tests, four disturb each other.
REHEARSING = ("gw0", "gw1")
# So few tests with a rehearsal are done by one worker: bringing one up takes as long as two of them.
FEW = 5
REHEARSAL = "rehearsal "
# The other workers give way to them.
NICE = 5


def tell(*, rehearsing: list[str], waiting: list[str], together: dict[str, str]) -> None:
    """Tells the process that shares out, which collects none itself, which tests need a rehearsal, which wait, and which are of a group."""
    folder = Path(os.environ[guard.VARIABLE])
    file = folder / f"kinds-{os.getpid()}"
    kinds = {"rehearsing": rehearsing, "waiting": waiting, "together": together}
    file.write_text(json.dumps(kinds), encoding="utf-8")
    file.replace(folder / "kinds")


def scheduler(config: Any, log: Any) -> Any:
    """The scheduler for `-n`; None where another way to share was asked for."""
    if config.getvalue("dist") != "load":
        return None
    from xdist.scheduler import LoadScopeScheduling

    class Sharing(LoadScopeScheduling):  # type: ignore[misc, unused-ignore]
        def schedule(self) -> None:
            if self.collection is None:
                kinds = json.loads((Path(os.environ[guard.VARIABLE]) / "kinds").read_text(encoding="utf-8"))
                count = min(len(REHEARSING), self.numnodes, -(-len(kinds["rehearsing"]) // FEW))
                rehearsing = {name: f"{REHEARSAL}{at % count}" for at, name in enumerate(kinds["rehearsing"])}
                self.part = {**kinds["together"], **rehearsing}
                # They come first, so they go to the workers that come first.
                self.assigned_work = dict(
                    sorted(self.assigned_work.items(), key=lambda item: item[0].gateway.id)
                )
                self.waiting = {self._split_scope(name) for name in kinds["waiting"]}
                self.lines: dict[bool, deque[str]] | None = None
            super().schedule()

        def _assign_work_unit(self, node: Any) -> None:
            if self.lines is None:
                self.lines = {
                    waits: deque(name for name in self.workqueue if (name in self.waiting) is waits)
                    for waits in (True, False)
                }
            is_first = node.gateway.id in REHEARSING and not self.assigned_work[node]
            rehearsing = (name for name in self.workqueue if is_first and name.startswith(REHEARSAL))
            begins_waiting = int(node.gateway.id.removeprefix("gw")) % 2 == 1
            if first := next(rehearsing, None):
                self._take(first)
            else:
                own, others = self.lines[begins_waiting], self.lines[not begins_waiting]
                if line := own or others:
                    self._take(line[0])
            super()._assign_work_unit(node)

        def _take(self, name: str) -> None:
            self.lines[name in self.waiting].remove(name)
            self.workqueue.move_to_end(name, last=False)

        def _split_scope(self, nodeid: str) -> str:
            return str(self.part.get(nodeid, nodeid))

    # As they were collected, and not the largest first.
    config.option.loadscopereorder = False
    return Sharing(config, log)
