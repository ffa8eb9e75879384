"""What earlier runs of an environment read in the same logs: when how much was written, and when each pattern matched."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pyarrow import parquet

from proofbook import paths
from proofbook.errors import ProofbookError
from proofbook.evidence import store
from proofbook.evidence.log_tables import LOG_MATCHES, LOG_PAST, LOG_PATTERNS, LOG_RHYTHM, LOG_SOURCES

# Of more earlier runs the newest are looked at: each costs a few milliseconds, and the oldest says least.
MOST_RUNS = 200
MOST_ROWS = 50_000
WIDTHS_S = (60, 600, 3600)
_ENTRIES = ("source", "service_name", "service_version", "own", "entries", "first", "last", "requests")
_HITS = ("source", "service_name", "service_version", "own", "pattern", "affected", "first", "last")
logger = logging.getLogger("proofbook.collect")
Tables = Mapping[str, Any]


def read(environment: str, tables: Tables, *, base: Path, without: Path | None = None) -> pd.DataFrame | None:
    """The table `log_past`: what the runs of this environment read of the same sources, older than `tables` reach back; None where there is nothing.

    A source is the same where its name and its format are, and the services that write it where they are named. Only patterns that are
    looked for now count, word for word. What several runs read is taken from the newest of them, and of entries that own probes
    caused nothing is.

    Args:
        tables: the small tables of the logs that were read just now. without: a folder of the run that is being recorded.
    """
    now = _Now.of(tables)
    parts = [part for run in _earlier(environment, base, without) for part in _of_run(run, environment, now)]
    if not parts:
        return None
    rows = pd.concat(parts, ignore_index=True)
    return LOG_PAST.typed(_coarse(rows).sort_values(["source", "pattern", "first", "run"], ignore_index=True))


@dataclass(frozen=True, kw_only=True)
class _Now:
    """What was read just now: per source its format and services, and the spans of time that it and newer runs cover, which grow."""

    patterns: frozenset[str]
    shapes: Mapping[str, str]
    services: Mapping[str, frozenset[str]]
    covered: dict[str, list[tuple[pd.Timestamp, pd.Timestamp]]] = field(default_factory=dict)

    @classmethod
    def of(cls, tables: Tables) -> _Now:
        rhythm, about = tables[LOG_RHYTHM.name], tables[LOG_SOURCES.name]
        found = cls(
            patterns=frozenset(tables[LOG_PATTERNS.name]["pattern"]),
            shapes=dict(zip(about["source"], about["shape"], strict=True)),
            services=_services(rhythm),
        )
        for source, rows in rhythm.groupby("source"):
            # What lies before is history; what lies after it is not, though the log may end early.
            found.covered[str(source)] = [(rows["first"].min(), pd.Timestamp.max.tz_localize("UTC"))]
        return found

    def holds(self, source: str, begin: pd.Timestamp, end: pd.Timestamp) -> bool:
        """Whether that time is covered already."""
        return any(span[0] <= begin and end <= span[1] for span in self.covered[source])

    def new(self, source: str, rows: pd.DataFrame) -> pd.DataFrame:
        """The rows that begin where nothing is covered yet."""
        free = np.ones(len(rows), dtype=bool)
        for begin, end in self.covered[source]:
            free &= ~((rows["first"] >= begin) & (rows["first"] <= end)).to_numpy()
        return rows[free]

    def is_same(self, source: str, shape: str, services: frozenset[str]) -> bool:
        mine = self.services.get(source, frozenset())
        return self.shapes.get(source) == shape and (not mine or not services or bool(mine & services))


def _services(rhythm: pd.DataFrame) -> dict[str, frozenset[str]]:
    named = rhythm.dropna(subset=["service_name"]).groupby("source")["service_name"].unique()
    return {str(source): frozenset(names) for source, names in named.items()}


def _earlier(environment: str, base: Path, without: Path | None) -> Iterator[Path]:
    """Folders of earlier runs, the newest first."""
    folder = paths.outputs(base) / environment
    if not folder.is_dir() or folder.is_symlink():
        return
    this = without.resolve() if without is not None else folder
    known = [path for path in folder.iterdir() if not path.name.startswith(".") and not path.is_symlink()]
    others = [path for path in known if not this.is_relative_to(path.resolve())]
    runs = [path for path in others if (path / "evidence" / store.MANIFEST).is_file()]
    yield from sorted(runs, key=lambda path: path.name, reverse=True)[:MOST_RUNS]


def _of_run(run: Path, environment: str, now: _Now) -> list[pd.DataFrame]:
    """What a run adds; nothing where it is of something else, damaged, or adds nothing."""
    try:
        evidence = store.read(run / "evidence")
        if evidence.manifest.environment != environment:
            return []
        return [part for phase in ("after", "before") for part in _of_phase(evidence, phase, run.name, now)]
    except (ProofbookError, OSError, ValueError, KeyError) as error:
        logger.info("run %s is not counted as history: %s", run.name, error)
        return []


def _of_phase(evidence: store.Evidence, phase: str, run: str, now: _Now) -> Iterable[pd.DataFrame]:
    file, tried = evidence.file(LOG_RHYTHM.name, phase), evidence.table(LOG_PATTERNS.name, phase)
    about = evidence.table(LOG_SOURCES.name, phase)
    if file is None or tried is None or about is None:
        return
    patterns = sorted(now.patterns & set(tried["pattern"]))
    sources = set(_usable(about)) & set(now.covered)
    span = _span(file)
    if not patterns or not sources or (span and all(now.holds(source, *span) for source in sources)):
        return
    entries, hits = (
        _read(evidence, LOG_RHYTHM.name, phase, _ENTRIES),
        _read(evidence, LOG_MATCHES.name, phase, _HITS),
    )
    services, shapes = _services(entries), dict(zip(about["source"], about["shape"], strict=True))
    for source in sorted(sources):
        if not now.is_same(source, shapes[source], services.get(source, frozenset())):
            continue
        mine = entries[entries["source"] == source]
        new, met = now.new(source, mine), now.new(source, hits[hits["source"] == source])
        if new.empty:
            continue
        now.covered[source].append((mine["first"].min(), mine["last"].max()))
        for pattern in patterns:
            yield new.assign(run=run, pattern=pattern, affected=0)
            found = met[met["pattern"] == pattern]
            yield found.assign(run=run, entries=0, requests=0)


def _usable(about: pd.DataFrame) -> Sequence[str]:
    """Sources that were read whole: of what was only sampled nobody knows when it was silent."""
    whole = about["problem"].fillna("").eq("")
    if "sampled_s" in about:
        whole &= about["sampled_s"].isna()
    return [str(name) for name in about.loc[whole, "source"]]


def _span(file: Path) -> tuple[pd.Timestamp, pd.Timestamp] | None:
    """The first and last time in a Parquet file, from what it notes about itself; None where it notes nothing."""
    noted = parquet.read_metadata(file)
    names = [noted.schema.column(number).name for number in range(noted.num_columns)]
    groups = [noted.row_group(number) for number in range(noted.num_row_groups)]
    ends = [[group.column(names.index(name)).statistics for group in groups] for name in ("first", "last")]
    if not groups or any(part is None or not part.has_min_max for side in ends for part in side):
        return None
    begin, end = min(part.min for part in ends[0]), max(part.max for part in ends[1])
    return pd.Timestamp(begin), pd.Timestamp(end)


def _read(evidence: store.Evidence, name: str, phase: str, columns: Sequence[str]) -> pd.DataFrame:
    """Rows that our own probes did not cause, health checks left out of the requests."""
    table = evidence.table(name, phase)
    if table is None:
        return pd.DataFrame(columns=list(columns))
    rows = table[~table["own"].astype(bool)]
    if "health_checks" in rows:
        rows = rows.assign(requests=rows["requests"] - rows["health_checks"].fillna(0).astype("int64"))
    return rows[list(columns)]


def _coarse(rows: pd.DataFrame) -> pd.DataFrame:
    """A row per run, source, pattern, revision and minute, or wider where these are many."""
    keys = ["run", "source", "pattern", "service_name", "service_version"]
    since = (rows["first"] - pd.Timestamp(0, tz="UTC")).dt.total_seconds()
    for width_s in WIDTHS_S:
        counted = (
            rows.assign(_place=(since // width_s).astype("int64"))
            .groupby([*keys, "_place"], dropna=False, as_index=False)
            .agg(first=("first", "min"), last=("last", "max"), entries=("entries", "sum"), requests=("requests", "sum"), affected=("affected", "sum"))
        )  # fmt: skip
        if len(counted) <= MOST_ROWS:
            break
    return counted.drop(columns="_place")
