"""Logs whose headers few programs write: levels as letters, beside numbers and threads, and times in forms of their own."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pandas as pd
import pytest
from builders import read_log

from proofbook.collect.logs.entries import Reading

NOW = dt.datetime(2026, 3, 2, tzinfo=dt.UTC)


def read(folder: Path, text: str) -> Reading:
    return read_log(folder, text, now=NOW, utc_offset="+00:00")


def told(reading: Reading) -> list[tuple[str, str | None, str]]:
    """Time of day, severity and message of each entry, all of one day."""
    found = reading.entries
    assert set(found["timestamp"].dt.date) == {dt.date(2026, 3, 1)}
    levels = [None if pd.isna(item) else str(item) for item in found["severity_text"]]
    times = found["timestamp"].dt.strftime("%H:%M:%S")
    return list(zip(times, levels, found["body"], strict=True))


@pytest.mark.usual_cases(4)
@pytest.mark.parametrize(
    "line",
    [
        "[2026-03-01 10:00:00,123: ERROR/Worker-3] basket lost",
        "[2026-03-01 10:00:00] ERROR[4711][C-0000002a]: basket lost",
        "2026-03-01T10:00:00.123456Z 17 [ERROR] basket lost",
        "03-01 10:00:00.123  4711  4712 E basket lost",
        "03-01 10:00:00.123  1000  4711  4712 E Shop    : basket lost",
        "E, [2026-03-01T10:00:00.123456 #4711] ERROR -- shop: basket lost",
        "2026-03-01T10:00:00.123+0000 E STORAGE  [conn42] basket lost",
        "2026-03-01T10:00:00.123+0000 E -        [journal writer] basket lost",
        "[3/1/26 10:00:00:123 UTC] 0000004f ShopServlet   E basket lost",
        "E [01/Mar/2026:10:00:00 +0000] basket lost",
        "<E>2026-03-01 10:00:00.123 basket lost",
        "[2026-03-01T10:00:00Z ERROR shop::basket] basket lost",
        "2026-03-01 10:00:00,123 [main] ERROR shop.Basket - basket lost",
        "2026-03-01T10:00:00Z E basket lost",
    ],
)
def test_one_line_is_enough_to_know_the_level_in_its_header(line: str, tmp_path: Path) -> None:
    assert told(read(tmp_path, line + "\n")) == [("10:00:00", "ERROR", "basket lost")]


def test_a_sentence_that_begins_with_a_letter_is_no_level(tmp_path: Path) -> None:
    lines = ["A basket was lost", "I am late"]
    text = "".join(f"2026-03-01T10:00:00Z {line}\n" for line in lines)
    assert told(read(tmp_path, text)) == [("10:00:00", None, line) for line in lines]


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("[Sun Mar 01 10:00:00.123456 2026] [:error] [pid 7] denied", "ERROR"),
        ("2026-03-01 10:00:00 UTC [44]: [1-1] user=shop,db=shop LOG:  duration: 59.911 ms", "INFO"),
        ("Mar  1 10:00:00 auth-worker(4711): Error: no such table", "ERROR"),
        ("[2026-03-01 10:00:00] debug: \tzigbee: frame", "DEBUG"),
        ("2026-03-01 10:00:00\tbasket\t" + "x" * 900 + "\tSEVERE\tlost", "ERROR"),
    ],
)
def test_levels_in_text_that_few_programs_write(text: str, level: str, tmp_path: Path) -> None:
    assert [said for _, said, _ in told(read(tmp_path, text + "\n"))] == [level]


@pytest.mark.parametrize(
    "written",
    [
        "[UTC Mar  1 10:00:00]",
        "[EST Mar  1 05:00:00]",
        "2026 Mar 01 10:00:00",
        "2026-Mar-01 10:00:00.123",
        "2026:03:01-10:00:00",
        "01/03/2026 - 10:00:00",
        "Mar-01 10:00:00.123",
        "Mar-01-26 10:00:00",
        "# Time: 260301 10:00:00",
        "March 1, 2026, 10:00 AM",
    ],
)
def test_forms_of_time_that_few_programs_write(written: str, tmp_path: Path) -> None:
    text = f"{written} basket lost\n{written} basket found\n"
    assert [time for time, _, _ in told(read(tmp_path, text))] == ["10:00:00", "10:00:00"]


def test_a_level_that_is_filled_up_from_the_left_stands_where_longer_ones_do(tmp_path: Path) -> None:
    text = """[ INFO 2026-03-01 10:00:00 main] started
[ERROR 2026-03-01 10:00:01 main] broken
[ WARN 2026-03-01 10:00:02 main] late
"""
    assert told(read(tmp_path, text)) == [
        ("10:00:00", "INFO", "started"),
        ("10:00:01", "ERROR", "broken"),
        ("10:00:02", "WARNING", "late"),
    ]


def test_cells_between_bars_stand_before_a_time_whatever_they_hold(tmp_path: Path) -> None:
    text = """INFO   | jvm 1    | 2026/03/01 10:00:00 | started
ERROR  | jvm 1    | 2026/03/01 10:00:01 | shop.LostException
ERROR  | jvm 1    | 2026/03/01 10:00:01 | \tat shop.Basket.find(Basket.java:12)
STATUS | wrapper  | 2026/03/01 10:00:02 | launching
"""
    assert told(read(tmp_path, text)) == [
        ("10:00:00", "INFO", "started"),
        ("10:00:01", "ERROR", "shop.LostException\n\tat shop.Basket.find(Basket.java:12)"),
        ("10:00:02", None, "launching"),
    ]


def test_lines_whose_times_stand_between_other_brackets_than_those_before_are_read(tmp_path: Path) -> None:
    text = """2026-03-01T10:00:00Z In(14) shop[4711]: started
a[1] b[2] 2026-03-01T10:00:01Z two
a[1] b 2026-03-01T10:00:02Z one
a[1] c[2] 2026-03-01T10:00:03Z two
a[1] c 2026-03-01T10:00:04Z one
"""
    assert [time for time, _, _ in told(read(tmp_path, text))][-1] == "10:00:04"


def test_what_a_title_is_of_stands_in_the_lines_after_it(tmp_path: Path) -> None:
    text = """=ERROR REPORT==== 1-Mar-2026::10:00:00 ===
closing a connection

=SUPERVISOR REPORT==== 1-Mar-2026::10:00:01 ===
child died
"""
    assert told(read(tmp_path, text)) == [
        ("10:00:00", "ERROR", "closing a connection"),
        ("10:00:01", None, "child died"),
    ]


def test_the_level_of_one_entry_of_two_lines_stands_in_the_second(tmp_path: Path) -> None:
    text = "Mar 01, 2026 10:00:00 AM shop.Basket find\nSEVERE: basket lost\n"
    reading = read(tmp_path, text)
    assert told(reading) == [("10:00:00", "ERROR", "shop.Basket find\nSEVERE: basket lost")]
    assert reading.unparsed == reading.untimed == 0


def test_access_lines_of_many_forms_keep_their_times_beside_other_lines(tmp_path: Path) -> None:
    text = """php-1  | [01-Mar-2026 10:00:00] NOTICE: ready
php-1  | [01-Mar-2026 10:00:00] NOTICE: still ready
php-1  | [01-Mar-2026 10:00:00] NOTICE: ever ready
php-1  | 192.0.2.1 -  01/Mar/2026:10:00:01 +0000 "GET /pay.php" 200
php-1  | 192.0.2.1 - eve 01/Mar/2026:10:00:02 +0000 "PROPFIND /files" 207
php-1  | 2001:db8::1 -  01/Mar/2026:10:00:03 +0000 "POST /pay.php" 503
"""
    reading = read(tmp_path, text)
    found = reading.entries.dropna(subset="http_status")
    assert found["timestamp"].dt.second.tolist() == [1, 2, 3]
    assert found[["http_method", "http_url", "http_status"]].to_numpy().tolist() == [
        ["GET", "/pay.php", 200],
        ["PROPFIND", "/files", 207],
        ["POST", "/pay.php", 503],
    ]
    assert reading.untimed == 0


def test_a_trace_behind_the_name_of_its_container_is_one_entry_whatever_others_write(tmp_path: Path) -> None:
    text = """web-1   | 2026-03-01 10:00:00,120 ERROR basket lost
db-1    | 2026-03-01 10:00:00.120 UTC [7] LOG:  checkpoint
web-1   | Traceback (most recent call last):
web-1   |   File "/app/shop.py", line 3, in find
db-1    | 2026-03-01 10:00:00.130 UTC [7] LOG:  checkpoint done
web-1   |     return baskets[0]
web-1   | IndexError: list index out of range
web-1   | 2026-03-01 10:00:01,120 INFO fine
"""
    reading = read(tmp_path, text)
    trace = 'Traceback (most recent call last):\n  File "/app/shop.py", line 3, in find\n    return baskets[0]\nIndexError: list index out of range'
    bodies = reading.entries["body"].tolist()
    assert bodies[0].endswith(f"basket lost\n{trace}")
    assert (len(bodies), reading.joined) == (4, 4)


def test_lines_of_a_container_that_never_wrote_a_time_are_entries_each(tmp_path: Path) -> None:
    text = """web-1  |  * ready
web-1  |  * steady
db-1   | 2026-03-01 10:00:00.120 UTC [7] LOG:  checkpoint
db-1   | 2026-03-01 10:00:01.120 UTC [7] LOG:  checkpoint
"""
    assert read(tmp_path, text).entries["body"].tolist()[:2] == [" * ready", " * steady"]


@pytest.mark.parametrize(
    "more",
    [
        "** Last message in was {find,basket}\n** When Server state == {state,[]}\n** Reason for termination == ",
        "stack traceback:\n\t[C]: in function 'find'\n\tshop.lua:12: in main chunk",
        'Stack (most recent call last):\n  File "shop.py", line 3, in <module>\n    find()',
    ],
)
def test_what_runtimes_write_after_an_error_belongs_to_it(more: str, tmp_path: Path) -> None:
    text = f"2026-03-01T10:00:00Z [error] basket lost\n{more}\n2026-03-01T10:00:01Z [info] fine\n"
    assert [body for _, _, body in told(read(tmp_path, text))] == [f"basket lost\n{more}", "fine"]
