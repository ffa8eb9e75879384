"""Output of subprocesses, bounded in time; a subprocess has no terminal and is ended with its children."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from proofbook.concurrency import sync
from proofbook.errors import CouldNotLook
from proofbook.redaction.scrubbing import scrub

TIMEOUT_S = 120.0
LOOK_EVERY_S = 0.2


class ProgramFailed(CouldNotLook):
    """A program ended with an error; `said` is its error output."""

    def __init__(self, words: Sequence[str], code: int, said: bytes) -> None:
        self.said = said.decode("utf-8", "replace").strip()
        last = next((line for line in reversed(self.said.splitlines()) if line.strip()), "nothing")
        super().__init__(f"{shown(words)} ended with exit code {code}: {scrub(last)[:200]}")


def output(words: Sequence[str], *, base: Path, timeout_s: float) -> str:
    """The output of a program.

    Raises:
        CouldNotLook: as `run`.
    """
    done = _done(words, base=base, timeout_s=timeout_s, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if done.returncode != 0:
        raise ProgramFailed(words, done.returncode, done.stderr)
    text: str = done.stdout.decode("utf-8", "replace")
    return text


def run(
    words: Sequence[str],
    *,
    base: Path,
    to: Path,
    timeout_s: float,
    both: bool = False,
    may_fail: bool = False,
) -> None:
    """Writes the output of a program to a file. It cannot ask for a password, and is ended with its children at its time limit.

    Raises:
        CouldNotLook: it is not installed, failed (ProgramFailed), or did not end.
    """
    with to.open("wb") as out:
        errors = subprocess.STDOUT if both else subprocess.PIPE
        done = _done(words, base=base, timeout_s=timeout_s, stdout=out, stderr=errors)
    if done.returncode != 0 and may_fail:
        to.write_bytes(b"")
    elif done.returncode != 0:
        raise ProgramFailed(words, done.returncode, to.read_bytes()[-2000:] if both else done.stderr)


def shown(words: Sequence[str]) -> str:
    """A command as it stands in a message."""
    return f"the command {' '.join([Path(words[0]).name, *words[1:]])}"


def _done(words: Sequence[str], *, base: Path, timeout_s: float, stdout: Any, stderr: Any) -> Any:
    try:
        # A session of its own has no terminal to ask at, and can be ended as a whole.
        process = subprocess.Popen(
            list(words),
            cwd=base,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
        )
    except FileNotFoundError:
        raise CouldNotLook(f"the program {words[0]} is not installed; the log source needs it") from None
    except OSError as error:
        raise CouldNotLook(f"{shown(words)} cannot be started: {error.strerror}") from None
    try:
        out, errors = _said(process, timeout_s)
    except subprocess.TimeoutExpired:
        raise CouldNotLook(
            f"{shown(words)} did not end within {timeout_s:g} s; does it wait for a login?"
        ) from None
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    return subprocess.CompletedProcess(words, process.returncode, out or b"", errors or b"")


def _said(process: subprocess.Popen[bytes], timeout_s: float) -> tuple[bytes | None, bytes | None]:
    """Output and error output, polled so that Stop ends the program too."""
    over = time.monotonic() + timeout_s
    while True:
        sync.raise_if_stopped()
        try:
            return process.communicate(timeout=min(LOOK_EVERY_S, max(0.0, over - time.monotonic())))
        except subprocess.TimeoutExpired:
            if time.monotonic() >= over:
                raise
