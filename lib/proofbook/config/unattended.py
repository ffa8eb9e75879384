"""Settings of unattended runs in an environment: notices, metrics, retention."""

from __future__ import annotations

import datetime as dt
from typing import Literal
from zoneinfo import ZoneInfo

from pydantic import Field, model_validator

from proofbook.config.durations import seconds
from proofbook.config.fields import Duration, Name, SecretReference, TimeZone, check_url
from proofbook.config.references import Reference, Settings, TextOrReference
from proofbook.config.wanted import MAIL_ADDRESS, TEXTFILE, TIME_OF_DAY

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Webhook(Settings):
    """A receiver of JSON with the key `text`, as Slack, Mattermost, Rocket.Chat and Google Chat take it.

    url: whoever knows it may post, so it is named and not written.
    """

    name: Name = "webhook"
    url: SecretReference
    timeout_s: float = Field(default=10.0, gt=0, le=60)


class Mail(Settings):
    """A receiver of mail, by way of an SMTP server.

    security: `starttls` and `tls` check the server's certificate.
    """

    name: Name = "mail"
    host: str = Field(min_length=1)
    port: int = Field(default=587, ge=1, le=65535)
    security: Literal["starttls", "tls", "none"] = "starttls"
    user: str = ""
    password: SecretReference | None = None
    sender: str = Field(alias="from", pattern=MAIL_ADDRESS)
    to: list[str] = Field(min_length=1)
    ca_file: str | None = None
    timeout_s: float = Field(default=20.0, gt=0, le=120)

    @model_validator(mode="after")
    def _can_log_in(self) -> Mail:
        if bool(self.user) != (self.password is not None):
            raise ValueError(
                f"expected user and password together, got {'user' if self.user else 'password'} alone"
            )
        wrong = [item for item in self.to if item.count("@") != 1 or item != "".join(item.split())]
        if wrong:
            raise ValueError(f"expected mail addresses in to, got {wrong[0]!r}")
        return self


class Alertmanager(Settings):
    """A Prometheus Alertmanager, told by its API, version 2. labels: added to every alert, by which it is routed."""

    name: Name = "alertmanager"
    url: TextOrReference
    token: SecretReference | None = None
    labels: dict[str, str] = Field(default_factory=dict)
    timeout_s: float = Field(default=10.0, gt=0, le=60)

    @model_validator(mode="after")
    def _is_url(self) -> Alertmanager:
        if self.url.text is not None:
            check_url(self.url.text, ("http", "https"))
        wrong = [name for name in self.labels if not name.replace("_", "a").isalnum() or not name.isascii() or name[0].isdigit()]  # fmt: skip
        if wrong:
            raise ValueError(f"expected names of labels of letters, digits and _, got {wrong[0]!r}")
        return self


class Command(Settings):
    """A program of your own; it gets the notice as JSON on its standard input. `{python}` stands for the running interpreter."""

    name: Name = "command"
    run: list[str] = Field(min_length=1)
    timeout_s: float = Field(default=60.0, gt=0, le=600)


class Maintenance(Settings):
    """A window that comes again on some days, all without `days`; runs that begin in it are no news."""

    days: list[Day] = Field(default_factory=list)
    start: str = Field(pattern=TIME_OF_DAY)
    length: Duration = Field(alias="for", min_length=1)
    time_zone: TimeZone = "UTC"

    def holds(self, moment: dt.datetime) -> bool:
        """Whether a moment lies in such a window, which lasts as long as it says, also where clocks are changed in it."""
        local = moment.astimezone(ZoneInfo(self.time_zone))
        hour, minute = map(int, self.start.split(":"))
        length = dt.timedelta(seconds=seconds(self.length))
        # One that began on an earlier day may still be going on.
        for back in range(length.days + 2):
            day = local - dt.timedelta(days=back)
            began = day.replace(hour=hour, minute=minute, second=0, microsecond=0, fold=0).astimezone(dt.UTC)
            named = not self.days or DAYS[day.weekday()] in self.days
            if named and began <= moment < began + length:
                return True
        return False


class Notify(Settings):
    """Who is told when a verdict changes, and how soon.

    after: so many runs in a row must have failed before that is told. inconclusive_after: the same of runs that are inconclusive.
    remind_every: how often it is said again while it lasts; never where empty. link: where the outputs are served, for links.
    """

    after: int = Field(default=1, ge=1, le=1000)
    inconclusive_after: int = Field(default=3, ge=1, le=1000)
    remind_every: Duration = ""
    link: str = ""
    webhooks: list[Webhook] = Field(default_factory=list, alias="webhook")
    mails: list[Mail] = Field(default_factory=list, alias="mail")
    alertmanagers: list[Alertmanager] = Field(default_factory=list, alias="alertmanager")
    commands: list[Command] = Field(default_factory=list, alias="command")
    maintenance: list[Maintenance] = Field(default_factory=list)

    @property
    def receivers(self) -> list[Webhook | Mail | Alertmanager | Command]:
        """Everybody who is told."""
        return [*self.webhooks, *self.mails, *self.alertmanagers, *self.commands]

    @property
    def secrets(self) -> list[Reference | None]:
        """What is named and may not be written anywhere."""
        return [
            *(item.url for item in self.webhooks),
            *(item.password for item in self.mails),
            *(item.token for item in self.alertmanagers),
            *(item.url for item in self.alertmanagers),
        ]

    @model_validator(mode="after")
    def _distinct(self) -> Notify:
        names = [item.name for item in self.receivers]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(
                f"expected different names of receivers, got {twice[0]!r} twice; give them names"
            )
        if self.link:
            check_url(self.link, ("http", "https"))
        return self


class Metrics(Settings):
    """Where metrics of runs go. textfile: a file in Prometheus' text format; otlp: a receiver of OpenTelemetry's protocol, OTLP/HTTP.

    otlp: the URL that `/v1/metrics` is added to. otlp_token: sent to it as `Authorization: Bearer`.
    """

    textfile: str | None = Field(default=None, pattern=TEXTFILE)
    otlp: TextOrReference | None = None
    otlp_token: SecretReference | None = None

    @model_validator(mode="after")
    def _has_a_place(self) -> Metrics:
        if self.textfile is None and self.otlp is None:
            raise ValueError("expected textfile or otlp, got neither")
        if self.otlp_token is not None and self.otlp is None:
            raise ValueError("expected otlp beside otlp_token, got the token alone")
        if self.otlp is not None and self.otlp.text is not None:
            check_url(self.otlp.text, ("http", "https"))
        return self

    @property
    def secrets(self) -> list[Reference | None]:
        """What is named and may not be written anywhere."""
        return [self.otlp_token, self.otlp]


class Retention(Settings):
    """How many runs of each case stay when a run has ended.

    keep: the newest, whatever their verdict. evidence: so many of the newest keep evidence and executed notebooks too.
    failures: the newest that failed. first_failures: the newest that failed where the run before had not, with that one. They stay whole.
    """

    keep: int = Field(ge=1)
    evidence: int | None = Field(default=None, ge=1)
    failures: int = Field(default=20, ge=1)
    first_failures: int = Field(default=20, ge=1)

    @model_validator(mode="after")
    def _evidence_goes_first(self) -> Retention:
        if self.evidence is not None and self.evidence > self.keep:
            raise ValueError(f"expected evidence to be at most keep ({self.keep}), got {self.evidence}")
        return self
