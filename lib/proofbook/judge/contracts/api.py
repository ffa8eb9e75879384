"""Reads an API out of its definition: OpenAPI 3.2, 3.1, 3.0 or Swagger 2.0."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from proofbook.judge.contracts.document import Document, Unread, Version
from proofbook.judge.contracts.operations import Answer, Api, Body, Operation, Parameter, Retirement, Scheme

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace", "query")
# What the specification says is ignored as a header parameter.
_IGNORED_HEADERS = ("accept", "content-type", "authorization")
_STYLES = {"path": "simple", "header": "simple", "query": "form", "cookie": "form"}
_FORMATS = {"csv": ("form", False), "multi": ("form", True), "ssv": ("spaceDelimited", False), "pipes": ("pipeDelimited", False), "tsv": ("tabs", False)}  # fmt: skip
_PLACEHOLDER = re.compile(r"\{[^{}/]*\}")


def read_api(document: Document) -> Api:
    """The API that a document defines.

    Raises:
        Unread: its frame is not understood; a single operation that is not has a problem instead.
    """
    root = document.root
    operations = {}
    for path, method, raw, shared in _items(document, root.get("paths") or {}):
        found = _Reader(document).operation(path, method, raw, shared)
        operations[(template(path), method)] = found
    webhooks = {
        f"{name} {method}": _Reader(document).operation(name, method, raw, shared)
        for name, method, raw, shared in _items(document, root.get("webhooks") or {})
    }
    return Api(document=document, operations=operations, webhooks=webhooks, bases=_bases(document))


def template(path: str) -> str:
    """A path with the names of its parameters taken out.

    >>> template("/users/{id}/cars")
    '/users/{}/cars'
    """
    return _PLACEHOLDER.sub("{}", path)


def _items(document: Document, paths: Any) -> Iterator[tuple[str, str, Any, Any]]:
    if not isinstance(paths, dict):
        raise Unread("paths that are no mapping")
    for path, item in sorted(paths.items()):
        if path.startswith("x-"):
            continue
        try:
            found = document.resolve(item)
        except Unread as error:
            yield path, "", _Broken(error.why), None
            continue
        if not isinstance(found, dict):
            yield path, "", _Broken("a path that is no mapping"), None
            continue
        for method, raw in found.items():
            if method in METHODS:
                yield path, method, raw, found
        # Methods that have no name of their own in OpenAPI, from 3.2 on.
        for method, raw in _dict(found.get("additionalOperations") or {}, "additionalOperations").items():
            yield path, method, raw, found


@dataclass(frozen=True, slots=True)
class _Broken:
    why: str


class _Reader:
    """Reads operations of one document."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.is_2 = document.version is Version.SWAGGER_2

    def operation(self, path: str, method: str, raw: Any, shared: Any) -> Operation:
        """One operation, whatever is in it."""
        name = f"{method.upper()} {path}".strip()
        plain = Operation(name=name, path=path, method=method, raw=raw, shared=shared)
        try:
            if isinstance(raw, _Broken):
                raise Unread(raw.why)
            return self._read(plain, _dict(raw, "an operation"))
        except (Unread, RecursionError) as error:
            why = error.why if isinstance(error, Unread) else "too many levels"
            retired = _retirement(raw) if isinstance(raw, dict) else None
            return Operation(
                name=name, path=path, method=method, raw=raw, shared=shared, retired=retired, problem=why
            )

    def _read(self, plain: Operation, raw: dict[str, Any]) -> Operation:
        stated = {}
        for place in (plain.shared, raw):
            for item in _list(_dict(place or {}, "a path").get("parameters") or [], "parameters"):
                found = _dict(self.document.resolve(item), "a parameter")
                where, name = str(found.get("in", "")), str(found.get("name", ""))
                stated[(where, name.lower() if where == "header" else name)] = found
        read = [
            self._parameter(item) for (where, _), item in stated.items() if where not in ("body", "formData")
        ]
        numbers = {name: str(n) for n, name in enumerate(_PLACEHOLDER.findall(plain.path))}
        parameters = {}
        for item in read:
            if item.where == "header" and item.name.lower() in _IGNORED_HEADERS:
                continue
            # Who sends sees where a value of a path stands, not what the definition calls it.
            name = numbers.get(f"{{{item.name}}}", item.name) if item.where == "path" else item.name
            parameters[(item.where, name.lower() if item.where == "header" else name)] = item
        return Operation(
            name=plain.name,
            path=plain.path,
            method=plain.method,
            raw=raw,
            shared=plain.shared,
            parameters=parameters,
            body=self._old_body(raw, list(stated.values())) if self.is_2 else self._body(raw),
            answers={
                str(status).upper() if str(status) != "default" else "default": self._answer(item, raw)
                for status, item in _dict(raw.get("responses") or {}, "responses").items()
                if not str(status).startswith("x-")
            },
            security=self._security(raw.get("security", self.document.root.get("security"))),
            callbacks=dict(self._callbacks(raw)),
            retired=_retirement(raw),
            stability=str(raw.get("x-stability-level", "")),
            bases=_paths_of(raw.get("servers") or _dict(plain.shared or {}, "a path").get("servers") or []),
        )

    def _parameter(self, raw: dict[str, Any], *, where: str = "", name: str = "") -> Parameter:
        where, name = where or str(raw.get("in", "")), name or str(raw.get("name", ""))
        content = raw.get("content")
        schema, media = raw.get("schema"), ""
        if isinstance(content, dict) and content:
            media, item = next(iter(content.items()))
            schema = _dict(self.document.resolve(item), "a media type").get("schema")
        style = str(raw.get("style") or _STYLES.get(where, ""))
        explode = raw.get("explode", style == "form") is True
        if self.is_2:
            style, explode = _FORMATS.get(str(raw.get("collectionFormat", "csv")), ("csv", False))
            style = _STYLES.get(where, "") if style == "form" else style
            schema = _inline(raw)
        return Parameter(
            where=where,
            name=name,
            required=raw.get("required") is True or where == "path",
            schema=schema,
            style=style,
            explode=explode,
            media=media,
            empty=raw.get("allowEmptyValue") is True,
            reserved=raw.get("allowReserved") is True,
            raw=raw,
            retired=_retirement(raw),
        )

    def _body(self, raw: dict[str, Any]) -> Body | None:
        if raw.get("requestBody") is None:
            return None
        body = _dict(self.document.resolve(raw["requestBody"]), "a request body")
        encodings = {
            _media_type(kind): _dict(item.get("encoding") or {}, "encoding")
            for kind, item in _dict(body.get("content") or {}, "content").items()
            if isinstance(item, dict)
        }
        return Body(required=body.get("required") is True, media=self._media(body), encodings=encodings)

    def _old_body(self, raw: dict[str, Any], stated: list[dict[str, Any]]) -> Body | None:
        """A body of Swagger 2: one parameter, or one for each field of a form."""
        forms = [item for item in stated if item.get("in") == "formData"]
        kinds = self._kinds(raw, "consumes")
        bodies = [item for item in stated if item.get("in") == "body"]
        if len(bodies) > 1 or (bodies and forms):
            raise Unread("more than one body")
        for item in bodies:
            if "schema" not in item and "type" in item:
                raise Unread("a body without a schema")
            return Body(
                required=item.get("required") is True,
                media=dict.fromkeys(kinds or ["application/json"], item.get("schema", True)),
            )
        if not forms:
            return None
        schema = {
            "type": "object",
            "properties": {str(item.get("name", "")): _inline(item) for item in forms},
            "required": sorted(str(item.get("name", "")) for item in forms if item.get("required") is True),
        }
        known = [kind for kind in kinds if "form" in kind] or ["application/x-www-form-urlencoded"]
        return Body(required=bool(schema["required"]), media=dict.fromkeys(known, schema))

    def _kinds(self, raw: dict[str, Any], key: str) -> list[str]:
        found = _list(raw.get(key, self.document.root.get(key, [])), key)
        return [str(kind) for kind in found]

    def _media(self, raw: dict[str, Any]) -> dict[str, Any]:
        content = _dict(raw.get("content") or {}, "content")
        return {
            _media_type(kind): _whole(_dict(self.document.resolve(item), "a media type"))
            for kind, item in content.items()
            if not kind.startswith("x-")
        }

    def _answer(self, raw: Any, operation: dict[str, Any]) -> Answer:
        found = _dict(self.document.resolve(raw), "a response")
        if self.is_2:
            kinds = self._kinds(operation, "produces") or ["application/json"]
            media = {_media_type(k): found["schema"] for k in kinds} if "schema" in found else {}
        else:
            media = self._media(found)
        headers = {
            str(name).lower(): self._parameter(
                _dict(self.document.resolve(item), "a header"), where="header", name=str(name)
            )
            for name, item in _dict(found.get("headers") or {}, "headers").items()
            if str(name).lower() != "content-type"
        }
        return Answer(media=media, headers=headers)

    def _security(self, stated: Any) -> tuple[Mapping[Scheme, frozenset[str]], ...]:
        root, found = self.document.root, []
        holder = root if self.is_2 else _dict(root.get("components") or {}, "components")
        schemes = _dict(
            holder.get("securityDefinitions" if self.is_2 else "securitySchemes") or {}, "security schemes"
        )
        for alternative in _list(stated or [], "security"):
            needed = {}
            for name, scopes in _dict(alternative, "a security requirement").items():
                scheme = _scheme(str(name), self.document.resolve(schemes.get(name)))
                needed[scheme] = frozenset(str(scope) for scope in _list(scopes or [], "scopes"))
            found.append(needed)
        return () if any(not item for item in found) else tuple(found)

    def _callbacks(self, raw: dict[str, Any]) -> Iterator[tuple[str, Operation]]:
        for name, item in _dict(raw.get("callbacks") or {}, "callbacks").items():
            found = _dict(self.document.resolve(item), "a callback")
            for address, method, operation, shared in _items(self.document, found):
                yield (
                    f"{name} {method} {address}",
                    self.operation(f"{name} {address}", method, operation, shared),
                )


def _inline(raw: dict[str, Any]) -> dict[str, Any]:
    """The schema of a parameter of Swagger 2, which stands in the parameter itself."""
    beside = ("in", "name", "required", "description", "collectionFormat", "allowEmptyValue")
    return {key: value for key, value in raw.items() if key not in beside and not key.startswith("x-")}


# Where an OAuth flow sends its clients.
_ADDRESSES = ("authorizationUrl", "tokenUrl", "refreshUrl", "deviceAuthorizationUrl")


def _scheme(name: str, raw: Any) -> Scheme:
    if not isinstance(raw, dict):
        return Scheme(kind=f"the undefined scheme {name}")
    kind = str(raw.get("type", ""))
    if kind == "basic":
        return Scheme(kind="http", name="basic")
    if kind == "apiKey":
        where = str(raw.get("in", ""))
        key = str(raw.get("name", ""))
        return Scheme(kind=kind, where=where, name=key.lower() if where == "header" else key)
    if kind == "http":
        return Scheme(kind=kind, name=str(raw.get("scheme", "")).lower())
    if kind == "openIdConnect":
        return Scheme(kind=kind, name=str(raw.get("openIdConnectUrl", "")))
    flows = (
        raw.get("flows")
        if isinstance(raw.get("flows"), dict)
        else {raw.get("flow"): raw}
        if "flow" in raw
        else {}
    )
    renamed = {"application": "clientCredentials", "accessCode": "authorizationCode"}
    assert isinstance(flows, dict)
    return Scheme(
        kind=kind,
        flows=tuple(
            sorted(
                (
                    renamed.get(str(flow), str(flow)),
                    " ".join(str(item.get(key, "")) for key in _ADDRESSES) if isinstance(item, dict) else "",
                )
                for flow, item in flows.items()
            )
        ),
    )


def _retirement(raw: dict[str, Any]) -> Retirement | None:
    if raw.get("deprecated") is not True:
        return None
    try:
        return Retirement(sunset=dt.date.fromisoformat(str(raw["x-sunset"])[:10]))
    except (KeyError, ValueError):
        return Retirement()


def _bases(document: Document) -> tuple[str, ...]:
    """What stands between host and path, of each server."""
    root = document.root
    if document.version is Version.SWAGGER_2:
        return (str(root.get("basePath") or "").rstrip("/"),)
    return _paths_of(root.get("servers") or []) or ("",)


def _paths_of(servers: Any) -> tuple[str, ...]:
    """The path of each server; empty where there is none."""
    found = []
    for server in _list(servers, "servers"):
        if not isinstance(server, dict) or not isinstance(server.get("url"), str):
            raise Unread("servers that are no list of addresses")
        url = server["url"]
        for name, variable in _dict(server.get("variables") or {}, "variables of a server").items():
            if isinstance(variable, dict):
                url = url.replace(f"{{{name}}}", str(variable.get("default", "")))
        found.append(re.sub(r"^([a-z][a-z0-9+.-]*:)?//[^/]*", "", url, flags=re.IGNORECASE).rstrip("/"))
    return tuple(dict.fromkeys(found))


def _whole(raw: dict[str, Any]) -> Any:
    """The schema of all that a body holds; from 3.2 on one may be stated for each of the items that follow each other in it."""
    whole = raw.get("schema", True)
    if "itemSchema" not in raw:
        return whole
    return {"allOf": [whole, {"type": "array", "items": raw["itemSchema"]}]}


def _media_type(kind: str) -> str:
    return kind.partition(";")[0].strip().lower()


def _dict(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Unread(f"{what} that is {repr(value)[:40]}")
    return value


def _list(value: Any, what: str) -> list[Any]:
    if not isinstance(value, list):
        raise Unread(f"{what} that is {repr(value)[:40]}")
    return value
