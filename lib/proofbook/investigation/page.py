"""A look as a page: the incident notebook over a source, executed and written as one HTML file."""

from __future__ import annotations

import re
import shlex
import tempfile
from collections.abc import Mapping
from pathlib import Path

from proofbook import paths
from proofbook.errors import CouldNotLook, UsageError
from proofbook.execution import document
from proofbook.execution.executor import Executed, Executor
from proofbook.investigation.answers import MARKS, MIME
from proofbook.report import look_page
from proofbook.report.look_page import MarkedAnswer

NOTEBOOK = paths.LOOKING[0]
# A log of some gigabytes takes minutes to read.
TIMEOUT_S = 3600.0
_MISTAKE = re.compile(r"code cell \S+ raised (?:UsageError|UnknownName): (.*)")


def write(to: Path, *, executor: Executor, base: Path, parameters: Mapping[str, str]) -> None:
    """Executes the incident notebook with its parameters and writes what it shows.

    Raises:
        UsageError: a parameter is wrong, or the file cannot be written. CouldNotLook: the notebook did not run to its end.
    """
    with tempfile.TemporaryDirectory(prefix="proofbook-look-") as folder:
        (done,) = executor.execute({NOTEBOOK: _notebook(base)}, folder=Path(folder), parameters=dict(parameters), timeout_s=TIMEOUT_S)  # fmt: skip
        if mistake := _MISTAKE.fullmatch(done.problem):
            raise UsageError(mistake[1])
        if done.problem:
            raise CouldNotLook(f"the notebook {NOTEBOOK}: {done.problem}")
        try:
            look_page.write(to, executed=done, source=parameters.get("source") or "an incident made up for practice", said=_said(done), command=_command(to, parameters))  # fmt: skip
        except OSError as error:
            raise UsageError(f"--html: expected a file that can be written, got {to} ({error.strerror})") from None  # fmt: skip


def _notebook(base: Path) -> Path:
    own = base / "notebooks" / f"{NOTEBOOK}.ipynb"
    return own if own.exists() else paths.SHIPPED / "notebooks" / f"{NOTEBOOK}.ipynb"


def _said(done: Executed) -> list[MarkedAnswer]:
    """The answers that the notebook gave, in its order."""
    return [
        MarkedAnswer(mark=MARKS.get(str(told.get("answer")), ""), claim=str(told.get("claim")), statement=str(told.get("statement")))
        for told in document.read(done.path).outputs(MIME)
    ]  # fmt: skip


def _command(to: Path, parameters: Mapping[str, str]) -> str:
    given = {name: value for name, value in parameters.items() if value}
    source = [given.pop("source")] if "source" in given else []
    options = [word for name, value in given.items() for word in (f"--{name}", value)]
    return shlex.join(["proofbook", "look", *source, *options, "--html", to.name])
