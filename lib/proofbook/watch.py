"""Watching: looks at fixed times, each a small collection of its own, judged together by tests that allow for looking often.

A look is a folder of evidence under `looks/`, made under another name and then renamed, so that it is there whole or not at
all and is never counted twice. What is judged is all looks put together, in `evidence/`. The plan is in `watch.json`: a watch
that was interrupted goes on by it, and no other.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from proofbook import book as books
from proofbook import case as cases
from proofbook import environment as environments
from proofbook import evidence, workspace
from proofbook.errors import UsageError
from proofbook.evidence import LOGS
from proofbook.judge.findings import Finding, Overall, Verdict, overall

STATE = "watch.json"
LOOKS = "looks"
SCHEMA_VERSION = 1
LEAST_EVERY_S = 5.0
# What describes the system at the last look, rather than adding up.
LATEST = ("openapi", "revisions", "certificates")
SMALL_LOGS = ("log_rhythm", "log_patterns", "log_matches", "log_kinds", "log_kind_times", "log_canaries")
BY_BUCKET = ("log_rhythm", "log_matches", "log_kind_times")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a watch will do, fixed before it begins. `asked` is a digest of the environment and case files."""

    environment: str
    case: str
    asked: str
    every_s: float
    for_s: float
    started: str

    @property
    def looks(self) -> int:
        """How many looks there will be at most.

        >>> plan = Plan(environment="e", case="c", asked="", every_s=300, for_s=86400, started="2026-01-01T00:00:00+00:00")
        >>> plan.looks, plan.due(2).isoformat()
        (288, '2026-01-01T00:10:00+00:00')
        """
        return max(1, int(self.for_s // self.every_s))

    def due(self, number: int) -> dt.datetime:
        """When the look of that number, counted from 0, is due."""
        return dt.datetime.fromisoformat(self.started) + dt.timedelta(seconds=number * self.every_s)


def make_plan(environment: str, case: str, *, every_s: float, for_s: float, base: Path) -> Plan:
    """The plan of a new watch that begins now.

    Raises:
        UsageError: looks closer together than a look takes, or a watch that is over before it begins.
    """
    if every_s < LEAST_EVERY_S:
        raise UsageError(
            f"--every: expected at least {LEAST_EVERY_S:g}s, since a look takes that long, got {every_s:g}s"
        )
    if for_s < every_s:
        raise UsageError(f"--for: expected at least as long as --every ({every_s:g}s), got {for_s:g}s")
    where, what = books.load(environment, case, base=base)
    return Plan(
        environment=where.name,
        case=what.name,
        asked=_asked(environment, case or where.case, base),
        every_s=every_s,
        for_s=for_s,
        started=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
    )


def begin(folder: Path, plan: Plan) -> Plan:
    """Writes the plan of a new watch, or gives the one that `folder` goes on with.

    Raises:
        UsageError: the folder holds a watch of something else, or its state cannot be read.
    """
    path = folder / STATE
    if not path.exists():
        evidence.replace_text(
            path, json.dumps({"schema_version": SCHEMA_VERSION, **asdict(plan)}, indent=2) + "\n"
        )
        (folder / LOOKS).mkdir(exist_ok=True)
        return plan
    kept = read_plan(folder)
    for name, words in (
        ("environment", "environment"),
        ("case", "case"),
        ("asked", "files of environment and case"),
        ("every_s", "--every"),
        ("for_s", "--for"),
    ):
        if getattr(kept, name) != getattr(plan, name):
            got = "others" if name == "asked" else repr(getattr(plan, name))
            wanted = "" if name == "asked" else f" ({getattr(kept, name)!r})"
            raise UsageError(
                f"{workspace.shown(path)}: expected the {words}{wanted} that this watch began with, got {got}; begin a new watch, or leave out --run"
            )
    return kept


def read_plan(folder: Path) -> Plan:
    """The plan of the watch in `folder`.

    Raises:
        UsageError: there is none, or it was altered.
    """
    path = folder / STATE
    try:
        state = json.loads(path.read_text(encoding="utf-8"))
        version = state.pop("schema_version")
        plan = Plan(**state)
        plan.due(0)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        raise UsageError(
            f"expected the state of a watch in {workspace.shown(path)}, got something else; begin a new one: proofbook watch"
        ) from None
    if version != SCHEMA_VERSION:
        raise UsageError(f"{workspace.shown(path)}: expected schema version {SCHEMA_VERSION}, got {version}")
    return plan


def taken(folder: Path) -> list[Path]:
    """The looks that are whole, in order."""
    return [path for path in sorted((folder / LOOKS).glob("[0-9]*")) if (path / evidence.MANIFEST).is_file()]


def next_number(folder: Path) -> int:
    """The number of the first look that was not taken."""
    done = taken(folder)
    return int(done[-1].name) + 1 if done else 0


def take(folder: Path, number: int, record: Callable[[Path], None]) -> None:
    """One look: recorded aside, then put in its place in one step."""
    aside = folder / LOOKS / f".{number:05d}"
    # What an interruption left of it.
    shutil.rmtree(aside, ignore_errors=True)
    record(aside)
    aside.rename(folder / LOOKS / f"{number:05d}")


def put_together(folder: Path, plan: Plan) -> evidence.Evidence:
    """All looks as one phase `after` in `evidence/`, beside what was recorded before; replaced in one step."""
    looks = [(int(path.name), evidence.read(path)) for path in taken(folder)]
    place, aside = folder / "evidence", folder / ".evidence.new"
    shutil.rmtree(aside, ignore_errors=True)
    earlier = folder / "earlier"
    if earlier.is_dir():
        shutil.copytree(earlier, aside)
    else:
        aside.mkdir()
    phases = [recorded.manifest.phases["after"] for _, recorded in looks]
    done: dict[str, int] = {}
    for phase in phases:
        for what, count in phase.done.items():
            done[what] = done.get(what, 0) + count
    whole = evidence.Phase(
        started=phases[0].started,
        ended=phases[-1].ended,
        planned=[f"{plan.looks} looks, one every {plan.every_s:g} s", *phases[0].planned],
        done=done,
        problems=phases[-1].problems,
    )
    evidence.write_phase(
        aside, environment=plan.environment, phase="after", tables=_tables(looks, plan), recorded=whole
    )
    old = folder / ".evidence.old"
    shutil.rmtree(old, ignore_errors=True)
    if place.exists():
        place.rename(old)
    aside.rename(place)
    shutil.rmtree(old, ignore_errors=True)
    return evidence.read(place)


def check_can_begin(folder: Path) -> None:
    """A watch adds the phase after to a run that has none.

    Raises:
        UsageError: it is there already, and no watch put it there.
    """
    place = folder / "evidence"
    if (folder / STATE).exists() or not (place / evidence.MANIFEST).is_file():
        return
    if "after" in evidence.read(place).manifest.phases:
        raise UsageError(
            f"expected a run with no phase after in {workspace.shown(place)}, got one that is collected already; begin a new watch: leave out --run"
        )


def keep_earlier(folder: Path) -> None:
    """Sets aside what was recorded before the watch began; every look is put together with it."""
    place, earlier = folder / "evidence", folder / "earlier"
    if not earlier.exists() and not taken(folder) and (place / evidence.MANIFEST).is_file():
        place.rename(earlier)


def judge(
    recorded: evidence.Evidence, environment: str, case: str, *, base: Path
) -> tuple[list[Finding], Overall]:
    """The findings so far, and the verdict that they give."""
    where, what = books.load(environment, case, base=base)
    found = books.Book(environment=where, case=what, evidence=recorded).judge_all()
    return found, overall(found)


def is_decided(verdict: Verdict) -> bool:
    """Whether more looks cannot change it."""
    return verdict in (Verdict.PASS, Verdict.FAIL)


def _tables(looks: list[tuple[int, evidence.Evidence]], plan: Plan) -> dict[str, pd.DataFrame]:
    names = sorted({name for _, recorded in looks for name in recorded.manifest.phases["after"].tables})
    tables: dict[str, pd.DataFrame] = {}
    for name in names:
        parts = [(number, table) for number, recorded in looks if (table := recorded.table(name)) is not None]
        if name in (LOGS, *SMALL_LOGS, "log_sources"):
            continue
        if name in LATEST:
            tables[name] = parts[-1][1]
        elif name == "metrics":
            # The clock that never jumps begins anew with each start of the machine; over hours the wall's will do.
            tables[name] = pd.concat(
                [table.drop(columns="at_s").assign(look=number) for number, table in parts], ignore_index=True
            )
        elif name == "messages":
            tables[name] = pd.concat([table for _, table in parts], ignore_index=True).drop_duplicates(
                ignore_index=True
            )
        else:
            tables[name] = pd.concat(
                [table.assign(look=number) for number, table in parts], ignore_index=True
            )
    tables |= _logs(looks)
    rows = [
        (number, phase.started, phase.ended, plan.looks, plan.every_s)
        for number, recorded in looks
        for phase in [recorded.manifest.phases["after"]]
    ]
    frame = pd.DataFrame(rows, columns=["look", "started", "ended", "planned", "every_s"])
    for name in ("started", "ended"):
        frame[name] = pd.to_datetime(frame[name], utc=True)
    return {**tables, "looks": frame}


def _logs(looks: list[tuple[int, evidence.Evidence]]) -> dict[str, pd.DataFrame]:
    """The small tables of logs over all looks.

    Exports overlap: each second is taken from the latest one that holds it whole, so that nothing counts twice and what
    arrived late counts too.
    """
    readings = []
    for _, recorded in looks:
        tables = {
            name: table
            for name in (*SMALL_LOGS, "log_sources")
            if (table := recorded.table(name)) is not None
        }
        if len(tables) == len(SMALL_LOGS) + 1:
            readings.append(tables)
    if not readings:
        return {}
    # Loaded here: it needs Ibis, which a run without a log need not load.
    from proofbook import log_tables

    parts: list[dict[str, pd.DataFrame]] = []
    taken_from: dict[str, int] = {}
    for place, tables in reversed(list(enumerate(readings))):
        first = tables["log_rhythm"].groupby("source")["bucket"].min()
        # The second in which an export begins is cut; only the first reading has nothing older to take it from.
        begins = {str(name): int(bucket) + (place > 0) for name, bucket in first.items()}
        parts.append(
            {
                name: _seconds_of(table, begins, taken_from) if name in BY_BUCKET else table
                for name, table in tables.items()
                if name != "log_sources"
            }
        )
        taken_from |= {name: min(bucket, taken_from.get(name, bucket)) for name, bucket in begins.items()}
    latest = readings[-1]["log_sources"]
    read = pd.concat([tables["log_sources"] for tables in readings]).groupby("source")["read"].max()
    return {
        **log_tables.together(parts[::-1]),
        "log_sources": latest.assign(read=latest["source"].map(read)),
    }


def _seconds_of(table: pd.DataFrame, begins: dict[str, int], ends: dict[str, int]) -> pd.DataFrame:
    """Rows whose bucket lies within what is taken of its source."""
    low = table["source"].map(begins).fillna(float("-inf"))
    high = table["source"].map(ends).fillna(float("inf"))
    return table[(table["bucket"] >= low) & (table["bucket"] < high)]


def _asked(environment: str, case: str, base: Path) -> str:
    files = [environments.find(environment, base=base), *([cases.find(case, base=base)] if case else [])]
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


def status(number: int, plan: Plan, found: list[Finding], verdict: Overall) -> dict[str, Any]:
    """What is told after a look."""
    open_ones = [item for item in found if item.required and item.verdict is Verdict.INCONCLUSIVE]
    later = max((item.needed.until for item in open_ones if item.needed and item.needed.until), default="")
    return {
        "look": number + 1,
        "of": plan.looks,
        "verdict": verdict.verdict.value,
        "sentence": verdict.sentence,
        "open": [item.id for item in open_ones],
        "earliest": later,
    }
