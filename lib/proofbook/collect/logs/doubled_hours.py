"""The hour that comes twice at the end of summer time: which entries are of the first one, by the order of the lines."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import duckdb
import numpy as np
import numpy.typing as npt

from proofbook.collect.logs.entries import table
from proofbook.collect.logs.times import LEAP_YEAR
from proofbook.config.duckdb_text import quoted

# Entries of several threads stand out of order by less; a clock that was put back is further off in any log but a silent one.
DISORDER_US = 60_000_000
# No clock is put back by more, and how many years a log without one may be old.
MOST_BACK_US, YEARS_BACK = 2 * 3_600_000_000, 12
Micros = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockBack:
    """A clock that was put back. at_us: when, in microseconds since 1970; shift_us: by how much; local: what it then said."""

    place: str
    at_us: int
    shift_us: int
    local: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DoubledHour:
    """Which lines are of the time before a clock was put back. first: ranges of their numbers; reading: `first`, `second` or `both`.

    assumed: whether no line shows it, since the times never go back.
    """

    clock: ClockBack
    first: tuple[tuple[int, int], ...]
    reading: str
    assumed: bool

    def when_first(self, timestamp: str, line: str, place: str) -> str:
        """SQL: the branch of a CASE for times that were read as of the second hour and are of the first."""
        if not self.first:
            return ""
        lines = " OR ".join(f"{line} BETWEEN {start} AND {end}" for start, end in self.first)
        return f"WHEN {_is_open(self.clock, timestamp, place)} AND ({lines}) THEN {timestamp} - INTERVAL ({self.clock.shift_us}) MICROSECOND "


def find(rows: str, *, engine: duckdb.DuckDBPyConnection) -> tuple[DoubledHour, ...]:
    """The doubled hours that a log has entries of, each settled.

    Args:
        rows: SQL for its rows: line, timestamp, and place, by whose clock the time was read as the later of two that it may
            be; NULL where there is only one.
    """
    spans = engine.execute(f"SELECT place, min(epoch(timestamp)), max(epoch(timestamp)) FROM {rows} WHERE place IS NOT NULL AND timestamp IS NOT NULL GROUP BY place ORDER BY place")  # fmt: skip
    found = []
    for place, first, last in spans.fetchall():
        for clock in _clocks_back(str(place), (float(first), float(last)), engine=engine):
            near = table(engine, _NEAR.format(rows=rows, is_open=_is_open(clock, "timestamp", "place")))
            if near["open"].any():
                found.append(
                    settle(
                        near["line"].to_numpy(), near["t"].to_numpy(), near["open"].to_numpy(), clock=clock
                    )
                )
    return tuple(found)


def years_back(t: Micros, years: Micros, place: str, *, engine: duckdb.DuckDBPyConnection) -> int:
    """How many years earlier the clock of a place was put back where that of a log goes back; 0 where it never was.

    Args:
        t: times by that clock in LEAP_YEAR, in microseconds, in the order of the lines. years: of which year they are assumed to be.
    """
    steps = np.diff(t)
    if steps.sum() < 0:
        t, years, steps = t[::-1], years[::-1], -steps[::-1]
    if not len(steps) or not -MOST_BACK_US <= steps.min() < -DISORDER_US:
        return 0
    at = int(steps.argmin())
    year = int(years[at])
    span = (f"{year - YEARS_BACK}-01-01", f"{year}-12-31")
    first, last = (dt.datetime.fromisoformat(f"{day}T00:00:00+00:00").timestamp() for day in span)
    for clock in reversed(_clocks_back(place, (first, last), engine=engine)):
        said = dt.datetime.fromisoformat(f"{clock.local}:00+00:00")
        start = int(said.replace(year=LEAP_YEAR).timestamp()) * 1_000_000
        if start <= t[at + 1] and t[at] < start + clock.shift_us:
            return year - said.year
    return 0


# The entries that may be of either hour, with all between them and one on each side.
_NEAR = """WITH timed AS (SELECT line, epoch_us(timestamp) AS t, coalesce({is_open}, false) AS open FROM {rows} WHERE timestamp IS NOT NULL),
    ends AS (SELECT min(line) AS low, max(line) AS high FROM timed WHERE open)
    SELECT line, t, open FROM timed, ends
    WHERE line >= coalesce((SELECT max(line) FROM timed, ends WHERE line < low), low)
        AND line <= coalesce((SELECT min(line) FROM timed, ends WHERE line > high), high) ORDER BY line"""


def _is_open(clock: ClockBack, timestamp: str, place: str) -> str:
    """SQL: whether a time may be of either hour."""
    micros = f"epoch_us({timestamp})"
    return f"({place} = {quoted(clock.place)} AND {micros} >= {clock.at_us} AND {micros} < {clock.at_us + clock.shift_us})"


def _clocks_back(
    place: str, span: tuple[float, float], *, engine: duckdb.DuckDBPyConnection
) -> list[ClockBack]:
    """When the clock of a place was put back in a span of seconds since 1970."""
    name = quoted(place)
    offset = f"epoch_us(timezone({name}, t)) - epoch_us(t)"
    first, last = (f"to_timestamp({at})" for at in span)
    query = f"""WITH days AS (SELECT unnest(generate_series(date_trunc('day', {first}) - INTERVAL 1 DAY, {last} + INTERVAL 2 DAY, INTERVAL 1 DAY)) AS t),
        changes AS (SELECT t, {offset} AS now, lag({offset}) OVER (ORDER BY t) AS before FROM days),
        minutes AS (SELECT unnest(generate_series(t - INTERVAL 1 DAY, t, INTERVAL 1 MINUTE)) AS t FROM changes WHERE now < before),
        shifts AS (SELECT t, {offset} AS now, lag({offset}) OVER (ORDER BY t) AS before FROM minutes)
        SELECT epoch_us(t), before - now, strftime(timezone({name}, t), '%Y-%m-%d %H:%M') FROM shifts WHERE now < before ORDER BY t"""
    return [
        ClockBack(place=place, at_us=int(at), shift_us=int(shift), local=str(local))
        for at, shift, local in engine.execute(query).fetchall()
    ]


# Settling -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Piece:
    """Entries in a row that are of one hour: their lines, and the first and last of their times."""

    lines: tuple[int, int]
    ends: tuple[int, int]
    open: bool

    def moved(self, is_first: bool, shift: int) -> tuple[int, int]:
        back = shift if is_first else 0
        return self.ends[0] - back, self.ends[1] - back


# Microseconds that the times go forth and back; roots of the silences, which are the smaller the more unlike these are; and
# pieces in the second hour: where all else is the same, the first one is meant (RFC 5545).
_Cost = tuple[int, int, int]


def settle(line: Micros, t: Micros, is_open: npt.NDArray[np.bool_], *, clock: ClockBack) -> DoubledHour:
    """The hour of each entry, so that the times go forth and back least, and any further silence adds to the longest one.

    Args:
        line: of entries, rising. t: their times in microseconds, as of the second hour where is_open. is_open: whether they
            may be of the first one instead.
    """
    pieces = list(_pieces(line, t, is_open, clock))
    ways = (_cheapest(pieces, clock.shift_us, newest_first=newest_first) for newest_first in (False, True))
    _, choice = min(ways, key=lambda way: way[0])
    first: list[tuple[int, int]] = []
    joins = False
    for piece, is_first in zip(pieces, choice, strict=True):
        if is_first:
            start = first.pop()[0] if joins else piece.lines[0]
            first.append((start, piece.lines[1]))
        # What cannot be moved parts no range.
        joins = is_first or (joins and not piece.open)
    chosen = {is_first for piece, is_first in zip(pieces, choice, strict=True) if piece.open}
    return DoubledHour(
        clock=clock,
        first=tuple(first),
        reading="both" if len(chosen) == 2 else "first" if True in chosen else "second",
        assumed=not _shows(pieces, choice, clock.shift_us),
    )


def _pieces(line: Micros, t: Micros, is_open: npt.NDArray[np.bool_], clock: ClockBack) -> Iterator[_Piece]:
    # What the clock said, but for a constant.
    said = np.where(t < clock.at_us, t + clock.shift_us, t)
    is_jump = (np.abs(np.diff(said)) > DISORDER_US) & is_open[1:]
    starts = np.concatenate([[0], np.flatnonzero(is_jump | (is_open[1:] != is_open[:-1])) + 1])
    for start, end in zip(starts, [*(starts[1:] - 1), len(line) - 1], strict=True):
        yield _Piece(
            lines=(int(line[start]), int(line[end])),
            ends=(int(t[start]), int(t[end])),
            open=bool(is_open[start]),
        )


def _cheapest(pieces: Sequence[_Piece], shift: int, *, newest_first: bool) -> tuple[_Cost, list[bool]]:
    """For each piece whether it is of the first hour, at the least cost of all steps between them, and that cost."""
    costs: dict[bool, _Cost] = {}
    ways: list[dict[bool, bool]] = []
    for number, piece in enumerate(pieces):
        now: dict[bool, _Cost] = {}
        way: dict[bool, bool] = {}
        for is_first in (True, False) if piece.open else (False,):
            own = (0, 0, int(piece.open and not is_first))
            if not number:
                now[is_first] = own
                continue
            ranked = [
                (_sum(cost, _step(pieces[number - 1], before, piece, is_first, shift, newest_first)), before)
                for before, cost in costs.items()
            ]
            least, way[is_first] = min(ranked)
            now[is_first] = _sum(least, own)
        costs = now
        ways.append(way)
    state = min(costs, key=lambda is_first: costs[is_first])
    cost, choice = costs[state], [state]
    for way in reversed(ways[1:]):
        state = way[state]
        choice.append(state)
    return cost, choice[::-1]


def _step(
    before: _Piece, was_first: bool, piece: _Piece, is_first: bool, shift: int, newest_first: bool
) -> _Cost:
    step = abs(piece.moved(is_first, shift)[0] - before.moved(was_first, shift)[1])
    # Into the hour that the log comes from only a late line goes.
    returns = before.open and piece.open and (was_first, is_first) == (newest_first, not newest_first)
    return step + (shift if returns else 0), math.isqrt(step), 0


def _sum(one: _Cost, other: _Cost) -> _Cost:
    return one[0] + other[0], one[1] + other[1], one[2] + other[2]


def _shows(pieces: Sequence[_Piece], choice: Sequence[bool], shift: int) -> bool:
    """Whether somewhere the clock says less than before, and more time has passed all the same; newest first the other way round."""
    for number in range(1, len(pieces)):
        before, piece = pieces[number - 1], pieces[number]
        if not (before.open and piece.open) or choice[number - 1] == choice[number]:
            continue
        said = piece.ends[0] - before.ends[1]
        passed = piece.moved(choice[number], shift)[0] - before.moved(choice[number - 1], shift)[1]
        if said * passed < 0:
            return True
    return False
