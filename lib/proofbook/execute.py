"""Executes notebooks with Papermill, each in a process of its own, and says what became of them.

Papermill alone lets a notebook look finished that is not (an early sys.exit, a killed kernel), has no time-out for a whole
notebook, and writes secrets that a cell prints. All three are closed here.
"""

from __future__ import annotations

import ast
import fnmatch
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proofbook import quick, workspace
from proofbook.errors import UnknownName
from proofbook.judge.findings import MIME
from proofbook.redaction import for_others, in_value

PARAMETERS = ("environment", "case", "evidence")
ENGINE = "proofbook"
# Those that ship with Proofbook: what they show belongs to what they judge.
OURS = ("01-service-health", "02-websocket", "03-logs", "04-stability", "05-deployment", "06-contracts")


@dataclass(frozen=True, slots=True, kw_only=True)
class Executed:
    """What became of one notebook; `problem` is empty when it ran to its end."""

    name: str
    path: Path
    seconds: float
    problem: str = ""


def select(names: Sequence[str], *, base: Path) -> dict[str, Path]:
    """The judging notebooks asked for, all when none is named; `00-…` is never among them, since it runs last anyway.

    Raises:
        UnknownName: there is no such notebook, or it lacks one of the three parameters.
    """
    known = {name: path for name, path in workspace.notebooks(base).items() if not name.startswith("00-")}
    for name in names:
        if name not in known:
            raise UnknownName("notebook", name, known, where=workspace.shown(base / "notebooks"))
    chosen = {name: known[name] for name in (names or known)}
    for path in chosen.values():
        missing = [name for name in PARAMETERS if name not in parameters_of(path)]
        if missing:
            raise UnknownName("parameter", missing[0], parameters_of(path), where=workspace.shown(path))
    return chosen


def parameters_of(path: Path) -> list[str]:
    """The names that a notebook's cell tagged `parameters` assigns."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    tagged = [
        "".join(cell["source"]) for cell in cells if "parameters" in cell.get("metadata", {}).get("tags", [])
    ]
    return [
        target.id
        for source in tagged
        for node in ast.parse(source).body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    ]


def asks_for(path: Path) -> list[str] | None:
    """The ids and patterns of the declared checks that a notebook judges; None where reading it does not tell.

    A notebook with a check of its own, or none at all, is worth executing whatever is declared.
    """
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    asked: list[str] = []
    for cell in cells:
        if cell["cell_type"] != "code":
            continue
        try:
            tree = ast.parse("".join(cell["source"]))
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


def execute_all(
    notebooks: dict[str, Path],
    *,
    folder: Path,
    parameters: dict[str, str],
    jobs: int = 2,
    timeout_s: float = 300.0,
    say: Callable[[str], None] = lambda _: None,
) -> list[Executed]:
    """Executes the notebooks, `jobs` at once; the copies with outputs are in `folder`.

    A notebook over its time is ended with its kernel. Ctrl-C ends all of them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    waiting = list(notebooks.items())
    running: dict[str, tuple[subprocess.Popen[bytes], float]] = {}
    done: dict[str, Executed] = {}
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                name, path = waiting.pop(0)
                running[name] = (_start(path, folder / f"{name}.ipynb", parameters), time.monotonic())
            for name, (process, began) in list(running.items()):
                seconds = time.monotonic() - began
                if process.poll() is None and seconds < timeout_s:
                    continue
                del running[name]
                done[name] = _outcome(
                    name, notebooks[name], folder / f"{name}.ipynb", process, seconds, timeout_s
                )
                say(f"{name}: {done[name].problem or 'executed'} ({seconds:.1f} s)")
            time.sleep(0.05)
    finally:
        for process, _ in running.values():
            _end(process)
    return [done[name] for name in notebooks]


def _start(source: Path, target: Path, parameters: dict[str, str]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "proofbook.execute", str(source), str(target), json.dumps(parameters)]
    # A session of its own, so that ending it ends the kernel too.
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    for sign in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, sign)
            process.wait(timeout=2)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            continue


def _outcome(
    name: str, source: Path, path: Path, process: subprocess.Popen[bytes], seconds: float, timeout_s: float
) -> Executed:
    timed_out = process.poll() is None
    if timed_out:
        _end(process)
    said = process.stderr.read().decode("utf-8", "replace").strip() if process.stderr else ""
    if process.stderr:
        process.stderr.close()
    problem = f"did not end within {timeout_s:.0f} s" if timed_out else ""
    if not problem and process.returncode != 0:
        problem = for_others(said.rpartition("\n")[2])[:300] or f"its process ended with {process.returncode}"
    if not path.exists():
        # Keep what was asked, so that the report shows the notebook even though nothing of it ran.
        path.write_text(source.read_text(encoding="utf-8"), encoding="utf-8")
    problem = problem or _stopped_early(path)
    if problem:
        _note_problem(path, problem)
    return Executed(name=name, path=path, seconds=seconds, problem=problem)


def _note_problem(path: Path, problem: str) -> None:
    """Writes what happened into the executed notebook, so that whoever reads it knows."""
    content = json.loads(path.read_text(encoding="utf-8"))
    content.setdefault("metadata", {})["proofbook"] = {"problem": problem}
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _stopped_early(path: Path) -> str:
    """Words for a notebook whose later cells never ran, though nothing failed."""
    cells = [
        cell
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]
        if cell["cell_type"] == "code" and "".join(cell["source"]).strip()
    ]
    left = [index for index, cell in enumerate(cells, start=1) if cell.get("execution_count") is None]
    failed = [
        index
        for index, cell in enumerate(cells, start=1)
        if cell.get("metadata", {}).get("papermill", {}).get("exception")
    ]
    if failed:
        return f"its code cell {failed[0]} raised an exception"
    if left:
        return f"it stopped before code cell {left[0]} of {len(cells)}: a cell ended the kernel or left the notebook"
    return ""


def _run_one(source: Path, target: Path, parameters: dict[str, str]) -> int:
    """The worker: one notebook through Papermill, with our engine."""
    quick.skip_iri_grammar()
    import papermill
    from nbclient.exceptions import DeadKernelError
    from papermill.engines import NBClientEngine, papermill_engines
    from papermill.exceptions import PapermillExecutionError

    from proofbook import environment as environments

    base = workspace.root()
    environments.keep_private(environments.load(parameters["environment"], base=base), base=base)

    class Engine(NBClientEngine):  # type: ignore[misc]  # papermill has no types
        @classmethod
        def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **kwargs: Any) -> Any:
            _scrub_on_save(nb_man)
            with tempfile.TemporaryDirectory(prefix="proofbook-") as sockets:
                return _client(nb_man, kernel_name, sockets).execute()

    papermill_engines.register(ENGINE, Engine)
    try:
        papermill.execute_notebook(
            str(source),
            str(target),
            parameters=parameters,
            engine_name=ENGINE,
            progress_bar=False,
            cwd=str(Path.cwd()),
            **_kernel_of(source),
        )
    except PapermillExecutionError as error:
        print(
            for_others(
                f"code cell {error.exec_count or '?'} raised {error.ename}: {error.evalue}".replace("\n", " ")
            ),
            file=sys.stderr,
        )
        return 1
    except DeadKernelError:
        print("its kernel died", file=sys.stderr)
        return 1
    except Exception as error:
        print(
            for_others(f"could not be executed ({type(error).__name__}: {error})".replace("\n", " ")),
            file=sys.stderr,
        )
        return 1
    return 0


def _kernel_of(source: Path) -> dict[str, str]:
    """What Papermill must be told about a notebook that does not say which kernel it wants."""
    spec = json.loads(source.read_text(encoding="utf-8")).get("metadata", {}).get("kernelspec", {})
    return {"kernel_name": spec.get("name") or "python3", "language": spec.get("language") or "python"}


def _scrub_on_save(nb_man: Any) -> None:
    """Every save, also of a half-run or failed notebook, writes outputs that others may read."""
    save = nb_man.save

    def scrubbed(**kwargs: Any) -> None:
        for cell in nb_man.nb.cells:
            for output in cell.get("outputs", []):
                for key in ("text", "traceback", "evalue"):
                    if key in output:
                        output[key] = in_value(output[key])
                if "data" in output:
                    output["data"] = type(output["data"])(
                        {kind: _private(kind, value) for kind, value in output["data"].items()}
                    )
        save(**kwargs)

    nb_man.save = scrubbed


def _private(kind: str, value: Any) -> Any:
    """An output as others may read it. Ids stay, as they are looked up; pictures hold no text."""
    if kind.startswith(("image/", "audio/", "video/")) and kind != "image/svg+xml":
        return value
    changed = in_value(value)
    return {**changed, "id": value["id"], "fix": value["fix"]} if kind == MIME else changed


def _client(nb_man: Any, kernel_name: str, sockets: str) -> Any:
    """Papermill's client, with the kernel on sockets in a folder of its own instead of open TCP ports."""
    from papermill.clientwrap import PapermillNotebookClient

    class Client(PapermillNotebookClient):  # type: ignore[misc]  # papermill has no types
        def create_kernel_manager(self) -> Any:
            manager = super().create_kernel_manager()
            manager.transport = "ipc"
            manager.ip = f"{sockets}/kernel"
            return manager

    return Client(
        nb_man, kernel_name=kernel_name, timeout=None, startup_timeout=60, raise_on_iopub_timeout=False
    )


if __name__ == "__main__":
    sys.exit(_run_one(Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3])))
