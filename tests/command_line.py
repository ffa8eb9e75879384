"""The command line, each command in a process of its own that begins as a copy of one where everything is imported already.

A test pays for what its command does and not for its imports, which take longer than most commands. The same holds for the
first notebook runner that a command starts; any other begins as it does for users.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Mapping
from multiprocessing import forkserver, resource_tracker
from pathlib import Path
from typing import IO, Any

from proofbook.execution import executor, variables, worker

# What the commands import on their way; none of it reads the environment or starts a thread while it is imported.
MODULES = [
    "pandas",
    "httpcore",
    "proofbook.cli.commands",
    "proofbook.collect.logs.recorder",
    "proofbook.pipeline.validate",
    "proofbook.pipeline.watch",
    "nbconvert",
    "loaded",
]
# The commands that execute notebooks, and those that may.
EXECUTING = {"run", "watch", "replay", "try", "report", "demo", "rehearse"}
_context: Any = None


def run(
    arguments: tuple[str, ...], *, cwd: Path, environment: Mapping[str, str], timeout_s: float
) -> subprocess.CompletedProcess[str]:
    """What the command printed and its exit code.

    Raises:
        subprocess.TimeoutExpired: it did not end in time; it is killed.
    """
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder) / "out", Path(folder) / "err"
        process = _copies().Process(target=_command, args=(arguments, str(cwd), dict(environment), out, err))
        process.start()
        try:
            process.join(timeout_s)
            if process.exitcode is None:
                raise subprocess.TimeoutExpired(["proofbook", *arguments], timeout_s)
        finally:
            if process.exitcode is None:
                process.kill()
                process.join()
        printed = [file.read_text(encoding="utf-8") if file.exists() else "" for file in (out, err)]
        return subprocess.CompletedProcess(["proofbook", *arguments], process.exitcode, *printed)


def end() -> None:
    """Ends the process that is copied; without this it ends a moment after ours."""
    if _context is not None:
        forkserver._forkserver._stop()  # type: ignore[attr-defined]
        resource_tracker._resource_tracker._stop()  # type: ignore[attr-defined]


def _copies() -> Any:
    global _context
    if _context is None:
        _context = multiprocessing.get_context("forkserver")
        _context.set_forkserver_preload(MODULES)
    return _context


def _command(arguments: tuple[str, ...], cwd: str, environment: dict[str, str], out: Path, err: Path) -> None:
    """In the copy: what `python -m proofbook.cli` does in a process of its own."""
    for number, file in ((1, out), (2, err)):
        opened = os.open(file, os.O_WRONLY | os.O_CREAT)
        os.dup2(opened, number)
        os.close(opened)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    # What a new process would do at its start.
    sys.path[:0] = [
        place
        for place in environment.get("PYTHONPATH", "").split(os.pathsep)
        if place and place not in sys.path
    ]
    time.tzset()
    sys.argv = ["proofbook", *arguments]
    if EXECUTING & {*arguments} and sys.platform == "linux":
        _Runner().stand_by()
    from proofbook.cli import main

    main()


class _Runner:
    """A notebook runner that is a copy of this process, made before this has a thread or an open file; what a Popen of it would be."""

    def stand_by(self) -> None:
        """Makes the copy, which waits until an Executor wants it, and ends with this process where none does."""
        ours, theirs = os.pipe(), os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(ours[1])
            os.close(theirs[0])
            _serve(ours[0], theirs[1])
        os.close(ours[0])
        os.close(theirs[1])
        self.stdin, self.stdout = os.fdopen(ours[1], "wb"), os.fdopen(theirs[0], "rb")
        self._usual, self._code = executor._started, None
        executor._started = self._take  # type: ignore[assignment]  # all that is asked of a Popen is there

    def _take(self, how: str, place: Path, said: IO[bytes]) -> Any:
        executor._started = self._usual
        if how == "cold":
            return self._usual(how, place, said)
        first = [how, str(place), f"/proc/{os.getpid()}/fd/{said.fileno()}", variables.passed(os.environ)]
        self.stdin.write(json.dumps(first).encode() + b"\n")
        self.stdin.flush()
        return self

    def send_signal(self, number: int) -> None:
        if self._code is None:
            os.kill(self.pid, number)

    def wait(self) -> int:
        if self._code is None:
            self._code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self._code


def _serve(asked: int, answers: int) -> None:
    """In the copy: what `python -m proofbook.execution.worker` does in a process of its own."""
    os.setsid()
    code = 1
    for number, file in ((0, asked), (1, answers)):
        os.dup2(file, number)
        os.close(file)
    try:
        sys.stdin = os.fdopen(os.dup(0))
        if first := sys.stdin.buffer.readline():
            how, place, said, environment = json.loads(first)
            os.dup2(os.open(said, os.O_WRONLY), 2)
            os.environ.clear()
            os.environ.update(environment)
            worker.main(how, Path(place))
        code = 0
    except SystemExit:  # by SIGTERM, which is how a runner is ended
        code = 0
    except Exception:
        traceback.print_exc()
    finally:
        os._exit(code)
