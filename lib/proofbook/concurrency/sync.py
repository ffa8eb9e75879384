"""Async work for synchronous callers, also in kernels, whose running loop makes asyncio.run fail."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Coroutine
from contextvars import ContextVar
from typing import Any, Generic, TypeVar

Result = TypeVar("Result")
# Set when the work is to stop; what runs in a thread of it (`asyncio.to_thread` hands it on) is not ended by cancelling.
_STOPPED: ContextVar[threading.Event | None] = ContextVar("proofbook_stopped", default=None)
# How long an interrupt waits for what was begun to end, and how often it is told again to.
PATIENCE_S = 5.0
AGAIN_S = 0.3


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """The result of `work`, run to its end on a loop of its own.

    Raises:
        KeyboardInterrupt: Ctrl-C, or a notebook's Stop. The work was cancelled first, and has ended or was waited for.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(_stoppable(work, threading.Event()))
    return _Thread(work).result()


def raise_if_stopped() -> None:
    """In a thread of the work: called before anything that takes long or asks somebody.

    Raises:
        KeyboardInterrupt: nobody waits for the work any more.
    """
    stopped = _STOPPED.get()
    if stopped is not None and stopped.is_set():
        raise KeyboardInterrupt


async def _stoppable(work: Coroutine[Any, Any, Result], stopped: threading.Event) -> Result:
    _STOPPED.set(stopped)
    try:
        # The interrupt may have come before there was a task to cancel.
        await asyncio.sleep(0)
        if stopped.is_set():
            raise asyncio.CancelledError
        return await work
    except BaseException:
        stopped.set()
        raise
    finally:
        work.close()


class _Thread(Generic[Result]):
    """Work on the loop of a thread. Only the main thread hears an interrupt, so that it has to hand it on."""

    def __init__(self, work: Coroutine[Any, Any, Result]) -> None:
        self._work = work
        self._loop = asyncio.new_event_loop()
        self._result: list[Result] = []
        self._error: BaseException | None = None
        self._stopped = threading.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="proofbook-collect", daemon=True)

    def result(self) -> Result:
        try:
            self._thread.start()
            self._ended.wait()
        except BaseException:
            self._end()
            raise
        if self._error is not None:
            raise self._error
        return self._result[0]

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                self._result.append(runner.run(_stoppable(self._work, self._stopped)))
        except BaseException as error:
            self._error = error
        finally:
            self._ended.set()

    def _end(self) -> None:
        """Cancels all of the work until it has ended: what cleans up after itself may wait for something else that must end too."""
        self._stopped.set()
        over = time.monotonic() + PATIENCE_S
        while self._thread.is_alive() and not self._ended.is_set() and time.monotonic() < over:
            with contextlib.suppress(RuntimeError):  # the loop has closed meanwhile
                self._loop.call_soon_threadsafe(self._cancel_all)
            self._ended.wait(AGAIN_S)

    def _cancel_all(self) -> None:
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
