"""A look as one HTML file: opens offline, needs no script, says first what, since when and who, and is the same each time."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from conftest import ROOT, proofbook

from proofbook.investigation import practice

Open = Callable[..., tuple[Any, list[str]]]
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)> \\[x\\] $y$ </article>"


def made(source: Path, to: Path, *options: str) -> Path:
    done = proofbook("look", str(source), *options, "--html", str(to), cwd=to.parent, workspace=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    return to


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return practice.incident(tmp_path_factory.mktemp("log") / "incident.json")


@pytest.fixture(scope="module")
def page_of_incident(log: Path) -> Path:
    return made(log, log.parent / "look.html")


@pytest.mark.usual_cases(1)
@pytest.mark.browser
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (390, "light")])
def test_it_opens_offline_without_a_script_and_everyone_can_read_it(
    width: int, scheme: str, open_page: Open, page_of_incident: Path
) -> None:
    page, wrong = open_page(page_of_incident, width=width, color_scheme=scheme)
    assert wrong == [] and page.locator("script").count() == 0
    assert page.locator("svg[role='img']").count() >= 5
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    found = Axe().run(page).response["violations"]
    assert [(item["id"], item["nodes"][0]["html"][:200]) for item in found] == []


@pytest.mark.browser
def test_the_first_screen_says_since_when_what_is_different_and_who(
    open_page: Open, page_of_incident: Path
) -> None:
    page, _ = open_page(page_of_incident)
    first = page.locator(".pb-verdict")
    assert first.bounding_box()["y"] + first.bounding_box()["height"] < 900
    said = first.inner_text()
    assert "since when: wrong: 2026-01-05 13:46:00 UTC" in said
    assert "client = 2.3 and region = eu, 19 of 22 of these" in said
    assert (
        "who is affected: 13:46:00 to 13:59:59, a window that was proposed since the rate rose then: 22 of 628 requests"
        in said
    )


@pytest.mark.extended
def test_the_same_log_gives_the_same_bytes_and_the_file_says_if_it_was_altered(
    log: Path, page_of_incident: Path, tmp_path: Path
) -> None:
    first = page_of_incident.read_bytes()
    assert made(log, page_of_incident).read_bytes() == first
    assert len(first) < 500_000
    again = tmp_path / "look.html"
    again.write_bytes(first)
    assert proofbook("verify", str(again), cwd=tmp_path, workspace=ROOT).returncode == 0
    again.write_text(again.read_text().replace("13:46:00", "13:47:00"))
    altered = proofbook("verify", str(again), cwd=tmp_path, workspace=ROOT)
    assert altered.returncode == 1 and "was altered" in altered.stdout


@pytest.mark.browser
def test_nothing_of_a_log_is_taken_for_html(open_page: Open, tmp_path: Path) -> None:
    log = tmp_path / "hostile.json"
    entries = [
        {"timestamp": f"2026-01-05T09:00:{second:02}Z", "severity": "ERROR", "textPayload": HOSTILE, "labels": {HOSTILE: HOSTILE + str(second % 3)}}
        for second in range(50)
    ]  # fmt: skip
    log.write_text("\n".join(map(json.dumps, entries)))
    page, wrong = open_page(made(log, tmp_path / "look.html", "--where", "template~^<script>"))
    assert wrong == [] and page.locator("img").count() == 0 and page.locator("script").count() == 0
    assert "<script>alert(<*>)</script>" in page.locator("main").inner_text()


@pytest.mark.usual_cases(1)
@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["nowhere.json"], "there is no such file"),
        (["--where", "statsu>=500"], "there is no field 'statsu' in this log; did you mean 'status'?"),
    ],
)
def test_what_is_typed_wrong_gets_one_sentence_and_no_file(
    options: list[str], sentence: str, tmp_path: Path
) -> None:
    done = proofbook("look", *options, "--html", "look.html", cwd=tmp_path, workspace=ROOT)
    assert done.returncode == 2 and sentence in done.stderr and done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.extended
def test_a_file_that_cannot_be_written_is_said(log: Path, tmp_path: Path) -> None:
    done = proofbook(
        "look", str(log), "--html", str(tmp_path / "none" / "look.html"), cwd=tmp_path, workspace=ROOT
    )
    assert done.returncode == 2 and "--html: expected a file that can be written" in done.stderr
