"""Dialects that ship with Proofbook, each against a server that speaks it: well, broken, and refusing."""

from __future__ import annotations

import asyncio
import tomllib
from pathlib import Path
from typing import Any

import pytest
from builders import FEW
from servers import spoken
from websockets.asyncio.server import ServerConnection, serve

from proofbook.collect import phases
from proofbook.collect.session import Session
from proofbook.collect.websocket import look
from proofbook.collect.websocket.questions import Questions
from proofbook.config import known_dialects
from proofbook.config.case import Case
from proofbook.config.dialects import DIALECTS
from proofbook.config.environment import Environment
from proofbook.config.toml import as_toml
from proofbook.evidence import store
from proofbook.judge.findings import Finding, Verdict
from proofbook.pipeline import try_discovery, try_options
from proofbook.validation import Assessment

pytestmark = pytest.mark.waits

CASE = Case.model_validate(
    {"title": "t", "targets": dict.fromkeys(("health", "connection", "authentication", "delivery"), 0.8)}
)
# What the dialect asks by itself; of the others, what an application would.
OWN: dict[str, dict[str, Any]] = {
    "stomp": {
        "send": "BEGIN\ntransaction:{id}\nreceipt:{id}\n\n",
        "expect": {"regex": r"^\s*RECEIPT\s[\s\S]*receipt-id:{id}\s"},
        "harmless": True,
    },
    "node-red": {
        "send_json": {"topic": "{id}", "data": 1},
        "expect": {"json": {"[0].topic": "{id}"}},
        "harmless": True,
    },
    "action-cable": {
        "send": r'{"command":"subscribe","identifier":"{\"channel\":\"Room\",\"room\":\"{id}\"}"}',
        "expect": {
            "json": {"type": "confirm_subscription", "identifier": '{"channel":"Room","room":"{id}"}'}
        },
        "harmless": True,
    },
}


def stated(port: int, dialect: str, *, token: str = "", timeout_s: float = 5.0, **more: Any) -> Environment:
    ws = {
        "url": f"ws://127.0.0.1:{port}/",
        "dialect": dialect,
        "dwell_s": 0.05,
        **OWN.get(dialect, {}),
        **more,
    }
    service = {"name": "s", "url": f"http://127.0.0.1:{port}", "health": "", "ws": ws}
    if token:
        service["token"] = {"file": token}
    pace = {"per_s": 1000, "concurrency": 10, "timeout_s": timeout_s}
    return Environment.model_validate({"pace": pace, "service": [service]})


def judged(dialect: str, how: str, folder: Path, **more: Any) -> dict[str, Finding]:
    async def go() -> Environment:
        async with spoken.speaking(dialect, how) as port:
            where = stated(port, dialect, **more)
            await phases.record(
                where, CASE, "after", folder=folder / "evidence", base=folder, say=lambda _: None, sizes=FEW
            )
            return where

    where = asyncio.run(go())
    found = Assessment.of(where, CASE, store.read(folder / "evidence")).judge_all()
    return {item.id: item for item in found}


@pytest.mark.parametrize("dialect", spoken.SERVED)
def test_a_server_that_speaks_its_dialect_well_is_well(dialect: str, tmp_path: Path) -> None:
    found = judged(dialect, "well", tmp_path)
    assert found["websocket-connection"].verdict is Verdict.PASS, found["websocket-connection"].statement
    assert found["websocket-delivery"].verdict is Verdict.PASS, found["websocket-delivery"].statement


@pytest.mark.parametrize("dialect", spoken.SERVED)
@pytest.mark.slow
def test_a_server_that_never_replies_fails_and_the_finding_says_so(dialect: str, tmp_path: Path) -> None:
    found = judged(dialect, "silent", tmp_path, timeout_s=1.0)
    failing = found["websocket-delivery"]
    assert (failing.verdict, failing.reason) == (Verdict.FAIL, "below-target"), failing.statement
    assert "no reply within 1 s" in failing.statement or "not let in, and not refused" in failing.statement


@pytest.mark.parametrize("dialect", spoken.SERVED)
@pytest.mark.slow
def test_a_server_whose_replies_are_others_fails(dialect: str, tmp_path: Path) -> None:
    failing = judged(dialect, "wrong", tmp_path, timeout_s=1.0)["websocket-delivery"]
    assert (failing.verdict, failing.reason) == (Verdict.FAIL, "below-target"), failing.statement
    assert (
        "another reply than expected (" in failing.statement
        or "no reply within 1 s (" in failing.statement
        or "not refused (" in failing.statement
    )


@pytest.mark.usual_cases(4)
@pytest.mark.slow
@pytest.mark.parametrize(
    "dialect", ["signalr", "stomp", "action-cable", "nats", "home-assistant", "node-red"]
)
def test_a_refusal_in_a_message_of_the_dialect_is_one(dialect: str, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(spoken.TOKEN)
    found = judged(dialect, "login", tmp_path, token="token")
    for name in ("connection", "authentication", "refuses-bad-tokens", "delivery"):
        item = found[f"websocket-{name}"]
        # Each of these servers looks at no path; only of NATS that is known.
        wanted = Verdict.PASS if dialect == "nats" or name != "connection" else Verdict.INCONCLUSIVE
        assert item.verdict is wanted, item.statement
        assert wanted is Verdict.PASS or item.reason == "any-path"
    open_path = judged(dialect, "login", tmp_path / "again", token=str(tmp_path / "token"), any_path=True)
    assert open_path["websocket-connection"].verdict is Verdict.PASS


@pytest.mark.parametrize(
    "dialect", ["signalr", "stomp", "action-cable", "nats", "home-assistant", "node-red"]
)
def test_who_is_refused_whatever_he_shows_may_have_shown_a_wrong_token(dialect: str, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(spoken.TOKEN)
    found = judged(dialect, "refuses", tmp_path, token="token")
    item = found["websocket-connection"]
    assert (item.verdict, item.reason) == (Verdict.INCONCLUSIVE, "token-unproven"), item.statement
    assert "refused: " in item.statement
    assert not [item.statement for item in found.values() if item.verdict is Verdict.FAIL]


@pytest.mark.parametrize("dialect", known_dialects.STATED)
def test_each_dialect_is_known_by_name_and_a_stated_key_comes_first(dialect: str) -> None:
    assert dialect in DIALECTS
    where = stated(1, dialect, normal_close_codes=[1000], refusal={"close_codes": [4999]})
    (socket,) = where.websockets
    assert socket.refusal.close_codes == [4999] and socket.refusal.message is None


@pytest.mark.parametrize("dialect", ["nats", "action-cable", "home-assistant"])
def test_what_a_server_says_first_shows_its_dialect(dialect: str) -> None:
    async def go() -> look.EndpointFacts:
        async with spoken.speaking(dialect) as port:
            where = stated(port, "plain", subprotocols=["actioncable-v1-json"])
            return await look.look(where.websockets[0], session=Session(where, base=Path()))

    assert asyncio.run(go()).shows == dialect


def asked(where: Environment) -> Questions:
    session = Session(where, base=Path())
    return Questions(endpoint=where.websockets[0], session=session, in_dialect=lambda _: where.websockets[0])


@pytest.mark.parametrize("dialect", ["stomp", "action-cable"])
def test_the_subprotocol_that_a_server_chooses_shows_its_dialect(dialect: str) -> None:
    async def go() -> str:
        async with spoken.speaking(dialect) as port:
            where = stated(port, "plain")
            return await asked(where).dialect(upgraded=False)

    assert asyncio.run(go()) == dialect


@pytest.mark.parametrize("which", [0, -1])
def test_a_server_that_chooses_whatever_it_is_offered_shows_no_dialect(which: int) -> None:
    async def wait(connection: ServerConnection) -> None:
        await connection.wait_closed()

    async def go() -> tuple[str, int]:
        chosen: list[str] = []

        def choose(connection: ServerConnection, offered: Any) -> Any:
            chosen.append(offered[which])
            return offered[which]

        async with serve(wait, "127.0.0.1", 0, select_subprotocol=choose) as server:
            where = stated(server.sockets[0].getsockname()[1], "plain")
            found = await asked(where).dialect(upgraded=False)
            return found, len(chosen)

    assert asyncio.run(go()) == ("", 1)


@pytest.mark.parametrize("dialect", known_dialects.STATED)
def test_what_a_dialect_states_is_explained_and_reads_the_same_again(dialect: str) -> None:
    where = stated(1, dialect).in_full()
    again = Environment.model_validate(tomllib.loads(as_toml(where)))
    assert again.websockets == where.websockets and again.services[0].health == ""


@pytest.mark.slow
@pytest.mark.parametrize(("served", "kept"), [("node-red", "node-red"), ("json-rpc", "")])
def test_the_path_of_a_product_makes_no_dialect_where_nothing_answers_as_it(
    served: str, kept: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server at the path of Node-RED that says nothing to a token is taken for what it shows itself."""
    monkeypatch.setenv("A_TOKEN", spoken.TOKEN)
    monkeypatch.setitem(try_discovery.LOOPBACK_PACE, "timeout_s", 1.0)

    async def go() -> tuple[dict[str, Any], bool]:
        async with spoken.speaking(served, "login" if kept else "silent") as port:
            options = try_options.Options(url=f"http://127.0.0.1:{port}", ws="/comms", token_env="A_TOKEN")
            return await try_discovery.discover(options, base=tmp_path, say=lambda _: None)

    settings, listens = asyncio.run(go())
    (service,) = settings["service"]
    assert listens and service["ws"].get("dialect", "") == kept
