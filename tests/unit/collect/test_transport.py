"""Servers that are well and spoken to in a wrong way: another protocol, an unknown authority, no client certificate."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from first_tries import attempt, serving, talk, with_socket

from proofbook.collect.services import transport
from proofbook.collect.services.transport import Cause
from proofbook.judge.findings import Verdict
from proofbook.rehearsal.certificates import Authority

pytestmark = pytest.mark.slow

SETTINGS = b"\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x05\x00\x00\x40\x00"
GREETS = with_socket(talk)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def encrypted(authority: Authority, *, days: float = 90, asks: bool = False, version: ssl.TLSVersion | None = None) -> ssl.SSLContext:  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue(f"server-{days}", days=days))
    if asks:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(authority.folder / "ca.pem")
    if version is not None:
        context.maximum_version = version
    return context


@contextmanager
def saying(first: bytes) -> Iterator[str]:
    """A server that answers whatever is sent with these bytes, and closes."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(60)

        def serve() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection:
                    connection.settimeout(5)
                    try:
                        connection.recv(65_536)
                        connection.sendall(first)
                    except OSError:
                        continue

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        listening.shutdown(socket.SHUT_RDWR)
    thread.join()


def judged(url: str, base: Path, reason: str, words: str, **options: str) -> None:
    tried = attempt(url, base=base, ws="/ws", **options)
    assert tried.verdict == "inconclusive", tried.shown
    for name in ("health-service", "websocket-connection"):
        found = tried.findings[name]
        assert (found.verdict, found.reason) == (Verdict.INCONCLUSIVE, reason), found.statement
        assert found.seen.endswith(f"but how the service is spoken to: {words}")
    certificate = tried.findings.get("certificate-service")
    assert certificate is None or certificate.verdict is not Verdict.FAIL, certificate.statement


def test_an_authority_that_was_forgotten_is_named(authority: Authority, tmp_path: Path) -> None:
    with serving(GREETS, ssl_context=encrypted(authority)) as url:
        judged(url, tmp_path, "no-trust", "an authority that is not known here has signed its certificate")


def test_a_name_that_is_not_that_of_the_certificate_is_named(authority: Authority, tmp_path: Path) -> None:
    with serving(GREETS, ssl_context=encrypted(authority)) as url:
        local = url.replace("127.0.0.1", "localhost")
        judged(local, tmp_path, "other-name", "its certificate is for another name", ca_file=str(authority.folder / "ca.pem"))  # fmt: skip


@pytest.mark.usual_cases(1)
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_certificate_that_the_server_asks_for_is_named_and_can_be_shown(
    version: ssl.TLSVersion, authority: Authority, tmp_path: Path
) -> None:
    trust = {"ca_file": str(authority.folder / "ca.pem")}
    certificate, key = authority.issue("client", days=90)
    with serving(GREETS, ssl_context=encrypted(authority, asks=True, version=version)) as url:
        judged(url, tmp_path / "without", "client-certificate", "it asks for a certificate of the client", **trust)  # fmt: skip
        shown = attempt(url, base=tmp_path / "with", ws="/ws", cert_file=str(certificate), key_file=str(key), **trust)  # fmt: skip
    assert shown.verdict == "pass", shown.shown
    assert "cert_file" in shown.files.environment.read_text()


def test_a_port_that_speaks_tls_and_one_that_does_not_are_named(authority: Authority, tmp_path: Path) -> None:
    with serving(GREETS, ssl_context=encrypted(authority)) as url:
        judged(url.replace("https", "http"), tmp_path / "a", "other-protocol", "its port speaks TLS")
    with serving(GREETS) as url:
        judged(url.replace("http", "https"), tmp_path / "b", "other-protocol", "its port does not speak TLS")


def test_a_server_that_speaks_nothing_but_http2_is_named(tmp_path: Path) -> None:
    with saying(SETTINGS) as url:
        judged(url, tmp_path, "other-protocol", "it speaks HTTP/2 only")


def test_what_no_slip_of_ours_explains_is_a_failure(authority: Authority, tmp_path: Path) -> None:
    with serving(GREETS, ssl_context=encrypted(authority, days=-3)) as url:
        expired = attempt(url, base=tmp_path / "a", ca_file=str(authority.folder / "ca.pem"))
    assert expired.verdict == "fail", expired.shown
    with saying(b"") as url:
        closes = attempt(url, base=tmp_path / "b")
    assert closes.verdict == "fail", closes.shown


@pytest.mark.parametrize(
    ("first", "cause"),
    [(b"", Cause.NONE), (b"HTTP/1.1 500 no\r\n\r\n", Cause.NONE), (b"SSH-2.0-x\r\n", Cause.NO_HTTP), (SETTINGS, Cause.HTTP2)],
    ids=["nothing", "HTTP", "SSH", "HTTP/2"],
)  # fmt: skip
def test_what_a_port_says_first_tells_what_it_speaks(first: bytes, cause: Cause) -> None:
    with saying(first) as url:
        assert transport.why_no_answer(url, None) is cause
    assert transport.why_no_answer(url, None) is Cause.NONE
