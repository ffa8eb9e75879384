"""Whether a WebSocket tells of an error, in its greeting or in what it says unasked."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import pandas as pd

from proofbook.config.conversation import Expectation
from proofbook.config.services import WebSocket
from proofbook.evidence import stand_ins
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
# What a server says that will soon be gone, or is not there for its users now.
_LEAVING = frozenset([
    "shutdown", "shutting_down", "server_shutdown", "going_away", "goodbye", "bye", "restart", "restarting", "server_restart",
    "maintenance", "under_maintenance", "offline", "service_unavailable", "out_of_service", "draining", "degraded",
])  # fmt: skip
# Of a message of this kind, only where it says why: of users it is told too that they left.
_LEAVES, _WHY = "disconnect", "reason"
_STATES = frozenset(["status", "state"])
_FLAGS = frozenset(["ok", "success", "healthy"])
_CODES = frozenset(["code", "status", "statuscode"])
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
        if re.match(r"(error|exception|fatal)\b(?!s)", message.strip(), re.IGNORECASE):
            return True
        stands_in = stand_ins.named_in(message) if stand_ins.is_page(message) else stand_ins.crash_in(message)
        return bool(stands_in)
    return isinstance(found, dict) and any(
        _is_wrong(key.lower(), value, found) for key, value in found.items()
    )


def _is_wrong(name: str, value: object, message: Mapping[str, object]) -> bool:
    """Whether a field of a message says that something is wrong.

    >>> _is_wrong("status", "degraded", {}), _is_wrong("type", "disconnect", {"user": "a"}), _is_wrong("code", 503, {})
    (True, False, True)
    """
    if name in ("error", "errors", "exception"):
        return bool(value)
    if isinstance(value, bool):
        return name in _FLAGS and not value
    if isinstance(value, int):
        return name in _CODES and 500 <= value <= 599
    if not isinstance(value, str) or name not in _KINDS | _STATES:
        return False
    word = re.sub(r"[\s.:-]+", "_", value.strip().lower())
    return word in _ERRORS | _LEAVING or (word == _LEAVES and _WHY in message)
