"""What is said of real exports is what they carry, and nothing of what is written in them."""

from __future__ import annotations

import importlib
import json
import os
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[3]
REAL = os.environ.get("PROOFBOOK_REAL_LOGS")
pytestmark = pytest.mark.skipif(
    not REAL, reason="PROOFBOOK_REAL_LOGS does not name the folder of real exports"
)


@pytest.fixture
def real_exports(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """`benchmarks/real_exports.py`."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module("real_exports")


@pytest.mark.slow
def test_real_exports_carry_no_more_than_is_said_of_them(real_exports: ModuleType) -> None:
    found = {item.name: item for item in map(real_exports.said_of, real_exports.exports(Path(str(REAL))))}
    whole = found["cloud-logging-2025-09-07"]
    assert (whole.entries, whole.services, whole.revisions) == (2002, 3, 3)
    assert whole.may == ("what happened in the window",)
    assert any("(`no-deployment`)" in line for line in whole.may_not)
    cut = found["cloud-logging-2025-09-16-last-hour"]
    assert (cut.entries, round(cut.seconds)) == (1000, 107)
    assert any(line.endswith("the export hit a limit (`log-cut`)") for line in cut.may_not)
    few = found["jwt-rejections-2025-09-07"]
    assert any("(`log-few`)" in line for line in few.may_not)
    emptied = found["wrapped-by-severity-2025-09-15"]
    assert (emptied.entries, emptied.may) == (162, ())
    assert any("(`log-empty-bodies`)" in line for line in emptied.may_not)


@pytest.mark.slow
def test_the_published_table_is_the_one_that_is_printed_and_names_nothing_of_the_logs(real_exports: ModuleType) -> None:  # fmt: skip
    published = (ROOT / "docs" / "explanation" / "measured.md").read_text(encoding="utf-8")
    for export in real_exports.exports(Path(str(REAL))):
        row = real_exports.said_of(export).row
        assert row in published
        names = {name for entry in _entries(json.loads(export.read_text())) for name in _names(entry)}
        assert not [name for name in names if len(name) > 3 and name in row]


def _entries(content: object) -> list[dict[str, object]]:
    """Every object in an export that has a resource."""
    if isinstance(content, list):
        return [entry for item in content for entry in _entries(item)]
    if isinstance(content, dict):
        own = [content] if isinstance(content.get("resource"), dict) else []
        return own + [entry for item in content.values() for entry in _entries(item)]
    return []


def _names(entry: dict[str, object]) -> list[str]:
    resource = entry["resource"]
    labels = resource.get("labels", {}) if isinstance(resource, dict) else {}
    return [str(value) for value in labels.values()] if isinstance(labels, dict) else []
