"""Reads exports of a system (spans, logs, measurements) into Parquet files that can be looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from proofbook.collect.logs import reader as logs_reader
from proofbook.collect.traces import reader
from proofbook.config.sources import LogSource
from proofbook.errors import UsageError
from proofbook.investigation.services.rank import Recorded


@dataclass(frozen=True, slots=True, kw_only=True)
class Exports:
    """Files of one or more stretches of time, as paths or patterns."""

    spans: tuple[str, ...]
    logs: tuple[str, ...] = ()
    measurements: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """What was read, and how: spans and measurements as read, entries of logs."""

    recorded: Recorded
    spans: reader.Read
    measurements: reader.Read | None
    entries: int


def record(exports: Exports, *, base: Path, folder: Path) -> Recording:
    """Reads exports into a folder, which is made.

    Raises:
        UsageError: a file is absent, or holds nothing in a form that is known. CouldNotLook: a log cannot be read.
    """
    folder.mkdir(parents=True, exist_ok=True)
    spans = reader.read_spans(exports.spans, base=base, to=folder / "spans.parquet")
    measurements = None
    if exports.measurements:
        measurements = reader.read_measurements(exports.measurements, base=base, to=folder / "measurements.parquet")  # fmt: skip
    read = [_log(name, base, folder / f"entries-{number}.parquet") for number, name in enumerate(exports.logs)]  # fmt: skip
    return Recording(
        recorded=Recorded(
            spans=(folder / "spans.parquet",),
            entries=tuple(path for path, _ in read),
            measurements=(folder / "measurements.parquet",) if measurements else (),
        ),
        spans=spans,
        measurements=measurements,
        entries=sum(count for _, count in read),
    )


def _log(name: str, base: Path, to: Path) -> tuple[Path, int]:
    reading = logs_reader.read_logs(LogSource(name="log", file=name), base=base, to=to)
    if reading.problem:
        raise UsageError(reading.problem)
    return to, reading.kept


def together(parts: Sequence[Recorded]) -> Recorded:
    """Several recordings as one."""
    return Recorded(
        spans=tuple(path for part in parts for path in part.spans),
        entries=tuple(path for part in parts for path in part.entries),
        measurements=tuple(path for part in parts for path in part.measurements),
    )
