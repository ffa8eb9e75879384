"""Moments and durations as people type them: one grammar for every command and notebook.

A moment is RFC 3339 (UTC where it names no zone), a day, a time of day such as 09:40, or a duration such as 15m before the reference. Of a
recorded log the reference is its end; else it is now.
"""

from __future__ import annotations

import datetime as dt
import re

from proofbook.config import durations
from proofbook.errors import UsageError

_CLOCK = re.compile(r"(\d{1,2}):(\d\d)(?::(\d\d(?:\.\d+)?))?Z?")
_DAY = re.compile(r"\d{4}-?\d\d-?\d\d")


def seconds(text: str | float) -> float:
    """A duration in seconds.

    Raises:
        UsageError: it is none.

    >>> seconds("2m"), seconds("1.5h"), seconds(5)
    (120.0, 5400.0, 5.0)
    """
    try:
        return durations.seconds(f"{text}s" if isinstance(text, int | float) else text)
    except ValueError as error:
        raise UsageError(str(error)) from None


def moment(
    text: str, *, reference: dt.datetime, since: dt.datetime | None = None, end: bool = False
) -> dt.datetime:
    """A moment in UTC.

    Args:
        reference: what durations count back from: now, or the end of a log. since: the beginning of that log, in which a time of day lies;
            None where the reference is now, and the last such time is meant. end: of a day without a time its end is meant.
    Raises:
        UsageError: it is no moment, or a time of day that comes more than once in the log.

    >>> noon = dt.datetime(2026, 1, 5, 12, tzinfo=dt.UTC)
    >>> [moment(text, reference=noon).isoformat(" ", "minutes")[5:16] for text in ("15m", "3h ago", "13:00", "2026-01-04T10:00:00+01:00")]
    ['01-05 11:45', '01-05 09:00', '01-04 13:00', '01-04 09:00']
    """
    said = text.strip()
    if clock := _CLOCK.fullmatch(said):
        return _on_its_day(said, clock, reference=reference, since=since)
    if durations.FORM.fullmatch(said.removesuffix(" ago")):
        return reference - dt.timedelta(seconds=seconds(said.removesuffix(" ago")))
    try:
        found = dt.datetime.fromisoformat(said)
    except ValueError:
        before = "now" if since is None else "the end of the log"
        raise UsageError(
            f"not a time: {text!r}; use 2026-11-24T09:40:00Z, 09:40, or a duration before {before} such as 3h"
        ) from None
    found = found.replace(tzinfo=dt.UTC) if found.tzinfo is None else found.astimezone(dt.UTC)
    return found + dt.timedelta(days=1) if end and _DAY.fullmatch(said) else found


def _on_its_day(
    said: str, clock: re.Match[str], *, reference: dt.datetime, since: dt.datetime | None
) -> dt.datetime:
    time = dt.timedelta(hours=int(clock[1]), minutes=int(clock[2]), seconds=float(clock[3] or 0))
    if time >= dt.timedelta(days=1) or int(clock[2]) > 59 or float(clock[3] or 0) >= 60:
        raise UsageError(f"not a time of day: {said!r}; use 09:40 or 09:40:30")
    first = since if since is not None else reference - dt.timedelta(days=1) + dt.timedelta(microseconds=1)
    midnight = first.astimezone(dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    days = [midnight + dt.timedelta(days=day) for day in range((reference - midnight).days + 1)]
    inside = [day + time for day in days if first <= day + time <= reference]
    if len(inside) > 1:
        raise UsageError(
            f"{said!r} comes {len(inside)} times in this log; name the day too, such as {inside[-1]:%Y-%m-%dT%H:%M:%SZ}"
        )
    # A time outside of the log is one of its first day: a span may begin before the log does.
    return inside[0] if inside else midnight + time
