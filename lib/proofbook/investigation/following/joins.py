"""Which request a line belongs to, where no trace says it: rules, and how often each is right where a trace does say it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from proofbook.stats.proportions import proportion

Numbers = NDArray[np.float64]
Places = NDArray[np.int64]
# A line may reach its log so long after its request is over, and so far from any request it belongs to none.
SLACK_S, NEAR_S = 0.02, 1.0
# Requests that are open for longer, such as connections, are looked through one by one.
LONG_S = 30.0
# A rule is measured by at least so many lines; its joins are certain and shown from these rates on.
LEAST_TESTED, CERTAIN, SHOWN = 30, 0.95, 0.80


class Rule(StrEnum):
    """Why a step belongs to a request, the surest first."""

    GIVEN = "given"
    TRACE = "same trace"
    IN_TEXT = "trace in the text"
    SOCKET = "same socket and instance"
    ONLY = "only request open there"
    NEAR = "near in time"


# Those that guess, and so are measured.
GUESSES = (Rule.SOCKET, Rule.ONLY, Rule.NEAR)


@dataclass(frozen=True, slots=True, kw_only=True)
class Requests:
    """The entries of requests in the order of time. at_s: since 1970. took_s: 0 where it is not stated. place: instance; unit: request.

    ended: an entry is written when its request is over, not when it begins.
    """

    at_s: Numbers
    took_s: Numbers
    place: Places
    unit: Places
    ended: bool = False

    @property
    def begins_s(self) -> Numbers:
        return self.at_s - self.took_s if self.ended else self.at_s

    @property
    def ends_s(self) -> Numbers:
        return self.begins_s + self.took_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """Lines of no request, as far as joins go by them. unit: the request that a trace names."""

    at_s: Numbers
    place: Places
    unit: Places


@dataclass(frozen=True, slots=True, kw_only=True)
class Join:
    """The request of a line by a guess. unit: −1 where there is none near. rivals: other requests that it could be."""

    unit: int
    rule: Rule
    rivals: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """How often a rule is right on a log: of `tested` lines whose trace was hidden, `right` were joined to the request that their trace names."""

    rule: Rule
    tested: int
    right: int

    @property
    def rate(self) -> float | None:
        """The share of right joins; None where too few could be tested."""
        return self.right / self.tested if self.tested >= LEAST_TESTED else None

    @property
    def is_certain(self) -> bool:
        return self.rate is not None and self.rate >= CERTAIN

    @property
    def is_shown(self) -> bool:
        """Whether joins by it are shown. What cannot be measured is shown where it is no choice among rivals."""
        return self.rule is not Rule.NEAR if self.rate is None else self.rate >= SHOWN

    @property
    def in_words(self) -> str:
        """The rate with its interval.

        >>> Measured(rule=Rule.ONLY, tested=200, right=196).in_words
        'right for 196 of 200 lines whose trace was hidden (98.0%, 95.5% to 99.3%)'
        """
        if self.rate is None:
            return f"not measured: {self.tested} lines of this log have the trace of a request and meet this rule, {LEAST_TESTED} are needed"
        interval = proportion(self.right, self.tested)
        return f"right for {self.right:,} of {self.tested:,} lines whose trace was hidden ({self.rate:.1%}, {interval.low:.1%} to {interval.high:.1%})"


class Open:
    """Requests by place, to be asked which of them were open at a moment."""

    def __init__(self, requests: Requests) -> None:
        self.requests = requests
        begins, ends = requests.begins_s, requests.ends_s
        order = np.lexsort((begins, requests.place))
        edges = np.flatnonzero(np.diff(requests.place[order], prepend=np.int64(-1), append=np.int64(-1)))
        self._begins, self._ends = begins, ends
        self._short: dict[int, Places] = {}
        self._long: dict[int, Places] = {}
        for first, last in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
            rows = order[first:last]
            is_long = requests.took_s[rows] > LONG_S
            place = int(requests.place[rows[0]])
            self._short[place], self._long[place] = rows[~is_long], rows[is_long]

    def around(self, at_s: float, place: int) -> Places:
        """The requests at a place that were open at a moment, or not long before or after it."""
        short, long = (rows.get(place, np.empty(0, np.int64)) for rows in (self._short, self._long))
        first, last = np.searchsorted(self._begins[short], [at_s - LONG_S - NEAR_S, at_s + NEAR_S])
        found = np.concatenate([short[first:last], long])
        reached = (self._begins[found] <= at_s + NEAR_S) & (self._ends[found] >= at_s - NEAR_S)
        return np.asarray(found[reached])

    def join(self, at_s: float, place: int) -> Join | None:
        """The request that was open alone at a moment, else the nearest by its beginning or end; None where there is none."""
        near = self.around(at_s, place)
        if not len(near):
            return None
        begins, ends = self._begins[near], self._ends[near]
        is_open = (begins <= at_s + SLACK_S) & (ends >= at_s - SLACK_S)
        units = self.requests.unit[near]
        if len(np.unique(units[is_open])) == 1:
            return Join(unit=int(units[is_open][0]), rule=Rule.ONLY)
        away = np.minimum(np.abs(begins - at_s), np.abs(ends - at_s))
        if is_open.any():
            units, away = units[is_open], away[is_open]
        return Join(unit=int(units[np.argmin(away)]), rule=Rule.NEAR, rivals=len(np.unique(units)) - 1)


def measured(requests: Open, lines: Lines) -> dict[Rule, Measured]:
    """How often the rules of time find the request that a trace names, by lines whose trace is hidden from them."""
    tested = dict.fromkeys((Rule.ONLY, Rule.NEAR), 0)
    right = dict(tested)
    for at_s, place, unit in zip(lines.at_s.tolist(), lines.place.tolist(), lines.unit.tolist(), strict=True):
        found = requests.join(at_s, place)
        if found is not None:
            tested[found.rule] += 1
            right[found.rule] += found.unit == unit
    return {rule: Measured(rule=rule, tested=tested[rule], right=right[rule]) for rule in tested}


def is_written_at_end(requests: Requests, lines: Lines) -> bool:
    """Whether lines of a request come before its entry rather than after it."""
    first = np.argsort(requests.unit, kind="stable")
    place = np.minimum(np.searchsorted(requests.unit[first], lines.unit), len(first) - 1)
    row = first[place]
    known = (requests.unit[row] == lines.unit) & (requests.took_s[row] > 0)
    after = lines.at_s[known] - requests.at_s[row[known]]
    took = requests.took_s[row[known]] + SLACK_S
    as_begin = np.count_nonzero((after >= -SLACK_S) & (after <= took))
    as_end = np.count_nonzero((after <= SLACK_S) & (after >= -took))
    return bool(as_end > as_begin)
