"""The queue of notebooks: which begins next, which has ended, and what went wrong with it."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from proofbook.execution import endings
from proofbook.execution.endings import how_it_ended

# A line of JSON between processes, or a message of Jupyter's.
Message = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One notebook to execute: its path, where its copy with outputs goes, its parameters, and the variables of whoever wants it."""

    source: str
    target: str
    parameters: dict[str, str]
    variables: dict[str, str]
    place: str


@dataclass(slots=True, kw_only=True)
class Running:
    """A notebook that is being executed. said: where its worker writes what went wrong. client: who wants it."""

    name: str
    pid: int
    said: int
    client: int = 0
    timeout_s: float = 300.0
    began: float = field(default_factory=time.monotonic)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The outcome of a notebook for whoever wanted it; `problem` is empty when it ran to its end."""

    client: int
    name: str
    seconds: float
    problem: str

    def to_json(self) -> Message:
        return {"name": self.name, "seconds": self.seconds, "problem": self.problem}


class Dispatcher:
    """Executes notebooks of one or more clients, at most `jobs` at once.

    What was asked by whoever came first goes first, so that the first is done early. A client may also take one of the places for work of its own; those come first, since whatever ends makes room.

    start: begins to execute one. place: for the sockets of kernels.
    """

    def __init__(self, *, start: Callable[[str, Work], Running], place: str, jobs: int = 1) -> None:
        self.jobs = jobs
        self.running: list[Running] = []
        self._start, self._place = start, place
        self._waiting: list[tuple[int, str, Work, float]] = []
        # What was there before is not ours to end.
        self._before = set(endings.children())
        self._came: dict[int, int] = {}
        self._asking: list[int] = []
        self._taken: list[int] = []

    def add(self, order: Mapping[str, Any], *, client: int = 0) -> None:
        """Takes an order: notebooks with their parameters, the variables of whoever wants them, and the longest time of each."""
        for name, (source, target) in order["notebooks"].items():
            work = Work(
                source=source,
                target=target,
                parameters=order["parameters"],
                variables=order["variables"],
                place=self._place,
            )
            self._waiting.append((client, name, work, order["timeout_s"]))
        self._came.setdefault(client, len(self._came))
        self._waiting.sort(key=lambda item: self._came[item[0]])

    def ask(self, client: int) -> None:
        """Notes that a client wants a place for work of its own; see `granted`."""
        self._asking.append(client)

    def give_back(self, client: int) -> None:
        """The client's own work is done."""
        if client in self._taken:
            self._taken.remove(client)

    @property
    def idle(self) -> bool:
        return not (self._waiting or self.running)

    def granted(self) -> list[int]:
        """The clients that get a place now."""
        count = min(len(self._asking), self._free)
        now, self._asking = self._asking[:count], self._asking[count:]
        self._taken += now
        return now

    @property
    def _free(self) -> int:
        return max(0, self.jobs - len(self.running) - len(self._taken))

    def begin(self) -> list[Running]:
        """Begins what there is room for, and gives it."""
        begun = []
        while self._waiting and self._free:
            client, name, work, timeout_s = self._waiting.pop(0)
            item = self._start(name, work)
            item.client, item.timeout_s = client, timeout_s
            self.running.append(item)
            begun.append(item)
        return begun

    def ended(self, *, others: Collection[int] = ()) -> list[Ended]:
        """What has ended or is over its time. others: children of this process that are no notebooks."""
        found = []
        for item in list(self.running):
            seconds = time.monotonic() - item.began
            gone, status = os.waitpid(item.pid, os.WNOHANG)
            if not gone and seconds < item.timeout_s:
                continue
            self.running.remove(item)
            if not gone:
                _end(item)
            problem = problem_of(item, status) if gone else f"did not end within {item.timeout_s:.0f} s"
            os.close(item.said)
            self._end_strays(others)
            found.append(Ended(client=item.client, name=item.name, seconds=seconds, problem=problem))
        return found

    def drop(self, client: int, *, others: Collection[int] = ()) -> None:
        """Forgets a client, and ends what is executed for it."""
        self._waiting = [item for item in self._waiting if item[0] != client]
        self._asking = [item for item in self._asking if item != client]
        self.give_back(client)
        for item in [item for item in self.running if item.client == client]:
            self.running.remove(item)
            _end(item)
            os.close(item.said)
        self._end_strays(others)

    def end(self) -> None:
        """Ends whatever is executed, and what it has started."""
        while self.running:
            _end(self.running.pop())
        self._end_strays(())

    def _end_strays(self, others: Collection[int]) -> None:
        """Ends what notebooks that ended have left: processes of any session, which are children of this process by now."""
        known = {item.pid for item in self.running} | set(others) | self._before
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline and (
            left := [pid for pid in endings.children() if pid not in known]
        ):
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(pid, os.WNOHANG)
            time.sleep(0.005)


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def problem_of(item: Running, status: int) -> str:
    """What went wrong with a notebook, by what its worker said and how that ended; empty when all went well."""
    try:
        said = os.read(item.said, 65536).decode("utf-8", "replace")
    except BlockingIOError:
        said = ""
    code = os.waitstatus_to_exitcode(status)
    return said or (f"the notebook's process {how_it_ended(code)}" if code else "")


def _end(item: Running) -> None:
    """Ends a worker and its kernel, which notices that its parent has gone."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(item.pid, sign)
        deadline = time.monotonic() + 2
        while time.monotonic() < deadline:
            with contextlib.suppress(ChildProcessError):
                if os.waitpid(item.pid, os.WNOHANG) == (0, 0):
                    time.sleep(0.02)
                    continue
            return
