"""The SQL for what stands under the keys of a JSON object, and in the cells and groups that hold the same things."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Sequence

from proofbook.collect.logs import formats, typed_objects
from proofbook.collect.logs.shape import Shape
from proofbook.config.duckdb_text import json_pointer, quoted

_FOR_BODIES = ("timestamp", "fraction", "body", "payload", "stack")
_NOTHING = "NULL::VARCHAR"
# To look under so many more keys in every object takes less than to ask of each whether it has one of them.
FEW = 3


def first_of(expressions: Iterable[str]) -> str:
    """SQL: the first of the expressions that is neither NULL nor empty."""
    given = [f"nullif({item}, '')" for item in expressions]
    return f"coalesce({', '.join(given)})" if given else _NOTHING


class Fields:
    """Where a shape keeps what an entry has, as SQL.

    Args:
        typed, only_bodies, may_repeat: as for `sql.entries_sql`.
    """

    def __init__(self, shape: Shape, *, typed: bool, only_bodies: bool, may_repeat: bool) -> None:
        self.shape, self.typed, self.only_bodies, self.may_repeat = shape, typed, only_bodies, may_repeat
        self.groups = formats.groups_of(shape.pattern)
        wanted = _FOR_BODIES if only_bodies else tuple(shape.places)
        self.places = {name: paths for name, paths in shape.places.items() if name in wanted}
        self.keys = list(dict.fromkeys(key for paths in self.places.values() for key in _keys_of(paths)))
        # To look for what the sample does not have takes longer than all else, so most lines are spared that.
        usual = [key for key in self.keys if not _absent(key, shape.names)]
        self.usual = usual if usual and len(self.keys) - len(usual) > FEW else self.keys
        self.texts = list(_keys_of(formats.PAYLOAD_TEXT))
        self.stacks = list(_keys_of(formats.PAYLOAD_STACK))
        self.levels = (
            list(_keys_of(formats.PAYLOAD_LEVEL)) if "payload" in self.places and not only_bodies else []
        )
        self.inner = [*self.texts, *self.stacks, *self.levels]
        self.may_request = not shape.of_json and not self.groups

    def at(self, name: str, *others: str) -> str:
        """The first thing found where this shape keeps `name`, or in the group that a stated pattern gives that name."""
        in_group = name in self.groups and name not in ("timestamp", "body")
        more = [*others, *([f"g.{name}"] if in_group else [])]
        cells, paths = self.cells(name), self.places.get(name, ())
        if self.typed:
            return first_of([*cells, *map(typed_objects.column_of, paths), *more])
        found = [f"o.{name}"] if paths else []
        # What stands in an object is not empty.
        return found[0] if found and not cells and not more else first_of([*cells, *found, *more])

    @functools.cached_property
    def unusual(self) -> list[str]:
        """Names of keys that the sample does not have, of which an object must have one to hold what it does not."""
        return sorted({name for key in self.keys for name in _absent(key, self.shape.names)})

    @property
    def rare(self) -> str:
        """SQL: what stands under every key, of an object that may have some that the sample has not; else NULL."""
        if self.usual == self.keys or not self.unusual:
            return f"{_NOTHING}[]"
        pattern = '"(?:' + "|".join(map(re.escape, self.unusual)) + r')"\s*:'
        return f"CASE WHEN regexp_matches(object, {quoted(pattern)}) THEN try(json_extract_string(object, [{listed(self.keys)}])) END"

    @property
    def in_object(self) -> str:
        """SQL: a struct of what stands in an object, by its names, each NULL where nothing does; NULL of what is no object.

        One struct, since to ask each row for each thing whether it is an object takes longer than to read most objects.
        """
        cases = [f"WHEN r IS NOT NULL THEN {self._struct('r', self.usual)}"]
        if self.usual != self.keys and self.unusual:
            cases.insert(0, f"WHEN rare IS NOT NULL THEN {self._struct('rare', self.keys)}")
        return f"CASE {' '.join(cases)} END"

    def _struct(self, found: str, keys: Sequence[str]) -> str:
        """SQL: that struct from a list of what stands under keys."""
        texts = {
            name: first_of(f"{found}[{1 + keys.index(key)}]" for key in _keys_of(paths) if key in keys)
            for name, paths in self.places.items()
        }
        return "{" + ", ".join(f"{quoted(name)}: {text}" for name, text in texts.items()) + "}"

    def cells(self, name: str) -> list[str]:
        """The cells that hold it, of a file in columns; a sign for nothing is none."""
        columns = self.shape.columns
        if columns is None or name in ("timestamp", "body"):
            return []
        return [columns.cell(column) for column in columns.places.get(name, ())]


def _keys_of(paths: Iterable[str]) -> list[str]:
    return [key for path in paths for key in json_paths(path)]


def _absent(key: str, names: frozenset[str]) -> list[str]:
    """Names of a JSONPath's steps that a sample has not: if there are none, what it leads to may be usual. A JSON Pointer is of the sample."""
    if key.startswith("/"):
        return []
    steps = re.findall(r'"([^"]+)"|(\w+)', key.removeprefix("$"))
    return [name for name in (quoted_ or plain for quoted_, plain in steps) if name not in names][:1]


def json_paths(path: str) -> list[str]:
    """The JSONPaths of `a.b`: nested, and, since a key may hold a dot itself, as one key; JSON Pointers where a key cannot stand in a path.

    >>> json_paths("log.level"), json_paths('a"b')
    (['$.log.level', '$."log.level"'], ['/a"b'])
    """
    steps = path.split(".")
    if not all(steps) or any(sign in path for sign in '"\\*'):
        # A JSONPath has no form for every key.
        return list(dict.fromkeys((json_pointer(steps), json_pointer([path]))))
    nested = "$" + "".join(f".{step}" if step.isidentifier() else f'."{step}"' for step in steps)
    certain = steps[0] in ("resource", "labels", "httpRequest", "http_request") and len(steps) < 4
    if len(steps) == 1 or certain:
        return [nested]
    # Such as "log.level" in `_source`, or "service.name" in `resource.attributes`.
    inner = [
        "$" + "".join(f'."{step}"' for step in (*steps[:depth], ".".join(steps[depth:])))
        for depth in range(1, len(steps) - 1)
    ]
    return [nested, f'$."{path}"', *inner]


def listed(texts: Iterable[str]) -> str:
    """SQL: texts, between commas."""
    return ", ".join(map(quoted, texts))


def text_of_bytes(numbers: str) -> str:
    """SQL: the text that a list of bytes is, as journald writes one in which a control character stands."""
    digits = f"list_transform(try_cast({numbers} AS INTEGER[]), byte -> printf('%02x', byte))"
    return f"coalesce(try(decode(unhex(array_to_string({digits}, '')))), {numbers})"
