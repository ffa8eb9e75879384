"""Times are typed in one grammar; only the reference of durations and of times of day is another for a log than for now."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest

from proofbook.cli.times import moment as of_command
from proofbook.config.moments import moment
from proofbook.errors import UsageError
from proofbook.investigation.moments import moment as of_log

NOW = dt.datetime(2026, 1, 5, 12, tzinfo=dt.UTC)
LOG = (pd.Timestamp("2026-01-05T08:00Z"), pd.Timestamp(NOW))
FORMS = ["2026-01-05T09:40:00Z", "2026-01-05T10:40:00+01:00", "2026-01-05T09:40", "2026-01-05 09:40:00", "09:40", "9:40:00Z", "140m", "140 min ago", "8400s"]  # fmt: skip


@pytest.mark.parametrize("text", FORMS)
def test_every_form_means_the_same_to_a_command_and_to_a_look(text: str) -> None:
    meant = dt.datetime(2026, 1, 5, 9, 40, tzinfo=dt.UTC)
    assert of_command("--since", text, now=NOW) == of_log(text, within=LOG) == meant


def test_a_duration_counts_from_the_end_of_a_log_and_else_from_now() -> None:
    assert of_log("1h", within=LOG).hour == 11
    assert moment("1h", reference=dt.datetime(2027, 6, 1, tzinfo=dt.UTC)).year == 2027


def test_a_time_of_day_is_the_last_one_or_that_of_the_log() -> None:
    assert moment("13:00", reference=NOW).day == 4 and moment("12:00", reference=NOW).day == 5
    two_days = (pd.Timestamp("2026-01-04T10:00Z"), pd.Timestamp(NOW))
    assert of_log("13:00", within=two_days).day == 4
    with pytest.raises(UsageError, match="comes 2 times in this log; name the day too, such as 2026-01-05T11:00:00Z"):  # fmt: skip
        of_log("11:00", within=two_days)


def test_of_a_day_the_end_is_meant_where_something_ends() -> None:
    assert moment("2026-01-05", reference=NOW, end=True) - moment("2026-01-05", reference=NOW) == dt.timedelta(days=1)  # fmt: skip


@pytest.mark.parametrize("text", ["soon", "24:00", "09:60", "0s", "-5m", "", "5 parsecs"])
def test_what_is_no_time_is_refused_with_how_to_write_one(text: str) -> None:
    with pytest.raises(UsageError, match=r"not a time|expected a duration") as raised:
        of_log(text, within=LOG)
    with pytest.raises(UsageError):
        of_command("--since", text, now=NOW)
    assert "; use " in str(raised.value) or "such as" in str(raised.value)
