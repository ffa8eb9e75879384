"""What checks share is worked out once, and anew for every view in which it would read anything else."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from proofbook.judge.view import InsufficientEvidence, View
from proofbook.judge.window import Windows


class Counting:
    """How many rows a table has, and how often that was asked."""

    def __init__(self) -> None:
        self.asked = 0

    def rows(self, view: View, name: str) -> int:
        self.asked += 1
        return len(view.need(name)) + len(view.need(name, "before"))


@pytest.fixture
def view() -> View:
    tables = {
        (phase, name): pd.DataFrame({"x": [1] * number})
        for phase, number in (("before", 1), ("after", 2))
        for name in ("read", "other")
    }
    return View(
        tables=lambda name, phase: tables.get((phase, name)), windows=Windows(before=None, after=None)
    )


def test_the_same_work_over_the_same_tables_is_done_once(view: View) -> None:
    counting = Counting()
    assert [view.once(counting.rows, "read") for _ in range(3)] == [3, 3, 3]
    mutant = view.exchange("other", pd.DataFrame({"x": [1] * 10}))
    assert mutant.once(counting.rows, "read") == 3
    assert counting.asked == 1
    assert view.once(counting.rows, "other") == 3 and mutant.once(counting.rows, "other") == 11
    assert counting.asked == 3


def test_another_table_or_another_setting_is_worked_out_anew(view: View) -> None:
    counting = Counting()
    assert view.once(counting.rows, "read") == 3
    assert view.as_before().once(counting.rows, "read") == 2
    for number in (10, 20):
        mutant = view.exchange("read", pd.DataFrame({"x": [1] * number}))
        assert mutant.once(counting.rows, "read") == number + 1
    # What was changed beneath, as by a table that is read again.
    other = replace(view, tables=lambda name, phase: pd.DataFrame({"x": [1] * 5}))
    assert other.once(counting.rows, "read") == 10
    assert counting.asked == 5
    for setting in ({"looks": 2}, {"confidence_once": 0.9}, {"alpha_fail_once": 0.1}, {"live": False}):
        assert replace(view, **setting).once(counting.rows, "read") == 3
    assert counting.asked == 9


def test_what_was_read_is_noted_also_where_the_work_was_done_before(view: View) -> None:
    counting = Counting()
    noted = []
    for _ in range(2):
        seen = replace(view, reads={})
        seen.once(counting.rows, "read")
        noted.append(list(seen.reads))
    assert noted == [[("after", "read"), ("before", "read")]] * 2 and counting.asked == 1


def test_work_that_finds_too_little_says_so_each_time_and_notes_what_it_looked_for(view: View) -> None:
    counting = Counting()
    for _ in range(2):
        seen = replace(view, reads={})
        with pytest.raises(InsufficientEvidence):
            seen.once(counting.rows, "nowhere")
        assert list(seen.reads) == [("after", "nowhere")]


def test_mutants_do_not_pile_up(view: View) -> None:
    counting = Counting()
    view.once(counting.rows, "read")
    view.as_before().once(counting.rows, "read")
    for number in range(1, 9):
        view.exchange("read", pd.DataFrame({"x": [1] * number})).once(counting.rows, "read")
    (kept,) = view.done.values()
    assert [item.of_mutant for item in kept] == [True, False, False]
