"""Whole files: written so that readers see the old or the new one, and their digests."""

from __future__ import annotations

import hashlib
from pathlib import Path


def digest(path: Path) -> str:
    """sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def replace_text(path: Path, text: str) -> None:
    """Writes a file so that readers see the old or the new one, never a part."""
    temporary = path.with_name(f".{path.name}.new")
    # A lone half of a letter, as a cut line leaves it, is no reason to lose the rest.
    temporary.write_text(text, encoding="utf-8", errors="replace")
    temporary.replace(path)
