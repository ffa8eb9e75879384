"""The words in which pages say how a service is, and what they mean."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Word(StrEnum):
    """What a page says: well, ill, neither of them, or something that nobody here knows."""

    WELL = "well"
    ILL = "ill"
    HALF = "half-well"
    UNKNOWN = "unknown"
    # It is no page of the service: somebody in between wants to know who asks.
    CHALLENGE = "challenge"


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a page says of itself, and where: a JMESPath with the value found there; the path is empty for plain text."""

    word: Word
    path: str
    value: Any
    # Of a page that is well: what a part of it says that is not.
    beside: str = field(default="", compare=False)

    def shown(self) -> str:
        """As it stands there, in short."""
        value = "false" if self.value is False else "true" if self.value is True else str(self.value)[:60]
        return f"{self.path} = {value}" if self.path else value


_GOOD = frozenset([
    "ok", "okay", "healthy", "up", "pass", "passed", "passing", "alive", "live", "ready", "running", "available", "green", "success",
    "successful", "serving", "online", "operational", "active", "started", "good", "well", "fine", "normal", "pong", "true", "yes",
    "working", "200",
])  # fmt: skip
_BAD = frozenset([
    "down", "unhealthy", "fail", "fails", "failed", "failing", "failure", "error", "errors", "errored", "critical", "unavailable",
    "out_of_service", "service_unavailable", "dead", "stopped", "stopping", "ko", "nok", "bad", "broken", "offline", "outage", "crashed",
    "red", "false", "no", "500", "502", "503", "504", "major_outage", "major", "crash_loop", "panic", "fatal", "lost", "disconnected",
    "unreachable",
])  # fmt: skip
_HALF = frozenset([
    "degraded", "warn", "warning", "partial", "partially", "partially_available", "yellow", "starting", "initializing", "draining",
    "maintenance", "pending", "unknown", "unstable", "service_unknown", "degraded_performance", "partial_outage", "minor_outage",
    "minor", "under_maintenance", "impaired", "limited", "suspended", "paused", "read_only", "overloaded", "recovering", "amber", "orange",
])  # fmt: skip
# Of a part of the system, where the page has no word of its own: what can hardly mean anything else.
_BAD_OF_A_PART = frozenset([
    "down", "unhealthy", "failed", "failing", "unavailable", "out_of_service", "dead", "critical",
])  # fmt: skip
_NEGATED = re.compile(
    r"(?:not|un|non|in)[\s_-]*(?:" + "|".join(sorted(_GOOD, key=len, reverse=True)) + r")\b"
)
KEYS = (
    "status",
    "healthy",
    "health",
    "ok",
    "state",
    "alive",
    "ready",
    "up",
    "success",
    "available",
    "live",
    "serving",
)
# Keys of which 0 and 1 mean no and yes; of a status 0 may mean that there was no error.
YES_OR_NO = frozenset(KEYS) - {"status", "health", "state"}


# Pictures that stand before a word, or for it.
_BAD_MARKS, _HALF_MARKS, _GOOD_MARKS = "❌✖✘✗🔴⛔🚨🟥🛑", "⚠🟡🟠", "✅✔✓🟢☑"
_BAD_MARK = re.compile(f"[{_BAD_MARKS}]")
_STATUS_LINE = re.compile(r"HTTP/\d(?:\.\d)? ([1-5])\d\d\b")


def meaning(value: str | bool | int) -> Word:
    """What a value says of whatever it belongs to.

    >>> meaning("UP"), meaning("❌ no database"), meaning("HTTP/1.1 503 Service Unavailable")
    (<Word.WELL: 'well'>, <Word.ILL: 'ill'>, <Word.ILL: 'ill'>)
    """
    if isinstance(value, bool):
        return Word.WELL if value else Word.ILL
    text = str(value).strip()
    if text[:1] and text[0] in _BAD_MARKS:
        return Word.ILL
    if (status := _STATUS_LINE.match(text)) is not None:
        return Word.ILL if status[1] in "45" else Word.WELL if status[1] == "2" else Word.UNKNOWN
    said = norm(text)
    if _NEGATED.match(said.replace("_", " ")) or said in _BAD:
        return Word.ILL
    if said in _HALF:
        return Word.HALF
    return Word.WELL if said in _GOOD else Word.UNKNOWN


def is_bad_of_a_part(value: str) -> bool:
    """Whether a value says that a part is ill, perhaps with what is wrong behind it: `unavailable: no connection`."""
    return (
        _BAD_MARK.match(value.strip()) is not None
        or norm(re.split(r"[:,;(]", value, maxsplit=1)[0]) in _BAD_OF_A_PART
    )


def first_bad_mark(text: str) -> str:
    """The first line with a picture that says that something is ill; empty where there is none."""
    return next((line.strip() for line in text.splitlines() if _BAD_MARK.search(line)), "")


def norm(value: str) -> str:
    """A word or two as they stand in the lists here: without case, blanks, what ends a sentence, and pictures before."""
    plain = value.strip().lstrip(_GOOD_MARKS + _HALF_MARKS + "\ufe0f")
    return re.sub(r"[\s-]+", "_", plain.strip().strip(".!\"'").lower())
