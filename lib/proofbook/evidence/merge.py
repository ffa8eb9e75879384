"""Rounds of a watch, or sources of a log, merged into one table of each name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce

import pandas as pd

from proofbook.evidence import log_unread, store
from proofbook.evidence.store import LOGS

# What describes the system at the last look, rather than adding up.
LATEST = ("openapi", "revisions", "certificates")
SMALL_LOGS = ("log_rhythm", "log_patterns", "log_matches", "log_kinds", "log_kind_times", "log_canaries")
BY_BUCKET = ("log_rhythm", "log_matches", "log_kind_times")


def tables_of(
    looks: list[tuple[int, store.Evidence]], *, planned: int, every_s: float
) -> dict[str, pd.DataFrame]:
    """The tables of all rounds of a watch, merged; `looks` has a row per round.

    Args:
        looks: number and evidence of each round, in order. planned: how many rounds there may be. every_s: from one to the next.
    """
    names = sorted({name for _, recorded in looks for name in recorded.manifest.phases["after"].tables})
    tables: dict[str, pd.DataFrame] = {}
    for name in names:
        parts = [(number, table) for number, recorded in looks if (table := recorded.table(name)) is not None]
        if name in (LOGS, *SMALL_LOGS, "log_sources", log_unread.NAME):
            continue
        if name in LATEST:
            tables[name] = parts[-1][1]
        elif name == "metrics":
            # The clock that never jumps begins anew with each start of the machine; over hours the wall's will do.
            tables[name] = pd.concat(
                [table.drop(columns="at_s").assign(look=number) for number, table in parts], ignore_index=True
            )
        elif name == "messages":
            tables[name] = pd.concat([table for _, table in parts], ignore_index=True).drop_duplicates(
                ignore_index=True
            )
        else:
            tables[name] = pd.concat(
                [table.assign(look=number) for number, table in parts], ignore_index=True
            )
    tables |= logs_of(looks)
    rows = [
        (number, phase.started, phase.ended, planned, every_s)
        for number, recorded in looks
        for phase in [recorded.manifest.phases["after"]]
    ]
    frame = pd.DataFrame(rows, columns=["look", "started", "ended", "planned", "every_s"])
    for name in ("started", "ended"):
        frame[name] = pd.to_datetime(frame[name], utc=True)
    return {**tables, "looks": frame}


def logs_of(looks: list[tuple[int, store.Evidence]]) -> dict[str, pd.DataFrame]:
    """The small tables of logs over all looks.

    Exports overlap: each second is taken from the latest one that holds it whole, so that nothing counts twice and what
    arrived late counts too.
    """
    readings = []
    for _, recorded in looks:
        tables = {
            name: table
            for name in (*SMALL_LOGS, "log_sources")
            if (table := recorded.table(name)) is not None
        }
        if len(tables) == len(SMALL_LOGS) + 1:
            readings.append(tables)
    if not readings:
        return {}
    # Loaded here: it needs Ibis, which a run without a log need not load.

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
                if name != "log_sources"
            }
        )
        taken_from |= {name: min(bucket, taken_from.get(name, bucket)) for name, bucket in begins.items()}
    latest = readings[-1]["log_sources"]
    read = pd.concat([tables["log_sources"] for tables in readings]).groupby("source")["read"].max()
    unread = [table for _, recorded in looks if (table := recorded.table(log_unread.NAME)) is not None]
    return {
        **together(parts[::-1]),
        "log_sources": latest.assign(read=latest["source"].map(read)),
        **({log_unread.NAME: log_unread.merge(unread)} if unread else {}),
    }


def _seconds_of(table: pd.DataFrame, begins: dict[str, int], ends: dict[str, int]) -> pd.DataFrame:
    """Rows whose bucket lies within what is taken of its source."""
    low = table["source"].map(begins).fillna(float("-inf"))
    high = table["source"].map(ends).fillna(float("inf"))
    return table[(table["bucket"] >= low) & (table["bucket"] < high)]


GROUP = ("source", "bucket", "service_name", "service_version", "own")


def together(parts: Sequence[Mapping[str, pd.DataFrame]]) -> dict[str, pd.DataFrame]:
    """The tables of several sources as one of each, the kinds numbered anew."""
    if len(parts) == 1:
        return dict(parts[0])
    kinds = _joined([part["log_kinds"].assign(part=number) for number, part in enumerate(parts)])
    sums = kinds.groupby(["kind", "text"], as_index=False).agg(
        entries=("entries", "sum"), severity_number=("severity_number", "max"), sample=("sample", "min")
    )
    sums.insert(0, "kind_id", range(len(sums)))
    numbers = kinds[["part", "kind_id", "kind", "text"]].merge(
        sums[["kind_id", "kind", "text"]], on=["kind", "text"], suffixes=("_old", "")
    )
    when = _joined([part["log_kind_times"].assign(part=number) for number, part in enumerate(parts)])
    renumbered = when.rename(columns={"kind_id": "kind_id_old"}).merge(numbers, on=["part", "kind_id_old"])
    return {
        "log_rhythm": _joined([part["log_rhythm"] for part in parts]),
        "log_patterns": parts[0]["log_patterns"],
        "log_matches": _joined([part["log_matches"] for part in parts]),
        "log_kinds": _typed(sums),
        "log_kind_times": _typed(renumbered[["kind_id", *GROUP, "entries", "first", "last"]]),
        "log_canaries": _joined([part["log_canaries"] for part in parts]),
    }


def _joined(tables: list[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat([table for table in tables if len(table)] or tables[:1], ignore_index=True)


def _typed(table: pd.DataFrame) -> pd.DataFrame:
    """The same types from every engine."""
    counts = ("entries", "requests", "server_errors", "plain", "empty", "lines", "affected", "severity_number", "bucket", "kind_id")  # fmt: skip
    texts = (
        "source",
        "service_name",
        "service_version",
        "severity_text",
        "pattern",
        "canary",
        "kind",
        "text",
        "sample",
    )
    types: dict[str, str] = {}
    for name in table.columns:
        if name in counts:
            types[name] = "int64"
        elif name in texts:
            types[name] = "str"
        elif name in ("first", "last"):
            types[name] = "datetime64[us, UTC]"
        elif name == "own":
            types[name] = "bool"
    filled = reduce(lambda done, name: done.assign(**{name: done[name].fillna(0)}), [n for n in types if n in counts], table)  # fmt: skip
    return filled.astype(types)
