"""Whole files: written so that readers see the old or the new one, and their digests."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

# How the name of a file ends that is being written.
UNFINISHED = ".new"


def digest(path: Path) -> str:
    """sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def replace_text(path: Path, text: str, *, mode: int = 0o666) -> None:
    """Writes a file so that readers see the old or the new one, never a part; nothing more stays where that fails.

    What is written first has a name that cannot be foretold and is new, so that no symlink planted there is followed.

    Args:
        mode: permissions of the file, less what the umask takes away.
    """
    temporary = path.with_name(f".{_short(path)}.{secrets.token_hex(8)}{UNFINISHED}")
    number = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        # A lone half of a letter, as a cut line leaves it, is no reason to lose the rest.
        with os.fdopen(number, "w", encoding="utf-8", errors="replace") as file:
            file.write(text)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def unfinished(path: Path) -> Iterator[Path]:
    """What was left by a process that ended while it wrote this file."""
    start = f".{_short(path)}."
    return (
        left
        for left in path.parent.iterdir()
        if left.name.startswith(start) and left.name.endswith(UNFINISHED)
    )


def _short(path: Path) -> str:
    # The longest name has 255 bytes.
    return path.name[:50]
