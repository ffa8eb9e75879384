"""Who is affected: of each kind of who and where, how many of how many, and whether it is all one of them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from proofbook.investigation.answers import FOUND, UNSURE, Answer
from proofbook.investigation.columns import Marks
from proofbook.investigation.units import Field, Units
from proofbook.judge.findings import Exposure, Method, Needed
from proofbook.stats.proportions import proportion

CLAIM = "who is affected"
CLASSES = ("user", "address", "agent", "instance", "revision", "service", "path")
PLURALS = {"address": "addresses"}
# So many of each kind are shown.
MOST_VALUES = 3
# A few are all of one by luck.
LEAST = 3
METHOD = Method(
    name="Clopper-Pearson bounds of each share",
    confidence=0.95,
    side="two-sided",
    source="Clopper and Pearson 1934",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Units of a window: those affected, and all. in_words: what they are. own: units of our own probes that are left out. proposed: the window was found, not given."""

    units: Units
    affected: Marks
    exposed: Marks
    in_words: str
    window: tuple[str, str]
    own: int = 0
    proposed: bool = False


def judge(question: Question) -> Answer:
    """The answer."""
    affected, exposed = int(question.affected.sum()), int(question.exposed.sum())
    word = question.units.word
    gaps = (
        "who is affected without a trace in this log",
        "how many people stand behind an address or a name",
    )
    blank = Answer(
        claim=CLAIM, answer=UNSURE, statement="", table=pd.DataFrame(), method=METHOD, window=question.window,
        exposure=Exposure(n=exposed, unit=word), not_established=gaps,
        notes=(f"Our own probes are apart: {question.own:,} {word} of theirs are not counted.",) if question.own else (),
    )  # fmt: skip
    if not affected:
        return replace(
            blank,
            reason="too-few-samples",
            statement=f"no {word} are {question.in_words}",
            needed=Needed(what="a look that selects something"),
        )
    known = [item for name in CLASSES for item in question.units.fields if item.name == name]
    names = [
        f"{_distinct(item, question.affected):,} of {_distinct(item, question.exposed):,} {PLURALS.get(item.name, item.name + 's')}"
        for item in known
    ]
    when = f"{question.window[0][11:19]} to {question.window[1][11:19]}, a window that was proposed since the rate rose then: " if question.proposed else ""  # fmt: skip
    missing = [name for name in CLASSES[:3] if name not in {item.name for item in known}]
    return replace(
        blank,
        answer=FOUND,
        statement=f"{when}{affected:,} of {exposed:,} {word} ({question.in_words}){': ' + ', '.join(names) if names else ''}{_all_of_one(question, known)}",
        table=_table(question, known),
        notes=(
            *blank.notes,
            *((f"This log does not tell, or has one only: {', '.join(missing)}.",) if missing else ()),
        ),
    )


def _all_of_one(question: Question, known: list[Field]) -> str:
    """Whether all come from one address or one agent, or most of them do."""
    said = []
    for item in known:
        counts = item.counts(question.affected)
        if item.name not in ("address", "agent", "user") or counts.sum() < LEAST:
            continue
        top, whole = int(counts.max()), int(question.affected.sum())
        if top == whole:
            said.append(f"all come from one {item.name}, {item.values[int(counts.argmax())]}")
        elif 2 * top > whole:
            said.append(f"{top:,} of {whole:,} from one {item.name}, {item.values[int(counts.argmax())]}")
    return f"; {'; '.join(said)}" if said else ""


def _distinct(item: Field, marks: Marks) -> int:
    return int(np.count_nonzero(item.counts(marks)))


def _table(question: Question, known: list[Field]) -> pd.DataFrame:
    rows = []
    for item in known:
        hit, seen = item.counts(question.affected), item.counts(question.exposed)
        for value in np.argsort(-hit, kind="stable")[:MOST_VALUES].tolist():
            if hit[value]:
                share = proportion(int(hit[value]), int(seen[value]), confidence=0.975)
                rows.append({
                    "who": item.name, "which": item.values[value], "affected": int(hit[value]), "of": int(seen[value]),
                    "share": f"{share.value:.1%} ({share.low:.1%} to {share.high:.1%})", "of all affected": f"{hit[value] / question.affected.sum():.0%}",
                })  # fmt: skip
    return pd.DataFrame(rows)
