"""What is news after a row of runs: changes that last, recoveries, reminders; not known issues, not maintenance."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path
from typing import Any

import made
import pytest
import told

from proofbook.config.unattended import Maintenance, Notify
from proofbook.judge import verdict as verdicts
from proofbook.judge.findings import Finding, Verdict
from proofbook.notify import ended, news, notice
from proofbook.notify.news import Ended, Silence, Told, reminded
from proofbook.runs import known_issues, newest, record
from proofbook.runs.due import Due, Finished
from proofbook.runs.provenance import rfc3339

HOUR = dt.timedelta(hours=1)
WORDS = {"p": "pass", "f": "fail", "i": "inconclusive", "e": "error", "k": "known"}


def run(number: int, verdict: str) -> Ended:
    at = told.START + dt.timedelta(hours=number)
    return Ended(environment="eu", case="c", run_id=f"{number:04}", verdict=verdict, began=at, at=at, sentence="so it is", others=0, report="")  # fmt: skip


def heard(verdicts_of_runs: str, **policy: Any) -> list[str]:
    """What is told after which of the hourly runs: `3 changed pass → fail since 2`."""
    state, found = Told(), []
    for number, letter in enumerate(verdicts_of_runs):
        state, item = news.of_run(state, run(number, WORDS[letter]), Notify.model_validate(policy))
        if item is not None:
            since = (dt.datetime.fromisoformat(item.since) - told.START) // dt.timedelta(hours=1)
            found.append(f"{number} {item.kind} {item.was or '–'} → {item.now} since {since}")
    return found


@pytest.mark.parametrize(
    ("runs", "policy", "expected"),
    [
        ("pppp", {}, []),
        ("pffff", {}, ["1 changed pass → fail since 1"]),
        ("f", {}, ["0 changed – → fail since 0"]),
        ("pffp", {}, ["1 changed pass → fail since 1", "3 recovered fail → pass since 3"]),
        ("pfep", {}, ["1 changed pass → fail since 1", "2 changed fail → error since 2", "3 recovered error → pass since 3"]),
        # One failure is nothing where two are asked for; failing and not being able to look are both no pass.
        ("pfpffp", {"after": 2}, ["4 changed pass → fail since 3", "5 recovered fail → pass since 5"]),
        ("pfefe", {"after": 2}, ["2 changed pass → error since 2"]),
        ("pfifi", {"after": 2}, ["3 changed pass → fail since 3"]),
        # Inconclusive is a state of its own: neither a failure nor a recovery, and news only where it lasts.
        ("piip", {}, []),
        ("piiii", {}, ["3 changed pass → inconclusive since 1"]),
        ("pfif", {}, ["1 changed pass → fail since 1"]),
        ("pfip", {}, ["1 changed pass → fail since 1", "3 recovered fail → pass since 3"]),
        ("pfiiif", {}, ["1 changed pass → fail since 1", "4 changed fail → inconclusive since 2", "5 changed inconclusive → fail since 5"]),
        ("pi", {"inconclusive_after": 1}, ["1 changed pass → inconclusive since 1"]),
        # What was accepted is no news, and neither is that it is gone; what comes on top of it is.
        ("pkkp", {}, []),
        ("pkf", {}, ["2 changed known → fail since 2"]),
        ("pfkkf", {}, ["1 changed pass → fail since 1", "2 accepted fail → known since 2", "4 changed known → fail since 4"]),
        ("pffff", {"remind_every": "2h"}, ["1 changed pass → fail since 1", "3 reminder fail → fail since 1"]),
        ("pfkkkk", {"remind_every": "1h"}, ["1 changed pass → fail since 1", "2 accepted fail → known since 2"]),
    ],
)  # fmt: skip
def test_a_change_is_told_once_and_only_where_it_lasts(
    runs: str, policy: dict[str, Any], expected: list[str]
) -> None:
    assert heard(runs, **policy) == expected


def heard_of(findings_of_runs: str, **policy: Any) -> list[str]:
    """What is told after which of the hourly runs, each of them named by the findings that failed in it; `-` passes."""
    state, found = Told(), []
    for number, letters in enumerate(findings_of_runs.split()):
        failed = tuple((letter, f"{letter} is down") for letter in letters if letter != "-")
        made = replace(run(number, "fail" if failed else "pass"), findings=failed)
        state, item = news.of_run(state, made, Notify.model_validate(policy))
        if item is not None:
            found.append(f"{number} {item.kind}: {item.sentence}, {item.others} more")
    return found


@pytest.mark.parametrize(
    ("runs", "policy", "expected"),
    [
        ("- a ab ab", {}, ["1 changed: so it is, 0 more", "2 more: b is down, 0 more"]),
        ("- a abc a abc", {}, ["1 changed: so it is, 0 more", "2 more: b is down, 1 more"]),
        # Another one is another failure, also where the first is mended by then.
        ("- a b b", {}, ["1 changed: so it is, 0 more", "2 more: b is down, 0 more"]),
        ("- ab a ab", {}, ["1 changed: so it is, 0 more"]),
        ("- a a ab a ab ab", {"after": 2}, ["2 changed: so it is, 0 more", "6 more: b is down, 0 more"]),
        ("- a ab - ab", {}, ["1 changed: so it is, 0 more", "2 more: b is down, 0 more", "3 recovered: so it is, 0 more", "4 changed: so it is, 0 more"]),
        # It counts as a reminder too.
        ("- a a ab ab ab", {"remind_every": "2h"}, ["1 changed: so it is, 0 more", "3 more: b is down, 0 more", "5 reminder: so it is, 0 more"]),
    ],
)  # fmt: skip
def test_a_further_failure_is_told_once_while_the_first_one_lasts(
    runs: str, policy: dict[str, Any], expected: list[str]
) -> None:
    assert heard_of(runs, **policy) == expected


@pytest.mark.parametrize("after", [1, 2, 3])
def test_whatever_the_row_of_runs_nothing_that_lasts_is_kept_quiet(after: int) -> None:
    for letters in ("f", "e", "fe", "fi", "fei"):
        assert heard("p" + letters * 12, after=after), letters


def test_runs_in_a_maintenance_window_are_no_news_and_the_first_after_it_is() -> None:
    window = {"start": "11:00", "for": "2h", "days": ["mon"]}  # the runs begin on Monday at 10:00
    assert heard("pffpp", maintenance=[window]) == []
    assert heard("pffff", maintenance=[window]) == ["3 changed pass → fail since 3"]
    assert heard("pf", maintenance=[{**window, "days": ["tue"]}]) == ["1 changed pass → fail since 1"]
    berlin = {"start": "12:00", "for": "1h", "time_zone": "Europe/Berlin"}
    assert heard("pfp", maintenance=[berlin]) == []
    over_midnight = {"start": "23:00", "for": "14h", "days": ["sun"]}
    assert heard("pfff", maintenance=[over_midnight])[0].startswith("3 changed")


@pytest.mark.parametrize(
    ("moment", "holds"),
    [
        # Clocks go from 02:00 to 03:00 on 29 March, and from 03:00 back to 02:00 on 25 October.
        ("2026-03-29T00:29:00+00:00", False), ("2026-03-29T00:30:00+00:00", True),
        ("2026-03-29T02:29:00+00:00", True), ("2026-03-29T02:30:00+00:00", False),
        ("2026-10-24T23:29:00+00:00", False), ("2026-10-24T23:30:00+00:00", True),
        ("2026-10-25T01:29:00+00:00", True), ("2026-10-25T01:30:00+00:00", False),
    ],
)  # fmt: skip
def test_a_window_lasts_as_long_as_it_says_in_the_nights_when_clocks_are_changed(
    moment: str, holds: bool
) -> None:
    window = Maintenance.model_validate({"start": "01:30", "for": "2h", "time_zone": "Europe/Berlin"})
    assert window.holds(dt.datetime.fromisoformat(moment)) is holds


def test_a_daily_reminder_comes_every_day_though_no_run_ends_to_the_second() -> None:
    policy, day = Notify.model_validate({"remind_every": "24h", "command": [{"run": ["x"]}]}), dt.timedelta(days=1)  # fmt: skip
    began = Told(verdict="fail", since=rfc3339(told.START), said_at=rfc3339(told.START))
    state, days = began, []
    for number in range(1, 8):
        now = told.START + number * day + dt.timedelta(seconds=-200 if number % 2 else 100)
        state, notice = reminded(state, "e", "c", policy, now=now)
        days += [number] if notice else []
    assert days == [1, 2, 3, 4, 5, 6, 7]
    hours = [number for number in range(1, 24) if reminded(began, "e", "c", policy, now=told.START + number * HOUR)[1]]  # fmt: skip
    assert hours == [], "an hourly run does not bring it sooner"


def test_silence_is_told_once_again_by_reminders_and_ended_by_a_run() -> None:
    last = Finished(run_id="1", ended=told.START, verdict=Verdict.PASS, sentence="so it is")

    def asked(silence: Silence, hours: float, **policy: Any) -> tuple[Silence, notice.Notice | None]:
        late = Due(
            environment="eu", last=last, every_s=3600, grace_s=1800, at=told.START + dt.timedelta(hours=hours)
        )
        return news.of_due(silence, late, Notify.model_validate(policy))

    assert asked(Silence(), 1.4) == (Silence(), None)
    silence, first = asked(Silence(), 1.6)
    assert first is not None and (first.kind, first.since) == ("overdue", "2026-01-05T11:30:00.000Z")
    assert asked(silence, 30) == (silence, None)
    later, again = asked(silence, 30, remind_every="24h")
    assert again is not None and (again.kind, again.since) == ("overdue", first.since)
    ended_silence, resumed = news.resumed(later, run(31, "fail"))
    assert resumed is not None and ended_silence == Silence()
    assert notice.lines(resumed)[:2] == [
        "✘ eu · c: runs again: fail",
        "Since 6 Jan 2026 17:00 UTC. It had been overdue since 5 Jan 2026 11:30 UTC.",
    ]
    assert news.resumed(ended_silence, run(32, "fail")) == (ended_silence, None)


def test_the_text_says_was_and_is_since_when_the_first_finding_and_the_report() -> None:
    found = notice.Notice(
        kind="changed", environment="eu", case="login", was="pass", now="fail", since="2026-01-05T10:00:00.000Z",
        at="2026-01-05T10:00:00.000Z", run_id="r", sentence="12 of 40 handshakes were refused.", others=2, report="https://reports.example/eu/r/report.html",
    )  # fmt: skip
    assert notice.lines(found) == [
        "✘ eu · login: pass → fail",
        "Since 5 Jan 2026 10:00 UTC.",
        "12 of 40 handshakes were refused. And 2 more.",
        "Report: https://reports.example/eu/r/report.html",
    ]


# From a run to what news sees of it --------------------------------------------------------------------------------


def written(base: Path, found: list[Finding], **more: Any) -> tuple[record.RunRecord, Path]:
    overall = verdicts.overall(found)
    given = {"found": found, "reason": overall.reason, "sentence": overall.sentence, **more}
    folder = told.add_run(base, "staging", told.START, overall.verdict.value, **given)
    return record.read(folder), folder


def accept(run: record.RunRecord, folder: Path, name: str, *, until: dt.date) -> None:
    known_issues.accept(
        run, name, environment=folder.parent, by="me", until=until, why="later", today=told.START.date()
    )


def test_a_run_that_fails_by_accepted_findings_alone_is_known(tmp_path: Path) -> None:
    found = [
        made.finding("a", "a is broken"),
        made.finding("b", "b is broken"),
        made.finding("c", "fine", Verdict.PASS),
    ]
    run, folder = written(tmp_path, found)
    seen = ended.of(run, folder, link="https://reports.example/")
    assert (seen.verdict, seen.others) == ("fail", 1)
    assert seen.report == "https://reports.example/staging/20260105T100000Z-0000/report.html"
    accept(run, folder, "a", until=told.START.date())
    seen = ended.of(run, folder, link="")
    assert (seen.verdict, seen.sentence, seen.others) == ("fail", "b is broken: b is broken", 0)
    accept(run, folder, "b", until=told.START.date())
    assert ended.of(run, folder, link="").verdict == "known"


def test_an_acceptance_that_is_over_counts_no_more(tmp_path: Path) -> None:
    run, folder = written(
        tmp_path, [made.finding("a", "a is broken"), made.finding("c", "fine", Verdict.PASS)]
    )
    accept(run, folder, "a", until=told.START.date())
    (folder.parent / "known-issues.json").write_text(
        (folder.parent / "known-issues.json").read_text().replace("2026-01-05", "2026-01-04")
    )
    assert ended.of(run, folder, link="").verdict == "fail"


def test_what_is_unclear_beside_an_accepted_failure_stays_unclear(tmp_path: Path) -> None:
    unclear = made.finding("u", "cannot be said", Verdict.INCONCLUSIVE)
    run, folder = written(tmp_path, [made.finding("a", "a is broken"), unclear])
    accept(run, folder, "a", until=told.START.date())
    seen = ended.of(run, folder, link="")
    assert (seen.verdict, seen.sentence) == ("inconclusive", "cannot be said: cannot be said")


def test_a_verdict_that_rests_on_more_than_findings_is_not_taken_for_accepted(tmp_path: Path) -> None:
    found = [made.finding("a", "a is broken", Verdict.INCONCLUSIVE), made.finding("c", "fine", Verdict.PASS)]
    run, folder = written(tmp_path, found, reason="not-judged-at-all")
    accept(run, folder, "a", until=told.START.date())
    assert ended.of(run, folder, link="").verdict == "inconclusive"


@pytest.mark.parametrize("reason", ["unfinished", "interrupted"])
def test_a_run_that_goes_on_or_was_interrupted_says_nothing(tmp_path: Path, reason: str) -> None:
    folder = told.add_run(tmp_path, "staging", told.START, "error", ended=None, reason=reason)
    assert not newest.is_news(record.read(folder))
    other = told.add_run(tmp_path, "production", told.START, "error", ended=None, reason="could-not-look")
    assert newest.is_news(record.read(other))
