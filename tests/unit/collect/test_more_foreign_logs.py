"""Logs as yet other programs write them: each with its times, severities and statuses, of few lines too."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pandas as pd
import pytest
from builders import json_lines, read_log

from proofbook.collect.logs.entries import Reading

NOW = dt.datetime(2026, 3, 2, tzinfo=dt.UTC)


def read(folder: Path, text: str) -> Reading:
    return read_log(folder, text, now=NOW, utc_offset="+00:00")


def told(reading: Reading) -> list[tuple[str, str | None]]:
    """Time of day and severity of each entry."""
    found = reading.entries
    assert set(found["timestamp"].dt.date) == {dt.date(2026, 3, 1)}
    levels = [None if pd.isna(item) else str(item) for item in found["severity_text"]]
    return list(zip(found["timestamp"].dt.strftime("%H:%M:%S"), levels, strict=True))


def test_a_longer_number_before_seconds_since_1970_is_not_their_beginning(tmp_path: Path) -> None:
    text = """2 123456789012 eni-1 192.0.2.1 10.0.0.1 51234 443 6 20 4249 1772359200 1772359260 ACCEPT OK
2 123456789012 eni-1 192.0.2.1 10.0.0.1 51235 22 6 1 40 1772359201 1772359261 REJECT OK
"""
    assert told(read(tmp_path, text)) == [("10:00:00", None), ("10:00:01", None)]


def test_a_level_is_found_in_a_header_in_which_not_all_lines_have_one(tmp_path: Path) -> None:
    text = """2026-03-01T10:00:00.123Z [shop] info: started
2026-03-01T10:00:01.123Z [shop] error: broken
2026-03-01T10:00:02.123Z [shop] http: GET /basket
"""
    wanted = [("10:00:00", "INFO"), ("10:00:01", "ERROR"), ("10:00:02", None)]
    # Of many lines the word is taken for a part of the header.
    assert told(read(tmp_path / "few", text)) == wanted
    assert told(read(tmp_path / "many", text * 4)) == wanted * 4


def test_lines_that_differ_in_what_stands_in_brackets_are_alike(tmp_path: Path) -> None:
    text = """INFO  [main] 2026-03-01 10:00:00,123 Daemon.java:500 - started
WARN  [Gossip:1] 2026-03-01 10:00:01,123 Detector.java:288 - pause
ERROR [Read-2] 2026-03-01 10:00:02,123 Inspector.java:68 - broken
"""
    reading = read(tmp_path, text)
    assert told(reading) == [("10:00:00", "INFO"), ("10:00:01", "WARNING"), ("10:00:02", "ERROR")]
    assert reading.untimed == 0


def test_a_level_behind_a_name_in_brackets_is_the_level_before_the_time(tmp_path: Path) -> None:
    text = """[Main thread] INFO 2026-03-01 10:00:00,123 started
[Pool:1] ERROR 2026-03-01 10:00:01,123 broken
"""
    assert told(read(tmp_path, text)) == [("10:00:00", "INFO"), ("10:00:01", "ERROR")]


def test_levels_of_four_letters_before_the_time(tmp_path: Path) -> None:
    text = "".join(
        f"{level}[2026-03-01T10:00:00Z] said\n"
        for level in ("INFO", "ERRO", "FATA", "DEBU", "TRAC", "PANI", "WARN")
    )
    levels = [level for _, level in told(read(tmp_path, text))]
    assert levels == ["INFO", "ERROR", "CRITICAL", "DEBUG", "TRACE", "CRITICAL", "WARNING"]


@pytest.mark.parametrize(
    ("level", "severity"),
    [
        ("ERROR+4", "ERROR"),
        ("WARN+1", "WARNING"),
        ("INFO-2", "INFO"),
        ("DEBUG-4", "DEBUG"),
        ("basket-4", None),
    ],
)
def test_a_level_of_slog_is_at_least_the_usual_one_that_it_names(
    level: str, severity: str | None, tmp_path: Path
) -> None:
    lines = [{"time": "2026-03-01T10:00:00Z", "level": name, "msg": "said"} for name in (level, "INFO")]
    assert [found for _, found in told(read(tmp_path, json_lines(*lines)))] == [severity, "INFO"]


def test_a_level_in_brackets_may_be_filled_with_blanks(tmp_path: Path) -> None:
    text = """[2026-03-01T10:00:00.123+0000][0.015s][info ][gc] Using G1
[2026-03-01T10:00:01.123+0000][1.015s][error  ][gc] broken
"""
    assert told(read(tmp_path, text)) == [("10:00:00", "INFO"), ("10:00:01", "ERROR")]


def test_what_php_calls_its_errors_is_their_severity(tmp_path: Path) -> None:
    text = """[01-Mar-2026 10:00:00 UTC] PHP Warning:  Undefined variable $x in /srv/a.php on line 3
[01-Mar-2026 10:00:01 UTC] PHP Fatal error:  Uncaught RuntimeException: no basket in /srv/a.php:3
Stack trace:
#0 {main}
  thrown in /srv/a.php on line 3
[01-Mar-2026 10:00:02 UTC] PHP Parse error:  syntax error in /srv/a.php on line 3
[01-Mar-2026 10:00:03 UTC] PHP Notice:  late
"""
    assert [level for _, level in told(read(tmp_path, text))] == ["WARNING", "CRITICAL", "ERROR", "NOTICE"]


def test_a_report_of_erlang_has_the_time_and_the_level_of_its_title(tmp_path: Path) -> None:
    text = """
=INFO REPORT==== 1-Mar-2026::10:00:00 ===
accepting a connection

=ERROR REPORT==== 1-Mar-2026::10:00:01 ===
closing a connection:
{handshake_timeout,frame_header}

=WARNING REPORT==== 1-Mar-2026::10:00:02 ===
alarm set
"""
    reading = read(tmp_path, text)
    assert told(reading) == [("10:00:00", "INFO"), ("10:00:01", "ERROR"), ("10:00:02", "WARNING")]
    assert "handshake_timeout" in reading.entries["body"][1]


def test_lines_that_are_all_indented_are_entries(tmp_path: Path) -> None:
    text = """==> Log data will now stream in as it occurs:

    2026/03/01 10:00:00 [INFO] raft: started
    2026/03/01 10:00:01 [ERR] agent: broken
"""
    assert told(read(tmp_path, text))[1:] == [("10:00:00", "INFO"), ("10:00:01", "ERROR")]


@pytest.mark.parametrize(
    "line",
    [
        '2026/03/01 10:00:00.123\tERROR\thttp.log\thandled\t{"request": {"method": "GET", "uri": "/pay"}, "status": 502}',
        "2026-03-01 10:00:00.123 ERROR GET /pay (12 ms) 502",
    ],
)
def test_the_status_of_a_request_behind_a_message_or_how_long_it_took(line: str, tmp_path: Path) -> None:
    found = read(tmp_path, line + "\n").entries
    assert found[["http_status", "http_method", "http_url"]].to_numpy().tolist() == [[502, "GET", "/pay"]]


def test_a_trace_behind_the_name_of_its_writer_is_one_entry(tmp_path: Path) -> None:
    text = """03-01 10:00:00.123  1234  1250 I Manager : started
03-01 10:00:01.123  4711  4711 E Runtime: java.lang.NullPointerException: basket
03-01 10:00:01.123  4711  4711 E Runtime: \tat shop.Pay.run(Pay.java:12)
03-01 10:00:02.123  4711  4720 W Shop    : late
03-01 10:00:02.123  4711  4720 W Shop    : later
"""
    reading = read(tmp_path, text)
    assert (reading.kept, reading.joined) == (4, 1)
    assert (
        reading.entries["body"][1] == "java.lang.NullPointerException: basket\n\tat shop.Pay.run(Pay.java:12)"
    )


def test_the_first_word_that_nearly_all_messages_have_is_no_header(tmp_path: Path) -> None:
    lines = ["Target class [Shop] does not exist."] * 40 + ["Uncaught ReflectionException: no class"]
    text = "".join(f"[2026-03-01 10:00:00] local.ERROR: {line}\n" for line in lines)
    assert read(tmp_path, text).entries["body"].tolist() == lines
