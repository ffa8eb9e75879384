"""The health of servers that speak gRPC over HTTP/2 and nothing else, as the health service of gRPC tells it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest
from first_tries import Tried, attempt, described
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from proofbook.collect import discovery
from proofbook.errors import ConfigurationError
from proofbook.judge.findings import Verdict
from proofbook.rehearsal.certificates import Authority

pytestmark = pytest.mark.slow

SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING
HEALTH = "health-service"
# One whose name is longer than one byte can count.
LONG = f"chat.{'Threads' * 30}"


class Guarded(grpc.ServerInterceptor):  # type: ignore[misc]  # grpcio has no types
    """Lets in who shows the token."""

    def intercept_service(self, continuation, details):  # type: ignore[no-untyped-def]
        def refuse(_: object, context: grpc.ServicerContext) -> None:
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "who are you?")

        shown = dict(details.invocation_metadata).get("authorization")
        return continuation(details) if shown == "Bearer good" else grpc.unary_unary_rpc_method_handler(refuse)  # fmt: skip


@contextmanager
def up(*, has_health: bool = True, says: dict[str, int] | None = None, authority: Authority | None = None, guards: bool = False) -> Iterator[str]:  # fmt: skip
    """The address of a server of grpcio."""
    server = grpc.server(
        futures.ThreadPoolExecutor(max_workers=4), interceptors=[Guarded()] if guards else []
    )
    servicer = health.HealthServicer()
    for name, status in (says or {}).items():
        servicer.set(name, status)
    if has_health:
        health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    if authority is None:
        port = server.add_insecure_port("127.0.0.1:0")
    else:
        certificate, key = (path.read_bytes() for path in authority.issue("grpc", days=30))
        port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(key, certificate)]))
    server.start()
    try:
        yield f"{'http' if authority is None else 'https'}://127.0.0.1:{port}"
    finally:
        server.stop(None).wait(5)


def stated(url: str, more: str = "") -> str:
    return f'[[service]]\nname = "service"\nurl = "{url}"\nhealth = "{discovery.POSTED}"\nhealth_method = "gRPC"\n{more}'


def well(tried: Tried) -> None:
    assert tried.findings[HEALTH].verdict is Verdict.PASS, tried.shown
    assert tried.verdict == "pass", tried.shown


@pytest.mark.parametrize(("status", "verdict"), [(SERVING, "pass"), (NOT_SERVING, "fail")])
def test_a_first_try_finds_the_health_of_a_server_of_grpc(status: int, verdict: str, tmp_path: Path) -> None:
    with up(says={"": status}) as url:
        tried = attempt(url, base=tmp_path)
    assert tried.verdict == verdict, tried.shown
    assert f"health at {discovery.POSTED}" in tried.shown
    text = tried.files.environment.read_text()
    assert 'health_method = "gRPC"' in text
    assert ('health_expect = { json = { status = "SERVING" } }' in text) is (verdict == "pass")
    if verdict == "fail":
        assert "NOT_SERVING" in tried.shown


def test_it_is_asked_over_tls_too(tmp_path: Path) -> None:
    (folder := tmp_path / "authority").mkdir()
    authority = Authority(folder)
    with up(says={"": SERVING}, authority=authority) as url:
        well(attempt(url, base=tmp_path / "here", ca_file=str(authority.folder / "ca.pem")))


@pytest.mark.parametrize(("name", "verdict"), [("chat", Verdict.PASS), (LONG, Verdict.PASS), ("mail", Verdict.FAIL)])  # fmt: skip
def test_the_health_of_one_service_can_be_stated(name: str, verdict: Verdict, tmp_path: Path) -> None:
    with up(says={"": SERVING, "chat": SERVING, LONG: SERVING, "mail": NOT_SERVING}) as url:
        tried = described(stated(url, f'health_body = {{ service = "{name}" }}\n'), base=tmp_path)
    assert tried.findings[HEALTH].verdict is verdict, tried.shown


def test_of_a_service_that_the_server_does_not_know_nothing_is_certain(tmp_path: Path) -> None:
    with up(says={"": SERVING}) as url:
        tried = described(stated(url, 'health_body = { service = "nobody" }\n'), base=tmp_path)
    assert tried.findings[HEALTH].verdict is Verdict.INCONCLUSIVE, tried.shown
    assert "UNKNOWN" in tried.findings[HEALTH].seen, tried.findings[HEALTH].seen


def test_a_server_without_a_health_service_is_not_known(tmp_path: Path) -> None:
    with up(has_health=False) as url:
        tried = attempt(url, base=tmp_path)
    assert tried.verdict == "inconclusive", tried.shown
    assert "it speaks HTTP/2 only" in tried.findings[HEALTH].seen
    assert "health_method" not in tried.files.environment.read_text()


def test_a_server_that_wants_a_token_is_asked_with_it_where_that_is_stated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_TOKEN", "good")
    with up(says={"": SERVING}, guards=True) as url:
        without = described(stated(url), base=tmp_path / "without")
        shown = described(
            stated(url, 'token = { env = "A_TOKEN" }\nsends_token = true\n'), base=tmp_path / "with"
        )
    assert without.verdict == "inconclusive", without.shown
    assert shown.findings[HEALTH].verdict is Verdict.PASS, shown.shown


def test_a_server_that_went_away_is_broken_the_second_time(tmp_path: Path) -> None:
    with up(says={"": SERVING}) as url:
        well(attempt(url, base=tmp_path))
    gone = attempt(url, base=tmp_path)
    assert gone.verdict == "fail", gone.shown


def test_another_method_is_refused_with_those_that_there_are(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="'GET', 'POST' or 'gRPC'"):
        described(stated("http://127.0.0.1:9").replace('"gRPC"', '"GRPC"'), base=tmp_path)
