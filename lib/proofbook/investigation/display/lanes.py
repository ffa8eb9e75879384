"""What lies over time, as values: counts, latencies and probes of a look by bucket, and where nothing is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from proofbook.config.duckdb_text import quoted
from proofbook.investigation import prepare
from proofbook.investigation.display.axis import Axis
from proofbook.stats import steps

if TYPE_CHECKING:
    from proofbook.investigation.look import Look

MOST_LANES = 16
# Kinds of message: so many are compared, the most frequent, and so many get a lane.
MOST_COMPARED, MOST_KINDS, MOST_CODES = 40, 5, 3
# The others are the most frequent. Fewer entries rise by luck.
MOST_RISING, LEAST = 3, 5
# Two lanes as alike as this show one thing.
ALIKE = 0.8
# Nothing is known of a gap so long beside the mean time between entries, and a hundredth of the span.
LONG_GAP = 50
# So short a part of the span that no pause within it is said to be long, nor tells what is usual.
PARTS = 1000
# So many pauses are no accident: longer ones are, if they are twice as long as the shortest of these.
USUAL = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """Values by bucket, None where there is none.

    kind: `load`, `wrong`, `own` (of our own probes) or `latency`. name, value: what `where` selects it by; empty where it does not. second: of
    latencies the 95th percentile beside the median. strength: of its strongest rise, to rank it by.
    """

    title: str
    kind: str
    values: tuple[float | None, ...]
    name: str = ""
    value: str = ""
    second: tuple[float | None, ...] = ()
    strength: float = 0.0

    @property
    def most(self) -> float:
        """The largest value."""
        return max((value for value in (*self.values, *self.second) if value is not None), default=0.0)

    @property
    def total(self) -> float:
        """The sum of the values."""
        return sum(value for value in self.values if value is not None)


def of(look: Look, axis: Axis) -> tuple[Lane, ...]:
    """The lanes of a look in which anything lies: load, what went wrong, latencies, probes."""
    exposure = _exposure(look, axis)
    asked = {
        "requests": ("http_status IS NOT NULL", "load", ""),
        "answers of 4xx": ("http_status BETWEEN 400 AND 499", "wrong", "status>=400 and status<500"),
        "answers of 5xx": ("http_status >= 500", "wrong", "status>=500"),
        "entries of no request": ("NOT of_request", "load", ""),
    }
    counts = ", ".join(f"count(*) FILTER (WHERE {condition}) AS c{number}" for number, (condition, _, _) in enumerate(asked.values()))  # fmt: skip
    found = look.sql(f"SELECT {axis.bucket} AS bucket, {counts} FROM entries_brief WHERE NOT own GROUP BY bucket").set_index("bucket")  # fmt: skip
    load: list[Lane] = []
    wrong: list[Lane] = []
    for number, (title, (_, kind, condition)) in enumerate(asked.items()):
        series = _filled(found[f"c{number}"], axis)
        lane = Lane(title=title, kind=kind, values=tuple(map(int, series)), value=condition, strength=_strength(series, exposure) if kind == "wrong" else 0.0)  # fmt: skip
        (wrong if kind == "wrong" else load).append(lane)
    lanes = [load[0], *wrong, *_kinds(look, axis, exposure), *_latencies(look, axis), *load[1:], *_probes(look, axis)]  # fmt: skip
    return tuple(lane for lane in lanes if lane.most > 0)[: MOST_LANES - 1]


def rising(lanes: Sequence[Lane]) -> list[Lane]:
    """The lanes of what went wrong, the strongest rise first; of those that go alike a kind of message before a status."""
    chosen: list[Lane] = []
    ranked = sorted((lane for lane in lanes if lane.kind == "wrong" and lane.strength > 0), key=lambda lane: (not lane.name, -lane.strength))  # fmt: skip
    for lane in ranked:
        if not any(_alike(lane, other) for other in chosen):
            chosen.append(lane)
    return sorted(chosen, key=lambda lane: -lane.strength)


def unknown(look: Look, axis: Axis) -> tuple[tuple[float, float], ...]:
    """Where nothing was written by anything in this log, so that nothing is known: pairs of places on the axis."""
    first, last = (moment.isoformat() for moment in look.span)
    inside = f"timestamp BETWEEN TIMESTAMPTZ {quoted(first)} AND TIMESTAMPTZ {quoted(last)}"
    # A pause is at most as long as a part, or lies between two of them: so entries need not be sorted.
    found = look.records.ask(
        f"""WITH seen AS (SELECT timestamp FROM {prepare.BRIEF} WHERE {inside} UNION ALL VALUES (TIMESTAMPTZ {quoted(first)}), (TIMESTAMPTZ {quoted(last)})),
        placed AS (SELECT timestamp, (epoch_us(timestamp) - epoch_us(TIMESTAMPTZ {quoted(first)})) * {PARTS} // greatest(1, epoch_us(TIMESTAMPTZ {quoted(last)}) - epoch_us(TIMESTAMPTZ {quoted(first)})) AS part FROM seen),
        held AS (SELECT min(timestamp) AS first, max(timestamp) AS last, count(*) AS n FROM placed GROUP BY part),
        gaps AS (SELECT last AS began, lead(first) OVER (ORDER BY first) AS ended, sum(n) OVER () AS n FROM held)
        SELECT began, ended, epoch(ended) - epoch(began) AS gap_s, n FROM gaps WHERE ended IS NOT NULL ORDER BY gap_s DESC, began LIMIT 50"""
    )
    if found.empty:
        return ()
    length = (look.span[1] - look.span[0]).total_seconds()
    # A pause that comes again and again is how this log is written.
    usual = found["gap_s"].iloc[USUAL - 1] if len(found) >= USUAL else 0.0
    long = found[found["gap_s"] > max(length / 100, LONG_GAP * length / int(found["n"].iloc[0]), 2 * usual)].sort_values("began")  # fmt: skip
    return tuple((axis.place(pd.Timestamp(began)), axis.place(pd.Timestamp(ended))) for began, ended in zip(long["began"], long["ended"], strict=True))  # fmt: skip


def _exposure(look: Look, axis: Axis) -> np.ndarray:
    """Requests of the whole log by bucket; of a log without requests the length of each."""
    found = look.records.ask(
        f"SELECT bucket, count(DISTINCT unit) AS n FROM (SELECT {axis.bucket} AS bucket, unit FROM {prepare.BRIEF} WHERE of_request AND NOT own) WHERE bucket BETWEEN 0 AND {axis.buckets - 1} GROUP BY bucket"
    )
    counts = _filled(found.set_index("bucket")["n"], axis).astype(np.float64)
    return counts if counts.any() else np.full(axis.buckets, axis.width_s)


def _kinds(look: Look, axis: Axis, exposure: np.ndarray) -> list[Lane]:
    """Messages and exceptions of errors and warnings: those whose rate rose most, then the most frequent."""
    found = look.sql(
        f"""WITH chosen AS (SELECT template, max(severity_number) >= 17 AS error, count(*) AS n FROM entries_brief WHERE severity_number >= 13 AND template IS NOT NULL AND NOT own
            GROUP BY template ORDER BY error DESC, n DESC, template LIMIT {MOST_COMPARED})
        SELECT c.template, c.error, {axis.bucket} AS bucket, count(*) AS hits FROM entries_brief e JOIN chosen c USING (template) WHERE NOT own GROUP BY ALL"""
    )
    lanes = []
    for template, rows in found.groupby("template"):
        series = _filled(rows.set_index("bucket")["hits"], axis)
        strength = _strength(series, exposure) if series.sum() >= LEAST else 0.0
        title = str(template)
        lanes.append(Lane(title=title, kind="wrong", values=tuple(map(int, series)), name="template", value=title, strength=strength))  # fmt: skip
    errors = set(found["template"][found["error"]])
    rising = sorted((lane for lane in lanes if lane.strength), key=lambda lane: (-lane.strength, lane.title))[:MOST_RISING]  # fmt: skip
    others = sorted((lane for lane in lanes if lane not in rising), key=lambda lane: (lane.title not in errors, -lane.total, lane.title))  # fmt: skip
    return [*rising, *others][:MOST_KINDS]


def _latencies(look: Look, axis: Axis) -> list[Lane]:
    found = look.sql(
        f"SELECT {axis.bucket} AS bucket, quantile_cont(http_latency_s, [0.5, 0.95]) AS found FROM entries_brief WHERE http_latency_s IS NOT NULL AND NOT own GROUP BY bucket"
    ).set_index("bucket")
    if found.empty:
        return []
    whole = found.reindex(range(axis.buckets))
    p50, p95 = (tuple(float(value[place]) if isinstance(value, np.ndarray) else None for value in whole["found"]) for place in (0, 1))  # fmt: skip
    return [Lane(title="latency: median, and 95th percentile (dashed)", kind="latency", values=p50, second=p95)]  # fmt: skip


def _probes(look: Look, axis: Axis) -> list[Lane]:
    """Our own probes: of a run as they went, of a log what they left in it."""
    if look.records.source.evidence is None:
        own = look.sql(
            f"SELECT {axis.bucket} AS bucket, count(*) AS n FROM entries_brief WHERE own GROUP BY bucket"
        )
        return [Lane(title="our own probes", kind="own", values=tuple(map(int, _filled(own.set_index("bucket")["n"], axis))))]  # fmt: skip
    found = look.sql(
        f"SELECT {axis.bucket} AS bucket, CASE WHEN ok THEN 'our probes: ok' ELSE 'our probes: failed' END AS what, count(*) AS n FROM probes WHERE timestamp IS NOT NULL AND ok IS NOT NULL GROUP BY ALL"
        f" UNION ALL SELECT {axis.bucket}, 'our probes: closed with ' || close_code, count(*) FROM probes WHERE timestamp IS NOT NULL AND NOT ok AND close_code <> 1000 GROUP BY ALL"
    )
    found = found[found["bucket"].between(0, axis.buckets - 1)]
    totals = found.groupby("what")["n"].sum()
    codes = totals[totals.index.str.contains("closed")].nlargest(MOST_CODES).index
    titles = [title for title in ("our probes: ok", "our probes: failed", *codes) if title in totals.index]
    by_title = {title: found[found["what"] == title].set_index("bucket")["n"] for title in titles}
    return [Lane(title=title, kind="own" if title.endswith("ok") else "wrong", values=tuple(map(int, _filled(counts, axis)))) for title, counts in by_title.items()]  # fmt: skip


def _filled(counts: pd.Series, axis: Axis) -> np.ndarray:
    return counts.reindex(range(axis.buckets), fill_value=0).to_numpy(dtype=np.int64)


def _strength(counts: np.ndarray, exposure: np.ndarray) -> float:
    # What is counted at the edge of a bucket may belong to a request of the one before.
    return steps.strongest(counts, np.maximum(exposure, counts))


def _alike(one: Lane, other: Lane) -> bool:
    a, b = (np.array(lane.values, dtype=np.float64) for lane in (one, other))
    return bool(a.std() and b.std() and np.corrcoef(a, b)[0, 1] > ALIKE)
