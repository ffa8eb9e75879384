"""Moments and durations as an analyst types them, placed in the span of a log."""

from __future__ import annotations

import datetime as dt
import re

import pandas as pd

from proofbook.errors import UsageError

UNITS_S = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0, "w": 7 * 86400.0}
Moment = str | dt.datetime | pd.Timestamp
Span = tuple[pd.Timestamp, pd.Timestamp]
_CLOCK = re.compile(r"(\d{1,2}):(\d\d)(?::(\d\d(?:\.\d+)?))?Z?")


def seconds(text: str | float) -> float:
    """A duration in seconds.

    Raises:
        UsageError: it is none.

    >>> seconds("2m"), seconds("90s"), seconds(5)
    (120.0, 90.0, 5.0)
    """
    if isinstance(text, int | float):
        found, unit = float(text), "s"
    else:
        match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(s|m|min|h|d|w)\s*", text)
        if match is None:
            raise UsageError(f"expected a duration such as 90s, 2m or 1h, got {text!r}")
        found, unit = float(match[1]), match[2]
    if not found > 0:
        raise UsageError(f"expected a duration longer than nothing, got {text!r}")
    return found * UNITS_S[unit]


def moment(text: Moment, *, within: Span | None, end: bool = False) -> pd.Timestamp:
    """A moment in UTC: RFC 3339, a time of day of a log within one day, or a duration before the log's end.

    within: the span of the log; None where it is not known yet. end: of a day without a time its end is meant.

    Raises:
        UsageError: it is no moment, or a time of day that comes more than once in the log.

    >>> day = (pd.Timestamp("2026-01-05T09:00Z"), pd.Timestamp("2026-01-05T12:00Z"))
    >>> str(moment("10:30", within=day)), str(moment("15m", within=day))
    ('2026-01-05 10:30:00+00:00', '2026-01-05 11:45:00+00:00')
    """
    if not isinstance(text, str):
        found = pd.Timestamp(text)
        return found.tz_localize("UTC") if found.tzinfo is None else found.tz_convert("UTC")
    said = text.strip()
    if within is not None and (clock := _CLOCK.fullmatch(said)):
        return _on_its_day(said, clock, within)
    if within is not None and re.fullmatch(r"\d+(?:\.\d+)?\s*(?:s|m|min|h|d|w)(?: ago)?", said):
        return within[1] - pd.Timedelta(seconds=seconds(said.removesuffix(" ago")))
    try:
        found = pd.Timestamp(dt.datetime.fromisoformat(said))
    except ValueError:
        raise UsageError(
            f"expected a time such as 2026-11-24T09:40:00Z or 09:40, or a duration before the end such as 15m, got {text!r}"
        ) from None
    found = found.tz_localize("UTC") if found.tzinfo is None else found.tz_convert("UTC")
    is_day = re.fullmatch(r"\d{4}-?\d\d-?\d\d", said) is not None
    return found + pd.Timedelta(days=1) if end and is_day else found


def _on_its_day(said: str, clock: re.Match[str], within: Span) -> pd.Timestamp:
    time = pd.Timedelta(hours=int(clock[1]), minutes=int(clock[2]), seconds=float(clock[3] or 0))
    if time >= pd.Timedelta(days=1):
        raise UsageError(f"expected a time of day such as 09:40, got {said!r}")
    days = pd.date_range(within[0].normalize(), within[1].normalize(), freq="D")
    inside = [day + time for day in days if within[0] <= day + time <= within[1]]
    if len(inside) > 1:
        raise UsageError(
            f"{said!r} comes {len(inside)} times in this log; name the day too, such as {inside[-1]:%Y-%m-%dT%H:%M:%SZ}"
        )
    # A time outside of the log is one of its first day: a span may begin before the log does.
    return inside[0] if inside else days[0] + time


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
