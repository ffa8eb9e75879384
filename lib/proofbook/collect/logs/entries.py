"""Entries in Parquet files, and the engine that reads them."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType, TracebackType

import duckdb
import pandas as pd
import pyarrow.parquet as pq

from proofbook.collect.logs.formats import COLUMNS
from proofbook.concurrency import scratch
from proofbook.config.duckdb_text import quoted
from proofbook.evidence.assumptions import Assumption

MEMORY_LIMIT = "700MB"
# How folders begin to which engines spill.
SPILLED = "proofbook-spilled-"
# Of DuckDB's optimizers. It makes a join of every list of names of severities, which costs more than comparing: for a small log twice the time.
DISABLED = ("in_clause",)


@dataclass(slots=True, kw_only=True)
class Reading:
    """What one source gave: its entries as a Parquet file, and what must be known to trust them.

    lines: lines that are not blank; each is in an entry, a duplicate, or unparsed.
    fields_cut: fields left out, since their entries hold too many.
    untimed: entries without a time of their own, which stand at the time of the entry before them.
    joined: entries that were parts of the traceback before them.
    ahead_s: how far the last entry lies after the moment of reading; delay_s: from writing an entry to its arrival.
    assumed_years: of times of which no line names the year. assumed_hours: beginnings of hours that came twice, with the place,
    and which of the two (`first`, `second`, `both`) the entries were taken to be of, where nothing shows it. assumed_levels: what numbers were taken to mean as severities.
    assumed_dates: times that may be of another day, since no line shows the order of day and month, with the day that was taken: one for each form.
    note: what went wrong while the rest was read. sampled_s: the length of slices of which only some entries were read.
    """

    source: str
    path: Path | None = None
    shape: str = ""
    lines: int = 0
    read: int = 0
    kept: int = 0
    duplicates: int = 0
    joined: int = 0
    unparsed: int = 0
    untimed: int = 0
    unparsed_sample: str = ""
    fields_cut: int = 0
    empty_bodies: int = 0
    newest_first: bool = False
    first: pd.Timestamp | None = None
    last: pd.Timestamp | None = None
    ahead_s: float = 0.0
    delay_s: float = 0.0
    problem: str = ""
    note: str = ""
    sampled_s: float | None = None
    assumed_years: tuple[int, ...] = ()
    assumed_hours: dict[str, str] = field(default_factory=dict)
    assumed_levels: dict[str, str] = field(default_factory=dict)
    assumed_dates: dict[str, str] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def assumed(self) -> tuple[Assumption, ...]:
        """All that was assumed."""
        return (
            *(Assumption(about="year", written="", taken=str(year)) for year in self.assumed_years),
            *(Assumption(about="date", written=time, taken=day) for time, day in self.assumed_dates.items()),
            *(
                Assumption(about="hour", written=hour, taken=which)
                for hour, which in self.assumed_hours.items()
            ),
            *(
                Assumption(about="level", written=word, taken=name)
                for word, name in self.assumed_levels.items()
            ),
        )

    @property
    def entries(self) -> pd.DataFrame:
        """The entries as a pandas table, in the order of the source."""
        if self.path is None:
            return empty()
        with connect() as engine:
            return table(engine, f"SELECT * FROM {entries_of(self.path)}")


def connect() -> duckdb.DuckDBPyConnection:
    """An engine in memory that speaks UTC and spills to disk rather than grow."""
    # A folder of its own: engines name the files to which they spill alike, and would write over those of another.
    spilled = scratch.new(SPILLED)
    engine = duckdb.connect(
        config={
            "memory_limit": MEMORY_LIMIT,
            "temp_directory": str(spilled.path),
            # Nothing is fetched: what the package brings is all that reading needs.
            "autoinstall_known_extensions": False,
        }
    )
    spilled.remove_with(engine)
    engine.execute("SET TimeZone = 'UTC'")
    engine.execute(f"SET disabled_optimizers = '{','.join(DISABLED)}'")
    # Its bar would be printed into whatever reads our output. In a kernel without widgets there is none to switch off.
    with contextlib.suppress(duckdb.Error):
        engine.execute("SET enable_progress_bar = false")
    return engine


def table(engine: duckdb.DuckDBPyConnection, sql: str) -> pd.DataFrame:
    """The answer to a query, through Arrow, which keeps types and time zones."""
    with Stoppable(engine):
        found: pd.DataFrame = engine.execute(sql).to_arrow_table().to_pandas(maps_as_pydicts="lossy")
    return found


class Stoppable:
    """What is stopped in the middle raises KeyboardInterrupt, without the frames in which it was: a notebook keeps those, and all that they hold, until the next error.

    In the middle of a query DuckDB raises a RuntimeError of its own because of it, which looks like a defect, and keeps what that had open until the
    next query.
    """

    def __init__(self, engine: duckdb.DuckDBPyConnection | None = None) -> None:
        """engine: the connection that is asked inside, where that is one alone."""
        self._engine = engine

    def __enter__(self) -> None:
        """Begins."""

    def __exit__(
        self, _: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        because = (error.__cause__ or error.__context__) if isinstance(error, RuntimeError) else error
        if not isinstance(because, KeyboardInterrupt):
            return
        # This frame belongs to what is raised.
        del traceback
        while error is not None:
            error.__traceback__ = None
            error = error.__cause__ or error.__context__
        if self._engine is not None:
            # It may be closed by now.
            with contextlib.suppress(duckdb.Error):
                # Its other threads would go on with what they are at.
                self._engine.interrupt()
                self._engine.execute("SELECT 1")
        raise KeyboardInterrupt from None


def entries_of(path: Path) -> str:
    """SQL for the entries in a Parquet file of this module: unparsed lines and blank ones left out."""
    return f"(SELECT * FROM {rows_of(path)} WHERE timestamp IS NOT NULL)"


def beginning(path: Path, *, most: int) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The first entries in a Parquet file of this module, and the first lines that are in none."""
    with connect() as engine:
        first = table(engine, f"SELECT * FROM {entries_of(path)} ORDER BY file, line LIMIT {most}")
        lost = engine.execute(
            f"SELECT left(body, 200) FROM {rows_of(path)} WHERE timestamp IS NULL AND body IS NOT NULL ORDER BY file, line LIMIT {most}"
        ).fetchall()
    return first, tuple(str(line) for (line,) in lost)


def rows_of(
    path: Path, *, instead: Mapping[str, str] = MappingProxyType({}), more: Sequence[str] = ()
) -> str:
    """SQL for every row, `line` filled in. instead: SQL for columns that are not to be as they are. more: columns beside the usual ones."""
    # Evidence of older versions lacks what was added since.
    there = set(pq.read_schema(path).names)
    absent = {name: f"NULL::{kind} AS {name}" for name, kind in COLUMNS.items() if name not in there}
    filled = {"line": "coalesce(line, file_row_number + 1) AS line", **absent, **instead}
    names = ", ".join([*(filled.get(name, name) for name in COLUMNS), *more])
    return f"(SELECT {names} FROM read_parquet({quoted(str(path))}, file_row_number=true))"


NOTHING = "SELECT " + ", ".join(f"NULL::{kind} AS {name}" for name, kind in COLUMNS.items()) + " LIMIT 0"


def empty() -> pd.DataFrame:
    """A table of entries that holds none."""
    with connect() as engine:
        return table(engine, NOTHING)
