"""Arrays as long as a log: long ones lie in files without a name, so that what is not in use need not be in memory."""

from __future__ import annotations

import mmap
import os
import tempfile
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

# So many things are worked on at once.
AT_ONCE = 1_000_000
# A shorter array is not worth a file.
SHORT_BYTES = 1 << 22
_maps: weakref.WeakSet[mmap.mmap] = weakref.WeakSet()


def new(count: int, kind: DTypeLike, folder: Path, *, value: float = 0) -> NDArray[Any]:
    """An array of `count` times a value.

    folder: where its file lies as long as the array is used; it has no name, so that nothing is left of it.

    Raises:
        OSError: there is no room for it.
    """
    size = count * np.dtype(kind).itemsize
    if size < SHORT_BYTES or not size:
        return np.full(count, value, dtype=kind)
    with tempfile.TemporaryFile(dir=folder) as file:
        # All of it now: to find out later that a disk is full would end the process.
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, size)
        else:
            file.truncate(size)
        held = mmap.mmap(file.fileno(), size)
    _maps.add(held)
    found = np.frombuffer(held, dtype=kind)
    if value:
        for part in parts(count):
            found[part] = value
    return found


def numbered(count: int, folder: Path) -> NDArray[np.int32]:
    """The numbers from 0 on."""
    found = new(count, np.int32, folder)
    for part in parts(count):
        found[part] = np.arange(part.start, part.stop, dtype=np.int32)
    return found


def parts(count: int) -> Iterator[slice]:
    """So many things a part at a time; what was touched of long arrays leaves memory after each."""
    for begins in range(0, count, AT_ONCE):
        yield slice(begins, min(begins + AT_ONCE, count))
        if count > AT_ONCE:
            leave()


def leave() -> None:
    """Lets the pages of all long arrays leave memory; they come back when they are used."""
    if hasattr(mmap, "MADV_DONTNEED"):
        for held in list(_maps):
            held.madvise(mmap.MADV_DONTNEED)


def descends(values: NDArray[Any]) -> bool:
    """Whether a value is less than the one before it."""
    return any((np.diff(values[part.start : part.stop + 1]) < 0).any() for part in parts(len(values)))
