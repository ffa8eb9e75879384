"""The simulation behind the published error rates of “gone” follows the tables that collectors write."""

from __future__ import annotations

import subprocess
import sys

import pytest
from conftest import ROOT


@pytest.mark.extended
@pytest.mark.slow
def test_every_situation_of_the_simulation_is_drawn_and_judged() -> None:
    words = [sys.executable, str(ROOT / "benchmarks" / "gone.py"), "--runs", "1", "--seed", "1"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    rows = [line for line in done.stdout.splitlines() if line.startswith("| ") and " of " in line]
    situations = {line.split("|")[1].strip() for line in rows}
    assert {"bursts", "storms", "idle", "vanishing"} <= situations
    assert len(rows) >= 84
