"""A small fleet, by the benchmark that makes a large one: no wrong verdict, nothing left, every change told once."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from conftest import ROOT

pytestmark = [
    pytest.mark.long(120),
    pytest.mark.skipif(sys.platform != "linux", reason="processes are found by /proc"),
]


@pytest.mark.extended
def test_a_fleet_with_faults_gives_every_verdict_and_tells_every_change_once() -> None:
    words = ("--environments", "4", "--rounds", "3", "--share", "0.4", "--timeout-s", "60", "--seed", "4")
    done = subprocess.run([sys.executable, str(ROOT / "benchmarks" / "fleet.py"), *words], capture_output=True, text=True, timeout=1200)  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    found = re.search(r"0 wrong or left; (\d+) changes of verdict to be told, (\d+) told", done.stdout)
    assert found is not None and found[1] == found[2] and int(found[1]) > 4, done.stdout
