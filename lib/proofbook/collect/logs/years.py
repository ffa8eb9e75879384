"""The year of times that name none: from what stands beside them, or the last one that puts none of them into the future."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from proofbook.collect.logs.times import LEAP_YEAR

HALF_A_YEAR_S = 183 * 86_400
# A year that is named counts where its day is this one, or the one before or after it: zones differ.
A_DAY_S = 86_400
# How much later than the moment of reading a time may be: clocks and zones differ.
AHEAD = dt.timedelta(days=1)
Stamps = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Years:
    """From which line on times are of which year. stated: whether the log says it itself somewhere; else it is assumed."""

    first_lines: list[int]
    years: list[int]
    stated: bool

    def of(self, lines: Stamps) -> Stamps:
        """The year of each of these lines."""
        return np.asarray(self.years)[np.searchsorted(self.first_lines, lines, side="right") - 1]

    def back(self, years: int) -> Years:
        """All of them so many years earlier."""
        return replace(self, years=[year - years for year in self.years])

    def sql(self, timestamp: str, line: str) -> str:
        """SQL: the timestamp of LEAP_YEAR, in the year of its line."""
        later = [f"WHEN {line} >= {first} THEN {year - LEAP_YEAR}" for first, year in zip(self.first_lines[1:], self.years[1:], strict=True)]  # fmt: skip
        shift = (
            f"CASE {' '.join(reversed(later))} ELSE {self.years[0] - LEAP_YEAR} END"
            if later
            else str(self.years[0] - LEAP_YEAR)
        )
        return f"({timestamp} + to_years(({shift})::INTEGER))"


def find(yearless: pd.DataFrame, dated: pd.Series[pd.Timestamp], *, now: dt.datetime) -> Years:
    """The years of times of LEAP_YEAR in the order of their lines.

    Args:
        yearless: one row per such time: timestamp (UTC), line. dated: times that the log names with their year.
    """
    seconds = yearless["timestamp"].to_numpy("datetime64[s]").astype(np.int64)
    # Whoever jumps back by most of a year went on into the next; newest first it is the other way.
    jumps = np.diff(seconds)
    turns = (jumps < -HALF_A_YEAR_S).astype(int) - (jumps > HALF_A_YEAR_S).astype(int)
    relative = np.concatenate([[0], np.cumsum(turns)])
    named = _named(seconds, relative, dated)
    first = named if named is not None else _latest(yearless["timestamp"], relative, now)
    starts = np.concatenate([[0], np.flatnonzero(turns) + 1])
    return Years(
        first_lines=[int(line) for line in yearless["line"].to_numpy()[starts]],
        years=[int(first + relative[start]) for start in starts],
        stated=named is not None,
    )


def _named(seconds: Stamps, relative: Stamps, dated: pd.Series[pd.Timestamp]) -> int | None:
    """The year of the first time by the years that the log names on the same days; None where it names none."""
    if dated.empty:
        return None
    days = np.unique(np.stack([seconds // A_DAY_S, relative], axis=1), axis=0)
    votes: dict[int, int] = {}
    for moment in dated.drop_duplicates():
        try:
            day = moment.replace(year=LEAP_YEAR).timestamp() // A_DAY_S
        except ValueError:  # cannot be: LEAP_YEAR has every day
            continue
        for turn in np.unique(days[np.abs(days[:, 0] - day) <= 1, 1]):
            votes[moment.year - int(turn)] = votes.get(moment.year - int(turn), 0) + 1
    return max(votes, key=lambda year: votes[year]) if votes else None


def _latest(times: pd.Series[pd.Timestamp], relative: Stamps, now: dt.datetime) -> int:
    """The last year of the first time that puts none into the future and no 29 February into a year that has none."""
    year = now.year + 1
    leaps = np.unique(relative[((times.dt.month == 2) & (times.dt.day == 29)).to_numpy()])
    last = [times[relative == turn].max() for turn in np.unique(relative)]
    while year > now.year - 12:
        ahead = any(
            _moved(moment, year + int(turn)) > now + AHEAD
            for moment, turn in zip(last, np.unique(relative), strict=True)
        )
        if not ahead and all(_is_leap(year + int(turn)) for turn in leaps):
            break
        year -= 1
    return year


def _moved(moment: pd.Timestamp, year: int) -> dt.datetime:
    day = min(moment.day, 28) if moment.month == 2 and not _is_leap(year) else moment.day
    return moment.replace(year=year, day=day).to_pydatetime()


def _is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
