"""WebSocket dialects of other packages: a chat that speaks Socket.IO is logged in to, used, and refuses by name."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from builders import FEW
from foreign import install, packages
from servers import socketio_like

from proofbook import connections
from proofbook.collect import phases
from proofbook.collect.session import Session
from proofbook.collect.websocket import probes
from proofbook.config.case import Case
from proofbook.config.environment import Environment
from proofbook.evidence import store
from proofbook.evidence.schema import WEBSOCKET
from proofbook.judge.findings import Finding, Verdict
from proofbook.validation import Assessment

pytestmark = pytest.mark.waits

GROUP = "proofbook.websocket_dialects"
CASE = Case.model_validate({"title": "t", "targets": {"health": 0.8, "connection": 0.8, "delivery": 0.8}})
SOCKET_IO = '''
import json

from proofbook.collect.websocket.dialects import Dialect, Refused


class SocketIo(Dialect):
    """Socket.IO 4 over Engine.IO 4: https://socket.io/docs/v4/socket-io-protocol."""

    acknowledges = True

    def prepare(self, handshake, endpoint, token):
        handshake.url += "/socket.io/?EIO=4&transport=websocket"

    async def enter(self, connection, endpoint, token):
        opened = await connection.recv()
        if not opened.startswith("0"):
            raise Refused(f"expected an open packet, got {opened[:40]}")
        await connection.send("40" + (json.dumps({"token": token}) if token else ""))
        answer = await self._packet(connection)
        if answer.startswith("44"):
            raise Refused(json.loads(answer[2:]).get("message", ""))
        if not answer.startswith("40"):
            raise Refused(f"expected a connect packet, got {answer[:40]}")

    async def send(self, connection, message):
        await connection.send("42" + message)

    async def receive(self, connection):
        while True:
            packet = await self._packet(connection)
            if packet.startswith("42"):
                return packet[2:]

    async def _packet(self, connection):
        """The next packet that is no ping; pings are answered."""
        while (packet := await connection.recv()) == "2":
            await connection.send("3")
        return packet


SOCKET_IO = SocketIo()
'''


@pytest.fixture
def installed(tmp_path: Path) -> Iterator[Path]:
    with packages(tmp_path / "packages") as folder:
        yield folder


@pytest.fixture
def socket_io(installed: Path) -> None:
    bring(installed, SOCKET_IO)


def bring(folder: Path, code: str) -> None:
    entries = {GROUP: {"chat-io": "chat_dialect:SOCKET_IO"}}
    install(folder, "chat-dialect", entries=entries, modules={"chat_dialect.py": code})


def stated(port: int, folder: Path, **more: Any) -> Environment:
    (folder / "token").write_text(socketio_like.TOKEN)
    return Environment.model_validate(
        {
            "writes": True,
            "pace": {"per_s": 1000, "concurrency": 10, "timeout_s": 1},
            "login": {"token": {"file": "token"}},
            "service": [{"name": "chat", "url": f"http://127.0.0.1:{port}", "critical": False}],
            "websocket": [
                {
                    "name": "chat",
                    "service": "chat",
                    "url": f"ws://127.0.0.1:{port}",
                    "dialect": "chat-io",
                    "token": {"in": "first_message"},
                    "send_json": ["say", {"id": "{id}"}],
                    "expect": {"json": {"[0]": "say received", "[1].id": "{id}"}},
                    "dwell_s": 0,
                    **more,
                }
            ],
        }
    )


def recorded(state: Any, folder: Path, **more: Any) -> tuple[Environment, store.Evidence]:
    async def go() -> Environment:
        async with socketio_like.serving(state) as port:
            where = stated(port, folder, **more)
            await phases.record(
                where, CASE, "after", folder=folder / "evidence", base=folder, say=lambda _: None, sizes=FEW
            )
            return where

    return asyncio.run(go()), store.read(folder / "evidence")


def judged(where: Environment, evidence: store.Evidence) -> dict[str, Finding]:
    return {item.id: item for item in Assessment.of(where, CASE, evidence).judge_all()}


def table(evidence: store.Evidence, name: str) -> pd.DataFrame:
    found = evidence.table(name)
    assert found is not None
    return found


@pytest.mark.slow
def test_a_chat_in_socket_io_is_logged_in_to_used_and_refuses_by_name(
    socket_io: None, tmp_path: Path
) -> None:
    state = socketio_like.SocketIo()
    where, evidence = recorded(state, tmp_path)
    assert set(state.paths) >= {"/socket.io/?EIO=4&transport=websocket"} and state.pongs
    journeys = table(evidence, "websocket")
    assert journeys["greeted"].all() and journeys["reply_ok"].all() and not journeys["refused"].any()
    messages = table(evidence, "messages")["body"]
    assert messages.str.startswith('["say received"').all()
    tried = table(evidence, "refusals")
    bad = tried[~tried["token_kind"].str.startswith("good")]
    assert set(bad["token_kind"]) == {"tampered", "missing"}
    assert bad["refused"].all() and set(bad["error"]) == {"refused: invalid token"}
    assert tried.loc[tried["token_kind"] == "good", "greeted"].all()
    found = judged(where, evidence)
    assert {name: found[f"websocket-{name}"].verdict for name in ("connection", "delivery", "refuses-bad-tokens")} == {
        "connection": Verdict.PASS,
        "delivery": Verdict.PASS,
        "refuses-bad-tokens": Verdict.PASS,
    }  # fmt: skip


@pytest.mark.slow
def test_a_chat_that_lets_anybody_in_fails(socket_io: None, tmp_path: Path) -> None:
    where, evidence = recorded(socketio_like.SocketIo(accepts=True), tmp_path)
    finding = judged(where, evidence)["websocket-refuses-bad-tokens"]
    assert (finding.verdict, finding.reason) == (Verdict.FAIL, "bad-token-accepted")


@pytest.mark.parametrize(
    ("state", "error"),
    [({"silent": True}, "not let in, and not refused"), ({}, "refused: invalid token")],
)
@pytest.mark.slow
def test_who_is_not_acknowledged_has_not_connected(
    state: dict[str, bool], error: str, socket_io: None, tmp_path: Path
) -> None:
    async def go() -> tuple[Environment, pd.DataFrame]:
        async with socketio_like.serving(socketio_like.SocketIo(**state)) as port:
            where = stated(port, tmp_path)
            (tmp_path / "token").write_text("another token")
            session = Session(where, base=tmp_path)
            rows, _ = await probes.make_journeys(
                where.websockets[0], user="u", session=session, checkpoints=(2,), decided=lambda _: True
            )
            return where, rows

    where, rows = asyncio.run(go())
    assert rows["upgraded"].all() and rows["error"].str.startswith(error).all()
    assert not connections.connected(WEBSOCKET.typed(rows), where.websockets[0]).any()


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("raise RuntimeError('no licence')", "it cannot be imported (RuntimeError: no licence)"),
        ("SOCKET_IO = 3", "expected a Dialect, got int"),
        (SOCKET_IO.replace('handshake.url += "', '1 / 0; "'), "websocket 'chat': it broke (ZeroDivisionError: division by zero)"),
        (SOCKET_IO.replace("opened = await connection.recv()", "raise KeyError('sid')"), "websocket 'chat': it broke (KeyError: 'sid')"),
        (SOCKET_IO.replace("while True:\n", "while 1 / 0:\n"), "websocket 'chat': it broke (ZeroDivisionError: division by zero)"),
    ],
)  # fmt: skip
def test_a_dialect_that_breaks_is_named_and_nothing_is_said_of_the_endpoint(
    code: str, why: str, installed: Path, tmp_path: Path
) -> None:
    bring(installed, code)
    where, evidence = recorded(socketio_like.SocketIo(), tmp_path)
    (problem,) = evidence.manifest.phases["after"].problems
    assert problem == f"WebSocket dialect 'chat-io' (chat_dialect:SOCKET_IO of chat-dialect): {why}"
    assert "health" in evidence.manifest.phases["after"].tables
    finding = judged(where, evidence)["websocket-connection"]
    assert (finding.verdict, finding.reason) == (Verdict.INCONCLUSIVE, "no-evidence")


def test_an_unknown_dialect_comes_with_the_known_ones_and_the_nearest(
    socket_io: None, tmp_path: Path
) -> None:
    with pytest.raises(
        ValueError, match=r"expected plain, socket-io, .*, chat-io, got 'chatio'; did you mean chat-io"
    ):
        stated(1, tmp_path, dialect="chatio")
    assert stated(1, tmp_path, dialect="plain").websockets[0].dialect == "plain"


def test_a_dialect_is_checked_by_name_without_loading_what_connects() -> None:
    code = """
import sys
from proofbook.config.dialects import checked_name
checked_name("plain")
assert not [name for name in sys.modules if name.startswith(("websockets", "proofbook.collect"))]
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
