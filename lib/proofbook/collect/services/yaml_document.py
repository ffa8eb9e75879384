"""Reads YAML from the network as JSON: no Python types, no expansion bombs, limited depth."""

from __future__ import annotations

import re
from typing import Any

MOST_LEVELS = 200
# Aliases may make much of little: no more values than a document of this many bytes could hold.
MOST_VALUES = 1_000_000


def parse(text: str) -> Any:
    """The value of a YAML document, by the core schema of YAML 1.2: `no` is a text there, and a date too.

    Raises:
        ValueError: it is none, nested too deeply, or larger than it looks; in a sentence.
    """
    import yaml

    loader = _loader(yaml)
    try:
        _check_levels(text, yaml)
        found = yaml.load(text, Loader=loader)
    except yaml.YAMLError as error:
        where = getattr(error, "problem_mark", None)
        line = f"line {where.line + 1}" if where is not None else "its beginning"
        raise ValueError(f"the answer is neither JSON nor YAML: see {line}") from None
    except (ValueError, OverflowError, RecursionError) as error:
        raise ValueError(f"the answer is not read: {error}"[:200]) from None
    return _Plain().value(found, 0)


def _check_levels(text: str, yaml: Any) -> None:
    """Before anything is built: how it is built needs stack for every level."""
    level = 0
    for event in yaml.parse(text, Loader=_fastest(yaml)):
        if isinstance(event, yaml.CollectionStartEvent):
            level += 1
            if level > MOST_LEVELS:
                raise ValueError("it is nested too deeply")
        elif isinstance(event, yaml.CollectionEndEvent):
            level -= 1


def _fastest(yaml: Any) -> Any:
    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _loader(yaml: Any) -> Any:
    class Core(_fastest(yaml)):  # type: ignore[misc]  # PyYAML states no types
        """Only what JSON has, by the letters of YAML 1.2."""

    Core.yaml_implicit_resolvers = {}
    for tag, pattern, first in (
        ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
        ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
        ("int", r"[-+]?[0-9]+", list("-+0123456789")),
        ("float", r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", list("-+.0123456789")),
    ):
        Core.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(f"^(?:{pattern})$"), first)
    # YAML 1.1 would read 010 as 8.
    Core.add_constructor("tag:yaml.org,2002:int", lambda self, node: int(self.construct_scalar(node)))
    Core.add_constructor("tag:yaml.org,2002:float", lambda self, node: float(self.construct_scalar(node)))
    return Core


class _Plain:
    """Counts what it walks through, so that aliases of aliases come to an end."""

    def __init__(self) -> None:
        self._left = MOST_VALUES

    def value(self, found: Any, level: int) -> Any:
        """The same as JSON has it, with texts for names.

        Raises:
            ValueError: it is too large or too deep, or refers to itself.
        """
        self._left -= 1
        if self._left < 0 or level > MOST_LEVELS:
            raise ValueError("the answer is not read: it is larger than it looks")
        if isinstance(found, dict):
            return _merged({_name(name): self.value(item, level + 1) for name, item in found.items()})
        if isinstance(found, list):
            return [self.value(item, level + 1) for item in found]
        if found is None or isinstance(found, bool | int | str):
            return found
        if isinstance(found, float) and found - found == 0:
            return found
        return str(found)


def _merged(found: dict[str, Any]) -> dict[str, Any]:
    """A mapping with those that it takes over by `<<`, of which the first and its own values count."""
    if "<<" not in found:
        return found
    taken = found.pop("<<")
    others = taken if isinstance(taken, list) else [taken]
    if not all(isinstance(item, dict) for item in others):
        raise ValueError("the answer is not read: << stands before what is no mapping")
    whole: dict[str, Any] = {}
    for item in reversed(others):
        whole |= item
    return whole | found


def _name(name: Any) -> str:
    # As JSON would write it: status codes are often not quoted.
    if isinstance(name, bool) or name is None:
        return {True: "true", False: "false", None: "null"}[name]
    return str(name)
