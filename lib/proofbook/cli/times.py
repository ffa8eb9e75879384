"""Times on the command line."""

from __future__ import annotations

import datetime as dt

from proofbook.config import moments
from proofbook.errors import UsageError

# What an option takes; the reference of durations is named beside it.
TIME = "RFC 3339 (UTC where no zone is named), 09:40, or 3h before"
BEFORE_NOW, BEFORE_END = f"{TIME} now", f"{TIME} the end of the log"


def length_s(option: str, text: str) -> float:
    """A duration in seconds.

    Raises:
        UsageError: the text is no duration.

    >>> length_s("--within", "10m")
    600.0
    """
    try:
        return moments.seconds(text)
    except UsageError as error:
        raise UsageError(f"{option}: {error}") from None


def moment(option: str, text: str, *, now: dt.datetime, end: bool = False) -> dt.datetime:
    """A time that is told from now.

    Raises:
        UsageError: the text is no time.

    >>> moment("--since", "3h", now=dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)).hour
    9
    """
    try:
        return moments.moment(text, reference=now, end=end)
    except UsageError as error:
        raise UsageError(f"{option}: {error}") from None


def check_moment(option: str, text: str) -> None:
    """Raises UsageError where a text is no time in a log; of no text nothing.

    >>> check_moment("--since", "")
    """
    now = dt.datetime.now(dt.UTC)
    try:
        _ = moments.moment(text, reference=now, since=now) if text else now
    except UsageError as error:
        raise UsageError(f"{option}: {error}") from None
