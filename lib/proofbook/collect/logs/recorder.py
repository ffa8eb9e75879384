"""The tables that a phase keeps of its logs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import duckdb
import ibis
import pandas as pd

from proofbook import probe_marks
from proofbook.collect.logs import aggregates, formats
from proofbook.collect.logs.entries import NOTHING, Reading, connect, entries_of, rows_of
from proofbook.collect.logs.reader import read_logs
from proofbook.config.duckdb_text import quoted
from proofbook.config.log_uri import LOG_SOURCES
from proofbook.config.sources import LogSource
from proofbook.errors import CouldNotLook
from proofbook.evidence import merge


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
        small tables of `log_tables.NAMES`, over all sources; log_canaries also says `sent`: the canary that was sent, and
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
    to = folder / ".logs.parquet"
    paths = [reading.path for reading in read if reading.path is not None]
    with connect() as engine:
        if len(paths) == 1:
            paths[0].replace(to)
        else:
            rows = " UNION ALL ".join(f"SELECT * FROM {rows_of(path)}" for path in paths) or NOTHING
            engine.execute(f"COPY ({rows}) TO {quoted(str(to))} (FORMAT parquet)")
        for path in paths:
            path.unlink(missing_ok=True)
    parts = [summarise(to, wanted, canaries), *(small for _, small in elsewhere)]
    together = merge.together(parts)
    together["log_canaries"] = canaries_of(
        together["log_canaries"], canaries, [source.name for source in sources]
    )
    readings = {reading.source: reading for reading in [*read, *(reading for reading, _ in elsewhere)]}
    sampled = [name for name, reading in readings.items() if reading.sampled_s is not None]
    # Requests of which only some were read, and all that the patterns match, are no share of anything.
    rhythm = together["log_rhythm"]
    rhythm.loc[rhythm["source"].isin(sampled), ["requests", "server_errors"]] = 0
    tables: dict[str, pd.DataFrame | Path] = dict(together)
    about = pd.DataFrame([_about(readings[source.name], source) for source in sources])
    problems = [words for reading in readings.values() for words in (reading.problem, reading.note) if words]
    problems += unusable_extensions()
    return {**tables, "logs": to, "log_sources": about}, problems


def unusable_extensions() -> list[str]:
    """Why log formats, and log sources of a name that is taken, cannot be used: logs are read without them."""
    return [str(error) for error in (*LOG_SOURCES.doubles(), *formats.usable()[1])]


def canaries_of(found: pd.DataFrame, canaries: Sequence[str], names: Sequence[str]) -> pd.DataFrame:
    """A row per canary and source, also where it was not found; the first canary is the one that was sent."""
    looked_for = pd.DataFrame(
        [(canary, name, canary == canaries[0]) for canary in canaries for name in names],
        columns=["canary", "source", "sent"],
    ).astype({"canary": "str", "source": "str", "sent": "bool"})
    rows = looked_for.merge(found, on=["canary", "source"], how="left")
    return rows.assign(entries=rows["entries"].fillna(0).astype("int64"))


def _summarise_there(
    source: LogSource, patterns: list[str], canaries: list[str], *, base: Path
) -> tuple[Reading, dict[str, pd.DataFrame]]:
    """The small tables of a log that lies in an engine; its entries stay there."""
    from proofbook.collect.logs import engines

    try:
        small = aggregates.summarise(engines.entries(source, base=base), patterns, canaries=canaries)
    except CouldNotLook as error:
        return Reading(source=source.name, problem=str(error)), aggregates.nothing(
            patterns, canaries=canaries
        )
    rhythm = small["log_rhythm"]
    reading = Reading(source=source.name, shape=f"table {source.table}", read=int(rhythm["entries"].sum()))
    reading.lines = reading.kept = reading.read
    reading.empty_bodies = int(rhythm["empty"].sum())
    counts = rhythm.fillna({"severity_text": "none"}).groupby("severity_text")["entries"].sum()
    reading.counts = {str(name): int(count) for name, count in counts.items()}
    if not reading.read:
        reading.problem = f"source {source.name!r} holds no entries"
    else:
        reading.first, reading.last = rhythm["first"].min(), rhythm["last"].max()
        reading.ahead_s = max(0.0, (rhythm["last"].max() - pd.Timestamp.now(tz="UTC")).total_seconds())
    return reading, small


def expression(engine: duckdb.DuckDBPyConnection, path: Path) -> Any:
    """The entries in a Parquet file of this module as an Ibis table."""
    return ibis.duckdb.from_connection(engine).sql(f"SELECT * FROM {entries_of(path)}")


def summarise(path: Path, patterns: Iterable[str], canaries: Iterable[str] = ()) -> dict[str, pd.DataFrame]:
    """The small tables of `log_tables` from a Parquet file of entries."""
    with connect() as engine:
        return aggregates.summarise(expression(engine, path), patterns, canaries=canaries)


def look_for(path: Path, patterns: Iterable[str]) -> dict[str, pd.DataFrame]:
    """`log_patterns` and `log_matches` of patterns in a recorded Parquet file of entries."""
    with connect() as engine:
        return aggregates.look_for(expression(engine, path), patterns)


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
        "unparsed_sample": reading.unparsed_sample,
        "empty_bodies": reading.empty_bodies,
        "newest_first": reading.newest_first,
        "ahead_s": reading.ahead_s,
        "delay_s": reading.delay_s,
        "problem": reading.problem,
        "note": reading.note,
        "sampled_s": float("nan") if reading.sampled_s is None else reading.sampled_s,
        "limit": float("nan") if source.limit is None else float(source.limit),
        "covers_s": float("nan") if source.covers_s is None else source.covers_s,
        "canary": float("nan") if source.canary is None else float(source.canary),
        "severities": ", ".join(f"{name} {count}" for name, count in sorted(reading.counts.items())),
    }
