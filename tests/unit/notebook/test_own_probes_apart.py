"""Charts keep what our own probes cause apart, and what is typed wrong is no empty table."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import proofbook as pb
from proofbook.errors import UnknownName, UsageError
from proofbook.evidence import schema
from proofbook.evidence.store import Evidence, Manifest, Phase
from proofbook.evidence.store import Table as Recorded
from proofbook.notebook import figures, tables
from proofbook.notebook.book import Book
from proofbook.validation import Validation

AT = pd.Timestamp("2026-01-05T09:00Z")


def rhythm(severity: str, *, own: bool, entries: int) -> dict[str, object]:
    return {"source": "log", "bucket": 0, "service_name": "api", "service_version": None, "own": own, "severity_text": severity, "entries": entries, "first": AT, "last": AT}  # fmt: skip


def test_errors_that_our_own_probes_cause_are_apart_in_the_timeline() -> None:
    rows = pd.DataFrame([rhythm("ERROR", own=True, entries=70), rhythm("ERROR", own=False, entries=1), rhythm("INFO", own=False, entries=9)])  # fmt: skip
    drawn = {trace.name: sum(trace.y) for trace in figures.log_timeline(rows).data}
    assert drawn == {"ERROR": 1, "INFO": 9, "own probes": 70}


def test_an_answer_that_names_no_revision_is_an_answer() -> None:
    rows = schema.ROLLOUT.frame([
        (AT, 0.0, 200, True, "", None, 0.01, "auth", None),
        (AT, 1.0, None, False, "refused", None, 0.01, "auth", None),
        (AT, 2.0, 200, True, "", "api-2", 0.01, "api", None),
    ])  # fmt: skip
    drawn = {trace.name: len(trace.x) for trace in figures.rollout(rows).data}
    assert drawn == {"answered, names no revision": 1, "no answer": 1, "api-2": 1}


@pytest.fixture
def book(tmp_path: Path) -> Book:
    (tmp_path / "e.toml").write_text('[[service]]\nname = "a"\nurl = "http://127.0.0.1:1"\n')
    asked = Validation.load(str(tmp_path / "e.toml"), base=tmp_path)
    phase = Phase(started=AT, ended=AT, tables={"grpc_health": Recorded(columns={}, rows=3, sha256="0")})
    return Book(asked.over(Evidence(tmp_path, Manifest(environment="e", phases={"after": phase}))))


@pytest.mark.parametrize(
    ("name", "phase", "says"),
    [
        ("websokcet", "after", "there is no table 'websokcet'; did you mean 'websocket'?"),
        ("logs", "befor", "there is no phase 'befor'; did you mean 'before'?"),
    ],
)
def test_a_table_or_phase_that_is_typed_wrong_is_no_empty_one(
    book: Book, name: str, phase: str, says: str
) -> None:
    with pytest.raises(UnknownName) as raised:
        book.table(name, phase)
    assert str(raised.value) == says


def test_a_known_table_that_was_not_recorded_is_empty(book: Book) -> None:
    assert book.table("websocket").empty


def test_a_book_lists_its_tables_and_says_what_it_is(book: Book) -> None:
    listed = book.tables()
    assert listed[["phase", "table", "rows"]].to_numpy().tolist() == [["after", "grpc_health", 3]]
    assert "after (1 tables)" in repr(book)


def test_one_text_is_no_list_of_patterns() -> None:
    with pytest.raises(UsageError, match=r"expected a list of patterns, got the text 'JWT'"):
        pb.counts("log.txt", "JWT")


@pytest.mark.parametrize("module", [figures, tables])
def test_completion_offers_what_is_meant_to_be_used(module: object) -> None:
    names = dir(module)
    assert names == sorted(names) and not {"Any", "pd", "annotations", "go"} & set(names)
    assert all(callable(getattr(module, name)) for name in names)
