"""A first look at a WebSocket that nobody described: whether it can be reached, and how it greets. It judges nothing."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from websockets.exceptions import ConnectionClosed

from proofbook.collect.session import Session
from proofbook.collect.websocket.connection import close, connect
from proofbook.collect.websocket.journey import Journey
from proofbook.config.services import WebSocket
from proofbook.files import parse_json

_TELLING = ("type", "event", "kind", "op", "action", "status")
GREETING_WAIT_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointFacts:
    """What is known of a WebSocket endpoint: whether the upgrade was made, what greets (as `greeting` of [[websocket]]), remarks.

    refused: by name, for the token.
    """

    upgraded: bool
    refused: bool = False
    greeting: dict[str, object] | None = None
    remarks: tuple[str, ...] = ()


async def probe_endpoint(endpoint: WebSocket, *, session: Session, times: int = 3) -> EndpointFacts:
    """Connects a few times and listens for a moment: what every connection is told first is the greeting."""
    user = session.environment.login.user if session.environment.login else ""
    token = await session.token(user) if endpoint.token.place != "none" else None
    heard: list[str | bytes | None] = []
    where = endpoint.path or "the endpoint"
    for _ in range(times):
        journey = Journey(endpoint=endpoint.name, user=user)
        async with session.acquire("websocket connections"):
            line = await connect(journey, endpoint, token, session, {})
            if line is None:
                return EndpointFacts(
                    upgraded=False,
                    refused=journey.refused,
                    remarks=(_no_upgrade(journey, where, has_token=token is not None),),
                )
            message = None
            try:
                async with asyncio.timeout(GREETING_WAIT_S):
                    message = await line.receive()
            except (TimeoutError, ConnectionClosed):
                pass
            await close(journey, endpoint, line)
        if journey.refused:
            words = f"{where} closes with {journey.close_code} {journey.close_reason}".strip()
            return EndpointFacts(upgraded=True, refused=True, remarks=(f"{words}: it wants another token",))
        if journey.closed_by == "server" and journey.close_code not in (1000, 1001):
            return EndpointFacts(
                upgraded=True, remarks=(f"{where} closes with {journey.close_code} at once",)
            )
        heard.append(message)
    if any(message is None for message in heard):
        return EndpointFacts(upgraded=True, remarks=("it does not greet",))
    return EndpointFacts(
        upgraded=True, greeting=greeting_of([message for message in heard if message is not None])
    )


def greeting_of(messages: Sequence[str | bytes]) -> dict[str, object]:
    """What first messages have in common, as `greeting` of [[websocket]]: fields of JSON, the text itself, or that there is one.

    >>> greeting_of(['{"type": "hello", "id": "7"}', '{"type": "hello", "id": "8"}'])
    {'json': {'type': 'hello'}}
    >>> greeting_of(["welcome", "welcome"])
    {'regex': '^welcome$'}
    """
    texts = [
        message if isinstance(message, str) else message.decode("utf-8", "replace") for message in messages
    ]
    try:
        parsed = [_scalars(parse_json(text)) for text in texts]
    except ValueError:
        parsed = []
    if parsed and all(parsed):
        common = {
            path: value
            for path, value in parsed[0].items()
            if all(other.get(path) == value for other in parsed) and _is_telling(path, value)
        }
        chosen = sorted(common, key=lambda path: (_rank(path), path.count("."), path))[:2]
        if chosen:
            return {"json": {path: common[path] for path in chosen}}
    if all(isinstance(message, str) for message in messages) and len(set(texts)) == 1 and len(texts[0]) <= 80:
        return {"regex": f"^{re.escape(texts[0])}$"}
    return {"regex": "(?s)."}


def _scalars(value: Any) -> dict[str, object]:
    """Texts and truth values of a JSON object and of the objects in it, by JMESPath."""
    if not isinstance(value, dict):
        return {}
    found: dict[str, object] = {}
    for key, item in value.items():
        if not re.fullmatch(r"[A-Za-z_]\w*", key):
            continue
        if isinstance(item, str | bool):
            found[key] = item
        elif isinstance(item, dict):
            found |= {
                f"{key}.{inner}": more
                for inner, more in item.items()
                if isinstance(more, str | bool) and re.fullmatch(r"[A-Za-z_]\w*", inner)
            }
    return found


def _is_telling(path: str, value: Any) -> bool:
    """Not an id or a time, which would be another next time."""
    return not isinstance(value, str) or (len(value) <= 60 and not re.search(r"\d{4}|[0-9a-f]{8}", value))


def _rank(path: str) -> int:
    last = path.rpartition(".")[2]
    return _TELLING.index(last) if last in _TELLING else len(_TELLING)


def _no_upgrade(journey: Journey, where: str, *, has_token: bool) -> str:
    """An upgrade that was not made, in a sentence that says what to do."""
    status = journey.http_status
    if status is None:
        return f"{where} cannot be connected to: {journey.error}"
    does = {
        200: "answers as a page (200), not as a WebSocket: is the path right?",
        401: "refuses the token (401): is it a good one?"
        if has_token
        else "wants a token (401): name one with --token-env",
        403: "refuses (403): is the token a good one, and the path right?"
        if has_token
        else "refuses (403): name a token with --token-env",
        404: "is not there (404): is the path right?",
        426: "asks for an upgrade that it did not see (426): something in between takes the Upgrade header away",
    }
    if status in does:
        return f"{where} {does[status]}"
    if 300 <= status < 400:
        return f"{where} sends elsewhere ({status}): name the address that it sends to"
    return f"{where} refuses the upgrade ({status})"
