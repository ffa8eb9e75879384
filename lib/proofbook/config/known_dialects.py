"""The dialects that ship with Proofbook, each as keys of `[[websocket]]`: what an endpoint states itself comes first."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

# Of a message and what answers it: who states one of these means another conversation.
_CONVERSED = ("send", "send_json", "send_base64", "expect", "ends", "harmless")

STATED: Mapping[str, Mapping[str, Any]] = MappingProxyType({
    # Engine.IO 4 says 0 (open), 1 (close), 2 (ping), 3 (pong), 4 (message); Socket.IO 5 in a message 0 (connect), 1 (disconnect),
    # 2 (event), 4 (refused).
    "socket-io": {
        "query": {"EIO": "4", "transport": "websocket"},
        "opening": [
            {"wait_for": {"regex": r"^0\{"}},
            {"send": '40{"token":"{token}"}', "without_token": "40", "wait_for": {"regex": "^40"}},
        ],
        "answers": [{"to": {"regex": "^2$"}, "send": "3"}],
        "prefix": "42",
        "refusal": {"message": {"regex": "^4[14]"}},
    },
    "graphql-transport-ws": {
        "subprotocols": ["graphql-transport-ws"],
        "opening": [{
            "send": '{"type":"connection_init","payload":{"token":"{token}","Authorization":"Bearer {token}"}}',
            "without_token": '{"type":"connection_init"}',
            "wait_for": {"json": {"type": "connection_ack"}},
        }],
        "answers": [{"to": {"json": {"type": "ping"}}, "send": '{"type":"pong"}'}],
        # Every server of GraphQL must know the name of its root type.
        "send": '{"id":"{id}","type":"subscribe","payload":{"query":"query { __typename }"}}',
        "expect": {"json": {"id": "{id}", "type": "next", "payload.data.__typename != `null`": True}},
        "harmless": True,
    },
    # A server must answer a request whose method it does not know, with an error that bears the id.
    "json-rpc": {
        "send": '{"jsonrpc":"2.0","id":"{id}","method":"rpc.discover"}',
        # What has a method is a request, such as ours sent back.
        "expect": {"json": {"jsonrpc": "2.0", "id": "{id}", "error.code == `-32603`": False, "method == `null`": True}},
        "harmless": True,
    },
    # The hub protocol: records end with 0x1e; 3 is a completion, 6 a ping, 7 a close. A hub must complete an unknown method with an error.
    "signalr": {
        "separator": "\x1e",
        "opening": [{"send": '{"protocol":"json","version":1}', "wait_for": {"regex": r"^\{\s*\}$"}}],
        "answers": [{"to": {"json": {"type": 6}}, "send": '{"type":6}'}],
        "refusal": {"message": {"regex": r'^\{\s*"error"|"type"\s*:\s*7\b'}},
        "send": '{"type":1,"invocationId":"{id}","target":"ProofbookNoSuchMethod","arguments":[]}',
        "expect": {"json": {"type": 3, "invocationId": "{id}"}},
        "harmless": True,
    },
    # Frames end with NUL, and a server may say end of line between two of them.
    "stomp": {
        "subprotocols": ["v12.stomp", "v11.stomp"],
        "separator": "\x00",
        "opening": [{
            "send": "CONNECT\naccept-version:1.1,1.2\nhost:/\nlogin:{user}\npasscode:{token}\nAuthorization:Bearer {token}\nheart-beat:0,0\n\n",
            "without_token": "CONNECT\naccept-version:1.1,1.2\nhost:/\nheart-beat:0,0\n\n",
            "wait_for": {"regex": r"^\s*CONNECTED\b"},
        }],
        "refusal": {"message": {"regex": r"^\s*ERROR\b"}},
    },
    "nats": {
        "any_path": True,
        "separator": "\r\n",
        "opening": [
            {"wait_for": {"regex": "^INFO "}},
            {
                "send": 'CONNECT {"verbose":false,"pedantic":false,"lang":"any","version":"1","auth_token":"{token}"}',
                "without_token": 'CONNECT {"verbose":false,"pedantic":false,"lang":"any","version":"1"}',
            },
            {"send": "PING", "wait_for": {"regex": "^PONG$"}},
        ],
        "answers": [{"to": {"regex": "^PING$"}, "send": "PONG"}],
        "refusal": {"message": {"regex": "(?i)^-ERR '.*(authoriz|authentic|permission)"}},
        "send": "PING",
        "expect": {"regex": "^PONG$"},
        "harmless": True,
    },
    "action-cable": {
        "subprotocols": ["actioncable-v1-json"],
        "opening": [{"wait_for": {"json": {"type": "welcome"}}}],
        "refusal": {"message": {"json": {"type": "disconnect"}}},
    },
    # Everybody is asked for a token; ids are numbers that grow.
    "home-assistant": {
        "opening": [
            {"wait_for": {"json": {"type": "auth_required"}}},
            {"send": '{"type":"auth","access_token":"{token}"}', "wait_for": {"json": {"type": "auth_ok"}}},
        ],
        "refusal": {"message": {"json": {"type": "auth_invalid"}}},
        "send_json": {"id": "{number}", "type": "ping"},
        "expect": {"json": {"id": "{number}", "type": "pong"}},
        "harmless": True,
    },
    # It connects everybody, and says nothing before it is shown a token.
    "node-red": {
        "opening": [{"send": '{"auth":"{token}"}', "wait_for": {"json": {"auth": "ok"}}}],
        "refusal": {"message": {"json": {"auth": "fail"}}},
    },
    # Messages of state bear the id of the request too, before the reply and after it.
    "jupyter": {
        "send_json": {
            "channel": "shell",
            "header": {"msg_id": "{id}", "msg_type": "kernel_info_request", "session": "{id}", "username": "{user}", "version": "5.3"},
            "parent_header": {},
            "metadata": {},
            "content": {},
        },
        "expect": {"json": {"header.msg_type": "kernel_info_reply", "parent_header.msg_id": "{id}"}},
        "harmless": True,
    },
    "mqtt": {
        "subprotocols": ["mqtt"],
        "any_path": True,
        "send": "PINGREQ",
        "expect": {"regex": "^PINGRESP$"},
        "harmless": True,
    },
})  # fmt: skip
# Where each shows a token unless the endpoint says otherwise; the others in a header.
TOKEN_PLACES = MappingProxyType(
    dict.fromkeys(
        ("socket-io", "graphql-transport-ws", "stomp", "nats", "home-assistant", "node-red", "mqtt"),
        "first_message",
    )
)


def completed(stated: Mapping[str, Any]) -> Mapping[str, Any]:
    """An endpoint as it is stated, with what its dialect states beside it.

    >>> completed({"dialect": "nats", "any_path": False})["any_path"]
    False
    >>> completed({"dialect": "nats", "send": "hello", "expect": {"regex": "."}})["expect"]
    {'regex': '.'}
    """
    name = stated.get("dialect")
    ours = STATED.get(name, {}) if isinstance(name, str) else {}
    if any(key in stated for key in _CONVERSED):
        ours = {key: value for key, value in ours.items() if key not in _CONVERSED}
    return {**ours, **stated}


def token_place(dialect: object) -> str:
    """Where a dialect shows a token; empty where it does not say."""
    return TOKEN_PLACES.get(dialect, "") if isinstance(dialect, str) else ""
