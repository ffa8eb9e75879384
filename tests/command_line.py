"""The command line, each command in a process of its own that begins as a copy of one where everything is imported already.

A test pays for what its command does and not for its imports, which take longer than most commands.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from multiprocessing import forkserver, resource_tracker
from pathlib import Path
from typing import Any

# What the commands import on their way; none of it reads the environment or starts a thread while it is imported.
MODULES = [
    "pandas",
    "proofbook.cli.commands",
    "proofbook.collect.logs.recorder",
    "proofbook.pipeline.validate",
    "proofbook.pipeline.watch",
    "proofbook.notebook.book",
]
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
    from proofbook.cli import main

    main()
