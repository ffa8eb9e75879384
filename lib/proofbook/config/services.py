"""Services, WebSocket endpoints, logins, pace and rollout, as an environment states them."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, JsonValue, model_validator

from proofbook.config import dialects, known_dialects
from proofbook.config.conversation import CloseCode, Conversation, Expectation
from proofbook.config.fields import JmesPath, Name, SecretReference, ShortLog, _check_url
from proofbook.config.references import Settings, TextOrReference
from proofbook.config.wanted import NAME


class Pace(Settings):
    """How politely to probe. Applies to the whole run."""

    per_s: float = Field(default=5.0, gt=0, le=1000)
    concurrency: int = Field(default=5, ge=1, le=500)
    timeout_s: float = Field(default=10.0, gt=0, le=120)


class Tls(Settings):
    """How an encrypted connection is made: files relative to the workspace, and the name by which the server is asked for.

    cert_file, key_file: the certificate that a client shows, and its key where that is in another file. server_name: the name
    that is asked for and that the certificate must bear, where the address is another, such as that of one instance.
    """

    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    server_name: str | None = None

    @property
    def files(self) -> tuple[str | None, str | None, str | None]:
        """What a TLS context is made of."""
        return self.ca_file, self.cert_file, self.key_file

    @model_validator(mode="after")
    def _key_of_a_certificate(self) -> Self:
        if self.key_file is not None and self.cert_file is None:
            raise ValueError("expected cert_file beside key_file, got none")
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


DialectName = Annotated[str, AfterValidator(dialects.checked_name), Field(pattern=NAME)]


class Socket(Conversation, Tls):
    """A WebSocket endpoint and the conversation that shows it works.

    dialect: what is said around the application's messages, `plain` where nothing is; what it states holds unless it is stated here.
    path: where it lies on its service; url: where it lies when that is elsewhere; query: what is added to either. Certificates are
    checked as for its service, and shown, unless ca_file, cert_file or server_name say otherwise. test_headers: headers that only tests send. They are tried with a bad
    token, and go with every good one where `sends_test_headers` says so; the shadow probes never send them. long_message_chars: how
    long the last message of each conversation is made, since some faults only large messages meet. normal_close_codes: with which
    the server may end a connection before the probe does; any other end is a failure, and where none are stated 1000 and 1001 are
    not known to be one or the other.
    """

    path: str | None = None
    url: TextOrReference | None = None
    query: dict[str, TextOrReference] = Field(default_factory=dict)
    dialect: DialectName = dialects.PLAIN
    token: TokenPlace = Field(default_factory=TokenPlace)
    headers: dict[str, TextOrReference] = Field(default_factory=dict)
    test_headers: dict[str, str] = Field(default_factory=dict)
    sends_test_headers: bool = False
    messages: int = Field(default=1, ge=1, le=100)
    long_message_chars: int = Field(default=0, ge=0, le=1_000_000)
    dwell_s: float = Field(default=0.3, ge=0, le=60)
    normal_close_codes: list[CloseCode] | None = None

    @model_validator(mode="before")
    @classmethod
    def _as_its_dialect_says(cls, stated: Any) -> Any:
        return known_dialects.completed(stated) if isinstance(stated, dict) else stated

    @model_validator(mode="after")
    def _address(self) -> Self:
        if (self.path is None) == (self.url is None):
            raise ValueError("expected either path or url, got " + ("both" if self.url else "neither"))
        if self.path is not None and not self.path.startswith("/"):
            raise ValueError(f"expected a path that starts with /, got {self.path!r}")
        if self.url is not None:
            _check_url(self.url, ("ws", "wss"))
        if self.token.is_message and self.opening and not any(step.shows_token for step in self.opening):
            raise ValueError(
                "expected {token} in a message of opening, since the token is in the first message"
            )
        return self


class WebSocket(Socket):
    """The endpoint of a service."""

    name: Name = "ws"
    service: str

    @model_validator(mode="before")
    @classmethod
    def _token_of_its_dialect(cls, stated: Any) -> Any:
        if isinstance(stated, dict) and "token" not in stated:
            place = known_dialects.token_place(stated.get("dialect"))
            return {**stated, "token": {"in": place}} if place else stated
        return stated


def _as_socket(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return {"url": value} if value.startswith(("ws:", "wss:")) else {"path": value}


# Of a service: "/ws", "wss://…", or the whole table.
ShortSocket = Annotated[Socket, BeforeValidator(_as_socket, json_schema_input_type=str | Socket)]


class Service(Tls):
    """An HTTP service.

    before_url: where the old revision still answers; it is probed alongside, as before, where nothing else was recorded.
    health: empty where it serves no HTTP, only a WebSocket. health_body: the JSON that is sent where health_method is POST, as gRPC
    over JSON wants it, or gRPC, over HTTP/2. health_max_age_s: how old may be what the page says by a time of its
    own that stands still. memory_series: whether each series of memory_metric (labels other
    than pod and instance, such as the pools of a JVM) has to keep the budget, or their sum.
    sends_token: whether its requests carry `Authorization: Bearer` with the token of the login. ws, token, logs: in short what [[websocket]], [login] and [[log]] say in full: its endpoint, a fixed token for it, and the
    source of its log.
    """

    name: Name
    url: TextOrReference
    before_url: TextOrReference | None = None
    critical: bool = True
    health: str = "/health"
    health_status: list[int] = Field(default_factory=lambda: [200])
    health_method: Literal["GET", "POST", "gRPC"] = "GET"
    health_body: dict[str, JsonValue] = Field(default_factory=dict)
    health_expect: Expectation | None = None
    health_max_age_s: float = Field(default=120.0, gt=0)
    revision_path: JmesPath | None = None
    unknown_path: str = "/proofbook-no-such-path"
    headers: dict[str, TextOrReference] = Field(default_factory=dict)
    ws: ShortSocket | None = None
    token: SecretReference | None = None
    sends_token: bool = False
    logs: ShortLog | None = None
    openapi: str | None = None
    metrics: str | None = None
    memory_metric: str = "process_resident_memory_bytes"
    memory_series: Literal["each", "sum"] = "each"
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
        if self.health and not self.health.startswith("/"):
            raise ValueError(
                f'expected health to be a path that starts with /, or "" where there is none, got {self.health!r}'
            )
        if self.health_body and self.health_method == "GET":
            raise ValueError('expected health_method = "POST" or "gRPC" beside health_body, got GET')
        if not self.health and (self.timed or self.revision_path):
            wants = "timed" if self.timed else "revision_path"
            raise ValueError(
                f"expected health beside {wants}, which it is compared with or read from, got none"
            )
        return self


class Login(Tls):
    """How to get tokens. A fixed token, or a request that issues one for any user id.

    expired, wrong_audience, without_right: tokens that must be refused: one whose time is over, one for another service, and a good
    one of a user who may not use the endpoints. form: what is sent as a form instead of JSON. token_cookie: the cookie of the answer that is the token, where it is no JSON.
    """

    token: SecretReference | None = None
    url: TextOrReference | None = None
    path: str = ""
    headers: dict[str, TextOrReference] = Field(default_factory=dict)
    form: dict[str, TextOrReference] = Field(default_factory=dict)
    token_cookie: str = ""
    body: dict[str, Any] = Field(default_factory=lambda: {"user_id": "{user}"}, alias="json")
    token_path: JmesPath = "access_token"
    user: str = "proofbook"
    expired: SecretReference | None = None
    wrong_audience: SecretReference | None = None
    without_right: SecretReference | None = None
    bad_tokens: bool = True

    @model_validator(mode="after")
    def _one_way(self) -> Login:
        if (self.token is None) == (self.url is None):
            raise ValueError("expected either token or url, got " + ("both" if self.token else "neither"))
        return self


class Rollout(Settings):
    """How a rolling deployment is watched."""

    per_s: float = Field(default=20.0, gt=0, le=200)
    held_sockets: int = Field(default=0, ge=0, le=1000)
    settle_s: float = Field(default=2.0, ge=0, le=600)
    duration_s: float = Field(default=60.0, gt=0, le=7200)
    allowed_close_codes: list[int] = Field(default_factory=lambda: [1000, 1001, 1012])
    max_connection_s: float | None = Field(default=None, gt=0)


def endpoint_of(service: Service, *, name: str, has_token: bool) -> WebSocket:
    """A service's endpoint as [[websocket]] would state it. Who needs a header for the service needs it here too."""
    assert service.ws is not None
    stated = {field: getattr(service.ws, field) for field in service.ws.model_fields_set}
    place = known_dialects.token_place(stated.get("dialect")) or "header"
    stated.setdefault("token", TokenPlace.model_validate({"in": place if has_token else "none"}))
    stated.setdefault("headers", service.headers)
    return WebSocket(name=name, service=service.name, **stated)
