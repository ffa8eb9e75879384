"""Some entries of a look, to be read beside its facets: what went wrong first, never more than a page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from proofbook.redaction.scrubbing import for_others

if TYPE_CHECKING:
    from proofbook.investigation.columns import Places
    from proofbook.investigation.records import Records

MOST_LINES, MOST_CHARS = 50, 240
# Entries that are looked through at once.
AT_ONCE = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """An entry on one line. of: where it was written. wrong: whether it went wrong by itself."""

    at: pd.Timestamp
    severity: str
    what: str
    of: str
    trace_id: str
    wrong: bool


def of(read: Records, entries: Places) -> tuple[Line, ...]:
    """Some of these entries: first what went wrong, then others, each in the order of time."""
    went_wrong = _first(entries, read.wrong_entries, within=True)
    first = np.concatenate([went_wrong, _first(entries, read.wrong_entries, within=False)])[:MOST_LINES]
    if not len(first):
        return ()
    found = read.ask(
        f"""SELECT entry, timestamp, coalesce(severity_text, '') AS severity, left(coalesce(template, ''), 1) <> '' AS says, left(coalesce(body, ''), 2000) AS body,
            concat_ws(' ', http_status, http_method, coalesce(path, http_url)) AS asked, concat_ws(' ', nullif(service_name, ''), nullif(service_version, ''), nullif(service_instance_id, '')) AS of,
            coalesce(trace_id, '') AS trace_id
        FROM {read.relation} WHERE entry BETWEEN {first.min()} AND {first.max()} AND entry IN ({", ".join(map(str, first.tolist()))}) ORDER BY entry"""
    )
    bad = set(went_wrong.tolist())
    return tuple(
        Line(
            at=pd.Timestamp(row["timestamp"]),
            severity=str(row["severity"]),
            what=_cut(" ".join(part for part in (str(row["asked"]), str(row["body"]) if row["says"] else "") if part)),
            of=_cut(str(row["of"])),
            trace_id=str(row["trace_id"]),
            wrong=int(row["entry"]) in bad,
        )
        for row in sorted(found.to_dict("records"), key=lambda row: (int(row["entry"]) not in bad, row["entry"]))
    )  # fmt: skip


def _first(entries: Places, wrong: Places, *, within: bool) -> Places:
    """The first of some entries that went wrong, or that did not. Both are in order; a part at a time, so that nothing as long as a log is made."""
    found = [entries[:0]]
    for begins in range(0, len(entries), AT_ONCE):
        some = entries[begins : begins + AT_ONCE]
        near = wrong[slice(*np.searchsorted(wrong, [some[0], some[-1] + 1]))]
        found.append(some[np.isin(some, near, assume_unique=True) == within])
        if sum(map(len, found)) >= MOST_LINES:
            break
    return np.concatenate(found)[:MOST_LINES]


def _cut(text: str) -> str:
    # Redacted first: half a secret has no shape to be known by.
    text = " ".join(for_others(text).split())
    return text if len(text) <= MOST_CHARS else text[: MOST_CHARS - 1] + "…"
