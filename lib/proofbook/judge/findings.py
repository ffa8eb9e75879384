"""What a judge says: a finding with its controls, its sample size and its interval."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from proofbook.stats.proportions import Interval

Plain = TypeVar("Plain", bound=Mapping[str, Any])

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
class EarlierRun:
    """An earlier run of the environment on whose evidence something rests.

    phase: which of its phases. age_s: from its end to the beginning of after. differs: the settings of asking that have
    another value now; None: not known.
    """

    run_id: str
    phase: str
    age_s: float
    differs: tuple[str, ...] | None

    @property
    def asked(self) -> str:
        """How it was asked, in words, held against now."""
        if self.differs is None:
            return "with settings that are not known"
        return (
            f"with other settings ({', '.join(self.differs)})" if self.differs else "with the same settings"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """A proof that the check could have failed (or that the probe works).

    kind: positive, negative, liveness, comparability, before, mutation.
    guards: the verdicts that are taken away when it did not hold. code: the reason that is then given; `control-` and the
        kind where it is empty. caught, tried: of a mutation control, how many mutants were noticed, of how many; None of others.
    judged: of the control `before`, the verdict of the same check on that evidence; empty of others. earlier_run: the one that it
        rests on too; None: on none.
    """

    kind: str
    name: str
    guards: tuple[str, ...]
    expected: str
    got: str
    held: bool
    code: str = ""
    caught: int | None = None
    tried: int | None = None
    judged: str = ""
    earlier_run: EarlierRun | None = None

    @property
    def mutants(self) -> str:
        """How many mutants were caught, as `4 of 4`; empty where none were tried."""
        return "" if self.tried is None else f"{self.caught} of {self.tried}"


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
class History:
    """What earlier runs of the environment add: how many, since when, and how many days before the deployment that is."""

    runs: int
    since: str
    days: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A judge's answer before the generic controls are applied.

    reason: a short code, empty for a plain pass. seen: the statement without its bounds, where it has any, for a first
    screen. limits: whether `threshold` says how much is allowed rather than how much is required. severity, severity_at: as of a finding.
    """

    verdict: Verdict
    statement: str
    seen: str = ""
    reason: str = ""
    estimate: Estimate | None = None
    method: Method | None = None
    threshold: str = ""
    limits: bool = False
    severity: float | None = None
    severity_at: str = ""
    exposure: Exposure | None = None
    controls: tuple[Control, ...] = ()
    needed: Needed | None = None
    not_established: tuple[str, ...] = ()
    history: History | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One claim judged.

    severity: the chance that this check does not pass where the defect that it is for is there; None unless it passed, and where
        nothing gives it. severity_at: of what size the defect is then, in words. sensitivity: the share of mutants of the evidence
        that it noticed, which is no probability; None where none were tried.
    seen: the statement without its bounds, and with why nothing is known where a control did not hold.
    limits: whether `threshold` says how much is allowed rather than how much is required.
    history: the earlier runs that it rests on too; None: on none. before_run: the one that before was taken from, where it looked at that.
    """

    id: str
    kind: str
    claim: str
    required: bool
    verdict: Verdict
    reason: str
    statement: str
    seen: str = ""
    fix: str | None = None
    critical: bool = True
    group: str = ""
    estimate: Estimate | None = None
    method: Method | None = None
    threshold: str = ""
    limits: bool = False
    severity: float | None = None
    severity_at: str = ""
    sensitivity: float | None = None
    exposure: Exposure | None = None
    window: dict[str, tuple[str, str] | None] = field(default_factory=dict)
    controls: tuple[Control, ...] = ()
    needed: Needed | None = None
    evidence: tuple[dict[str, str], ...] = ()
    not_established: tuple[str, ...] = ()
    waived: str = ""
    history: History | None = None
    before_run: EarlierRun | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values, with numbers rounded to six significant digits so that processors agree."""
        data: dict[str, Any] = _plain(dataclasses.asdict(self))
        for later in ("history", "before_run"):
            if data[later] is None:
                del data[later]
        for control in data["controls"]:
            # As in files from before there were these: absent, not null, where no mutants were tried.
            if control["tried"] is None:
                del control["caught"], control["tried"]
            if not control["judged"]:
                del control["judged"]
            if control["earlier_run"] is None:
                del control["earlier_run"]
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
    # Of runs from before sensitivity had a name of its own.
    if parts.pop("severity_by", "") == "mutants":
        parts["severity"], parts["sensitivity"] = None, parts["severity"]
    parts["verdict"] = Verdict(parts["verdict"])
    for key, kind in (
        ("estimate", Estimate),
        ("method", Method),
        ("exposure", Exposure),
        ("needed", Needed),
        ("history", History),
    ):
        parts[key] = kind(**parts[key]) if parts.get(key) else None
    parts["before_run"] = _earlier_run(parts.get("before_run"))
    parts["controls"] = tuple(
        Control(
            **{
                **item,
                "guards": tuple(item["guards"]),
                "earlier_run": _earlier_run(item.get("earlier_run")),
            }
        )
        for item in parts["controls"]
    )
    parts["evidence"] = tuple(parts["evidence"])
    parts["not_established"] = tuple(parts["not_established"])
    return Finding(**parts)


def _earlier_run(data: Mapping[str, Any] | None) -> EarlierRun | None:
    if not data:
        return None
    differs = data["differs"]
    return EarlierRun(**{**data, "differs": None if differs is None else tuple(differs)})


def of_notebooks(noted: Iterable[Plain], carried: Iterable[Plain]) -> list[Plain]:
    """The findings noted of a run without those that no notebook carries: of extensions that cannot be used."""
    ids = {item["id"] for item in carried}
    return [item for item in noted if item["id"] in ids or item["reason"] != "extension"]


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


MARKS = {Verdict.PASS: "✔", Verdict.FAIL: "✘", Verdict.INCONCLUSIVE: "?", Verdict.ERROR: "!"}
