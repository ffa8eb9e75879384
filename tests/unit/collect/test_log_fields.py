"""What an entry holds beside its message is kept: requests, traces, and everything else by its name."""

from __future__ import annotations

import datetime as dt
import functools
import json
from pathlib import Path

import duckdb
import pytest
from builders import column_of, json_lines, read_log

from proofbook.collect.logs.fields import MOST_CHARS, MOST_FIELDS
from proofbook.config.sources import LogSource
from proofbook.notebook.quicklook import look_at_log
from proofbook.runs import leak_scan

NOW = dt.datetime(2026, 3, 20, tzinfo=dt.UTC)
read = functools.partial(read_log, now=NOW)
TICK = {"timestamp": "2026-03-01T10:00:00Z", "level": "info", "message": "tick"}
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
ACCESS = (
    '10.0.0.9 - ann [01/Mar/2026:10:00:00 +0000] "GET /a?b=1 HTTP/1.1" 503 120 "https://x.test/" "curl/8.1"\n'
)


def test_an_object_keeps_what_has_no_column_with_dotted_names(tmp_path: Path) -> None:
    more = {
        "cart": 7,
        "paid": True,
        "kubernetes": {"pod": {"name": "p-1"}, "labels": {"app": "shop"}},
        "tags": ["a", "b"],
        "none": None,
    }
    reading = read(tmp_path, json_lines(TICK | more, TICK | {"late": "x"}))
    assert column_of(reading, "fields") == [
        {"cart": "7", "paid": "true", "kubernetes.labels.app": "shop", "tags": '["a","b"]'},
        {"late": "x"},
    ]
    # A pod is an instance.
    assert column_of(reading, "service_instance_id") == ["p-1", None]


def test_a_name_that_an_object_has_twice_is_kept_once(tmp_path: Path) -> None:
    text = '{"timestamp":"2026-03-01T10:00:00Z","message":"tick","cart":7,"cart":8,"on":"a"}\n'
    (fields,) = column_of(read(tmp_path, text), "fields")
    assert fields == {"cart": "7", "on": "a"}


def test_too_many_fields_are_cut_and_counted_and_so_are_long_values(tmp_path: Path) -> None:
    reading = read(
        tmp_path,
        json_lines(TICK | {f"k{n:02d}": "v" * 5000 for n in range(MOST_FIELDS + 6)}, TICK | {"a": "b"}),
    )
    first, second = column_of(reading, "fields")
    assert (
        isinstance(first, dict)
        and len(first) == MOST_FIELDS
        and {value[MOST_CHARS:] for value in first.values()} == {" [1,000 more characters]"}
    )
    assert second == {"a": "b"} and reading.fields_cut == 6


def test_secrets_in_fields_are_redacted_by_their_names_and_by_their_form(tmp_path: Path) -> None:
    secrets = {
        "password": "hunter2-hunter2",
        "headers": {"authorization": "Bearer abcdefghijklmnopqrstuvwxyz"},
        "key": "ghp_" + "a1" * 20,
    }
    reading = read(tmp_path, json_lines(*[TICK | secrets | {"cart": 7}] * 2))
    written = json.dumps(column_of(reading, "fields"))
    assert "hunter2" not in written and "abcdefghij" not in written and "a1a1a1" not in written
    assert written.count("[redacted]") == 6 and '"cart": "7"' in written


def test_a_secret_in_a_field_is_found_by_the_scan_for_leaks(tmp_path: Path) -> None:
    path = tmp_path / "logs.parquet"
    duckdb.connect().execute(
        f"COPY (SELECT MAP {{'note': 'hunter2-hunter2'}} AS fields) TO '{path}' (FORMAT parquet)"
    )
    assert leak_scan._in_table(path, ["hunter2-hunter2"]) and not leak_scan._in_table(path, ["hunter3"])


def test_pairs_in_a_line_are_fields(tmp_path: Path) -> None:
    text = "".join(
        f'2026-03-01T10:00:0{n}Z level=warn msg="low on disk" disk=/dev/sd{n} free="1 GB" trace_id={TRACE}\n'
        for n in range(5)
    )
    reading = read(tmp_path, text)
    fields = reading.entries["fields"][3]
    assert fields["disk"] == "/dev/sd3" and fields["free"] == "1 GB"
    assert column_of(reading, "trace_id") == [TRACE] * 5


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param(ACCESS, (503, "GET", "/a?b=1", "HTTP/1.1", 120, "curl/8.1", "10.0.0.9"), id="common log format"),
        pytest.param(
            'Mar  1 10:00:00 lb haproxy[7]: 10.0.0.9:5000 [01/Mar/2026:10:00:00.123] web app/s1 1/0/3/69/109 503 2750 - - ---- 1/1/1/1/0 0/0 "GET /a?b=1 HTTP/1.1"\n',
            (503, "GET", "/a?b=1", "HTTP/1.1", 2750, None, None),
            id="HAProxy",
        ),
        pytest.param(
            'http 2026-03-01T10:00:00.123456Z app/lb/50dc 10.0.0.9:2817 10.0.0.1:80 0.000 0.001 0.000 503 502 34 366 "GET /a?b=1 HTTP/1.1" "curl/8.1" - -\n',
            (503, "GET", "/a?b=1", "HTTP/1.1", 366, "curl/8.1", None),
            id="AWS load balancer",
        ),
        pytest.param(
            "[pid: 1|app: 0|req: 1/1] 10.0.0.9 () {30 vars in 400 bytes} [Sun Mar  1 10:00:00 2026] GET /a?b=1 => generated 12 bytes in 3 msecs (HTTP/1.1 503) 2 headers\n",
            (503, "GET", "/a?b=1", "HTTP/1.1", 12, None, None),
            id="uWSGI",
        ),
        pytest.param(
            '2026-03-01T10:00:00Z heroku[router]: at=info method=GET path="/a?b=1" host=x.test dyno=web.1 connect=1ms service=5ms status=503 bytes=9\n',
            (503, "GET", "/a?b=1", None, None, None, None),
            id="logfmt, as Heroku's router writes it",
        ),
        pytest.param(
            '2026-03-01 10:00:00 INFO "GET /a?b=1 HTTP/1.1" from 10.0.0.9:5000 - 503 12B in 3ms\n',
            (503, "GET", "/a?b=1", "HTTP/1.1", None, None, None),
            id="status after a word",
        ),
    ],
)  # fmt: skip
def test_requests_are_read_as_servers_write_them(
    line: str, expected: tuple[object, ...], tmp_path: Path
) -> None:
    reading = read(tmp_path, line * 3, utc_offset="+00:00")
    names = (
        "http_status",
        "http_method",
        "http_url",
        "http_protocol",
        "http_response_bytes",
        "http_user_agent",
        "http_remote_ip",
    )
    assert tuple(column_of(reading, name)[0] for name in names) == expected


@pytest.mark.parametrize(
    "line",
    [
        f"2026-03-01 10:00:00 INFO pay TraceID: {TRACE} SpanID: {SPAN} charged\n",
        f"2026-03-01 10:00:00 INFO [shop,{TRACE},{SPAN},true] 7 --- charged\n",
        f"2026-03-01 10:00:00 INFO charged traceparent=00-{TRACE}-{SPAN}-01\n",
        f"2026-03-01 10:00:00 INFO charged dd.trace_id={TRACE} dd.span_id={SPAN}\n",
        f'2026-03-01 10:00:00 INFO charged "trace_id":"{TRACE}","span_id":"{SPAN}"\n',
        json_lines(TICK | {"traceparent": f"00-{TRACE}-{SPAN}-01"}),
        json_lines(TICK | {"trace": {"id": TRACE}, "span": {"id": SPAN}}),
        json_lines(
            TICK
            | {
                "logging.googleapis.com/trace": f"projects/x/traces/{TRACE}",
                "logging.googleapis.com/spanId": SPAN,
            }
        ),
        json_lines(TICK | {"otelTraceID": TRACE, "otelSpanID": SPAN}),
        json_lines(TICK | {"message": f"charged trace_id={TRACE} span_id={SPAN}"}),
    ],
)
def test_trace_and_span_are_found_wherever_they_are_written(line: str, tmp_path: Path) -> None:
    reading = read(tmp_path, line * 2, utc_offset="+00:00")
    assert (column_of(reading, "trace_id")[0], column_of(reading, "span_id")[0]) == (TRACE, SPAN)


@pytest.mark.parametrize(
    "line",
    ["2026-03-01 10:00:00 INFO the trace: 12 lines\n", "2026-03-01 10:00:00 INFO traced=yes span: 4 pages\n"],
)
def test_a_word_is_no_trace(line: str, tmp_path: Path) -> None:
    reading = read(tmp_path, line * 2, utc_offset="+00:00")
    assert column_of(reading, "trace_id") == column_of(reading, "span_id") == [None, None]


@pytest.mark.slow
def test_a_secret_that_is_a_name_or_stands_in_what_a_client_says_of_itself_is_redacted(
    tmp_path: Path,
) -> None:
    token = "ghp_" + "a1" * 20
    reading = read(
        tmp_path,
        json_lines(*[TICK | {token: "x", token[:-1] + "b": "y", "http": {"user_agent": f"x {token}"}}] * 2),
    )
    assert token not in json.dumps(column_of(reading, "fields")) and "a1a1a1" not in json.dumps(
        column_of(reading, "fields")
    )
    assert sorted(column_of(reading, "fields")[0].values()) == ["x", "y"]
    assert column_of(reading, "http_user_agent") == ["x [redacted]"] * 2
    assert "a1a1a1" not in read(tmp_path, ACCESS.replace("curl/8.1", token) * 2).entries.to_csv()


@pytest.mark.slow
@pytest.mark.parametrize(
    "line",
    [
        ACCESS,
        'Mar  1 10:00:00 lb haproxy[7]: 10.0.0.9:5000 [01/Mar/2026:10:00:00.123] web app/s1 1/0/3/69/109 503 2750 - - ---- 1/1/1/1/0 0/0 "GET /a HTTP/1.1"\n',
        "[pid: 1|app: 0|req: 1/1] 10.0.0.9 () {30 vars in 400 bytes} [Sun Mar  1 10:00:00 2026] GET /a => generated 12 bytes in 3 msecs (HTTP/1.1 503) 2 headers\n",
        "#Fields: date time cs-method cs-uri-stem sc-status\n2026-03-01 10:00:00 GET /a 503\n",
    ],
    ids=["common log format", "HAProxy", "uWSGI", "IIS"],
)  # fmt: skip
def test_lines_of_requests_are_no_kinds_of_messages_but_errors_that_note_a_status_are(
    line: str, tmp_path: Path
) -> None:
    error = json_lines(TICK | {"level": "error", "message": "GET /a failed", "status_code": 503})
    for text, kinds in ((line * 3, []), (error * 3, ["GET <*> failed"])):
        (tmp_path / "log").write_text(text)
        looked = look_at_log(LogSource(name="log", file="log", utc_offset="+00:00"), base=tmp_path)
        assert list(looked.kinds["what"]) == kinds
