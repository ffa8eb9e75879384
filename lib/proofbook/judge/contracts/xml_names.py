"""What a schema says of how its values are written as XML: names, attributes and wrappings, by place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from proofbook.judge.contracts.document import Document, Unread, equal

MOST_PLACES = 2000


def differing(was: Any, old: Document, now: Any, new: Document) -> Iterator[tuple[str, Any, Any]]:
    """The places that both schemas have and that are written otherwise, each with what either says of it."""
    had, has = _by_place(was, old), _by_place(now, new)
    for place, stated in had.items():
        if place in has and not equal(stated, has[place]):
            yield place, stated, has[place]


def _by_place(raw: Any, document: Document) -> Mapping[str, Any]:
    found: dict[str, Any] = {}
    seen: set[tuple[str, int]] = set()
    waiting = [("", raw)]
    while waiting and len(seen) < MOST_PLACES:
        place, node = waiting.pop(0)
        try:
            node = document.resolve(node)
        except Unread:
            # Whoever compares the schemas says so.
            continue
        # A schema that holds itself says the same of itself further in.
        if not isinstance(node, dict) or any(
            known == id(node) and place.startswith(there) for there, known in seen
        ):
            continue
        seen.add((place, id(node)))
        found[place] = found.get(place) or node.get("xml")
        waiting += _inside(place, node)
    return found


def _inside(place: str, node: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    properties = node.get("properties")
    for name, item in properties.items() if isinstance(properties, dict) else ():
        yield f"{place}.{name}", item
    if isinstance(node.get("items"), dict):
        yield f"{place}[]", node["items"]
    for key in ("allOf", "anyOf", "oneOf"):
        parts = node.get(key)
        for part in parts if isinstance(parts, list) else ():
            yield place, part
