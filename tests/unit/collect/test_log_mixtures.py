"""The short form of `benchmarks/mixtures.py`: random mixtures of forms lose no line, and what a line holds is found."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.mark.extended
@pytest.mark.slow
def test_no_line_of_a_mixture_of_forms_is_lost_and_none_crashes() -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / "mixtures.py"), "--count", "40", "--jobs", "1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "40 mixtures" in done.stdout
