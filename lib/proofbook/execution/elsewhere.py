"""The run of one environment on another machine, in a process of its own that ends with its parent."""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from proofbook.execution import endings

# The process that a command ends with.
PARENT = "PROOFBOOK_ENDS_WITH"
GRACE_S = 20.0
# What is under way in this process, by the command that wants it.
_under_way: dict[str, list[subprocess.Popen[str]]] = {}


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a run printed as JSON. refused: why there is none, in a sentence. said: its lines on standard error."""

    content: Mapping[str, object] | None = None
    exit_code: int = 0
    said: tuple[str, ...] = ()
    refused: str = ""


def version() -> str:
    """That of Proofbook, and of what reads evidence: with others a finding may be another one."""
    names = ("proofbook", "pandas", "scipy", "duckdb")
    return ", ".join(f"{name} {importlib.metadata.version(name)}" for name in names)


def run(words: Sequence[str], *, wanted: str, command: str, variables: Mapping[str, str]) -> Answer:
    """The answer of `proofbook run …`, executed here. wanted: the version of whoever asks; command: who that is."""
    if version() != wanted:
        return Answer(refused=f"the worker on {os.uname().nodename} has {version()}, and the command {wanted}; install the same on both")  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-m", "proofbook.cli", "run", *words, "--json"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **variables, PARENT: str(os.getpid())},
        start_new_session=True,
    )
    _under_way.setdefault(command, []).append(process)
    try:
        out, err = process.communicate()
    finally:
        _under_way[command].remove(process)
    said = tuple(err.splitlines())
    try:
        [content] = json.loads(out)
    except ValueError:
        why = said[-1] if said else f"its process {endings.how_it_ended(process.returncode)}"
        return Answer(refused=why, exit_code=process.returncode, said=said)
    return Answer(content=content, exit_code=process.returncode, said=said)


def end(command: str) -> None:
    """Interrupts what is under way here for a command, as Ctrl-C does, and waits for a while until it has ended."""
    processes = list(_under_way.get(command, ()))
    for process in processes:
        process.send_signal(signal.SIGINT)
    for process in processes:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_S)
        if process.poll() is None:
            process.kill()


def end_with_parent() -> None:
    """In the process of such a run: ends with the worker that began it, also when that is killed."""
    parent = os.environ.pop(PARENT, "")
    if parent.isdigit():
        endings.end_with_parent(int(parent))
