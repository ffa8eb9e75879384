"""A health page that was written long ago says nothing of now: known by a time of its own that stands still."""

from __future__ import annotations

import datetime as dt
import email.utils
import itertools
from collections.abc import Callable
from pathlib import Path

import httpx
import pandas as pd
import pytest
from aiohttp import web
from first_tries import attempt, page, serving

from proofbook.collect.answers import Answer
from proofbook.collect.services import page_time
from proofbook.judge.checks import health_controls
from proofbook.judge.findings import Verdict
from proofbook.judge.view import View
from proofbook.judge.window import Windows

NOW = dt.datetime(2026, 5, 1, 12, 0, 0, tzinfo=dt.UTC)


def read(text: str, *, date: dt.datetime | None = NOW) -> page_time.PageTime | None:
    headers = {} if date is None else {"date": email.utils.format_datetime(date)}
    answer = Answer(status_code=200, headers=httpx.Headers(headers), body=text.encode())
    return page_time.of(answer, now=NOW)


@pytest.mark.parametrize(
    ("text", "path", "age_s"),
    [
        ('{"status": "ok", "timestamp": "2026-01-01T00:00:00Z"}', "timestamp", 10_411_200),
        ('{"status": "ok", "checkedAt": "2026-05-01T11:50:00.123456789+00:00"}', "checkedAt", 599.876544),
        ('{"now": 1777636740}', "now", 60),
        ('{"time": "1777636740000"}', "time", 60),
        ('{"data": {"server_time": "Fri, 01 May 2026 11:00:00 GMT"}}', "data.server_time", 3600),
        ('{"last_check": "2026-05-01 11:00:00.5 +0000 UTC m=+1.5"}', "last_check", 3599.5),
        ("OK\\ntimestamp: 2026-05-01T11:00:00Z\\n", "timestamp", 3600),
        ("<health><status>UP</status><checkTime>2026-05-01T11:00:00Z</checkTime></health>", "checkTime", 3600),
        # Not named as that of the page, so it counts only where it goes on; what is, comes before it.
        ('{"updated": "2026-05-01T11:00:00Z"}', "updated", 3600),
        ('{"updated": "2026-05-01T11:00:00Z", "now": "2026-05-01T12:00:00Z"}', "now", 0),
        # Without a zone it may be that of any place; by ten minutes no two places differ.
        ('{"timestamp": "2026-05-01T07:00:05"}', "timestamp", -5),
        ('{"timestamp": "2026-05-01 06:22:00"}', "timestamp", 480),
        ('{"timestamp": "2026-04-01T12:00:00"}', "timestamp", 2_592_000),
    ],
)  # fmt: skip
def test_the_time_that_a_page_names_as_its_own_is_read(text: str, path: str, age_s: float) -> None:
    found = read(text.replace("\\n", "\n"))
    assert found is not None and found.path == path and found.age_s == pytest.approx(age_s)


@pytest.mark.parametrize(
    "text",
    [
        '{"started_at": "2026-01-01T00:00:00Z", "buildTime": "2026-01-01T00:00:00Z"}',
        '{"certificate_expires": "2026-01-01T00:00:00Z"}',
        '{"time": 0.0031, "timestamp": null, "now": true, "date": "2026-01-01"}',
        '{"count": 1777636740, "timestamp": "soon", "time": "12 ms"}',
        '{"timestamp": "2026-13-45T99:00:00Z"}',
        "ok",
        "",
    ],
)
def test_what_names_no_time_of_its_own_has_none(text: str) -> None:
    assert read(text) is None


def test_an_age_is_told_by_the_clock_of_the_answer() -> None:
    four_minutes_ago = '{"timestamp": "2026-05-01T11:56:00Z"}'
    of_theirs = read(four_minutes_ago, date=NOW - dt.timedelta(minutes=4))
    of_ours = read(four_minutes_ago, date=None)
    assert of_theirs is not None and (of_theirs.path, of_theirs.age_s) == ("timestamp", 0)
    assert of_ours is not None and (of_ours.path, of_ours.age_s) == ("timestamp", 240)


def test_an_answer_whose_own_date_is_of_an_hour_ago_is_that_old() -> None:
    found = read('{"timestamp": "2026-05-01T11:00:00Z"}', date=NOW - dt.timedelta(hours=1))
    assert found is not None and (found.path, found.age_s) == ("Date", 3600)


def ago(seconds: float) -> str:
    return (dt.datetime.now(dt.UTC) - dt.timedelta(seconds=seconds)).isoformat()


def said(name: str, moments: Callable[[], str], *, folder: Path) -> tuple[Verdict, str, str]:
    """The verdict on health where the page names a time so, with its reason and what was seen."""

    async def answer(request: web.Request) -> web.StreamResponse:
        is_health = request.path == "/health"
        return page(f'{{"status": "ok", "{name}": "{moments()}"}}') if is_health else page("no", 404)

    with serving(answer) as url:
        tried = attempt(url, base=folder)
    found = tried.findings["health-service"]
    return found.verdict, found.reason, tried.shown


def test_a_copy_of_an_hour_ago_is_not_healthy(tmp_path: Path) -> None:
    stuck = ago(3600)
    verdict, reason, shown = said("timestamp", lambda: stuck, folder=tmp_path)
    assert (verdict, reason) == (Verdict.INCONCLUSIVE, "stale-page"), shown
    assert f"timestamp is {stuck[:19]}" in shown and "s before the answer, in" in shown, shown
    assert "its timestamp is 3," in shown and "does not change" in shown


def test_instances_that_each_stand_still_do_not_go_on_together(tmp_path: Path) -> None:
    copies = itertools.cycle([ago(3600), ago(7200)])
    verdict, reason, shown = said("checked_at", lambda: next(copies), folder=tmp_path)
    assert (verdict, reason) == (Verdict.INCONCLUSIVE, "stale-page"), shown


@pytest.mark.parametrize(("name", "held"), [("refreshed", False), ("timestamp", False), ("started_at", True)])
def test_a_time_that_went_on_and_stands_still_later_is_noticed_whatever_its_name(
    name: str, held: bool
) -> None:
    # Each half minute for twenty minutes; what writes the page crashes after ten. Of a restart it says nothing.
    asked = [pd.Timestamp(NOW) + pd.Timedelta(seconds=30 * number) for number in range(40)]
    dated = [min(time, asked[20]) for time in asked]
    table = pd.DataFrame(
        {
            "service": "a",
            "kind": "health",
            "timestamp": asked,
            "dated_in": name,
            "dated": dated,
            "dated_age_s": [(time - then).total_seconds() for time, then in zip(asked, dated, strict=True)],
        }
    )
    if name == "started_at":
        # What collects does not keep such a time.
        table["dated_age_s"] = float("nan")
    view = View(tables=lambda name, phase: table, windows=Windows(before=None, after=None))
    found = health_controls.written_now("a", most_s=120.0)(view)
    assert all(control.held for control in found) is held
    assert held or "570 s before the answer, in 15 of 40" in found[0].got


@pytest.mark.parametrize(
    ("name", "age_s", "step_s"),
    [
        ("timestamp", 0.0, 0.0),
        # A check each half minute, and a clock that is wrong and goes.
        ("checked_at", 30.0, 0.0),
        ("timestamp", 3600.0, 1.0),
        # By nature they stand still.
        ("started_at", 90_000.0, 0.0),
        ("build_time", 90_000.0, 0.0),
        ("refreshed", 90_000.0, 0.0),
    ],
)
def test_a_page_of_now_is_healthy_whatever_time_stands_in_it(
    name: str, age_s: float, step_s: float, tmp_path: Path
) -> None:
    began, number = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=age_s), itertools.count()
    verdict, _, shown = said(
        name, lambda: (began + dt.timedelta(seconds=step_s * next(number))).isoformat(), folder=tmp_path
    )
    assert verdict is Verdict.PASS, shown
