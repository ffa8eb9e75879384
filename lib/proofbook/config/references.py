"""Values that an environment names instead of writing: of a variable, a file or a command."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, model_validator

from proofbook.errors import MissingSecret, MissingValue
from proofbook.redaction.scrubbing import Secret


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
    def model_for(cls, stated: Any) -> type[BaseModel]:
        """The model by which a table of a file is checked: this one, or that of what the table says it is."""
        return cls

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

    def read(
        self, *, base: Path, where: str, hint: str = "", missing: type[MissingValue] = MissingValue
    ) -> str:
        """The value, stripped of surrounding white space.

        Raises:
            MissingValue: the variable is unset, the file absent or empty, or the command failed.
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
                why = f"the file is empty{tail}"
            except OSError as error:
                why = f"{error.strerror}{tail}"
            except UnicodeDecodeError:
                why = f"the file is not UTF-8 text{tail}"
        else:
            value, why = _run(fill_python(self.command or []), base)
        if not value.strip():
            raise missing(str(self), why, where=where)
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
        """The same, as a Secret.

        Raises:
            MissingSecret: as `read`.
        """
        return Secret(self.read(base=base, where=where, hint=hint, missing=MissingSecret))


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
    except OSError as error:
        return "", f"the program {command[0]} cannot be started ({error.strerror})"
    except subprocess.TimeoutExpired:
        return "", "the command did not end within 60 s"
    if done.returncode != 0:
        return "", f"the command ended with exit code {done.returncode}"
    return done.stdout, "the command printed nothing"
