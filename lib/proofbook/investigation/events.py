"""What happened at one moment: revisions, starts of processes, our own probing, sockets that were closed, and what was pinned."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from proofbook.config.duckdb_text import quoted
from proofbook.evidence.store import LOOK, STARTED, Evidence
from proofbook.investigation import pins
from proofbook.investigation.moments import Span, of_seconds
from proofbook.investigation.prepare import BRIEF
from proofbook.investigation.records import Records

COLUMNS = ("timestamp", "kind", "what", "source")
# Of one service so many starts of processes are told.
MOST_STARTS = 20
Event = tuple[pd.Timestamp, str, str, str]


def of(read: Records, span: Span) -> pd.DataFrame:
    """The events of a span, one a row: timestamp, kind (`revision`, `created`, `start`, `probing`, `closed`, `pin`), what, source."""
    evidence = read.source.evidence
    found = [*_first_entries(read), *_pinned(read)]
    if evidence is not None:
        found += [*_created(evidence), *_starts(evidence), *_probing(evidence), *_held(evidence)]
    whole = pd.DataFrame(found, columns=list(COLUMNS)).astype(dict.fromkeys(COLUMNS[1:], "str"))
    whole["timestamp"] = pd.to_datetime(whole["timestamp"], utc=True).astype("datetime64[us, UTC]")
    inside = whole["timestamp"].between(*span)
    return whole[inside].sort_values(["timestamp", "kind", "what"], ignore_index=True)


def _first_entries(read: Records) -> Iterator[Event]:
    """When each revision first wrote; one that is there from the beginning began at no moment that is known."""
    first, last = read.span
    began = read.ask(
        f"""SELECT min(timestamp) AS timestamp, service_name || ' ' || service_version || ' first wrote' AS what, min(source) AS source
        FROM {BRIEF} WHERE service_version <> '' AND NOT own GROUP BY service_name, service_version
        HAVING min(timestamp) > TIMESTAMPTZ {quoted((first + (last - first) / 50).isoformat())}"""
    )
    for at, what, source in began.itertuples(index=False):
        yield pd.Timestamp(at), "revision", str(what), str(source)


def _created(evidence: Evidence) -> Iterator[Event]:
    """When the platform says that each revision was made."""
    listed = [table for phase in evidence.manifest.phases if (table := evidence.table("revisions", phase)) is not None]  # fmt: skip
    if listed:
        made = pd.concat(listed).dropna(subset="created").drop_duplicates("revision")
        for name, at in zip(made["revision"], made["created"], strict=True):
            yield pd.Timestamp(at), "created", f"{name} was made", "the platform"


def _starts(evidence: Evidence) -> Iterator[Event]:
    """When processes began, of services of which more than one was met."""
    listed = [table for phase in evidence.manifest.phases if (table := evidence.table("metrics", phase)) is not None]  # fmt: skip
    whole = pd.concat(listed) if listed else pd.DataFrame(columns=["service", "name", "value"])
    for service, began in whole[whole["name"] == STARTED].groupby("service")["value"]:
        moments = sorted(set(began.round(2)))
        for at in moments[:MOST_STARTS] if len(moments) > 1 else []:
            yield of_seconds(at), "start", f"a process of {service} began", str(service)


def _probing(evidence: Evidence) -> Iterator[Event]:
    """When our own probing began and ended; of what was only read there was none."""
    for phase in evidence.manifest.phases:
        window = evidence.window(phase)
        for at, word in zip(window or (), ("began", "ended"), strict=False):
            if phase != LOOK:
                yield at, "probing", f"our probes ({phase}) {word}", "proofbook"


def _held(evidence: Evidence) -> Iterator[Event]:
    """When the server closed sockets that were held open, those of one code together."""
    held = evidence.table("held", "rollout")
    if held is None or held.empty:
        return
    took = held[["resolve_s", "tcp_s", "tls_s", "upgrade_s", "greeting_s", "dwell_s"]].fillna(0).sum(axis=1)
    ended = held.assign(ended=held["timestamp"] + pd.to_timedelta(took, unit="s"))
    of_all = held.groupby("endpoint").size()
    closed = ended[ended["closed_by"] == "server"]
    for (endpoint, code), some in closed.groupby(["endpoint", "close_code"]):
        middle = some["ended"].sort_values().iloc[len(some) // 2]
        what = f"{len(some)} of {of_all[str(endpoint)]} held sockets of {endpoint} closed with {code}"
        yield pd.Timestamp(middle), "closed", what, "proofbook"


def _pinned(read: Records) -> Iterator[Event]:
    """From when what was pinned of this source was seen."""
    for pin in pins.about(read.source.shown):
        yield pd.Timestamp(pin.first), "pin", f"pinned: {pin.said}", pins.FILE
