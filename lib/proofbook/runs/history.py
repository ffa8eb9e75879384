"""All runs of a workspace: an index that is rebuilt from the runs and never the only copy, and pruning."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter

from proofbook import paths
from proofbook.errors import ProofbookError
from proofbook.files import replace_text
from proofbook.redaction.scrubbing import for_others
from proofbook.runs import record

INDEX = "index.json"
SCHEMA_VERSION = 1
# What did not end may still be going on: a watch takes days.
UNFINISHED_DAYS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A run in a line. `counts`: findings by verdict. `stamp`: size and time of its run.json, by which a change is noticed."""

    environment: str
    run_id: str
    case: str
    verdict: Literal["pass", "fail", "inconclusive", "error"]
    reason: str
    sentence: str
    started: str
    counts: dict[str, int]
    has_report: bool
    stamp: str


# Old runs may be of any version, or damaged: one that is no entry must not get among those that are.
_entry = TypeAdapter(Entry)


def refresh(*, base: Path) -> list[Entry]:
    """Every run, oldest first, from the index where it still holds and from the runs where it does not; writes the index.

    A run that cannot be read is there as an error and not left out.
    """
    outputs = paths.outputs(base)
    known = _known(outputs / INDEX)
    entries = [
        known[key] if key in known and known[key].stamp == stamp else _read(folder, stamp)
        for folder, stamp in _folders(outputs)
        for key in [f"{folder.parent.name}/{folder.name}"]
    ]
    entries.sort(key=lambda entry: (entry.run_id, entry.environment))
    if outputs.is_dir():
        content = {"schema_version": SCHEMA_VERSION, "runs": [asdict(entry) for entry in entries]}
        replace_text(outputs / INDEX, json.dumps(content, separators=(",", ":")) + "\n")
    return entries


def prunable(
    entries: Iterable[Entry],
    *,
    keep: int,
    older_than_days: float | None = None,
    pinned: Collection[str] = (),
    now: dt.datetime | None = None,
) -> list[Entry]:
    """The runs that may go: of each environment and case all but the newest `keep`, and of those only the old ones.

    The newest that passed, the newest that failed and the pinned ones stay in any case, as does what began in the last days
    and did not end.
    """
    moment = now or dt.datetime.now(dt.UTC)
    groups: dict[tuple[str, str], list[Entry]] = {}
    for entry in entries:
        groups.setdefault((entry.environment, entry.case), []).append(entry)
    found = []
    for group in groups.values():
        newest = sorted(group, key=lambda entry: entry.run_id, reverse=True)
        stay = {entry.run_id for entry in newest[:keep]} | set(pinned)
        for verdict in ("pass", "fail"):
            stay |= {next((entry.run_id for entry in newest if entry.verdict == verdict), "")}
        for entry in newest:
            days = (moment - _time(entry)).total_seconds() / 86400
            unfinished = entry.reason in ("unfinished", "interrupted") and days < UNFINISHED_DAYS
            if (
                entry.run_id not in stay
                and not unfinished
                and (older_than_days is None or days > older_than_days)
            ):
                found.append(entry)
    return sorted(found, key=lambda entry: entry.run_id)


def prune(entries: Sequence[Entry], *, base: Path) -> int:
    """Deletes these runs with all that belongs to them; gives the bytes that became free."""
    freed = 0
    for entry in entries:
        folder = paths.outputs(base) / entry.environment / entry.run_id
        freed += sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        shutil.rmtree(folder)
    refresh(base=base)
    return freed


def _time(entry: Entry) -> dt.datetime:
    """When a run began, from its id where it does not say."""
    try:
        found = dt.datetime.fromisoformat(entry.started)
        return found if found.tzinfo is not None else found.replace(tzinfo=dt.UTC)
    except ValueError:
        pass
    try:
        return dt.datetime.strptime(entry.run_id[:16], "%Y%m%dT%H%M%SZ").replace(tzinfo=dt.UTC)
    except ValueError:
        return dt.datetime.now(dt.UTC)


def _folders(outputs: Path) -> Iterable[tuple[Path, str]]:
    """Folders of runs, with what tells whether their run.json is another than before."""
    if not outputs.is_dir():
        return
    for environment in sorted(path for path in outputs.iterdir() if path.is_dir()):
        for run in environment.iterdir():
            try:
                stat = (run / "run.json").stat()
            except OSError:
                continue
            yield run, f"{stat.st_mtime_ns}-{stat.st_size}"


def _read(folder: Path, stamp: str) -> Entry:
    try:
        found = record.read(folder)
    except ProofbookError as error:
        return Entry(
            environment=folder.parent.name, run_id=folder.name, case="", verdict="error", reason="unreadable",
            sentence=for_others(str(error)), started="", counts={}, has_report=(folder / "report.html").exists(), stamp=stamp,
        )  # fmt: skip
    return Entry(
        environment=folder.parent.name,
        run_id=folder.name,
        case=found.case,
        verdict=found.verdict.value,
        reason=found.reason,
        sentence=found.sentence,
        started=found.started,
        counts=found.counts,
        has_report=(folder / "report.html").exists(),
        stamp=stamp,
    )


def _known(path: Path) -> dict[str, Entry]:
    """The entries of an index; none where it cannot be used, since all of it can be made again."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["schema_version"] != SCHEMA_VERSION:
            return {}
        entries = [_entry.validate_python(item) for item in content["runs"]]
        return {f"{item.environment}/{item.run_id}": item for item in entries}
    except (OSError, ValueError, KeyError, TypeError):
        return {}
