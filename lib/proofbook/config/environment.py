"""Environment files: services, WebSocket endpoints, login, logs, and the rate limit."""

from __future__ import annotations

import ipaddress
from functools import cached_property
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from proofbook import paths
from proofbook.config import layers, toml
from proofbook.config.fields import Duration, MaskPattern
from proofbook.config.probes import AnyProbe, references
from proofbook.config.references import Reference, Settings
from proofbook.config.services import Login, Pace, Rollout, Service, Tls, WebSocket, endpoint_of
from proofbook.config.sources import Deployments, LogSource, Pseudonyms
from proofbook.config.unattended import Metrics, Notify, Retention
from proofbook.config.wanted import TAG
from proofbook.errors import ConfigurationError, MissingSecret, ProofbookError
from proofbook.redaction import scrubbing

Tag = Annotated[str, Field(pattern=TAG, max_length=100)]


class Environment(Settings):
    """One environment file.

    redact: regular expressions for what must not be written anywhere, beside the secrets that it names and known shapes.
    held: ids of checks that have passed by what the file says; another `proofbook try` expects the same again.
    pass_env: environment variables that notebooks get beside those of Python and the system, such as `AWS_*`.
    every: how often a finished run is expected; empty where nobody waits for one.
    extends: a file whose values this one goes on from; see `layers`, which merges them, so that nothing of it is here.
    """

    extends: str = Field(default="", exclude=True)
    title: str = ""
    tags: list[Tag] = Field(default_factory=list)
    case: str = ""
    held: list[str] = Field(default_factory=list)
    hint: str = ""
    protected: bool = False
    writes: bool = False
    warm_up_s: float = Field(default=0.0, ge=0, le=3600)
    observe_s: float = Field(default=0.0, ge=0, le=86400)
    pace: Pace = Field(default_factory=Pace)
    services: list[Service] = Field(default_factory=list, alias="service")
    stated_websockets: list[WebSocket] = Field(default_factory=list, alias="websocket")
    stated_login: Login | None = Field(default=None, alias="login")
    stated_logs: list[LogSource] = Field(default_factory=list, alias="log")
    probes: list[AnyProbe] = Field(default_factory=list, alias="probe")
    deployments: Deployments | None = None
    rollout: Rollout = Field(default_factory=Rollout)
    pass_env: list[str] = Field(default_factory=list)
    redact: list[MaskPattern] = Field(default_factory=list)
    pseudonyms: Pseudonyms | None = None
    every: Duration = ""
    notify: Notify | None = None
    metrics: Metrics | None = None
    retention: Retention | None = None

    name: str = Field(default="", exclude=True)

    @cached_property
    def websockets(self) -> list[WebSocket]:
        """Every endpoint, those too that a service states in short."""
        short = [item for item in self.services if item.ws is not None]
        alone = len(short) == 1 and not self.stated_websockets
        return self.stated_websockets + [
            endpoint_of(item, name="ws" if alone else item.name, has_token=self.login is not None)
            for item in short
        ]

    @cached_property
    def login(self) -> Login | None:
        """How to get tokens: as stated, or the token that a service states in short."""
        token = next((item.token for item in self.services if item.token is not None), None)
        return self.stated_login or (Login(token=token) if token is not None else None)

    @property
    def user(self) -> str:
        """Who the token of the login is for; empty without one."""
        return self.login.user if self.login else ""

    @cached_property
    def logs(self) -> list[LogSource]:
        """Every source of log entries, those too that a service states in short."""
        return self.stated_logs + [
            LogSource(name=item.name, service=item.name, source=item.logs)
            for item in self.services
            if item.logs is not None
        ]

    @model_validator(mode="after")
    def _hangs_together(self) -> Environment:
        self._check_login()
        self._check_distinct()
        self._check_websockets()
        if not (self.services or self.logs or self.probes):
            raise ValueError("expected at least one [[service]], [[log]] or [[probe]], got none")
        return self

    def _check_login(self) -> None:
        tokens = {str(item.token) for item in self.services if item.token is not None}
        if len(tokens) > 1 or (tokens and self.stated_login is not None):
            raise ValueError(
                f"expected one way to log in, got {'[login] and a token of a service' if self.stated_login else ' and '.join(sorted(tokens))}"
            )

        sends = next((item.name for item in self.services if item.sends_token), None)
        if sends is not None and self.login is None:
            raise ValueError(
                f"expected [login] or a token because service {sends!r} sends one; add it, or leave sends_token out"
            )

    def _check_distinct(self) -> None:
        for kind, names in (
            ("service", [item.name for item in self.services]),
            ("websocket", [item.name for item in self.websockets]),
            ("log", [item.name for item in self.logs]),
            ("probe", [item.name for item in self.probes]),
        ):
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(f"expected different names in [[{kind}]], got {twice[0]!r} twice")

    def _check_websockets(self) -> None:
        known = {service.name for service in self.services}
        for socket in self.websockets:
            if socket.service not in known:
                raise ValueError(
                    f"expected websocket {socket.name!r} to name a [[service]] ({', '.join(sorted(known))}), got {socket.service!r}"
                )
            if socket.token.place != "none" and self.login is None:
                raise ValueError(
                    f'expected [login] because websocket {socket.name!r} sends a token; add it or set token = {{in = "none"}}'
                )

    def in_full(self) -> Environment:
        """The same environment, with what services state in short stated in full."""
        services = [
            item.model_copy(update={"ws": None, "token": None, "logs": None}) for item in self.services
        ]
        stated = {
            "services": services,
            "stated_websockets": self.websockets,
            "stated_login": self.login,
            "stated_logs": self.logs,
        }
        return self.model_copy(update=stated)

    def of_before(self) -> Environment | None:
        """The part of it that the old revision still answers for; None where nothing does."""
        services = [
            item.model_copy(update={"url": item.before_url, "before_url": None, "logs": None})
            for item in self.services
            if item.before_url is not None
        ]
        there = {item.name for item in services}
        sockets = [item for item in self.websockets if item.service in there and item.path is not None]
        if not services:
            return None
        whole = self.in_full()
        return whole.model_copy(
            update={
                "services": [item.model_copy(update={"ws": None, "token": None}) for item in services],
                "stated_websockets": sockets,
                "stated_logs": [],
                "probes": [old for item in self.probes if (old := item.of_before()) is not None],
                "deployments": None,
            }
        )

    def secrets(self) -> list[Reference]:
        """Every value that is named instead of written, and so kept out of whatever is written."""
        login = self.login
        named = (
            [
                login.token,
                login.expired,
                login.wrong_audience,
                login.without_right,
                *login.headers.values(),
                *login.form.values(),
            ]
            if login
            else []
        )
        for headers in (item.headers for group in (self.services, self.websockets) for item in group):
            named += headers.values()
        named += [value for item in self.websockets for value in item.query.values()]
        named += [found for item in self.probes for _, found, secret in references(item) if secret]
        named += [found for item in (self.notify, self.metrics) if item for found in item.secrets]
        return [reference for reference in named if reference is not None and reference.text is None]

    def tls(self, socket: WebSocket) -> Tls:
        """How an endpoint's encrypted connections are made: what it states itself, else as its service's."""
        service = self.service(socket.service)
        stated = {name: getattr(socket, name) or getattr(service, name) for name in Tls.model_fields}
        if socket.cert_file is not None:
            stated["key_file"] = socket.key_file
        return Tls(**stated)

    def host_of(self, socket: WebSocket) -> str | None:
        """The host of an endpoint; None where its address is not written here."""
        url = socket.url if socket.url is not None else self.service(socket.service).url
        return None if url.text is None else urlsplit(url.text).hostname or ""

    def has_host_name(self, socket: WebSocket) -> bool:
        """Whether an endpoint's host may be a name, which stands for addresses, and is not one."""
        host = self.host_of(socket)
        return host is None or _is_name(host)

    def asks_addresses(self, service: Service) -> bool:
        """Whether health is asked at every address of a service: its host is written, and is a name."""
        url = service.url.text
        return bool(service.health) and url is not None and _is_name(urlsplit(url).hostname or "")

    def delivers(self, socket: WebSocket) -> bool:
        """Whether messages are sent to this endpoint: it must say what to expect, and writing be allowed, or nothing be written."""
        return socket.expect is not None and (self.writes or socket.harmless)

    def can_log_in(self, user: str) -> bool:
        """Whether there is a way to get a token for that user."""
        return self.login is not None and (self.login.url is not None or user == self.login.user)

    def service(self, name: str) -> Service:
        """The service of that name."""
        return next(service for service in self.services if service.name == name)


def _is_name(host: str) -> bool:
    """Whether a host is a name, which stands for addresses, and no address."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return True
    return False


def load(name: str, *, base: Path) -> Environment:
    """The environment that a name or a path means.

    Raises:
        UnknownName: there is none.
        ConfigurationError: its file cannot be used.
    """
    path = find(name, base=base)
    loaded = toml.load(Environment, path).model_copy(update={"name": path.stem})
    # Here, so that nobody who reads an environment can forget it.
    scrubbing.add_patterns(loaded.redact)
    return loaded


def kept_in(run: Path) -> Environment | None:
    """The environment as a run was made with it, from its folder; None where it keeps none that can be read."""
    kept = sorted((run / "inputs").glob("*.toml"))
    try:
        return load(str(kept[0].resolve()), base=run) if len(kept) == 1 else None
    except (ProofbookError, OSError):
        # Of an older version, or damaged.
        return None


def keep_private(environment: Environment, *, base: Path) -> None:
    """Scrubbing learns the secrets that an environment names by variable or file, and pseudonyms are on where it asks for them.

    Raises:
        MissingSecret: the key of the pseudonyms cannot be read.
    """
    home = paths.home(base)
    for reference in environment.secrets():
        if reference.command is None:
            try:
                reference.read_secret(base=home, where=environment.name)
            except MissingSecret:
                # Not there now, so it cannot leak either.
                continue
    asked = environment.pseudonyms
    if asked is None:
        scrubbing.use_pseudonyms(None)
        return
    key = asked.key.read_secret(base=home, where=f"{environment.name}: pseudonyms.key")
    scrubbing.use_pseudonyms(
        scrubbing.Pseudonyms(key=key.reveal(), patterns=tuple(asked.patterns), addresses=asked.addresses)
    )


def find(name: str, *, base: Path) -> Path:
    """The environment's file."""
    return paths.find_file("environment", name, base=base)


def is_whole(path: Path) -> bool:
    """Whether a file can be used as it is, and not only by files that extend it."""
    try:
        toml.load(Environment, path)
    except ConfigurationError:
        return False
    return True


def kept_text(path: Path) -> str | None:
    """An environment's file with all that it extends, as a file that extends nothing; None for one that is so already."""
    found = layers.read(path)
    return toml.text_of(found.values) if len(found.files) > 1 else None
