"""Servers that are started for a test, and `proofbook try` as a new user runs it."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import command_line
import pytest

from proofbook.files import read_json
from proofbook.judge.findings import Verdict
from proofbook.runs.record import RunRecord

SERVERS = Path(__file__).parent / "servers"
Start = Callable[..., int]


def free_port(address: str = "127.0.0.1") -> int:
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as free:
        free.bind((address, 0))
        return int(free.getsockname()[1])


def wait_for(process: subprocess.Popen[bytes], port: int, address: str = "127.0.0.1") -> None:
    deadline = time.monotonic() + 300
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection((address, port), timeout=1):
            return
        time.sleep(0.05)
    raise AssertionError(f"nothing listens on {address}:{port}")


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a program that listens on the port in its first argument, in a process that ends with the test."""
    processes: list[subprocess.Popen[bytes]] = []

    def started(*words: str, port: int, address: str = "127.0.0.1", **variables: str) -> int:
        with (tmp_path / f"server-{len(processes)}.log").open("wb") as log:
            processes.append(
                subprocess.Popen(words, stdout=log, stderr=log, env={**os.environ, **variables}, cwd=tmp_path)
            )
        wait_for(processes[-1], port, address)
        return port

    yield started
    for process in processes:
        process.terminate()
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def python(
    start: Start, name: str, *, address: str = "127.0.0.1", arguments: tuple[str, ...] = (), **variables: str
) -> int:
    port = free_port(address)
    return start(sys.executable, str(SERVERS / f"{name}.py"), str(port), *arguments, port=port, address=address, **variables)  # fmt: skip


def attempt(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """`proofbook try` as a new user runs it: in a folder that holds nothing."""
    return command(folder, "try", *arguments, **variables)


def command(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    folder.mkdir(exist_ok=True)
    left_out = ("PROOFBOOK_WORKSPACE", "PROOFBOOK_OUTPUTS")
    environment = {key: value for key, value in os.environ.items() if key not in left_out}
    return command_line.run(arguments, cwd=folder, environment={**environment, **variables}, timeout_s=900)


def first_line(done: subprocess.CompletedProcess[str]) -> str:
    assert done.stdout, done.stderr
    return done.stdout.splitlines()[0]


def found_by(folder: Path, *, outputs: str = "outputs") -> dict[str, Verdict]:
    """What the only run in a folder found, by the ids of its checks."""
    (file,) = folder.glob(f"{outputs}/*/*/run.json")
    run = RunRecord.from_json(read_json(file))
    return {str(item["id"]): Verdict(item["verdict"]) for item in run.findings_json}


def nothing_fell(folder: Path, *, outputs: str = "outputs") -> bool:
    """Whether no check of the only run in a folder says that something is broken, or that it could not look.

    Beside those that decide there are others, and one of them may leave open what a busy machine kept it from seeing.
    """
    return not {Verdict.FAIL, Verdict.ERROR} & set(found_by(folder, outputs=outputs).values())


def told(done: subprocess.CompletedProcess[str]) -> str:
    return done.stdout + done.stderr
