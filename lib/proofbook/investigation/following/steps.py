"""The steps of one request from client to log and back: timings of the probe, entries, spans and the close."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from proofbook.investigation.following.given import Probe, Row
from proofbook.investigation.following.joins import Rule

# What a probe timed, in the order in which it happens.
_PHASES = (
    ("resolve_s", "resolve the name"), ("tcp_s", "connect"), ("connect_s", "connect"), ("tls_s", "TLS handshake"), ("upgrade_s", "upgrade"),
    ("greeting_s", "wait for the greeting"), ("reply_s", "wait for the first reply"), ("first_byte_s", "wait for the headers"),
    ("dwell_s", "listen"), ("close_s", "close"),
)  # fmt: skip
ERROR = 17


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step. took_s: None of a moment. kind: `probe`, `request`, `line`, `span` or `close`. certain: whether it surely belongs to the request.

    rivals: other requests that it could belong to. entry: its number in the log; None of what is in no log. depth: of a span in its trace.
    """

    at: pd.Timestamp
    took_s: float | None
    kind: str
    what: str
    rule: Rule
    certain: bool = True
    rivals: int = 0
    entry: int | None = None
    is_error: bool = False
    depth: int = 0

    @property
    def joined(self) -> str:
        """The rule in words, with its rivals."""
        if self.rule is not Rule.NEAR:
            return str(self.rule)
        return f"{self.rule} ({self.rivals} rival{'' if self.rivals == 1 else 's'})"


def of_entry(row: Row, *, rule: Rule, certain: bool, rivals: int = 0, ended: bool = False) -> Step:
    """The step that an entry is. ended: the entry of a request is written at its end."""
    status, severity, took = (
        _number(row.get(name)) for name in ("http_status", "severity_number", "http_latency_s")
    )
    at = pd.Timestamp(row["timestamp"])
    if status is None:
        said = _text(row.get("body")) or _text(row.get("template")) or "(says nothing)"
        took, what, kind = None, said.strip().split("\n")[0], "line"
    else:
        path = _text(row.get("path")) or _text(row.get("http_url"))
        what, kind = f"{_text(row.get('http_method')) or 'request'} {path} → {status:.0f}", "request"
        at = at - pd.Timedelta(seconds=took or 0.0) if ended else at
    level = _text(row.get("severity_text"))
    return Step(
        at=at, took_s=took, kind=kind, what=f"{level} {what}" if level and kind == "line" else what, rule=rule, certain=certain, rivals=rivals,
        entry=int(_number(row["entry"]) or 0), is_error=(severity or 0) >= ERROR or (status or 0) >= 500,
    )  # fmt: skip


def of_probe(probe: Probe, *, rule: Rule) -> list[Step]:
    """The phases that a probe timed, one after the other, and how its connection ended."""
    row, at = probe.row, probe.at
    found = []
    for name, what in _PHASES:
        took = _number(row.get(name))
        if took is None or (took == 0 and name in ("dwell_s", "close_s")):
            continue
        if name == "first_byte_s":
            # It counts from the first byte sent, connecting included.
            took = max(0.0, took - (at - probe.at).total_seconds())
        found.append(Step(at=at, took_s=took, kind="probe", what=f"probe: {what}", rule=rule))
        at += pd.Timedelta(seconds=took)
    total = _number(row.get("total_s"))
    if total is not None:
        rest = max(0.0, total - (at - probe.at).total_seconds())
        what = "probe: receive the body" if found else f"probe: {probe.table or 'request'}"
        found.append(Step(at=at, took_s=rest, kind="probe", what=what, rule=rule))
        at += pd.Timedelta(seconds=rest)
    return [*found, _end(probe, at, rule=rule)]


def _end(probe: Probe, at: pd.Timestamp, *, rule: Rule) -> Step:
    row = probe.row
    code, status = _number(row.get("close_code")), _number(row.get("status", row.get("http_status")))
    error = _text(row.get("error"))
    if code is not None:
        reason, by = _text(row.get("close_reason")), _text(row.get("closed_by"))
        what = f"closed with {code:.0f}{f' ({reason})' if reason else ''}{f' by the {by}' if by else ''}"
        if by == "server" and not _number(row.get("dwell_s")):
            # What it waited for never came, and so was not timed.
            what += ", at the earliest then"
    else:
        what = f"answered {status:.0f}" if status is not None else "no answer"
    is_bad = bool(error) or (code is not None and code not in (1000, 1001)) or (status or 0) >= 400
    return Step(
        at=at, took_s=None, kind="close", what=f"probe: {what}{f': {error}' if error else ''}", rule=rule, is_error=is_bad
    )  # fmt: skip


def of_spans(rows: Sequence[Row]) -> list[Step]:
    """The spans of a trace, each as deep as the spans above it are many."""
    above = {_text(row["span_id"]): _text(row.get("parent_id")) for row in rows}

    def depth(span: str) -> int:
        seen: set[str] = set()
        while (span := above.get(span, "")) in above and span not in seen:
            seen.add(span)
        return len(seen)

    return [
        Step(
            at=pd.Timestamp(row["started"]), took_s=_number(row["took_s"]), kind="span", what=f"{_text(row['service'])} {_text(row['operation'])}".strip(),
            rule=Rule.TRACE, is_error=row.get("status") == "error", depth=depth(_text(row["span_id"])),
        )
        for row in rows
    ]  # fmt: skip


def _number(value: Any) -> float | None:
    if value is None or value is pd.NA or isinstance(value, str):
        return None
    found = float(value)
    return None if found != found else found


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
