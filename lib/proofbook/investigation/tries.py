"""Every try of our own probes as it was recorded: which it was, whether it went well, when it was over, and its outcome in words."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from proofbook.evidence.schema import LATENCY, MESSAGES
from proofbook.evidence.store import MASK, Evidence
from proofbook.files import parse_json
from proofbook.investigation import probes
from proofbook.investigation.conditions import LOST
from proofbook.investigation.moments import Span

# How slow the slowest of before were; told only where before holds enough of them.
SLOW_QUANTILE, LEAST_TIMED = 0.99, 100
# A busy machine is slow for a moment: requests of one stretch are slow together.
TOGETHER, LEAST_STRETCHES = 20, 5
# What was in time is all that was not late: counted once.
IN_TIME = "in time"
# By what tries of a table are told apart, beside whom they asked.
_APART = {
    "health": ("kind", "path"), "latency": ("path",), "latency_control": (), "rollout": (),
    "websocket": (), "shadow": ("token_kind",), "refusals": ("token_kind",), "identities": ("user",), "held": (),
}  # fmt: skip
# What a connection spends its time with.
_PARTS = ("resolve_s", "tcp_s", "tls_s", "upgrade_s", "greeting_s", "reply_s", "dwell_s")
_REPLIES = {
    "reply_lost": "a reply lost", "reply_altered": "a reply altered", "reply_duplicated": "a reply sent twice",
    "reply_reordered": "replies out of order",
}  # fmt: skip
Row = Mapping[str, Any]


def tables(evidence: Evidence, within: Span | None = None) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """Phase, name and rows of each table of probes, with `well` and `ended`. within: only what was over then."""
    for phase, name, rows in probes.tables(evidence):
        tried = rows.assign(well=probes.went_well(name, rows), ended=_ended(rows))
        yield phase, name, tried if within is None else tried[tried["ended"].between(*within)]


def by_place(rows: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """The rows of a table by whom they asked: an endpoint, a service and a path, or a service."""
    if "endpoint" in rows:
        yield from ((str(name), part) for name, part in rows.groupby("endpoint"))
    elif "path" in rows and "kind" not in rows:
        yield from (
            (f"{service} {path}", part) for (service, path), part in rows.groupby(["service", "path"])
        )
    else:
        yield from ((str(name), part) for name, part in rows.groupby("service"))


def outcomes(evidence: Evidence) -> pd.DataFrame:
    """The outcome of each try: phase, probe, outcome, well (missing where only a case says), weight (less than 1 of what comes in bursts)."""
    found = [told for phase in evidence.manifest.phases for told in _others(evidence, phase)]
    for phase, name, rows in tables(evidence):
        outcome: Callable[[Row], str] = _of_connection if "upgraded" in rows else _of_request
        for row in _records(rows):
            asked = row["endpoint"] if "endpoint" in row else row["service"]
            which = [str(part).partition("?")[0] for part in (asked, *(row[key] for key in _APART[name]))]
            found.append((phase, " ".join([name, *which]), outcome(row), row["well"], 1.0))
    return pd.DataFrame(found, columns=["phase", "probe", "outcome", "well", "weight"])


def fields(body: str) -> frozenset[str] | None:
    """The places of fields in a message, such as `data.user_id`; None of what is no JSON."""
    found: set[str] = set()

    def add(value: object, place: str) -> None:
        if isinstance(value, dict):
            for key, inner in value.items():
                found.add(f"{place}{key}")
                add(inner, f"{place}{key}.")

    try:
        add(parse_json(body), "")
    except ValueError:
        return None
    return frozenset(found)


def _ended(rows: pd.DataFrame) -> pd.Series:
    """When each was over: a held connection begins long before it is lost."""
    took_s = rows[[name for name in (*_PARTS, "total_s") if name in rows]].fillna(0.0).sum(axis="columns")
    return rows["timestamp"] + pd.to_timedelta(took_s, unit="s")


def _records(table: pd.DataFrame | None) -> Sequence[Row]:
    if table is None:
        return []
    return [{str(key): value for key, value in row.items()} for row in table.astype("object").to_dict("records")]  # fmt: skip


def _of_connection(row: Row) -> str:
    """What became of a connection."""
    if not row["upgraded"]:
        return _of_answer(row["http_status"], row["error"])
    code: int | None = None if pd.isna(row["close_code"]) else int(row["close_code"])
    greeted: list[str] = [] if pd.isna(row["greeted"]) else ["greeted" if row["greeted"] else "not greeted"]
    ended = [f"closed with {code}"] if code is not None and (row["closed_by"] == "server" or code in LOST) else []  # fmt: skip
    replies = [words for name, words in _REPLIES.items() if row[name]]
    return ", ".join([*greeted, *ended, *replies]) or "upgraded"


def _of_request(row: Row) -> str:
    """What became of a request."""
    said = _of_answer(row["status"], row["error"])
    otherwise = row.get("kind") == "health" and not row["ok"] and said.startswith("answered 2")
    return f"{said}, and not as expected" if otherwise else said


def _of_answer(status: Any, error: Any) -> str:
    if pd.isna(status):
        return f"no answer: {re.sub('[0-9]+', MASK, str(error).splitlines()[0] if error else 'none came')}"
    return f"answered {int(status)}"


def _others(evidence: Evidence, phase: str) -> Iterator[tuple[str, str, str, Any, float]]:
    """What went neither well nor not by itself: the fields of messages, and how long requests took."""
    for row in _records(evidence.table(MESSAGES.name, phase)):
        there = fields(str(row["body"]))
        ends = sorted(name for name in there or () if not any(other.startswith(f"{name}.") for other in there or ()))  # fmt: skip
        yield phase, f"messages {row['endpoint']}", "no JSON" if there is None else ", ".join(ends) or "no keys", pd.NA, 1.0  # fmt: skip
    yield from _times(evidence, phase)


def _times(evidence: Evidence, phase: str) -> Iterator[tuple[str, str, str, Any, float]]:
    """Of timed requests whether they took longer than nearly all of before; what was slow together counts as often as it would have come alone."""
    before, table = evidence.table(LATENCY.name, "before"), evidence.table(LATENCY.name, phase)
    if before is None or table is None:
        return
    usual = {
        key: times.to_numpy(dtype=float) for key, times in before.groupby(["service", "path"])["total_s"]
    }
    for key, times in table.groupby(["service", "path"])["total_s"]:
        if key not in usual or len(usual[key]) < LEAST_TIMED:
            continue
        limit = float(np.quantile(usual[key], SLOW_QUANTILE))
        over = times.to_numpy(dtype=float) > limit
        probe, late, weight = f"time of {' '.join(map(str, key))}", f"more than {1000 * limit:.0f} ms", 1 / _dispersion(over)  # fmt: skip
        for is_over in over:
            yield (phase, probe, late, pd.NA, weight) if is_over else (phase, probe, IN_TIME, pd.NA, 1.0)


def _dispersion(hits: NDArray[np.bool_]) -> float:
    """By how much hits come in bursts: the variance of their number in a stretch over its mean, at least 1."""
    counts = hits[: len(hits) // TOGETHER * TOGETHER].reshape(-1, TOGETHER).sum(axis=1)
    if len(counts) < LEAST_STRETCHES or not counts.any():
        return 1.0
    return max(1.0, float(counts.var(ddof=1) / counts.mean()))
