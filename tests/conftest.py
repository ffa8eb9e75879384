"""Real parts for the tests: a workspace of its own, and the practice stack on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from proofbook import case, environment
from proofbook.collect import phases
from proofbook.rehearsal.stack import Stack

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A copy of the notebooks, environments and cases, with outputs of its own; PROOFBOOK_WORKSPACE points there."""
    base = tmp_path_factory.mktemp("workspace")
    shutil.copytree(
        ROOT / "notebooks", base / "notebooks", ignore=shutil.ignore_patterns(".ipynb_checkpoints")
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PROOFBOOK_WORKSPACE", str(base))
        patch.setenv("PLOTLY_RENDERER", "plotly_mimetype")
        yield base


@dataclass
class Rehearsal:
    """The practice stack, up on a loop of its own."""

    base: Path
    stack: Stack
    loop: asyncio.AbstractEventLoop
    recorded: dict[str, Path] = field(default_factory=dict)

    def wait(self, work: Coroutine[Any, Any, Any], timeout_s: float = 120.0) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(timeout_s)

    def deploy(self, *faults: str) -> None:
        self.wait(self.stack.deploy("after", faults))

    def record(
        self,
        phase: str,
        folder: Path,
        *,
        during: Coroutine[Any, Any, Any] | None = None,
        observe_s: float | None = None,
    ) -> None:
        where = environment.load("rehearsal", base=self.base)
        if observe_s is not None:
            where = where.model_copy(update={"observe_s": observe_s})
        what = case.load("ssot-fixes", base=self.base)
        self.wait(
            phases.record(
                where, what, phase, folder=folder, base=self.base, during=during, say=lambda _: None
            )
        )

    def evidence_with(self, *faults: str, to: Path, observe_s: float | None = None) -> Path:
        """Evidence of a whole deployment: before and rollout are shared, after is recorded anew with these faults."""
        shutil.copytree(self.recorded["shared"], to)
        self.deploy(*faults)
        self.record("after", to, observe_s=observe_s)
        return to


@pytest.fixture(scope="session")
def rehearsal(workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    """The stack with its before and rollout phases recorded, and the fix deployed without a fault."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    up = Rehearsal(base=workspace, stack=Stack(workspace / "outputs" / "rehearsal" / "up"), loop=loop)
    try:
        up.wait(up.stack.start())
        shared = tmp_path_factory.mktemp("shared") / "evidence"
        up.record("before", shared)
        up.record("rollout", shared, during=up.stack.deploy("after", ()))
        up.recorded["shared"] = shared
        yield up
    finally:
        with contextlib.suppress(Exception):
            up.wait(up.stack.stop())
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


@pytest.fixture(scope="session")
def healthy_evidence(rehearsal: Rehearsal, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Evidence of a deployment that restored everything."""
    folder = tmp_path_factory.mktemp("healthy") / "evidence"
    shutil.copytree(rehearsal.recorded["shared"], folder)
    rehearsal.record("after", folder)
    return folder


def proofbook(
    *arguments: str, cwd: Path, workspace: Path, timeout_s: float = 300, **variables: str
) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PROOFBOOK_WORKSPACE": str(workspace), **variables}
    return subprocess.run(
        [sys.executable, "-m", "proofbook.cli", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        env=environment,
    )


@pytest.fixture(scope="session")
def finished_run(workspace: Path, healthy_evidence: Path) -> Path:
    """A run judged from healthy evidence by the whole command line."""
    done = proofbook(
        "run", "rehearsal", "--evidence", str(healthy_evidence), "--json", cwd=workspace, workspace=workspace
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return Path(json.loads(done.stdout)[0]["folder"])


@pytest.fixture
def in_folder(tmp_path: Path) -> Iterator[Path]:
    """The test runs in a folder of its own."""
    before = Path.cwd()
    os.chdir(tmp_path)
    yield tmp_path
    os.chdir(before)
