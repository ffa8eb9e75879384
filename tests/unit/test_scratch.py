"""Temporary folders go with their process, and what a killed one left goes with the next; engines do not spill over each other."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from proofbook.collect.logs.entries import SPILLED, connect
from proofbook.concurrency import scratch

KILLED = """
import os, pathlib, signal, sys
from proofbook.concurrency import scratch
(scratch.new("kept-", base=pathlib.Path(sys.argv[1])).path / "large").write_text("left")
os.kill(os.getpid(), signal.SIGKILL)
"""
# More than the engine may hold in memory.
ROWS = "SELECT i, hash(i) AS h, repeat('{letter}', 20) AS letters FROM range(1500000) held(i)"
ANOTHER = f"""
from proofbook.collect.logs.entries import connect
engine = connect()
engine.execute("SET memory_limit = '60MB'; SET threads = 1")
engine.execute("CREATE TEMP TABLE held AS {ROWS.format(letter="b")}")
print(engine.execute("SELECT min(letters), max(letters) FROM held").fetchall())
"""


@pytest.fixture(autouse=True)
def _stale_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scratch, "STALE_S", -1.0)


def test_what_a_killed_process_left_goes_with_the_next_folder(tmp_path: Path) -> None:
    ended = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    assert ended.returncode < 0
    (left,) = tmp_path.iterdir()
    folder = scratch.new("kept-", base=tmp_path)
    assert list(tmp_path.iterdir()) == [folder.path] and folder.path != left
    folder.remove()


def test_a_folder_that_is_held_stays(tmp_path: Path) -> None:
    folders = [scratch.new("kept-", base=tmp_path) for _ in range(3)]
    assert sorted(tmp_path.iterdir()) == sorted(folder.path for folder in folders)
    for folder in folders:
        folder.remove()
        folder.remove()
    assert list(tmp_path.iterdir()) == []


def test_what_a_link_points_to_and_what_has_another_name_stays(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "kept-link").symlink_to(tmp_path / "mine")
    scratch.new("kept-", base=tmp_path).remove()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kept-link", "mine"]


@pytest.mark.slow
def test_two_processes_that_spill_keep_their_own_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    engine = connect()
    engine.execute("SET memory_limit = '60MB'; SET threads = 1")
    engine.execute(f"CREATE TEMP TABLE held AS {ROWS.format(letter='a')}")
    assert list(tmp_path.glob(f"{SPILLED}*/duckdb_temp*"))
    told = subprocess.run([sys.executable, "-c", ANOTHER], check=True, capture_output=True, text=True).stdout
    assert told.strip() == str([("b" * 20, "b" * 20)])
    assert engine.execute("SELECT min(letters), max(letters) FROM held").fetchall() == [("a" * 20, "a" * 20)]
    del engine
    assert list(tmp_path.iterdir()) == []
