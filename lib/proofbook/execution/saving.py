"""How an executed notebook is saved: without secrets and names, whole or not at all, and a cell that is done but once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from proofbook.files import replace_text
from proofbook.judge.findings import MIME
from proofbook.redaction.scrubbing import in_value


class Saver:
    """Saves a notebook when Papermill does and a cell begins, so that whatever ended before is there if that one never ends.

    Papermill writes all of it before and after each cell, which for a notebook with charts takes longer than its cells do:
    here what is done is kept as text. The last time all is redacted again, since a late output may change an early one.
    """

    def __init__(self, manager: Any, target: Path) -> None:
        self._manager, self._target = manager, target
        # By cell: the status in which it was written, and its text.
        self._kept: dict[int, tuple[str, str]] = {}

    def save(self, **_: Any) -> None:
        """Writes the notebook as it is now."""
        manager, notebook = self._manager, self._manager.nb
        ended = manager.end_time is not None
        if ended:
            self._kept.clear()
        if ended or any(self._is_running(cell) for cell in notebook.cells):
            cells = ",".join(self._text(number, cell) for number, cell in enumerate(notebook.cells))
            rest = {key: value for key, value in notebook.items() if key != "cells"}
            replace_text(self._target, f'{{"cells":[{cells}],{json.dumps(rest)[1:]}\n')
        manager.last_save_time = manager.now()

    def _is_running(self, cell: Any) -> bool:
        status = cell.metadata.papermill.get("status")
        return bool(cell.cell_type == "code" and status == self._manager.RUNNING)

    def _text(self, number: int, cell: Any) -> str:
        status = str(cell.metadata.papermill.get("status"))
        known, text = self._kept.get(number, ("", ""))
        if known != status or self._is_running(cell):
            _redact(cell)
            text = json.dumps(cell)
            self._kept[number] = status, text
        return text


def _redact(cell: Any) -> None:
    for output in cell.get("outputs", []):
        for key in ("text", "traceback", "evalue"):
            if key in output:
                output[key] = in_value(output[key])
        if "data" in output:
            output["data"] = type(output["data"])(
                {kind: _private(kind, value) for kind, value in output["data"].items()}
            )


def _private(kind: str, value: Any) -> Any:
    """An output with secrets and names redacted. Ids stay, as they are looked up; pictures hold no text."""
    if kind.startswith(("image/", "audio/", "video/")) and kind != "image/svg+xml":
        return value
    changed = in_value(value)
    return {**changed, "id": value["id"], "fix": value["fix"]} if kind == MIME else changed
