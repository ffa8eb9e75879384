"""Moments as an analyst types them, placed in the span of a log."""

from __future__ import annotations

import datetime as dt

import pandas as pd

from proofbook.config import moments

Moment = str | dt.datetime | pd.Timestamp
Span = tuple[pd.Timestamp, pd.Timestamp]


def moment(text: Moment, *, within: Span, end: bool = False) -> pd.Timestamp:
    """A moment in UTC, of a log: its end is what durations count back from.

    within: the span of the log. end: of a day without a time its end is meant.

    Raises:
        UsageError: it is no moment, or a time of day that comes more than once in the log.

    >>> day = (pd.Timestamp("2026-01-05T09:00Z"), pd.Timestamp("2026-01-05T12:00Z"))
    >>> str(moment("10:30", within=day)), str(moment("15m", within=day))
    ('2026-01-05 10:30:00+00:00', '2026-01-05 11:45:00+00:00')
    """
    if isinstance(text, str):
        since, reference = (at.to_pydatetime(warn=False) for at in within)
        return pd.Timestamp(moments.moment(text, reference=reference, since=since, end=end))
    found = pd.Timestamp(text)
    return found.tz_localize("UTC") if found.tzinfo is None else found.tz_convert("UTC")


def of_seconds(at_s: float) -> pd.Timestamp:
    """A moment in UTC, from seconds since 1970."""
    return pd.Timestamp(at_s, unit="s", tz="UTC")


def shown(span: Span) -> str:
    """A span in words, the day once.

    >>> shown((pd.Timestamp("2026-01-05T09:00Z"), pd.Timestamp("2026-01-05T12:00:01Z")))
    '2026-01-05 09:00:00 to 12:00:01 UTC'
    """
    first, last = span
    day = "" if first.date() == last.date() else f"{last:%Y-%m-%d} "
    return f"{first:%Y-%m-%d %H:%M:%S} to {day}{last:%H:%M:%S} UTC"
