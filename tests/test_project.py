"""What the repository promises of its own files."""

from __future__ import annotations

import ast
import difflib
import importlib
import json
import pkgutil
import re
from pathlib import Path

import pytest

import proofbook
from proofbook.execution import selection
from proofbook.rehearsal import builds

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_are_thin_and_stored_without_outputs(path: Path) -> None:
    cells = json.loads(path.read_text())["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert cells[0]["cell_type"] == "markdown" and "".join(cells[0]["source"]).startswith("# ")
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
    tagged = [cell for cell in code if "parameters" in cell["metadata"].get("tags", [])]
    assert tagged == code[:1]
    names = [node.targets[0].id for node in ast.parse("".join(tagged[0]["source"])).body]
    assert names == ["environment", "case", "evidence"]
    for cell in code:
        tree = ast.parse("".join(cell["source"]))
        assert not any(isinstance(node, ast.FunctionDef | ast.ClassDef) for node in ast.walk(tree))
        assert len("".join(cell["source"]).splitlines()) <= 5


@pytest.mark.parametrize(
    ("patch", "module"), [("recursion", "windows_asyncio_safe"), ("identity", "id_manager")]
)
def test_the_patch_shown_in_the_report_is_the_change_that_is_deployed(patch: str, module: str) -> None:
    folder = Path(str(builds.__file__)).parent
    before, after = (
        (folder / build / f"{module}.py").read_text().splitlines(keepends=True)
        for build in ("before", "after")
    )
    wanted = "".join(difflib.unified_diff(before, after, f"a/backend/{module}.py", f"b/backend/{module}.py"))
    shown = (ROOT / "notebooks" / "cases" / f"{patch}.patch").read_text()
    assert [line for line in shown.splitlines() if line[:1] in "+-"] == [
        line for line in wanted.splitlines() if line[:1] in "+-"
    ]


def test_pins_are_names_and_versions_only() -> None:
    lines = [
        line for line in (ROOT / "requirements.lock").read_text().splitlines() if not line.startswith("#")
    ]
    assert len(lines) > 50
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.!+_-]+", line) for line in lines)


def test_the_page_of_reasons_is_the_list_in_code() -> None:
    from proofbook.judge.reasons import as_markdown

    assert (ROOT / "docs" / "reasons.md").read_text(encoding="utf-8") == as_markdown(), (
        "write it again: python -m proofbook.judge.reasons > docs/reasons.md"
    )


def test_every_reason_that_a_judge_gives_is_in_the_list() -> None:
    from proofbook.judge.reasons import REASONS

    given = set()
    for path in (ROOT / "lib" / "proofbook" / "judge").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        given |= set(re.findall(r'CouldNotSee\(\s*"([a-z-]+)"', text))
        given |= set(re.findall(r'\(\s*"(log-[a-z-]+)",', text))
        given |= {word for line in re.findall(r"reason=(.*)", text) for word in re.findall(r'"([a-z]+-[a-z-]+)"', line)}  # fmt: skip
    assert len(given) > 25
    assert given <= set(REASONS), given - set(REASONS)


def test_a_public_name_means_the_same_whatever_was_loaded_before() -> None:
    # A package that has the name of a function takes its place once it is loaded, and everything loads packages.
    assert proofbook.__all__ == sorted(proofbook.__all__)
    for module in pkgutil.walk_packages(proofbook.__path__, "proofbook."):
        if module.name.split(".")[1] not in ("cli", "rehearsal"):
            importlib.import_module(module.name)
    for name in proofbook.__all__:
        home, attribute = proofbook._HOMES[name]
        module = importlib.import_module(home)
        assert getattr(proofbook, name) is (getattr(module, attribute) if attribute else module), name


def test_a_notebook_is_left_out_only_where_all_that_it_asks_for_is_declared_nowhere(tmp_path: Path) -> None:
    shipped = {path.stem: path for path in NOTEBOOKS if not path.stem.startswith("00-")}
    few = selection.with_something_to_judge(shipped, ["health-service", "websocket-connection"])
    assert list(few) == ["01-service-health", "02-websocket"]
    assert selection.with_something_to_judge(shipped, []) == shipped
    assert tuple(shipped) == selection.OURS
    added = {**shipped, "07-own": shipped["06-contracts"]}
    assert [*selection.with_something_to_judge(added, ["health-service"])] == ["01-service-health", "07-own"]

    def written(source: str) -> list[str] | None:
        path = tmp_path / "own.ipynb"
        path.write_text(json.dumps({"cells": [{"cell_type": "code", "source": source}]}))
        return selection.asks_for(path)

    assert written('book.check("a-*")\nbook.check("b")') == ["a-*", "b"]
    # A check of one's own, an id that is only known when it runs, no check, or a cell that is no plain Python: always executed.
    for source in (
        'book.check("a", recipe)',
        'book.check("a", claim="x")',
        "book.check(name)",
        "1 + 1",
        "%time 1",
    ):
        assert written(source) is None
