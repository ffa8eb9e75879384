"""Options of `proofbook try` that say how a server is asked: what they become, and what is refused in one sentence."""

from __future__ import annotations

import datetime as dt
import shlex
from typing import Any

import pytest

from proofbook.errors import UsageError
from proofbook.pipeline.try_options import Options, check, command_of

NOW = dt.datetime(2026, 1, 2, tzinfo=dt.UTC)
URL = "http://localhost:8080"


def test_what_a_server_wants_becomes_keys_of_the_files_and_the_command_asks_it_again() -> None:
    asked = Options(
        url=URL,
        ws="/socket.io/?EIO=4&transport=websocket",
        headers=("X-Tenant=7", "Authorization=env:LOGIN"),
        query=("room=a b", "key=env:A_KEY"),
        origin="https://app.example.com",
        subprotocols=("chat.v1", "chat.v2"),
        dialect="plain",
    )
    check(asked, now=NOW)
    assert asked.socket == {
        "path": "/socket.io/",
        "dialect": "plain",
        "query": {"EIO": "4", "transport": "websocket", "room": "a b", "key": {"env": "A_KEY"}},
        "subprotocols": ["chat.v1", "chat.v2"],
    }
    assert asked.sent_headers == {
        "X-Tenant": "7",
        "Authorization": {"env": "LOGIN"},
        "Origin": "https://app.example.com",
    }
    command = command_of(asked)
    assert '--query "room=a b" --query key=env:A_KEY --origin https://app.example.com' in command
    assert "--subprotocol chat.v1 --subprotocol chat.v2" in command and "--dialect plain" in command


def test_the_address_of_a_websocket_elsewhere_keeps_its_query_apart() -> None:
    asked = Options(url=URL, ws="wss://ws.example.com/live?v=3")
    check(asked, now=NOW)
    assert asked.socket == {"url": "wss://ws.example.com/live", "query": {"v": "3"}}


@pytest.mark.parametrize(
    ("rest", "page"),
    [("", ""), ("/", ""), ("/up", "/up"), ("/graphql?query={__typename}", "/graphql?query={__typename}"), ("?route=health", "/?route=health")],
)  # fmt: skip
def test_the_page_that_is_asked_for_health_keeps_its_query(rest: str, page: str) -> None:
    asked = Options(url=URL + rest)
    check(asked, now=NOW)
    assert asked.page == page
    assert shlex.split(command_of(asked)) == ["proofbook", "try", URL + rest]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"url": f"{URL}/#/health"}, "the URL of localhost/ ends in a fragment, which no server is told; leave out the # and what follows"),
        ({"ws": "/ws?access_token=s3cr3t"}, "--ws: its query holds access_token, which may be a secret; export it in a variable and name that: --query access_token=env:VARIABLE"),
        ({"headers": ("Authorization=Bearer s3cr3t",)}, "--header: Authorization may be a secret, so its value is not written; export it in a variable and name that: --header Authorization=env:VARIABLE"),
        ({"headers": ("X-Api-Key=s3cr3t",)}, "--header: X-Api-Key may be a secret, so its value is not written; export it in a variable and name that: --header X-Api-Key=env:VARIABLE"),
        ({"headers": ("X-Tenant",)}, "--header: expected NAME=VALUE, got 'X-Tenant'"),
        ({"query": ("=7",), "ws": "/ws"}, "--query: expected NAME=VALUE, got ''"),
        ({"query": ("a=7",)}, "--query is added to the WebSocket's address; give its path with --ws"),
        ({"subprotocols": ("a",)}, "--subprotocol is offered to the WebSocket; give its path with --ws"),
        ({"origin": "app.example.com"}, "--origin: expected one such as https://app.example.com, got 'app.example.com'"),
        ({"dialect": "signal-r", "ws": "/ws"}, "got 'signal-r'; did you mean signalr?"),
        ({"dialect": "nats"}, "--dialect is that of the WebSocket; give its path with --ws"),
    ],
)  # fmt: skip
def test_what_cannot_be_sent_or_must_not_be_written_is_one_sentence(
    given: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(UsageError) as caught:
        check(Options(**{"url": URL, **given}), now=NOW)
    assert str(caught.value).endswith(sentence) and "s3cr3t" not in str(caught.value)
