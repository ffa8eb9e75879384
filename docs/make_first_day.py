"""Runs what docs/tutorial/first-day.md shows and writes the outputs into it: `python docs/make_first_day.py`.

Three services and a chat on loopback, real runs, and a month of hourly runs on a simulated clock. A block of the page that comes
from here stands below a comment `<!-- from here: NAME -->`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import receivers
from shops import Shops, shops

from proofbook.config import environment as environments
from proofbook.config.environment import Environment
from proofbook.judge.findings import Verdict
from proofbook.notify import deliver
from proofbook.report import index
from proofbook.runs import history, record, retention
from proofbook.runs.provenance import rfc3339

PAGE = Path(__file__).parent / "tutorial" / "first-day.md"
PLACES = ("eu", "us", "asia")
CASE = 'title = "The shop answers"\n'
# The hours of the month in which `us` is broken.
BROKEN = {*range(100, 104), *range(300, 301), *range(500, 526)}
HOURS = 30 * 24
START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


BASE = """every = "1h"
case = "shop"

[[service]]
name = "shop"
health = "/health"

[notify]
remind_every = "24h"
[[notify.webhook]]
url = { env = "CHAT_WEBHOOK" }

[retention]
keep = 240
evidence = 48
"""


def file_of(url: str) -> str:
    """The file of one environment, as the page shows it."""
    return f"""extends = "base.toml"

[[service]]
name = "shop"
url = "{url}"
"""


class Team:
    """A workspace with three environments, and what its commands print."""

    def __init__(self, folder: Path, chat: receivers.Webhook) -> None:
        self.folder, self.chat = folder, chat
        self.blocks: dict[str, str] = {}
        os.environ["CHAT_WEBHOOK"] = chat.url

    def types(self, block: str, line: str, *, lines: int | None = None) -> None:
        """Runs a command as it is typed, and keeps it with its output."""
        words = shlex.split(line)
        command = [sys.executable, "-m", "proofbook.cli", *words[1:]]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True)
        shown = self.without_folder(done.stdout).rstrip().splitlines()[:lines]
        self.blocks[block] = "\n".join([f"$ {line}", *shown])

    def without_folder(self, text: str) -> str:
        return text.replace(str(self.folder), "/srv/shop").replace(
            sys.executable.removesuffix("/python"), "/srv/shop/.venv/bin"
        )

    def last_told(self, block: str) -> None:
        self.blocks[block] = self.without_folder(self.chat.texts[-1])


def first_day(team: Team, places: dict[str, Shops]) -> None:
    for kind in ("environments", "cases"):
        (team.folder / kind).mkdir()
    (team.folder / "cases" / "shop.toml").write_text(CASE)
    for name, shop in places.items():
        (team.folder / "environments" / f"{name}.toml").write_text(file_of(shop.url))
    (team.folder / "environments" / "base.toml").write_text(BASE)
    team.blocks["base"] = BASE.rstrip()
    team.blocks["file"] = file_of("https://eu.shop.example.com").rstrip()
    team.types("first", "proofbook run eu us asia --yes --assets shared")
    team.types("test", "proofbook notify eu --test")
    team.types("cron", "proofbook schedule eu us asia --every 1h --for cron")
    places["us"].broken.add("")
    team.types("broken", "proofbook run us --yes --assets shared", lines=4)
    team.last_told("told")
    places["us"].broken.clear()
    team.types("mended", "proofbook run us --yes --assets shared", lines=2)
    team.last_told("recovered")
    team.types("due", "proofbook due")


def month(team: Team) -> None:
    """Thirty days of hourly runs, made of the runs of the first day; told and removed by the code that a run calls."""
    base, outputs = team.folder, team.folder / "outputs"
    models: dict[str, dict[str, Path]] = {name: {} for name in PLACES}
    for name in PLACES:
        for run in (outputs / name).glob("*/run.json"):
            models[name][record.read(run.parent).verdict.value] = run.parent
    aside = team.folder / "first-day"
    shutil.move(outputs, aside)
    outputs.mkdir()
    before = len(team.chat.texts)
    os.chdir(base)
    for hour in range(HOURS):
        at = START + dt.timedelta(hours=hour)
        for name in PLACES:
            verdict = Verdict.FAIL if name == "us" and hour in BROKEN else Verdict.PASS
            model = aside / name / models[name][verdict.value].name
            folder = outputs / name / f"{at:%Y%m%dT%H%M%SZ}-0000"
            shutil.copytree(model, folder)
            made = dataclasses.replace(
                record.read(model),
                run_id=folder.name,
                started=rfc3339(at - dt.timedelta(minutes=1)),
                ended=rfc3339(at),
            )
            (folder / "run.json").write_text(made.to_text())
            environment = environments.load(name, base=base)
            desk = deliver.desk(environment, base=base, say=print)
            assert desk is not None
            deliver.of_run(desk, folder.name, now=at)
            if hour % 24 == 23:
                remove_old(environment, base, at)
    index.refresh(base=base)
    told = [text.splitlines()[0] for text in team.chat.texts[before:]]
    team.blocks["month-told"] = "\n".join(told)
    team.blocks["month-disk"] = (
        "\n".join(disk(outputs, name) for name in PLACES) + f"\n{size(outputs)}  together"
    )


def remove_old(environment: Environment, base: Path, at: dt.datetime) -> None:
    assert environment.retention is not None
    entries = history.entries(base=base, environment=environment.name)
    retention.remove(retention.old(entries, environment.retention, pinned=(), now=at), base=base, now=at)


def disk(outputs: Path, name: str) -> str:
    runs = [path.parent for path in (outputs / name).glob("*/run.json")]
    whole = sum((run / "evidence").is_dir() for run in runs)
    return f"{size(outputs / name)}  {name}: {len(runs)} of {HOURS} runs, {whole} of them with evidence"


def size(folder: Path) -> str:
    return f"{sum(path.stat().st_size for path in folder.rglob('*') if path.is_file()) / 1e6:5.1f} MB"


def main() -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        receivers.webhook() as chat,
        contextlib.ExitStack() as stack,
    ):
        places = {name: stack.enter_context(shops()) for name in PLACES}
        team = Team(Path(folder).resolve(), chat)
        first_day(team, places)
        month(team)
    page = PAGE.read_text(encoding="utf-8")
    for name, block in team.blocks.items():
        place = re.compile(rf"(<!-- from here: {name} -->\n```\w*\n).*?(```)", re.DOTALL)
        page, count = place.subn(lambda found, block=block: f"{found[1]}{block}\n{found[2]}", page)
        assert count == 1, f"the page has {count} blocks called {name}"
    PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
