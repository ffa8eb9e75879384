"""No process outlives the one for which it works: neither a rehearsal's nor a test run's, however that one ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import guard
import pytest
from conftest import ROOT

MARK = "PROOFBOOK_TEST_OF_ENDINGS"
# So long that a busy machine has ended everything by then, and shorter than what a test leaves would live.
LONGEST_S = 60.0
# Looking reads the environment of every process of the machine, which takes as long as a short test.
LOOKED_EVERY_S = 0.5
SIGNS = pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])


class Started:
    """A command in a session of its own, as a terminal starts it, whose processes carry a mark."""

    def __init__(self, *words: str, cwd: Path, said: Path, **variables: str) -> None:
        self.mark = uuid.uuid4().hex
        self.said = said.open("w+")
        # A worker's variables would make the run that it starts take itself for a worker.
        own = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
        self.process = subprocess.Popen(
            words,
            cwd=cwd,
            env={**own, **variables, MARK: self.mark},
            stdin=subprocess.DEVNULL,
            stdout=self.said,
            stderr=self.said,
            start_new_session=True,
            # What runs in the background of a script does not hear Ctrl-C; what a terminal starts does.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    def alive(self) -> dict[int, str]:
        return guard.marked(self.mark, variable=MARK)

    def wait_for(self, *words: str) -> None:
        """Until each of these is in the command of one of its processes."""
        while not all(any(word in command for command in self.alive().values()) for word in words):
            assert self.process.poll() is None, Path(self.said.name).read_text()
            time.sleep(LOOKED_EVERY_S)

    def left_after(self, sign: signal.Signals, *, whole_group: bool) -> dict[int, str]:
        """What still lives a minute after that signal, beside a first process that says what it did and then ends too."""
        if whole_group:
            os.killpg(self.process.pid, sign)
        else:
            self.process.send_signal(sign)
        ends = time.monotonic() + LONGEST_S
        while (left := self._others()) and time.monotonic() < ends:
            time.sleep(LOOKED_EVERY_S)
        self.process.wait(LONGEST_S)
        return left

    def _others(self) -> dict[int, str]:
        return {pid: command for pid, command in self.alive().items() if pid != self.process.pid}

    def end(self) -> None:
        for pid in self.alive():
            os.kill(pid, signal.SIGKILL)
        self.process.wait(30)
        self.said.close()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """A workspace of its own: a demonstration beside a rehearsal needs one."""
    (tmp_path / "notebooks").symlink_to(ROOT / "notebooks")
    yield tmp_path


@pytest.mark.usual_cases(1)
@pytest.mark.rehearsal
@SIGNS
def test_a_demonstration_leaves_nothing_behind(place: Path, sign: signal.Signals) -> None:
    words = (sys.executable, "-m", "proofbook.cli", "demo")
    started = Started(*words, cwd=place, said=place / "said", PROOFBOOK_WORKSPACE=str(place))
    try:
        started.wait_for("serve auth", "serve frontend", "serve backend", "rehearsal.traffic")
        # Ctrl-C goes to whatever a terminal started; the others meet one process, and the rest must notice.
        left = started.left_after(sign, whole_group=sign is signal.SIGINT)
    finally:
        started.end()
    assert not left


@pytest.mark.extended
@pytest.mark.rehearsal
@pytest.mark.parametrize(
    ("sign", "workers"),
    [(signal.SIGINT, ("-n", "2")), (signal.SIGINT, ()), (signal.SIGTERM, ()), (signal.SIGKILL, ("-n", "2"))],
)
def test_a_test_run_leaves_nothing_behind(
    tmp_path: Path, sign: signal.Signals, workers: tuple[str, ...]
) -> None:
    words = ("pytest", "-q", "-p", "no:cacheprovider", f"--basetemp={tmp_path / 'temporary'}", *workers)
    started = Started(
        sys.executable, "-m", *words, "tests/system/test_short_files.py", cwd=ROOT, said=tmp_path / "said"
    )
    try:
        started.wait_for("serve backend", "rehearsal.traffic")
        left = started.left_after(sign, whole_group=sign is signal.SIGINT)
    finally:
        started.end()
    assert not left
