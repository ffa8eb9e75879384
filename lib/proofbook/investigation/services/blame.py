"""Blame passes to the callee: what a caller shows only in traces in which its callee shows it too is the callee's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import duckdb
import numpy as np
import pandas as pd
from scipy.stats import hypergeom

from proofbook.investigation.services.scores import Scales, Trial, differing_shares, on_scale
from proofbook.investigation.services.signs import LEAST_Z, Traced
from proofbook.investigation.services.suspects import Measure, Sign

# Of each service so many signs are kept.
MOST_SIGNS = 5
# At least so much of what is odd at the caller is odd at the callee in the same trace.
SHARED = 0.5
# Of a callee of which less is to be said than half of what is said of its caller, nearly all, and more than where the caller is
# as ever: it may be odd everywhere and always.
HALF, NEARLY_ALL, BY_CHANCE = 0.5, 0.8, 0.01
# What is left of the caller's score without these traces, at most, if they are what it consisted of.
LEFT = 0.5
# So many services are tried as callers, strongest first, each by so many of the strongest signs of its operations.
MOST_CALLERS, MOST_OF_OPERATIONS = 8, 12


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
    look = _Look(signs, trial, scales, engine)
    below = reachable(scales.tables.calls)
    found = []
    for place, caller in enumerate(ranked):
        left, callee = signs[caller][0], ""
        for other in ranked if place < MOST_CALLERS else ():
            if other == caller or other not in below.get(caller, ()) or caller in below.get(other, ()):
                continue
            rest = min((look.rest(caller, shared) for shared in look.shared(caller, other)), default=left)
            if rest < min(left, LEFT * signs[caller][0]):
                left, callee = rest, other
        shown = tuple(item.sign for item in signs[caller][1][:MOST_SIGNS])
        found.append(Found(service=caller, score=left, signs=shown, explained_by=callee))
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


class _Look:
    """Which traces show the signs of each service, and what is left of one without those of another."""

    def __init__(
        self,
        signs: Mapping[str, tuple[float, list[Traced]]],
        trial: Trial,
        scales: Scales,
        engine: duckdb.DuckDBPyConnection,
    ) -> None:
        self.scores = {name: score for name, (score, _) in signs.items()}
        self.trial, self.scales, self.engine = trial, scales, engine
        self.groups = [int(group) for group in np.flatnonzero(trial.after)]
        self.held = {name: list(_of_each_operation(items))[:MOST_OF_OPERATIONS] for name, (_, items) in signs.items()}  # fmt: skip
        self.odd = self._odd()

    def shared(self, caller: str, callee: str) -> Iterator[set[str]]:
        """Traces that are odd at a callee, where what is odd at its caller is odd in the same ones: all of them, or those of one sign."""
        own, each = set().union(*self.odd.get(caller, ())), self.odd.get(callee, [])
        others = set().union(*each)
        if not own or len(own & others) < SHARED * len(own):
            return
        if self.scores[callee] >= max(LEAST_Z, HALF * self.scores[caller]):
            yield others
            return
        ran = self._ran(caller) | own
        for traces in each:
            both = len(own & traces)
            chance = float(hypergeom.sf(both - 1, len(ran), len(ran & traces), len(own)))
            if both >= NEARLY_ALL * len(own) and chance <= BY_CHANCE:
                yield traces

    def rest(self, caller: str, others: set[str]) -> float:
        """The score that a caller's signs have without these traces."""
        return max(self._left(item, others) for item in self.held[caller])

    def _ran(self, service: str) -> set[str]:
        """The traces in which the operations ran that show the signs of a service."""
        operations = [item.operation for item in self.held[service] if item.operation >= 0]
        rows = self.engine.execute(
            f"SELECT DISTINCT trace_id FROM ran JOIN placed USING (trace_id) WHERE o IN (SELECT unnest($1::INTEGER[])) AND {_AFTER.format(2)}",
            [operations, self.groups],
        ).fetchall()
        return {str(trace) for (trace,) in rows}

    def _odd(self) -> dict[str, list[set[str]]]:
        """By service, for each of the strongest signs of its operations, the traces that show it."""
        rows = [
            (number, name, item.row, _form(item), item.size > 0, _middle(item))
            for name, items in self.held.items()
            for number, item in enumerate(items)
            if abs(item.sign.z) >= LEAST_Z
        ]
        self.engine.register("wanted", pd.DataFrame(rows, columns=["number", "who", "row", "form", "is_more", "middle"]))  # fmt: skip
        found: dict[tuple[str, int], set[str]] = {}
        for service, number, trace in self.engine.execute(_ODD.format(after=_AFTER.format(1)), [self.groups]).fetchall():  # fmt: skip
            found.setdefault((str(service), int(number)), set()).add(str(trace))
        self.engine.unregister("wanted")
        odd: dict[str, list[set[str]]] = {}
        for (service, _), traces in sorted(found.items(), key=lambda item: item[0]):
            odd.setdefault(service, []).append(traces)
        return odd

    def _left(self, item: Traced, others: set[str]) -> float:
        if item.sign.measure is Measure.RESOURCES:
            return item.sign.score
        given = [item.row, self.groups, sorted(others)]
        outside = f"{_AFTER.format(2)} AND trace_id NOT IN (SELECT unnest($3::VARCHAR[]))"
        if item.sign.kind:
            count, share = self.engine.execute(f"SELECT count(*), coalesce(sum(share), 0) FROM ({_SHARES}) JOIN placed USING (trace_id) WHERE step = $1 AND {outside}", given).fetchone() or (0, 0.0)  # fmt: skip
            tables, before = self.scales.tables, self.trial.before
            quiet = (tables.held[item.row, before].sum(), tables.traces[item.operation, before].sum())
            z, size = differing_shares(*(np.array([float(value)]) for value in (*quiet, share, count)))
        else:
            count, mean = self.engine.execute(f"SELECT count(*), coalesce(avg(v), 0) FROM own JOIN placed USING (trace_id) WHERE o = $1 AND {outside}", given).fetchone() or (0, 0.0)  # fmt: skip
            size = np.array([float(mean) - float(np.log(max(item.sign.before, 1e-12))) if count else 0.0])
            # As clear as it was, but for what is left of its size and, by the root, of its traces.
            left = count / max(1, item.sign.of_after)
            z = np.array([item.sign.z * np.sqrt(left) * max(0.0, size[0]) / max(item.size, 1e-9)])
        same_way = size[0] * item.size > 0
        return float(on_scale(z, size, np.array([item.scale]))[0]) if same_way else 0.0


_AFTER = "g IN (SELECT unnest(${}::INTEGER[]))"
# Every trace that ran the operation of a step, and how much of the step it has.
_SHARES = """SELECT st.step, r.trace_id, coalesce(sh.share, 0) AS share FROM steps st JOIN ran r ON r.o = st.o
  LEFT JOIN shares sh ON sh.trace_id = r.trace_id AND sh.o = st.o AND sh.kind = st.kind AND sh.what = st.what AND sh.service = st.service"""
_ODD = f"""SELECT DISTINCT who, number, trace_id FROM (
    SELECT w.who, w.number, f.trace_id FROM wanted w JOIN ({_SHARES}) f ON f.step = w.row WHERE w.form = 'step' AND CASE WHEN w.is_more THEN f.share > 0 ELSE f.share < 1 END
    UNION ALL SELECT w.who, w.number, own.trace_id FROM wanted w JOIN own ON own.o = w.row WHERE w.form = 'time' AND own.v > w.middle
    UNION ALL SELECT w.who, w.number, s.trace_id FROM wanted w JOIN s ON s.service = w.who WHERE w.form = 'use'
  ) JOIN placed USING (trace_id) WHERE {{after}}"""


def _of_each_operation(items: Sequence[Traced]) -> Iterator[Traced]:
    """The strongest sign of each operation by each measure, strongest first."""
    seen: set[tuple[int, Measure]] = set()
    for item in items:
        if (key := (item.operation, item.sign.measure)) not in seen:
            seen.add(key)
            yield item


def _form(item: Traced) -> str:
    return "use" if item.sign.measure is Measure.RESOURCES else "step" if item.sign.kind else "time"


def _middle(item: Traced) -> float:
    """Nearer to what is typical now than to what was begins here."""
    return float(np.log(max(item.sign.after, 1e-12)) - item.size / 2)
