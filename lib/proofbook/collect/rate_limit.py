"""Rate limiting of probes: the environment's pace and concurrency, and backing off when a service answers 429."""

from __future__ import annotations

import asyncio
import datetime as dt
import email.utils
import logging
import re
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from proofbook.config.services import Pace
from proofbook.errors import CouldNotLook

logger = logging.getLogger("proofbook.collect")
# Backing off has an end: after this many answers of 429, or one that asks for more, it is for a person to decide.
MAX_429 = 3
MAX_WAIT_S = 120.0
TOO_MANY = 429
# How servers say the same with another status; and with one of success, where the words leave no doubt.
_EXCEEDED = re.compile(
    r"rate[ _-]?(?:limits?[ _-]?)?(?:has been |was |is )?(?:exceeded|reached|hit)|too many requests|rate[ _-]limited"
    r"|(?:requests?|calls?|api|rate|daily|hourly) (?:limit|quota) (?:has been |was |is )?(?:exceeded|reached)",
    re.IGNORECASE,
)
# What reports a state of its own speaks of itself or of what it depends on, and not of who asks.
_OF_ITSELF = re.compile(
    r"""["']?\b(?:status|state|health)["']?\s*[:=]\s*["']?(?:down|unhealthy|degraded|critical|fail(?:ed|ing)?|not[ _-]?ready|red)\b"""
    r"""|["']?\bhealthy["']?\s*[:=]\s*["']?(?:false|no)\b""",
    re.IGNORECASE,
)
_SLOWER = re.compile(r"throttl(?:ed|ing)|slow down|enhance your calm", re.IGNORECASE)
_LEFT = ("x-ratelimit-remaining", "ratelimit-remaining", "x-rate-limit-remaining")
_LONGEST = 300


def asks_for_less(status: int | None, headers: Mapping[str, str], body: str) -> bool:
    """Whether an answer refuses a request because there were too many before it, whatever its status; None of the close of a connection.

    >>> asks_for_less(503, {}, "Rate limit exceeded"), asks_for_less(403, {"x-ratelimit-remaining": "0"}, ""), asks_for_less(503, {}, "")
    (True, True, False)
    """
    if status == TOO_MANY:
        return True
    if _OF_ITSELF.search(body[:_LONGEST]):
        return False
    if len(body) <= _LONGEST and _EXCEEDED.search(body):
        return True
    if status is not None and status < 400:
        return False
    is_none_left = any(headers.get(name, "").strip() == "0" for name in _LEFT)
    return is_none_left or _SLOWER.search(body[:_LONGEST]) is not None


class RateLimiter:
    """Lets requests through one after the other, as far apart as the pace says, and only so many at once."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._slots = asyncio.Semaphore(pace.concurrency)
        self._first_in_line = asyncio.Lock()
        self._next_at = 0.0
        self._refused = 0
        self._refused_with = ""

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[None]:
        """A place within pace and concurrency, waited for.

        Raises:
            CouldNotLook: the service said 429 too often.
        """
        async with self._slots:
            async with self._first_in_line:
                # Asked again after each wait: an answer that came meanwhile may have told us to wait longer.
                while (wait := self._next_at - time.monotonic()) > 0 and self._refused < MAX_429:  # noqa: ASYNC110  # time passes, nobody sets it
                    await asyncio.sleep(wait)
                if self._refused >= MAX_429:
                    raise CouldNotLook(
                        f"{self._refused_with} {self._refused} times at {self._pace.per_s:g} requests/s; lower [pace] per_s, or concurrency where it counts connections"
                    )
                # From now and not from when its turn was due, so that no two are closer than the pace allows.
                self._next_at = time.monotonic() + 1 / self._pace.per_s
            yield

    def back_off(self, retry_after: str | None, *, host: str, status: int = TOO_MANY) -> None:
        """Delays every further request after a 429 of a host, or what says the same with another status, as long as it asks.

        Raises:
            CouldNotLook: it asks for more than MAX_WAIT_S.
        """
        self._refused += 1
        self._refused_with = f"{host} answered {status} (too many requests)"
        asked = seconds_of(retry_after, now=dt.datetime.now(dt.UTC))
        seconds = 2.0**self._refused if asked is None else asked
        logger.info("%s answered %d: backing off for %.1f s (%d of %d)", host, status, seconds, self._refused, MAX_429)  # fmt: skip
        if seconds > MAX_WAIT_S:
            raise CouldNotLook(
                f"{self._refused_with} at {self._pace.per_s:g} requests/s and asks to wait {seconds:,.0f} s; run again after that, or lower [pace] per_s"
            )
        self._next_at = max(self._next_at, time.monotonic() + seconds)


def seconds_of(retry_after: str | None, *, now: dt.datetime) -> float | None:
    """How long a Retry-After asks to wait: it is a number of seconds or a date; None where it says neither.

    >>> seconds_of("Wed, 21 Oct 2026 07:28:00 GMT", now=dt.datetime(2026, 10, 21, 7, 27, 30, tzinfo=dt.UTC))
    30.0
    """
    if retry_after is None:
        return None
    if retry_after.strip().isdigit():
        return float(retry_after)
    try:
        until = email.utils.parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    return max(0.0, (until.replace(tzinfo=until.tzinfo or dt.UTC) - now).total_seconds())
