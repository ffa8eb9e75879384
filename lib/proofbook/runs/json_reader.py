"""Reads an object of a JSON file key by key; a missing key or a wrong type is named with its place."""

from __future__ import annotations

from typing import TypeVar

from proofbook import paths
from proofbook.judge.findings import Verdict

JsonObject = dict[str, object]
Kind = TypeVar("Kind", str, int, dict)  # type: ignore[type-arg]  # any object of JSON
_KINDS = {str: "text", int: "a whole number", dict: "an object"}


class ObjectReader:
    """The values of an object by key, each of the kind that is asked for.

    at: where it stands in the file, with a dot after it.
    """

    def __init__(self, data: object, at: str = "") -> None:
        if not isinstance(data, dict):
            raise ValueError(f"{at.rstrip('.') or 'content'}: expected an object, got {_kind_of(data)}")
        self.data: JsonObject = data
        self.at = at

    def value(self, key: str, kind: type[Kind]) -> Kind:
        """A value that must be there."""
        value = self.optional(key, kind)
        if value is None:
            raise ValueError(f"{self.at}{key}: expected {_KINDS[kind]}, got nothing")
        return value

    def optional(self, key: str, kind: type[Kind]) -> Kind | None:
        """A value that may be absent or null."""
        value = self.data.get(key)
        if value is not None and not isinstance(value, kind):
            raise ValueError(f"{self.at}{key}: expected {_KINDS[kind]}, got {_kind_of(value)}")
        return value

    def name(self, key: str) -> None:
        """Checks that a text is a name or empty: it becomes a part of paths, and a run may come from anywhere."""
        text = self.value(key, str)
        if text and not paths.is_name(text):
            raise ValueError(f"{self.at}{key}: expected a name, got {text[:40]!r}")

    def number(self, key: str) -> float:
        """A number that must be there."""
        value = self.data.get(key)
        if not isinstance(value, int | float):
            raise ValueError(f"{self.at}{key}: expected a number, got {_kind_of(value)}")
        return value

    def verdict(self, key: str) -> Verdict:
        """A verdict that must be there."""
        value = self.value(key, str)
        known = [verdict.value for verdict in Verdict]
        if value not in known:
            raise ValueError(f"{self.at}{key}: expected one of {', '.join(known)}, got {value!r}")
        return Verdict(value)

    def inner(self, key: str) -> ObjectReader:
        """An object that must be there."""
        return ObjectReader(self.data.get(key), f"{self.at}{key}.")

    def many(self, key: str) -> list[ObjectReader]:
        """A list of objects that must be there."""
        value = self.data.get(key)
        if not isinstance(value, list | tuple):
            raise ValueError(f"{self.at}{key}: expected a list, got {_kind_of(value)}")
        return [ObjectReader(item, f"{self.at}{key}[{number}].") for number, item in enumerate(value)]


def _kind_of(value: object) -> str:
    return "nothing" if value is None else type(value).__name__
