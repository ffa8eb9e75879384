"""A check counts only if it could have failed: judged on before, on mutants, and without its evidence."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import recorded

from proofbook.config.case import CheckSettings, Deployment, Risk, Waiver
from proofbook.errors import UnknownName
from proofbook.evidence.store import read
from proofbook.judge.check import Check
from proofbook.judge.checks.revisions import new_one_serves
from proofbook.judge.checks.symptoms import compare
from proofbook.judge.findings import Verdict
from proofbook.judge.settle import _judge, settle
from proofbook.judge.view import View
from proofbook.judge.window import find_windows
from proofbook.notebook.book import Book
from proofbook.validation import Assessment, Validation

pytestmark = pytest.mark.waits


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Book:
    """Over recorded evidence: a machine that is busy while it is recorded leaves some guards nothing to judge."""
    folder = recorded.evidence_of("healthy", to=tmp_path_factory.mktemp("healthy"))
    return Book(recorded.asked_of("healthy", base=folder).over(read(folder)))


def test_no_fix_claim_passes_on_the_evidence_from_before(book: Book) -> None:
    claims = [check for check in book.declared.values() if check.kind == "fix"]
    assert len(claims) == 4
    for check in claims:
        assert _judge(check.recipe, book.view.as_before()).verdict is Verdict.FAIL, check.id


def test_no_guard_passes_on_any_of_its_mutants_and_every_guard_has_some(book: Book) -> None:
    for check in book.declared.values():
        if check.kind == "guard":
            mutants = [mutant.change(book.view) for mutant in check.recipe.mutants]
            assert any(view is not None for view in mutants), check.id
            for mutant, view in zip(check.recipe.mutants, mutants, strict=True):
                if view is not None:
                    verdict = _judge(check.recipe, view).verdict
                    assert verdict is not Verdict.PASS, f"{check.id}: {mutant.name}"
                    # As a mutant is judged: without words and controls.
                    bare = _judge(check.recipe, replace(view, verdict_only=True))
                    assert bare.verdict is verdict, f"{check.id}: {mutant.name}"


@pytest.mark.parametrize("empty", [False, True])
def test_without_its_evidence_no_check_passes(book: Book, empty: bool) -> None:
    for check in book.declared.values():
        read = replace(book.view, reads={})
        _judge(check.recipe, read)
        gone = next(name for _, name in read.reads)

        def tables(name: str, phase: str, gone: str = gone) -> pd.DataFrame | None:
            table = book.view.tables(name, phase)
            if name == gone:
                return table.iloc[0:0] if empty and table is not None else None
            return table

        found = settle(check, replace(book.view, tables=tables))
        assert found.verdict is Verdict.INCONCLUSIVE, f"{check.id}: {found.statement}"
        assert found.needed is not None, check.id


def test_with_nothing_recorded_before_a_fix_is_absent_at_best(book: Book) -> None:
    view = replace(
        book.view,
        tables=lambda name, phase: book.view.tables(name, phase) if phase != "before" else None,
        windows=replace(book.view.windows, before=None),
    )
    for check in book.declared.values():
        if check.kind == "fix":
            found = settle(check, view)
            assert found.reason in ("absent", "too-early"), f"{check.id}: {found.verdict} {found.statement}"
            assert found.statement.startswith("absent")


def test_adding_a_failure_after_the_fix_never_helps(book: Book) -> None:
    order = [Verdict.PASS, Verdict.INCONCLUSIVE, Verdict.FAIL]
    previous = 0
    for hits in (0, 1, 2, 10):
        judged = compare(
            book.view,
            what="closed",
            unit="connections",
            hits=hits,
            count=365,
            before=(60, 60),
            example="",
            tolerated_rate=0.01,
            absent_rate=0.01,
        )
        assert order.index(judged.verdict) >= previous
        previous = order.index(judged.verdict)


def test_shuffled_samples_give_the_same_findings(book: Book) -> None:
    shuffled = {
        ("after", name): table.sample(frac=1, random_state=1)
        for name in (
            "websocket",
            "health",
            "refusals",
            "identities",
            "log_rhythm",
            "log_matches",
            "log_kind_times",
            "latency",
            "metrics",
        )
        if (table := book.view.tables(name, "after")) is not None
    }
    view = replace(book.view, exchanged=shuffled)
    for check in book.declared.values():
        assert settle(check, view).verdict is settle(check, book.view).verdict, check.id


def test_the_deployment_is_found_in_the_log_when_nothing_else_names_it() -> None:
    start = pd.Timestamp("2026-01-01T00:00:00Z")
    times = [start + pd.Timedelta(minutes=index) for index in range(10)]
    logs = pd.DataFrame({"first": times, "last": times, "service_version": ["r-1"] * 6 + ["r-2"] * 4})
    windows = find_windows(
        lambda name, phase: logs if (phase, name) == ("after", "log_rhythm") else None, phases={}
    )
    assert (windows.old_revision, windows.new_revision) == ("r-1", "r-2")
    assert windows.deployed_at == start + pd.Timedelta(minutes=6)
    assert windows.before == (start, start + pd.Timedelta(minutes=6))
    alone = logs.assign(service_version="r-1")
    windows = find_windows(
        lambda name, phase: alone if (phase, name) == ("after", "log_rhythm") else None, phases={}
    )
    assert windows.deployed_at is None and windows.before is None


def test_a_revision_that_health_names_otherwise_than_the_log_is_not_taken_for_another() -> None:
    start = pd.Timestamp("2026-01-01T00:00:00Z")
    times = [start + pd.Timedelta(minutes=index) for index in range(10)]

    def windows_of(revisions: list[str], health: str, stated: pd.Timestamp | None = None) -> Any:
        tables = {
            "log_rhythm": pd.DataFrame({"first": times, "last": times, "service_version": revisions}),
            "health": pd.DataFrame({"service": ["a"] * 3, "kind": ["health"] * 3, "revision": [health] * 3}),
        }
        deployment = None if stated is None else Deployment(time=stated.to_pydatetime())
        return tables, find_windows(
            lambda name, phase: tables.get(name) if phase == "after" else None,
            phases={},
            deployment=deployment,
        )

    # With one revision in the log, the name that health gives must not make the log's own entries foreign.
    _, windows = windows_of(["api-2"] * 10, "2.3.1", start + pd.Timedelta(minutes=5))
    assert windows.new_revision == "api-2"
    _, windows = windows_of(["api-2"] * 10, "api-2")
    assert windows.new_revision == "api-2"
    tables, windows = windows_of(["api-1"] * 6 + ["api-2"] * 4, "2.3.1")
    check = Check(id="x", kind="guard", claim="x", group="own", recipe=new_one_serves("a", expected=None))
    view = View(tables=lambda name, phase: tables.get(name) if phase == "after" else None, windows=windows)
    found = settle(check, view)
    assert (found.verdict, found.reason) == (Verdict.INCONCLUSIVE, "no-revision")
    assert "names of two kinds" in found.statement
    # An old revision that still serves is seen as before.
    tables, windows = windows_of(["api-1"] * 6 + ["api-2"] * 4, "api-1")
    view = View(tables=lambda name, phase: tables.get(name) if phase == "after" else None, windows=windows)
    assert settle(check, view).reason == "old-revision"


def test_an_unknown_check_names_the_nearest_and_a_pattern_may_match_nothing(book: Book) -> None:
    with pytest.raises(UnknownName, match="did you mean 'websocket-connection'"):
        book.check("websocket-conection")
    book.check("no-such-*")
    assert "no-such-*" not in book.findings


def test_a_log_that_could_not_be_read_is_inconclusive_with_its_reason(book: Book) -> None:
    sources = book.view.need("log_sources").assign(problem="expected a file at backend.jsonl, found none")
    found = settle(book.declared["log-coverage"], book.view.exchange("log_sources", sources))
    assert (found.verdict, found.reason) == (Verdict.INCONCLUSIVE, "no-log")
    assert "expected a file at backend.jsonl" in found.statement


def test_an_open_risk_voids_the_finding_that_it_names_and_a_waiver_ends(
    workspace: Path, healthy_evidence: Path
) -> None:
    asked = Validation.load("rehearsal", base=workspace)
    where, what = asked.environment, asked.case
    risk = Risk(title="bypass", status="open", voids=["websocket-authentication"])
    waiver = Waiver(by="Ada", until=dt.date(2026, 1, 1), why="none")
    late = CheckSettings(waived=waiver)
    lasting = CheckSettings(waived=waiver.model_copy(update={"until": dt.date(2999, 1, 1)}))
    changed = what.model_copy(
        update={"risks": [risk], "checks": {"health-auth": late, "health-backend": lasting}}
    )
    found = {item.id: item for item in Assessment.of(where, changed, read(healthy_evidence)).judge_all()}
    assert (found["websocket-authentication"].verdict, found["websocket-authentication"].reason) == (
        Verdict.INCONCLUSIVE,
        "voided",
    )
    assert found["health-auth"].waived == ""
    assert found["health-backend"].waived == "waived by Ada until 2999-01-01"
