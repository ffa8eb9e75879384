"""The report opens offline in a real browser, draws its charts, and executes nothing from outside."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import re
import shutil
import xml.etree.ElementTree as ET
from collections.abc import Callable
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import jsonschema
import made
import pytest
from conftest import ROOT, proofbook
from corpus import HOSTILE

from proofbook.evidence import store
from proofbook.judge.findings import Verdict
from proofbook.report import finding_html, junit, markdown, result, sections
from proofbook.report.section_registry import Part, Section
from proofbook.runs import record
from proofbook.validation import Validation

Open = Callable[..., tuple[Any, list[str]]]


@pytest.mark.rehearsal
@pytest.mark.browser
def test_the_report_opens_offline_and_draws_its_charts(open_page: Open, finished_run: Path) -> None:
    page, wrong = open_page(finished_run / "report.html")
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
    open_page: Open, finished_run: Path
) -> None:
    page, wrong = open_page(finished_run / "report.html", script=False, width=390)
    text = page.locator("body").inner_text()
    assert "VALIDATION RESULT: SUCCESS" in text
    assert [
        title.endswith("seen before, gone after") for title in page.locator(".pb-fix h3").all_inner_texts()
    ] == [True, True]
    assert page.locator(".pb-finding").count() >= 25
    assert page.locator("html").evaluate("e => e.scrollWidth") <= 390
    assert wrong == []


@pytest.mark.extended
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


@pytest.mark.extended
@pytest.mark.rehearsal
@pytest.mark.browser
def test_a_finding_can_be_linked_to_searched_for_and_filtered(open_page: Open, finished_run: Path) -> None:
    page, wrong = open_page(finished_run / "report.html")
    page.goto(f"{(finished_run / 'report.html').as_uri()}#finding-websocket-delivery")
    card = page.locator("#finding-websocket-delivery")
    assert card.get_attribute("open") is not None and card.locator("table.pb-controls").is_visible()
    every = page.locator("details.pb-finding").count()
    page.locator("#pb-search").fill("1011")
    shown = page.locator("details.pb-finding:visible").count()
    assert (
        1 <= shown < every and page.locator("#pb-found").inner_text() == f"{shown} of {every} findings shown"
    )
    page.locator("#pb-search").fill("")
    page.locator('input[value="pass"]').uncheck()
    others = page.locator("details.pb-finding:not([data-verdict='pass'])").count()
    assert page.locator("details.pb-finding:visible").count() == others < every
    page.locator('input[value="pass"]').check()
    assert page.locator("details.pb-finding:visible").count() == every
    assert wrong == []


@pytest.mark.extended
@pytest.mark.rehearsal
@pytest.mark.browser
def test_tables_sort_by_their_headings(open_page: Open, finished_run: Path) -> None:
    page, wrong = open_page(finished_run / "report.html")
    table = page.locator("article[id='01-service-health'] table.dataframe").first
    heading = table.locator("th", has_text="median_s").locator("button")
    heading.click()
    column = table.locator("thead th, thead td").all_inner_texts().index("median_s")

    def values() -> list[float]:
        return [
            float(row.locator("th, td").nth(column).inner_text()) for row in table.locator("tbody tr").all()
        ]

    assert values() == sorted(values()) and table.locator("th[aria-sort='ascending']").count() == 1
    heading.click()
    assert values() == sorted(values(), reverse=True)
    assert wrong == []


@pytest.mark.rehearsal
@pytest.mark.browser
def test_the_keyboard_alone_is_enough(open_page: Open, finished_run: Path) -> None:
    page, _ = open_page(finished_run / "report.html")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "pb-skip"
    page.keyboard.press("Enter")
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.parentElement.classList.contains('pb-finding')"):
            break
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.parentElement.open")


# What reaches over the right edge of the paper, by its tag and class.
CUT_OFF = """[...document.querySelectorAll('main *')].filter(e => e.checkVisibility() && !e.closest('svg, .pb-plot, figcaption')
  && e.getBoundingClientRect().right > document.documentElement.clientWidth + 1).map(e => `${e.tagName}.${e.className}`)"""


@pytest.mark.extended
@pytest.mark.rehearsal
@pytest.mark.browser
def test_nothing_is_cut_off_on_paper(open_page: Open, finished_run: Path) -> None:
    page, _ = open_page(finished_run / "report.html", width=794)
    page.locator(".pb-figure .main-svg").first.wait_for()
    page.emulate_media(media="print")
    page.evaluate("document.querySelectorAll('details').forEach(e => { e.open = true })")
    assert page.evaluate(CUT_OFF) == []
    assert page.locator(".modebar-container").first.evaluate("e => getComputedStyle(e).display") == "none"


@pytest.mark.extended
@pytest.mark.rehearsal
@pytest.mark.browser
@pytest.mark.parametrize("kind", ["light", "dark", "phone", "index", "comparison"])
def test_axe_finds_nothing_that_keeps_people_out(
    open_page: Open, finished_run: Path, tmp_path: Path, kind: str
) -> None:
    from axe_playwright_python.sync_playwright import Axe

    path = finished_run / "report.html"
    if kind == "index":
        path = finished_run.parent.parent / "index.html"
    elif kind == "comparison":
        path = tmp_path / "comparison.html"
        done = proofbook(
            "compare",
            str(finished_run),
            str(finished_run),
            "--html",
            str(path),
            cwd=tmp_path,
            workspace=finished_run.parent.parent.parent,
        )
        assert done.returncode == 0, done.stderr
    page, _ = open_page(
        path,
        width=390 if kind == "phone" else 1440,
        color_scheme="dark" if kind == "dark" else "light",
        bypass_csp=True,
    )
    page.evaluate("document.querySelectorAll('details').forEach(e => { e.open = true })")
    for figure in page.locator(".pb-figure").all():
        figure.scroll_into_view_if_needed()
    page.wait_for_timeout(500)
    # What is read out is the same in the dark and on a phone; colours and sizes are not.
    rules = {"dark": ["color-contrast"], "phone": ["scrollable-region-focusable", "target-size"]}
    only = {"runOnly": {"type": "rule", "values": rules[kind]}} if kind in rules else None
    found = Axe().run(page, options=only)
    assert found.violations_count == 0, found.generate_report()


@pytest.mark.rehearsal
@pytest.mark.browser
def test_it_prints_to_a_pdf_with_its_findings_open_where_they_do_not_pass(
    open_page: Open, finished_run: Path, tmp_path: Path
) -> None:
    items = [made.finding("good", "this holds", Verdict.PASS), made.finding("bad", "this does not")]
    cell = made.code(made.shown({"text/html": "".join(map(finding_html.finding, items))}))
    folder = tmp_path / "e" / "r"
    made.write_run(folder, items, [made.write_notebook(folder, "00-report", made.words("# All"), cell)])
    page, wrong = open_page(folder / "report.html")
    assert page.pdf().startswith(b"%PDF")
    assert [card.get_attribute("open") is not None for card in page.locator("details.pb-finding").all()] == [
        False,
        True,
    ]
    page.emulate_media(media="print")
    assert not page.locator(".pb-side").is_visible() and page.locator(".pb-verdict").is_visible()
    assert wrong == []


@pytest.mark.rehearsal
@pytest.mark.browser
def test_a_mail_has_no_script_is_small_and_shows_the_charts(
    open_page: Open, finished_run: Path, workspace: Path, tmp_path: Path
) -> None:
    run = shutil.copytree(finished_run, tmp_path / finished_run.name)
    done = proofbook("report", str(run), "--mail", cwd=workspace, workspace=workspace)
    assert done.returncode == 0, done.stderr
    text = (run / "mail.html").read_text()
    assert len(text.encode()) < 100_000 and "<script" not in text and "var(" not in text
    page, wrong = open_page(run / "mail.html", width=390)
    assert page.locator("img").count() >= 8 and all(
        image.get_attribute("alt") for image in page.locator("img").all()
    )
    assert page.locator("html").evaluate("e => e.scrollWidth") <= 390
    assert "FIXED" in page.locator("body").inner_text() and wrong == []
    message = message_from_bytes((run / "mail.eml").read_bytes(), policy=policy.default)
    body, plain = message.get_body(("html",)), message.get_body(("plain",))
    assert (
        message["Subject"].startswith("✔ FIXED · Rehearsal on loopback")
        and "Could we be wrong?" in plain.get_content()
    )
    pictures = [part for part in message.walk() if part.get_content_type() == "image/png"]
    assert len(pictures) >= 8 and all(
        part["Content-ID"].strip("<>") in body.get_content() for part in pictures
    )


@pytest.mark.rehearsal
def test_rendering_again_gives_the_same_bytes_and_verify_agrees(original_run: Path) -> None:
    base = original_run.parents[2]
    before = (original_run / "report.html").read_bytes()
    done = proofbook("report", str(original_run), cwd=base, workspace=base)
    assert done.returncode == 0, done.stderr
    assert (original_run / "report.html").read_bytes() == before
    done = proofbook("verify", original_run.name, cwd=base, workspace=base)
    assert done.returncode == 0 and done.stdout.count("✔") == 5, done.stdout


@pytest.mark.rehearsal
@pytest.mark.parametrize("altered", ["evidence", "notebook", "findings", "report"])
def test_verify_names_what_was_altered(
    finished_run: Path, workspace: Path, tmp_path: Path, altered: str
) -> None:
    run = tmp_path / finished_run.name
    shutil.copytree(finished_run, run)
    paths = {
        "evidence": run / "evidence/after/health.parquet",
        "notebook": run / "notebooks/02-websocket.ipynb",
        "report": run / "report.html",
        "findings": run / "run.json",
    }
    old, new = {
        "findings": (b'"verdict": "pass"', b'"verdict": "fail"'),
        "report": (b"FIXED", b"FIXED!"),
        "notebook": (b"pass", b"fail"),
        "evidence": (b"PAR1", b"PAR2"),
    }[altered]
    paths[altered].write_bytes(paths[altered].read_bytes().replace(old, new))
    done = proofbook("verify", str(run), cwd=workspace, workspace=workspace)
    assert done.returncode == 1 and "✘" in done.stdout, done.stdout
    named = {
        "evidence": "health.parquet",
        "notebook": "notebook 02-websocket was altered",
        "findings": "run.json",
        "report": "report.html was altered",
    }
    assert named[altered] in next(line for line in done.stdout.splitlines() if line.startswith("✘")), (
        done.stdout
    )


@pytest.mark.rehearsal
def test_run_json_follows_its_published_schema(finished_run: Path) -> None:
    published = json.loads((ROOT / "docs" / "run.schema.json").read_text())
    assert published == record.schema(), "write it again: proofbook schema > docs/run.schema.json"
    content = json.loads((finished_run / "run.json").read_text())
    jsonschema.Draft202012Validator(published).validate(content)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**content, "verdict": "maybe"}, published)


def test_junit_never_shows_an_inconclusive_as_a_pass() -> None:
    verdicts = (Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.ERROR)
    items = [made.finding(verdict.value, HOSTILE["script"], verdict) for verdict in verdicts]
    items += [
        made.finding("optional", "x", Verdict.INCONCLUSIVE, required=False),
        made.finding("waived", "x", Verdict.FAIL, waived="by A until 2027"),
    ]
    run = record.RunRecord(
        environment="e",
        case="",
        started=made.TIMES["started"],
        ended=made.TIMES["ended"],
        run_id="r",
        verdict=Verdict.FAIL,
        reason="",
        sentence="",
    )
    for shown_as in ("failure", "skipped"):
        suite = ET.fromstring(junit.render(run, items, inconclusive_as=shown_as))[0]
        outcomes = {case.get("name", "").partition(":")[0]: [child.tag for child in case] for case in suite}
        assert outcomes == {
            "pass": [],
            "fail": ["failure"],
            "inconclusive": [shown_as],
            "error": ["error"],
            "optional": ["skipped"],
            "waived": ["skipped"],
        }
        assert suite.attrib | {"tests": "6", "errors": "1", "time": "60.000"} == suite.attrib
        assert int(suite.get("failures", "")) == (2 if shown_as == "failure" else 1)
        assert "required: " in (suite[1][0].text or "")


def test_the_summary_shows_hostile_text_as_text_and_goes_to_the_job_summary(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "e" / "r"
    for name, text in HOSTILE.items():
        content = made.run_that_says(folder, text)
        told = markdown.render(content)
        assert (
            "<script" not in told
            and "<img" not in told
            and not re.search(r"(?<!\\)\]\(javascript", told)
            and "@everyone" not in told
        ), name
        assert len(told) < 65_536
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary"))
    assert markdown.add_to_job_summary("one\n") and markdown.add_to_job_summary("two\n")
    assert (tmp_path / "summary").read_text() == "one\ntwo\n"
    monkeypatch.delenv("GITHUB_STEP_SUMMARY")
    assert not markdown.add_to_job_summary("three")


def html(part: Part) -> str:
    assert isinstance(part, Section)
    return part.html


@pytest.mark.rehearsal
def test_impact_and_risks_follow_the_findings(workspace: Path, healthy_evidence: Path) -> None:
    assessment = Validation.load("rehearsal", base=workspace).over(store.read(healthy_evidence))
    good = assessment.judge_all()
    broken = [
        item if item.id != "websocket-refuses-bad-tokens" else dataclasses.replace(item, verdict=Verdict.FAIL)
        for item in good
    ]
    fine, bad = (result.of_findings(assessment, items) for items in (good, broken))
    assert "✔ supported" in html(sections.impact(fine)) and "refuted" not in html(sections.impact(fine))
    assert "reopened" in html(sections.risks(bad)) and "reopened" not in html(sections.risks(fine))
    assert html(sections.recommendations(bad)).startswith("<ul><li>Hold the release of backend-")
    assert fine.next_review - fine.ended == dt.timedelta(hours=24)
    unjudged = result.of_findings(assessment, [item for item in good if item.id != "websocket-delivery"])
    assert unjudged.overall.verdict is Verdict.ERROR and "unproven" in html(sections.impact(unjudged))
