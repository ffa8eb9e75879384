"""What follows a brush: the selection that it stands for, as code, with its facets and some of its entries, as values for JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from proofbook.errors import ProofbookError
from proofbook.investigation.display import axis, facets, gesture, lines, plain
from proofbook.investigation.display.axis import Axis
from proofbook.investigation.display.facets import Facet, Tally
from proofbook.investigation.display.lines import Line
from proofbook.investigation.display.overview import Overview
from proofbook.investigation.moments import Span
from proofbook.redaction.scrubbing import in_value
from proofbook.redaction.unseen import visible

if TYPE_CHECKING:
    from proofbook.investigation.look import Look

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"
# Values of facets that were clicked on: pairs of a name and a value.
Picks: TypeAlias = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Brushed:
    """A selection, and the code that it stands for."""

    look: Look
    as_code: str
    problem: str = ""


class Brush:
    """A look that can be brushed; what has been counted once is kept."""

    def __init__(self, look: Look, shown: Overview) -> None:
        self._look, self._axis = look, shown.axis
        self._looks: dict[tuple[tuple[str, str], ...], Look] = {}
        self._tallies: dict[tuple[str, ...], Tally] = {}

    def select(self, buckets: Sequence[float], picks: Picks, *, name: str) -> Brushed:
        """The selection from bucket `buckets[0]` up to `buckets[1]`, and of it what has the values; of what cannot be selected, why.

        name: of the look, in code.
        """
        look, calls = self._look, []
        try:
            if len(buckets) == 2:
                span = _span(buckets, self._axis)
                calls.append(gesture.between(span, within=look.records.own_span))
                look = self._picked(picks).between(*span)
            else:
                look = self._picked(picks)
        except ProofbookError as error:
            return Brushed(look=self._look, as_code=name, problem=str(error))
        calls += [gesture.where(field, value) for field, value in picks]
        return Brushed(look=look, as_code=name + "".join(calls))

    def _picked(self, picks: Picks) -> Look:
        """The look with the values, of all its time; found once, since finding out whether a log has a value reads all of it."""
        key = tuple(picks)
        if key not in self._looks:
            look = self._look
            for field, value in picks:
                values: dict[str, object] = {
                    field: int(value) if field == "status" and value.isdigit() else value
                }
                look = look.where(**values) if field.isidentifier() else look.where(fields=values)  # type: ignore[arg-type]  # no name is `fields`
            self._looks[key] = look
        return self._looks[key]

    def answer(self, brushed: Brushed) -> dict[str, Json]:
        """What the widget shows of a selection."""
        look = brushed.look
        key = tuple(item.sql for item in look.conditions)
        if key not in self._tallies:
            self._tallies[key] = facets.tally(look)
        counted, entries = self._tallies[key].facets_of(look), self._tallies[key].entries_of(look)
        told: dict[str, Json] = {
            "code": brushed.as_code,
            "problem": brushed.problem,
            "head": f"{len(entries):,} entries, {counted.count:,} {counted.word}, {counted.wrong:,} of them went wrong",
            "facets": [_facet(facet) for facet in counted.facets],
            "lines": [_line(line, look) for line in lines.of(look.records, entries)],
        }
        return _shown(told)


def view(shown: Overview) -> dict[str, Json]:
    """The lanes of a look as the widget draws them."""
    of = shown.axis
    return _shown({
        "buckets": of.buckets, "first_ms": of.first_ms, "width_ms": of.width_ms,
        "days": shown.span[0].date() != shown.span[1].date(),
        "lanes": [
            {
                "title": lane.title, "kind": lane.kind, "most": lane.most, "pick": [lane.name, lane.value] if lane.name else None,
                "count": f"most {plain.most(lane)}" if lane.kind == "latency" else f"{lane.total:,.0f}, most {plain.most(lane)}",
                "values": [_short(value) for value in lane.values], "second": [_short(value) for value in lane.second],
            }
            for lane in shown.lanes
        ],
        "events": [{"at": round(of.place(at), 3), "text": f"{at:%H:%M:%S} {what}"} for at, what in shown.events],
        "unknown": [[round(began, 2), round(ended, 2)] for began, ended in shown.unknown],
    })  # fmt: skip


def _span(buckets: Sequence[float], of: Axis) -> Span:
    first, last = sorted(min(max(round(place), 0), of.buckets) for place in buckets)
    return of.at(first), of.at(max(last, first + 1))


def _facet(facet: Facet) -> Json:
    return {
        "name": facet.name,
        "more": facet.distinct - len(facet.values),
        "values": [
            {"text": value.text[: gesture.MOST_CHARS], "n": value.count, "wrong": value.wrong, "whole": len(value.text) <= gesture.MOST_CHARS}
            for value in facet.values
        ],
    }  # fmt: skip


def _line(line: Line, look: Look) -> Json:
    if line.trace_id:
        code = gesture.where("trace_id", line.trace_id)
    else:
        code = f'.at("{axis.written(line.at, within=look.records.own_span)}", "1s")'
    return [line.wrong, plain.clock(line.at), line.severity, line.what, line.of, code]


def _short(value: float | None) -> float | None:
    return value if value is None or isinstance(value, int) else float(f"{value:.4g}")


def _shown(told: dict[str, Json]) -> dict[str, Json]:
    """Without secrets, and with nothing that hides what a text says."""
    found: dict[str, Json] = in_value(in_value(told), visible)
    return found
