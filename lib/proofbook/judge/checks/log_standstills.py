"""Silences of a log in which the machine stood still: nothing ran that could have written, so nothing is missing.

A process that collects notes when it was not let run. Where the log is silent for just that time, both stood still together: the
machine did. That a log lost entries meanwhile is no better explanation than at any other time. Where the log went on while the
collector stood still, they run on machines of their own, and it explains nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from proofbook.evidence.schema import STANDSTILLS
from proofbook.judge.view import View
from proofbook.judge.window import Span

# A shorter standstill tells no machine from another. An entry so near to its end may be of before or after it.
LEAST_S, NEAR_S = 1.0, 0.25
# Of a silence so much is a standstill, and no more of the rest is silent.
MOSTLY, MOST_REST_S = 2 / 3, 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Gaps:
    """Silences of a log. longest_s: the longest that nothing explains. stood_s: the longest in which the machine stood still; 0: none."""

    longest_s: float
    stood_s: float = 0.0


def spans(view: View, which: str) -> tuple[Span, ...]:
    """When the process that recorded a phase stood still, as far as it was noted."""
    rows = view.table(STANDSTILLS, which)
    if rows is None:
        return ()
    stood = zip(rows["began"], rows["ended"], strict=True)
    return tuple((began, ended) for began, ended in stood if _s(began, ended) >= LEAST_S)


def gaps(entries: pd.DataFrame, stills: Sequence[Span] = ()) -> Gaps:
    """The silences between rows of `log_rhythm`; what lies within one bucket is not looked at."""
    ordered = entries.sort_values("first")
    reached = ordered["last"].cummax().shift()
    lengths = (ordered["first"] - reached).dt.total_seconds().fillna(0.0).clip(lower=0.0)
    if not stills or _went_on(entries, stills):
        return Gaps(longest_s=float(lengths.max()) if len(lengths) else 0.0)
    explained = pd.Series(
        [
            _is_standstill(began, ended, stills)
            for began, ended in zip(reached, ordered["first"], strict=True)
        ],
        index=lengths.index,
    )
    return Gaps(
        longest_s=float(lengths[~explained].max()) if (~explained).any() else 0.0,
        stood_s=float(lengths[explained].max()) if explained.any() else 0.0,
    )


def _went_on(entries: pd.DataFrame, stills: Sequence[Span]) -> bool:
    """Whether anything was written while the collector stood still."""
    near = pd.Timedelta(seconds=NEAR_S)
    return any(
        bool(((entries[name] > began + near) & (entries[name] < ended - near)).any())
        for name in ("first", "last")
        for began, ended in stills
    )


def _is_standstill(began: pd.Timestamp, ended: pd.Timestamp, stills: Sequence[Span]) -> bool:
    """Whether nearly all of a silence is time in which the collector stood still."""
    if pd.isna(began) or ended <= began:
        return False
    stood_s = sum(max(0.0, _s(max(began, first), min(ended, last))) for first, last in stills)
    return stood_s >= MOSTLY * _s(began, ended) and _s(began, ended) - stood_s <= MOST_REST_S


def _s(began: pd.Timestamp, ended: pd.Timestamp) -> float:
    return float((ended - began).total_seconds())
