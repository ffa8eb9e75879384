"""What became of each kind of message and exception at a moment, and how often such a change comes up at other moments of the log."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from proofbook.investigation.answers import FOUND, NOTHING, UNSURE, Answer
from proofbook.investigation.columns import Numbers, Places
from proofbook.investigation.contrast import (
    CALLED,
    LEAST_PLACEBOS,
    LEAST_SCALE,
    MOST_PLACEBOS,
    SCALE_QUANTILE,
)
from proofbook.investigation.moments import Span, shown
from proofbook.judge.checks import log_changes
from proofbook.judge.checks.log_changes import MIN_RATIO, Counted
from proofbook.judge.findings import Control, Exposure, Method, Needed
from proofbook.judge.view import stamp

CLAIM = "what changed in the messages"
ALPHA = 0.05
# A span is compared with at most so many times its length before it.
MOST_BEFORE = 10
CHANGES = ("new", "more", "gone", "less")
METHOD = Method(
    name="exact conditional test of each kind's rate, bursts of one second counted by their mean size; one scale per kind; the strongest against the strongest at each earlier moment of the log",
    confidence=1 - CALLED,
    side="two-sided",
    null_hypothesis="this moment is one like those before it",
    source="Przyborowski and Wilenski 1940; Westfall and Young 1993, over moments",
)


UNASKED = Answer(
    claim=CLAIM, answer=UNSURE, statement="no moment was given, and of nothing that went wrong a start is claimed in this log",
    table=pd.DataFrame(), method=METHOD, needed=Needed(what="a moment or a span, such as changes(at='16:20')"),
)  # fmt: skip


def unwritten(span: Span, in_words: str) -> Answer:
    """The answer where no entry says anything."""
    return replace(
        UNASKED, reason="too-few-samples", statement=f"{shown(span)} ({in_words}): no message was written then, nor before it", window=(stamp(span[0]), stamp(span[1])),
        needed=Needed(what="a log with messages, not requests alone, or a wider selection"),
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Kinds by windows of one length: 0 is after the moment, the others lie before it, the nearest first.

    cells: key, window, entries, squares, first, last, revisions. about: by key kind, what, sample, severity_number. requests, seconds: by window.
    asked: where the span in question was proposed, how.
    """

    cells: pd.DataFrame
    about: pd.DataFrame
    requests: Places
    seconds: Places
    span: Span
    in_words: str
    asked: str = ""


def judge(question: Question) -> Answer:
    """The answer."""
    windows = len(question.seconds)
    reach = max(1, min(MOST_BEFORE, windows - 1 - LEAST_PLACEBOS))
    splits = max(0, min(MOST_PLACEBOS, windows - 1 - reach))
    length_s = (question.span[1] - question.span[0]).total_seconds()
    before, after = (_counted(question, places) for places in (range(1, min(windows, 1 + reach)), range(1)))
    blank = Answer(
        claim=CLAIM, answer=UNSURE, statement="", table=pd.DataFrame(), method=METHOD, window=(stamp(question.span[0]), stamp(question.span[1])),
        exposure=Exposure(n=int(question.cells["entries"].sum()), unit="entries"),
        not_established=("why it changed: what came shortly before is a fact, that it is the cause is not established", "rhythms that are longer than the log reaches back"),
    )  # fmt: skip
    if min(log_changes.exposures(before, after)) <= 0:
        empty = "before" if not before.buckets else "after"
        return replace(
            blank, reason="too-few-samples", statement=f"{_head(question, reach)}: nothing was written {empty} it",
            needed=Needed(what="another moment, or a log that reaches further"),
        )  # fmt: skip
    table = log_changes.compare(before, after, question.about, alpha=ALPHA)
    table = table.assign(splits=_as_strong(question, table, reach=reach, splits=splits))
    table["called"] = (
        table["change"].isin(CHANGES)
        & (splits >= LEAST_PLACEBOS)
        & ((1 + table["splits"]) / (1 + splits) <= CALLED)
    )
    table = table.sort_values("called", ascending=False, kind="stable", ignore_index=True)
    told, rest = table[table["change"].isin(CHANGES)], table[~table["change"].isin(CHANGES)]
    enough = splits >= LEAST_PLACEBOS
    return replace(
        blank,
        answer=(FOUND if table["called"].any() else NOTHING) if enough else UNSURE,
        reason="" if enough else "too-little-history",
        statement=_statement(question, told, reach=reach, splits=splits),
        table=_shown(told, splits),
        more={"As often as before, or too seldom to be sure": _shown(rest, splits)},
        controls=_controls(question, before, after, splits=splits, length_s=length_s),
        needed=None if enough else Needed(what=f"{np.ceil((LEAST_PLACEBOS - splits) * length_s / 60):,.0f} more minutes of log before it, or a shorter span"),
    )  # fmt: skip


def _counted(question: Question, windows: range) -> Counted:
    cells = question.cells[question.cells["window"].isin(windows)]
    table = cells.groupby("key").agg(
        entries=("entries", "sum"), squares=("squares", "sum"), first=("first", "min"), last=("last", "max"),
        revisions=("revisions", lambda named: ", ".join(sorted({part for each in named for part in each.split(", ") if part}))),
    )  # fmt: skip
    places = list(windows)
    return Counted(
        table=table, requests=int(question.requests[places].sum()), buckets=int(question.seconds[places].sum())
    )  # fmt: skip


def _as_strong(question: Question, table: pd.DataFrame, *, reach: int, splits: int) -> Places:
    """Of each row, at how many earlier moments any kind changed as strongly."""
    keys = pd.Index(table["key"])
    shape = (len(keys), len(question.seconds))
    counts, squares = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    rows = np.asarray(keys.get_indexer(question.cells["key"]))
    place = (rows[rows >= 0], question.cells["window"].to_numpy()[rows >= 0])
    counts[place] = question.cells["entries"].to_numpy()[rows >= 0]
    squares[place] = question.cells["squares"].to_numpy()[rows >= 0]
    strengths = np.array([
        _strengths(counts, squares, question, split=split, reach=reach) for split in range(splits + 1)
    ])  # fmt: skip
    scales = np.maximum(LEAST_SCALE, np.quantile(strengths, SCALE_QUANTILE, axis=0))
    scores = strengths / scales
    best = scores[1:].max(axis=1, initial=0.0)
    return np.asarray((best[None, :] >= scores[0][:, None]).sum(axis=1))


def _strengths(counts: Places, squares: Places, question: Question, *, split: int, reach: int) -> Numbers:
    """−log10 p of each kind at an earlier moment; 0 where its rate changed by less than half."""
    earlier = slice(split + 1, split + 1 + reach)
    before, after = counts[:, earlier].sum(axis=1), counts[:, split]
    which = question.requests if min(question.requests[earlier].sum(), question.requests[split]) > 0 else question.seconds  # fmt: skip
    exposure = float(which[earlier].sum()), float(which[split])
    if min(exposure) <= 0:
        return np.zeros(len(counts))
    both = squares[:, earlier].sum(axis=1) + squares[:, split]
    p = log_changes.p_values(before, after, both, exposure)
    ratio = (np.maximum(after, 0.5) / exposure[1]) / (np.maximum(before, 0.5) / exposure[0])
    found = np.where((ratio >= MIN_RATIO) | (ratio <= 1 / MIN_RATIO), -np.log10(np.maximum(p, 1e-300)), 0.0)
    return np.asarray(found)


def _head(question: Question, reach: int) -> str:
    length = question.span[1] - question.span[0]
    before = reach * length.total_seconds() / 60
    return f"{question.asked}{shown(question.span)} against the {before:.3g} min before ({question.in_words})"


def _statement(question: Question, told: pd.DataFrame, *, reach: int, splits: int) -> str:
    head = _head(question, reach)
    called = told[told["called"]]
    counts = [f"{count} {change}" for change in CHANGES if (count := int((called["change"] == change).sum()))]
    if counts:
        return f"{head}: {', '.join(counts)}; {_row_in_words(called.iloc[0], splits)}"
    if told.empty:
        return f"{head}: no kind of message is new, gone, more or less"
    first = _row_in_words(told.iloc[0], splits)
    if splits < LEAST_PLACEBOS:
        return f"{head}: too little history, {splits} earlier moments and {LEAST_PLACEBOS} needed; the strongest by itself, which is not called: {first}"
    return f"{head}: nothing changed beyond what it does at other moments; the strongest, {first}"


def _row_in_words(row: pd.Series, splits: int) -> str:
    return f"{row['change']}: {row['what']} ({row['before']:,} → {row['after']:,} entries), as strong at {row['splits']} of {splits} earlier moments"


def _shown(rows: pd.DataFrame, splits: int) -> pd.DataFrame:
    return pd.DataFrame({
        "change": rows["change"], "severity": rows["severity"], "what": rows["what"], "before": rows["before"], "after": rows["after"],
        "times": rows["ratio"].round(1), "as strong when nothing is wrong": [f"at {count} of {splits} earlier moments" for count in rows["splits"]],
        "called": rows["called"], "first": rows["first"], "last": rows["last"], "sample": rows["sample"].str.split("\n").str[0].str.slice(0, 160),
    })  # fmt: skip


def _controls(
    question: Question, before: Counted, after: Counted, *, splits: int, length_s: float
) -> tuple[Control, ...]:
    quiet = Control(
        kind="comparability", name=f"earlier moments, {length_s / 60:.3g} min apart", guards=("found", "nothing"),
        expected=f"at least {LEAST_PLACEBOS}", got=f"{splits}", held=splits >= LEAST_PLACEBOS,
    )  # fmt: skip
    written = Control(
        kind="liveness", name="something was written before and after", guards=("found", "nothing"), expected="in both",
        got=f"in {before.buckets:,} and {after.buckets:,} seconds", held=min(before.buckets, after.buckets) > 0,
    )  # fmt: skip
    return quiet, written
