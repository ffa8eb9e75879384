"""Every reason that the code can give, found in its syntax trees: where one cannot be followed to a text, that is said too."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

# Where a reason is given: by keyword to anything, or by its place to these.
KEYWORDS = ("reason", "code")
PLACES = {"InsufficientEvidence": 0, "answer": 1, "write_unfinished": 4, "write_ended": 3, "unfinished": 4}
# What takes a keyword of that name and gives no reason of a verdict.
OTHERS = {"Failure", "Exit", "Answer", "_row"}


@dataclass
class Found:
    """`given`: codes with their place; `unknown`: expressions that could not be followed."""

    given: dict[str, str] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)


class Module:
    """A module with the parents of its nodes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.tree = ast.parse(path.read_text(encoding="utf-8"))
        self.parents = {child: node for node in ast.walk(self.tree) for child in ast.iter_child_nodes(node)}

    def functions(self, node: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda]:
        """The functions around a node, innermost first."""
        while node in self.parents:
            node = self.parents[node]
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                yield node


def codes(paths: Iterable[Path]) -> Found:
    """All reasons that are given in these modules."""
    found = Found()
    for path in paths:
        module = Module(path)
        for node in ast.walk(module.tree):
            for value in _given(node):
                for code in _values(value, module, found, seen=set()):
                    found.given.setdefault(code, f"{path.name}:{value.lineno}")
    return found


def _given(node: ast.AST) -> Iterator[ast.expr]:
    """The expressions of a node that give a reason."""
    if isinstance(node, ast.Call):
        name = _name(node.func)
        if name not in OTHERS:
            yield from (keyword.value for keyword in node.keywords if keyword.arg in KEYWORDS)
        place = PLACES.get(name)
        if place is not None and len(node.args) > place:
            yield node.args[place]
    elif isinstance(node, ast.ClassDef):
        for item in node.body:
            if isinstance(item, ast.Assign) and _name(item.targets[0]) == "reason":
                yield item.value
    elif isinstance(node, ast.Tuple) and len(node.elts) == 2 and isinstance(node.ctx, ast.Load):
        # Why a log does not cover its window, with its sentence.
        parts = [part.value for part in ast.walk(node.elts[0]) if isinstance(part, ast.Constant)]
        yield from [node.elts[0]] if any(str(part).startswith("log-") for part in parts) else []


def _values(
    node: ast.expr, module: Module, found: Found, *, seen: set[ast.AST], at: int | None = None
) -> set[str]:
    """The texts that an expression can be; `at`: that item of the tuple that it is."""
    if node in seen:
        return set()
    seen = seen | {node}

    def each(*nodes: ast.expr) -> set[str]:
        return set().union(*(_values(item, module, found, seen=seen, at=at) for item in nodes))

    match node:
        case ast.Constant(value=str(text)):
            return {text} - {""}
        case ast.Tuple(elts=items) if at is not None:
            return _values(items[at], module, found, seen=seen)
        case ast.IfExp(body=yes, orelse=no):
            return each(yes, no)
        case ast.BoolOp(values=items):
            return each(*items)
        case ast.Subscript(value=ast.Dict(values=items)):
            return each(*items)
        case ast.Call(func=ast.Attribute(value=ast.Dict(values=items), attr="get"), args=[_, *default]):
            return each(*items, *default)
        case ast.JoinedStr(values=[ast.Constant(value=str(start)), ast.FormattedValue()]):
            return {f"{start}*"}
        case ast.Attribute(attr="reason" | "code"):
            return set()  # one that was given somewhere, and is found there
        case ast.Call(func=func) if (home := _function(func, module)) is not None:
            returned = [item.value for item in ast.walk(home) if isinstance(item, ast.Return) and item.value]
            return each(*returned)
        case ast.Name(id=name):
            return _of_name(name, node, module, found, seen)
    found.unknown.append(f"{module.path.name}: {ast.unparse(node)}")
    return set()


def _of_name(name: str, node: ast.AST, module: Module, found: Found, seen: set[ast.AST]) -> set[str]:
    """What was assigned to a name in the functions around its use; a parameter is what its function's callers give."""
    for function in module.functions(node):
        arguments = function.args
        if name in {item.arg for item in (*arguments.args, *arguments.kwonlyargs)}:
            if name in KEYWORDS or _name(function) in PLACES:
                return set()  # every call of it is looked at
            break
        texts, assigned = set[str](), False
        for item in ast.walk(function):
            targets = item.targets if isinstance(item, ast.Assign) else []
            for target in targets:
                if isinstance(target, ast.Name) and target.id == name:
                    texts |= _values(item.value, module, found, seen=seen)  # type: ignore[attr-defined]
                    assigned = True
                elif isinstance(target, ast.Tuple):
                    for place, part in enumerate(target.elts):
                        if isinstance(part, ast.Name) and part.id == name:
                            texts |= _values(item.value, module, found, seen=seen, at=place)  # type: ignore[attr-defined]
                            assigned = True
        if assigned:
            return texts
    found.unknown.append(f"{module.path.name}: {name}")
    return set()


def _function(func: ast.expr, module: Module) -> ast.FunctionDef | None:
    if not isinstance(func, ast.Name):
        return None
    return next((item for item in ast.walk(module.tree) if isinstance(item, ast.FunctionDef) and item.name == func.id), None)  # fmt: skip


def _name(node: ast.AST) -> str:
    return str(getattr(node, "id", None) or getattr(node, "attr", None) or getattr(node, "name", ""))


def constants_given(paths: Iterable[Path], *, function: str, keyword: str) -> set[str]:
    """The texts that are given to a function under a keyword."""
    return {
        item.value.value
        for path in paths
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and _name(node.func) == function
        for item in node.keywords
        if item.arg == keyword and isinstance(item.value, ast.Constant)
    }
