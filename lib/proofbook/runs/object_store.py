"""Runs in an object store: read from there, and sent there when they have ended. The folder on this machine is a copy of the store.

Everything else reads and writes that folder. What cannot be sent stays there until it is.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import secrets
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from proofbook import paths
from proofbook.concurrency import locks
from proofbook.errors import JUDGED_BY_RUN, CouldNotLook, Locked, UsageError
from proofbook.execution.endings import how_it_ended
from proofbook.redaction.scrubbing import for_others
from proofbook.runs import stored
from proofbook.runs.permissions import mode
from proofbook.runs.provenance import rfc3339
from proofbook.runs.stored import DELETED
from proofbook.runs.transfer import Answer

# How long a store may take without anything moving, in seconds; the variable says otherwise.
PATIENCE_S, PATIENCE_VARIABLE = 60.0, "PROOFBOOK_STORE_TIMEOUT_S"
# One command asks for the same several times.
FRESH_S = 10.0
_refreshed: dict[tuple[str, str], float] = {}


def refresh(*, base: Path, environment: str = "", anew: bool = False, past: bool = False) -> None:
    """Brings what each run in the store says of itself, of one environment or of all; nothing where a folder keeps the runs.

    Args:
        anew: also where that was done a moment ago. past: also what earlier runs read in logs.
    Raises:
        CouldNotLook: the store cannot be read. UsageError: its address or its client cannot be used.
    """
    address = _asked()
    last = max(_refreshed.get((address, name), float("-inf")) for name in (environment, ""))
    if address and (anew or past or time.monotonic() - last > FRESH_S):
        _ask([{"do": "refresh", "environment": environment, "past": past}], base=base)
        _refreshed[address, environment] = time.monotonic()


def fetched(folder: Path, *, base: Path) -> Path:
    """The folder of a run, with all that the store has of it.

    Raises:
        CouldNotLook, UsageError: as `refresh`.
    """
    if _asked() and folder.parent.parent == paths.outputs(base).resolve() and not stored.is_whole(folder):
        _ask([{"do": "fetch", "run": f"{folder.parent.name}/{folder.name}"}], base=base)
    return folder


def copied(folder: Path, *, base: Path) -> Path:
    """The folder of a run in the copy of the store, after copying a run of another folder to there; one that is there already stays.

    Raises:
        UsageError: that folder is not of an environment.
    """
    target = paths.outputs(base) / folder.parent.name / folder.name
    if not (paths.is_name(target.parent.name) and paths.is_name(target.name)):
        raise UsageError(f"expected a run in the folder of its environment, got {paths.shown(folder)}")
    if not target.exists():
        aside = target.with_name(f".{target.name}.{secrets.token_hex(4)}{DELETED}")
        try:
            shutil.copytree(folder, aside, symlinks=True)
            aside.chmod(mode())
            aside.rename(target)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
    return target


def send(
    *, base: Path, environment: str = "", runs: Sequence[Path] = (), force: bool = False, anew: bool = False
) -> list[str]:
    """The runs that were sent, of those that wait or of those that are named, as `ENVIRONMENT/RUN`; none where a folder keeps the runs.

    Args:
        force: also over what somebody else wrote meanwhile. anew: brings what others sent, too.
    Raises:
        CouldNotLook: one is not in the store; it stays here, and the sentence says where. UsageError: as `refresh`.
    """
    if not _asked() or not (anew or _is_anything_new(base, environment, runs)):
        return []
    meant = runs or waiting(base=base, environment=environment)
    before = set(_named(folder for folder in meant if force or stored.waits(folder)))
    steps: list[Mapping[str, object]] = [{"do": "send", "environment": environment, "runs": _named(runs), "force": force}]  # fmt: skip
    steps += [{"do": "refresh", "environment": environment}] if anew else []
    try:
        problems = _ask(steps, base=base)
    except CouldNotLook as error:
        problems = [str(error)]
    left = waiting(base=base, environment=environment)
    if problems:
        raise CouldNotLook("; ".join([*problems, *_where(left)]))
    return sorted(before - set(_named(left)))


def _is_anything_new(base: Path, environment: str, runs: Sequence[Path]) -> bool:
    outputs = paths.outputs(base)
    places = [outputs / environment] if environment else stored.folders(outputs)
    return bool(runs) or any(map(stored.is_state_changed, places)) or bool(waiting(base=base, environment=environment))  # fmt: skip


def remove(*, base: Path, runs: Iterable[str] = (), evidence: Iterable[str] = ()) -> None:
    """Removes runs from the store, and of others evidence and executed notebooks, each named as `ENVIRONMENT/RUN`.

    Raises:
        CouldNotLook, UsageError: as `refresh`.
    """
    meant = {"runs": list(runs), "evidence": list(evidence)}
    if _asked() and any(meant.values()):
        removed = json.dumps({"at": rfc3339(dt.datetime.now(dt.UTC))}) + "\n"
        _ask([{"do": "remove", **meant, "removed": removed}], base=base)


def waiting(*, base: Path, environment: str = "") -> list[Path]:
    """The folders of runs that are to be sent; what another process is writing is not yet."""
    return [path for path in stored.runs(paths.outputs(base), environment) if stored.waits(path) and _is_free(path)]  # fmt: skip


def _asked() -> str:
    """The address of the store; empty where there is none, and in the kernel of a run, whose command asks for it."""
    return "" if JUDGED_BY_RUN in os.environ else paths.store()


def _named(folders: Iterable[Path]) -> list[str]:
    return [f"{folder.parent.name}/{folder.name}" for folder in folders]


def _where(left: Sequence[Path]) -> list[str]:
    """Where the runs are that were not sent, and what sends them."""
    if not left:
        return []
    names = " ".join(folder.name for folder in left[:3])
    more = f" and {len(left) - 1} more" if len(left) > 1 else ""
    return [f"what was not sent stays in {paths.shown(left[0])}{more}; send it: proofbook push {names if len(left) <= 3 else ''}".rstrip()]  # fmt: skip


def _is_free(folder: Path) -> bool:
    with contextlib.suppress(Locked), locks.held(folder):
        return True
    return False


def _ask(steps: Sequence[Mapping[str, object]], *, base: Path) -> list[str]:
    """Sentences about single runs, after a process of its own did these steps; see `transfer`.

    Raises:
        CouldNotLook: the store did not let it, or did not answer. UsageError: that was known without asking.
    """
    address = paths.store()
    order = {"address": address, "here": str(paths.outputs(base)), "mode": mode(), "steps": steps, "parent": os.getpid()}  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-m", "proofbook.runs.transfer"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        # Ctrl-C is for this process, which then ends that one.
        start_new_session=True,
    )
    with process:
        try:
            answer = _answer(process, json.dumps(order), address)
        finally:
            process.kill()
    if answer.ended:
        sentence = for_others(answer.ended)
        raise UsageError(sentence) if answer.misused else CouldNotLook(sentence)
    return [for_others(line) for line in answer.problems]


def _answer(process: subprocess.Popen[bytes], order: str, address: str) -> Answer:
    """The answer to an order; a sentence instead where none comes, or nothing moves for too long."""
    assert process.stdin is not None and process.stdout is not None
    with contextlib.suppress(BrokenPipeError):
        process.stdin.write(order.encode() + b"\n")
        process.stdin.flush()
    patience_s, half = _patience_s(), b""
    while select.select([process.stdout], [], [], patience_s)[0]:
        got = os.read(process.stdout.fileno(), 65536)
        if not got:
            return Answer(ended=f"{address}: the process that copies {how_it_ended(process.wait())}")
        *lines, half = (half + got).split(b"\n")
        for line in filter(None, lines):
            return Answer(**json.loads(line))
    return Answer(ended=f"{address} does not answer: nothing moved for {patience_s:g} s ({PATIENCE_VARIABLE})")  # fmt: skip


def _patience_s() -> float:
    said = os.environ.get(PATIENCE_VARIABLE, "")
    try:
        found = float(said) if said else PATIENCE_S
    except ValueError:
        found = 0.0
    if not 1 <= found <= 86400:
        raise UsageError(f"{PATIENCE_VARIABLE}: expected seconds, at least 1, got {said!r}")
    return found
