"""What a health page says of itself: its own top is believed, whatever stands in it further down."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from proofbook.evidence import stand_ins
from proofbook.files import parse_json


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
_KEYS = (
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
_YES_OR_NO = frozenset(_KEYS) - {"status", "health", "state"}
# What stands before such a key in its name: `isHealthy`, `overall_status`.
_BEFORE_KEYS = re.compile(r"(?:is|overall|system|service|serving|health|app|application|cluster)(?=[a-z])")
_WRAPPERS = ("status", "health", "state", "data", "result")
# What is wrong, listed; empty where nothing is.
_TROUBLES = ("error", "errors", "failure", "failures", "problems", "exception", "errormessage")
# Under which wrappers repeat a status of HTTP; that it is none of a success tells, that it is one does not.
_CODES = ("code", "statuscode", "httpstatus", "httpcode", "errorcode")
# How a value tells what is wrong with a part, in the words of clients and of those who wrap them.
_TROUBLE = re.compile(
    r"(?:connect(?:ion)?|request|query|ping|read|write|operation|host|server|upstream|\w*error:?)?[\w :]{0,40}?"
    r"\b(?:connection (?:was )?(?:refused|reset|closed|lost|aborted|failed)|timed? ?out|unreachable|not (?:available|connected|reachable|responding)|"
    r"(?:cannot|can't|could not|couldn't|unable to|failed to) (?:connect|reach|open|read|write|resolve|query|ping|find|access|load|authenticate)|"
    r"no route to host|ECONN\w+|ETIMEDOUT|EHOSTUNREACH|ENOTFOUND|access denied|authentication failed|broken pipe|disk full|no space left)",
    re.IGNORECASE,
)
# What such a value is of the past, or only told beside: `last_error`, `timeout_s`, `description`.
_OF_ANOTHER_TIME = re.compile(
    r"last|prev|past|history|recent|descr|help|doc|note|hint|config|timeout|policy|message_?of", re.IGNORECASE
)
# A flag of which `true` says that the service is not there for its users.
_AWAY = re.compile(r"(?:is|in|under)?(?:maintenance(?:mode)?|draining|degraded|shuttingdown|stopping)")
# The last word of a key of which `false` says that a part is ill; features are turned on and off by other names.
_PART_FLAG = re.compile(
    r"(?:healthy|connected|reachable|available|alive|ready|passed|passing|operational|working|ok)$",
    re.IGNORECASE,
)
# A part that is named so is there or is not.
_PART_NAMES = frozenset([
    "db", "database", "redis", "broker", "kafka", "rabbitmq", "mongo", "mongodb", "postgres", "postgresql", "mysql", "elasticsearch", "sql",
])  # fmt: skip
_LINE = re.compile(rf"^\W*({'|'.join(_KEYS)})\W*[:=]\s*[\"']?([\w -]+)", re.IGNORECASE)
# A part and its word, in one of several lines.
_PART_LINE = re.compile(
    r"^\W*([\w .()/-]{1,60}?)(?:\s*[:=|]\s*|\s*\.{2,}\s*|\s+-\s+|\s+)[\[(\"']?([A-Za-z_-]{2,20})[\])\"'.!]?\s*$"
)
_MOST_LINES = 100
# A sentence that says how something is: `The server is ready.`
_SENTENCE = re.compile(
    r"^\w[\w .'-]{0,60}? (?:is|are) (?:(?:now|currently|still) )?([\w' ,-]{2,60})(?:$|[.!:;(])", re.IGNORECASE
)
_ELEMENT = re.compile(r"<(status|state|health|healthy)\b[^>]*>\s*([^<>]{1,40}?)\s*</", re.IGNORECASE)
# Of the outermost element.
_ATTRIBUTE = re.compile(
    r"\s*(?:<\?[^>]*>\s*)?<[\w:]+\s[^>]*?\b(status|state|health)\s*=\s*[\"']([^\"'<>]{1,40})[\"']",
    re.IGNORECASE,
)
_LONGEST_LINE = 200
# What keeps JSON from being loaded as a script.
_GUARD = re.compile(r"\s*(?:\)\]\}'?,?|(?:while\s*\(1\)|for\s*\(;;\));)\s*")
# An object of JSON, whether or not it is read to its end.
_BEGINS = re.compile(r"\s*\{\s*\"")
# Each check of a Kubernetes component with its outcome, and what the last line of such a page says.
_CHECK = re.compile(r"^\[([+-])\]\S.*$", re.MULTILINE)
_CHECKED = re.compile(r"^\S+ check (passed|failed)$", re.MULTILINE)
# Of several words of one sentence.
_WORST_FIRST = (Word.ILL, Word.HALF, Word.WELL)
# So deep are parts of a system looked for, and so many of their values.
_DEEPEST, _MOST_PARTS = 4, 2000


def read(text: str, *, is_html: bool = False) -> Said | None:
    """What a page says of itself; None where it says nothing.

    >>> read('{"status": "DOWN", "db": {"status": "UP"}}').shown()
    'status = DOWN'
    >>> read("Unhealthy").word, read('{"version": "1.2"}')
    (<Word.ILL: 'ill'>, None)
    """
    text = text[found.end() :] if (found := _GUARD.match(text)) else text
    try:
        page = parse_json(text)
    except ValueError:
        parts = _json_lines(text)
        if not parts and _BEGINS.match(text) and not text.rstrip().endswith("}"):
            return Said(word=Word.HALF, path="", value="JSON that breaks off")
        return _of_parts(parts) if parts else _of_words(text, is_html=is_html)
    if isinstance(page, str) and page.lstrip().startswith("{"):
        # Written as JSON twice.
        return read(page)
    if isinstance(page, dict):
        return _of_object(page)
    if isinstance(page, list):
        return _of_parts(page)
    if isinstance(page, str | bool):
        return Said(word=_meaning(page), path="", value=page)
    return None


def _json_lines(text: str) -> list[object]:
    """The objects of a page that has one on each line; none where it is no such page."""
    lines = text.strip().splitlines()
    if not 2 <= len(lines) <= _MOST_LINES or not all(line.startswith("{") for line in lines):
        return []
    try:
        return [parse_json(line) for line in lines]
    except ValueError:
        return []


def _of_words(text: str, *, is_html: bool) -> Said | None:
    """What a page says that is no JSON: that it stands in for what is not there, or the words of a text."""
    crash = stand_ins.crash_in(text)
    if crash:
        return Said(word=Word.ILL, path="", value=crash)
    if metrics := stand_ins.metrics_in(text):
        return Said(word=Word.HALF, path="", value=metrics)
    if is_html or stand_ins.is_page(text):
        # Of a page for people nothing else is known.
        named = stand_ins.named_in(text)
        word = Word.CHALLENGE if stand_ins.is_challenge(named) else Word.HALF
        return Said(word=word, path="", value=named) if named else None
    return _of_text(text)


def is_well(value: object) -> bool:
    """Whether a value is a word by which pages say that they are well.

    >>> is_well("UP"), is_well(True), is_well("billing")
    (True, True, False)
    """
    return isinstance(value, str | bool) and _meaning(value) is Word.WELL


def _of_object(page: dict[str, object]) -> Said | None:
    own = list(_claims(page))
    worst = next((said for word in (Word.ILL, Word.HALF) for said in own if said.word is word), None)
    if worst is not None:
        return worst
    wrong = _code(page) or _ill_part(page, is_told=bool(own)) or _trouble(page, is_told=bool(own))
    if wrong is not None:
        return wrong
    if any(said.word is Word.WELL for said in own):
        # What stands further down is its own affair: it may be optional.
        well = next(said for said in own if said.word is Word.WELL)
        below = _of_parts(page)
        return replace(well, beside=below.shown()) if below is not None else well
    return _of_parts(page) or next(iter(own), None)


def _ill_part(page: dict[str, object], *, is_told: bool) -> Said | None:
    """A part that stands at the page's own top and is ill; is_told: whether the page has a word of its own beside it."""
    for key, value in page.items():
        if isinstance(value, str) and _is_bad_of_a_part(value):
            return Said(word=Word.HALF if is_told else Word.ILL, path=_quoted(key), value=value)
        if _is_trouble(key, value) or (value is True and _AWAY.fullmatch(_letters(key))):
            return Said(word=Word.HALF, path=_quoted(key), value=value)
    return None


def _code(page: dict[str, object]) -> Said | None:
    """The status of a server's error, where the page repeats it and the answer does not bear it."""
    codes = ((key, value) for key, value in page.items() if _letters(key) in _CODES)
    return next((Said(word=Word.ILL, path=_quoted(key), value=value) for key, value in codes if type(value) is int and 500 <= value <= 599), None)  # fmt: skip


def _trouble(page: dict[str, object], *, is_told: bool) -> Said | None:
    """What the page lists as wrong. Beside a word of its own a number of errors counts what was, and is no trouble of now."""
    for key, value in page.items():
        if (
            _letters(key) in _TROUBLES
            and value
            and not (is_told and isinstance(value, int) and value is not True)
        ):
            return Said(word=Word.HALF, path=_quoted(key), value=value)
    return None


def _is_trouble(key: str, value: object) -> bool:
    """Whether a value at a key says that a part is ill.

    >>> _is_trouble("db", "connection refused"), _is_trouble("redis_connected", False), _is_trouble("last_error", "timed out")
    (True, True, False)
    """
    if value is False:
        return key.lower() in _PART_NAMES or (
            _letters(key) not in _KEYS and _PART_FLAG.search(key) is not None
        )
    if not isinstance(value, str) or len(value) > _LONGEST_LINE or _OF_ANOTHER_TIME.search(key):
        return False
    return _TROUBLE.match(value) is not None


def _of_parts(page: object) -> Said | None:
    """Of a page that has no word of its own: a part that is ill. Nobody knows whether the whole needs it."""
    waiting: list[tuple[str, object, int]] = [("", page, 0)]
    for _ in range(_MOST_PARTS):
        if not waiting:
            break
        path, value, depth = waiting.pop(0)
        if isinstance(value, dict):
            ill = next((said for said in _claims(value, path) if said.word is Word.ILL), None)
            if ill is None and depth and (told := _ill_part(value, is_told=True)) is not None:
                ill = replace(told, path=f"{path}{told.path}")
            if ill is not None and depth:
                return Said(word=Word.HALF, path=ill.path, value=ill.value)
            inner = [(f"{path}{_quoted(str(key))}.", item) for key, item in value.items()]
        elif isinstance(value, list):
            inner = [(f"{path.removesuffix('.')}[{number}].", item) for number, item in enumerate(value)]
        elif depth > 1 and isinstance(value, str) and _is_bad_of_a_part(value):
            return Said(word=Word.HALF, path=path.removesuffix("."), value=value)
        else:
            continue
        if depth < _DEEPEST:
            waiting += [(where, item, depth + 1) for where, item in inner]
    return None


def _is_bad_of_a_part(value: str) -> bool:
    """Whether a value says that a part is ill, perhaps with what is wrong behind it: `unavailable: no connection`."""
    return _norm(re.split(r"[:,;(]", value, maxsplit=1)[0]) in _BAD_OF_A_PART


def _claims(page: dict[str, object], prefix: str = "") -> Iterator[Said]:
    """The values at the page's own top that speak of it as a whole; one level down only where the top is no more than a wrapper."""
    by_name = {_plain(key): key for key in reversed(page)} | {key.lower(): key for key in reversed(page)}
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


def _plain(key: str) -> str:
    """The name of a key without its case and what stands before it.

    >>> _plain("isHealthy"), _plain("overall_status"), _plain("healthy")
    ('healthy', 'status', 'healthy')
    """
    name = _letters(key)
    short = _BEFORE_KEYS.sub("", name, count=1) if _BEFORE_KEYS.match(name) else name
    return short if short in _KEYS else name


def _letters(key: str) -> str:
    return re.sub(r"[^a-z]", "", key.lower())


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
    checked = _CHECKED.search(text)
    if checked is not None:
        failed = next((line[0] for line in _CHECK.finditer(text) if line[1] == "-"), "")
        is_well = checked[1] == "passed" and not failed
        return Said(word=Word.WELL if is_well else Word.ILL, path="", value=failed or checked[0])
    element = _ELEMENT.search(text) if text.lstrip().startswith("<") else None
    element = element or _ATTRIBUTE.match(text)
    if element is not None:
        return Said(word=_meaning(element[2]), path="", value=f"{element[1]} = {element[2]}")
    line = text.strip().split("\n", 1)[0].strip()
    if not line or len(line) > _LONGEST_LINE or line.startswith("<"):
        return None
    listed = _of_list(text)
    if listed is not None:
        return listed
    named = _LINE.match(line)
    if named is not None and (word := _meaning(named[2])) is not Word.UNKNOWN:
        return Said(word=word, path="", value=line)
    whole = _meaning(line)
    if whole is Word.UNKNOWN:
        # "Unhealthy: no database", "DOWN (db)".
        whole = _meaning(re.split(r"[^\w' -]| - |\s(?!ok|ready|healthy|serving)", line, maxsplit=1)[0])
    if whole is Word.UNKNOWN:
        whole = _of_sentence(line)
    return None if whole is Word.UNKNOWN else Said(word=whole, path="", value=line)


def _of_list(text: str) -> Said | None:
    """What a list of parts with a word each says, such as `db: ok` and `redis: FAIL`; None where it is no such list, or none of them is ill."""
    parts = [part for part in re.split(r"[\n;,|]", text) if part.strip()]
    named = [_PART_LINE.match(part) for part in parts[:_MOST_LINES]]
    words = [_meaning(part[2]) if part else Word.UNKNOWN for part in named]
    if len(parts) < 2 or len(parts) > _MOST_LINES or Word.UNKNOWN in words:
        return None
    first = next((part for part, word in zip(parts, words, strict=True) if word is Word.ILL), None)
    return Said(word=Word.HALF, path="", value=first.strip()) if first is not None else None


def _of_sentence(line: str) -> Word:
    """What a sentence says of its subject; nothing is known where a part of it is no word of health.

    >>> _of_sentence("The server is up and running."), _of_sentence("This is fine art")
    (<Word.WELL: 'well'>, <Word.UNKNOWN: 'unknown'>)
    """
    said = _SENTENCE.match(line)
    if said is None:
        return Word.UNKNOWN
    # "not yet ready" is no other than "not ready".
    whole = re.sub(r"^(not|no longer) (?:yet |currently |fully )?", "not ", said[1].lower())
    words = {_meaning(part) for part in re.split(r",? and |, ?", whole)}
    return next((word for word in (Word.UNKNOWN, *_WORST_FIRST) if word in words), Word.UNKNOWN)


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
