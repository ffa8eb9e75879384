"""All runs of a workspace: an index that is rebuilt from the runs and never the only copy, and pruning.

The index is a script of one call a run, `run({...});`, so that the end of a run adds a line to it whatever its length, and the
page of all runs can load it from a disk, where a page may load scripts and nothing else.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import errno
import json
import os
import secrets
import shutil
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter

from proofbook import paths
from proofbook.concurrency import locks
from proofbook.errors import Locked, ProofbookError
from proofbook.files import replace_text
from proofbook.redaction.scrubbing import for_others
from proofbook.runs import record
from proofbook.runs.folders import environment_folders
from proofbook.runs.permissions import file_mode
from proofbook.runs.stored import DELETED

INDEX = "runs.js"
# Another one means that lines are read otherwise, and so not at all.
_FIRST = "// Proofbook, index of runs, version 1. Written anew by: proofbook history\n"
_CALL, _END = "run(", ");\n"
# What did not end may still be going on: a watch takes days.
UNFINISHED_DAYS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A run in a line. `counts`: findings by verdict. `stamp`: size and time of its run.json, by which a change is noticed."""

    environment: str
    run_id: str
    case: str
    verdict: Literal["pass", "fail", "inconclusive", "error"]
    reason: str
    sentence: str
    started: str
    counts: dict[str, int]
    has_report: bool
    stamp: str


# Old runs may be of any version, or damaged: one that is no entry must not get among those that are.
_entry = TypeAdapter(Entry)


def entries(*, base: Path, environment: str = "") -> list[Entry]:
    """Every run, of one environment or of all, oldest first, from the index where it still holds and from the runs where it does not.

    A run that cannot be read is there as an error and not left out.
    """
    outputs = paths.outputs(base)
    known = _known(outputs / INDEX)
    found = [
        known[key] if key in known and known[key].stamp == stamp else _read(folder, stamp)
        for folder, stamp in _folders(base)
        if not environment or folder.parent.name == environment
        for key in [f"{folder.parent.name}/{folder.name}"]
    ]
    return sorted(found, key=lambda entry: (entry.run_id, entry.environment))


def write_index(entries: Sequence[Entry], *, base: Path) -> None:
    """Writes the index of these entries; nothing where there are no outputs yet."""
    outputs = paths.outputs(base)
    if outputs.is_dir():
        replace_text(outputs / INDEX, _FIRST + "".join(map(_line, entries)), mode=file_mode())


def add(folder: Path, *, base: Path) -> bool:
    """Adds a run to the end of the index, in a time that does not depend on how many there are.

    False where there is no index that ends as one does: then it has to be written anew.
    """
    try:
        stamp = _stamp(folder)
        with open(paths.outputs(base) / INDEX, "r+b", opener=_not_through_a_symlink) as file:
            if file.read(len(_FIRST)) != _FIRST.encode():
                return False
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                # Whoever wrote the last line was killed meanwhile.
                return False
            file.write(_line(_read(folder, stamp)).encode())
    except OSError:
        return False
    return True


def _not_through_a_symlink(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW)


def _line(entry: Entry) -> str:
    return f"{_CALL}{json.dumps(asdict(entry), separators=(',', ':'))}{_END}"


def _stamp(folder: Path) -> str:
    """What tells whether a run's run.json, or the list of its evidence, is another than before.

    Raises:
        OSError: it holds neither.
    """
    try:
        found = (folder / "run.json").stat()
    except OSError:
        found = (folder / "evidence" / paths.MANIFEST).stat()
    return f"{found.st_mtime_ns}-{found.st_size}"


def prunable(
    entries: Iterable[Entry],
    *,
    keep: int,
    older_than_days: float | None = None,
    pinned: Collection[str] = (),
    now: dt.datetime | None = None,
) -> list[Entry]:
    """The runs that may go: of each environment and case all but the newest `keep`, and of those only the old ones.

    The newest that passed, the newest that failed and the pinned ones stay in any case, as does what began in the last days
    and did not end.
    """
    moment = now or dt.datetime.now(dt.UTC)
    groups: dict[tuple[str, str], list[Entry]] = {}
    for entry in entries:
        groups.setdefault((entry.environment, entry.case), []).append(entry)
    found = []
    for group in groups.values():
        newest = sorted(group, key=lambda entry: entry.run_id, reverse=True)
        stay = {entry.run_id for entry in newest[:keep]} | set(pinned)
        for verdict in ("pass", "fail"):
            stay |= {next((entry.run_id for entry in newest if entry.verdict == verdict), "")}
        for entry in newest:
            days = (moment - _time(entry)).total_seconds() / 86400
            unfinished = (
                entry.reason in ("unfinished", "interrupted", "not-judged") and days < UNFINISHED_DAYS
            )
            if (
                entry.run_id not in stay
                and not unfinished
                and (older_than_days is None or days > older_than_days)
            ):
                found.append(entry)
    return sorted(found, key=lambda entry: entry.run_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """What was deleted, the bytes that became free, and one sentence for each run that stayed although it should go."""

    runs: int
    freed_bytes: int
    problems: tuple[str, ...]


def prune(entries: Sequence[Entry], *, base: Path) -> Pruned:
    """Deletes these runs with all that belongs to them; one that cannot be deleted costs no other.

    A run that another process deleted meanwhile is gone as it should be; one that is being written stays.
    """
    runs, freed, problems = 0, 0, []
    for environment in environment_folders(base):
        for half in environment.glob(f".*{DELETED}"):
            shutil.rmtree(half, ignore_errors=True)
    for entry in entries:
        folder = paths.outputs(base) / entry.environment / entry.run_id
        try:
            freed += _delete(folder)
            runs += 1
        except FileNotFoundError:
            continue
        except (OSError, Locked) as error:
            why = (
                str(error)
                if isinstance(error, Locked)
                else f"{paths.shown(folder)}: {error.strerror or error}"
            )
            problems.append(why)
    return Pruned(runs=runs, freed_bytes=freed, problems=tuple(problems))


def _delete(folder: Path) -> int:
    if folder.is_symlink() or folder.parent.is_symlink():
        raise OSError(errno.ELOOP, "lies behind a symlink, so it is no run of these outputs")
    with locks.held(folder):
        size = sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir())
        # First under a name that is no run's: what is half deleted is nobody's run any more.
        aside = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}{DELETED}")
        folder.rename(aside)
        try:
            shutil.rmtree(aside)
        except FileNotFoundError:
            # Another process that prunes took it for what a killed one left.
            shutil.rmtree(aside, ignore_errors=True)
    return size


def _time(entry: Entry) -> dt.datetime:
    """When a run began, from its id where it does not say."""
    try:
        found = dt.datetime.fromisoformat(entry.started)
        return found if found.tzinfo is not None else found.replace(tzinfo=dt.UTC)
    except ValueError:
        pass
    try:
        return dt.datetime.strptime(entry.run_id[:16], "%Y%m%dT%H%M%SZ").replace(tzinfo=dt.UTC)
    except ValueError:
        return dt.datetime.now(dt.UTC)


def _folders(base: Path) -> Iterable[tuple[Path, str]]:
    """Folders of runs, each with its stamp.

    A symlink to a run is none: the run itself is there too, or lies elsewhere.
    """
    for environment in environment_folders(base):
        # What cannot be listed holds no runs that anybody could show.
        with contextlib.suppress(OSError), os.scandir(environment) as listed:
            for item in listed:
                if item.name.startswith(".") or not item.is_dir(follow_symlinks=False):
                    continue
                with contextlib.suppress(OSError):
                    yield Path(item.path), _stamp(Path(item.path))


def _read(folder: Path, stamp: str) -> Entry:
    if not (folder / "run.json").exists():
        return Entry(
            environment=folder.parent.name, run_id=folder.name, case="", verdict="inconclusive", reason="not-judged",
            sentence=f"recorded and not judged yet; judge it with: proofbook run {folder.parent.name} --run {folder.name}",
            started="", counts={}, has_report=False, stamp=stamp,
        )  # fmt: skip
    try:
        found = record.read(folder)
    except (ProofbookError, OSError) as error:
        return Entry(
            environment=folder.parent.name, run_id=folder.name, case="", verdict="error", reason="unreadable",
            sentence=for_others(str(error)), started="", counts={}, has_report=(folder / "report.html").exists(), stamp=stamp,
        )  # fmt: skip
    return Entry(
        environment=folder.parent.name,
        run_id=folder.name,
        case=found.case,
        verdict=found.verdict.value,
        reason=found.reason,
        sentence=found.sentence,
        started=found.started,
        counts=found.counts,
        has_report=(folder / "report.html").exists(),
        stamp=stamp,
    )


def _known(path: Path) -> dict[str, Entry]:
    """The entries of an index; none where it cannot be used, since all of it can be made again."""
    found = {}
    with (
        contextlib.suppress(OSError),
        open(path, encoding="utf-8", errors="replace", opener=_not_through_a_symlink) as file,
    ):
        if file.readline() == _FIRST:
            for line in file:
                # What was cut or altered is read from its run again.
                with contextlib.suppress(ValueError):
                    entry = _entry.validate_json(line.removeprefix(_CALL).removesuffix(_END))
                    # A run that was continued has a line for each time; the last one counts.
                    found[f"{entry.environment}/{entry.run_id}"] = entry
    return found
