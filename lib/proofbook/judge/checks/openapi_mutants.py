"""Ways to break an API definition that a comparison must notice: one operation is broken, and the others are left out."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

from proofbook.judge.contracts.api import METHODS, read_api
from proofbook.judge.contracts.document import Document, Unread, Version, equal, read

# Changes one operation in place and says whether it could: its document, its path item, its method.
Break = Callable[[Document, dict[str, Any], str], bool]
MOST_TRIED = 100
# Lists may hold lists of their own kind, without end.
MOST_LISTS = 5


def applied(change: Break, before: Any) -> tuple[Any, Any] | None:
    """A definition with one operation alone, as it is and broken; None where nothing can be broken so."""
    try:
        api = read_api(read(before))
    except (Unread, RecursionError):
        return None
    operations = [
        (item.path, item.method)
        for item in api.operations.values()
        if not item.problem and item.method in _mapping(before["paths"].get(item.path))
    ]
    for path, method in operations[:MOST_TRIED]:
        alone = _alone(before, path, method)
        # What is common to all, such as schemas, may be changed too: so each try has a copy of its own.
        broken = copy.deepcopy(alone)
        try:
            if change(read(broken), broken["paths"][path], method):
                return alone, broken
        except Unread:
            continue
    return None


def _alone(definition: dict[str, Any], path: str, method: str) -> dict[str, Any]:
    others = {name for name in METHODS if name != method}
    item = {key: value for key, value in definition["paths"][path].items() if key not in others}
    return {**definition, "paths": {path: item}, "webhooks": {}}


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _operation(item: dict[str, Any], method: str) -> dict[str, Any]:
    return _mapping(item[method])


def _answers(document: Document, item: dict[str, Any], method: str) -> Iterator[dict[str, Any]]:
    """The answers that succeed."""
    for status, raw in _mapping(_operation(item, method).get("responses")).items():
        if str(status).startswith("2"):
            yield _mapping(document.resolve(raw))


def _schemas(document: Document, holder: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The schemas of a body or an answer, of lists those of their items."""
    holders = [holder, *map(_mapping, _mapping(holder.get("content")).values())]
    for found in holders:
        schema = document.resolve(found.get("schema"))
        for _ in range(MOST_LISTS):
            if isinstance(schema, dict) and isinstance(schema.get("items"), dict):
                schema = document.resolve(schema["items"])
        if isinstance(schema, dict):
            yield schema


def _object_in_answer(document: Document, item: dict[str, Any], method: str) -> dict[str, Any] | None:
    for answer in _answers(document, item, method):
        for schema in _schemas(document, answer):
            if _mapping(schema.get("properties")):
                return schema
    return None


def _bodies(document: Document, item: dict[str, Any], method: str) -> Iterator[dict[str, Any]]:
    raw = _operation(item, method)
    if isinstance(raw.get("requestBody"), dict):
        yield _mapping(document.resolve(raw["requestBody"]))
    for parameter in raw.get("parameters") or ():
        found = _mapping(document.resolve(parameter))
        if found.get("in") == "body":
            yield found


def _remove_operation(document: Document, item: dict[str, Any], method: str) -> bool:
    return item.pop(method, None) is not None


def _remove_field(document: Document, item: dict[str, Any], method: str) -> bool:
    schema = _object_in_answer(document, item, method) or {"properties": {}}
    name = next((name for name, field in schema["properties"].items() if not _is_hidden(field)), None)
    if name is None:
        return False
    del schema["properties"][name]
    return True


def _is_hidden(field: Any) -> bool:
    return isinstance(field, dict) and (field.get("writeOnly") is True or "$ref" in field)


def _change_type(document: Document, item: dict[str, Any], method: str) -> bool:
    schema = _object_in_answer(document, item, method)
    fields = _mapping((schema or {}).get("properties")).values()
    typed = [
        f for f in fields if isinstance(f, dict) and isinstance(f.get("type"), str) and not _is_hidden(f)
    ]
    for field in typed[:1]:
        for stated in ("enum", "const"):
            field.pop(stated, None)
        field["type"] = "integer" if field["type"] not in ("integer", "number") else "string"
    return bool(typed)


def _add_parameter(document: Document, item: dict[str, Any], method: str) -> bool:
    typed = {"type": "string"} if document.version is Version.SWAGGER_2 else {"schema": {"type": "string"}}
    operation = _operation(item, method)
    added = {"in": "query", "name": "proofbook_mutant", "required": True, **typed}
    operation["parameters"] = [*(operation.get("parameters") or ()), added]
    return True


def _tighten(document: Document, item: dict[str, Any], method: str) -> bool:
    own, shared = (holder.get("parameters") or [] for holder in (_operation(item, method), item))
    for parameter in (*own, *shared):
        found = _mapping(document.resolve(parameter))
        schema = _mapping(document.resolve(found.get("schema", found)))
        if isinstance(schema.get("enum"), list) and len(schema["enum"]) > 1:
            left = [value for value in schema["enum"] if not equal(value, schema["enum"][0])]
            if left:
                schema["enum"] = left
                return True
    return False


def _require_body(document: Document, item: dict[str, Any], method: str) -> bool:
    for body in _bodies(document, item, method):
        if body.get("required") is not True:
            body["required"] = True
            return True
    return False


def _require_field(document: Document, item: dict[str, Any], method: str) -> bool:
    for body in _bodies(document, item, method):
        for schema in _schemas(document, body):
            if _mapping(schema.get("properties")):
                schema["properties"]["proofbook_mutant"] = {"type": "string"}
                had = schema.get("required")
                schema["required"] = [*(had if isinstance(had, list) else ()), "proofbook_mutant"]
                return True
    return False


def _shorten(document: Document, item: dict[str, Any], method: str) -> bool:
    for body in _bodies(document, item, method):
        for schema in _schemas(document, body):
            for field in _mapping(schema.get("properties")).values():
                if _is_free_text(field):
                    field["maxLength"] = field.get("maxLength", 2) - 1
                    return True
    return False


def _is_free_text(field: Any) -> bool:
    """Whether a shortest limit could keep something out that it takes now."""
    return (
        isinstance(field, dict)
        and field.get("type") == "string"
        and not field.keys() & {"enum", "const", "readOnly", "$ref", "x-extensible-enum"}
        and isinstance(field.get("maxLength", 2), int)
        and field.get("maxLength", 2) > 0
    )


def _change_media_type(document: Document, item: dict[str, Any], method: str) -> bool:
    for answer in _answers(document, item, method):
        content = _mapping(answer.get("content"))
        first = next(iter(content), "*")
        if "*" not in first:
            content["application/x-proofbook-mutant"] = content.pop(first)
            return True
    return False


def _need_key(document: Document, item: dict[str, Any], method: str) -> bool:
    _operation(item, method)["security"] = [{"proofbook-mutant": []}]
    return True


CHANGES: dict[str, Break] = {
    "an operation removed": _remove_operation,
    "a response field removed": _remove_field,
    "a response field's type changed": _change_type,
    "a response's media type changed": _change_media_type,
    "a required parameter added": _add_parameter,
    "a value of a parameter no longer taken": _tighten,
    "a request body required": _require_body,
    "a required request field added": _require_field,
    "a request field shortened": _shorten,
    "a key needed": _need_key,
}
