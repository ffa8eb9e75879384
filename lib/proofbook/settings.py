"""Reading TOML files strictly: unknown keys refused, every error names file, key, what was wanted and what came."""

from __future__ import annotations

import datetime as dt
import difflib
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Self, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, model_validator

from proofbook import workspace
from proofbook.errors import ConfigurationError, MissingSecret
from proofbook.redaction import Secret


class Settings(BaseModel):
    """Base of everything that a file may state."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy in which what follows from other fields is found anew."""
        copied = super().model_copy(update=update, deep=deep)
        for name, value in vars(type(self)).items():
            if isinstance(value, cached_property):
                copied.__dict__.pop(name, None)
        return copied

    @classmethod
    def schema_of_files(cls) -> dict[str, Any]:
        """The JSON Schema of the TOML files that state it, by which editors complete and check."""
        return {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            **cls.model_json_schema(by_alias=True, mode="validation"),
        }


class Reference(Settings):
    """A value named instead of written: `{env = "NAME"}`, `{file = "path"}` or `{command = ["program", "argument"]}`.

    Files are read relative to the workspace. `{python}` in a command stands for the running interpreter.
    """

    env: str | None = None
    file: str | None = None
    command: list[str] | None = None
    text: str | None = None

    @model_validator(mode="after")
    def _one_of(self) -> Reference:
        named = [key for key in ("env", "file", "command", "text") if getattr(self, key) is not None]
        if len(named) != 1:
            raise ValueError('expected exactly one of {env = "NAME"}, {file = "path"}, {command = [...]}')
        return self

    def __str__(self) -> str:
        if self.text is not None:
            return self.text
        if self.env is not None:
            return f"environment variable {self.env}"
        if self.file is not None:
            return f"file {self.file}"
        return f"the output of {' '.join(self.command or [])}"

    def read(self, *, base: Path, where: str, hint: str = "") -> str:
        """The value, stripped of surrounding white space.

        Raises:
            MissingSecret: the variable is unset, the file absent or empty, or the command failed.
        """
        if self.text is not None:
            return self.text
        tail = f"; {hint}" if hint else ""
        value = ""
        if self.env is not None:
            value = os.environ.get(self.env, "")
            why = f"it is not set{tail or '; export it first'}"
        elif self.file is not None:
            try:
                value = (base / self.file).read_text(encoding="utf-8").strip()
                why = f"that file is empty{tail}"
            except OSError as error:
                why = f"it cannot be read ({error.strerror}){tail}"
        else:
            value, why = _run(fill_python(self.command or []), base)
        if not value.strip():
            raise MissingSecret(str(self), why, where=where)
        return value.strip()

    def is_there(self, base: Path) -> bool:
        """Whether a variable or a file has a value; of a command only whether its program is there, since it is not run."""
        if self.env is not None:
            return bool(os.environ.get(self.env, "").strip())
        if self.file is not None:
            path = base / self.file
            return path.is_file() and path.stat().st_size > 0
        return self.command is None or shutil.which(fill_python(self.command)[0]) is not None

    def read_secret(self, *, base: Path, where: str, hint: str = "") -> Secret:
        """The same, as a Secret."""
        return Secret(self.read(base=base, where=where, hint=hint))


def _as_reference(value: Any) -> Any:
    return {"text": value} if isinstance(value, str) else value


TextOrReference = Annotated[Reference, BeforeValidator(_as_reference, json_schema_input_type=str | Reference)]


def fill_python(command: list[str]) -> list[str]:
    """A command with `{python}` replaced by the running interpreter."""
    return [part.replace("{python}", sys.executable) for part in command]


def _run(command: list[str], base: Path) -> tuple[str, str]:
    try:
        done = subprocess.run(
            command, cwd=base, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL
        )
    except FileNotFoundError:
        return "", f"the program {command[0]} is not installed"
    except subprocess.TimeoutExpired:
        return "", "the command did not end within 60 s"
    if done.returncode != 0:
        return "", f"the command ended with exit code {done.returncode}"
    return done.stdout, "the command printed nothing"


def as_toml(model: BaseModel, *, prefix: str = "") -> str:
    """Everything that a model holds, as TOML; a comment marks what is a default. What is empty is left out."""
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
        elif value is not None and value not in ("", [], {}):
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
    name = workspace.shown(path)
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigurationError(
            name, [("", "expected a TOML file, found nothing; check the name")]
        ) from None
    except UnicodeDecodeError as error:
        raise ConfigurationError(
            name,
            [
                (
                    "",
                    f"expected UTF-8 text, got byte 0x{error.object[error.start]:02x} at offset {error.start}; save the file as UTF-8",
                )
            ],
        ) from None
    except OSError as error:
        raise ConfigurationError(name, [("", f"cannot be read ({error.strerror})")]) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(name, [("", f"expected TOML, got a syntax error: {error}")]) from None
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise ConfigurationError(name, [_problem(item, model) for item in error.errors()]) from None


def _problem(item: Any, model: type[BaseModel]) -> tuple[str, str]:
    """pydantic's finding as (key, sentence); the value is shown only where it cannot be a secret."""
    location = item["loc"]
    key = _dotted(location)
    kind = item["type"]
    if kind == "extra_forbidden":
        known = _keys_at(model, location[:-1])
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
    message = item["msg"].removeprefix("Value error, ")
    message = message[0].lower() + message[1:]
    if message.startswith("input should be "):
        message = f"expected {message.removeprefix('input should be ')}"
    value = item.get("input")
    if "got " not in message and isinstance(value, str | int | float | bool):
        message += f", got {value!r}"
    return key, message


def _dotted(location: tuple[Any, ...]) -> str:
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def _keys_at(model: type[BaseModel], location: tuple[Any, ...]) -> list[str]:
    """The keys that the file may hold at `location`, for a hint."""
    current: Any = model
    for part in location:
        if isinstance(part, int):
            continue
        fields = getattr(current, "model_fields", {})
        match = next((field for name, field in fields.items() if part in (name, field.alias)), None)
        current = _model_in(match.annotation) if match is not None else None
    fields = getattr(current, "model_fields", {})
    return [field.alias or name for name, field in fields.items()]


def _model_in(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for part in getattr(annotation, "__args__", ()):
        found = _model_in(part)
        if found is not None:
            return found
    return None
