"""Kinds of message that are new, gone, more or less at a moment, against what they do at other moments of the same log."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from test_follow import numbered, request, said

import proofbook as pb
from proofbook.errors import ProofbookError
from proofbook.investigation import changes, practice
from proofbook.investigation.look import Look

BEGINS = pd.Timestamp("2026-01-05T09:00:00Z")


@pytest.fixture(scope="module")
def incident(tmp_path_factory: pytest.TempPathFactory) -> Look:
    return pb.look(practice.incident(tmp_path_factory.mktemp("log") / "incident.json"))


@pytest.mark.slow
def test_what_is_new_is_named_first_with_how_often_so_much_changes(incident: Look) -> None:
    for found in (incident.changes("13:45"), incident.between("13:45", "13:50").changes(), incident.changes(("13:45", "13:50"))):  # fmt: skip
        assert found.answer == "found"
        first = found.table.iloc[0]
        assert (first["change"], first["severity"], first["before"]) == ("new", "ERROR", 0)
        assert first["what"].startswith("Decode failed") and first["called"]
        assert first["as strong when nothing is wrong"].startswith("at 0 of ")


def test_without_a_moment_the_span_in_which_more_went_wrong_is_proposed(incident: Look) -> None:
    found = incident.changes()
    assert found.answer == "found" and "a span that was proposed" in found.statement


def test_without_a_moment_and_without_a_start_it_is_said_what_to_give(tmp_path: Path) -> None:
    file = tmp_path / "export.json"
    file.write_text("\n".join(request(second, trace=numbered(second)) for second in range(100)))
    found = pb.look(file).changes()
    assert found.answer == "inconclusive" and found.needed is not None
    assert found.needed.what == "a moment or a span, such as changes(at='16:20')"


def test_a_moment_at_which_nothing_changed_calls_nothing(incident: Look) -> None:
    found = incident.changes(("12:30", "12:35"))
    assert found.answer == "nothing beyond chance"
    assert not found.table["called"].any()


@pytest.mark.slow
def test_what_stopped_is_gone_and_a_selection_is_compared_alone(tmp_path: Path) -> None:
    lines = []
    for second in range(3600):
        lines.append(request(second, trace=numbered(second)))
        if second % 3 == 0 and second < 3300:
            lines.append(said(second + 0.01, f"cache hit for {second}", trace=numbered(second)))
        if second % 4 == 0:
            lines.append(said(second + 0.02, f"took order {second}", severity="WARNING" if second >= 3300 else "INFO", trace=numbered(second)))  # fmt: skip
    file = tmp_path / "export.json"
    file.write_text("\n".join(lines))
    look = pb.look(file)
    found = look.changes(("09:55", "10:00"))
    changed = found.table.set_index("what")["change"]
    assert changed["cache hit for <*>"] == "gone"
    # The same words at another level are another kind.
    assert set(found.table.loc[found.table["what"] == "took order <*>", "change"]) == {"new", "gone"}
    alone = look.where(template="took order *").changes(("09:55", "10:00"))
    assert set(alone.table["what"]) == {"took order <*>"}


def test_too_little_history_is_said_with_how_much_is_missing(incident: Look) -> None:
    found = incident.changes(("08:30", "08:40"))
    assert found.answer == "inconclusive" and found.reason == "too-little-history"
    assert found.needed is not None and found.needed.what.startswith("170 more minutes of log")
    assert "no kind of message is new, gone, more or less" in found.statement


@pytest.mark.parametrize(
    ("at", "says"),
    [
        ("8:6", "not a time: "),
        ("15:00", "expected a moment within the log"),
        ("08:00:00", "expected a moment within the log"),
        (("10:00", "09:00"), "expected a time before the second"),
    ],
)
def test_a_time_that_cannot_be_meant_is_refused(incident: Look, at: object, says: str) -> None:
    with pytest.raises(ProofbookError, match=says):
        incident.changes(at)  # type: ignore[arg-type]


def question(rng: np.random.Generator, *, windows: int, kinds: int) -> changes.Question:
    """Kinds of message that come in bursts, at moments of which none is special."""
    rates = rng.lognormal(1.5, 1.0, kinds)
    counts = rng.poisson(rates[:, None] * rng.gamma(3, 1 / 3, (kinds, windows)))
    rows = [
        {"key": f"k{kind}", "window": window, "entries": int(counts[kind, window]), "squares": int(counts[kind, window]), "first": BEGINS, "last": BEGINS, "revisions": ""}
        for kind in range(kinds) for window in range(windows) if counts[kind, window]
    ]  # fmt: skip
    names = pd.Index([f"k{kind}" for kind in range(kinds)], name="key")
    about = pd.DataFrame({"kind": "message", "what": names, "sample": names, "severity_number": 17}, index=names)  # fmt: skip
    load = np.full(windows, 100)
    return changes.Question(cells=pd.DataFrame(rows), about=about, requests=load, seconds=load, span=(BEGINS, BEGINS + pd.Timedelta(minutes=5)), in_words="everything")  # fmt: skip


@pytest.mark.slow
def test_about_one_moment_in_twenty_is_called_where_nothing_is_special() -> None:
    rng = np.random.default_rng(11)
    answers = [changes.judge(question(rng, windows=30, kinds=12)) for _ in range(100)]
    called = sum(answer.answer == "found" for answer in answers)
    # By p alone nearly all of them change.
    by_p = sum(len(answer.table) > 0 for answer in answers)
    assert called <= 10 and by_p >= 40, (called, by_p)
