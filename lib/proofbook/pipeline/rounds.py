"""Watching: looks at fixed times, each a small collection of its own, judged together by tests that allow for looking often.

A look is a folder of evidence under `looks/`, made under another name and then renamed, so that it is there whole or not at
all and is never counted twice. What is judged is all looks put together, in `evidence/`. The plan is in `watch.json`: a watch
that was interrupted goes on by it, and no other.
"""

from __future__ import annotations

import datetime as dt
import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from proofbook import paths
from proofbook.errors import UsageError
from proofbook.evidence import store
from proofbook.evidence.merge import tables_of
from proofbook.files import replace_text
from proofbook.judge.findings import Finding, Verdict
from proofbook.judge.verdict import Overall, overall
from proofbook.validation import Assessment, Validation

STATE = "watch.json"
LOOKS = "looks"
SCHEMA_VERSION = 1
LEAST_EVERY_S = 5.0


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


def make_plan(asked: Validation, *, every_s: float, for_s: float) -> Plan:
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
    return Plan(
        environment=asked.environment.name,
        case=asked.case.name,
        asked=asked.digest,
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
        replace_text(path, json.dumps({"schema_version": SCHEMA_VERSION, **asdict(plan)}, indent=2) + "\n")
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
                f"{paths.shown(path)}: expected the {words}{wanted} that this watch began with, got {got}; begin a new watch, or leave out --run"
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
            f"expected the state of a watch in {paths.shown(path)}, got something else; begin a new one: proofbook watch ENV"
        ) from None
    if version != SCHEMA_VERSION:
        raise UsageError(f"{paths.shown(path)}: expected schema version {SCHEMA_VERSION}, got {version}")
    return plan


def taken(folder: Path) -> list[Path]:
    """The looks that are whole, in order."""
    return [path for path in sorted((folder / LOOKS).glob("[0-9]*")) if (path / store.MANIFEST).is_file()]


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


def put_together(folder: Path, plan: Plan) -> store.Evidence:
    """All looks as one phase `after` in `evidence/`, beside what was recorded before; replaced in one step."""
    looks = [(int(path.name), store.read(path)) for path in taken(folder)]
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
    whole = store.Phase(
        started=phases[0].started,
        ended=phases[-1].ended,
        planned=[f"{plan.looks} looks, one every {plan.every_s:g} s", *phases[0].planned],
        done=done,
        problems=phases[-1].problems,
    )
    store.write_phase(
        aside,
        environment=plan.environment,
        phase="after",
        tables=tables_of(looks, planned=plan.looks, every_s=plan.every_s),
        recorded=whole,
    )
    old = folder / ".evidence.old"
    shutil.rmtree(old, ignore_errors=True)
    if place.exists():
        place.rename(old)
    aside.rename(place)
    shutil.rmtree(old, ignore_errors=True)
    return store.read(place)


def check_can_begin(folder: Path) -> None:
    """A watch adds the phase after to a run that has none.

    Raises:
        UsageError: it is there already, and no watch put it there.
    """
    place = folder / "evidence"
    if (folder / STATE).exists() or not (place / store.MANIFEST).is_file():
        return
    if "after" in store.read(place).manifest.phases:
        raise UsageError(
            f"expected a run with no phase after in {paths.shown(place)}, got one that is collected already; begin a new watch: leave out --run"
        )


def keep_earlier(folder: Path) -> None:
    """Sets aside what was recorded before the watch began; every look is put together with it."""
    place, earlier = folder / "evidence", folder / "earlier"
    if not earlier.exists() and not taken(folder) and (place / store.MANIFEST).is_file():
        place.rename(earlier)


def judge(assessment: Assessment) -> tuple[list[Finding], Overall]:
    """The findings so far, and the verdict that they give."""
    found = assessment.judge_all()
    return found, overall(found)


def is_decided(verdict: Verdict) -> bool:
    """Whether more looks cannot change it."""
    return verdict in (Verdict.PASS, Verdict.FAIL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What is told after a look. open: ids of findings that are not decided; earliest: when they could be, as RFC 3339; empty where nobody can say."""

    look: int
    of: int
    verdict: Verdict
    sentence: str
    open: tuple[str, ...]
    earliest: str


def status(number: int, plan: Plan, found: list[Finding], verdict: Overall) -> Status:
    """What is told after a look."""
    open_ones = [item for item in found if item.required and item.verdict is Verdict.INCONCLUSIVE]
    later = max((item.needed.until for item in open_ones if item.needed and item.needed.until), default="")
    return Status(
        look=number + 1,
        of=plan.looks,
        verdict=verdict.verdict,
        sentence=verdict.sentence,
        open=tuple(item.id for item in open_ones),
        earliest=later,
    )
