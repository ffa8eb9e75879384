"""Executed notebooks: the findings that they carry and what went wrong with them."""

from __future__ import annotations

import json
from pathlib import Path

from proofbook.judge import findings as judged
from proofbook.judge.findings import Finding


def problems_in(folder: Path) -> dict[str, str]:
    """What went wrong with executed notebooks, by name, as the runner wrote it into them."""
    found = {}
    for path in sorted(folder.glob("*.ipynb")):
        problem = (
            json.loads(path.read_text(encoding="utf-8"))
            .get("metadata", {})
            .get("proofbook", {})
            .get("problem")
        )
        if problem:
            found[path.stem] = str(problem)
    return found


def findings_in(folder: Path) -> list[Finding]:
    """The findings that executed notebooks carry, in the order of notebooks and cells; the last of each id counts."""
    found: dict[str, Finding] = {}
    for path in sorted(folder.glob("*.ipynb")):
        for cell in json.loads(path.read_text(encoding="utf-8")).get("cells", []):
            for output in cell.get("outputs", []):
                data = output.get("data", {}).get(judged.MIME)
                if isinstance(data, dict):
                    finding = judged.from_json(data)
                    found[finding.id] = finding
    return list(found.values())
