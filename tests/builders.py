"""Tables of evidence, findings and environments put together by hand, with what a healthy system would give where nothing is said."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from hypothesis import settings

from proofbook.collect.logs.entries import Reading
from proofbook.collect.logs.reader import read_logs
from proofbook.collect.planning import Sizes
from proofbook.config.environment import Environment
from proofbook.config.sources import LogSource
from proofbook.evidence import schema, store
from proofbook.evidence.table import TIME, Table
from proofbook.judge.findings import Finding, Verdict
from proofbook.judge.view import View
from proofbook.judge.window import Windows

START = pd.Timestamp("2026-01-01T00:00:00Z")
NOWHEN = Windows(before=None, after=None)
# For a phase of a server that answers all alike.
FEW = Sizes(latency=20, tries=1, bad_tokens=10, unmarked=2)
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


def write(folder: Path, tables: Mapping[str, pd.DataFrame], *, at: dt.datetime, phase: str = "after") -> None:
    """Writes a phase of one minute that began then."""
    recorded = store.Phase(started=at, ended=at + dt.timedelta(minutes=1))
    store.write_phase(folder, environment="e", phase=phase, tables=tables, recorded=recorded)


def view(tables: Mapping[tuple[str, str], pd.DataFrame], windows: Windows = NOWHEN, **more: Any) -> View:
    """A view over tables by phase and name."""
    return View(tables=lambda name, phase: tables.get((phase, name)), windows=windows, **more)


def finding(verdict: Verdict, name: str = "x", **more: Any) -> Finding:
    """A finding that says as little as one can."""
    given: dict[str, Any] = {"id": name, "kind": "guard", "claim": "it works", "required": True, "reason": "", "statement": "seen"}  # fmt: skip
    return Finding(**{**given, "verdict": verdict, **more})


def environment(port: int, *, host: str = "127.0.0.1", timeout_s: float = 5, **service: Any) -> Environment:
    """An environment of one service on this machine, asked in a hurry."""
    pace = {"per_s": 200, "concurrency": 10, "timeout_s": timeout_s}
    asked = {"name": "a", "url": f"http://{host}:{port}", **service}
    return Environment.model_validate({"pace": pace, "service": [asked]})


def log_entry(at: pd.Timestamp, body: str = "[INFO] all well", *, revision: str | None = "r-1", trace: str = "", status: int | None = None, **more: Any) -> dict[str, Any]:  # fmt: skip
    """An entry as Cloud Logging exports it: of a request where there is a status, else a message."""
    said = {"textPayload": body} if status is None else {"httpRequest": {"status": status, "requestMethod": "GET", "requestUrl": "/api"}}  # fmt: skip
    return {
        "timestamp": at.isoformat(),
        "insertId": f"{at.isoformat()}-{body[:20]}-{trace}-{status}",
        "resource": {"labels": {"revision_name": revision, "service_name": "backend"}},
        **({"trace": f"projects/p/traces/{trace}"} if trace else {}),
        **said,
        **more,
    }


def json_lines(*items: Any) -> str:
    """Values as lines of JSON."""
    return "".join(json.dumps(item) + "\n" for item in items)


def read_log(folder: Path, text: str | bytes, *, now: dt.datetime | None = None, **source: Any) -> Reading:
    """A log with this content, read from a file."""
    folder.mkdir(exist_ok=True)
    (folder / "log").write_bytes(text if isinstance(text, bytes) else text.encode())
    where = LogSource(name="log", file="log", **source)
    return read_logs(where, base=folder, to=folder / "read.parquet", now=now)


def entries_of(reading: Reading) -> list[tuple[str, str | None, str]]:
    """Day and time, severity and body of each entry of a log that could be read."""
    assert not reading.problem, reading.problem
    found = reading.entries
    times = found["timestamp"].dt.strftime("%d %H:%M:%S.%f").str.rstrip("0").str.rstrip(".")
    severities = [None if pd.isna(item) else str(item) for item in found["severity_text"]]
    return list(zip(times, severities, found["body"], strict=True))


def column_of(reading: Reading, name: str) -> list[Any]:
    """A column of the entries of a log, None where a value is missing."""
    return [item if isinstance(item, dict) or pd.notna(item) else None for item in reading.entries[name]]


def examples(count: int) -> settings:
    """So many examples of a property, or the share of them that the profile of Hypothesis says; however long one takes."""
    return settings(max_examples=max(10, count * settings.default.max_examples // 100), deadline=None)
