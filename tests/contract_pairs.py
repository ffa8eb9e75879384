"""Pairs of API definitions with their right answers, made of a base and a change, in all versions that have the rule."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

# Right answers: somebody who relies on the old definition breaks, nobody does, or the definitions do not say.
BREAKS, FITS, NOT_SAID = "breaks", "fits", "not said"
SWAGGER_2, OPENAPI_30, OPENAPI_31 = "2", "3.0", "3.1"
ALL, LATER, NEW = (SWAGGER_2, OPENAPI_30, OPENAPI_31), (OPENAPI_30, OPENAPI_31), (OPENAPI_31,)
Definition = dict[str, Any]
S: dict[str, Any] = {"type": "string"}
I: dict[str, Any] = {"type": "integer"}  # noqa: E741  # as short as its neighbours
N: dict[str, Any] = {"type": "number"}
B: dict[str, Any] = {"type": "boolean"}
NULL = {"type": "null"}


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two definitions and what is right to say of the change from the first to the second."""

    name: str
    before: Any
    after: Any
    answer: str


def obj(required: str = "", /, **fields: Any) -> dict[str, Any]:
    """An object with these fields, and the names of those that are required."""
    found: dict[str, Any] = {"type": "object", "properties": fields}
    return {**found, "required": required.split()} if required else found


def arr(items: Any, **more: Any) -> dict[str, Any]:
    return {"type": "array", "items": items, **more}


def text(**more: Any) -> dict[str, Any]:
    return {"type": "string", **more}


def ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


CAT = obj("kind lives", kind=text(enum=["cat"]), lives=I)
DOG = obj("kind tricks", kind=text(enum=["dog"]), tricks=S)
FISH = obj("kind fins", kind=text(enum=["fish"]), fins=I)

# Each (name, wide, narrow, versions): everything that fits the second fits the first, and not the other way round. So who
# sends breaks on the way to the narrow one, who reads on the way back, and nobody otherwise.
NARROWER: list[tuple[str, Any, Any, tuple[str, ...]]] = [
    ("a longest length that shrinks", text(maxLength=200), text(maxLength=20), ALL),
    ("a longest length that comes", S, text(maxLength=20), ALL),
    ("a shortest length that grows", text(minLength=1), text(minLength=5), ALL),
    ("a shortest length that comes", S, text(minLength=1), ALL),
    ("a greatest number that shrinks", {**N, "maximum": 10}, {**N, "maximum": 5}, ALL),
    ("a greatest number that comes", N, {**N, "maximum": 5}, ALL),
    ("a least number that grows", {**I, "minimum": 1}, {**I, "minimum": 2}, ALL),
    ("a least number that comes", I, {**I, "minimum": 1}, ALL),
    ("a bound that is no longer a value, as a boolean", {**N, "minimum": 0}, {**N, "minimum": 0, "exclusiveMinimum": True}, (SWAGGER_2, OPENAPI_30)),
    ("a bound that is no longer a value, as a number", {**N, "minimum": 0}, {**N, "exclusiveMinimum": 0}, NEW),
    ("an upper bound that is no longer a value", {**N, "maximum": 9}, {**N, "exclusiveMaximum": 9}, NEW),
    ("an exclusive bound that grows", {**N, "exclusiveMinimum": 0}, {**N, "exclusiveMinimum": 3}, NEW),
    ("multiples of more", {**I, "multipleOf": 5}, {**I, "multipleOf": 10}, ALL),
    ("multiples at all", I, {**I, "multipleOf": 10}, ALL),
    ("whole numbers only", N, I, ALL),
    ("a pattern that comes", S, text(pattern="^[a-z]+$"), ALL),
    ("an enumeration that loses a value", text(enum=["a", "b"]), text(enum=["a"]), ALL),
    ("an enumeration that comes", S, text(enum=["a"]), ALL),
    ("an enumeration of numbers that loses one", {**I, "enum": [1, 2, 3]}, {**I, "enum": [1, 2]}, ALL),
    ("a single value", S, {**S, "const": "a"}, NEW),
    ("a single value out of several", text(enum=["a", "b"]), {"const": "a"}, NEW),
    ("an enumeration without a type", {"enum": ["a", 1]}, {"enum": [1]}, ALL),
    ("an enumeration in items", arr(text(enum=["a", "b"])), arr(text(enum=["a"])), ALL),
    ("a format that comes", S, text(format="date"), ALL),
    ("a smaller whole number", {**I, "format": "int64"}, {**I, "format": "int32"}, ALL),
    ("a smaller number", {**N, "format": "double"}, {**N, "format": "float"}, ALL),
    ("a format of a number that comes", I, {**I, "format": "int32"}, ALL),
    ("more items at least", arr(S, minItems=1), arr(S, minItems=2), ALL),
    ("items at least", arr(S), arr(S, minItems=1), ALL),
    ("fewer items at most", arr(S, maxItems=9), arr(S, maxItems=5), ALL),
    ("no item twice", arr(S), arr(S, uniqueItems=True), ALL),
    ("items of a narrower type", arr(N), arr(I), ALL),
    ("lists of lists of a narrower type", arr(arr(N)), arr(arr(I)), ALL),
    ("a field that is required", obj(x=S), obj("x", x=S), ALL),
    ("a field that is required further in", obj(o=obj(x=S)), obj(o=obj("x", x=S)), ALL),
    ("a field that is required in items", arr(obj(x=S)), arr(obj("x", x=S)), ALL),
    ("a field of a narrower type", obj(x=N), obj(x=I), ALL),
    ("a required part of allOf", {"allOf": [obj(x=S)]}, {"allOf": [obj(x=S), obj("x", x=S)]}, ALL),
    ("a limit in a part of allOf", {"allOf": [obj(x=S), obj(y=S)]}, {"allOf": [obj(x=S), obj(y=text(maxLength=3))]}, ALL),
    ("a limit on what two parts of allOf name", {"allOf": [obj(x=S), obj(x=text(maxLength=9))]}, {"allOf": [obj(x=S), obj(x=text(maxLength=3))]}, ALL),
    ("one type of several", {"type": ["string", "integer"]}, S, NEW),
    ("no null, by the list of types", {"type": ["string", "null"]}, S, NEW),
    ("no null, by anyOf", {"anyOf": [S, NULL]}, S, NEW),
    ("no null, by oneOf", {"oneOf": [NULL, obj(x=S)]}, obj(x=S), NEW),
    ("no null, by nullable", {**S, "nullable": True}, S, (OPENAPI_30,)),
    ("no null of an object, by nullable", {**obj(x=S), "nullable": True}, obj(x=S), (OPENAPI_30,)),
    ("no null around allOf, by nullable", {"allOf": [obj(x=S)], "nullable": True}, {"allOf": [obj(x=S)]}, (OPENAPI_30,)),
    ("one alternative of anyOf less", {"anyOf": [S, I]}, {"anyOf": [S]}, LATER),
    ("one alternative of oneOf less", {"oneOf": [S, I]}, {"oneOf": [I]}, LATER),
    ("one object of oneOf less", {"oneOf": [CAT, DOG, FISH]}, {"oneOf": [CAT, DOG]}, LATER),
    ("one object of anyOf less", {"anyOf": [CAT, DOG]}, {"anyOf": [DOG]}, LATER),
    ("a limit within an alternative", {"oneOf": [obj("a", a=S), obj("b", b=S)]}, {"oneOf": [obj("a", a=S), obj("b", b=text(maxLength=3))]}, LATER),
    ("a required field within an alternative", {"anyOf": [obj(a=S), I]}, {"anyOf": [obj("a", a=S), I]}, LATER),
    ("values of a map of a narrower type", {"type": "object", "additionalProperties": N}, {"type": "object", "additionalProperties": I}, ALL),
    ("maps within maps", {"type": "object", "additionalProperties": {"type": "object", "additionalProperties": N}}, {"type": "object", "additionalProperties": {"type": "object", "additionalProperties": I}}, ALL),
    ("items by place of a narrower type", {"type": "array", "prefixItems": [S, N]}, {"type": "array", "prefixItems": [S, I]}, NEW),
    ("no items beyond those by place", {"type": "array", "prefixItems": [S], "items": S}, {"type": "array", "prefixItems": [S], "items": False}, NEW),
    ("fewer fields at most", {"type": "object", "maxProperties": 9, "additionalProperties": S}, {"type": "object", "maxProperties": 5, "additionalProperties": S}, ALL),
    ("more fields at least", {"type": "object", "additionalProperties": S}, {"type": "object", "minProperties": 1, "additionalProperties": S}, ALL),
    ("values by pattern of a narrower type", {"type": "object", "patternProperties": {"^x": N}}, {"type": "object", "patternProperties": {"^x": I}}, NEW),
    ("deep in a document", obj(a=obj(b=obj(c=obj(d=obj(e=obj(f=obj(g=obj(h=obj(i=obj(j=N)))))))))), obj(a=obj(b=obj(c=obj(d=obj(e=obj(f=obj(g=obj(h=obj(i=obj(j=I)))))))))), ALL),
    ("a field that another asks for", obj(a=S, b=S), {**obj(a=S, b=S), "dependentRequired": {"a": ["b"]}}, NEW),
]  # fmt: skip

# (name, one, other, versions): neither holds the other, so everybody breaks in both directions.
UNLIKE: list[tuple[str, Any, Any, tuple[str, ...]]] = [
    ("another type", S, I, ALL),
    ("a number that became a truth value", N, B, ALL),
    ("one that became a list", S, arr(S), ALL),
    ("an object that became a list", obj(x=S), arr(obj(x=S)), ALL),
    ("another value of an enumeration", text(enum=["a", "b"]), text(enum=["a", "c"]), ALL),
    ("a number that became its text", {"enum": [1]}, {"enum": ["1"]}, ALL),
    ("another single value", {"const": "a"}, {"const": "b"}, NEW),
    ("another format", text(format="date"), text(format="date-time"), ALL),
    ("another format of numbers", {**I, "format": "int32"}, {**S, "format": "int32"}, ALL),
    ("bounds that moved", {**I, "minimum": 1, "maximum": 5}, {**I, "minimum": 3, "maximum": 9}, ALL),
    ("lengths that moved", text(minLength=1, maxLength=5), text(minLength=3, maxLength=9), ALL),
    ("multiples of something else", {**I, "multipleOf": 5}, {**I, "multipleOf": 7}, ALL),
    ("another alternative", {"oneOf": [S, I]}, {"oneOf": [S, B]}, LATER),
    ("values of a map of another type", {"type": "object", "additionalProperties": S}, {"type": "object", "additionalProperties": I}, ALL),
    ("a field of another type", obj(x=S), obj(x=I), ALL),
    ("a field of another type within allOf", {"allOf": [obj(x=S), obj(y=S)]}, {"allOf": [obj(x=I), obj(y=S)]}, ALL),
    ("a required field renamed", obj("x", x=S), obj("z", z=S), ALL),
    ("the name of the discriminator", {"oneOf": [CAT, DOG], "discriminator": {"propertyName": "kind"}}, {"oneOf": [CAT, DOG], "discriminator": {"propertyName": "tricks"}}, LATER),
    ("a pattern that changed", text(pattern="^a"), text(pattern="^b"), ALL),
    ("another condition", {**obj(a=S, b=S), "if": {"required": ["a"]}, "then": {"required": ["b"]}}, {**obj(a=S, b=S), "if": {"required": ["b"]}, "then": {"required": ["a"]}}, NEW),
    ("what must be among the items", arr(S, contains={"const": "a"}), arr(S, contains={"const": "b"}), NEW),
    ("names of fields", {"type": "object", "propertyNames": {"pattern": "^a"}}, {"type": "object", "propertyNames": {"pattern": "^b"}}, NEW),
    ("what must not be", {**S, "not": {"const": "a"}}, {**S, "not": {"const": "b"}}, NEW),
    ("how a text is packed", text(contentEncoding="base64"), text(contentEncoding="base32"), NEW),
]  # fmt: skip

# (name, one, other, versions): the same in other words, so nobody breaks in either direction.
ALIKE: list[tuple[str, Any, Any, tuple[str, ...]]] = [
    ("nothing", obj("x", x=S), obj("x", x=S), ALL),
    ("words for people", S, text(title="T", description="D", example="e", **{"x-own": 1}), ALL),
    ("a field by the name of a keyword", obj(title=S, description=I), obj(description={**I, "description": "D"}, title=S), ALL),
    ("moved into allOf", obj("x", x=S), {"allOf": [obj("x", x=S)]}, ALL),
    ("allOf in another order", {"allOf": [obj(x=S), obj("y", y=I)]}, {"allOf": [obj("y", y=I), obj(x=S)]}, ALL),
    ("allOf put together", {"allOf": [obj(x=S), obj("y", y=I)]}, obj("y", x=S, y=I), ALL),
    ("alternatives in another order", {"oneOf": [CAT, DOG]}, {"oneOf": [DOG, CAT]}, LATER),
    ("an enumeration in another order", text(enum=["a", "b"]), text(enum=["b", "a"]), ALL),
    ("one alternative and itself", S, {"anyOf": [S]}, LATER),
    ("a list of types and alternatives", {"type": ["string", "integer"]}, {"anyOf": [S, I]}, NEW),
    ("a list of types in another order", {"type": ["string", "null"]}, {"type": ["null", "string"]}, NEW),
    ("null by type and by oneOf", {"type": ["string", "null"]}, {"oneOf": [NULL, S]}, NEW),
    ("a single value and an enumeration of one", {"const": "a"}, {"enum": ["a"]}, NEW),
    ("a pattern that lets everything through", S, text(pattern=".*"), ALL),
    ("a bound on whole numbers said otherwise", {**I, "minimum": 1}, {**I, "exclusiveMinimum": 0}, NEW),
    ("a type that its fields imply", obj("x", x=S), {"properties": {"x": S}, "required": ["x"]}, ALL),
    ("a limit that does not concern the type", S, text(minimum=3), ALL),
    ("deprecation", S, text(deprecated=True), LATER),
    ("alternatives put together again", text(enum=["a", "b"]), {"oneOf": [text(enum=["a"]), text(enum=["b"])]}, LATER),
    ("an object told apart by a field", obj("k", k=text(enum=["a", "b"])), {"oneOf": [obj("k", k=text(enum=["a"])), obj("k", k=text(enum=["b"]))]}, LATER),
    ("whole bounds written as fractions", {**I, "minimum": 1}, {**I, "minimum": 1.0}, ALL),
    ("a condition that is the same", {**obj(a=S), "if": {"required": ["a"]}, "then": {"required": ["b"]}}, {**obj(a=text(description="D")), "if": {"required": ["a"]}, "then": {"required": ["b"]}}, NEW),
    ("a keyword nobody knows that is the same", {**obj(a=S), "sortedBy": "a"}, {**obj(a=S), "sortedBy": "a", "title": "T"}, LATER),
]  # fmt: skip

# (name, was, now, answer for who sends, answer for who reads, versions): conventions of fields, and what nobody can tell.
FIELDS: list[tuple[str, Any, Any, str, str, tuple[str, ...]]] = [
    ("an optional field comes", obj(x=S), obj(x=S, y=S), FITS, FITS, ALL),
    ("a required field comes", obj(x=S), obj("y", x=S, y=S), BREAKS, FITS, ALL),
    ("a required field with a default comes", obj(x=S), obj("y", x=S, y=text(default="d")), BREAKS, FITS, ALL),
    ("an optional field goes", obj(x=S, y=S), obj(x=S), NOT_SAID, BREAKS, ALL),
    ("a required field goes", obj("y", x=S, y=S), obj(x=S), NOT_SAID, BREAKS, ALL),
    ("a required field goes in allOf", {"allOf": [obj(x=S), obj("y", y=S)]}, {"allOf": [obj(x=S)]}, NOT_SAID, BREAKS, ALL),
    ("a deprecated field goes", obj(x=S, y=text(deprecated=True)), obj(x=S), FITS, BREAKS, LATER),
    ("a field of an alternative goes", {"oneOf": [obj("a", a=S, c=S), I]}, {"oneOf": [obj("a", a=S), I]}, NOT_SAID, BREAKS, LATER),
    ("a closed object", obj(x=S), {**obj(x=S), "additionalProperties": False}, BREAKS, FITS, ALL),
    ("an opened object", {**obj(x=S), "additionalProperties": False}, obj(x=S), FITS, NOT_SAID, ALL),
    ("a field goes and the rest is closed", {**obj(x=S, y=S), "additionalProperties": False}, {**obj(x=S), "additionalProperties": False}, BREAKS, BREAKS, ALL),
    ("a field comes and the rest is closed", {**obj(x=S), "additionalProperties": False}, {**obj(x=S, y=S), "additionalProperties": False}, FITS, FITS, ALL),
    ("a field that only answers have comes, required", obj(x=S), obj("y", x=S, y=text(readOnly=True)), FITS, FITS, ALL),
    ("a field that only answers have is required", obj(x=S, y=text(readOnly=True)), obj("y", x=S, y=text(readOnly=True)), FITS, FITS, ALL),
    ("a field that only requests have goes, required", obj("y", x=S, y=text(writeOnly=True)), obj(x=S), NOT_SAID, FITS, LATER),
    ("a field that only requests have is optional", obj("y", x=S, y=text(writeOnly=True)), obj(x=S, y=text(writeOnly=True)), FITS, FITS, LATER),
    ("a field is for answers alone from now on", obj(x=S, y=S), obj(x=S, y=text(readOnly=True)), NOT_SAID, FITS, ALL),
    ("a required field is for answers alone from now on", obj("y", x=S, y=S), obj("y", x=S, y=text(readOnly=True)), NOT_SAID, FITS, ALL),
    ("a field is required by a word of its own", obj(x=S, y=S), obj(x=S, y=text(required=True)), NOT_SAID, FITS, ALL),
    ("a field is by a word of its own no longer required", obj(x=S, y=text(required=True)), obj(x=S, y=text(required=False)), FITS, NOT_SAID, ALL),
    ("a required field is for answers no longer alone", obj("y", x=S, y=text(readOnly=True)), obj("y", x=S, y=S), BREAKS, FITS, ALL),
    ("a field that only requests have gets new values", obj(y=text(writeOnly=True, enum=["a"])), obj(y=text(writeOnly=True, enum=["a", "b"])), FITS, FITS, LATER),
    ("anything at all became something", {}, S, NOT_SAID, FITS, ALL),
    ("something became anything at all", S, {}, FITS, NOT_SAID, ALL),
    ("a keyword nobody knows comes", obj(x=S), {**obj(x=S), "sortedBy": "x"}, NOT_SAID, FITS, LATER),
    ("a format nobody knows comes", S, text(format="ski-pass"), NOT_SAID, FITS, ALL),
    ("a map gets a field by name that fits", {"type": "object", "additionalProperties": S}, {"type": "object", "properties": {"x": S}, "additionalProperties": S}, FITS, FITS, ALL),
    ("a map gets a field by name that does not", {"type": "object", "additionalProperties": S}, {"type": "object", "properties": {"x": I}, "additionalProperties": S}, BREAKS, BREAKS, ALL),
    ("a new kind of animal", {"oneOf": [CAT, DOG]}, {"oneOf": [CAT, DOG, FISH]}, FITS, BREAKS, LATER),
    ("an open enumeration grows", text(**{"x-extensible-enum": ["a"]}), text(**{"x-extensible-enum": ["a", "b"]}), FITS, FITS, ALL),
    ("an open enumeration shrinks", text(**{"x-extensible-enum": ["a", "b"]}), text(**{"x-extensible-enum": ["a"]}), BREAKS, FITS, ALL),
    ("a type that is none", S, {"type": "strnig"}, NOT_SAID, NOT_SAID, ALL),
    ("fields that are none", obj(x=S), {"type": "object", "properties": 17}, NOT_SAID, NOT_SAID, ALL),
]  # fmt: skip


def definition(version: str, *, sent: Any = None, read: Any = None, **more: Any) -> Definition:
    """One operation that takes and gives these, in one of the versions; `more` are further keys of the operation."""
    wrap = obj("v", v=sent) if sent is not None else None
    shown = obj("v", v=read) if read is not None else obj("ok", ok=B)
    operation: Definition = {"responses": {}, **more}
    if version == SWAGGER_2:
        operation["responses"] |= {"200": {"description": "", "schema": shown}}
        if wrap is not None:
            operation.setdefault("parameters", []).append(
                {"in": "body", "name": "b", "required": True, "schema": wrap}
            )
        return {
            "swagger": "2.0",
            "info": {"title": "t", "version": "1"},
            "paths": {"/a": {"post": operation}},
        }
    operation["responses"] |= {"200": {"description": "", "content": {"application/json": {"schema": shown}}}}
    if wrap is not None:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": wrap}}}
    return {
        "openapi": f"{version}.0",
        "info": {"title": "t", "version": "1"},
        "paths": {"/a": {"post": operation}},
    }


def schema_pairs() -> Iterator[Pair]:
    """Each change of a schema in a request and in an answer, in each version, forwards and backwards."""
    rows = [
        *((f"{n}", w, s, BREAKS, FITS, v) for n, w, s, v in NARROWER),
        *((f"{n}, backwards", s, w, FITS, BREAKS, v) for n, w, s, v in NARROWER),
        *((f"{n}", w, s, BREAKS, BREAKS, v) for n, w, s, v in UNLIKE),
        *((f"{n}, backwards", s, w, BREAKS, BREAKS, v) for n, w, s, v in UNLIKE),
        *((f"{n}", w, s, FITS, FITS, v) for n, w, s, v in ALIKE),
        *((f"{n}, backwards", s, w, FITS, FITS, v) for n, w, s, v in ALIKE),
        *FIELDS,
    ]
    for name, was, now, if_sent, if_read, versions in rows:
        for version in versions:
            for where, answer in (("sent", if_sent), ("read", if_read)):
                yield Pair(
                    name=f"{version} {where}: {name}",
                    before=definition(version, **{where: was}),
                    after=definition(version, **{where: now}),
                    answer=answer,
                )


Change = Callable[[Definition], None]


def at(path: str, value: Any) -> Change:
    """Sets what stands at a path of keys; `None` takes it away."""

    def change(document: Definition) -> None:
        *steps, last = path.split(" ")
        place: Any = document
        for step in steps:
            place = place[int(step)] if isinstance(place, list) else place.setdefault(step, {})
        key: Any = int(last) if isinstance(place, list) else last
        if value is None:
            del place[key]
        else:
            place[key] = copy.deepcopy(value)

    return change


def param(
    name: str, where: str = "query", *, version: str = OPENAPI_30, schema: Any = None, **more: Any
) -> Any:
    """A parameter in one of the versions."""
    schema = S if schema is None else schema
    return {"in": where, "name": name, **({"required": True} if where == "path" else {}), **(schema if version == SWAGGER_2 else {"schema": schema}), **more}  # fmt: skip


def _base(version: str) -> Definition:
    """A definition with a little of everything."""
    found = definition(version, sent=S, read=S)
    post = found["paths"]["/a"]["post"]
    post["parameters"] = [
        *post.get("parameters", []),
        param("q", version=version),
        param("X-One", "header", version=version),
    ]
    header = {"X-Left": dict(I) if version == SWAGGER_2 else {"required": True, "schema": I}, "X-Also": dict(S) if version == SWAGGER_2 else {"schema": S}}  # fmt: skip
    post["responses"]["200"]["headers"] = header
    post["responses"]["404"] = {"description": ""}
    found["paths"]["/b/{id}"] = {
        "parameters": [param("id", "path", version=version, schema=I)],
        "get": {"responses": {"200": {"description": ""}, "204": {"description": ""}}},
    }
    schemes = {
        "key": {"type": "apiKey", "in": "header", "name": "X-Key"},
        "two": {"type": "apiKey", "in": "query", "name": "k"},
    }
    scopes = {"read": "", "write": ""}
    if version == SWAGGER_2:
        found["basePath"] = "/v1"
        found["securityDefinitions"] = {**schemes, "oauth": {"type": "oauth2", "flow": "application", "tokenUrl": "https://id/t", "scopes": scopes}}  # fmt: skip
    else:
        flows = {"clientCredentials": {"tokenUrl": "https://id/t", "scopes": scopes}}
        found["servers"] = [{"url": "https://one.example.com/v1"}]
        found["components"] = {"securitySchemes": {**schemes, "oauth": {"type": "oauth2", "flows": flows}}}
    return found


# Two kinds that a field tells apart by words of a list.
TOLD_APART = {"oneOf": [ref("Cat"), ref("Dog")], "discriminator": {"propertyName": "kind", "mapping": {"cat": "#/components/schemas/Cat", "dog": "#/components/schemas/Dog"}}}  # fmt: skip
PETS = [
    at("components schemas Cat", obj("kind lives", kind=S, lives=I)),
    at("components schemas Dog", obj("kind tricks", kind=S, tricks=S)),
]

POST, GET = "paths /a post", "paths /b/{id} get"
BODY, OK = f"{POST} requestBody", f"{POST} responses 200"
JSON, XML = {"application/json": {"schema": obj("v", v=S)}}, {"application/xml": {"schema": obj("v", v=S)}}
OAUTH = [{"oauth": ["read"]}]
# (name, what is there before, the change, answer, answer backwards, versions)
CHANGES: list[tuple[str, list[Change], list[Change], str, str, tuple[str, ...]]] = [
    ("an operation goes", [], [at("paths /b/{id} get", None)], BREAKS, FITS, ALL),
    ("a path goes", [], [at("paths /a", None)], BREAKS, FITS, ALL),
    ("a path is renamed", [at("paths /c get responses", {"200": {"description": ""}})], [at("paths /c", None), at("paths /d get responses", {"200": {"description": ""}})], BREAKS, BREAKS, ALL),
    ("a deprecated operation goes after its day", [at(f"{GET} deprecated", True), at(f"{GET} x-sunset", "2020-01-31")], [at("paths /b/{id} get", None)], FITS, FITS, ALL),
    ("a deprecated operation goes before its day", [at(f"{GET} deprecated", True), at(f"{GET} x-sunset", "2099-01-31")], [at("paths /b/{id} get", None)], BREAKS, FITS, ALL),
    ("a deprecated operation without a day goes", [at(f"{GET} deprecated", True)], [at("paths /b/{id} get", None)], NOT_SAID, FITS, ALL),
    ("an operation is deprecated", [], [at(f"{GET} deprecated", True)], FITS, FITS, ALL),
    ("the day of its end comes nearer", [at(f"{GET} deprecated", True), at(f"{GET} x-sunset", "2099-01-31")], [at(f"{GET} x-sunset", "2098-01-31")], NOT_SAID, FITS, ALL),
    ("a draft goes", [at(f"{GET} x-stability-level", "draft")], [at("paths /b/{id} get", None)], NOT_SAID, FITS, ALL),
    ("it is less stable", [at(f"{GET} x-stability-level", "stable")], [at(f"{GET} x-stability-level", "beta")], NOT_SAID, FITS, ALL),
    ("tags, ids and words", [], [at(f"{GET} tags", ["t"]), at(f"{GET} operationId", "o"), at(f"{GET} summary", "s"), at("info title", "n"), at("tags", [{"name": "t"}])], FITS, FITS, ALL),
    ("an answer that succeeds goes", [], [at(f"{GET} responses 204", None)], BREAKS, FITS, ALL),
    ("an answer that fails goes", [], [at(f"{POST} responses 404", None)], FITS, FITS, ALL),
    ("an answer's header that is always there goes", [], [at(f"{OK} headers X-Left", None)], BREAKS, FITS, LATER),
    ("an answer's header that may be there goes", [], [at(f"{OK} headers X-Also", None)], NOT_SAID, FITS, ALL),
    ("a header is no longer always there", [], [at(f"{OK} headers X-Left required", False)], BREAKS, FITS, LATER),
    ("a header of another type", [], [at(f"{OK} headers X-Left schema", N)], BREAKS, FITS, LATER),
    ("a header of another type, in version 2", [], [at(f"{OK} headers X-Left", N)], BREAKS, FITS, (SWAGGER_2,)),
    ("the body is required", [at(f"{BODY} required", None)], [at(f"{BODY} required", True)], BREAKS, FITS, LATER),
    ("the body goes", [], [at(BODY, None)], BREAKS, BREAKS, LATER),
    ("a body that may be left out comes", [at(BODY, None)], [at(BODY, {"content": JSON})], FITS, BREAKS, LATER),
    ("a media type of a request goes", [at(f"{BODY} content", JSON | XML)], [at(f"{BODY} content", JSON)], BREAKS, FITS, LATER),
    ("a media type of an answer goes", [at(f"{OK} content", JSON | XML)], [at(f"{OK} content", XML)], BREAKS, FITS, LATER),
    ("a media type of an answer becomes another", [at(f"{OK} content", JSON)], [at(f"{OK} content", XML)], BREAKS, BREAKS, LATER),
    ("a media type of an answer becomes wider", [at(f"{OK} content", JSON)], [at(f"{OK} content", {"application/*": JSON["application/json"]})], BREAKS, FITS, LATER),
    ("a media type of a request becomes wider", [at(f"{BODY} content", JSON)], [at(f"{BODY} content", {"*/*": JSON["application/json"]})], FITS, BREAKS, LATER),
    ("a list of numbers in a query becomes one of texts", [at(f"{GET} parameters", [param("n", schema=arr(I))])], [at(f"{GET} parameters", [param("n", schema=arr(S))])], FITS, BREAKS, LATER),
    ("a field of an object in a query becomes required", [at(f"{GET} parameters", [param("n", schema=obj(x=S), style="deepObject")])], [at(f"{GET} parameters", [param("n", schema=obj("x", x=S), style="deepObject")])], BREAKS, FITS, LATER),
    ("another way to log in comes", [at(f"{GET} security", OAUTH)], [at("components securitySchemes oauth flows implicit", {"authorizationUrl": "https://id/a", "scopes": {}})], FITS, BREAKS, LATER),
    ("a parameter of a media type", [at(f"{OK} content", JSON)], [at(f"{OK} content", {"application/json; charset=utf-8": JSON["application/json"]})], FITS, FITS, LATER),
    ("the second media type of a request changes", [at(f"{BODY} content", JSON | XML)], [at(f"{BODY} content application/xml schema", obj("v w", v=S, w=S))], BREAKS, NOT_SAID, LATER),
    ("what is produced goes", [at(f"{POST} produces", ["application/json", "application/xml"])], [at(f"{POST} produces", ["application/json"])], BREAKS, FITS, (SWAGGER_2,)),
    ("what is consumed goes, for all operations", [at("consumes", ["application/json", "application/xml"])], [at("consumes", ["application/json"])], BREAKS, FITS, (SWAGGER_2,)),
    ("an answer has no body any longer", [], [at(f"{OK} content", None)], BREAKS, FITS, LATER),
    ("a required parameter of the query", [], [at(f"{GET} parameters", [param("n", required=True)])], BREAKS, NOT_SAID, LATER),
    ("a required parameter with a default", [], [at(f"{GET} parameters", [param("n", required=True, schema=text(default="d"))])], BREAKS, NOT_SAID, LATER),
    ("a required parameter in version 2", [], [at(f"{GET} parameters", [param("n", required=True, version=SWAGGER_2)])], BREAKS, NOT_SAID, (SWAGGER_2,)),
    ("a required cookie", [], [at(f"{GET} parameters", [param("c", "cookie", required=True)])], BREAKS, NOT_SAID, LATER),
    ("a required parameter for all of a path", [], [at("paths /b/{id} parameters 0", param("id", "path", schema=I)), at(f"{POST} parameters", [param("q"), param("X-One", "header"), param("z", required=True)])], BREAKS, NOT_SAID, LATER),
    ("a parameter for all of a path becomes required", [at("paths /a parameters", [param("z")])], [at("paths /a parameters", [param("z", required=True)])], BREAKS, FITS, LATER),
    ("an optional parameter comes", [], [at(f"{GET} parameters", [param("n")])], FITS, NOT_SAID, LATER),
    ("a deprecated parameter goes", [at(f"{GET} parameters", [param("n", deprecated=True)])], [at(f"{GET} parameters", [])], FITS, FITS, LATER),
    ("a header that is a parameter becomes required", [], [at(f"{POST} parameters 1 required", True)], BREAKS, FITS, LATER),
    ("a header in other letters", [], [at(f"{POST} parameters 1 name", "x-one")], FITS, FITS, LATER),
    ("a parameter moves from the query to a header", [at(f"{GET} parameters", [param("n")])], [at(f"{GET} parameters", [param("n", "header")])], NOT_SAID, NOT_SAID, LATER),
    ("a parameter moves down from its path", [at("paths /a parameters", [param("z")])], [at("paths /a parameters", None), at(f"{POST} parameters", [param("q"), param("X-One", "header"), param("z")])], FITS, FITS, LATER),
    ("another default of a parameter", [at(f"{GET} parameters", [param("n", schema=text(default="a"))])], [at(f"{GET} parameters", [param("n", schema=text(default="b"))])], BREAKS, BREAKS, LATER),
    ("another default of a parameter in version 2", [at(f"{GET} parameters", [param("n", version=SWAGGER_2, default="a")])], [at(f"{GET} parameters", [param("n", version=SWAGGER_2, default="b")])], BREAKS, BREAKS, (SWAGGER_2,)),
    ("a default of a parameter comes", [at(f"{GET} parameters", [param("n")])], [at(f"{GET} parameters", [param("n", schema=text(default="b"))])], NOT_SAID, NOT_SAID, LATER),
    ("another default of a required parameter", [at(f"{GET} parameters", [param("n", required=True, schema=text(default="a"))])], [at(f"{GET} parameters", [param("n", required=True, schema=text(default="b"))])], FITS, FITS, LATER),
    ("a parameter of a path is renamed", [], [at("paths /b/{number}", {"parameters": [param("number", "path", schema=I)], "get": {"responses": {"200": {"description": ""}, "204": {"description": ""}}}}), at("paths /b/{id}", None)], FITS, FITS, LATER),
    ("a parameter of a path becomes an enumeration", [], [at("paths /b/{id} parameters 0 schema", {**I, "enum": [1, 2]})], BREAKS, FITS, LATER),
    ("a whole number in a query becomes a text", [at(f"{GET} parameters", [param("n", schema=I)])], [at(f"{GET} parameters", [param("n")])], FITS, BREAKS, LATER),
    ("one value in a query becomes a list", [at(f"{GET} parameters", [param("n")])], [at(f"{GET} parameters", [param("n", schema=arr(S))])], FITS, BREAKS, LATER),
    ("a list in a query is written otherwise", [at(f"{GET} parameters", [param("n", schema=arr(S))])], [at(f"{GET} parameters", [param("n", schema=arr(S), explode=False)])], BREAKS, BREAKS, LATER),
    ("a list in a query of version 2 is written otherwise", [at(f"{GET} parameters", [param("n", version=SWAGGER_2, schema=arr(S), collectionFormat="csv")])], [at(f"{GET} parameters", [param("n", version=SWAGGER_2, schema=arr(S), collectionFormat="multi")])], BREAKS, BREAKS, (SWAGGER_2,)),
    ("a query of version 2 of another type", [at(f"{GET} parameters", [param("n", version=SWAGGER_2)])], [at(f"{GET} parameters", [param("n", version=SWAGGER_2, schema=I)])], BREAKS, FITS, (SWAGGER_2,)),
    ("a field of a form becomes required", [at(f"{GET} parameters", [param("n", "formData", version=SWAGGER_2)])], [at(f"{GET} parameters", [param("n", "formData", version=SWAGGER_2, required=True)])], BREAKS, FITS, (SWAGGER_2,)),
    ("a field of a form of another type", [at(f"{GET} parameters", [param("n", "formData", version=SWAGGER_2)])], [at(f"{GET} parameters", [param("n", "formData", version=SWAGGER_2, schema=I)])], BREAKS, BREAKS, (SWAGGER_2,)),
    ("a parameter that is JSON", [at(f"{GET} parameters", [{"in": "query", "name": "n", "content": {"application/json": {"schema": N}}}])], [at(f"{GET} parameters", [{"in": "query", "name": "n", "content": {"application/json": {"schema": I}}}])], BREAKS, FITS, LATER),
    ("a parameter may not be empty", [at(f"{GET} parameters", [param("n", allowEmptyValue=True)])], [at(f"{GET} parameters", [param("n")])], NOT_SAID, FITS, LATER),
    ("the base path", [], [at("basePath", "/v2")], BREAKS, BREAKS, (SWAGGER_2,)),
    ("the path of the server", [], [at("servers", [{"url": "https://one.example.com/v2"}])], NOT_SAID, NOT_SAID, LATER),
    ("the host of the server", [], [at("servers", [{"url": "https://two.example.com/v1"}])], FITS, FITS, LATER),
    ("the host", [at("host", "a")], [at("host", "b")], FITS, FITS, (SWAGGER_2,)),
    ("the base path moves into the paths", [at("basePath", "/v1")], [at("basePath", "/"), at("paths /v1/a", definition(SWAGGER_2, sent=S, read=S)["paths"]["/a"])], BREAKS, BREAKS, (SWAGGER_2,)),
    ("a key is needed", [], [at(f"{GET} security", [{"key": []}])], BREAKS, FITS, ALL),
    ("a key is needed everywhere", [], [at("security", [{"key": []}])], BREAKS, FITS, ALL),
    ("a key is no longer needed", [at(f"{GET} security", [{"key": []}])], [at(f"{GET} security", [])], FITS, BREAKS, ALL),
    ("another key is good too", [at(f"{GET} security", [{"key": []}])], [at(f"{GET} security", [{"key": []}, {"two": []}])], FITS, BREAKS, ALL),
    ("another key is needed too", [at(f"{GET} security", [{"key": []}])], [at(f"{GET} security", [{"key": [], "two": []}])], BREAKS, FITS, ALL),
    ("another scope is needed", [at(f"{GET} security", OAUTH)], [at(f"{GET} security", [{"oauth": ["read", "write"]}])], BREAKS, FITS, ALL),
    ("a key may be left out", [at(f"{GET} security", [{"key": []}])], [at(f"{GET} security", [{"key": []}, {}])], FITS, BREAKS, ALL),
    ("a scheme under another name", [at(f"{GET} security", [{"key": []}]), at("components securitySchemes same", {"type": "apiKey", "in": "header", "name": "x-key"})], [at(f"{GET} security", [{"same": []}])], FITS, FITS, LATER),
    ("a key in another header", [at(f"{GET} security", [{"key": []}])], [at("components securitySchemes key name", "X-Other")], BREAKS, BREAKS, LATER),
    ("another address to log in", [at(f"{GET} security", OAUTH)], [at("components securitySchemes oauth flows clientCredentials tokenUrl", "https://new/t")], NOT_SAID, NOT_SAID, LATER),
    ("a webhook goes", [at("webhooks paid post", {"requestBody": {"content": JSON}, "responses": {"200": {"description": ""}}})], [at("webhooks paid", None)], BREAKS, FITS, NEW),
    ("a webhook says more", [at("webhooks paid post", {"requestBody": {"content": {"application/json": {"schema": obj("s", s=text(enum=["a"]))}}}, "responses": {"200": {"description": ""}}})], [at("webhooks paid post requestBody content application/json schema properties s enum", ["a", "b"])], BREAKS, FITS, NEW),
    ("a callback goes", [at(f"{GET} callbacks", {"done": {"{$request.query.u}": {"post": {"requestBody": {"content": JSON}, "responses": {"200": {"description": ""}}}}}})], [at(f"{GET} callbacks", None)], BREAKS, FITS, LATER),
    ("a callback holds a field less", [at(f"{GET} callbacks", {"done": {"{$request.query.u}": {"post": {"requestBody": {"content": {"application/json": {"schema": obj(s=S, t=S)}}}, "responses": {"200": {"description": ""}}}}}})], [at(f"{GET} callbacks done {{$request.query.u}} post requestBody content application/json schema properties t", None)], BREAKS, FITS, LATER),
    ("a status becomes its class", [], [at(f"{GET} responses", {"2XX": {"description": ""}})], FITS, NOT_SAID, LATER),
    ("a status is left to the default", [], [at(f"{GET} responses", {"default": {"description": ""}})], NOT_SAID, FITS, ALL),
    ("a field of a failed answer goes", [at(f"{GET} responses 400", {"description": "", "content": {"application/json": {"schema": obj("why", why=S)}}})], [at(f"{GET} responses 400 content application/json schema", obj(what=S))], BREAKS, BREAKS, LATER),
    ("a path item by a reference", [], [at("components pathItems P", {"parameters": [param("id", "path", schema=I)], "get": {"responses": {"200": {"description": ""}, "204": {"description": ""}}}}), at("paths /b/{id}", {"$ref": "#/components/pathItems/P"})], FITS, FITS, NEW),
    ("a schema by a reference", [], [at("components schemas W", obj("v", v=S)), at(f"{BODY} content application/json schema", ref("W"))], FITS, FITS, LATER),
    ("a reference with a slash in its name", [at("components schemas a/b", obj("v", v=S)), at(f"{BODY} content application/json schema", {"$ref": "#/components/schemas/a~1b"})], [at(f"{GET} summary", "s")], FITS, FITS, LATER),
    ("a schema behind a reference", [at("components schemas W", obj("v", v=S)), at(f"{BODY} content application/json schema", ref("W"))], [at("components schemas W properties v", text(maxLength=3))], BREAKS, FITS, LATER),
    ("a schema in another file", [at(f"{OK} content application/json schema", {"$ref": "common.json#/Order"})], [at(f"{GET} summary", "s")], NOT_SAID, NOT_SAID, LATER),
    ("a reference to nothing", [at(f"{OK} content application/json schema", ref("Nowhere"))], [at(f"{GET} summary", "s")], NOT_SAID, NOT_SAID, LATER),
    ("a schema that nobody uses goes", [at("components schemas W", S)], [at("components schemas W", None)], FITS, FITS, LATER),
    ("a definition of version 2 behind a reference", [at("definitions W", obj("v", v=S)), at(f"{OK} schema", {"$ref": "#/definitions/W"})], [at("definitions W properties v", I)], BREAKS, BREAKS, (SWAGGER_2,)),
    ("a tree whose leaves change", [at("components schemas T", obj(leaf=S, kids=arr(ref("T")))), at(f"{OK} content application/json schema", ref("T"))], [at("components schemas T properties leaf", I)], BREAKS, BREAKS, LATER),
    ("a tree that gains something", [at("components schemas T", obj(leaf=S, kids=arr(ref("T")))), at(f"{OK} content application/json schema", ref("T"))], [at("components schemas T properties age", I)], FITS, BREAKS, LATER),
    ("alternatives that refer to themselves", [at("components schemas T", {"anyOf": [S, ref("T")]}), at(f"{OK} content application/json schema", ref("T"))], [at("components schemas T anyOf", [S, I, ref("T")])], BREAKS, FITS, LATER),
    ("lists that refer to themselves", [at("components schemas T", {"anyOf": [S, arr(ref("T"))]}), at(f"{OK} content application/json schema", ref("T"))], [at("components schemas T anyOf", [S, I, arr(ref("T"))])], BREAKS, FITS, LATER),
    ("an alternative that overlaps another", [at(f"{BODY} content application/json schema", {"oneOf": [text(maxLength=5), I]})], [at(f"{BODY} content application/json schema", {"oneOf": [text(maxLength=5), I, S]})], BREAKS, BREAKS, LATER),
    ("a word of the discriminator", [*PETS, at(f"{BODY} content", JSON), at(f"{BODY} content application/json schema", TOLD_APART)], [at(f"{BODY} content application/json schema discriminator mapping", {"kitty": "#/components/schemas/Cat", "dog": "#/components/schemas/Dog"})], NOT_SAID, NOT_SAID, LATER),
    ("a slash at the end of a path", [], [at("paths /a/", {"post": {"responses": {"200": {"description": ""}}}}), at("paths /a", None)], BREAKS, BREAKS, ALL),
    ("a part of a form takes fewer media types", [at(f"{BODY} content", {"multipart/form-data": {"schema": obj(f=S), "encoding": {"f": {"contentType": "image/png, image/jpeg"}}}})], [at(f"{BODY} content multipart/form-data encoding f contentType", "image/png")], NOT_SAID, FITS, LATER),
    ("a part of a form is written otherwise", [at(f"{BODY} content", {"multipart/form-data": {"schema": obj(f=arr(S)), "encoding": {"f": {"style": "form", "explode": True}}}})], [at(f"{BODY} content multipart/form-data encoding f explode", False)], NOT_SAID, NOT_SAID, LATER),
    ("servers of an operation of its own", [], [at(f"{GET} servers", [{"url": "https://one.example.com/v2"}])], NOT_SAID, NOT_SAID, LATER),
    ("servers of a path of its own", [], [at("paths /a servers", [{"url": "https://one.example.com/v2"}])], NOT_SAID, NOT_SAID, LATER),
    ("servers of an operation of its own, elsewhere by the same path", [at("servers", [{"url": "https://one.example.com/v1"}])], [at(f"{GET} servers", [{"url": "https://two.example.com/v1"}])], FITS, FITS, LATER),
    ("a method that has no name of its own", [at("paths /a additionalOperations", {"COPY": {"responses": {"200": {"description": ""}}}})], [at("paths /a additionalOperations", None)], BREAKS, FITS, NEW),
    ("items that follow each other", [at(f"{OK} content", {"application/jsonl": {"itemSchema": obj(x=S)}})], [at(f"{OK} content application/jsonl itemSchema properties x", I)], BREAKS, BREAKS, NEW),
    ("items that follow each other, with more", [at(f"{OK} content", {"application/jsonl": {"itemSchema": obj(x=S)}})], [at(f"{OK} content application/jsonl itemSchema properties y", I)], FITS, BREAKS, NEW),
    ("a name in XML", [at(f"{OK} content", {"application/xml": {"schema": obj(x=text(xml={"name": "a"}))}})], [at(f"{OK} content application/xml schema properties x xml name", "b")], NOT_SAID, NOT_SAID, LATER),
    ("a name in XML that JSON does not have", [at(f"{OK} content", {"application/json": {"schema": obj(x=text(xml={"name": "a"}))}})], [at(f"{OK} content application/json schema properties x xml name", "b")], FITS, FITS, LATER),
    ("an attribute in XML, of a schema that holds itself", [at("components schemas T", obj(leaf=text(xml={"attribute": True}), kids=arr(ref("T")))), at(f"{BODY} content", {"text/xml": {"schema": ref("T")}})], [at("components schemas T properties leaf xml attribute", False)], NOT_SAID, NOT_SAID, LATER),
    ("what stands in a path is stated", [at("paths /c/{n}", {"get": {"responses": {"200": {"description": ""}}}})], [at("paths /c/{n} get parameters", [param("n", "path")])], NOT_SAID, NOT_SAID, LATER),
    ("another address for a new token", [at(f"{GET} security", OAUTH), at("components securitySchemes oauth flows clientCredentials refreshUrl", "https://one/r")], [at("components securitySchemes oauth flows clientCredentials refreshUrl", "https://two/r")], NOT_SAID, NOT_SAID, LATER),
    ("a token becomes a user and a password", [at("components securitySchemes h", {"type": "http", "scheme": "bearer"}), at(f"{POST} security", [{"h": []}])], [at("components securitySchemes h scheme", "basic")], BREAKS, BREAKS, LATER),
    ("what a token looks like, for people", [at("components securitySchemes h", {"type": "http", "scheme": "bearer"}), at(f"{POST} security", [{"h": []}])], [at("components securitySchemes h bearerFormat", "JWT")], FITS, FITS, LATER),
    ("a header takes fewer values", [at(f"{POST} parameters 1 schema", text(enum=["a", "b"]))], [at(f"{POST} parameters 1 schema", text(enum=["a"]))], BREAKS, FITS, LATER),
    ("a header of an answer may be missing", [], [at(f"{OK} headers X-Left required", False)], BREAKS, FITS, LATER),
    ("links of an answer", [at(f"{OK} links", {"next": {"operationId": "x"}})], [at(f"{OK} links", None)], FITS, FITS, LATER),
    ("limits beside a reference", [at("components schemas W", obj("v", v=S)), at(f"{BODY} content application/json schema", ref("W"))], [at(f"{BODY} content application/json schema", {**ref("W"), "required": ["v", "w"]})], BREAKS, FITS, NEW),
    ("limits beside a reference, which say nothing", [at("components schemas W", obj("v", v=S)), at(f"{BODY} content application/json schema", ref("W"))], [at(f"{BODY} content application/json schema", {**ref("W"), "required": ["v", "w"]})], NOT_SAID, FITS, (OPENAPI_30,)),
    ("fields that nothing names are closed", [at(f"{BODY} content application/json schema", {"allOf": [obj(x=S)]})], [at(f"{BODY} content application/json schema unevaluatedProperties", False)], NOT_SAID, FITS, NEW),
    ("a schema that depends on a field", [at(f"{BODY} content application/json schema", obj(a=S, b=S))], [at(f"{BODY} content application/json schema dependentSchemas", {"a": {"required": ["b"]}})], NOT_SAID, FITS, NEW),
    ("more of them among the items", [at(f"{BODY} content application/json schema", arr(S, contains={"const": "a"}))], [at(f"{BODY} content application/json schema minContains", 2)], NOT_SAID, FITS, NEW),
    ("limits that limit nothing", [at(f"{BODY} content application/json schema", obj(x=S, y=arr(S)))], [at(f"{BODY} content application/json schema", {**obj(x=text(minLength=0, nullable=False), y=arr(S, minItems=0, uniqueItems=False)), "additionalProperties": {}, "minProperties": 0})], FITS, FITS, (OPENAPI_30,)),
    ("an open bound without a bound", [at(f"{BODY} content application/json schema", dict(N))], [at(f"{BODY} content application/json schema exclusiveMaximum", True)], FITS, FITS, (OPENAPI_30,)),
    ("a fraction as the least whole number", [at(f"{BODY} content application/json schema", {**I, "minimum": 0.5})], [at(f"{BODY} content application/json schema minimum", 1)], FITS, FITS, LATER),
    ("nothing fits", [at(f"{BODY} content application/json schema", dict(S))], [at(f"{BODY} content application/json schema not", {})], NOT_SAID, FITS, LATER),
    ("null, by the word that version 2 has for it", [at("definitions W", obj("v", v={**S, "x-nullable": False})), at(f"{OK} schema", {"$ref": "#/definitions/W"})], [at("definitions W properties v x-nullable", True)], BREAKS, FITS, (SWAGGER_2,)),
    ("reserved characters in a query", [at(f"{GET} parameters", [param("n", allowReserved=True)])], [at(f"{GET} parameters", [param("n")])], NOT_SAID, FITS, LATER),
    ("a schema by its anchor", [at("components schemas W", {"$anchor": "w", **obj("v", v=S)}), at(f"{BODY} content application/json schema", {"$ref": "#w"})], [at("components schemas W properties v", I)], BREAKS, BREAKS, NEW),
    ("a schema that is found at the time", [at("components schemas W", {"$dynamicAnchor": "n", **obj("v", v=S)}), at(f"{BODY} content application/json schema", {"$dynamicRef": "#n"})], [at("components schemas W properties v", I)], NOT_SAID, NOT_SAID, NEW),
    ("null among the values", [at(f"{OK} content application/json schema", {**S, "nullable": True, "enum": ["a", None]})], [at(f"{OK} content application/json schema", text(enum=["a"]))], FITS, BREAKS, (OPENAPI_30,)),
    ("a class of statuses beside one of it", [], [at(f"{POST} responses 4XX", {"description": ""})], FITS, FITS, LATER),
]  # fmt: skip


def document_pairs() -> Iterator[Pair]:
    """Each change of a definition, in each version that has it, forwards and backwards."""
    for name, first, then, answer, backwards, versions in CHANGES:
        for version in versions:
            before = _base(version)
            for change in first:
                change(before)
            after = copy.deepcopy(before)
            for change in then:
                change(after)
            yield Pair(name=f"{version}: {name}", before=before, after=after, answer=answer)
            yield Pair(name=f"{version}: {name}, backwards", before=after, after=before, answer=backwards)


def across_versions() -> Iterator[Pair]:
    """The same API in two versions, and with one change."""
    for one in ALL:
        for other in ALL:
            if one != other:
                was, now = (
                    definition(one, sent=obj(x=S), read=obj(x=S)),
                    definition(other, sent=obj(x=S), read=obj(x=S)),
                )
                yield Pair(name=f"{one} to {other}", before=was, after=now, answer=FITS)
                worse = definition(other, sent=obj("x", x=S), read=obj(x=S))
                yield Pair(name=f"{one} to {other}, narrower", before=was, after=worse, answer=BREAKS)
    was = definition(OPENAPI_30, sent={**S, "nullable": True}, read={**S, "nullable": True})
    now = definition(OPENAPI_31, sent={"type": ["string", "null"]}, read={"type": ["string", "null"]})
    yield Pair(name="nullable becomes a list of types", before=was, after=now, answer=FITS)
    strict = definition(OPENAPI_31, sent=S, read=S)
    yield Pair(name="nullable becomes a type alone", before=was, after=strict, answer=BREAKS)


PAIRS = [*schema_pairs(), *document_pairs(), *across_versions()]
