"""A reply that is streamed over several messages: complete with the message that ends it, else cut."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pydantic import ValidationError
from websockets.asyncio.server import ServerConnection, serve

from proofbook.collect.session import Session
from proofbook.collect.websocket import probes
from proofbook.config.environment import Environment
from proofbook.evidence.schema import WEBSOCKET
from proofbook.judge.failure_summary import in_words

pytestmark = pytest.mark.waits

STREAM: dict[str, Any] = {
    "send_json": {"id": "{id}"},
    "expect": {"json": {"id": "{id}", "type": "token"}},
    "ends": {"json": {"id": "{id}", "type": "done"}},
}
# What a server says of each question: types of messages, or what ends the connection.
T, D = "token", "done"


def streaming(types: Sequence[str], *, code: int = 0) -> Callable[[ServerConnection], Awaitable[None]]:
    async def answer(connection: ServerConnection) -> None:
        async for message in connection:
            for kind in types:
                await connection.send(json.dumps({**json.loads(message), "type": kind}))
            if code:
                await connection.close(code)

    return answer


def journeys(
    handler: Callable[[ServerConnection], Awaitable[None]], *, timeout_s: float = 10.0, **said: Any
) -> pd.DataFrame:
    async def go() -> pd.DataFrame:
        async with serve(handler, "127.0.0.1", 0) as server:
            ws = {"path": "/ws", "dwell_s": 0.05, "token": {"in": "none"}, **said}
            service = {
                "name": "s",
                "url": f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}",
                "ws": ws,
            }
            pace = {"per_s": 1000, "concurrency": 20, "timeout_s": timeout_s}
            where = Environment.model_validate({"writes": True, "pace": pace, "service": [service]})
            found, _ = await probes.make_journeys(
                where.websockets[0], user="ada", session=Session(where, base=Path()), checkpoints=(2,), decided=lambda _: True
            )  # fmt: skip
            return WEBSOCKET.typed(found)

    return asyncio.run(go())


@pytest.mark.parametrize("types", [[T, D], [T] * 20 + [D], [T, "note", T, D]])
def test_a_reply_that_began_and_ended_is_complete(types: list[str]) -> None:
    rows = journeys(streaming(types), **STREAM)
    assert rows["reply_ok"].all() and (rows["replied"] == 1).all() and (rows["reply_cut"] == 0).all()


def test_the_message_that_ends_it_may_be_all_of_it() -> None:
    said = {**STREAM, "ends": {"json": {"id": "{id}", "last": True}}}

    async def whole(connection: ServerConnection) -> None:
        async for message in connection:
            await connection.send(json.dumps({**json.loads(message), "type": T, "last": True}))

    assert journeys(whole, **said)["reply_ok"].all()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("types", "code", "cut", "words"),
    [
        ([T, T], 0, 1, "a reply that began and did not end within 1.5 s"),
        ([T, T], 1011, 1, "close 1011"),
        ([], 0, 0, "no reply within 1.5 s"),
        # An end of nothing is no reply.
        ([D], 0, 0, "another reply than expected"),
        ([T, D, T, D], 0, 0, "a reply that came twice"),
    ],
)
def test_a_reply_that_is_cut_lost_empty_or_said_twice_is_not_well(
    types: list[str], code: int, cut: int, words: str
) -> None:
    rows = journeys(streaming(types, code=code), timeout_s=1.5, **STREAM)
    assert not rows["reply_ok"].any() and (rows["reply_cut"] == cut).all()
    assert words in in_words(rows)


def test_an_end_without_an_id_is_of_the_reply_that_is_open() -> None:
    said = {**STREAM, "ends": {"regex": "^done$"}, "messages": 3}

    async def in_turn(connection: ServerConnection) -> None:
        async for message in connection:
            await connection.send(json.dumps({**json.loads(message), "type": T}))
            await connection.send("done")

    rows = journeys(in_turn, **said)
    assert rows["reply_ok"].all() and (rows["replied"] == 3).all()


def test_what_ends_a_reply_is_stated_beside_what_it_is() -> None:
    with pytest.raises(ValidationError, match="expected expect beside ends"):
        Environment.model_validate(
            {"service": [{"name": "s", "url": "http://a", "ws": {"path": "/ws", "ends": {"regex": "x"}}}]}
        )
