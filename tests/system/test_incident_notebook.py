"""The incident notebook, by Papermill over a log: what stands out is in its outputs, and it belongs to no run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import nbformat
import papermill
import pytest
from conftest import ROOT

from proofbook import paths
from proofbook.execution import selection
from proofbook.investigation import practice

NOTEBOOK = ROOT / "notebooks" / "10-incident.ipynb"


def executed(folder: Path, monkeypatch: pytest.MonkeyPatch, **parameters: str) -> Any:
    monkeypatch.chdir(folder)
    to = folder / "executed.ipynb"
    papermill.execute_notebook(
        str(NOTEBOOK), str(to), parameters=parameters, progress_bar=False, kernel_name="python3"
    )
    return nbformat.read(to, as_version=4)


def outputs(notebook: Any, kind: str) -> list[str]:
    return [
        "".join(output["data"][kind])
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if kind in output.get("data", {})
    ]


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return practice.incident(tmp_path_factory.mktemp("log") / "incident.json")


def test_run_all_over_a_log_names_the_cause_and_shows_it_without_a_script(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notebook = executed(tmp_path, monkeypatch, source=str(log))
    said = "\n".join(outputs(notebook, "text/plain"))
    assert "client = 2.3 and region = eu, 19 of 22 of these" in said
    assert "found: since when: wrong: 2026-01-05 13:46:00 UTC" in said
    html = outputs(notebook, "text/html")
    # Two are tables of pandas, which bring a style and no script.
    assert len(html) == 8 and not any("<script" in shown for shown in html)
    assert all("mathjax_ignore" in shown for shown in (*html[:5], html[7]))
    assert "pb-waterfall" in html[7]
    assert not any("tex2jax_process" in shown for shown in html)


@pytest.mark.extended
def test_with_nothing_given_it_opens_the_incident_for_practice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notebook = executed(tmp_path, monkeypatch)
    said = outputs(notebook, "text/plain")
    assert said[0].startswith("an incident made up for practice: everything")
    assert any("client = 2.3 and region = eu" in text for text in said)


def test_it_is_executed_by_no_run(tmp_path: Path) -> None:
    assert NOTEBOOK.stem in paths.LOOKING
    assert NOTEBOOK.stem not in selection.select([], base=ROOT)
    code = [cell for cell in nbformat.read(NOTEBOOK, as_version=4).cells if cell.cell_type == "code"]
    assert not any(re.search(r"\.check\(|\bopen\(", cell.source) for cell in code)
