"""Times on the command line."""

from __future__ import annotations

import datetime as dt
import re

from proofbook.errors import UsageError

UNITS_S = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 7 * 86400.0}


def length_s(option: str, text: str) -> float:
    """A length of time in seconds.

    Raises:
        UsageError: it is none.

    >>> length_s("--within", "10m")
    600.0
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhdw])", text)
    if found is None or float(found[1]) <= 0:
        raise UsageError(f"{option}: expected a length of time such as 90s, 5m or 24h, got {text!r}")
    return float(found[1]) * UNITS_S[found[2]]


def moment(option: str, text: str, *, now: dt.datetime) -> dt.datetime:
    """A moment: RFC 3339 with its zone, or how long ago.

    Raises:
        UsageError: it is none.

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
            f"{option}: expected a time such as 2026-11-24T09:40:00Z, or how long ago such as 3h, got {text!r}"
        ) from None
    if found.tzinfo is None:
        raise UsageError(f"{option}: expected a time with its zone, such as {text}Z, got {text!r}")
    return found
