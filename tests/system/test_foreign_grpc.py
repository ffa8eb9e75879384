"""A second package adds a gRPC health collector, a claim on its table, a section of the report and a notebook, and no file of ours knows of it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path

import grpc
import pytest
from conftest import ROOT, proofbook
from foreign import install
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from proofbook.evidence import store

PACKAGE = ROOT / "tests" / "foreign_grpc"
SERVICE = "chat.Threads"
CHECK = "grpc-threads-chat-threads"
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


class Healthy(health.HealthServicer):
    """A health service that calls every service healthy, known or not."""

    def Check(self, request: health_pb2.HealthCheckRequest, context: grpc.ServicerContext) -> health_pb2.HealthCheckResponse:  # fmt: skip
        return health_pb2.HealthCheckResponse(status=SERVING)


class Server:
    """A gRPC server on loopback with a health service."""

    def __init__(self, servicer: health.HealthServicer) -> None:
        self.health = servicer
        self._server = grpc.server(futures.ThreadPoolExecutor(max_workers=4))
        health_pb2_grpc.add_HealthServicer_to_server(servicer, self._server)
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()

    def stop(self) -> None:
        self._server.stop(None).wait(5)


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    up = Server(getattr(request, "param", health.HealthServicer)())
    yield up
    up.stop()


class Place:
    """A workspace beside which the package is installed, with an environment that asks a server."""

    def __init__(self, folder: Path, address: str) -> None:
        project = tomllib.loads((PACKAGE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        modules = {path.name: path.read_text(encoding="utf-8") for path in PACKAGE.glob("*.py")}
        self.site, self.workspace = folder / "site", folder / "workspace"
        install(
            self.site, project["name"].replace("-", "_"), entries=project["entry-points"], modules=modules
        )
        shutil.copytree(ROOT / "notebooks", self.workspace / "notebooks")
        for path in (PACKAGE / "notebooks").glob("*.ipynb"):
            shutil.copy(path, self.workspace / "notebooks")
        (self.workspace / "notebooks" / "environments" / "threads.toml").write_text(
            f"""
[pace]
per_s = 500

[[probe]]
kind = "grpc"
name = "threads"
address = "{address}"
services = ["{SERVICE}"]
checks = 300
"""
        )

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        path = os.pathsep.join(filter(None, [str(self.site), os.environ.get("PYTHONPATH")]))
        return proofbook(*words, cwd=self.workspace, workspace=self.workspace, PYTHONPATH=path, timeout_s=300)


def test_its_table_is_planned_recorded_and_explained_like_ours(server: Server, tmp_path: Path) -> None:
    server.health.set(SERVICE, SERVING)
    place = Place(tmp_path, server.address)
    explained = place.run("explain", "threads")
    line = f"threads: 300 health checks of {SERVICE}, and 3 of a service that must not exist"
    assert explained.returncode == 0 and f"# {line}" in explained.stdout.splitlines(), explained.stderr
    done = place.run("collect", "threads", "--phase", "after")
    assert done.returncode == 0 and f"plan · after · {line}" in done.stderr + done.stdout, done.stderr
    (folder,) = (place.workspace / "outputs").glob("*/*/evidence")
    recorded = store.read(folder)
    phase = recorded.manifest.phases["after"]
    assert (phase.done, phase.problems) == ({"grpc calls": 303}, [])
    table = recorded.table("grpc_health")
    assert table is not None
    assert table.groupby(["kind", "code", "status"]).size().to_dict() == {
        ("health", "OK", "SERVING"): 300,
        ("unknown-service", "NOT_FOUND", ""): 3,
    }


@pytest.mark.usual_cases(1)
@pytest.mark.parametrize(
    ("server", "status", "verdict", "code"),
    [
        (health.HealthServicer, SERVING, "pass", 0),
        (health.HealthServicer, NOT_SERVING, "fail", 1),
        (Healthy, SERVING, "inconclusive", 3),
    ],
    indirect=["server"],
)
def test_a_run_judges_it_by_its_notebook_and_shows_its_section(
    server: Server, status: int, verdict: str, code: int, tmp_path: Path
) -> None:
    server.health.set(SERVICE, status)
    place = Place(tmp_path, server.address)
    done = place.run("run", "threads", "--json")
    assert done.returncode == code, done.stdout + done.stderr
    folder = Path(json.loads(done.stdout)[0]["folder"])
    findings = {item["id"]: item for item in json.loads((folder / "run.json").read_text())["findings"]}
    assert findings[CHECK]["verdict"] == verdict
    assert findings["probe-threads"]["verdict"] == "pass"
    report = (folder / "report.html").read_text(encoding="utf-8")
    said = "SERVING" if status == SERVING else "NOT_SERVING"
    assert "Answers of gRPC services" in report and f"{SERVICE}: 300 answers {said}" in report
    assert "Are the gRPC services healthy?" in report


def test_a_server_that_is_gone_is_a_failure_and_no_crash(server: Server, tmp_path: Path) -> None:
    server.stop()
    place = Place(tmp_path, server.address)
    done = place.run("run", "threads", "--json")
    folder = Path(json.loads(done.stdout)[0]["folder"])
    findings = {item["id"]: item for item in json.loads((folder / "run.json").read_text())["findings"]}
    assert findings[CHECK]["verdict"] == "fail", findings[CHECK]
    assert "300 answers UNAVAILABLE" in (folder / "report.html").read_text(encoding="utf-8")


def test_no_file_of_ours_knows_of_it() -> None:
    ours = [path for path in (ROOT / "lib").rglob("*") if path.suffix in (".py", ".j2", ".toml")]
    assert len(ours) > 150
    assert not [path.name for path in ours if "grpc_health" in path.read_text(encoding="utf-8").lower()]
