"""Whether a WebSocket tells of an error, in its greeting or in what it says unasked."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pandas as pd

from proofbook.config.conversation import Expectation
from proofbook.config.services import WebSocket
from proofbook.evidence.schema import MESSAGES, WEBSOCKET
from proofbook.files import parse_json
from proofbook.judge.checks.success_rate import MoreControls, Rows
from proofbook.judge.findings import Control
from proofbook.judge.view import View

# Values that say what kind of message it is, and keys that say what is wrong.
_ERRORS = frozenset([
    "error", "err", "failed", "failure", "fail", "fatal", "exception", "unavailable", "down", "unhealthy",
    "unauthorized", "unauthorised", "unauthenticated", "not_authorized", "forbidden", "denied", "access_denied", "permission_denied", "login_required",
])  # fmt: skip
_NO_ERROR = (False, None, "", 0)


def greets_well(socket: WebSocket) -> MoreControls:
    """The comparability control of connections that are greeted: what greets is no report of an error.

    A first look takes what it hears for the greeting, and cannot know whether it is the usual one.
    """
    found = _error_in(socket.greeting)

    def control(view: View) -> Sequence[Control]:
        return [
            Control(
                kind="comparability",
                name="what the greeting says",
                guards=("pass",),
                expected="no error",
                got=found,
                held=False,
                code="greeted-with-error",
            )
        ]

    return control if found else lambda view: []


def _error_in(greeting: Expectation | None) -> str:
    """What a greeting says of an error; empty where it says nothing of one.

    >>> _error_in(Expectation(json={"type": "error"})), _error_in(Expectation(json={"type": "hello", "error": False}))
    ('type = error', '')
    """
    if greeting is None:
        return ""
    for path, value in greeting.fields.items():
        last = path.rpartition(".")[2].strip('"').lower()
        if (last in ("error", "errors") and value not in _NO_ERROR) or str(value).lower() in _ERRORS:
            return f"{path} = {value}"
        if last in ("ok", "success", "healthy") and value is False:
            return f"{path} = false"
    named = re.match(r'^\^?"?(errors?|exception|fatal)\b', greeting.regex or "", re.IGNORECASE)
    return f"it begins with {named[1]}, or has a field of that name" if named else ""


# Under these a message says what kind it is.
_KINDS = frozenset(["type", "event", "kind", "op", "action"])
# With this as greeting, whoever wrote the environment says that any word is as good as another.
_ANY_WORD = "."


def tells_no_error(socket: WebSocket, where: Rows, *, target: float) -> MoreControls:
    """The comparability control of connections that nothing is asked of: no more of them than may fail are told of an error."""

    def control(view: View) -> Sequence[Control]:
        messages = view.table(MESSAGES)
        rows = view.need(WEBSOCKET)
        rows = rows[where(rows) & rows["sent"].eq(0)]
        if messages is None or "connected" not in messages or not len(rows):
            return []
        messages = messages[
            messages["endpoint"].eq(socket.name) & messages["connected"].isin(rows["timestamp"])
        ]
        wrong = messages[messages["body"].astype(str).map(_is_error).astype(bool)]
        told = int(wrong["connected"].nunique())
        if told <= (1 - target) * len(rows):
            return []
        return [_told_of_errors(wrong["body"], told, len(rows))]

    named = socket.greeting is not None and socket.greeting.regex == _ANY_WORD
    return (lambda view: []) if named else control


def _told_of_errors(bodies: pd.Series, told: int, count: int) -> Control:
    return Control(
        kind="comparability",
        name="what connections are told before anything is asked",
        guards=("pass",),
        expected="no error",
        got=f"{told:,} of {count:,} were told {str(bodies.iloc[0])[:120]}",
        held=False,
        code="told-of-errors",
    )


def _is_error(message: str) -> bool:
    """Whether a message reports an error, and is not about one.

    >>> _is_error('{"type": "error", "code": 500}'), _is_error('{"error": "no database"}'), _is_error("ERROR: no database")
    (True, True, True)
    >>> _is_error('{"type": "log", "level": "error"}'), _is_error('{"type": "ready", "error": null}'), _is_error("errors: 0")
    (False, False, False)
    """
    try:
        found = parse_json(message)
    except ValueError:
        return re.match(r"(error|exception|fatal)\b(?!s)", message.strip(), re.IGNORECASE) is not None
    if not isinstance(found, dict):
        return False
    for key, value in found.items():
        name = key.lower()
        if name in ("error", "errors", "exception") and value:
            return True
        if name in _KINDS and isinstance(value, str) and value.lower() in _ERRORS:
            return True
    return False
