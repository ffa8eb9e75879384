"""Writes the four tasks of docs/tasks: `python docs/make_tasks.py` executes them, `… pictures` makes their pictures, `… record` records their runs.

Each is a notebook of a few lines of code that begins with a question and ends with the answer. What they look at is ours: runs recorded
from the rehearsal with a seeded fault (docs/tasks/evidence), an export that is made up, and the incident for practice.
"""

from __future__ import annotations

import asyncio
import io
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import nbformat
import papermill

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))

import refused_upgrades  # noqa: E402  what tests use is found there

from proofbook.investigation import practice  # noqa: E402

PLACE = ROOT / "docs" / "tasks"
EVIDENCE, PICTURES = PLACE / "evidence", PLACE / "pictures"
WIDTH, COLOURS = 1280, 64
# The runs by the names that the tasks use, which do not say what is wrong with them; and the fault that was seeded.
RUNS = {"run-1": "api-type-changed", "run-2": "held-sockets-dropped", "run-3": "frequent-1011"}
MOST_LINES = 8
SHOP = 'title = "Shop, from its log alone"\ncase = "decode-failed"\nevery = "1h"\n\n[[log]]\nname = "api"\nfile = "incident.json"\n'


HEAD = """# Four tasks of an analyst

Each is a notebook of at most eight lines of code that begins with a question and ends with the answer. They are executed by `python docs/make_tasks.py`, and a test executes them again. What they look at is ours: runs recorded from the rehearsal with a fault that was seeded, an export that is made up, the incident for practice. How well looks answer is [measured](../explanation/looks-measured.md)."""


# What a run prints of itself, and of the terminal that it prints to.
_OF_A_RUN = {
    r"\d{8}T\d{6}Z-[0-9a-f]{4}": "20260106T100000Z-0000",
    r"\d\d? [A-Z][a-z]{2} \d{4} \d\d:\d\d UTC": "6 Jan 2026 10:00 UTC",
    r"executed \(\d+\.\d s\)": "executed",
    r"nothing sent in \d+ s": "nothing sent",
    r"\x1b\[[0-9;]*m": "",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One task. cells: Markdown begins with #, everything else is code. answer: in a sentence; says: what its outputs must say for that."""

    name: str
    cells: tuple[str, ...]
    answer: str
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
            "## The other run\n\nHere too the log is silent; what the probes met says what it is, and when to look.",
            'look = pb.look("run-2")\nlook',
            "## What the log says of these seconds\n\nThe code stands beside the sentence. An old revision ends and a new one begins: it took the connections with it.",
            'look.between("09:06:47", "09:06:53").kinds()',
        ),
        answer="Of the first run an API definition breaks its clients: a field of GET /api/threads may be a string, and was an integer. Of the second all 60 held connections were lost with 1006, within five seconds of a deployment.",
        says=(
            "the API definition of backend breaks its clients: GET /api/threads: the answer 200[].messages may be string, was integer",
            "60 of 60 held connections of chat failed (rollout), 09:06:47.5 to 09:06:52.2: 60 ended with close 1006",
        ),
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
        answer="All 52 upgrades of /ws were refused, for one address, and 37 of them for the team's own tests. Under that noise a call that checks tokens fails every two minutes, and goes on.",
        says=(
            "52 of 52 upgrades of /ws refused with 403, 09:21:31 to 09:34:00: all from one address (192.0.2.146), 37 of them by one agent (shop-e2e-tests/1.0)",
            "every 2 min",
            "accounts cannot be asked and there is no other way to check a token",
        ),
    ),
    Task(
        name="3-one-request",
        cells=(
            "# One failed connection, from the client to the log and back\n\nA run in which some conversations over a WebSocket are lost. Which lines of the log belong to one of them, and how was it closed?",
            'import proofbook as pb\n\nlook = pb.look("run-3")\nlook',
            "## From the probe to its lines\n\nThe probe was sent with a trace id, so its lines are known and not guessed.",
            "lost = look.sql(\"FROM probes WHERE close_code = 1011 AND phase = 'after'\").iloc[0]\nlook.follow(lost)",
        ),
        answer="The server closed it with 1011 (internal error): its handler failed, which it wrote under the trace of this very connection.",
        says=("closed with 1011 (internal error) by the server", "WebSocket handler failed for user=user_1", "same trace"),
    ),
    Task(
        name="4-case-and-schedule",
        cells=(
            "# From what was seen to a check that comes every hour\n\nThe incident for practice. What was seen is kept, becomes a case by which a fix can be judged, and the case is put on a schedule.",
            'import proofbook as pb\n\nbad = pb.look("incident.json").where(template="Decode failed*")\nbad.pin("requests fail since 13:45, of client 2.3 in eu alone")',
            "## The case\n\nIts symptom is the message, with examples and near-misses; it is written when it is saved.",
            'draft = bad.draft("decode-failed")\ndraft.save()\ndraft',
            "## Judged, and put on a schedule\n\nIt must fail on the log of the incident: a check counts only if it could have failed.",
            "!proofbook run shop --yes\n!proofbook schedule shop --for cron",
        ),
        answer="The symptom becomes a case that fails on the log of the incident, as it must, and a line for cron.",
        says=("Decode failed: unexpected frame of client", "On what is selected the claim fails, as it must", "proofbook run shop --yes"),
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
            cell.outputs = _joined(output for output in done.outputs if not _is_widget(output))
            cell.outputs = [_settled(output, base) for output in cell.outputs]
    return made


def _joined(outputs: Iterable[nbformat.NotebookNode]) -> list[nbformat.NotebookNode]:
    """Outputs of which a stream is one, in however many pieces it came."""
    found: list[nbformat.NotebookNode] = []
    for output in outputs:
        if found and output.output_type == "stream" and found[-1].get("name") == output.name:
            found[-1].text += output.text
        else:
            found.append(output)
    return found


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
        # A terminal ends lines in its own way, and not the same each time.
        output.text = re.sub(r"[\r\n]+", "\n", settled(output.text, base))
    return output


def settled(text: str, base: Path) -> str:
    """A text without what differs from one time to the next."""
    text = text.replace(str(base), "/srv/shop").replace(str(Path(sys.executable).parent), "/srv/shop/.venv/bin")  # fmt: skip
    for pattern, instead in _OF_A_RUN.items():
        text = re.sub(pattern, instead, text)
    return text


def write(names: Sequence[str] = ()) -> None:
    """Executes the tasks and writes their notebooks."""
    with tempfile.TemporaryDirectory() as folder:
        base = workspace(Path(folder).resolve())
        for task in TASKS:
            if not names or task.name in names:
                nbformat.write(executed(task, base, base / "executed.ipynb"), PLACE / f"{task.name}.ipynb")
    (PLACE / "README.md").write_text(contents(), encoding="utf-8")


def pictures() -> None:
    """Makes a picture of each notebook as it is on light and on dark paper."""
    from nbconvert.exporters import HTMLExporter
    from PIL import Image
    from playwright.sync_api import sync_playwright

    PICTURES.mkdir(exist_ok=True)
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"])  # fmt: skip
        for task in TASKS:
            for scheme in ("light", "dark"):
                made, _ = HTMLExporter(template_name="lab", theme=scheme).from_filename(str(PLACE / f"{task.name}.ipynb"))  # fmt: skip
                file = Path(folder) / f"{task.name}-{scheme}.html"
                file.write_text(made, encoding="utf-8")
                page = browser.new_context(offline=True, viewport={"width": WIDTH, "height": 800}, color_scheme=scheme).new_page()  # fmt: skip
                page.goto(file.as_uri())
                taken = page.locator("main").screenshot()
                # Few colours are in it, and a fourth of the bytes.
                Image.open(io.BytesIO(taken)).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(PICTURES / f"{task.name}-{scheme}.png", optimize=True)  # fmt: skip
        browser.close()


def contents() -> str:
    """The page that shows all of them."""
    parts = [HEAD]
    for task in TASKS:
        title, _, rest = task.cells[0].removeprefix("# ").partition("\n\n")
        cells = [cell for cell in task.cells if not cell.startswith("#")]
        code = "\n\n".join(cell for cell in cells if not cell.startswith("!"))
        parts += [f"## {title}", rest, f"```python\n{code}\n```"]
        if typed := [cell.replace("!", "") for cell in cells if cell.startswith("!")]:
            parts.append("```\n" + "\n".join(typed) + "\n```")
        parts.append(f"{task.answer} [The notebook]({task.name}.ipynb).")
        dark, light = (f"pictures/{task.name}-{scheme}.png" for scheme in ("dark", "light"))
        parts.append(f'<picture><source media="(prefers-color-scheme: dark)" srcset="{dark}"><img alt="{task.answer}" src="{light}"></picture>')  # fmt: skip
    return "\n\n".join(parts) + "\n"


def record(names: Sequence[str] = ()) -> None:
    """Records the runs from the rehearsal, each with its fault. From a checkout at /srv/proofbook: tracebacks name their files."""
    from proofbook.rehearsal.faults import FAULTS
    from proofbook.selfcheck.trial import Trial

    async def of(base: Path, name: str, fault: str) -> None:
        trial = Trial(base, shared=base / "shared")
        try:
            await trial.start()
            await trial.collect(FAULTS[fault], to=EVIDENCE / name, small=True)
        finally:
            await trial.stop()

    EVIDENCE.mkdir(parents=True, exist_ok=True)
    for name, fault in RUNS.items():
        if not names or name in names:
            with tempfile.TemporaryDirectory() as folder:
                shutil.rmtree(EVIDENCE / name, ignore_errors=True)
                shutil.copytree(ROOT / "notebooks", Path(folder) / "notebooks")
                asyncio.run(of(Path(folder).resolve(), name, fault))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["record", *names]:
            record(names)
        case ["pictures"]:
            pictures()
        case names:
            write(names)
