"""The notebooks of a run, selected by their parameters and the checks that they judge, without executing any."""

from __future__ import annotations

import ast
import fnmatch
from collections.abc import Iterable, Sequence
from pathlib import Path

from proofbook import paths
from proofbook.errors import UnknownName, UsageError
from proofbook.execution import document

PARAMETERS = ("environment", "case", "evidence")
# Those that ship with Proofbook: what they show belongs to what they judge.
OURS = ("01-service-health", "02-websocket", "03-logs", "04-stability", "05-deployment", "06-contracts")


def select(names: Sequence[str], *, base: Path) -> dict[str, Path]:
    """The judging notebooks asked for, all when none is named; `00-…` is never among them, since it runs last anyway.

    Raises:
        UnknownName: there is no such notebook, or it lacks one of the three parameters. UsageError: a file is no notebook.
    """
    known = {name: path for name, path in paths.notebooks(base).items() if not name.startswith("00-")}
    for name in names:
        if name not in known:
            raise UnknownName("notebook", name, known, where=paths.shown(base / "notebooks"))
    chosen = {name: known[name] for name in (names or known)}
    for path in chosen.values():
        known_ones = _checked(path)
        missing = [name for name in PARAMETERS if name not in known_ones]
        if missing:
            raise UnknownName("parameter", missing[0], known_ones, where=paths.shown(path))
    return chosen


def _checked(path: Path) -> list[str]:
    """The parameters of a file that should be a notebook.

    Raises:
        UsageError: it is none, of another version, or its parameters are no Python.
    """
    wanted = f"{paths.shown(path)}: expected a notebook of nbformat 4"
    try:
        found = document.read(path)
        if found.version != document.VERSION:
            raise UsageError(f"{wanted}, got {found.version or 'something else'}")
        return found.parameters
    except document.NotReadable as error:
        raise UsageError(f"{wanted}, got something that cannot be read as one ({error.why})") from None
    except SyntaxError as error:
        raise UsageError(
            f"{paths.shown(path)}: expected assignments in the cell tagged parameters, got what is no Python: {error.msg}, line {error.lineno}"
        ) from None


def asks_for(path: Path) -> list[str] | None:
    """The ids and patterns of the declared checks that a notebook judges; None where reading it does not tell.

    A notebook with a check of its own, or none at all, is worth executing whatever is declared.
    """
    asked: list[str] = []
    for cell in document.read(path).cells:
        if not cell.is_code:
            continue
        try:
            tree = ast.parse(cell.source)
        except SyntaxError:
            return None
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr == "check"
            ):
                match node:
                    case ast.Call(args=[ast.Constant(value=str(pattern))], keywords=[]):
                        asked.append(pattern)
                    case _:
                        return None
    return asked or None


def with_something_to_judge(notebooks: dict[str, Path], declared: Iterable[str]) -> dict[str, Path]:
    """The notebooks without those of ours that ask only for checks that nobody declared; all where nothing would be left.

    A notebook that somebody added is always executed: it may be there for what it shows.
    """
    ids = list(declared)
    kept = {
        name: path
        for name, path in notebooks.items()
        if name not in OURS
        or (asked := asks_for(path)) is None
        or any(fnmatch.filter(ids, pattern) for pattern in asked)
    }
    return kept or notebooks
