"""What is said on a WebSocket, and whether what comes back answers it."""

from __future__ import annotations

import base64
import json
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from proofbook.collect.filling import fill, match_fields
from proofbook.config.conversation import Expectation, Message
from proofbook.config.services import WebSocket
from proofbook.files import parse_json


def what_to_say(endpoint: WebSocket, user: str) -> list[dict[str, str]]:
    """The values of each message of a conversation; the last is as long as the environment wants it."""
    said = [
        {
            "id": secrets.token_hex(8),
            # As large as every language's usual integer takes.
            "number": str(secrets.randbelow(2**31)),
            "text": f"hello {secrets.token_hex(4)}",
            "user": user,
        }
        for _ in range(endpoint.messages)
    ]
    said[-1]["text"] = said[-1]["text"].ljust(endpoint.long_message_chars, ".")
    return said


def say(said: Message, values: Mapping[str, str]) -> str | bytes:
    """A message as the environment wants it sent, with these values in it."""
    if said.send_base64 is not None:
        # Latin 1 is every byte as one character, so that places are found among bytes as in text.
        raw = base64.b64decode(said.send_base64).decode("latin-1")
        encoded = {name: value.encode().decode("latin-1") for name, value in values.items()}
        return str(fill(raw, encoded)).encode("latin-1")
    if said.send is not None:
        return str(fill(said.send, values))
    # As browsers write JSON: what is no ASCII stays as it is.
    return json.dumps(fill(said.send_json, values), ensure_ascii=False)


def recognises(expected: Expectation, message: str | bytes, values: Mapping[str, str]) -> bool:
    """Whether a message is what was expected."""
    text = text_of(message)
    if expected.regex is not None and not re.search(
        fill(expected.regex, {name: re.escape(value) for name, value in values.items()}), text
    ):
        return False
    return not expected.fields or match_fields(expected.fields, _json(text), values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a message is to the messages that were sent: the index of that which it answers, and whether as expected.

    A message that bears an id and is not as expected may be another one about the same request, such as a state or an
    acknowledgement; it is an altered reply only where no better one comes. is_part: of a reply of several messages, one that
    belongs to it; ends: whether the reply is over with it.
    """

    index: int
    as_expected: bool
    is_part: bool = True
    ends: bool = True


def correlate(endpoint: WebSocket, message: str | bytes, expected: Sequence[dict[str, str]]) -> Reply | None:
    """What a message that was received answers; None where it answers none of what was sent."""
    assert endpoint.expect is not None
    for index, values in enumerate(expected):
        if any(recognises(other, message, values) for other in endpoint.ignores):
            return None
        is_part = recognises(endpoint.expect, message, values)
        if endpoint.ends is None:
            if is_part:
                return Reply(index=index, as_expected=True)
        elif (ends := recognises(endpoint.ends, message, values)) or is_part:
            return Reply(index=index, as_expected=True, is_part=is_part, ends=ends)
    by_id = dict(_by_id(endpoint.expect))
    if by_id:
        parsed = _json(text_of(message))
        for index, values in enumerate(expected):
            if match_fields(by_id, parsed, values):
                return Reply(index=index, as_expected=False)
    return None


def _by_id(expected: Expectation) -> Iterator[tuple[str, str]]:
    for path, wanted in expected.fields.items():
        if isinstance(wanted, str) and ("{id}" in wanted or "{number}" in wanted):
            yield path, wanted


def tells_apart(expected: Expectation | None) -> bool:
    """Whether replies can be told apart: without `{id}` every message of that kind looks like a reply."""
    return expected is not None and any(
        place in (expected.regex or "") + json.dumps(expected.fields) for place in ("{id}", "{number}")
    )


def text_of(message: str | bytes) -> str:
    """A message as text, whatever its bytes."""
    return message if isinstance(message, str) else message.decode("utf-8", "replace")


def _json(text: str) -> Any:
    try:
        return parse_json(text)
    except ValueError:
        return None
