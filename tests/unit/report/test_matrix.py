"""The page of all environments of a command: differences first, a link to each finding, and nothing that does harm."""

from __future__ import annotations

import dataclasses
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from made import TIMES, finding

from proofbook.judge.findings import Verdict
from proofbook.report import matrix
from proofbook.report.matrix import Ended
from proofbook.runs.record import RunRecord

HARM = '<img src=x onerror="alert(1)">| @all'


def ended(folder: Path, name: str, **verdicts: Verdict) -> Ended:
    """An environment whose run has findings with these verdicts."""
    place = folder / name / "20260105T094000Z-0001"
    place.mkdir(parents=True)
    (place / "report.html").write_text("", encoding="utf-8")
    items = [dataclasses.replace(finding(key, f"says {key}"), verdict=verdict) for key, verdict in verdicts.items()]  # fmt: skip
    worst = min((item.verdict for item in items), key=matrix.WORST_FIRST.index)
    run = RunRecord(
        run_id=place.name,
        environment=name,
        case="c",
        verdict=worst,
        reason="x",
        sentence=f"sentence of {name}",
        findings_json=tuple(item.to_json() for item in items),
        **TIMES,
    )
    return Ended(environment=name, sentence=run.sentence, reason="x", run=run, folder=place)


@pytest.fixture
def several(tmp_path: Path) -> list[Ended]:
    good, bad, open_ = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE
    return [
        ended(tmp_path, "eu", same=good, one=bad, open=open_, doubt=good, only=good),
        ended(tmp_path, "us", same=good, one=good, open=open_, doubt=open_),
        ended(tmp_path, "as", same=good, one=bad, open=open_, doubt=good),
        Ended(environment="gone", sentence=HARM, reason="usage"),
    ]


def test_what_differs_comes_first_the_worst_of_it_at_the_top(several: list[Ended]) -> None:
    found = matrix.rows(several)
    assert [(row.id, row.differs) for row in found] == [
        ("one", True),
        ("doubt", True),
        ("only", True),
        ("open", False),
        ("same", False),
    ]
    assert matrix.in_words(several) == "4 environments: 2 fail, 1 error, 1 inconclusive"


def test_each_mark_leads_to_the_finding_in_its_report_and_nothing_of_a_sentence_is_markup(
    several: list[Ended],
) -> None:
    page = matrix.page(several)
    assert page.count('href="eu/20260105T094000Z-0001/report.html#finding-one"') == 1
    assert "&lt;img src=x" in page and "<img" not in page
    assert page.index("says one".capitalize()) < page.index("Says open") < page.index("Says same")
    text = matrix.summary(several)
    assert "| Says" not in text and "| says one | ✘ | ✔ | ✘ |" in text
    assert "&lt;img" in text and "&#64;all" in text


def test_junit_has_a_suite_for_each_environment_and_an_error_for_one_without_a_run(
    several: list[Ended], tmp_path: Path
) -> None:
    matrix.write(tmp_path, several, inconclusive_as="failure")
    suites = ET.parse(tmp_path / matrix.JUNIT).getroot().findall("testsuite")
    counts = {suite.get("name"): (suite.get("tests"), suite.get("failures"), suite.get("errors")) for suite in suites}  # fmt: skip
    assert counts == {
        "eu: c": ("5", "2", "0"),
        "us: c": ("4", "2", "0"),
        "as: c": ("4", "2", "0"),
        "gone": ("1", "0", "1"),
    }


@pytest.mark.extended
@pytest.mark.browser
@pytest.mark.parametrize("colours", ["light", "dark"])
def test_the_page_opens_on_a_phone_without_a_network(
    colours: str, several: list[Ended], tmp_path: Path, open_page: Callable[..., tuple[Any, list[str]]]
) -> None:
    path = matrix.write(tmp_path, several * 12, inconclusive_as="failure")
    page, wrong = open_page(path, width=390, color_scheme=colours)
    assert wrong == []
    assert page.locator("html").evaluate("e => e.scrollWidth") <= 390
    page.locator("a[href$='#finding-one']").first.click()
    assert page.url.endswith("/eu/20260105T094000Z-0001/report.html#finding-one")
