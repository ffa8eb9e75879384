"""Looks at collected faults: is what each is about named among the first three, and is anything called where all is well?

Evidence is what `benchmarks/matrix.py` collected, or `benchmarks/drafts.py`: each fault deployed again, and its fix. A collection lasts half a minute, so a look at it gets the history that it would have
in use: the logs of healthy deployments, their times moved so that each follows on the one before and the last ends where the fault's
deployment begins. Answers to probes are held against those of another collection that is well in the same way, of the same pass where
there is one.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pandas as pd

import proofbook as pb
from proofbook.config.duckdb_text import quoted
from proofbook.evidence import store
from proofbook.investigation.answers import FOUND, Answer
from proofbook.rehearsal.faults import FAULTS, HEALTHY
from proofbook.selfcheck.drafting import FIXED, UNFIXED

FIRST = 3
# Odd on purpose in what is compared: it is looked at, and is no history of others.
NO_HISTORY = ("low-traffic", "noisy-log")
# Where each answer says what it is about.
COLUMNS = {"suspects": ("suspect",), "changes": ("change", "what"), "probes": ("probe", "outcome")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """One collection: what was deployed, and the part of the log that is of it."""

    name: str
    folder: Path
    begins: pd.Timestamp
    ends: pd.Timestamp

    @classmethod
    def at(cls, place: Path) -> list[Collected]:
        """Those of a place: none where nothing could be collected, or something that is not known."""
        told = json.loads((place / "collected.json").read_text(encoding="utf-8"))
        if told["problem"] or told["name"] not in FAULTS | HEALTHY:
            return []
        folders = {"evidence": told["name"], UNFIXED: told["name"], FIXED: "healthy"}
        return [cls._of(name, place / folder) for folder, name in folders.items() if (place / folder).exists()]  # fmt: skip

    @classmethod
    def _of(cls, name: str, folder: Path) -> Collected:
        evidence = store.read(folder)
        revisions, window = evidence.table("revisions"), evidence.window("after")
        assert revisions is not None and window is not None
        return cls(name=name, folder=folder, begins=revisions["created"].max(), ends=window[1])

    @property
    def label(self) -> str:
        named = [self.folder.parent.parent.name, self.folder.parent.name, *([FIXED] if self.folder.name == FIXED else [])]  # fmt: skip
        return "/".join(named)

    def entries(self, *, moved: pd.Timedelta) -> str:
        """SQL for what was written of it, at times that are moved so far."""
        first, last = (f"TIMESTAMPTZ {quoted(at.isoformat())}" for at in (self.begins, self.ends))
        file = quoted(str(self.folder / "after" / "logs.parquet"))
        by = f"to_microseconds({moved // pd.Timedelta(microseconds=1)})"
        return f"(SELECT * REPLACE (timestamp + {by} AS timestamp) FROM read_parquet({file}) WHERE timestamp >= {first} AND timestamp < {last})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What a look says first. answers: the card by its name, with the first rows in words. called: the cards that call something."""

    of: Collected
    answers: dict[str, list[str]]
    called: dict[str, str]

    @property
    def place(self) -> str:
        """Where what the fault is about is named among the first three, such as `changes 1`; empty where it is not."""
        wanted = FAULTS[self.of.name].suspect
        return next(
            (
                f"{card} {number}"
                for card, rows in self.answers.items()
                for number, row in enumerate(rows, 1)
                if wanted in row
            ),
            "",
        )


def looked_at(folders: Sequence[Path]) -> tuple[list[Looked], list[Looked]]:
    """The faults that show, and the healthy collections, each looked at."""
    places = [path.parent for folder in folders for path in sorted(folder.glob("*/collected.json"))]
    found = [item for place in places for item in Collected.at(place)]
    well = [item for item in found if item.name in HEALTHY]
    history = [item for item in well if item.name not in NO_HISTORY]
    faults = [item for item in found if item.name in FAULTS and FAULTS[item.name].suspect]
    return [look_at(item, history, well) for item in faults], [look_at(item, history, well) for item in well]


def look_at(target: Collected, history: Sequence[Collected], well: Sequence[Collected]) -> Looked:
    """The look at one collection."""
    others = [item for item in history if item is not target]
    with tempfile.TemporaryDirectory() as made:
        base = Path(made)
        _write(base / "log.parquet", [target.entries(moved=pd.Timedelta(0))])
        _write(base / "before.parquet", list(_in_a_row(others, until=target.begins)))
        seen = pb.look(base / "log.parquet", before=base / "before.parquet")
        bad = seen.where("wrong")
        answers = {"changes": seen.changes()}
        if len(bad):
            answers = {"suspects": bad.differs(), **answers}
        beside = base / "evidence"
        for place, phases in (
            (_alike(target, well).folder, {"after": "before"}),
            (target.folder, {"rollout": "rollout", "after": "after"}),
        ):
            manifest = store.read(place).manifest
            for phase, name in phases.items():
                if phase not in manifest.phases:
                    continue
                store.copy_phase(
                    place / phase,
                    beside,
                    environment=manifest.environment,
                    phase=name,
                    recorded=manifest.phases[phase],
                )
        answers["probes"] = pb.look(beside).probes()
    return Looked(
        of=target,
        answers={name: _first(name, item) for name, item in answers.items()},
        called={name: item.statement for name, item in answers.items() if item.answer == FOUND},
    )


def _alike(target: Collected, well: Sequence[Collected]) -> Collected:
    """What its probes are held against: another that is well in its way, nearest by pass."""
    name = target.name if target.name in HEALTHY else "healthy"
    others = [item for item in well if item is not target]
    return min(
        others, key=lambda item: (item.name != name, item.folder.parent.parent != target.folder.parent.parent)
    )


def _in_a_row(some: Sequence[Collected], *, until: pd.Timestamp) -> Iterator[str]:
    end = until
    for item in reversed(some):
        yield item.entries(moved=end - item.ends)
        end -= item.ends - item.begins


def _write(to: Path, parts: Sequence[str]) -> None:
    with duckdb.connect() as engine:
        engine.execute("SET TimeZone = 'UTC'")
        engine.execute(
            f"COPY (SELECT * FROM ({' UNION ALL BY NAME '.join(parts)}) ORDER BY timestamp) TO {quoted(str(to))} (FORMAT parquet)"
        )


def _first(name: str, answer: Answer) -> list[str]:
    if answer.table.empty:
        return []
    return [": ".join(map(str, row)) for row in answer.table[list(COLUMNS[name])].head(FIRST).itertuples(index=False)]  # fmt: skip


def lines(faults: Sequence[Looked], well: Sequence[Looked]) -> Iterator[str]:
    """Each as a row, and the counts."""
    yield "| fault | what it is about | named among the first three | called |"
    yield "|---|---|---|---|"
    for item in faults:
        yield f"| {item.of.label} | {FAULTS[item.of.name].suspect} | {item.place or '**no**'} | {', '.join(item.called) or 'nothing'} |"
        if not item.place:
            yield from (f"    {card}: {row}" for card, rows in item.answers.items() for row in rows)
    yield ""
    for item in well:
        if item.called:
            yield f"{item.of.label} is well, and called: {'; '.join(f'{card}: {said}' for card, said in item.called.items())}"
    yield ""
    if faults:
        named = sum(bool(item.place) for item in faults)
        yield f"named among the first three: {named} of {len(faults)} ({named / len(faults):.0%})"
    for card in COLUMNS:
        quiet = sum(card not in item.called for item in well)
        yield f"well, and no {card} called: {quiet} of {len(well)} ({quiet / max(len(well), 1):.0%})"
