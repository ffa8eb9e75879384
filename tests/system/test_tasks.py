"""The tasks of docs/tasks: a few lines of code, the right answer, and what is published is what they say when they are executed."""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import nbformat
import pandas as pd
import pytest
from conftest import ROOT

import proofbook as pb

REAL = os.environ.get("PROOFBOOK_REAL_LOGS", "")
# Of the machine on which something was made.
ELSEWHERE = re.compile(r"/(?:tmp|root|home|work|usr/local)/")


def script() -> ModuleType:
    """The script that writes them."""
    spec = importlib.util.spec_from_file_location("make_tasks", ROOT / "docs" / "make_tasks.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses look for their names there
    spec.loader.exec_module(module)
    return module


TASKS = script()
by_name = pytest.mark.parametrize("task", TASKS.TASKS, ids=lambda task: task.name)


def published(name: str) -> Any:
    return nbformat.read(TASKS.PLACE / f"{name}.ipynb", as_version=4)


def said(notebook: Any) -> str:
    """What the outputs of a notebook say as text."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return "\n".join(output.get("text") or output.get("data", {}).get("text/plain", "") for output in outputs)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found: Path = TASKS.workspace(tmp_path_factory.mktemp("tasks").resolve())
    return found


@by_name
def test_a_task_takes_at_most_eight_lines_and_its_answer_stands_in_what_they_say(task: Any) -> None:
    assert 0 < task.lines <= TASKS.MOST_LINES == 8
    code = [cell.source for cell in published(task.name).cells if cell.cell_type == "code"]
    assert sum(bool(line.strip()) for source in code for line in source.splitlines()) == task.lines
    # A line of several statements would be several lines.
    assert not any(";" in line for source in code for line in source.splitlines())
    text = said(published(task.name))
    assert task.says and [answer for answer in task.says if answer not in text] == []


@pytest.mark.extended
@pytest.mark.slow
@by_name
def test_what_is_published_is_what_it_says_when_it_is_executed(task: Any, base: Path, tmp_path: Path) -> None:
    again = TASKS.executed(task, base, tmp_path / "executed.ipynb")
    assert said(again) == said(published(task.name))
    assert [cell.source for cell in again.cells] == [cell.source for cell in published(task.name).cells]


def test_the_page_shows_every_task_with_pictures_for_light_and_dark_paper() -> None:
    page = (TASKS.PLACE / "README.md").read_text(encoding="utf-8")
    assert page == TASKS.contents()
    pictures = re.findall(r'(?:srcset|src)="([^"]+)"', page)
    assert len(pictures) == 2 * len(TASKS.TASKS)
    assert all((TASKS.PLACE / picture).exists() for picture in pictures)


@by_name
def test_nothing_of_a_published_task_needs_a_script_or_a_kernel_or_says_where_it_was_made(task: Any) -> None:
    text = (TASKS.PLACE / f"{task.name}.ipynb").read_text(encoding="utf-8")
    assert "<script" not in text and "widget-view" not in text
    assert not ELSEWHERE.search(text)


def test_the_recorded_runs_say_nothing_of_the_machine_on_which_they_were_recorded() -> None:
    for file in TASKS.EVIDENCE.rglob("*.parquet"):
        table = pd.read_parquet(file)
        for name in table.select_dtypes(include=["object", "str"]):
            assert not table[name].astype(str).str.contains(ELSEWHERE).any(), (file, name)


@pytest.mark.skipif(not REAL, reason="PROOFBOOK_REAL_LOGS does not name the folder of real exports")
def test_the_cells_about_an_export_answer_the_same_of_a_real_one() -> None:
    look = pb.look(Path(REAL) / "netra-staging" / "cloud-logging-2025-09-07.json")
    assert "52 of 52 upgrades of /ws refused with 403, 13:21:31 to 13:34:00: all from one address" in repr(look)  # fmt: skip
    assert "all come from one address" in look.where(status=403, path="/ws").who().statement
    left = look.between("13:24", "13:36").where("wrong").kinds()
    # What goes on when the burst is over, under the noise.
    assert left["entries"].tolist() == [5, 1] and left["severity"].iloc[0] == "ERROR"
