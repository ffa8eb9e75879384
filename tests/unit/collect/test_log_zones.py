"""Times of logs by the clocks of places: zones by name, and the hours that come twice or never."""

from __future__ import annotations

import datetime as dt
import functools
import json
from pathlib import Path

import numpy as np
import pytest
from builders import json_lines, read_log
from conftest import proofbook
from pydantic import ValidationError

from proofbook.collect.logs.counts import per_minute
from proofbook.collect.logs.doubled_hours import ClockBack, settle
from proofbook.collect.logs.entries import Reading
from proofbook.config.sources import LogSource

read = functools.partial(read_log, now=dt.datetime(2026, 7, 1, tzinfo=dt.UTC))
BERLIN = {"time_zone": "Europe/Berlin"}
# Local times of an autumn night: the hour from two to three comes twice.
NIGHT = ["01:10", "01:30", "01:50", "02:10", "02:30", "02:50", "02:11", "02:31", "02:51", "03:10"]
NIGHT_UTC = ["23:10", "23:30", "23:50", "00:10", "00:30", "00:50", "01:11", "01:31", "01:51", "02:10"]
FORMS = {
    "iso": "2025-10-26 {}:00 INFO x\n",
    "no year": "Oct 26 {}:00 host app[1]: x\n",
    "object": '{{"time": "2025-10-26 {}:00", "level": "info", "message": "x"}}\n',
    "place": "[26-Oct-2025 {}:00 Europe/Berlin] x\n",
    "apache": "[Sun Oct 26 {}:00.000000 2025] [core:error] [pid 7] x\n",
}


def times(reading: Reading) -> list[str]:
    """The times of the entries as `hour:minute` in UTC, with what is finer where it is not 0."""
    written = reading.entries["timestamp"].dt.strftime("%H:%M:%S.%f")
    return [item.removesuffix("000").removesuffix(".000").removesuffix(":00") for item in written]


def night(form: str, local: list[str]) -> str:
    return "".join(FORMS[form].format(item) for item in local)


# A zone that is stated -------------------------------------------------------------------------------------------------


@pytest.mark.usual_cases(4)
@pytest.mark.parametrize(
    ("zone", "winter", "summer"),
    [
        ("Europe/Berlin", "09:00", "08:00"), ("America/New_York", "15:00", "14:00"), ("Australia/Lord_Howe", "23:00", "23:30"),
        ("Europe/Dublin", "10:00", "09:00"), ("Asia/Kolkata", "04:30", "04:30"), ("UTC", "10:00", "10:00"),
        ("America/St_Johns", "13:30", "12:30"), ("Etc/GMT+5", "15:00", "15:00"),
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "line", ["{} 10:00:00 INFO x\n", '{{"time": "{} 10:00:00", "level": "info", "message": "x"}}\n']
)
def test_times_without_a_zone_are_by_the_clock_of_the_place(
    zone: str, winter: str, summer: str, line: str, tmp_path: Path
) -> None:
    text = line.format("2026-01-15") + line.format("2026-06-15")
    assert times(read(tmp_path, text, time_zone=zone)) == [winter, summer]


def test_a_time_without_a_year_is_by_the_summer_time_of_its_year(tmp_path: Path) -> None:
    # In the leap year that stands for it, the clock went forward on the 31st.
    text = "Mar 30 12:00:00 h app[1]: x\nMar 31 02:30:00 h app[1]: x\n"
    assert times(read(tmp_path, text, **BERLIN)) == ["10:00", "00:30"]


def test_a_zone_that_a_line_names_counts_more_than_the_place_that_is_stated(tmp_path: Path) -> None:
    text = "2026-06-15 10:00:00 CET INFO x\n2026-06-15 10:00:00 +05:30 INFO x\n2026-06-15 10:00:00 INFO x\n"
    assert times(read(tmp_path, text, **BERLIN)) == ["09:00", "04:30", "08:00"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("named", "stated", "expected"),
    [
        ("CST", {"time_zone": "America/Chicago"}, "16:00"), ("CST", {"time_zone": "Asia/Shanghai"}, "02:00"),
        ("CST", {"utc_offset": "+08:00"}, "02:00"), ("IST", {"time_zone": "Asia/Kolkata"}, "04:30"),
        ("IST", {"time_zone": "Europe/Dublin"}, "09:00"), ("BST", {"time_zone": "Europe/London"}, "09:00"),
        ("PST", {"time_zone": "Asia/Manila"}, "02:00"),
    ],
)  # fmt: skip
def test_a_name_that_means_several_zones_means_the_one_of_the_place(
    named: str, stated: dict[str, str], expected: str, tmp_path: Path
) -> None:
    assert times(read(tmp_path, f"2026-01-15 10:00:00 {named} INFO x\n", **stated)) == [expected]
    entry = {"time": f"2026-01-15 10:00:00 {named}", "message": "x"}
    assert times(read(tmp_path, json_lines(entry), **stated)) == [expected]


def test_both_keys_are_refused() -> None:
    with pytest.raises(ValidationError, match="expected utc_offset or time_zone, got both"):
        LogSource(name="log", file="log", utc_offset="+01:00", time_zone="Europe/Berlin")


@pytest.mark.parametrize(
    ("written", "answer"),
    [
        ("Berlin", "did you mean Europe/Berlin?"), ("europe/berlin", "did you mean Europe/Berlin?"), ("Asia/Calcuta", "Asia/Calcutta"),
        ("new york", "did you mean America/New_York?"), ("+02:00", "an offset is stated with utc_offset"), ("Mars/Base", "got 'Mars/Base'"),
        ("CST", "got 'CST'"), ("../Berlin", "got '../Berlin'"), ("", "got ''"),
    ],
)  # fmt: skip
def test_an_unknown_name_is_refused_with_those_that_are_near(written: str, answer: str) -> None:
    with pytest.raises(ValidationError) as caught:
        LogSource(name="log", file="log", time_zone=written)
    assert "expected the name of a time zone such as Europe/Berlin" in str(caught.value)
    assert answer in str(caught.value)


@pytest.mark.slow
def test_the_command_line_takes_a_zone_by_name_and_says_what_it_assumed(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text(night("iso", ["01:10", "02:10", "03:10"]))
    done = proofbook("logs", str(path), "--time-zone", "Europe/Berlin", cwd=tmp_path, workspace=tmp_path)
    assert "2025-10-25 23:10:00 to 2025-10-26 02:10:00 UTC" in done.stdout
    assert (
        "assumed    the hour from 2025-10-26 02:00 Europe/Berlin on, which comes twice: first" in done.stdout
    )
    done = proofbook(
        "logs", str(path), "--time-zone", "Europe/Berlin", "--json", cwd=tmp_path, workspace=tmp_path
    )
    assert json.loads(done.stdout)["assumed_hours"] == {"2025-10-26 02:00 Europe/Berlin": "first"}


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--time-zone", "Berlin"], "--time-zone: expected the name of a time zone such as Europe/Berlin, got 'Berlin'; did you mean Europe/Berlin?"),
        (["--time-zone", "Europe/Berlin", "--utc-offset", "+01:00"], "expected --utc-offset or --time-zone, got both"),
    ],
)  # fmt: skip
def test_the_command_line_refuses_what_is_no_zone(options: list[str], sentence: str, tmp_path: Path) -> None:
    (tmp_path / "log").write_text("2026-01-15 10:00:00 INFO x\n")
    done = proofbook("logs", str(tmp_path / "log"), *options, cwd=tmp_path, workspace=tmp_path)
    assert done.returncode != 0 and sentence in done.stderr


# Zones in the lines ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("[15-Jan-2026 10:00:00 Europe/Berlin] x", "09:00"), ("[15-Jun-2026 10:00:00 America/New_York] x", "14:00"),
        ("2026-06-15 10:00:00 America/Argentina/Buenos_Aires INFO x", "13:00"), ("2026-06-15T10:00:00+02:00[Europe/Berlin] INFO x", "08:00"),
        ("2026-06-15 10:00:00-05 INFO x", "15:00"), ("2026-06-15 10:00:00 HKT INFO x", "02:00"), ("2026-06-15 10:00:00 SAST INFO x", "08:00"),
        ("2026-06-15 10:00:00 ACST INFO x", "00:30"), ("2026-06-15 10:00:00 MEST INFO x", "08:00"), ("2026-06-15 10:00:00 GMT+2 INFO x", "08:00"),
    ],
)  # fmt: skip
def test_zones_by_name_in_lines_are_read(written: str, expected: str, tmp_path: Path) -> None:
    reading = read(tmp_path, f"{written}\n", utc_offset="+01:00")
    assert times(reading) == [expected] and reading.entries["body"][0].endswith("x")


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2026-03-01 10:00:00 CET", "09:00"), ("2026-03-01 10:00:00,000 PDT", "17:00"), ("2026/03/01 10:00:00 MSK", "07:00"),
        ("2026-03-01T10:00:00+01:00[Europe/Berlin]", "09:00"), ("2026-03-01T10:00:00Z[UTC]", "10:00"), ("2026-03-01 10:00:00 Europe/Berlin", "09:00"),
        ("2026-03-01 10:00:00 +02", "08:00"), ("2026-03-01T10:00:00-05", "15:00"), ("2026-03-01 10:00:00", "04:30"),
    ],
)  # fmt: skip
def test_zones_by_name_in_objects_are_read(written: str, expected: str, tmp_path: Path) -> None:
    entry = {"time": written, "level": "info", "message": "x"}
    assert times(read(tmp_path, json_lines(entry), time_zone="Asia/Kolkata")) == [expected]


@pytest.mark.parametrize("stated", [{}, {"utc_offset": "+05:00"}, {"time_zone": "Asia/Kolkata"}])
def test_seconds_since_1970_are_of_no_zone(stated: dict[str, str], tmp_path: Path) -> None:
    assert times(read(tmp_path, "1772359200 INFO x\n1772359260 INFO x\n", **stated)) == ["10:00", "10:01"]


def test_a_time_before_or_after_noon_is_read_behind_a_date_with_the_year_first(tmp_path: Path) -> None:
    text = "2026-03-01 01:00:00 PM INFO x\n2026-03-01 12:05:00 am INFO x\n"
    assert times(read(tmp_path, text, utc_offset="+00:00")) == ["13:00", "00:05"]


@pytest.mark.parametrize("shape", ["{}  x\n", '{{"time": "{}", "message": "x"}}\n'])
@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        ("2026-03-01 10:00:00 IST", 'IST is not the same everywhere: set time_zone, such as "Asia/Kolkata"'),
        ("2026-03-01 10:00:00 Europe/Brlin", "the time zone Europe/Brlin, which they name, is not known"),
        ("2026-03-01 10:00:00 FOO", "FOO, which "),
    ],
)
def test_a_refusal_names_the_zone_that_stands_in_the_lines(
    shape: str, written: str, sentence: str, tmp_path: Path
) -> None:
    problem = read(tmp_path, shape.format(written)).problem
    assert sentence in problem and "no time zone:" not in problem


@pytest.mark.parametrize("text", ["2026-03-01 10:00:00 ERROR x\n", '{"time": "2026-03-01 10:00:00"}\n'])
def test_a_refusal_says_how_a_zone_is_stated(text: str, tmp_path: Path) -> None:
    assert 'they state no time zone: set utc_offset, such as "+00:00", or time_zone' in read(tmp_path, text).problem  # fmt: skip


# The hour that comes twice -----------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
def test_the_hour_that_comes_twice_is_told_by_the_order_of_the_lines(form: str, tmp_path: Path) -> None:
    forwards = read(tmp_path, night(form, NIGHT), **BERLIN)
    assert times(forwards) == NIGHT_UTC and forwards.assumed_hours == {}
    (tmp_path / "back").mkdir()
    backwards = read(tmp_path / "back", night(form, NIGHT[::-1]), **BERLIN)
    assert times(backwards) == NIGHT_UTC[::-1] and backwards.assumed_hours == {}


@pytest.mark.parametrize(
    ("zone", "day", "local", "expected"),
    [
        ("America/New_York", "2025-11-02", ["00:50", "01:10", "01:50", "01:10", "02:00"], ["04:50", "05:10", "05:50", "06:10", "07:00"]),
        ("Australia/Lord_Howe", "2026-04-05", ["01:25", "01:35", "01:55", "01:31", "02:00"], ["14:25", "14:35", "14:55", "15:01", "15:30"]),
        ("Europe/Dublin", "2025-10-26", ["00:50", "01:10", "01:50", "01:10", "02:00"], ["23:50", "00:10", "00:50", "01:10", "02:00"]),
        ("Asia/Kolkata", "2025-10-26", ["01:10", "02:10", "02:50", "02:10"], ["19:40", "20:40", "21:20", "20:40"]),
        ("UTC", "2025-10-26", ["01:10", "02:10", "02:50", "02:10"], ["01:10", "02:10", "02:50", "02:10"]),
    ],
)  # fmt: skip
def test_each_place_puts_its_clock_back_in_its_own_way(
    zone: str, day: str, local: list[str], expected: list[str], tmp_path: Path
) -> None:
    text = "".join(f"{day} {item}:00 INFO x\n" for item in local)
    assert times(read(tmp_path, text, time_zone=zone)) == expected


@pytest.mark.slow
@pytest.mark.parametrize(
    ("local", "expected", "reading"),
    [
        # Near to what was before, near to what came then, and without anything that tells.
        (["01:58", "02:00", "02:20", "03:10"], ["23:58", "00:00", "00:20", "02:10"], "first"),
        (["01:10", "02:30", "02:58", "03:00"], ["23:10", "01:30", "01:58", "02:00"], "second"),
        (["02:10", "02:30"], ["00:10", "00:30"], "first"),
        # What is silent longest was silent for the hour too.
        (["01:55", "02:05", "02:55", "03:05"], ["23:55", "00:05", "01:55", "02:05"], "both"),
    ],
)
def test_where_no_clock_goes_back_the_hour_is_assumed(
    local: list[str], expected: list[str], reading: str, tmp_path: Path
) -> None:
    for order in (1, -1):
        folder = tmp_path / str(order)
        folder.mkdir()
        found = read(folder, night("iso", local[::order]), **BERLIN)
        assert times(found) == expected[::order]
        assert found.assumed_hours == {"2025-10-26 02:00 Europe/Berlin": reading}


@pytest.mark.parametrize("order", [1, -1])
def test_a_clock_that_goes_back_tells_the_year_that_no_line_names(order: int, tmp_path: Path) -> None:
    # In 2024 the last Sunday of October was the 27th.
    lines = [f"Oct 27 {item}:00 host app[1]: x\n" for item in NIGHT]
    reading = read(tmp_path, "".join(lines[::order]), **BERLIN)
    assert times(reading) == NIGHT_UTC[::order] and reading.assumed_years == (2024,)


def test_a_clock_that_goes_back_on_no_such_night_tells_no_year(tmp_path: Path) -> None:
    text = "".join(f"Oct 12 {item}:00 host app[1]: x\n" for item in NIGHT)
    assert read(tmp_path, text, **BERLIN).assumed_years == (2025,)


@pytest.mark.parametrize("stated", [{"utc_offset": "+01:00"}, {"time_zone": "Etc/GMT-1"}])
def test_a_clock_that_goes_back_without_summer_time_is_shown_as_it_is(
    stated: dict[str, str], tmp_path: Path
) -> None:
    reading = read(tmp_path, night("iso", NIGHT), **stated)
    assert times(reading)[3:9] == ["01:10", "01:30", "01:50", "01:11", "01:31", "01:51"]
    assert reading.assumed_hours == {}


def test_a_clock_that_goes_back_by_day_is_shown_as_it_is(tmp_path: Path) -> None:
    text = night("iso", ["12:10", "12:50", "12:10"])
    assert times(read(tmp_path, text, **BERLIN)) == ["11:10", "11:50", "11:10"]


def test_lines_that_name_their_zone_are_left_as_they_are(tmp_path: Path) -> None:
    text = "".join(f"2025-10-26 02:{item} INFO x\n" for item in ("10:00 CEST", "50:00", "10:00 CET", "20:00", "50:00 CET"))  # fmt: skip
    assert times(read(tmp_path, text, **BERLIN)) == ["00:10", "00:50", "01:10", "01:20", "01:50"]


def test_entries_a_little_out_of_order_are_of_the_hour_of_those_around_them(tmp_path: Path) -> None:
    local = ["01:59:59", "02:00:01", "02:00:00", "02:59:58", "02:59:57", "02:00:02", "02:59:59", "02:00:03", "02:59:59", "03:00:00"]  # fmt: skip
    text = "".join(f"2025-10-26 {item} INFO x\n" for item in local)
    expected = ["23:59:59", "00:00:01", "00", "00:59:58", "00:59:57", "01:00:02", "00:59:59", "01:00:03", "01:59:59", "02"]  # fmt: skip
    found = [item.removesuffix(":00") for item in times(read(tmp_path, text, **BERLIN))]
    assert found == expected


def test_a_time_that_no_clock_shows_is_by_the_offset_before_it(tmp_path: Path) -> None:
    text = "2026-03-29 01:59:00 INFO x\n2026-03-29 02:30:00 INFO x\n2026-03-29 03:31:00 INFO x\n"
    assert times(read(tmp_path, text, **BERLIN)) == ["00:59", "01:30", "01:31"]


def test_lines_without_a_time_stand_in_the_hour_of_the_entry_before_them(tmp_path: Path) -> None:
    reading = read(tmp_path, night("iso", ["02:10", "02:50"]) + "lost\n" + night("iso", ["02:10"]), **BERLIN)
    assert reading.entries["body"].tolist() == ["x", "x", "lost", "x"]
    assert times(reading) == ["00:10", "00:50", "00:50", "01:10"]


@pytest.mark.slow
def test_counts_per_minute_know_the_hour_that_comes_twice(tmp_path: Path) -> None:
    (tmp_path / "log").write_text(night("object", NIGHT))
    found = per_minute(LogSource(name="log", file="log", **BERLIN), ["info"], base=tmp_path)
    assert found.empty
    found = per_minute(LogSource(name="log", file="log", **BERLIN), ["x"], base=tmp_path)
    assert found["minute"].dt.strftime("%H:%M").tolist() == NIGHT_UTC


def test_a_busy_hour_is_settled_in_little_time() -> None:
    second = 1_000_000
    clock = ClockBack(place="Europe/Berlin", at_us=0, shift_us=3600 * second, local="2025-10-26 02:00")
    once = np.arange(0, 3600 * second, 3600, dtype=np.int64)
    t = np.concatenate([[-3600 * second - 1], once, once, [3600 * second]])
    is_open = np.ones(len(t), dtype=bool)
    is_open[[0, -1]] = False
    found = settle(np.arange(1, len(t) + 1), t, is_open, clock=clock)
    assert (found.first, found.reading, found.assumed) == (((2, 1_000_001),), "both", False)
