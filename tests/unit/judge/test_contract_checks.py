"""The findings about API definitions: what breaks, what cannot be told, and whether answers are as they are defined."""

from __future__ import annotations

import copy
import json
from collections import Counter
from typing import Any

import builders
import pandas as pd
import pytest
from contract_pairs import (
    OPENAPI_30,
    OPENAPI_31,
    PAIRS,
    SWAGGER_2,
    I,
    N,
    Pair,
    S,
    arr,
    definition,
    obj,
    param,
    ref,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from proofbook.evidence.schema import ANSWERS, HEALTH, OPENAPI
from proofbook.judge.check import Check
from proofbook.judge.checks import answers, openapi, openapi_mutants
from proofbook.judge.contracts.compare import changes
from proofbook.judge.findings import Finding, Verdict
from proofbook.judge.settle import settle
from proofbook.judge.window import Windows

START = pd.Timestamp("2026-01-01T00:00:00Z")
PASS, FAIL, INCONCLUSIVE = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE
BODY = {"application/json": {"schema": obj(a=S)}}


def judged(recipe: Any, tables: dict[tuple[str, str], pd.DataFrame]) -> Finding:
    minute = pd.Timedelta(minutes=1)
    windows = Windows(before=(START - 2 * minute, START - minute), after=(START, START + minute))
    check = Check(id="x", kind="guard", claim="it holds", group="contracts", recipe=recipe)
    return settle(check, builders.view(tables, windows))


def documents(before: Any, after: Any) -> dict[tuple[str, str], pd.DataFrame]:
    def table(found: Any) -> pd.DataFrame:
        text = found if isinstance(found, str) else json.dumps(found)
        return builders.table_of(OPENAPI, {"service": "s", "document": text, "timestamp": START})

    return {("before", "openapi"): table(before), ("after", "openapi"): table(after)}


def kept(before: Any, after: Any) -> Finding:
    return judged(openapi.openapi_kept("s"), documents(before, after))


def paths(**operations: Any) -> dict[str, Any]:
    return {"openapi": "3.0.0", "paths": {"/a": operations}}


def with_answer(schema: Any, **components: Any) -> dict[str, Any]:
    answer = {"200": {"content": {"application/json": {"schema": schema}}}}
    return {**paths(get={"responses": answer}), "components": {"schemas": components}}


def with_query(version: str, **more: Any) -> dict[str, Any]:
    return definition(version, parameters=[param("n", version=version, **more)])


BODY_MAY_BE_LEFT_OUT = paths(post={"requestBody": {"content": BODY}, "responses": {}})
REQUIRED_BODY = paths(post={"requestBody": {"required": True, "content": BODY}, "responses": {}})
# What was passed, lost or crashed on before, by what it is about.
REPORTED: list[tuple[str, Any, Any, Verdict]] = [
    ("a body that becomes required", BODY_MAY_BE_LEFT_OUT, REQUIRED_BODY, FAIL),
    ("a field of an answer under allOf", with_answer({"allOf": [obj("x", x=S), obj("y", y=S)]}), with_answer({"allOf": [obj("x", x=S)]}), FAIL),
    ("a required field in a nested object", definition(OPENAPI_30, sent=obj(o=obj(x=S))), definition(OPENAPI_30, sent=obj(o=obj("x", x=S))), FAIL),
    ("one more part of allOf", definition(OPENAPI_30, sent={"allOf": [obj(x=S)]}), definition(OPENAPI_30, sent={"allOf": [obj(x=S), obj("y", y=S)]}), FAIL),
    ("nullable in an answer", definition(OPENAPI_30, read=S), definition(OPENAPI_30, read={**S, "nullable": True}), FAIL),
    ("a shorter text", definition(OPENAPI_30, sent={**S, "maxLength": 200}), definition(OPENAPI_30, sent={**S, "maxLength": 20}), FAIL),
    ("a media type of a request", paths(post={"requestBody": {"content": {**BODY, "text/csv": {}}}, "responses": {}}), BODY_MAY_BE_LEFT_OUT, FAIL),
    ("a field of an answer in version 2", definition(SWAGGER_2, read=obj(x=S)), definition(SWAGGER_2, read=obj()), FAIL),
    ("a query of version 2 of another type", with_query(SWAGGER_2), with_query(SWAGGER_2, schema=I), FAIL),
    ("the base path of version 2", {**definition(SWAGGER_2), "basePath": "/v1"}, {**definition(SWAGGER_2), "basePath": "/v2"}, FAIL),
    ("a required parameter of a path", paths(get={"responses": {}}), paths(get={"responses": {}}, parameters=[param("n", required=True)]), FAIL),
    ("an alternative more in an answer", with_answer({"oneOf": [S]}), with_answer({"oneOf": [S, I]}), FAIL),
    ("values of a map of another type", with_answer({"type": "object", "additionalProperties": S}), with_answer({"type": "object", "additionalProperties": I}), FAIL),
    ("an enumeration in items", definition(OPENAPI_30, sent=arr({"enum": ["a", "b"]})), definition(OPENAPI_30, sent=arr({"enum": ["a"]})), FAIL),
    ("a number that became its text", with_answer({"enum": [1]}), with_answer({"enum": ["1"]}), FAIL),
    ("a longer whole number", with_answer({**I, "format": "int32"}), with_answer({**I, "format": "int64"}), FAIL),
    ("a webhook", {**definition(OPENAPI_31), "webhooks": {"w": {"post": {"responses": {}}}}}, definition(OPENAPI_31), FAIL),
    ("an object that is closed", definition(OPENAPI_30, sent=obj(x=S)), definition(OPENAPI_30, sent={**obj(x=S), "additionalProperties": False}), FAIL),
    ("a schema in another file", with_answer({"$ref": "common.json#/Order"}), with_answer({"$ref": "common.json#/Order"}), INCONCLUSIVE),
    ("a parameter of a path under another name", {"paths": {"/a/{x}": {"get": {"parameters": [param("x", "path")], "responses": {}}}}}, {"paths": {"/a/{y}": {"get": {"parameters": [param("y", "path")], "responses": {}}}}}, PASS),
    ("a path by a reference", paths(get={"responses": {}}), {"paths": {"/a": {"$ref": "#/x-paths/A"}}, "x-paths": {"A": {"get": {"responses": {}}}}}, PASS),
    ("inline fields moved into allOf", with_answer(obj("x", x=S)), with_answer({"allOf": [obj("x", x=S)]}), PASS),
    ("a status that became its class", paths(get={"responses": {"200": {}}}), paths(get={"responses": {"2XX": {}}}), PASS),
    ("nullable that became a list of types", definition(OPENAPI_30, read={**S, "nullable": True}), definition(OPENAPI_31, read={"type": ["string", "null"]}), PASS),
    ("a whole number in a query that became a text", with_query(OPENAPI_30, schema=I), with_query(OPENAPI_30), PASS),
    ("one value in a query that became a list", with_query(OPENAPI_30), with_query(OPENAPI_30, schema=arr(S)), PASS),
    ("alternatives that refer to themselves", with_answer(ref("T"), T={"anyOf": [S, ref("T")]}), with_answer(ref("T"), T={"anyOf": [S, ref("T")]}), PASS),
    ("such ones with one more", with_answer(ref("T"), T={"anyOf": [S, ref("T")]}), with_answer(ref("T"), T={"anyOf": [S, I, ref("T")]}), FAIL),
    ("a name with a slash", with_answer({"$ref": "#/components/schemas/a~1b"}, **{"a/b": S}), with_answer({"$ref": "#/components/schemas/a~1b"}, **{"a/b": S}), PASS),
    ("fields that refer in a circle", with_answer(ref("T"), T=obj(t=ref("T"))), with_answer(ref("T"), T=obj(t=ref("T"), u=S)), PASS),
    ("values of several types", with_answer({"enum": [1, "a", None]}), with_answer({"enum": ["a", 1]}), PASS),
    ("a number that became whole", with_answer(N), with_answer(I), PASS),
    ("more than eight levels", with_answer(arr(arr(arr(arr(arr(arr(arr(arr(arr(arr(N))))))))))), with_answer(arr(arr(arr(arr(arr(arr(arr(arr(arr(arr(S))))))))))), FAIL),
]  # fmt: skip


@pytest.mark.parametrize(("before", "after", "verdict"), [row[1:] for row in REPORTED], ids=[row[0] for row in REPORTED])  # fmt: skip
def test_what_was_passed_or_crashed_on_before_has_its_right_verdict(
    before: Any, after: Any, verdict: Verdict
) -> None:
    found = kept(before, after)
    assert found.verdict is verdict, found.statement
    if verdict is PASS:
        assert (found.severity, found.sensitivity) == (None, 1.0), found.controls


def bodies(*stated: dict[str, Any]) -> str:
    """A definition of version 2 whose one operation has these for bodies."""
    named = [{"name": f"b{number}", **item} for number, item in enumerate(stated)]
    return json.dumps({"swagger": "2.0", **paths(get={"parameters": named, "responses": {}})})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{}", "a document without paths"),
        ("[1]", "no OpenAPI definition"),
        ('{"openapi": "9.1", "paths": {}}', "a definition of version 9.1"),
        ('{"paths": [1]}', "no OpenAPI definition"),
        ('{"paths": {"/a": {"get": {"parameters": 3}}}}', "parameters that is 3"),
        (bodies({"in": "body"}, {"in": "body"}), "more than one body"),
        (bodies({"in": "body", "schema": S}, {"in": "formData", "type": "file"}), "more than one body"),
        (bodies({"in": "body", "type": "string"}), "a body without a schema"),
        ("[" * 5000, "cannot be read"),
        ('{"paths"', "cannot be read"),
    ],
)
def test_a_document_that_is_not_understood_is_inconclusive_and_says_why(text: str, words: str) -> None:
    whole = paths(get={"responses": {}})
    for before, after in ((whole, text), (text, whole), (text, text)):
        found = kept(before, after)
        assert found.verdict is INCONCLUSIVE, found.statement
    assert words in kept(whole, text).statement


def test_an_operation_that_is_not_understood_hides_no_break_of_another() -> None:
    before = {"paths": {"/a": {"get": {"parameters": 3}}, "/b": {"get": {"responses": {}}}}}
    after = {"paths": {"/a": {"get": {"parameters": 4}}}}
    found = kept(before, after)
    assert found.verdict is FAIL
    assert found.statement == (
        "breaks clients that send in 1 of 2 operations: GET /b is gone. Not decidable in 1 of 2 operations: GET /a is not understood: "
        "parameters that is 3"
    )


def test_a_pass_names_what_is_new_and_the_kinds_of_breaks_that_were_noticed() -> None:
    before = definition(OPENAPI_30, sent=S, read=S)
    after = {**before, "paths": {**before["paths"], "/new": {"get": {"responses": {}}}}}
    found = kept(before, after)
    assert found.statement == "all 1 operations of before are kept; new: GET /new"
    [caught] = [item for item in found.controls if item.kind == "mutation"]
    assert caught.held and caught.caught == caught.tried == 8, caught.got


@settings(max_examples=80, deadline=None, derandomize=True)
@given(st.sampled_from(PAIRS), st.data())
def test_no_definition_is_too_odd_to_be_broken_on_purpose(pair: Pair, data: st.DataObject) -> None:
    odd = copy.deepcopy(pair.before)
    place: Any = odd["paths"]
    while True:
        key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        if not isinstance(place[key], dict | list) or not place[key] or data.draw(st.booleans()):
            place[key] = data.draw(st.sampled_from([None, 3, "a", [], {}, [1], {"$ref": "#/paths"}, True]))
            break
        place = place[key]
    for change in openapi_mutants.CHANGES.values():
        openapi_mutants.applied(change, odd)


@pytest.mark.slow
def test_every_kind_of_break_is_noticed_in_every_definition_that_it_can_be_made_in() -> None:
    made: Counter[str] = Counter()
    # Of those that differ in one schema alone some are enough.
    for pair in [
        *PAIRS[::9],
        *(pair for pair in PAIRS if " sent" not in pair.name and " read" not in pair.name),
    ]:
        if any(item.what == "unread" for item in changes(pair.before, copy.deepcopy(pair.before))):
            continue
        for name, change in openapi_mutants.CHANGES.items():
            broken = openapi_mutants.applied(change, pair.before)
            if broken is not None:
                made[name] += 1
                assert changes(*broken), (pair.name, name)
    assert made.keys() == openapi_mutants.CHANGES.keys()


# Answers ----------------------------------------------------------------------------------------------------------------


def asked(*rows: dict[str, Any]) -> pd.DataFrame:
    usual = {"service": "s", "path": "/a", "status": 200, "content_type": "application/json", "timestamp": START, "body": "", "note": "", "error": ""}  # fmt: skip
    return ANSWERS.frame([{**usual, **row} for row in rows])


def of_health(*rows: dict[str, Any]) -> pd.DataFrame:
    return builders.table_of(HEALTH, *({"service": "s", "path": "/a", **row} for row in rows))


def held(document: Any, **tables: pd.DataFrame) -> Finding:
    found = {("after", name): table for name, table in tables.items()}
    return judged(answers.as_defined("s"), {**found, ("after", "openapi"): documents({}, document)[("after", "openapi")]})  # fmt: skip


DESCRIBED = with_answer(
    obj("x", x=I, when={**S, "format": "date-time"}, odd={**S, "format": "ski-pass"}, no=S)
)


@pytest.mark.parametrize(
    ("row", "verdict", "words"),
    [
        ({"body": '{"x": 1}'}, PASS, "1 of 1 different answers"),
        ({"body": '{"x": 1, "more": [1]}'}, PASS, ""),
        ({"body": '{"x": 1, "odd": "whatever"}'}, PASS, ""),
        ({"body": '{"x": "[redacted]"}'}, FAIL, "does not allow: see x"),
        ({"body": '{"x": 1, "no": "[redacted]"}'}, INCONCLUSIVE, "cannot be decided"),
        ({"body": '{"x": 1.5}'}, FAIL, "GET /a answered 200 with a body that the definition does not allow: see x"),
        ({"body": '{"x": 1, "when": "yesterday"}'}, FAIL, "see when"),
        ({"body": "{}"}, FAIL, "see x"),
        ({"body": "[]"}, FAIL, "see the whole body"),
        ({"status": 201, "body": "{}"}, FAIL, "answered 201, described are 200"),
        ({"content_type": "text/html; charset=utf-8"}, FAIL, "as text/html; charset=utf-8, described is application/json"),
        ({"status": 500, "body": "{}"}, INCONCLUSIVE, "none of 1 different answers"),
        ({"path": "/elsewhere", "body": "{}"}, INCONCLUSIVE, "none of 1 different answers"),
        ({"path": "/a?page=2", "body": '{"x": true}'}, FAIL, "see x"),
        ({"body": "", "note": "more than 64 KiB"}, INCONCLUSIVE, "none of 1 different answers"),
    ],
)  # fmt: skip
def test_an_answer_is_held_against_the_definition(row: dict[str, Any], verdict: Verdict, words: str) -> None:
    found = held(DESCRIBED, answers=asked(row))
    assert found.verdict is verdict and words in found.statement, found.statement
    if verdict is PASS:
        assert (found.severity, found.sensitivity) == (None, 1.0), found.controls


def test_health_pages_are_held_against_it_too_and_those_that_were_cut_are_not() -> None:
    good, bad, cut = {"body": '{"x": 1}'}, {"body": '{"x": "one"}'}, {"body": '{"x": "' + "a" * 293}
    absent = {"body": "{}", "kind": "unknown-path", "path": "/none", "status": 404}
    assert held(DESCRIBED, health=of_health(good, good, cut, absent)).verdict is PASS
    found = held(DESCRIBED, health=of_health(good, bad, bad, absent))
    assert found.verdict is FAIL and found.exposure is not None and found.exposure.n == 2
    assert held(DESCRIBED, health=of_health(cut, absent)).reason == "not-described"


@pytest.mark.parametrize(
    ("document", "path"),
    [
        ({"openapi": "3.0.0", "servers": [{"url": "https://h/v1/"}], "paths": {"/a/{id}": {"get": {"responses": {"default": {"content": {"*/*": {"schema": obj("x", x=I)}}}}}}}}, "/v1/a/7"),
        ({"swagger": "2.0", "basePath": "/v1", "paths": {"/a/7": {"get": {"responses": {"200": {"schema": obj("x", x=I)}}}}, "/a/{id}": {"get": {"responses": {}}}}}, "/v1/a/7"),
        ({"openapi": "3.1.0", "paths": {"/{a}/{b}": {"get": {"responses": {"2XX": {"content": {"application/json": {"schema": obj("x", x=I)}}}}}}}}, "/a/7"),
    ],
)  # fmt: skip
def test_the_operation_of_an_answer_is_found_by_its_path_its_base_and_its_status(
    document: Any, path: str
) -> None:
    assert held(document, answers=asked({"path": path, "body": '{"x": 1}'})).verdict is PASS
    assert held(document, answers=asked({"path": path, "body": '{"x": "1"}'})).verdict is FAIL


def test_an_answer_to_what_is_not_understood_is_not_known() -> None:
    for schema in ({"$ref": "other.json"}, {"type": "odd"}, {**obj(x=S), "if": {"required": ["x"]}}):
        found = held(with_answer(schema), answers=asked({"body": '{"x": "a"}'}))
        assert (found.verdict, found.reason) == (INCONCLUSIVE, "not-decidable"), found.statement
    assert held("[1]", answers=asked({"body": "{}"})).reason == "no-definition"
