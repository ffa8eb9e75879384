"""What a health page says of itself: its own top is believed, whatever stands in it further down."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from proofbook.files import parse_json


class Word(StrEnum):
    """What a page says: well, ill, neither of them, or something that nobody here knows."""

    WELL = "well"
    ILL = "ill"
    HALF = "half-well"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a page says of itself, and where: a JMESPath with the value found there; the path is empty for plain text."""

    word: Word
    path: str
    value: Any

    def shown(self) -> str:
        """As it stands there, in short."""
        value = "false" if self.value is False else "true" if self.value is True else str(self.value)[:60]
        return f"{self.path} = {value}" if self.path else value


_GOOD = frozenset(
    [
        "ok",
        "okay",
        "healthy",
        "up",
        "pass",
        "passed",
        "passing",
        "alive",
        "live",
        "ready",
        "running",
        "available",
        "green",
        "success",
        "successful",
        "serving",
        "online",
        "operational",
        "active",
        "started",
        "good",
        "well",
        "fine",
        "normal",
        "pong",
        "true",
        "yes",
        "200",
    ]
)
_BAD = frozenset(
    [
        "down",
        "unhealthy",
        "fail",
        "fails",
        "failed",
        "failing",
        "failure",
        "error",
        "errors",
        "errored",
        "critical",
        "unavailable",
        "out_of_service",
        "service_unavailable",
        "dead",
        "stopped",
        "stopping",
        "ko",
        "nok",
        "bad",
        "broken",
        "offline",
        "outage",
        "crashed",
        "red",
        "false",
        "no",
        "500",
        "502",
        "503",
        "504",
    ]
)
_HALF = frozenset(
    [
        "degraded",
        "warn",
        "warning",
        "partial",
        "partially",
        "yellow",
        "starting",
        "initializing",
        "draining",
        "maintenance",
        "pending",
        "unknown",
        "unstable",
    ]
)
# Of a part of the system, where the page has no word of its own: what can hardly mean anything else.
_BAD_OF_A_PART = frozenset(
    ["down", "unhealthy", "failed", "failing", "unavailable", "out_of_service", "dead", "critical"]
)
_NEGATED = re.compile(
    r"(?:not|un|non|in)[\s_-]*(?:" + "|".join(sorted(_GOOD, key=len, reverse=True)) + r")\b"
)
_KEYS = ("status", "healthy", "health", "ok", "state", "alive", "ready", "up", "success", "available", "live")
# Keys of which 0 and 1 mean no and yes; of a status 0 may mean that there was no error.
_YES_OR_NO = frozenset(_KEYS) - {"status", "health", "state"}
_WRAPPERS = ("status", "health", "state", "data", "result")
_LINE = re.compile(rf"^\W*({'|'.join(_KEYS)})\W*[:=]\s*[\"']?([\w -]+)", re.IGNORECASE)
_LONGEST_LINE = 200


def read(text: str, *, is_html: bool = False) -> Said | None:
    """What a page says of itself; None where it says nothing.

    >>> read('{"status": "DOWN", "db": {"status": "UP"}}').shown()
    'status = DOWN'
    >>> read("Unhealthy").word, read('{"version": "1.2"}')
    (<Word.ILL: 'ill'>, None)
    """
    try:
        page = parse_json(text)
    except ValueError:
        return None if is_html else _of_text(text)
    if isinstance(page, dict):
        return _of_object(page)
    if isinstance(page, str | bool):
        return Said(word=_meaning(page), path="", value=page)
    return None


def _of_object(page: dict[str, object]) -> Said | None:
    own = list(_claims(page))
    worst = next((said for word in (Word.ILL, Word.HALF) for said in own if said.word is word), None)
    if worst is not None:
        return worst
    part = next(
        (
            Said(word=Word.HALF if own else Word.ILL, path=_quoted(key), value=value)
            for key, value in page.items()
            if isinstance(value, str) and _norm(value) in _BAD_OF_A_PART
        ),
        None,
    )
    if part is not None:
        return part
    return min(own, key=lambda said: said.word is not Word.WELL, default=None)


def _claims(page: dict[str, object], prefix: str = "") -> Iterator[Said]:
    """The values at the page's own top that speak of it as a whole; one level down only where the top is no more than a wrapper."""
    by_name = {key.lower(): key for key in reversed(page)}
    found = False
    for name in _KEYS:
        value = page.get(by_name.get(name, ""))
        if isinstance(value, str | bool) or (isinstance(value, int) and _counts(name, value)):
            found = True
            word = _meaning(bool(value) if name in _YES_OR_NO and isinstance(value, int) else value)
            yield Said(word=word, path=prefix + _quoted(by_name[name]), value=value)
    if found or prefix:
        return
    for name in _WRAPPERS:
        inner = page.get(by_name.get(name, ""))
        if isinstance(inner, dict):
            yield from _claims(inner, f"{_quoted(by_name[name])}.")


def _counts(name: str, value: int) -> bool:
    return value in (0, 1) if name in _YES_OR_NO else 200 <= value <= 599


def _meaning(value: str | bool | int) -> Word:
    if isinstance(value, bool):
        return Word.WELL if value else Word.ILL
    said = _norm(str(value))
    if _NEGATED.match(said.replace("_", " ")) or said in _BAD:
        return Word.ILL
    if said in _HALF:
        return Word.HALF
    return Word.WELL if said in _GOOD else Word.UNKNOWN


def _of_text(text: str) -> Said | None:
    """Of plain text the first line speaks, by its first words; of a longer one nothing is known."""
    line = text.strip().split("\n", 1)[0].strip()
    if not line or len(line) > _LONGEST_LINE or line.startswith("<"):
        return None
    named = _LINE.match(line)
    if named is not None:
        return Said(word=_meaning(named[2]), path="", value=line)
    whole = _meaning(line)
    if whole is Word.UNKNOWN:
        # "Unhealthy: no database", "DOWN (db)".
        whole = _meaning(re.split(r"[^\w' -]| - |\s(?!ok|ready|healthy|serving)", line, maxsplit=1)[0])
    return None if whole is Word.UNKNOWN else Said(word=whole, path="", value=line)


def _norm(value: str) -> str:
    return re.sub(r"[\s-]+", "_", value.strip().strip(".!\"'").lower())


def _quoted(key: str) -> str:
    """A key as JMESPath writes it.

    >>> _quoted("status"), _quoted("db-status")
    ('status', '"db-status"')
    """
    if re.fullmatch(r"[A-Za-z_]\w*", key, re.ASCII):
        return key
    return '"' + key.replace("\\", "\\\\").replace('"', '\\"') + '"'
