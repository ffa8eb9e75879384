"""Every shape of log has lines written here, with known counts, times and severities; bad input loses nothing uncounted."""

from __future__ import annotations

import bz2
import datetime as dt
import functools
import gzip
import json
import lzma
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from builders import examples, json_lines, read_log
from hypothesis import given
from hypothesis import strategies as st

import proofbook as pb
from proofbook.collect.logs.counts import per_minute
from proofbook.collect.logs.entries import connect, rows_of
from proofbook.collect.logs.reader import read_logs
from proofbook.collect.logs.recorder import record
from proofbook.config.sources import LogSource
from proofbook.errors import CouldNotLook, UsageError

NOON = "2026-01-01T12:00:00"
NOW = dt.datetime(2026, 1, 2, tzinfo=dt.UTC)


read = functools.partial(read_log, now=NOW)


@dataclass(frozen=True, kw_only=True)
class Written:
    """Lines of one shape, and what must be read from them. `severities` in the order of the lines."""

    text: str
    severities: list[str | None]
    shape: str
    first: str = NOON
    source: dict[str, str] = field(default_factory=dict)
    body: str = ""
    columns: dict[str, Any] = field(default_factory=dict)


def cloud(body: str, second: int, **more: Any) -> dict[str, Any]:
    return {
        "timestamp": f"2026-01-01T12:00:{second:02d}Z",
        "insertId": f"{second}",
        "logName": "projects/p/logs/stderr",
        "resource": {"labels": {"service_name": "backend", "revision_name": "r-1"}},
        "textPayload": body,
        **more,
    }


OTLP = {
    "resourceLogs": [
        {
            "resource": {
                "attributes": [
                    {"key": "service.name", "value": {"stringValue": "backend"}},
                    {"key": "service.version", "value": {"stringValue": "r-1"}},
                ]
            },
            "scopeLogs": [
                {
                    "logRecords": [
                        {
                            "timeUnixNano": str(1767268800 * 10**9),
                            "severityNumber": 17,
                            "body": {"stringValue": "broken"},
                            "traceId": "ab" * 16,
                        },
                        {
                            "timeUnixNano": str(1767268801 * 10**9),
                            "severityText": "INFO",
                            "body": {"stringValue": "fine"},
                        },
                    ]
                }
            ],
        }
    ]
}
SNAKE = {
    "timestamp": f"{NOON}Z",
    "insert_id": "a",
    "severity": "ERROR",
    "text_payload": "broken",
    "http_request": {"request_method": "GET", "status": 503},
    "resource": {"labels": {"service_name": "backend"}},
}
WRITTEN = {
    "cloud-logging": Written(
        text=json_lines(
            cloud("[ERROR] broken", 0),
            cloud("fine", 1, severity="INFO"),
            {**cloud("", 2), "textPayload": None, "jsonPayload": {"message": "said"}, "severity": "WARNING"},
        ),
        severities=["ERROR", "INFO", "WARNING"],
        shape="cloud-logging",
        body="[ERROR] broken",
        columns={"service_name": "backend", "service_version": "r-1", "severity_source": "text"},
    ),
    "cloud-logging array": Written(
        text=json.dumps([cloud("[ERROR] broken", 0), cloud("fine", 1, severity="INFO")], indent=2),
        severities=["ERROR", "INFO"],
        shape="cloud-logging",
    ),
    "cloud-logging snake_case": Written(
        text=json.dumps([SNAKE, {**SNAKE, "insert_id": "b", "severity": "INFO"}]),
        severities=["ERROR", "INFO"],
        shape="cloud-logging",
        body="broken",
        columns={"http_status": 503, "http_method": "GET", "service_name": "backend"},
    ),
    "wrapped, by severity": Written(
        text=json.dumps({"summary": {"total": 2}, "logs": {"ERROR": [SNAKE], "INFO": [{**SNAKE, "insert_id": "b", "severity": "INFO"}]}}),
        severities=["ERROR", "INFO"],
        shape="cloud-logging",
    ),
    "structlog": Written(
        text=json_lines(
            {"event": "broken", "level": "error", "timestamp": f"{NOON}Z", "user": 1},
            {"event": "fine", "level": "info", "timestamp": "2026-01-01T12:00:01Z"},
        ),
        severities=["ERROR", "INFO"],
        shape="structlog",
        body="broken",
    ),
    "loguru": Written(
        text=json_lines(
            {"text": "x", "record": {"message": "broken", "level": {"name": "ERROR", "no": 40}, "time": {"timestamp": 1767268800.0}}},
            {"text": "x", "record": {"message": "fine", "level": {"name": "SUCCESS", "no": 25}, "time": {"timestamp": 1767268801.5}}},
        ),
        severities=["ERROR", "INFO"],
        shape="loguru",
        body="broken",
    ),
    "pino": Written(
        text=json_lines(
            {"level": 50, "time": 1767268800000, "pid": 1, "hostname": "h", "msg": "broken", "err": {"stack": "Error: no\n    at f (/app/a.js:1:2)"}},
            {"level": 30, "time": 1767268801000, "pid": 1, "hostname": "h", "msg": "fine"},
        ),
        severities=["ERROR", "INFO"],
        shape="pino",
        body="broken\nError: no\n    at f (/app/a.js:1:2)",
        columns={"service_instance_id": "h"},
    ),
    "bunyan": Written(
        text=json_lines(
            {"name": "app", "hostname": "h", "pid": 1, "level": 50, "msg": "broken", "time": f"{NOON}.000Z", "v": 0},
            {"name": "app", "hostname": "h", "pid": 1, "level": 30, "msg": "fine", "time": "2026-01-01T12:00:01.000Z", "v": 0},
        ),
        severities=["ERROR", "INFO"],
        shape="pino",
        body="broken",
    ),
    "zap": Written(
        text=json_lines({"level": "error", "ts": 1767268800.0, "msg": "broken"}, {"level": "info", "ts": 1767268801.25, "msg": "fine"}),
        severities=["ERROR", "INFO"],
        shape="zap",
        body="broken",
    ),
    "serilog": Written(
        text=json_lines(
            {"@t": f"{NOON}.0000000Z", "@mt": "broken {Id}", "@l": "Error", "@x": "System.Exception: no\n   at A.B()"},
            {"@t": "2026-01-01T12:00:01.0000000Z", "@mt": "fine", "@l": "Information"},
        ),
        severities=["ERROR", "INFO"],
        shape="serilog",
        body="broken {Id}\nSystem.Exception: no\n   at A.B()",
    ),
    "otlp": Written(
        text=json.dumps(OTLP) + "\n",
        severities=["ERROR", "INFO"],
        shape="json",
        body="broken",
        columns={"service_name": "backend", "service_version": "r-1", "trace_id": "ab" * 16},
    ),
    "journald": Written(
        text=json_lines(
            {"__REALTIME_TIMESTAMP": "1767268800000000", "PRIORITY": "3", "MESSAGE": "broken", "_SYSTEMD_UNIT": "backend.service", "_HOSTNAME": "h"},
            {"__REALTIME_TIMESTAMP": "1767268801000000", "PRIORITY": "6", "MESSAGE": "fine", "_SYSTEMD_UNIT": "backend.service"},
        ),
        severities=["ERROR", "INFO"],
        shape="journald",
        body="broken",
        columns={"service_name": "backend.service"},
    ),
    "docker json-file": Written(
        text=json_lines(
            {"log": "ERROR: broken\n", "stream": "stderr", "time": f"{NOON}.000000001Z"},
            {"log": '{"level": "info", "msg": "fine"}\n', "stream": "stdout", "time": "2026-01-01T12:00:01Z"},
        ),
        severities=["ERROR", "INFO"],
        shape="json in docker-json",
        body="broken",
    ),
    "kubectl --timestamps": Written(
        text=f"{NOON}.000000001Z ERROR: broken\n2026-01-01T12:00:01Z INFO: fine\n",
        severities=["ERROR", "INFO"],
        shape="text",
        body="broken",
    ),
    "python logging": Written(
        text="2026-01-01 12:00:00,000 - app - ERROR - broken\n2026-01-01 12:00:01,500 - app - INFO - fine\n",
        severities=["ERROR", "INFO"],
        shape="python-logging",
        source={"utc_offset": "+00:00"},
    ),
    "gunicorn": Written(
        text="[2026-01-01 12:00:00 +0000] [7] [ERROR] broken\n[2026-01-01 13:00:01 +0100] [7] [INFO] fine\n",
        severities=["ERROR", "INFO"],
        shape="gunicorn",
    ),
    "uvicorn with its container's times": Written(
        text=f'{NOON}Z INFO:     127.0.0.1:5000 - "GET /health HTTP/1.1" 200 OK\n2026-01-01T12:00:01Z ERROR:    Exception in ASGI application\n',
        severities=["INFO", "ERROR"],
        shape="text",
        columns={"http_method": "GET", "http_url": "/health", "http_status": 200},
    ),
    "nginx access": Written(
        text='192.0.2.1 - - [01/Jan/2026:12:00:00 +0000] "GET /api HTTP/1.1" 502 12 "-" "probe"\n192.0.2.1 - - [01/Jan/2026:12:00:01 +0000] "GET /ERROR HTTP/1.1" 200 12 "-" "probe"\n',
        severities=[None, None],
        shape="nginx-access",
        columns={"http_method": "GET", "http_url": "/api", "http_status": 502},
    ),
    "nginx error": Written(
        text="2026/01/01 13:00:00 [error] 12#12: *3 connect() failed\n2026/01/01 13:00:01 [warn] 12#12: *3 slow\n",
        severities=["ERROR", "WARNING"],
        shape="nginx-error",
        source={"utc_offset": "+01:00"},
    ),
    "syslog rfc 3164": Written(
        text="<27>Jan  1 12:00:00 host app[7]: broken\n<30>Jan  1 12:00:01 host app[7]: fine\n",
        severities=["ERROR", "INFO"],
        shape="syslog-3164",
        source={"utc_offset": "+00:00"},
    ),
    "syslog rfc 3164, of last year": Written(
        text="<27>Dec 31 23:59:59 host app[7]: broken\n<30>Jan  1 12:00:01 host app[7]: fine\n",
        severities=["ERROR", "INFO"],
        shape="syslog-3164",
        first="2025-12-31T23:59:59",
        source={"utc_offset": "+00:00"},
    ),
    "syslog rfc 5424": Written(
        text=f"<27>1 {NOON}Z host app 7 - - broken\n<30>1 2026-01-01T12:00:01Z host app 7 - - fine\n",
        severities=["ERROR", "INFO"],
        shape="syslog-5424",
    ),
    "klog": Written(
        text="E0101 12:00:00.000000       1 main.go:3] broken\nI0101 12:00:01.000000       1 main.go:3] fine\n",
        severities=["ERROR", "INFO"],
        shape="klog",
        source={"utc_offset": "+00:00"},
    ),
    "logfmt": Written(
        text=f'time={NOON}Z level=error trace_id=abcdefabcdefabcd msg="broken"\ntime=2026-01-01T12:00:01Z level=info msg="fine"\n',
        severities=["ERROR", "INFO"],
        shape="logfmt",
        columns={"trace_id": "abcdefabcdefabcd"},
    ),
    "a stated pattern": Written(
        text="12:00:00.000|01.01.2026|E|broken\n".replace("12:00:00.000|01.01.2026", f"{NOON}Z") + "2026-01-01T12:00:01Z|I|fine\n",
        severities=["ERROR", "INFO"],
        shape="pattern",
        source={"pattern": r"^(?P<timestamp>[^|]+)\|(?P<severity>[A-Z])\|(?P<body>.*)$"},
        body="broken",
    ),
}  # fmt: skip


@pytest.mark.usual_cases(4)
@pytest.mark.parametrize("name", list(WRITTEN))
def test_every_shape_is_found_and_read(name: str, tmp_path: Path) -> None:
    written = WRITTEN[name]
    reading = read(tmp_path, written.text, **written.source)
    assert reading.problem == ""
    assert (reading.shape, reading.unparsed, reading.duplicates) == (written.shape, 0, 0)
    entries = reading.entries
    assert [None if pd.isna(text) else text for text in entries["severity_text"]] == written.severities
    first = entries.iloc[0]
    assert first["timestamp"].floor("s") == pd.Timestamp(written.first, tz="UTC")
    if written.body:
        assert first["body"] == written.body
    for column, wanted in written.columns.items():
        assert first[column] == wanted, column
    assert entries["source"].eq("log").all() and entries["file"].eq("log").all()
    assert int(entries["lines"].sum()) == reading.lines


@pytest.mark.slow
@pytest.mark.parametrize("pack", ["gzip", "zstd"])
def test_packed_files_and_globs_are_read(pack: str, tmp_path: Path) -> None:
    for number in range(3):
        text = json_lines(
            *(cloud(f"n {number} {second}", second, insertId=f"{number}-{second}") for second in range(5))
        )
        packed = (
            gzip.compress(text.encode())
            if pack == "gzip"
            else bytes(pa.Codec("zstd").compress(text.encode(), asbytes=True))
        )
        if pack == "zstd":
            with pa.CompressedOutputStream(str(tmp_path / f"{number}.log.z"), "zstd") as out:
                out.write(text.encode())
        else:
            (tmp_path / f"{number}.log.z").write_bytes(packed)
    reading = read_logs(LogSource(name="log", file="*.log.z"), base=tmp_path, to=tmp_path / "read.parquet")
    assert (reading.read, reading.unparsed, reading.problem) == (15, 0, "")
    assert sorted(reading.entries["file"].unique()) == ["0.log.z", "1.log.z", "2.log.z"]
    assert sorted(reading.entries["line"].unique()) == [1, 2, 3, 4, 5]


@pytest.mark.slow
def test_a_packed_file_that_was_cut_keeps_what_it_holds_and_says_so(tmp_path: Path) -> None:
    text = json_lines(
        *(cloud(f"number {number}", number % 60, insertId=str(number)) for number in range(5000))
    )
    packed = gzip.compress(text.encode())
    reading = read(tmp_path, packed[: len(packed) // 2])
    assert 500 < reading.kept < 5000
    assert reading.unparsed == 2 and "the packed file is cut" in reading.unparsed_sample


@pytest.mark.slow
@pytest.mark.parametrize("packed", [False, True])
def test_an_array_on_one_long_line_is_read_to_the_last_entry(packed: bool, tmp_path: Path) -> None:
    entries = [cloud(f"number {number}", number % 60, insertId=str(number)) for number in range(20_000)]
    text = json.dumps(entries).encode()
    assert len(text) > 3_000_000 and b"\n" not in text
    for content in (text, text[:-10]):
        reading = read(tmp_path / str(len(content)), gzip.compress(content) if packed else content)
        assert (reading.kept, reading.unparsed) == ((20_000, 0) if content is text else (19_999, 1))


@pytest.mark.slow
def test_lines_that_could_not_be_read_are_kept_whether_there_is_one_source_or_more(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_text(json_lines(cloud("fine", 0, insertId=name)) + f"lost in {name}\n")
    for names in ("a", "ab"):
        recorded, _ = record([LogSource(name=name, file=name) for name in names], [], base=tmp_path, folder=tmp_path / f"out-{names}")  # fmt: skip
        rows = pd.read_parquet(str(recorded["logs"]))
        assert rows.loc[rows["timestamp"].isna(), "body"].tolist() == [f"lost in {name}" for name in names]
        assert rows["line"].tolist() == [1, 2] * len(names)


def test_a_command_is_told_the_window(tmp_path: Path) -> None:
    command = [
        "sh",
        "-c",
        'echo "{\\"timestamp\\": \\"$0\\", \\"message\\": \\"until $1\\"}"',
        "{since}",
        "{until}",
    ]
    source = LogSource(name="log", command=command, covers_s=3600)
    reading = read_logs(source, base=tmp_path, to=tmp_path / "read.parquet", now=NOW)
    assert reading.entries.iloc[0]["timestamp"] == pd.Timestamp("2026-01-01T23:00:00Z")
    assert reading.entries.iloc[0]["body"] == "until 2026-01-02T00:00:00Z"


def test_only_the_window_asked_for_is_kept(tmp_path: Path) -> None:
    (tmp_path / "log").write_text(json_lines(*(cloud("x", second) for second in range(10))))
    reading = read_logs(
        LogSource(name="log", file="log"),
        base=tmp_path,
        to=tmp_path / "read.parquet",
        since="2026-01-01T12:00:03Z",
        until="12:00:05",
    )
    assert reading.entries["timestamp"].dt.second.tolist() == [3, 4, 5]


# Tracebacks that a collector split ---------------------------------------------------------------------------------------


def split_traceback(instance: str, start: float) -> list[dict[str, Any]]:
    parts = [
        "Traceback (most recent call last):",
        '  File "/app/a.py", line 1, in f',
        "    g()",
        "ValueError: no",
    ]
    return [
        cloud(
            part,
            0,
            timestamp=(pd.Timestamp(f"{NOON}Z") + pd.Timedelta(seconds=start + 0.001 * number)).isoformat(),
            insertId=f"{instance}-{start}-{number}",
            labels={"instanceId": instance},
        )
        for number, part in enumerate(parts)
    ]


def test_a_traceback_split_over_entries_is_joined_within_its_instance(tmp_path: Path) -> None:
    both = [
        item
        for pair in zip(split_traceback("i-1", 0), split_traceback("i-2", 0.0005), strict=True)
        for item in pair
    ]
    reading = read(tmp_path, json_lines(*both, cloud("after", 5)))
    assert (reading.read, reading.kept, reading.joined) == (9, 3, 6)
    bodies = reading.entries["body"].tolist()
    assert (
        bodies.count(
            'Traceback (most recent call last):\n  File "/app/a.py", line 1, in f\n    g()\nValueError: no'
        )
        == 2
    )
    assert reading.entries["lines"].tolist() == [4, 4, 1]


def test_a_newest_first_export_is_joined_in_the_order_of_time(tmp_path: Path) -> None:
    reading = read(
        tmp_path,
        json_lines(*reversed([*split_traceback("i-1", 0), cloud("x", 2), cloud("y", 3), cloud("z", 4)])),
    )
    assert reading.newest_first and reading.joined == 3
    [whole] = [body for body in reading.entries["body"] if "Traceback" in body]
    assert whole.endswith("ValueError: no")


def test_a_gap_keeps_entries_apart(tmp_path: Path) -> None:
    parts = split_traceback("i-1", 0)
    late = {**parts[2], "timestamp": f"{NOON[:-2]}09Z"}
    reading = read(tmp_path, json_lines(parts[0], parts[1], late))
    assert reading.joined == 1


# Bad input -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"\x7fELF\x02\x01\x01\x00" + bytes(range(20)) * 40, "got a binary file"),
        ("INFO:     Started server process [1]\nINFO:     Waiting\n", "they state no time at all: have the container runtime add it"),
        ("2026-01-01 12:00:00 fine\n", "they state no time zone: set utc_offset"),
        ('{"message": "no time"}\n', "none of 1 lines of source 'log' could be parsed"),
        ('{"timestamp": 1e308, "message": "x"}\n', "none of 1 lines"),
        ('{"timestamp": -5, "message": "x"}\n', "none of 1 lines"),
        ("[]", "holds no entries"),
        ("[" * 2000, "could be parsed"),
        ('{"a":' * 1000, "could be parsed"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_says_why(text: str | bytes, problem: str, tmp_path: Path) -> None:
    reading = read(tmp_path, text)
    assert problem in reading.problem
    assert len(reading.entries) == 0


def test_a_folder_is_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    reading = read_logs(LogSource(name="log", file="logs"), base=tmp_path, to=tmp_path / "read.parquet")
    assert reading.problem == "expected a file at logs, got a folder; name its files, such as logs/*.json"


@pytest.mark.extended
@pytest.mark.slow
@pytest.mark.parametrize("kind", ["object", "text"])
def test_what_is_cut_of_a_line_of_fifty_megabytes_is_read_beside_it(kind: str, tmp_path: Path) -> None:
    said = "word " * 10_000_000 + "last"
    texts = {
        "object": json_lines(cloud("small", 0), cloud(said, 1), cloud("small", 2)),
        "text": f"{NOON}Z small\n{NOON}Z {said}\n{NOON}Z small\n",
    }
    reading = read(tmp_path, texts[kind])
    assert reading.path is not None
    if kind == "object":
        # Pieces of a text have no time.
        assert reading.read == 3 and reading.unparsed > 100
        assert reading.entries["body"].iloc[1].endswith(" more characters]")
    else:
        assert reading.read > 100 and (reading.unparsed, reading.untimed) == (0, reading.read - 3)
    assert reading.entries["body"].iloc[-1] == "small"
    with connect() as engine:
        kept = engine.execute(f"SELECT sum(len(body) - len(replace(body, 'word', ''))) // 4, count(*) FILTER (ends_with(body, 'last')) FROM {rows_of(reading.path)}").fetchall()  # fmt: skip
    assert kept == [(10_000_000, 1)]


@pytest.mark.extended
@pytest.mark.slow
@pytest.mark.parametrize("pack", [bz2.compress, lzma.compress])
def test_a_packed_log_is_read_up_to_where_it_is_cut(pack: Callable[[bytes], bytes], tmp_path: Path) -> None:
    text = "".join(f"2026-03-01T10:00:00.{n:06d}Z INFO {hash(n)} said\n" for n in range(50_000)).encode()
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    packed = pack(text)
    whole.write_bytes(packed)
    cut.write_bytes(packed[: len(packed) * 3 // 4])
    to = tmp_path / "read.parquet"
    assert read_logs(LogSource(name="log", file="whole"), base=tmp_path, to=to).read == 50_000
    reading = read_logs(LogSource(name="log", file="cut"), base=tmp_path, to=to)
    assert 0 < reading.read < 50_000
    assert "(the packed file is cut or broken here)" in (
        reading.entries["body"].iloc[-1],
        reading.unparsed_sample,
    )


@pytest.mark.slow
def test_one_broken_line_costs_one_line_whatever_breaks_it(tmp_path: Path) -> None:
    good = json_lines(*(cloud(f"n {second}", second) for second in range(20))).encode()
    for number, broken in enumerate(
        (b'{"timestamp": "2026\n', b"\xff\xfe\xfd\n", b"nul\x00 here\n", b"[1, 2]\n", b"7\n", b"\x02\n")
    ):
        reading = read(
            tmp_path / str(number), good + broken + good.replace(b'"insertId": "', b'"insertId": "b')
        )
        assert reading.kept == 40, broken
        assert reading.unparsed == 1, broken


def test_mixed_shapes_in_one_file_are_all_read(tmp_path: Path) -> None:
    text = (
        json_lines(cloud("entry", 0))
        + "2026-01-01T12:00:01Z ERROR plain text\n"
        + json_lines({"time": "2026-01-01T12:00:02Z", "msg": "structured", "level": "warn"})
        + "no time at all\n"
    )
    reading = read(tmp_path, text, shape="json")
    assert reading.entries["severity_text"].tolist()[1:] == ["ERROR", "WARNING"]
    assert (reading.kept, reading.unparsed, reading.unparsed_sample) == (3, 1, "no time at all")


def test_times_in_three_forms_in_one_file_are_placed(tmp_path: Path) -> None:
    text = json_lines(
        {"timestamp": "2026-01-01T12:00:00+00:00", "message": "a"},
        {"timestamp": 1767268800, "message": "b"},
        {"timestamp": "1767268800000", "message": "c"},
        {"timestamp": "2026-01-01T14:00:00.5+02:00", "message": "d"},
    )
    assert read(tmp_path, text).entries["timestamp"].dt.floor("s").nunique() == 1


def test_entries_dated_after_they_were_read_are_noticed(tmp_path: Path) -> None:
    reading = read(tmp_path, json_lines(cloud("late", 0, timestamp="2026-01-02T07:00:00Z")))
    assert reading.ahead_s == 7 * 3600


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ({"pattern": "(?P<timestamp>x(?!y))"}, "no lookaround"),
        ({"pattern": "(?P<body>x)"}, "name the group timestamp"),
        ({"pattern": "(a"}, "expected a regular expression"),
        ({"shape": "xml"}, "expected auto, cloud-logging, .*, got 'xml'"),
        ({"format": "jsno"}, "got 'jsno'; did you mean json"),
        ({"format": "json", "shape": "json"}, "expected format or shape, which is its older name, got both"),
        ({"engine": "duckdb://"}, "got file and engine"),
    ],
)
def test_a_source_that_cannot_be_is_refused(source: dict[str, str], wanted: str) -> None:
    with pytest.raises(ValueError, match=wanted):
        LogSource(name="log", file="log", **source)


def test_a_pattern_that_would_backtrack_without_end_is_quick(tmp_path: Path) -> None:
    (tmp_path / "log").write_text(json_lines(cloud("a" * 100_000 + "!", 0)))
    assert len(per_minute(LogSource(name="log", file="log"), [r"(a+)+$"], base=tmp_path)) == 0


@pytest.mark.slow
def test_the_lines_after_one_that_a_pattern_matches_stay_in_its_body(tmp_path: Path) -> None:
    text = f"""{NOON}Z|api|Traceback (most recent call last):
  File "/app/x.py", line 1, in f
ValueError: deep
{NOON}Z|api|served
"""
    for end in ("", "$"):
        reading = read(tmp_path, text, pattern=rf"^(?P<timestamp>[^|]+)\|(?P<service>\w+)\|(?P<body>.*){end}")
        assert reading.unparsed == 0
        assert reading.entries["body"].tolist() == [text.partition("api|")[2].split("\n2026")[0], "served"]


@pytest.mark.slow
def test_counts_straight_from_a_file_are_those_of_its_entries(tmp_path: Path) -> None:
    said = ["RecursionError: deep", "all well", 'quoted "RecursionError: x"', "caf\u00e9 RecursionError: y"]
    text = json_lines(*(cloud(said[number % 4], number % 60, insertId=str(number)) for number in range(240)))
    escaped = text.replace("RecursionError", "\\u0052ecursionError", 10)
    for content in (text, escaped, json.dumps([json.loads(line) for line in text.splitlines()])):
        (tmp_path / "log").write_text(content)
        counts = per_minute(
            LogSource(name="log", file="log"), ["RecursionError: .", "all well"], base=tmp_path
        )
        assert counts[["RecursionError: .", "all well"]].sum().tolist() == [180, 60]
        assert pb.counts(str(tmp_path / "log"), ["all well"])["all well"].sum() == 60
    with pytest.raises(UsageError, match="no lookaround"):
        pb.counts(str(tmp_path / "log"), ["x(?!y)"])
    with pytest.raises(CouldNotLook, match="cannot be read"):
        per_minute(LogSource(name="log", file="nowhere"), ["x"], base=tmp_path)


OBJECTS = [f'{{"timestamp":"2026-01-01T12:00:0{n}Z","message":"RecursionError {n}"}}' for n in range(8)]
AMONG_OBJECTS = {
    "nothing else": "",
    "blank lines": "\n\n",
    "text": "Traceback (most recent call last):\nRecursionError: x",
    "an object that is cut": OBJECTS[0][:-5],
    "two objects in one line": OBJECTS[0] + OBJECTS[1],
    "an object in two lines": OBJECTS[0].replace(",", ",\n"),
    "a comma behind it": OBJECTS[0] + ",",
    "a colour": "\x1b[31m" + OBJECTS[0],
    "a name twice": OBJECTS[0][:-1] + ',"message":"RecursionError again"}',
    "no number": OBJECTS[0][:-1] + ',"value":NaN}',
    "no object": '"RecursionError"',
    "zero bytes": OBJECTS[0].replace("Error", "\x00Error"),
}


@pytest.mark.usual_cases(4)
@pytest.mark.parametrize("odd", AMONG_OBJECTS.values(), ids=AMONG_OBJECTS)
def test_counts_are_those_of_the_entries_whatever_stands_among_objects(tmp_path: Path, odd: str) -> None:
    (tmp_path / "log").write_text("\n".join([*OBJECTS, odd, OBJECTS[3]]))
    source = LogSource(name="log", file="log")
    counted = per_minute(source, ["RecursionError"], base=tmp_path)["RecursionError"].sum()
    entries = read_logs(source, base=tmp_path, to=tmp_path / "read.parquet").entries
    assert counted == entries["body"].str.contains("RecursionError").sum() >= len(OBJECTS) + 1


JUNK = st.binary(max_size=60).map(lambda junk: b"~" + junk.replace(b"\n", b" ").replace(b"\r", b" "))
GOOD = st.integers(0, 59).map(lambda second: json.dumps(cloud(f"well {second}", second)).encode())
TEXT = st.sampled_from(
    [
        b"2026-01-01T12:00:00Z INFO fine",
        b"  indented",
        b"Traceback (most recent call last):",
        b"ValueError: x",
        b"",
    ]
)


@pytest.mark.extended
@examples(30)
@given(
    parts=st.lists(st.one_of(GOOD, JUNK, TEXT), max_size=12),
    shape=st.sampled_from(["auto", "cloud-logging", "json", "text"]),
)
@pytest.mark.slow
def test_every_line_is_in_an_entry_or_a_duplicate_or_unparsed(
    parts: list[bytes], shape: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    reading = read(tmp_path_factory.mktemp("fuzz"), b"\n".join(parts), shape=shape)
    held = int(reading.entries["lines"].sum()) if reading.path else 0
    assert held + reading.duplicates + reading.unparsed == reading.lines
    assert reading.problem or reading.kept
    whole = sum(part.startswith(b'{"timestamp') for part in parts)
    if reading.path and shape in ("cloud-logging", "json"):
        assert (
            reading.read >= len({part for part in parts if part.startswith(b'{"timestamp')})
            and reading.read >= whole - reading.unparsed
        )
