"""A JSON Schema of any of the dialects as a union of shapes, one for each type and alternative."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

from proofbook.judge.contracts.document import Document, equal

NULL, BOOLEAN, NUMBER, STRING, ARRAY, OBJECT = "null", "boolean", "number", "string", "array", "object"
KINDS = (NULL, BOOLEAN, NUMBER, STRING, ARRAY, OBJECT)


class Side(Enum):
    """Who relies on a part of a contract."""

    SENT = "send"
    READ = "read"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What a value must fit: all of these schemas of one document, as those who send or read it see them.

    as_text: values are written without quotation marks, as in a path or a query, where 5 is a text too.
    """

    document: Document
    raws: tuple[Any, ...]
    side: Side
    as_text: bool = False

    @property
    def key(self) -> tuple[Any, ...]:
        """What tells it from others as long as its document is there."""
        return (id(self.document), self.side, self.as_text, *(id(raw) for raw in self.raws))

    def of(self, raws: tuple[Any, ...]) -> Part:
        """Another part of the same document."""
        return replace(self, raws=raws)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """A least or greatest number; `open`: it is not one of them itself."""

    value: float
    open: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """All values of one type that fit one alternative. Fields and items are schemas still, since they may refer to themselves.

    values: only these; None: any. least, most: of letters, items or fields. rest: schemas of fields that have no name here.
    hidden: fields that this side does not see (readOnly of who sends, writeOnly of who reads). others: what stands in
    keywords that are only compared as they are, by keyword.
    """

    kind: str
    values: tuple[Any, ...] | None = None
    integer: bool = False
    low: Bound | None = None
    high: Bound | None = None
    multiples: tuple[float, ...] = ()
    least: int = 0
    most: int | None = None
    patterns: frozenset[str] = frozenset()
    formats: frozenset[str] = frozenset()
    unique: bool = False
    prefix: tuple[tuple[Any, ...], ...] = ()
    items: tuple[Any, ...] = ()
    fields: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    required: frozenset[str] = frozenset()
    hidden: frozenset[str] = frozenset()
    by_pattern: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    rest: tuple[Any, ...] = ()
    others: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)

    @property
    def is_closed(self) -> bool:
        """Whether no field without a name here may be there."""
        return any(raw is False for raw in self.rest)

    @property
    def maps(self) -> bool:
        """Whether fields without a name here have a schema of their own."""
        return not self.is_closed and any(isinstance(raw, dict) and raw for raw in self.rest)

    @property
    def is_free(self) -> bool:
        """Whether every value of its type fits."""
        return self == Shape(kind=self.kind)


ANYTHING = tuple(Shape(kind=kind) for kind in KINDS)


def both(one: Shape, other: Shape) -> Shape | None:
    """The values that fit both shapes of one type; None where no value can."""
    low = _tighter(one.low, other.low, greater=True)
    high = _tighter(one.high, other.high, greater=False)
    if low and high and (low.value > high.value or (low.value == high.value and (low.open or high.open))):
        return None
    most = min((item for item in (one.most, other.most) if item is not None), default=None)
    least = max(one.least, other.least)
    values = _common(one.values, other.values)
    if (most is not None and least > most) or values == ():
        return None
    return Shape(
        kind=one.kind,
        values=values,
        integer=one.integer or other.integer,
        low=low,
        high=high,
        multiples=(*one.multiples, *(item for item in other.multiples if item not in one.multiples)),
        least=least,
        most=most,
        patterns=one.patterns | other.patterns,
        formats=one.formats | other.formats,
        unique=one.unique or other.unique,
        prefix=_items(one, other),
        items=one.items + other.items,
        fields=_fields(one, other),
        required=one.required | other.required,
        hidden=one.hidden | other.hidden,
        by_pattern=_joined(one.by_pattern, other.by_pattern),
        rest=one.rest + other.rest,
        others=_joined(one.others, other.others),
    )


def _tighter(one: Bound | None, other: Bound | None, *, greater: bool) -> Bound | None:
    if one is None or other is None:
        return one or other
    if one.value == other.value:
        return one if one.open else other
    return one if (one.value > other.value) is greater else other


def _common(one: tuple[Any, ...] | None, other: tuple[Any, ...] | None) -> tuple[Any, ...] | None:
    if one is None or other is None:
        return other if one is None else one
    return tuple(value for value in one if any(equal(value, there) for there in other))


def _items(one: Shape, other: Shape) -> tuple[tuple[Any, ...], ...]:
    def at(shape: Shape, place: int) -> tuple[Any, ...]:
        return shape.prefix[place] if place < len(shape.prefix) else shape.items

    longest = max(len(one.prefix), len(other.prefix))
    return tuple(at(one, place) + at(other, place) for place in range(longest))


def _fields(one: Shape, other: Shape) -> dict[str, tuple[Any, ...]]:
    """A field that only one of both names must fit what the other says of fields without a name."""

    def of(shape: Shape, name: str) -> tuple[Any, ...]:
        return shape.fields.get(name, shape.rest)

    return {name: of(one, name) + of(other, name) for name in dict.fromkeys((*one.fields, *other.fields))}


def _joined(
    one: Mapping[str, tuple[Any, ...]], other: Mapping[str, tuple[Any, ...]]
) -> dict[str, tuple[Any, ...]]:
    return {name: one.get(name, ()) + other.get(name, ()) for name in dict.fromkeys((*one, *other))}
