"""What code calls a table or a column of evidence is a table or a column of the schema: a typo fails here, not in a run."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterable, Iterator

import pytest
from conftest import ROOT

from proofbook.evidence import schema
from proofbook.judge.checks import log_changes

LIB = ROOT / "lib" / "proofbook"
READERS = ("judge", "evidence", "notebook", "report", "validation.py")
SOURCES = {
    path.relative_to(LIB).as_posix(): path.read_text(encoding="utf-8")
    for path in LIB.rglob("*.py")
    if path.relative_to(LIB).parts[0] in READERS
}
# What is called with the name of a table, and at which place.
OF_TABLES = {"need": 0, "table": 0, "tables": 0, "has_before": 0, "exchange": 0, "file": 0, "success_rate": 0, "rows_in": 1, "_at": 2}  # fmt: skip
# Of tables that `log_novelty` draws from those of the evidence: by which kinds of message and their times are joined, and what became of each.
DERIVED = {"key", *log_changes.COLUMNS}
COLUMNS = {column.name for table in schema.TABLES.values() for column in table.every_column} | DERIVED


def tables_named(tree: ast.AST) -> Iterator[str]:
    """Every table that is named by a text."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and len(node.args) > (place := OF_TABLES.get(called(node), 99)):
            yield from texts(node.args[place])
        elif isinstance(node, ast.keyword) and node.arg in ("tables", "extra_tables"):
            yield from texts(node.value)


def called(node: ast.expr) -> str:
    """The name of what is called, without what it belongs to."""
    function = node.func if isinstance(node, ast.Call) else node
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def texts(node: ast.expr) -> list[str]:
    """The texts that stand in an expression as they are: one, or those of a list or tuple."""
    parts = node.elts if isinstance(node, ast.List | ast.Tuple) else [node]
    return [part.value for part in parts if isinstance(part, ast.Constant) and isinstance(part.value, str)]


def columns_read(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and name of every column that is read from something that is known to be a table."""
    for function, outer in scopes(tree, set()):
        tables = tables_in(function, outer)
        for node in inside(function):
            if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
                yield from ((node.lineno, name) for name in columns_of(node, tables))
            elif (
                isinstance(node, ast.keyword) and node.arg == "fails_on" and isinstance(node.value, ast.Dict)
            ):
                yield from ((node.lineno, name) for key in node.value.keys if key for name in texts(key))


def columns_of(node: ast.Subscript, tables: set[str]) -> list[str]:
    """The columns in `rows["x"]`, `rows[["x", "y"]]` and `rows.loc[…, "x"]`."""
    if is_table(node.value, tables):
        return texts(node.slice)
    inner = (
        node.value.value
        if isinstance(node.value, ast.Attribute) and node.value.attr in ("loc", "at")
        else None
    )
    if inner is not None and is_table(inner, tables) and isinstance(node.slice, ast.Tuple):
        return texts(node.slice.elts[1])
    return []


def inside(function: ast.AST) -> Iterator[ast.AST]:
    """What stands in a function, that of functions inside of it left out."""
    for node in ast.iter_child_nodes(function):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node
            yield from inside(node)


def scopes(node: ast.AST, outer: set[str]) -> Iterator[tuple[ast.AST, set[str]]]:
    """Every function with the names of tables that it sees from outside."""
    for part in ast.iter_child_nodes(node):
        if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef):
            yield part, set(outer)
            yield from scopes(part, tables_in(part, set(outer)))
        else:
            yield from scopes(part, outer)


def tables_in(function: ast.AST, outer: set[str]) -> set[str]:
    """The names in a function that stand for tables: parameters by annotation, or called rows; others by their value."""
    parts = list(inside(function))
    given = [node for node in parts if isinstance(node, ast.arg)]
    found = {
        node.arg
        for node in given
        if (
            ast.unparse(node.annotation).startswith("pd.DataFrame") if node.annotation else node.arg == "rows"
        )
    }
    names = list(assigned(parts))
    found |= outer - {node.arg for node in given} - {name for name, _ in names}
    while True:
        more = {name for name, value in names if is_table(value, found)} - found
        if not more:
            return found
        found |= more


def assigned(parts: Iterable[ast.AST]) -> Iterator[tuple[str, ast.expr]]:
    """Every name with what it is set to."""
    for node in parts:
        if isinstance(node, ast.Assign | ast.NamedExpr | ast.AnnAssign) and node.value is not None:
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                if isinstance(target, ast.Name):
                    yield target.id, node.value
                elif isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                    pairs = zip(target.elts, node.value.elts, strict=True)
                    yield from ((name.id, value) for name, value in pairs if isinstance(name, ast.Name))


@functools.cache
def give() -> set[str]:
    """Functions of ours that say that they give a table."""
    return {
        node.name
        for text in SOURCES.values()
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef)
        and node.returns
        and ast.unparse(node.returns).startswith("pd.DataFrame")
    }


# What gives a table when it is asked of one.
KEEPS = ("copy", "assign", "sort_values", "dropna", "reset_index", "head", "tail", "drop", "drop_duplicates", "sort_index", "fillna")  # fmt: skip


def is_table(node: ast.expr, tables: set[str]) -> bool:
    """Whether an expression is surely a table."""
    if isinstance(node, ast.Name):
        return node.id in tables
    if isinstance(node, ast.IfExp):
        return is_table(node.body, tables) or is_table(node.orelse, tables)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return node.func.id in give()
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if node.func.attr in ("need", "table", "tables"):
            return bool(node.args)
        return node.func.attr in KEEPS and is_table(node.func.value, tables)
    if isinstance(node, ast.Subscript):
        inner = (
            node.value.value
            if isinstance(node.value, ast.Attribute) and node.value.attr == "loc"
            else node.value
        )
        named = isinstance(node.slice, ast.Constant | ast.Tuple)
        return not named and is_table(inner, tables)
    return False


def columns_made(tree: ast.AST) -> set[str]:
    """The columns that a module adds by itself."""
    made: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            if called(node) in ("assign", "agg", "aggregate", "insert", "merge", "DataFrame"):
                made |= {word.arg for word in node.keywords if word.arg}
                made |= {name for inner in node.args for name in texts(inner)}
            made |= {
                name
                for word in node.keywords
                if word.arg in ("columns", "name")
                for name in texts(word.value)
            }
            made |= {name for part in ast.walk(node) if called(node) in ("DataFrame", "rename") and isinstance(part, ast.Dict) for item in (*part.keys, *part.values) if item is not None for name in texts(item)}  # fmt: skip
        elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
            made |= set(texts(node.slice))
        elif isinstance(node, ast.Assign) and any(
            called(target).lower() == "columns" for target in node.targets
        ):
            made |= set(texts(node.value))
    return made


def unknown_columns(text: str) -> list[tuple[int, str]]:
    """Line and name of every column that is read and neither in the schema nor made in the module."""
    tree = ast.parse(text)
    known = COLUMNS | columns_made(tree)
    return [
        (line, name)
        for line, name in columns_read(tree)
        if name.removeprefix("before_").removeprefix("after_") not in known
    ]


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_every_table_and_column_that_is_named_is_in_the_schema(name: str) -> None:
    tree = ast.parse(SOURCES[name])
    assert set(tables_named(tree)) <= schema.TABLES.keys()
    assert not unknown_columns(SOURCES[name])


@pytest.mark.slow
def test_most_of_what_judges_read_is_looked_at() -> None:
    read = [name for text in SOURCES.values() for _, name in columns_read(ast.parse(text))]
    assert len(read) >= 200 and len(set(read)) >= 60, (len(read), len(set(read)))


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("judge/checks/access.py", '["close_code"]', '["clsoe_code"]'),
        ("judge/checks/rollout.py", '["at_s"]', '["ats"]'),
        ("judge/checks/revisions.py", '"kind"]', '"knid"]'),
        ("judge/checks/log_coverage.py", '["entries"]', '["entires"]'),
        ("judge/groups/stability.py", '["reply_s"]', '["replys"]'),
        ("judge/groups/websocket.py", 'fails_on={"reply_ok"', 'fails_on={"replyok"'),
        ("notebook/figures.py", '["close_code"]', '["clsoe_code"]'),
    ],
)
def test_a_column_that_is_misspelt_is_found(name: str, right: str, wrong: str) -> None:
    text = SOURCES[name]
    assert right in text
    misspelt = wrong.rpartition("[")[2].rpartition("{")[2].strip('"]')
    assert misspelt in {column for _, column in unknown_columns(text.replace(right, wrong))}


def test_a_table_that_is_misspelt_is_found() -> None:
    text = SOURCES["judge/groups/services.py"]
    assert "health" in set(tables_named(ast.parse(text)))
    assert "helth" in set(tables_named(ast.parse(text.replace('"health"', '"helth"'))))
