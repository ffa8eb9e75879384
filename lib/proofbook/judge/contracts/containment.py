"""Whether every value that fits one schema fits another: contained, not contained, or unclear, with what differs and where."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from proofbook.judge.contracts import differences, membership
from proofbook.judge.contracts.differences import Difference
from proofbook.judge.contracts.document import Sameness, Unread
from proofbook.judge.contracts.schemas import shapes_of
from proofbook.judge.contracts.shapes import (
    ARRAY,
    BOOLEAN,
    NULL,
    NUMBER,
    OBJECT,
    STRING,
    Part,
    Shape,
    Side,
)

MOST_COMPARISONS = 100_000
# No more of one place are told.
MOST_DIFFERENCES = 50
# So many values of a field may tell objects apart.
MOST_VALUES = 30
_FITS, _UNSURE, _SURE = range(3)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Inner:
    """That a pair of parts further in must fit too. sure: whether it counts as certain if it does not."""

    place: str
    key: int
    sure: bool = True


_Item = Difference | _Inner


class Containment:
    """Compares parts of two documents, each pair once.

    Pairs are taken to fit until something in them differs; whatever rests on one of which that turns out is looked at
    again. So schemas that refer to themselves come to an end, and how deep a document is costs no stack.
    """

    def __init__(self, *, most: int = MOST_COMPARISONS) -> None:
        self.same = Sameness()
        self.known: dict[Any, tuple[Shape, ...]] = {}
        self._numbers: dict[Any, int] = {}
        self._pairs: list[tuple[Part, Part]] = []
        self._items: list[tuple[_Item, ...]] = []
        self._status: list[int] = []
        self._resting: list[set[int]] = []
        self._waiting: list[int] = []
        self._current: int | None = None
        self._alone: dict[str, Any] = {}
        self._left = most

    def differences(self, sub: Part, sup: Part) -> tuple[Difference, ...]:
        """What keeps `sub` from being contained in `sup`; empty where it is."""
        self._current = None
        key = self._want(sub, sup)
        while self._waiting:
            self._look(self._waiting.pop())
        return tuple(itertools.islice(self._told(key), MOST_DIFFERENCES)) if self._status[key] else ()

    def _want(self, sub: Part, sup: Part) -> int:
        """The number of a pair, which is looked at sooner or later, and whatever rests on it again if it does not fit."""
        key = (sub.key, sup.key)
        number = self._numbers.setdefault(key, len(self._pairs))
        if number == len(self._pairs):
            self._pairs.append((sub, sup))
            self._items.append(())
            self._status.append(_FITS)
            self._resting.append(set())
            self._waiting.append(number)
        if self._current is not None:
            self._resting[number].add(self._current)
        return number

    def _look(self, key: int) -> None:
        sub, sup = self._pairs[key]
        self._left -= 1
        self._current = key
        try:
            if self._left < 0:
                raise Unread("more than can be compared")
            found: tuple[_Item, ...] = tuple(self._compared(sub, sup))
        except Unread as error:
            found = (Difference(what="unread", sup=error.why, sure=False),)
        self._current = None
        self._items[key] = found
        status = max(map(self._weight, found), default=_FITS)
        if status > self._status[key]:
            self._status[key] = status
            self._waiting += sorted(self._resting[key] - {key})

    def _weight(self, item: _Item) -> int:
        weight = _SURE if isinstance(item, Difference) else self._status[item.key]
        return weight if item.sure else min(weight, _UNSURE)

    def _told(self, key: int) -> Iterator[Difference]:
        """The differences of a pair and of those in it, each pair once."""
        seen, left = {key}, [("", True, key)]
        while left:
            place, sure, key = left.pop(0)
            for item in self._items[key]:
                if isinstance(item, Difference):
                    yield replace(item, place=place + item.place, sure=item.sure and sure)
                elif self._status[item.key] and item.key not in seen:
                    seen.add(item.key)
                    left.append((place + item.place, sure and item.sure, item.key))

    def shapes(self, part: Part) -> tuple[Shape, ...]:
        return shapes_of(part, self.known)

    def _compared(self, sub: Part, sup: Part) -> Iterator[_Item]:
        alike = sub.document.version is sup.document.version and len(sub.raws) == len(sup.raws)
        if alike and all(
            self.same(one, sub.document, other, sup.document)
            for one, other in zip(sub.raws, sup.raws, strict=True)
        ):
            return
        narrow, wide = self.shapes(sub), self.shapes(sup)
        if _is_anything(narrow) and not _is_anything(wide):
            yield Difference(what="unstated", sup=_types(wide), sure=False)
            return
        missing = _missing(narrow, wide, sub.as_text)
        if missing:
            yield Difference(
                what="type", sub=_types(narrow), sup=_types(wide) or ("nothing",), sure=bool(missing)
            )
        for shape in narrow:
            if shape.kind not in missing:
                yield from self._alternatives(shape, wide, sub, sup)

    def _alternatives(self, shape: Shape, wide: tuple[Shape, ...], sub: Part, sup: Part) -> Iterator[_Item]:
        """What keeps one shape from fitting any of those of its type; of the nearest where there are several."""
        if (
            sub.as_text
            and shape.kind in (NUMBER, BOOLEAN, STRING)
            and not any(s.kind == shape.kind for s in wide)
        ):
            yield from self._as_text(shape, wide, sub, sup)
            return
        values = shape.values if shape.kind not in (NULL, BOOLEAN) else shape.values or _ALL[shape.kind]
        if values is not None:
            yield from self._values(values, sup)
            return
        found = []
        for other in wide:
            if other.kind == shape.kind:
                these = [item for item in self._shape(shape, other, sub, sup) if self._weight(item)]
                if not these:
                    return
                found.append((len(these), -len(shape.fields.keys() & other.fields.keys()), these))
        nearest = min(found, key=lambda item: item[:2])[-1]
        if len(found) == 1:
            yield from nearest
            return
        if any(self._fits_apart(name, shape, wide, sub, sup) for name in sorted(shape.required)):
            return
        # None alone holds all of it; several together might. A value that fits none of them says that they do not.
        refuted = self._refuted(shape, sub, sup)
        told = [replace(item, sure=refuted) for item in nearest]
        yield from told
        if refuted and not any(self._weight(item) == _SURE for item in told):
            yield Difference(what="alternative")

    def _fits_apart(self, name: str, shape: Shape, wide: tuple[Shape, ...], sub: Part, sup: Part) -> bool:
        """Whether each value of one field makes an object that fits one of the shapes, as where a field says which it is."""
        stated = self.shapes(sub.of(shape.fields.get(name, (True,))))
        values = [value for item in stated for value in item.values or ()]
        if not 1 < len(values) <= MOST_VALUES or not all(item.values for item in stated):
            return False
        apart = []
        for value in values:
            # One of each: what a pair is told by is where its schemas stand.
            alone = self._alone.setdefault(json.dumps(value), {"enum": [value]})
            apart.append(replace(shape, fields={**shape.fields, name: (*shape.fields[name], alone)}))
        return all(
            any(
                not any(self._weight(item) for item in self._shape(one, other, sub, sup))
                for other in wide
                if other.kind == OBJECT
            )
            for one in apart
        )

    def _refuted(self, shape: Shape, sub: Part, sup: Part) -> bool:
        member = membership.Membership(self.known)
        return any(
            member.fits(value, sub) is True and member.fits(value, sup) is False
            for value in member.examples(shape, sub)
        )

    def _values(self, values: tuple[Any, ...], sup: Part) -> Iterator[_Item]:
        member = membership.Membership(self.known)
        fits = [(value, member.fits(value, sup)) for value in values]
        lost = tuple(value for value, found in fits if found is False)
        unknown = tuple(value for value, found in fits if found is None)
        if lost:
            yield Difference(what="values", sub=lost)
        elif unknown:
            yield Difference(what="values", sub=unknown, sure=False)

    def _as_text(self, shape: Shape, wide: tuple[Shape, ...], sub: Part, sup: Part) -> Iterator[_Item]:
        """A value in a path or a query: a number is a text there, and one value is a list of one."""
        texts = [item for item in wide if item.kind == STRING]
        lists = [item for item in wide if item.kind == ARRAY]
        if lists and not texts:
            if lists[0].least > 1:
                yield Difference(what="least", sub=1, sup=lists[0].least)
            elif lists[0].items:
                yield _Inner(place="", key=self._want(sub, sup.of(lists[0].items)))
            return
        values = shape.values if shape.kind != BOOLEAN else shape.values or (False, True)
        for text in texts:
            if text.is_free:
                return
            if values is not None and text.values is not None:
                lost = tuple(v for v in values if not any(_text(v) == t for t in text.values))
                if lost:
                    yield Difference(what="values", sub=lost)
                return
        yield Difference(what="type", sub=(_name(shape),), sup=_types(wide), sure=False)

    def _shape(self, one: Shape, other: Shape, sub: Part, sup: Part) -> Iterator[_Item]:
        """What keeps a shape without stated values from fitting another one of its type."""
        if other.values is not None:
            yield Difference(what="only", sup=other.values)
            return
        own: list[_Item] = list(differences.of_limits(one, other))
        if one.kind == ARRAY:
            own += self._arrays(one, other, sub, sup)
        if one.kind == OBJECT:
            own += self._objects(one, other, sub, sup)
        unlike = list(self._others(one, other, sub, sup))
        # A limit of the narrower one that nobody here reads may be what keeps the rest out.
        unread = any(name not in other.others for name in one.others if name != "discriminator")
        yield from (replace(item, sure=item.sure and not unread) for item in own)
        yield from unlike

    def _others(self, one: Shape, other: Shape, sub: Part, sup: Part) -> Iterator[_Item]:
        """Keywords that are only compared as they are: one more of the wider schema may refuse something."""
        for name, wanted in other.others.items():
            had = one.others.get(name, ())
            for raw in wanted:
                if any(self.same(raw, sup.document, there, sub.document) for there in had):
                    continue
                if name == "not" and not any(item.kind == one.kind for item in self.shapes(sup.of((raw,)))):
                    continue
                if name == "dependentRequired" and isinstance(raw, dict):
                    yield from differences.of_dependent(raw, one)
                    continue
                yield Difference(what="keyword", sub=bool(had), sup=name, sure=False)

    def _arrays(self, one: Shape, other: Shape, sub: Part, sup: Part) -> Iterator[_Item]:
        if other.unique and not one.unique and not (one.most is not None and one.most < 2):
            yield Difference(what="unique")
        for place in range(max(len(one.prefix), len(other.prefix))):
            if one.most is not None and place >= one.most:
                break
            first = one.prefix[place] if place < len(one.prefix) else one.items
            second = other.prefix[place] if place < len(other.prefix) else other.items
            yield from self._inner(sub.of(first), sup.of(second), f"[{place}]")
        if one.most is None or one.most > len(one.prefix):
            yield from self._inner(sub.of(one.items), sup.of(other.items), "[]")

    def _inner(self, sub: Part, sup: Part, place: str) -> Iterator[_Item]:
        if not any(raw is False for raw in sub.raws) and sup.raws:
            yield _Inner(place=place, key=self._want(sub, sup))

    def _objects(self, one: Shape, other: Shape, sub: Part, sup: Part) -> Iterator[_Item]:
        for name in sorted(other.required - one.required):
            # Of a field that answers no longer show, nobody says whether they hold it all the same.
            hidden = name in one.hidden and sub.side is Side.READ
            yield Difference(what="required", place=f".{name}", sub=name in one.fields, sure=not hidden)
        for name in sorted(other.fields):
            yield from self._wanted(name, one, other, sub, sup)
        for name in sorted(one.fields.keys() & other.hidden if sub.side is Side.SENT else ()):
            # From now on for answers alone: whoever still sends it may be refused, or not heard.
            if not self._is_deprecated(one.fields[name], sub):
                yield Difference(what="ignored", place=f".{name}", sure=False)
        for name in sorted(one.fields.keys() - other.fields.keys() - other.hidden):
            yield from self._surplus(name, one, other, sub, sup)
        yield from self._rest(one, other, sub, sup)
        for pattern, raws in sorted(other.by_pattern.items()):
            if pattern in one.by_pattern:
                yield from self._inner(sub.of(one.by_pattern[pattern]), sup.of(raws), f".<{pattern}>")
            elif not one.is_closed:
                yield Difference(what="keyword", sub=False, sup="patternProperties", sure=False)

    def _wanted(self, name: str, one: Shape, other: Shape, sub: Part, sup: Part) -> Iterator[_Item]:
        """A field that the wider schema names."""
        place, raws = f".{name}", other.fields[name]
        if name in one.fields:
            yield from self._inner(sub.of(one.fields[name]), sup.of(raws), place)
        elif one.maps:
            yield from self._inner(sub.of(one.rest), sup.of(raws), place)
            if sub.side is Side.READ and name not in other.required:
                yield Difference(what="gone", place=place, sure=False)
        elif sub.side is Side.READ and name not in other.required - one.required:
            # Whoever reads the old answer looks for it, required or not.
            yield Difference(what="gone", place=place, sure=name not in one.hidden)

    def _surplus(self, name: str, one: Shape, other: Shape, sub: Part, sup: Part) -> Iterator[_Item]:
        """A field that only the narrower schema names."""
        place, raws = f".{name}", one.fields[name]
        matching = [
            raw for pattern, raw in other.by_pattern.items() if membership.matches(pattern, name) is not False
        ]
        if any(raw is False for raw in raws):
            return
        for wanted in matching:
            yield from self._inner(sub.of(raws), sup.of(wanted), place)
        if matching:
            return
        if other.maps:
            yield from self._inner(sub.of(raws), sup.of(other.rest), place)
        elif sub.side is Side.SENT and other.is_closed:
            yield Difference(what="refused", place=place)
        elif sub.side is Side.SENT and not self._is_deprecated(raws, sub):
            yield Difference(what="ignored", place=place, sure=False)

    def _is_deprecated(self, raws: Iterable[Any], part: Part) -> bool:
        found = (part.document.resolve(raw) for raw in raws)
        return any(isinstance(raw, dict) and raw.get("deprecated") is True for raw in found)

    def _rest(self, one: Shape, other: Shape, sub: Part, sup: Part) -> Iterator[_Item]:
        """Fields without a name."""
        if one.is_closed or not other.rest:
            return
        if other.is_closed:
            yield Difference(what="closed" if sub.side is Side.SENT else "opened", sure=sub.side is Side.SENT)
        elif one.rest or other.maps:
            if not one.rest:
                yield Difference(what="unstated", place=".*", sub=None, sup=None, sure=False)
            else:
                yield from self._inner(sub.of(one.rest), sup.of(other.rest), ".*")


_ALL: dict[str, tuple[Any, ...]] = {NULL: (None,), BOOLEAN: (False, True)}


def _is_anything(found: tuple[Shape, ...]) -> bool:
    return len({item.kind for item in found if item.is_free}) == 6


def _name(shape: Shape) -> str:
    return "integer" if shape.kind == NUMBER and shape.integer else shape.kind


def _types(found: Iterable[Shape]) -> tuple[str, ...]:
    """The types in the words of a schema: one that takes any number need not say that it takes whole ones."""
    names = {_name(shape) for shape in found}
    return tuple(sorted(names - {"integer"} if "number" in names else names))


def _missing(narrow: tuple[Shape, ...], wide: tuple[Shape, ...], as_text: bool) -> set[str]:
    """Types that the narrower one has and the wider one has not."""
    had = {shape.kind for shape in wide}
    lost = {shape.kind for shape in narrow} - had
    if as_text and (STRING in had or ARRAY in had):
        lost -= {NUMBER, BOOLEAN, STRING}
    whole = any(s.kind == NUMBER and not s.integer and s.values is None for s in narrow) and all(
        s.integer for s in wide if s.kind == NUMBER
    )
    return lost | ({NUMBER} if whole and NUMBER in had else set())


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
