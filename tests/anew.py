"""A test that failed while the machine stood still is run anew: what was due meanwhile came late, whatever the code is like.

Many tests wait for real time: a server has a second to answer, a button half of one. A machine that lets nothing run for so long
makes them fail, and their failing says nothing then. Where it did not stand still a failure is one, and no second run mends it.
"""

from __future__ import annotations

import contextlib
import threading
import time
from types import SimpleNamespace
from typing import Any

import machine
import pytest
from _pytest.runner import runtestprotocol

# The shortest time that a test gives to somebody else is 0.3 s.
LONGEST_S = 0.25
WATCHED_EVERY_S = 0.05
# The last time with no other test at work.
TURNS = 3
RAN_ANEW = "ran anew"


class Stood:
    """How long at most, since this was last asked, nothing of this process got to run that wanted to."""

    def __init__(self) -> None:
        self._longest_s, self._since = 0.0, self._now()
        self._lock, self._over = threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    @staticmethod
    def _now() -> tuple[float, float]:
        return time.monotonic(), time.process_time()

    def _watch(self) -> None:
        while not self._over.wait(WATCHED_EVERY_S):
            self._note()

    def _note(self) -> None:
        with self._lock:
            (then, worked), self._since = self._since, self._now()
            late_s = self._since[0] - then - WATCHED_EVERY_S
            # What this process did itself meanwhile is no standing still: one thread at a time has the interpreter.
            self._longest_s = max(self._longest_s, late_s - (self._since[1] - worked))

    def longest_s(self) -> float:
        self._note()  # whoever asks may run sooner again than the one that watches
        longest_s, self._longest_s = self._longest_s, 0.0
        return longest_s

    def close(self) -> None:
        self._over.set()
        self._thread.join()


STOOD = pytest.StashKey[Stood]()


def run(
    item: pytest.Item, nextitem: pytest.Item | None, *, stood: Stood, room: machine.Room, turns: int = TURNS
) -> None:
    """Runs a test as pytest does, and again while it fails and the machine stood still. Its last turn is what is told."""
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    reports = _turn(item, nextitem, stood)
    for turn in range(1, turns):
        longest_s, failed = stood.longest_s(), [report for report in reports if report.failed]
        if not failed or longest_s <= LONGEST_S:
            break
        said = f"{item.nodeid}: the machine stood still for {longest_s:.1f} s; {_sentence(failed[0])}"
        item.user_properties.append((RAN_ANEW, said))
        _forget(item)
        with room.alone() if turn == turns - 1 else contextlib.nullcontext():
            reports = _turn(item, nextitem, stood)
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)


def _turn(item: pytest.Item, nextitem: pytest.Item | None, stood: Stood) -> list[pytest.TestReport]:
    stood.longest_s()
    return runtestprotocol(item, log=False, nextitem=nextitem)


def _sentence(failed: pytest.TestReport) -> str:
    """Where a test failed and how, in one line."""
    crash: Any = getattr(failed.longrepr, "reprcrash", None)
    lines = (crash.message if crash is not None else failed.longreprtext).strip().splitlines() or [""]
    return f"{failed.when} failed: {lines[0][:200]}"


def _forget(item: pytest.Item) -> None:
    """A fixture of a module or of all that could not be made is made again; without this the next turn is told what this one was."""
    known = getattr(item, "_fixtureinfo", None)
    for made_by in known.name2fixturedefs.values() if known else ():
        for made in made_by:
            if made.cached_result is not None and made.cached_result[2] is not None:
                made.finish(SimpleNamespace(node=item))
