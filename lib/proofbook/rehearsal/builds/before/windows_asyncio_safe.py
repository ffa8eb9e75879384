"""Makes asyncio.sleep safe on Windows event loops while a handler runs."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable
from typing import Any

LONGEST_NAP_S = 60.0


async def safe_sleep(delay: float, result: Any = None) -> Any:
    """asyncio.sleep with a bound, since very long timers stall some Windows loops."""
    return await asyncio.sleep(min(delay, LONGEST_NAP_S), result)


def windows_asyncio_safe(handler: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """Decorates a handler so that asyncio.sleep is safe_sleep while it runs."""

    @functools.wraps(handler)
    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        replaced = asyncio.sleep
        asyncio.sleep = safe_sleep
        try:
            return await handler(*args, **kwargs)
        finally:
            asyncio.sleep = replaced

    return wrapper
