"""Reading TOML files strictly: unknown keys refused, every error names file, key, what was wanted and what came."""

from __future__ import annotations

import datetime as dt
import difflib
import json
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from proofbook import paths
from proofbook.config import layers
from proofbook.config.fields import WRITTEN_SECRET
from proofbook.config.references import Reference, Settings
from proofbook.config.wanted import wanted
from proofbook.errors import ConfigurationError


def as_toml(model: BaseModel, *, prefix: str = "") -> str:
    """Everything that a model holds, as TOML; a comment marks what is a default. What is empty is left out, unless that says something."""
    lines, tables = [], []
    for name, field in type(model).model_fields.items():
        if field.exclude:
            continue
        key, value = field.alias or name, getattr(model, name)
        if isinstance(value, BaseModel) and not isinstance(value, Reference):
            tables.append(f"[{prefix}{key}]\n{as_toml(value, prefix=f'{prefix}{key}.')}")
        elif isinstance(value, list) and value and isinstance(value[0], BaseModel):
            tables += [f"[[{prefix}{key}]]\n{as_toml(item, prefix=f'{prefix}{key}.')}" for item in value]
        elif isinstance(value, dict) and value and isinstance(next(iter(value.values())), Settings):
            tables += [
                f"[{prefix}{key}.{_key(inner)}]\n{as_toml(item, prefix=f'{prefix}{key}.{_key(inner)}.')}"
                for inner, item in value.items()
                if not isinstance(item, Reference)
            ]
            lines += [
                f"{key}.{_key(inner)} = {toml_value(item)}"
                for inner, item in value.items()
                if isinstance(item, Reference)
            ]
        elif value is not None and (value not in ("", [], {}) or value == "" != field.default):
            stated = name in model.model_fields_set
            lines.append(f"{key} = {toml_value(value)}{'' if stated else '    # default'}")
    return "\n".join([*lines, *tables]) + ("\n" if lines and not tables else "")


def toml_value(value: Any) -> str:
    """A value as TOML writes it, in one line.

    >>> toml_value({"a b": ["x", 1.5, True]})
    '{ "a b" = ["x", 1.5, true] }'
    """
    if isinstance(value, Reference):
        if value.text is not None:
            return toml_value(value.text)
        named = {key: getattr(value, key) for key in ("env", "file", "command")}
        return toml_value({key: item for key, item in named.items() if item is not None})
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        if "\\" in value and value.isprintable() and "'" not in value:
            return f"'{value}'"
        # JSON's escapes are TOML's too, but for the one character that JSON need not escape.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, list | tuple | set):
        return f"[{', '.join(toml_value(item) for item in value)}]"
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{_key(str(key))} = {toml_value(item)}' for key, item in value.items())} }}"
    if isinstance(value, dt.datetime | dt.date):
        return value.isoformat()
    return str(value)


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else toml_value(name)


Model = TypeVar("Model", bound=BaseModel)


def load(model: type[Model], path: Path) -> Model:
    """The file's content as `model`.

    Raises:
        ConfigurationError: the file is absent, not TOML, or states something that cannot be.
    """
    found = layers.read(path) if layers.EXTENDS in model.model_fields else layers.alone(path)
    try:
        return model.model_validate(found.values)
    except ValidationError as error:
        problems: dict[str, list[tuple[str, str]]] = {}
        for item in error.errors():
            key, what = _problem(item, model, found.values)
            problems.setdefault(paths.shown(found.stated_in(key)), []).append((key, what))
        name, first = next(iter(problems.items()))
        raise ConfigurationError(name, first) from None


def text_of(values: Mapping[str, Any]) -> str:
    """The text of a TOML file with these values, a line for each of its keys."""
    return "".join(f"{_key(key)} = {toml_value(value)}\n" for key, value in values.items())


def _problem(item: Any, model: type[BaseModel], data: Any) -> tuple[str, str]:
    """pydantic's finding as (key, sentence); the value is shown only where it cannot be a secret."""
    location = item["loc"]
    key = _dotted(location)
    kind = item["type"]
    if kind == "extra_forbidden":
        known = _keys_at(model, data, location[:-1])
        near = difflib.get_close_matches(str(location[-1]), known, n=1)
        hint = (
            f"did you mean {near[0]!r}?"
            if near
            else f"known keys: {', '.join(sorted(known))}"
            if known
            else "remove it"
        )
        return key, f"unknown key; {hint}"
    if kind == "missing":
        return key, "expected a value, got nothing; add it"
    if kind == WRITTEN_SECRET:
        return key, item["msg"]
    return key, wanted(item) + _as_a_fraction(item)


def _as_a_fraction(item: Any) -> str:
    """What somebody means who writes a percentage where a part of one is wanted; empty where that is not so.

    >>> _as_a_fraction({"type": "less_than", "ctx": {"lt": 1.0}, "input": 99.5})
    '; did you mean 0.995?'
    """
    value = item.get("input")
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if item["type"] != "less_than" or item["ctx"]["lt"] != 1 or not is_number or not 1 < value < 100:
        return ""
    return f"; did you mean {round(value / 100, 12):g}?"


def _dotted(location: tuple[Any, ...]) -> str:
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def _keys_at(model: type[BaseModel], data: Any, location: tuple[Any, ...]) -> list[str]:
    """The keys that the file may hold at `location`, for a hint."""
    current: Any = model
    for part in location:
        # Short forms change what is stated before it is checked.
        data = data[part] if isinstance(data, list | dict) and part in _places(data) else None
        if not isinstance(part, int):
            fields = getattr(current, "model_fields", {})
            match = next((field for name, field in fields.items() if part in (name, field.alias)), None)
            current = _model_in(match.annotation) if match is not None else None
        if isinstance(current, type) and issubclass(current, Settings):
            current = current.model_for(data)
    fields = getattr(current, "model_fields", {})
    return [field.alias or name for name, field in fields.items()]


def _places(data: list[Any] | Mapping[Any, Any]) -> Collection[Any]:
    return data if isinstance(data, Mapping) else range(len(data))


def _model_in(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for part in getattr(annotation, "__args__", ()):
        found = _model_in(part)
        if found is not None:
            return found
    return None
