"""Fixes and the symptoms of their defects, as a case states them."""

from __future__ import annotations

import datetime as dt
import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from proofbook.config import duckdb_text
from proofbook.config.fields import Name, Pattern
from proofbook.config.references import Settings
from proofbook.config.status_pattern import StatusPattern

AUTO = "auto"


def _zoned(value: dt.datetime) -> dt.datetime:
    if value.tzinfo is None:
        raise ValueError(
            f"expected a time with a zone such as 2026-01-31T12:00:00Z, got {value.isoformat()!r}"
        )
    return value


Moment = Annotated[dt.datetime, AfterValidator(_zoned)]
# "auto" is None: found in the data.
MomentOrAuto = Annotated[
    Moment | None,
    BeforeValidator(
        lambda value: None if value == AUTO else value, json_schema_input_type=Literal["auto"] | dt.datetime
    ),
]


class LogPattern(Settings):
    """A log pattern, with lines that it must match and near-misses that it must not."""

    log: Pattern | None = None
    source: str | None = None
    examples: list[str] = Field(default_factory=list)
    near_misses: list[str] = Field(default_factory=list)

    @property
    def pattern(self) -> str:
        """What is looked for in logs; empty: nothing."""
        return self.log or ""

    @model_validator(mode="after")
    def _tried(self) -> LogPattern:
        if self.log is None:
            return self
        for line, hit in zip(self.examples, duckdb_text.found_in(self.log, self.examples), strict=True):
            if not hit:
                raise ValueError(f"expected {self.log!r} to match the example {line!r}, but it does not")
        for line, hit in zip(self.near_misses, duckdb_text.found_in(self.log, self.near_misses), strict=True):
            if hit:
                raise ValueError(f"expected {self.log!r} not to match the near-miss {line!r}, but it does")
        return self


class Symptom(LogPattern):
    """How the defect shows: a close code, a log pattern, requests that are answered with a status, or a user id that is refused.

    path: of such requests, without the query, `*` for anything; None: any.
    """

    id: Name | None = None
    close_code: int | None = Field(default=None, ge=1000, le=4999)
    websocket: str | None = None
    refused_user: str | None = None
    http_status: int | None = Field(default=None, ge=100, le=599)
    path: str | None = None
    tolerated_rate: float = Field(default=0.0, ge=0, lt=1)

    @model_validator(mode="after")
    def _one_kind(self) -> Symptom:
        kinds = ("log", "close_code", "http_status", "refused_user")
        stated = [key for key in kinds if getattr(self, key) is not None]
        if len(stated) != 1:
            raise ValueError(f"expected one of {', '.join(kinds)}, got {' and '.join(stated) or 'none'}")
        if self.path is not None and self.http_status is None:
            raise ValueError(f"expected http_status beside path, got path={self.path!r} alone")
        if self.http_status is not None and (self.examples or self.near_misses):
            raise ValueError("expected examples and near_misses beside log only, got them beside http_status")
        return self

    @property
    def status_pattern(self) -> StatusPattern | None:
        """The requests that show it; None where it shows otherwise."""
        if self.http_status is None:
            return None
        return StatusPattern(least=self.http_status, most=self.http_status, path=self.path or "")

    @property
    def pattern(self) -> str:
        """What is looked for in logs: text, or requests; empty: nothing."""
        return str(self.status_pattern or self.log or "")

    @property
    def check_id(self) -> str:
        """The id of the check that claims this symptom gone."""
        if self.close_code is not None:
            return f"websocket-{self.id or self.close_code}-gone"
        if self.refused_user is not None:
            return f"identity-{self.id or _slug(self.refused_user)}-accepted"
        if self.http_status is not None:
            return f"log-{self.id or _slug(' '.join([str(self.http_status), self.path or '']))}-gone"
        return f"log-{self.id or _slug(self.log or '')}-gone"


class Fix(Settings):
    """One defect and what was done about it.

    deployed: when, or "auto": found in the data. before: what counts as before: "auto" (what was recorded, else the log of the
    old revision), a run by its id or folder, or the newest one: "last", "last-passed" or "last-failed".
    """

    id: Name = ""
    title: str
    deployed: MomentOrAuto = None
    before: str = AUTO
    file: str = ""
    problem: str = ""
    solution: str = ""
    architecture: str = ""
    patch: str | None = None
    git: str | None = None
    symptoms: list[Symptom] = Field(alias="symptom", min_length=1)

    @model_validator(mode="after")
    def _has_id(self) -> Fix:
        if not self.id:
            object.__setattr__(self, "id", _slug(self.title))
        return self


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:40] or "pattern"
