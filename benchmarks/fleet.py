"""One command over many environments, again and again, while services break and are mended and notebooks misbehave: what became of it.

    python benchmarks/fleet.py [--environments 40] [--rounds 13] [--share 0.05] [--seed 1]

Every environment is a real service on loopback, and every round is `proofbook run 'eu-*'`. Which service is broken in which round,
and which run gets a fault, is drawn from the seed before the first one, so the verdict of each run and everything that people
must be told are known beforehand. A chat on loopback takes the messages, and is down at times.

A fault is a notebook of one's own whose kernel dies, hangs, floods, leaves a daemon, closes its sockets or fills the disk. A
file that is no notebook is put among them too: then no run may begin.

Counted in the end: wrong verdicts and exit codes, processes, files and locks that were left, messages that are missing, wrong or
doubled. Exit code 1 where anything of that is not zero.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import disks
import guard
import receivers
import shops

from proofbook.errors import EXIT_CODES

ROOT = Path(__file__).parents[1]
MARK = "PROOFBOOK_FLEET"
# How often a service breaks or is mended from one round to the next.
CHANGES = 0.15
LEFT_AFTER_S = 60.0
# Of the disk that can be filled: what a round leaves on it, and room for more.
ROUND_KB, DISK_KB = 3_000, 30_000
BASE = """
every = "1h"
case = "shop"
[pace]
per_s = 200
[notify]
link = "https://reports.example.com"
[[notify.webhook]]
url = { env = "CHAT_WEBHOOK" }
[metrics]
otlp = { env = "COLLECTOR" }
"""
# In a notebook of its own; `folder` is that of the environment's runs. What breaks the notebook is an error of the run.
FAULTS = {
    "its kernel dies": ("import os; os.kill(os.getpid(), 9)", "error"),
    "it hangs": ("import time; time.sleep(900)", "error"),
    "it closes its sockets": ("import os; os.closerange(3, 4096)", "error"),
    "it floods": ("for _ in range(150): print('flood ' * 30_000)", "pass"),
    "it leaves a daemon": ("import os, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0: time.sleep(900)\n    os._exit(0)", "pass"),
    "it fills the disk": ("with (folder / 'filler').open('wb', buffering=0) as out:\n    while True: out.write(bytes(1 << 16))", "error"),
}  # fmt: skip
FILLS = "it fills the disk"
NOTEBOOK = """
import json, pathlib
folder = pathlib.Path(evidence).parents[1]
exec(json.loads(pathlib.Path({planned!r}).read_text()).get(folder.name, ""))
"""
MARKS = {"pass": "✔", "fail": "✘", "error": "!"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A run that is to come: whether its service is well, and what its notebook does."""

    healthy: bool
    fault: str = ""

    @property
    def verdict(self) -> str:
        return "fail" if not self.healthy else FAULTS[self.fault][1] if self.fault else "pass"


def plan(
    names: Sequence[str], *, rounds: int, faults: int, chance: random.Random
) -> dict[str, list[Planned]]:
    """The runs of each environment, round by round. The disk that can be filled is that of the first one."""
    healthy = {name: [True] for name in names}
    for name, states in healthy.items():
        for _ in range(rounds - 1):
            breaks = name != names[0] and chance.random() < CHANGES
            states.append(states[-1] != breaks)
    kinds = [kind for kind in FAULTS if kind != FILLS or not disks.MISSING]
    places = [(name, number) for name in names[1:] for number in range(rounds)]
    chosen = chance.sample(places, min(faults, len(places)))
    given = dict(zip(chosen, (kind for _ in chosen for kind in kinds if kind != FILLS), strict=False))
    if FILLS in kinds and rounds > 2:
        # In the middle: on a full disk nothing can be noted, so it is the next round that tells of it.
        given[names[0], rounds // 2] = FILLS
    return {
        name: [Planned(healthy=well, fault=given.get((name, number), "")) for number, well in enumerate(states)]
        for name, states in healthy.items()
    }  # fmt: skip


def to_be_told(name: str, verdicts: Sequence[str]) -> list[str]:
    """The first line of every message about an environment, in order."""
    found, known = [], ""
    for verdict in verdicts:
        if verdict != known and (verdict != "pass" or known):
            change = f"{known or 'no earlier verdict'} → {verdict}"
            recovered = "recovered: " if verdict == "pass" else ""
            found.append(f"{MARKS[verdict]} {name} · shop: {recovered}{change}")
        known = verdict
    return found


@dataclass(kw_only=True)
class Fleet:
    """A workspace, and what was wrong in it so far."""

    folder: Path
    names: Sequence[str]
    timeout_s: int
    variables: Mapping[str, str]
    wrong: list[str] = field(default_factory=list)
    mark: str = field(default_factory=lambda: uuid.uuid4().hex)
    cpu_s: float = 0.0
    all_gone_s: float = 0.0

    @property
    def workspace(self) -> Path:
        return self.folder / "workspace"

    @property
    def outputs(self) -> Path:
        return self.workspace / "outputs"

    @property
    def planned(self) -> Path:
        return self.folder / "planned.json"

    def make(self, address: str) -> None:
        """Writes the files of all environments, and the notebook."""
        notebooks = self.workspace / "notebooks"
        for kind in ("environments", "cases"):
            (notebooks / kind).mkdir(parents=True)
        (self.folder / "tmp").mkdir()
        for path in (ROOT / "notebooks").glob("0*.ipynb"):
            shutil.copy(path, notebooks)
        (notebooks / "cases" / "shop.toml").write_text('title = "The shop answers"\n')
        (notebooks / "environments" / "base.toml").write_text(BASE)
        for name in self.names:
            (notebooks / "environments" / f"{name}.toml").write_text(
                f'extends = "base.toml"\n[[service]]\nname = "shop"\nurl = "{address}/{name}"\nhealth = "/health"\n'
            )
        cells = ['environment = ""\ncase = ""\nevidence = ""', NOTEBOOK.format(planned=str(self.planned))]
        made = nbformat.v4.new_notebook(metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}})  # fmt: skip
        made.cells = [nbformat.v4.new_code_cell(cell) for cell in cells]
        made.cells[0].metadata["tags"] = ["parameters"]
        nbformat.write(made, notebooks / "09-mine.ipynb")

    def command(self, *words: str) -> tuple[int, str, str]:
        """Exit code and what was printed."""
        variables = {
            **os.environ, **self.variables, "PROOFBOOK_WORKSPACE": str(self.workspace), "TMPDIR": str(self.folder / "tmp"),
            # Kernels get few variables; the second is theirs.
            MARK: self.mark, f"PROOFBOOK_{MARK}": self.mark,
        }  # fmt: skip
        before = os.times()
        done = subprocess.run([sys.executable, "-m", "proofbook.cli", *words], cwd=self.workspace, env=variables, capture_output=True, text=True, timeout=3600)  # fmt: skip
        after = os.times()
        self.cpu_s += after.children_user + after.children_system - before.children_user - before.children_system  # fmt: skip
        return done.returncode, done.stdout, done.stderr

    def round(self, runs: Mapping[str, Planned]) -> list[str]:
        """The verdicts of all environments, by one command; what is wrong is noted."""
        self.planned.write_text(json.dumps({name: FAULTS[item.fault][0] for name, item in runs.items() if item.fault}))  # fmt: skip
        code, out, err = self.command("run", "eu-*", "--assets", "shared", "--timeout-s", str(self.timeout_s), "--json")  # fmt: skip
        try:
            found = {item["environment"]: item for item in json.loads(out)}
        except ValueError:
            self.wrong.append(f"the command printed no JSON and ended with {code}: {err[-300:]}")
            found = {}
        for name, item in runs.items():
            self._check_run(name, item, found.get(name, {}))
        verdicts = {item.verdict for item in runs.values()}
        right = next(EXIT_CODES[verdict] for verdict in ("fail", "error", "pass") if verdict in verdicts)
        if code != right:
            self.wrong.append(f"the command ended with {code}, right is {right}")
        # A full disk is one of those.
        is_full = any(item.fault == FILLS for item in runs.values())
        if "Traceback" in err or ("internal error" in err and not is_full):
            self.wrong.append(f"the command broke: {err[-300:]}")
        self.look_after()
        return [str(found.get(name, {}).get("verdict")) for name in runs]

    def _check_run(self, name: str, planned: Planned, found: Mapping[str, object]) -> None:
        verdict = found.get("verdict")
        if verdict != planned.verdict:
            self.wrong.append(f"{name}: the verdict is {verdict}, right is {planned.verdict} ({planned.fault or 'no fault'}): {found.get('sentence')}")  # fmt: skip
        if "folder" in found:
            try:
                kept = json.loads((Path(str(found["folder"])) / "run.json").read_text())["verdict"]
            except (OSError, ValueError, KeyError) as error:
                self.wrong.append(f"{name}: run.json cannot be read: {error!r}")
                return
            if kept != verdict:
                self.wrong.append(f"{name}: run.json says {kept}, and the command {verdict}")

    def refuses(self) -> None:
        """Has a file among the notebooks that is none: a sentence, and not one run begins."""
        before = len(list(self.outputs.glob("*/2*")))
        file = self.workspace / "notebooks" / "08-none.ipynb"
        file.write_text("{")
        code, _, err = self.command("run", "eu-*")
        file.unlink()
        if code != 2 or "08-none.ipynb" not in err or len(list(self.outputs.glob("*/2*"))) != before:
            self.wrong.append(f"a file that is no notebook: exit code {code}: {err[-200:]}")

    def look_after(self) -> None:
        """What is left after a command: processes, temporary files, half-written files, locks."""
        began = time.monotonic()
        while (left := self._processes()) and time.monotonic() < began + LEFT_AFTER_S:
            time.sleep(0.05)
        self.all_gone_s = max(self.all_gone_s, time.monotonic() - began)
        self.wrong += [f"a process is left: {words[:200]}" for words in left.values()]
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, 9)
        self.wrong += [f"a temporary file is left: {path.name}" for path in (self.folder / "tmp").iterdir()]
        self.wrong += [f"left half-written: {path.name}" for path in self.outputs.rglob("*.new")]
        self.wrong += [f"locked: {path.relative_to(self.outputs)}" for path in (self.outputs, *self.outputs.glob("*/"), *self.outputs.glob("*/2*")) if is_locked(path)]  # fmt: skip

    def _processes(self) -> dict[int, str]:
        return guard.marked(self.mark, variable=MARK) | guard.marked(self.mark, variable=f"PROOFBOOK_{MARK}")


def is_locked(folder: Path) -> bool:
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(number)
    return False


def check_told(posted: Sequence[str], right: Mapping[str, Sequence[str]]) -> list[str]:
    """What is wrong with the messages: each planned one must have come once, those of an environment in their order."""
    came: dict[str, list[str]] = {name: [] for name in right}
    for text in posted:
        line = text.splitlines()[0]
        came.setdefault(line.split()[1], []).append(line)
    return [f"{name}: told {lines}, right is {list(right.get(name, ()))}" for name, lines in came.items() if lines != list(right.get(name, ()))]  # fmt: skip


def main() -> int:
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("--environments", type=int, default=40)
    given.add_argument("--rounds", type=int, default=13)
    given.add_argument("--share", type=float, default=0.05, help="of all runs, those that get a fault")
    given.add_argument("--timeout-s", type=int, default=60, help="of a notebook, such as one that hangs")
    given.add_argument("--minutes", type=float, default=600, help="begin no round after that time")
    given.add_argument("--seed", type=int, default=1)
    given.add_argument("--keep", action="store_true", help="keep the folder of all runs")
    asked = given.parse_args()
    chance = random.Random(asked.seed)
    names = [f"eu-{number:02}" for number in range(1, asked.environments + 1)]
    faults = max(1, round(asked.share * asked.environments * asked.rounds))
    runs = plan(names, rounds=asked.rounds, faults=faults, chance=chance)
    folder = Path(tempfile.mkdtemp(prefix="fleet-", dir="/tmp"))
    try:
        with contextlib.ExitStack() as held:
            server, chat, collector = held.enter_context(shops.shops()), held.enter_context(receivers.webhook()), held.enter_context(receivers.collector())  # fmt: skip
            fleet = Fleet(folder=folder, names=names, timeout_s=asked.timeout_s, variables={"CHAT_WEBHOOK": chat.url, "COLLECTOR": collector.url})  # fmt: skip
            fleet.make(server.url)
            (fleet.outputs).mkdir()
            if not disks.MISSING:
                held.enter_context(
                    disks.mounted(fleet.outputs / names[0], size_kb=DISK_KB + asked.rounds * ROUND_KB)
                )
            code = watched(fleet, runs, until=time.monotonic() + 60 * asked.minutes, server=server, chat=chat, collector=collector, chance=chance)  # fmt: skip
    finally:
        if asked.keep:
            print(f"kept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    return code


def watched(
    fleet: Fleet, runs: Mapping[str, Sequence[Planned]], *, until: float, server: shops.Shops, chat: receivers.Webhook, collector: receivers.Collector, chance: random.Random
) -> int:  # fmt: skip
    """Exit code 1 where anything was wrong, once every round is over and told."""
    began, rounds = time.monotonic(), len(runs[fleet.names[0]])
    for number in range(rounds):
        untold = number and any(items[number - 1].fault == FILLS for items in runs.values())
        if time.monotonic() > until and not untold:
            rounds, runs = number, {name: items[:number] for name, items in runs.items()}
            break
        now = {name: items[number] for name, items in runs.items()}
        server.broken = {name for name, item in now.items() if not item.healthy}
        # The chat is down for a while, and so is the receiver of metrics.
        chat.answers = [500] * chance.choice([0, 0, 1, 3])
        collector.down = chance.random() < 0.2
        if number % 5 == 1:
            fleet.refuses()
        before = len(fleet.wrong)
        verdicts = Counter(fleet.round(now))
        (fleet.outputs / fleet.names[0] / "filler").unlink(missing_ok=True)
        print(f"round {number + 1} of {rounds} · {time.monotonic() - began:.0f} s · {', '.join(f'{count} {verdict}' for verdict, count in sorted(verdicts.items()))} · {len(chat.posted)} messages", flush=True)  # fmt: skip
        for problem in fleet.wrong[before:]:
            print(f"  {problem}", flush=True)
    chat.answers = []
    code, _, err = fleet.command("notify", "--retry")
    if code != 0:
        fleet.wrong.append(f"notify --retry ended with {code}: {err[-300:]}")
    fleet.look_after()
    right = {name: to_be_told(name, [item.verdict for item in items]) for name, items in runs.items()}
    told = check_told(chat.texts, right)
    wrong_metrics = collector.wrong
    report(runs)
    for problem in [*told, *wrong_metrics]:
        print(problem)
    count, wall_s = len(fleet.names) * rounds, time.monotonic() - began
    planned = sum(map(len, right.values()))
    print(f"{count} runs over {len(fleet.names)} environments in {wall_s:.0f} s, {fleet.cpu_s / count:.2f} s of CPU each; no process of a command is left {fleet.all_gone_s:.1f} s after its end")  # fmt: skip
    print(f"{len(fleet.wrong)} wrong or left; {planned} changes of verdict to be told, {len(chat.posted)} told, {chat.refused} tries refused, {len(told)} environments told wrongly")  # fmt: skip
    return 1 if fleet.wrong or told or wrong_metrics else 0


def report(runs: Mapping[str, Sequence[Planned]]) -> None:
    items = [item for planned in runs.values() for item in planned]
    table = Table("fault", "runs", "right verdicts", box=None, padding=(0, 2))
    for fault in ("", *FAULTS):
        those = [item.verdict for item in items if item.fault == fault]
        if those:
            table.add_row(fault or "none", str(len(those)), " · ".join(f"{verdict}: {count}" for verdict, count in sorted(Counter(those).items())))  # fmt: skip
    Console(width=150).print(table)


if __name__ == "__main__":
    sys.exit(main())
