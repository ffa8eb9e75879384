"""Reads the test logs that other readers of logs publish, and prints of which files all is right, or refused clearly.

    python benchmarks/public_logs.py FOLDER...    # checkouts of github.com/tstack/lnav and github.com/vectordotdev/vector

What is right stands in `public_logs.toml`, which says how it was checked. Nothing is stated for any file but
the zone of times that name none, which is UTC.
"""

from __future__ import annotations

import argparse
import datetime as dt
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from proofbook.collect.logs.entries import Reading
from proofbook.collect.logs.reader import read_logs
from proofbook.config.sources import LogSource

FACTS = Path(__file__).with_suffix(".toml")
# The moment by which times without a year are placed.
NOW = dt.datetime(2026, 11, 29, tzinfo=dt.UTC)
HEAD = "| | file | entries | first and last | levels | statuses | what is wrong, or the refusal |\n|---|---|---|---|---|---|---|"
RIGHT, REFUSED, WRONG = "✔", "refused", "✘"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is in a log. untimed: entries without a time of their own; unread: lines in no entry. refused: what a refusal must say, where it cannot be read."""

    entries: int = 0
    untimed: int = 0
    unread: int = 0
    first: str = ""
    last: str = ""
    levels: str = ""
    statuses: str = ""
    refused: str = ""

    def differences(self, other: Facts) -> list[str]:
        """Where the other one differs, in words."""
        names = ("entries", "untimed", "unread", "first", "last", "levels", "statuses")
        pairs = ((name, getattr(self, name), getattr(other, name)) for name in names)
        return [f"{name}: wanted {wanted or 'none'}, got {got or 'none'}" for name, wanted, got in pairs if wanted != got]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A file, how it was read, and whether that is right."""

    name: str
    found: Facts
    verdict: str
    why: str

    @property
    def text(self) -> str:
        found = self.found
        entries = f"{found.entries}" + (f" (+{found.untimed})" if found.untimed else "")
        entries += f", {found.unread} unread" if found.unread else ""
        span = f"{found.first} {found.last}".strip()
        cells = (
            self.verdict,
            f"`{self.name}`",
            entries,
            span,
            found.levels,
            found.statuses,
            self.why.replace("|", "\\|"),
        )
        return f"| {' | '.join(cells)} |"


def read(path: Path) -> tuple[Reading, pd.DataFrame]:
    """What was read of a log, and its entries."""
    with tempfile.TemporaryDirectory() as folder:
        source = LogSource(name="log", file=str(path), utc_offset="+00:00")
        reading = read_logs(source, base=path.parent, to=Path(folder) / "read.parquet", now=NOW)
        return reading, reading.entries


def facts_of(reading: Reading, entries: pd.DataFrame) -> Facts:
    """What Proofbook says is in a log."""
    if reading.problem:
        return Facts(refused=reading.problem)
    statuses = entries["http_status"].dropna().astype(int).value_counts().sort_index()
    levels = {name: count for name, count in reading.counts.items() if name != "none"}
    assert reading.first is not None and reading.last is not None
    # What goes on with a traceback is joined to it.
    untimed = max(0, reading.untimed - reading.joined)
    return Facts(
        entries=reading.kept - untimed,
        untimed=untimed,
        unread=reading.unparsed,
        first=_moment(reading.first),
        last=_moment(reading.last),
        levels=_counted(levels),
        statuses=_counted(statuses.to_dict()),
    )


def row_of(path: Path, wanted: Facts) -> Row:
    """A log, compared with what is in it."""
    reading, entries = read(path)
    found = facts_of(reading, entries)
    if wanted.refused or found.refused:
        clear = bool(wanted.refused) and wanted.refused in found.refused
        verdict, why = REFUSED if clear else WRONG, found.refused or f"wanted a refusal: {wanted.refused}"
    else:
        why = "; ".join(wanted.differences(found))
        verdict = WRONG if why else RIGHT
    # Of a path, the name tells enough.
    return Row(name=path.name, found=found, verdict=verdict, why=why.replace(str(path), path.name))


def rows_of(folder: Path, known: Mapping[str, Any]) -> Iterator[Row]:
    """The logs of a checkout, one after the other."""
    for project in known.values():
        facts = {name: Facts(**told) for name, told in project["files"].items()}
        for path in sorted(folder.glob(project["pattern"])):
            if path.name in facts:
                yield row_of(path, facts[path.name])
            elif path.is_file():
                yield Row(name=path.name, found=Facts(), verdict=WRONG, why="nothing says what is in it")


def _moment(at: pd.Timestamp) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S.%f}".rstrip("0").rstrip(".")


def _counted(counts: Mapping[Any, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items())


def main() -> int:
    """1 where any log is read wrongly."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folders", type=Path, nargs="+", metavar="FOLDER")
    known = tomllib.loads(FACTS.read_text("utf-8"))
    verdicts: list[str] = []
    print(HEAD)
    for folder in parser.parse_args().folders:
        for row in rows_of(folder, known):
            verdicts.append(row.verdict)
            print(row.text, flush=True)
    if not verdicts:
        parser.error("expected folders with the files that public_logs.toml names, found none of them")
    right, refused = verdicts.count(RIGHT), verdicts.count(REFUSED)
    share = (right + refused) / len(verdicts)
    print(
        f"\n{len(verdicts)} logs: {right} right, {refused} refused clearly, {verdicts.count(WRONG)} wrong: {share:.1%} right or refused clearly"
    )
    return 0 if share == 1 else 1


if __name__ == "__main__":
    sys.exit(main())
