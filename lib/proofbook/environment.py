"""Where a case is validated: services, WebSocket endpoints, how to log in, logs, and the manners of probing."""

from __future__ import annotations

import re
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from proofbook import log_places, patterns, redaction, settings, workspace
from proofbook.errors import MissingSecret
from proofbook.settings import Reference, Settings, TextOrReference


def _pattern(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"expected a regular expression, got {value!r} ({error})") from None
    return value


def _log_pattern(value: str) -> str:
    problem = patterns.problem(value)
    if problem:
        raise ValueError(
            f"expected a regular expression (RE2's: no lookaround, no backreferences), got {value!r} ({problem})"
        )
    return value


def _mask_pattern(value: str) -> str:
    """A pattern for what is replaced: tables are scrubbed by RE2 and text by Python's `re`, so it must mean the same to both."""
    value = _pattern(_log_pattern(value))
    if re.search(value, ""):
        raise ValueError(f"expected a pattern that does not match empty text, got {value!r}")
    return value


def _log_place(value: str) -> str:
    log_places.parse(value)
    return value


Pattern = Annotated[str, AfterValidator(_log_pattern)]
MaskPattern = Annotated[str, AfterValidator(_mask_pattern)]


def _named(value: Any) -> Any:
    if isinstance(value, str):
        # The value is not repeated: it is a secret.
        raise ValueError(
            'expected a secret that is named, {env = "NAME"} or {file = "path"}, got a written one'
        )
    return value


# Of a secret; what is written where it should be named stands in no message.
SecretReference = Annotated[Reference, BeforeValidator(_named, json_schema_input_type=Reference)]
# A short name of `log_places`.
ShortLog = Annotated[str, AfterValidator(_log_place)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]


class Pace(Settings):
    """How politely to probe. Applies to the whole run."""

    per_s: float = Field(default=5.0, gt=0, le=1000)
    concurrency: int = Field(default=5, ge=1, le=500)
    timeout_s: float = Field(default=10.0, gt=0, le=120)


class Expectation(Settings):
    """How an answer is recognised: JMESPath expressions with the values wanted, or a regular expression.

    In both, `{id}`, `{text}` and `{user}` stand for what this journey sent.
    """

    fields: dict[str, Any] = Field(default_factory=dict, alias="json")
    regex: str | None = None

    @model_validator(mode="after")
    def _stated(self) -> Expectation:
        if not self.fields and self.regex is None:
            raise ValueError('expected json = {"path" = value} or regex = "…", got neither')
        if self.regex is not None:
            _pattern(re.sub(r"\{(id|text|user)\}", "x", self.regex))
        return self


class TokenPlace(Settings):
    """Where the token goes in a WebSocket handshake, and how it is written there."""

    place: Literal["header", "subprotocol", "query", "cookie", "first_message", "none"] = Field(
        default="header", alias="in"
    )
    name: str = ""
    format: str = ""

    @model_validator(mode="after")
    def _has_token(self) -> TokenPlace:
        if self.format and "{token}" not in self.format:
            raise ValueError(f"expected a format with {{token}}, got {self.format!r}")
        return self

    @property
    def is_message(self) -> bool:
        """Whether it is the first thing said, so that a server may greet, or wait, before it has seen it."""
        return self.place == "first_message"


class Socket(Settings):
    """A WebSocket endpoint and the conversation that shows it works.

    path: where it lies on its service; url: where it lies when that is elsewhere. Certificates are checked as for its service
    unless ca_file says otherwise. test_headers: headers that only tests send. They are tried with a bad token, and go with every good one where
    `sends_test_headers` says so; the shadow probes never send them. long_message_chars: how long the last message of each
    conversation is made, since some faults only large messages meet.
    """

    path: str | None = None
    url: TextOrReference | None = None
    token: TokenPlace = Field(default_factory=TokenPlace)
    headers: dict[str, TextOrReference] = Field(default_factory=dict)
    test_headers: dict[str, str] = Field(default_factory=dict)
    sends_test_headers: bool = False
    subprotocols: list[str] = Field(default_factory=list)
    ca_file: str | None = None
    greeting: Expectation | None = None
    send: str | None = None
    send_json: Any = None
    send_base64: str | None = None
    expect: Expectation | None = None
    messages: int = Field(default=1, ge=1, le=100)
    long_message_chars: int = Field(default=0, ge=0, le=1_000_000)
    dwell_s: float = Field(default=0.3, ge=0, le=60)

    @model_validator(mode="after")
    def _conversation(self) -> Self:
        if (self.path is None) == (self.url is None):
            raise ValueError("expected either path or url, got " + ("both" if self.url else "neither"))
        if self.path is not None and not self.path.startswith("/"):
            raise ValueError(f"expected a path that starts with /, got {self.path!r}")
        if self.url is not None:
            _check_url(self.url, ("ws", "wss"))
        said = [key for key in ("send", "send_json", "send_base64") if getattr(self, key) is not None]
        if len(said) > 1:
            raise ValueError(f"expected one of send, send_json, send_base64, got {' and '.join(said)}")
        if bool(said) != (self.expect is not None):
            raise ValueError("expected send and expect together; without both, delivery is not measured")
        return self


class WebSocket(Socket):
    """The endpoint of a service."""

    name: Name = "ws"
    service: str


def _as_socket(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return {"url": value} if value.startswith(("ws:", "wss:")) else {"path": value}


# Of a service: "/ws", "wss://…", or the whole table.
ShortSocket = Annotated[Socket, BeforeValidator(_as_socket, json_schema_input_type=str | Socket)]


class Service(Settings):
    """An HTTP service.

    before_url: where the old revision still answers; it is probed alongside, as before, where nothing else was recorded.
    ws, token, logs: in short what [[websocket]], [login] and [[log]] say in full: its endpoint, a fixed token for it, and the
    source of its log.
    """

    name: Name
    url: TextOrReference
    before_url: TextOrReference | None = None
    critical: bool = True
    health: str = "/health"
    health_status: list[int] = Field(default_factory=lambda: [200])
    health_expect: Expectation | None = None
    revision_path: str | None = None
    unknown_path: str = "/proofbook-no-such-path"
    headers: dict[str, TextOrReference] = Field(default_factory=dict)
    ca_file: str | None = None
    ws: ShortSocket | None = None
    token: SecretReference | None = None
    logs: ShortLog | None = None
    openapi: str | None = None
    metrics: str | None = None
    memory_metric: str = "process_resident_memory_bytes"
    timed: list[str] = Field(default_factory=list)

    @property
    def is_encrypted(self) -> bool:
        """Whether its certificate is looked at: known from a written URL, or from the CA that it names."""
        return self.ca_file is not None or (self.url.text or "").startswith("https:")

    @model_validator(mode="after")
    def _http_url(self) -> Service:
        for url in (self.url, self.before_url):
            if url is not None:
                _check_url(url, ("http", "https"))
        return self


class Login(Settings):
    """How to get tokens. A fixed token, or a request that issues one for any user id."""

    token: SecretReference | None = None
    url: TextOrReference | None = None
    path: str = ""
    ca_file: str | None = None
    headers: dict[str, TextOrReference] = Field(default_factory=dict)
    body: dict[str, Any] = Field(default_factory=lambda: {"user_id": "{user}"}, alias="json")
    token_path: str = "access_token"
    user: str = "proofbook"
    expired: SecretReference | None = None
    wrong_audience: SecretReference | None = None
    bad_tokens: bool = True

    @model_validator(mode="after")
    def _one_way(self) -> Login:
        if (self.token is None) == (self.url is None):
            raise ValueError("expected either token or url, got " + ("both" if self.token else "neither"))
        return self


class LogSource(Settings):
    """Where log entries come from: a short name such as gcp:project/service, a file (or glob), a command that prints them, or a table in an engine.

    What has a short name is read for `covers_s` back from now (a day where not stated), page by page, by the query that fits.
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
    shape: Literal[
        "auto", "cloud-logging", "otlp", "journald", "serilog", "loguru", "pino", "zap", "structlog", "json",
        "nginx-access", "nginx-error", "gunicorn", "syslog-5424", "syslog-3164", "klog", "logfmt", "python-logging", "text",
    ] = "auto"  # fmt: skip
    pattern: Pattern | None = None
    covers_s: float | None = Field(default=None, gt=0)
    limit: int | None = Field(default=None, gt=0)
    timeout_s: float = Field(default=120.0, gt=0, le=3600)
    utc_offset: Annotated[str, Field(pattern=r"^[+-]\d\d:\d\d$")] | None = None
    canary: bool | None = None

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
        known = {"timestamp", "severity", "body", "service", "instance", "trace", "method", "url", "status"}
        if self.pattern is not None and ("timestamp" not in groups or groups - known):
            raise ValueError(
                f"expected pattern to name the group timestamp, and others only of {', '.join(sorted(known - {'timestamp'}))}, got {', '.join(sorted(groups)) or 'none'}"
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
    revision: str = "metadata.name"
    created: str = "metadata.creationTimestamp"
    image_bytes: str = 'metadata.annotations."image-size-bytes"'
    memory_limit: str = "spec.containers[0].resources.limits.memory"

    @model_validator(mode="after")
    def _one_origin(self) -> Deployments:
        if (self.file is None) == (self.command is None):
            raise ValueError("expected either file or command, got " + ("both" if self.file else "neither"))
        return self


class Rollout(Settings):
    """How a rolling deployment is watched."""

    per_s: float = Field(default=20.0, gt=0, le=200)
    held_sockets: int = Field(default=0, ge=0, le=1000)
    settle_s: float = Field(default=2.0, ge=0, le=600)
    duration_s: float = Field(default=60.0, gt=0, le=7200)
    allowed_close_codes: list[int] = Field(default_factory=lambda: [1000, 1001, 1012])
    max_connection_s: float | None = Field(default=None, gt=0)


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


class Environment(Settings):
    """One environment file.

    redact: regular expressions for what must not be written anywhere, beside the secrets that it names and known shapes.
    """

    title: str = ""
    case: str = ""
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
    deployments: Deployments | None = None
    rollout: Rollout = Field(default_factory=Rollout)
    redact: list[MaskPattern] = Field(default_factory=list)
    pseudonyms: Pseudonyms | None = None

    name: str = Field(default="", exclude=True)

    @cached_property
    def websockets(self) -> list[WebSocket]:
        """Every endpoint, those too that a service states in short."""
        short = [item for item in self.services if item.ws is not None]
        alone = len(short) == 1 and not self.stated_websockets
        return self.stated_websockets + [
            _endpoint(item, name="ws" if alone else item.name, has_token=self.login is not None)
            for item in short
        ]

    @cached_property
    def login(self) -> Login | None:
        """How to get tokens: as stated, or the token that a service states in short."""
        token = next((item.token for item in self.services if item.token is not None), None)
        return self.stated_login or (Login(token=token) if token is not None else None)

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
        tokens = {str(item.token) for item in self.services if item.token is not None}
        if len(tokens) > 1 or (tokens and self.stated_login is not None):
            raise ValueError(
                f"expected one way to log in, got {'[login] and a token of a service' if self.stated_login else ' and '.join(sorted(tokens))}"
            )
        for kind, items in (("service", self.services), ("websocket", self.websockets), ("log", self.logs)):
            names = [item.name for item in items]
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(f"expected different names in [[{kind}]], got {twice[0]!r} twice")
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
        if not (self.services or self.logs):
            raise ValueError("expected at least one [[service]] or [[log]], got none")
        return self

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
                "deployments": None,
            }
        )

    def secrets(self) -> list[Reference]:
        """Every value that is named instead of written, and so kept out of whatever is written."""
        login = self.login
        named = [login.token, login.expired, login.wrong_audience, *login.headers.values()] if login else []
        for headers in (item.headers for group in (self.services, self.websockets) for item in group):
            named += headers.values()
        return [reference for reference in named if reference is not None and reference.text is None]

    def ca_file(self, socket: WebSocket) -> str | None:
        """The private CA by which an endpoint's certificate is checked: its own, or its service's."""
        return socket.ca_file or self.service(socket.service).ca_file

    def delivers(self, socket: WebSocket) -> bool:
        """Whether messages are sent to this endpoint: it must say what to expect, and the environment allow writing."""
        return self.writes and socket.expect is not None

    def service(self, name: str) -> Service:
        """The service of that name."""
        return next(service for service in self.services if service.name == name)


def load(name: str, *, base: Path) -> Environment:
    """The environment that a name or a path means.

    Raises:
        UnknownName: there is none.
        ConfigurationError: its file cannot be used.
    """
    path = find(name, base=base)
    loaded = settings.load(Environment, path).model_copy(update={"name": path.stem})
    # Here, so that nobody who reads an environment can forget it.
    redaction.add_patterns(loaded.redact)
    return loaded


def keep_private(environment: Environment, *, base: Path) -> None:
    """Scrubbing learns the secrets that an environment names by variable or file, and pseudonyms are on where it asks for them.

    Raises:
        MissingSecret: the key of the pseudonyms cannot be read.
    """
    home = workspace.home(base)
    for reference in environment.secrets():
        if reference.command is None:
            try:
                reference.read_secret(base=home, where=environment.name)
            except MissingSecret:
                # Not there now, so it cannot leak either.
                continue
    asked = environment.pseudonyms
    if asked is None:
        redaction.use_pseudonyms(None)
        return
    key = asked.key.read_secret(base=home, where=f"{environment.name}: pseudonyms.key")
    redaction.use_pseudonyms(
        redaction.Pseudonyms(key=key.reveal(), patterns=tuple(asked.patterns), addresses=asked.addresses)
    )


def find(name: str, *, base: Path) -> Path:
    """The environment's file."""
    return workspace.find_file(
        "environment",
        name,
        workspace.environments(base),
        where=workspace.shown(base / "notebooks" / "environments"),
    )


def _endpoint(service: Service, *, name: str, has_token: bool) -> WebSocket:
    """A service's endpoint as [[websocket]] would state it. Who needs a header for the service needs it here too."""
    assert service.ws is not None
    stated = {field: getattr(service.ws, field) for field in service.ws.model_fields_set}
    stated.setdefault("token", TokenPlace.model_validate({"in": "header" if has_token else "none"}))
    stated.setdefault("headers", service.headers)
    return WebSocket(name=name, service=service.name, **stated)


def _check_url(url: Reference, schemes: tuple[str, ...]) -> None:
    if url.text is not None:
        check_url(url.text, schemes)


def check_url(url: str, schemes: tuple[str, ...]) -> str:
    """`url` itself if it has one of the schemes and a host; the message never shows user info."""
    parts = urlsplit(url)
    if parts.scheme not in schemes or not parts.hostname:
        raise ValueError(
            f"expected a URL that starts with {' or '.join(f'{scheme}://' for scheme in schemes)}, got {url.rsplit('@')[-1]!r}"
        )
    return url
