"""Runs that are broken on purpose, and what became of them: wrong verdicts, exit codes, processes and files that were left.

    python benchmarks/faults.py [--runs 500] [--jobs 2] [--seed 1] [--only NAME]

Every run judges recorded evidence (tests/golden) through the whole command line, in a workspace that all of them share, as
schedulers do. Every third is left alone; each of the others gets a fault: a signal at a random moment to one of its processes, a
full disk, a notebook that floods, forks or hangs, damaged files of other runs, a second process for the same run. The order comes
from the seed. Afterwards, for every run: is a verdict of pass or fail the right one, does exit code 1 come with a run that says
fail, is a process or a temporary file left, can the history be read? At the end the same is asked of every run.json that there is.

Exit code 1 where anything of that is wrong, so that it can be a test: `--runs 4`. Some faults need root (another user, a disk of
their own) or libfaketime (a clock that jumps); without them they are left out, and a line says so.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import nbformat
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import command_line
import disks
import guard
import recorded

ROOT = Path(__file__).parents[1]
MARK = "PROOFBOOK_FAULTS"
# The evidence, and what the whole case says of it; of a part of the case nothing passes.
RIGHT = {"healthy": "pass", "auth-bypass": "fail", "fix-not-deployed": "fail"}
PART = ["--notebook", "02-websocket"]
RIGHT_IN_PART = {**RIGHT, "healthy": "inconclusive"}
# Three in four judge a part, which takes half as long.
WHOLE = 0.25
TIMEOUT_S = 40
# A machine that is busy with something else lets a process that begins notice only then that nobody waits for it.
LEFT_AFTER_S = 60.0


@dataclass(slots=True, kw_only=True)
class Run:
    """One run: where it may write, with which environment and arguments, and what came of it."""

    fault: str
    evidence: str
    folder: Path
    workspace: Path
    # Before the command: what starts it with other limits or as another user.
    starter: list[str] = field(default_factory=list)
    arguments: list[str] = field(default_factory=list)
    variables: dict[str, str] = field(default_factory=dict)
    mark: str = field(default_factory=lambda: uuid.uuid4().hex)
    code: int | None = None
    verdict: str = ""
    wrong: list[str] = field(default_factory=list)
    # Nothing is known of altered evidence but that it must not pass.
    altered: bool = False
    # The fault is none for this program: the verdict must be that of a run without one.
    must_be_right: bool = False
    # From the end of the command to that of the last process it had started.
    all_gone_s: float = 0.0

    def start(self, *more: str, out: str = "out") -> subprocess.Popen[bytes]:
        """The command, in a session of its own, with what it prints in a file."""
        words = [sys.executable, "-m", "proofbook.cli", "run", "rehearsal", "--evidence", str(self.workspace / "evidence" / self.evidence), "--timeout-s", str(TIMEOUT_S), "--json"]  # fmt: skip
        variables = {
            **os.environ,
            "PROOFBOOK_WORKSPACE": str(self.workspace),
            "TMPDIR": str(self.temporary),
            MARK: self.mark,
            # Kernels get few variables; this one is theirs.
            f"PROOFBOOK_{MARK}": self.mark,
            **self.variables,
        }
        with (self.folder / out).open("ab") as printed, (self.folder / "err").open("ab") as err:
            return subprocess.Popen(
                [*self.starter, *words, *self.arguments, *more], cwd=self.workspace, env=variables, stdout=printed, stderr=err, stdin=subprocess.DEVNULL, start_new_session=True
            )  # fmt: skip

    @property
    def temporary(self) -> Path:
        return self.folder / "tmp"

    @property
    def right(self) -> str:
        return (RIGHT_IN_PART if self.arguments[:2] == PART else RIGHT)[self.evidence]

    @property
    def outputs(self) -> Path:
        return Path(self.variables.get("PROOFBOOK_OUTPUTS", self.workspace / "outputs"))

    def processes(self) -> dict[int, str]:
        found = guard.marked(self.mark, variable=MARK)
        return found | guard.marked(self.mark, variable=f"PROOFBOOK_{MARK}")

    def wait(self, process: subprocess.Popen[bytes], *, timeout_s: float = 600) -> int:
        try:
            return process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.wrong.append(f"did not end within {timeout_s:.0f} s")
            process.kill()
            return process.wait()


Fault = Callable[[Run, random.Random], None]
FAULTS: dict[str, Fault] = {}
# What some faults need, and why it is not there; empty where it is.
NEEDED = {
    "root": disks.MISSING and "this user is not root",
    "libfaketime": "" if list(Path("/usr/lib").glob("*/faketime/libfaketime.so.1")) else "libfaketime is not installed",
}  # fmt: skip


def fault(work: Fault) -> Fault:
    """Enters a fault under its name; it runs the command once and sets the exit code."""
    FAULTS[work.__name__.replace("_", " ")] = work
    return work


def fault_with(*needs: str) -> Callable[[Fault], Fault]:
    """Enters a fault where what it needs is there."""
    missing = [NEEDED[name] for name in needs if NEEDED[name]]

    def enter(work: Fault) -> Fault:
        if missing:
            print(f"left out: {work.__name__.replace('_', ' ')}: {', '.join(missing)}", file=sys.stderr)
            return work
        return fault(work)

    return enter


def nothing(run: Run, chance: random.Random) -> None:
    run.code = run.wait(run.start())


def hit(run: Run, chance: random.Random, *, signs: tuple[signal.Signals, ...], depth: int) -> None:
    """Sends a signal at a random moment to one of the processes of a run: 0 the command, 1 its child, and so on."""
    process = run.start()
    wanted_at = time.monotonic() + chance.uniform(0.3, 9.0)
    while process.poll() is None and time.monotonic() < wanted_at:
        time.sleep(0.02)
    while process.poll() is None:
        chosen = [pid for pid in run.processes() if _depth(pid, process.pid) == depth]
        if chosen:
            with contextlib.suppress(ProcessLookupError):
                os.kill(chance.choice(chosen), chance.choice(signs))
            break
        time.sleep(0.02)
    run.code = run.wait(process)


def _depth(pid: int, ancestor: int) -> int:
    """How many processes lie between: 1 for a child."""
    depth = 0
    while pid not in (ancestor, 0, 1):
        try:
            pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            return -1
        depth += 1
    return depth if pid == ancestor else -1


for _depth_of, _what in enumerate(("the command", "the notebook runner", "a worker", "a kernel")):
    FAULTS[f"kill 9 of {_what}"] = partial(hit, signs=(signal.SIGKILL,), depth=_depth_of)
FAULTS["interrupted"] = partial(hit, signs=(signal.SIGINT, signal.SIGTERM), depth=0)


@contextlib.contextmanager
def small_disk(run: Run, *, size_kb: int) -> Iterator[None]:
    """Outputs on a file system of that size; the verdict and the history are looked at while it is there."""
    with disks.mounted(run.folder / "disk", size_kb=size_kb) as place:
        run.variables["PROOFBOOK_OUTPUTS"] = str(place / "outputs")
        yield
        run.verdict = verdict_of(run)
        check_history(run)


@fault_with("root")
def disk_full(run: Run, chance: random.Random) -> None:
    with small_disk(run, size_kb=chance.choice([300, 700, 1500, 2500, 4000, 6000])):
        run.code = run.wait(run.start())


@fault_with("root")
def notebook_fills_the_disk(run: Run, chance: random.Random) -> None:
    """Half of the time it deletes its file again, so that what comes after finds room."""
    leaves = chance.random() < 0.5
    code = "import contextlib, os\nfrom pathlib import Path\nfile = Path(os.environ['PROOFBOOK_OUTPUTS']) / 'rehearsal' / 'filler'\nwith contextlib.suppress(OSError), file.open('wb', buffering=0) as out:\n    while True: out.write(bytes(1 << 16))"
    with small_disk(run, size_kb=20_000):
        with_notebook(run, code if leaves else f"{code}\nfile.unlink()")


def limited(run: Run, option: str, value: int) -> None:
    run.starter = ["sh", "-c", f'ulimit {option} "$1" && shift && exec "$@"', "sh", str(value)]
    run.code = run.wait(run.start())


@fault
def files_of_limited_size(run: Run, chance: random.Random) -> None:
    limited(run, "-f", chance.choice([20, 100, 1000, 4000]))


@fault
def few_open_files(run: Run, chance: random.Random) -> None:
    limited(run, "-n", chance.choice([10, 24, 32, 48, 64]))


@fault
def little_memory(run: Run, chance: random.Random) -> None:
    limited(run, "-v", chance.choice([200_000, 500_000, 800_000, 1_200_000, 2_000_000]))


@fault
def umask_077(run: Run, chance: random.Random) -> None:
    run.starter = ["sh", "-c", 'umask 077 && exec "$@"', "sh"]
    run.variables["PROOFBOOK_OUTPUTS"] = str(run.folder / "outputs")
    run.code = run.wait(run.start())
    for path in run.outputs.rglob("*"):
        if path.stat().st_mode & 0o077:
            run.wrong.append(f"others may read {path.relative_to(run.outputs)}")
            break


@fault_with("root")
def a_user_of_no_name(run: Run, chance: random.Random) -> None:
    """Without an entry in passwd, a home that exists or the right to write anywhere but among the outputs.

    It may read whatever it likes, since this Python may lie where it has no right to.
    """
    uid = 54321
    outputs = run.folder / "outputs"
    outputs.mkdir()
    for path in (outputs, run.temporary):
        os.chown(path, uid, uid)
    # Of the file that takes the output, too.
    run.folder.chmod(0o755)
    run.starter = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]  # fmt: skip
    if chance.random() < 0.5:
        run.starter += ["env", "-u", "HOME"]
    else:
        run.variables["HOME"] = "/nonexistent"
    run.variables |= {"PROOFBOOK_OUTPUTS": str(outputs), "PROOFBOOK_WORKSPACE": str(run.workspace)}
    run.code = run.wait(run.start())
    run.must_be_right = True


@fault_with("root")
def outputs_behind_a_symlink_to_another_disk(run: Run, chance: random.Random) -> None:
    with small_disk(run, size_kb=60_000):
        link = run.folder / "link"
        link.symlink_to(run.folder / "disk")
        run.variables["PROOFBOOK_OUTPUTS"] = str(link / "outputs")
        run.code = run.wait(run.start())
        run.must_be_right = True


@fault_with("libfaketime")
def clock_jumps(run: Run, chance: random.Random) -> None:
    """By up to three days, forwards or backwards, at a random moment."""
    told = run.folder / "clock"
    told.write_text("+0")
    (library,) = Path("/usr/lib").glob("*/faketime/libfaketime.so.1")
    run.starter = ["env", f"LD_PRELOAD={library}", f"FAKETIME_TIMESTAMP_FILE={told}", "FAKETIME_NO_CACHE=1", "DONT_FAKE_MONOTONIC=1", "FAKETIME_DONT_FAKE_MONOTONIC=1"]  # fmt: skip
    process = run.start()
    time.sleep(chance.uniform(0.5, 6.0))
    told.write_text(f"{chance.choice([-259200, -3600, 3600, 259200]):+}")
    run.code = run.wait(process)
    run.must_be_right = True


@fault
def pruned_meanwhile(run: Run, chance: random.Random) -> None:
    """Somebody deletes all runs but the newest while one runs."""
    process = run.start()
    time.sleep(chance.uniform(0.5, 5.0))
    words = [sys.executable, "-m", "proofbook.cli", "prune", "--keep", "1", "--yes"]
    variables = {**os.environ, "PROOFBOOK_WORKSPACE": str(run.workspace)}
    pruned = subprocess.run(words, cwd=run.workspace, env=variables, capture_output=True, text=True)
    if pruned.returncode != 0:
        run.wrong.append(f"prune ended with {pruned.returncode}: {pruned.stderr.strip()[:200]}")
    run.code = run.wait(process)


@fault
def evidence_of_another_version(run: Run, chance: random.Random) -> None:
    with other_evidence(run) as folder:
        file = folder / "manifest.json"
        told = json.loads(file.read_text())
        told["schema_version"] = chance.choice([0, 99, "three", None])
        file.write_text(json.dumps(told))
        run.code = run.wait(run.start())


@contextlib.contextmanager
def other_evidence(run: Run) -> Iterator[Path]:
    """A copy of the run's evidence to alter, of which is known only that it must not pass."""
    copied = run.workspace / "evidence" / f"altered-{run.mark}"
    shutil.copytree(run.workspace / "evidence" / run.evidence, copied)
    kept, run.evidence, run.altered = run.evidence, copied.name, True
    try:
        yield copied
    finally:
        run.evidence = kept
        shutil.rmtree(copied)


@fault
def outputs_are_a_file(run: Run, chance: random.Random) -> None:
    (run.folder / "outputs").touch()
    run.variables["PROOFBOOK_OUTPUTS"] = str(run.folder / "outputs")
    run.code = run.wait(run.start())


@fault
def same_run_twice(run: Run, chance: random.Random) -> None:
    """Two processes continue one run at once; one may be told that the other is there."""
    # Outputs of its own, in which its folder is the only one.
    run.variables["PROOFBOOK_OUTPUTS"] = str(run.folder / "outputs")
    first = run.start()
    folder = None
    while first.poll() is None and folder is None:
        folder = run_folder(run)
        time.sleep(0.05)
    more = ["--run", str(folder)] if folder else []
    second = run.start(*more, out="out-2")
    codes = [run.wait(first), run.wait(second)]
    # What run.json says is what the last of them said that was let in.
    run.code = codes[1] if codes[1] != 75 and folder is not None else codes[0]
    if folder is not None and 75 not in codes and first.returncode != second.returncode:
        run.wrong.append(f"two processes of one run ended with {codes}")


def with_notebook(run: Run, code: str) -> None:
    """Another notebook beside ours, in a workspace of this run's own; the whole case is judged."""
    place = run.folder / "workspace"
    shutil.copytree(run.workspace / "notebooks", place / "notebooks")
    (place / "evidence").symlink_to(run.workspace / "evidence")
    run.workspace = place
    cells = ['environment = ""\ncase = ""\nevidence = ""', code]
    made = nbformat.v4.new_notebook(metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}})
    made.cells = [nbformat.v4.new_code_cell(cell) for cell in cells]
    made.cells[0].metadata["tags"] = ["parameters"]
    nbformat.write(made, place / "notebooks" / "09-mine.ipynb")
    run.code = run.wait(run.start())


@fault
def notebook_floods(run: Run, chance: random.Random) -> None:
    with_notebook(run, "for _ in range(600): print('flood ' * 30_000)")


@fault
def notebook_leaves_a_daemon(run: Run, chance: random.Random) -> None:
    with_notebook(
        run,
        "import os, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0: time.sleep(600)\n    os._exit(0)",
    )


@fault
def notebook_hangs_with_a_daemon(run: Run, chance: random.Random) -> None:
    run.arguments += ["--timeout-s", "12"]
    with_notebook(
        run,
        "import subprocess, time\nsubprocess.Popen(['sleep', '600'], start_new_session=True)\ntime.sleep(600)",
    )


@fault
def notebook_exits(run: Run, chance: random.Random) -> None:
    with_notebook(
        run,
        chance.choice(
            ["import os; os._exit(0)", "import sys; sys.exit(0)", "import os; os.closerange(3, 4096)"]
        ),
    )


@fault
def notebook_fills_memory(run: Run, chance: random.Random) -> None:
    with_notebook(
        run,
        "import resource\nresource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))\nx = bytearray(1 << 31)",
    )


@fault
def other_runs_are_damaged(run: Run, chance: random.Random) -> None:
    """Files beside the run, as another version, a full disk or a hand would leave them."""
    place = (
        run.outputs / "rehearsal" / f"20200101T0000{chance.randrange(60):02}Z-{chance.randrange(65536):04x}"
    )
    place.mkdir(parents=True, exist_ok=True)
    damage = ["", "{", "[]", "null", '{"schema_version": 9}', '{"schema_version": 2, "verdict": "degraded"}', '{"schema_version": 2, "case": null}', "\x00" * 100]  # fmt: skip
    (place / "run.json").write_text(chance.choice(damage))
    with contextlib.suppress(OSError):
        (run.outputs / chance.choice(["runs.js", "index.html"])).write_text(chance.choice(damage))
    run.code = run.wait(run.start())


@fault
def long_temporary_folder(run: Run, chance: random.Random) -> None:
    long = run.temporary / ("long" * 30)
    long.mkdir()
    run.variables["TMPDIR"] = str(long)
    run.code = run.wait(run.start())
    with contextlib.suppress(OSError):
        long.rmdir()


@fault
def evidence_is_altered(run: Run, chance: random.Random) -> None:
    with other_evidence(run) as folder:
        chosen = chance.choice(sorted(folder.rglob("*.parquet")))
        content = bytearray(chosen.read_bytes())
        content[chance.randrange(len(content))] ^= 0xFF
        chosen.write_bytes(content)
        run.code = run.wait(run.start())


def run_folder(run: Run) -> Path | None:
    """The folder of this run among those of all: the one whose process group wrote its evidence."""
    said = (run.folder / "out").read_text(errors="replace") if (run.folder / "out").exists() else ""
    with contextlib.suppress(ValueError, IndexError, KeyError, TypeError):
        return Path(json.loads(said)[0]["folder"])
    # What did not print: its own outputs, if it had some.
    found = (
        sorted(run.outputs.glob("rehearsal/2*/run.json")) if run.outputs != run.workspace / "outputs" else []
    )
    return found[-1].parent if found else None


def verdict_of(run: Run) -> str:
    """What run.json says, `none` where there is none."""
    folder = run_folder(run)
    try:
        return str(json.loads((folder / "run.json").read_text())["verdict"]) if folder else "none"
    except (OSError, ValueError, KeyError):
        return "none"


def check_history(run: Run) -> None:
    """Reads the history, by a command that begins as a copy of a process that has loaded everything."""
    variables = {**os.environ, **run.variables, "PROOFBOOK_WORKSPACE": str(run.workspace), "TMPDIR": str(run.folder)}  # fmt: skip
    done = command_line.run(("history", "--json"), cwd=run.workspace, environment=variables, timeout_s=300)
    if done.returncode != 0:
        run.wrong.append(f"history ended with {done.returncode}: {done.stderr.strip()[:200]}")
        return
    try:
        json.loads(done.stdout)
    except ValueError:
        run.wrong.append("history printed no JSON")


def look_after(run: Run) -> None:
    """What a run left, and whether what it said is true."""
    began = time.monotonic()
    while (left := run.processes()) and time.monotonic() < began + LEFT_AFTER_S:
        time.sleep(0.1)
    run.all_gone_s = time.monotonic() - began
    if left:
        run.wrong.append(f"{len(left)} processes left: {'; '.join(left.values())[:200]}")
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    # A traceback is kept there where it can be kept nowhere else.
    files = [
        str(path.relative_to(run.temporary))
        for path in run.temporary.rglob("*")
        if not path.name.startswith("traceback-")
    ]
    # What was killed with everything that could clean up is deleted by the next run of the same folder.
    if files and run.fault != "kill 9 of the command":
        run.wrong.append(f"{len(files)} temporary files left: {', '.join(files)[:200]}")
    run.verdict = run.verdict or verdict_of(run)
    right = run.right
    if run.altered and run.verdict == "pass":
        run.wrong.append("altered evidence passed")
    if run.verdict in ("pass", "fail") and run.verdict != right:
        run.wrong.append(f"the verdict is {run.verdict}, right is {right}")
    if run.code == 1 and run.verdict != "fail":
        run.wrong.append(f"exit code 1 without a fail (run.json: {run.verdict})")
    if run.code == 0 and run.verdict != "pass":
        run.wrong.append(f"exit code 0 without a pass (run.json: {run.verdict})")
    if (run.fault == "none" or run.must_be_right) and run.verdict != right:
        run.wrong.append(f"the verdict is {run.verdict}, right is {right}: {_last_line(run)}")
    if run.outputs.parent.exists():  # a disk of its own is gone by now, and was looked at
        check_history(run)


def _last_line(run: Run) -> str:
    lines = (run.folder / "err").read_text(errors="replace").strip().splitlines()
    return lines[-1][:200] if lines else ""


def wrong_in_the_end(outputs: Path, evidence: Path) -> list[str]:
    """What is wrong with any run.json that is there, by the evidence that its run holds, and what lies about between them."""
    digests = {(evidence / name / "manifest.json").read_bytes(): verdict for name, verdict in RIGHT.items()}
    wrong = []
    for file in sorted(outputs.glob("*/2*/run.json")):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            verdict = json.loads(file.read_bytes())["verdict"]
            right = digests.get((file.parent / "evidence" / "manifest.json").read_bytes(), "none")
            # Of a part of the case the right one is inconclusive where that of the whole is pass, and that is no claim;
            # of evidence that was altered is known only that it must not pass.
            if verdict in ("pass", "fail") and verdict != right and (right != "none" or verdict == "pass"):
                wrong.append(f"{file.parent.name}: run.json says {verdict}, right is {right}")
    return wrong + [
        f"left among the outputs: {path.relative_to(outputs)}"
        for path in outputs.rglob("*")
        if path.name.endswith(".new") or "lock" in path.name
    ]


# A notebook of one's own is not among those of a part.
WITH_NOTEBOOKS = {name for name in FAULTS if name.startswith("notebook")}


def made(folder: Path, *, number: int, workspace: Path, chance: random.Random, only: str) -> Run:
    place = folder / f"run-{number:04}"
    (place / "tmp").mkdir(parents=True)
    name = only or ("none" if number % 3 == 0 else chance.choice(sorted(FAULTS)))
    arguments = [] if name in WITH_NOTEBOOKS or chance.random() < WHOLE else [*PART]
    return Run(fault=name, evidence=chance.choice(sorted(RIGHT)), folder=place, workspace=workspace, arguments=arguments)  # fmt: skip


@contextlib.contextmanager
def place(keep: bool) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="faults-", dir="/tmp"))
    try:
        yield folder
    finally:
        if keep:
            print(f"kept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


def main() -> int:
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("--runs", type=int, default=500)
    given.add_argument("--jobs", type=int, default=2)
    given.add_argument("--seed", type=int, default=1)
    given.add_argument("--only", choices=["none", *sorted(FAULTS)], default="")
    given.add_argument("--minutes", type=float, default=600, help="begin no run after that time")
    given.add_argument("--keep", action="store_true", help="keep the folder of all runs")
    asked = given.parse_args()
    chance = random.Random(asked.seed)
    lock = threading.Lock()
    ends = time.monotonic() + 60 * asked.minutes
    with place(asked.keep) as folder:
        workspace = folder / "workspace"
        for kind in ("environments", "cases"):
            shutil.copytree(recorded.GOLDEN / "files" / kind, workspace / "notebooks" / kind)
        for notebook in (ROOT / "notebooks").glob("*.ipynb"):
            shutil.copy(notebook, workspace / "notebooks")
        for name in RIGHT:
            recorded.evidence_of(name, to=workspace / "evidence" / name)
        runs = [made(folder, number=number, workspace=workspace, chance=chance, only=asked.only) for number in range(asked.runs)]  # fmt: skip
        seeds = [random.Random(chance.random()) for _ in runs]
        work: dict[str, Fault] = {"none": nothing, **FAULTS}

        def one(item: tuple[Run, random.Random]) -> None:
            run, dice = item
            if time.monotonic() > ends:
                run.fault = ""
                return
            try:
                work[run.fault](run, dice)
                look_after(run)
            except Exception as error:
                run.wrong.append(f"the tool itself broke: {type(error).__name__}: {error}")
            with lock:
                for problem in run.wrong:
                    print(f"{run.folder.name} · {run.fault} · {run.evidence}: {problem}", flush=True)

        with ThreadPoolExecutor(asked.jobs) as pool:
            list(pool.map(one, zip(runs, seeds, strict=True)))
        command_line.end()
        in_the_end = wrong_in_the_end(workspace / "outputs", workspace / "evidence")
    runs = [run for run in runs if run.fault]
    table = Table("fault", "runs", "exit codes", "verdicts", "wrong", box=None, padding=(0, 2))
    for name in sorted({run.fault for run in runs}, key=lambda name: (name != "none", name)):
        those = [run for run in runs if run.fault == name]
        codes = Counter(run.code for run in those)
        verdicts = Counter(run.verdict for run in those)
        table.add_row(
            name,
            str(len(those)),
            " · ".join(f"{code}: {count}" for code, count in sorted(codes.items(), key=str)),
            " · ".join(f"{verdict}: {count}" for verdict, count in sorted(verdicts.items())),
            str(sum(bool(run.wrong) for run in those)),
        )
    Console(width=150).print(table)
    wrong = sum(bool(run.wrong) for run in runs)
    print(f"{len(runs)} runs, {sum(run.fault != 'none' for run in runs)} with a fault: {wrong} wrong")
    waits = sorted(run.all_gone_s for run in runs)
    print(
        f"no process of a run is left {waits[len(waits) // 2]:.1f} s after its end in half of the runs, {waits[-1]:.1f} s in all"
    )
    for problem in in_the_end:
        print(problem)
    return 1 if wrong or in_the_end else 0


if __name__ == "__main__":
    sys.exit(main())
