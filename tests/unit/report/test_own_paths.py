"""A report shortens paths of the machine that wrote it, and leaves alone what is quoted from elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from proofbook.report.page import without_paths


def test_only_paths_that_exist_here_are_shortened(
    workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "app"
    (home / "mine").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    quoted = f'File "{home}/server/main.py", line 3; {home}/x.log; {home}ly/y'
    own = f"evidence = '{home}/mine'; see {home}/mine. And {workspace}/notebooks/02-websocket.ipynb"
    assert without_paths(quoted) == quoted
    assert without_paths(own) == "evidence = '~/mine'; see ~/mine. And ./notebooks/02-websocket.ipynb"
