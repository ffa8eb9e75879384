"""Folders of runs: where they lie, how they are named and found."""

from __future__ import annotations

import datetime as dt
import secrets
from pathlib import Path

from proofbook import paths
from proofbook.errors import UnknownName, UsageError
from proofbook.evidence import store


def new_run_id() -> str:
    """Sorts by time: `20261124T104128Z-1f3a`."""
    return f"{dt.datetime.now(dt.UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}"


def find(run: str, *, base: Path) -> Path:
    """The folder of a run, from its id or its path.

    Raises:
        UnknownName: there is none.
    """
    for path in (Path(run), *(folder / run for folder in environment_folders(base))):
        if is_run(path):
            return path.resolve()
    known = [path.name for folder in environment_folders(base) for path in sorted(folder.iterdir()) if is_run(path)]  # fmt: skip
    raise UnknownName("run", run, known[-5:], where=paths.shown(paths.outputs(base)))


def is_run(path: Path) -> bool:
    return (path / "run.json").is_file() or (path / "evidence" / store.MANIFEST).is_file()


def new_folder(environment: str, *, base: Path) -> Path:
    """A folder for a new run.

    Raises:
        UsageError: it cannot be made.
    """
    folder = paths.outputs(base) / environment / new_run_id()
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise UsageError(
            f"expected to be able to write to {paths.shown(folder.parent)}, but: {error.strerror}; set PROOFBOOK_OUTPUTS to another folder"
        ) from None
    return folder


def has_phase(folder: Path, phase: str) -> bool:
    path = folder / "evidence"
    return (path / store.MANIFEST).is_file() and phase in store.read(path).manifest.phases


def environment_folders(base: Path) -> list[Path]:
    folder = paths.outputs(base)
    return [path for path in sorted(folder.iterdir()) if path.is_dir()] if folder.is_dir() else []
