"""Ends what a run of the tests left behind: `python guard.py MARK`, with a pipe from that run as its standard input.

Every process that a test starts inherits the variable PROOFBOOK_TESTS=MARK. When the run ends, is killed or says that it was
interrupted, whoever still carries the mark a moment later is killed.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

VARIABLE = "PROOFBOOK_TESTS"
GRACE_S = 1.0


def marked(mark: str, *, variable: str = VARIABLE) -> dict[int, str]:
    """The processes that carry the mark, with their commands."""
    wanted, found = f"{variable}={mark}".encode(), {}
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if wanted in (place / "environ").read_bytes().split(b"\0"):
                words = (place / "cmdline").read_bytes().decode("utf-8", "replace").split("\0")
                found[int(place.name)] = " ".join(words).strip()
    found.pop(os.getpid(), None)
    return found


class Guard:
    """Ends every process of this run with it."""

    def __init__(self) -> None:
        mark = tempfile.mkdtemp(prefix="proofbook-tests-")
        self._process = subprocess.Popen(
            [sys.executable, "-I", __file__, mark],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for the others
            env={name: value for name, value in os.environ.items() if name != VARIABLE},
        )
        os.environ[VARIABLE] = mark

    def interrupted(self) -> None:
        """What does not end by itself in a moment is killed, whatever it is in the middle of."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.write(b"!")
            self._process.stdin.flush()

    def leave(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)


def main(mark: str) -> None:
    """The mark is the folder that the run's processes share; it goes too."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    os.read(0, 1)  # one byte: interrupted; none: ended, in whatever way
    ends = time.monotonic() + GRACE_S
    while marked(mark) and time.monotonic() < ends:
        time.sleep(0.05)
    # Again, since one that is being killed may have started another.
    while (left := marked(mark)) and time.monotonic() < ends + 10:
        for pid, command in left.items():
            print(f"ended what a test left behind: {pid} {command[:200]}", file=sys.stderr)
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.1)
    shutil.rmtree(mark, ignore_errors=True)


if __name__ == "__main__":
    main(sys.argv[1])
