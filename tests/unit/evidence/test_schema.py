"""Tables of evidence are written as their schema says, and no other way."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import builders
import pandas as pd
import pytest
from conftest import ROOT

from proofbook.collect.websocket.journey import Journey, frame
from proofbook.errors import EvidenceError, SchemaError
from proofbook.evidence import log_tables, schema, store
from proofbook.evidence.table import Column, Merge, Table
from proofbook.judge.reasons import REASONS

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
LIGHTS = Table(
    "lights",
    row="one look at a light",
    columns=(Column("name", "str", "which"), Column("on", "bool", "whether it was on")),
)


@pytest.fixture(autouse=True)
def nothing_is_added_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "_added", {})


def write(folder: Path, **tables: pd.DataFrame | Path) -> store.Evidence:
    phase = store.Phase(started=NOW, ended=NOW)
    store.write_phase(folder, environment="e", phase="after", tables=tables, recorded=phase)
    return store.read(folder)


HEALTH = builders.health({})
WRONG = {
    "a column is missing": (
        {"health": HEALTH.drop(columns="status")},
        "table 'health', column 'status': the column is missing; whoever records the table must write it",
    ),
    "a column is unknown": (
        {"messages": pd.DataFrame({"endpoint": ["ws"], "body": ["{}"], "size": [2]})},
        "table 'messages', column 'size': the table has no such column; it has endpoint, body, connected",
    ),
    "a text where a number belongs": (
        {"health": HEALTH.assign(status="200")},
        "table 'health', column 'status': expected Int64, got string",
    ),
    "a number where a text belongs": (
        {"health": HEALTH.assign(revision=1.0)},
        "table 'health', column 'revision': expected str, got floating",
    ),
    "no value where there must be one": (
        {"health": HEALTH.assign(ok=pd.array([None], dtype="boolean"))},
        "table 'health', column 'ok': expected bool in every row, got none in 1 of 1",
    ),
    "a part of a whole number": (
        {"websocket": builders.connections(schema.WEBSOCKET, {}).assign(sent=1.5)},
        "table 'websocket', column 'sent': expected int64, got numbers that are not whole",
    ),
    "a table of nobody": (
        {"lights": pd.DataFrame({"on": [True]})},
        "table 'lights': nobody registered it; a collector names its tables where it is registered",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_a_table_that_is_not_what_its_schema_says_is_refused_in_one_sentence(
    case: str, tmp_path: Path
) -> None:
    tables, sentence = WRONG[case]
    with pytest.raises(EvidenceError) as raised:
        write(tmp_path / "evidence", **tables)
    assert str(raised.value) == sentence
    assert raised.value.reason in REASONS
    # Not even those that were right.
    assert not (tmp_path / "evidence").exists()


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(
        SchemaError, match=r"^table 'health', column 'timestamp': expected datetime64\[us, UTC\]"
    ):
        schema.HEALTH.typed(HEALTH.assign(timestamp=pd.Timestamp("2026-01-01")))


def test_a_file_is_checked_by_the_types_in_it(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.parquet", tmp_path / "bad.parquet"
    row = {column.name: [None] for column in log_tables.LOGS.columns}
    table = log_tables.LOGS.typed(pd.DataFrame(row))
    table.to_parquet(good, index=False)
    table.assign(line=["one"]).to_parquet(bad, index=False)
    with pytest.raises(SchemaError, match=r"^table 'logs', column 'line': expected Int64, got"):
        write(tmp_path / "evidence", logs=bad)
    assert bad.exists()
    assert write(tmp_path / "evidence", logs=good).manifest.phases["after"].tables["logs"].rows == 1


def test_a_table_is_written_in_the_order_and_with_the_types_of_its_schema(tmp_path: Path) -> None:
    given = HEALTH[list(HEALTH.columns[::-1])].astype({"status": "float64", "tls_s": "object"})
    columns = write(tmp_path, health=given).manifest.phases["after"].tables["health"].columns
    assert list(columns.items()) == [(column.name, column.dtype) for column in schema.HEALTH.columns]


@pytest.mark.parametrize("name", schema.TABLES)
def test_a_table_without_rows_has_its_columns_and_types(name: str) -> None:
    table = schema.TABLES[name]
    # pandas has no type for maps.
    types = {column.name: column.dtype.replace("map", "object") for column in table.columns}
    assert {key: str(kind) for key, kind in table.frame([]).dtypes.items()} == types


def test_a_connection_is_the_row_that_the_schema_describes() -> None:
    assert tuple(Journey.__dataclass_fields__) == tuple(column.name for column in schema.CONNECTION)
    rows = frame([Journey(endpoint="ws", user="u"), Journey(endpoint="ws", user="v", http_status=401)])
    assert rows["http_status"].tolist() == [pd.NA, 401]
    assert all(
        schema.checked(name, rows) is not None
        for name in ("websocket", "shadow", "refusals", "identities", "held")
    )


def test_a_table_of_another_package_is_known_once_it_is_added(tmp_path: Path) -> None:
    schema.add([LIGHTS])
    schema.add([LIGHTS])
    found = write(tmp_path, lights=LIGHTS.frame([("hall", True)])).table("lights")
    assert found is not None and found.to_dict("records") == [{"name": "hall", "on": True}]


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"name": "health"}, "table 'health': the name is taken by another table; give it another"),
        ({"merge": Merge.LOG_BUCKETS}, "table 'lights': expected merge to be one of APPEND, DISTINCT, LATEST, got LOG_BUCKETS"),
        ({"columns": LIGHTS.columns[:1] * 2}, "table 'lights', column 'name': it is named twice; give each column a name of its own"),
        ({"columns": (Column("look", "int64", "how often"),)}, "table 'lights', column 'look': it is named twice; give each column a name of its own"),
        ({"columns": (Column("on", "complex", "whether"),)}, "table 'lights', column 'on': expected one of the types str, bool, boolean, int64, Int64, Int32, UInt64, float64, datetime64[us, UTC], map, got 'complex'"),
    ],
)  # fmt: skip
def test_a_table_that_cannot_be_added_is_refused_in_one_sentence(more: dict[str, Any], sentence: str) -> None:
    with pytest.raises(SchemaError) as raised:
        schema.add([Table(**{"name": "lights", "row": LIGHTS.row, "columns": LIGHTS.columns, **more})])
    assert str(raised.value) == sentence


def test_the_page_of_tables_names_each_with_its_columns() -> None:
    page = schema.as_markdown()
    kept = ROOT / "docs" / "reference" / "tables.md"
    assert kept.read_text(encoding="utf-8") == page, (
        "write it again: python -m proofbook.evidence.schema > docs/reference/tables.md"
    )
    assert [line[4:-1] for line in page.splitlines() if line.startswith("## ")] == list(schema.TABLES)
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    assert len(rows) == sum(len(table.every_column) for table in schema.TABLES.values())
    assert "| `status` | Int64 |  | HTTP status; missing: no answer |" in rows
    assert "| `look` | int64 |  | number of the round (absent outside a watch) |" in rows


def test_every_way_to_merge_has_words() -> None:
    assert len({merge.in_words for merge in Merge}) == len(Merge)
