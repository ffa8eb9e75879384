"""A process that collects notes when it was not let run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest

from proofbook.collect import standstills
from proofbook.evidence.schema import STANDSTILLS

STOPPED_S = 1.5
PROGRAM = """
import sys, time
from proofbook.collect import standstills
with standstills.noted() as rows:
    print("ready", flush=True)
    sys.stdin.readline()
for began, ended in rows:
    print(began.timestamp(), ended.timestamp())
"""


@pytest.mark.slow
def test_a_process_that_is_stopped_notes_from_when_to_when() -> None:
    child = subprocess.Popen([sys.executable, "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # fmt: skip
    assert child.stdin is not None and child.stdout is not None
    try:
        assert child.stdout.readline() == "ready\n"
        time.sleep(0.2)
        os.kill(child.pid, signal.SIGSTOP)
        stopped = time.time()
        time.sleep(STOPPED_S)
        went_on = time.time()
        os.kill(child.pid, signal.SIGCONT)
        time.sleep(0.2)
        said, _ = child.communicate("over\n", timeout=60)
    finally:
        child.kill()
        child.wait()
    noted = [tuple(map(float, line.split())) for line in said.splitlines()]
    # A busy machine may add others, or make one of two.
    held = sum(max(0.0, min(ended, went_on) - max(began, stopped)) for began, ended in noted)
    assert held > 0.8 * STOPPED_S, noted


def test_what_was_noted_is_a_table_and_nothing_is_none() -> None:
    row = (pd.Timestamp("2026-01-05T09:00Z"), pd.Timestamp("2026-01-05T09:00:02Z"))
    found = standstills.as_table([row])[STANDSTILLS.name]
    assert list(found.columns) == ["began", "ended"] and tuple(found.iloc[0]) == row
    assert standstills.as_table([]) == {}
