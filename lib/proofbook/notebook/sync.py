"""Runs async work for a synchronous caller: kernels have a loop already, where asyncio.run fails."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """The result of `work`, run to its end on a loop of its own; Ctrl-C cancels it."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    outcome: list[Any] = []

    def target() -> None:
        try:
            outcome.append((True, asyncio.run(work)))
        except BaseException as error:
            outcome.append((False, error))

    thread = threading.Thread(target=target, name="proofbook-collect", daemon=True)
    thread.start()
    thread.join()
    good, value = outcome[0]
    if not good:
        raise value
    result: Result = value
    return result
