"""Blame passes to the callee: what a caller shows only in traces in which its callee shows it too is the callee's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import duckdb
import numpy as np

from proofbook.investigation.service_scores import Scales, Trial, differing_shares, on_scale
from proofbook.investigation.service_signs import Traced
from proofbook.investigation.suspects import Measure, Sign

# A callee takes blame only where something speaks against it by itself: one in two hundred differs so by chance.
LEAST_OF_A_CALLEE = 2.5
# ... and not where the caller's signs are far clearer: then the callee may only feel what its caller does.
OF_ITS_CALLER = 0.5
# At least so much of what is odd at the caller is odd at the callee in the same trace.
SHARED = 0.5
# What is left of the caller's score without these traces, at most, if they are what it consisted of.
LEFT = 0.5
# So many services are tried as callers, strongest first.
MOST_CALLERS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A service with its score, given what its callees do."""

    service: str
    score: float
    signs: tuple[Sign, ...]
    explained_by: str = ""


def explained(
    signs: Mapping[str, tuple[float, list[Traced]]],
    trial: Trial,
    scales: Scales,
    engine: duckdb.DuckDBPyConnection,
) -> list[Found]:
    """Each service with what is left of its score once its callees have taken theirs."""
    ranked = sorted(signs, key=lambda name: (-signs[name][0], name))
    below = reachable(scales.tables.calls)
    odd: dict[str, set[str]] = {}
    found = []
    for place, caller in enumerate(ranked):
        score, held = signs[caller]
        left, callee = score, ""
        if place < MOST_CALLERS:
            for other in ranked:
                if (
                    other != caller
                    and other in below.get(caller, ())
                    and caller not in below.get(other, ())
                    and signs[other][0] >= max(LEAST_OF_A_CALLEE, OF_ITS_CALLER * score)
                ):
                    for name in (caller, other):
                        if name not in odd:
                            odd[name] = odd_traces(signs[name][1], trial, engine)
                    rest = _without(held, odd[caller], odd[other], trial, scales, engine)
                    if rest is not None and rest < min(left, LEFT * score):
                        left, callee = rest, other
        found.append(Found(service=caller, score=left, signs=tuple(item.sign for item in held), explained_by=callee))  # fmt: skip
    return found


def reachable(calls: Iterable[tuple[str, str]]) -> dict[str, set[str]]:
    """By service, all that it calls, at once or by others.

    >>> sorted(reachable([("a", "b"), ("b", "c"), ("c", "b")])["a"])
    ['b', 'c']
    """
    direct: dict[str, set[str]] = {}
    for caller, callee in calls:
        direct.setdefault(caller, set()).add(callee)
    found = {}
    for start in direct:
        seen: set[str] = set()
        ahead = set(direct[start])
        while ahead:
            seen |= ahead
            ahead = {below for name in ahead for below in direct.get(name, ())} - seen
        found[start] = seen
    return found


def odd_traces(held: Iterable[Traced], trial: Trial, engine: duckdb.DuckDBPyConnection) -> set[str]:
    """The traces in which a service shows its strongest sign, or one at least half as clear."""
    signs = list(held)
    strong = [item for item in signs if item.sign.score >= signs[0].sign.score / 2]
    return set().union(*(_odd(item, trial, engine) for item in strong))


def _odd(item: Traced, trial: Trial, engine: duckdb.DuckDBPyConnection) -> set[str]:
    given: list[object] = [item.row]
    groups = [int(group) for group in np.flatnonzero(trial.after)]
    if item.sign.measure is Measure.RESOURCES:
        query, given = "SELECT DISTINCT trace_id FROM s JOIN placed USING (trace_id) WHERE service = $1", [item.sign.service]  # fmt: skip
    elif item.sign.kind:
        share = "SELECT r.trace_id FROM ran r JOIN placed USING (trace_id) JOIN steps st ON st.o = r.o LEFT JOIN shares sh ON sh.trace_id = r.trace_id AND sh.o = r.o AND sh.kind = st.kind AND sh.what = st.what AND sh.service = st.service WHERE st.step = $1"
        query = f"{share} AND coalesce(sh.share, 0) {'> 0' if item.size > 0 else '< 1'}"
    else:
        # Nearer to what is typical now than to what was.
        middle = float(np.log(max(item.sign.after, 1e-12)) - item.size / 2)
        query = f"SELECT trace_id FROM own JOIN placed USING (trace_id) WHERE o = $1 AND v > {middle!r}"  # fmt: skip
    rows = engine.execute(f"{query} AND g IN (SELECT unnest($2::INTEGER[]))", [*given, groups]).fetchall()
    return {str(trace) for (trace,) in rows}


def _without(
    held: list[Traced],
    own: set[str],
    others: set[str],
    trial: Trial,
    scales: Scales,
    engine: duckdb.DuckDBPyConnection,
) -> float | None:
    """The score that a caller's signs have without the traces that are odd at its callee; None: these are not the same traces."""
    if not own or len(own & others) < SHARED * len(own):
        return None
    return max(_left(item, others, trial, scales, engine) for item in held)


def _left(
    item: Traced,
    others: set[str],
    trial: Trial,
    scales: Scales,
    engine: duckdb.DuckDBPyConnection,
) -> float:
    groups = [int(group) for group in np.flatnonzero(trial.after)]
    if item.sign.measure is Measure.RESOURCES:
        return item.sign.score
    given = [item.row, groups, sorted(others)]
    outside = "g IN (SELECT unnest($2::INTEGER[])) AND {}.trace_id NOT IN (SELECT unnest($3::VARCHAR[]))"
    tables = scales.tables
    if item.sign.kind:
        query = f"SELECT count(*), coalesce(sum(sh.share), 0) FROM ran r JOIN placed USING (trace_id) JOIN steps st ON st.o = r.o LEFT JOIN shares sh ON sh.trace_id = r.trace_id AND sh.o = r.o AND sh.kind = st.kind AND sh.what = st.what AND sh.service = st.service WHERE st.step = $1 AND {outside.format('r')}"
        count, share = engine.execute(query, given).fetchone() or (0, 0.0)
        operation = int(scales.shown_by_step[item.row])
        before = [tables.held[item.row, trial.before].sum(), tables.traces[operation, trial.before].sum()]
        z, size = differing_shares(*(np.array([float(value)]) for value in (*before, share, count)))
    else:
        query = f"SELECT count(*), coalesce(avg(v), 0) FROM own JOIN placed USING (trace_id) WHERE o = $1 AND {outside.format('own')}"
        count, mean = engine.execute(query, given).fetchone() or (0, 0.0)
        # As clear as before for as many values, and for fewer by the root of their share.
        size = np.array([float(mean) - float(np.log(max(item.sign.before, 1e-12))) if count else 0.0])
        share_left = count / max(1, item.sign.of_after)
        z = np.array([item.sign.z * np.sqrt(share_left) * max(0.0, size[0]) / max(item.size, 1e-9)])
    same_way = size[0] * item.size > 0
    return float(on_scale(z, size, np.array([item.scale]))[0]) if same_way else 0.0
