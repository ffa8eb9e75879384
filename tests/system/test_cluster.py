"""Environments on the workers of a real Dask cluster on loopback: one is killed in the middle, one is of another version, nobody answers."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import ROOT, proofbook
from test_broken_notebooks import gone, notebook, pid_in
from test_many_environments import CASE, environments, recorded

from proofbook import paths

pytestmark = [pytest.mark.long, pytest.mark.skipif(sys.platform != "linux", reason="processes end with their parent on Linux alone")]  # fmt: skip
OTHER_VERSION = """
import importlib.metadata, sys
usual = importlib.metadata.version
importlib.metadata.version = lambda name: "0.0.1" if name == "proofbook" else usual(name)
from distributed.cli.dask_worker import main
main(sys.argv[1:])
"""


@pytest.fixture
def started(tmp_path: Path) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Processes that end with the test."""
    processes: list[subprocess.Popen[bytes]] = []
    yield processes
    for process in processes:
        process.kill()
        process.wait()


def begin(started: list[subprocess.Popen[bytes]], log: Path, *words: str) -> subprocess.Popen[bytes]:
    with log.open("wb") as file:
        started.append(subprocess.Popen([sys.executable, *words], stdout=file, stderr=file, cwd=log.parent))
    return started[-1]


def scheduler(started: list[subprocess.Popen[bytes]], folder: Path) -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    begin(started, folder / "scheduler.log", "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard")  # fmt: skip
    return f"tcp://127.0.0.1:{port}"


def worker(started: list[subprocess.Popen[bytes]], folder: Path, address: str, *how: str) -> subprocess.Popen[bytes]:  # fmt: skip
    log = folder / f"worker-{len(started)}.log"
    words = how or ("-m", "distributed.cli.dask_worker")
    found = begin(started, log, *words, address, "--nthreads", "1", "--no-nanny", "--no-dashboard", "--host", "127.0.0.1")  # fmt: skip
    deadline = time.monotonic() + 300
    while "Registered to" not in log.read_text() and time.monotonic() < deadline:
        assert found.poll() is None, log.read_text()
        time.sleep(0.1)
    return found


def test_a_worker_that_is_killed_costs_no_run_and_doubles_none(
    workspace: Path, tmp_path: Path, started: list[subprocess.Popen[bytes]]
) -> None:
    evidence = recorded.evidence_of("healthy", to=tmp_path / "evidence")
    address = scheduler(started, tmp_path)
    workers = [worker(started, tmp_path, address) for _ in range(2)]
    names = environments(tmp_path, "one", "two", "three")
    place = tmp_path / "place"
    (place / "notebooks").mkdir(parents=True)
    for kind in ("environments", "cases"):
        (place / "notebooks" / kind).symlink_to(workspace / "notebooks" / kind)
    for path in paths.notebooks(ROOT).values():
        (place / "notebooks" / path.name).symlink_to(path)
    first = tmp_path / "first"
    # The first time it says which process executes it, and waits to be killed; any other time it ends.
    notebook(
        place / "notebooks",
        f"import os, pathlib, time\npath = pathlib.Path({str(first)!r})\nif not path.exists():\n    path.write_text(str(os.getpid()))\n    time.sleep(900)",
    )
    command = subprocess.Popen(
        [sys.executable, "-m", "proofbook.cli", "run", *names, "--case", CASE, "--evidence", str(evidence), "--cluster", address, "--json"],
        cwd=tmp_path, env={**os.environ, "PROOFBOOK_WORKSPACE": str(place), "PROOFBOOK_OUTPUTS": str(tmp_path / "outputs")},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    kernel = pid_in(first)
    [busy] = [item for item in workers if is_below(kernel, item.pid)]
    busy.send_signal(signal.SIGKILL)
    assert gone(kernel)
    out, err = command.communicate(timeout=600)
    found = json.loads(out)
    assert [item["environment"] for item in found] == ["one", "two", "three"], err
    assert [item["sentence"] for item in found if item["verdict"] == "error"] == []
    assert {item["verdict"] for item in found} == {"pass"} and command.returncode == 0
    runs = sorted(path.parent.parent.name for path in tmp_path.glob("outputs/*/*/run.json"))
    assert runs == ["one", "three", "two"]
    assert len(list(tmp_path.glob("outputs/*/*/report.html"))) == 3


def is_below(pid: int, ancestor: int) -> bool:
    while pid > 1:
        if pid == ancestor:
            return True
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        pid = int(stat.rpartition(")")[2].split()[1])
    return False


def test_a_worker_of_another_version_is_refused_with_a_sentence(
    workspace: Path, tmp_path: Path, started: list[subprocess.Popen[bytes]]
) -> None:
    evidence = recorded.evidence_of("healthy", to=tmp_path / "evidence")
    address = scheduler(started, tmp_path)
    worker(started, tmp_path, address, "-c", OTHER_VERSION)
    [name] = environments(tmp_path, "one")
    done = proofbook("run", name, "--case", CASE, "--evidence", str(evidence), "--cluster", address, cwd=tmp_path, workspace=workspace)  # fmt: skip
    assert done.returncode == 4
    assert "has proofbook 0.0.1, pandas" in done.stderr and "install the same on both" in done.stderr


def test_a_cluster_that_does_not_answer_is_an_error_in_a_sentence(workspace: Path, tmp_path: Path) -> None:
    [name] = environments(tmp_path, "one")
    evidence = recorded.evidence_of("healthy", to=tmp_path / "evidence")
    done = proofbook("run", name, "--case", CASE, "--evidence", str(evidence), "--cluster", "tcp://127.0.0.1:1", cwd=tmp_path, workspace=workspace)  # fmt: skip
    assert done.returncode == 4 and "Traceback" not in done.stderr
    assert "expected a Dask scheduler at tcp://127.0.0.1:1, got no answer within 15 s" in done.stderr
