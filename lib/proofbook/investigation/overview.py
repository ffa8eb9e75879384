"""What a look shows first, as values: what was read, what went wrong, and how it lies over time."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from proofbook.config.duckdb_text import quoted
from proofbook.investigation import answers, conditions, prepare, tables
from proofbook.investigation.moments import Span

if TYPE_CHECKING:
    from proofbook.investigation.look import Look

BUCKETS = 120
MOST_GROUPS, MOST_KINDS, MOST_LANES = 4, 4, 4
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
class Lane:
    """Counts over time. kind: `load`, `wrong` or `own`."""

    title: str
    counts: tuple[int, ...]
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """What is shown. gap_s, gap_at: the longest time in which nothing was written, and when it began. problems: what went wrong in reading."""

    source: str
    selection: str
    span: Span
    entries: int
    requests: int
    own: int
    gap_s: float
    gap_at: pd.Timestamp | None
    groups: tuple[Group, ...]
    kinds: pd.DataFrame
    lanes: tuple[Lane, ...]
    events: tuple[tuple[pd.Timestamp, str], ...]
    problems: tuple[str, ...] = ()
    is_selection: bool = False


def of(look: Look) -> Overview:
    """The overview of a look."""
    counted = look.sql(
        "SELECT count(*) AS entries, count(DISTINCT unit) FILTER (WHERE http_status IS NOT NULL AND NOT own) AS requests, count(DISTINCT unit) FILTER (WHERE own) AS own FROM entries_brief"
    ).iloc[0]
    gap = look.sql(
        "SELECT began, gap_s FROM (SELECT timestamp AS began, epoch(lead(timestamp) OVER (ORDER BY timestamp)) - epoch(timestamp) AS gap_s FROM entries_brief) WHERE gap_s IS NOT NULL ORDER BY gap_s DESC, began LIMIT 1"
    )
    errors = look.sql(
        f"""SELECT arg_max(severity_text, severity_number) AS severity, template AS what, count(*) AS entries, min(timestamp) AS first, max(timestamp) AS last
        FROM entries_brief WHERE template IS NOT NULL GROUP BY template HAVING severity IN ('ERROR', 'CRITICAL', 'ALERT', 'EMERGENCY')
        ORDER BY {tables.SEVERITIES}, entries DESC, what"""
    )
    events = look.sql("SELECT timestamp, what FROM events ORDER BY timestamp LIMIT 12")
    reading = look.records.source.reading
    problems = []
    if reading is not None and reading.unparsed:
        problems.append(
            f"{reading.unparsed:,} of {reading.lines:,} lines could not be read, such as {reading.unparsed_sample[:120]!r}"
        )
    if reading is not None and reading.note:
        problems.append(reading.note)
    return Overview(
        source=look.records.source.shown,
        selection=look.in_words,
        span=look.span,
        entries=int(counted["entries"]),
        requests=int(counted["requests"]),
        own=int(counted["own"]),
        gap_s=float(gap["gap_s"].iloc[0]) if len(gap) else 0.0,
        gap_at=pd.Timestamp(gap["began"].iloc[0]) if len(gap) else None,
        groups=_groups(look),
        kinds=errors.head(MOST_KINDS),
        lanes=_lanes(look, errors["what"].head(MOST_LANES).tolist()),
        events=tuple((pd.Timestamp(at), str(what)) for at, what in events.itertuples(index=False)),
        problems=tuple(problems),
        is_selection=bool(look.conditions),
    )


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


def _lanes(look: Look, kinds: list[str]) -> tuple[Lane, ...]:
    first, last = look.span
    width_s = max((last - first).total_seconds(), 1.0) / BUCKETS
    asked = {
        "requests": ("http_status IS NOT NULL AND NOT own", "load"),
        "answers of 4xx": ("http_status BETWEEN 400 AND 499 AND NOT own", "wrong"),
        "answers of 5xx": ("http_status >= 500 AND NOT own", "wrong"),
        **{kind: (f"template = {quoted(kind)} AND NOT own", "wrong") for kind in kinds},
        "entries of no request": ("http_status IS NULL AND NOT own", "load"),
        "our own probes": ("own", "own"),
    }
    counts = ", ".join(
        f"count(*) FILTER (WHERE {condition}) AS c{number}"
        for number, (condition, _) in enumerate(asked.values())
    )
    place = f"least({BUCKETS - 1}, floor((epoch(timestamp) - {first.timestamp()!r}) / {width_s!r})::BIGINT)"
    found = look.sql(f"SELECT {place} AS bucket, {counts} FROM entries_brief GROUP BY bucket").set_index(
        "bucket"
    )
    whole = found.reindex(range(BUCKETS), fill_value=0)
    lanes = [
        Lane(title=title, counts=tuple(int(count) for count in whole[f"c{number}"]), kind=kind)
        for number, (title, (_, kind)) in enumerate(asked.items())
    ]
    return tuple(lane for lane in lanes if any(lane.counts))


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
