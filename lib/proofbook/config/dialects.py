"""WebSocket dialects by name: what `dialect` of `[[websocket]]` may say. `collect.websocket.dialects` says what one does."""

from __future__ import annotations

import difflib

from proofbook.config import known_dialects
from proofbook.registry import Registry

PLAIN = "plain"


class Dialect:
    """Base of `collect.websocket.dialects.Dialect`, so that names can be checked without loading what connects."""


DIALECTS = Registry(
    "WebSocket dialect",
    group="proofbook.websocket_dialects",
    own={
        **dict.fromkeys((PLAIN, *known_dialects.STATED), "proofbook.collect.websocket.dialects:PLAIN"),
        # Its messages are no text, and their length stands before them: what no key can say.
        "mqtt": "proofbook.collect.websocket.mqtt:MQTT",
    },
    wanted=Dialect,
)


def checked_name(name: str) -> str:
    """The name of a dialect itself.

    Raises:
        ValueError: there is none of that name.
    """
    if name not in DIALECTS:
        known = DIALECTS.names()
        near = difflib.get_close_matches(name, known, n=1)
        raise ValueError(
            f"expected {', '.join(known)}, got {name!r}" + (f"; did you mean {near[0]}?" if near else "")
        )
    return name
