"""Whether a value fits a schema: yes, no, or not known; and values that fit one."""

from __future__ import annotations

import datetime as dt
import itertools
import re
import uuid
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pyarrow as pa
from pyarrow import compute

from proofbook.judge.contracts.document import MOST_LEVELS, Unread, equal
from proofbook.judge.contracts.schemas import kind_of, shapes_of
from proofbook.judge.contracts.shapes import (
    ARRAY,
    BOOLEAN,
    NULL,
    NUMBER,
    OBJECT,
    STRING,
    Bound,
    Part,
    Shape,
)
from proofbook.redaction.scrubbing import MASK

_WHOLE = {"int32": (-(2**31), 2**31 - 1), "int64": (-(2**63), 2**63 - 1)}


class Membership:
    """Answers for the parts of a document, with the shapes that are known already.

    any_format: a format that nobody here can check is taken to be had.
    """

    def __init__(self, known: dict[Any, tuple[Shape, ...]], *, any_format: bool = False) -> None:
        self._known, self._any_format = known, any_format
        self.where = ""

    def fits(self, value: Any, part: Part, *, depth: int = 0, place: str = "") -> bool | None:
        """Whether a value fits; None where nobody here can tell. `where` then holds the place of what did not fit."""
        if depth > MOST_LEVELS:
            return None
        try:
            found = [
                self._shape(value, shape, part, depth, place)
                for shape in shapes_of(part, self._known)
                if shape.kind == kind_of(value)
            ]
        except Unread:
            return None
        if any(item is True for item in found):
            return True
        if any(item is None for item in found):
            return None
        if len(found) != 1:
            self.where = place
        return False

    def _shape(self, value: Any, shape: Shape, part: Part, depth: int, place: str) -> bool | None:
        if shape.values is not None and not any(equal(value, there) for there in shape.values):
            self.where = place
            return None if _is_masked(value) else False
        checks: dict[str, Callable[[], Iterable[bool | None]]] = {
            NUMBER: lambda: _number(value, shape),
            STRING: lambda: _string(value, shape, self._any_format),
            ARRAY: lambda: self._array(value, shape, part, depth, place),
            OBJECT: lambda: self._object(value, shape, part, depth, place),
        }
        known: bool | None = True
        for item in checks.get(shape.kind, lambda: ())():
            if item is False:
                if not self.where.startswith(place):
                    self.where = place
                return False
            known = None if item is None else known
        limits = [name for name in shape.others if name != "discriminator"]
        return None if limits else known

    def _array(
        self, value: list[Any], shape: Shape, part: Part, depth: int, place: str
    ) -> Iterator[bool | None]:
        yield len(value) >= shape.least and (shape.most is None or len(value) <= shape.most)
        if shape.unique and len(value) <= 100:
            yield not any(equal(a, b) for number, a in enumerate(value) for b in value[number + 1 :])
        for number, item in enumerate(value):
            raws = shape.prefix[number] if number < len(shape.prefix) else shape.items
            if raws:
                yield self.fits(item, part.of(raws), depth=depth + 1, place=f"{place}[{number}]")

    def _object(
        self, value: dict[str, Any], shape: Shape, part: Part, depth: int, place: str
    ) -> Iterator[bool | None]:
        missing = sorted(shape.required - value.keys())
        if missing:
            self.where = f"{place}.{missing[0]}"
            # A name that was redacted may have been it.
            yield None if MASK in value else False
        yield len(value) >= shape.least and (shape.most is None or len(value) <= shape.most)
        for name, item in value.items():
            named = [shape.fields[name]] if name in shape.fields else []
            named += [raws for pattern, raws in shape.by_pattern.items() if matches(pattern, name)]
            if name in shape.hidden or MASK in name:
                continue
            if not named and shape.rest:
                named = [shape.rest]
            for raws in named:
                if shape.is_closed and raws is shape.rest:
                    self.where = f"{place}.{name}"
                    yield False
                yield self.fits(item, part.of(raws), depth=depth + 1, place=f"{place}.{name}")

    def examples(self, shape: Shape, part: Part, *, depth: int = 0) -> Iterator[Any]:
        """A few values of a shape, the smallest first."""
        if shape.values is not None:
            yield from shape.values[:5]
        elif shape.kind == NULL:
            yield None
        elif shape.kind == BOOLEAN:
            yield from (True, False)
        elif shape.kind == NUMBER:
            yield from _some_numbers(shape)
        elif shape.kind == STRING:
            if not shape.patterns and not shape.formats:
                most = shape.least + 1000 if shape.most is None else shape.most
                yield from (
                    "a" * min(length, 10_000)
                    for length in sorted({shape.least, shape.least + 1, most})
                    if length <= most
                )
        elif shape.kind == ARRAY:
            yield from self._some_lists(shape, part, depth)
        elif shape.kind == OBJECT:
            yield from self._some_objects(shape, part, depth)

    def _first(self, raws: tuple[Any, ...], part: Part, depth: int) -> Iterator[Any]:
        """One value of a part, if any is easily had."""
        return itertools.islice(self._any(raws, part, depth), 1)

    def _any(self, raws: tuple[Any, ...], part: Part, depth: int) -> Iterator[Any]:
        if depth > 6:
            return
        try:
            for shape in shapes_of(part.of(raws), self._known):
                yield from self.examples(shape, part, depth=depth + 1)
        except Unread:
            return

    def _some_lists(self, shape: Shape, part: Part, depth: int) -> Iterator[Any]:
        if shape.least == 0:
            yield []
        length = max(1, min(shape.least, 10))
        made = []
        for place in range(length):
            raws = shape.prefix[place] if place < len(shape.prefix) else shape.items
            made += list(self._first(raws, part, depth))
        if len(made) == length:
            yield made

    def _some_objects(self, shape: Shape, part: Part, depth: int) -> Iterator[Any]:
        """The smallest, the whole one, and those in which one field has another value."""
        for names in (shape.required, shape.fields.keys() | shape.required):
            made: dict[str, Any] = {}
            for name in sorted(names)[:50]:
                raws = shape.fields.get(name, shape.rest)
                made.update((name, value) for value in self._first(raws, part, depth))
            if made.keys() >= shape.required:
                yield made
                for name in sorted(made)[:10]:
                    others = itertools.islice(self._any(shape.fields.get(name, ()), part, depth), 1, 6)
                    yield from ({**made, name: value} for value in others)


def matches(pattern: str, text: str) -> bool | None:
    """Whether a pattern matches somewhere in a text, in a time that grows with it alone; None where that engine cannot tell."""
    try:
        return bool(compute.match_substring_regex(pa.array([text]), pattern)[0].as_py())
    except (pa.ArrowInvalid, UnicodeError):
        return None


def _number(value: float, shape: Shape) -> Iterator[bool | None]:
    if shape.integer:
        yield isinstance(value, int) or value.is_integer()
    yield shape.low is None or _beyond(value - shape.low.value, shape.low)
    yield shape.high is None or _beyond(shape.high.value - value, shape.high)
    for multiple in shape.multiples:
        ratio = value / multiple
        yield abs(ratio - round(ratio)) < 1e-9 if abs(ratio) < 1e15 else None
    for name in shape.formats:
        low, high = _WHOLE.get(name, (None, None))
        if low is not None and high is not None:
            yield low <= value <= high


def _beyond(by: float, bound: Bound) -> bool:
    return by > 0 or (by == 0 and not bound.open)


def _string(value: str, shape: Shape, any_format: bool) -> Iterator[bool | None]:
    if _is_masked(value):
        yield None
        return
    yield len(value) >= shape.least and (shape.most is None or len(value) <= shape.most)
    for pattern in shape.patterns:
        yield matches(pattern, value)
    for name in shape.formats:
        has = _has_format(name, value)
        yield True if has is None and any_format else has


def _has_format(name: str, value: str) -> bool | None:
    """Whether a text has a format, of those whose rule is plain; None of others."""
    try:
        if name == "date":
            return bool(re.fullmatch(r"\d{4}-\d\d-\d\d", value)) and bool(dt.date.fromisoformat(value))
        if name == "uuid":
            return bool(re.fullmatch(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}", value)) and bool(
                uuid.UUID(value)
            )
        if name == "date-time":
            return bool(
                re.fullmatch(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", value)
            )
    except ValueError:
        return False
    return None


def _is_masked(value: Any) -> bool:
    return isinstance(value, str) and MASK in value


def _some_numbers(shape: Shape) -> Iterator[Any]:
    tries: list[float] = [0, 1, 2, -1, 10**6, -(10**6)]
    for bound in (shape.low, shape.high):
        if bound is not None:
            tries = [bound.value, bound.value + 1, bound.value - 1, *tries]
    tries += list(shape.multiples)
    if not shape.integer:
        tries.append(0.5)
    yield from [value for value in tries if all(item is True for item in _number(value, shape))][:8]
