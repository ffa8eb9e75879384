"""Receivers on loopback: a webhook, an SMTP server, an Alertmanager that tells the webhook, and one of metrics by OTLP."""

from __future__ import annotations

import contextlib
import gzip
import http.server
import json
import shutil
import socket
import ssl
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from google.protobuf import json_format
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from shops import serving
from trying import free_port

ALERTMANAGER = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")


@dataclass
class Webhook:
    """What was posted and taken. answers: the status for each next request; 200 once there are none left."""

    url: str
    posted: list[Any] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    refused: int = 0
    once_taken: Callable[[], None] = lambda: None

    @property
    def texts(self) -> list[str]:
        return [item["text"] for item in self.posted]


@contextlib.contextmanager
def webhook(port: int = 0) -> Iterator[Webhook]:
    """A webhook that takes JSON."""
    lock = threading.Lock()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                status = found.answers.pop(0) if found.answers else 200
                if status < 300:
                    found.posted.append(content)
                    found.ids.append(self.headers.get("Idempotency-Key", ""))
                    found.once_taken()
                else:
                    found.refused += 1
            said = f"no, {self.path}".encode() if status >= 300 else b"ok"
            self.send_response(status)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        found = Webhook(f"http://127.0.0.1:{server.server_address[1]}/services/T0/B0/very-secret-path")
        with serving(server):
            yield found


@dataclass
class Mailbox:
    """An SMTP server's mails, and who had logged in."""

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    receivers: list[list[str]] = field(default_factory=list)
    users: list[str] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if address in self.refused:
            return "550 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        found = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(found, EmailMessage)
        self.mails.append(found)
        self.receivers.append(envelope.rcpt_tos)
        return "250 OK"


@contextlib.contextmanager
def mailbox(*, certificate: tuple[Path, Path] | None = None, password: str = "") -> Iterator[Mailbox]:
    """An SMTP server; with a certificate it wants STARTTLS, with a password it wants the user `proofbook` to log in."""
    found = Mailbox()

    def log_in(server: Any, session: Any, envelope: Any, mechanism: str, given: LoginPassword) -> AuthResult:
        right = given.login == b"proofbook" and given.password == password.encode()
        found.users.append(given.login.decode() if right else "")
        return AuthResult(success=right, handled=False)

    context = None
    if certificate is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*certificate)
    given: dict[str, Any] = {"authenticator": log_in, "auth_required": True, "auth_require_tls": context is not None} if password else {}  # fmt: skip
    controller = Controller(
        found, hostname="127.0.0.1", port=free_port(), tls_context=context, require_starttls=context is not None, **given
    )  # fmt: skip
    controller.start()
    found.port = controller.port
    try:
        yield found
    finally:
        controller.stop()


@contextlib.contextmanager
def alertmanager(folder: Path, *, tells: str, port: int = 0) -> Iterator[str]:
    """The base URL of a real Alertmanager that tells a webhook at once, by environment and name of the alert."""
    assert ALERTMANAGER is not None
    port = port or free_port()
    (folder / "alertmanager.yml").write_text(
        f"route:\n  receiver: us\n  group_by: [alertname, environment, verdict]\n  group_wait: 0s\n  group_interval: 1s\n  repeat_interval: 1h\n"
        f"receivers:\n  - name: us\n    webhook_configs:\n      - url: {tells}\n        send_resolved: true\n",
        encoding="utf-8",
    )
    command = [
        ALERTMANAGER, f"--config.file={folder / 'alertmanager.yml'}", f"--storage.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address=",
    ]  # fmt: skip
    with (
        (folder / "alertmanager.log").open("ab") as log,
        subprocess.Popen(command, stdout=log, stderr=log) as process,
    ):
        try:
            wait_until(lambda: answers(f"http://127.0.0.1:{port}/-/ready"), within_s=60)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()


@dataclass
class Collector:
    """What came by OTLP: points as (metric, its attributes, value), and the headers of each request.

    refuses: says of each next request that so many points were refused; down: answers 503.
    """

    url: str = ""
    points: list[tuple[str, dict[str, str], float]] = field(default_factory=list)
    times_s: set[float] = field(default_factory=set)
    headers: list[dict[str, str]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    refuses: int = 0
    down: bool = False

    def take(self, body: bytes, kind: str) -> bytes:
        """Reads a request by the protocol's own definition, which knows no other field, and answers by it."""
        as_json = kind == "application/json"
        assert as_json or kind == "application/x-protobuf", kind
        request = json_format.Parse(body, ExportMetricsServiceRequest()) if as_json else ExportMetricsServiceRequest.FromString(body)  # fmt: skip
        for resource in request.resource_metrics:
            assert [item.key for item in resource.resource.attributes] == ["service.name"]
            for metric in (metric for scope in resource.scope_metrics for metric in scope.metrics):
                for point in metric.gauge.data_points:
                    labels = {item.key: item.value.string_value for item in point.attributes}
                    self.points.append((metric.name, labels, point.as_double))
                    self.times_s.add(point.time_unix_nano / 1e9)
        answer = ExportMetricsServiceResponse()
        if self.refuses:
            answer.partial_success.rejected_data_points = self.refuses
            answer.partial_success.error_message = "out of order"
        return json_format.MessageToJson(answer).encode() if as_json else answer.SerializeToString()


@contextlib.contextmanager
def collector() -> Iterator[Collector]:
    """A receiver of metrics by OTLP/HTTP, in JSON or protobuf."""
    found = Collector()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            found.headers.append(dict(self.headers))
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, said = 503, b"come back later"
            if not found.down:
                try:
                    assert self.path == "/v1/metrics"
                    if self.headers["Content-Encoding"] == "gzip":
                        body = gzip.decompress(body)
                    status, said = 200, found.take(body, self.headers["Content-Type"])
                except Exception as error:
                    found.wrong.append(f"{self.path}: {error}")
                    status, said = 400, str(error).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found.url = f"http://127.0.0.1:{server.server_address[1]}"
        with serving(server):
            yield found


def answers(url: str) -> bool:
    with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=2):
        return True
    return False


def listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=2):
        return True
    return False


def wait_until(holds: Callable[[], object], *, within_s: float) -> None:
    """Returns once that holds; fails when it has not in time."""
    until = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < until, "it did not come in time"
        time.sleep(0.05)
