"""What a health page says of itself: its own top is believed, whatever stands in it further down."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from proofbook.collect.services import health_text
from proofbook.collect.services.health_words import (
    KEYS,
    YES_OR_NO,
    Said,
    Word,
    is_bad_of_a_part,
    meaning,
)
from proofbook.evidence import stand_ins
from proofbook.files import parse_json

__all__ = ["Said", "Word", "is_well", "read"]
# What stands before such a key in its name: `isHealthy`, `overall_status`.
_BEFORE_KEYS = re.compile(r"(?:is|overall|system|service|serving|health|app|application|cluster)(?=[a-z])")
_WRAPPERS = ("status", "health", "state", "data", "result")
# What is wrong, listed; empty where nothing is.
_TROUBLES = ("error", "errors", "failure", "failures", "problems", "exception", "errormessage")
# Under which wrappers repeat a status of HTTP; that it is none of a success tells, that it is one does not.
_CODES = ("code", "statuscode", "httpstatus", "httpcode", "errorcode", "errno", "errcode", "retcode", "ret")
# What a person is told beside such a code, or in place of all else.
_MESSAGES = (
    "message",
    "msg",
    "errmsg",
    "errormessage",
    "detail",
    "details",
    "description",
    "reason",
    "notice",
)
_FAILED = re.compile(r"\b(?:error|fail(?:ed|ure)?|exception|unavailable|time(?:d )?-?out|refused|denied|unreachable)\b", re.IGNORECASE)  # fmt: skip
# What .NET writes for its three states, where they are written as numbers; the key beside tells that it is one of its reports.
_DOTNET_KEY, _DOTNET = "totalduration", (Word.ILL, Word.HALF, Word.WELL)
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
    r"last|prev|past|history|recent|descr|help|doc|note|notice|hint|config|timeout|policy|message_?of",
    re.IGNORECASE,
)
# A flag of which `true` says that the service is not there for its users.
_AWAY = re.compile(r"(?:is|in|under)?(?:maintenance(?:mode)?|draining|degraded|shuttingdown|stopping|sealed)")
# The last word of a key of which `false` says that a part is ill; features are turned on and off by other names.
_PART_FLAG = re.compile(
    r"(?:healthy|connected|reachable|available|alive|ready|passed|passing|operational|working|ok)$",
    re.IGNORECASE,
)
# A part that is named so is there or is not.
_PART_NAMES = frozenset([
    "db", "database", "redis", "broker", "kafka", "rabbitmq", "mongo", "mongodb", "postgres", "postgresql", "mysql", "elasticsearch", "sql",
])  # fmt: skip
# What makes of JSON a script, and what keeps it from being loaded as one.
_CALLBACK = re.compile(r"\s*(?:/\*.*?\*/\s*)*[\w.$]{1,80}\((\s*[{\[\"].*)\)\s*;?\s*$", re.DOTALL)
_GUARD = re.compile(r"\s*(?:\)\]\}'?,?|(?:while\s*\(1\)|for\s*\(;;\));)\s*")
# An object of JSON, whether or not it is read to its end.
_BEGINS = re.compile(r"\s*\{\s*\"")
# So deep are parts of a system looked for, and so many of their values.
_DEEPEST, _MOST_PARTS = 4, 2000
_MOST_LINES, _LONGEST_LINE = 100, 200


def read(text: str, *, is_html: bool = False) -> Said | None:
    """What a page says of itself; None where it says nothing.

    >>> read('{"status": "DOWN", "db": {"status": "UP"}}').shown()
    'status = DOWN'
    >>> read("Unhealthy").word, read('{"version": "1.2"}')
    (<Word.ILL: 'ill'>, None)
    """
    text = text[found.end() :] if (found := _GUARD.match(text)) else text
    text = found[1] if (found := _CALLBACK.match(text)) else text
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
        return Said(word=meaning(page), path="", value=page)
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
    if warning := stand_ins.warning_in(text):
        return Said(word=Word.HALF, path="", value=warning)
    if is_html or stand_ins.is_page(text):
        # Of a page for people nothing else is known.
        named = stand_ins.named_in(text)
        if not named:
            return health_text.of_page(text)
        word = Word.CHALLENGE if stand_ins.is_challenge(named) else Word.HALF
        return Said(word=word, path="", value=named)
    told = health_text.of_text(text)
    return told if told is not None else _of_object(health_text.pairs(text))


def is_well(value: object) -> bool:
    """Whether a value is a word by which pages say that they are well.

    >>> is_well("UP"), is_well(True), is_well("billing")
    (True, True, False)
    """
    return isinstance(value, str | bool) and meaning(value) is Word.WELL


def _of_object(page: dict[str, object]) -> Said | None:
    own = [*_of_dotnet(page), *_claims(page)]
    worst = next((said for word in (Word.ILL, Word.HALF) for said in own if said.word is word), None)
    if worst is not None:
        return worst
    is_told = bool(own)
    wrong = _code(page) or _ill_part(page, is_told=is_told) or _trouble(page, is_told=is_told) or _told(page, is_told=is_told)  # fmt: skip
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
        if isinstance(value, str) and is_bad_of_a_part(value):
            return Said(word=Word.HALF if is_told else Word.ILL, path=_quoted(key), value=value)
        if _is_trouble(key, value) or (value is True and _AWAY.fullmatch(_letters(key))):
            return Said(word=Word.HALF, path=_quoted(key), value=value)
    return None


def _code(page: dict[str, object]) -> Said | None:
    """The status of a server's error, where the page repeats it and the answer does not bear it."""
    codes = ((key, value) for key, value in page.items() if _letters(key) in _CODES)
    return next((Said(word=Word.ILL, path=_quoted(key), value=value) for key, value in codes if type(value) is int and 500 <= value <= 599), None)  # fmt: skip


def _of_dotnet(page: dict[str, object]) -> Iterator[Said]:
    """The state of a report of .NET's health checks that has a number for it."""
    if any(_letters(key) == _DOTNET_KEY for key in page):
        for key, value in page.items():
            if key.lower() == "status" and type(value) is int and 0 <= value < len(_DOTNET):
                yield Said(word=_DOTNET[value], path=_quoted(key), value=value)


def _told(page: dict[str, object], *, is_told: bool) -> Said | None:
    """What the page tells a person of a failure, beside a code that is none of success or where it says nothing else of itself."""
    codes = [value for key, value in page.items() if _letters(key) in _CODES and type(value) is int]
    failed = any(code not in (0, 1) and not 200 <= code <= 299 for code in codes)
    for key, value in page.items():
        if not (_letters(key) in _MESSAGES and isinstance(value, str)):
            continue
        if (failed and _FAILED.search(value)) or (not is_told and health_text.says_away(value)):
            return Said(word=Word.HALF, path=_quoted(key), value=value)
    return None


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
            _letters(key) not in KEYS and _PART_FLAG.search(key) is not None
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
        elif depth > 1 and isinstance(value, str) and is_bad_of_a_part(value):
            return Said(word=Word.HALF, path=path.removesuffix("."), value=value)
        else:
            continue
        if depth < _DEEPEST:
            waiting += [(where, item, depth + 1) for where, item in inner]
    return None


def _claims(page: dict[str, object], prefix: str = "") -> Iterator[Said]:
    """The values at the page's own top that speak of it as a whole; one level down only where the top is no more than a wrapper."""
    by_name = {_plain(key): key for key in reversed(page)} | {key.lower(): key for key in reversed(page)}
    found = False
    for name in KEYS:
        value = page.get(by_name.get(name, ""))
        if isinstance(value, str | bool) or (isinstance(value, int) and _counts(name, value)):
            found = True
            word = meaning(bool(value) if name in YES_OR_NO and isinstance(value, int) else value)
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
    return short if short in KEYS else name


def _letters(key: str) -> str:
    return re.sub(r"[^a-z]", "", key.lower())


def _counts(name: str, value: int) -> bool:
    return value in (0, 1) if name in YES_OR_NO else 200 <= value <= 599


def _quoted(key: str) -> str:
    """A key as JMESPath writes it.

    >>> _quoted("status"), _quoted("db-status")
    ('status', '"db-status"')
    """
    if re.fullmatch(r"[A-Za-z_]\w*", key, re.ASCII):
        return key
    return '"' + key.replace("\\", "\\\\").replace('"', '\\"') + '"'
