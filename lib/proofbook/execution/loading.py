"""Loads modules in less time: nothing is looked for among what is loaded, since all of it stays."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def quickly() -> Iterator[None]:
    """Inside it no garbage is collected: a collection looks through all that is loaded so far, a fifth of the time that loading takes."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
