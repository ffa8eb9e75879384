"""The page opens whatever is in it: hostile text, ten thousand findings, half-run notebooks, runs of older versions."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import made
import pytest
from corpus import HOSTILE

from proofbook.judge.findings import Verdict
from proofbook.report import chart_fallbacks, finding_html, mail, page, writer
from proofbook.runs import record, verify

Open = Callable[..., tuple[Any, list[str]]]


@pytest.fixture
def folder(tmp_path: Path, workspace: Path) -> Path:
    """A run's folder in a workspace."""
    return tmp_path / "outputs" / "e" / "20260105T094000Z-0000"


# What is hidden by what comes before it would not be tried, so what may hide comes last; a page takes seconds to open.
TOGETHER = [["script", "image", "svg", "link"], ["frame", "base", "attribute", "entity", "plotly", "style"], ["right to left", "emoji", "lone surrogate", "controls", "template", "markdown"], ["closing script", "comment"], ["long"]]  # fmt: skip


@pytest.mark.usual_cases(1)
@pytest.mark.browser
@pytest.mark.parametrize("names", TOGETHER, ids=" and ".join)
def test_hostile_text_is_shown_and_does_nothing_wherever_it_comes_in(
    open_page: Open, folder: Path, names: list[str]
) -> None:
    made.run_that_says(folder, " ".join(HOSTILE[name] for name in names))
    mail.write(folder, run=record.read(folder))
    for file in ("report.html", "mail.html"):
        opened, wrong = open_page(folder / file)
        opened.wait_for_timeout(150)
        assert wrong == [], file
        assert opened.evaluate("window.broken") is None
        assert opened.locator(".pb-verdict").is_visible()
        assert opened.locator("body").evaluate("e => getComputedStyle(e).display") != "none"
        assert (
            opened.locator("a[href^='javascript' i], iframe, base, meta[http-equiv='refresh' i]").count() == 0
        )
    assert verify.report(folder / "report.html")[0].held


def test_all_that_is_hostile_is_tried() -> None:
    assert sorted(name for names in TOGETHER for name in names) == sorted(HOSTILE)


@pytest.mark.browser
def test_what_cannot_be_seen_or_turns_the_text_round_is_shown_by_its_number(
    open_page: Open, folder: Path
) -> None:
    made.run_that_says(folder, "user\u202egnp.exe and \x07 cut \ud83d here")
    opened, _ = open_page(folder / "report.html")
    text = opened.locator("body").inner_text()
    assert "user⟨U+202E⟩gnp.exe" in text and "⟨U+0007⟩" in text and "⟨U+D83D⟩" in text
    assert not {"\u202e", "\x07"} & set(text)


@pytest.mark.extended
@pytest.mark.browser
def test_a_page_of_ten_thousand_findings_opens_and_can_be_searched(open_page: Open, folder: Path) -> None:
    items = [made.finding(f"f-{n}", f"number {n} holds", Verdict.PASS, controls=()) for n in range(10_000)]
    cell = made.code(made.shown({"text/html": "".join(map(finding_html.finding, items))}))
    content = made.write_run(
        folder, items, [made.write_notebook(folder, "00-report", made.words("# All"), cell)]
    )
    opened, wrong = open_page(folder / "report.html")
    assert opened.locator("details.pb-finding").count() == 10_000
    opened.locator("#pb-search").fill("number 9999")
    assert opened.locator("#pb-found").inner_text() == "1 of 10000 findings shown"
    assert wrong == []
    assert len((folder / "summary.md").read_text()) <= 65_536
    path, _ = mail.write(folder, run=content)
    assert path.stat().st_size < 100_000


@pytest.mark.extended
@pytest.mark.browser
def test_twenty_charts_fit_and_are_drawn_when_they_come_into_view(open_page: Open, folder: Path) -> None:
    cells = [
        made.code(made.shown({chart_fallbacks.MIME: made.figure(f"Chart {n}", points=300)}))
        for n in range(20)
    ]
    executed = [made.write_notebook(folder, "01-charts", made.words("# Charts"), *cells)]
    made.write_run(folder, [made.finding()], executed)
    assert (folder / "report.html").stat().st_size < 2_500_000
    opened, wrong = open_page(folder / "report.html")
    figures = opened.locator(".pb-figure")
    figures.first.locator(".main-svg").first.wait_for(state="attached")
    assert figures.last.locator(".main-svg").count() == 0
    figures.last.scroll_into_view_if_needed()
    figures.last.locator(".main-svg").first.wait_for(state="attached")
    assert wrong == []

    made.write_run(folder, [made.finding()], executed, options=writer.Options(shares_assets=True))
    assert (folder / "report.html").stat().st_size < 400_000
    opened, wrong = open_page(folder / "report.html")
    opened.locator(".main-svg").first.wait_for(state="attached")
    assert wrong == []
    for library in (folder / page.ASSETS).iterdir():
        library.unlink()
    opened, _ = open_page(folder / "report.html")
    opened.locator("figcaption", has_text="could not be drawn").first.wait_for()


@pytest.mark.browser
@pytest.mark.parametrize("script", [True, False])
def test_a_notebook_that_failed_half_way_is_there_with_what_it_got_to(
    open_page: Open, folder: Path, script: bool
) -> None:
    error = {"output_type": "error", "ename": "ValueError", "evalue": "no", "traceback": ["ValueError: no"]}
    half = made.write_notebook(
        folder, "02-half", made.words("# Half"), made.code(made.card(made.finding("seen", "this was seen"))), made.code(error),
        problem="its code cell 2 raised an exception",
    )  # fmt: skip
    made.write_run(folder, [made.finding("seen", "this was seen")], [half])
    opened, wrong = open_page(folder / "report.html", script=script)
    text = opened.locator("body").inner_text()
    for words in (
        "did not run to its end",
        "its code cell 2 raised an exception",
        "ValueError: no",
        "this was seen",
        "NOT FIXED",
    ):
        assert words in text, words
    assert wrong == []


def test_parts_with_nothing_to_say_are_named_at_the_end_and_not_shown(folder: Path) -> None:
    nothing = made.nothing("The case names no <risk>.")
    book = made.write_notebook(
        folder, "01-parts", made.words("# Parts"), made.code(source="start()"),
        made.words("## Empty"), made.code(nothing), made.code(nothing),
        made.words("## Half full"), made.code(nothing), made.code(made.card(made.finding("kept", "this is kept"))),
        made.words("## Printed"), made.code(nothing, {"output_type": "stream", "name": "stdout", "text": "a line"}),
        made.words("## Quiet"), made.code(source="quiet()"),
    )  # fmt: skip
    made.write_run(folder, [made.finding("kept", "this is kept")], [book])
    text = (folder / "report.html").read_text()
    headings = re.findall(r'<h2 id="01-parts--[^"]*">([^<]+)</h2>', text)
    assert headings == ["Half full", "Printed", "Quiet"]
    assert "Left out: <b>Empty</b> The case names no &lt;risk&gt;.</p>" in text


@pytest.mark.parametrize(("kind", "title"), [("guard", "Is *it* &lt;well&gt;?"), ("fix", "Did it help?")])
def test_a_report_without_a_fix_is_headed_by_its_case(kind: str, title: str, folder: Path) -> None:
    book = made.write_notebook(folder, "00-report", made.words("# Did it help?\n\nIn words."), made.code())
    made.write_run(folder, [made.finding(kind=kind)], [book], "Is *it*\n<well>?")
    text = (folder / "report.html").read_text()
    [shown] = re.findall(r"<h1[^>]*>(.*?)(?:<a[^>]*>.*?</a>)?</h1>", text)
    assert shown == title and "In words." in text


def test_a_run_without_findings_or_evidence_still_has_a_page(folder: Path) -> None:
    made.write_run(
        folder,
        [],
        [],
        summary=None,
        verdict="error",
        reason="missing",
        sentence="COULD NOT LOOK: no notebook judged it",
    )
    text = (folder / "report.html").read_text()
    assert "COULD NOT LOOK" in text and "no notebook judged it" in text


def test_the_run_of_an_older_version_is_still_rendered(folder: Path) -> None:
    old = made.write_notebook(folder, "01-old", made.words("# Old"), made.code(made.card(made.finding())))
    content = made.run_content(folder, [made.finding()], [old], schema_version=1)
    for later in ("summary", "source", "next_review"):
        del content[later]
    writer.write(folder, run=record.RunRecord.from_json(content), executed=[old], options=writer.Options())
    text = (folder / "report.html").read_text()
    assert (
        "NOT FIXED" in text
        and 'id="finding-x"' in text
        and "all is well" in (folder / "summary.md").read_text()
    )


def test_an_altered_page_is_noticed(folder: Path) -> None:
    made.run_that_says(folder, "all is well")
    path = folder / "report.html"
    assert all(answer.held for answer in verify.report(path))
    path.write_text(path.read_text().replace("NOT FIXED", "FIXED"))
    assert [answer.held for answer in verify.report(path)] == [False, True]


def test_a_page_of_another_run_is_noticed(folder: Path) -> None:
    content = json.loads(json.dumps(made.run_that_says(folder, "all is well").to_json()))
    content["findings"][0]["verdict"] = "pass"
    (folder / "run.json").write_text(json.dumps(content))
    answers = verify.report(folder / "report.html")
    assert [answer.held for answer in answers] == [True, False] and "findings_sha256" in answers[1].what


@pytest.mark.parametrize("kind", ["line", "bar", "stacked", "times", "lying", "other"])
def test_a_chart_has_words_a_table_and_a_picture(kind: str) -> None:
    data: dict[str, list[dict[str, Any]]] = {
        "line": [{"type": "scatter", "mode": "lines", "name": "a", "x": {"dtype": "f8", "bdata": "AAAAAAAA8D8AAAAAAAAAQA=="}, "y": [1, 2]}],
        "bar": [{"type": "bar", "name": "a", "x": ["p", "q"], "y": [1, 2]}, {"type": "bar", "name": "b", "x": ["q"], "y": [3]}],
        "stacked": [{"type": "bar", "name": "a", "x": ["p"], "y": [1]}, {"type": "bar", "name": "b", "x": ["p"], "y": [3]}],
        "times": [{"type": "scatter", "mode": "markers", "x": ["2026-01-01T00:00:00+00:00", "2026-01-01T00:01:00+00:00"], "y": ["<b>one</b>", "two"]}],
        "lying": [{"type": "bar", "orientation": "h", "x": [1, 2], "y": ["p", "q"]}],
        "other": [{"type": "pie", "values": [1, 2]}],
    }  # fmt: skip
    figure = {
        "data": data[kind],
        "layout": {"title": {"text": "A title"}, "barmode": "stack" if kind == "stacked" else "group"},
    }
    assert chart_fallbacks.in_words(figure).startswith("A title.") and "<table" in chart_fallbacks.table(
        figure
    )
    if kind == "other":
        with pytest.raises(ValueError, match="pie"):
            chart_fallbacks.picture(figure)
    else:
        assert chart_fallbacks.picture(figure).startswith(b"\x89PNG")
    if kind == "line":
        assert "<td>1</td><td>1</td>" in chart_fallbacks.table(figure)
