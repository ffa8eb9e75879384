"""Exceptions that nobody foresaw: one sentence for the user, the traceback in a file without secrets.

Python itself ends with exit code 1 then, which here means “the fix did not restore it”.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import re
import tempfile
import traceback
from functools import partial
from pathlib import Path

from proofbook import paths
from proofbook.errors import FULL, CouldNotLook, InternalError, NoRoom
from proofbook.redaction.scrubbing import for_others

FILE = "traceback.txt"
LONGEST_CHARS = 300
# Where our own modules lie.
OURS = Path(__file__).parents[1]


def keep(error: BaseException, *, folder: Path | None = None, base: Path | None = None) -> CouldNotLook:
    """The error to raise instead: what broke, and where its traceback is; of a full disk only which file had no room, and of a
    run whose folder somebody removed only that.

    Args:
        folder: the run that it belongs to; where there is none, or it cannot be written, the traceback is kept in the
            outputs, and at last in the folder for temporary files.
        base: the workspace; None for the one that the current folder belongs to.
    """
    if isinstance(error, OSError) and error.errno in FULL:
        named = isinstance(error.filename, str | bytes)
        return NoRoom(_what(error) if named else _where_full(error.errno, folder))
    if folder is not None and _was_removed(folder, error):
        return CouldNotLook(
            f"{paths.shown(folder)} was removed while this run was at work, so nothing of it is kept; run it again, and leave what is old to [retention] or proofbook prune"
        )
    text = for_others("".join(traceback.format_exception(error)))
    return InternalError(_what(error), where=_where(error), kept=_write(text, folder=folder, base=base))


def _was_removed(folder: Path, error: BaseException) -> bool:
    """Whether something was missing in the folder of a run, which is not there any more, or in a part of it that is not: a run makes its own folders."""
    if isinstance(error, OSError):
        missing = error.filename if isinstance(error, FileNotFoundError) else None
        if isinstance(error, FileNotFoundError) and not folder.is_dir():
            return True
    else:
        # Engines name a file in their text alone.
        found = re.search(rf"{re.escape(str(folder.absolute()))}/[^\s\"':]*", str(error))
        missing = found[0] if found else None
    place = Path(os.fsdecode(missing)).absolute() if isinstance(missing, str | bytes) else None
    return place is not None and place.is_relative_to(folder.absolute()) and not place.parent.is_dir()


def _what(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        # Which file, and in the system's own words; two files where one was to become the other.
        names = [paths.shown(Path(os.fsdecode(name))) for name in (error.filename, error.filename2) if isinstance(name, str | bytes)]  # fmt: skip
        said = f"{error.strerror}: {' → '.join(names)}" if names else error.strerror
    else:
        said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return for_others(" ".join(said.split()))[:LONGEST_CHARS]


def _where_full(number: int | None, folder: Path | None) -> str:
    """What is full, in the system's own words, by an error that names no file."""
    said = os.strerror(number or 0)
    return f"{said}: {paths.shown(folder)}" if folder is not None else said


def _where(error: BaseException) -> str:
    """The innermost line of our own that was executed, or of anybody's where none of ours was."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if Path(frame.filename).is_relative_to(OURS)]
    return "".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in (ours or frames)[-1:])


def _write(text: str, *, folder: Path | None, base: Path | None) -> Path | None:
    """Where it was written; None where nothing can be."""
    if folder is not None and folder.is_dir():
        with contextlib.suppress(OSError):
            made = _new_file(folder, text)
            return made.replace(folder / FILE)
    for find in (partial(_outputs, base), _temporary):
        # Any reason is a reason to try the next place: this must not raise.
        with contextlib.suppress(Exception):
            return _new_file(find(), text)
    return None


def _outputs(base: Path | None) -> Path:
    place = paths.outputs(base or paths.root())
    place.mkdir(parents=True, exist_ok=True)
    return place


def _temporary() -> Path:
    return Path(tempfile.gettempdir())


def _new_file(folder: Path, text: str) -> Path:
    """A file under a name that nobody has; nothing of it stays where the disk is full."""
    number, name = tempfile.mkstemp(
        prefix=f"traceback-{dt.datetime.now(dt.UTC):%Y%m%dT%H%M%SZ}-", suffix=".txt", dir=folder
    )
    path = Path(name)
    try:
        with os.fdopen(number, "w", encoding="utf-8", errors="replace") as file:
            file.write(text)
    except OSError:
        path.unlink(missing_ok=True)
        raise
    return path
