"""Whole files: written so that readers see the old or the new one, and their digests."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# How the name of a file ends that is being written.
UNFINISHED = ".new"
# No file that is read whole has ever been as large: run.json of ten thousand findings has 30 MB.
MOST_BYTES = 1_000_000_000


def read_text(path: Path) -> str:
    """The text of a file that may come from anywhere.

    Raises:
        OSError: there is none, it cannot be read, is a device or pipe, or larger than any of ours. UnicodeDecodeError: it holds no text.
    """
    with open(path, encoding="utf-8", opener=_at_once) as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "it is a device or pipe", str(path))
        if found.st_size > MOST_BYTES:
            raise OSError(errno.EFBIG, f"it has {found.st_size / 1e6:,.0f} MB", str(path))
        return file.read()


def _at_once(path: str, flags: int) -> int:
    # Without this, opening a pipe waits for somebody to write into it.
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def parse_json(text: str | bytes) -> Any:
    """JSON from outside, whatever it is.

    Raises:
        ValueError: it is none, or nested more deeply than anything that means well.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("JSON that is nested too deeply") from None


def read_json(path: Path) -> Any:
    """The JSON in a file.

    Raises:
        OSError: the file cannot be read. ValueError: it holds none.
    """
    return parse_json(read_text(path))


def digest(path: Path) -> str:
    """sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def replace_text(path: Path, text: str, *, mode: int = 0o666) -> None:
    """The same as `replace`, of a text. A lone half of a letter, as a cut line leaves it, is no reason to lose the rest."""
    replace(path, text.encode("utf-8", "replace"), mode=mode)


def replace(path: Path, content: bytes, *, mode: int = 0o666) -> None:
    """Writes a file so that readers see the old or the new one, never a part; nothing more stays where that fails.

    What is written first has a name that cannot be foretold and is new, so that no symlink planted there is followed.

    Args:
        mode: permissions of the file, less what the umask takes away.
    """
    temporary = path.with_name(f".{_short(path)}.{secrets.token_hex(8)}{UNFINISHED}")
    number = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(number, "wb") as file:
            file.write(content)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def overwrite(path: Path, text: str) -> None:
    """Writes over a file within its size, which a full disk has room for; spaces fill what is left of it.

    Raises:
        OSError: it is not there, or smaller than the text.
    """
    number = os.open(path, os.O_WRONLY | getattr(os, "O_NOFOLLOW", 0))
    try:
        content, size = text.encode(errors="replace"), os.fstat(number).st_size
        if len(content) > size:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        os.pwrite(number, content.ljust(size), 0)
    finally:
        os.close(number)


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
