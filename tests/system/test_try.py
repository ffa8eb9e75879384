"""`proofbook try` against servers that we did not write: right about the healthy one and about one broken in a common way."""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
import subprocess
import sys
import threading
import tomllib
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import linked
import machine
import pytest
from conftest import ROOT
from first_tries import attempt_with
from trying import (
    SERVERS,
    Start,
    attempt,
    command,
    first_line,
    found_by,
    free_port,
    nothing_fell,
    python,
    told,
)

from proofbook.judge.findings import Verdict
from proofbook.rehearsal.certificates import Authority

pytestmark = pytest.mark.waits

MEASURED = ROOT / "benchmarks" / "measured.py"
TOKEN = "correct-horse-battery-staple"


# Starlette ----------------------------------------------------------------------------------------------------------


@pytest.mark.extended
def test_a_healthy_starlette_application_is_healthy_and_two_files_are_kept(
    start: Start, tmp_path: Path
) -> None:
    port = python(start, "starlette_app")
    here = tmp_path / "here"
    done = attempt(here, f"http://127.0.0.1:{port}", "--ws", "/ws")
    assert done.returncode == 0, told(done)
    assert first_line(done).startswith(f"✔ HEALTHY · 127.0.0.1:{port} · Is it well?")
    assert len(found_by(here)) == 5 and nothing_fell(here), told(done)
    assert "Delivery over ws is not measured" in done.stdout
    # What is going to be done comes first, and what was done last.
    plan, sums = done.stderr.index("plan · after"), done.stderr.index("done · after")
    assert done.stderr.index("can decide · whether at least 95 % works: yes") < plan < sums
    (environment,) = (here / "environments").iterdir()
    kept = tomllib.loads(environment.read_text())
    assert kept["service"][0]["ws"]["greeting"] == {"json": {"type": "welcome"}}
    assert (kept["service"][0]["health"], kept["service"][0]["revision_path"]) == ("/health", "version")
    (report,) = (here / "outputs").glob("*/*/report.html")
    assert report.stat().st_size > 100_000
    # They are files like any other: an edited one is never written over.
    environment.write_text(environment.read_text().replace('"/health"', '"/nowhere"'))
    again = attempt(here, f"http://127.0.0.1:{port}", "--ws", "/ws")
    assert again.returncode == 0 and "/nowhere" in environment.read_text()
    assert len(list((here / "environments").iterdir())) == 2


def test_a_backend_that_dies_in_the_middle_is_broken(start: Start, tmp_path: Path) -> None:
    port = python(start, "starlette_app", KILLED="40")
    found = attempt_with("", f"http://127.0.0.1:{port}", base=tmp_path, ws="/ws")
    assert found.verdict == "fail" and found.summary.words == "BROKEN", found.shown
    assert "connections to ws" in found.shown.lower()


@pytest.mark.extended
@pytest.mark.long(90)
def test_a_server_that_floods_costs_little_more_memory_than_one_that_does_not(
    start: Start, tmp_path: Path
) -> None:
    def most_kb(server: str) -> int:
        """The most memory of a try and of what it waited for."""
        here = tmp_path / server
        here.mkdir()
        url = f"http://127.0.0.1:{python(start, server)}"
        trying = [sys.executable, "-m", "proofbook.cli", "try", url, "--ws", "/ws"]
        done = subprocess.run(
            [sys.executable, MEASURED, *trying], cwd=here, capture_output=True, text=True, timeout=900
        )
        assert done.returncode == 0 and first_line(done).startswith("✔ HEALTHY"), told(done)
        return int(done.stdout.splitlines()[-1])

    # Most of it is libraries, whose size differs between machines; a connection brings some 10 MB a second.
    assert most_kb("flood") < most_kb("starlette_app") + 60_000


# A log that goes on ---------------------------------------------------------------------------------------------------


@pytest.fixture
def log_of_a_fix(tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """A log that reaches back before a deployment and goes on while the test runs; `still`: the new revision writes the error too."""
    over = threading.Event()
    threads: list[threading.Thread] = []

    def line(at: dt.datetime, text: str, revision: str) -> str:
        labels = {"service_name": "api", "revision_name": revision}
        entry = {"timestamp": at.isoformat(), "severity": "ERROR" if "Error" in text else "INFO", "textPayload": text, "resource": {"labels": labels}}  # fmt: skip
        return json.dumps(entry) + "\n"

    def written(*, still: bool = False) -> Path:
        path, now = tmp_path / "api.jsonl", dt.datetime.now(dt.UTC)
        with path.open("w") as out:
            for ago in range(1200, 0, -1):
                old, at = ago > 500, now - dt.timedelta(seconds=ago)
                fails = ago % 10 == 0 and (old or (still and ago == 100))
                out.write(
                    line(at, "RecursionError: too deep" if fails else "served", "api-1" if old else "api-2")
                )

        def go_on() -> None:
            while not over.wait(0.2):
                with path.open("a") as out:
                    out.write(line(dt.datetime.now(dt.UTC), "served", "api-2"))

        threads.append(threading.Thread(target=go_on))
        threads[-1].start()
        return path

    yield written
    over.set()
    for thread in threads:
        thread.join()


@pytest.mark.extended
def test_what_the_old_revision_wrote_and_the_new_one_does_not_is_fixed(
    start: Start, tmp_path: Path, log_of_a_fix: Callable[..., Path]
) -> None:
    port, log, here = python(start, "starlette_app"), log_of_a_fix(), tmp_path / "here"
    done = attempt(here, f"http://127.0.0.1:{port}", "--logs", str(log), "--gone", "RecursionError")
    assert done.returncode == 0, told(done)
    assert first_line(done).startswith("✔ FIXED") and "70 affected in" in done.stdout
    (case,) = (here / "cases").iterdir()
    symptom = tomllib.loads(case.read_text())["fix"][0]["symptom"][0]
    assert symptom == {"log": "RecursionError", "examples": ["RecursionError: too deep"]}


def test_what_the_new_revision_wrote_even_once_is_not_fixed(
    start: Start, tmp_path: Path, log_of_a_fix: Callable[..., Path]
) -> None:
    port, log = python(start, "starlette_app"), log_of_a_fix(still=True)
    found = attempt_with("", f"http://127.0.0.1:{port}", base=tmp_path, logs=str(log), gone=("RecursionError",))  # fmt: skip
    assert found.verdict == "fail" and found.summary.words == "NOT FIXED", found.shown


@pytest.mark.extended
def test_an_address_that_still_serves_the_old_revision_is_a_before(start: Start, tmp_path: Path) -> None:
    old, new = python(start, "starlette_app", CRASHES="2"), python(start, "starlette_app", VERSION="2.3.2")
    here = tmp_path / "here"
    (here / "environments").mkdir(parents=True)
    (here / "environments" / "e.toml").write_text(
        f"""
        [pace]
        per_s = 80
        concurrency = 20
        [[service]]
        name = "api"
        url = "http://127.0.0.1:{new}"
        before_url = "http://127.0.0.1:{old}"
        revision_path = "version"
        ws = "/ws"
        """
    )
    (here / "c.toml").write_text('[[fix]]\ntitle = "It crashed"\n[[fix.symptom]]\nclose_code = 1011\n')
    done = command(here, "run", "e", "--case", "c.toml")
    assert done.returncode == 0, told(done)
    assert "30 of 60 connections closed with 1011 before → 0 of" in done.stdout
    assert first_line(done).startswith("✔ FIXED")
    # The same revision at both addresses is no before.
    same = (here / "environments" / "e.toml").read_text().replace(f"127.0.0.1:{new}", f"127.0.0.1:{old}")
    (here / "environments" / "e.toml").write_text(same)
    assert command(here, "run", "e", "--case", "c.toml").returncode == 1


# aiohttp ------------------------------------------------------------------------------------------------------------


def test_a_healthy_aiohttp_application_with_a_token_is_healthy(start: Start, tmp_path: Path) -> None:
    port = python(start, "aiohttp_app")
    here = tmp_path / "here"
    done = attempt(here, f"http://127.0.0.1:{port}", "--ws", "/ws", "--token-env", "API_TOKEN", API_TOKEN=TOKEN)  # fmt: skip
    assert done.returncode == 0, told(done)
    assert "health at /healthz" in done.stderr and "it greets with always the same text" in done.stderr
    assert first_line(done).startswith("✔ HEALTHY")
    written = [path for path in here.rglob("*") if path.is_file()]
    assert len(written) > 10 and not [path for path in written if TOKEN.encode() in path.read_bytes()]


def test_a_login_that_any_token_passes_is_broken(start: Start, tmp_path: Path) -> None:
    port = python(start, "aiohttp_app", ANY_TOKEN="1")
    found = attempt_with(TOKEN, f"http://127.0.0.1:{port}", base=tmp_path, ws="/ws")
    assert found.verdict == "fail", found.shown
    assert "bad tokens were let in (tampered)" in found.shown


def test_a_token_that_goes_as_a_subprotocol_is_found_out(start: Start, tmp_path: Path) -> None:
    port = python(start, "aiohttp_app", AS_SUBPROTOCOL="1")
    found = attempt_with(TOKEN, f"http://127.0.0.1:{port}", base=tmp_path, ws="/ws")
    assert found.verdict == "pass" and "the token goes as a subprotocol" in found.shown, found.shown


# What it says of itself, and how it ends connections ------------------------------------------------------------------

LIES = '{"healthy": false, "db": "down"}'


@pytest.mark.parametrize(
    ("told_to", "sentence"),
    [
        ({"BODY": LIES, "ENDS": "1011"}, "60 ended with a page that says healthy = false"),
        ({"ENDS": "reset"}, "ended with close 1006"),
        ({"AT": "/actuator/health", "STATUS": "503", "BODY": LIES, "ROOT": "welcome"}, "ended with HTTP 503"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, dict) else "",
)
def test_what_throws_everybody_out_or_calls_itself_ill_is_broken(
    start: Start, tmp_path: Path, told_to: dict[str, str], sentence: str
) -> None:
    port = python(start, "as_told", **told_to)
    found = attempt_with("", f"http://127.0.0.1:{port}", base=tmp_path, ws="/ws")
    assert found.verdict == "fail" and found.summary.words == "BROKEN", found.shown
    assert sentence in found.shown, found.shown


@pytest.mark.parametrize(
    ("told_to", "sentence"),
    [
        (
            {"BODY": '{"status": "Degraded", "entries": {"db": {"status": "Healthy"}}}'},
            "it says 'status = Degraded'",
        ),
        ({"AT": "/elsewhere", "ROOT": "stream"}, "/ gives an answer 200 that was not over within 5 s"),
        ({"AT": "/elsewhere", "ROOT": "huge"}, "/ gives an answer 200 of more than 1,048,576 bytes"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, dict) else "",
)
def test_what_nobody_can_know_is_neither_healthy_nor_broken(
    start: Start, tmp_path: Path, told_to: dict[str, str], sentence: str
) -> None:
    port = python(start, "as_told", **told_to)
    found = attempt_with("", f"http://127.0.0.1:{port}", base=tmp_path, ws="/ws")
    assert found.verdict == "inconclusive", found.shown
    assert sentence in found.shown


@pytest.mark.parametrize(
    "told_to",
    [
        {"BODY": '{"data": {"db-status": "x", "status": "UP"}, "maintenance": false}'},
    ],
    ids=["a wrapper"],
)
def test_what_is_well_in_words_of_its_own_is_healthy(
    start: Start, tmp_path: Path, told_to: dict[str, str]
) -> None:
    port = python(start, "as_told", **told_to)
    found = attempt_with("", f"http://127.0.0.1:{port}", base=tmp_path, ws="/ws")
    assert found.verdict == "pass" and found.summary.words == "HEALTHY", found.shown


# Node behind nginx ---------------------------------------------------------------------------------------------------


@pytest.fixture
def behind_nginx(start: Start, node_modules: Path, tmp_path: Path) -> Callable[[str], tuple[int, Path]]:
    """The Node server behind nginx with TLS; gives nginx's port and the private CA."""
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if nginx is None:
        pytest.skip("nginx is not installed and could not be: sudo apt-get install nginx-light")

    def up(headers: str) -> tuple[int, Path]:
        inner, outer = free_port(), free_port()
        start("node", str(SERVERS / "node_ws.js"), str(inner), port=inner, NODE_PATH=str(node_modules))
        authority = Authority(tmp_path)
        certificate, key = authority.issue("nginx", days=90)
        folder = tmp_path / "nginx"
        folder.mkdir()
        (folder / "nginx.conf").write_text(
            f"""
            daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log; worker_processes 1;
            events {{ worker_connections 512; }}
            http {{
              access_log off;
              client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
              uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
              server {{
                listen 127.0.0.1:{outer} ssl; ssl_certificate {certificate}; ssl_certificate_key {key};
                location / {{ proxy_pass http://127.0.0.1:{inner}; proxy_http_version 1.1; {headers} }}
              }}
            }}
            """
        )
        start(
            nginx,
            "-c",
            str(folder / "nginx.conf"),
            "-p",
            str(folder),
            "-e",
            str(folder / "error.log"),
            port=outer,
        )
        return outer, tmp_path / "ca.pem"

    return up


def test_a_healthy_node_server_behind_nginx_with_a_private_authority_is_healthy(
    behind_nginx: Callable[[str], tuple[int, Path]], tmp_path: Path
) -> None:
    port, ca = behind_nginx('proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade";')
    done = attempt(tmp_path / "here", f"https://127.0.0.1:{port}", "--ws", "/ws", "--ca", str(ca))
    assert done.returncode == 0, told(done)
    assert "health at /api/health, revision in 'commit'" in done.stderr
    assert "it greets with some message" in done.stderr and first_line(done).startswith("✔ HEALTHY")


def test_an_upgrade_that_a_proxy_takes_away_is_named(
    behind_nginx: Callable[[str], tuple[int, Path]], tmp_path: Path
) -> None:
    port, ca = behind_nginx("")
    found = attempt_with("", f"https://127.0.0.1:{port}", base=tmp_path, ws="/ws", ca_file=str(ca))
    assert found.verdict == "fail" and found.summary.words == "BROKEN", found.shown
    assert "something in between takes the Upgrade header away" in found.shown
    assert "0 of 60 connections were made, 60 ended with HTTP 426" in found.shown
    # What needs a connection is not known, and nothing but that one is wrong.
    assert [name for name, item in found.findings.items() if item.verdict is Verdict.FAIL] == ["websocket-connection"]  # fmt: skip
    assert found.findings["health-service"].verdict is Verdict.PASS


def test_a_certificate_that_nobody_vouches_for_is_one_sentence(
    behind_nginx: Callable[[str], tuple[int, Path]], tmp_path: Path
) -> None:
    port, _ = behind_nginx("")
    found = attempt_with("", f"https://127.0.0.1:{port}", base=tmp_path)
    # It may be that this machine knows fewer authorities than the clients do.
    assert found.verdict == "inconclusive" and "an authority that is not known here" in found.shown, found.shown  # fmt: skip
    assert "its certificate is not accepted" in found.shown


# Tornado on IPv6, and through a slow proxy ----------------------------------------------------------------------------


def test_a_healthy_tornado_application_on_ipv6_is_healthy(start: Start, tmp_path: Path) -> None:
    port = python(start, "tornado_app", address="::1")
    found = attempt_with("", f"http://[::1]:{port}", base=tmp_path, ws="/live")
    assert found.verdict == "pass" and found.summary.words == "HEALTHY", found.shown
    assert "health at /" in found.shown and "it does not greet" in found.shown


@pytest.mark.long(95)
def test_behind_a_proxy_that_is_slower_than_anyone_waits_it_is_broken(start: Start, tmp_path: Path) -> None:
    inner = python(start, "tornado_app", address="::1")
    port = python(start, "slow_proxy", arguments=(str(inner),), DELAY_S="8")
    found = attempt_with("", f"http://127.0.0.1:{port}", base=tmp_path, ws="/live")
    assert found.verdict == "fail" and found.summary.words == "BROKEN", found.shown
    assert "0 of 60" in found.shown


# From a wheel -----------------------------------------------------------------------------------------------------


@pytest.mark.extended
@pytest.mark.long(200)
def test_a_wheel_in_an_empty_folder_tries_a_service_and_gives_the_demo(
    start: Start, wheel: Path, tmp_path: Path
) -> None:
    made = tmp_path / "made"
    made.mkdir()

    def do(*words: str | Path, cwd: Path = tmp_path, **variables: str) -> subprocess.CompletedProcess[str]:
        left_out = ("PROOFBOOK_WORKSPACE", "PROOFBOOK_OUTPUTS", "PYTHONPATH", "VIRTUAL_ENV")
        environment = {key: value for key, value in os.environ.items() if key not in left_out} | variables
        return subprocess.run(words, cwd=cwd, env=environment, capture_output=True, text=True, timeout=900)

    installed = linked.environment(made / "venv", wheel, extra="rehearsal")
    program = made / "venv/bin/proofbook"
    where = do(installed, "-c", "import proofbook; print(proofbook.__file__)")
    assert where.stdout.startswith(str(made)), told(where)

    here = tmp_path / "here"
    here.mkdir()
    address = f"http://127.0.0.1:{python(start, 'starlette_app')}"
    kept = str(here / "kept")
    with machine.Waited(machine.of_this_run) as waited:
        tried = do(program, "try", address, "--ws", "/ws", cwd=here)
        shown = do(program, "demo", cwd=here, PROOFBOOK_OUTPUTS=kept)
    for done, words, outputs in ((tried, "✔ HEALTHY", "outputs"), (shown, "✔ FIXED", "kept")):
        # A machine that kept them waiting may leave the answer open, and nothing else: both are of what is well.
        if done.returncode == 3 and waited.much:
            assert nothing_fell(here, outputs=outputs), told(done)
        else:
            assert done.returncode == 0 and first_line(done).startswith(words), told(done)
    assert sorted(path.name for path in here.iterdir()) == ["cases", "environments", "kept", "outputs"]
    assert len(list(here.glob("outputs/*/*/report.html"))) == 1
    assert len(list(here.glob("kept/rehearsal/*/report.html"))) == 1


# Bad input ------------------------------------------------------------------------------------------------------------


@pytest.mark.usual_cases(4)
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["localhost:8000"], "expected a service URL such as http://localhost:8000, got 'localhost:8000'; give the path of a WebSocket with --ws"),
        (["ws://localhost:8000/ws"], "expected a service URL such as http://localhost:8000/ws"),
        (["ftp://localhost"], "expected a service URL such as http://localhost, got 'ftp://localhost'; give the path of a WebSocket with --ws"),
        (["http://me:secret-word@localhost"], "the URL of localhost contains a password; put a token into an environment variable and name it with --token-env"),
        (["http://localhost:1/health?key=secret-word"], "the query of localhost/health holds key, which may be a secret and would be written into files; export it in a variable and send it in a header: --header NAME=env:VARIABLE"),
        (["http://localhost:1/#token=secret-word"], "the URL of localhost/ ends in a fragment, which no server is told; leave out the # and what follows"),
        (["http://localhost:1", "--ws", "/ws?token=secret-word"], "--ws: its query holds token, which may be a secret; export it in a variable and name that: --query token=env:VARIABLE"),
        (["http://localhost:1", "--ws", "ws"], "--ws: expected a path such as /ws, got 'ws'"),
        (["http://localhost:1", "--gone", "1011"], "--gone 1011 is a WebSocket close code; give the WebSocket's path with --ws"),
        (["http://localhost:1", "--gone", "Error"], "--gone 'Error' is a log pattern; give the log source with --logs"),
        (["http://localhost:1", "--gone", ".*", "--logs", "x.log"], "--gone: '.*' matches every line; name what only the defect writes"),
        (["http://localhost:1", "--gone", "(", "--logs", "x.log"], "--gone: expected a regular expression, got '('"),
        (["http://localhost:1", "--since", "yesterday"], "--since: not a time: 'yesterday'; use 2026-11-24T09:40:00Z, 09:40, or a duration before now such as 3h"),
        (["http://localhost:1", "--since", "2126-01-01T00:00:00Z"], "--since must be in the past, got 2126-01-01T00:00:00+00:00"),
        (["http://localhost:1", "--within", "soon"], "--within: expected a duration, a number and a unit such as 90s, 5m, 24h or 7d, got 'soon'"),
        (["http://localhost:1", "--logs", "splunk:main"], "--logs: expected gcp:PROJECT/SERVICE"),
        (["http://localhost:1", "--token-env", "NOT_THERE", "--ws", "/ws"], "--token-env: environment variable NOT_THERE is not set; export a token in it first"),
        # {"exp": 1700000000}
        (["http://localhost:1", "--token-env", "OLD", "--ws", "/ws"], "the token in OLD expired at 2023-11-14 22:13:20 UTC"),
    ],
)  # fmt: skip
def test_a_question_that_cannot_be_put_is_one_sentence_and_leaves_nothing(
    tmp_path: Path, arguments: list[str], sentence: str
) -> None:
    done = attempt(tmp_path / "here", *arguments, OLD="eyJhbGciOiJub25lIn0.eyJleHAiOjE3MDAwMDAwMDB9.c2ln")
    assert done.returncode == 2, told(done)
    *_, last = done.stderr.splitlines()
    assert sentence in last and len(done.stderr.splitlines()) == 2 and "secret-word" not in told(done)
    assert not list((tmp_path / "here").iterdir())


def test_a_login_page_is_not_taken_for_health(start: Start, tmp_path: Path, login_page: int) -> None:
    done = attempt(tmp_path / "here", f"http://127.0.0.1:{login_page}")
    assert "is a login page" in done.stderr and done.returncode != 0, told(done)


@pytest.fixture
def login_page() -> Iterator[int]:
    """A server that answers every path with a form for a password."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b'<form><input name="password" type="password"></form>')

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()
