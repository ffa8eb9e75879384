"""What a look shows first, as values: what was read, what went wrong, and how it lies over time."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from proofbook.config.duckdb_text import quoted
from proofbook.investigation import answers, conditions, met, prepare, probed, tables
from proofbook.investigation.display import axis as axes
from proofbook.investigation.display import facets, lanes, lines, rhythm, rises
from proofbook.investigation.display.axis import Axis
from proofbook.investigation.display.facets import Facets
from proofbook.investigation.display.lanes import Lane
from proofbook.investigation.display.lines import Line
from proofbook.investigation.display.rises import Rise
from proofbook.investigation.met import Met
from proofbook.investigation.moments import Span

if TYPE_CHECKING:
    from proofbook.investigation.look import Look

MOST_GROUPS, MOST_KINDS, MOST_EVENTS = 4, 4, 12
# What comes more often than this has lanes to show how.
MOST_TIMES = 2000
# A share that is worth a word: all of them, or most.
MOST = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Answers of one status for one path: how many of how many, when, and who asked most.

    refused: they are upgrades to a WebSocket. addresses: how many asked. of_address, of_agent: how many came from the one that asked most; None where
    the log does not tell.
    """

    status: int
    path: str
    count: int
    of: int
    first: pd.Timestamp
    last: pd.Timestamp
    refused: bool
    addresses: int
    of_address: int | None
    address: str
    of_agent: int | None
    agent: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """What is shown. met: of a run what its probes met. unknown: where nothing was written, in places on the axis. problems: what went wrong in reading."""

    source: str
    selection: str
    span: Span
    entries: int
    requests: int
    own: int
    met: tuple[Met, ...]
    changes: tuple[Rise, ...]
    groups: tuple[Group, ...]
    kinds: pd.DataFrame
    axis: Axis
    lanes: tuple[Lane, ...]
    unknown: tuple[tuple[float, float], ...]
    events: tuple[tuple[pd.Timestamp, str], ...]
    facets: Facets
    lines: tuple[Line, ...]
    problems: tuple[str, ...] = ()
    is_selection: bool = False

    @property
    def longest_unknown(self) -> tuple[pd.Timestamp, float] | None:
        """When the longest time began in which nothing was written, and how many seconds it took; None where there is none."""
        if not self.unknown:
            return None
        began, ended = max(self.unknown, key=lambda pair: pair[1] - pair[0])
        return self.axis.at(began), (ended - began) * self.axis.width_s


def of(look: Look) -> Overview:
    """The overview of a look."""
    counted = look.sql(
        "SELECT count(DISTINCT unit) FILTER (WHERE http_status IS NOT NULL AND NOT own) AS requests, count(DISTINCT unit) FILTER (WHERE own) AS own FROM entries_brief"
    ).iloc[0]
    errors = look.sql(
        f"""SELECT arg_max(severity_text, severity_number) AS severity, template AS what, count(*) AS entries, min(timestamp) AS first, max(timestamp) AS last
        FROM entries_brief WHERE template IS NOT NULL GROUP BY template HAVING severity IN ('ERROR', 'CRITICAL', 'ALERT', 'EMERGENCY')
        ORDER BY {tables.SEVERITIES}, entries DESC, what LIMIT {MOST_KINDS}"""
    )
    # Of many the latest: what is asked about is mostly near the end.
    events = look.sql(f"SELECT timestamp, what FROM (FROM events ORDER BY timestamp DESC, what LIMIT {MOST_EVENTS}) ORDER BY timestamp, what")  # fmt: skip
    axis = axes.over(look.span)
    over_time = lanes.of(look, axis)
    tally = facets.tally(look)
    look.records.give_back()
    entries = tally.entries_of(look)
    return Overview(
        source=look.records.source.shown,
        selection=look.in_words,
        span=look.span,
        entries=len(entries),
        requests=int(counted["requests"]),
        own=int(counted["own"]),
        met=_met(look),
        changes=rises.of(look, over_time),
        groups=_groups(look),
        kinds=errors.assign(rhythm=[_rhythm(look, str(what)) for what in errors["what"]]),
        axis=axis,
        lanes=over_time,
        unknown=lanes.unknown(look, axis),
        events=tuple((pd.Timestamp(at), str(what)) for at, what in events.itertuples(index=False)),
        facets=tally.facets_of(look),
        lines=lines.of(look.records, entries),
        problems=_problems(look),
        is_selection=bool(look.conditions),
    )


def _rhythm(look: Look, template: str) -> str:
    """How a message lies over time."""
    found = look.sql(f"SELECT epoch(timestamp) AS at_s FROM entries_brief WHERE template = {quoted(template)} ORDER BY timestamp LIMIT {MOST_TIMES}")  # fmt: skip
    length_s = (look.span[1] - look.span[0]).total_seconds()
    return "" if len(found) == MOST_TIMES else rhythm.of(found["at_s"].to_numpy(dtype="float64"), length_s=length_s)  # fmt: skip


def _met(look: Look) -> tuple[Met, ...]:
    """What the probes of a run met in the time of a look; a condition on entries says nothing of them."""
    evidence = look.records.source.evidence
    if evidence is None or look.conditions:
        return ()
    return tuple(met.of(fact) for fact in probed.facts(evidence, look.stated_span))


def _problems(look: Look) -> tuple[str, ...]:
    source = look.records.source
    reading = source.reading
    if reading is None:
        return (source.note,) if source.note else ()
    unread = f"{reading.unparsed:,} of {reading.lines:,} lines could not be read, such as {reading.unparsed_sample[:120]!r}"
    return tuple(text for text in (unread if reading.unparsed else "", reading.note) if text)


def _groups(look: Look) -> tuple[Group, ...]:
    """The answers that went wrong (of a look with a condition: all), by status and path, the most frequent first."""
    known = look.records.known
    wrong = "true" if look.conditions else f"({conditions.wrong(known).sql})"
    whole = prepare.BRIEF
    inside = f"timestamp BETWEEN TIMESTAMPTZ {quoted(look.span[0].isoformat())} AND TIMESTAMPTZ {quoted(look.span[1].isoformat())}"
    found = look.sql(
        f"""WITH hit AS (
            SELECT *, {conditions.refused_upgrade(known)} AS refused FROM entries_brief WHERE http_status IS NOT NULL AND NOT own AND {wrong}
        ), grouped AS (
            SELECT http_status AS status, coalesce(path, '') AS path, count(*) AS n, min(timestamp) AS first, max(timestamp) AS last, bool_or(refused) AS refused,
                count(DISTINCT http_remote_ip) AS addresses, mode(http_remote_ip) AS address, mode(http_user_agent) AS agent
            FROM hit GROUP BY ALL ORDER BY n DESC, status, path LIMIT {MOST_GROUPS}
        )
        SELECT g.*,
            (SELECT count(*) FROM {whole} w WHERE w.http_status IS NOT NULL AND NOT w.own AND coalesce(w.path, '') = g.path AND {inside}) AS of_path,
            (SELECT count(*) FROM hit h WHERE h.http_status = g.status AND coalesce(h.path, '') = g.path AND h.http_remote_ip = g.address) AS of_address,
            (SELECT count(*) FROM hit h WHERE h.http_status = g.status AND coalesce(h.path, '') = g.path AND h.http_user_agent = g.agent) AS of_agent
        FROM grouped g ORDER BY n DESC, status, path"""
    )
    return tuple(
        Group(
            status=int(row["status"]), path=str(row["path"]), count=int(row["n"]), of=int(row["of_path"]),
            first=pd.Timestamp(row["first"]), last=pd.Timestamp(row["last"]), refused=bool(row["refused"]), addresses=int(row["addresses"]),
            of_address=int(row["of_address"]) if row["of_address"] else None, address=str(row["address"] or ""),
            of_agent=int(row["of_agent"]) if row["of_agent"] else None, agent=str(row["agent"] or ""),
        )
        for row in found.to_dict("records")
    )  # fmt: skip


def to_json(shown: Overview) -> dict[str, object]:
    """The overview as plain values."""
    told = dataclasses.asdict(dataclasses.replace(shown, kinds=pd.DataFrame()))
    found: dict[str, object] = json.loads(
        json.dumps(told | {"kinds": answers.rows(shown.kinds)}, default=_plain)
    )
    return found


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, pd.Timestamp) else str(value)


def in_words(group: Group) -> str:
    """A group in a sentence.

    >>> at = pd.Timestamp("2026-01-05T09:00Z")
    >>> in_words(Group(status=403, path="/ws", count=9, of=9, first=at, last=at, refused=True, addresses=1, of_address=9, address="192.0.2.1", of_agent=6, agent="tests"))
    '9 of 9 upgrades of /ws refused with 403, 09:00:00 to 09:00:00: all from one address (192.0.2.1), 6 of them by one agent (tests)'
    """
    what = (
        f"upgrades of {group.path} refused with {group.status}"
        if group.refused
        else f"requests of {group.path or '(no path)'} answered {group.status}"
    )
    day = "" if group.first.date() == group.last.date() else f"{group.last:%Y-%m-%d} "
    who = []
    if group.of_address is not None:
        who.append(
            _share(group.of_address, group.count, "from", "address", group.address)
            or f"from {group.addresses:,} addresses"
        )
    if group.of_agent is not None and (
        agent := _share(group.of_agent, group.count, "by", "agent", group.agent)
    ):
        who.append(agent)
    return f"{group.count:,} of {group.of:,} {what}, {group.first:%H:%M:%S} to {day}{group.last:%H:%M:%S}{': ' + ', '.join(who) if who else ''}"


def _share(count: int, whole: int, word: str, kind: str, which: str) -> str:
    if count == whole:
        return f"all {word} one {kind} ({which})"
    return f"{count:,} of them {word} one {kind} ({which})" if count > MOST * whole else ""
