"""The requests of a log and some of its lines, as far as joins go by them, and how often each rule is right there."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from proofbook.investigation.following import joins
from proofbook.investigation.following.joins import Lines, Measured, Open, Requests, Rule
from proofbook.investigation.prepare import BRIEF

if TYPE_CHECKING:
    from proofbook.investigation.records import Records

# Rules are measured by so many lines: of an eighth of them one request alone is open, and a thousand tell a rate within three points.
TESTED = 8000
# A socket of more lines than these is a server's, which says nothing of one request.
MOST_OF_SOCKET = 30
# Where so many lines of a service have the trace of a request, one without a trace belongs to none.
MOSTLY_TRACED = 0.5
PLACE = "(hash(coalesce(service_instance_id, '')) >> 1)::BIGINT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """What joins go by. by_place: requests and lines name the same instances. rules: how often each guess is right on this log. traced: by service the share of lines that have the trace of a request."""

    open: Open
    by_place: bool
    rules: dict[Rule, Measured]
    traced: dict[str, float]

    def rule(self, rule: Rule) -> Measured:
        """How often a guess is right."""
        return self.rules[rule]


def of(read: Records) -> Traffic:
    """The traffic of a log, with its rules measured by lines whose trace is hidden."""
    by_place = _by_place(read)
    place = PLACE if by_place else "0::BIGINT"
    requests = _requests(read, place)
    lines = _lines(read, place)
    ended = len(lines.at_s) > 0 and joins.is_written_at_end(requests, lines)
    opened = Open(replace(requests, ended=ended))
    rules = {**joins.measured(opened, lines), Rule.SOCKET: _by_socket(read, place)}
    return Traffic(open=opened, by_place=by_place, rules=rules, traced=_traced(read))


def _by_place(read: Records) -> bool:
    """Whether most lines of no request name an instance that requests name too; a proxy's log and that of what lies behind it name different ones."""
    found = read.ask(
        f"""WITH held AS (SELECT coalesce(service_instance_id, '') AS instance, count(*) FILTER (WHERE http_status IS NULL) AS lines,
            count(*) FILTER (WHERE http_status IS NOT NULL) AS requests FROM {BRIEF} GROUP BY 1)
        SELECT coalesce(sum(lines) FILTER (WHERE instance <> '' AND requests > 0), 0) AS shared, coalesce(sum(lines), 0) AS lines FROM held"""
    ).iloc[0]
    return int(found["lines"]) > 0 and 2 * int(found["shared"]) >= int(found["lines"])


def _requests(read: Records, place: str) -> Requests:
    found = read.arrow(
        f"SELECT epoch(timestamp) AS at_s, coalesce(http_latency_s, 0) AS took_s, {place} AS place, unit FROM {BRIEF} WHERE http_status IS NOT NULL ORDER BY timestamp"
    )
    return Requests(
        at_s=found["at_s"].to_numpy(),
        took_s=found["took_s"].to_numpy(),
        place=found["place"].to_numpy(),
        unit=found["unit"].to_numpy(),
    )


def _lines(read: Records, place: str) -> Lines:
    """Lines of which a trace names the request, so many that rules can be measured; the same ones each time."""
    found: pa.Table = read.arrow(
        f"""WITH asked AS (SELECT DISTINCT unit FROM {BRIEF} WHERE http_status IS NOT NULL AND traced)
        SELECT epoch(timestamp) AS at_s, {place} AS place, unit FROM {BRIEF} SEMI JOIN asked USING (unit)
        WHERE http_status IS NULL ORDER BY hash(entry), entry LIMIT {TESTED}"""
    )
    return Lines(
        at_s=found["at_s"].to_numpy(), place=found["place"].to_numpy(), unit=found["unit"].to_numpy()
    )


def _by_socket(read: Records, place: str) -> Measured:
    """How often two lines that name the same socket on one instance have the same trace."""
    found = read.ask(
        f"""WITH held AS (SELECT socket, {place} AS place, trace_id, timestamp, count(*) OVER (PARTITION BY socket, {place}) AS n FROM {read.relation}
            WHERE socket IS NOT NULL AND trace_id <> ''),
        paired AS (SELECT trace_id, lead(trace_id) OVER (PARTITION BY socket, place ORDER BY timestamp) AS other FROM held WHERE n <= {MOST_OF_SOCKET})
        SELECT count(*) AS tested, count(*) FILTER (WHERE trace_id = other) AS hit FROM paired WHERE other IS NOT NULL"""
    ).iloc[0]
    return Measured(rule=Rule.SOCKET, tested=int(found["tested"]), right=int(found["hit"]))


def _traced(read: Records) -> dict[str, float]:
    found = read.ask(
        f"""WITH asked AS (SELECT DISTINCT unit FROM {BRIEF} WHERE http_status IS NOT NULL AND traced)
        SELECT coalesce(service_name, '') AS service, avg((a.unit IS NOT NULL)::INT) AS share FROM {BRIEF} e LEFT JOIN asked a USING (unit)
        WHERE e.http_status IS NULL AND e.template IS NOT NULL GROUP BY 1"""
    )
    return {str(service): float(share) for service, share in found.itertuples(index=False)}


def is_mostly_traced(traffic: Traffic, service: object) -> bool:
    """Whether lines of a service that belong to a request say so."""
    name = service if isinstance(service, str) else ""
    return bool(np.nan_to_num(traffic.traced.get(name, 0.0)) >= MOSTLY_TRACED)
