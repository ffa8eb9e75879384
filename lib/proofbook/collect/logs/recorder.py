"""The tables that a phase keeps of its logs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from proofbook import probe_marks
from proofbook.collect.logs import aggregates, formats, places
from proofbook.collect.logs import unread as log_unread
from proofbook.collect.logs.entries import NOTHING, Reading, connect, entries_of, rows_of
from proofbook.collect.logs.reader import read_logs
from proofbook.config.duckdb_text import quoted
from proofbook.config.log_uri import LOG_SOURCES
from proofbook.config.sources import LogSource
from proofbook.errors import CouldNotLook
from proofbook.evidence import log_tables, merge
from proofbook.evidence.assumptions import as_text
from proofbook.evidence.log_tables import ANY_LINE, LOG_CANARIES, LOG_UNREAD, LOGS


def record(
    sources: Sequence[LogSource],
    patterns: Iterable[str],
    *,
    base: Path,
    folder: Path,
    canary: str | None = None,
) -> tuple[dict[str, pd.DataFrame | Path], list[str]]:
    """The tables that a phase keeps of its logs, one source after the other since each uses every core; and what went wrong.

    Returns:
        logs: the Parquet file of all entries but those that lie in an engine. log_sources: one row per source. And the
        small tables of `aggregates.summarise`, over all sources, and `log_unread`; log_canaries also says `sent`: the canary that was sent, and
        one that nobody sent, which must not be found.
    """
    folder.mkdir(parents=True, exist_ok=True)
    wanted = sorted(set(patterns))
    canaries = [] if canary is None else [canary, probe_marks.new_canary()]
    read, elsewhere = [], []
    for index, source in enumerate(sources):
        if source.engine is None:
            read.append(
                read_logs(source, base=base, to=folder / f".{index}.reading.parquet", patterns=wanted)
            )
        else:
            elsewhere.append(_summarise_there(source, wanted, canaries, base=base))
    to = _put_together(read, folder)
    parts = [summarise(to, wanted, canaries), *(small for _, small, _ in elsewhere)]
    together = merge.together(parts)
    together["log_canaries"] = canaries_of(
        together["log_canaries"], canaries, [source.name for source in sources]
    )
    readings = {reading.source: reading for reading in [*read, *(reading for reading, _, _ in elsewhere)]}
    _leave_out_shares(together, readings)
    lost = [*(part for _, _, part in elsewhere), _unread_of(read, to, wanted, readings)]
    about = log_tables.LOG_SOURCES.frame([_about(readings[source.name], source) for source in sources])
    problems = [words for reading in readings.values() for words in (reading.problem, reading.note) if words]
    tables: dict[str, pd.DataFrame | Path] = {
        **together,
        LOG_UNREAD.name: LOG_UNREAD.cast(pd.concat(lost, ignore_index=True)),
        LOGS.name: to,
        log_tables.LOG_SOURCES.name: about,
    }
    return tables, [*problems, *unusable_extensions()]


def _put_together(read: Sequence[Reading], folder: Path) -> Path:
    """One Parquet file of the entries of every source that was read."""
    to = folder / ".logs.parquet"
    paths = [reading.path for reading in read if reading.path is not None]
    if len(paths) == 1:
        return paths[0].replace(to)
    rows = " UNION ALL ".join(f"SELECT * FROM {rows_of(path)}" for path in paths) or NOTHING
    with connect() as engine:
        engine.execute(f"COPY ({rows}) TO {quoted(str(to))} (FORMAT parquet)")
    for path in paths:
        path.unlink(missing_ok=True)
    return to


def _leave_out_shares(together: dict[str, pd.DataFrame], readings: Mapping[str, Reading]) -> None:
    """Requests of which only some were read, and all that the patterns match, are no share of anything."""
    sampled = [name for name, reading in readings.items() if reading.sampled_s is not None]
    rhythm = together["log_rhythm"]
    rhythm.loc[rhythm["source"].isin(sampled), ["requests", "server_errors"]] = 0


def _unread_of(
    read: Sequence[Reading], to: Path, patterns: list[str], readings: Mapping[str, Reading]
) -> pd.DataFrame:
    """`log_unread` of what was read; a log that was read whole is not gone through again."""
    if not any(reading.unparsed for reading in read):
        return LOG_UNREAD.frame([])
    order = {name: reading.newest_first for name, reading in readings.items()}
    return unread(to, patterns, newest_first=order)


def unusable_extensions() -> list[str]:
    """Why log formats, and log sources of a name that is taken, cannot be used: logs are read without them."""
    return [str(error) for error in (*LOG_SOURCES.doubles(), *formats.usable()[1])]


def canaries_of(found: pd.DataFrame, canaries: Sequence[str], names: Sequence[str]) -> pd.DataFrame:
    """A row per canary and source, also where it was not found; the first canary is the one that was sent."""
    looked_for = pd.DataFrame(
        [(canary, name, canary == canaries[0]) for canary in canaries for name in names],
        columns=["canary", "source", "sent"],
    )
    rows = LOG_CANARIES.cast(looked_for).merge(found, on=["canary", "source"], how="left")
    return LOG_CANARIES.typed(rows.assign(entries=rows["entries"].fillna(0)))


def _summarise_there(
    source: LogSource, patterns: list[str], canaries: list[str], *, base: Path
) -> tuple[Reading, dict[str, pd.DataFrame], pd.DataFrame]:
    """The small tables of a log that lies in an engine, and `log_unread`; its entries stay there."""
    from proofbook.collect.logs import engines

    try:
        rows = engines.rows(source, base=base)
        ask = aggregates.in_engine(rows.filter(rows.timestamp.notnull()))
        small = aggregates.summarise(ask, patterns, canaries=canaries)
        lost = LOG_UNREAD.cast(engines.undated(rows, source, patterns))
    except CouldNotLook as error:
        with connect() as engine:
            ask = aggregates.in_duckdb(engine, f"({NOTHING})")
            nothing = aggregates.summarise(ask, patterns, canaries=canaries)
        return Reading(source=source.name, problem=str(error)), nothing, LOG_UNREAD.frame([])
    rhythm = small["log_rhythm"]
    reading = Reading(source=source.name, shape=f"table {source.table}", read=int(rhythm["entries"].sum()))
    reading.kept = reading.read
    reading.unparsed = int(lost.loc[lost["pattern"] == ANY_LINE, "lines"].sum())
    reading.lines = reading.read + reading.unparsed
    reading.unparsed_sample = " ⏎ ".join(lost.loc[lost["pattern"] == ANY_LINE, "sample"])
    reading.empty_bodies = int(rhythm["empty"].sum())
    counts = rhythm.fillna({"severity_text": "none"}).groupby("severity_text")["entries"].sum()
    reading.counts = {str(name): int(count) for name, count in counts.items()}
    if not reading.read:
        reading.problem = f"source {source.name!r} holds no entries"
    else:
        reading.first, reading.last = rhythm["first"].min(), rhythm["last"].max()
        reading.ahead_s = max(0.0, (rhythm["last"].max() - pd.Timestamp.now(tz="UTC")).total_seconds())
    return reading, small, lost


def summarise(path: Path, patterns: Iterable[str], canaries: Iterable[str] = ()) -> dict[str, pd.DataFrame]:
    """The small tables of `aggregates` from a Parquet file of entries."""
    with connect() as engine:
        ask = aggregates.in_duckdb(engine, entries_of(path))
        return aggregates.summarise(ask, patterns, canaries=canaries)


def answered(path: Path) -> pd.DataFrame:
    """The requests in a Parquet file of entries: status, method, endpoint (a path, values masked), requests, first, last."""
    with connect() as engine:
        return aggregates.in_duckdb(engine, entries_of(path))(places.answered)


def look_for(
    path: Path, patterns: Sequence[str], *, newest_first: Mapping[str, bool]
) -> dict[str, pd.DataFrame]:
    """`log_patterns`, `log_matches` and `log_unread` of patterns in a recorded Parquet file of entries."""
    with connect() as engine:
        found = aggregates.look_for(aggregates.in_duckdb(engine, entries_of(path)), patterns)
    lost = unread(path, patterns, newest_first=newest_first)
    return {**found, LOG_UNREAD.name: lost[lost["pattern"].isin(patterns)]}


def unread(path: Path, patterns: Iterable[str], *, newest_first: Mapping[str, bool]) -> pd.DataFrame:
    """The table `log_unread` of a Parquet file of this module; newest_first: source to the order of its entries."""
    with connect() as engine:
        return log_unread.find(engine, rows_of(path), patterns, newest_first=newest_first)


def _about(reading: Reading, source: LogSource) -> dict[str, Any]:
    return {
        "source": reading.source,
        "shape": reading.shape,
        "lines": reading.lines,
        "read": reading.read,
        "kept": reading.kept,
        "duplicates": reading.duplicates,
        "joined": reading.joined,
        "unparsed": reading.unparsed,
        "untimed": reading.untimed,
        "unparsed_sample": reading.unparsed_sample,
        "fields_cut": reading.fields_cut,
        "assumed": as_text(reading.assumed),
        "empty_bodies": reading.empty_bodies,
        "newest_first": reading.newest_first,
        "ahead_s": reading.ahead_s,
        "delay_s": reading.delay_s,
        "problem": reading.problem,
        "note": reading.note,
        "sampled_s": reading.sampled_s,
        "limit": source.limit,
        "covers_s": source.covers_s,
        "canary": None if source.canary is None else float(source.canary),
        "severities": ", ".join(f"{name} {count}" for name, count in sorted(reading.counts.items())),
    }
