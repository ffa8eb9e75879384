"""Executes notebooks with Papermill, each in a process of its own, and gives the outcome of each.

Papermill alone lets a notebook look finished that is not (an early sys.exit, a killed kernel), has no time-out for a whole
notebook, and writes secrets that a cell prints. All three are closed here and in `worker`.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from proofbook import files
from proofbook.execution import document, places, variables
from proofbook.execution.dispatch import Message
from proofbook.execution.endings import how_it_ended
from proofbook.redaction import log_lines
from proofbook.redaction.scrubbing import for_others

logger = logging.getLogger("proofbook.execution")


@dataclass(frozen=True, slots=True, kw_only=True)
class Executed:
    """The outcome of one notebook; `problem` is empty when it ran to its end."""

    name: str
    path: Path
    seconds: float
    problem: str = ""


class Orders:
    """Whoever orders notebooks: writes an order, and reads a line for each notebook that ended.

    over: why the time of whoever orders is over; empty while it is not.
    """

    over = ""

    def __init__(self, asked: IO[bytes], answers: IO[bytes]) -> None:
        self.asked, self.answers = asked, answers

    def send(self, what: Message) -> None:
        """Writes an order."""
        self.asked.write(json.dumps(what).encode() + b"\n")
        self.asked.flush()

    def over_now(self) -> str:
        """Why the time is over; empty while it is not."""
        return self.over

    def place(self) -> contextlib.AbstractContextManager[None]:
        """Inside it, a core is ours."""
        return contextlib.nullcontext()

    def why_ended(self) -> str:
        """Why no answer comes any more, in words."""
        raise NotImplementedError

    def execute(
        self,
        notebooks: dict[str, Path],
        *,
        folder: Path,
        parameters: dict[str, str],
        jobs: int = 0,
        timeout_s: float = 300.0,
        say: Callable[[str], None] = lambda _: None,
        meanwhile: Callable[[], None] = lambda: None,
    ) -> list[Executed]:
        """The outcome of every notebook, executed `jobs` at once (0: one a core); the copies with outputs are in `folder`.

        A notebook over its time is ended with its kernel. meanwhile: is done while they are executed.
        """
        folder.mkdir(parents=True, exist_ok=True)
        places = {
            name: [str(path.resolve()), str(folder.resolve() / f"{name}.ipynb")]
            for name, path in notebooks.items()
        }
        logger.info("executing %d notebooks, %d at once: %s", len(notebooks), jobs, ", ".join(notebooks))
        began = time.monotonic()
        order = {"notebooks": places, "parameters": parameters, "jobs": jobs, "timeout_s": timeout_s}
        with contextlib.suppress(BrokenPipeError):  # it has ended, which the lack of answers tells
            self.send({**order, "variables": dict(os.environ)})
        meanwhile()
        done: dict[str, Executed] = {}
        while len(done) < len(notebooks) and (line := self.answers.readline()):
            answer: Message = json.loads(line)
            name = answer["name"]
            logger.debug("notebook %s ended after %.1f s", name, answer["seconds"], extra={"notebook": name})
            done[name] = _outcome(name, notebooks[name], folder, answer["seconds"], answer["problem"])
            with log_lines.bound(notebook=name):
                say(f"{name}: {done[name].problem or 'executed'} ({done[name].seconds:.1f} s)")
        for name in [name for name in notebooks if name not in done]:
            problem = self.why_ended()
            done[name] = _outcome(name, notebooks[name], folder, time.monotonic() - began, problem)
            say(f"{name}: {problem}")
        return [done[name] for name in notebooks]


class Executor(Orders):
    """A process that has loaded what notebooks need, once, and executes each in a copy of itself.

    It begins to load when it is made: make it while there is something else to do. Leaving the context ends it, and every
    notebook that still runs; so does the end of this process.

    warm: False starts every worker and kernel from nothing, as where a process that has loaded this much cannot be copied.
    compares: whether before and after will be compared, so that the tests for that are loaded once for all notebooks; one
        that needs them all the same loads them for itself.
    """

    def __init__(self, *, warm: bool = sys.platform == "linux", compares: bool = True) -> None:
        how = "cold" if not warm else "warm" if compares else "lean"
        self._left = contextlib.ExitStack()
        place = self._left.enter_context(places.place())
        self._said = tempfile.TemporaryFile()  # noqa: SIM115  # open as long as the process, which may say why it ended
        self._process = _started(how, place, self._said)
        assert self._process.stdin is not None and self._process.stdout is not None
        super().__init__(self._process.stdin, self._process.stdout)

    def __enter__(self) -> Executor:
        return self

    def __exit__(self, *_: object) -> None:
        # The end of its orders ends it too: a signal that comes just before it waits for the next one is not heard then.
        with contextlib.suppress(BrokenPipeError):
            self.asked.close()
        self._process.send_signal(signal.SIGTERM)
        self._process.wait()
        self.answers.close()
        self._said.close()
        self._left.close()

    def why_ended(self) -> str:
        return f"the notebook runner {how_it_ended(self._process.wait())}{self._last_words()}"

    def _last_words(self) -> str:
        self._said.seek(0)
        lines = self._said.read().decode("utf-8", "replace").strip().splitlines()
        return f": {lines[-1]}" if lines else ""


def _started(how: str, place: Path, said: IO[bytes]) -> subprocess.Popen[bytes]:
    """The notebook runner, a process of its own; see `worker.main`. said: takes what it prints when something is wrong."""
    return subprocess.Popen(
        [sys.executable, "-m", "proofbook.execution.worker", how, str(place)],
        # What a process was started with can be read by all that it starts.
        env=variables.passed(os.environ),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=said,
        # Ctrl-C is for this process, which then ends that one.
        start_new_session=True,
    )


def _outcome(name: str, source: Path, folder: Path, seconds: float, problem: str) -> Executed:
    path = folder / f"{name}.ipynb"
    for left in files.unfinished(path):  # of a worker that was ended while it wrote
        left.unlink(missing_ok=True)
    if not path.exists():
        # Keep what was asked, so that the report shows the notebook even though nothing of it ran.
        path.write_text(source.read_text(encoding="utf-8"), encoding="utf-8")
    problem = for_others(problem)[:300] or _stopped_early(path)
    if problem:
        document.note_problem(path, problem)
    return Executed(name=name, path=path, seconds=seconds, problem=problem)


def _stopped_early(path: Path) -> str:
    """Why a notebook did not reach its last cell, in words; empty where it did."""
    cells = [cell for cell in document.read(path).cells if cell.is_code and cell.source.strip()]
    left = [index for index, cell in enumerate(cells, start=1) if cell.count is None]
    failed = [index for index, cell in enumerate(cells, start=1) if cell.failed]
    if failed:
        return f"code cell {failed[0]} raised an exception"
    if left:
        return f"stopped before code cell {left[0]} of {len(cells)}: a cell ended the kernel or left the notebook"
    return ""
