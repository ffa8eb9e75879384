"""How processes end: with their parent, with what they started, and in words."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
from pathlib import Path

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36


def how_it_ended(code: int) -> str:
    """The end of a process by its exit code, which is negative for a signal, as a predicate.

    >>> how_it_ended(3), how_it_ended(-15)
    ('ended with exit code 3', 'was killed by SIGTERM')
    >>> how_it_ended(-9)
    'was killed by SIGKILL (out of memory?)'
    """
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return f"was killed by {name}" + (" (out of memory?)" if name == "SIGKILL" else "")


def end_with_parent(parent: int) -> None:
    """Asks Linux to kill this process with its parent, also while a cell is in one long call."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)  # it had ended before that was said


def adopt_orphans() -> None:
    """Asks Linux to make this process the parent of whatever its children's children leave behind."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)


def children() -> list[int]:
    """The children of this process; none where the system does not tell."""
    found: list[int] = []
    for file in Path("/proc/self/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += map(int, file.read_text(encoding="ascii").split())
    return found
