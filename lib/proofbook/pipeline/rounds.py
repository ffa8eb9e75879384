"""The rounds of a watch: small collections at fixed times, merged and judged by tests that allow for repeated judging.

A round is a folder of evidence under `looks/`, written under another name and then renamed, so that it is there whole or not
at all and is never counted twice. All rounds merged in `evidence/` are judged. The plan is in `watch.json`: an interrupted
watch continues by it, and by no other.
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
from proofbook.files import read_json, replace_text
from proofbook.judge.findings import Finding, Verdict
from proofbook.judge.verdict import Overall, overall
from proofbook.validation import Assessment, Validation

STATE = "watch.json"
LOOKS = "looks"
SCHEMA_VERSION = 1
LEAST_EVERY_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The plan of a watch, fixed before its first round. `asked` is a digest of the environment and case files."""

    environment: str
    case: str
    asked: str
    every_s: float
    for_s: float
    started: str

    @property
    def rounds(self) -> int:
        """The largest number of rounds.

        >>> plan = Plan(environment="e", case="c", asked="", every_s=300, for_s=86400, started="2026-01-01T00:00:00+00:00")
        >>> plan.rounds, plan.due(2).isoformat()
        (288, '2026-01-01T00:10:00+00:00')
        """
        return max(1, int(self.for_s // self.every_s))

    def due(self, number: int) -> dt.datetime:
        """The time at which the round of that number, counted from 0, is due."""
        return dt.datetime.fromisoformat(self.started) + dt.timedelta(seconds=number * self.every_s)


def make_plan(asked: Validation, *, every_s: float, for_s: float) -> Plan:
    """The plan of a new watch that starts now.

    Raises:
        UsageError: rounds closer together than a round takes, or a watch shorter than one round.
    """
    if every_s < LEAST_EVERY_S:
        raise UsageError(
            f"--every must be at least {LEAST_EVERY_S:g}s, the time that a round takes, got {every_s:g}s"
        )
    if for_s < every_s:
        raise UsageError(f"--for must be at least --every ({every_s:g}s), got {for_s:g}s")
    return Plan(
        environment=asked.environment.name,
        case=asked.case.name,
        asked=asked.digest,
        every_s=every_s,
        for_s=for_s,
        started=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
    )


def start_or_continue(folder: Path, plan: Plan) -> Plan:
    """The plan by which the watch in `folder` goes: a new one is written, an earlier one is continued.

    Raises:
        UsageError: the folder holds a watch of something else, or its state cannot be read.
    """
    path = folder / STATE
    if not path.exists():
        replace_text(path, json.dumps({"schema_version": SCHEMA_VERSION, **asdict(plan)}, indent=2) + "\n")
        (folder / LOOKS).mkdir(exist_ok=True)
        return plan
    kept = read_plan(folder)
    if difference := _difference(kept, plan):
        raise UsageError(f"{difference}; to start a new watch, leave out --run")
    return kept


def _difference(kept: Plan, plan: Plan) -> str:
    """How a plan differs from the one that a watch was started with, in words; empty where they agree."""
    for noun, old, new in (
        ("environment", kept.environment, plan.environment),
        ("case", kept.case, plan.case),
        ("--every", f"{kept.every_s:g}s", f"{plan.every_s:g}s"),
        ("--for", f"{kept.for_s:g}s", f"{plan.for_s:g}s"),
    ):
        if old != new:
            return f"this watch was started with {noun} {old}, got {new}"
    if kept.asked != plan.asked:
        return (
            f"environment {kept.environment} or its case changed since this watch started; restore the files"
        )
    return ""


def read_plan(folder: Path) -> Plan:
    """The plan of the watch in `folder`.

    Raises:
        UsageError: there is none, or it was altered.
    """
    path = folder / STATE
    try:
        state = read_json(path)
        version = state.pop("schema_version")
        plan = Plan(**state)
        plan.due(0)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        raise UsageError(
            f"{paths.shown(path)} is not the plan of a watch; it was edited or written by another version; start a new watch without --run"
        ) from None
    if version != SCHEMA_VERSION:
        raise UsageError(
            f"{paths.shown(path)} has schema version {version}, expected {SCHEMA_VERSION}; start a new watch without --run"
        )
    return plan


def finished(folder: Path) -> list[Path]:
    """The folders of the finished rounds, in order."""
    return [path for path in sorted((folder / LOOKS).glob("[0-9]*")) if (path / store.MANIFEST).is_file()]


def next_number(folder: Path) -> int:
    """The number of the next round."""
    done = finished(folder)
    return int(done[-1].name) + 1 if done else 0


def record_round(folder: Path, number: int, record: Callable[[Path], None]) -> None:
    """Records one round beside its place, then renames it in one step."""
    aside = folder / LOOKS / f".{number:05d}"
    # What an interruption left of it.
    shutil.rmtree(aside, ignore_errors=True)
    record(aside)
    aside.rename(folder / LOOKS / f"{number:05d}")


def merge_rounds(folder: Path, plan: Plan) -> store.Evidence:
    """The evidence of all rounds as one phase `after` in `evidence/`, beside the phases from before; replaced in one step."""
    looks = [(int(path.name), store.read(path)) for path in finished(folder)]
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
        planned=[f"{plan.rounds} rounds, one every {plan.every_s:g} s", *phases[0].planned],
        done=done,
        problems=phases[-1].problems,
    )
    store.write_phase(
        aside,
        environment=plan.environment,
        phase="after",
        tables=tables_of(looks, planned=plan.rounds, every_s=plan.every_s),
        recorded=whole,
    )
    old = folder / ".evidence.old"
    shutil.rmtree(old, ignore_errors=True)
    if place.exists():
        place.rename(old)
    aside.rename(place)
    shutil.rmtree(old, ignore_errors=True)
    return store.read(place)


def check_can_start(folder: Path) -> None:
    """Checks that a run has no phase `after` yet, or has it from a watch.

    Raises:
        UsageError: the phase is there already, and no watch recorded it.
    """
    place = folder / "evidence"
    if (folder / STATE).exists() or not (place / store.MANIFEST).is_file():
        return
    if "after" in store.read(place).manifest.phases:
        raise UsageError(
            f"run {folder.name} already holds the phase `after` and is not a watch; start a new one without --run"
        )


def set_aside_before(folder: Path) -> None:
    """Sets aside what was recorded before the watch started; all rounds are merged with it."""
    place, earlier = folder / "evidence", folder / "earlier"
    if not earlier.exists() and not finished(folder) and (place / store.MANIFEST).is_file():
        place.rename(earlier)


def judge(assessment: Assessment) -> tuple[list[Finding], Overall]:
    """The findings so far and the overall verdict."""
    found = assessment.judge_all()
    return found, overall(found)


def is_decided(verdict: Verdict) -> bool:
    """Whether more rounds cannot change the verdict."""
    return verdict in (Verdict.PASS, Verdict.FAIL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How a watch stands after a round, counted from 1. earliest: the earliest time of a clear verdict, empty if unknown."""

    number: int
    verdict: str
    sentence: str
    earliest: str


def progress(number: int, found: list[Finding], verdict: Overall) -> Progress:
    """How the watch stands after the round of that number, counted from 0."""
    later = [
        item.needed.until
        for item in found
        if item.required and item.verdict is Verdict.INCONCLUSIVE and item.needed and item.needed.until
    ]
    return Progress(
        number=number + 1,
        verdict=verdict.verdict.value,
        sentence=verdict.sentence,
        earliest=max(later, default=""),
    )
