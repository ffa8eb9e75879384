"""One API definition: its version, and what its references lead to. Nothing is fetched, and nothing is followed for ever."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any
from urllib.parse import unquote

MOST_STEPS = 32
# A document nested more deeply than this is not read further: Python's own stack is not much deeper.
MOST_LEVELS = 60
# References whose target is found only where a value is checked: it may be anywhere in the document.
DYNAMIC = frozenset(["$dynamicRef", "$recursiveRef"])


class Version(Enum):
    """How a definition is to be read."""

    SWAGGER_2 = "Swagger 2.0"
    OPENAPI_30 = "OpenAPI 3.0"
    OPENAPI_31 = "OpenAPI 3.1"


class Unread(Exception):
    """A place of a definition that is not understood: becomes `unclear`, never leaves this package."""

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(why)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Document:
    """A definition as it was published; compared by identity, as the nodes in it are."""

    root: Mapping[str, Any]
    version: Version
    # What a reference leads to.
    known: dict[str, Any] = field(default_factory=dict, repr=False)

    def resolve(self, raw: Any) -> Any:
        """A node, or what its reference leads to at last.

        Raises:
            Unread: it leads out of the document, nowhere, or in a circle.
        """
        steps = 0
        while isinstance(raw, dict) and "$ref" in raw:
            if steps == MOST_STEPS:
                raise Unread("a reference that leads in a circle")
            raw, steps = self.target(raw["$ref"]), steps + 1
        return raw

    def target(self, reference: Any) -> Any:
        """What one reference leads to.

        Raises:
            Unread: it leads out of the document, or nowhere.
        """
        if not isinstance(reference, str):
            raise Unread("a reference that is no text")
        if reference in self.known:
            return self.known[reference]
        if not reference.startswith("#"):
            raise Unread(f"a reference to elsewhere: {reference[:80]}")
        if reference not in ("#", "#/") and not reference.startswith("#/"):
            return self.known.setdefault(reference, self._named(reference))
        found: Any = self.root
        for step in reference.removeprefix("#").removeprefix("/").split("/") if reference != "#" else ():
            name = unquote(step).replace("~1", "/").replace("~0", "~")
            if isinstance(found, dict) and name in found:
                found = found[name]
            elif isinstance(found, list) and name.isdecimal() and len(name) < 9 and int(name) < len(found):
                found = found[int(name)]
            else:
                raise Unread(f"a reference to what is not there: {reference[:80]}")
        self.known[reference] = found
        return found

    def _named(self, reference: str) -> Any:
        """The one schema with that anchor.

        Raises:
            Unread: there is none, or several.
        """
        found, waiting = [], [self.root]
        while waiting:
            node = waiting.pop()
            if isinstance(node, Mapping) and node.get("$anchor") == reference.removeprefix("#"):
                found.append(node)
            inner = node.values() if isinstance(node, Mapping) else node if isinstance(node, list) else ()
            waiting += inner
        if len(found) != 1:
            raise Unread(f"a reference to a name that {len(found)} schemas have: {reference[:80]}")
        return found[0]


def read(found: Any) -> Document:
    """A definition of any version that is known.

    Raises:
        Unread: it is no definition, or of another version.
    """
    if not isinstance(found, dict) or not isinstance(found.get("paths", {}), dict):
        raise Unread("a document that is no OpenAPI definition")
    if "paths" not in found and "webhooks" not in found and "components" not in found:
        raise Unread("a document without paths")
    stated = str(found.get("swagger", found.get("openapi", "3.0")))
    if stated.startswith("2"):
        version = Version.SWAGGER_2
    elif stated.startswith("3.0"):
        version = Version.OPENAPI_30
    elif stated.startswith("3."):
        version = Version.OPENAPI_31
    else:
        raise Unread(f"a definition of version {stated[:20]}")
    return Document(root=found, version=version)


class Sameness:
    """Whether nodes of two documents say the very same, with what their references lead to; never of what leads to elsewhere."""

    def __init__(self) -> None:
        self._proven: set[tuple[int, int]] = set()
        self._different: set[tuple[int, int]] = set()

    def __call__(self, one: Any, first: Document, other: Any, second: Document) -> bool:
        """Whether they do."""
        # What is met again on the way down is taken to be the same: if anything differs, the whole does.
        seen: set[tuple[int, int]] = set()
        found = self._same((one, first), (other, second), seen, 0)
        if found:
            self._proven |= seen
        return found

    def _same(
        self, one: tuple[Any, Document], other: tuple[Any, Document], seen: set[tuple[int, int]], depth: int
    ) -> bool:
        (raw, first), (there, second) = one, other
        if depth > MOST_LEVELS:
            return False
        if isinstance(raw, list) and isinstance(there, list):
            return len(raw) == len(there) and all(
                self._same((raw[number], first), (there[number], second), seen, depth + 1)
                for number in range(len(raw))
            )
        if not (isinstance(raw, dict) and isinstance(there, dict)):
            return equal(raw, there)
        key = (id(raw), id(there))
        if key in seen or key in self._proven:
            return True
        if key in self._different:
            return False
        seen.add(key)
        found = self._all(raw, first, there, second, seen, depth)
        if not found:
            self._different.add(key)
        return found

    def _all(
        self, raw: Any, first: Document, there: Any, second: Document, seen: set[tuple[int, int]], depth: int
    ) -> bool:
        if raw.keys() != there.keys():
            return False
        if not DYNAMIC.isdisjoint(raw) and not equal(first.root, second.root):
            return False
        if isinstance(raw.get("$ref"), str) and raw["$ref"] == there["$ref"]:
            try:
                targets = (first.target(raw["$ref"]), first), (second.target(raw["$ref"]), second)
            except Unread:
                return False
            if not self._same(*targets, seen, depth + 1):
                return False
        return all(self._same((raw[name], first), (there[name], second), seen, depth + 1) for name in raw)


def equal(one: Any, other: Any) -> bool:
    """Whether two JSON values are one: 1 and 1.0 are, 1 and true are not.

    >>> equal(1, 1.0), equal(1, True), equal([1], ["1"])
    (True, False, False)
    """
    if isinstance(one, bool) or isinstance(other, bool):
        return isinstance(one, bool) and isinstance(other, bool) and one == other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(equal(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(equal, one, other))
    return (type(one) is type(other) and one == other) or (
        _is_number(one) and _is_number(other) and one == other
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
