"""What a look is asked, as questions about units: the step from entries in DuckDB to counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from proofbook.errors import UsageError
from proofbook.investigation import conditions, differs, started, who
from proofbook.investigation.answers import Answer
from proofbook.investigation.differs import Question
from proofbook.investigation.moments import Span, of_seconds
from proofbook.investigation.units import Marks, Units
from proofbook.judge.view import stamp

if TYPE_CHECKING:
    from proofbook.investigation.look import Look

# What says the same as what was selected by: an error's level follows from its status.
ALSO_ABOUT = {"status": ("severity",), "severity": ("status",)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """The units of a log, of all times.

    among: those that can be compared. selected: those of them that a look selects by its conditions. own: units of our own
    probes in the look, which are not among them.
    """

    units: Units
    among: Marks
    selected: Marks
    own: int


def counted(look: Look) -> Counted:
    """Requests, where most of what is selected belongs to requests; else entries of no request."""
    read = look.records
    tally = read.ask(
        f"""SELECT count(*) FILTER (WHERE of_request AND NOT own) AS of_requests, count(*) FILTER (WHERE NOT own) AS entries,
            count(DISTINCT unit) FILTER (WHERE own) AS own FROM {read.relation} WHERE {look.selected}"""
    ).iloc[0]
    # A look that selects nothing is about what a log is about.
    asks_requests = 2 * int(tally["of_requests"]) >= int(tally["entries"]) and len(read.requests) > 0
    units = read.requests if asks_requests else read.others
    selected = marks(look, units) if look.conditions else np.ones(len(units), dtype=bool)
    among = np.ones(len(units), dtype=bool)
    asked = units.asked
    if (
        asks_requests
        and asked is not None
        and 2 * np.count_nonzero(selected & asked) > np.count_nonzero(selected)
    ):
        # Messages of a trace without its request say too little to be compared with requests.
        among = asked
    return Counted(units=units, among=among, selected=selected & among, own=int(tally["own"]))


def marks(look: Look, units: Units) -> Marks:
    """Which units hold what a look selects by its conditions, at any time."""
    condition = conditions.conjunction(look.conditions)
    found = look.records.arrow(
        f"SELECT DISTINCT unit FROM {look.records.relation} WHERE NOT own AND {condition}"
    )
    return units.marked(found["unit"].to_numpy())


def what_differs(look: Look, from_: Look | None) -> Answer:
    """The answer to `Look.differs`."""
    if from_ is not None and from_.records is not look.records:
        raise UsageError(
            "expected from_ to be a look at the same log or run, got another; give that as before= of pb.look"
        )
    asked = counted(look)
    others = asked.among if from_ is None else asked.among & marks(from_, asked.units)
    stated = (*look.conditions, *(from_.conditions if from_ is not None else ()))
    about = {name for item in stated for name in item.about}
    about |= {other for name in tuple(about) for other in ALSO_ABOUT.get(name, ())}
    moving = not look.conditions and from_ is None
    proposed = None if moving or look.stated_span is not None else _proposed(look)
    units = asked.units
    dull = {item.name for item in units.fields if len(item.values) < 2} | {name for name, _ in units.left_out}
    return differs.judge(
        Question(
            units=units.without({look.records.known.short(name) for name in about} | about | dull),
            selected=asked.selected,
            others=others,
            span_s=proposed or seconds(look.span),
            in_words=look.conditions_in_words,
            moving=moving,
            own=asked.own,
            proposed=proposed is not None,
        )
    )


def _proposed(look: Look) -> tuple[float, float] | None:
    """The window in which there is more of what is selected than before, where no window was stated; None where no start is claimed."""
    answer = since_when(look)
    if answer.table.empty:
        return None
    row, last = answer.table.iloc[0], seconds(look.span)[1]
    ended = last if pd.isna(row["ended"]) else row["ended"].timestamp()
    return row["started"].timestamp(), ended


def since_when(look: Look) -> Answer:
    """The answer to `Look.started`: over all of the log up to the end of the look, since what came before is what it is held against."""
    asked = counted(look)
    ends = seconds(look.span)[1]
    begins = float(asked.units.at_s[0]) if len(asked.units) else ends
    of = started.series(
        asked.units.at_s[asked.among],
        asked.selected[asked.among],
        span_s=(min(begins, ends), ends),
        unit=asked.units.word,
    )
    return started.judge(of, in_words=look.conditions_in_words)


def who_is_affected(look: Look) -> Answer:
    """The answer to `Look.who`."""
    asked = counted(look)
    first, last = seconds(look.span)
    inside = (asked.units.at_s >= first) & (asked.units.at_s < last)
    return who.judge(
        who.Question(
            units=asked.units,
            affected=asked.selected & inside,
            exposed=asked.among & inside,
            in_words=look.conditions_in_words,
            window=(stamp(of_seconds(first)), stamp(of_seconds(last))),
            own=asked.own,
        )
    )


def seconds(span: Span) -> tuple[float, float]:
    """A span in seconds since 1970, its last entry within."""
    return span[0].timestamp(), (span[1] + pd.Timedelta(microseconds=1)).timestamp()
