"""The short form of `benchmarks/matrix.py --abroad`: a server that is broken, one that is well, and none of their processes left."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.extended
@pytest.mark.slow
def test_a_broken_and_a_healthy_server_are_collected_once_and_judged_rightly(tmp_path: Path) -> None:
    lacking = [name for name in ("node", "npm", "mosquitto", "nats-server", "nginx") if not (shutil.which(name) or shutil.which(name, path="/usr/sbin"))]  # fmt: skip
    if lacking:
        pytest.skip(f"not installed and could not be: {' '.join(lacking)}")
    command = [sys.executable, str(ROOT / "benchmarks" / "matrix.py"), "--abroad", "--turns", "1", "--only", "flag-false", "words"]  # fmt: skip

    def collected() -> str:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=900,
            env={**os.environ, "PROOFBOOK_OUTPUTS": str(tmp_path)},
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    said = collected()
    assert "1 of 1 · broken: the verdict that is right" in said and "1 of 1 · well: ✔" in said, said
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("result.json")}
    assert len(kept) == 2
    collected()
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("result.json")} == kept
