"""Files in the folder of notebooks that are none, or not as a run needs them, are told before anything is touched."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from proofbook.errors import UsageError
from proofbook.execution import selection


def notebook(parameters: str = 'environment = ""\ncase = ""\nevidence = ""', **more: Any) -> str:
    cell = {"cell_type": "code", "metadata": {"tags": ["parameters"]}, "source": parameters, "outputs": []}
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [cell], **more})


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "expected a notebook of nbformat 4, got something that cannot be read as one (Expecting value: line 1 column 1 (char 0))"),
        ("[]", "expected a notebook of nbformat 4, got something else"),
        (b"\xff\xfe", "expected a notebook of nbformat 4, got something that cannot be read as one ('utf-8' codec can't decode byte 0xff in position 0: invalid start byte)"),
        (notebook(nbformat=3), "expected a notebook of nbformat 4, got 3"),
        (notebook('environment = = ""'), "expected assignments in the cell tagged parameters, got what is no Python: invalid syntax, line 1"),
    ],
)  # fmt: skip
def test_what_is_no_notebook_is_said_in_a_sentence(
    content: str | bytes, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "notebooks" / "09-mine.ipynb"
    path.parent.mkdir()
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UsageError) as raised:
        selection.select(["09-mine"], base=tmp_path)
    assert str(raised.value) == f"notebooks/09-mine.ipynb: {sentence}"
    path.write_text(notebook(), encoding="utf-8")
    assert selection.select(["09-mine"], base=tmp_path) == {"09-mine": path}


@pytest.mark.parametrize("cells", [None, "text", ["a"], [None]])
def test_cells_that_are_none_hold_no_parameters(cells: object, tmp_path: Path) -> None:
    path = tmp_path / "notebooks" / "09-mine.ipynb"
    path.parent.mkdir()
    path.write_text(notebook(cells=cells), encoding="utf-8")
    with pytest.raises(UsageError, match="there is no parameter 'environment'"):
        selection.select(["09-mine"], base=tmp_path)
