"""Servers that want a client certificate, are asked for by another name than their address, or log in by a form with a cookie."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import httpx
import pandas as pd
import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from proofbook.collect import answers
from proofbook.collect.answers import Answer
from proofbook.collect.connection_errors import describe
from proofbook.collect.services import health
from proofbook.collect.session import Session
from proofbook.collect.websocket import probes
from proofbook.config.environment import Environment
from proofbook.errors import ConfigurationError, CouldNotLook
from proofbook.rehearsal.certificates import Authority

pytestmark = pytest.mark.waits

NAME = "api.example.com"
COOKIE, PASSWORD = "5f2c9b1e7d", "correct-horse-battery-staple"


def asked(folder: Path, context: ssl.SSLContext, **tls: str) -> tuple[pd.DataFrame, pd.DataFrame, set[str]]:
    """Journeys, health, and the hosts that the server was asked for."""
    hosts: set[str] = set()

    def page(connection: ServerConnection, request: Request) -> Response | None:
        hosts.add(request.headers["Host"].partition(":")[0])
        return connection.respond(200, "ok") if request.path == "/health" else None

    async def wait(connection: ServerConnection) -> None:
        await connection.wait_closed()

    async def go() -> tuple[pd.DataFrame, pd.DataFrame]:
        async with serve(wait, "127.0.0.1", 0, ssl=context, process_request=page) as server:
            port = server.sockets[0].getsockname()[1]
            service = {
                "name": "s",
                "url": f"https://127.0.0.1:{port}",
                "ca_file": "ca.pem",
                "ws": "/ws",
                **tls,
            }
            pace = {"per_s": 1000, "timeout_s": 3}
            where = Environment.model_validate({"service": [service], "pace": pace})
            session = Session(where, base=folder)
            made, _ = await probes.make_journeys(
                where.websockets[0], user="", session=session, checkpoints=(2,), decided=lambda _: True
            )
            pages = await health.probe_health(
                where.services[0], session=session, checkpoints=(2,), decided=lambda *_: True, unknown_count=0
            )
            return made, pages

    made, pages = asyncio.run(go())
    return made, pages, hosts


def context_of(folder: Path, *, host: str = "127.0.0.1") -> ssl.SSLContext:
    authority = Authority(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue("server", days=9, host=host))
    authority.issue("client", days=9)
    return context


def test_a_client_certificate_is_shown_to_health_and_websocket(tmp_path: Path) -> None:
    context = context_of(tmp_path)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(tmp_path / "ca.pem")
    made, pages, _ = asked(tmp_path, context, cert_file="client.pem", key_file="client.key")
    assert made["upgraded"].all() and pages["ok"].all()
    assert pages["certificate_days"].between(8.9, 9.0).all()
    made, pages, _ = asked(tmp_path, context)
    assert not made["upgraded"].any() and not pages["ok"].any()


def test_an_alert_that_comes_after_the_handshake_is_a_failed_sample_in_words(tmp_path: Path) -> None:
    context = context_of(tmp_path)
    context.verify_mode, context.minimum_version = ssl.CERT_REQUIRED, ssl.TLSVersion.TLSv1_3
    context.load_verify_locations(tmp_path / "ca.pem")
    with socket.create_server(("127.0.0.1", 0)) as listening, contextlib.ExitStack() as kept:

        def refuse() -> None:
            plain = listening.accept()[0]
            # What is left open cannot be reset before the alert was read.
            kept.enter_context(plain.dup())
            with pytest.raises(ssl.SSLError, match="PEER_DID_NOT_RETURN"):
                context.wrap_socket(plain, server_side=True).close()

        with ThreadPoolExecutor() as pool:
            refused = pool.submit(refuse)
            url = f"https://127.0.0.1:{listening.getsockname()[1]}"
            with pytest.raises(httpx.ReadError) as caught:
                asyncio.run(asked_once(url, tmp_path / "ca.pem"))
            refused.result()
    assert describe(caught.value) == "TLS: tlsv13 alert certificate required"


async def asked_once(url: str, authority: Path) -> Answer:
    async with httpx.AsyncClient(base_url=url, verify=ssl.create_default_context(cafile=authority)) as client:
        return await answers.ask(client, "/health", within_s=20, headers={})


def test_a_server_is_asked_for_by_the_name_that_is_stated(tmp_path: Path) -> None:
    context = context_of(tmp_path, host=NAME)
    made, pages, hosts = asked(tmp_path, context, server_name=NAME)
    assert made["upgraded"].all() and pages["ok"].all() and hosts == {NAME}
    made, pages, _ = asked(tmp_path, context)
    assert not made["upgraded"].any() and not pages["ok"].any()


@pytest.mark.parametrize(
    ("tls", "sentence"),
    [
        (
            {"cert_file": "nowhere.pem"},
            "expected a PEM file with a certificate at nowhere.pem and a key in it",
        ),
        ({"cert_file": "client.pem", "key_file": "server.key"}, "client.pem and a key in server.key"),
    ],
)
def test_a_certificate_that_cannot_be_shown_is_one_sentence(
    tls: dict[str, str], sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        asked(tmp_path, context_of(tmp_path), **tls)
    assert sentence in str(caught.value)


# A form and a cookie ----------------------------------------------------------------------------------------------------


class LoginPage(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        said = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        right = said == {"login": ["ada"], "password": [PASSWORD]}
        self.send_response(302 if right else 200)
        self.send_header("Location", "/")
        self.send_header("Set-Cookie", "theme=dark; Path=/")
        if right:
            self.send_header("Set-Cookie", f"sid={COOKIE}; HttpOnly; Path=/")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        return


@pytest.fixture
def login_page() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), LoginPage)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


def by_form(login_page: int, folder: Path, password: str) -> pd.DataFrame:
    (folder / "password").write_text(password)

    def only_with_cookie(connection: ServerConnection, request: Request) -> Response | None:
        return (
            None
            if request.headers.get("Cookie") == f"sid={COOKIE}"
            else connection.respond(403, "no session")
        )

    async def wait(connection: ServerConnection) -> None:
        with contextlib.suppress(TimeoutError):
            await connection.wait_closed()

    async def go() -> pd.DataFrame:
        async with serve(wait, "127.0.0.1", 0, process_request=only_with_cookie) as server:
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            where = Environment.model_validate(
                {
                    "pace": {"per_s": 1000, "timeout_s": 3},
                    "login": {
                        "url": f"http://127.0.0.1:{login_page}",
                        "path": "/login",
                        "form": {"login": "{user}", "password": {"file": "password"}},
                        "token_cookie": "sid",
                        "user": "ada",
                    },
                    "service": [
                        {
                            "name": "s",
                            "url": url,
                            "ws": {"path": "/ws", "token": {"in": "cookie", "name": "sid"}},
                        }
                    ],
                }
            )
            return await probes.try_tokens(
                where.websockets[0], user="ada", session=Session(where, base=folder), bad=1
            )

    return asyncio.run(go())


@pytest.mark.slow
def test_a_login_by_a_form_gives_a_cookie_that_opens_the_websocket(login_page: int, tmp_path: Path) -> None:
    rows = by_form(login_page, tmp_path, PASSWORD).set_index("token_kind")
    assert rows.loc["good", "greeted"] and rows.loc["tampered", "http_status"] == 403


def test_a_login_without_that_cookie_is_one_sentence_without_the_password(
    login_page: int, tmp_path: Path
) -> None:
    with pytest.raises(CouldNotLook) as caught:
        by_form(login_page, tmp_path, "another-password")
    said = str(caught.value)
    assert "expected a token in the cookie 'sid'" in said and "status 200; check [login]" in said
    assert "another-password" not in said
