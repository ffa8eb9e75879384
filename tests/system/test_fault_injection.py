"""The short form of `benchmarks/faults.py`: a few runs that are broken on purpose, and none of them says what is wrong or leaves anything."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from conftest import ROOT


@pytest.mark.extended
@pytest.mark.long
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--runs", "2", "--seed", "3"], "2 runs, 1 with a fault: 0 wrong"),
        pytest.param(
            ["--runs", "1", "--only", "a user of no name"],
            "1 runs, 1 with a fault: 0 wrong",
            marks=pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user"),
        ),
    ],
)
def test_runs_that_are_broken_on_purpose_say_nothing_wrong_and_leave_nothing(
    arguments: list[str], said: str
) -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / "faults.py"), "--jobs", "1", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900)
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    assert said in done.stdout
