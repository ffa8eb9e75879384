"""Folders for the sockets and keys of kernels: their paths are short enough, and they go with the process that they are for."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from proofbook.concurrency import scratch
from proofbook.errors import CouldNotLook

PREFIX = "proofbook-kernels-"
# The path of a Unix socket has 107 bytes at most; `/proofbook-kernels-12345678/12345678/kernel-5` of them are ours.
LONGEST = 107 - 45


@contextlib.contextmanager
def place() -> Iterator[Path]:
    """A new folder that its owner alone may use; it is deleted at the end, and by whoever makes the next one if this process is killed.

    Raises:
        CouldNotLook: there is no folder for temporary files with a path that is short enough.
    """
    folder = scratch.new(PREFIX, base=_base())
    try:
        yield folder.path
    finally:
        folder.remove()


def inside(folder: Path) -> Path:
    """A new folder in one of these, for one kernel."""
    return Path(tempfile.mkdtemp(prefix="", dir=folder))


def _base() -> Path:
    wanted = tempfile.gettempdir()
    for name in (wanted, os.environ.get("XDG_RUNTIME_DIR", ""), "/tmp", "/var/tmp", "/dev/shm"):
        if name and len(os.fsencode(name)) <= LONGEST and os.access(name, os.W_OK | os.X_OK):
            return Path(name)
    raise CouldNotLook(
        f"expected a folder for the sockets of kernels whose path has at most {LONGEST} bytes, got {wanted} with {len(os.fsencode(wanted))}; set TMPDIR to a shorter one"
    )
