"""What a change of an API definition breaks: pairs with their right answers, an independent oracle, and documents of any kind."""

from __future__ import annotations

import copy
import datetime as dt
import functools
import json
import time
from typing import Any

import contract_pairs
import jsonschema
import pytest
from contract_pairs import BREAKS, FITS, NOT_SAID, OPENAPI_31, PAIRS, Pair, arr, definition, obj, ref
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proofbook.judge.contracts.compare import Change, changes
from proofbook.judge.contracts.containment import Containment
from proofbook.judge.contracts.document import read
from proofbook.judge.contracts.membership import Membership
from proofbook.judge.contracts.shapes import Part, Side
from proofbook.judge.contracts.words import MOST_SHOWN, sentence, summary

TODAY = dt.date(2026, 1, 1)
# The part of what breaks that is found for certain, and of the rest nobody says that it passes.
LEAST_DECIDED = 0.93
BOUNDED = settings(
    max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)  # fmt: skip


def answer_to(before: Any, after: Any) -> str:
    found = changes(before, after, today=TODAY)
    return BREAKS if any(item.sure for item in found) else NOT_SAID if found else FITS


def test_there_are_more_than_a_hundred_pairs_of_each_version_and_each_has_a_name_of_its_own() -> None:
    assert len({pair.name for pair in PAIRS}) == len(PAIRS)
    for version in contract_pairs.ALL:
        assert sum(pair.name.startswith(version) for pair in PAIRS) > 300


@functools.cache
def answers() -> dict[str, tuple[Change, ...]]:
    """What is said of each pair, by its name."""
    return {pair.name: changes(pair.before, pair.after, today=TODAY) for pair in PAIRS}


def answer_of(pair: Pair) -> str:
    found = answers()[pair.name]
    return BREAKS if any(item.sure for item in found) else NOT_SAID if found else FITS


@pytest.mark.slow
def test_no_breaking_pair_passes_and_no_harmless_one_fails() -> None:
    wrong = [
        (pair.name, pair.answer, got)
        for pair in PAIRS
        if (got := answer_of(pair)) != pair.answer and (pair.answer, got) != (BREAKS, NOT_SAID)
    ]
    assert not wrong, wrong[:20]


@pytest.mark.slow
def test_nearly_all_that_breaks_is_told_for_certain() -> None:
    breaking = [pair for pair in PAIRS if pair.answer == BREAKS]
    decided = sum(answer_of(pair) == BREAKS for pair in breaking)
    assert decided / len(breaking) >= LEAST_DECIDED, f"{decided} of {len(breaking)}"


def test_every_definition_fits_itself_unless_a_part_of_it_is_elsewhere() -> None:
    for pair in PAIRS:
        elsewhere = "another file" in pair.name or "to nothing" in pair.name
        assert answer_to(pair.before, copy.deepcopy(pair.before)) == (NOT_SAID if elsewhere else FITS), (
            pair.name
        )


@pytest.mark.slow
def test_every_change_has_words_that_name_its_operation() -> None:
    for pair in PAIRS:
        for item in answers()[pair.name]:
            told = sentence(item)
            assert told.startswith(item.operation) and "changed (" not in told and "  " not in told, told


# An oracle --------------------------------------------------------------------------------------------------------------

SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 12), st.sampled_from([0.5, 2.5, 7.0]), st.text("ab", max_size=4)
)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3), max_leaves=4)
LEAVES = st.one_of(
    st.fixed_dictionaries({"type": st.sampled_from(["null", "boolean"])}),
    st.fixed_dictionaries(
        {"type": st.sampled_from(["integer", "number"])},
        optional={
            "minimum": st.integers(-3, 9),
            "exclusiveMinimum": st.integers(-3, 9),
            "maximum": st.integers(-3, 9),
            "exclusiveMaximum": st.integers(-3, 9),
            "multipleOf": st.sampled_from([1, 2, 3, 0.5]),
        },
    ),
    st.fixed_dictionaries(
        {"type": st.just("string")},
        optional={
            "minLength": st.integers(0, 3),
            "maxLength": st.integers(0, 3),
            "pattern": st.sampled_from(["^a", "b$", ".*"]),
        },
    ),
    st.fixed_dictionaries({"enum": st.lists(SCALARS, min_size=1, max_size=4)}),
    st.fixed_dictionaries({"const": VALUES}),
    st.fixed_dictionaries(
        {"type": st.lists(st.sampled_from(["string", "integer", "null"]), min_size=1, unique=True)}
    ),
)


def larger(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.fixed_dictionaries(
            {"type": st.just("array"), "items": inner},
            optional={
                "minItems": st.integers(0, 2),
                "maxItems": st.integers(0, 3),
                "uniqueItems": st.booleans(),
                "prefixItems": st.lists(inner, min_size=1, max_size=2),
            },
        ),
        *(
            st.fixed_dictionaries({key: st.lists(inner, min_size=1, max_size=3)})
            for key in ("anyOf", "allOf", "oneOf")
        ),
        st.fixed_dictionaries({"not": inner}, optional={"type": st.sampled_from(["string", "integer"])}),
    )


SCHEMAS = st.recursive(LEAVES, larger, max_leaves=5)


def parts(*schemas: Any) -> list[Part]:
    """Schemas as parts of documents of their own."""
    found = [
        read({"openapi": "3.1.0", "paths": {}, "components": {"schemas": {"S": item}}}) for item in schemas
    ]
    return [
        Part(document=item, raws=(item.target("#/components/schemas/S"),), side=Side.SENT) for item in found
    ]


def fits_by_the_book(value: Any, schema: Any) -> bool:
    # Python's jsonschema takes `a` in `.*$` for itself; both engines agree on the patterns of these tests.
    return bool(jsonschema.Draft202012Validator(schema).is_valid(value))


@st.composite
def related(draw: st.DrawFn) -> tuple[Any, Any]:
    """Two schemas, often made so that one holds the other."""
    one, other, third = draw(SCHEMAS), draw(SCHEMAS), draw(SCHEMAS)
    return draw(
        st.sampled_from(
            [
                (one, other),
                (one, {"anyOf": [other, one]}),
                ({"allOf": [one, other]}, one),
                ({"anyOf": [one, other]}, {"anyOf": [third, other, one]}),
                ({"allOf": [one, other]}, {"allOf": [other, third]}),
                ({"oneOf": [one, other]}, {"anyOf": [other, one]}),
                ({"type": "array", "items": one}, {"type": "array", "items": {"anyOf": [one, other]}}),
            ]
        )
    )


@pytest.mark.slow
@settings(BOUNDED, max_examples=250)
@given(related(), st.lists(VALUES, min_size=8, max_size=8))
def test_what_is_said_of_two_schemas_agrees_with_an_independent_validator(
    pair: tuple[Any, Any], values: list[Any]
) -> None:
    narrow, wide = pair
    sub, sup = parts(narrow, wide)
    containment = Containment()
    found = containment.differences(sub, sup)
    member = Membership(containment.known)
    tried = list(values)
    for part in (sub, sup):
        tried += [value for shape in containment.shapes(part) for value in member.examples(shape, part)]
    for value in tried:
        fits = [fits_by_the_book(value, schema) for schema in (narrow, wide)]
        assert found or not fits[0] or fits[1], (value, narrow, wide)
        for part, right in zip((sub, sup), fits, strict=True):
            assert member.fits(value, part) in (None, right), (value, part.raws)


# Documents of any kind ----------------------------------------------------------------------------------------------------

KEYS = st.sampled_from(
    ["paths", "openapi", "swagger", "/a", "get", "post", "parameters", "requestBody", "content", "application/json", "schema", "responses", "200",
     "default", "headers", "type", "properties", "items", "allOf", "anyOf", "oneOf", "not", "$ref", "enum", "required", "additionalProperties", "in",
     "name", "security", "components", "schemas", "callbacks", "webhooks", "servers", "url", "basePath", "definitions", "format", "minimum", "pattern"]
)  # fmt: skip
WORDS = st.sampled_from(["3.0.0", "2.0", "3.1.0", "string", "object", "array", "query", "path", "#/components/schemas/a", "#/paths", "#", "x.json#/a", ""])  # fmt: skip
JSONS = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), WORDS),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(KEYS, inner, max_size=5)),
    max_leaves=30,
)


@pytest.mark.slow
@settings(BOUNDED, max_examples=100)
@given(JSONS, JSONS)
def test_no_document_is_too_odd_to_be_judged(one: Any, other: Any) -> None:
    for before, after in ((one, other), (one, copy.deepcopy(one))):
        for item in changes(before, after, today=TODAY):
            assert sentence(item)


@pytest.mark.slow
@settings(BOUNDED, max_examples=120)
@given(st.sampled_from([pair for pair in PAIRS if " sent" not in pair.name]), st.data())
def test_no_part_of_a_definition_is_too_odd_to_be_judged(pair: Pair, data: st.DataObject) -> None:
    after = copy.deepcopy(pair.after)
    place = after
    while True:
        key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        inner = place[key]
        if not isinstance(inner, dict | list) or not inner or data.draw(st.booleans()):
            place[key] = data.draw(JSONS)
            break
        place = inner
    for item in (*changes(pair.before, after, today=TODAY), *changes(after, pair.before, today=TODAY)):
        assert sentence(item)


@pytest.mark.parametrize(
    "odd",
    [
        {"components": True, "security": [{"key": []}]},
        {"components": {"securitySchemes": 7}, "security": [{"key": []}]},
        {"servers": 1},
        {"servers": True},
        {"servers": [{"url": "https://{a}", "variables": 3}]},
    ],
)
def test_what_is_no_mapping_or_list_is_unclear_and_stops_nothing(odd: dict[str, Any]) -> None:
    well = {"openapi": "3.0.0", "paths": {"/a": {"get": {"responses": {"200": {"description": ""}}}}}}
    for pair in ((well, {**well, **odd}), ({**well, **odd}, well)):
        found = changes(*pair, today=TODAY)
        assert found and not any(item.sure for item in found), found


def nested(levels: int, *, leaf: Any) -> Any:
    for _ in range(levels):
        leaf = obj(x=leaf)
    return leaf


def test_how_deep_a_schema_is_does_not_matter() -> None:
    deep = [definition(OPENAPI_31, read=nested(200, leaf={"type": kind})) for kind in ("string", "integer")]
    assert answer_to(*deep) == BREAKS
    assert answer_to(deep[0], copy.deepcopy(deep[0])) == FITS


def test_a_document_with_too_many_levels_is_not_said_to_fit() -> None:
    lists: Any = "string"
    for _ in range(5000):
        lists = [lists]
    assert answer_to(definition(OPENAPI_31, read={"enum": lists}), definition(OPENAPI_31, read={"enum": [lists]})) == NOT_SAID  # fmt: skip


def test_a_schema_with_very_many_alternatives_is_not_said_to_fit_and_takes_no_time() -> None:
    many = {
        "allOf": [{"anyOf": [{"type": "string", "minLength": n * k} for n in range(12)]} for k in range(8)]
    }
    more = {**many, "maxLength": 5}
    began = time.process_time()
    assert answer_to(definition(OPENAPI_31, sent=many), definition(OPENAPI_31, sent=more)) == NOT_SAID
    assert time.process_time() - began < 10


@pytest.mark.slow
def test_definitions_with_many_operations_that_share_schemas_are_compared_in_seconds() -> None:
    def large(kind: str) -> Any:
        schemas = {
            f"S{n}": obj(
                "a", a={"type": "string"}, b={"type": kind if n == 150 else "number"}, c=ref(f"S{(n * 7 + 1) % 300}"), d=arr(ref(f"S{(n * 3 + 2) % 300}"))
            )
            for n in range(300)
        }  # fmt: skip
        paths = {f"/p{n}": definition(OPENAPI_31, sent=ref(f"S{n}"), read=ref(f"S{n}"))["paths"]["/a"] for n in range(300)}  # fmt: skip
        return {"openapi": "3.1.0", "paths": paths, "components": {"schemas": schemas}}

    began = time.process_time()
    found = changes(large("number"), large("string"), today=TODAY)
    assert any(item.sure for item in found)
    assert time.process_time() - began < 60


# Words ------------------------------------------------------------------------------------------------------------------


def test_the_summary_says_for_whom_what_broke_and_counts_the_rest() -> None:
    before = definition(OPENAPI_31, sent=obj(**{f"f{n}": {"type": "number"} for n in range(9)}), read={"type": "number"})  # fmt: skip
    after = definition(OPENAPI_31, sent=obj(**{f"f{n}": {"type": "integer"} for n in range(9)}), read={"type": "string"})  # fmt: skip
    told = summary(changes(before, after), operations=1)
    assert told == (
        "breaks clients that send in 1 of 1 operations: POST /a: the request field v.f0 no longer takes number; POST /a: the request field v.f1 "
        "no longer takes number; POST /a: the request field v.f2 no longer takes number; and 6 more. Breaks clients that read in 1 of 1 "
        "operations: POST /a: the answer 200, v may be string, was number"
    )
    assert MOST_SHOWN == 3


def test_the_day_of_an_announced_end_counts_by_the_day_of_the_definition() -> None:
    before = json.loads('{"openapi": "3.0.0", "paths": {"/a": {"get": {"deprecated": true, "x-sunset": "2026-03-01", "responses": {}}}}}')  # fmt: skip
    after = {"openapi": "3.0.0", "paths": {}}
    assert not changes(before, after, today=dt.date(2026, 3, 1))
    assert [item.sure for item in changes(before, after, today=dt.date(2026, 2, 28))] == [True]
    assert [item.sure for item in changes(before, after)] == [True]
