"""What a verdict must never do, whatever the evidence: over every subset of what may be missing, and over random changes."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import proofbook
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proofbook.evidence.store import read
from proofbook.judge.findings import Finding, Verdict
from proofbook.judge.reasons import REASONS
from proofbook.judge.settle import settle
from proofbook.judge.verdict import overall
from proofbook.judge.view import View
from proofbook.judge.window import find_windows
from proofbook.notebook.book import Book
from proofbook.validation import Validation

LOGS = ("log_rhythm", "log_matches", "log_patterns", "log_kinds", "log_kind_times", "log_canaries", "log_sources", "log_unread", "log_places", "logs")  # fmt: skip
MISSING = {
    "samples": ("websocket", "health", "refusals", "identities", "latency", "messages", "rollout", "held", "openapi", "answers", "certificates", "shadow", "asked"),
    "logs": LOGS,
    "metrics": ("metrics",),
    "deployment": ("revisions",),
}  # fmt: skip
# Tables that a check takes into account where they are there.
BESIDE = {"shadow", "latency_control", "log_canaries", "log_unread", "logs", "revisions"}
# Whether anything was asked while memory was watched; where nothing else was probed, nobody says that it was.
BESIDE_MEMORY = {"latency", "websocket"}
ORDER = [Verdict.PASS, Verdict.INCONCLUSIVE, Verdict.FAIL]
# How one row of each table shows a failure.
FAILS: dict[str, dict[str, Any]] = {
    "websocket": {"close_code": 1011, "closed_by": "server", "reply_ok": False, "reply_s": 99.0},
    "shadow": {"close_code": 1011, "closed_by": "server", "reply_ok": False},
    "health": {"ok": False},
    "refusals": {"greeted": True, "upgraded": True, "http_status": 101, "close_code": 1000},
    "latency": {"total_s": 5.0},
    "rollout": {"ok": False},
    "held": {"close_code": 1006, "closed_by": "server"},
    "messages": {"body": '{"type": "system_message"}'},
}
QUICK = settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)  # fmt: skip


@pytest.fixture(scope="module")
def book(workspace: Path, healthy_evidence: Path) -> Book:
    return Book(Validation.load("rehearsal", base=workspace).over(read(healthy_evidence)))


@pytest.fixture(scope="module")
def found(book: Book) -> dict[str, Finding]:
    """What every check finds in the evidence as it was recorded."""
    return {item.id: item for item in book.assessment.judge_all()}


@pytest.fixture(scope="module")
def tables_of(found: dict[str, Finding]) -> dict[str, set[str]]:
    """The tables that each check reads, by its finding."""
    return {
        name: {table["name"].partition("/")[2] for table in item.evidence} for name, item in found.items()
    }


def test_a_finding_names_every_recorded_table_that_was_handed_out_for_it(book: Book) -> None:
    digests = book.evidence.digests()
    for check in book.declared.values():
        handed_out = set()

        def tables(name: str, phase: str, handed_out: set[str] = handed_out) -> pd.DataFrame | None:
            handed_out.add(f"{phase}/{name}")
            return book.view.tables(name, phase)

        found = settle(check, replace(book.view, tables=tables), digests=digests)
        named = {item["name"]: item["sha256"] for item in found.evidence}
        assert named == {name: digests[name] for name in handed_out & set(digests)} and named, check.id


def without(book: Book, missing: Iterable[str], *, empty: bool) -> View:
    """The evidence without some kinds of it: tables gone or empty, and nothing that names a revision."""
    view, kinds = book.view, set(missing)
    gone = {name for kind in kinds for name in MISSING[kind]}

    @cache
    def tables(name: str, phase: str) -> pd.DataFrame | None:
        table = view.tables(name, phase)
        if table is None:
            return None
        if name in gone:
            return table.iloc[0:0] if empty else None
        if "deployment" in kinds:
            unnamed = {column: None for column in ("revision", "service_version") if column in table}
            table = table.assign(**unnamed)
        return table

    phases = {name: book.evidence.window(name) for name in ("before", "after")}
    windows = find_windows(tables, phases={name: span for name, span in phases.items() if span is not None})
    return replace(view, tables=tables, windows=windows)


@pytest.mark.usual_cases(8)
@pytest.mark.parametrize("empty", [False, True])
@pytest.mark.parametrize(
    "missing", [subset for size in range(1, 5) for subset in itertools.combinations(MISSING, size)], ids="+".join
)  # fmt: skip
def test_what_is_missing_is_inconclusive_in_every_finding_that_needs_it(
    book: Book, tables_of: dict[str, set[str]], missing: tuple[str, ...], empty: bool
) -> None:
    gone = {name for kind in missing for name in MISSING[kind]} - BESIDE
    view = without(book, missing, empty=empty)
    found = [settle(check, view) for check in book.declared.values()]
    for check, item in zip(book.declared.values(), found, strict=True):
        needs = tables_of[check.id] - (BESIDE_MEMORY if check.id.startswith("memory-") else set())
        if gone & needs:
            assert item.verdict is Verdict.INCONCLUSIVE, f"{item.id}: {item.verdict} {item.statement}"
            assert item.needed is not None and item.reason in REASONS, item.id
        if "deployment" in missing and (check.kind == "fix" or item.id.startswith("deployment-")):
            assert item.verdict is Verdict.INCONCLUSIVE, f"{item.id}: {item.verdict} {item.statement}"
    assert overall(found).verdict is not Verdict.PASS


def test_a_log_that_names_no_revision_holds_what_the_old_one_wrote_against_nobody(book: Book) -> None:
    @cache
    def tables(name: str, phase: str) -> pd.DataFrame | None:
        table = book.view.tables(name, phase)
        unnamed = table is not None and name.startswith("log") and "service_version" in table
        return table.assign(service_version=None) if table is not None and unnamed else table

    phases = {name: book.evidence.window(name) for name in ("before", "after")}
    windows = find_windows(tables, phases={name: span for name, span in phases.items() if span is not None})
    assert windows.after is not None and windows.settled_at is not None
    # The rollout is in the window of after, so that a new revision's first lines count where they are named.
    assert windows.after[0] < windows.settled_at
    view = replace(book.view, tables=tables, windows=windows)
    fixes = [check for check in book.declared.values() if check.kind == "fix" and check.group == "logs"]
    assert len(fixes) == 2
    for check in fixes:
        item = settle(check, view)
        assert item.verdict is Verdict.PASS, f"{item.id}: {item.statement}"


def with_failures(view: View, name: str, share: float, seed: int, *, times: int) -> View:
    """`times` lots of rows of a table made to fail, the later lots beside the earlier."""
    phase = "rollout" if name in ("rollout", "held") else "after"
    rows = view.tables(name, phase)
    assert rows is not None
    order = np.random.default_rng(seed).permutation(len(rows))
    lot = max(1, int(share * len(rows) / 2))
    chosen = rows.index[order[: times * lot]]
    broken = rows.copy()
    for column, value in FAILS[name].items():
        broken.loc[chosen, column] = value
    return view.exchange(name, broken, phase)


@pytest.mark.extended
@QUICK
@given(st.sampled_from(sorted(FAILS)), st.floats(0, 0.6), st.integers(0, 2**32 - 1))
def test_adding_failures_after_the_fix_never_moves_a_verdict_towards_pass(
    book: Book, found: dict[str, Finding], tables_of: dict[str, set[str]], name: str, share: float, seed: int
) -> None:
    # Some failures, then more.
    views = [with_failures(book.view, name, share, seed, times=times) for times in (1, 2)]
    concerned = [check for check in book.declared.values() if name in tables_of[check.id]]
    assert concerned
    for check in concerned:
        verdicts = [found[check.id].verdict, *(settle(check, view).verdict for view in views)]
        ranks = [ORDER.index(verdict) for verdict in verdicts]
        assert ranks == sorted(ranks), f"{check.id}: {ranks}"


@pytest.fixture(scope="module")
def in_order(book: Book) -> Callable[[bool], tuple[View, dict[str, Any]]]:
    """The evidence as it was recorded, or with failures, and what every check finds in it."""

    @cache
    def judged(broken: bool) -> tuple[View, dict[str, Any]]:
        view = with_failures(book.view, "websocket", 0.1, 1, times=1) if broken else book.view
        return view, {check.id: settle(check, view).to_json() for check in book.declared.values()}

    return judged


# Each example shuffles every table and asks every check.
@pytest.mark.extended
@settings(QUICK, max_examples=8)
@given(st.integers(0, 2**32 - 1), st.booleans())
def test_the_order_of_independent_samples_changes_nothing_at_all(
    book: Book, in_order: Callable[[bool], tuple[View, dict[str, Any]]], seed: int, broken: bool
) -> None:
    view, was = in_order(broken)
    names = ("websocket", "shadow", "health", "refusals", "identities", "messages", "latency", "latency_control", "metrics", *LOGS)  # fmt: skip
    chance = np.random.default_rng(seed)
    shuffled = {
        name: table.iloc[chance.permutation(len(table))].reset_index(drop=True)
        for name in names
        if (table := view.table(name)) is not None
    }

    def tables(name: str, phase: str) -> pd.DataFrame | None:
        return shuffled[name] if phase == "after" and name in shuffled else view.tables(name, phase)

    mixed = replace(view, tables=tables, exchanged={})
    for check in book.declared.values():
        assert settle(check, mixed).to_json() == was[check.id], check.id


def test_every_finding_that_is_not_decided_says_what_would_decide_it_and_when(book: Book) -> None:
    @cache
    def few(name: str, phase: str) -> pd.DataFrame | None:
        table = book.view.tables(name, phase)
        return table.head(12) if table is not None and phase == "after" and name in FAILS else table

    found = [settle(check, replace(book.view, tables=few)) for check in book.declared.values()]
    early = [item for item in found if item.reason == "too-early"]
    assert len(early) >= 4
    for item in found:
        if item.verdict is Verdict.INCONCLUSIVE:
            assert item.needed is not None and item.needed.what and item.reason in REASONS, item.id
    timed = [item for item in early if item.needed is not None and item.needed.n]
    assert timed
    for item in timed:
        assert item.needed is not None and item.needed.seconds and item.needed.until, item.id
        assert item.exposure is not None


def test_windows_that_cannot_be_never_pass(book: Book) -> None:
    before, after = book.view.windows.before, book.view.windows.after
    assert before is not None and after is not None
    hour = pd.Timedelta(hours=1)

    def windows(before: Any, after: Any, deployed: pd.Timestamp | None) -> Any:
        spans = {name: span for name, span in (("before", before), ("after", after)) if span is not None}
        stated = type("Stated", (), {"time": deployed, "revision": None, "service": None})()
        return find_windows(book.view.tables, phases=spans, deployment=stated)

    fixes = [check for check in book.declared.values() if check.kind == "fix"]
    late = windows(before, after, after[1] + hour)
    assert late.problem is not None and "later than everything recorded" in late.problem.sentence
    for check in book.declared.values():
        item = settle(check, replace(book.view, windows=late))
        assert (item.verdict, item.reason) == (Verdict.INCONCLUSIVE, "no-deployment"), check.id
    for wrong in (
        windows((after[0], after[1]), after, None),
        windows((before[1], before[0]), after, None),
        windows((after[1] + hour, after[1] + 2 * hour), after, after[0]),
    ):
        assert wrong.before_problem
        for check in fixes:
            item = settle(check, replace(book.view, windows=wrong))
            assert item.verdict is not Verdict.PASS, f"{check.id}: {item.statement}"
    backwards = windows(before, (after[1], after[0]), None)
    assert {settle(check, replace(book.view, windows=backwards)).reason for check in fixes} == {"clock"}


@pytest.mark.parametrize(
    ("values", "reason"),
    [(0.05, "all-identical"), (float("nan"), "not-finite"), (float("inf"), "not-finite")],
)
def test_times_that_no_clock_gives_are_not_judged(book: Book, values: float, reason: str) -> None:
    view = book.view.exchange("latency", book.view.need("latency").assign(total_s=values))
    item = settle(book.declared["latency-backend-api-threads"], view)
    assert (item.verdict, item.reason) == (Verdict.INCONCLUSIVE, reason)


@pytest.mark.parametrize("values", [float("nan"), float("inf")])
def test_readings_that_are_no_numbers_never_pass(book: Book, values: float) -> None:
    rows = book.view.need("metrics")
    for check_id in ("memory-backend", "restarts-backend"):
        item = settle(book.declared[check_id], book.view.exchange("metrics", rows.assign(value=values)))
        assert item.verdict is Verdict.INCONCLUSIVE, f"{check_id}: {item.statement}"
    revisions = book.view.need("revisions").assign(image_bytes=values)
    item = settle(book.declared["deployment-image"], book.view.exchange("revisions", revisions))
    assert item.verdict is Verdict.INCONCLUSIVE, item.statement


def test_a_single_sample_decides_nothing(book: Book, tables_of: dict[str, set[str]]) -> None:
    @cache
    def one(name: str, phase: str) -> pd.DataFrame | None:
        table = book.view.tables(name, phase)
        return table.head(1) if table is not None and phase == "after" and name in FAILS else table

    for check in book.declared.values():
        # What is asked beyond ordinary messages has samples of its own.
        rests_on = (
            tables_of[check.id] & {"websocket", "health", "latency"} and "asked" not in tables_of[check.id]
        )
        if rests_on and not check.id.startswith(("deployment", "memory", "contract", "certificate")):
            item = settle(check, replace(book.view, tables=one))
            assert item.verdict is Verdict.INCONCLUSIVE, f"{check.id}: {item.verdict} {item.statement}"


def test_clocks_that_jump_while_memory_is_read_do_not_matter(book: Book) -> None:
    rows = book.view.need("metrics")
    jumped = rows["timestamp"].where(rows.index < len(rows) // 2, rows["timestamp"] - pd.Timedelta(hours=3))
    item = settle(
        book.declared["memory-backend"], book.view.exchange("metrics", rows.assign(timestamp=jumped))
    )
    was = settle(book.declared["memory-backend"], book.view)
    assert item.estimate == was.estimate


def test_a_deployment_that_is_still_to_come_is_known_before_anything_is_touched(
    workspace: Path, healthy_evidence: Path
) -> None:
    cases = workspace / "notebooks" / "cases"
    text = (cases / "ssot-fixes.toml").read_text(encoding="utf-8")
    planned = text.replace("[deployment]\n", "[deployment]\ntime = 2999-01-01T00:00:00Z\n")
    (cases / "planned.toml").write_text(planned, encoding="utf-8")
    folders = sorted((workspace / "outputs").rglob("*"))
    for arguments in (
        ["run", "rehearsal"],
        ["watch", "rehearsal"],
        ["collect", "rehearsal", "--phase", "after"],
    ):
        done = proofbook(*arguments, "--case", "planned", cwd=workspace, workspace=workspace)
        assert done.returncode == 2, done.stderr
        assert "deployment.time: expected a time that is over, got 2999-01-01" in done.stderr
        assert "Traceback" not in done.stderr
    assert sorted((workspace / "outputs").rglob("*")) == folders
