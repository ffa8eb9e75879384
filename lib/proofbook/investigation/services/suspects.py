"""What a look at services finds: suspects, what each rests on, and how often chance names one."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum


class Measure(StrEnum):
    """What may speak against a service."""

    OWN_TIME = "own time"
    CALL_TIME = "time on the way"
    STEPS = "steps"
    ERRORS = "errors"
    RESOURCES = "resources"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign:
    """One thing that differs from quiet time and speaks against a service.

    Attributes:
        service: that it speaks against. seen_at: service whose spans or log show it. operation: in which; empty: in none.
        what: the step, metric or callee; empty: the operation itself. kind: of a step, as `tables.Step`; else empty.
        before, after: share of traces with the step, typical seconds, or typical use. of_before, of_after: how many traces or values.
        z: how clearly it differs by its numbers alone, in standard errors, by an exact test for counts and by ranks for times.
        score: the same on the scale of the service: no more than its change measured by what quiet windows change by.
    """

    measure: Measure
    service: str
    seen_at: str
    operation: str
    what: str
    kind: str
    before: float
    after: float
    of_before: int
    of_after: int
    z: float
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspect:
    """A service, and how much speaks against it.

    Attributes:
        score: of its strongest sign, given what its callees do. signs: strongest first.
        chance: how often quiet windows give a service such a score; None: too little history to say.
        called: whether it beats chance. explained_by: callee that accounts for its signs; empty: none does.
    """

    service: str
    score: float
    signs: tuple[Sign, ...]
    chance: float | None
    called: bool
    explained_by: str

    @property
    def measure(self) -> Measure:
        """That of its strongest sign."""
        return self.signs[0].measure

    @property
    def before(self) -> float:
        """Of its strongest sign."""
        return self.signs[0].before

    @property
    def after(self) -> float:
        """Of its strongest sign."""
        return self.signs[0].after


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """The services of a system by how much speaks against them, and whether that is more than chance.

    Attributes:
        suspects: strongest first; services without any sign are left out.
        services: how many there are. traces: how many were looked at, and in how many quiet ones. since: when it begins.
        placebos: quiet windows in which the same was looked for; needed: how many it takes to call a suspect.
        window_s: length of each. missing_s: quiet time that is missing to call one; 0: none.
    """

    suspects: tuple[Suspect, ...]
    services: int
    traces: int
    quiet_traces: int
    since: dt.datetime
    since_is_stated: bool
    placebos: int
    needed: int
    window_s: float
    missing_s: float
