"""What is being validated: fixes and their symptoms, budgets, contracts, impact statements and risks."""

from __future__ import annotations

import datetime as dt
import re
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PrivateAttr, model_validator

from proofbook import paths
from proofbook.config import duckdb_text, toml
from proofbook.config.fields import JmesPath, Name, Pattern
from proofbook.config.references import Settings
from proofbook.config.status_pattern import StatusPattern
from proofbook.errors import ConfigurationError
from proofbook.files import read_json

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


class Signature(Settings):
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
    def _tried(self) -> Signature:
        if self.log is None:
            return self
        for line, hit in zip(self.examples, duckdb_text.found_in(self.log, self.examples), strict=True):
            if not hit:
                raise ValueError(f"expected {self.log!r} to match the example {line!r}, but it does not")
        for line, hit in zip(self.near_misses, duckdb_text.found_in(self.log, self.near_misses), strict=True):
            if hit:
                raise ValueError(f"expected {self.log!r} not to match the near-miss {line!r}, but it does")
        return self


class Symptom(Signature):
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


class Identity(Settings):
    """A user id and whether the system must let it in."""

    user: str
    accept: bool
    because: str = ""


class Indicator(Signature):
    """A log line that a healthy system writes."""

    id: Name
    title: str = ""

    @model_validator(mode="after")
    def _stated(self) -> Indicator:
        if self.log is None:
            raise ValueError("expected log = a regular expression, got nothing")
        return self


class Targets(Settings):
    """Success rates that must hold, as fractions."""

    health: float = Field(default=0.95, gt=0, lt=1)
    connection: float = Field(default=0.99, gt=0, lt=1)
    authentication: float = Field(default=0.99, gt=0, lt=1)
    delivery: float = Field(default=0.99, gt=0, lt=1)
    held_sockets: float = Field(default=0.95, gt=0, lt=1)


class Budgets(Settings):
    """Limits that must not be exceeded.

    slow_share: the part of requests that may take longer than `slow_times` the median of before. restarts: how many
    processes may take another's place while it is watched. certificate_days: how long certificates must still be valid.
    """

    confidence: float = Field(default=0.95, gt=0.5, lt=1)
    absent_rate: float = Field(default=0.01, gt=0, lt=1)
    latency_ratio: float = Field(default=1.2, gt=1)
    reply_s: float = Field(default=3.0, gt=0)
    memory_growth_mb: float = Field(default=200.0, gt=0)
    memory_horizon_min: float = Field(default=10.0, gt=0)
    error_rate: float = Field(default=0.01, gt=0, lt=1)
    downtime_s: float = Field(default=1.0, gt=0)
    slow_share: float = Field(default=0.01, gt=0, lt=1)
    slow_times: float = Field(default=5.0, gt=1)
    restarts: int = Field(default=0, ge=0)
    certificate_days: float = Field(default=14.0, ge=0)
    image_ratio: float | None = Field(default=None, gt=0)
    memory_limit_ratio: float | None = Field(default=None, gt=0)
    start_up_s: float | None = Field(default=None, gt=0)


class Asks(Settings):
    """What WebSocket endpoints are asked beyond ordinary messages, and services beyond their first address; each may be turned off.

    message_bytes: how long messages must at least be answered, or refused by name; beyond 64 KiB a frame states its length
    otherwise. 0: long ones are not asked. held_s: how long an idle connection must stay open; 0: nothing is
    required, and they are held as long as the rest takes.
    """

    message_bytes: int = Field(default=70_000, ge=0, le=1_000_000)
    characters: bool = True
    at_once: bool = True
    compression: bool = True
    addresses: bool = True
    held: bool = True
    held_s: float = Field(default=0.0, ge=0, le=3600)


class Deployment(Settings):
    """The deployment that carried the fix. Empty: found in the data."""

    time: Moment | None = None
    revision: str | None = None
    service: str | None = None
    started_log: Pattern | None = None


class MessageContract(Settings):
    """A JSON Schema for the messages whose fields have the values in `when`."""

    id: Name
    json_schema: str = Field(alias="schema")
    when: dict[JmesPath, Any]
    websocket: str | None = None


class Impact(Settings):
    """A statement about the business, and the findings that carry it."""

    statement: str
    findings: list[str] = Field(min_length=1)


class Risk(Settings):
    """A risk: resolved by findings, accepted by a person until a date, or open."""

    title: str
    status: Literal["resolved", "accepted", "open"]
    detail: str = ""
    findings: list[str] = Field(default_factory=list)
    voids: list[str] = Field(default_factory=list)
    owner: str = ""
    until: dt.date | None = None

    @model_validator(mode="after")
    def _carried(self) -> Risk:
        if self.status == "accepted" and not (self.owner and self.until):
            raise ValueError(
                f"expected an accepted risk to name owner and until, got owner={self.owner!r}, until={self.until}"
            )
        if self.status == "resolved" and not self.findings:
            raise ValueError("expected a resolved risk to name the findings that show it, got none")
        return self


class Waiver(Settings):
    """Who let a check be skipped, until when, and why."""

    by: str
    until: dt.date
    why: str


class CheckSettings(Settings):
    """What the case says about one check."""

    claim: str | None = None
    required: bool | None = None
    waived: Waiver | None = None


class Case(Settings):
    """One case file."""

    title: str = ""
    mission: str = ""
    team: str = ""
    next_review_h: float = Field(default=24.0, gt=0)
    stated_deployment: Deployment = Field(default_factory=Deployment, alias="deployment")
    fixes: list[Fix] = Field(default_factory=list, alias="fix")
    identities: list[Identity] = Field(default_factory=list, alias="identity")
    indicators: list[Indicator] = Field(default_factory=list, alias="indicator")
    targets: Targets = Field(default_factory=Targets)
    budgets: Budgets = Field(default_factory=Budgets)
    asks: Asks = Field(default_factory=Asks)
    messages: list[MessageContract] = Field(default_factory=list, alias="message")
    impacts: list[Impact] = Field(default_factory=list, alias="impact")
    risks: list[Risk] = Field(default_factory=list, alias="risk")
    checks: dict[str, CheckSettings] = Field(default_factory=dict)
    not_checked: list[str] = Field(default_factory=list)

    name: str = Field(default="", exclude=True)
    folder: Path = Field(default=Path(), exclude=True)
    _schemas: dict[str, Any] = PrivateAttr(default_factory=dict)

    @cached_property
    def deployment(self) -> Deployment:
        """The deployment, with the time that a fix may state instead."""
        times = [fix.deployed for fix in self.fixes if fix.deployed is not None]
        if not times or self.stated_deployment.time is not None:
            return self.stated_deployment
        return self.stated_deployment.model_copy(update={"time": times[0]})

    @property
    def schemas(self) -> dict[str, Any]:
        """The message schemas by the file that `messages` names, read with the case."""
        return self._schemas

    def with_schemas(self) -> Case:
        """This case with the message schemas that it names, read from its folder.

        Raises:
            ConfigurationError: one cannot be read as JSON.
        """
        read = self.model_copy()
        read._schemas = _schemas(self)
        return read

    @property
    def before(self) -> str:
        """The pinned run that counts as before, or "auto"."""
        return next((fix.before for fix in self.fixes if fix.before != AUTO), AUTO)

    def log_patterns(self) -> list[str]:
        """Every pattern that this case looks for in logs."""
        symptoms = [symptom for fix in self.fixes for symptom in fix.symptoms]
        # What stands in the place of a refusal is looked for beside it.
        refusals = [str(found.of_any_refusal) for item in symptoms if (found := item.status_pattern)]
        stated = [
            *(item.pattern for item in symptoms),
            *refusals,
            *(item.log for item in self.indicators),
            self.deployment.started_log,
        ]
        return sorted({pattern for pattern in stated if pattern})

    @model_validator(mode="after")
    def _has_title(self) -> Case:
        if not self.title:
            if not self.fixes:
                raise ValueError("expected a title, or a [[fix]] that has one, got neither")
            object.__setattr__(self, "title", "; ".join(fix.title for fix in self.fixes))
        return self

    @model_validator(mode="after")
    def _one_deployment(self) -> Case:
        stated = [self.stated_deployment.time, *(fix.deployed for fix in self.fixes)]
        times = {time for time in stated if time is not None}
        if len(times) > 1:
            raise ValueError(
                f"expected one deployment for a case, got {' and '.join(sorted(time.isoformat() for time in times))}; make a case of each"
            )
        pinned = {fix.before for fix in self.fixes} - {AUTO}
        if len(pinned) > 1:
            raise ValueError(
                f"expected one pinned run for a case, got {' and '.join(sorted(pinned))}; make a case of each"
            )
        return self

    @model_validator(mode="after")
    def _distinct(self) -> Case:
        ids = [symptom.check_id for fix in self.fixes for symptom in fix.symptoms]
        ids += [f"log-{indicator.id}-present" for indicator in self.indicators]
        twice = sorted({item for item in ids if ids.count(item) > 1})
        if twice:
            raise ValueError(
                f"expected every symptom and indicator to have an id of its own, got {twice[0]!r} twice; set id"
            )
        return self


def load(name: str, *, base: Path) -> Case:
    """The case that a name or a path means; empty: one with no fix, judged by guards only.

    Raises:
        UnknownName: there is none.
        ConfigurationError: its file, or a file that it names, cannot be used.
    """
    if not name:
        return Case(title="Is it healthy?", name="", folder=base)
    path = find(name, base=base)
    case = toml.load(Case, path).model_copy(update={"name": path.stem, "folder": path.parent})
    missing = [
        (key, f"expected a file, found nothing at {paths.shown(path.parent / file)}")
        for key, file in named_files(case)
        if not (path.parent / file).is_file()
    ]
    if missing:
        raise ConfigurationError(paths.shown(path), missing)
    return case.with_schemas()


def _schemas(case: Case) -> dict[str, Any]:
    """The message schemas that a case names, by file.

    Raises:
        ConfigurationError: one cannot be read as JSON.
    """
    found, problems = {}, []
    for index, message in enumerate(case.messages):
        file = message.json_schema
        try:
            found[file] = read_json(case.folder / file)
        except (OSError, ValueError) as error:
            problems.append((f"message[{index}].schema", f"expected a JSON file at {file}, got: {error}"))
    if problems:
        raise ConfigurationError(paths.shown(case.folder / f"{case.name}.toml"), problems)
    return found


def find(name: str, *, base: Path) -> Path:
    """The case's file."""
    return paths.find_file("case", name, base=base)


def named_files(case: Case) -> list[tuple[str, str]]:
    """(key, path relative to the case's folder) of every file that the case names."""
    files = [(f"fix[{index}].patch", fix.patch) for index, fix in enumerate(case.fixes) if fix.patch]
    return files + [
        (f"message[{index}].schema", message.json_schema) for index, message in enumerate(case.messages)
    ]


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:40] or "pattern"
