"""Patterns counted straight from a file: each quick way counts what the slow one does."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest

from proofbook.collect.logs import layout, layout_sql, sql, tidy, zones
from proofbook.collect.logs.counts import literals, per_minute
from proofbook.collect.logs.entries import connect
from proofbook.collect.logs.formats import CONTINUES
from proofbook.collect.logs.opening import Opened
from proofbook.config.duckdb_text import quoted
from proofbook.config.sources import LogSource

PATTERNS = ["RecursionError", "Invalid user id"]
ENTRIES: list[dict[str, Any]] = [
    {"timestamp": f"2026-03-01T10:{n // 60:02d}:{n % 60:02d}.5Z", "insertId": f"a{n}", **said}
    for n, said in enumerate(
        [
            {"textPayload": "RecursionError: too deep"},
            {"jsonPayload": {"message": "Invalid user id x"}},
            {"labels": {"why": "RecursionError is only in a label"}},
            {"protoPayload": {"message": "Invalid user id y"}},
        ]
        * 40
    )
]


def _counted(folder: Path, entries: list[dict[str, Any]]) -> dict[str, dict[str, int]]:
    (folder / "log").write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    found = per_minute(LogSource(name="log", file="log"), PATTERNS, base=folder)
    return {
        f"{row['minute']:%H:%M}": {name: int(row[name]) for name in PATTERNS} for _, row in found.iterrows()
    }


def _ways(folder: Path) -> list[str]:
    """Queries for the lines that hold a pattern, as they are tried one after the other."""
    with connect() as engine:
        opened = Opened(
            folder / "log", "log", source=LogSource(name="log", file="log"), engine=engine, work=folder / "work", now=dt.datetime.now(dt.UTC)
        )  # fmt: skip
        return list(opened.attempts(holding=literals(PATTERNS)))


def test_objects_whose_times_end_in_z_are_first_counted_without_reading_other_times(tmp_path: Path) -> None:
    counted = _counted(tmp_path, ENTRIES)
    assert sum(row["RecursionError"] for row in counted.values()) == 40
    assert sum(row["Invalid user id"] for row in counted.values()) == 80
    assert counted["10:00"] == {"RecursionError": 15, "Invalid user id": 30}
    first, second, *_ = _ways(tmp_path)
    assert "error(" in first and "error(" not in second and len(first) < len(second) / 2


@pytest.mark.parametrize(
    "changed",
    [
        {"timestamp": "2026-03-01T11:00:30.5+01:00"},
        {"timestamp": "2026-03-01 10:00:30.5"},
        {"timestamp": 1772359230},
        {"timestamp": "2026-03-01T10:00:30.5z"},
    ],
)
def test_one_time_that_does_not_end_in_z_is_counted_all_the_same(
    tmp_path: Path, changed: dict[str, Any]
) -> None:
    late = {"textPayload": "RecursionError: late", "insertId": "late", **changed}
    counted = _counted(tmp_path, [*ENTRIES * 20, late])
    # No text is sure to stand in what these match, so every entry is read.
    whole = per_minute(LogSource(name="log", file="log"), [f"(?:{text})" for text in PATTERNS], base=tmp_path)
    assert literals(list(whole.columns[1:])) is None
    assert [list(row.values()) for row in counted.values()] == whole.iloc[:, 1:].to_numpy().tolist()
    assert counted["10:00"]["RecursionError"] in (300, 301)


ACCESS = '192.0.2.7 - - [{}] "GET / HTTP/1.1" 200 1 "-" "curl/8"'


@pytest.mark.parametrize(
    "time",
    [
        "01/Mar/2026:10:00:00 +0000",
        "01/Mar/2026:10:00:00 +0530",
        "01/Mar/2026:10:00:00 -0800",
        "01/Mar/2026:10:00:00",
        "1/Mar/2026:10:00:00 +0000",
        "01/Mar/2026:10:00:00.123 +0000",
        "01/Mar/2026:10:00:00 +0000 UTC",
        "01/Mar/2026:10:00:00 +0000 7",
        "01/Mar/2026:10:00:00 +00000",
        "01/März/2026:10:00:00 +0000",
        "01/Mar/2026:10:00:00 CEST",
    ],
)
def test_the_time_in_brackets_of_an_access_line_is_the_one_that_its_pattern_finds(time: str) -> None:
    (form,) = layout.learn([ACCESS.format(f"01/Mar/2026:10:00:{n:02d} +0000") for n in range(20)])
    quick, zone = layout_sql.time_of(form), layout_sql.zone_of(form)
    with connect() as engine:
        header = engine.execute(f"SELECT regexp_extract($1, {quoted(form.header)})", [ACCESS.format(time)]).fetchall()[0][0]  # fmt: skip
        asked = f"SELECT {quick}, {zone}, regexp_extract(header, {quoted(form.time)}), regexp_extract(regexp_extract(header, {quoted(form.time)}), {quoted(zones.ZONE_AT_END)})"
        found = engine.execute(f"{asked} FROM (SELECT *, {quick} AS time_text FROM (SELECT $1 AS header))", [header]).fetchall()[0]  # fmt: skip
    assert found[:2] == found[2:]
    assert header == "" or found[0]


@pytest.mark.parametrize(
    ("header", "is_apart"),
    [(None, True), ("INFO app: ", True), ("INFO app:", True), ("[app]", True), ("app\t", True), ("tok", False), ("", False)],
)  # fmt: skip
def test_a_part_is_clean_by_itself_where_its_header_ends_between_words(
    header: str | None, is_apart: bool
) -> None:
    with connect() as engine:
        asked = f"SELECT {sql.IS_APART} FROM (SELECT $1::VARCHAR AS header, false AS is_json)"
        assert engine.execute(asked, [header]).fetchall()[0][0] is is_apart


@pytest.mark.parametrize(
    "body",
    [
        "  at frame",
        "Caused by:",
        "Caused by: x",
        "app.rb:3:in `run'",
        f"{'a' * 196}.rb:3:in `run'",
        f"{'a' * 150} {'b' * 60}.go:7",
        "goroutine 1 [running]:",
        "nothing of it",
        f"{'long ' * 100}",
    ],
)
def test_a_body_that_goes_on_is_found_within_its_first_characters(body: str) -> None:
    with connect() as engine:
        asked = f"SELECT {tidy.GOES_ON}, regexp_matches(left(body, 200), {quoted(CONTINUES)}) FROM (SELECT $1::VARCHAR AS body)"
        quick, slow = engine.execute(asked, [body]).fetchall()[0]
    assert quick == slow
