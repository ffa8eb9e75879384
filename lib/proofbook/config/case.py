"""Case files: fixes, budgets, contracts, impact statements and risks."""

from __future__ import annotations

import datetime as dt
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, PrivateAttr, model_validator

from proofbook import paths
from proofbook.config import toml
from proofbook.config.fields import JmesPath, Name, Pattern
from proofbook.config.fixes import AUTO, Fix, LogPattern, Moment
from proofbook.config.references import Settings
from proofbook.errors import ConfigurationError
from proofbook.files import read_json


class Identity(Settings):
    """A user id and whether the system must let it in."""

    user: str
    accept: bool
    because: str = ""


class Indicator(LogPattern):
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
