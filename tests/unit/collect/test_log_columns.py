"""Logs in columns: CSV and TSV with a header, and files that name their columns in a comment."""

from __future__ import annotations

import csv
import datetime as dt
import functools
import gzip
import io
import os
import re
from collections import Counter
from pathlib import Path
from typing import Literal

import pytest
from builders import column_of, entries_of, examples, read_log
from hypothesis import given
from hypothesis import strategies as st

from proofbook.collect.logs import columns as in_columns
from proofbook.collect.logs import rows as of_columns
from proofbook.collect.logs.counts import per_minute
from proofbook.collect.logs.reader import read_logs
from proofbook.config.sources import LogSource

NOW = dt.datetime(2026, 3, 20, tzinfo=dt.UTC)
read = functools.partial(read_log, now=NOW)


def test_a_row_is_an_entry_whose_cells_may_hold_quotes_delimiters_and_line_ends(tmp_path: Path) -> None:
    text = (
        "Date,Host,Service,Content,Status,Pod\n"
        '"2026-03-01T10:00:00.000Z",i-1,"shop","pay failed, card ""x""\nsecond line",error,p-1\n'
        '\n"2026-03-01T10:00:01.000Z",i-2,"shop","ok",info,p-2\n'
    )
    reading = read(tmp_path, text)
    assert reading.shape == "text in csv"
    assert entries_of(reading) == [
        ("01 10:00:00", "ERROR", 'pay failed, card "x"\nsecond line'),
        ("01 10:00:01", "INFO", "ok"),
    ]
    assert (
        column_of(reading, "line") == [2, 5] and column_of(reading, "lines") == [2, 1] and reading.lines == 3
    )
    assert column_of(reading, "service_name") == ["shop"] * 2 and column_of(
        reading, "service_instance_id"
    ) == [
        "p-1",
        "p-2",
    ]
    assert column_of(reading, "fields") == [{"Host": "i-1"}, {"Host": "i-2"}]


@pytest.mark.parametrize(
    ("text", "first", "second"),
    [
        pytest.param(
            '"@timestamp","log.level",message,x\n"Mar 1, 2026 @ 10:00:00.123",error,"a, b",1\n"Mar 1, 2026 @ 10:00:01.5",info,c,2\n',
            ("01 10:00:00.123", "ERROR", "a, b"),
            ("01 10:00:01.5", "INFO", "c"),
            id="Kibana",
        ),
        pytest.param(
            '"TimeGenerated [UTC]",SeverityLevel,Message,AppRoleName\n"3/1/2026, 10:00:00.123 AM",3,a,s\n"3/1/2026, 1:00:01.5 PM",1,c,s\n',
            ("01 10:00:00.123", "ERROR", "a"),
            ("01 13:00:01.5", "INFO", "c"),
            id="Azure, the month first",
        ),
        pytest.param(
            "\ufeffLevel,Date and Time,Source,Event ID,Task Category\n"
            'Error,3/1/2026 10:00:00 AM,Disk,7,None,"a\n\nmore"\nInformation,3/13/2026 10:00:01 AM,Disk,8,None,"c"\n',
            ("01 10:00:00", "ERROR", "a\n\nmore"),
            ("13 10:00:01", "INFO", "c"),
            id="Windows, whose header names no message",
        ),
        pytest.param(
            '#TYPE System.Diagnostics.Eventing\n"Message","Id","LevelDisplayName","TimeCreated"\n'
            '"a\r\nb","11","Error","01.03.2026 10:00:00"\n"c","12","Information","13.03.2026 10:00:01"\n',
            ("01 10:00:00", "ERROR", "a\nb"),
            ("13 10:00:01", "INFO", "c"),
            id="PowerShell",
        ),
        pytest.param(
            "Zeit;Level;Nachricht\n2026-03-01 10:00:00;ERROR;a; b\n2026-03-01 10:00:01;INFO;c\n",
            ("01 10:00:00", "ERROR", "a; b"),
            ("01 10:00:01", "INFO", "c"),
            id="semicolons, and one in a message that is not quoted",
        ),
        pytest.param(
            'time\tlevel\tmessage\n2026-03-01T10:00:00Z\terror\tsaid "no\n2026-03-01T10:00:01Z\tinfo\tc\n',
            ("01 10:00:00", "ERROR", 'said "no'),
            ("01 10:00:01", "INFO", "c"),
            id="tabs, and a quote that nothing closes",
        ),
        pytest.param(
            "epoch,severity,text\n1772359200,ERR,a\n1772359201.5,INF,c\n",
            ("01 10:00:00", "ERROR", "a"),
            ("01 10:00:01.5", "INFO", "c"),
            id="seconds since 1970",
        ),
    ],
)
def test_columns_are_found_by_their_names_and_by_what_stands_in_them(
    text: str, first: tuple[str, str, str], second: tuple[str, str, str], tmp_path: Path
) -> None:
    reading = read(tmp_path, text, utc_offset="+00:00")
    assert entries_of(reading) == [first, second]
    assert reading.unparsed == reading.untimed == 0


def test_what_a_cell_holds_is_read_as_a_log_of_its_own(tmp_path: Path) -> None:
    inner = '{""log"":""10:00:00.5 WARN  c.s.Pay#48 TraceID: 2f182d58875095cc70b2a50fdda3e7cd SpanID: 547f5d87b5271a25 charged %s\\n"",""stream"":""stdout"",""time"":""2026-03-01T09:00:00Z""}'
    text = "Timestamp,TimeUnixNano,PodName,Log\n" + "".join(
        f'2026-03-01T02:00:0{n}Z,177233040000000000{n},shop-{n},"{inner.replace("%s", ("card", "cash", "bill")[n % 3])}"\n'
        for n in range(6)
    )
    reading = read(tmp_path, text)
    assert reading.shape == "text in docker-json in csv"
    # The time of the export dates an entry, not what a program's own clock says.
    assert entries_of(reading)[0] == ("01 02:00:00", "WARNING", "charged card")
    assert column_of(reading, "trace_id")[0] == "2f182d58875095cc70b2a50fdda3e7cd"
    assert column_of(reading, "span_id")[0] == "547f5d87b5271a25"
    assert column_of(reading, "service_instance_id")[3] == "shop-3"


def test_an_object_in_a_cell_says_its_level_and_its_message(tmp_path: Path) -> None:
    text = 'ts,pod,log\n2026-03-01T10:00:00Z,a,"{""level"":""error"",""msg"":""pay"",""cart"":7}"\n2026-03-01T10:00:01Z,b,"{""level"":""info"",""msg"":""ok"",""cart"":8}"\n'
    reading = read(tmp_path, text)
    assert entries_of(reading) == [("01 10:00:00", "ERROR", "pay"), ("01 10:00:01", "INFO", "ok")]
    assert column_of(reading, "fields") == [{"cart": "7"}, {"cart": "8"}]


def test_postgres_csv_has_no_header_and_names_its_zone(tmp_path: Path) -> None:
    row = [
        "2026-03-01 10:00:00.123 CET", "bob", "shop", "123", "127.0.0.1:5000", "5f.1", "1", "SELECT", "2026-03-01 09:00:00 CET", "3/1", "0",
        "FATAL", "28P01", 'no user "bob"', "", "", "", "", "SELECT 1,\n2", "", "", "auth.c", "psql",
    ]  # fmt: skip
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([row, [*row[:11], "LOG", *row[12:]]])
    reading = read(tmp_path, out.getvalue())
    assert reading.shape == "text in postgres-csv"
    assert entries_of(reading) == [
        ("01 09:00:00.123", "CRITICAL", 'no user "bob"'),
        ("01 09:00:00.123", "INFO", 'no user "bob"'),
    ]
    assert reading.entries["fields"][0]["context"] == "SELECT 1,\n2"


def test_a_comment_names_the_columns_and_may_name_others_later(tmp_path: Path) -> None:
    text = (
        "#Software: Internet Information Services\n#Date: 2026-03-01 10:00:00\n"
        "#Fields: date time s-ip cs-method cs-uri-stem c-ip cs(User-Agent) sc-status sc-bytes\n"
        "2026-03-01 10:00:00 10.0.0.1 GET /pay 10.0.0.2 Mozilla/5.0+(X) 503 120\n"
        "#Fields: date time cs-method cs-uri-stem sc-status\n"
        "2026-03-01 10:00:01 GET /a 200\n"
    )
    reading = read(tmp_path, text)
    assert (
        reading.kept == 2
        and column_of(reading, "http_status") == [503, 200]
        and column_of(reading, "http_url") == ["/pay", "/a"]
    )
    first = reading.entries.iloc[0]
    assert (first["http_remote_ip"], first["http_user_agent"], first["http_response_bytes"]) == ("10.0.0.2", "Mozilla/5.0+(X)", 120)  # fmt: skip
    assert str(first["timestamp"]) == "2026-03-01 10:00:00+00:00"


def test_a_header_that_is_cut_moves_no_cell_into_another_column(tmp_path: Path) -> None:
    reading = read(tmp_path, "el\tpod\tmessage\n2026-03-01T10:00:01Z\twarn\tp\tx=1 broken\n")
    assert any("broken" in body for _, _, body in entries_of(reading))


def test_columns_that_are_padded_with_spaces_are_read(tmp_path: Path) -> None:
    text = '#Fields:  c-ip  date  time  cs-method  cs-uri  sc-status  cs(Cookie)\n10.0.0.9      2026-03-01     10:00:18      GET      /a    503     "x=1  y"\n'
    reading = read(tmp_path, text)
    assert column_of(reading, "http_status") == [503]
    assert str(reading.entries["timestamp"][0]) == "2026-03-01 10:00:18+00:00"


def test_zeek_names_its_columns_and_its_sign_for_nothing(tmp_path: Path) -> None:
    text = "#separator \\x09\n#fields\tts\tuid\tid.orig_h\tmethod\turi\tstatus_code\n#types\ttime\tstring\taddr\tstring\tstring\tcount\n1772359200.123456\tC1\t10.0.0.1\tGET\t/\t500\n1772359201.1\tC2\t10.0.0.1\tGET\t/\t-\n#close\tnow\n"
    reading = read(tmp_path, text)
    assert (
        column_of(reading, "http_status") == [500, None]
        and column_of(reading, "http_remote_ip") == ["10.0.0.1"] * 2
    )


@pytest.mark.slow
def test_lines_that_are_no_rows_stand_alone_and_are_found(tmp_path: Path) -> None:
    good = "".join(f"2026-03-01T10:00:{n:02d}Z,info,ok {n}\n" for n in range(20))
    quoted = "".join(f'2026-03-01T10:00:{n:02d}Z,info,"ok, {n}"\n' for n in range(21, 40))
    trace = 'Traceback (most recent call last):\n  File "/a.py", line 3, in f\nRecursionError: no\n'
    text = "time,level,message\n" + good + '2026-03-01T10:00:20Z,error,"never closed\n' + quoted + trace
    reading = read(tmp_path, text)
    assert reading.lines == 43 and reading.unparsed == 0 and reading.untimed == 3
    assert sum("ok" in body for _, _, body in entries_of(reading)) == 39
    counted = per_minute(LogSource(name="log", file="log"), ["RecursionError", "never closed"], base=tmp_path)
    assert counted.drop(columns="minute").sum().tolist() == [1, 1]


def test_a_file_that_was_put_together_has_no_entries_of_headers(tmp_path: Path) -> None:
    one = "time,level,message\n2026-03-01T10:00:00Z,error,a\n"
    assert len(entries_of(read(tmp_path, one * 3))) == 3


@pytest.mark.parametrize(
    "text",
    [
        "Starting server, please wait\n2026-03-01 10:00:00,123 INFO ok\n2026-03-01 10:00:01,123 ERROR bad\n",
        "hello, world\n2026-03-01T10:00:00Z INFO a, b\n2026-03-01T10:00:01Z ERROR c, d\n",
        "a | b\n2026-03-01T10:00:00Z | INFO\n2026-03-01T10:00:01Z | ERROR\n",
    ],
)
def test_lines_with_a_comma_are_no_columns(text: str, tmp_path: Path) -> None:
    reading = read(tmp_path, text, utc_offset="+00:00")
    assert "csv" not in reading.shape and [severity for _, severity, _ in entries_of(reading)][-2:] == [
        "INFO",
        "ERROR",
    ]


CELLS = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]) | st.sampled_from('",;\n'), max_size=20
)


@pytest.mark.slow
@given(
    messages=st.lists(CELLS, min_size=1, max_size=12),
    quoting=st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
    delimiter=st.sampled_from(",;\t"),
    cut=st.integers(0, 40),
)
@examples(200)
def test_whatever_cells_hold_each_row_is_whole_and_one_that_is_cut_is_not_lost(
    messages: list[str], quoting: Literal[0, 1], delimiter: str, cut: int
) -> None:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, quoting=quoting, lineterminator="\n")
    writer.writerow(["timestamp", "level", "message", "pod"])
    writer.writerows([f"2026-03-01T10:00:{n:02d}Z", "info", text, "p"] for n, text in enumerate(messages))
    cut = cut if len(messages) > 3 else 0
    text = out.getvalue()[: len(out.getvalue()) - cut]
    columns = in_columns.recognise(out.getvalue(), {})
    assert columns is not None and columns.body == "message"
    found = [
        row for batch in of_columns.rows(io.BytesIO(text.encode()), columns) for row in batch.to_pylist()
    ]
    whole = [row["cells"]["c2"] for row in found if not row["stray"]]
    kept = messages if not cut else messages[: max(0, len(messages) - 1 - cut // 20)]
    assert whole[: len(kept)] == kept
    # Every line but the header is in a row, or stands alone.
    lines = [line for line in text.split("\n")[1:] if line.strip()]
    assert sum(row["lines"] for row in found) >= len(lines)
    assert all(any(line in row["text"] for row in found) for line in lines)


REAL = os.environ.get("PROOFBOOK_REAL_LOGS")
# Every third of those that are alike in form; other services write in each.
INCIDENTS = sorted((Path(REAL) / "train-ticket").glob("*/logs.csv.gz"))[::3] if REAL else []


@pytest.mark.usual_cases(4)
@pytest.mark.slow
@pytest.mark.skipif(not INCIDENTS, reason="PROOFBOOK_REAL_LOGS names no folder with train-ticket")
@pytest.mark.parametrize("path", INCIDENTS, ids=[path.parent.name for path in INCIDENTS])
def test_real_incidents_are_read_with_pod_trace_span_and_the_programs_own_level(
    path: Path, tmp_path: Path
) -> None:
    reading = read_logs(LogSource(name="log", file=str(path)), base=Path(), to=tmp_path / "read.parquet")
    with gzip.open(path, "rt", newline="") as file:
        told = list(csv.DictReader(file))
    assert (reading.lines, reading.kept + reading.joined, reading.unparsed, reading.untimed) == (len(told), len(told), 0, 0)  # fmt: skip
    found = reading.entries
    assert set(found["service_instance_id"]) == {row["PodName"] for row in told}
    assert set(found["trace_id"].dropna()) >= {row["TraceID"] for row in told if row["TraceID"]}
    assert set(found["span_id"].dropna()) >= {row["SpanID"] for row in told if row["SpanID"]}
    # The level is that of the line, and no line of the program says it twice.
    words = [re.search(r"\d (TRACE|DEBUG|INFO|WARN|ERROR) ", row["Log"][:60]) for row in told]
    counts = Counter({"WARN": "WARNING"}.get(word[1], word[1]) for word in words if word)
    assert all(reading.counts.get(name, 0) >= count for name, count in counts.items())
    assert not found["body"].str.contains(r"^\d\d:\d\d:\d\d", regex=True).any()
