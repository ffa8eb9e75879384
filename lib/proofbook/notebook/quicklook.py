"""A quick look without any file: a log export or an endpoint as a table."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from proofbook.collect.logs import counts as log_counts
from proofbook.collect.logs import entries, recorder
from proofbook.collect.logs import reader as log_reader
from proofbook.collect.session import Session
from proofbook.collect.websocket import probes
from proofbook.concurrency import sync
from proofbook.config import duckdb_text as log_patterns
from proofbook.config import time_zones
from proofbook.config.environment import Environment
from proofbook.config.sources import LogSource
from proofbook.errors import UsageError
from proofbook.evidence.log_tables import LOG_UNREAD
from proofbook.judge.checks import log_novelty
from proofbook.judge.checks.log_coverage import Coverage, cover
from proofbook.judge.view import View
from proofbook.judge.window import Span, Windows
from proofbook.notebook import tables as shown

# So many of the first entries, and of the lines that are in none, are shown.
SHOWN = 5


def logs(file: str, *, utc_offset: str | None = None, time_zone: str | None = None) -> pd.DataFrame:
    """The entries of a log export, columns as `proofbook.collect.logs.formats.COLUMNS`, one row per entry.

    utc_offset, time_zone: the zone of times that name none, as an offset such as `+02:00` or by a name such as `Europe/Berlin`.

    Raises:
        UsageError: there is nothing to read, or the zone is none.
    """
    source = _source(file, utc_offset=utc_offset, time_zone=time_zone)
    with tempfile.TemporaryDirectory() as folder:
        reading = log_reader.read_logs(source, base=Path(), to=Path(folder) / "logs.parquet")
        if reading.problem:
            raise UsageError(reading.problem)
        return reading.entries


def counts(
    file: str, patterns: Sequence[str], *, utc_offset: str | None = None, time_zone: str | None = None
) -> pd.DataFrame:
    """How many entries of a log hold each pattern, per minute; the quickest way through a large file, which keeps nothing.

    Returns:
        minute (UTC), then a column per pattern.
    Raises:
        UsageError: a pattern or the zone cannot be used. CouldNotLook: the file cannot be read.
    """
    if isinstance(patterns, str):
        raise UsageError(
            f"expected a list of patterns, got the text {patterns!r}, whose every letter would be one; write [{patterns!r}]"
        )
    _check_patterns(patterns)
    source = _source(file, utc_offset=utc_offset, time_zone=time_zone)
    return log_counts.per_minute(source, patterns, base=Path())


def _source(file: str, *, utc_offset: str | None, time_zone: str | None) -> LogSource:
    if utc_offset is not None and time_zone is not None:
        raise UsageError("expected utc_offset or time_zone, got both")
    if time_zone is not None and (problem := time_zones.problem(time_zone)):
        raise UsageError(problem)
    return LogSource(name="look", file=str(Path(file).resolve()), utc_offset=utc_offset, time_zone=time_zone)


def _check_patterns(patterns: Sequence[str]) -> None:
    for pattern in patterns:
        if problem := log_patterns.problem(pattern):
            raise UsageError(
                f"expected a regular expression (RE2's: no lookaround, no backreferences), got {pattern!r} ({problem})"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLook:
    """A log as `proofbook logs` shows it: what was read, how much of its span it covers, and what stands in it.

    changes is None without a log from before; columns as `judge.log_novelty.changes`. patterns: as `tables.patterns`.
    requests: as `collect.logs.recorder.answered`. first: the first entries, columns as the table `logs`; lost: the first lines that are in none.
    """

    reading: entries.Reading
    coverage: Coverage
    kinds: pd.DataFrame
    patterns: pd.DataFrame
    changes: pd.DataFrame | None
    requests: pd.DataFrame
    first: pd.DataFrame
    lost: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """A log that was read: how that went, from when to when it is, and the small tables drawn from it."""

    reading: entries.Reading
    span: Span
    tables: dict[str, pd.DataFrame]
    requests: pd.DataFrame
    first: pd.DataFrame
    lost: tuple[str, ...]


def _read(
    source: LogSource,
    patterns: Sequence[str],
    *,
    base: Path,
    since: str = "",
    until: str = "",
) -> _Read:
    """Reads a log without keeping it.

    Raises:
        UsageError: there is nothing to read.
    """
    with tempfile.TemporaryDirectory() as folder:
        to = Path(folder) / "entries.parquet"
        reading = log_reader.read_logs(source, base=base, to=to, since=since, until=until)
        if reading.problem:
            raise UsageError(reading.problem)
        assert reading.first is not None and reading.last is not None
        tables = dict(recorder.summarise(to, patterns))
        if reading.unparsed:
            order = {source.name: reading.newest_first}
            tables[LOG_UNREAD.name] = recorder.unread(to, patterns, newest_first=order)
        first, lost = entries.beginning(to, most=SHOWN)
        requests = recorder.answered(to)
    return _Read(
        reading=reading,
        span=(reading.first, reading.last),
        tables=tables,
        requests=requests,
        first=first,
        lost=lost,
    )


def look_at_log(
    source: LogSource,
    *,
    patterns: Sequence[str] = (),
    before: LogSource | None = None,
    base: Path,
    since: str = "",
    until: str = "",
) -> LogLook:
    """Reads a log, and one from before to compare it with, without keeping either.

    since, until: of the log, what lies outside is left out; durations count back from its end.

    Raises:
        UsageError: there is nothing to read, or a pattern or a time cannot be used.
    """
    _check_patterns(patterns)
    earlier = None if before is None else _read(before, patterns, base=base)
    after = _read(source, patterns, base=base, since=since, until=until)
    read = {"before": earlier, "after": after}
    view = View(
        tables=lambda name, phase: found.tables.get(name) if (found := read.get(phase)) else None,
        windows=Windows(before=earlier.span if earlier else None, after=after.span),
        live=False,
    )
    return LogLook(
        reading=after.reading,
        coverage=_covered(after, source),
        kinds=log_novelty.kinds(view),
        patterns=shown.patterns(view, {pattern: pattern for pattern in patterns}).drop(
            columns="check", errors="ignore"
        ),
        changes=log_novelty.changes(view) if before is not None else None,
        requests=after.requests,
        first=after.first,
        lost=after.lost,
    )


def _covered(after: _Read, source: LogSource) -> Coverage:
    reading = after.reading
    return cover(
        after.tables["log_rhythm"],
        None,
        read=reading.read,
        newest_first=reading.newest_first,
        limit=source.limit,
        stated=False,
        ahead_s=reading.ahead_s,
        unread=reading.unparsed,
    )


def probe(url: str, *, count: int = 5) -> pd.DataFrame:
    """`count` connections to a WebSocket endpoint without a token, at five a second; columns as the fields of Journey."""
    host = url.split("://", 1)[-1].split("/", 1)[0]
    where = Environment.model_validate(
        {
            "service": [{"name": "look", "url": f"http://{host}"}],
            "websocket": [{"name": "look", "service": "look", "url": url, "token": {"in": "none"}}],
        }
    )

    async def look() -> pd.DataFrame:
        session = Session(where, base=Path())
        made, _ = await probes.make_journeys(
            where.websockets[0], user="", session=session, checkpoints=(count,), decided=lambda _: True
        )
        return made

    return sync.run(look())
