"""What the repository promises of its own files."""

from __future__ import annotations

import ast
import difflib
import fnmatch
import importlib
import json
import pkgutil
import re
from pathlib import Path

import pytest
import reason_codes
from conftest import ROOT

import proofbook
from proofbook import paths
from proofbook.config import case, environment
from proofbook.execution import selection
from proofbook.judge import catalogue
from proofbook.rehearsal import builds

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
    asks = ["source", "before", "since", "until", "where"]
    assert names == (asks if path.stem in paths.LOOKING else ["environment", "case", "evidence"])
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


def test_what_make_test_leaves_out_is_tested_before_every_merge() -> None:
    recipes = {
        target: text.split(" -n 8 ")[1].splitlines()[0]
        for target, text in re.findall(r"^(test|test-extended): .*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.M)
    }  # fmt: skip
    assert recipes == {"test": '-m "not extended"', "test-extended": "-m extended"}
    assert {*recipes} <= {line.removeprefix("make ") for line in (ROOT / ".ci/run").read_text().splitlines()}


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


# Reasons that were given to a value elsewhere, and are found there.
PASSED_ON = {
    "log_coverage.py: self.reasons[0][0]",
    "log_covers.py: bad[0][1]",
    "log_gone.py: blind[0]",
    "log_gone.py: why",
    # Read back out of a run.json.
    "record.py: given.value('reason', str)",
}


@pytest.mark.slow
def test_every_reason_that_is_given_anywhere_is_in_the_list_and_every_one_of_the_list_is_given() -> None:
    from proofbook.judge.reasons import REASONS

    library = ROOT / "lib" / "proofbook"
    paths = [path for path in sorted(library.rglob("*.py")) if "rehearsal" not in path.parts]
    found = reason_codes.codes(paths)
    # What cannot be followed to a text could be anything: it has to be looked at by a person.
    assert set(found.unknown) == PASSED_ON
    kinds = reason_codes.constants_given(paths, function="Control", keyword="kind")
    assert {"positive", "negative", "liveness", "comparability", "before", "mutation"} <= kinds
    given = {name for name in found.given if name != "control-*"} | {f"control-{kind}" for kind in kinds}
    assert given - set(REASONS) == set(), {name: found.given.get(name) for name in given - set(REASONS)}
    assert set(REASONS) - given == set()


@pytest.mark.parametrize(
    ("source", "codes"),
    [
        ('Judgement(reason="slower")', {"slower"}),
        ('Judgement(reason="a" if x else "")', {"a"}),
        ('Judgement(reason={P: "", F: "leak"}[v])', {"leak"}),
        ('Judgement(reason={F: "new"}.get(v, "old"))', {"new", "old"}),
        ('def f():\n    verdict, reason, words = (P, "a", "b") if x else (F, "c", "d")\n    return J(reason=reason)', {"a", "c"}),
        ('def g():\n    return 1, "far"\ndef f():\n    one, why = g()\n    return J(reason=why)', {"far"}),
        ('raise InsufficientEvidence("no-log" if x else "clock", "words", repair="")', {"no-log", "clock"}),
        ('Control(kind="positive", code="no-endpoint")', {"no-endpoint"}),
        ('reasons.append(("log-cut" if x else "log-gap", why))', {"log-cut", "log-gap"}),
        ('class E(Exception):\n    reason = "broken-off"', {"broken-off"}),
        ('def f(x):\n    return J(reason=f"{x}-gone")', "t.py: f'{x}-gone'"),
        ("def f(words):\n    return J(reason=words)", "t.py: words"),
    ],
)  # fmt: skip
def test_a_reason_is_found_however_it_is_given(source: str, codes: set[str] | str, tmp_path: Path) -> None:
    (tmp_path / "t.py").write_text(source)
    found = reason_codes.codes([tmp_path / "t.py"])
    if isinstance(codes, str):
        assert (set(found.given), found.unknown) == (set(), [codes])
    else:
        assert (set(found.given), found.unknown) == (codes, [])


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


def test_every_check_of_a_group_is_asked_for_by_one_notebook_whatever_its_name_is_later() -> None:
    asked = {path.stem: selection.asks_for(path) or [] for path in NOTEBOOKS if path.stem[:2] != "00"}
    patterns = [pattern for patterns in asked.values() for pattern in patterns]
    # A class of letters shuts out a name that nobody has given yet.
    assert not [pattern for pattern in patterns if "[" in pattern]
    where = environment.load("rehearsal", base=ROOT)
    declared = catalogue.declare(where, case.load(where.case, base=ROOT))
    for check in [*declared, "deployment-image", "deployment-rollback", "deployment-replicas", "rollout-x"]:
        asking = [pattern for pattern in patterns if fnmatch.fnmatch(check, pattern)]
        assert len(asking) == 1, (check, asking)


def test_a_notebook_is_left_out_only_where_all_that_it_asks_for_is_declared_nowhere(tmp_path: Path) -> None:
    shipped = {
        path.stem: path
        for path in NOTEBOOKS
        if not path.stem.startswith("00-") and path.stem not in paths.LOOKING
    }
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
