"""What a value should have been, in words that are made of the facts of a failed validation."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

NAME = r"^[a-z0-9][a-z0-9-]*$"
TAG = r"^\w[\w.-]*$"
UTC_OFFSET = r"^[+-]\d\d:\d\d$"
MAIL_ADDRESS = r"^[^\s@]+@[^\s@]+$"
TIME_OF_DAY = r"^([01]\d|2[0-3]):[0-5]\d$"
TEXTFILE = r"\.prom$"
# Who typed something else reads no pattern.
_FORMS = {
    NAME: "a name of lower-case letters, digits and hyphens, such as staging-eu",
    TAG: "a word of letters, digits, hyphens and dots, such as eu-west",
    UTC_OFFSET: "an offset such as +02:00",
    MAIL_ADDRESS: "an address such as proofbook@example.com",
    TIME_OF_DAY: "a time of day such as 07:30",
    TEXTFILE: "a file whose name ends with .prom",
}
_KINDS = {
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_parsing": "a number",
    "float_type": "a number",
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "string_type": "a text",
    "list_type": "a list",
}
# A password in an address.
_USER_INFO = re.compile(r"//[^/\s]*@")


def wanted(problem: ErrorDetails) -> str:
    """What was wanted, and what came unless that may be a secret.

    >>> wanted({"type": "int_parsing", "loc": (), "msg": "Input should be a valid integer", "input": "x"})
    "expected a whole number, got 'x'"
    """
    message = _expected(problem)
    value = problem.get("input")
    if (
        "got " not in message
        and isinstance(value, str | int | float | bool)
        and not _USER_INFO.search(str(value))
    ):
        message += f", got {value!r}"
    return message


def _expected(problem: ErrorDetails) -> str:
    kind, facts = problem["type"], problem.get("ctx", {})
    if kind in _KINDS:
        return f"expected {_KINDS[kind]}"
    if facts.get("pattern") in _FORMS:
        return f"expected {_FORMS[facts['pattern']]}"
    # Of a validator of ours, its words as they are.
    message = problem["msg"].removeprefix("Value error, ")
    message = message[0].lower() + message[1:]
    return message.replace("input should be ", "expected ", 1) if message.startswith("input ") else message
