"""Two runs side by side: which findings changed, by how much, and whether that is more than chance."""

from __future__ import annotations

import math
from collections.abc import Sequence

from proofbook.judge import findings
from proofbook.judge.findings import Finding, Verdict
from proofbook.redaction import unseen
from proofbook.report import finding_html, templating
from proofbook.runs.diff import ABSENT, Change
from proofbook.runs.json_reader import JsonObject
from proofbook.runs.record import RunRecord, moment


def in_text(changes: Sequence[Change]) -> list[str]:
    """One line for each finding that changed."""
    lines = [f"{item.id}: {item.was} → {item.now}" + _tail(item) for item in changes if item.verdict_changed]
    return lines + [f"{item.id}: {item.now} in both{_tail(item)}" for item in changes if item.beyond_noise and not item.verdict_changed]  # fmt: skip


def as_json(changes: Sequence[Change]) -> list[JsonObject]:
    """Every finding, with what changed."""
    return [
        {
            "id": item.id,
            "claim": item.claim,
            "first": item.was,
            "second": item.now,
            "verdict_changed": item.verdict_changed,
            "difference": None
            if item.difference is None
            else {
                name: _finite(getattr(item.difference, name))
                for name in ("value", "low", "high", "confidence")
            },
            "beyond_noise": item.beyond_noise,
        }
        for item in changes
    ]


def page(changes: Sequence[Change], *, first: RunRecord, second: RunRecord) -> str:
    """The comparison as a page of its own, without scripts."""
    rows = [
        {
            "id": item.id,
            "claim": unseen.visible(item.claim[:1].upper() + item.claim[1:]),
            "was": _signed(item.was),
            "now": _signed(item.now),
            "changed": item.verdict_changed,
            "earlier": _value(item.earlier),
            "later": _value(item.later),
            "difference": _difference(item),
            "beyond": _beyond(item),
        }
        for item in changes
    ]
    return templating.render(
        "comparison.html.j2",
        rows=rows,
        runs=[
            {"id": run.run_id, "environment": run.environment, "verdict": _signed(run.verdict.value), "sentence": unseen.visible(run.sentence), "ended": moment(run.ended) if run.ended else "unfinished"}
            for run in (first, second)
        ],
        changed=sum(item.verdict_changed for item in changes),
        moved=sum(item.beyond_noise and not item.verdict_changed for item in changes),
    )  # fmt: skip


def _tail(item: Change) -> str:
    if item.difference is None or item.earlier is None or item.later is None:
        return ""
    return f" ({_value(item.earlier)} → {_value(item.later)}, {_beyond(item)})"


def _beyond(item: Change) -> str:
    if item.difference is None:
        return "no interval to tell"
    return "more than chance" if item.beyond_noise else "chance would do that"


def _value(item: Finding | None) -> str:
    return finding_html.estimate(item.estimate) if item is not None else ""


def _difference(item: Change) -> str:
    if item.difference is None or item.later is None or item.later.estimate is None:
        return ""
    unit = item.later.estimate.unit
    low, high = (_signed_number(bound, unit) for bound in (item.difference.low, item.difference.high))
    return f"{_signed_number(item.difference.value, unit)} [{low} to {high}]"


def _signed_number(value: float, unit: str) -> str:
    return ("+" if value > 0 else "") + finding_html.number(value, unit)


def _signed(verdict: str) -> str:
    return verdict if verdict == ABSENT else f"{findings.MARKS[Verdict(verdict)]} {verdict}"


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
