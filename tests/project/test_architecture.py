"""The house keeps its plan: packages in one order, no circle, and nothing that grew too large to read."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator

import pytest
from conftest import ROOT

LIB = ROOT / "lib" / "proofbook"
# Lowest first. What stands in one line does not know of each other.
ORDER = (
    ("errors",),
    ("files",),
    ("probe_marks",),
    ("protocol",),
    ("registry",),
    ("stats",),
    ("redaction",),
    ("paths",),
    ("concurrency",),
    ("config",),
    ("connections",),
    ("evidence",),
    ("collect", "judge"),
    ("validation",),
    ("execution",),
    ("runs",),
    ("report",),
    ("notify",),
    ("schedule",),
    ("investigation",),
    ("notebook",),
    ("pipeline",),
    ("rehearsal",),
    ("selfcheck", "cli"),
)
RANK = {name: place for place, names in enumerate(ORDER) for name in names}
MOST_FLAT = 8
MOST_LINES = 450
MOST_LINES_OF_A_FUNCTION = 80
LONG, MOST_LONG = 40, 40
MOST_UNTYPED = 40
# JSON Schema and OpenAPI documents are dictionaries: that is what they are about.
JSON_DOCUMENTS = (
    "collect/services/openapi.py",
    "collect/services/openapi_files.py",
    "collect/services/yaml_document.py",
    "config/json_schema.py",
    "judge/checks/messages.py",
    "judge/checks/openapi_mutants.py",
    *(
        f"judge/contracts/{name}.py"
        for name in ("api", "compare", "containment", "document", "membership", "schemas", "xml_names")
    ),
)

MODULES = {path.relative_to(LIB).as_posix(): path.read_text(encoding="utf-8") for path in LIB.rglob("*.py")}


@functools.cache
def tree_of(name: str) -> ast.Module:
    """A module of ours, parsed once and when it is asked for: this file is read by every worker."""
    return ast.parse(MODULES[name])


def imports(tree: ast.AST) -> Iterator[str]:
    """The modules of ours that are imported anywhere in a tree, without the leading `proofbook.`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "proofbook":
            inside = (node.module or "").partition(".")[2]
            for item in node.names:
                yield f"{inside}.{item.name}" if inside else item.name
        elif isinstance(node, ast.Import):
            yield from (
                item.name.partition(".")[2] for item in node.names if item.name.startswith("proofbook.")
            )


def rooms(name: str) -> str:
    """The package or flat module that a file belongs to."""
    return name.removesuffix(".py").split("/")[0]


def test_every_package_has_its_place_in_the_order() -> None:
    assert {rooms(name) for name in MODULES} - {"__init__"} <= RANK.keys()


@pytest.mark.parametrize("name", sorted(MODULES))
def test_a_module_imports_only_what_lies_below_it(name: str) -> None:
    own = rooms(name)
    if own == "__init__":
        return
    upward = {
        found
        for found in imports(tree_of(name))
        if (other := found.split(".")[0]) in RANK and other != own and RANK[other] >= RANK[own]
    }
    assert not upward, f"{name} imports {sorted(upward)}"


def test_contributors_read_the_same_order() -> None:
    page = (LIB.parent.parent / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = re.findall(r"^- `(\w+)(?:/|\.py)`: ", page, flags=re.MULTILINE)
    assert set(named) == RANK.keys()
    assert [RANK[name] for name in named] == sorted(RANK[name] for name in named)


def test_every_file_that_contributors_are_sent_to_is_there() -> None:
    page = (LIB.parent.parent / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([a-z_]+/[a-z_]+\.py)`", page))
    assert len(named) > 15 and named <= MODULES.keys()


def test_no_modules_import_each_other_in_a_circle() -> None:
    names = {name.removesuffix(".py").removesuffix("/__init__").replace("/", "."): name for name in MODULES}
    graph = {
        module: {
            target
            for found in imports(
                ast.Module(
                    body=[node for node in tree_of(name).body if not is_typing_only(node)], type_ignores=[]
                )
            )
            for target in [found if found in names else found.rpartition(".")[0]]
            if target in names and target != module
        }
        for module, name in names.items()
    }
    done: set[str] = set()

    def walk(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, f"circle: {' → '.join([*path[path.index(module) :], module])}"
        if module not in done:
            for target in graph[module]:
                walk(target, (*path, module))
            done.add(module)

    for module in graph:
        walk(module, ())


def is_typing_only(node: ast.stmt) -> bool:
    """Whether a statement is there for the type checker alone."""
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def test_few_modules_lie_flat() -> None:
    flat = [name for name in MODULES if "/" not in name and name != "__init__.py"]
    assert len(flat) <= MOST_FLAT, flat


def test_no_module_is_too_long_to_read() -> None:
    long = {name: text.count("\n") for name, text in MODULES.items() if text.count("\n") > MOST_LINES}
    assert not long


def functions() -> dict[str, int]:
    """The length of every function in lines."""
    return {
        f"{name}:{node.lineno} {node.name}": (node.end_lineno or node.lineno) - node.lineno + 1
        for name in MODULES
        for node in ast.walk(tree_of(name))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


@pytest.mark.slow
def test_no_function_is_too_long_to_read() -> None:
    assert not {name: lines for name, lines in functions().items() if lines > MOST_LINES_OF_A_FUNCTION}


def test_few_functions_are_long() -> None:
    long = {name: lines for name, lines in functions().items() if lines > LONG}
    assert len(long) <= MOST_LONG, long


def test_records_are_typed_values_and_not_dictionaries() -> None:
    found = {
        name: count
        for name, text in MODULES.items()
        if name not in JSON_DOCUMENTS and (count := len(re.findall(r"dict\[str, Any\]", text)))
    }
    assert sum(found.values()) <= MOST_UNTYPED, found
