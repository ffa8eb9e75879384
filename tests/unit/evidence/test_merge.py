"""Rounds of a watch become one table of each name, in the way that its schema says."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import builders
import pandas as pd
import pytest

from proofbook.evidence import log_tables, schema, store
from proofbook.evidence.merge import OF_LOGS, tables_of
from proofbook.evidence.table import Column, Merge, Table

FIRST = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def merged(folder: Path, *rounds: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """What so many rounds become, each begun five minutes after the one before."""
    looks = []
    for number, tables in enumerate(rounds):
        at = FIRST + dt.timedelta(minutes=5 * number)
        builders.write(folder / str(number), tables, at=at)
        looks.append((number, store.read(folder / str(number))))
    return tables_of(looks, planned=10, every_s=300.0)


@pytest.mark.parametrize("name", [name for name, table in schema.TABLES.items() if table.merge.is_alone])
def test_a_table_of_rounds_is_one_that_may_be_written(name: str, tmp_path: Path) -> None:
    table = schema.TABLES[name]
    row = builders.table_of(table, {})
    found = merged(tmp_path, {name: row}, {}, {name: row})[name]
    assert schema.checked(name, found) is not None
    assert len(found) == (2 if table.merge is Merge.APPEND else 1)
    if table.merge is Merge.APPEND:
        assert found["look"].tolist() == [0, 2]


def test_readings_of_a_clock_of_one_round_are_not_put_beside_those_of_another(tmp_path: Path) -> None:
    one, other = (builders.table_of(schema.METRICS, {"at_s": at_s}) for at_s in (5000.0, 3.0))
    found = merged(tmp_path, {"metrics": one}, {"metrics": other})["metrics"]
    assert "at_s" not in found and "value" in found


def test_what_describes_the_system_is_that_of_the_last_round(tmp_path: Path) -> None:
    one, other = (builders.table_of(schema.REVISIONS, {"revision": name}) for name in ("r-1", "r-2"))
    found = merged(tmp_path, {"revisions": one}, {"revisions": other}, {})
    assert found["revisions"]["revision"].tolist() == ["r-2"]


def test_a_message_that_came_in_two_rounds_is_there_once(tmp_path: Path) -> None:
    one = builders.table_of(schema.MESSAGES, {"body": "a"}, {"body": "b"})
    other = builders.table_of(schema.MESSAGES, {"body": "b"}, {"body": "c"})
    assert merged(tmp_path, {"messages": one}, {"messages": other})["messages"]["body"].tolist() == [
        "a",
        "b",
        "c",
    ]


def test_the_rounds_themselves_are_a_table(tmp_path: Path) -> None:
    found = merged(tmp_path, {}, {})["looks"]
    assert {name: str(kind) for name, kind in found.dtypes.items()} == {column.name: column.dtype for column in schema.LOOKS.columns}  # fmt: skip
    assert found["started"].tolist() == [pd.Timestamp(FIRST), pd.Timestamp(FIRST) + pd.Timedelta(minutes=5)]
    assert set(found["planned"]) == {10} and set(found["every_s"]) == {300.0}


def test_a_second_that_two_exports_hold_counts_once_and_as_in_the_later_one(tmp_path: Path) -> None:
    def log(*counts: tuple[int, int]) -> dict[str, pd.DataFrame]:
        """The small tables of an export with so many entries in each of these seconds."""
        rows = [{"bucket": second, "entries": count} for second, count in counts]
        tables = {name: builders.table_of(schema.TABLES[name]) for name in OF_LOGS}
        tables["log_rhythm"] = builders.table_of(log_tables.LOG_RHYTHM, *rows)
        tables["log_sources"] = builders.table_of(
            log_tables.LOG_SOURCES, {"read": sum(count for _, count in counts)}
        )
        return tables

    found = merged(tmp_path, log((10, 1), (11, 1), (12, 1)), log((11, 1), (12, 2), (13, 1)))
    counted = dict(zip(found["log_rhythm"]["bucket"], found["log_rhythm"]["entries"], strict=True))
    # The second in which the later export begins may be cut.
    assert counted == {10: 1, 11: 1, 12: 2, 13: 1}
    assert found["log_sources"]["read"].tolist() == [4]
    assert all(schema.checked(name, found[name]) is not None for name in OF_LOGS)


def test_lines_that_two_readings_could_not_read_count_once(tmp_path: Path) -> None:
    def unread(*counts: tuple[float | None, int]) -> dict[str, pd.DataFrame]:
        rows = [{"source": "log", "bucket": bucket, "lines": lines} for bucket, lines in counts]
        return {"log_unread": builders.table_of(log_tables.LOG_UNREAD, *rows)}

    found = merged(tmp_path, unread((None, 1), (10.0, 2)), unread((10.0, 3), (11.0, 1)), unread())[
        "log_unread"
    ]
    assert found["lines"].tolist() == [3, 1, 1]
    assert schema.checked("log_unread", found) is not None


def test_a_table_of_another_package_is_merged_as_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "_added", {})
    lights = Table("lights", row="one light", merge=Merge.LATEST, columns=(Column("on", "bool", "whether"),))
    schema.add([lights])
    one, other = lights.frame([(True,)]), lights.frame([(False,)])
    assert merged(tmp_path, {"lights": one}, {"lights": other})["lights"]["on"].tolist() == [False]
