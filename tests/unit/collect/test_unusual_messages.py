"""Messages of other lengths and characters are asked for, with and without compression, and what is a fault is told from a limit."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from asked_more import ECHO, Asked, Handler, echo, read
from asked_more import ask as ask_all
from websockets.asyncio.server import ServerConnection

pytestmark = pytest.mark.waits

SIZES, CHARACTERS = "websocket-sizes", "websocket-characters"
# Where silence is waited for.
SHORT_S = 1.0


def ask(handler: Handler, *, asks: dict[str, Any] | None = None, **stated: Any) -> Asked:
    """What is found of a server that is asked for messages alone."""
    return ask_all(handler, asks={"at_once": False, **(asks or {})}, **stated)


def test_a_server_that_answers_all_passes_on_two_connections() -> None:
    found = ask(echo)
    assert found.told(SIZES) == found.told(CHARACTERS) == ("pass", "")
    assert "messages of up to 70,000 bytes were answered" in found.findings[SIZES].statement
    assert "with and without permessage-deflate" in found.findings[CHARACTERS].statement
    assert found.connections == 2
    assert "2 connections, with and without compression" in found.plan[0]


def answering(change: str) -> Handler:
    """A server that is broken in that way."""

    async def answer(connection: ServerConnection) -> None:
        deflate = bool(connection.protocol.extensions)
        async for message in connection:
            assert isinstance(message, str)
            size, text = len(message.encode()), read(message)["text"]
            if change == "closes over 64 KiB" and size > 65536:
                await connection.close(1011, "internal error")
                return
            if change == "silent over 4096 bytes" and size > 4096:
                continue
            if change == "cuts at 16384" and size > 16384:
                text = text[:16000]
            if change == "cut off over 64 KiB" and size > 65536:
                connection.transport.abort()
                return
            if change == "over 4096 with deflate" and deflate and size > 4096:
                await connection.close(1002, "protocol error")
                return
            if change == "over 4096 without deflate" and not deflate and size > 4096:
                continue
            if change == "closes on what is not ASCII" and not text.isascii():
                await connection.close(1011, "UnicodeEncodeError")
                return
            if change == "question marks":
                text = text.encode("ascii", "replace").decode()
            if change == "mojibake":
                text = text.encode().decode("latin-1")
            if change == "three bytes at most" and any(ord(sign) > 0xFFFF for sign in text):
                continue
            if change == "invalid UTF-8" and not text.isascii():
                await connection.close(1007, "invalid payload")
                return
            await connection.send(json.dumps({**read(message), "text": text}))

    return answer


@pytest.mark.parametrize(
    ("change", "check", "tells"),
    [
        ("closes over 64 KiB", SIZES, ("0 of 6 messages of 70,0", "6 by close 1011 (“internal error”)")),
        ("silent over 4096 bytes", SIZES, ("0 of 6 messages of 5,0", "6 by silence")),
        ("cuts at 16384", SIZES, ("0 of 6 messages of 20,0", "6 by another message")),
        ("cut off over 64 KiB", SIZES, ("0 of 6 messages of 70,0", "6 by close 1006")),
        ("over 4096 with deflate", SIZES, ("answered with permessage-deflate", "6 by close 1002")),
        ("over 4096 without deflate", SIZES, ("answered without permessage-deflate", "6 by silence")),
        ("closes on what is not ASCII", CHARACTERS, ("characters of 2 bytes", "1011 (“UnicodeEncodeError”)")),
        ("question marks", CHARACTERS, ("characters of 2 bytes", "6 by another message")),
        ("mojibake", CHARACTERS, ("characters of 2 bytes", "6 by another message")),
        ("three bytes at most", CHARACTERS, ("characters of 4 bytes", "6 by silence")),
        ("invalid UTF-8", CHARACTERS, ("characters of 2 bytes", "6 by close 1007")),
    ],
)
def test_what_breaks_by_length_or_by_characters_fails(
    change: str, check: str, tells: tuple[str, ...]
) -> None:
    found = ask(answering(change), timeout_s=SHORT_S)
    assert found.told(check) == ("fail", "unusual-message"), found.findings[check].statement
    assert all(part in found.findings[check].statement for part in tells), found.findings[check].statement
    other = CHARACTERS if check == SIZES else SIZES
    assert found.told(other) == ("pass", "")
    assert found.connections <= 30


@pytest.mark.parametrize("limit", [4096, 20_100])
def test_a_limit_that_is_stated_is_a_figure_and_no_fault(limit: int) -> None:
    found = ask(echo, server={"max_size": limit})
    assert found.told(SIZES) == ("pass", ""), found.findings[SIZES].statement
    sizes = found.tables["asked"].query("asks == 'size'")
    answered = sizes.loc[sizes["reply"] == "as-expected", "bytes"].max()
    assert limit * 0.9 < answered <= limit
    assert "refused with 1009, which is a limit" in found.findings[SIZES].statement
    assert f"up to {answered:,} bytes" in found.findings[SIZES].statement


@pytest.mark.slow
@pytest.mark.parametrize("how", ["a message", "close 4009", "close 1000"])
def test_a_server_that_says_in_its_own_words_that_a_message_is_too_long_is_not_broken(how: str) -> None:
    async def chat(connection: ServerConnection) -> None:
        async for message in connection:
            if len(message) < 1000:
                await connection.send(message)
            elif how == "a message":
                await connection.send('{"error": "at most 1000 characters"}')
            else:
                await connection.close(int(how.split()[1]), "too long")

    found = ask(chat)
    assert found.told(SIZES)[0] != "fail"
    assert (found.told(SIZES) == ("pass", "")) is (how == "close 4009"), found.findings[SIZES].statement
    assert found.told(CHARACTERS) == ("pass", "")


@pytest.mark.slow
def test_a_server_that_talks_meanwhile_is_not_thereby_heard_to_answer() -> None:
    async def ticking(connection: ServerConnection) -> None:
        async def tick() -> None:
            while True:
                await connection.send('{"tick": 1}')
                await asyncio.sleep(0.05)

        ticks = asyncio.create_task(tick())
        try:
            async for message in connection:
                await asyncio.sleep(0.1)
                if len(message) < 65536:
                    await connection.send(message)
        finally:
            ticks.cancel()

    found = ask(ticking, timeout_s=SHORT_S)
    assert found.told(SIZES) == ("fail", "unusual-message"), found.findings[SIZES].statement


def test_whether_a_text_is_kept_does_not_show_where_no_reply_carries_it() -> None:
    async def acknowledge(connection: ServerConnection) -> None:
        async for message in connection:
            await connection.send(json.dumps({"ok": read(message)["id"]}))

    found = ask(acknowledge, expect={"json": {"ok": "{id}"}})
    assert found.told(CHARACTERS) == ("inconclusive", "not-echoed")
    assert found.told(SIZES) == ("pass", "")


def test_without_compression_on_offer_one_connection_asks_all() -> None:
    found = ask(echo, server={"compression": None})
    assert found.told(SIZES) == found.told(CHARACTERS) == ("pass", "")
    assert found.connections == 1
    assert "permessage-deflate" not in found.findings[SIZES].statement


def test_where_no_ordinary_message_is_answered_nothing_is_said_of_others() -> None:
    async def silent(connection: ServerConnection) -> None:
        async for _ in connection:
            pass

    found = ask(silent, timeout_s=0.5)
    assert found.told(SIZES) == found.told(CHARACTERS) == ("inconclusive", "no-samples")
    assert found.connections <= 2


def test_what_the_case_turns_off_is_neither_asked_nor_claimed() -> None:
    found = ask(echo, asks={"message_bytes": 0, "characters": False})
    assert not {SIZES, CHARACTERS} & found.findings.keys()
    assert found.connections == 0


def test_a_message_without_a_text_of_ours_is_not_made_longer() -> None:
    found = ask(echo, send_json={"id": "{id}"}, expect={"json": {"id": "{id}"}})
    assert not {SIZES, CHARACTERS} & found.findings.keys()


def test_longer_messages_are_asked_for_where_the_case_states_them() -> None:
    found = ask(echo, asks={"message_bytes": 500_000})
    assert found.tables["asked"]["bytes"].max() > 499_000
    assert ECHO["expect"] and found.told(SIZES) == ("pass", "")
