"""What a reader of other people's logs easily gets wrong in single lines: each with its right value."""

from __future__ import annotations

import datetime as dt
import functools
from pathlib import Path

import pandas as pd
import pytest
from builders import json_lines, read_log

from proofbook.collect.logs.entries import Reading

read = functools.partial(read_log, now=dt.datetime(2026, 3, 2, tzinfo=dt.UTC))
UTC = {"utc_offset": "+00:00"}


def severities(reading: Reading) -> list[str | None]:
    """The severity of each entry, in the order of the log."""
    return [None if pd.isna(item) else str(item) for item in reading.entries["severity_text"]]


def statuses(reading: Reading) -> list[int | None]:
    """The status of each entry, in the order of the log."""
    return [None if pd.isna(item) else int(item) for item in reading.entries["http_status"]]


def times(reading: Reading) -> list[str]:
    """The time of each entry, in the order of the log."""
    return [time.strftime("%Y-%m-%dT%H:%M:%S.%f") for time in reading.entries["timestamp"]]


# Requests ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ("GET /cart HTTP/1.1", 200),
        ("-", 408),
        ("", 400),
        (r"\x16\x03\x01\x02", 400),
        (r"GET /\"quoted HTTP/1.1", 404),
    ],
)
def test_what_was_no_whole_request_has_a_status_in_an_access_log(
    asked: str, status: int, tmp_path: Path
) -> None:
    line = f'10.0.0.9 - - [01/Mar/2026:10:00:00 +0100] "{asked}" {status} 0 "-" "-"\n'
    reading = read(tmp_path, line)
    assert statuses(reading) == [status]
    assert reading.entries["http_method"].notna().tolist() == [asked.startswith("GET ")]
    assert reading.first == pd.Timestamp("2026-03-01T09:00:00Z")


def test_what_servers_write_where_nothing_was_answered_is_no_status(tmp_path: Path) -> None:
    # Most requests of an outage are such, and the others keep theirs.
    found = [0, 0, 503, 0, 502]
    envoy = [{"start_time": f"2026-03-01T10:00:0{n}Z", "method": "GET", "response_code": status} for n, status in enumerate(found)]  # fmt: skip
    nginx = [f'10.0.0.9 - - [01/Mar/2026:10:00:0{n} +0000] "GET /cart HTTP/1.1" {status:03} 0 "-" "-"\n' for n, status in enumerate(found)]  # fmt: skip
    for text in (json_lines(*envoy), "".join(nginx)):
        assert statuses(read(tmp_path, text)) == [None, None, 503, None, 502]


def test_a_word_or_an_exit_code_under_status_is_a_field_and_no_status_of_http(tmp_path: Path) -> None:
    jobs = [{"ts": f"2026-03-01T10:00:0{n}Z", "msg": "ended", "status": said, "code": 502} for n, said in enumerate(["failed", "1000", "0"])]  # fmt: skip
    reading = read(tmp_path, json_lines(*jobs))
    assert statuses(reading) == [502] * 3
    assert [dict(item)["status"] for item in reading.entries["fields"]] == ["failed", "1000", "0"]


@pytest.mark.parametrize(
    "line", ['2026-03-01T10:00:00Z [shop] "basket" 404 items', '2026-03-01T10:00:00Z a "-" 200 b']
)
def test_a_number_behind_a_quoted_word_is_no_status(line: str, tmp_path: Path) -> None:
    assert statuses(read(tmp_path, f"{line}\n")) == [None]


@pytest.mark.parametrize("name", ["proxy  | ", "shop-1 ", "web[7]: ", "proxy: "])
def test_an_object_behind_a_name_is_read_as_one_of_its_own(name: str, tmp_path: Path) -> None:
    objects = json_lines(
        {"level": "info", "ts": 1772359200.5, "logger": "access", "msg": "handled", "status": 503},
        {"level": "warn", "ts": 1772359201.5, "logger": "main", "msg": "slow"},
    )
    reading = read(tmp_path, "".join(f"{name}{line}\n" for line in objects.splitlines()))
    assert statuses(reading) == [503, None]
    assert severities(reading) == ["INFO", "WARNING"]
    assert list(reading.entries["body"]) == ["handled", "slow"]


@pytest.mark.parametrize(
    ("line", "method", "url"),
    [
        ('[GIN] 2026/03/01 - 10:00:0{n} | {status} |     1.2ms |   10.0.0.9 | GET      "/cart"', "GET", "/cart"),
        ("10.0.0.9 2026-03-01 10:00:0{n} | {status} |  12µs | 10.0.0.9 | POST | /cart | -", "POST", "/cart"),
        ("177235920{n}.123     45 10.0.0.9 TCP_MISS/{status} 1234 GET http://shop/cart - HIER_DIRECT/10.1.1.1 text/html", "GET", "http://shop/cart"),
        ("I, [2026-03-01T10:00:0{n}.5 #1]  INFO -- : Completed {status} Internal Server Error in 12ms (Views: 1.0ms)", None, None),
        ("2026-03-01 10:00:0{n}.123 request_id=F1 [info] Sent {status} in 12ms", None, None),
    ],
)  # fmt: skip
def test_a_status_that_stands_before_its_method_or_without_one_is_read(
    line: str, method: str | None, url: str | None, tmp_path: Path
) -> None:
    wanted = [200, 500, 404, 200, 503]
    text = "".join(line.format(n=n, status=status) + "\n" for n, status in enumerate(wanted))
    reading = read(tmp_path, text, **UTC)
    assert statuses(reading) == wanted
    assert reading.first is not None and reading.first.floor("s") == pd.Timestamp("2026-03-01T10:00:00Z")
    said = reading.entries[["http_method", "http_url"]].iloc[1]
    assert [None if pd.isna(item) else item for item in said] == [method, url]


def test_what_was_only_done_in_a_time_is_no_request(tmp_path: Path) -> None:
    lines = [f"2026-03-01 10:00:0{n} Completed 500 of 512 jobs in 12 s" for n in range(5)]
    lines += [f"2026-03-01 10:00:1{n} Sent 404 messages in 3 batches" for n in range(5)]
    assert statuses(read(tmp_path, "\n".join(lines), **UTC)) == [None] * 10


# Levels -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 6])
@pytest.mark.parametrize(
    "line",
    [
        "[01Mar2026 10:00:0{n}.123] [Server thread/ERROR] [net.shop/]: no stock",
        "2026-03-01 10:00:0{n},123 [main/ERROR] no stock",
        "2026-03-01 10:00:0{n} [ERROR/MainProcess] no stock",
        "2026-03-01 10:00:0{n} fail: Shop.Stock[7] no stock",
        "E2026030{n} 10:00:00.123456 1234 stock.cc:12] no stock",
    ],
)
def test_a_level_beside_the_name_of_a_thread_or_in_one_letter_is_read(
    line: str, count: int, tmp_path: Path
) -> None:
    text = "".join(line.format(n=n + 1) + "\n" for n in range(count))
    reading = read(tmp_path, text, **UTC)
    assert severities(reading) == ["ERROR"] * count
    assert reading.unparsed == 0


def test_a_path_that_ends_like_a_level_is_none(tmp_path: Path) -> None:
    reading = read(
        tmp_path, "2026-03-01 10:00:00 [shop/errors] opened\n2026-03-01 10:00:01 GET /api/error now\n", **UTC
    )
    assert severities(reading) == [None, None]


def test_a_key_with_dots_within_another_object_is_found(tmp_path: Path) -> None:
    hits = [
        {
            "_index": "a",
            "_source": {"@timestamp": f"2026-03-01T10:00:0{n}Z", "log.level": level, "message": "m"},
        }
        for n, level in enumerate(("INFO", "ERROR"))
    ]
    assert severities(read(tmp_path, json_lines(*hits))) == ["INFO", "ERROR"]


def test_a_message_of_the_console_of_dotnet_is_one_entry_in_a_container_too(tmp_path: Path) -> None:
    said = [
        "fail: Shop.Stock[7]", "      no stock for 9", "      System.InvalidOperationException: none left", "         at Shop.Stock.Take() in /src/Stock.cs:line 3",
        "info: Shop.Stock[0]", "      restocked",
    ]  # fmt: skip
    text = "".join(f"2026-03-01T10:00:00.{100 + n}000Z {line}\n" for n, line in enumerate(said))
    reading = read(tmp_path, text)
    assert severities(reading) == ["ERROR", "INFO"]
    assert [body.splitlines()[1].strip() for body in reading.entries["body"]] == [
        "no stock for 9",
        "restocked",
    ]


def test_an_event_of_the_audit_of_linux_is_of_its_time(tmp_path: Path) -> None:
    lines = [f"type=SYSCALL msg=audit(177235920{n}.123:{n}): arch=c000003e success=yes" for n in range(3)]
    assert times(read(tmp_path, "\n".join(lines)))[0] == "2026-03-01T10:00:00.123000"


REDIS = [
    ("1:C 01 Mar 2026 10:00:00.018 # no config file", "WARNING"),
    ("1:M 01 Mar 2026 10:00:01.019 * ready", "NOTICE"),
    ("1:M 01 Mar 2026 10:00:02.020 - 1 clients connected", "DEBUG"),
    ("1:S 01 Mar 2026 10:00:03.021 . handshake", "DEBUG"),
]


@pytest.mark.parametrize(
    "around",
    [
        "{line}",
        "redis-1  | {line}",
        "2026-03-01T10:00:0{second}.500Z {line}",
        '{{"log":"{line}\\n","stream":"stdout","time":"2026-03-01T10:00:0{second}.5Z"}}',
    ],
)
def test_a_mark_of_redis_is_a_level(around: str, tmp_path: Path) -> None:
    text = "".join(around.format(line=line, second=n) + "\n" for n, (line, _) in enumerate(REDIS))
    assert severities(read(tmp_path, text, **UTC)) == [level for _, level in REDIS]


def test_a_mark_of_redis_between_lines_of_others_is_a_level(tmp_path: Path) -> None:
    others = "".join(f"2026-03-01T10:00:0{n}Z * Serving app\n" for n in range(6))
    reading = read(tmp_path, f"{others}2026-03-01T10:00:07Z {REDIS[0][0]}\n")
    assert severities(reading) == [None] * 6 + ["WARNING"]


@pytest.mark.parametrize("count", [1, 6])
@pytest.mark.parametrize(
    ("word", "severity"),
    [("In(30)", "INFO"), ("Wa(28)", "WARNING"), ("Er(27)", "ERROR"), ("Db(15)", "DEBUG")],
)
def test_a_short_word_of_esxi_is_a_level(word: str, severity: str, count: int, tmp_path: Path) -> None:
    line = f"2026-03-01T10:00:00.051Z {word} hostd[2099]: disk is slow\n"
    reading = read(tmp_path, line * count)
    assert severities(reading) == [severity] * count
    assert set(reading.entries["body"]) == {"disk is slow"}


@pytest.mark.parametrize("numbers", [(0, 10), (10, 55), (1, 20)])
def test_tens_among_other_numbers_are_no_level(numbers: tuple[int, int], tmp_path: Path) -> None:
    reading = read(
        tmp_path,
        json_lines(*({"ts": "2026-03-01T10:00:00Z", "lvl": number, "msg": "x"} for number in numbers)),
    )
    assert severities(reading) == [None, None]
    assert reading.assumed_levels == {}


def test_a_number_counts_where_an_object_lacks_the_word_that_others_have(tmp_path: Path) -> None:
    event = {"timeCreated": "2026-03-01T10:00:00Z", "eventRecordID": 7, "message": "m"}
    reading = read(
        tmp_path, json_lines({**event, "level": 4, "levelText": "Information"}, {**event, "level": 2})
    )
    assert severities(reading) == ["INFO", "ERROR"]


@pytest.mark.parametrize(
    ("line", "severity"),
    [
        ("<190>2026-03-01T10:00:00.5+00:00 host app: hello", "INFO"),
        ("83 <27>1 2026-03-01T10:00:00.5+00:00 host app 7 - - hello", "ERROR"),
        ("<158>1 2026-03-01T10:00:00.5+00:00 host heroku router - at=error code=H12", "ERROR"),
        ("<30>1 2026-03-01T10:00:00.5+00:00 host app 7 - level=warn msg=slow", "WARNING"),
    ],
)
def test_a_priority_is_a_level_unless_the_message_names_one(line: str, severity: str, tmp_path: Path) -> None:
    reading = read(tmp_path, f"{line}\n")
    assert times(reading) == ["2026-03-01T10:00:00.500000"]
    assert severities(reading) == [severity]


# Times ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "entry",
    [
        {"instant": {"epochSecond": 1772359200, "nanoOfSecond": 34000000}, "message": "m"},
        {"time": {"seconds": 1772359200, "nanos": 34000000}, "message": "m"},
        {"timestampSeconds": "1772359200", "timestampNanos": "34000000", "message": "m"},
    ],
)
def test_what_stands_apart_of_a_second_belongs_to_its_time(entry: dict[str, object], tmp_path: Path) -> None:
    assert times(read(tmp_path, json_lines(entry, entry))) == ["2026-03-01T10:00:00.034000"] * 2


@pytest.mark.parametrize("number", [4522510993884453307, 3552833098064271033, 1190000000000000000])
def test_an_id_is_no_time_whatever_its_digits_would_be(number: int, tmp_path: Path) -> None:
    reading = read(tmp_path, json_lines({"order": number, "message": "paid"}))
    assert not reading.kept
    assert "none of their keys is known as a time: order, message" in reading.problem


def test_a_line_of_pairs_between_objects_is_read(tmp_path: Path) -> None:
    text = (
        json_lines({"ts": "2026-03-01T10:00:00Z", "lvl": "INFO", "msg": "up"})
        + 'timestamp="2026-03-01T10:00:01Z" level="ERROR" msg="down"\npanic: no\n'
        + json_lines({"ts": "2026-03-01T10:00:02Z", "lvl": "INFO", "msg": "up"})
    )
    reading = read(tmp_path, text)
    assert severities(reading) == ["INFO", "ERROR", "INFO"]
    assert reading.unparsed == 1


def test_a_quote_that_closes_a_time_is_no_part_of_the_message(tmp_path: Path) -> None:
    text = "".join(f'time="2026-03-01T10:00:0{n}Z" level=info msg="step {n}"\n' for n in range(3))
    assert next(iter(read(tmp_path, text).entries["body"])) == 'level=info msg="step 0"'


def test_the_requests_of_rails_date_its_lines_and_keep_their_text(tmp_path: Path) -> None:
    text = (
        'Started GET "/nope" for 127.0.0.1 at 2026-03-01 10:00:00 +0100\n'
        "Processing by ShopController#show as HTML\n  Parameters: {}\nRendering shop\nRendered shop\n"
        'Started POST "/cart" for 127.0.0.1 at 2026-03-01 10:00:05 +0100\nCompleted 200 OK in 12ms\n'
    )
    reading = read(tmp_path, text)
    bodies = list(reading.entries["body"])
    assert bodies[0].startswith('Started GET "/nope" for 127.0.0.1')
    assert reading.kept - reading.untimed == 2
    assert (reading.first, reading.last) == (
        pd.Timestamp("2026-03-01T09:00:00Z"),
        pd.Timestamp("2026-03-01T09:00:05Z"),
    )


def test_a_line_that_sets_off_others_dates_them(tmp_path: Path) -> None:
    dump = "===== State of the shop at Sun Mar 1 10:00:01 UTC 2026 =====\nUSER PID\nroot 1\n===== End of the state =====\n"
    reading = read(tmp_path, dump + dump.replace("10:00:01", "10:01:01"))
    assert (reading.first, reading.last) == (
        pd.Timestamp("2026-03-01T10:00:01Z"),
        pd.Timestamp("2026-03-01T10:01:01Z"),
    )


@pytest.mark.parametrize(
    "line", ["user signed up on 2019-05-04 08:00:00 UTC", "### notes of 2019-05-04 08:00:00 UTC"]
)
def test_a_date_that_messages_name_dates_no_log(line: str, tmp_path: Path) -> None:
    assert not read(tmp_path, f"{line}\n" * 2 + "ready\n" * 8).kept


def test_a_dash_behind_a_time_is_no_level(tmp_path: Path) -> None:
    lines = "".join(f"[17] 2026-03-01 10:00:0{n} - step\n" for n in range(6))
    assert severities(read(tmp_path, lines, **UTC)) == [None] * 6


def test_lines_of_a_container_are_no_part_of_the_entry_before_them(tmp_path: Path) -> None:
    text = "".join(
        f"db-1  | 1:M 01 Mar 2026 10:00:0{n}.018 * step\ndb-1  | signal-handler {n}\n" for n in range(4)
    )
    reading = read(tmp_path, text, **UTC)
    assert (reading.kept, reading.untimed) == (8, 4)


@pytest.mark.parametrize(
    ("comment", "first"),
    [("#GMT-Offset: -0800\n", "18:00:00"), ("#GMT-Offset: +05:30\n", "04:30:00"), ("", "10:00:00")],
)
def test_a_file_that_names_the_offset_of_its_times_is_read_by_it(
    comment: str, first: str, tmp_path: Path
) -> None:
    text = f"#Version: 1.0\n{comment}#Fields: date time c-ip sc-status\n2026-03-01 10:00:00 10.0.0.9 503\n"
    assert times(read(tmp_path, text, **UTC)) == [f"2026-03-01T{first}.000000"]


def test_a_time_of_day_is_of_the_day_that_the_comment_before_it_states(tmp_path: Path) -> None:
    head = "#Version: 1.0\n#Date: {} 16:44:49\n#Fields: time c-ip cs-method sc-status\n"
    row = "16:44:49 10.0.0.9 USER 331\n"
    reading = read(tmp_path, head.format("2026-02-09") + row * 2 + head.format("2026-02-10") + row)
    days = ["2026-02-09", "2026-02-09", "2026-02-10"]
    assert times(reading) == [f"{day}T16:44:49.000000" for day in days]
    assert statuses(reading) == [331] * 3


# Refusals ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said", "unsaid"),
    [
        (
            "10:00:00.000 shop DEBUG step\n10:00:01.000 shop DEBUG step\n",
            "have the program write the date too",
            "time_form",
        ),
        (
            "7 12:21:46.284 execve(1) = 0\n7 12:21:47.284 close(3) = 0\n",
            "have the program write the date too",
            "time_form",
        ),
        ("shop 2026=3=1 10:00:00 step\nshop 1-3 10:00:01 step\n", "state time_form", "write the date"),
        ("ready\nsteady\n", "kubectl logs --timestamps", "write the date"),
    ],
)
def test_a_refusal_says_what_can_help(text: str, said: str, unsaid: str, tmp_path: Path) -> None:
    problem = read(tmp_path, text, **UTC).problem
    assert said in problem and unsaid not in problem


def test_a_refusal_does_not_ask_for_what_was_stated(tmp_path: Path) -> None:
    text = "x 2025-06-24  14:36:25 hello\nLog started: 2025-06-24  14:36:25\nfoo\n"
    problem = read(tmp_path, text, time_form="%Y-%m-%d  %H:%M:%S", **UTC).problem
    assert "none begins with a time as of time_form '%Y-%m-%d  %H:%M:%S', such as 'x 2025" in problem
    assert "state time_form" not in problem and "state a pattern with the group timestamp" in problem
    problem = read(tmp_path, text, pattern="^Opened: (?P<timestamp>.*)$", **UTC).problem
    assert "the pattern gives a time that can be read in none of them, such as 'x 2025" in problem
    assert "a pattern with the group" not in problem
