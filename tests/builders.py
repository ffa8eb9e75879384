"""Tables of evidence, findings and environments put together by hand, with what a healthy system would give where nothing is said."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from proofbook.evidence import schema, store
from proofbook.evidence.table import TIME, Table

START = pd.Timestamp("2026-01-01T00:00:00Z")
# By dtype: a value that says nothing. What may be missing is missing.
_NEUTRAL: dict[str, Any] = {
    "str": "", "bool": False, "boolean": pd.NA, "int64": 0, "Int64": pd.NA, "Int32": pd.NA, "UInt64": pd.NA, "float64": None, TIME: START,
}  # fmt: skip
_ASKED = {"service": "s", "path": "/", "status": 200, "ok": True, "revision": None, "total_s": 0.01}
_LET_IN = {"endpoint": "ws", "user": "u", "token_kind": "good", "upgraded": True, "http_status": 101, "greeted": True, "closed_by": "probe", "clean": True, "close_code": 1000, "closed_in": "end"}  # fmt: skip
_LOGGED = {"source": "log", "service_name": "s"}
_USUAL: dict[str, dict[str, Any]] = {
    "health": {**_ASKED, "kind": "health"},
    "latency": _ASKED,
    "latency_control": {**_ASKED, "path": "/health", "beside": "/"},
    "rollout": {**_ASKED, "at_s": 0.0},
    "certificates": {"service": "s", "reached": True, "verified": True, "days": 90.0, "distrusted": True},
    "openapi": {"service": "s", "status": 200, "document": "{}"},
    "metrics": {"service": "s", "at_s": 0.0, "instance": "a", "name": "process_resident_memory_bytes"},
    "messages": {"endpoint": "ws", "body": "{}"},
    **dict.fromkeys(("websocket", "shadow", "refusals", "identities", "held"), _LET_IN),
    "log_sources": {"source": "log", "shape": "json"},
    "log_canaries": {"source": "log"},
    **dict.fromkeys(("log_rhythm", "log_matches", "log_kind_times"), _LOGGED),
}


def table_of(table: Table, *rows: Mapping[str, Any]) -> pd.DataFrame:
    """A table of evidence; a row says only what matters, and the rest is what is usual."""
    own = _USUAL.get(table.name, {})
    usual = {column.name: own.get(column.name, _NEUTRAL[column.dtype]) for column in table.columns}
    return table.frame([{**usual, **row} for row in rows])


def health(*rows: Mapping[str, Any]) -> pd.DataFrame:
    """Requests for health, answered with 200 where nothing else is said."""
    return table_of(schema.HEALTH, *rows)


def latency(*seconds: float, **more: Any) -> pd.DataFrame:
    """Timed requests that took so long."""
    return table_of(schema.LATENCY, *({"total_s": value, **more} for value in seconds))


def connections(table: Table, *rows: Mapping[str, Any]) -> pd.DataFrame:
    """Connections that were let in and closed by the probe, where nothing else is said."""
    return table_of(table, *rows)


def refused(status: int) -> dict[str, Any]:
    """What is unlike in a row of a connection of which the upgrade was answered with this status."""
    ended = {"closed_in": "upgrade", "closed_by": "", "close_code": None, "clean": None, "greeted": None}
    return {"upgraded": False, "http_status": status, "error": f"HTTP {status}", **ended}


def write(folder: Path, phase: str = "after", *, at: dt.datetime, **tables: pd.DataFrame) -> None:
    """Writes a phase of one minute that began then."""
    recorded = store.Phase(started=at, ended=at + dt.timedelta(minutes=1))
    store.write_phase(folder, environment="e", phase=phase, tables=tables, recorded=recorded)
