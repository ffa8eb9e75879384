"""Which service is at fault: a ranking by what differs from quiet time, given what the callees do, and what chance would name.

Source: the largest of many tests judged by the same search in quiet windows follows Westfall and Young, Resampling-Based
Multiple Testing (1993), with windows of time instead of permutations.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np

from proofbook.collect.logs.entries import connect
from proofbook.collect.traces.names import service_sql
from proofbook.config import moments
from proofbook.config.duckdb_text import quoted
from proofbook.errors import UsageError
from proofbook.investigation.services import blame, windows
from proofbook.investigation.services.scores import Scales, Trial
from proofbook.investigation.services.signs import signs_of
from proofbook.investigation.services.suspects import Measure, Ranking, Suspect
from proofbook.investigation.services.tables import BUCKETS, Array, ServiceTables, Window, draw

# With fewer placebos none of them can show that chance is below 5 %.
LEAST_PLACEBOS = 19
MOST_PLACEBOS = 59
CALLED_AT = 0.05
# A quiet window stands for the one looked at if it is about as long and as busy.
AS_LONG, AS_BUSY = 0.8, 0.3
# Between these buckets of the stretch its beginning is looked for; 0 means that all of it is meant.
ONSETS = (0, *range(2, BUCKETS - 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """Parquet files of one or more stretches of time: spans, entries of the log, measurements, as the schema has them."""

    spans: tuple[Path, ...]
    entries: tuple[Path, ...] = ()
    measurements: tuple[Path, ...] = ()


def rank(
    looked: Recorded, *, quiet: Recorded | None = None, since: dt.datetime | str | None = None
) -> Ranking:
    """The services of a system, ranked by what speaks against them in the stretch looked at.

    Args:
        quiet: recorded when nothing was wrong. since: when it began, in words as of `config.moments`, counted back from the last trace;
            None: it is looked for, and all before `since` is quiet.

    Raises:
        UsageError: no traces lie in the stretch, or none from before it, or `since` is no time.
    """
    with closing(_engine(looked, quiet)) as engine:
        stretches = _windows(engine, since)
        tables = draw(engine, stretches)
        scales = Scales(tables)
        number = next(place for place, window in enumerate(stretches) if not window.is_quiet)
        placebos = _placebos(tables, number)
        onsets = (0,) if since is not None else ONSETS
        trial = _best(scales, number, onsets)
        chances = [_best(scales, placebo, onsets) for placebo in placebos]
        found = blame.explained(signs_of(trial, scales), trial, scales, engine)
        needed = max(0, LEAST_PLACEBOS - len(placebos))
        window = stretches[number]
        return Ranking(
            suspects=tuple(_judged(found, chances, tables, placebos)),
            services=len(tables.services),
            traces=_traces(engine, [number]),
            quiet_traces=_traces(engine, scales.quiet),
            since=window.start + dt.timedelta(seconds=window.length_s * trial.bucket / BUCKETS),
            since_is_stated=since is not None,
            placebos=len(placebos),
            needed=LEAST_PLACEBOS,
            window_s=window.length_s,
            missing_s=needed * window.length_s,
        )


def _judged(
    found: Sequence[blame.Found],
    trials: Sequence[Trial],
    tables: ServiceTables,
    placebos: Sequence[int],
) -> Iterator[Suspect]:
    """Each service with what speaks against it as a suspect, and how often quiet windows give any service as much."""
    measured = np.repeat(np.arange(len(tables.windows)), BUCKETS)[tables.used.count.sum(axis=0) > 0]
    for item in sorted(found, key=lambda item: (-item.score, item.service)):
        best = [
            trial.best
            for trial, window in zip(trials, placebos, strict=True)
            if item.signs[0].measure is not Measure.RESOURCES or window in measured
        ]
        enough = len(best) >= LEAST_PLACEBOS
        chance = (1 + sum(score >= item.score for score in best)) / (1 + len(best)) if enough else None
        yield Suspect(
            service=item.service,
            score=item.score,
            signs=item.signs,
            chance=chance,
            called=chance is not None and chance <= CALLED_AT and not item.explained_by,
            explained_by=item.explained_by,
        )


def _best(scales: Scales, window: int, onsets: Sequence[int]) -> Trial:
    """The look at a window that finds most, over where it may have begun."""
    return max((scales.look(window, bucket) for bucket in onsets), key=lambda trial: trial.best)


def _placebos(tables: ServiceTables, looked: int) -> list[int]:
    """Quiet windows that stand for the one looked at, spread over all of them."""
    stretches, traces = (
        tables.windows,
        tables.traces.max(axis=0, initial=0.0).reshape(-1, BUCKETS).sum(axis=1),
    )
    fit = [
        number
        for number, window in enumerate(stretches)
        if window.is_quiet
        and window.has_spans
        and window.length_s >= AS_LONG * stretches[looked].length_s
        and traces[number] >= AS_BUSY * traces[looked]
    ]
    if len(fit) <= MOST_PLACEBOS:
        return fit
    return [fit[place] for place in np.linspace(0, len(fit) - 1, MOST_PLACEBOS).astype(int)]


# Evidence -----------------------------------------------------------------------------------------------------------


def _engine(looked: Recorded, quiet: Recorded | None) -> duckdb.DuckDBPyConnection:
    """An engine with the views that `tables.draw` needs; a span that was recorded twice stands in it once."""
    engine = connect()
    engine.execute("SET preserve_insertion_order = false")
    parts = [("false", looked), *([("true", quiet)] if quiet else [])]
    for name, columns in _VIEWS.items():
        rows = [
            f"SELECT {columns}, {is_quiet} AS is_quiet FROM read_parquet([{', '.join(quoted(str(path)) for path in files)}], union_by_name = true)"
            for is_quiet, part in parts
            if (files := getattr(part, name))
        ]
        engine.execute(
            f"CREATE TABLE {name} AS {' UNION ALL '.join(rows) if rows else _EMPTY[name] + ' WHERE false'}"
        )
    engine.execute("DELETE FROM spans WHERE is_quiet AND trace_id IN (SELECT trace_id FROM spans WHERE NOT is_quiet)")  # fmt: skip
    return engine


_VIEWS = {
    "spans": "trace_id, span_id, parent_id, service, instance, operation, started, took_s, status",
    "entries": f"timestamp, severity_number, coalesce(service_name, {service_sql('service_instance_id')}) AS service, trace_id, span_id, header, body",
    "measurements": "service, instance, timestamp, name, value",
}
_EMPTY = {
    "spans": "SELECT '' AS trace_id",
    "entries": "SELECT now() AS timestamp, 0 AS severity_number, '' AS service, '' AS trace_id, '' AS span_id, '' AS header, '' AS body, false AS is_quiet",
    "measurements": "SELECT '' AS service, '' AS instance, now() AS timestamp, '' AS name, 0.0 AS value, false AS is_quiet",
}


def _windows(engine: duckdb.DuckDBPyConnection, since: dt.datetime | str | None) -> list[Window]:
    begun = "SELECT epoch(coalesce(min(started) FILTER (parent_id IS NULL), min(started))) AS t FROM spans WHERE {} GROUP BY trace_id"
    new, old = (_times(engine, begun.format(which)) for which in ("NOT is_quiet", "is_quiet"))
    if isinstance(since, str):
        first, last = (dt.datetime.fromtimestamp(float(edge), dt.UTC) for edge in (new.min(), new.max()))
        try:
            since = moments.moment(since, reference=last, since=first)
        except UsageError as error:
            raise UsageError(f"--since: {error}") from None
    if since is not None:
        at = since.timestamp()
        old, new = np.concatenate([old, new[new < at]]), new[new >= at]
        if not len(new):
            raise UsageError(f"expected traces from {since:%Y-%m-%d %H:%M:%S} on, got none; give another --since")  # fmt: skip
        if not len(old):
            raise UsageError(f"expected traces from before {since:%Y-%m-%d %H:%M:%S} to compare with, got none; give a later --since, or --before")  # fmt: skip
    looked = windows.looked_at(new, since=since)
    quiet = windows.quiet(old, looked=looked)
    measured = _times(engine, "SELECT epoch(timestamp) AS t FROM measurements")
    others = windows.measured(measured, looked=looked, taken=quiet)
    return sorted([*quiet, *others, looked], key=lambda window: (window.start, window.end))


def _times(engine: duckdb.DuckDBPyConnection, query: str) -> Array:
    return np.asarray(engine.execute(query).fetchnumpy()["t"], dtype=np.float64)


def _traces(engine: duckdb.DuckDBPyConnection, numbers: Sequence[int]) -> int:
    counted = engine.execute(
        f"SELECT count(*) FROM placed WHERE trace_id IN (SELECT trace_id FROM spans) AND g // {BUCKETS} IN (SELECT unnest($1::INTEGER[]))",
        [list(numbers)],
    ).fetchone()
    return int(counted[0]) if counted else 0
