"""One request from client to log and back, each step with the rule by which it belongs to it and how often that rule is right."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from proofbook.config.duckdb_text import quoted
from proofbook.investigation.answers import FOUND, UNSURE, Answer
from proofbook.investigation.following import given as givens
from proofbook.investigation.following import steps, traffic, waterfall
from proofbook.investigation.following.given import Given, Row
from proofbook.investigation.following.joins import CERTAIN, GUESSES, NEAR_S, SHOWN, Measured, Rule
from proofbook.investigation.following.steps import Step
from proofbook.investigation.following.traffic import MOST_OF_SOCKET, Traffic
from proofbook.investigation.prepare import BRIEF
from proofbook.judge.findings import Control, Exposure, Method
from proofbook.judge.view import stamp

if TYPE_CHECKING:
    from proofbook.investigation.records import Records

CLAIM = "one request from start to end"
# Lines that may name a trace are looked for so long before and after it, and those of a socket so long.
TEXT_S, SOCKET_S = 60.0, 600.0
# A trace id that is shorter stands in texts by chance.
LEAST_TRACE = 16
MOST_LINES = 2000
_COLUMNS = f"entry, timestamp, severity_text, severity_number, body, template, service_name, service_instance_id, trace_id, http_method, http_url, path, http_status, http_latency_s, unit, socket, {traffic.PLACE} AS place"
METHOD = Method(
    name="equality of trace ids; where there is none, the rules of sockets and of time, each measured on lines of this log whose trace is hidden from it",
    confidence=0.95,
    source="Clopper and Pearson 1934, for the intervals of the rates",
)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Followed(Answer):
    """One request from client to log and back. steps: in the order of time. rules: how often each guess is right on this log."""

    steps: tuple[Step, ...] = ()
    rules: tuple[Measured, ...] = ()
    trace_id: str = ""

    def _table_as_html(self) -> str:
        return waterfall.as_html(self.steps)

    def _table_as_text(self) -> str:
        return waterfall.as_text(self.steps)


@dataclass(slots=True, kw_only=True)
class _Gathered:
    """Entries that were found to belong to the request, by number, and what was left out."""

    rows: dict[int, tuple[Row, Rule, bool, int]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def add(self, found: Iterable[Row], rule: Rule, *, certain: bool = True, rivals: int = 0) -> None:
        for row in found:
            self.rows.setdefault(int(row["entry"]), (row, rule, certain, rivals))

    @property
    def entries(self) -> list[Row]:
        return [row for row, *_ in self.rows.values()]

    @property
    def units(self) -> set[int]:
        """The requests among them."""
        return {int(row["unit"]) for row in self.entries if not pd.isna(row["http_status"])}

    @property
    def span(self) -> tuple[pd.Timestamp, pd.Timestamp]:
        at = [row["timestamp"] for row in self.entries]
        return min(at), max(at)


def follow(x: Any, read: Records) -> Followed:
    """The request that an entry, a trace or a probe belongs to.

    Raises:
        UnknownName: there is no such trace. UsageError: what was given is none of these.
    """
    asked = givens.of(x, read)
    seen = read.traffic
    found = _Gathered()
    if asked.entry is not None:
        found.add(_rows(read, f"entry = {asked.entry}"), Rule.GIVEN)
    if asked.trace:
        found.add(_rows(read, f"trace_id = {quoted(asked.trace)}"), Rule.TRACE)
        if found.rows and len(asked.trace) >= LEAST_TRACE:
            found.add(_in_text(read, asked.trace, found), Rule.IN_TEXT)
    spans = read.spans_of(asked.trace) if asked.trace else []
    if found.rows:
        _guess(read, seen, found, has_request=bool(spans))
    of_probe = Rule.TRACE if asked.trace and found.rows else Rule.GIVEN
    all_steps = [
        steps.of_entry(row, rule=rule, certain=certain, rivals=rivals, ended=seen.open.requests.ended)
        for row, rule, certain, rivals in found.rows.values()
    ]
    all_steps += steps.of_spans(spans)
    all_steps += steps.of_probe(asked.probe, rule=of_probe) if asked.probe is not None else []
    order = {"span": 1, "request": 0, "probe": 0, "line": 2, "close": 3}
    ordered = sorted(all_steps, key=lambda step: (step.at, order[step.kind], step.entry or 0))
    return _answer(asked, read, seen, found, tuple(ordered))


def _rows(read: Records, where: str) -> list[Row]:
    found = read.ask(
        f"SELECT {_COLUMNS} FROM {read.relation} WHERE {where} ORDER BY entry LIMIT {MOST_LINES}"
    )
    return [{str(key): value for key, value in row.items()} for row in found.to_dict("records")]


def _between(read: Records, span: tuple[pd.Timestamp, pd.Timestamp], more_s: float) -> str:
    """SQL for whether an entry lies in a span, by its number: a time is compared with far more of the log."""
    first, last = (
        quoted((at + pd.Timedelta(seconds=by)).isoformat())
        for at, by in zip(span, (-more_s, more_s), strict=True)
    )
    found = read.ask(
        f"SELECT coalesce(min(entry), 0) AS a, coalesce(max(entry), -1) AS b FROM {BRIEF} WHERE timestamp BETWEEN TIMESTAMPTZ {first} AND TIMESTAMPTZ {last}"
    ).iloc[0]
    return f"entry BETWEEN {found['a']} AND {found['b']}"


def _in_text(read: Records, trace: str, found: _Gathered) -> list[Row]:
    """Lines that name the trace and have another, or none."""
    plain = trace.replace("-", "")
    names = {trace, plain, "-".join((plain[:8], plain[8:12], plain[12:16], plain[16:20], plain[20:]))}
    held = " OR ".join(f"contains(body, {quoted(name)})" for name in sorted(names))
    return _rows(
        read,
        f"{_between(read, found.span, TEXT_S)} AND trace_id IS DISTINCT FROM {quoted(trace)} AND ({held})",
    )


def _guess(read: Records, seen: Traffic, found: _Gathered, *, has_request: bool) -> None:
    """Adds what no trace joins: the request of a line (unless its spans are that), lines of the request, and lines of the same socket."""
    _add_by_socket(read, seen, found)
    if not found.units and not has_request:
        _add_request(read, seen, found)
    if found.units:
        _add_lines(read, seen, found)
        _add_by_socket(read, seen, found)


def _add_request(read: Records, seen: Traffic, found: _Gathered) -> None:
    """The request of a line that names none."""
    row = found.entries[0]
    if traffic.is_mostly_traced(seen, row["service_name"]):
        share = seen.traced[str(row["service_name"])]
        found.notes.append(
            f"It names no request, while {share:.0%} of the lines of {row['service_name']} do: it belongs to none that is known."
        )
        return
    join = seen.open.join(_seconds(row), _place(seen, row))
    if join is None:
        found.notes.append("No request was open there at that time.")
        return
    rule = seen.rule(join.rule)
    if not rule.is_shown:
        found.notes.append(
            f"Its request is not shown: the only rule that names one is “{join.rule}”, {rule.in_words}."
        )
        return
    found.add(_rows(read, f"unit = {join.unit}"), join.rule, certain=rule.is_certain, rivals=join.rivals)


def _add_lines(read: Records, seen: Traffic, found: _Gathered) -> None:
    """Lines without a request of their own that a rule of time joins to this one."""
    request = [row for row in found.entries if not pd.isna(row["http_status"])]
    longest: float = max(
        float(row["http_latency_s"]) if not pd.isna(row["http_latency_s"]) else 0.0 for row in request
    )
    ask = f"http_status IS NULL AND template IS NOT NULL AND {_between(read, found.span, longest + NEAR_S)}"
    with_requests = seen.open.requests.unit
    units, hidden, untold = found.units, dict.fromkeys(GUESSES, 0), 0
    rows = [row for row in _rows(read, ask) if int(row["entry"]) not in found.rows]
    of_others = np.isin([int(row["unit"]) for row in rows], with_requests)
    for row in (row for row, is_other in zip(rows, of_others.tolist(), strict=True) if not is_other):
        join = seen.open.join(_seconds(row), _place(seen, row))
        if join is None or join.unit not in units:
            continue
        rule = seen.rule(join.rule)
        if traffic.is_mostly_traced(seen, row["service_name"]):
            untold += 1
        elif rule.is_shown:
            found.add([row], join.rule, certain=rule.is_certain, rivals=join.rivals)
        else:
            hidden[join.rule] += 1
    if untold:
        found.notes.append(
            f"{untold:,} lines of the same time name no request, while most lines of their service do: they are left out."
        )
    found.notes += [
        f"{count:,} lines are not shown: “{rule}” is {seen.rule(rule).in_words}, and under {SHOWN:.0%} or unmeasured it is not used."
        for rule, count in hidden.items()
        if count
    ]


def _add_by_socket(read: Records, seen: Traffic, found: _Gathered) -> None:
    """Lines that name a socket which a line of the request names too, on the same instance."""
    rule = seen.rule(Rule.SOCKET)
    named = {
        (str(row["socket"]), row["service_instance_id"])
        for row in found.entries
        if isinstance(row["socket"], str)
    }
    for socket, instance in sorted(named, key=str):
        where = f"socket = {quoted(socket)} AND {_between(read, found.span, SOCKET_S)}"
        if isinstance(instance, str):
            where += f" AND service_instance_id = {quoted(instance)}"
        rows = _rows(read, where)
        # A line that has the trace of another request is not of this one.
        units = {row["unit"] for row in found.entries}
        mine = [row for row in rows if not _has_trace(row) or row["unit"] in units]
        if len(rows) > MOST_OF_SOCKET or not rule.is_shown:
            if len(mine) > 1:
                found.notes.append(
                    f"Lines that name the socket {socket} are not joined by it: {rule.in_words}."
                )
            continue
        found.add(mine, Rule.SOCKET, certain=rule.is_certain)


def _has_trace(row: Row) -> bool:
    return isinstance(row["trace_id"], str) and row["trace_id"] != ""


def _seconds(row: Row) -> float:
    return float(pd.Timestamp(row["timestamp"]).timestamp())


def _place(seen: Traffic, row: Row) -> int:
    return int(row["place"]) if seen.by_place else 0


# Saying -------------------------------------------------------------------------------------------------------------


def _answer(
    asked: Given, read: Records, seen: Traffic, found: _Gathered, ordered: tuple[Step, ...]
) -> Followed:
    used = {step.rule for step in ordered}
    rules = tuple(seen.rule(rule) for rule in GUESSES)
    notes = [*found.notes]
    if asked.probe is None and read.source.evidence is not None and read.probes_without_traces:
        notes.append(
            "The probes of this run were recorded before trace ids were kept: they cannot be joined."
        )
    if asked.probe is not None and not asked.trace:
        notes.append(
            "This probe was sent without a trace id, or recorded before it was kept: nothing in the log names it."
        )
    return Followed(
        claim=CLAIM, answer=FOUND if all(step.certain for step in ordered) else UNSURE, statement=_statement(ordered),
        table=_table(ordered), steps=ordered, rules=rules, trace_id=asked.trace, notes=tuple(notes), method=METHOD,
        exposure=Exposure(n=len(ordered), unit="steps"), window=(stamp(ordered[0].at), stamp(ordered[-1].at)),
        controls=tuple(_control(rule, used) for rule in rules if rule.tested or rule.rule in used),
        not_established=_not_established(used, asked),
    )  # fmt: skip


def _control(rule: Measured, used: set[Rule]) -> Control:
    return Control(
        kind="positive", name=f"the rule “{rule.rule}” finds requests whose trace is hidden from it", guards=("found",) if rule.rule in used else (),
        expected=f"at least {CERTAIN:.0%}, else it says possibly; under {SHOWN:.0%} it is not used", got=rule.in_words, held=rule.is_certain,
    )  # fmt: skip


def _not_established(used: set[Rule], asked: Given) -> tuple[str, ...]:
    gaps = ["what wrote no line and no span"]
    if used & set(GUESSES):
        gaps.append(
            "that lines without a trace are joined as often rightly as those with one, by which the rules are measured"
        )
    if asked.probe is not None:
        gaps.append(
            "how far the clocks of the probe and of the log are apart: steps of both stand by their own clock"
        )
    return tuple(gaps)


def _statement(ordered: tuple[Step, ...]) -> str:
    requests = [step for step in ordered if step.kind == "request"]
    head = requests[0].what if requests else ordered[0].what
    if requests and requests[0].took_s:
        head += f" after {waterfall.short(requests[0].took_s)}"
    possibly = sum(not step.certain for step in ordered)
    counts = {kind: sum(step.kind == kind for step in ordered) for kind in ("line", "span", "probe")}
    words = {"line": "lines of the log", "span": "spans", "probe": "timings of the probe"}
    parts = [
        f"{count} {words[kind] if count > 1 else words[kind].replace('lines', 'line').replace('spans', 'span').replace('timings', 'timing')}"
        for kind, count in counts.items()
        if count
    ]
    ends = [step.what.removeprefix("probe: ") for step in ordered if step.kind == "close"]
    return "; ".join(
        [
            head,
            *([", ".join(parts)] if parts else []),
            *([f"{possibly} of these steps possibly"] if possibly else []),
            *ends,
        ]
    )


def _table(ordered: tuple[Step, ...]) -> pd.DataFrame:
    begins = ordered[0].at
    return pd.DataFrame({
        "after": [waterfall.short((step.at - begins).total_seconds()) for step in ordered],
        "took": [waterfall.short(step.took_s) if step.took_s is not None else "" for step in ordered],
        "kind": [step.kind for step in ordered],
        "what": [step.what for step in ordered],
        "joined by": [step.joined for step in ordered],
        "how surely": ["surely" if step.certain else "possibly" for step in ordered],
        "entry": pd.array([step.entry for step in ordered], dtype="Int64"),
    })  # fmt: skip
