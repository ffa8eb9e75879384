"""What a look is asked, as questions about units: the step from entries in DuckDB to counts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from proofbook.errors import UsageError
from proofbook.investigation import changes, conditions, differs, outcomes, started, who
from proofbook.investigation.answers import Answer
from proofbook.investigation.columns import Marks
from proofbook.investigation.contrast import MOST_PLACEBOS
from proofbook.investigation.differs import Question
from proofbook.investigation.moments import Moment, Span, moment, of_seconds, shown
from proofbook.investigation.prepare import BRIEF, view_for
from proofbook.investigation.units import Units
from proofbook.judge.checks import log_changes
from proofbook.judge.view import stamp

if TYPE_CHECKING:
    from proofbook.investigation.look import Look
    from proofbook.investigation.records import Records

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
            count(DISTINCT unit) FILTER (WHERE own) AS own FROM {view_for(look.selected)} WHERE {look.selected}"""
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
        f"SELECT DISTINCT unit FROM {view_for(condition)} WHERE NOT own AND {condition}"
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


def what_changed(look: Look, at: Moment | tuple[Moment, Moment] | None) -> Answer:
    """The answer to `Look.changes`."""
    chosen = _span_of_change(look, at)
    if chosen is None:
        return changes.UNASKED
    span, asked = chosen
    begins, ends = (moment.timestamp() for moment in span)
    read, length = look.records, ends - begins
    whole = math.floor((begins - read.span[0].timestamp()) / length + 0.01)
    last = min(whole, MOST_PLACEBOS + changes.MOST_BEFORE)
    place = f"greatest(0, ceil(({begins!r} - epoch(timestamp)) / {length!r}))::BIGINT"
    inside = f"NOT own AND epoch(timestamp) >= {begins - last * length!r} AND epoch(timestamp) < {ends!r} AND {conditions.conjunction(look.conditions)}"
    cells = read.ask(
        f"""WITH counted AS (SELECT template, severity_number, {place} AS "window", floor(epoch(timestamp)) AS second, count(*) AS n, min(timestamp) AS first,
            max(timestamp) AS last, string_agg(DISTINCT nullif(service_version, ''), ', ') AS revisions FROM {view_for(inside)} WHERE template IS NOT NULL AND {inside} GROUP BY ALL)
        SELECT template, coalesce(severity_number, 0) AS severity_number, "window", sum(n)::BIGINT AS entries, sum(n * n)::BIGINT AS squares, min(first) AS first, max(last) AS last,
            coalesce(string_agg(DISTINCT revisions, ', '), '') AS revisions FROM counted GROUP BY ALL ORDER BY ALL"""
    )
    if cells.empty:
        return changes.unwritten(span, look.conditions_in_words)
    load = read.ask(
        f"""SELECT {place} AS "window", count(DISTINCT unit) FILTER (WHERE http_status IS NOT NULL) AS requests, count(DISTINCT floor(epoch(timestamp))) AS seconds
        FROM {view_for(inside)} WHERE {inside} GROUP BY ALL"""
    ).set_index("window").reindex(range(last + 1), fill_value=0)  # fmt: skip
    return changes.judge(
        changes.Question(
            **_keyed(cells, read), requests=load["requests"].to_numpy(), seconds=load["seconds"].to_numpy(), span=span, in_words=look.conditions_in_words, asked=asked,
        )
    )  # fmt: skip


def _keyed(cells: pd.DataFrame, read: Records) -> dict[str, pd.DataFrame]:
    """The cells by key, as the judge of a deployment names them, and what each key is about: an error that was a remark before is new."""
    raised = cells["template"].isin(read.exceptions)
    titles = cells["severity_number"].map(log_changes.title)
    key = ("message " + titles + " " + cells["template"]).where(~raised, "exception " + cells["template"])
    cells = cells.assign(key=key, kind=raised.map({True: "exception", False: "message"}))
    together = cells.groupby(["key", "window"], as_index=False).agg(
        entries=("entries", "sum"), squares=("squares", "sum"), first=("first", "min"), last=("last", "max"), revisions=("revisions", ", ".join)
    )  # fmt: skip
    about = cells.groupby("key").agg(
        kind=("kind", "first"), what=("template", "first"), severity_number=("severity_number", "max")
    )
    first = read.ask(
        f"SELECT template, min(entry) AS entry FROM {BRIEF} WHERE template IS NOT NULL GROUP BY template"
    )
    named = first[first["template"].isin(about["what"])]
    bodies = read.ask(
        f"SELECT template, body FROM {read.relation} WHERE entry IN ({', '.join(map(str, named['entry'])) or -1})"
    )
    samples = bodies.set_index("template")["body"]
    return {"cells": together, "about": about.assign(sample=samples.reindex(about["what"]).to_numpy())}


def _span_of_change(look: Look, at: Moment | tuple[Moment, Moment] | None) -> tuple[Span, str] | None:
    """The span that is compared with what lies before it, and how it was found where it was not given; None where there is none."""
    own = look.records.own_span
    end = own[1] + pd.Timedelta(microseconds=1)
    if isinstance(at, tuple):
        found = look.between(*at).stated_span
        assert found is not None
        return found, ""
    if at is not None:
        begins = moment(at, within=own)
        ends = min(look.stated_span[1], end) if look.stated_span is not None else end
        if not look.records.span[0] < begins < ends:
            raise UsageError(
                f"expected a moment within the log, {shown((look.records.span[0], ends))}, got {begins}"
            )
        # As long after it as the log reaches back before it.
        return (begins, min(ends, begins + (begins - look.records.span[0]))), ""
    if look.stated_span is not None:
        return look.stated_span, ""
    proposed = _proposed(look if look.conditions else look.where(conditions.WRONG))
    if proposed is None:
        return None
    begins, ends = map(of_seconds, proposed)
    return (begins, ends), "a span that was proposed since more went wrong then, "


def since_when(look: Look) -> Answer:
    """The answer to `Look.started`: over all of the log up to the end of the look, since what came before is what it is held against."""
    asked = counted(look)
    ends = seconds(look.span)[1]
    begins = float(asked.units.at_s[0]) if len(asked.units) else ends
    of = started.series(
        asked.units.at_s,
        asked.selected,
        span_s=(min(begins, ends), ends),
        unit=asked.units.word,
        among=asked.among,
    )
    return started.judge(of, in_words=look.conditions_in_words)


def who_is_affected(look: Look) -> Answer:
    """The answer to `Look.who`."""
    asked = counted(look)
    # Where no window was stated the one that `differs` proposes too.
    proposed = _proposed(look) if look.conditions and look.stated_span is None else None
    first, last = proposed or seconds(look.span)
    inside = (asked.units.at_s >= first) & (asked.units.at_s < last)
    return who.judge(
        who.Question(
            units=asked.units,
            affected=asked.selected & inside,
            exposed=asked.among & inside,
            in_words=look.conditions_in_words,
            window=(stamp(of_seconds(first)), stamp(of_seconds(last))),
            own=asked.own,
            proposed=proposed is not None,
        )
    )


def what_probes_met(look: Look) -> Answer:
    """The answer to `Look.probes`."""
    evidence = look.records.source.evidence
    if evidence is None or not look.records.has_probes:
        raise UsageError(
            f"expected a run, whose probes were recorded, and {look.records.source.shown} is a log alone; give the run's id, or `last`"
        )
    return outcomes.judge(evidence)


def seconds(span: Span) -> tuple[float, float]:
    """A span in seconds since 1970, its last entry within."""
    return span[0].timestamp(), (span[1] + pd.Timedelta(microseconds=1)).timestamp()
