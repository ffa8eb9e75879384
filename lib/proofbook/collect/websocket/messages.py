"""What is said on a WebSocket, and whether what comes back answers it."""

from __future__ import annotations

import base64
import json
import re
import secrets
from collections.abc import Sequence
from typing import Any

from proofbook.collect.session import fill, match_fields
from proofbook.config.services import Expectation, WebSocket
from proofbook.files import parse_json


def what_to_say(endpoint: WebSocket, user: str) -> list[dict[str, str]]:
    """The values of each message of a conversation; the last is as long as the environment wants it."""
    said = [
        {"id": secrets.token_hex(8), "text": f"hello {secrets.token_hex(4)}", "user": user}
        for _ in range(endpoint.messages)
    ]
    said[-1]["text"] = said[-1]["text"].ljust(endpoint.long_message_chars, ".")
    return said


def encode(endpoint: WebSocket, values: dict[str, str]) -> str | bytes:
    """A message as the environment wants it sent, with these values in it."""
    if endpoint.send_base64 is not None:
        return base64.b64decode(endpoint.send_base64)
    if endpoint.send is not None:
        return str(fill(endpoint.send, values))
    return json.dumps(fill(endpoint.send_json, values))


def recognises(expected: Expectation, message: str | bytes, values: dict[str, str]) -> bool:
    """Whether a message is what was expected."""
    text = text_of(message)
    if expected.regex is not None and not re.search(
        fill(expected.regex, {name: re.escape(value) for name, value in values.items()}), text
    ):
        return False
    return not expected.fields or match_fields(expected.fields, _json(text), values)


def correlate(
    endpoint: WebSocket, message: str | bytes, expected: Sequence[dict[str, str]]
) -> tuple[int | None, str]:
    """Which sent message a received one answers, and whether as expected or altered."""
    assert endpoint.expect is not None
    for index, values in enumerate(expected):
        if recognises(endpoint.expect, message, values):
            return index, "ok"
    by_id = {
        path: wanted
        for path, wanted in endpoint.expect.fields.items()
        if isinstance(wanted, str) and "{id}" in wanted
    }
    parsed = _json(text_of(message))
    for index, values in enumerate(expected):
        if by_id and match_fields(by_id, parsed, values):
            return index, "altered"
    return None, ""


def tells_apart(expected: Expectation | None) -> bool:
    """Whether replies can be told apart: without `{id}` every message of that kind looks like a reply."""
    return expected is not None and (
        "{id}" in (expected.regex or "") or "{id}" in json.dumps(expected.fields)
    )


def text_of(message: str | bytes) -> str:
    """A message as text, whatever its bytes."""
    return message if isinstance(message, str) else message.decode("utf-8", "replace")


def _json(text: str) -> Any:
    try:
        return parse_json(text)
    except ValueError:
        return None
