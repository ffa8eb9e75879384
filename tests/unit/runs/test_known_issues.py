"""What counts as before, and what is known: pinned runs, and issues that a person accepted until a date."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import builders
import made
import pytest
from conftest import proofbook

from proofbook.collect.logs import reader as log_reader
from proofbook.config import case, environment
from proofbook.config.sources import LogSource
from proofbook.errors import ProofbookError, UsageError
from proofbook.evidence import baseline, store
from proofbook.judge.findings import Verdict
from proofbook.notebook.book import Book
from proofbook.report import result, summary
from proofbook.runs import earlier, history, known_issues, record
from proofbook.runs.earlier import Earlier
from proofbook.runs.record import Summary
from proofbook.validation import Assessment

TODAY = dt.date(2026, 1, 5)
ENVIRONMENT = """
[[service]]
name = "api"
url = "http://127.0.0.1:1"
[[service]]
name = "shop"
url = "http://127.0.0.1:1"
critical = false
"""


def health(folder: Path, phase: str, day: dt.date, *, shop_fails: bool) -> None:
    """A recorded phase in which both services were asked often, and one failed or not."""
    at = dt.datetime(day.year, day.month, day.day, 9, tzinfo=dt.UTC)
    rows = [
        {"service": name, "kind": kind, "timestamp": at, "status": 200 if kind == "health" else 404,
         "ok": kind == "health" and not (name == "shop" and shop_fails)}
        for name in ("api", "shop") for kind in ("health",) * 72 + ("unknown-path",) * 5
    ]  # fmt: skip
    builders.write(folder, {"health": builders.health(*rows)}, at=at, phase=phase)


def judged(base: Path, run: str, day: dt.date, *, shop_fails: bool) -> Summary:
    """A run of that day, kept as the runner keeps it; gives its summary."""
    folder = base / "outputs" / "e" / run
    health(folder / "evidence", "after", day, shop_fails=shop_fails)
    path = base / "e.toml"
    path.write_text(ENVIRONMENT)
    where, what = environment.load(str(path), base=base), case.load("", base=base)
    recorded = store.read(folder / "evidence")
    book = Book(Assessment.of(where, what, recorded))
    found = book.judge_all()
    told = summary.of(result.of_findings(book.assessment, found, folder=folder))
    made.write_run(folder, found, [], case="", verdict=told.verdict, ended=f"{day.isoformat()}T09:01:00.000Z")
    return told


@pytest.mark.slow
def test_a_known_issue_is_shown_is_no_news_changes_no_verdict_and_comes_back(in_folder: Path) -> None:
    (in_folder / "notebooks").mkdir()
    first = judged(in_folder, "20260104T090000Z-0000", dt.date(2026, 1, 4), shop_fails=False)
    assert first.verdict == "pass" and "health-shop" not in first.beside
    broken = judged(in_folder, "20260105T090000Z-0000", TODAY, shop_fails=True)
    assert broken.verdict == "pass" and "Not required, did not pass: health-shop: 0 of 72" in broken.beside
    assert "health-shop pass → fail" in broken.since
    folder = in_folder / "outputs" / "e" / "20260105T090000Z-0000"
    known_issues.accept(
        record.read(folder),
        "health-shop",
        environment=folder.parent,
        by="Ada",
        until=dt.date(2026, 1, 7),
        why="moves on Friday",
        today=TODAY,
    )
    # The same evidence as before, with what is known now.
    shown = judged(in_folder, "20260105T100000Z-0000", TODAY, shop_fails=True)
    assert shown.verdict == broken.verdict and "Not required, did not pass" not in shown.beside
    assert "Known: health-shop (known, accepted by Ada until 2026-01-07: moves on Friday)." in shown.beside
    assert "no change" in shown.since
    over = judged(in_folder, "20260108T090000Z-0000", dt.date(2026, 1, 8), shop_fails=True)
    assert over.verdict == "pass" and "Not required, did not pass: health-shop: 0 of 72" in over.beside
    assert "nothing at once" in over.advice


@pytest.mark.parametrize(
    ("finding", "told", "sentence"),
    [
        ("health-shopp", {}, "there is no finding 'health-shopp' in run 20260105T090000Z-0000; did you mean 'health-shop'?"),
        ("health-api", {}, "health-api passed in run 20260105T090000Z-0000: there is nothing to accept"),
        ("health-shop", {"until": dt.date(2026, 1, 4)}, "--until: expected a date that is not over, got 2026-01-04"),
        ("health-shop", {"why": " "}, "--why: expected a text, got nothing"),
    ],
)  # fmt: skip
def test_what_cannot_be_accepted_is_one_sentence(
    in_folder: Path, finding: str, told: dict[str, Any], sentence: str
) -> None:
    judged(in_folder, "20260105T090000Z-0000", TODAY, shop_fails=True)
    words: dict[str, Any] = {"by": "Ada", "until": dt.date(2026, 1, 7), "why": "so", "today": TODAY} | told
    with pytest.raises(ProofbookError) as raised:
        folder = in_folder / "outputs" / "e"
        known_issues.accept(
            record.read(folder / "20260105T090000Z-0000"), finding, environment=folder, **words
        )
    assert str(raised.value) == sentence
    assert not (in_folder / "outputs" / "e" / known_issues.FILE).exists()


@pytest.mark.slow
def test_a_pinned_run_counts_as_before_and_is_not_pruned(in_folder: Path) -> None:
    base = in_folder
    judged(base, "20260101T090000Z-0000", dt.date(2026, 1, 1), shop_fails=True)
    for day in range(2, 6):
        judged(base, f"2026010{day}T090000Z-0000", dt.date(2026, 1, day), shop_fails=False)
    (base / "notebooks").mkdir(exist_ok=True)
    (base / "notebooks" / "02-websocket.ipynb").write_text("{}")
    pinned = proofbook("baseline", "20260102T090000Z-0000", cwd=base, workspace=base)
    assert pinned.returncode == 0 and "after of run 20260102T090000Z-0000 counts as before" in pinned.stdout
    assert baseline.pinned(base / "outputs" / "e") == "20260102T090000Z-0000"
    listed = proofbook("prune", "--keep", "1", cwd=base, workspace=base).stdout
    assert "20260102T090000Z-0000" not in listed and "20260103T090000Z-0000" in listed
    into = base / "outputs" / "e" / "20260106T090000Z-0000" / "evidence"
    said = baseline.take(base / "outputs" / "e" / "20260102T090000Z-0000", into=into)
    taken = store.read(into)
    assert said == "taken from after of run 20260102T090000Z-0000" and taken.altered() == []
    assert taken.manifest.phases["before"].planned[0] == said
    # What was altered since is not taken.
    table = base / "outputs" / "e" / "20260103T090000Z-0000" / "evidence" / "after" / "health.parquet"
    table.write_bytes(table.read_bytes() + b"x")
    with pytest.raises(ProofbookError, match="cannot count as before"):
        baseline.take(base / "outputs" / "e" / "20260103T090000Z-0000", into=base / "elsewhere")
    # A baseline that is gone is named as what it is, with the way out.
    asked: Any = SimpleNamespace(
        base=base, environment=SimpleNamespace(name="e"), case=SimpleNamespace(before="auto")
    )
    pinned_run = base / "outputs" / "e" / "20260102T090000Z-0000"
    assert earlier.of("", asked) == Earlier(folder=pinned_run.resolve())
    pinned_run.rename(base / "aside")
    with pytest.raises(
        UsageError, match=r"pinned as the baseline of e, is gone; .* proofbook baseline RUN --end"
    ):
        earlier.of("", asked)
    assert proofbook("baseline", "20260104T090000Z-0000", "--end", cwd=base, workspace=base).returncode == 0
    assert earlier.of("", asked) is None
    (base / "aside").rename(pinned_run)
    assert proofbook("baseline", "20260102T090000Z-0000", cwd=base, workspace=base).returncode == 0
    assert proofbook("baseline", "20260102T090000Z-0000", "--end", cwd=base, workspace=base).returncode == 0
    assert baseline.pinned(base / "outputs" / "e") == ""
    assert proofbook("baseline", "nowhere", cwd=base, workspace=base).returncode == 2


def test_the_command_line_accepts_and_refuses(in_folder: Path) -> None:
    base = in_folder
    judged(base, "20260105T090000Z-0000", TODAY, shop_fails=True)
    (base / "notebooks").mkdir(exist_ok=True)
    (base / "notebooks" / "02-websocket.ipynb").write_text("{}")
    words = ("accept", "20260105T090000Z-0000", "health-shop", "--by", "Ada", "--why", "moves", "--until")
    done = proofbook(*words, "2126-01-07", cwd=base, workspace=base)
    assert done.returncode == 0 and "its verdict stays what it is" in done.stdout, done.stderr
    assert json.loads((base / "outputs" / "e" / known_issues.FILE).read_text())[0]["by"] == "Ada"
    assert proofbook(*words, "soon", cwd=base, workspace=base).returncode == 2
    (base / "outputs" / "e" / known_issues.FILE).write_text("[1]")
    wrong = proofbook(*words, "2126-01-07", cwd=base, workspace=base)
    assert (
        wrong.returncode == 2
        and "expected the known issues as `proofbook accept` writes them" in wrong.stderr
    )
    assert history.entries(base=base)[0].verdict == Verdict.PASS.value


@pytest.mark.parametrize(
    ("reason", "kind", "group", "command"),
    [
        ("too-early", "fix", "logs", "proofbook run e --case c --before 20260105T090000Z-0000"),
        ("too-early", "fix", "websocket", "proofbook watch e --case c --before 20260105T090000Z-0000 --every 5m --for 1h"),
        ("too-early", "guard", "services", "proofbook watch e --case c --before 20260105T090000Z-0000 --every 5m --for 1h"),
        ("too-early", "guard", "deployment", 'proofbook collect e --case c --phase rollout --during "your deploy command"    # at the next deployment'),
        ("log-silent", "fix", "logs", "proofbook run e --case c --before 20260105T090000Z-0000"),
        ("never-seen", "fix", "logs", "proofbook run e --case c --evidence 20260105T090000Z-0000    # after adding examples to the case"),
    ],
)  # fmt: skip
def test_what_is_not_known_yet_ends_with_the_command_to_type_next(
    in_folder: Path, reason: str, kind: str, group: str, command: str
) -> None:
    folder = in_folder / "outputs" / "e" / "20260105T090000Z-0000"
    for phase in ("before", "after"):
        health(folder / "evidence", phase, TODAY, shop_fails=False)
    (in_folder / "e.toml").write_text(ENVIRONMENT)
    where = environment.load(str(in_folder / "e.toml"), base=in_folder)
    what = case.Case(title="t").model_copy(update={"name": "c"})
    open_finding = made.finding(verdict=Verdict.INCONCLUSIVE, reason=reason, kind=kind, group=group)
    book = Book(Assessment.of(where, what, store.read(folder / "evidence")))
    found = [*book.judge_all(), open_finding]
    told = summary.of(result.of_findings(book.assessment, found, folder=folder))
    assert told.command == command and told.lines()[-2].strip() == command
    settled = summary.of(result.of_findings(book.assessment, book.judge_all(), folder=folder))
    assert settled.verdict == "pass" and settled.command == ""


@pytest.mark.parametrize(
    ("verdicts", "sentence"),
    [
        ("p", "The fix holds."), ("pp", "Both fixes hold."), ("ppp", "All 3 fixes hold."),
        ("pi", "1 of 2 fixes holds."), ("ppi", "2 of 3 fixes hold."), ("ii", ""), ("p?", "1 of 2 fixes holds."),
    ],
)  # fmt: skip
def test_where_something_else_is_not_known_the_summary_says_which_fixes_hold(
    in_folder: Path, verdicts: str, sentence: str
) -> None:
    folder = in_folder / "outputs" / "e" / "20260105T090000Z-0000"
    health(folder / "evidence", "after", TODAY, shop_fails=False)
    (in_folder / "e.toml").write_text(ENVIRONMENT)
    where = environment.load(str(in_folder / "e.toml"), base=in_folder)
    book = Book(Assessment.of(where, case.Case(title="t"), store.read(folder / "evidence")))
    open_one = made.finding("other", "it is well", Verdict.INCONCLUSIVE, reason="too-few")
    whole = result.of_findings(book.assessment, [*book.judge_all(), open_one], folder=folder)
    fixes = [{"id": f"f{number}", "title": f"F{number}", "symptom": [{"log": f"oops {number}"}]} for number in range(len(verdicts))]  # fmt: skip
    what = case.Case.model_validate({"title": "t", "fix": fixes})
    (in_folder / "e.toml").write_text(f'{ENVIRONMENT}[[log]]\nname = "api"\nfile = "x.log"\n')
    with_log = environment.load(str(in_folder / "e.toml"), base=in_folder)
    words = {"p": Verdict.PASS, "i": Verdict.INCONCLUSIVE}
    found = [
        made.finding(fix.symptoms[0].check_id, "it is gone", words[letter], kind="fix")
        for fix, letter in zip(what.fixes, verdicts, strict=True)
        if letter in words
    ]
    with_fixes = dataclasses.replace(
        whole,
        assessment=Assessment.of(with_log, what, whole.evidence),
        findings=(*found, open_one),
    )
    told = summary.of(with_fixes)
    assert told.verdict == "inconclusive" and sentence in told.beside
    assert ("hold" in told.beside) is bool(sentence)


@pytest.mark.parametrize("has_log", [True, False])
def test_what_failed_is_followed_by_the_command_that_looks_at_its_own_log(
    in_folder: Path, has_log: bool
) -> None:
    run = "20260105T090000Z-0000"
    folder = in_folder / "outputs" / "e" / run
    at = dt.datetime(2026, 1, 5, 9, tzinfo=dt.UTC)
    (in_folder / "log.json").write_text(json.dumps({"timestamp": at.isoformat(), "textPayload": "one"}))
    log_reader.read_logs(LogSource(name="log", file=str(in_folder / "log.json")), base=Path(), to=in_folder / "logs.parquet")  # fmt: skip
    asked = builders.health({"service": "api", "kind": "health", "timestamp": at, "status": 500, "ok": False})
    tables = {"health": asked, **({"logs": in_folder / "logs.parquet"} if has_log else {})}
    store.write_phase(folder / "evidence", environment="e", phase="after", tables=tables, recorded=store.Phase(started=at, ended=at))  # fmt: skip
    (in_folder / "e.toml").write_text(ENVIRONMENT)
    where = environment.load(str(in_folder / "e.toml"), base=in_folder)
    book = Book(Assessment.of(where, case.Case(title="t"), store.read(folder / "evidence")))
    told = summary.of(result.of_findings(book.assessment, [made.finding("bad", "this does not hold")], folder=folder))  # fmt: skip
    assert told.verdict == "fail"
    assert told.command == (f"proofbook look {run} --html look.html    # what is different about what failed" if has_log else "")  # fmt: skip
