"""Messages and expectations with their placeholders, such as `{id}`, filled in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import jmespath

from proofbook.config.conversation import PLACES

_PLACES = re.compile(r"\{\{(NAMES)\}\}|\{(NAMES)\}".replace("NAMES", "|".join(PLACES)))


def match_fields(fields: dict[str, Any], message: Any, values: Mapping[str, str]) -> bool:
    """Whether every JMESPath in `fields` finds the value wanted, `{id}`-like places filled in."""
    try:
        return all(
            jmespath.search(path, message) == wanted for path, wanted in _filled_fields(fields, values)
        )
    except jmespath.exceptions.JMESPathError:
        # A function met a value of another type than it takes.
        return False


def _filled_fields(fields: dict[str, Any], values: Mapping[str, str]) -> list[tuple[str, Any]]:
    return [(path, _filled_value(wanted, values)) for path, wanted in fields.items()]


def fill(template: Any, values: Mapping[str, str]) -> Any:
    """`template` with `{id}`, `{text}`, `{user}` filled in, at any depth; doubled braces around such a name are single ones.

    >>> fill({"user{{id}}": 1, "said": "{id}, not {{id}}"}, {"id": "7"})
    {'user{{id}}': 1, 'said': '7, not {id}'}
    >>> fill(["{number}", "no {number}"], {"number": "7"})
    [7, 'no 7']
    """
    if isinstance(template, str):
        return _PLACES.sub(lambda found: _filled(found, values), template)
    if isinstance(template, dict):
        return {key: _filled_value(item, values) for key, item in template.items()}
    if isinstance(template, list):
        return [_filled_value(item, values) for item in template]
    return template


def _filled_value(item: Any, values: Mapping[str, str]) -> Any:
    # Some protocols want a number for an id, and no text that looks like one.
    return int(values["number"]) if item == "{number}" and "number" in values else fill(item, values)


def _filled(found: re.Match[str], values: Mapping[str, str]) -> str:
    escaped, name = found.groups()
    return f"{{{escaped}}}" if escaped else values.get(name, found.group())
