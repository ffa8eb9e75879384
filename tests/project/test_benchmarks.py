"""Benchmarks that no other test runs can at least be loaded, so that what they call is still there to be imported."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import ROOT

from proofbook.rehearsal.faults import FAULTS, Fault
from proofbook.selfcheck.trial import seeds

FOLDER = ROOT / "benchmarks"
BENCHMARKS = [
    path for path in sorted(FOLDER.glob("*.py")) if "ArgumentParser(" in path.read_text(encoding="utf-8")
]


@pytest.fixture
def beside(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The import path of a benchmark; what it imports from beside itself is forgotten afterwards."""
    monkeypatch.setattr(sys, "path", [str(FOLDER), *sys.path])
    before = set(sys.modules)
    yield
    for path in FOLDER.glob("*.py"):
        if path.stem not in before:
            sys.modules.pop(path.stem, None)


@pytest.mark.slow
@pytest.mark.parametrize("path", BENCHMARKS, ids=lambda path: path.stem)
@pytest.mark.usefixtures("beside")
def test_a_benchmark_loads_and_says_what_it_takes(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [path.name, "--help"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(path), run_name="__main__")
    assert ended.value.code == 0
    assert f"usage: {path.name}" in capsys.readouterr().out


@pytest.mark.usefixtures("beside")
def test_every_fault_of_the_catalogue_is_owed_in_each_pass_of_the_confusion_table(tmp_path: Path) -> None:
    matrix = runpy.run_path(str(FOLDER / "matrix.py"), run_name="matrix")
    owed = matrix["owed"](seeds([]), tmp_path, healthy=20)
    places = [place.name for seed, place in owed if isinstance(seed, Fault)]
    assert sorted(places) == sorted(FAULTS)
