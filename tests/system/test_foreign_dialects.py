"""`proofbook try` and servers of others that speak more than plain messages: found, well where they are, broken where they are not."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tomllib
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import machine
import pytest
from first_tries import Tried, attempt_with, described
from trying import SERVERS, Start, attempt, first_line, found_by, free_port, nothing_fell, told

from proofbook.judge.findings import Verdict

pytestmark = pytest.mark.waits

TOKEN = "correct-horse-battery-staple"
Up = Callable[..., int]


@pytest.fixture
def node(start: Start, node_modules: Path) -> Up:
    """Starts a Node server by its name; gives its port."""

    def up(name: str, **variables: str) -> int:
        port = free_port()
        return start(
            "node",
            str(SERVERS / f"node_{name}.js"),
            str(port),
            port=port,
            NODE_PATH=str(node_modules),
            **variables,
        )

    return up


@pytest.fixture
def broker(start: Start, tmp_path: Path) -> Up:
    """Starts Mosquitto or NATS with a configuration in which PORT is its port; gives that."""

    def up(name: str, settings: str, **files: str) -> int:
        program = shutil.which(name) or shutil.which(name, path="/usr/sbin")
        if program is None:
            pytest.skip(f"{name} is not installed and could not be: sudo apt-get install {name}")
        port, file = free_port(), tmp_path / f"{name}.conf"
        file.write_text(
            settings.replace("PORT", str(port))
            .replace("OTHER", str(free_port()))
            .replace("HERE", str(tmp_path))
        )
        return start(program, "-c", str(file), port=port)

    return up


def judged(folder: Path, port: int, path: str, *, token: str = "") -> Tried:
    """What a first try finds, in this process, without notebooks and at a faster pace."""
    folder.mkdir()
    return attempt_with(token, f"http://127.0.0.1:{port}", base=folder, ws=path)


def service_in(file: Path) -> dict[str, Any]:
    """The service of an environment that a first try kept."""
    service: dict[str, Any] = tomllib.loads(file.read_text())["service"][0]
    return service


# Socket.IO and GraphQL ------------------------------------------------------------------------------------------------

NODE = [("socketio", "/socket.io/", "socket-io"), ("graphql", "/graphql", "graphql-transport-ws")]


@pytest.mark.parametrize(("server", "path", "dialect"), NODE)
def test_a_healthy_server_is_healthy_and_its_dialect_is_found(
    server: str, path: str, dialect: str, node: Up, tmp_path: Path
) -> None:
    found = judged(tmp_path / "here", node(server, TOKEN=TOKEN), path, token=TOKEN)
    assert found.verdict == "pass" and found.summary.words == "HEALTHY", found.shown
    assert service_in(found.files.environment)["ws"] == {"path": path, "dialect": dialect}
    assert f"it speaks {dialect}; it says that we are let in" in found.shown
    assert "refused by name (missing, tampered)" in found.shown
    assert found.shown.index("plan · first look · up to 3 connections") < found.shown.index("it speaks")


@pytest.mark.parametrize(("server", "path", "dialect"), NODE)
def test_a_server_that_lets_any_token_in_is_broken(
    server: str, path: str, dialect: str, node: Up, tmp_path: Path
) -> None:
    found = judged(tmp_path / "here", node(server), path, token=TOKEN)
    assert found.verdict == "fail", found.shown
    assert re.search(r"(\d+) of \1 bad tokens were let in \(missing, tampered\)", found.shown), found.shown


@pytest.mark.parametrize(("server", "path", "dialect"), NODE)
def test_a_token_of_ours_that_is_wrong_is_not_its_fault(
    server: str, path: str, dialect: str, node: Up, tmp_path: Path
) -> None:
    found = judged(tmp_path / "here", node(server, TOKEN=TOKEN), path, token="another-token")
    assert found.verdict == "inconclusive" and found.summary.words.startswith("NOT KNOWN"), found.shown
    assert ("invalid token" if server == "socketio" else "4403 (Forbidden)") in found.shown
    assert "who was let in, now or before: nobody" in found.shown and "check token and path" in found.shown


def test_a_graphql_server_that_executes_nothing_is_broken(node: Up, tmp_path: Path) -> None:
    found = judged(tmp_path / "here", node("graphql", SILENT="1"), "/graphql")
    assert found.verdict == "fail", found.shown
    assert "0 of 60 conversations were answered in full" in found.shown
    assert "no reply within 5 s" in found.shown


EVENT = """
writes = true
[pace]
per_s = 100
concurrency = 10
timeout_s = 2
[[service]]
name = "chat"
url = "http://127.0.0.1:PORT"
[service.ws]
path = "/socket.io/"
dialect = "socket-io"
send_json = ["say", { id = "{id}", text = "{text}" }]
expect = { json = { "[0]" = "said", "[1].id" = "{id}", "[1].text" = "{text}" } }
dwell_s = 1.2
"""


@pytest.mark.extended
@pytest.mark.long(90)
@pytest.mark.parametrize(
    ("variables", "verdict"), [({"PING_MS": "300"}, "pass"), ({"PING_MS": "300", "SILENT": "1"}, "fail")]
)
def test_an_event_of_socket_io_is_answered_between_heartbeats(
    variables: dict[str, str], verdict: str, node: Up, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    text = EVENT.replace("PORT", str(node("socketio", **variables)))

    def run(turn: int) -> Tried:
        return described(text, base=tmp_path / f"here-{turn}", case='title = "t"\n')

    # Who does not get to run for 0.3 s says too late that he is there.
    found = machine.asked_again(
        run, is_open=lambda ran: ran.verdict == "inconclusive", pids=machine.of_this_run, room=pytestconfig.stash[machine.ROOM]
    )  # fmt: skip
    assert found.verdict == verdict, found.shown
    # Where nothing is answered, no more are made than that takes.
    connection = Verdict.PASS if verdict == "pass" else Verdict.INCONCLUSIVE
    assert found.findings["websocket-connection"].verdict is connection, found.shown
    assert found.findings["websocket-delivery"].verdict.value == verdict, found.shown
    # Who does not say that he is there is thrown out after 0.6 s.
    if verdict == "pass":
        silent = text.replace("dwell_s", "answers = []\ndwell_s")
        assert described(silent, base=tmp_path / "silent", case='title = "t"\n').verdict != "pass"


LOOKALIKE = """
import asyncio, sys
from websockets.asyncio.server import serve
from websockets.http11 import Response

async def greet(connection):
    await connection.send('{"type":"welcome"}')
    await connection.wait_closed()

def page(connection, request):
    return connection.respond(200, "ok") if request.path == "/health" else None if request.path == "/ws" else connection.respond(404, "")

async def main():
    async with serve(greet, "127.0.0.1", int(sys.argv[1]), process_request=page):
        await asyncio.Event().wait()

asyncio.run(main())
"""


def test_a_plain_server_that_greets_as_a_dialect_does_is_plain(start: Start, tmp_path: Path) -> None:
    port = free_port()
    start(sys.executable, "-c", LOOKALIKE, str(port), port=port)
    found = judged(tmp_path / "here", port, "/ws")
    assert found.verdict == "pass", found.shown
    assert service_in(found.files.environment)["ws"] == {
        "path": "/ws",
        "greeting": {"json": {"type": "welcome"}},
    }


# Brokers ----------------------------------------------------------------------------------------------------------------

# Mosquitto 2.0.11 does not start with a WebSocket alone; where it may, it becomes another user, who reads no file of ours.
MOSQUITTO = "user root\nlistener OTHER 127.0.0.1\nlistener PORT 127.0.0.1\nprotocol websockets\n"
NATS = 'port: -1\nwebsocket { port: PORT, host: "127.0.0.1", no_tls: true }\n'
ONLY_GOOD = {
    "mosquitto": f"{MOSQUITTO}allow_anonymous false\npassword_file HERE/passwords\n",
    "nats-server": f'{NATS}authorization {{ token: "{TOKEN}" }}\n',
}
ANYBODY = {"mosquitto": f"{MOSQUITTO}allow_anonymous true\n", "nats-server": NATS}
BROKERS = [("mosquitto", "/mqtt", "mqtt"), ("nats-server", "/", "nats")]


@pytest.fixture
def passwords(tmp_path: Path) -> None:
    if shutil.which("mosquitto_passwd"):
        file = tmp_path / "passwords"
        subprocess.run(
            ["mosquitto_passwd", "-b", "-c", str(file), "proofbook", TOKEN], check=True, capture_output=True
        )


@pytest.mark.parametrize(("name", "path", "dialect"), BROKERS)
def test_a_healthy_broker_is_healthy_without_a_page_for_health(
    name: str, path: str, dialect: str, broker: Up, passwords: None, tmp_path: Path
) -> None:
    found = judged(tmp_path / "here", broker(name, ONLY_GOOD[name]), path, token=TOKEN)
    assert found.verdict == "pass" and found.summary.words == "HEALTHY", found.shown
    service = service_in(found.files.environment)
    assert (service["health"], service["ws"]) == ("", {"path": path, "dialect": dialect})
    assert "all 60 tries with bad tokens were refused by name" in found.shown
    assert re.search(r"(\d+) of \1 conversations were answered in full", found.shown), found.shown
    assert "Health of service is not measured" in found.summary.beside


@pytest.mark.parametrize(("name", "path", "dialect"), BROKERS)
def test_a_broker_that_lets_anybody_in_is_broken(
    name: str, path: str, dialect: str, broker: Up, tmp_path: Path
) -> None:
    found = judged(tmp_path / "here", broker(name, ANYBODY[name]), path, token=TOKEN)
    assert found.verdict == "fail" and re.search(r"(\d+) of \1 bad tokens were let in", found.shown), (
        found.shown
    )


@pytest.mark.parametrize(("name", "path", "dialect"), BROKERS)
def test_a_wrong_password_for_a_broker_is_not_its_fault(
    name: str, path: str, dialect: str, broker: Up, passwords: None, tmp_path: Path
) -> None:
    found = judged(tmp_path / "here", broker(name, ONLY_GOOD[name]), path, token="another-token")
    assert found.verdict == "inconclusive" and found.summary.words.startswith("NOT KNOWN"), found.shown
    assert ("CONNACK" if name == "mosquitto" else "Authorization Violation") in found.shown


# Jupyter ----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def kernel(start: Start, tmp_path: Path) -> tuple[int, str]:
    """Port of a Jupyter server, and the path of a kernel's channels."""
    port, home = free_port(), tmp_path / "home"
    home.mkdir()
    words = ("-m", "jupyter_server", "--no-browser", "--ip=127.0.0.1", f"--port={port}", "--allow-root", f"--ServerApp.root_dir={home}")  # fmt: skip
    start(sys.executable, *words, port=port, JUPYTER_TOKEN=TOKEN, HOME=str(home))
    asked = urllib.request.Request(
        f"http://127.0.0.1:{port}/api/kernels", method="POST", headers={"Authorization": f"token {TOKEN}"}
    )
    with urllib.request.urlopen(asked, timeout=60) as answer:
        return port, f"/api/kernels/{json.load(answer)['id']}/channels"


@pytest.mark.extended
def test_a_kernel_of_jupyter_answers_and_its_states_are_no_replies(
    kernel: tuple[int, str], tmp_path: Path
) -> None:
    port, path = kernel
    # By the command, as a user of such a server would.
    done = attempt(tmp_path / "here", f"http://127.0.0.1:{port}/api", "--ws", path, "--token-env", "A_TOKEN", A_TOKEN=TOKEN)  # fmt: skip
    assert done.returncode == 0 and first_line(done).startswith("✔ HEALTHY"), told(done)
    (file,) = (tmp_path / "here" / "environments").iterdir()
    assert service_in(file)["ws"] == {"path": path, "dialect": "jupyter"}
    # A state that was taken for a reply would be a wrong one.
    assert found_by(tmp_path / "here")["websocket-delivery"] is Verdict.PASS, told(done)
    assert nothing_fell(tmp_path / "here"), told(done)


@pytest.mark.extended
def test_a_kernel_of_jupyter_that_is_gone_is_not_well(kernel: tuple[int, str], tmp_path: Path) -> None:
    port, path = kernel
    asked = urllib.request.Request(
        f"http://127.0.0.1:{port}{path.removesuffix('/channels')}", method="DELETE", headers={"Authorization": f"token {TOKEN}"}
    )  # fmt: skip
    urllib.request.urlopen(asked, timeout=60).close()
    found = attempt_with(TOKEN, f"http://127.0.0.1:{port}/api", base=tmp_path, ws=path)
    assert found.verdict in ("fail", "inconclusive") and "HTTP 404" in found.shown, found.shown
