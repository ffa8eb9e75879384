"""A log in a form that nobody knows is read once its form is stated, and a refusal says what to state."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from builders import entries_of, read_log
from conftest import proofbook
from pydantic import ValidationError

from proofbook.config.sources import LogSource

NOW = dt.datetime(2026, 3, 20, tzinfo=dt.UTC)
ODD = "01~03~2026 10h00:00 ALARM [w1] broken\n  detail\n01~03~2026 10h00:01 OK [w1] fine\n"
FORM = "%d~%m~%Y %Hh%M:%S"


def read(folder: Path, text: str, **stated: Any) -> Any:
    return read_log(folder, text, now=NOW, **stated)


def test_a_form_of_time_and_words_for_levels_can_be_stated(tmp_path: Path) -> None:
    reading = read(
        tmp_path, ODD, time_form=FORM, utc_offset="+01:00", levels={"alarm": "CRITICAL", "OK": "INFO"}
    )
    assert entries_of(reading) == [
        ("01 09:00:00", "CRITICAL", "ALARM [w1] broken\n  detail"),
        ("01 09:00:01", "INFO", "OK [w1] fine"),
    ]


@pytest.mark.parametrize(
    ("written", "form", "time"),
    [
        ("060/2026 10.00", "%j/%Y %H.%M", "01 10:00:00"),
        ("26-03-01T10:00:00,5", "%y-%m-%dT%H:%M:%S,%f", "01 10:00:00.5"),
        ("1 March 2026 at 1:00 PM", "%d %B %Y at %I:%M %p", "01 13:00:00"),
        ("2026|03|01|10|00|00 +0200", "%Y|%m|%d|%H|%M|%S %z", "01 08:00:00"),
        ("t=1772359200500", "t=%s", "01 10:00:00.5"),
    ],
)
def test_forms_of_time_are_stated_as_strptime_has_them(
    written: str, form: str, time: str, tmp_path: Path
) -> None:
    reading = read(tmp_path, f"{written} ERROR broken\n" * 2, time_form=form, utc_offset="+00:00")
    assert [at for at, severity, _ in entries_of(reading) if severity == "ERROR"] == [time] * 2


@pytest.mark.parametrize("form", ["%Q", "%d.%m", "%H:%M:%S", "%Y %Y-%m-%d %H", "100%"])
def test_a_form_of_time_that_says_no_day_or_cannot_be_read_is_refused(form: str) -> None:
    with pytest.raises(ValidationError, match="expected a form of time"):
        LogSource(name="log", file="log", time_form=form)


def test_what_begins_an_entry_can_be_stated(tmp_path: Path) -> None:
    text = "#1 2026-03-01T10:00:00Z ERROR a\n2026-03-01T09:00:00Z is not when it was\n#2 2026-03-01T10:00:01Z INFO b\n"
    assert len(entries_of(read(tmp_path, text, begins=r"^#\d+ "))) == 2


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ('{"wann":"2026-03-01T10:00:00Z","was":"broken","wie":"ERROR"}\n', {"timestamp": "wann", "body": "was", "severity_text": "wie"}),
        ("wann,wie,was,wer\n2026-03-01T10:00:00Z,ERROR,broken,ann\n", {"timestamp": "wann", "body": "was", "severity_text": "wie"}),
        ('{"e":{"at":"2026-03-01T10:00:00Z","was":"broken"},"wie":"ERROR"}\n', {"timestamp": "e.at", "body": "e.was", "severity_text": "wie"}),
    ],
)  # fmt: skip
def test_keys_and_columns_can_be_stated(text: str, columns: dict[str, str], tmp_path: Path) -> None:
    assert entries_of(read(tmp_path, text, columns=columns)) == [("01 10:00:00", "ERROR", "broken")]


def test_a_stated_key_counts_more_than_a_known_one(tmp_path: Path) -> None:
    text = '{"timestamp":"2026-03-01T10:00:00Z","message":"a","created":"2026-03-01T11:00:00Z"}\n'
    assert entries_of(read(tmp_path, text, columns={"timestamp": "created"})) == [("01 11:00:00", None, "a")]


def test_a_stated_key_that_is_not_there_is_refused_with_those_that_are(tmp_path: Path) -> None:
    reading = read(
        tmp_path, '{"wann":"2026-03-01T10:00:00Z","was":"broken"}\n', columns={"timestamp": "when"}
    )
    assert reading.problem == "expected when among the keys of log, found wann, was"
    reading = read(tmp_path, "time,a\n2026-03-01T10:00:00Z,b\n", columns={"body": "text"})
    assert reading.problem == "expected text among the columns of log, found time, a"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            '{"when_it_was":"2026-060","x":1}\n',
            ["keys", "when_it_was, x", 'columns = { timestamp = "when_it_was" }', "time_form"],
        ),
        (ODD, ["'01~03~2026 10h00:00 ALARM [w1] broken'", "time_form", "pattern"]),
        ("10:00:00 a\n10:00:01 b\n", ["times of day, but no date", "'10:00:00 a'"]),
    ],
)
def test_a_refusal_says_what_was_there_and_what_to_state(text: str, told: list[str], tmp_path: Path) -> None:
    problem = read(tmp_path, text, utc_offset="+00:00").problem
    assert all(word in problem for word in told), problem


@pytest.mark.slow
def test_the_command_line_takes_the_same_and_shows_what_it_understood(
    tmp_path: Path, workspace: Path
) -> None:
    (tmp_path / "odd.log").write_text(ODD + "99~99~2026 10h00:02 ALARM [w1] lost\n")
    done = proofbook(
        "logs",
        "odd.log",
        "--time-form",
        FORM,
        "--utc-offset",
        "+01:00",
        "--level",
        "ALARM=CRITICAL",
        cwd=tmp_path,
        workspace=workspace,
    )
    assert done.returncode == 0, done.stderr
    assert (
        "First entries" in done.stdout and "2026-03-01 09:00:00" in done.stdout and "CRITICAL" in done.stdout
    )
    assert "99~99~2026" in done.stdout.split("Not understood")[1]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--column", "x"], "--column: expected NAME=VALUE, got 'x'"),
        (["--column", "when=x"], "expected columns by the names of timestamp, "),
        (["--level", "7=LOUD"], "--level: expected 'TRACE', 'DEBUG'"),
        (["--time-form", "%Q"], "--time-form: expected a form of time of %Y, "),
        (["--begins", "(?!x)"], "--begins: expected a regular expression"),
        (["--format", "csv"], "expected columns in odd.log, as format csv has them"),
    ],
)
def test_a_statement_that_cannot_be_is_one_sentence(
    options: list[str], told: str, tmp_path: Path, workspace: Path
) -> None:
    (tmp_path / "odd.log").write_text(ODD)
    done = proofbook("logs", "odd.log", *options, cwd=tmp_path, workspace=workspace)
    assert done.returncode == 2 and told in done.stderr and "Traceback" not in done.stderr
