"""Notebooks with their HTML, as Proofbook executes them and as one would by hand, side by side in one run.

    python benchmarks/runner.py [--environments 6] [--many 30] [--by-hand 1] [--cluster 16]

Judges recorded evidence, each environment with seven notebooks. Ratios of CPU seconds hold on a busy machine too, those of wall
time on a quiet one alone; the load is printed. `--many 0` and `--cluster 0` leave out the rows that take longest.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import os
import shutil
import socket
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


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row of the table of what is wanted: `at_least` or `at_most`, and what was measured, in `unit`."""

    what: str
    measured: float
    unit: str
    at_least: float | None = None
    at_most: float | None = None

    @property
    def holds(self) -> bool:
        return (self.at_least is None or self.measured >= self.at_least) and (self.at_most is None or self.measured <= self.at_most)  # fmt: skip

    @property
    def wanted(self) -> str:
        limit = f"≥ {self.at_least:g}" if self.at_least is not None else f"≤ {self.at_most:g}"
        return f"{limit}{self.unit}"


def main() -> None:
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("--environments", type=int, default=6)
    given.add_argument("--many", type=int, default=30)
    given.add_argument("--by-hand", type=int, default=1)
    given.add_argument("--cluster", type=int, default=16)
    chosen = given.parse_args()
    before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        helped = of_help(folder / "help")
        ours = by_proofbook(folder / "ours", chosen.environments)
        loop = by_hand(folder / "loop", chosen.by_hand, one_process=False)
        single = by_hand(folder / "single", chosen.by_hand, one_process=True)
        taken = {"proofbook run": ours, "papermill … && jupyter nbconvert …": loop, "both in one process": single}  # fmt: skip
        if chosen.many:
            taken["proofbook run, many"] = by_proofbook(folder / "many", chosen.many)
        for workers in (1, 2) if chosen.cluster else ():
            taken[f"{workers} Dask workers"] = by_cluster(folder / f"dask-{workers}", chosen.cluster, workers=workers)  # fmt: skip
    table = Table("what", "executions", "wall", "CPU", "each, wall", "each, CPU", "peak memory")
    for what, item in taken.items():
        table.add_row(what, str(item.executions), f"{item.wall_s:.1f} s", f"{item.cpu_s:.1f} s", f"{item.each_wall_s:.2f} s", f"{item.each_cpu_s:.2f} s", f"{item.most_mb:.0f} MB")  # fmt: skip
    out = Console(width=130)
    out.print(table)
    must = Table("must reach", "wanted", "here", "")
    for row in rows(taken, helped=helped):
        must.add_row(row.what, row.wanted, f"{row.measured:.2f}{row.unit}", "reached" if row.holds else "not reached")  # fmt: skip
    out.print(must)
    out.print(f"{os.cpu_count()} cores; load {before:.1f} before, {os.getloadavg()[0]:.1f} after")


def rows(measured: dict[str, Measured], *, helped: Measured) -> Iterator[Row]:
    """What is wanted of the runner, beside what it does here."""
    ours, loop, single = (measured[name] for name in ("proofbook run", "papermill … && jupyter nbconvert …", "both in one process"))  # fmt: skip
    yield Row(what="against the loop, wall", measured=loop.each_wall_s / ours.each_wall_s, unit="×", at_least=20)  # fmt: skip
    yield Row(what="against the loop, CPU", measured=loop.each_cpu_s / ours.each_cpu_s, unit="×", at_least=10)
    yield Row(what="against one process, wall", measured=single.each_wall_s / ours.each_wall_s, unit="×", at_least=8)  # fmt: skip
    yield Row(what="against one process, CPU", measured=single.each_cpu_s / ours.each_cpu_s, unit="×", at_least=8)  # fmt: skip
    yield Row(what="first notebook after", measured=ours.first[0], unit=" s", at_most=3)
    yield Row(what="proofbook --help, wall", measured=helped.wall_s, unit=" s", at_most=0.4)
    yield Row(what="proofbook --help, CPU", measured=helped.cpu_s, unit=" s", at_most=0.4)
    many = measured.get("proofbook run, many")
    if many is not None:
        count = many.executions / ours.executions
        # Of five times as many it is 5.2.
        most = round(1.04 * count, 2)
        yield Row(what=f"{many.executions} against {ours.executions}, wall", measured=many.wall_s / ours.wall_s, unit="×", at_most=most)  # fmt: skip
        yield Row(what="memory of all processes together", measured=many.most_mb, unit=" MB", at_most=1000)
    if "2 Dask workers" in measured:
        one, two = measured["1 Dask workers"], measured["2 Dask workers"]
        yield Row(what="two Dask workers of one core each against one, wall", measured=one.wall_s / two.wall_s, unit="×", at_least=1.8)  # fmt: skip


def of_help(folder: Path) -> Measured:
    """The quickest of five."""
    folder.mkdir()
    command = [sys.executable, "-m", "proofbook.cli", "--help"]
    return min((measured(command, folder, executions=1) for _ in range(5)), key=lambda item: item.wall_s)


def evidence(folder: Path) -> Path:
    """The recorded evidence of a system that was mended."""
    for part in ("shared", "healthy"):
        shutil.copytree(
            GOLDEN / part, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("findings.json")
        )
    return folder


def by_proofbook(folder: Path, count: int, *more: str) -> Measured:
    kept = evidence(folder / "evidence")
    names = [folder / f"e{number:02}.toml" for number in range(count)]
    for path in names:
        shutil.copyfile(GOLDEN / "files" / "environments" / "rehearsal.toml", path)
    command = [sys.executable, "-m", "proofbook.cli", "run", *map(str, names), "--evidence", str(kept), "--case", str(CASE), *more]  # fmt: skip
    found = measured(command, folder, executions=count * len(NOTEBOOKS))
    reports = len(list(folder.glob("outputs/*/*/report.html")))
    assert reports == count, f"{reports} reports of {count}: {(folder / 'said').read_text()[-2000:]}"
    return found


def by_cluster(folder: Path, count: int, *, workers: int) -> Measured:
    """The same on workers of a real scheduler, each on a core of its own, the CPU seconds of which are theirs alone."""
    folder.mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    with contextlib.ExitStack() as held:
        begin(held, folder, "dask_scheduler", "--host", "127.0.0.1", "--port", address.rpartition(":")[2], "--no-dashboard")  # fmt: skip
        cores = sorted(os.sched_getaffinity(0))
        pids = [
            begin(held, folder, "dask_worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard", "--host", "127.0.0.1", core=cores[number % len(cores)])
            for number in range(workers)
        ]  # fmt: skip
        while sum("Registered to" in path.read_text() for path in folder.glob("dask_worker-*.log")) < workers:
            time.sleep(0.1)
        before = sum(map(cpu_s_of, pids))
        found = by_proofbook(folder, count, "--cluster", address)
        return dataclasses.replace(found, cpu_s=sum(map(cpu_s_of, pids)) - before)


def begin(held: contextlib.ExitStack, folder: Path, program: str, *words: str, core: int | None = None) -> int:  # fmt: skip
    """The id of a process of Dask's that ends with the stack."""
    pinned = [] if core is None else ["taskset", "-c", str(core)]
    log = held.enter_context((folder / f"{program}-{core}.log").open("wb"))
    process = subprocess.Popen([*pinned, sys.executable, "-m", f"distributed.cli.{program}", *words], stdout=log, stderr=log, cwd=folder)  # fmt: skip
    held.callback(process.wait)
    held.callback(process.kill)
    return process.pid


def cpu_s_of(pid: int) -> float:
    """What a process and those that it waited for have taken."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


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
