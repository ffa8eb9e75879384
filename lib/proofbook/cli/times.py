"""Times on the command line."""

from __future__ import annotations

import datetime as dt
import re

from proofbook.config import durations
from proofbook.config.durations import UNITS_S
from proofbook.errors import UsageError

__all__ = ["UNITS_S", "length_s", "moment"]


def length_s(option: str, text: str) -> float:
    """A duration in seconds.

    Raises:
        UsageError: the text is no duration.

    >>> length_s("--within", "10m")
    600.0
    """
    try:
        return durations.seconds(text)
    except ValueError:
        raise UsageError(
            f"{option}: not a duration: {text!r}; use a number and a unit, such as 90s, 5m or 24h"
        ) from None


def moment(option: str, text: str, *, now: dt.datetime) -> dt.datetime:
    """A time, from RFC 3339 with a zone or from a duration before now.

    Raises:
        UsageError: the text is no time, or has no zone.

    >>> moment("--since", "3h", now=dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)).hour
    9
    """
    text = text.removesuffix(" ago")
    if re.fullmatch(r"[\d.]+[smhdw]", text):
        return now - dt.timedelta(seconds=length_s(option, text))
    try:
        found = dt.datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"{option}: not a time: {text!r}; use 2026-11-24T09:40:00Z, or a duration before now such as 3h"
        ) from None
    if found.tzinfo is None:
        raise UsageError(f"{option}: {text!r} has no time zone; use {text}Z for UTC")
    return found
