"""The index of runs follows the runs, the page shows them all, pruning keeps what one would miss, and comparing tells change from chance."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import made
import pytest
from conftest import proofbook

from proofbook.judge.findings import Estimate, Verdict
from proofbook.report import index
from proofbook.runs import diff, due, history, record
from proofbook.runs.history import Entry

Open = Callable[..., tuple[Any, list[str]]]
NOW = dt.datetime(2026, 1, 31, tzinfo=dt.UTC)


@pytest.fixture
def base(workspace: Path, tmp_path: Path) -> Path:
    """A workspace without runs."""
    shutil.copytree(workspace / "notebooks", tmp_path / "w" / "notebooks")
    return tmp_path / "w"


def add(
    base: Path,
    run_id: str,
    verdict: str = "pass",
    *,
    environment: str = "staging",
    case: str = "c",
    **more: Any,
) -> Path:
    folder = base / "outputs" / environment / run_id
    made.write_run(
        folder,
        [made.finding("x", "all is well", Verdict(verdict))],
        [],
        case=case,
        verdict=verdict,
        sentence=f"{verdict.upper()}: so it is",
        **more,
    )
    return folder


def entry(run_id: str, verdict: str = "pass", *, reason: str = "", case: str = "c") -> Entry:
    return Entry(
        environment="staging",
        run_id=run_id,
        case=case,
        verdict=verdict,
        reason=reason,
        sentence="",
        started="",
        counts={},
        has_report=True,
        stamp="",
    )


def ids(entries: list[Entry]) -> list[str]:
    return [item.run_id for item in entries]


def test_the_index_follows_what_is_added_altered_deleted_and_broken(base: Path) -> None:
    assert index.read(base=base) == []
    first, second = add(base, "20260101T000000Z-0000"), add(base, "20260102T000000Z-0000", "fail")
    assert [(item.run_id, item.verdict) for item in index.read(base=base)] == [
        (first.name, "pass"),
        (second.name, "fail"),
    ]
    content = json.loads((first / "run.json").read_text())
    (first / "run.json").write_text(json.dumps({**content, "verdict": "inconclusive"}))
    (second / "run.json").write_text("{")
    third = add(base, "20260103T000000Z-0000")
    assert [(item.run_id, item.verdict, item.reason) for item in index.read(base=base)] == [
        (first.name, "inconclusive", "still-there"), (second.name, "error", "unreadable"), (third.name, "pass", "still-there"),
    ]  # fmt: skip
    shutil.rmtree(first)
    for broken in ("", "[]", '{"schema_version": 1, "runs": [{}]}'):
        (base / "outputs" / history.INDEX).write_text(broken)
        assert ids(index.read(base=base)) == [second.name, third.name]


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ({"verdict": "degraded"}, "verdict"), ({"sentence": None}, "sentence"), ({"case": None}, "case"), ({"started": None}, "started"),
        ({"findings": "many"}, ""), ({"schema_version": 99}, "expected schema version"),
    ],
)  # fmt: skip
def test_a_damaged_run_is_an_error_of_its_own_and_spoils_no_other(
    damage: dict[str, Any], said: str, base: Path
) -> None:
    first, _ = add(base, "20260101T000000Z-0000"), add(base, "20260102T000000Z-0000")
    content = json.loads((first / "run.json").read_text())
    (first / "run.json").write_text(json.dumps({**content, **damage}))
    for _ in range(2):  # read, then from the index
        broken, well = index.read(base=base)
        assert (broken.verdict, broken.reason, well.verdict) == ("error", "unreadable", "pass")
        assert said in broken.sentence
    # The same damage in the index, which can be made again.
    kept = base / "outputs" / history.INDEX
    kept.write_text(kept.read_text().replace('"verdict":"pass"', '"verdict":"degraded"'))
    assert [item.verdict for item in index.read(base=base)] == ["error", "pass"]
    assert history.prunable(index.read(base=base), keep=1, now=NOW) == []


def test_what_is_no_run_among_the_runs_is_passed_over_and_one_of_the_future_is_listed(base: Path) -> None:
    run = add(base, "20260101T000000Z-0000")
    environment = run.parent
    (environment / "20260102T000000Z-0000").write_text("a file")
    (environment / "20260103T000000Z-0000").symlink_to("nowhere")
    (environment / "20260104T000000Z-0000").mkdir(mode=0)
    (environment / "baseline.json").write_text("{")
    (base / "outputs" / "a-file").write_text("")
    (base / "outputs" / "b-link").symlink_to(environment)
    future = add(base, "29990101T000000Z-0000")
    entries = index.read(base=base)
    assert ids(entries) == [run.name, future.name]
    assert ids(history.prunable(entries, keep=1, now=NOW)) == [run.name]
    done = proofbook("prune", "--keep", "1", cwd=base, workspace=base)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("damage", [{"schema_version": 99}, {"schema_version": None}])
def test_a_run_of_another_version_is_not_what_changes_are_told_from(
    damage: dict[str, Any], base: Path
) -> None:
    first, second = add(base, "20260101T000000Z-0000"), add(base, "20260102T000000Z-0000")
    found = diff.last_before(second, case="c")
    assert found is not None and found.run_id == first.name
    (first / "run.json").write_text(json.dumps({**found.to_json(), **damage}))
    assert diff.last_before(second, case="c") is None


def test_an_unchanged_run_is_not_read_again(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add(base, "20260101T000000Z-0000")
    index.read(base=base)
    monkeypatch.setattr(history.record, "read", lambda folder: pytest.fail(f"{folder} was read again"))
    assert ids(index.read(base=base)) == ["20260101T000000Z-0000"]


@pytest.mark.extended
@pytest.mark.browser
def test_the_page_shows_every_run_and_filters_them(base: Path, open_page: Open) -> None:
    for day, verdict in enumerate(("fail", "inconclusive", "pass", "pass"), start=1):
        add(base, f"2026010{day}T000000Z-0000", verdict)
    add(base, "20260105T000000Z-0000", environment="other", case="")
    (base / "outputs" / "other" / "20260106T000000Z-0000").mkdir()
    (base / "outputs" / "other" / "20260106T000000Z-0000" / "run.json").write_text(
        "<script>alert(1)</script>"
    )
    index.refresh(base=base)
    plain, wrong = open_page(base / "outputs" / index.PAGE, script=False)
    assert "proofbook history" in plain.locator("main").inner_text()
    narrow, also_wrong = open_page(base / "outputs" / index.PAGE, width=390)
    assert narrow.locator("tr[data-verdict]").count() == 6 and narrow.locator(".pb-marks li").count() == 6
    assert narrow.locator("html").evaluate("e => e.scrollWidth") <= 390
    page, more_wrong = open_page(base / "outputs" / index.PAGE)
    page.locator("select[name=verdict]").select_option("pass")
    assert page.locator("tr[data-verdict]:visible").count() == 3
    page.locator("input[name=words]").fill("staging 20260104")
    assert page.locator("#pb-found").inner_text() == "1 of 6 runs shown"
    page.locator("tr[data-verdict]:visible a").click()
    assert page.locator(".pb-verdict").is_visible()
    assert wrong + also_wrong + more_wrong == []


@pytest.mark.browser
def test_the_page_makes_the_rows_that_are_in_view_and_searches_all(base: Path, open_page: Open) -> None:
    (base / "outputs").mkdir()
    many = [
        replace(
            entry(f"2026{month:02}{day:02}T000000Z-0000", reason="x"),
            sentence=f"run of {month}/{day} \u202e <b>&amp;</b>",
        )
        for month in range(1, 13)
        for day in range(1, 29)
    ]
    history.write_index(many, base=base)
    (base / "outputs" / index.PAGE).write_text(index.render())
    (base / "outputs" / due.FILE).write_text("")
    page, wrong = open_page(base / "outputs" / index.PAGE)
    rows = page.locator("tr[data-verdict]")
    assert rows.count() == 25 and "12/28" in rows.first.inner_text()
    assert rows.first.locator("td").nth(1).inner_text() == "run of 12/28 \\u202e <b>&amp;</b>"
    page.locator("button.pb-more").click()
    assert rows.count() == 50 and page.locator("button.pb-more").inner_text() == "Show 25 more of 286"
    page.locator("input[name=words]").fill("run 12/")
    assert rows.count() == 25 and page.locator("#pb-found").inner_text() == "28 of 336 runs shown"
    page.locator("input[name=words]").fill("nothing")
    assert rows.count() == 0 and page.locator(".pb-group:visible").count() == 0
    assert wrong == []


def test_the_end_of_a_run_adds_a_line_and_reads_no_other_run(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = add(base, "20260101T000000Z-0000")
    index.add(first, base=base)
    assert (base / "outputs" / index.PAGE).is_file()
    second = add(base, "20260102T000000Z-0000", "fail")
    read = record.read
    monkeypatch.setattr(history.record, "read", lambda folder: read(folder) if folder == second else pytest.fail(f"{folder} was read"))  # fmt: skip
    index.add(second, base=base)
    # Continued: what it became last counts.
    content = json.loads((second / "run.json").read_text())
    (second / "run.json").write_text(json.dumps({**content, "verdict": "inconclusive"}))
    index.add(second, base=base)
    monkeypatch.setattr(history.record, "read", lambda folder: pytest.fail(f"{folder} was read again"))
    assert len((base / "outputs" / history.INDEX).read_text().splitlines()) == 4
    assert [(item.run_id, item.verdict) for item in history.entries(base=base)] == [
        (first.name, "pass"),
        (second.name, "inconclusive"),
    ]


@pytest.mark.parametrize(
    "damage",
    ["", "\n", "run({", "// another version\n", None, '// cut\nrun({"environment":"staging","run_id":"2026'],
)
def test_an_index_that_was_cut_or_altered_is_written_anew(damage: str | None, base: Path) -> None:
    first = add(base, "20260101T000000Z-0000")
    index.add(first, base=base)
    kept = base / "outputs" / history.INDEX
    whole = kept.read_text()
    kept.write_text(whole[:-10] if damage is None else damage)
    index.add(add(base, "20260102T000000Z-0000"), base=base)
    assert kept.read_text().startswith(whole) and len(kept.read_text().splitlines()) == 3


def test_pruning_keeps_the_newest_and_the_last_that_passed_and_failed() -> None:
    runs = [
        entry("20260101T000000Z-0000", "fail"),
        entry("20260102T000000Z-0000"),
        *(entry(f"202601{day:02}T000000Z-0000", "inconclusive") for day in range(3, 9)),
    ]
    assert ids(history.prunable(runs, keep=2, now=NOW)) == [
        f"202601{day:02}T000000Z-0000" for day in range(3, 7)
    ]
    assert history.prunable(runs, keep=8, now=NOW) == []
    assert ids(history.prunable(runs, keep=2, older_than_days=26.5, now=NOW)) == [
        "20260103T000000Z-0000",
        "20260104T000000Z-0000",
    ]
    assert (
        history.prunable(
            [entry("20260101T000000Z-0000", case="a"), entry("20260102T000000Z-0000", case="b")],
            keep=1,
            now=NOW,
        )
        == []
    )
    fresh = [
        entry("20260130T180000Z-0000", "error", reason="unfinished"),
        entry("20260130T190000Z-0000", "error"),
    ]
    assert history.prunable(fresh, keep=1, now=NOW) == []


@pytest.mark.slow
def test_prune_lists_first_and_deletes_only_when_told(base: Path) -> None:
    folders = [add(base, f"2026010{day}T000000Z-0000") for day in range(1, 5)]
    listed = proofbook("prune", "--keep", "2", cwd=base, workspace=base)
    assert (
        listed.returncode == 0
        and "2 of 4 runs would be deleted" in listed.stdout
        and all(path.exists() for path in folders)
    )
    done = proofbook("prune", "staging", "--keep", "2", "--yes", cwd=base, workspace=base)
    assert done.returncode == 0 and [path.exists() for path in folders] == [False, False, True, True], (
        done.stdout
    )
    for wrong in (["prune", "nowhere", "--keep", "2"], ["prune", "--keep", "2", "--older-than", "soon"]):
        assert proofbook(*wrong, cwd=base, workspace=base).returncode == 2


def test_history_prints_the_newest_and_says_how_to_see_more(base: Path) -> None:
    for day in range(1, 24):
        add(base, f"202601{day:02}T000000Z-0000")
    told = proofbook("history", cwd=base, workspace=base).stdout
    assert told.count("PASS: so it is") == 20 and "20260123" in told and "20260103" not in told
    assert "the last 20 of 23 runs; more: proofbook history --last 23" in told
    assert proofbook("history", "--last", "23", cwd=base, workspace=base).stdout.count("so it is") == 23
    assert len(json.loads(proofbook("history", "--json", cwd=base, workspace=base).stdout)) == 23


def test_history_prints_all_runs_or_those_of_one_environment(base: Path) -> None:
    add(base, "20260101T000000Z-0000")
    add(base, "20260102T000000Z-0000", "fail", environment="other")
    told = json.loads(proofbook("history", "--json", cwd=base, workspace=base).stdout)
    assert [(item["environment"], item["verdict"]) for item in told] == [
        ("staging", "pass"),
        ("other", "fail"),
    ]
    assert "FAIL: so it is" in proofbook("history", "other", cwd=base, workspace=base).stdout
    assert "no runs of nothing yet" in proofbook("history", "nothing", cwd=base, workspace=base).stdout


def rate(
    value: float, low: float, high: float, verdict: Verdict = Verdict.PASS, unit: str = "fraction"
) -> Any:
    return made.finding(
        "x", "all is well", verdict, estimate=Estimate(value=value, low=low, high=high, unit=unit)
    )


@pytest.mark.parametrize(
    ("later", "beyond", "words"),
    [
        (rate(0.70, 0.60, 0.78), False, "no change"),
        (rate(0.95, 0.90, 0.98), True, "same verdict but another value: x"),
        (rate(0.70, 0.60, 0.78, Verdict.FAIL), False, "x pass → fail"),
        (rate(0.95, 0.90, 0.98, unit="s"), False, "no change"),
        (made.finding("x", "all is well", Verdict.PASS, estimate=None), False, "no change"),
    ],
)
def test_a_change_of_value_counts_only_beyond_chance(later: Any, beyond: bool, words: str) -> None:
    [change] = diff.between([rate(0.68, 0.58, 0.77)], [later])
    assert change.beyond_noise is beyond and diff.in_words([change]) == words


def test_a_finding_of_one_run_only_is_a_change() -> None:
    assert [(item.was, item.now) for item in diff.between([], [made.finding()])] == [("not judged", "fail")]
    assert [(item.was, item.now) for item in diff.between([made.finding()], [])] == [("fail", "not judged")]


def test_the_last_run_before_is_of_the_same_case_and_finished(base: Path) -> None:
    add(base, "20260101T000000Z-0000")
    add(base, "20260102T000000Z-0000", case="another")
    add(base, "20260103T000000Z-0000", ended=None)
    (base / "outputs" / "staging" / "20260104T000000Z-0000").mkdir()
    found = diff.last_before(base / "outputs" / "staging" / "20260105T000000Z-0000", case="c")
    assert found is not None and found.run_id == "20260101T000000Z-0000"
    assert diff.last_before(base / "outputs" / "staging" / "20260101T000000Z-0000", case="c") is None
