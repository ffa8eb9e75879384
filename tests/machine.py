"""What a test knows of the machine: how much processes waited for a processor; and how it gets the machine to itself."""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TextIO, TypeVar

import guard
import pytest

# How often a machine that was busy is asked, the last time with no other test at work: that may have to be waited for long.
TURNS = 4
# The share of the time up to which waiting for a processor is no excuse.
CALM = 0.05
# From this share on a machine cannot tell what is slow from what does not get to run, even with one test at a time.
STARVED = 0.5
# Looking at every process of a run takes some 20 ms.
POLL_S = 1.0
Found = TypeVar("Found")


class Room:
    """Where tests run side by side, until one of them needs the machine to itself.

    Two locks: those who run share `room`; whoever wants to be alone takes `door`, so that nobody enters meanwhile, and waits
    until the others have left.
    """

    def __init__(self, folder: Path) -> None:
        self._room: TextIO = (folder / "room.lock").open("w")
        self._door: TextIO = (folder / "door.lock").open("w")

    def close(self) -> None:
        self._room.close()
        self._door.close()

    def enter(self) -> None:
        fcntl.flock(self._door, fcntl.LOCK_SH)
        fcntl.flock(self._room, fcntl.LOCK_SH)
        fcntl.flock(self._door, fcntl.LOCK_UN)

    def leave(self) -> None:
        fcntl.flock(self._room, fcntl.LOCK_UN)

    @contextlib.contextmanager
    def outside(self) -> Iterator[None]:
        """To wait for another test, which may want to be alone."""
        self.leave()
        try:
            yield
        finally:
            self.enter()

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """From when every other test has ended; none begins before this one goes on beside them."""
        self.leave()  # first: two who want to be alone would wait for each other
        fcntl.flock(self._door, fcntl.LOCK_EX)
        fcntl.flock(self._room, fcntl.LOCK_EX)
        try:
            yield
        finally:
            self.leave()
            fcntl.flock(self._door, fcntl.LOCK_UN)
            self.enter()


ROOM = pytest.StashKey[Room]()


class Waited:
    """How much processes waited for a processor since this was made, as a share of the time: of two that wait always, 2."""

    def __init__(self, pids: Callable[[], list[int]]) -> None:
        self._pids, self._began = pids, time.monotonic()
        self._before = {pid: waited_s(pid) for pid in pids()}
        self._latest = dict(self._before)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._poll, daemon=True)

    def __enter__(self) -> Waited:
        self._thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._over.set()
        self._thread.join()
        self._look()
        self._share = self._waited_s / (time.monotonic() - self._began)

    def _poll(self) -> None:
        # Of a process that ended, what was seen last counts.
        while not self._over.wait(POLL_S):
            self._look()

    def _look(self) -> None:
        for pid in self._pids():
            self._latest[pid] = max(waited_s(pid), self._latest.get(pid, 0.0))

    @property
    def _waited_s(self) -> float:
        return sum(seconds - self._before.get(pid, 0.0) for pid, seconds in self._latest.items())

    @property
    def much(self) -> bool:
        """Whether to ask again is fair: a machine that was calm left nothing open. True where the system does not say."""
        return not Path("/proc/self/schedstat").exists() or self._share > CALM

    @property
    def starved(self) -> bool:
        return self._share > STARVED

    def __str__(self) -> str:
        return f"its processes waited for a processor {self._share:.0%} of the time"


def waited_s(pid: int) -> float:
    """Seconds in which threads of a process could have run and were not let."""
    seconds = 0.0
    # A process, or one of its threads, may end meanwhile.
    with contextlib.suppress(OSError):
        for file in list(Path(f"/proc/{pid}/task").glob("*/schedstat")):
            with contextlib.suppress(OSError):
                seconds += int(file.read_text().split()[1]) / 1e9
    return seconds


def of_this_run() -> list[int]:
    """Every process of this run of the tests but the guard; who is not at work waits for nothing."""
    return [os.getpid(), *guard.marked(os.environ[guard.VARIABLE])]


def below(ancestor: int) -> list[int]:
    """The processes that it began, and those that these began."""
    children: dict[int, list[int]] = {}
    for place in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parent = int(place.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(place.parent.name))
    found = children.get(ancestor, [])
    for pid in found:
        found.extend(children.get(pid, []))
    return found


def asked_again(
    ask: Callable[[int], Found],
    *,
    is_open: Callable[[Found], bool],
    pids: Callable[[], list[int]],
    room: Room,
) -> Found:
    """What a question finds; where the machine left that open, what it finds the next time, or at last with no other test.

    ask: told which turn it is, from 0. is_open: whether something could not be told that should be, and nothing is wrong: a
    wrong answer is an answer, which no second one mends. Skips where even alone its processes did not get to run.
    """
    for turn in range(TURNS):
        with contextlib.ExitStack() as held:
            if turn and turn == TURNS - 1:
                held.enter_context(room.alone())
            waited = held.enter_context(Waited(pids))
            found = ask(turn)
        if not is_open(found):
            return found
        print(f"turn {turn + 1} of {TURNS} is open; {waited}")
        if not waited.much:
            return found
    if waited.starved:
        pytest.skip(f"this machine is too busy with something else to tell: alone, {waited}")
    return found
