"""One process at a time writes a run or the index, and whoever has to leave is told who is there."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from pathlib import Path

import pytest
from other_process import held_by_another

from proofbook.concurrency import locks
from proofbook.errors import Locked


def test_who_holds_a_lock_is_named_with_since_when(tmp_path: Path) -> None:
    with held_by_another(tmp_path) as process:
        with pytest.raises(Locked) as raised, locks.held(tmp_path):
            pytest.fail("two processes hold one lock")
        said = str(raised.value)
        assert f"being written by process {process.pid}, started 20" in said and " UTC; wait" in said
        assert raised.value.exit_code == 75
    assert list(tmp_path.iterdir()) == []


def test_a_lock_ends_with_the_process_that_holds_it_and_leaves_nothing(tmp_path: Path) -> None:
    with held_by_another(tmp_path) as process:
        process.kill()
        process.wait()
        with locks.held(tmp_path):
            pass
    with pytest.raises(ZeroDivisionError), locks.held(tmp_path):
        raise ZeroDivisionError
    with locks.held(tmp_path):
        assert list(tmp_path.iterdir()) == []


def test_a_lock_is_waited_for_as_long_as_one_has_patience(tmp_path: Path) -> None:
    with held_by_another(tmp_path) as process:
        assert process.stdin is not None
        began = time.monotonic()
        threading.Timer(0.5, process.stdin.close).start()
        with locks.held(tmp_path, patience_s=60):
            assert 0.4 < time.monotonic() - began < 50


def test_a_program_that_is_started_meanwhile_does_not_hold_the_lock_on(tmp_path: Path) -> None:
    with locks.held(tmp_path):
        program = subprocess.Popen(["sleep", "60"], close_fds=False)
    try:
        with locks.held(tmp_path):
            assert program.poll() is None and os.getpid()
    finally:
        program.kill()
        program.wait()
