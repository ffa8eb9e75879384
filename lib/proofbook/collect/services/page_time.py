"""The timestamp of a health page, and its age at the time of the answer."""

from __future__ import annotations

import datetime as dt
import email.utils
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from proofbook.collect.answers import Answer
from proofbook.evidence.page_times import is_of_one_moment, means_now
from proofbook.files import parse_json

_WRITTEN = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?)\s*(Z|UTC|GMT|[+-]\d\d:?\d\d)?")
_LINE = re.compile(r"^\W*([A-Za-z][\w .-]{0,40}?)\W*[:=]\s*[\"']?([^\"'\n]{6,60})", re.MULTILINE)
_ELEMENT = re.compile(r"<([A-Za-z][\w.-]{0,40})>\s*([^<>]{6,60}?)\s*</")
# What may stand between the top of a page and its time.
_WRAPPERS = ("data", "result", "health", "status", "meta")
# Since 1970, in seconds, and in what thousandths of it: from 2001 to 2096.
_EARLIEST_S, _LATEST_S = 1.0e9, 4.0e9
_QUARTER_S = 900.0
_LONGEST = 20_000
# A Date that lies farther behind is that of a copy that somebody kept, or of a clock; which of them, tells whether it goes on.
_MOST_BEHIND_S = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PageTime:
    """A time that a page names as its own: where, when, and how far it lies behind the answer, in seconds."""

    path: str
    moment: dt.datetime
    age_s: float


def of(answer: Answer, *, now: dt.datetime, leaves_out: Collection[str] = ()) -> PageTime | None:
    """The time that an answer names as its own; None where it names none.

    What is named as such comes first, then any other time that does not stand still by its nature; the Date of the answer
    comes where it is of long ago and no other time is.

    leaves_out: paths whose value is expected to be what it is.
    """
    try:
        reference = email.utils.parsedate_to_datetime(answer.headers["date"]).astimezone(dt.UTC)
    except (KeyError, ValueError):
        reference = now
    found = [
        (path, read)
        for path, value in _values(answer.text[:_LONGEST])
        if not is_of_one_moment(path)
        and path not in leaves_out
        and (read := _read(value, as_number=means_now(path))) is not None
    ]
    found.sort(key=lambda item: not means_now(item[0]))
    dated = _dated(*found[0], reference=reference) if found else None
    behind_s = (now - reference).total_seconds()
    if behind_s > _MOST_BEHIND_S and (dated is None or dated.age_s <= _MOST_BEHIND_S):
        return PageTime(path="Date", moment=reference, age_s=behind_s)
    return dated


def _dated(path: str, moment: dt.datetime, *, reference: dt.datetime) -> PageTime:
    is_zoned = moment.tzinfo is not None
    age_s = (reference - (moment if is_zoned else moment.replace(tzinfo=dt.UTC))).total_seconds()
    if not is_zoned and abs(age_s) < 14.5 * 3600:
        # Without a zone it may be of any; each is some quarters of an hour from another. Clocks differ by less than a minute.
        age_s -= _QUARTER_S * ((age_s + 60.0) // _QUARTER_S)
    return PageTime(path=path, moment=reference - dt.timedelta(seconds=age_s), age_s=age_s)


def _values(text: str) -> Iterator[tuple[str, Any]]:
    """What a page names at its top, by path: fields of JSON, elements, or lines of `name: value`."""
    try:
        page = parse_json(text)
    except ValueError:
        for name, value in (_ELEMENT if text.lstrip().startswith("<") else _LINE).findall(text):
            yield name.strip(), value
        return
    if not isinstance(page, dict):
        return
    for key, value in page.items():
        yield key, value
        if key.lower() in _WRAPPERS and isinstance(value, dict):
            yield from ((f"{key}.{inner}", item) for inner, item in value.items())


def _read(value: Any, *, as_number: bool) -> dt.datetime | None:
    """A time of day on a day; without a zone where it names none. Numbers only where asked for, since they may be anything."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    if isinstance(value, int | float) or re.fullmatch(r"\d{10,19}(?:\.\d+)?", value.strip()):
        return _since_1970(float(value)) if as_number else None
    written = _WRITTEN.search(value)
    try:
        if written is None:
            return email.utils.parsedate_to_datetime(value)
        day, time, zone = written.groups()
        zone = {"UTC": "Z", "GMT": "Z"}.get(zone or "", zone or "")
        return dt.datetime.fromisoformat(f"{day}T{time.replace(',', '.')}{zone}")
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _since_1970(number: float) -> dt.datetime | None:
    for parts in (1.0, 1e3, 1e6, 1e9):
        if _EARLIEST_S <= number / parts <= _LATEST_S:
            return dt.datetime.fromtimestamp(number / parts, dt.UTC)
    return None
