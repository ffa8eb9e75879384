"""What is different about some requests: suspects, and how often such a suspect comes up when nothing is wrong."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from proofbook.investigation import contrast, missing, redundancy
from proofbook.investigation.answers import FOUND, NOTHING, UNSURE, Answer
from proofbook.investigation.columns import Marks, Places
from proofbook.investigation.contrast import CALLED, LEAST_PLACEBOS, MOST_PLACEBOS, Contrast, Suspect
from proofbook.investigation.moments import of_seconds
from proofbook.investigation.tested import LEAST, MIN_HOLDS, MIN_RATIO
from proofbook.investigation.units import Units
from proofbook.judge.findings import Control, Exposure, Method, Needed
from proofbook.judge.view import stamp

CLAIM = "what is different about these"
MOST_SHOWN = 5
# A quiet window is compared with if its units are at least one in so many of those of the window in question.
LEAST_LOAD = 3
METHOD = Method(
    name="exact hypergeometric tail of every value and pair, against the others of the window and against what is selected in quiet windows; one scale per field; the strongest against the strongest of each quiet window, as if as much had been tried in it",
    confidence=1 - CALLED,
    side="one-sided",
    null_hypothesis="this window is one like the quiet ones",
    source="Westfall and Young 1993, over windows of time; Mantel and Haenszel 1959 for what rides along",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked. selected, others: units, of all times. span_s: the window in question. moving: it is compared with the time before it.

    in_words: what was selected. own: units of our own probes that were left out. proposed: the window was found, not given.
    """

    units: Units
    selected: Marks
    others: Marks
    span_s: tuple[float, float]
    in_words: str
    moving: bool = False
    own: int = 0
    proposed: bool = False


def windows(at_s: np.ndarray, span_s: tuple[float, float], *, moving: bool = False) -> Places:
    """Of each unit the number of its window: 0 in question, then those of the same length before it; −1: none, or too few units to compare with."""
    begins, ends = span_s
    length = ends - begins
    number = np.floor((begins - at_s) / length).astype(np.int64) + 1
    number = np.where((at_s >= begins) & (at_s < ends), 0, np.where(at_s < begins, np.maximum(number, 1), -1))
    # The first window of a log is rarely whole.
    whole = math.floor((begins - float(at_s[0])) / length + 0.01) if len(at_s) else 0
    number[number > min(whole, MOST_PLACEBOS + (1 if moving else 0))] = -1
    if moving:
        return number
    sizes = np.bincount(number[number >= 0], minlength=1)
    matched = [0, *(place for place in range(1, len(sizes)) if LEAST_LOAD * sizes[place] >= sizes[0])]
    again = np.full(len(sizes) + 1, -1)
    again[matched] = np.arange(len(matched))
    return np.asarray(again[number])


def judge(question: Question) -> Answer:
    """The answer."""
    units = question.units
    number = windows(units.at_s, question.span_s, moving=question.moving)
    inside = number == 0
    selected = question.selected & inside
    others = question.others & (number == 1 if question.moving else inside & ~question.selected)
    n_selected, n_others = int(selected.sum()), int(others.sum())
    exposure = Exposure(n=n_selected + n_others, unit=units.word)
    window = (stamp(of_seconds(question.span_s[0])), stamp(of_seconds(question.span_s[1])))
    blank = Answer(
        claim=CLAIM,
        answer=UNSURE,
        statement="",
        table=pd.DataFrame(),
        exposure=exposure,
        window=window,
        method=METHOD,
    )
    if n_selected < LEAST or n_others < LEAST:
        few = "selected" if n_selected < LEAST else "to compare with"
        return replace(
            blank, reason="too-few-samples",
            statement=f"{n_selected:,} {units.word} are {question.in_words}, {n_others:,} are others: too few {few} to say anything",
            needed=Needed(what=f"at least {LEAST} of both: select more, or a longer time"),
        )  # fmt: skip
    return _held_against_quiet(question, blank, number, selected=selected, others=others)


def _held_against_quiet(
    question: Question, blank: Answer, number: Places, *, selected: Marks, others: Marks
) -> Answer:
    """The answer where there are enough to compare. number: of the window of each unit. selected, others: of the window in question."""
    units = question.units
    found = contrast.contrast(
        units, selected=question.selected, others=question.others if question.moving else question.others & ~question.selected,
        windows=number, moving=question.moving,
    )  # fmt: skip
    left = redundancy.distinct(units, found, selected=selected, others=others)
    placebos = len(found.best)
    enough = placebos >= LEAST_PLACEBOS
    called = [item for item in left.suspects if item.is_called]
    absent = missing.missing(found.counted, called=tuple(called))
    length_s = question.span_s[1] - question.span_s[0]
    return replace(
        blank,
        answer=(FOUND if called else NOTHING) if enough else UNSURE,
        reason="" if enough else "too-little-history",
        statement=_statement(question, left.suspects, called, placebos, (int(selected.sum()), int(others.sum()))),
        table=_table(question, left.suspects[:MOST_SHOWN], placebos),
        more={
            "More, weaker": _table(question, left.suspects[MOST_SHOWN:], placebos),
            "What goes with it: outcomes and messages, which are no causes": _table(question, left.outcomes, placebos),
            "Redundant beside these": _removed(question, left.removed, placebos),
            "Missing among these: what the others have more often": _missing(question, absent, placebos),
        },
        notes=_notes(question, found),
        controls=_controls(found, placebos, length_s),
        needed=None if enough else Needed(what=f"{math.ceil((LEAST_PLACEBOS - placebos) * length_s / 60):,} more minutes of log before this window: a look with before=, or a shorter window"),
        not_established=_not_established(question),
    )  # fmt: skip


def named(units: Units, parts: Iterable[tuple[str, int]]) -> str:
    """A value or a pair in words."""
    by_name = {item.name: item for item in units.fields}
    return " and ".join(f"{name} = {by_name[name].values[value]}" for name, value in parts)


def _statement(
    question: Question,
    suspects: Sequence[Suspect],
    called: Sequence[Suspect],
    placebos: int,
    counts: tuple[int, int],
) -> str:
    word = question.units.word
    head = f"{counts[0]:,} {word} ({question.in_words}) against {counts[1]:,} others" + (
        " of the time before" if question.moving else ""
    )
    if question.proposed:
        begins, ends = map(of_seconds, question.span_s)
        head = f"{begins:%H:%M:%S} to {ends:%H:%M:%S}, a window that was proposed since the rate rose then: {head}"
    if called:
        first = called[0]
        more = f"; {len(called) - 1} more" if len(called) > 1 else ""
        return f"{head}: {_told(question, first)}; {_chance(first, placebos)}{more}"
    if placebos < LEAST_PLACEBOS:
        ranked = (
            f"; the strongest by itself, which is not called: {_told(question, suspects[0])}"
            if suspects
            else ""
        )
        return f"{head}: too little history, {placebos} quiet windows of this length and {LEAST_PLACEBOS} needed{ranked}"
    strongest = (
        f"; the strongest, {_told(question, suspects[0])}, {_chance(suspects[0], placebos)}"
        if suspects
        else ""
    )
    return f"{head}: nothing is different beyond what quiet windows show{strongest}"


def _told(question: Question, item: Suspect) -> str:
    tested = item.tested
    return f"{named(question.units, tested.parts)}, {tested.selected:,} of {tested.of_selected:,} of these ({tested.holds:.0%}) and {tested.others:,} of {tested.of_others:,} others"


def _chance(item: Suspect, placebos: int) -> str:
    as_strong = round(item.chance * (placebos + 1)) - 1
    return f"anything as strong in {as_strong} of {placebos} quiet windows"


def _table(question: Question, suspects: Sequence[Suspect], placebos: int) -> pd.DataFrame:
    rows = []
    for item in suspects:
        tested = item.tested
        share = tested.selected / max(1, tested.selected + tested.others)
        rest = (
            tested.of_selected - tested.selected,
            tested.of_selected + tested.of_others - tested.selected - tested.others,
        )
        rows.append({
            "suspect": named(question.units, tested.parts) + "".join(f" (= {named(question.units, [alias])})" for alias in item.aliases),
            "selected of those that have it": f"{tested.selected:,} of {tested.selected + tested.others:,} ({share:.1%})",
            "of the others": f"{rest[0]:,} of {rest[1]:,} ({rest[0] / max(1, rest[1]):.1%})",
            "share of selected": f"{tested.holds:.0%}",
            "times as frequent": round(tested.ratio, 1),
            "as strong when nothing is wrong": f"{round(item.chance * (placebos + 1)) - 1} of {placebos} quiet windows",
            "called": item.is_called,
        })  # fmt: skip
    return pd.DataFrame(rows)


def _removed(question: Question, removed: Sequence[redundancy.Removed], placebos: int) -> pd.DataFrame:
    table = _table(question, [item.suspect for item in removed], placebos)
    if table.empty:
        return table
    why = [f"{item.why} {named(question.units, item.beside.tested.parts)}" for item in removed]
    return table.drop(columns="called").assign(why=why)


def _missing(question: Question, absent: Sequence[Suspect], placebos: int) -> pd.DataFrame:
    return pd.DataFrame([
        {
            "missing": named(question.units, item.tested.parts),
            "of these": f"{item.tested.selected:,} of {item.tested.of_selected:,} ({item.tested.holds:.1%})",
            "of the others": f"{item.tested.others:,} of {item.tested.of_others:,} ({item.tested.others / max(1, item.tested.of_others):.1%})",
            "as strong when nothing is wrong": f"{round(item.chance * (placebos + 1)) - 1} of {placebos} quiet windows",
            "called": item.is_called,
        }
        for item in absent[:MOST_SHOWN]
    ])  # fmt: skip


def _notes(question: Question, found: Contrast) -> tuple[str, ...]:
    fields = [item.name for item in question.units.fields]
    left_out: dict[str, list[str]] = {}
    for name, why in question.units.left_out:
        left_out.setdefault(why, []).append(name)
    notes = [
        f"Tried: {found.tried_values:,} values of {len(fields)} fields ({', '.join(fields)}) and {found.tried_pairs:,} pairs; shown is what is at least {MIN_RATIO} times as frequent and in {MIN_HOLDS:.0%} of what is selected."
    ]
    notes += [f"Left out: {', '.join(names)} ({why})." for why, names in left_out.items()]
    if question.own:
        notes.append(
            f"Our own probes are apart: {question.own:,} {question.units.word} of theirs are not counted."
        )
    return tuple(notes)


def _controls(found: Contrast, placebos: int, length_s: float) -> tuple[Control, ...]:
    quiet = Control(
        kind="comparability", name=f"quiet windows of {length_s / 60:.3g} min before", guards=("found", "nothing"),
        expected=f"at least {LEAST_PLACEBOS}", got=f"{placebos}", held=placebos >= LEAST_PLACEBOS,
    )  # fmt: skip
    heard = int(np.count_nonzero(found.best > 0))
    tried = Control(
        kind="positive", name="the search finds something by itself in quiet windows", guards=("nothing",),
        expected="in some of them", got=f"in {heard} of {placebos}", held=heard > 0,
    )  # fmt: skip
    return quiet, tried


def _not_established(question: Question) -> tuple[str, ...]:
    gaps = [
        "that a suspect is the cause: both may come from something else",
        "causes that were there in the quiet windows too",
        "rhythms that are longer than the quiet windows reach",
    ]
    if question.proposed:
        gaps.append("that the window is the right one: it was proposed where the rate rose most, not given")
    return tuple(gaps)
