"""Stop in the middle of a look leaves nothing: the short form of `benchmarks/look_stopped.py`, in a real kernel."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
from conftest import ROOT

pytestmark = pytest.mark.waits


@pytest.mark.extended
def test_a_look_that_is_stopped_leaves_nothing_and_can_be_opened_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    made, stopped = importlib.import_module("look"), importlib.import_module("look_stopped")
    made.write(tmp_path / "log.parquet", requests=60_000)
    made.export(tmp_path / "log.parquet", tmp_path / "log.json", copies=1)
    (tmp_path / "temporary").mkdir()
    ended = list(stopped.try_stops(tmp_path / "log.json", stops=3, folder=tmp_path / "temporary"))
    assert [f"{what} after {one.after_s:.2f} s: {one.problem}" for what, one in ended if one.problem] == []
    # By then some had come to their end.
    assert {what for what, one in ended if not one.is_late} == {"opening", "displaying"}
