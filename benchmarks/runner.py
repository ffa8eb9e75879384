"""Notebooks with their HTML, as Proofbook executes them and as one would by hand, side by side in one run.

    python benchmarks/runner.py [--environments 6] [--many 28] [--by-hand 1]

Judges recorded evidence, each environment with seven notebooks. Ratios of CPU seconds hold on a busy machine too, those of wall
time on a quiet one alone; the load is printed. `--many 0` leaves the last rows out, which take as long as all others together.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

BASE = Path(__file__).parent.parent
GOLDEN = BASE / "tests" / "golden"
CASE = GOLDEN / "files" / "cases" / "ssot-fixes.toml"
NOTEBOOKS = [
    *sorted((BASE / "notebooks").glob("0[1-9]-*.ipynb")),
    BASE / "notebooks" / "00-validation-report.ipynb",
]
# As a user would write it, without a process for each notebook.
ONE_PROCESS = """
import sys, papermill
from nbconvert import HTMLExporter
environment, case, evidence, out, *notebooks = sys.argv[1:]
for path in notebooks:
    target = f"{out}/{path.rpartition('/')[2]}"
    papermill.execute_notebook(path, target, parameters={"environment": environment, "case": case, "evidence": evidence}, progress_bar=False)
    with open(target.replace(".ipynb", ".html"), "w") as file:
        file.write(HTMLExporter().from_filename(target)[0])
"""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Executions, seconds and megabytes; first: seconds to the first notebook and to the first verdict."""

    executions: int
    wall_s: float
    cpu_s: float
    most_mb: float
    first: tuple[float, float] = (0.0, 0.0)

    @property
    def each_wall_s(self) -> float:
        return self.wall_s / self.executions

    @property
    def each_cpu_s(self) -> float:
        return self.cpu_s / self.executions


def main() -> None:
    given = argparse.ArgumentParser()
    given.add_argument("--environments", type=int, default=6)
    given.add_argument("--many", type=int, default=28)
    given.add_argument("--by-hand", type=int, default=1)
    chosen = given.parse_args()
    before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ours = by_proofbook(folder / "ours", chosen.environments)
        loop = by_hand(folder / "loop", chosen.by_hand, one_process=False)
        single = by_hand(folder / "single", chosen.by_hand, one_process=True)
        many = by_proofbook(folder / "many", chosen.many) if chosen.many else None
    table = Table("what", "executions", "wall", "CPU", "each, wall", "each, CPU", "peak memory")
    rows = {"proofbook run": ours, "papermill … && jupyter nbconvert …": loop, "both in one process": single}
    if many is not None:
        rows["proofbook run, many"] = many
    for what, item in rows.items():
        table.add_row(what, str(item.executions), f"{item.wall_s:.1f} s", f"{item.cpu_s:.1f} s", f"{item.each_wall_s:.2f} s", f"{item.each_cpu_s:.2f} s", f"{item.most_mb:.0f} MB")  # fmt: skip
    out = Console(width=130)
    out.print(table)
    for what, item in (("the loop", loop), ("one process", single)):
        out.print(
            f"against {what}: {item.each_wall_s / ours.each_wall_s:.1f}× wall, {item.each_cpu_s / ours.each_cpu_s:.1f}× CPU"
        )
    if many is not None:
        count = many.executions / ours.executions
        out.print(
            f"{count:.2f}× as many executions: {many.wall_s / ours.wall_s:.2f}× wall, {many.cpu_s / ours.cpu_s:.2f}× CPU"
        )
    out.print(f"first notebook after {ours.first[0]:.1f} s, first verdict after {ours.first[1]:.1f} s")
    out.print(f"{os.cpu_count()} cores; load {before:.1f} before, {os.getloadavg()[0]:.1f} after")


def evidence(folder: Path) -> Path:
    """The recorded evidence of a system that was mended."""
    for part in ("shared", "healthy"):
        shutil.copytree(
            GOLDEN / part, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("findings.json")
        )
    return folder


def by_proofbook(folder: Path, count: int) -> Measured:
    kept = evidence(folder / "evidence")
    names = [folder / f"e{number:02}.toml" for number in range(count)]
    for path in names:
        shutil.copyfile(GOLDEN / "files" / "environments" / "rehearsal.toml", path)
    command = [sys.executable, "-m", "proofbook.cli", "run", *map(str, names), "--evidence", str(kept), "--case", str(CASE)]  # fmt: skip
    found = measured(command, folder, executions=count * len(NOTEBOOKS))
    reports = len(list(folder.glob("outputs/*/*/report.html")))
    assert reports == count, f"{reports} reports of {count}: {(folder / 'said').read_text()[-2000:]}"
    return found


def by_hand(folder: Path, count: int, *, one_process: bool) -> Measured:
    total: list[Measured] = []
    for number in range(count):
        place = folder / str(number)
        kept, out = evidence(place / "evidence"), place / "notebooks"
        out.mkdir()
        environment = place / "rehearsal.toml"
        shutil.copyfile(GOLDEN / "files" / "environments" / "rehearsal.toml", environment)
        if one_process:
            command = [sys.executable, "-c", ONE_PROCESS, environment, CASE, kept, out, *NOTEBOOKS]
            total.append(measured(list(map(str, command)), place, executions=len(NOTEBOOKS)))
        else:
            total += [
                measured(["sh", "-c", line], place, executions=1) for line in lines(environment, kept, out)
            ]
        pages = len(list(out.glob("*.html")))
        assert pages == len(NOTEBOOKS), f"{pages} pages: {(place / 'said').read_text()[-2000:]}"
    return Measured(
        executions=sum(item.executions for item in total),
        wall_s=sum(item.wall_s for item in total),
        cpu_s=sum(item.cpu_s for item in total),
        most_mb=max(item.most_mb for item in total),
    )


def lines(environment: Path, kept: Path, out: Path) -> Iterator[str]:
    """What one would type for each notebook."""
    for path in NOTEBOOKS:
        target = out / path.name
        given = f"-p environment {environment} -p case {CASE} -p evidence {kept}"
        yield f"{sys.executable} -m papermill {path} {target} {given} && {sys.executable} -m jupyter nbconvert --to html {target}"


def measured(command: list[str], folder: Path, *, executions: int) -> Measured:
    """What a command took, with all that it started."""
    times = os.times()
    began = time.monotonic()
    first = [0.0, 0.0]
    variables = {**os.environ, "PROOFBOOK_OUTPUTS": str(folder / "outputs"), "PROOFBOOK_WORKSPACE": str(BASE)}
    with (folder / "said").open("w") as said, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=variables) as process:  # fmt: skip
        memory = Memory(process.pid)
        memory.start()
        assert process.stdout is not None
        for line in process.stdout:
            said.write(line)
            for number, mark in enumerate((": executed", "report: ")):
                if mark in line and not first[number]:
                    first[number] = time.monotonic() - began
    memory.over = True
    memory.join()
    wall_s, now = time.monotonic() - began, os.times()
    cpu_s = now.children_user + now.children_system - times.children_user - times.children_system
    assert process.returncode == 0, (folder / "said").read_text()[-2000:]
    return Measured(executions=executions, wall_s=wall_s, cpu_s=cpu_s, most_mb=memory.most_mb, first=(first[0], first[1]))  # fmt: skip


class Memory(threading.Thread):
    """The most memory that a process and all that it started had together, what they share counted once."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid, self.most_mb, self.over = pid, 0.0, False

    def run(self) -> None:
        while not self.over:
            self.most_mb = max(self.most_mb, sum(map(pss_mb, tree(self._pid))))
            time.sleep(0.5)


def tree(pid: int) -> Iterator[int]:
    yield pid
    for file in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = file.read_text().split()
        except OSError:
            continue
        for child in map(int, children):
            yield from tree(child)


def pss_mb(pid: int) -> float:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in text.splitlines() if line.startswith("Pss:")), 0.0)


if __name__ == "__main__":
    main()
