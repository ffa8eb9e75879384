"""Real parts for the tests: a workspace of its own, and the practice stack on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from proofbook.rehearsal.faults import FAULTS, HEALTHY
from proofbook.selfcheck.trial import Trial

ROOT = Path(__file__).parent.parent
# As small as a case may be.
SHORT_CASE = """
[[fix]]
title = "Recursion in asyncio.sleep"
deployed = "auto"
before = "auto"
[[fix.symptom]]
log = "RecursionError"
[[fix.symptom]]
close_code = 1011
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With several workers (`make test`): what needs the shared evidence comes last, and what takes long is begun first."""
    items.sort(
        key=lambda item: (
            "healthy_evidence" in getattr(item, "fixturenames", ()),
            item.get_closest_marker("long") is None,
        )
    )


def pytest_configure() -> None:
    # Workers ignore Ctrl-C, and so would every program that a test starts.
    if "PYTEST_XDIST_WORKER" in os.environ:
        signal.signal(signal.SIGINT, signal.default_int_handler)


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
    """The practice stack, up on a loop of its own, with its phases before and rollout recorded."""

    base: Path
    trial: Trial
    loop: asyncio.AbstractEventLoop

    def wait(self, work: Coroutine[Any, Any, Any], timeout_s: float = 180.0) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(timeout_s)

    def deploy(self, *faults: str) -> None:
        self.wait(self.trial.stack.deploy("after", faults))

    def record(self, phase: str, folder: Path, *, observe_s: float | None = None) -> None:
        self.wait(self.trial.record(phase, folder, observe_s=observe_s))

    def evidence_with(self, *faults: str, to: Path, observe_s: float | None = None) -> Path:
        """Evidence of a deployment with all of these faults."""
        if len(faults) == 1:
            self.wait(self.trial.collect((FAULTS | HEALTHY)[faults[0]], to=to))
        else:
            shutil.copytree(self.trial.shared, to)
            self.deploy(*faults)
            self.record("after", to, observe_s=observe_s)
        return to


@pytest.fixture(scope="session")
def rehearsal(workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    """The stack, and the fix deployed without a fault."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    trial = Trial(workspace, shared=tmp_path_factory.mktemp("shared") / "evidence")
    up = Rehearsal(base=workspace, trial=trial, loop=loop)
    try:
        up.wait(trial.start())
        yield up
    finally:
        with contextlib.suppress(Exception):
            up.wait(trial.stop())
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


@pytest.fixture(scope="session")
def healthy_evidence(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Evidence of a deployment that restored everything, recorded by one of the workers for all."""
    own = tmp_path_factory.getbasetemp()
    place = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    folder = place / "healthy" / "evidence"
    with (place / "healthy.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            rehearsal: Rehearsal = request.getfixturevalue("rehearsal")
            recorded = own / "recorded"
            rehearsal.wait(rehearsal.trial.collect(to=recorded))
            folder.parent.mkdir()
            recorded.rename(folder)
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


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


# Of a module and not of the session: its event loop runs as long as it is there, and other modules run loops of their own.
@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("chromium is not installed and could not be: sudo apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        arguments = [
            "--disable-gpu",
            "--disable-background-networking",
            *(["--no-sandbox"] if os.geteuid() == 0 else []),
        ]
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield opened
        opened.close()


@pytest.fixture
def open_page(browser: Any) -> Iterator[Callable[..., tuple[Any, list[str]]]]:
    """Opens a page from file:// with the network cut off; gives it and everything that went wrong on it."""
    contexts = []

    def opened(path: Path, *, script: bool = True, width: int = 1440, **more: Any) -> tuple[Any, list[str]]:
        context = browser.new_context(
            offline=True, java_script_enabled=script, viewport={"width": width, "height": 900}, **more
        )
        contexts.append(context)
        page = context.new_page()
        wrong: list[str] = []
        page.on(
            "console",
            lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None,
        )
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("dialog", lambda dialog: wrong.append(f"dialog {dialog.message}"))
        page.on(
            "request",
            lambda request: (
                wrong.append(request.url) if not request.url.startswith(("file:", "blob:", "data:")) else None
            ),
        )
        page.goto(path.as_uri())
        return page, wrong

    yield opened
    for context in contexts:
        context.close()
