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
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import ROOT, proofbook
from test_broken_notebooks import gone, notebook, pid_in
from test_many_environments import CASE, environments, recorded
from test_s3 import S3, s3  # noqa: F401  # the second is a fixture

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


@dataclass(frozen=True)
class Place:
    """A workspace with a notebook of its own that may wait. notes: where that notebook writes what it does."""

    workspace: Path
    notes: Path

    def begin(self, names: list[str], evidence: Path, address: str, **more: str) -> subprocess.Popen[str]:
        """The command, over the environments of these files."""
        return subprocess.Popen(
            [sys.executable, "-m", "proofbook.cli", "run", *names, "--case", CASE, "--evidence", str(evidence), "--cluster", address, "--json"],
            cwd=self.notes, env={**os.environ, "PROOFBOOK_WORKSPACE": str(self.workspace), "PROOFBOOK_OUTPUTS": str(self.notes / "outputs"), **more},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip


@pytest.fixture
def place(workspace: Path, tmp_path: Path) -> Place:
    """The notebook waits where `waits` says so, once it has written its process into `waiting`."""
    folder = tmp_path / "place"
    (folder / "notebooks").mkdir(parents=True)
    for kind in ("environments", "cases"):
        (folder / "notebooks" / kind).symlink_to(workspace / "notebooks" / kind)
    for path in paths.notebooks(ROOT).values():
        (folder / "notebooks" / path.name).symlink_to(path)
    return Place(workspace=folder, notes=tmp_path)


def waits(place: Place, condition: str) -> Path:
    """Where its notebook writes its process, and waits, if that holds of `notes`; else it ends."""
    waiting = place.notes / "waiting"
    code = f"import os, pathlib, time\nnotes = pathlib.Path({str(place.notes)!r})\nwaiting = notes / 'waiting'\nif {condition}:\n    waiting.write_text(str(os.getpid()))\n    time.sleep(900)"
    notebook(place.workspace / "notebooks", code)
    return waiting


@pytest.mark.extended
def test_a_worker_that_is_killed_costs_no_run_and_doubles_none(
    place: Place, tmp_path: Path, started: list[subprocess.Popen[bytes]]
) -> None:
    evidence = recorded.evidence_of("healthy", to=tmp_path / "evidence")
    address = scheduler(started, tmp_path)
    workers = [worker(started, tmp_path, address) for _ in range(2)]
    names = environments(tmp_path, "one", "two", "three")
    # The first one waits to be killed; any other ends.
    kernel_in = waits(place, "not waiting.exists()")
    command = place.begin(names, evidence, address)
    kernel = pid_in(kernel_in)
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


@pytest.mark.extended
def test_what_ended_before_a_cluster_was_lost_is_kept_and_the_rest_can_go_on_here(
    place: Place, tmp_path: Path, started: list[subprocess.Popen[bytes]]
) -> None:
    evidence = recorded.evidence_of("healthy", to=tmp_path / "evidence")
    address = scheduler(started, tmp_path)
    worker(started, tmp_path, address)
    names = environments(tmp_path, "one", "two", "three")
    kernel_in = waits(place, "list(notes.glob('outputs/*/*/report.html'))")
    command = place.begin(names, evidence, address)
    kernel = pid_in(kernel_in)
    # The scheduler was begun first.
    started[0].send_signal(signal.SIGKILL)
    out, err = command.communicate(timeout=120)
    assert command.returncode == 4, err
    first, *others = json.loads(out)
    assert (first["environment"], first["verdict"]) == ("one", "pass")
    assert (Path(first["folder"]) / "report.html").is_file()
    kept = [next(tmp_path.glob(f"outputs/{name}/*/run.json")) for name in ("two", "three")]
    said = [
        f"the cluster at {address} was lost before the run had ended; go on with: proofbook run {name} --run {path.parent.name}"
        for name, path in zip(names[1:], kept, strict=True)
    ]
    assert [item["sentence"] for item in others] == said
    assert [json.loads(path.read_text())["reason"] for path in kept] == ["unfinished"] * 2
    # And nothing that Dask says of it.
    *lines, last = err.splitlines()
    assert sorted(lines) == sorted(
        f"{name}: {sentence}" for name, sentence in zip(("two", "three"), said, strict=True)
    )
    assert last.startswith("3 environments: 2 error, 1 pass; all of them: ")
    assert gone(kernel), "the worker has ended what it began"
    waits(place, "False")
    done = proofbook("run", names[1], "--run", kept[0].parent.name, "--case", CASE, "--evidence", str(evidence), cwd=tmp_path, workspace=place.workspace, PROOFBOOK_OUTPUTS=str(tmp_path / "outputs"))  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.mark.extended
def test_runs_of_a_cluster_are_in_the_store_of_the_command_and_read_from_there(
    place: Place,
    tmp_path: Path,
    started: list[subprocess.Popen[bytes]],
    s3: S3,  # noqa: F811  # the fixture imported above
) -> None:
    evidence = recorded.evidence_of("healthy", to=tmp_path / "evidence")
    address = scheduler(started, tmp_path)
    # They know nothing of the store: they write into the folder that they share with the command.
    for _ in range(2):
        worker(started, tmp_path, address)
    waits(place, "False")
    names = environments(tmp_path, "one", "two")
    command = place.begin(names, evidence, address, **s3.variables())
    out, err = command.communicate(timeout=600)
    found = json.loads(out)
    assert command.returncode == 0 and [item["verdict"] for item in found] == ["pass", "pass"], err
    assert not any(item.get("not_stored") for item in found)
    listed = proofbook("history", "--json", cwd=tmp_path, workspace=place.workspace, **s3.variables("there"))
    runs = {item["run_id"]: item["environment"] for item in json.loads(listed.stdout)}
    assert runs == {Path(item["folder"]).name: item["environment"] for item in found}
    for run in runs:
        here, there = (
            proofbook("verify", run, cwd=tmp_path, workspace=place.workspace, **s3.variables(machine)).stdout
            for machine in ("here", "there")
        )
        assert there.replace("machines/there", "machines/here") == here
        assert there.count("✔") == 4, "all but the tables that the recorded evidence came without"


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
