"""How clearly each service differs in one stretch of time from quiet time, on a scale per service and measure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import hypergeom, norm

from proofbook.investigation.services.suspects import Measure
from proofbook.investigation.services.tables import (
    BUCKETS,
    Array,
    Counted,
    Places,
    ServiceTables,
    Step,
)

# What windows may differ by though nothing is wrong, where quiet time shows less: twice the odds, 1.35 times the time or use.
USUAL_ODDS = float(np.log(2.0))
USUAL_TIMES = 0.3
# Fewer values on a side say nothing of a typical one.
LEAST_VALUES = 3
# A measurement is an average over its interval: one of them may be a moment's work, two in a row are none.
LEAST_MEASUREMENTS = 2
# A call counts for its caller too, whose own network may be slow: by a little less, so that of the two the callee is named.
OF_THE_CALLER = 0.9
# Weaker signs than this decide nothing, so that their exact probability is not worth its time.
WEAK = 1.0
# With more windows than this their 90 % quantile is the scale, with fewer the largest.
FEW_WINDOWS = 10
Mask = np.ndarray[Any, np.dtype[np.bool_]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Differences:
    """How rows of a table differ after from before: standard errors, size (of logarithms), and score on their scale; size 0: too little to say."""

    z: Array
    size: Array
    scale: Array
    score: Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One look for suspects: from which bucket of which window on, and what was found.

    Attributes:
        by_measure: the score of each service, measure by measure. before, after: the groups compared.
    """

    window: int
    bucket: int
    before: Mask
    after: Mask
    steps: Differences
    times: Differences
    uses: Differences
    by_measure: dict[Measure, Array]

    @property
    def best(self) -> float:
        """The largest score of any service."""
        return max((float(scores.max(initial=0.0)) for scores in self.by_measure.values()), default=0.0)

    @property
    def scores(self) -> Array:
        """The largest score of each service."""
        found: Array = np.max(np.stack(list(self.by_measure.values())), axis=0)
        return found


class Scales:
    """Looks for suspects in any window; what quiet windows differ by is computed once."""

    def __init__(self, tables: ServiceTables) -> None:
        self.tables = tables
        places = {name: place for place, name in enumerate(tables.services)}
        operations, steps, series = tables.operations, tables.steps, tables.series
        self.quiet = [number for number, window in enumerate(tables.windows) if window.is_quiet]
        self.of_step = _places(steps["service"], places)
        self.shown_by_step = steps["operation"].to_numpy(dtype=np.intp)
        self.of_operation = _places(operations["service"], places)
        self.remote = _places(operations["remote"], places)
        self.of_series = _places(series["service"], places)
        self.is_error = np.isin(steps["kind"].to_numpy(dtype=object), [Step.ERROR, Step.ERROR_LINE])
        self.is_answer = (steps["kind"] == Step.ANSWER).to_numpy(dtype=bool)
        unanswered = {
            int(operation): row
            for row, (operation, kind) in enumerate(zip(steps["operation"], steps["kind"], strict=True))
            if kind == Step.NO_ANSWER
        }
        self.unanswered = np.array([unanswered.get(int(row), -1) for row in self.shown_by_step], dtype=np.intp)  # fmt: skip
        self.group_window = np.repeat(np.arange(len(tables.windows)), BUCKETS)
        self._step_excess = self._excess_of_steps()
        self._time_excess = self._excess(tables.own)
        self._use_excess = self._excess(tables.used)

    def groups(self, window: int) -> Mask:
        """The groups of a window."""
        found: Mask = self.group_window == window
        return found

    # One look ---------------------------------------------------------------------------------------------------

    def look(self, window: int, bucket: int) -> Trial:
        """What differs from a bucket of a window on, from all other quiet windows and from the buckets before it."""
        own = self.groups(window)
        place = np.arange(len(own)) % BUCKETS
        after = own & (place >= bucket)
        others = np.isin(self.group_window, [number for number in self.quiet if number != window])
        begun = own & (place < bucket)
        steps = self._steps(window, others, begun, after)
        times = self._values(self.tables.own, differing_values, self._time_excess, self.of_operation, window, others, begun, after)  # fmt: skip
        uses = self._values(self.tables.used, differing_uses, self._use_excess, self.of_series, window, others, begun, after)  # fmt: skip
        return Trial(
            window=window, bucket=bucket, before=others | begun, after=after,
            steps=steps, times=times, uses=uses, by_measure=self._by_measure(steps, times, uses),
        )  # fmt: skip

    def _by_measure(self, steps: Differences, times: Differences, uses: Differences) -> dict[Measure, Array]:
        is_call = self.remote >= 0
        return {
            Measure.STEPS: self._largest(np.where(self.is_error, 0.0, steps.score), self.of_step),
            Measure.ERRORS: self._largest(np.where(self.is_error, steps.score, 0.0), self.of_step),
            Measure.OWN_TIME: self._largest(np.where(is_call, 0.0, times.score), self.of_operation),
            Measure.CALL_TIME: self._on_the_way(times, is_call),
            Measure.RESOURCES: self._largest(uses.score, self.of_series),
        }

    def _largest(self, scores: Array, of: Places) -> Array:
        found = np.zeros(len(self.tables.services))
        np.maximum.at(found, of[of >= 0], scores[of >= 0])
        return found

    def _on_the_way(self, times: Differences, is_call: Mask) -> Array:
        """Of each service: what its callers see of it together, or that and its own calls, if its own network slows them all.

        Calls that one service makes belong to the same traces, so they count once: the largest for the callee of all of them,
        their mean for the caller.
        """
        size = len(self.tables.services)
        counts = is_call & (times.size != 0)
        seen = np.zeros((size, size))
        np.maximum.at(seen, (self.remote[counts], self.of_operation[counts]), times.score[counts])
        callers = np.zeros((size, size))
        callers[self.remote[counts], self.of_operation[counts]] = 1.0
        total, number = seen.sum(axis=1), callers.sum(axis=1)
        made, of = np.zeros(size), np.zeros(size)
        np.add.at(made, self.of_operation[counts], times.score[counts])
        np.add.at(of, self.of_operation[counts], 1.0)
        callee = total / np.sqrt(np.maximum(1.0, number))
        both = (total + made / np.maximum(1.0, of)) / np.sqrt(np.maximum(1.0, number + (of > 0)))
        larger: Array = np.maximum(callee, OF_THE_CALLER * both)
        return larger

    # Shares -----------------------------------------------------------------------------------------------------

    def _shares(self, before: Mask, after: Mask) -> tuple[Array, Array]:
        """Standard errors and log odds by which the share of traces with each step differs."""
        held, traces = self.tables.held, self.tables.traces
        ran_before, ran_after = traces[:, before].sum(axis=1), traces[:, after].sum(axis=1)
        return differing_shares(
            held[:, before].sum(axis=1), ran_before[self.shown_by_step],
            held[:, after].sum(axis=1), ran_after[self.shown_by_step],
        )  # fmt: skip

    def _excess_of_steps(self) -> Array:
        """By step and quiet window: the square of what it differs by from the others, beyond what its counts allow."""
        found = np.zeros((len(self.of_step), len(self.quiet)))
        for column, window in enumerate(self.quiet):
            others = np.isin(self.group_window, [number for number in self.quiet if number != window])
            found[:, column] = _beyond(*self._shares(others, self.groups(window)))
        return found

    def _steps(self, window: int, others: Mask, begun: Mask, after: Mask) -> Differences:
        z, size = self._shares(others | begun, after)
        # That a callee answers more often speaks against nobody.
        z = np.where(self.is_answer & (size > 0), 0.0, z)
        excess = self._of_windows(self._step_excess, window)
        if begun.any() and others.any():
            excess = np.maximum(excess, _beyond(*self._shares(others, begun)))
        usual = np.full(len(z), USUAL_ODDS**2)
        scale = np.sqrt(np.maximum(np.maximum(usual, excess), self._of_service(excess, self.of_step)))
        score = on_scale(z, size, scale)
        # A callee that answers less is at fault only where calls go unanswered: else it is asked less.
        rising = np.where(z > 0, score, 0.0)
        missed = np.where(self.unanswered >= 0, np.append(rising, 0.0)[self.unanswered], 0.0)
        return Differences(z=z, size=size, scale=scale, score=np.where(self.is_answer, np.minimum(score, missed), score))  # fmt: skip

    # Values -----------------------------------------------------------------------------------------------------

    def _excess(self, values: Counted) -> Array:
        found = np.zeros((len(values.count), len(self.quiet)))
        for column, window in enumerate(self.quiet):
            others = np.isin(self.group_window, [number for number in self.quiet if number != window])
            found[:, column] = _beyond_spread(values, others, self.groups(window))
        return found

    def _values(
        self,
        values: Counted,
        differing: Callable[[Counted, Mask, Mask], tuple[Array, Array]],
        excess_of_windows: Array,
        of: Places,
        window: int,
        others: Mask,
        begun: Mask,
        after: Mask,
    ) -> Differences:
        z, size = differing(values, others | begun, after)
        excess = self._of_windows(excess_of_windows, window)
        if begun.any() and others.any():
            excess = np.maximum(excess, _beyond_spread(values, others, begun))
        usual = np.full(len(z), USUAL_TIMES**2)
        scale = np.sqrt(np.maximum(np.maximum(usual, excess), self._of_service(excess, of)))
        # Quicker, or less used, speaks against nobody.
        z = np.where((z > 0) & (size > 0), z, 0.0)
        return Differences(z=z, size=size, scale=scale, score=on_scale(z, size, scale))

    # Scales -----------------------------------------------------------------------------------------------------

    def _of_windows(self, excess: Array, window: int) -> Array:
        """What quiet windows other than this one differ by."""
        held = excess[:, [column for column, number in enumerate(self.quiet) if number != window]]
        if held.shape[1] == 0:
            return np.zeros(len(excess))
        found: Array = np.quantile(held, 1.0 if held.shape[1] <= FEW_WINDOWS else 0.9, axis=1)
        return found

    def _of_service(self, excess: Array, of: Places) -> Array:
        """What a row of its service differs by between quiet windows, on average: so much is to be expected of one with little history."""
        totals, counts = np.zeros((2, len(self.tables.services) + 1))
        np.add.at(totals, of, excess)
        np.add.at(counts, of, 1.0)
        found: Array = (totals / np.maximum(1.0, counts))[of]
        return found


def _places(names: Any, places: dict[str, int]) -> Places:
    """The place of each name; -1 for one that is none."""
    found: Places = np.array([places.get(name, -1) if isinstance(name, str) else -1 for name in names], dtype=np.intp)  # fmt: skip
    return found


def on_scale(z: Array, size: Array, scale: Array) -> Array:
    """The standard errors of a difference where its scale is a source of error too: at most size / scale."""
    with np.errstate(divide="ignore", invalid="ignore"):
        found = 1.0 / np.sqrt(1.0 / z**2 + scale**2 / size**2)
    kept: Array = np.where((z != 0) & (size != 0), np.nan_to_num(found), 0.0)
    return kept


def differing_shares(held: Array, of: Array, held_after: Array, of_after: Array) -> tuple[Array, Array]:
    """Signed standard errors of Fisher's exact test, and the difference of log odds (a half added to each count).

    >>> z, size = differing_shares(*(np.array([float(x)]) for x in (15, 15, 0, 17)))
    >>> round(float(z[0]), 2), round(float(size[0]), 1)
    (-5.9, -7.0)
    """
    a, n, b, m = (np.rint(x).astype(np.int64) for x in (held, of, held_after, of_after))
    a, b = np.minimum(a, n), np.minimum(b, m)
    size = np.log((b + 0.5) / (m - b + 0.5)) - np.log((a + 0.5) / (n - a + 0.5))
    pooled = 1 / (a + 0.5) + 1 / (n - a + 0.5) + 1 / (b + 0.5) + 1 / (m - b + 0.5)
    z = np.where((n > 0) & (m > 0), size / np.sqrt(pooled), 0.0)
    exact = np.abs(z) > WEAK
    up = hypergeom.sf(b[exact] - 1, (n + m)[exact], (a + b)[exact], m[exact])
    down = hypergeom.cdf(b[exact], (n + m)[exact], (a + b)[exact], m[exact])
    z[exact] = np.where(up < down, norm.isf(np.clip(up, 1e-300, 0.5)), -norm.isf(np.clip(down, 1e-300, 0.5)))
    return z, size


def _beyond(z: Array, size: Array) -> Array:
    """The square of a difference less that of its standard error, where it is more than chance."""
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.where(z != 0, size / z, np.inf)
    found: Array = np.where(np.abs(z) > 1.5, np.maximum(0.0, size**2 - error**2), 0.0)
    return found


def differing_values(values: Counted, before: Mask, after: Mask) -> tuple[Array, Array]:
    """Standard errors of the rank sum (Mann-Whitney), and the difference of the means of logarithms."""
    n, m = values.count[:, before].sum(axis=1), values.count[:, after].sum(axis=1)
    enough = (n >= LEAST_VALUES) & (m >= LEAST_VALUES)
    n, m = np.maximum(1.0, n), np.maximum(1.0, m)
    rank = values.ranks[:, after].sum(axis=1) / m - values.ranks[:, before].sum(axis=1) / n
    size = values.total[:, after].sum(axis=1) / m - values.total[:, before].sum(axis=1) / n
    z = rank / np.sqrt((n + m + 1) / (12 * n * m))
    return np.where(enough, z, 0.0), np.where(enough, size, 0.0)


def differing_uses(values: Counted, before: Mask, after: Mask) -> tuple[Array, Array]:
    """Standard errors of the difference of the means of logarithms, by their spread before: too few come after for ranks."""
    n, m = values.count[:, before].sum(axis=1), values.count[:, after].sum(axis=1)
    enough = (n >= LEAST_VALUES) & (m >= LEAST_MEASUREMENTS)
    n, m = np.maximum(1.0, n), np.maximum(1.0, m)
    mean = values.total[:, before].sum(axis=1) / n
    size = values.total[:, after].sum(axis=1) / m - mean
    spread = np.sqrt(np.maximum(0.0, values.squares[:, before].sum(axis=1) / n - mean**2) * (1 / n + 1 / m))
    z = size / np.maximum(spread, 1e-6)
    return np.where(enough, z, 0.0), np.where(enough, size, 0.0)


def _beyond_spread(values: Counted, before: Mask, after: Mask) -> Array:
    """The square of a difference of means less that of its standard error."""
    n, m = values.count[:, before].sum(axis=1), values.count[:, after].sum(axis=1)
    _, size = differing_values(values, before, after)
    total = values.count.sum(axis=1)
    mean = values.total.sum(axis=1) / np.maximum(1.0, total)
    spread = np.maximum(0.0, values.squares.sum(axis=1) / np.maximum(1.0, total) - mean**2)
    error = spread * (1 / np.maximum(1.0, n) + 1 / np.maximum(1.0, m))
    found: Array = np.where(size != 0, np.maximum(0.0, size**2 - error), 0.0)
    return found
