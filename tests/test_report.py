"""The report opens offline in a real browser, draws its charts, and executes nothing from outside."""

from __future__ import annotations

import datetime as dt
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from proofbook import book, evidence
from proofbook.judge.findings import Control, Finding, Verdict
from proofbook.report import cards, junit, parts, summary

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
HOSTILE = (
    "<script>alert(1)</script> <img src=x onerror=alert(2)> </script><!-- \u202e \"'& javascript:alert(3)"
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("chromium is not installed and could not be: sudo apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        arguments = [
            "--disable-gpu",
            "--disable-background-networking",
            *(["--no-sandbox"] if os.geteuid() == 0 else []),
        ]
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield opened
        opened.close()


def open_page(browser: Any, path: Path, *, script: bool = True, width: int = 1440) -> tuple[Any, list[str]]:
    """The page from file:// with the network cut off, and everything that went wrong."""
    context = browser.new_context(
        offline=True, java_script_enabled=script, viewport={"width": width, "height": 900}
    )
    page = context.new_page()
    wrong: list[str] = []
    page.on(
        "console",
        lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None,
    )
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("dialog", lambda dialog: wrong.append(f"dialog {dialog.message}"))
    page.on(
        "request",
        lambda request: (
            wrong.append(request.url) if not request.url.startswith(("file:", "blob:", "data:")) else None
        ),
    )
    page.goto(path.as_uri())
    return page, wrong


@pytest.mark.rehearsal
@pytest.mark.browser
def test_the_report_opens_offline_and_draws_its_charts(browser: Any, finished_run: Path) -> None:
    page, wrong = open_page(browser, finished_run / "report.html")
    figures = page.locator(".pb-figure")
    assert figures.count() >= 8
    for index in range(figures.count()):
        figures.nth(index).scroll_into_view_if_needed()
        figures.nth(index).locator(".main-svg").first.wait_for(timeout=10_000)
    assert wrong == []
    assert page.locator(".pb-verdict").get_attribute("data-verdict") == "pass"
    assert "FIXED" in page.locator(".pb-verdict").inner_text()
    assert (finished_run / "report.html").stat().st_size < 2_500_000


@pytest.mark.rehearsal
@pytest.mark.browser
def test_verdict_and_findings_are_readable_without_scripts_and_on_a_phone(
    browser: Any, finished_run: Path
) -> None:
    page, wrong = open_page(browser, finished_run / "report.html", script=False, width=390)
    text = page.locator("body").inner_text()
    assert "VALIDATION RESULT: SUCCESS" in text
    assert [
        title.endswith("seen before, gone after") for title in page.locator(".pb-fix h3").all_inner_texts()
    ] == [True, True]
    assert page.locator(".pb-finding").count() >= 25
    assert page.locator("html").evaluate("e => e.scrollWidth") <= 390
    assert wrong == []


@pytest.mark.rehearsal
def test_every_part_of_the_seed_report_is_there(finished_run: Path) -> None:
    text = (finished_run / "report.html").read_text()
    for words in (
        "Rehearsal on loopback",
        "Validation team",
        "Next review",
        "VALIDATION RESULT",
        "Chat works for every user again",
        "supported",
        "Infinite recursion in windows_asyncio_safe",
        "original_sleep",
        "staging-e2e-user-001",
        "image 1,850 → 407 MB",
        "Authentication could be bypassed in staging",
        "Platform reliability, until 2027-06-30",
        "Recommendations",
        "Uncertainty",
        "Conclusion",
        "The database is not probed.",
    ):
        assert words in text, words


def hostile_finding(verdict: Verdict = Verdict.FAIL) -> Finding:
    control = Control(
        kind="positive", name=HOSTILE, guards=("pass",), expected=HOSTILE, got=HOSTILE, held=True
    )
    return Finding(
        id="x",
        kind="guard",
        claim=HOSTILE,
        required=True,
        verdict=verdict,
        reason="still-there",
        statement=HOSTILE,
        controls=(control,),
        not_established=(HOSTILE,),
    )


def test_text_from_outside_is_escaped_wherever_it_is_shown() -> None:
    for text in (cards.finding(hostile_finding()), cards.needed([hostile_finding()]), cards.note(HOSTILE)):
        assert "<script" not in text and "<img" not in text and "&lt;script&gt;" in text
    xml = junit.render(
        {
            "environment": "e",
            "case": "c",
            "started": "2026-01-01T00:00:00Z",
            "verdict": "fail",
            "reason": "",
            "sentence": "",
        },
        [hostile_finding()],
    )
    assert "<script" not in xml


@pytest.mark.browser
def test_hostile_text_does_not_execute_in_a_browser(browser: Any, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text(
        f"<!doctype html><meta charset=utf-8><title>x</title>{cards.finding(hostile_finding())}{cards.needed([hostile_finding()])}",
        encoding="utf-8",
    )
    page, wrong = open_page(browser, path)
    page.wait_for_timeout(300)
    assert wrong == []
    assert "<script>alert(1)</script>" in page.locator("body").inner_text()


@pytest.mark.rehearsal
def test_impact_and_risks_follow_the_findings(workspace: Path, healthy_evidence: Path) -> None:
    where, what = book.load("rehearsal", "", base=workspace)
    recorded = evidence.read(healthy_evidence)
    good = book.Book(environment=where, case=what, evidence=recorded).judge_all()
    broken = [
        item
        if item.id != "websocket-refuses-bad-tokens"
        else hostile_finding().__class__(
            **{**{name: getattr(item, name) for name in item.__dataclass_fields__}, "verdict": Verdict.FAIL}
        )
        for item in good
    ]
    fine, bad = (summary.summarise(where, what, recorded, items) for items in (good, broken))
    assert "✔ supported" in parts.impact(fine) and "refuted" not in parts.impact(fine)
    assert "reopened" in parts.risks(bad) and "reopened" not in parts.risks(fine)
    assert parts.recommendations(bad).startswith("<ul><li>Hold the release")
    assert fine.next_review - fine.ended == dt.timedelta(hours=24)
    unjudged = summary.summarise(
        where, what, recorded, [item for item in good if item.id != "websocket-delivery"]
    )
    assert unjudged.overall.verdict is Verdict.ERROR and "unproven" in parts.impact(unjudged)
