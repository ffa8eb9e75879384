"""Temporary folders that go with the process that made them, and where it was killed with the next that makes one of that kind."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
import weakref
from pathlib import Path

# Younger ones may not be locked yet.
STALE_S = 60.0


class Folder:
    """A folder that its user alone may read, held by a lock."""

    def __init__(self, path: Path, *, lock: int) -> None:
        self.path = path
        self._locks = [lock]
        self._process = os.getpid()

    def remove(self) -> None:
        """Deletes it with all that it holds, once, and not for a copy of its process."""
        while self._locks and self._process == os.getpid():
            shutil.rmtree(self.path, ignore_errors=True)
            os.close(self._locks.pop())

    def remove_with(self, owner: object) -> None:
        """Has it removed when its owner is gone, at the latest with the process."""
        weakref.finalize(owner, self.remove)


def new(prefix: str, *, base: Path | None = None) -> Folder:
    """A new folder, whose lock is held until it is removed.

    Args:
        prefix: of its name; others of that prefix that nobody holds any more are deleted. base: where it is made; None for the folder for temporary files.
    """
    base = base or Path(tempfile.gettempdir())
    _sweep(base, prefix)
    path = Path(tempfile.mkdtemp(prefix=prefix, dir=base))
    lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    # Some network file systems lock no folders: then nobody deletes it either.
    with contextlib.suppress(OSError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return Folder(path, lock=lock)


def _sweep(base: Path, prefix: str) -> None:
    """Deletes what killed processes of this user left."""
    for folder in base.glob(f"{prefix}*"):
        # What belongs to others, or is in use, or went meanwhile, is not ours to delete.
        with contextlib.suppress(OSError):
            stat = folder.lstat()
            if stat.st_uid == os.geteuid() and time.time() - stat.st_mtime > STALE_S and not folder.is_symlink():  # fmt: skip
                _delete(folder)


def _delete(folder: Path) -> None:
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder)
    finally:
        os.close(lock)
