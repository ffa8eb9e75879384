"""The strongest changes of a look as sentences: what rose, since when, and whose it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from proofbook.investigation.answers import FOUND
from proofbook.investigation.asking import counted, seconds
from proofbook.investigation.columns import Marks
from proofbook.investigation.display import lanes as lane_of
from proofbook.investigation.display.gesture import where
from proofbook.investigation.display.lanes import Lane
from proofbook.investigation.names import NAMES
from proofbook.investigation.units import Field

if TYPE_CHECKING:
    from proofbook.investigation.asking import Counted
    from proofbook.investigation.look import Look

MOST = 3
# Of whom there are so many: the first that a log tells.
WHO = (("user", "users"), ("address", "addresses"), ("agent", "agents"), ("instance", "instances"))
# A value is worth a word if nearly all have it, few of the others do, and that is no luck, however many values there are.
LEAST, NEARLY_ALL, SELDOM, LUCK = 5, 0.8, 0.5, 0.001
MOST_MARKS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Rise:
    """What rose. statement: what and since when, as `started` says it. who: whose it is, as facts. as_code: what selects it."""

    statement: str
    who: str
    as_code: str


def of(look: Look, lanes: Sequence[Lane]) -> tuple[Rise, ...]:
    """The strongest rises, of those for which a start is claimed."""
    found = []
    for lane in lane_of.rising(lanes)[:MOST]:
        values: dict[str, object] = {lane.name: lane.value}
        one = look.where(**values) if lane.name else look.where(lane.value)  # type: ignore[arg-type]  # no name is `fields`
        answer = one.started()
        if answer.answer == FOUND:
            statement = answer.statement.replace(one.conditions_in_words, lane.title, 1)
            row = answer.table.iloc[0]
            ended = row["ended"].timestamp() if row["ended"] == row["ended"] else seconds(look.span)[1]
            when = "since then" if row["ended"] != row["ended"] else "in that time"
            who = _whose(counted(one), row["not before"].timestamp(), ended, when=when)
            found.append(Rise(statement=statement, who=who, as_code=f"look{where(lane.name, lane.value)}"))
    return tuple(found)


def _whose(asked: Counted, begins_s: float, ends_s: float, *, when: str) -> str:
    """How many are affected, and what nearly all of them have in common and few others do; whether by luck, `differs` says."""
    inside = np.zeros(len(asked.units), dtype=bool)
    inside[slice(*np.searchsorted(asked.units.at_s, [begins_s, ends_s]))] = True
    affected, exposed = asked.selected & inside, asked.among & inside
    fields = {field.name: field for field in asked.units.fields}
    said = [f"{int(affected.sum()):,} {asked.units.word} {when}"]
    for name, plural in WHO:
        # Where there is one alone, it is no news that it is among the affected.
        if name in fields and (all_ := _distinct(fields[name], exposed)) > 1:
            said.append(f", of {_distinct(fields[name], affected):,} of {all_:,} {plural}")
            break
    marks = list(_in_common(asked, affected, exposed))[:MOST_MARKS]
    return "".join(said) + "".join(f"; {mark}" for mark in marks)


def _in_common(asked: Counted, affected: Marks, exposed: Marks) -> Iterator[str]:
    others = exposed & ~affected
    n, of_others = int(affected.sum()), int(others.sum())
    tried = sum(len(field.values) for field in asked.units.fields if not field.is_outcome)
    told = set()
    if n < LEAST or not of_others:
        return
    # Of two that the same requests have, the one that every log has is told.
    for field in sorted(asked.units.fields, key=lambda field: field.name not in NAMES):
        if field.is_outcome or len(field.values) < 2:
            continue
        counts = field.counts(affected)
        top = int(counts.argmax())
        hits, beside = int(counts[top]), int(field.counts(others)[top])
        luck = stats.hypergeom.sf(hits - 1, n + of_others, hits + beside, n) * tried
        if (
            hits >= NEARLY_ALL * n
            and beside <= SELDOM * of_others
            and luck < LUCK
            and (hits, beside) not in told
        ):
            told.add((hits, beside))
            share = f"all {n:,}" if hits == n else f"{hits:,} of {n:,}"
            yield f"{share} have {field.name} = {field.values[top]}, of the others {beside:,} of {of_others:,}"


def _distinct(field: Field, marks: Marks) -> int:
    return int(np.count_nonzero(field.counts(marks)))
