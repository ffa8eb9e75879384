"""Writes the four tasks of docs/tasks: `python docs/make_tasks.py` executes them, `… pictures` makes their pictures, `… record` records their runs.

Each is a notebook of a few lines of code that begins with a question and ends with the answer. What they look at is ours: runs recorded
from the rehearsal with a seeded fault (docs/tasks/evidence), an export that is made up, and the incident for practice.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import nbformat
import papermill

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))

import refused_upgrades  # noqa: E402  what tests use is found there

from proofbook.investigation import practice  # noqa: E402

PLACE = ROOT / "docs" / "tasks"
EVIDENCE = PLACE / "evidence"
# The runs by the names that the tasks use, which do not say what is wrong with them; and the fault that was seeded.
RUNS = {"run-1": "api-type-changed", "run-2": "held-sockets-dropped", "run-3": "frequent-1011"}
MOST_LINES = 8
SHOP = 'title = "Shop, from its log alone"\n\n[[log]]\nname = "api"\nfile = "incident.json"\n'


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One task. cells: Markdown begins with #, everything else is code; says: what its outputs must say."""

    name: str
    cells: tuple[str, ...]
    says: tuple[str, ...]

    @property
    def lines(self) -> int:
        """Lines of code."""
        code = [cell for cell in self.cells if not cell.startswith("#")]
        return sum(bool(line.strip()) for cell in code for line in cell.splitlines())


TASKS = (
    Task(
        name="1-what-is-wrong",
        cells=(
            "# Something is wrong: what, since when, who?\n\nTwo recorded runs of the rehearsal. A fault was seeded in each, and nothing here knows which.",
            'import proofbook as pb\n\npb.look("run-1")',
            "## The other run\n\nThe log says nothing of this one either; what the probes met says when to look.",
            'look = pb.look("run-2")\nlook',
            "## What the log says of it\n\nThe same seconds, by what was written in them.",
            'look.sql("SELECT min(timestamp) AS began, max(timestamp) AS ended, close_code, count(*) AS n FROM probes WHERE NOT ok GROUP BY close_code")',
        ),
        says=(),
    ),
    Task(
        name="2-an-export",
        cells=(
            "# An export, and nobody who can be asked\n\nA quarter of an hour of a platform's log: 2,001 entries of three services. What went wrong, since when, and who asked for it?",
            'import proofbook as pb\n\nlook = pb.look("export.json")\nlook',
            "## Who is refused\n\nAll of it comes from one address, and most of it says by its name that it is a test.",
            'refused = look.where(status=403, path="/ws")\nrefused.who()',
            "## What is left when the burst is over\n\nWhat went wrong by itself after it, by message.",
            'look.between("09:24", "09:36").where("wrong").kinds()',
        ),
        says=(),
    ),
    Task(
        name="3-one-request",
        cells=(
            "# One failed connection, from the client to the log and back\n\nA run in which some conversations over a WebSocket are lost. Which lines of the log belong to one of them, and how was it closed?",
            'import proofbook as pb\n\nlook = pb.look("run-3")\nlook',
            "## From the probe to its lines\n\nThe probe was sent with a trace id, so its lines are known and not guessed.",
            'lost = look.sql("FROM probes WHERE close_code = 1011").iloc[0]\nlook.follow(lost)',
        ),
        says=(),
    ),
    Task(
        name="4-case-and-schedule",
        cells=(
            "# From what was seen to a check that comes every hour\n\nThe incident for practice. What was seen is kept, becomes a case by which a fix can be judged, and the case is put on a schedule.",
            'import proofbook as pb\n\nbad = pb.look("incident.json").where(template="Decode failed*")\nbad.pin("requests fail since 13:45, of client 2.3 in eu alone")',
            "## The case\n\nIts symptom is the message, with examples and near-misses; it is written when it is saved.",
            'bad.draft("decode-failed").save()',
            "## Judged, and put on a schedule\n\nIt must fail on the log of the incident: a check counts only if it could have failed.",
            "!proofbook run shop --case decode-failed --yes\n!proofbook schedule shop --case decode-failed --every 1h --for cron",
        ),
        says=(),
    ),
)  # fmt: skip


def workspace(folder: Path) -> Path:
    """A workspace with everything that the tasks look at."""
    shutil.copytree(ROOT / "notebooks", folder / "notebooks", ignore=shutil.ignore_patterns(".ipynb_checkpoints"))  # fmt: skip
    shutil.copytree(EVIDENCE, folder, dirs_exist_ok=True)
    refused_upgrades.write(folder / "export.json")
    practice.incident(folder / "incident.json")
    (folder / "environments").mkdir()
    (folder / "environments" / "shop.toml").write_text(SHOP)
    return folder


def notebook(task: Task) -> nbformat.NotebookNode:
    """The notebook of a task, without outputs."""
    kernel = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
    made = nbformat.v4.new_notebook(metadata={"kernelspec": kernel, "language_info": {"name": "python"}})
    for number, text in enumerate(task.cells):
        make = nbformat.v4.new_markdown_cell if text.startswith("#") else nbformat.v4.new_code_cell
        made.cells.append(make(text, id=f"{task.name}-{number}"))
    return made


def executed(task: Task, base: Path, to: Path) -> nbformat.NotebookNode:
    """The notebook of a task after it ran in a workspace; nothing of it says where or how fast that was."""
    plain = base / f"{task.name}.ipynb"
    nbformat.write(notebook(task), plain)
    before = {name: os.environ.get(name) for name in ("PROOFBOOK_WORKSPACE", "PATH")}
    os.environ["PROOFBOOK_WORKSPACE"] = str(base)
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    try:
        papermill.execute_notebook(str(plain), str(to), cwd=str(base), progress_bar=False, kernel_name="python3")  # fmt: skip
    finally:
        os.environ.update({name: value for name, value in before.items() if value is not None})
        if before["PROOFBOOK_WORKSPACE"] is None:
            del os.environ["PROOFBOOK_WORKSPACE"]
    ran = nbformat.read(to, as_version=4)
    made = notebook(task)
    for cell, done in zip(made.cells, ran.cells, strict=True):
        if cell.cell_type == "code":
            cell.execution_count = done.execution_count
            cell.outputs = [_settled(output, base) for output in done.outputs if not _is_widget(output)]
    return made


def _is_widget(output: nbformat.NotebookNode) -> bool:
    return any(kind.startswith("application/vnd.jupyter.widget") for kind in output.get("data", {}))


def _settled(output: nbformat.NotebookNode, base: Path) -> nbformat.NotebookNode:
    """An output without what differs from one time to the next: folders, times of a run, its id."""
    data = output.get("data")
    if data is not None:
        for kind in [kind for kind in data if kind.startswith("application/")]:
            del data[kind]
        output.data = {kind: settled(text, base) for kind, text in data.items()}
    if "text" in output:
        output.text = settled(output.text, base)
    return output


def settled(text: str, base: Path) -> str:
    """A text without what differs from one time to the next."""
    text = text.replace(str(base), "/srv/shop").replace(str(Path(sys.executable).parent), "/srv/shop/.venv/bin")  # fmt: skip
    return re.sub(r"\d{8}T\d{6}Z-[0-9a-f]{4}", "20260106T100000Z-0000", text)


def write(names: Sequence[str] = ()) -> None:
    """Executes the tasks and writes their notebooks."""
    with tempfile.TemporaryDirectory() as folder:
        base = workspace(Path(folder).resolve())
        for task in TASKS:
            if not names or task.name in names:
                nbformat.write(executed(task, base, base / "executed.ipynb"), PLACE / f"{task.name}.ipynb")


def record() -> None:
    """Records the runs from the rehearsal, each with its fault."""
    from proofbook.rehearsal.faults import FAULTS
    from proofbook.selfcheck.trial import Trial

    async def all_of_them(base: Path) -> None:
        trial = Trial(base, shared=base / "shared")
        await trial.start()
        try:
            for name, fault in RUNS.items():
                shutil.rmtree(EVIDENCE / name, ignore_errors=True)
                await trial.collect(FAULTS[fault], to=EVIDENCE / name, small=True)
        finally:
            await trial.stop()

    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder).resolve()
        shutil.copytree(ROOT / "notebooks", base / "notebooks")
        EVIDENCE.mkdir(exist_ok=True)
        asyncio.run(all_of_them(base))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["record"]:
            record()
        case names:
            write(names)
