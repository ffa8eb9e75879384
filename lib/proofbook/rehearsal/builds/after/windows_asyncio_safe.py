"""Makes asyncio.sleep safe on Windows event loops while a handler runs."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable
from typing import Any

LONGEST_NAP_S = 60.0

# Kept before anything is replaced: safe_sleep must never look asyncio.sleep up again, it would find itself.
original_sleep = asyncio.sleep


async def safe_sleep(delay: float, result: Any = None) -> Any:
    """asyncio.sleep with a bound, since very long timers stall some Windows loops."""
    return await original_sleep(min(delay, LONGEST_NAP_S), result)


def windows_asyncio_safe(handler: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """Decorates a handler so that asyncio.sleep is safe_sleep while it runs."""

    @functools.wraps(handler)
    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        asyncio.sleep = safe_sleep
        try:
            return await handler(*args, **kwargs)
        finally:
            asyncio.sleep = original_sleep

    return wrapper
