"""What became of the answers to our own probes: each outcome after, against before; and what was lost where there is no before."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from proofbook.evidence.store import MASK, Evidence
from proofbook.investigation.answers import FOUND, NOTHING, UNSURE, Answer
from proofbook.investigation.conditions import LOST
from proofbook.judge.findings import Exposure, Method, Needed
from proofbook.stats import events, hypergeometric

CLAIM = "what changed in the answers to our own probes"
ALPHA = 0.05
# How slow the slowest of before were; told only where before holds enough of them.
SLOW_QUANTILE, LEAST_TIMED = 0.99, 100
# A busy machine is slow for a moment: requests of one stretch are slow together.
TOGETHER, LEAST_STRETCHES = 20, 5
METHOD = Method(
    name="exact test of each outcome's share, before against after, by Holm over all of them",
    confidence=1 - ALPHA,
    side="two-sided",
    null_hypothesis="probes were answered alike before and after",
    source="Fisher 1935; Holm 1979",
)
_CONNECTIONS = {
    "websocket": (),
    "shadow": ("token_kind",),
    "refusals": ("token_kind",),
    "identities": ("user",),
    "held": (),
}
_REQUESTS = {"health": ("service", "kind", "path"), "latency": ("service", "path"), "rollout": ("service",)}
_REPLIES = {
    "reply_lost": "a reply lost", "reply_altered": "a reply altered", "reply_duplicated": "a reply sent twice",
    "reply_reordered": "replies out of order",
}  # fmt: skip
_NONE = pd.DataFrame(columns=["probe", "outcome", "before", "after", "called", "p"]).astype(
    {"called": bool, "p": float}
)
_IN_TIME = "in time"
Row = Mapping[str, Any]
Told = tuple[str, str, bool, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcomes:
    """Outcomes of probes, one a row: phase, probe, outcome, wrong (whether it was lost, whatever was expected), weight (less than 1 of what comes in bursts)."""

    rows: pd.DataFrame

    @classmethod
    def of(cls, evidence: Evidence) -> Outcomes:
        """The outcomes that a run recorded."""
        found = [(phase, *told) for phase in evidence.manifest.phases for told in _of_phase(evidence, phase)]
        return cls(rows=pd.DataFrame(found, columns=["phase", "probe", "outcome", "wrong", "weight"]))


def judge(outcomes: Outcomes) -> Answer:
    """The answer."""
    rows = outcomes.rows
    before, after = (rows[rows["phase"] == phase] for phase in ("before", "after"))
    compared = _compared(before, after)
    with_before = (rows["phase"] == "after") & rows["probe"].isin(before["probe"])
    lost = _lost(rows[~with_before & (rows["phase"] != "before")])
    called, differ = compared[compared["called"]], compared["p"] <= ALPHA
    table = pd.concat([part for part in (compared[differ], lost) if len(part)] or [called], ignore_index=True)
    found = Answer(
        claim=CLAIM, answer=FOUND if len(called) else NOTHING, statement=_statement(called, lost), table=_shown(table), method=METHOD,
        exposure=Exposure(n=len(rows), unit="probes"), more={"As often as before": _shown(compared[~differ])},
        not_established=("why they were answered otherwise", "that probes of one phase do not depend on each other"),
    )  # fmt: skip
    if len(compared):
        return found
    return replace(
        found,
        answer=UNSURE,
        reason="no-evidence",
        statement=found.statement if len(lost) else "nothing to compare",
        needed=Needed(what="a run that records before and after"),
    )


def _shown(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.drop(columns="p")


def _statement(called: pd.DataFrame, lost: pd.DataFrame) -> str:
    told = [f"{row['probe']}: {row['outcome']}, {row['before']} before, {row['after']} after" for row in called.head(1).to_dict("records")]  # fmt: skip
    told += [f"{row['probe']}: {row['outcome']}, {row['after']}" for row in lost.head(1).to_dict("records")]
    return "; ".join(told) or "answered as before"


def _compared(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """Each outcome of probes that were sent in both phases, the surest change first."""
    both = set(before["probe"]) & set(after["probe"])
    first, second = (part[part["probe"].isin(both)] for part in (before, after))
    counts = pd.DataFrame({
        f"{what}_{phase}": part.groupby(["probe", "outcome"])["weight"].agg(how)
        for phase, part in (("before", first), ("after", second)) for what, how in (("hits", "size"), ("alone", "sum"))
    }).fillna(0).reset_index()  # fmt: skip
    # What was in time is all that was not late: counted once.
    counts = counts[counts["outcome"] != _IN_TIME]
    if counts.empty:
        return _NONE
    of_before, of_after = (counts["probe"].map(part["probe"].value_counts()) for part in (first, second))
    alone_before, alone_after = (np.floor(counts[f"alone_{phase}"].to_numpy(dtype=float) + 1e-9) for phase in ("before", "after"))  # fmt: skip
    whole, having = of_before + of_after, alone_before + alone_after
    more = hypergeometric.tails(alone_after, of=whole, having=having, size=of_after)
    fewer = hypergeometric.tails(alone_before, of=whole, having=having, size=of_before)
    p = np.minimum(1.0, 2 * 10.0 ** -np.maximum(more, fewer))
    found = pd.DataFrame({
        "probe": counts["probe"], "outcome": counts["outcome"],
        "before": [f"{hits:,.0f} of {n:,}" for hits, n in zip(counts["hits_before"], of_before, strict=True)],
        "after": [f"{hits:,.0f} of {n:,}" for hits, n in zip(counts["hits_after"], of_after, strict=True)],
        "called": events.holm(p) <= ALPHA, "p": p, "strength": np.maximum(more, fewer).round(6),
    })  # fmt: skip
    # What is new is told before what is gone, of two that are as sure.
    found = found.assign(lost=fewer > more).sort_values(["strength", "lost", "probe", "outcome"], ascending=[False, True, True, True], ignore_index=True)  # fmt: skip
    return found.drop(columns=["strength", "lost"])


def _lost(rows: pd.DataFrame) -> pd.DataFrame:
    """What was lost among probes that nothing before is to be held against, the greatest share first."""
    wrong = rows[rows["wrong"].astype(bool)].groupby(["probe", "outcome"]).size().rename("hits").reset_index()
    if wrong.empty:
        return _NONE
    of = wrong["probe"].map(rows["probe"].value_counts())
    told = pd.DataFrame({
        "probe": wrong["probe"], "outcome": wrong["outcome"], "before": "not sent", "after": [f"{hits:,} of {n:,}" for hits, n in zip(wrong["hits"], of, strict=True)],
        "called": False, "p": 1.0,
    })  # fmt: skip
    return told.iloc[np.argsort(-(wrong["hits"] / of).to_numpy(dtype=float), kind="stable")]


def _of_phase(evidence: Evidence, phase: str) -> Iterator[Told]:
    """Of every probe of a phase: which, its outcome, whether it was lost, and its weight."""
    kinds: list[tuple[Mapping[str, tuple[str, ...]], Callable[[Row], tuple[str, bool]]]] = [(_CONNECTIONS, _of_connection), (_REQUESTS, _of_request)]  # fmt: skip
    for tables, outcome in kinds:
        for name, keys in tables.items():
            for row in _records(evidence.table(name, phase)):
                which = [str(row[key]).partition("?")[0] for key in (*_first(row, "endpoint"), *keys)]
                yield (" ".join([name, *which]), *outcome(row), 1.0)
    for row in _records(evidence.table("messages", phase)):
        yield f"messages {row['endpoint']}", _shape(str(row["body"])), False, 1.0
    yield from _times(evidence, phase)


def _records(table: pd.DataFrame | None) -> Sequence[Row]:
    if table is None:
        return []
    return [{str(key): value for key, value in row.items()} for row in table.astype("object").to_dict("records")]  # fmt: skip


def _first(row: Row, *names: str) -> tuple[str, ...]:
    return tuple(name for name in names if name in row)


def _of_connection(row: Row) -> tuple[str, bool]:
    """What became of a connection, and whether it was lost."""
    if not row["upgraded"]:
        return _of_answer(row["http_status"], row["error"])
    code: int | None = None if pd.isna(row["close_code"]) else int(row["close_code"])
    greeted: list[str] = [] if pd.isna(row["greeted"]) else ["greeted" if row["greeted"] else "not greeted"]
    ended: list[str] = (
        [f"closed with {code}"] if code is not None and (row["closed_by"] == "server" or code in LOST) else []
    )
    replies = [words for name, words in _REPLIES.items() if row[name]]
    return ", ".join([*greeted, *ended, *replies]) or "upgraded", code in LOST


def _of_request(row: Row) -> tuple[str, bool]:
    """What became of a request, and whether it was lost."""
    said, wrong = _of_answer(row["status"], row["error"])
    otherwise = row.get("kind") == "health" and not row["ok"] and said.startswith("answered 2")
    return f"{said}, and not as expected" if otherwise else said, wrong


def _of_answer(status: Any, error: Any) -> tuple[str, bool]:
    if pd.isna(status):
        return (
            f"no answer: {re.sub('[0-9]+', MASK, str(error).splitlines()[0] if error else 'none came')}",
            True,
        )
    return f"answered {int(status)}", int(status) >= 500


def _shape(body: str) -> str:
    """The keys of a message, in their order."""
    try:
        return ", ".join(sorted(_keys(json.loads(body), ""))) or "no keys"
    except ValueError:
        return "no JSON"


def _keys(value: Any, at: str) -> Iterator[str]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _keys(inner, f"{at}.{key}" if at else str(key))
    elif at:
        yield at


def _times(evidence: Evidence, phase: str) -> Iterator[Told]:
    """Of timed requests whether they took longer than nearly all of before; what was slow together counts as often as it would have come alone."""
    before, table = evidence.table("latency", "before"), evidence.table("latency", phase)
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
        weight = 1 / _dispersion(over)
        probe = f"time of {' '.join(map(str, key))}"
        for is_over in over:
            yield (probe, f"more than {1000 * limit:.0f} ms", False, weight) if is_over else (probe, _IN_TIME, False, 1.0)  # fmt: skip


def _dispersion(hits: NDArray[np.bool_]) -> float:
    """By how much hits come in bursts: the variance of their number in a stretch over its mean, at least 1."""
    counts = hits[: len(hits) // TOGETHER * TOGETHER].reshape(-1, TOGETHER).sum(axis=1)
    if len(counts) < LEAST_STRETCHES or not counts.any():
        return 1.0
    return max(1.0, float(counts.var(ddof=1) / counts.mean()))
