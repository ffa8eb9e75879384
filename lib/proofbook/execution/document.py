"""Notebooks as files: their cells, what an executed one carries and what went wrong with it. Nothing else reads an .ipynb."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from proofbook import paths
from proofbook.errors import CouldNotLook
from proofbook.files import read_json
from proofbook.judge import findings as judged
from proofbook.judge.findings import Finding

if TYPE_CHECKING:
    from nbformat import NotebookNode

PARAMETERS_TAG = "parameters"
# Of the format: the only one that Jupyter has written since 2015.
VERSION = 4
# Where the runner writes what went wrong, in the notebook's metadata.
_OURS = "proofbook"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A cell. count: its execution count, None where it never ran. failed: it raised an exception. outputs: each by MIME type."""

    kind: str
    source: str
    tags: tuple[str, ...] = ()
    count: int | None = None
    failed: bool = False
    outputs: tuple[Mapping[str, object], ...] = ()

    @property
    def is_code(self) -> bool:
        return self.kind == "code"


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A notebook. problem: what went wrong when it was executed. kernel, language: what it says that it wants, if anything.

    version: of its format; 0 where it states none.
    """

    cells: tuple[Cell, ...]
    problem: str = ""
    kernel: str = ""
    language: str = ""
    version: int = 0

    @property
    def parameters(self) -> list[str]:
        """The names that the cell tagged `parameters` assigns."""
        return [
            target.id
            for cell in self.cells
            if PARAMETERS_TAG in cell.tags
            for node in ast.parse(cell.source).body
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        ]

    def outputs(self, mime: str) -> Iterator[dict[str, object]]:
        """What its outputs carry under a MIME type of JSON, in their order."""
        for cell in self.cells:
            for output in cell.outputs:
                data = output.get(mime)
                if isinstance(data, dict):
                    yield data


def read(path: Path) -> Document:
    """The notebook at `path`; of what is not as a notebook should be, what can be read of it.

    Raises:
        NotReadable: the file cannot be read, or holds no JSON.
    """
    content = _object(_content(path))
    about = _object(content.get("metadata"))
    spec = _object(about.get("kernelspec"))
    cells = content.get("cells")
    return Document(
        cells=tuple(_cell(_object(cell)) for cell in (cells if isinstance(cells, list) else ())),
        problem=str(_object(about.get(_OURS)).get("problem") or ""),
        kernel=str(spec.get("name") or ""),
        language=str(spec.get("language") or ""),
        version=version if isinstance(version := content.get("nbformat"), int) else 0,
    )


def _content(path: Path) -> object:
    try:
        return read_json(path)
    except (OSError, ValueError) as error:
        raise NotReadable(path, error) from None


class NotReadable(CouldNotLook):
    """A file that should be an executed notebook and cannot be read as one. why: in the words of whoever tried."""

    def __init__(self, path: Path, error: Exception) -> None:
        self.why = str(error)
        super().__init__(
            f"{paths.shown(path)}: expected an executed notebook, got something that cannot be read as one ({error})"
        )


def read_all(folder: Path) -> dict[str, Document]:
    """The notebooks in a folder by name, in order."""
    return {path.stem: read(path) for path in sorted(folder.glob("*.ipynb"))}


def problems_in(folder: Path) -> dict[str, str]:
    """What went wrong with executed notebooks, by name, as the runner wrote it into them."""
    return {name: found.problem for name, found in read_all(folder).items() if found.problem}


def findings_in(folder: Path) -> list[Finding]:
    """The findings that executed notebooks carry, in the order of notebooks and cells; the last of each id counts."""
    found: dict[str, Finding] = {}
    for notebook in read_all(folder).values():
        for data in notebook.outputs(judged.MIME):
            finding = judged.from_json(data)
            found[finding.id] = finding
    return list(found.values())


def note_problem(path: Path, problem: str) -> None:
    """Writes what went wrong into an executed notebook, so that whoever reads it knows."""
    content = read_json(path)
    content.setdefault("metadata", {})[_OURS] = {"problem": problem}
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def to_convert(path: Path, *, change: Callable[[object], object]) -> NotebookNode:
    """The notebook as nbconvert takes it, its content changed by `change` before.

    Raises:
        NotReadable: it is none that can be read.
    """
    import nbformat

    text = json.dumps(change(_content(path)))
    try:
        notebook: NotebookNode = nbformat.reads(text, as_version=4)  # type: ignore[no-untyped-call]  # nbformat has no types
    except (
        Exception
    ) as error:  # nbformat trusts what it reads: a part that is missing is a KeyError or an AttributeError
        raise NotReadable(path, error) from None
    return notebook


def _cell(cell: Mapping[str, object]) -> Cell:
    about = _object(cell.get("metadata"))
    count, outputs, tags = cell.get("execution_count"), cell.get("outputs"), about.get("tags")
    return Cell(
        kind=str(cell.get("cell_type")),
        source=joined(cell.get("source")),
        tags=tuple(map(str, tags)) if isinstance(tags, list) else (),
        count=count if isinstance(count, int) else None,
        failed=bool(_object(about.get("papermill")).get("exception")),
        outputs=tuple(
            _object(_object(item).get("data")) for item in (outputs if isinstance(outputs, list) else ())
        ),
    )


def joined(text: object) -> str:
    """Text that a notebook holds, which may be a list of lines."""
    return "".join(map(str, text)) if isinstance(text, list) else "" if text is None else str(text)


def _object(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}
