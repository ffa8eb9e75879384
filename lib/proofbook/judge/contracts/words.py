"""The words for what a change breaks: which operation, where in it, what was and what is."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from proofbook.judge.contracts.compare import Change
from proofbook.judge.contracts.shapes import Bound, Side

MOST_SHOWN = 3
MOST_VALUES = 5
_LIMITS = {"least": "at least {} long", "most": "at most {} long", "low": "from {}", "high": "up to {}", "multiple": "multiples of {}", "pattern": "what matches {}", "format": "the format {}"}  # fmt: skip
_FOR = {Side.SENT: "clients that send", Side.READ: "clients that read"}


def sentence(change: Change) -> str:
    """One change in words."""
    own = f"{_place(change)} {_what(change)}".strip()
    if not change.operation:
        return own
    # What is said of the operation itself goes on after its name; what is said of something in it follows a colon.
    joined = " " if own.split(" ", 1)[0] in ("is", "now", "no", "was", "may") else ": "
    return f"{change.operation}{joined}{own}"


def summary(changes: Sequence[Change], *, operations: int) -> str:
    """For whom which operations broke: a few in words, and how many more."""
    parts = []
    for side in Side:
        broken = [item for item in changes if item.sure and item.side is side]
        if broken:
            parts.append(f"breaks {_FOR[side]}{_share(broken, operations)}: {_some(broken)}")
    unclear = [item for item in changes if not item.sure]
    if unclear:
        parts.append(f"not decidable{_share(unclear, operations)}: {_some(unclear)}")
    return ". ".join(parts[:1] + [part[:1].upper() + part[1:] for part in parts[1:]])


def _share(changes: Iterable[Change], operations: int) -> str:
    names = {item.operation for item in changes} - {""}
    return f" in {len(names)} of {operations} operations" if names else ""


def _some(changes: Sequence[Change]) -> str:
    # One of each operation first, so that the few that are shown tell of many.
    first: dict[str, Change] = {}
    for item in changes:
        first.setdefault(item.operation, item)
    chosen = [*first.values(), *(item for item in changes if item not in first.values())][:MOST_SHOWN]
    more = len(changes) - len(chosen)
    return "; ".join(map(sentence, chosen)) + (f"; and {more} more" if more else "")


def _place(change: Change) -> str:
    """Where it is, as the subject of a sentence; empty where the operation is it."""
    if change.what in ("asked", "required") or not change.where:
        return ""
    if not change.place:
        return change.where
    if change.where == "the request body" and change.place.startswith("."):
        return f"the request field {change.place[1:]}"
    return (
        f"{change.where}{change.place}"
        if change.place.startswith("[")
        else f"{change.where}, {change.place[1:]}"
    )


def _what(change: Change) -> str:
    make = _WORDS.get(change.what)
    if make is not None:
        return make(change)
    if change.what in _LIMITS:
        return _limit(change)
    return f"changed ({change.what})"


def _limit(change: Change) -> str:
    form = _LIMITS[change.what]
    was, now = (
        "anything" if value is None else form.format(shown(value)) for value in (change.was, change.now)
    )
    verb = "takes only" if change.side is Side.SENT else "may be"
    return f"{verb} {now}, was {was}"


def _required(change: Change) -> str:
    name = change.place[1:] if change.place.startswith(".") else change.place
    if change.side is Side.SENT:
        if change.where == "the request body":
            return f"now requires the request field {name}"
        return f"now requires {name} in {change.where}"
    return f"{change.where}: the field {name} is no longer always there"


def _type(change: Change) -> str:
    was, now = tuple(change.was or ()), tuple(change.now or ())
    if change.side is Side.SENT:
        return f"no longer takes {', '.join(item for item in was if item not in now) or ', '.join(was)}"
    return f"may be {' or '.join(now)}, was {' or '.join(was)}"


def _values(change: Change) -> str:
    if change.side is Side.SENT:
        return (
            f"no longer takes {_list(change.was)}"
            if change.sure
            else f"may no longer take {_list(change.was)}"
        )
    return (
        f"has new values {_list(change.now)}"
        if change.sure
        else f"may have values that it had not: {_list(change.now)}"
    )


def _keyword(change: Change) -> str:
    name = change.now if change.side is Side.SENT else change.was
    return f"changed in {name}, which cannot be decided here"


_WORDS: dict[str, Callable[[Change], str]] = {
    "operation": lambda c: "is gone" + (f", before its sunset on {c.was}" if c.was else ""),
    "retired": lambda c: "is gone; it was deprecated without a day of its end",
    "call": lambda c: f"is no longer called: {c.was}",
    "xml": lambda _: "is written as XML in another way",
    "own-base": lambda c: f"the path before it was {c.was or '/'} and is {c.now or '/'}",
    "base": lambda c: f"the path before all operations was {c.was or '/'} and is {c.now or '/'}",
    "sunset": lambda c: f"is to end on {c.now}, which was {c.was}" if c.now else f"no longer says when it ends, which was {c.was}",
    "stability": lambda c: f"is {c.now} now, was {c.was}",
    "security": lambda c: f"now needs {_list(c.now)}" + (f" instead of {_list(c.was)}" if c.was else ""),
    "asked": lambda c: f"now requires {c.where}",
    "required": _required,
    "optional": lambda c: "is no longer always there",
    "dropped": lambda c: "is gone",
    "default": lambda c: f"means {shown(c.now)} where it is left out, was {shown(c.was)}",
    "writing": lambda c: f"is written as {c.now}, was {c.was}",
    "empty": lambda c: "may no longer be empty",
    "reserved": lambda c: "may no longer hold reserved characters as they are",
    "encoding": lambda c: "is written in another way",
    "status": lambda c: f"no longer answers {c.was}" if c.sure else f"no longer names the answer {c.was}",
    "media": lambda c: f"no longer {'takes' if c.side is Side.SENT else 'holds'} {c.was}",
    "type": _type,
    "values": _values,
    "only": lambda c: f"takes only {_list(c.now)}" if c.side is Side.SENT else f"may have other values than {_list(c.was)}",
    "gone": lambda c: "is gone",
    "refused": lambda c: "is no longer taken",
    "ignored": lambda c: "is no longer named, and may be ignored",
    "closed": lambda c: "no longer takes fields that it does not name",
    "opened": lambda c: "may hold fields that it does not name",
    "unstated": lambda c: "states what it takes, and did not" if c.side is Side.SENT else "no longer states what it holds",
    "unique": lambda c: "takes no value twice" if c.side is Side.SENT else "may hold a value twice",
    "alternative": lambda c: "fits none of the new alternatives" if c.side is Side.SENT else "has a new alternative",
    "keyword": _keyword,
    "unread": lambda c: f"is not understood: {c.now}",
}  # fmt: skip


def _list(values: Any) -> str:
    found = [item if isinstance(item, str) else shown(item) for item in values]
    more = len(found) - MOST_VALUES
    return ", ".join(found[:MOST_VALUES]) + (f" and {more} more" if more > 0 else "")


def shown(value: Any) -> str:
    """A value of a definition, short enough for a sentence."""
    if isinstance(value, Bound):
        return f"{'beyond ' if value.open else ''}{value.value:g}"
    if value is None:
        return "nothing"
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return ", ".join(value)[:80]
    return value[:80] if isinstance(value, str) else json.dumps(value)[:80]
