"""Rounds of a watch, or sources of a log, merged into one table of each name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from proofbook.evidence import extensions, log_tables, schema, store
from proofbook.evidence.log_tables import LOG_KIND_TIMES, LOG_KINDS, LOG_PLACES, LOG_SOURCES
from proofbook.evidence.schema import LOOKS
from proofbook.evidence.table import LOOK, Merge, Table

OF_LOGS = schema.merged_as(Merge.LOG_BUCKETS, Merge.LOG_TOTALS)
BY_BUCKET = schema.merged_as(Merge.LOG_BUCKETS)
GROUP = tuple(column.name for column in log_tables.GROUPED)


def tables_of(
    looks: list[tuple[int, store.Evidence]], *, planned: int, every_s: float
) -> dict[str, pd.DataFrame]:
    """The tables of all rounds of a watch, merged; `looks` has a row per round.

    Args:
        looks: number and evidence of each round, in order. planned: how many rounds there may be. every_s: from one to the next.
    """
    names = sorted({name for _, recorded in looks for name in recorded.manifest.phases["after"].tables})
    extensions.add_all()
    alone = [table for table in map(schema.known, names) if table.merge.is_alone]
    tables = {table.name: _of_rounds(table, looks) for table in alone} | logs_of(looks)
    rows = [
        (number, phase.started, phase.ended, planned, every_s)
        for number, recorded in looks
        for phase in [recorded.manifest.phases["after"]]
    ]
    return {**tables, LOOKS.name: LOOKS.frame(rows)}


def _of_rounds(table: Table, looks: list[tuple[int, store.Evidence]]) -> pd.DataFrame:
    """One table of those of all rounds that have it."""
    parts = [
        (number, found) for number, recorded in looks if (found := recorded.table(table.name)) is not None
    ]
    if table.merge is Merge.LATEST:
        return parts[-1][1]
    if table.merge is Merge.DISTINCT:
        return pd.concat([found for _, found in parts], ignore_index=True).drop_duplicates(ignore_index=True)
    if table.merge is Merge.LOG_LINES:
        return _lines_once(pd.concat([found for _, found in parts], ignore_index=True))
    kept = [
        found.drop(columns=list(table.in_one_round), errors="ignore").assign(**{LOOK.name: number})
        for number, found in parts
    ]
    return pd.concat(kept, ignore_index=True)


def _lines_once(rows: pd.DataFrame) -> pd.DataFrame:
    """Lines of a log that several readings hold, each once."""
    if rows.empty:
        return rows
    same = rows.groupby(["source", "pattern", "bucket"], dropna=False, as_index=False)
    return same.agg(
        lines=("lines", "max"), first=("first", "min"), last=("last", "max"), sample=("sample", "min")
    )


def logs_of(looks: list[tuple[int, store.Evidence]]) -> dict[str, pd.DataFrame]:
    """The small tables of logs over all looks.

    Exports overlap: each second is taken from the latest one that holds it whole, so that nothing counts twice and what
    arrived late counts too.
    """
    readings = []
    for _, recorded in looks:
        tables = {name: table for name in OF_LOGS if (table := recorded.table(name)) is not None}
        # Evidence of older versions holds no places.
        if len(tables.keys() - {LOG_PLACES.name}) == len(OF_LOGS) - 1:
            readings.append(tables)
    if not readings:
        return {}
    if not all(LOG_PLACES.name in tables for tables in readings):
        readings = [
            {name: table for name, table in tables.items() if name != LOG_PLACES.name} for tables in readings
        ]
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
                if name != LOG_SOURCES.name
            }
        )
        taken_from |= {name: min(bucket, taken_from.get(name, bucket)) for name, bucket in begins.items()}
    latest = readings[-1]["log_sources"]
    read = pd.concat([tables["log_sources"] for tables in readings]).groupby("source")["read"].max()
    return {
        **together(parts[::-1]),
        "log_sources": latest.assign(read=latest["source"].map(read)),
    }


def _seconds_of(table: pd.DataFrame, begins: dict[str, int], ends: dict[str, int]) -> pd.DataFrame:
    """Rows whose bucket lies within what is taken of its source."""
    # Of no rows the result would be texts.
    low = table["source"].map(begins).astype("float64").fillna(float("-inf"))
    high = table["source"].map(ends).astype("float64").fillna(float("inf"))
    return table[(table["bucket"] >= low) & (table["bucket"] < high)]


def together(parts: Sequence[Mapping[str, pd.DataFrame]]) -> dict[str, pd.DataFrame]:
    """The tables of several sources as one of each, the kinds numbered anew."""
    if len(parts) == 1:
        return dict(parts[0])
    kinds = joined([part["log_kinds"].assign(part=number) for number, part in enumerate(parts)])
    more = {name: (name, "sum") for name in ("of_requests", "of_users") if name in kinds}
    sums = kinds.groupby(["kind", "text"], as_index=False).agg(
        entries=("entries", "sum"),
        severity_number=("severity_number", "max"),
        sample=("sample", "min"),
        **more,
    )
    sums.insert(0, "kind_id", range(len(sums)))
    numbers = kinds[["part", "kind_id", "kind", "text"]].merge(
        sums[["kind_id", "kind", "text"]], on=["kind", "text"], suffixes=("_old", "")
    )
    when = joined([part["log_kind_times"].assign(part=number) for number, part in enumerate(parts)])
    renumbered = when.rename(columns={"kind_id": "kind_id_old"}).merge(numbers, on=["part", "kind_id_old"])
    everywhere = all(LOG_PLACES.name in part for part in parts)
    places = {LOG_PLACES.name: joined([part[LOG_PLACES.name] for part in parts])} if everywhere else {}
    return {
        **places,
        "log_rhythm": joined([part["log_rhythm"] for part in parts]),
        "log_patterns": parts[0]["log_patterns"],
        "log_matches": joined([part["log_matches"] for part in parts]),
        "log_kinds": LOG_KINDS.typed(sums),
        "log_kind_times": LOG_KIND_TIMES.cast(renumbered),
        "log_canaries": joined([part["log_canaries"] for part in parts]),
    }


def joined(tables: list[pd.DataFrame]) -> pd.DataFrame:
    """The rows of all tables; an empty one does not change the types of the others."""
    return pd.concat([table for table in tables if len(table)] or tables[:1], ignore_index=True)
