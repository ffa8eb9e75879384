"""API definitions in several files: joined where they lie at the same origin, else named and not decided."""

from __future__ import annotations

import asyncio
import copy
import json
from pathlib import Path
from typing import Any

import builders
import pandas as pd
import pytest
from aiohttp import web
from first_tries import page, serving

from proofbook.collect.services import openapi
from proofbook.collect.session import Session
from proofbook.config.environment import Environment
from proofbook.judge.check import Check
from proofbook.judge.checks.openapi import openapi_kept
from proofbook.judge.findings import Finding, Verdict
from proofbook.judge.settle import settle
from proofbook.judge.window import Windows

START = pd.Timestamp("2026-01-01T00:00:00Z")
Files = dict[str, Any]


def answering(schema: Any) -> dict[str, Any]:
    return {"get": {"responses": {"200": {"description": "d", "content": {"application/json": {"schema": schema}}}}}}  # fmt: skip


ORDER = {"type": "object", "required": ["price"], "properties": {"price": {"$ref": "#/definitions/Price"}}}
SPLIT: Files = {
    "/api/openapi.json": {
        "openapi": "3.0.3",
        "paths": {
            "/orders": {"$ref": "paths/orders.yaml"},
            "/prices": answering({"$ref": "common.json#/definitions/Price"}),
        },
        "components": {"schemas": {"Error": {"type": "string"}}},
    },
    # In YAML, one folder further down; from there to a file beside the first, and back into the first.
    "/api/paths/orders.yaml": """
get:
  responses:
    200:
      description: d
      content: {application/json: {schema: {$ref: "../common.json#/definitions/Order"}}}
    404:
      description: d
      content: {application/json: {schema: {$ref: "../openapi.json#/components/schemas/Error"}}}
""",
    "/api/common.json": {"definitions": {"Order": ORDER, "Price": {"type": "integer", "maximum": 9}}},
}


def fetched(files: Files, **more: Any) -> tuple[dict[str, Any], str, list[str]]:
    """The definition that a server with these files gives, what is said of it, and what was asked for."""
    asked: list[str] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        asked.append(request.path)
        found = files.get(request.path)
        if found is None:
            return page("none", 404)
        return page(found if isinstance(found, str) else json.dumps(found))

    with serving(answer) as url:
        service = {"name": "s", "url": f"{url}/api", "openapi": "/openapi.json", **more}
        where = Environment.model_validate(
            {"service": [service], "pace": {"per_s": 1000, "concurrency": 9, "timeout_s": 5}}
        )
        session = Session(where, base=Path())
        (row,) = asyncio.run(openapi.fetch_openapi(where.services[0], session=session)).to_dict("records")
    return json.loads(row["document"]), row["error"], asked


def compared(before: Files, after: Files) -> Finding:
    def table(files: Files) -> pd.DataFrame:
        document, _, _ = fetched(files)
        return builders.table_of(openapi.OPENAPI, {"service": "s", "document": json.dumps(document), "timestamp": START})  # fmt: skip

    minute = pd.Timedelta(minutes=1)
    windows = Windows(before=(START - 2 * minute, START - minute), after=(START, START + minute))
    tables = {("before", "openapi"): table(before), ("after", "openapi"): table(after)}
    check = Check(id="x", kind="guard", claim="it holds", group="contracts", recipe=openapi_kept("s"))
    return settle(check, builders.view(tables, windows))


def changed(path: str, change: Any) -> Files:
    files = copy.deepcopy(SPLIT)
    files[path] = change(files[path])
    return files


def test_files_of_one_origin_become_one_document() -> None:
    document, error, asked = fetched(SPLIT)
    assert error == "" and sorted(asked) == sorted(SPLIT)
    assert "get" in document["paths"]["/orders"]
    # Nothing in it leads out of it any more.
    leads = [part.split('"')[0] for part in json.dumps(document).split('"$ref": "')[1:]]
    assert len(leads) >= 4 and all(lead.startswith("#/") for lead in leads)


def test_a_split_definition_that_did_not_change_is_kept_and_its_mutants_are_caught() -> None:
    found = compared(SPLIT, SPLIT)
    assert found.verdict is Verdict.PASS, found.statement
    assert found.exposure is not None and found.exposure.n == 2
    mutants = next(control for control in found.controls if control.kind == "mutation")
    assert mutants.caught == mutants.tried and (mutants.tried or 0) > 2


@pytest.mark.parametrize(
    ("path", "change"),
    [
        ("/api/common.json", lambda text: {"definitions": {**text["definitions"], "Order": {**ORDER, "required": []}}}),
        ("/api/common.json", lambda text: {"definitions": {**text["definitions"], "Price": {"type": "string"}}}),
        ("/api/paths/orders.yaml", lambda text: text.replace("get:", "post:")),
        ("/api/openapi.json", lambda text: {**text, "components": {"schemas": {"Error": {"type": "object"}}}}),
    ],
)  # fmt: skip
def test_what_breaks_in_another_file_breaks(path: str, change: Any) -> None:
    found = compared(SPLIT, changed(path, change))
    assert (found.verdict, found.reason) == (Verdict.FAIL, "breaking-change"), found.statement


def test_a_definition_that_is_split_and_was_whole_before_is_the_same() -> None:
    price = {"type": "integer", "maximum": 9}
    whole = {
        "/api/openapi.json": {
            "openapi": "3.0.3",
            "paths": {
                "/orders": answering({**ORDER, "properties": {"price": price}}),
                "/prices": answering(price),
            },
        }
    }
    error = {"description": "d", "content": {"application/json": {"schema": {"type": "string"}}}}
    whole["/api/openapi.json"]["paths"]["/orders"]["get"]["responses"]["404"] = error
    assert compared(whole, SPLIT).verdict is Verdict.PASS
    assert compared(SPLIT, whole).verdict is Verdict.PASS


def test_a_file_that_is_not_there_or_lies_elsewhere_is_named_and_not_decided() -> None:
    files = copy.deepcopy(SPLIT)
    del files["/api/common.json"]
    document, error, _ = fetched(files)
    assert error == "/api/common.json: HTTP 404"
    found = compared(files, files)
    assert (found.verdict, found.reason) == (Verdict.INCONCLUSIVE, "not-decidable"), found.statement
    assert "common.json" in found.statement
    # Whoever else serves it is not asked: a token of this service would go there.
    far = changed(
        "/api/openapi.json",
        lambda text: {**text, "paths": {"/a": answering({"$ref": "https://other.invalid/a.json#/A"})}},
    )
    document, error, asked = fetched(far)
    assert (
        error == "https://other.invalid/a.json is of another origin, and is not asked for" and len(asked) == 1
    )
    assert "https://other.invalid/a.json#/A" in json.dumps(document)


def test_files_that_refer_to_each_other_without_end_come_to_an_end() -> None:
    circle: Files = {
        "/api/openapi.json": {"openapi": "3.0.3", "paths": {"/a": answering({"$ref": "tree.json"})}},
        "/api/tree.json": {"type": "object", "properties": {"next": {"$ref": "leaf.json#/Leaf"}}},
        "/api/leaf.json": {"Leaf": {"type": "array", "items": {"$ref": "tree.json"}}},
    }
    assert compared(circle, circle).verdict is Verdict.PASS
    many: Files = {"/api/openapi.json": {"openapi": "3.0.3", "paths": {"/a": answering({"$ref": "0.json"})}}}
    many |= {f"/api/{number}.json": {"not": {"$ref": f"{number + 1}.json"}} for number in range(70)}
    _, error, asked = fetched(many)
    assert error == "/api/50.json is one too many" and len(asked) == 51
