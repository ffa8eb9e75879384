"""Pages from the templates of this package: everything escaped, a script allowed by its hash."""

from __future__ import annotations

import base64
import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Any

import jinja2

FOLDER = Path(__file__).parent / "templates"


def render(name: str, *, script: str = "", **values: Any) -> str:
    """A page; it gets `style`, and `script` with `script_hash` where it names the file of one."""
    code = read(script) if script else ""
    return (
        _environment()
        .get_template(name)
        .render(
            style=read("page.css"),
            script=code,
            script_hash=base64.b64encode(hashlib.sha256(code.encode()).digest()).decode(),
            **values,
        )
    )


@lru_cache(maxsize=8)
def read(name: str) -> str:
    """A style sheet or a script of this package."""
    return (FOLDER / name).read_text(encoding="utf-8")


@lru_cache(maxsize=1)
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
