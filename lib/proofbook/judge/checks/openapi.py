"""Nothing that clients rely on was taken away: OpenAPI documents before and after, and messages against their schemas."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from proofbook.evidence.schema import OPENAPI
from proofbook.files import parse_json
from proofbook.judge.check import Mutant, Recipe
from proofbook.judge.findings import Control, Estimate, Exposure, Judgement, Method, Verdict
from proofbook.judge.view import InsufficientEvidence, View

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")


def openapi_kept(service: str) -> Recipe:
    """A recipe for "no client of the old definition breaks"."""
    it = _OpenApiKept(service=service)
    mutants = (
        Mutant(name="an operation removed", change=it.mutant(_remove_operation)),
        Mutant(name="a response field removed", change=it.mutant(_remove_field)),
        Mutant(name="a response field's type changed", change=it.mutant(_change_type)),
        Mutant(name="a required parameter added", change=it.mutant(_add_parameter)),
        Mutant(name="a value of a parameter no longer taken", change=it.mutant(_tighten)),
    )
    return Recipe(judge=it.judge, mutants=mutants, compares=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class _OpenApiKept:
    """The OpenAPI documents of one service before and after."""

    service: str

    def document(self, view: View, phase: str) -> dict[str, Any]:
        rows = view.need(OPENAPI, phase)
        row = rows[rows["service"] == self.service]
        if row.empty or not row.iloc[0]["document"]:
            why = f": {row.iloc[0]['error'] or row.iloc[0]['status']}" if len(row) else ""
            raise InsufficientEvidence(
                "no-definition",
                f"{self.service} gave no OpenAPI document {phase}{why}",
                repair="see the service's openapi path",
            )
        found: dict[str, Any] = parse_json(row.iloc[0]["document"])
        return found

    def judge(self, view: View) -> Judgement:
        before, after = self.document(view, "before"), self.document(view, "after")
        operations = sum(1 for _ in _operations(before))
        broken, unclear = breaks(before, after)
        verdict = (
            Verdict.FAIL if broken else Verdict.INCONCLUSIVE if unclear or not operations else Verdict.PASS
        )
        added = sorted(
            {f"{method.upper()} {path}" for path, method, _ in _operations(after)}
            - {f"{method.upper()} {path}" for path, method, _ in _operations(before)}
        )
        statement = (
            "; ".join([*broken, *unclear][:4])
            if broken or unclear
            else f"all {operations} operations of before are kept"
            + (f"; new: {', '.join(added[:4])}" if added else "")
        )
        return Judgement(
            verdict=verdict,
            reason={Verdict.PASS: "", Verdict.FAIL: "breaking-change", Verdict.INCONCLUSIVE: "not-decidable"}[
                verdict
            ],
            statement=statement,
            estimate=Estimate(
                value=float(len(broken)),
                low=float(len(broken)),
                high=None if unclear else float(len(broken)),
                unit="breaking changes",
            ),
            method=Method(
                name="operations, parameters, request and response fields, types and enums compared",
                null_hypothesis="something that clients use was taken away",
            ),
            threshold="none",
            limits=True,
            exposure=Exposure(n=operations, unit="operations"),
            controls=self.controls(operations),
        )

    def controls(self, operations: int) -> tuple[Control, ...]:
        """The definition describes something."""
        return (
            Control(
                kind="liveness",
                name="the definition describes operations",
                guards=("pass",),
                expected="at least 1",
                got=str(operations),
                held=operations > 0,
            ),
        )

    def mutant(self, change: Callable[[dict[str, Any]], bool]) -> Callable[[View], View | None]:
        def applied(view: View) -> View | None:
            after = copy.deepcopy(self.document(view, "after"))
            if not change(after):
                return None
            rows = view.need(OPENAPI).copy()
            rows.loc[rows["service"] == self.service, "document"] = json.dumps(after)
            return view.exchange(OPENAPI, rows)

        return applied


def breaks(before: dict[str, Any], after: dict[str, Any]) -> tuple[list[str], list[str]]:
    """(definite breaks, what the definitions do not say enough to decide) for clients of `before`."""
    broken: list[str] = []
    unclear: list[str] = []
    new = {(path, method): operation for path, method, operation in _operations(after)}
    for path, method, operation in _operations(before):
        name = f"{method.upper()} {path}"
        if (path, method) not in new:
            broken.append(f"{name} is gone")
            continue
        _compare_requests(name, operation, new[(path, method)], before, after, broken)
        _compare_responses(name, operation, new[(path, method)], before, after, broken, unclear)
    return broken, unclear


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in sorted((document.get("paths") or {}).items()):
        for method in METHODS:
            if isinstance(item, dict) and method in item:
                yield path, method, item[method]


def _compare_requests(
    name: str,
    old: dict[str, Any],
    new: dict[str, Any],
    before: dict[str, Any],
    after: dict[str, Any],
    broken: list[str],
) -> None:
    def parameters(
        operation: dict[str, Any], document: dict[str, Any]
    ) -> dict[tuple[str, str], dict[str, Any]]:
        found = [_resolve(parameter, document) for parameter in operation.get("parameters", [])]
        return {(item.get("in", ""), item.get("name", "")): item for item in found}

    had, has = parameters(old, before), parameters(new, after)
    for place, parameter in sorted(has):
        was, now = had.get((place, parameter), {}), has[(place, parameter)]
        if now.get("required") and not was.get("required"):
            broken.append(f"{name} now requires the {place} parameter {parameter}")
        narrowed = _narrowed(was.get("schema"), now.get("schema"), before, after)
        broken.extend(f"{name}: the {place} parameter {parameter} {words}" for words in narrowed)
    old_body, new_body = _schema(old.get("requestBody"), before), _schema(new.get("requestBody"), after)
    if new_body is not None:
        known = set((old_body or {}).get("required", []))
        for field in sorted(set(new_body.get("required", [])) - known):
            broken.append(f"{name} now requires the request field {field}")
        fields = (old_body or {}).get("properties") or {}
        for field, schema in sorted((new_body.get("properties") or {}).items()):
            narrowed = _narrowed(fields.get(field), schema, before, after)
            broken.extend(f"{name}: the request field {field} {words}" for words in narrowed)


def _narrowed(
    was: dict[str, Any] | None, now: dict[str, Any] | None, before: dict[str, Any], after: dict[str, Any]
) -> list[str]:
    """What clients could send and may no longer, in words; nothing where one of both does not say."""
    if not was or not now:
        return []
    was, now = _resolve(was, before), _resolve(now, after)
    types = _types(was, before) - _types(now, after)
    found = [f"no longer takes {', '.join(sorted(types))}"] if types and _types(now, after) else []
    lost = set(map(str, was.get("enum", []))) - set(map(str, now.get("enum", [])))
    if now.get("enum") and (lost or not was.get("enum")):
        found.append(
            f"no longer takes {', '.join(sorted(lost))}"
            if lost
            else f"takes only {', '.join(map(str, now['enum']))}"
        )
    return found


def _types(schema: dict[str, Any], document: dict[str, Any]) -> set[str]:
    """The types that a schema allows, those of its alternatives included; empty where it does not say."""
    stated = schema.get("type")
    found = set(stated if isinstance(stated, list) else [stated] if stated else [])
    for key in ("anyOf", "oneOf"):
        for part in schema.get(key, []):
            found |= _types(_resolve(part, document), document)
    # Whoever takes any number takes whole ones.
    return found | {"integer"} if "number" in found else found


def _compare_responses(
    name: str,
    old: dict[str, Any],
    new: dict[str, Any],
    before: dict[str, Any],
    after: dict[str, Any],
    broken: list[str],
    unclear: list[str],
) -> None:
    for status, response in sorted((old.get("responses") or {}).items()):
        if not str(status).startswith("2"):
            continue
        counterpart = (new.get("responses") or {}).get(status)
        if counterpart is None:
            broken.append(f"{name} no longer answers {status}")
            continue
        was, now = _schema(response, before), _schema(counterpart, after)
        if was:
            if not now:
                unclear.append(f"{name}: the definition no longer says what {status} holds")
            else:
                _compare_schemas(f"{name} {status}", was, now, before, after, broken, depth=0)


def _compare_schemas(
    where: str,
    was: dict[str, Any],
    now: dict[str, Any],
    before: dict[str, Any],
    after: dict[str, Any],
    broken: list[str],
    *,
    depth: int,
) -> None:
    if depth > 8:
        return
    was, now = _resolve(was, before), _resolve(now, after)
    had, has = _types(was, before), _types(now, after)
    if had and has - had:
        broken.append(f"{where}: type {' or '.join(sorted(had))} became {' or '.join(sorted(has))}")
        return
    extra = set(map(str, now.get("enum", []))) - set(map(str, was.get("enum", [])))
    if was.get("enum") and extra:
        broken.append(f"{where}: new values {', '.join(sorted(extra))}")
    for field, schema in sorted((was.get("properties") or {}).items()):
        there = (now.get("properties") or {}).get(field)
        if there is None:
            broken.append(f"{where}: the field {field} is gone")
            continue
        if field in was.get("required", []) and field not in now.get("required", []):
            broken.append(f"{where}: the field {field} is no longer always there")
        _compare_schemas(f"{where}.{field}", schema, there, before, after, broken, depth=depth + 1)
    if isinstance(was.get("items"), dict) and isinstance(now.get("items"), dict):
        _compare_schemas(f"{where}[]", was["items"], now["items"], before, after, broken, depth=depth + 1)


def _schema(part: Any, document: dict[str, Any]) -> dict[str, Any] | None:
    """The JSON schema of a request body or a response, references resolved one step."""
    content = (_resolve(part, document) if isinstance(part, dict) else {}).get("content") or {}
    for kind, item in content.items():
        if "json" in kind and isinstance(item.get("schema"), dict):
            return _resolve(item["schema"], document)
    return None


def _resolve(part: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    seen = 0
    while isinstance(part, dict) and "$ref" in part and seen < 20:
        target: Any = document
        for step in str(part["$ref"]).removeprefix("#/").split("/"):
            target = target.get(step, {}) if isinstance(target, dict) else {}
        part, seen = target, seen + 1
    return part


def _remove_operation(document: dict[str, Any]) -> bool:
    found = next(_operations(document), None)
    if found is None:
        return False
    del document["paths"][found[0]][found[1]]
    return True


def _object_in_response(document: dict[str, Any]) -> dict[str, Any] | None:
    for _, _, operation in _operations(document):
        for status, response in (operation.get("responses") or {}).items():
            schema = _schema(response, document) if str(status).startswith("2") else None
            while schema and isinstance(schema.get("items"), dict):
                schema = _resolve(schema["items"], document)
            if schema and schema.get("properties"):
                return schema
    return None


def _remove_field(document: dict[str, Any]) -> bool:
    schema = _object_in_response(document)
    if schema is None:
        return False
    schema["properties"].pop(next(iter(schema["properties"])))
    return True


def _change_type(document: dict[str, Any]) -> bool:
    schema = _object_in_response(document)
    typed = next((item for item in (schema or {}).get("properties", {}).values() if item.get("type")), None)
    if typed is None:
        return False
    typed["type"] = "integer" if typed["type"] != "integer" else "string"
    return True


def _add_parameter(document: dict[str, Any]) -> bool:
    found = next(_operations(document), None)
    if found is None:
        return False
    found[2].setdefault("parameters", []).append(
        {"in": "query", "name": "proofbook_mutant", "required": True, "schema": {"type": "string"}}
    )
    return True


def _tighten(document: dict[str, Any]) -> bool:
    for _, _, operation in _operations(document):
        for parameter in operation.get("parameters", []):
            schema = _resolve(_resolve(parameter, document).get("schema") or {}, document)
            if len(schema.get("enum", [])) > 1:
                schema["enum"] = schema["enum"][1:]
                return True
    return False
