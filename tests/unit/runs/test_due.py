"""Which environments have had no finished run in time."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import asking
import pytest
import told
from conftest import with_notebooks

from proofbook.report import index
from proofbook.runs import due

NOW = told.START + dt.timedelta(hours=10)


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace with the environments staging, which is expected each hour, and production, of which nothing is stated."""
    place = with_notebooks(tmp_path)
    monkeypatch.chdir(place)
    monkeypatch.setenv("PROOFBOOK_WORKSPACE", str(place))
    for path in (place / "notebooks" / "environments").glob("*.toml"):
        path.unlink()
    told.state_environment(place, "staging", 'every = "1h"\n')
    told.state_environment(place, "production")
    return place


def of_staging(base: Path, *, grace_s: float | None = None) -> due.Due:
    return due.of("staging", every_s=3600, grace_s=grace_s, now=NOW, base=base)


def ago(**length: float) -> dt.datetime:
    return NOW - dt.timedelta(**length)


@pytest.mark.parametrize(
    ("minutes", "grace_s", "overdue"),
    [(89, None, False), (91, None, True), (61, 1.0, True), (60, 1.0, False), (119, 3600.0, False)],
)
def test_a_run_is_overdue_after_its_time_and_the_grace(
    base: Path, minutes: int, grace_s: float | None, overdue: bool
) -> None:
    told.add_run(base, "staging", ago(minutes=minutes))
    assert of_staging(base, grace_s=grace_s).is_overdue is overdue


def test_the_sentence_says_when_the_last_finished_run_was_and_its_verdict(base: Path) -> None:
    assert (
        of_staging(base).in_words() == "staging: overdue: no run has ever finished; one every 1 h is expected"
    )
    told.add_run(base, "staging", ago(hours=3, minutes=12), "fail")
    assert of_staging(base).in_words() == (
        "staging: overdue: the last finished run ended 5 Jan 2026 16:48 UTC, 3 h 12 min ago (fail); one every 1 h is expected"
    )
    told.add_run(base, "staging", ago(minutes=10), "inconclusive")
    assert of_staging(base).in_words() == (
        "staging: in time: the last run ended 5 Jan 2026 19:50 UTC, 10 min ago (inconclusive); the next is due by 5 Jan 2026 21:20 UTC"
    )


def test_what_did_not_finish_is_no_run_that_came(base: Path) -> None:
    told.add_run(base, "staging", ago(hours=3))
    told.add_run(base, "staging", ago(minutes=2), "error", ended=None, reason="could-not-look")
    (told.add_run(base, "staging", ago(minutes=1)) / "run.json").write_text("{")
    found = of_staging(base)
    assert found.is_overdue
    assert found.last is not None and found.last.ended == ago(hours=3)


def test_a_run_from_a_future_that_a_wrong_clock_made_says_nothing_of_today(base: Path) -> None:
    told.add_run(base, "staging", NOW + dt.timedelta(days=300))
    assert of_staging(base).is_overdue
    told.add_run(base, "staging", ago(minutes=5))
    assert not of_staging(base).is_overdue


def test_the_command_says_it_by_its_exit_code_too(base: Path) -> None:
    now = dt.datetime.now(dt.UTC)
    told.add_run(base, "staging", now - dt.timedelta(minutes=5))
    assert asking.ask("due").code == 0
    assert asking.ask("due", "staging", "--every", "1m").code == 5
    answer = asking.ask("due", "staging", "production", "--every", "1h")
    assert answer.code == 5
    assert (
        answer.out.splitlines()[1]
        == "production: overdue: no run has ever finished; one every 1 h is expected"
    )
    answer = asking.ask("due", "--every", "2m", "--grace", "10m", "--json")
    assert (answer.code, [item["overdue"] for item in json.loads(answer.out)]) == (0, [False])


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("stagin",), "there is no environment 'stagin' in notebooks/environments; did you mean 'staging'?"),
        (("production",), 'expected to know how often production runs; say it: --every 1h, or every = "1h" in its file'),
        (("staging", "--every", "hourly"), "--every: expected a duration, a number and a unit such as 90s, 5m, 24h or 7d, got 'hourly'"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_is_said_in_a_sentence(
    base: Path, words: tuple[str, ...], sentence: str
) -> None:
    answer = asking.ask("due", *words)
    assert (answer.code, answer.last) == (2, sentence)


def test_a_mistake_in_one_file_hides_no_other_environment(base: Path) -> None:
    (base / "notebooks" / "environments" / "broken.toml").write_text("titel = 1\n")
    answer = asking.ask("due")
    assert (answer.code, answer.out) == (
        5,
        "staging: overdue: no run has ever finished; one every 1 h is expected\n",
    )
    assert "broken.toml: titel: unknown key; did you mean 'title'?" in answer.err
    assert asking.ask("due", "broken").code == 2


def test_nothing_to_ask_about_is_said_in_a_sentence(base: Path) -> None:
    told.state_environment(base, "staging")
    answer = asking.ask("due")
    assert answer.code == 2
    assert answer.last.startswith("expected environments, got none and none states how often it runs")


def test_the_page_knows_of_every_environment_when_its_next_run_is_due(base: Path) -> None:
    told.add_run(base, "staging", ago(minutes=5))
    (base / "outputs" / due.FILE).write_text(
        'due({"environment":"old","by":"2026-01-01T00:00:00.000Z"});\ndue({cut\n'
    )
    due.note([of_staging(base), due.of("new", every_s=60, grace_s=None, now=NOW, base=base)], base=base)
    assert (base / "outputs" / due.FILE).read_text().splitlines() == [
        'due({"environment":"new","by":""});',
        'due({"environment":"old","by":"2026-01-01T00:00:00.000Z"});',
        'due({"environment":"staging","by":"2026-01-05T21:25:00.000Z"});',
    ]


@pytest.mark.extended
@pytest.mark.browser
def test_whoever_opens_the_page_sees_what_is_overdue(base: Path, open_page: Any) -> None:
    def shown() -> tuple[list[str], list[str]]:
        page, wrong = open_page(base / "outputs" / "index.html")
        page.wait_for_selector("h2")
        assert wrong == []
        return page.locator("#pb-overdue li").all_inner_texts(), page.locator("h2").all_inner_texts()

    told.add_run(base, "staging", ago(minutes=5))
    index.refresh(base=base)
    assert shown() == ([], ["staging · c"])
    due.note([of_staging(base)], base=base)
    # That was due in January 2026, and the page is opened later.
    assert shown() == (
        ["staging: overdue: a finished run was due by 2026-01-05 21:25 UTC"],
        ["staging · c overdue"],
    )
    told.add_run(base, "staging", dt.datetime.now(dt.UTC))
    due.note(
        [due.of("staging", every_s=3600, grace_s=None, now=dt.datetime.now(dt.UTC), base=base)], base=base
    )
    index.refresh(base=base)
    assert shown() == ([], ["staging · c"])
