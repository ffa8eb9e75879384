"""A silence of a log in which the machine stood still is no loss of entries; any other is, and what is written refutes as ever."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from builders import START, table_of, view

from proofbook.evidence.log_tables import LOG_RHYTHM, LOG_SOURCES
from proofbook.evidence.schema import STANDSTILLS
from proofbook.judge.checks.log_coverage import coverage_of
from proofbook.judge.window import Windows

# Entries twenty times a second, and none for four seconds.
QUIET = (20.0, 24.0)


def at(seconds: float) -> pd.Timestamp:
    return START + pd.Timedelta(seconds=seconds)


def rhythm(*more: float) -> pd.DataFrame:
    times = np.arange(0, 40, 0.05)
    times = np.sort([*times[(times <= QUIET[0]) | (times >= QUIET[1])], *more])
    rows = []
    for second in np.unique(times // 1):
        own = times[times // 1 == second]
        rows.append({"bucket": int(second), "entries": len(own), "plain": len(own), "first": at(own[0]), "last": at(own[-1])})  # fmt: skip
    return table_of(LOG_RHYTHM, *rows)


def covered(*stills: tuple[float, float], also: tuple[float, ...] = ()) -> tuple[list[str], str]:
    """Why a log does not cover its window, and what is said of standstills, where the collector stood still so."""
    tables = {
        ("after", LOG_RHYTHM.name): rhythm(*also),
        ("after", LOG_SOURCES.name): table_of(LOG_SOURCES, {"read": 721}),
    }
    if stills:
        rows = [{"began": at(first), "ended": at(last)} for first, last in stills]
        tables["after", STANDSTILLS.name] = table_of(STANDSTILLS, *rows)
    seen = view(tables, Windows(before=None, after=(at(0), at(39.9))))
    found = coverage_of(seen, None, "after")
    return [code for code, _ in found.reasons], found.aside


def test_a_silence_while_the_collector_ran_is_a_gap() -> None:
    assert covered() == (["log-gap"], "")


def test_a_silence_while_the_collector_stood_still_too_is_none_and_is_said() -> None:
    assert covered((20.05, 23.9)) == ([], "; for 4.0 s nothing was written while the machine stood still")


def test_several_standstills_together_explain_a_silence() -> None:
    assert covered((19.9, 21.9), (22.0, 24.1))[0] == []


@pytest.mark.parametrize(
    ("still", "why"),
    [
        ((20.05, 21.5), "a third of the silence"),
        ((30.0, 34.0), "another time"),
        ((20.1, 20.9), "too short to tell"),
    ],
)
def test_a_standstill_of_less_than_the_silence_explains_nothing(still: tuple[float, float], why: str) -> None:
    assert covered(still) == (["log-gap"], ""), why


def test_where_the_log_went_on_while_the_collector_stood_still_they_are_two_machines() -> None:
    # At 30 s entries were written while it stood: so it says nothing of the silence at 20 s either.
    assert covered((20.05, 23.9), (29.0, 31.0)) == (["log-gap"], "")


def test_an_entry_within_the_standstill_leaves_the_gap() -> None:
    assert covered((20.05, 23.9), also=(20.7,))[0] == ["log-gap"]
