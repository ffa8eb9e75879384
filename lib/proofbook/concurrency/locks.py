"""Locks of folders: one process at a time writes a run, or the index of all runs.

A lock is flock(2) on the folder itself: it ends with the process that holds it, however that ends, and leaves no file.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import errno
import fcntl
import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path

from proofbook import paths
from proofbook.errors import Locked

logger = logging.getLogger(__name__)
_TRY_AGAIN_S = 0.1


@contextlib.contextmanager
def held(folder: Path, *, patience_s: float = 0.0) -> Iterator[None]:
    """Holds the lock of a folder.

    Args:
        patience_s: how long to wait for another process that holds it.
    Raises:
        Locked: another process still holds it then.
    """
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        _take(number, folder, until=time.monotonic() + patience_s)
        yield
    finally:
        os.close(number)


def _take(number: int, folder: Path, *, until: float) -> None:
    while True:
        try:
            return fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                # Some network file systems lock no folders: then nobody is kept out, as before there were locks.
                return logger.warning("%s cannot be locked: %s", paths.shown(folder), error.strerror)
            if time.monotonic() >= until:
                raise Locked(paths.shown(folder), by=_holder(folder)) from None
        time.sleep(_TRY_AGAIN_S)


def _holder(folder: Path) -> str:
    """Who holds the lock of a folder and since when, as far as the system tells."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        inode = str(folder.stat().st_ino)
        for line in Path("/proc/locks").read_text(encoding="ascii").splitlines():
            words = line.split()
            # 1: FLOCK ADVISORY WRITE <pid> <device>:<inode> 0 EOF; a waiting one has an arrow after the number.
            if words[1] == "FLOCK" and words[5].rpartition(":")[2] == inode:
                return f"process {words[4]}, started {_started(int(words[4]))}"
    return "another process"


def _started(pid: int) -> str:
    """When a process started, in UTC."""
    # The name in parentheses may hold anything; the start is the twentieth field after it, in ticks since the boot.
    ticks = (
        Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[19]
    )
    since_boot = time.clock_gettime(time.CLOCK_BOOTTIME) - int(ticks) / os.sysconf("SC_CLK_TCK")
    return f"{dt.datetime.now(dt.UTC) - dt.timedelta(seconds=since_boot):%Y-%m-%d %H:%M:%S} UTC"
