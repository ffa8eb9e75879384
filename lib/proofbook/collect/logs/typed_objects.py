"""Files that hold nothing but JSON objects, read by DuckDB's own reader with a column for each place: the fastest way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from proofbook.collect.logs import fields
from proofbook.collect.logs.shape import Shape
from proofbook.config.duckdb_text import quoted

_LABELS = "labels"
# Paths that begin so are read as maps, and may be held in columns of their own.
HELD = ("labels.", "resource.labels.")
# What Cloud Logging's entries hold beside places and labels.
_TYPED = (
    "logName", "resource.type", "httpRequest.serverIp", "httpRequest.referer", "httpRequest.cacheHit", "traceSampled",
    "operation.id", "operation.producer", "sourceLocation.file", "sourceLocation.line", "sourceLocation.function",
)  # fmt: skip


def relation(shape: Shape, *, path: str, array: bool) -> str:
    """SQL: a file that holds nothing but JSON objects, one a line or in an array, as a relation with a column for each place of the shape.

    The query fails at the first thing that is something else; it is the fastest way through a file in which nothing is.
    """
    places = shape.places
    tree: dict[str, Any] = {}
    for dotted in dict.fromkeys((*(path for paths in places.values() for path in paths), *_TYPED)):
        branch = tree
        *parents, leaf = dotted.split(".")
        if parents[-1:] == [_LABELS]:
            parents, leaf = parents[:-1], _LABELS
        for step in parents:
            branch = branch.setdefault(step, {})
        branch[leaf] = None
    columns = ", ".join(f"{name}: '{kind}'" for name, kind in _types(tree).items())
    form = "array" if array else "newline_delimited"
    return f"""SELECT *, '' AS rest, '' AS first, NULL::VARCHAR AS ts0, NULL::BIGINT AS line, 1 AS lines
        FROM read_json({quoted(path)}, format='{form}', columns={{{columns}}})"""


def column_of(path: str) -> str:
    """SQL: what stands under a path, in the relation."""
    *parents, leaf = path.split(".")
    return f"{'.'.join(parents)}[{quoted(leaf)}]" if parents[-1:] == [_LABELS] else path


def extra(shape: Shape, *, may_repeat: bool) -> list[str]:
    """SQL: what an entry holds beside what has a column of its own, as lists; may_repeat: as for `fields.of_object`."""
    labels = [
        f"list_transform(map_entries({path}), e -> {{'key': '{path}.' || e.key, 'value': e.value}})"
        for path in ("labels", "resource.labels")
    ]
    payload = shape.places["payload"][0]
    inner = fields.of_object("payload", prefix=f"{payload}.", may_repeat=may_repeat)
    parents = dict.fromkeys(name.rpartition(".")[0] for name in _TYPED)
    values = {
        parent: fields.of_values({name: name for name in _TYPED if name.rpartition(".")[0] == parent})
        for parent in parents
    }
    return [
        *(
            f"CASE WHEN {parent} IS NOT NULL THEN {found} END" if parent else found
            for parent, found in values.items()
        ),
        *(
            f"CASE WHEN {path} IS NOT NULL THEN {listed} END"
            for path, listed in zip(("labels", "resource.labels"), labels, strict=True)
        ),
        f"CASE WHEN starts_with(payload, '{{') THEN {inner} END",
    ]


def _type_of(tree: Mapping[str, Any] | None) -> str:
    if tree is None:
        return "VARCHAR"
    return "STRUCT(" + ", ".join(f"{name} {kind}" for name, kind in _types(tree).items()) + ")"


def _types(tree: Mapping[str, Any]) -> dict[str, str]:
    """DuckDB's types of the members of an object; labels are whatever somebody named so."""
    return {
        name: "MAP(VARCHAR, VARCHAR)" if name == _LABELS else _type_of(inner) for name, inner in tree.items()
    }
