"""Sections of the report: ours by name, those of other packages beside them, and what cannot be shown is a sentence in its place."""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import made
import pytest
import recorded
from foreign import install, packages

from proofbook.errors import UnknownName
from proofbook.evidence import store
from proofbook.judge.findings import Control, Finding, Verdict, from_json
from proofbook.notebook.report import Report
from proofbook.report import finding_html, sections, summary
from proofbook.report.result import Result, of_findings
from proofbook.report.section_registry import (
    SECTIONS,
    Nothing,
    Section,
    as_output,
    of_extensions,
    rendered,
    said_by,
)
from proofbook.validation import Validation

GROUP = "proofbook.report_sections"
ON_CALL = """
from proofbook.report.section_registry import Nothing, Section, section

@section("Who is <on> call?")
def on_call(result):
    return Section(f"<p>Ada, for {result.environment.name}</p>", findings=("x",))

@section("What is quiet?")
def quiet(result):
    return Nothing("It is <quiet> here.")

@section("What raises?")
def raising(result):
    raise RuntimeError("the duty roster cannot be reached")

@section("What gives text?")
def text(result):
    return "<p>text</p>"

plain = lambda result: Section("")
"""
ENTRIES = {name: f"on_call:{name}" for name in ("on_call", "quiet", "raising", "text", "plain")}


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """What the report of recorded evidence is made of."""
    folder = tmp_path_factory.mktemp("recorded")
    files = recorded.GOLDEN / "files"
    where, what = recorded.ASKED["logs-only"]
    asked = Validation.load(
        str(files / "environments" / f"{where}.toml"), str(files / "cases" / f"{what}.toml"), base=folder
    )
    assessment = asked.over(store.read(recorded.evidence_of("logs-only", to=folder / "evidence")))
    return of_findings(assessment, assessment.judge_all())


@pytest.fixture
def extended(tmp_path: Path) -> Iterator[Path]:
    """Packages beside ours: one that adds sections, and one that cannot be imported and one whose name is taken."""
    with packages(tmp_path / "site") as site:
        install(site, "on_call", entries={GROUP: ENTRIES}, modules={"on_call.py": ON_CALL})
        install(
            site,
            "unfit",
            entries={GROUP: {"gone": "no_such_module:gone", "risks": "on_call:on_call"}},
            modules={"unfit.py": ""},
        )
        yield site


def test_every_section_of_ours_is_a_method_that_completion_shows() -> None:
    methods = dict(inspect.getmembers(Report, inspect.isfunction))
    assert set(SECTIONS.own_names()) <= set(methods) and "risks" in dir(Report)
    assert all((methods[name].__doc__ or "").startswith("Shows ") for name in SECTIONS.own_names())


def test_a_report_without_extensions_shows_nothing_of_them(result: Result) -> None:
    assert list(of_extensions(result)) == []


def test_sections_of_other_packages_stand_under_their_titles(result: Result, extended: Path) -> None:
    found = dict(of_extensions(result))
    title = "<h2>Who is &lt;on&gt; call?</h2>"
    assert found["on_call"] == Section(f"{title}<p>Ada, for orders</p>", findings=("x",))
    assert rendered("on_call", result) == found["on_call"]
    quiet = found["quiet"]
    assert isinstance(quiet, Section) and "It is &lt;quiet&gt; here." in quiet.html


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("raising", "report section 'raising' (on_call:raising of on_call): it raised RuntimeError: the duty roster cannot be reached"),
        ("text", "report section 'text' (on_call:text of on_call): expected it to give a Section or Nothing, got str"),
        ("plain", "report section 'plain' (on_call:plain of on_call): expected a ReportSection, got function"),
        ("gone", "report section 'gone' (no_such_module:gone of unfit): it cannot be imported"),
        ("risks", "report section 'risks' (on_call:on_call of unfit): the name is taken by proofbook.report.sections:risks"),
    ],
)  # fmt: skip
def test_what_cannot_be_shown_is_a_sentence_that_names_the_extension(
    name: str, said: str, result: Result, extended: Path
) -> None:
    part = dict(of_extensions(result))[name]
    assert isinstance(part, Section) and finding_html.escape(said) in part.html
    ours = rendered("risks", result)
    assert isinstance(ours, Nothing) or "Ada" not in ours.html


def test_a_section_that_nobody_has_names_the_nearest(result: Result) -> None:
    with pytest.raises(UnknownName, match="did you mean 'risks'"):
        rendered("riks", result)


def test_an_output_says_what_it_is_and_text_that_looks_like_it_says_nothing() -> None:
    assert said_by(as_output(Nothing("Why."), name="risks")).nothing == "Why."
    shown = said_by(as_output(Section("<p></p>", findings=("a",)), name="findings"))
    assert (shown.section, shown.nothing, shown.findings) == ("findings", "", ("a",))
    assert said_by({"text/html": finding_html.nothing("Why.")}) == said_by({})


def test_the_page_leaves_out_what_says_that_it_is_nothing_and_shows_each_card_once(
    tmp_path: Path, workspace: Path
) -> None:
    item = made.finding("kept", "this is kept")
    every = as_output(Section(finding_html.finding(item), findings=("kept",)), name="findings")
    looks = made.shown({"text/html": finding_html.nothing("It only looks so.")})
    folder = tmp_path / "outputs" / "e" / "20260105T094000Z-0000"
    report = made.write_notebook(
        folder, "00-report", made.words("# R"), made.words("## Empty"), made.code(made.nothing("No <risk>.")),
        made.words("## Looks empty"), made.code(looks), made.words("## All"), made.code(made.shown(every)),
    )  # fmt: skip
    book = made.write_notebook(folder, "01-x", made.words("# X"), made.code(made.card(item)))
    made.write_run(folder, [item], [report, book])
    text = (folder / "report.html").read_text()
    assert "<b>Empty</b> No &lt;risk&gt;." in text and ">Looks empty</h2>" in text
    assert text.count('id="finding-kept"') == 1 and '<p class="pb-line" data-verdict="fail"' in text


def test_the_summary_says_what_was_seen_without_bounds_and_what_is_allowed() -> None:
    told = made.finding("x", "it works", statement="9 of 9 (100%; at least 70%)", seen="9 of 9", threshold="none", limits=True)  # fmt: skip
    assert summary.seen(told) == "9 of 9" and summary.seen(made.finding("x")) == "all is well"
    assert summary._against(told) == "Failed: it works. 9 of 9. Allowed: none."
    wanted = made.finding("x", "it works", statement="y", seen="y", threshold="at most one may differ, else all", limits=False)  # fmt: skip
    assert summary._against(wanted).endswith("Required: at most one may differ, else all.")


@pytest.mark.parametrize("judged", ["fail", "inconclusive"])
def test_what_a_check_said_before_is_a_fact_of_its_control(judged: str) -> None:
    control = Control(kind="before", name="n", guards=("pass",), expected="not pass", got="worded: anew", held=True, judged=judged)  # fmt: skip
    item = made.finding("x", verdict=Verdict.PASS, controls=(control,))
    assert finding_html.could_fail(item) == f"before: {judged} → now: pass"
    again = from_json(item.to_json())
    assert again.controls[0].judged == judged
    assert "judged" not in made.finding("x").to_json()["controls"][0]


def test_a_statement_stands_by_its_findings_and_not_by_words(result: Result) -> None:
    def standing(verdict: Verdict) -> sections.Standing:
        one: tuple[Finding, ...] = (
            made.finding("x", "supported, refuted and unproven are only words", verdict),
        )
        return sections._carried(["x"], made_of(result, one)).standing

    assert standing(Verdict.PASS) is sections.Standing.SUPPORTED
    assert standing(Verdict.FAIL) is sections.Standing.REFUTED
    assert standing(Verdict.ERROR) is sections.Standing.UNPROVEN
    unjudged = sections._carried(["y"], made_of(result, ()))
    assert unjudged.standing is sections.Standing.UNPROVEN and unjudged.because == "y (not judged)"


def made_of(result: Result, found: tuple[Finding, ...]) -> Result:
    return of_findings(result.assessment, found)


@pytest.mark.slow
def test_a_run_shows_the_section_of_another_package_and_goes_on_where_one_raises(
    tmp_path: Path, workspace: Path
) -> None:
    site = tmp_path / "site"
    install(site, "on_call", entries={GROUP: ENTRIES}, modules={"on_call.py": ON_CALL})
    where, what = recorded.ASKED["logs-only"]
    files = recorded.GOLDEN / "files"
    evidence = recorded.evidence_of("logs-only", to=tmp_path / "evidence")
    words = ["run", str(files / "environments" / f"{where}.toml"), "--case", str(files / "cases" / f"{what}.toml"), "--evidence", str(evidence), "--json"]  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "proofbook.cli", *words],
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONPATH": str(site),
            "PROOFBOOK_WORKSPACE": str(workspace),
            "PROOFBOOK_OUTPUTS": str(tmp_path / "outputs"),
        },
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    [run] = json.loads(done.stdout)
    assert run["verdict"] == "pass", done.stderr
    assert [item["problem"] for item in run["notebooks"]] == [""] * len(run["notebooks"])
    text = (Path(run["folder"]) / "report.html").read_text()
    assert "Who is &lt;on&gt; call?</h2>" in text and "<p>Ada, for orders</p>" in text
    assert "it raised RuntimeError: the duty roster cannot be reached" in text
    assert ">Conclusion</h2>" in text
    # The summary is there once: the report's own notebook shows it.
    assert text.count('class="pb-verdict"') == 1
