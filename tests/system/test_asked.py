"""A whole phase asks for more than ordinary messages, within what its plan says, and its verdict is that of the worst answer."""

from __future__ import annotations

import re
from pathlib import Path

from aiohttp import WSMsgType, web
from first_tries import Tried, attempt, described, serving, talk, with_socket

MORE = (
    "websocket-sizes",
    "websocket-characters",
    "websocket-at-once",
    "websocket-compression",
    "websocket-held",
)

CASE = 'title = "t"\n[targets]\nconnection = 0.95\nhealth = 0.95\ndelivery = 0.95\n'


def stated(url: str) -> str:
    return f"""[[service]]
name = "service"
url = "{url}"
[service.ws]
path = "/ws"
harmless = true
greeting = {{ json = {{ type = "hello" }} }}
send_json = {{ id = "{{id}}", text = "{{text}}" }}
expect = {{ json = {{ id = "{{id}}", text = "{{text}}" }} }}
"""


def connections_of(tried: Tried) -> int:
    (done,) = [line for line in tried.said if line.startswith("done")]
    found = re.search(r"(\d+) websocket connections", done)
    assert found is not None, done
    return int(found[1])


def test_a_healthy_server_passes_each_of_them_and_costs_what_the_plan_says(tmp_path: Path) -> None:
    with serving(with_socket(talk)) as url:
        tried = described(stated(url), base=tmp_path, case=CASE)
    assert tried.verdict == "pass", tried.shown
    told = {name: tried.findings[name].verdict.value for name in MORE}
    assert told == dict.fromkeys(MORE, "pass"), [tried.findings[name].statement for name in MORE]
    # Ordinary ones and strangers; two that are held, two for messages, five alone and those beside each other.
    assert connections_of(tried) == 72 + 30 + 2 + 2 + 5 + 38
    planned = [line for line in tried.said if line.startswith("plan")]
    for part in ("2 idle connections held", "2 connections, with and without", "5 connections one after the other, then 38"):  # fmt: skip
        assert any(part in line for line in planned), planned


async def short(request: web.Request) -> web.StreamResponse:
    """A server of which one part breaks at messages over 64 KiB."""
    socket = web.WebSocketResponse(max_msg_size=0)
    await socket.prepare(request)
    await socket.send_str('{"type": "hello"}')
    async for message in socket:
        if message.type == WSMsgType.TEXT and len(message.data) > 65536:
            await socket.close(code=1011, message=b"internal error")
        elif message.type == WSMsgType.TEXT:
            await socket.send_str(message.data)
    return socket


def test_a_server_that_breaks_at_long_messages_alone_is_broken(tmp_path: Path) -> None:
    with serving(with_socket(short)) as url:
        tried = described(stated(url), base=tmp_path, case=CASE)
    assert tried.findings["websocket-delivery"].verdict.value == "pass"
    assert tried.verdict == "fail", tried.shown
    assert "0 of 6 messages of 70,000 bytes were answered" in tried.shown
    assert "1011" in tried.findings["websocket-sizes"].statement


def test_a_first_try_asks_what_it_may_without_sending_anything(tmp_path: Path) -> None:
    with serving(with_socket(talk)) as url:
        tried = attempt(url.replace("127.0.0.1", "localhost"), base=tmp_path, ws="/ws")
    assert tried.verdict == "pass", tried.shown
    asked = {name for name in tried.findings if name.startswith("websocket-")}
    assert asked == {
        "websocket-connection",
        "websocket-at-once",
        "websocket-compression",
        "websocket-held",
        "websocket-addresses",
    }
    assert {tried.findings[name].verdict.value for name in asked} == {"pass"}, tried.shown
