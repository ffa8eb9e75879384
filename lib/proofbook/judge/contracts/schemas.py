"""Reads JSON Schemas, in the dialects of Swagger 2, OpenAPI 3.0 and 3.1, into shapes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from proofbook.judge.contracts import shapes
from proofbook.judge.contracts.document import DYNAMIC, Unread, Version
from proofbook.judge.contracts.shapes import (
    ANYTHING,
    ARRAY,
    BOOLEAN,
    KINDS,
    NULL,
    NUMBER,
    OBJECT,
    STRING,
    Bound,
    Part,
    Shape,
    Side,
)

MOST_SHAPES = 100
Raw = Mapping[str, Any]
# These say nothing about values.
ANNOTATIONS = frozenset(
    ["title", "description", "summary", "default", "example", "examples", "deprecated", "externalDocs", "xml", "$comment", "$id", "$schema", "$defs", "definitions", "$anchor", "$vocabulary", "id", "readOnly", "writeOnly"]
)  # fmt: skip
# Compared as they are: where only the wider of two schemas has them, nobody here can tell.
OTHERS = frozenset(
    ["not", "if", "then", "else", "dependentRequired", "dependentSchemas", "dependencies", "propertyNames", "contains", "minContains", "maxContains", "unevaluatedItems", "unevaluatedProperties", "contentSchema", "discriminator", "$dynamicRef", "$recursiveRef"]
)  # fmt: skip
READ = frozenset(
    ["$ref", "type", "nullable", "enum", "const", "allOf", "anyOf", "oneOf", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "pattern", "format", "minItems", "maxItems", "uniqueItems", "items", "prefixItems", "additionalItems", "properties", "required", "additionalProperties", "patternProperties", "minProperties", "maxProperties"]
)  # fmt: skip
# A schema that has one of these and no type means this type.
_IMPLIED = {
    OBJECT: ("properties", "additionalProperties", "patternProperties"),
    ARRAY: ("items", "prefixItems"),
}
# Which keywords limit values of which type.
_OF_KIND = {
    NUMBER: ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "format"),
    STRING: ("minLength", "maxLength", "pattern", "format"),
    ARRAY: ("minItems", "maxItems", "uniqueItems", "items", "prefixItems", "additionalItems"),
    OBJECT: ("properties", "required", "additionalProperties", "patternProperties", "minProperties", "maxProperties"),
}  # fmt: skip
# They look like formats and limit nothing.
_NO_FORMATS = ("password", "number", "string", "integer")
_EVERYTHING = ("", ".*", "^.*$", ".*$", "^.*")


def shapes_of(part: Part, known: dict[Any, tuple[Shape, ...]]) -> tuple[Shape, ...]:
    """The alternatives of a part.

    Raises:
        Unread: something of it is not understood, or it has too many alternatives.
    """
    key = part.key
    if key not in known:
        found = ANYTHING
        for raw in part.raws:
            there = _Reading(part).shapes(raw, ())
            if there is None:
                raise Unread("a schema that says nothing but refers to itself")
            found = meet(found, there)
        known[key] = found
    return known[key]


def meet(one: Iterable[Shape], other: Iterable[Shape]) -> tuple[Shape, ...]:
    """The shapes of what fits one of each."""
    others = tuple(other)
    return _limited(
        found for a in one for b in others if a.kind == b.kind and (found := shapes.both(a, b)) is not None
    )


def _is_nullable(raw: Raw, version: Version) -> bool:
    """Whether null fits beside what else fits; version 2 has no word of its own for it, and everybody takes this one."""
    word = "x-nullable" if version is Version.SWAGGER_2 else "nullable"
    return raw.get(word) is True and version is not Version.OPENAPI_31


def _limited(found: Iterable[Shape]) -> tuple[Shape, ...]:
    kept: list[Shape] = []
    for item in found:
        if len(kept) == MOST_SHAPES:
            raise Unread(f"more than {MOST_SHAPES} alternatives")
        kept.append(item)
    return tuple(kept)


class _Reading:
    """One schema being read; `path` are the references that are being followed."""

    def __init__(self, part: Part) -> None:
        self.document, self.side = part.document, part.side

    def shapes(self, raw: Any, path: tuple[int, ...]) -> tuple[Shape, ...] | None:
        """The shapes of a schema; None where it refers to itself before it says anything."""
        if raw is True:
            return ANYTHING
        if raw is False:
            return ()
        if not isinstance(raw, dict):
            raise Unread(f"a schema that is {_shown(raw)}")
        if id(raw) in path:
            return None
        path = (*path, id(raw))
        if len(path) > 200:
            raise Unread("too many levels")
        if "$ref" not in raw:
            return self._inside(raw, path)
        there = self.shapes(self.document.target(raw["$ref"]), path)
        beside = {key: value for key, value in raw.items() if key not in ANNOTATIONS and key != "$ref"}
        if not any(not key.startswith("x-") for key in beside):
            return there
        if self.document.version is Version.OPENAPI_31:
            own = self._inside(beside, path)
            return own if there is None else there if own is None else meet(there, own)
        # By the specification they mean nothing there, and many mean something by them.
        marked = tuple(Shape(kind=kind, others={"keywords beside $ref": (beside,)}) for kind in KINDS)
        return marked if there is None else meet(there, marked)

    def _inside(self, raw: Raw, path: tuple[int, ...]) -> tuple[Shape, ...] | None:
        found: tuple[Shape, ...] = self._own(raw)
        said = bool(raw.keys() - {"anyOf", "oneOf", "allOf"} - ANNOTATIONS)
        for item in _list(raw, "allOf"):
            there = self.shapes(item, path)
            if there is not None:
                found, said = meet(found, there), True
        for key in ("anyOf", "oneOf"):
            if key in raw:
                branches = [
                    there for item in _list(raw, key) if (there := self.shapes(item, path)) is not None
                ]
                if branches:
                    found, said = meet(found, self._union(key, raw, branches)), True
        if _is_nullable(raw, self.document.version):
            found, said = _limited((*(item for item in found if item.kind != NULL), Shape(kind=NULL))), True
        return found if said or not raw.keys() & {"anyOf", "oneOf", "allOf"} else None

    def _union(self, key: str, raw: Raw, branches: list[tuple[Shape, ...]]) -> tuple[Shape, ...]:
        found = _limited(item for branch in branches for item in branch)
        if key == "oneOf" and any(
            not disjoint(one, other)
            for number, branch in enumerate(branches)
            for later in branches[number + 1 :]
            for one in branch
            for other in later
        ):
            # A value that fits two of them fits not: of that, only that it is unchanged can be told.
            found = meet(
                found,
                [
                    Shape(kind=kind, others={"alternatives of oneOf that overlap": (raw["oneOf"],)})
                    for kind in KINDS
                ],
            )
        return found

    def _own(self, raw: Raw) -> tuple[Shape, ...]:
        """The shapes that its own keywords make, alternatives left out."""
        kinds = _kinds(raw)
        values = _values(raw)
        others = {
            key: (value,)
            for key, value in raw.items()
            if key in OTHERS or (key not in READ and key not in ANNOTATIONS and not key.startswith("x-"))
        }
        if raw.get("required") is True:
            # As drafts before the fourth had it, of the schema itself: some servers go by it, and some do not.
            others["required of a field itself"] = (True,)
        # Compared with all that they may stand for.
        others |= {key: ({key: raw[key]},) for key in DYNAMIC & raw.keys()}
        if "discriminator" in others:
            others["discriminator"] = (_discriminator(raw["discriminator"]),)
        if raw.get("nullable") is True and self.document.version is Version.OPENAPI_31:
            others["nullable"] = (True,)
        made: list[Shape] = []
        for kind, integer in kinds.items():
            mine = None if values is None else tuple(value for value in values if kind_of(value) == kind)
            if mine == ():
                continue
            about = {key: value for key, value in others.items() if _concerns(key, kind)}
            limits = Shape(kind=kind, **self._limits(kind, raw))
            shape = shapes.both(limits, Shape(kind=kind, values=mine, integer=integer, others=about))
            made += [] if shape is None else [shape]
        return tuple(made)

    def _limits(self, kind: str, raw: Raw) -> dict[str, Any]:
        if not any(key in raw for key in (*_OF_KIND.get(kind, ()), "x-extensible-enum")):
            return {}
        make: Callable[[Raw], dict[str, Any]] = {
            NUMBER: _of_number,
            STRING: self._of_string,
            ARRAY: _of_array,
            OBJECT: self._of_object,
        }.get(kind, lambda _: {})
        return make(raw)

    def _of_string(self, raw: Raw) -> dict[str, Any]:
        pattern = raw.get("pattern")
        if pattern is not None and not isinstance(pattern, str):
            raise Unread("a pattern that is no text")
        found = {
            **_sizes(raw, "minLength", "maxLength"),
            "patterns": frozenset(() if pattern is None or pattern in _EVERYTHING else (pattern,)),
            "formats": _formats(raw),
        }
        extensible = raw.get("x-extensible-enum")
        if isinstance(extensible, list) and self.side is Side.SENT and "enum" not in raw:
            found["values"] = tuple(extensible)
        return found

    def _of_object(self, raw: Raw) -> dict[str, Any]:
        named = _mapping(raw, "properties")
        other_side = "readOnly" if self.side is Side.SENT else "writeOnly"
        hidden = frozenset(name for name, item in named.items() if self._marked(item, other_side))
        rest = raw.get("additionalProperties", True)
        by_pattern = _mapping(raw, "patternProperties")
        return {
            **_sizes(raw, "minProperties", "maxProperties"),
            "fields": {name: (item,) for name, item in named.items() if name not in hidden},
            "required": frozenset(_names(raw)) - hidden,
            "hidden": hidden,
            "rest": () if rest is True or rest == {} else (rest,),
            "by_pattern": {name: (item,) for name, item in by_pattern.items()},
        }

    def _marked(self, item: Any, key: str) -> bool:
        if isinstance(item, dict) and item.get(key) is True:
            return True
        resolved = self.document.resolve(item) if isinstance(item, dict) and "$ref" in item else item
        return isinstance(resolved, dict) and resolved.get(key) is True


def kind_of(value: Any) -> str:
    """The type of a JSON value."""
    if value is None:
        return NULL
    if isinstance(value, bool):
        return BOOLEAN
    if isinstance(value, int | float):
        return NUMBER
    return STRING if isinstance(value, str) else ARRAY if isinstance(value, list) else OBJECT


def disjoint(one: Shape, other: Shape) -> bool:
    """Whether no value fits both, as far as shapes show it; of objects, those whose fields say which of both they are."""
    if one.kind != other.kind or shapes.both(one, other) is None:
        return True
    if one.kind == OBJECT:
        return bool(
            (one.required - other.fields.keys() - other.hidden)
            or (other.required - one.fields.keys() - one.hidden)
            or any(_told_apart(one, other, name) for name in one.required & other.required)
        )
    return one.kind == STRING and bool(one.formats and other.formats and one.formats != other.formats)


def _told_apart(one: Shape, other: Shape, name: str) -> bool:
    """Whether a field has other values in each, both stated outright."""
    first = [raw for raw in one.fields.get(name, ()) if isinstance(raw, dict) and "$ref" not in raw]
    second = [raw for raw in other.fields.get(name, ()) if isinstance(raw, dict) and "$ref" not in raw]
    return any(
        (values := _values(a)) is not None
        and (there := _values(b)) is not None
        and not shapes._common(values, there)
        for a in first
        for b in second
    )


def _kinds(raw: Raw) -> dict[str, bool]:
    """The types that a schema allows, each with whether only whole numbers are meant."""
    stated = raw.get("type")
    if stated is None:
        implied = [kind for kind, keys in _IMPLIED.items() if any(key in raw for key in keys)]
        return dict.fromkeys(implied[:1] if len(implied) == 1 else KINDS, False)
    names = stated if isinstance(stated, list) else [stated]
    found: dict[str, bool] = {}
    for name in names:
        if name == "integer":
            found.setdefault(NUMBER, True)
        elif name == "file":
            found[STRING] = False
        elif isinstance(name, str) and name in KINDS:
            found[name] = False
        else:
            raise Unread(f"the type {_shown(name)}")
    return found


def _concerns(key: str, kind: str) -> bool:
    objects = ("dependentRequired", "dependentSchemas", "dependencies", "propertyNames", "unevaluatedProperties", "discriminator")  # fmt: skip
    arrays = ("contains", "minContains", "maxContains", "unevaluatedItems")
    return kind == OBJECT if key in objects else kind == ARRAY if key in arrays else True


def _discriminator(raw: Any) -> Any:
    return {"propertyName": raw} if isinstance(raw, str) else raw


def _values(raw: Raw) -> tuple[Any, ...] | None:
    found: tuple[Any, ...] | None = None
    if "enum" in raw:
        found = tuple(_list(raw, "enum"))
    if "const" in raw:
        found = shapes._common(found, (raw["const"],))
    return found


def _of_number(raw: Raw) -> dict[str, Any]:
    multiple = _number(raw, "multipleOf")
    if multiple is not None and multiple <= 0:
        raise Unread("multipleOf that is not positive")
    return {
        "low": _bound(raw, "minimum", "exclusiveMinimum", greater=True),
        "high": _bound(raw, "maximum", "exclusiveMaximum", greater=False),
        "multiples": () if multiple is None else (multiple,),
        "formats": _formats(raw),
    }


def _bound(raw: Raw, key: str, exclusive: str, *, greater: bool) -> Bound | None:
    value, own = _number(raw, key), raw.get(exclusive)
    if own is None or isinstance(own, bool):
        return None if value is None else Bound(value=value, open=own is True)
    beyond = _number(raw, exclusive)
    assert beyond is not None
    stated = None if value is None else Bound(value=value)
    return shapes._tighter(stated, Bound(value=beyond, open=True), greater=greater)


def _of_array(raw: Raw) -> dict[str, Any]:
    items, prefix, rest = raw.get("items", True), raw.get("prefixItems"), raw.get("items", True)
    if isinstance(items, list):
        prefix, rest = items, raw.get("additionalItems", True)
    return {
        **_sizes(raw, "minItems", "maxItems"),
        "unique": raw.get("uniqueItems") is True,
        "prefix": tuple((item,) for item in (_list({"": prefix}, "") if prefix is not None else ())),
        "items": () if rest is True or rest == {} else (rest,),
    }


def _formats(raw: Raw) -> frozenset[str]:
    found = raw.get("format")
    if found is not None and not isinstance(found, str):
        raise Unread("a format that is no text")
    return frozenset(() if found is None or found in _NO_FORMATS else (found,))


def _sizes(raw: Raw, least: str, most: str) -> dict[str, Any]:
    low, high = _number(raw, least), _number(raw, most)
    return {"least": max(0, int(low or 0)), "most": None if high is None else int(high)}


def _number(raw: Raw, key: str) -> float | None:
    found = raw.get(key)
    if found is None:
        return None
    # Beyond this size not every whole number is one of its own, and infinity is no whole number.
    if isinstance(found, bool) or not isinstance(found, int | float) or not abs(found) < 1e300:
        raise Unread(f"{key} that is {_shown(found)}")
    return found


def _names(raw: Raw) -> Iterable[str]:
    found = raw.get("required", [])
    if isinstance(found, bool):
        # It speaks of what the schema stands in.
        return ()
    if not isinstance(found, list) or not all(isinstance(name, str) for name in found):
        raise Unread("required that is no list of names")
    return found


def _list(raw: Raw, key: str) -> list[Any]:
    found = raw.get(key, [])
    if not isinstance(found, list):
        raise Unread(f"{key} that is {_shown(found)}")
    return found


def _mapping(raw: Raw, key: str) -> Raw:
    found = raw.get(key, {})
    if not isinstance(found, dict):
        raise Unread(f"{key} that is {_shown(found)}")
    return found


def _shown(value: Any) -> str:
    return repr(value)[:40]
