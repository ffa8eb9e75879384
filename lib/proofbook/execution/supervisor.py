"""Runs several environments at once, each in a process of its own, and shares the notebook workers among them.

This process loads what all of them need, once, and every other is a copy of it: that of an environment, which collects, judges
and renders, and that of each notebook, which an environment's process orders and this one begins. So it must not open
anything or start a thread meanwhile; `worker` says why.
"""

from __future__ import annotations

import contextlib
import gc
import json
import logging
import os
import select
import signal
import socket
import sys
import threading
import time
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from proofbook.config import json_schema
from proofbook.execution import endings, loading, places, worker
from proofbook.execution.dispatch import Dispatcher, Ended, Message, Running, cores
from proofbook.execution.endings import how_it_ended
from proofbook.execution.executor import Orders

logger = logging.getLogger("proofbook.execution")
# Beside those that judge: they wait for services and for their notebooks, and each of them holds some memory.
WAITING = 2
# How long a process may take to write down that it was ended.
GRACE_S = 20.0
TICK_S = 0.02
# Asks for the end of a process because its time is over; Ctrl-C and SIGTERM are for the command itself.
OVER = signal.SIGUSR1
CAN_COPY = sys.platform == "linux"
RUN, COMMAND = "--run-timeout", "--total-timeout"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much at once, and how long.

    jobs: notebooks, or environments that render, at once; 0 for one a core. run_s, command_s: the longest time of one piece of work and of
    all together; None without a limit.
    """

    jobs: int = 0
    run_s: float | None = None
    command_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Work for a process of its own: gives what is handed back, and may order notebooks and say something meanwhile."""

    name: str
    work: Callable[[Client], Message]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What became of a task. what: `began`, `said`, `notebook` (begins), `done` (with its result) or `lost` (with a sentence)."""

    task: Task
    what: str
    text: str = ""
    result: Message = field(default_factory=dict)


class Client(Orders):
    """In the process of a task: orders notebooks from the supervisor, and takes a place for work that needs a core."""

    def __init__(self, connection: socket.socket) -> None:
        super().__init__(connection.makefile("wb"), connection.makefile("rb"))

    def say(self, line: str) -> None:
        self.send({"say": line})

    @contextlib.contextmanager
    def place(self) -> Iterator[None]:
        self.send({"place": True})
        self.answers.readline()
        try:
            yield
        finally:
            self.send({"place": False})

    def why_ended(self) -> str:
        return "the command ended"


@dataclass(slots=True, kw_only=True)
class _Process:
    """A task that is under way. until: when it is ended, and then, when it is killed. why: the sentence of that."""

    task: Task
    pid: int
    connection: socket.socket
    until: float | None
    why: str
    half: bytes = b""
    asked_to_end: bool = False
    result: Message | None = None


def run(
    tasks: Sequence[Task],
    *,
    limits: Limits,
    load_first: bool = True,
    load_more: Callable[[], None] = lambda: None,
) -> Generator[Event]:
    """What becomes of each task, as it comes about.

    Leaving the iteration, by Ctrl-C too, ends every process: those of the tasks may write down that they were interrupted.

    load_first: False where the tasks have something else to do before they order notebooks. load_more: loads what tasks need
    after their notebooks.
    """
    warnings.filterwarnings("ignore", ".*multi-threaded.*fork")  # of any thread; see `worker` for ours
    json_schema.skip_iri_grammar()
    endings.adopt_orphans()
    with places.place() as place:
        supervisor = _Supervisor(tasks, limits, str(place))
        try:
            if not load_first:
                yield from supervisor.begun()
            # What few need is loaded sooner by each of them, while their notebooks are executed.
            many = supervisor.waiting and len(tasks) > supervisor.jobs
            yield from _load(supervisor, load_more if many else None)
            while supervisor.busy:
                yield from supervisor.begun()
                yield from supervisor.heard()
                yield from supervisor.ended()
        finally:
            supervisor.end()


def _load(supervisor: _Supervisor, more: Callable[[], None] | None) -> Iterator[Event]:
    """Loads step by step, and hands on what is said meanwhile."""
    steps: list[Callable[[], None]] = [worker.load]
    steps += [partial(worker.load_one, name) for name in (*worker.LOADED, worker.STATISTICS)]
    with loading.quickly():
        for step in [*steps, *([more] if more is not None else [])]:
            with _uninterrupted():
                step()
            yield from supervisor.heard(wait_s=0)
        # What is loaded stays, so that the copies need not look through it, and share its memory.
        gc.freeze()


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """Puts an interrupt off until the end: compiled modules that are interrupted while they load fail in ways of their own.

    Raises:
        KeyboardInterrupt: one came meanwhile.
    """
    came: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        # Signals are not for this thread.
        yield
        return
    usual = {number: signal.signal(number, lambda got, _: came.append(got)) for number in (signal.SIGINT, signal.SIGTERM)}  # fmt: skip
    try:
        yield
    finally:
        for number, handler in usual.items():
            signal.signal(number, handler)
    if came:
        raise KeyboardInterrupt


class _Supervisor:
    def __init__(self, tasks: Sequence[Task], limits: Limits, place: str) -> None:
        self._tasks, self._limits = list(tasks), limits
        self._processes: dict[int, _Process] = {}
        self.jobs = jobs = limits.jobs or cores()
        self._at_once = jobs + WAITING
        self._dispatcher = Dispatcher(start=self._start, place=place, jobs=jobs)
        self._over = None if limits.command_s is None else time.monotonic() + limits.command_s

    @property
    def waiting(self) -> bool:
        """Whether a task has not begun."""
        return bool(self._tasks)

    @property
    def busy(self) -> bool:
        return bool(self._tasks or self._processes)

    @property
    def _private(self) -> list[int]:
        return [process.connection.fileno() for process in self._processes.values()]

    def _start(self, name: str, work: Any) -> Running:
        return worker.copy(name, work, private=self._private)

    def begun(self) -> Iterator[Event]:
        """Begins the tasks that there is room for, and the notebooks that they have ordered."""
        while self._tasks and self._over is not None and time.monotonic() > self._over:
            yield Event(task=self._tasks.pop(0), what="lost", text=f"not started: {self._sentence(COMMAND)}")
        while self._tasks and len(self._processes) < self._at_once:
            task = self._tasks.pop(0)
            yield Event(task=task, what="began")
            self._begin(task)
        for pid in self._dispatcher.granted():
            self._answer(pid, {"place": True})
        for item in self._dispatcher.begin():
            yield Event(task=self._processes[item.client].task, what="notebook", text=item.name)

    def _sentence(self, option: str) -> str:
        seconds = self._limits.run_s if option == RUN else self._limits.command_s
        what = "the run" if option == RUN else "the command"
        return f"{what} was not done within {seconds:g} s ({option})"

    def _begin(self, task: Task) -> None:
        ours, theirs = socket.socketpair()
        run_over = None if self._limits.run_s is None else time.monotonic() + self._limits.run_s
        until, option = min(
            ((at, name) for at, name in ((run_over, RUN), (self._over, COMMAND)) if at is not None),
            default=(None, RUN),
        )
        why = "" if until is None else self._sentence(option)
        sys.stdout.flush()
        sys.stderr.flush()
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            try:
                ours.close()
                for number in self._private:
                    os.close(number)
                _be_task(task, theirs, parent=parent, why=why)
            finally:
                os._exit(1)
        theirs.close()
        self._processes[pid] = _Process(task=task, pid=pid, connection=ours, until=until, why=why)

    def _answer(self, pid: int, what: Message) -> None:
        with contextlib.suppress(OSError):  # it has ended, which is noticed elsewhere
            self._processes[pid].connection.sendall(json.dumps(what).encode() + b"\n")

    def heard(self, *, wait_s: float = TICK_S) -> Iterator[Event]:
        """What the processes of tasks say and ask for within a moment."""
        connections = {process.connection: process for process in self._processes.values()}
        for connection in select.select(list(connections), [], [], wait_s)[0]:
            process = connections[connection]
            try:
                came = connection.recv(1 << 20)
            except OSError:
                continue
            *lines, process.half = (process.half + came).split(b"\n")
            for line in lines:
                yield from self._taken(process, json.loads(line))
            if not came:
                # Closed: what is left is that it ends.
                time.sleep(TICK_S)

    def _taken(self, process: _Process, told: Message) -> Iterator[Event]:
        match told:
            case {"say": str(line)}:
                yield Event(task=process.task, what="said", text=line)
            case {"place": bool(wanted)}:
                (self._dispatcher.ask if wanted else self._dispatcher.give_back)(process.pid)
            case {"result": dict(result)}:
                process.result = result
            case {"notebooks": _}:
                self._dispatcher.add(told, client=process.pid)

    def ended(self) -> Iterator[Event]:
        """Hands on what became of notebooks, and gives the tasks that have ended, or are ended since their time is over."""
        for item in self._dispatcher.ended(others=self._processes):
            self._tell(item)
        for process in list(self._processes.values()):
            gone, status = os.waitpid(process.pid, os.WNOHANG)
            if not gone:
                self._remind(process)
                continue
            for line in self._rest(process):
                yield from self._taken(process, line)
            del self._processes[process.pid]
            process.connection.close()
            self._dispatcher.drop(process.pid, others=self._processes)
            if process.result is not None:
                yield Event(task=process.task, what="done", result=process.result)
            else:
                how = how_it_ended(os.waitstatus_to_exitcode(status))
                why = process.why if process.asked_to_end else f"the process of the run {how}"
                yield Event(task=process.task, what="lost", text=why)

    def _tell(self, item: Ended) -> None:
        self._answer(item.client, item.to_json())

    def _rest(self, process: _Process) -> list[Message]:
        """What a process said before it ended."""
        process.connection.setblocking(False)
        came = process.half
        with contextlib.suppress(OSError):
            while more := process.connection.recv(1 << 20):
                came += more
        return [json.loads(line) for line in came.split(b"\n")[:-1]]

    def _remind(self, process: _Process) -> None:
        """Asks a process to end when its time is over, and kills it when it does not."""
        if process.until is None or time.monotonic() < process.until:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL if process.asked_to_end else OVER)
        process.asked_to_end = True
        process.until = time.monotonic() + GRACE_S

    def end(self) -> None:
        """Ends every process: notebooks at once, tasks when they have written that they were interrupted."""
        self._tasks.clear()
        for process in self._processes.values():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGINT)
        deadline = time.monotonic() + GRACE_S
        while self._processes and time.monotonic() < deadline:
            for pid in [pid for pid in self._processes if os.waitpid(pid, os.WNOHANG)[0]]:
                self._processes.pop(pid).connection.close()
            time.sleep(TICK_S)
        for process in self._processes.values():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
            process.connection.close()
        self._processes.clear()
        self._dispatcher.end()


def _be_task(task: Task, connection: socket.socket, *, parent: int, why: str) -> None:
    """In the process of a task: does the work, hands back its result and ends."""
    endings.end_with_parent(parent)
    # Ctrl-C is for the supervisor, which hands it on once.
    os.setsid()
    endings.adopt_orphans()
    client = Client(connection)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(OVER, partial(_time_is_over, client, why))
    with contextlib.suppress(KeyboardInterrupt, OSError):
        client.send({"result": task.work(client)})
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _time_is_over(client: Client, why: str, *_: object) -> None:
    """Ends the work as Ctrl-C does, which async work understands too; whoever writes it down says why instead."""
    client.over = why
    signal.raise_signal(signal.SIGINT)
