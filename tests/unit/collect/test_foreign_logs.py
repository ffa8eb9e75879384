"""Logs as programs write them that nobody here wrote: each kind of fault that readers make with them, and its right value."""

from __future__ import annotations

import datetime as dt
import functools
import json
from pathlib import Path

import pandas as pd
import pytest
from builders import json_lines, read_log

from proofbook.collect.logs import recorder
from proofbook.collect.logs.counts import per_minute
from proofbook.collect.logs.entries import Reading
from proofbook.config.sources import LogSource
from proofbook.notebook.quicklook import look_at_log

NOW = dt.datetime(2026, 3, 2, tzinfo=dt.UTC)
read = functools.partial(read_log, now=NOW)
UTC = {"utc_offset": "+00:00"}


def rows(reading: Reading) -> list[tuple[str, str | None, str]]:
    """Time, severity and body of each entry."""
    found = reading.entries
    times = found["timestamp"].dt.strftime("%Y-%m-%dT%H:%M:%S.%f").str.rstrip("0").str.rstrip(".")
    severities = [None if pd.isna(item) else str(item) for item in found["severity_text"]]
    return list(zip(times, severities, found["body"], strict=True))


def kinds(folder: Path, text: str, **source: str) -> list[tuple[str, str, int]]:
    """Severity, what and entries of each kind in a log, as `proofbook logs` shows them."""
    (folder / "log").write_text(text)
    found = look_at_log(LogSource.model_validate({"name": "log", "file": "log", **source}), base=folder).kinds
    return [(row.severity, row.what, row.entries) for row in found.itertuples()]


# Lines without a readable time -------------------------------------------------------------------------------------------

TICK = {"timestamp": "2026-03-01T10:00:00Z", "level": "info", "message": "tick"}
TRACEBACK = """Traceback (most recent call last):
  File "/app/a.py", line 3, in walk
    walk(node)
RecursionError: maximum recursion depth exceeded
"""


@pytest.mark.slow
@pytest.mark.parametrize("ticks", [1, 50])
def test_raw_lines_between_objects_are_found_by_patterns(ticks: int, tmp_path: Path) -> None:
    text = json_lines(*[TICK] * ticks) + TRACEBACK + json_lines(*[TICK] * ticks)
    (tmp_path / "log").write_text(text)
    looked = look_at_log(LogSource(name="log", file="log"), patterns=["RecursionError"], base=tmp_path)
    (row,) = looked.patterns.to_dict("records")
    assert row["affected after"] + row.get("lines without a time after", 0) == 1


def test_raw_lines_stand_apart_from_the_object_before_them_and_are_lost_with_no_duplicate(
    tmp_path: Path,
) -> None:
    once = TICK | {"insertId": "1", "logName": "a"}
    reading = read(tmp_path, json_lines(once, once) + TRACEBACK, shape="text")
    assert [body for _, _, body in rows(reading)] == ["tick", TRACEBACK.strip()]
    assert (reading.duplicates, reading.untimed, reading.lines) == (1, 1, 6)


def test_a_wrapper_that_says_when_it_was_written_is_no_entry(tmp_path: Path) -> None:
    times = {"from": "2026-03-01T00:00:00Z", "to": "2026-03-01T12:00:00Z"}
    text = json.dumps({"exported": "2026-03-01T12:00:00Z", "range": times, "by": {"error": [TICK, TICK], "info": [TICK]}})  # fmt: skip
    assert read(tmp_path, text).kept == 3


def test_lines_in_another_form_of_time_are_read_beside_the_others(tmp_path: Path) -> None:
    text = "01.03.2026 10:00:00 FATAL ledger corrupt\n" * 300 + "2026-03-01T10:00:00Z INFO fine\n" * 60
    reading = read(tmp_path, text, **UTC)
    assert (reading.counts, reading.unparsed) == ({"CRITICAL": 300, "INFO": 60}, 0)


def test_a_line_without_a_time_of_its_own_stands_alone_and_is_dated_by_no_word_of_it(tmp_path: Path) -> None:
    text = """2026-03-01T10:00:00Z INFO tick
cache: link lost
cache: link lost
shop[7] user signed up on 2019-05-04 08:00:00 UTC
"""
    reading = read(tmp_path, text)
    assert [body for _, _, body in rows(reading)] == ["tick", *["cache: link lost"] * 2, "shop[7] user signed up on 2019-05-04 08:00:00 UTC"]  # fmt: skip
    assert reading.untimed == 3 and set(reading.entries["timestamp"].dt.year) == {2026}


def test_messages_of_several_lines_stay_whole_where_they_are_the_rule(tmp_path: Path) -> None:
    entry = "10:00:0{0}.000 [info] GET /basket\nSent 200 in 5ms\nto the shop\n"
    text = "".join(f"2026-03-01 {entry.format(number)}" for number in range(4))
    reading = read(tmp_path, text, **UTC)
    assert (reading.kept, reading.untimed) == (4, 0)
    assert reading.entries["body"][0] == "GET /basket\nSent 200 in 5ms\nto the shop"


# Times -------------------------------------------------------------------------------------------------------------------


def test_the_time_of_the_runtime_counts_before_any_time_in_the_text(tmp_path: Path) -> None:
    text = """2026-03-01T10:00:01.000000001Z INFO: licence valid until 2031-12-31T00:00:00Z
2026-03-01T10:00:02.000000001Z ERROR: order of 2024-02-01 08:00:00 not found
2026-03-01T10:00:03.121000000Z 2026-03-01 11:00:03,120 INFO shop: fine
"""
    assert [(time, severity) for time, severity, _ in rows(read(tmp_path, text))] == [
        ("2026-03-01T10:00:01", "INFO"),
        ("2026-03-01T10:00:02", "ERROR"),
        ("2026-03-01T10:00:03.121", "INFO"),
    ]


def test_an_object_without_a_zone_has_the_time_of_its_container(tmp_path: Path) -> None:
    inner = {"asctime": "2026-03-01 11:00:03,120", "levelname": "INFO", "message": "fine"}
    outer = {"log": json.dumps(inner) + "\n", "stream": "stdout", "time": "2026-03-01T10:00:03.121Z"}
    assert rows(read(tmp_path, json_lines(outer))) == [("2026-03-01T10:00:03.121", "INFO", "fine")]


@pytest.mark.usual_cases(4)
@pytest.mark.parametrize(
    "written",
    [
        "[Sun Mar 01 10:00:00.123456 2026] ", "01 Mar 2026 10:00:00.123456 ", "26/03/01 10:00:00.123456 ", "01.03.2026 10:00:00.123456 ",
        "01-Mar-2026 10:00:00.123456 ", "20260301 10:00:00.123456 ", "20260301T100000.123456 ", "2026-03-01\t10:00:00.123456\t",
        "Mar  1 2026 10:00:00.123456 ", "Mar 1, 2026 10:00:00.123456 AM ", "1772359200.123456 ", "260301 10:00:00.123456 ",
        "2026-03-01-10.00.00.123456 ", "Sun, 01 Mar 2026 10:00:00.123456 +0000 ", "2026-060T10:00:00.123456 ", "03-01 10:00:00.123456 ",
        "2026.03.01 10:00:00.123456 ", "[01/Mar/2026:10:00:00.123456 +0000] ", "2026-03-01 11:00:00.123456 +0100 CET ",
        "2026-03-01 12:00:00.123456+02 ", "2026-03-01 02:00:00.123456 PST ", "2026-03-01 10:00:00.123456 GMT ",
    ],
)  # fmt: skip
def test_every_usual_form_of_time_is_read(written: str, tmp_path: Path) -> None:
    reading = read(tmp_path, f"{written}ERROR broken\n{written}ERROR broken\n", **UTC)
    assert {row[:2] for row in rows(reading)} == {("2026-03-01T10:00:00.123456", "ERROR")}, reading.problem


@pytest.mark.parametrize(
    ("line", "year"), [("13/02/2026 10:00:00 x", "2026-02-13"), ("02/13/2026 10:00:00 x", "2026-02-13")]
)
def test_which_number_is_the_day_follows_from_those_that_can_be_no_month(
    line: str, year: str, tmp_path: Path
) -> None:
    assert rows(read(tmp_path, f"{line}\n", **UTC))[0][0].startswith(year)


def test_a_zone_that_a_line_names_counts_more_than_one_that_is_stated(tmp_path: Path) -> None:
    text = "2026-03-01 10:00:00 GMT ERROR broken\n2026-03-01 10:00:00.123+02 ERROR broken\n"
    reading = read(tmp_path, text, utc_offset="+01:00")
    assert [time for time, _, _ in rows(reading)] == ["2026-03-01T10:00:00", "2026-03-01T08:00:00.123"]


def test_a_zone_that_means_several_things_is_asked_for(tmp_path: Path) -> None:
    text = "2026-03-01 10:00:00 CST ERROR broken\n"
    assert "the time zone CST is not the same everywhere" in read(tmp_path, text).problem
    assert rows(read(tmp_path, text, utc_offset="+08:00"))[0][0] == "2026-03-01T02:00:00"


def test_a_zone_that_nobody_knows_leaves_the_time_unread(tmp_path: Path) -> None:
    assert read(tmp_path, "2015-04-24T21:08:10.313913FOO err broken\n", **UTC).problem


@pytest.mark.parametrize(
    "hostile",
    [
        {"level": "²", "status": "²", "message": "x"},
        {"level": "9" * 5000, "status": "1" * 5000, "message": "x"},
        {"when": "0000-060T10:00:00", "level": "٣", "n": 1e308},
        {"when": "01 ſep 2026 10:00:00", "shipped": "2026-03-01T10:00:00Z"},
    ],
)
def test_no_value_of_a_stranger_breaks_what_is_learnt_from_it(
    hostile: dict[str, object], tmp_path: Path
) -> None:
    text = json_lines(hostile, TICK, TICK) + "0000-060T10:00:00 x\n01 ſep 2026 10:00:00 x\n"
    assert read(tmp_path, text).kept >= 2


def test_a_deep_object_with_a_time_is_an_entry_or_unread_and_no_crash(tmp_path: Path) -> None:
    deep = '{"when":"2026-03-01T10:00:00Z","a":' + '{"a":' * 900 + "1" + "}" * 901 + "\n"
    assert read(tmp_path, deep + json_lines(TICK)).kept >= 1


@pytest.mark.parametrize(
    ("text", "minute"),
    [
        ("Mar  1 10:00:00 h app[1]: boom\n", "03-01 10:00"),
        ("2026-03-01 10:00:00 INFO tick\nboom without a time\n", "03-01 10:00"),
    ],
)
def test_counts_per_minute_know_the_year_and_lines_without_a_time(
    text: str, minute: str, tmp_path: Path
) -> None:
    (tmp_path / "log").write_text(text)
    found = per_minute(LogSource(name="log", file="log", utc_offset="+00:00"), ["boom"], base=tmp_path)
    assert found["boom"].tolist() == [1] and found["minute"].dt.strftime("%m-%d %H:%M").tolist() == [minute]
    assert found["minute"].dt.year.tolist() != [2024]


def test_times_of_day_without_a_date_are_not_taken_for_a_missing_zone(tmp_path: Path) -> None:
    problem = read(tmp_path, "08:09:33.814936 execve(...) = 0\n" * 3).problem
    assert "times of day, but no date" in problem and "utc_offset" not in problem


def test_messages_that_begin_with_a_space_are_entries_of_their_own(tmp_path: Path) -> None:
    text = "".join(
        f"2026-03-01 10:00:00.12{n} UTC [7] LOG:  {said}\n"
        for n, said in enumerate(["listening on port 1", "listening on port 2", "ready", "shut down"])
    )
    reading = read(tmp_path, text)
    assert reading.kept == 4 and reading.joined == 0


def test_frames_that_are_not_indented_belong_to_the_line_that_begins_their_traceback(tmp_path: Path) -> None:
    text = """MainThread::ERROR::2026-03-01 10:00:00,300::vdsm::74::vds::(run) Traceback (most recent call last):
File "/usr/share/vdsm/vdsm", line 72, in run
    serve_clients(log)
File "/usr/share/vdsm/client.py", line 40, in serve_clients
    cif = connect(log)
libvirtError: Failed to connect
MainThread::INFO::2026-03-01 10:00:01,300::vdsm::74::vds::(run) fine
"""
    reading = read(tmp_path, text, **UTC)
    assert [row[1] for row in rows(reading)] == ["ERROR", "INFO"] and reading.untimed == 0


@pytest.mark.parametrize(
    ("written", "time"),
    [
        ("@4000000069a411ba0ee6b280", "2026-03-01T10:15:12.25"),
        ("1 mars 2026 10:00:00", "2026-03-01T10:00:00"),
        ("01-févr.-2026 10:00:00", "2026-02-01T10:00:00"),
        ("1. Mär 2026 10:00:00", "2026-03-01T10:00:00"),
        ("Dez 31 2025 10:00:00", "2025-12-31T10:00:00"),
        ("15 ago 2025 10:00:00", "2025-08-15T10:00:00"),
        ("31/Okt/2025:10:00:00 +0000", "2025-10-31T10:00:00"),
        ("juil. 4 10:00:00", "2025-07-04T10:00:00"),
    ],
)
def test_months_in_other_languages_and_labels_of_tai64n_are_times(
    written: str, time: str, tmp_path: Path
) -> None:
    reading = read(tmp_path, f"{written} host app[7]: ERROR broken\n" * 6, **UTC)
    assert [row[:2] for row in rows(reading)] == [(time, "ERROR")] * 6


@pytest.mark.slow
def test_an_object_whose_time_is_not_known_keeps_its_text_for_patterns(tmp_path: Path) -> None:
    text = json_lines(TICK) + '{"Wann": "gestern", "Was": "RecursionError: too deep"}\n' + json_lines(TICK)
    (tmp_path / "log").write_text(text)
    looked = look_at_log(LogSource(name="log", file="log"), patterns=["RecursionError"], base=tmp_path)
    (row,) = looked.patterns.to_dict("records")
    assert row["affected after"] + row.get("lines without a time after", 0) == 1


def test_messages_without_letters_are_messages(tmp_path: Path) -> None:
    said = ["| |", "...", "===", "done"]
    text = json_lines(*({"Timestamp": "2026-03-01T10:00:00Z", "Message": item} for item in said))
    assert [body for _, _, body in rows(read(tmp_path, text))] == said


# Years -------------------------------------------------------------------------------------------------------------------


def test_a_29th_of_february_is_of_the_last_leap_year_and_the_others_with_it(tmp_path: Path) -> None:
    text = """I0228 23:59:59.000000       1 main.go:3] started
E0229 00:00:01.000000       1 main.go:4] broken
I0301 00:00:01.000000       1 main.go:5] fine
"""
    reading = read(tmp_path, text, **UTC)
    assert rows(reading) == [
        ("2024-02-28T23:59:59", "INFO", "started"),
        ("2024-02-29T00:00:01", "ERROR", "broken"),
        ("2024-03-01T00:00:01", "INFO", "fine"),
    ]
    assert reading.assumed_years == (2024,)


def test_a_year_that_a_line_names_is_that_of_its_time(tmp_path: Path) -> None:
    text = "Jun  3 09:00:00 h app[1]: 2024-06-03T09:00:00.120Z [ERROR] broken\n"
    reading = read(tmp_path, text, **UTC)
    assert rows(reading) == [("2024-06-03T09:00:00", "ERROR", "broken")] and reading.assumed_years == ()


@pytest.mark.slow
def test_a_log_over_new_year_runs_forwards_in_both_orders(tmp_path: Path) -> None:
    lines = [f"{day} h app[1]: tick\n" for day in ("Nov  3 09:00:00", "Dec 31 23:59:59", "Jan  1 00:00:01", "Feb  3 09:00:00")]  # fmt: skip
    years = [2025, 2025, 2026, 2026]
    assert read(tmp_path, "".join(lines), **UTC).entries["timestamp"].dt.year.tolist() == years
    (tmp_path / "back").mkdir()
    backwards = read(tmp_path / "back", "".join(reversed(lines)), **UTC)
    assert backwards.entries["timestamp"].dt.year.tolist() == years[::-1]


# Severities --------------------------------------------------------------------------------------------------------------


@pytest.mark.usual_cases(4)
@pytest.mark.parametrize(
    ("line", "severity"),
    [
        ("2026-03-01 10:00:03.000 +00:00 [FTL] dead", "CRITICAL"),
        ("2026-03-01T10:00:04Z\terror\tworker.go:9\tbroken", "ERROR"),
        ("2026-03-01T10:00:05Z [ warn] slow", "WARNING"),
        ("2026-03-01T10:00:07Z,ERROR,broken", "ERROR"),
        ("2026-03-01T10:00:08Z [core:error] broken", "ERROR"),
        ('web-1  | {"time":"2026-03-01T10:00:02Z","level":"error","msg":"broken"}', "ERROR"),
        ('2026-03-01T10:00:02Z {"level":"error","msg":"broken"}', "ERROR"),
        ("2026-03-01T10:00:09Z 7 [Note] [MY-012487] ready", "NOTICE"),
        ("2026-03-01 10:00:00.123 UTC [42] LOG:  listening", "INFO"),
        ("2026-03-01T10:00:00Z at=error code=H10", "ERROR"),
        ("[2026-03-01 10:00:00 +0000] local.ERROR: broken", "ERROR"),
        ("2026-03-01T10:00:00Z nothing was wrong, no error at all", None),
    ],
)
def test_a_level_is_seen_where_programs_write_it(line: str, severity: str | None, tmp_path: Path) -> None:
    (row,) = rows(read(tmp_path, f"{line}\n", **UTC))
    assert row[1] == severity


@pytest.mark.parametrize(
    ("entry", "severity"),
    [
        ({"timestamp": "2026-03-01T10:00:00Z", "level": 4, "levelText": "Information", "message": "runs"}, "INFO"),
        ({"time": "2026-03-01T10:00:00+00:00", "level": 1, "app": "files", "message": "moved"}, "INFO"),
        ({"time": 1772359200000, "level": 50, "msg": "broken"}, "ERROR"),
        ({"timeCreated": "2026-03-01T10:00:00Z", "level": 2, "message": "broken"}, "ERROR"),
        ({"version": "1.1", "host": "a", "short_message": "broken", "timestamp": 1772359200.0, "level": 3}, "ERROR"),
        ({"time": "2026-03-01T10:00:00Z", "level": 4, "message": "what scale?"}, None),
    ],
)  # fmt: skip
def test_a_number_is_a_severity_on_the_scale_that_the_log_shows(
    entry: dict[str, object], severity: str | None, tmp_path: Path
) -> None:
    assert rows(read(tmp_path, json_lines(entry)))[0][1] == severity


@pytest.mark.slow
def test_one_text_at_two_levels_is_two_kinds(tmp_path: Path) -> None:
    said = [TICK | {"message": "reconnecting to queue"}] * 39
    said.append(said[0] | {"level": "error"})
    assert kinds(tmp_path, json_lines(*said)) == [("ERROR", "reconnecting to queue", 1), ("INFO", "reconnecting to queue", 39)]  # fmt: skip


# Entries -----------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_an_error_that_notes_the_status_it_led_to_is_an_error(tmp_path: Path) -> None:
    entry = {
        "level": 50, "time": 1772359200000, "msg": "checkout failed", "res": {"statusCode": 500},
        "err": {"type": "TypeError", "stack": "TypeError: basket is undefined\n    at pay (/srv/app/pay.js:7:1)"},
    }  # fmt: skip
    assert kinds(tmp_path, json_lines(entry)) == [
        ("ERROR", "TypeError: basket is undefined in pay (app/pay.js)", 1)
    ]


@pytest.mark.slow
def test_the_header_is_no_part_of_a_kind(tmp_path: Path) -> None:
    before = "Oct 31 23:00:00 host app[7]: heartbeat ok\n" * 60
    after = "Nov  1 00:00:00 host app[7]: heartbeat ok\n" * 60
    for name, text in (("before", before), ("after", after)):
        (tmp_path / name).write_text(text)
    sources = {name: LogSource(name="log", file=name, utc_offset="+00:00") for name in ("before", "after")}
    changes = look_at_log(sources["after"], before=sources["before"], base=tmp_path).changes
    assert changes is not None and changes[["change", "what"]].to_numpy().tolist() == [
        ["same", "heartbeat ok"]
    ]


@pytest.mark.slow
def test_a_pattern_finds_what_stands_in_the_header_too(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("2026-03-01T10:00:00Z ERROR [shop] broken\n" * 3)
    looked = look_at_log(LogSource(name="log", file="log"), patterns=["ERROR .* broken"], base=tmp_path)
    assert looked.patterns["affected after"].tolist() == [3]


def test_bytes_of_the_journal_are_text(tmp_path: Path) -> None:
    entry = {
        "__REALTIME_TIMESTAMP": "1772359200000000",
        "PRIORITY": "3",
        "MESSAGE": list(b"\x1b[31mbroken \xe2\x9c\x98\x1b[0m"),
    }
    assert rows(read(tmp_path, json_lines(entry))) == [("2026-03-01T10:00:00", "ERROR", "broken ✘")]


@pytest.mark.parametrize(
    ("text", "first"),
    [
        (
            """2026-03-01T10:00:00.000001+00:00 app[web.1]: Error: basket is empty
2026-03-01T10:00:00.000002+00:00 app[web.1]:     at pay (/app/lib/pay.js:1:1)
""",
            "Error: basket is empty\n    at pay (/app/lib/pay.js:1:1)",
        ),
        (
            """2026-03-01T10:00:01.000000000Z panic: runtime error: index out of range [5] with length 3
2026-03-01T10:00:01.000000001Z goroutine 1 [running]:
2026-03-01T10:00:01.000000002Z main.pick(...)
2026-03-01T10:00:01.000000003Z \t/src/shop/pick.go:12
""",
            "panic: runtime error: index out of range [5] with length 3\ngoroutine 1 [running]:\nmain.pick(...)\n\t/src/shop/pick.go:12",
        ),
        (
            "2026-03-01T10:00:02Z stdout P ERROR payment of a very long ba\n2026-03-01T10:00:02Z stdout F sket failed\n",
            "payment of a very long basket failed",
        ),
        (
            json_lines(
                {"log": "ERROR payment of a very ", "stream": "stdout", "time": "2026-03-01T10:00:02.1Z"},
                {"log": "long bas", "stream": "stdout", "time": "2026-03-01T10:00:02.2Z"},
                {"log": "ket failed\n", "stream": "stdout", "time": "2026-03-01T10:00:02.3Z"},
            ),
            "payment of a very long basket failed",
        ),
    ],
    ids=["behind prefixes", "of go", "pieces of cri", "pieces of docker"],
)
def test_what_a_runtime_took_apart_is_one_entry(text: str, first: str, tmp_path: Path) -> None:
    assert read(tmp_path, text).entries["body"].tolist() in ([first], [f"ERROR {first}"])


@pytest.mark.parametrize(
    ("entry", "wanted"),
    [
        (
            {"Timestamp": "2026-03-01T10:00:00Z", "Level": "Error", "MessageTemplate": "broken {Id}", "Exception": "System.Exception: no\n   at A.B()"},
            ("ERROR", "broken {Id}\nSystem.Exception: no\n   at A.B()", None),
        ),
        ({"timestamp": "2026-03-01T10:00:00Z", "level": "ERROR", "fields": {"message": "broken"}}, ("ERROR", "broken", None)),
        ({"start_time": "2026-03-01T10:00:00.000Z", "method": "GET", "path": "/", "response_code": 503}, (None, "", 503)),
        ({"t": {"$date": "2026-03-01T10:00:00.000+00:00"}, "s": "E", "msg": "broken"}, ("ERROR", "broken", None)),
        ({"@timestamp": "2026-03-01T10:00:00Z", "@level": "error", "@message": "broken"}, ("ERROR", "broken", None)),
        ({"_time": "2026-03-01T10:00:00Z", "_raw": "broken"}, (None, "broken", None)),
        ({"shipped": "2026-03-01T10:00:00Z", "message": "under a name that nobody knows"}, (None, "under a name that nobody knows", None)),
    ],
)  # fmt: skip
def test_objects_under_other_names_are_read(
    entry: dict[str, object], wanted: tuple[str | None, str, int | None], tmp_path: Path
) -> None:
    reading = read(tmp_path, json_lines(entry, entry))
    assert {row[1:] for row in rows(reading)} == {wanted[:2]}, reading.problem
    assert reading.entries["timestamp"].dt.hour.tolist() == [10, 10]
    assert reading.entries["http_status"].dropna().tolist() == ([wanted[2]] * 2 if wanted[2] else [])


def test_a_document_is_taken_apart_into_its_entries_and_no_further(tmp_path: Path) -> None:
    document = {
        "Records": [
            {"eventTime": "2026-03-01T10:00:00Z", "eventName": "AssumeRole", "resources": [{"ARN": "a"}, {"ARN": "b"}]},
            {"eventTime": "2026-03-01T10:00:01Z", "eventName": "ListUsers"},
        ]
    }  # fmt: skip
    reading = read(tmp_path, json.dumps(document) + "\n")
    assert (reading.kept, reading.unparsed) == (2, 0)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_what_a_windows_shell_wrote_is_text(encoding: str, tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes("2026-03-01T10:00:00Z ERROR gebrochen ä\n".encode(encoding))
    found = look_at_log(LogSource(name="log", file="log"), base=tmp_path)
    assert found.kinds["what"].tolist() == ["gebrochen ä"]


def test_few_entries_tell_nothing_of_what_is_missing(tmp_path: Path) -> None:
    text = "".join(f"2026-0{month}-01T10:00:00Z INFO tick\n" for month in range(1, 6))
    (tmp_path / "log").write_text(text)
    looked = look_at_log(LogSource(name="log", file="log"), base=tmp_path)
    assert [code for code, _ in looked.coverage.reasons] == ["log-few"]


def test_colours_hide_no_time(tmp_path: Path) -> None:
    text = "\x1b[36m2026-03-01T10:00:00Z\x1b[0m \x1b[31mERROR\x1b[0m broken\n" * 2
    assert set(rows(read(tmp_path, text))) == {("2026-03-01T10:00:00", "ERROR", "broken")}


def test_evidence_of_before_there_were_headers_can_still_be_searched(tmp_path: Path) -> None:
    reading = read(tmp_path, "2026-03-01T10:00:00Z ERROR broken\n")
    older = tmp_path / "older.parquet"
    pd.read_parquet(str(reading.path)).drop(columns="header").to_parquet(older)
    found = recorder.look_for(older, ["broken"], newest_first={"log": False})
    assert found["log_matches"]["lines"].tolist() == [1]
