"""The short form of `benchmarks/faults.py`: a few runs that are broken on purpose, and none of them says what is wrong or leaves anything."""

from __future__ import annotations

import subprocess
import sys

import pytest
from conftest import ROOT


@pytest.mark.long
def test_runs_that_are_broken_on_purpose_say_nothing_wrong_and_leave_nothing() -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / "faults.py"), "--runs", "6", "--seed", "3"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900)
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "6 runs, 4 with a fault: 0 wrong" in done.stdout
