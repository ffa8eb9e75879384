"""Small tables of what services did, window by window, drawn by DuckDB from spans, log entries and measurements.

Everything that follows works on counts per window and bucket, so it costs the same for a thousand traces and for a million.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import duckdb
import numpy as np
import pandas as pd

from proofbook.investigation.services import queries
from proofbook.judge.log_text import templates

BUCKETS = 12
# What takes less than half a millisecond is as good as nothing: the logarithm of a time begins there.
LEAST_S = 0.0005
# Beyond so many kinds of line their texts are not compared with each other.
MAX_KINDS = 5_000
# A resource of an instance counts from this part of the most that any instance was seen to use of it.
LEAST_OF_A_RESOURCE = 0.1
Array = np.ndarray[Any, np.dtype[np.float64]]
Places = np.ndarray[Any, np.dtype[np.intp]]


class Step(StrEnum):
    """What may belong to an operation."""

    CALL = "call"
    LINE = "line"
    ERROR_LINE = "error line"
    ERROR = "error"
    ANSWER = "answer"
    NO_ANSWER = "no answer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A stretch of time; is_quiet: nothing was wrong then. has_spans: spans were recorded then, not measurements alone."""

    start: dt.datetime
    end: dt.datetime
    is_quiet: bool
    has_spans: bool = True

    @property
    def length_s(self) -> float:
        """Its length."""
        return (self.end - self.start).total_seconds()


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """Values of several things, summed up in groups (a window's bucket each).

    Attributes:
        count, total, squares: of things × groups. ranks: sums of the ranks of the values among all of their thing, from 0 to 1.
    """

    count: Array
    total: Array
    squares: Array
    ranks: Array


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceTables:
    """What services did in each window.

    Attributes:
        windows: in the order of time; each has BUCKETS groups.
        operations: operation, service, remote (the service that it calls, else none); one row each.
        traces: how many traces ran the operation; operations × groups.
        own: own time, logarithm of seconds, once a trace; for a call the time that its callee did not spend.
        steps: operation (row of `operations`), kind, what, service (whose step it is; empty: nobody's); one row each.
        held: in how many traces the operation has the step, a part of one where only some of its spans have it.
        series: service, instance, name, least; one row for each metric of an instance.
        used: logarithm of a measurement and the least that counts of its metric.
        calls: which service calls which.
    """

    windows: tuple[Window, ...]
    operations: pd.DataFrame
    traces: Array
    own: Counted
    steps: pd.DataFrame
    held: Array
    series: pd.DataFrame
    used: Counted
    calls: frozenset[tuple[str, str]]
    services: tuple[str, ...] = field(default=())


def draw(engine: duckdb.DuckDBPyConnection, windows: Sequence[Window]) -> ServiceTables:
    """The tables of the views `spans`, `entries` and `measurements` of an engine; see `queries` for their columns."""
    engine.register("windows", pd.DataFrame(
        [(number, window.start.timestamp(), window.end.timestamp(), window.has_spans, window.is_quiet, number + 1 == len(windows)) for number, window in enumerate(windows)],
        columns=["number", "a", "b", "has_spans", "is_quiet", "is_last"],
    ))  # fmt: skip
    for query in queries.PREPARE:
        engine.execute(query.format(buckets=BUCKETS, least=LEAST_S, id=queries.ID))
    _name_kinds(engine)
    for query in queries.STEPS:
        engine.execute(query.format(buckets=BUCKETS))
    groups = len(windows) * BUCKETS
    operations = engine.execute(queries.OPERATIONS).df()
    steps = engine.execute(queries.STEPS_KNOWN).df()
    series = engine.execute(queries.SERIES.format(buckets=BUCKETS, least=LEAST_OF_A_RESOURCE)).df()
    return ServiceTables(
        windows=tuple(windows),
        operations=operations,
        traces=_filled(engine, queries.TRACES, len(operations), groups),
        own=_counted(engine, queries.OWN, len(operations), groups),
        steps=steps,
        held=_filled(engine, queries.HELD, len(steps), groups),
        series=series,
        used=_counted(engine, queries.USED, len(series), groups),
        calls=frozenset((str(a), str(b)) for a, b in engine.execute(queries.CALLS).fetchall()),
        services=tuple(str(name) for (name,) in engine.execute(queries.SERVICES).fetchall()),
    )


def _name_kinds(engine: duckdb.DuckDBPyConnection) -> None:
    """Makes the table `kinds`: by text, what lines of its kind have in common."""
    texts = [str(text) for (text,) in engine.execute(queries.TEXTS).fetchall()]
    shared = templates.merge(texts) if len(texts) <= MAX_KINDS else {text: text for text in texts}
    kinds = pd.DataFrame({"text": list(shared), "kind": list(shared.values())}, dtype="str")
    engine.register("shared_kinds", kinds)
    engine.execute("CREATE OR REPLACE TABLE kinds AS SELECT * FROM shared_kinds")
    engine.unregister("shared_kinds")


def _filled(engine: duckdb.DuckDBPyConnection, query: str, rows: int, groups: int) -> Array:
    """A table of row, group and value as an array."""
    at, (values,) = _fetched(engine, query, ["value"])
    held = np.zeros((rows, groups))
    held[at] = values
    return held


def _counted(engine: duckdb.DuckDBPyConnection, query: str, rows: int, groups: int) -> Counted:
    at, values = _fetched(engine, query, ["count", "total", "squares", "ranks"])
    held = np.zeros((len(values), rows, groups))
    for place, column in enumerate(values):
        held[place][at] = column
    return Counted(count=held[0], total=held[1], squares=held[2], ranks=held[3])


def _fetched(
    engine: duckdb.DuckDBPyConnection, query: str, names: Sequence[str]
) -> tuple[tuple[Places, Places], list[Array]]:
    """Row and group of each value that a query finds, and the values by name."""
    found = engine.execute(query).fetchnumpy()
    at = (np.asarray(found["row"], dtype=np.intp), np.asarray(found["g"], dtype=np.intp))
    return at, [np.asarray(found[name], dtype=np.float64) for name in names]
