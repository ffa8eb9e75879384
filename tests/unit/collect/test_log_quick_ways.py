"""What is found in a quick way is what the slow way finds, which tells what is right."""

from __future__ import annotations

import functools
import io
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from proofbook.collect.logs import aggregates, headers, lines, opening, requests, rows, zones
from proofbook.collect.logs.columns import Columns
from proofbook.collect.logs.entries import connect
from proofbook.collect.logs.reader import EMPTY, read_logs
from proofbook.config.duckdb_text import quoted
from proofbook.config.sources import LogSource

ADDRESS = "192.0.2.7"
START = f"{ADDRESS} - - [01/Mar/2026:10:00:00 +0000] "


_engine = functools.cache(connect)


def _value(expression: str, text: str = "", *, among: str = "") -> object:
    """What an SQL expression of `text` gives, and of the columns `among` it, each of those before it."""
    relation = f"(SELECT {quoted(text)} AS text)"
    for column in filter(None, among.split(";")):
        relation = f"(SELECT *, {column} FROM {relation})"
    return _engine().execute(f"SELECT {expression} FROM {relation}").fetchall()[0][0]


@pytest.mark.parametrize(
    "line",
    [
        f'{START}"GET /api HTTP/1.1" 200 12 "https://shop.example/" "curl/8"',
        f'{START}"GET /api HTTP/1.1" 200 - "-" "-"',
        f'{START}"GET /api HTTP/1.1" 200 12',
        f'{START}"GET /api HTTP/1.1" 200',
        f'{START}"GET /api HTTP/1.1" 200 12 "https://shop.example/"',
        f'{START}"GET /api HTTP/1.1" 200 12 "https://shop.example/" "cut',
        f'{START}"GET /api HTTP/1.1" 200 12 "-" "curl/8" "203.0.113.9" 0.004',
        f'{START}"GET /api HTTP/1.1" 200 12 "-"  "curl/8"',
        f'{START}"GET /api HTTP/1.1" 2000 12 "-" "curl/8"',
        f'{START}"GET /api HTTP/1.1" 200 12k "-" "curl/8"',
        f'{START}"GET /a"b HTTP/1.1" 200 12 "-" "curl/8"',
        f'{START}"GET /a b HTTP/1.1" 200 12 "-" "curl/8"',
        f'{START}"-" 400 0 "-" "GET /api HTTP/1.1"',
        f'{START}"PRI * HTTP/2.0" 400 157 "-" "-"',
        f'{START}"BREW /pot HTTP/1.1" 418 0 "-" "-"',
        f'host "a" {START}"POST /api HTTP/1.1" 201 3 "-" "curl/8"',
        f'{START}"GET /api HTTP/1.1" 200 12 "-" "said "GET /b HTTP/1.0" 500 1 "-" "x""',
        'said "GET /api HTTP/1.1"\n"GET /b HTTP/1.1" 200 12 "-" "curl/8"',
        "nothing of HTTP/ here",
    ],
)
def test_a_request_taken_apart_at_its_quotes_is_the_one_that_its_pattern_finds(line: str) -> None:
    form = requests.FORMS[0]
    among = f"{requests.pieces_of(form, 'text')} AS pieces;{requests.in_quotes('pieces')} AS asked"
    quick = _value(requests.of_line(form, "text"), line, among=among)
    slow = requests.of_line(replace(form, in_quotes=False), "text")
    assert quick == _value(slow, line)


def test_a_line_of_nginx_is_taken_apart_at_its_quotes() -> None:
    form = requests.FORMS[0]
    line = f'{START}"GET /api HTTP/1.1" 200 12 "https://shop.example/" "curl/8"'
    asked = _value(requests.in_quotes("pieces"), line, among=f"{requests.pieces_of(form, 'text')} AS pieces")
    assert asked == {"method": "GET", "url": "/api", "protocol": "HTTP/1.1"}


@pytest.mark.parametrize(
    ("line", "address"),
    [
        (f"{START}x", ADDRESS),
        (f"shop.example {START}x", ADDRESS),
        (f"{ADDRESS} - ann [01/Mar/2026", ADDRESS),
        (f"{ADDRESS} ident ann [01/Mar/2026", ADDRESS),
        ("2001:db8::7 - - [01/Mar/2026", "2001:db8::7"),
        ("198.51.100.1 192.0.2.7 - - [01/Mar/2026", ADDRESS),
        ("198.51.100.1 192.0.2.7 - [- [01/Mar/2026", ADDRESS),
        ("shop.example - - [01/Mar/2026", None),
        (f"{ADDRESS} said - [01/Mar/2026", ADDRESS),
        (f"{ADDRESS} said nothing", None),
    ],
)
def test_who_asked_stands_first_or_after_a_name(line: str, address: str | None) -> None:
    assert _value(requests.address_of("text"), line) == address


ID32, ID16 = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.mark.parametrize(
    "text",
    [
        f"trace_id={ID32}",
        f"TRACE-ID: {ID32.upper()}",
        f"dd.trace_id=1234567890123456789 dd.span_id={ID16}",
        f'"traceId": "{ID32}", "spanId": "{ID16}"',
        f"span={ID16}",
        f"traceparent: 00-{ID32}-{ID16}-01",
        f"[orders,{ID32},{ID16},true] said",
        f"[,{ID32},{ID16}] said",
        f"trace id: '{ID32[:8]}-{ID32[8:12]}-{ID32[12:16]}-{ID32[16:20]}-{ID32[20:]}'",
    ],
)
def test_what_is_looked_for_first_stands_in_every_text_that_names_an_id(text: str) -> None:
    found = [_value(requests.ids_in("text", thing, in_brackets=True), text) for thing in requests.PATTERNS]
    assert any(found)
    assert _value(f"regexp_matches(text, {quoted(requests.MAY_NAME_ID)})", text)


@pytest.mark.parametrize(
    "text", ["Traceback (most recent call last)", "a race", "at 2026-03-01T10:00:00-05:00", "a spanner"]
)
def test_what_only_looks_like_the_name_of_an_id_is_not_looked_at_further(text: str) -> None:
    assert not _value(f"regexp_matches(text, {quoted(requests.MAY_NAME_ID)})", text)


@pytest.mark.parametrize(
    "text",
    ["", "  ", "{}", " {} ", "[]", "null", "\u00a0null\u3000", "{} x", "nullx", "\t", "a", "{ }", "\n"],
)
def test_a_text_says_nothing_if_what_is_left_without_spaces_says_nothing(text: str) -> None:
    trimmed = f"trim(text) IN {aggregates.EMPTY}"
    assert _value(f"regexp_full_match(text, {quoted(EMPTY)})", text) == _value(trimmed, text)


@pytest.mark.parametrize("zone", ["Z", "+00:00", "+05:30", "-08:00"])
@pytest.mark.parametrize(
    "time", ["2026-03-01 10:00:00.123456", "1969-12-31 23:59:59.5", "0001-01-01 00:00:00"]
)
def test_a_time_with_an_offset_is_the_one_that_a_database_of_zones_gives(time: str, zone: str) -> None:
    offset = zone if zone != "Z" else "+00:00"
    minutes = (-1 if offset[0] == "-" else 1) * (60 * int(offset[1:3]) + int(offset[4:]))
    local = f"TIMESTAMP {quoted(time)}"
    asked = f"timezone('UTC', {local} - INTERVAL ({minutes}) MINUTE)"
    assert _value(f"({zones.in_zone(local, zone)})::VARCHAR") == _value(f"({asked})::VARCHAR")


def test_the_usual_levels_are_levels() -> None:
    assert all(re.fullmatch(rf"(?i:{headers.LEVELS})", word) for word in headers.USUAL_LEVELS)


@pytest.mark.parametrize(
    ("rest", "level"),
    [
        (" INFO app: ready", "INFO"),
        (" WARN app: ready", "WARNING"),
        (" FATAL app: ready", "CRITICAL"),
        (" error app: ready", "ERROR"),
        (" [ERROR] app: ready", "ERROR"),
    ],
)
def test_a_level_after_a_space_is_read_as_any_other(tmp_path: Path, rest: str, level: str) -> None:
    text = "".join(f"2026-03-01 10:00:{n:02d},123{rest} {n}\n" for n in range(20))
    (tmp_path / "app.log").write_text(text)
    source = LogSource(name="app", file="app.log", utc_offset="+00:00")
    reading = read_logs(source, base=tmp_path, to=tmp_path / "entries.parquet")
    assert reading.counts == {level: 20}


def test_a_header_that_stands_again_is_no_row_also_where_its_name_holds_a_quote() -> None:
    columns = Columns(
        kind="csv",
        names=('at "UTC"', "message"),
        delimiter=",",
        places={"timestamp": ('at "UTC"',), "body": ("message",)},
    )
    head = b'"at ""UTC""",message\n'
    data = head + b"2026-03-01 10:00:00,one\n" + head + b"2026-03-01 10:00:01,two\n"
    found = list(rows.rows(io.BytesIO(data), columns))
    assert [row for batch in found for row in batch["line"].to_pylist()] == [2, 4]


@pytest.mark.slow
def test_lines_are_not_read_far_ahead_of_what_is_done_with_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    block, ahead = 1 << 16, 1 << 20
    monkeypatch.setattr(lines, "BLOCK_BYTES", block)
    monkeypatch.setattr(opening, "AHEAD_BYTES", ahead)
    (tmp_path / "app.log").write_text("2026-03-01 10:00:00,123 INFO app: ready and waiting\n" * 160_000)
    held, begun = [], pa.total_allocated_bytes()
    entries = lines.entries

    def watched(*args: Any, **more: Any) -> Iterator[pa.RecordBatch]:
        for batch in entries(*args, **more):
            held.append(pa.total_allocated_bytes() - begun)
            yield batch

    monkeypatch.setattr(lines, "entries", watched)
    source = LogSource(name="app", file="app.log", utc_offset="+00:00")
    assert read_logs(source, base=tmp_path, to=tmp_path / "entries.parquet").kept == 160_000
    assert len(held) > 100 and max(held) < ahead + 8 * block
