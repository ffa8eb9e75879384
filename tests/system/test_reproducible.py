"""The same evidence gives the same findings to the last byte: in any time zone, locale and order of hashing, on any Python that we support."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

JUDGE = """
import json, sys
from pathlib import Path
from proofbook.evidence.store import read
from proofbook.validation import Validation
found = Validation.load("rehearsal", base=Path(sys.argv[2])).over(read(Path(sys.argv[1]))).judge_all()
sys.stdout.buffer.write(json.dumps([item.to_json() for item in found], sort_keys=True).encode())
"""


def judged(evidence: Path, workspace: Path, *, python: str = sys.executable, **variables: str) -> bytes:
    environment = {**os.environ, "PROOFBOOK_WORKSPACE": str(workspace), **variables}
    done = subprocess.run(
        [python, "-c", JUDGE, str(evidence), str(workspace)], capture_output=True, env=environment, timeout=300
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


@pytest.fixture(scope="module")
def here(healthy_evidence: Path, workspace: Path) -> bytes:
    return judged(healthy_evidence, workspace)


@pytest.mark.extended
@pytest.mark.parametrize(
    "variables",
    [
        {"TZ": "Asia/Kathmandu", "LC_ALL": "C", "PYTHONHASHSEED": "1"},
        {"TZ": "America/St_Johns", "LC_ALL": "de_DE.UTF-8", "LANG": "tr_TR.UTF-8", "PYTHONHASHSEED": "2", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    ],
    ids=lambda variables: " ".join(variables.values()),
)  # fmt: skip
def test_time_zone_locale_and_hashing_change_nothing(
    here: bytes, healthy_evidence: Path, workspace: Path, variables: dict[str, str]
) -> None:
    assert judged(healthy_evidence, workspace, **variables) == here


@pytest.mark.extended
@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_every_supported_python_gives_the_same_findings(
    here: bytes, healthy_evidence: Path, workspace: Path, version: str
) -> None:
    running = f"{sys.version_info.major}.{sys.version_info.minor}"
    python = sys.executable if version == running else str(ROOT / f".venv-{version}" / "bin" / "python")
    if not Path(python).exists():
        pytest.skip(f"Python {version} is not here: install it, then make test sets up .venv-{version}")
    assert judged(healthy_evidence, workspace, python=python) == here
