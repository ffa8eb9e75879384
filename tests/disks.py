"""A file system of its own in memory, as small as a test needs it."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

# Why there can be none; empty where there can.
MISSING = "" if os.geteuid() == 0 else "mounting a file system of its own needs root"


@contextlib.contextmanager
def mounted(folder: Path, *, size_kb: int) -> Iterator[Path]:
    """The folder, made and on a file system of that size until the end.

    Raises:
        OSError: it cannot be mounted, as in a container that may not.
    """
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size_kb}k", "tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise OSError(done.stderr.strip())
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
