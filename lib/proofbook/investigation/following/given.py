"""What is to be followed: an entry, a trace or a probe, as it was given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import pandas as pd

from proofbook.config.duckdb_text import quoted
from proofbook.errors import UnknownName, UsageError
from proofbook.investigation.names import PROBES

if TYPE_CHECKING:
    from proofbook.investigation.records import Records

# Of the table of entries, or of one of probes.
Row: TypeAlias = Mapping[str, Any]
WANTED = (
    "expected a row of .examples(), .entries() or a table of probes, the number of an entry, or a trace id"
)
# Columns by which a row is one of a probe.
_OF_PROBES = frozenset({"upgraded", "total_s", "at_s", "phase"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """A row of a table of probes. table: its name; empty where the row alone was given."""

    table: str
    row: Row

    @property
    def at(self) -> pd.Timestamp:
        """When it was sent, by the clock of the probe."""
        return pd.Timestamp(self.row["timestamp"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What is to be followed. entry: its number; None where a trace or a probe was given. trace: empty where there is none."""

    entry: int | None
    trace: str
    probe: Probe | None


def of(x: Any, read: Records) -> Given:
    """What is meant by a row, a number or a trace id.

    Raises:
        UnknownName: no entry or probe has this trace. UsageError: it is none of these, or more than one.
    """
    if isinstance(x, pd.DataFrame):
        if len(x) != 1:
            raise UsageError(f"{WANTED}, got a table of {len(x)} rows; take one, such as .iloc[0]")
        x = x.iloc[0]
    if isinstance(x, str):
        return _of_trace(x.strip(), read)
    if isinstance(x, pd.Series):
        return _of_row({str(name): value for name, value in x.items()}, x.name, read)
    if isinstance(x, Mapping):
        return _of_row({str(name): value for name, value in x.items()}, None, read)
    if isinstance(x, bool) or not hasattr(x, "__index__"):
        raise UsageError(f"{WANTED}, got {type(x).__name__}")
    return _of_entry(int(x), read)


def _of_entry(number: int, read: Records) -> Given:
    found = read.ask(f"SELECT trace_id FROM {read.relation} WHERE entry = {number}")
    if found.empty:
        raise UsageError(f"expected the number of an entry, 0 to {read.count - 1}, got {number}")
    trace = found["trace_id"].iloc[0]
    trace = trace if isinstance(trace, str) else ""
    return Given(entry=number, trace=trace, probe=_probe(trace, read) if trace else None)


def _of_row(row: Row, name: Any, read: Records) -> Given:
    number = row.get("entry", row.get("request", None))
    if number is None and hasattr(name, "__index__") and not _OF_PROBES & row.keys():
        # The number of an entry is the label of its row; a row of another table may be labelled so too.
        at = read.ask(f"SELECT timestamp FROM {read.relation} WHERE entry = {int(name)}")["timestamp"]
        if len(at) and at.iloc[0] == row.get("timestamp"):
            number = name
    if number is not None and hasattr(number, "__index__"):
        return _of_entry(int(number), read)
    trace = row.get("trace_id")
    is_probe = bool(_OF_PROBES & row.keys()) and "timestamp" in row
    if isinstance(trace, str) and trace:
        known = _of_trace(trace, read) if not is_probe else None
        return known or Given(entry=None, trace=trace, probe=_probe(trace, read) or Probe(table="", row=row))
    if is_probe:
        return Given(entry=None, trace="", probe=Probe(table=str(row.get("what", "")), row=row))
    raise UsageError(f"{WANTED}, got a row with {', '.join(row) or 'nothing'}")


def _of_trace(trace: str, read: Records) -> Given:
    probe = _probe(trace, read)
    held = f"SELECT count(*) AS n FROM {read.relation} WHERE trace_id = {quoted(trace)}"
    if probe is None and not int(read.ask(held)["n"].iloc[0]) and not read.spans_of(trace):
        near = read.ask(
            f"SELECT DISTINCT trace_id FROM {read.relation} WHERE trace_id <> '' ORDER BY jaro_winkler_similarity(trace_id, {quoted(trace)}) DESC, trace_id LIMIT 3"
        )
        raise UnknownName("trace", trace, near["trace_id"], where=read.source.shown)
    return Given(entry=None, trace=trace, probe=probe)


def _probe(trace: str, read: Records) -> Probe | None:
    """The probe that was sent with a trace id; None where none was, or none kept it."""
    evidence = read.source.evidence
    if evidence is None:
        return None
    for phase in evidence.manifest.phases:
        for name in PROBES:
            table = evidence.table(name, phase)
            if table is None or "trace_id" not in table:
                continue
            found = table[table["trace_id"] == trace]
            if len(found):
                row = {str(key): value for key, value in found.iloc[0].items()}
                return Probe(table=name, row={**row, "phase": phase})
    return None
