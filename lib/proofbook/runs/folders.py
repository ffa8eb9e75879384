"""Folders of runs: where they lie, how they are named and found."""

from __future__ import annotations

import contextlib
import datetime as dt
import secrets
from pathlib import Path

from proofbook import paths
from proofbook.errors import FULL, NoRoom, UnknownName, UsageError
from proofbook.runs import object_store
from proofbook.runs.permissions import mode

# What names the newest run.
LAST = "last"


def new_run_id() -> str:
    """Sorts by time: `20261124T104128Z-1f3a`; longer in an object store, where no folder keeps two machines from taking the same."""
    return id_at(dt.datetime.now(dt.UTC)) + (secrets.token_hex(4) if paths.store() else "")


def id_at(moment: dt.datetime) -> str:
    """How the id of a run begins that begins then: what follows the second are parts of it, so that runs of one second are in order too.

    >>> id_at(dt.datetime(2026, 11, 24, 10, 41, 28, 500_000))
    '20261124T104128Z-8000'
    """
    return f"{moment:%Y%m%dT%H%M%SZ}-{(moment.microsecond << 16) // 1_000_000:04x}"


def find(run: str, *, base: Path) -> Path:
    """The folder of a run, from its id or its path.

    Raises:
        UnknownName: there is none. CouldNotLook: an object store keeps the runs, and cannot be read.
    """
    object_store.refresh(base=base)
    for path in (Path(run), *(folder / run for folder in environment_folders(base))):
        if is_run(path):
            return object_store.fetched(path.resolve(), base=base)
    known = [path.name for folder in environment_folders(base) for path in sorted(folder.iterdir()) if is_run(path) and not path.name.startswith(".")]  # fmt: skip
    place = paths.shown(paths.outputs(base))
    raise UnknownName("run", run, known[-5:], where=place, or_else="none yet; make one: proofbook run ENV")


def match(run: str, *, base: Path) -> Path:
    """The folder of a run that a text means: a path, an id, a beginning that only one id has, or `last`.

    Raises:
        UnknownName: there is none. UsageError: several begin so. CouldNotLook: an object store keeps the runs, and cannot be read.
    """
    object_store.refresh(base=base)
    ids = {path.name: path for folder in environment_folders(base) for path in sorted(folder.iterdir()) if is_run(path) and not path.name.startswith(".")}  # fmt: skip
    if run == LAST and ids:
        return object_store.fetched(ids[max(ids)].resolve(), base=base)
    beginning = [name for name in sorted(ids) if run and name.startswith(run)]
    if run not in ids and len(beginning) > 1:
        raise UsageError(
            f"expected the beginning of one run, got {run!r}, with which {len(beginning)} begin: {', '.join(beginning[-5:])}"
        )
    if beginning and not is_run(Path(run)):
        return object_store.fetched(ids[run if run in ids else beginning[0]].resolve(), base=base)
    return find(run, base=base)


def evidence(text: str, *, base: Path) -> Path:
    """The evidence folder that a text means: a path of evidence or of a run, a run's id, its beginning, or `last`.

    Raises:
        UnknownName: there is no such run. UsageError: that path holds no evidence, or several runs begin so.
    """
    # Late, here and below: whoever lists runs reads none of their tables.
    from proofbook.validation import evidence_folder

    is_path = "/" in text or "." in text or Path(text).exists() or not text
    return evidence_folder(text if is_path else str(match(text, base=base)), base=base)


def is_run(path: Path) -> bool:
    """Whether that folder holds a run, finished or not."""
    return any(map(paths.is_file, (path / "run.json", path / "evidence" / paths.MANIFEST)))


def new_folder(environment: str, *, base: Path) -> Path:
    """A folder for a new run, with the permissions of `mode`.

    Raises:
        UsageError: it cannot be made, or would lie elsewhere. NoRoom: the disk is full.
    """
    parent = paths.outputs(base) / environment
    if parent.is_symlink():
        raise UsageError(
            f"expected a folder for the runs of {environment}, got a symlink: {paths.shown(parent)}; to keep runs elsewhere set PROOFBOOK_OUTPUTS"
        )
    permissions = mode()
    try:
        parent.mkdir(parents=True, exist_ok=True)
        while True:
            folder = parent / new_run_id()
            # Another process that began at the same moment may have taken it.
            with contextlib.suppress(FileExistsError):
                folder.mkdir()
                break
        folder.chmod(permissions)
    except OSError as error:
        if error.errno in FULL:
            raise NoRoom(f"{error.strerror}: {paths.shown(parent)}") from None
        raise UsageError(
            f"expected to be able to write to {paths.shown(parent)}, but: {error.strerror}; set PROOFBOOK_OUTPUTS to another folder"
        ) from None
    return folder


def has_phase(folder: Path, phase: str) -> bool:
    from proofbook.evidence import store

    path = folder / "evidence"
    return (path / store.MANIFEST).is_file() and phase in store.read(path).manifest.phases


def environment_folders(base: Path) -> list[Path]:
    """The folders of runs, one for each environment."""
    folder = paths.outputs(base)
    if not folder.is_dir():
        return []
    # A symlink would lead elsewhere.
    return [path for path in sorted(folder.iterdir()) if path.is_dir() and not path.is_symlink()]
