"""Lines that say what they say before their time, and headers that must leave the message alone: each with its right value."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from builders import read_log

from proofbook.collect.logs.aggregates import in_duckdb, summarise
from proofbook.collect.logs.entries import Reading, connect, entries_of

read = functools.partial(read_log, now=dt.datetime(2026, 3, 2, tzinfo=dt.UTC), utc_offset="+00:00")
TIME = "2026-03-01 10:{:02}:00"


def told(reading: Reading) -> list[tuple[str, str]]:
    """The hour and minute of each entry, and its message."""
    entries = reading.entries
    return [
        (time.strftime("%H:%M"), body)
        for time, body in zip(entries["timestamp"], entries["body"], strict=True)
    ]


def lines(*said: str) -> str:
    """A log with a line a minute, each with its time at the place of `@`."""
    return "".join(item.replace("@", TIME.format(minute)) + "\n" for minute, item in enumerate(said))


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        (["Backup started: @", "Backup failed: @"], ["Backup started:", "Backup failed:"]),
        (["disk sda1 is full [@]", "link is up [@]"], ["disk sda1 is full", "link is up"]),
        (["paid | ERROR | @", "refused | INFO | @"], ["paid | ERROR |", "refused | INFO |"]),
        (["the order of 2024-02-01 08:00:00 is lost @", "all is well @"], ["the order of 2024-02-01 08:00:00 is lost", "all is well"]),
        (['level=info msg="a b" user=ann time=@', 'level=info msg="c" time=@'], ['level=info msg="a b" user=ann', 'level=info msg="c"']),
        (["word " * 60 + "at @", "short @"], ["word " * 60 + "at", "short"]),
        (["Job of ann started on @ with 3 workers", "Job of bob stopped on @ with 2 workers"], ["Job of ann started on with 3 workers", "Job of bob stopped on with 2 workers"]),
        (["shop | pay now | @ | ann", "shop | pay later | @ | bob"], ["shop | pay now | | ann", "shop | pay later | | bob"]),
        (["no stock\t@\tann", "no route\t@\tbob"], ["no stock ann", "no route bob"]),
    ],
)  # fmt: skip
def test_what_a_line_says_before_its_time_is_its_message(
    said: list[str], wanted: list[str], tmp_path: Path
) -> None:
    reading = read(tmp_path, lines(*said))
    assert told(reading) == [("10:00", wanted[0]), ("10:01", wanted[1])]
    assert (reading.unparsed, reading.untimed) == (0, 0)


@pytest.mark.parametrize(
    "said",
    [
        "myhost shop[7]: @ INFO paid",
        "web-1 shop @ ERROR paid",
        "shop @ paid",
        "[pid: 7|app: 0] {38 vars in 696 bytes} [@] paid",
    ],
)
def test_a_host_and_a_program_before_a_time_are_a_header(said: str, tmp_path: Path) -> None:
    assert told(read(tmp_path, lines(*[said] * 6)))[0] == ("10:00", "paid")


def test_lines_that_go_on_with_a_message_before_its_time_follow_it(tmp_path: Path) -> None:
    text = lines("Backup failed: @") + "  disk full\n" + lines("Backup started: @")
    assert told(read(tmp_path, text)) == [
        ("10:00", "Backup failed:\n  disk full"),
        ("10:00", "Backup started:"),
    ]


def test_a_time_that_few_lines_end_in_dates_none(tmp_path: Path) -> None:
    text = lines(*["@ INFO fine"] * 8) + "the licence of the shop ends 2031-12-31 00:00:00\n" * 2
    assert read(tmp_path, text).entries["timestamp"].dt.year.unique().tolist() == [2026]


def test_one_line_that_ends_in_a_time_is_refused_with_the_reason(tmp_path: Path) -> None:
    reading = read(tmp_path, lines("Backup failed: @"))
    assert not reading.kept
    assert "they name a time only within what they say, such as 'Backup failed: 2026" in reading.problem


@pytest.fixture
def kinds(tmp_path: Path) -> Iterator[pd.DataFrame]:
    reading = read(tmp_path, lines(*["Backup done: @"] * 5, "Backup failed: @"))
    assert reading.path is not None
    with connect() as engine:
        yield summarise(in_duckdb(engine, entries_of(reading.path)), ["Backup failed"])["log_kinds"]


def test_messages_before_their_times_are_kinds(kinds: pd.DataFrame) -> None:
    assert dict(zip(kinds["text"], kinds["entries"], strict=True)) == {"Backup done:": 5, "Backup failed:": 1}


def test_what_a_request_of_rails_asks_for_does_not_date_it(tmp_path: Path) -> None:
    text = "".join(
        f'Started GET "/notes?since=1438695732&page={n}{"&a=b" * n}" for 127.0.0.1 at 2026-03-01 10:0{n}:00 +0100\n'
        for n in range(8)
    )
    assert [time for time, _ in told(read(tmp_path, text))] == [f"09:0{n}" for n in range(8)]


@pytest.mark.parametrize(
    ("head", "said"),
    [
        ("[@] INFO [Controller id=1] ", "Broker 3 lost (kafka.Controller)"),
        ("@ INFO shop: ", "Request 12 took 5 ms"),
        ("@ queries: info: ", "client 192.0.2.1#12345 (shop.example): query: shop.example IN A"),
        ("@ ", "worker 7 done"),
    ],
)
def test_a_message_that_all_lines_hold_is_no_header(head: str, said: str, tmp_path: Path) -> None:
    reading = read(tmp_path, lines(*[head + said] * 40))
    assert set(reading.entries["body"]) == {said}


def test_the_host_in_all_lines_is_a_header(tmp_path: Path) -> None:
    reading = read(tmp_path, lines(*["@ myhost INFO paid 12 orders"] * 40))
    assert set(reading.entries["body"]) == {"paid 12 orders"}


@pytest.mark.parametrize(
    ("number", "severity"), [("0", "EMERGENCY"), ("3", "ERROR"), ("5", "NOTICE"), ("7", "DEBUG")]
)
def test_the_number_in_what_cisco_writes_is_a_level(number: str, severity: str, tmp_path: Path) -> None:
    reading = read(tmp_path, f"Mar  1 10:00:00 asa1 : %ASA-{number}-106014: Deny inbound icmp\n" * 2)
    assert set(reading.entries["severity_text"]) == {severity}


def test_a_refused_request_of_haproxy_has_its_status_and_its_year(tmp_path: Path) -> None:
    text = "".join(
        f'Jul 18 17:05:3{n} lb haproxy[82]: 192.0.2.7:5194 [18/Jul/2011:17:05:3{n}.339] web web/<NOSRV> -1/-1/-1/-1/6001 {status} 212 - - cR-- 1/1/0/0/0 0/0 "{asked}"\n'
        for n, (status, asked) in enumerate(
            [(200, "GET / HTTP/1.1"), (408, "<BADREQ>"), (200, "GET / HTTP/1.1")]
        )
    )
    reading = read(tmp_path, text)
    assert reading.entries["http_status"].tolist() == [200, 408, 200]
    assert reading.first == pd.Timestamp("2011-07-18T17:05:30Z")
    assert not reading.assumed_years


@pytest.mark.parametrize(
    ("line", "severity"),
    [
        ("[4018] 01 Mar 10:00:00.119 # no memory", "WARNING"),
        ("01-Mar 10:00 bacula-sd JobId 24: no volume", None),
    ],
)
def test_a_day_before_a_month_needs_no_year(line: str, severity: str | None, tmp_path: Path) -> None:
    reading = read(tmp_path, f"{line}\n" * 2)
    assert reading.first is not None and reading.first.floor("s") == pd.Timestamp("2026-03-01T10:00:00Z")
    assert reading.assumed_years == (2026,)
    assert [None if pd.isna(item) else item for item in reading.entries["severity_text"]] == [severity] * 2


def test_the_trace_in_a_full_message_of_gelf_is_found(tmp_path: Path) -> None:
    text = '{"version":"1.1","host":"a","short_message":"no pay","full_message":"TypeError: no\\n    at pay (/a.js:1:1)","timestamp":1772359200.5,"level":3}\n'
    assert read(tmp_path, text * 2).entries["body"][0] == "no pay\nTypeError: no\n    at pay (/a.js:1:1)"
