"""What the limits of one shape keep out of another: bounds, lengths, patterns and formats."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from proofbook.judge.contracts.shapes import NUMBER, STRING, Bound, Shape

# What fits the first of each pair fits the second.
_NARROWER = {("int32", "int64"), ("float", "double"), ("int32", "double"), ("email", "idn-email"), ("hostname", "idn-hostname"),
    ("uri", "uri-reference"), ("uri", "iri"), ("uri", "iri-reference"), ("uri-reference", "iri-reference"), ("iri", "iri-reference")}  # fmt: skip
_KNOWN_FORMATS = frozenset(
    ["int32", "int64", "float", "double", "date", "date-time", "time", "duration", "email", "idn-email", "hostname", "idn-hostname", "ipv4", "ipv6", "uri", "uri-reference", "iri", "iri-reference", "uri-template", "uuid", "json-pointer", "relative-json-pointer", "regex", "byte", "binary"]
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What one of two schemas allows and the other does not.

    what: a word for its kind, see `words`. place: where inside, such as `.items[].name`. sub, sup: what the schema says
    that had to be contained, and what the other one says; None where it says nothing. sure: whether it is one for certain.
    """

    what: str
    place: str = ""
    sub: Any = None
    sup: Any = None
    sure: bool = True


def of_limits(one: Shape, other: Shape) -> Iterator[Difference]:
    """What bounds, lengths, patterns and formats of the second keep out of the first."""
    yield from _sizes(one, other)
    yield from _numbers(one, other)
    yield from _texts(one, other)


def _sizes(one: Shape, other: Shape) -> Iterator[Difference]:
    if other.least > one.least:
        yield Difference(what="least", sub=one.least or None, sup=other.least)
    if other.most is not None and (one.most is None or one.most > other.most):
        yield Difference(what="most", sub=one.most, sup=other.most)


def _numbers(one: Shape, other: Shape) -> Iterator[Difference]:
    if one.kind != NUMBER:
        return
    for what, mine, theirs, sign in (("low", one.low, other.low, 1), ("high", one.high, other.high, -1)):
        if theirs is None:
            continue
        had, wanted = (_reached(item, one, sign) for item in (mine, theirs))
        assert wanted is not None
        if (
            had is None
            or sign * had.value < sign * wanted.value
            or (had.value == wanted.value and wanted.open > had.open)
        ):
            yield Difference(what=what, sub=mine, sup=theirs)
    for multiple in other.multiples:
        own = (*one.multiples, *((1,) if one.integer else ()))
        if not any(_divides(multiple, there) for there in own):
            yield Difference(what="multiple", sub=one.multiples or None, sup=multiple)
    yield from _formatted(one, other)


def _reached(bound: Bound | None, shape: Shape, sign: int) -> Bound | None:
    """A bound as whole numbers have it, where only they are meant."""
    if bound is None or not shape.integer:
        return bound
    edge = math.ceil(sign * bound.value)
    return Bound(value=sign * (edge + (bound.open and edge == sign * bound.value)))


def _divides(one: float, other: float) -> bool:
    ratio = other / one
    return math.isfinite(ratio) and abs(ratio - round(ratio)) < 1e-9


def _texts(one: Shape, other: Shape) -> Iterator[Difference]:
    if one.kind != STRING:
        return
    for pattern in sorted(other.patterns - one.patterns):
        yield Difference(what="pattern", sub=sorted(one.patterns) or None, sup=pattern, sure=not one.patterns)
    yield from _formatted(one, other)


def _formatted(one: Shape, other: Shape) -> Iterator[Difference]:
    for wanted in sorted(other.formats):
        if any(have == wanted or (have, wanted) in _NARROWER for have in one.formats):
            continue
        known = {wanted, *one.formats} <= _KNOWN_FORMATS
        yield Difference(what="format", sub=sorted(one.formats) or None, sup=wanted, sure=known)


def of_dependent(raw: Any, one: Shape) -> Iterator[Difference]:
    """Fields that another field asks for."""
    for name, wanted in raw.items():
        missing = sorted(set(map(str, wanted)) - one.required) if isinstance(wanted, list) else [""]
        if missing and (name in one.fields or one.maps):
            yield Difference(what="required", place=f".{missing[0]}", sub=True, sure=name in one.fields)
