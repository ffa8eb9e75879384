"""What a book of checks does beside judging: it can fail a task, and says which files it is about."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from made import finding

from proofbook.errors import JUDGED_BY_RUN, CheckFailed
from proofbook.evidence.store import Evidence, Manifest
from proofbook.judge.findings import Finding, Verdict
from proofbook.notebook.book import Book
from proofbook.validation import Validation

ENVIRONMENT = '[[service]]\nname = "a"\nurl = "http://127.0.0.1:1"\n'


@pytest.fixture
def book(tmp_path: Path) -> Book:
    path = tmp_path / "e.toml"
    path.write_text(ENVIRONMENT)
    asked = Validation.load(str(path), base=tmp_path)
    return Book(asked.over(Evidence(tmp_path, Manifest(environment="e"))))


def judged(*verdicts: str, required: bool = True) -> dict[str, Finding]:
    items = [
        finding(f"{number}-{word}", word, Verdict(word), required=required)
        for number, word in enumerate(verdicts)
    ]
    return {item.id: item for item in items}


@pytest.mark.parametrize(
    ("verdicts", "said", "checks"),
    [
        (("pass", "fail"), "1-fail: fail: fail", ("1-fail",)),
        (("error",), "0-error: error: error", ("0-error",)),
        (("fail", "inconclusive", "fail"), "0-fail: fail: fail (and 1 more: 2-fail)", ("0-fail", "2-fail")),
    ],
)
def test_a_required_check_that_failed_raises_and_says_what_it_found(
    verdicts: tuple[str, ...], said: str, checks: tuple[str, ...], book: Book
) -> None:
    book.findings = judged(*verdicts)
    with pytest.raises(CheckFailed) as raised:
        book.require()
    assert str(raised.value) == said and raised.value.checks == checks


def test_what_is_open_raises_only_where_an_answer_is_required(book: Book) -> None:
    book.findings = judged("pass", "inconclusive")
    book.require()
    with pytest.raises(CheckFailed, match="1-inconclusive: inconclusive"):
        book.require(conclusive=True)
    # What failed comes first.
    book.findings = judged("inconclusive", "fail")
    with pytest.raises(CheckFailed, match=r"1-fail: fail: fail \(and 1 more: 0-inconclusive\)"):
        book.require(conclusive=True)


@pytest.mark.parametrize("findings", [lambda: judged("fail", required=False), lambda: judged("pass"), dict])
def test_what_is_optional_or_passed_raises_nothing(
    findings: Callable[[], dict[str, Finding]], book: Book
) -> None:
    book.findings = findings()
    book.require()


def test_in_a_run_a_failed_check_does_not_look_like_a_broken_notebook(
    book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    book.findings = judged("fail")
    monkeypatch.setenv(JUDGED_BY_RUN, "1")
    book.require()


def test_a_book_says_from_which_file_its_environment_comes(
    book: Book, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert str(tmp_path / "e.toml") in book._repr_html_()
    monkeypatch.setenv(JUDGED_BY_RUN, "1")
    assert str(tmp_path) not in book._repr_html_()
