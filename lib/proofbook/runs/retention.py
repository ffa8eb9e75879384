"""What is kept of the runs of a case: of old ones first the evidence goes, then the run; failures stay longer, and what began them."""

from __future__ import annotations

import datetime as dt
import json
import secrets
import shutil
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from proofbook import paths
from proofbook.concurrency import locks
from proofbook.config.unattended import Retention
from proofbook.errors import CouldNotLook, Locked
from proofbook.files import read_json, replace_text
from proofbook.runs import history
from proofbook.runs.history import Entry
from proofbook.runs.provenance import rfc3339
from proofbook.runs.record import moment
from proofbook.runs.stored import DELETED

# Says that a run had evidence and executed notebooks, and since when it has them no more.
REMOVED = "evidence-removed.json"
LARGE = ("evidence", "notebooks")


@dataclass(frozen=True, slots=True, kw_only=True)
class Old:
    """What is not kept: whole runs, and runs that lose evidence and executed notebooks."""

    runs: tuple[Entry, ...]
    evidence: tuple[Entry, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What was removed, the bytes that became free, and a sentence for each run of which nothing could be."""

    runs: int
    evidence: int
    freed_bytes: int
    problems: tuple[str, ...]


def old(entries: Iterable[Entry], policy: Retention, *, pinned: Collection[str], now: dt.datetime) -> Old:
    """What is not kept of the runs of one case.

    Args:
        pinned: runs that stay whole, such as a baseline.
    """
    newest = sorted(entries, key=lambda entry: entry.run_id, reverse=True)
    failed = [entry.run_id for entry in newest if entry.verdict == "fail"]
    began = [run for pair in _beginnings(newest)[: policy.first_failures] for run in pair]
    whole = {*pinned, *failed[: policy.failures], *began}
    runs = history.prunable(newest, keep=policy.keep, pinned=whole, now=now)
    if policy.evidence is None:
        return Old(runs=tuple(runs), evidence=())
    # By the same rule, over which runs lose what is large.
    gone = {entry.run_id for entry in runs}
    beyond = history.prunable(newest, keep=policy.evidence, pinned=whole, now=now)
    return Old(runs=tuple(runs), evidence=tuple(entry for entry in beyond if entry.run_id not in gone))


def _beginnings(newest: Sequence[Entry]) -> list[tuple[str, ...]]:
    """Runs that failed where the one before had not, newest first, each with that one.

    That one is kept too, so that a beginning is still known as one when what was between has gone.
    """
    before = [*newest[1:], None]
    return [
        (entry.run_id, *((earlier.run_id,) if earlier is not None else ()))
        for entry, earlier in zip(newest, before, strict=True)
        if entry.verdict == "fail" and (earlier is None or earlier.verdict != "fail")
    ]


def remove(what: Old, *, base: Path, now: dt.datetime) -> Done:
    """Removes it; what cannot be removed costs nothing else."""
    outputs, count, freed, problems = paths.outputs(base), 0, 0, list[str]()
    for entry in what.evidence:
        try:
            size = _remove_evidence(outputs / entry.environment / entry.run_id, now=now)
        except (OSError, Locked) as error:
            problems.append(str(error))
            continue
        freed, count = freed + size, count + (size > 0)
    pruned = history.prune(what.runs, base=base)
    return Done(
        runs=pruned.runs,
        evidence=count,
        freed_bytes=freed + pruned.freed_bytes,
        problems=(*problems, *pruned.problems),
    )


def _remove_evidence(folder: Path, *, now: dt.datetime) -> int:
    """The bytes that became free; 0 where there was nothing any more."""
    if folder.is_symlink() or folder.parent.is_symlink():
        return 0
    with locks.held(folder):
        for half in folder.glob(f".*{DELETED}"):
            shutil.rmtree(half, ignore_errors=True)
        there = [
            folder / name for name in LARGE if (folder / name).is_dir() and not (folder / name).is_symlink()
        ]
        if not there:
            return 0
        size = sum(path.lstat().st_size for part in there for path in part.rglob("*") if not path.is_dir())
        # Said first: whoever is killed now leaves a run that says what may be missing.
        replace_text(folder / REMOVED, json.dumps({"at": rfc3339(now)}) + "\n")
        for part in there:
            aside = folder / f".{part.name}.{secrets.token_hex(4)}{DELETED}"
            part.rename(aside)
            shutil.rmtree(aside)
    return size


def removed_since(folder: Path) -> str:
    """Since when a run has no evidence and no executed notebooks any more, in words; empty where it has them."""
    try:
        return moment(read_json(folder / REMOVED)["at"])
    except FileNotFoundError:
        return ""
    except (OSError, ValueError, KeyError, TypeError):
        return "an unknown day"


def check_whole(folder: Path) -> None:
    """Returns where a run has its evidence and its notebooks.

    Raises:
        CouldNotLook: they were removed.
    """
    if since := removed_since(folder):
        raise CouldNotLook(
            f"evidence and notebooks of run {folder.name} were removed on {since} by [retention]; its findings and its report are there"
        )
