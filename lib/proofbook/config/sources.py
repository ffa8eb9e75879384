"""Log sources, revision documents and pseudonyms, as an environment states them."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field, WithJsonSchema, model_validator

from proofbook.config.fields import JmesPath, MaskPattern, Name, Pattern, ShortLog, TimeZone
from proofbook.config.log_formats import AUTO, GROUPS, PLACE_OF, Severity, checked_name, name_schema
from proofbook.config.references import Settings, TextOrReference
from proofbook.config.time_forms import checked_time_form
from proofbook.config.wanted import UTC_OFFSET

TimeForm = Annotated[str, AfterValidator(checked_time_form)]
FormatName = Annotated[str, AfterValidator(checked_name), WithJsonSchema(name_schema())]


class LogSource(Settings):
    """Where log entries come from: a short name such as gcp:project/service, a file (or glob), a command that prints them, or a table in an engine.

    What has a short name is read for `covers_s` back from now (a day where not stated), page by page, by the query that fits.
    format: what its lines are, found out where not stated. pattern: a regular expression for lines of any other format.
    time_form: how its times are written, in strptime's letters. levels: its words for severities. begins: a pattern of the lines
    that begin an entry. columns: which key or column of it holds what, by the columns of the table `logs`.
    A command may hold `{since}` and `{until}`: the window asked for, `covers_s` (a day where not stated) back from now.
    canary: whether the probes' marks must be found in it; left out, they must be where they were found before.
    """

    name: Name
    service: str | None = None
    source: ShortLog | None = None
    file: str | None = None
    command: list[str] | None = None
    engine: TextOrReference | None = None
    table: str | None = None
    columns: dict[str, str] = Field(default_factory=dict)
    format: FormatName = AUTO
    # The older name of `format`.
    shape: FormatName | None = None
    pattern: Pattern | None = None
    time_form: TimeForm | None = None
    levels: dict[str, Severity] = Field(default_factory=dict)
    begins: Pattern | None = None
    covers_s: float | None = Field(default=None, gt=0)
    limit: int | None = Field(default=None, gt=0)
    timeout_s: float = Field(default=120.0, gt=0, le=3600)
    utc_offset: Annotated[str, Field(pattern=UTC_OFFSET)] | None = None
    time_zone: TimeZone | None = None
    canary: bool | None = None

    @property
    def format_name(self) -> str:
        """The format that is stated, by either name; `auto` where none is."""
        return self.shape or self.format

    @property
    def zone(self) -> str | None:
        """The zone of times that name none: an offset, or a name such as Europe/Berlin."""
        return "+00:00" if self.time_zone == "UTC" else self.time_zone or self.utc_offset

    @model_validator(mode="after")
    def _one_zone(self) -> LogSource:
        if self.utc_offset is not None and self.time_zone is not None:
            raise ValueError("expected utc_offset or time_zone, got both")
        return self

    @model_validator(mode="after")
    def _one_origin(self) -> LogSource:
        stated = [key for key in ("source", "file", "command", "engine") if getattr(self, key) is not None]
        if len(stated) != 1:
            raise ValueError(
                f"expected one of source, file, command, engine, got {' and '.join(stated) or 'none'}"
            )
        if (self.engine is None) != (self.table is None):
            raise ValueError(
                "expected engine and table together, got " + ("engine" if self.engine else "table") + " alone"
            )
        groups = set(re.findall(r"\(\?P<([a-z_]+)>", self.pattern or ""))
        known = set(GROUPS)
        if self.shape is not None and self.format != AUTO:
            raise ValueError("expected format or shape, which is its older name, got both")
        if self.pattern is not None and ("timestamp" not in groups or groups - known):
            raise ValueError(
                f"expected pattern to name the group timestamp, and others only of {', '.join(sorted(known - {'timestamp'}))}, got {', '.join(sorted(groups)) or 'none'}"
            )
        if unknown := self.columns.keys() - PLACE_OF.keys():
            raise ValueError(
                f"expected columns by the names of {', '.join(PLACE_OF)}, got {', '.join(sorted(unknown))}"
            )
        if self.engine is not None and not {"timestamp", "body"} <= self.columns.keys():
            raise ValueError(
                'expected columns to say at least where timestamp and body are, such as { timestamp = "ts", body = "message" }'
            )
        return self


class Deployments(Settings):
    """A JSON document that describes revisions, in the shape of `gcloud run revisions list --format=json`.

    The paths are JMESPath expressions into one revision.
    """

    file: str | None = None
    command: list[str] | None = None
    revision: JmesPath = "metadata.name"
    created: JmesPath = "metadata.creationTimestamp"
    image_bytes: JmesPath = 'metadata.annotations."image-size-bytes"'
    memory_limit: JmesPath = "spec.containers[0].resources.limits.memory"

    @model_validator(mode="after")
    def _one_origin(self) -> Deployments:
        if (self.file is None) == (self.command is None):
            raise ValueError("expected either file or command, got " + ("both" if self.file else "neither"))
        return self


class Pseudonyms(Settings):
    """Which names of people are replaced in whatever others may read; the evidence keeps them, since it is judged again.

    patterns: regular expressions for user ids. addresses: IP and mail addresses too. key: the same key gives the same names.
    """

    key: TextOrReference
    patterns: list[MaskPattern] = Field(default_factory=list)
    addresses: bool = True

    @model_validator(mode="after")
    def _key_is_named(self) -> Pseudonyms:
        if self.key.text is not None:
            raise ValueError('expected a key that is named, not written: {env = "NAME"} or {file = "path"}')
        return self
