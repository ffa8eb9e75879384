"""What a judge says: a finding with its controls, its sample size and its interval."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from proofbook.judge.estimates import Interval
from proofbook.judge.reasons import situation

MIME = "application/vnd.proofbook.finding+json"


class Verdict(Enum):
    """Best to worst. "We could not tell" and "we could not look" are answers of their own."""

    PASS = "pass"
    INCONCLUSIVE = "inconclusive"
    ERROR = "error"
    FAIL = "fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A value with its interval; `low` or `high` is None on an open side."""

    value: float | None
    low: float | None = None
    high: float | None = None
    unit: str = ""

    @classmethod
    def of(cls, interval: Interval, *, unit: str) -> Estimate:
        """An interval in its unit."""
        return cls(value=interval.value, low=interval.low, high=interval.high, unit=unit)


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """How the estimate was made, in the field's words."""

    name: str
    confidence: float | None = None
    side: str = ""
    null_hypothesis: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """A proof that the check could have failed (or that the probe works).

    kind: positive, negative, liveness, comparability, before, mutation.
    guards: the verdicts that are taken away when it did not hold. code: the reason that is then given; `control-` and the
        kind where it is empty.
    """

    kind: str
    name: str
    guards: tuple[str, ...]
    expected: str
    got: str
    held: bool
    code: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """How much was looked at."""

    n: float
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Needed:
    """What would settle an inconclusive finding: in words, in further samples, and in time at the pace seen so far."""

    what: str
    n: int | None = None
    seconds: float | None = None
    until: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A judge's answer before the generic controls are applied. `reason` is a short code, empty for a plain pass."""

    verdict: Verdict
    statement: str
    reason: str = ""
    estimate: Estimate | None = None
    method: Method | None = None
    threshold: str = ""
    severity: float | None = None
    exposure: Exposure | None = None
    controls: tuple[Control, ...] = ()
    needed: Needed | None = None
    not_established: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One claim judged.

    severity: the chance that this check would have failed had the defect been there; None unless it passed.
    severity_by: `samples` where a bound gives it, `mutants` where it is the share of mutants caught.
    """

    id: str
    kind: str
    claim: str
    required: bool
    verdict: Verdict
    reason: str
    statement: str
    fix: str | None = None
    critical: bool = True
    group: str = ""
    estimate: Estimate | None = None
    method: Method | None = None
    threshold: str = ""
    severity: float | None = None
    severity_by: str = ""
    exposure: Exposure | None = None
    window: dict[str, tuple[str, str] | None] = field(default_factory=dict)
    controls: tuple[Control, ...] = ()
    needed: Needed | None = None
    evidence: tuple[dict[str, str], ...] = ()
    not_established: tuple[str, ...] = ()
    waived: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain values, with numbers rounded to six significant digits so that processors agree."""
        data: dict[str, Any] = _plain(dataclasses.asdict(self))
        return data


def percent(share: float) -> str:
    """A share in per cent, with the digits that keep it from being rounded up to certainty.

    >>> percent(0.95), percent(0.9998264)
    ('95%', '99.98%')
    """
    return f"{100 * share:.4g}%"


def from_json(data: dict[str, Any]) -> Finding:
    """A finding back from its plain values."""
    parts = dict(data)
    parts["verdict"] = Verdict(parts["verdict"])
    for key, kind in (("estimate", Estimate), ("method", Method), ("exposure", Exposure), ("needed", Needed)):
        parts[key] = kind(**parts[key]) if parts.get(key) else None
    parts["controls"] = tuple(
        Control(**{**item, "guards": tuple(item["guards"])}) for item in parts["controls"]
    )
    parts["evidence"] = tuple(parts["evidence"])
    parts["not_established"] = tuple(parts["not_established"])
    return Finding(**parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Overall:
    """The verdict over all findings, in one sentence."""

    verdict: Verdict
    reason: str
    sentence: str
    blocking: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    waived: tuple[str, ...] = ()


def overall(
    findings: Iterable[Finding],
    *,
    missing: Iterable[str] = (),
    partial: bool = False,
    broken: Mapping[str, str] | None = None,
) -> Overall:
    """The run's verdict (METHODS: any required fail, then error, then inconclusive, else pass; guards veto).

    Args:
        findings: every finding of the run.
        missing: ids of checks that the run owed and that no notebook judged.
        partial: only some notebooks were run, so what is missing was not asked for.
        broken: notebooks that did not reach their end, and why: an error of the run, unless something failed already.

    >>> overall([]).verdict
    <Verdict.INCONCLUSIVE: 'inconclusive'>
    """
    found = sorted(findings, key=lambda item: item.kind != "fix")  # what the case is about comes first
    absent = tuple(sorted(missing))
    counted = [item for item in found if not item.waived or item.verdict is Verdict.FAIL]
    failed = [item for item in counted if item.verdict is Verdict.FAIL and (item.required or item.critical)]
    unseen = [item for item in counted if item.verdict is Verdict.ERROR and item.required]
    unclear = [item for item in counted if item.verdict is Verdict.INCONCLUSIVE and item.required]
    required = [item for item in counted if item.required]
    beside = tuple(
        item.id
        for item in counted
        if item.verdict is not Verdict.PASS and item not in failed + unseen + unclear
    )
    waived = tuple(item.id for item in found if item.waived)
    fixes = [item for item in required if item.kind == "fix"]

    def answer(verdict: Verdict, reason: str, sentence: str, blocking: Iterable[str] = ()) -> Overall:
        return Overall(
            verdict=verdict,
            reason=reason,
            sentence=sentence,
            blocking=tuple(blocking),
            beside=beside,
            waived=waived,
        )

    if failed:
        broken_fix = any(item.kind == "fix" for item in failed)
        words = "NOT FIXED" if broken_fix else "BROKEN"
        return answer(
            Verdict.FAIL,
            failed[0].reason,
            f"{words}: {_list(item.claim for item in failed)}",
            (item.id for item in failed),
        )
    for name, problem in (broken or {}).items():
        return answer(Verdict.ERROR, "notebook", f"COULD NOT LOOK: notebook {name}: {problem}")
    if absent and not partial:
        return answer(Verdict.ERROR, "missing", f"COULD NOT LOOK: no notebook judged {_list(absent)}", absent)
    if unseen:
        return answer(
            Verdict.ERROR,
            unseen[0].reason,
            f"COULD NOT LOOK: {unseen[0].statement}",
            (item.id for item in unseen),
        )
    if absent:
        return answer(
            Verdict.INCONCLUSIVE, "partial", f"PARTIAL: not judged in this run: {_list(absent)}", absent
        )
    if unclear:
        return answer(
            Verdict.INCONCLUSIVE,
            unclear[0].reason,
            f"NOT KNOWN, {situation(unclear[0].reason)}: {unclear[0].statement}",
            (item.id for item in unclear),
        )
    if not required:
        return answer(
            Verdict.INCONCLUSIVE, "nothing-required", "NOT KNOWN: nothing that this case requires was judged"
        )
    absent_only = sum(item.reason == "absent" for item in fixes)
    words = "HEALTHY" if not fixes else "ABSENT" if absent_only == len(fixes) else "FIXED"
    if words == "FIXED" and absent_only:
        words += f" ({absent_only} of {len(fixes)} symptoms only absent)"
    tail = f" ({len(waived)} waived)" if waived else ""
    return answer(Verdict.PASS, "", f"{words}{tail}: {len(required)} required findings hold")


def _list(items: Iterable[str], *, most: int = 3) -> str:
    names = list(items)
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return "; ".join(names[:most]) + more


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, bool) or value is None or isinstance(value, str | int):
        return value
    number = float(value)
    return float(f"{number:.6g}") if math.isfinite(number) else None
