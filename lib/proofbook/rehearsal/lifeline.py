"""Ends a process of the rehearsal with the one that started it, however that one ended: also where it was killed."""

from __future__ import annotations

import os
import signal
import threading
import time

# Where `proofbook demo` tells the rehearsal that its standard input is such a pipe, and no terminal.
VARIABLE = "PROOFBOOK_ENDS_WITH_PARENT"


def end_with_parent(*, grace_s: float = 0.0) -> None:
    """Watches standard input, a pipe whose other end only the parent holds, in a thread of its own.

    At its end this process ends too, whatever its event loop is doing. Where it has something to end itself, it gets a SIGTERM
    and `grace_s` seconds first.
    """
    threading.Thread(target=_wait_and_end, args=(grace_s,), daemon=True, name="lifeline").start()


def _wait_and_end(grace_s: float) -> None:
    while os.read(0, 4096):
        pass
    if grace_s:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(grace_s)
    os._exit(0)
