"""Types of fields that several models of the environment share."""

from __future__ import annotations

import re
from typing import Annotated, Any, get_args
from urllib.parse import urlsplit

import jmespath
from pydantic import AfterValidator, BeforeValidator, Field
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

from proofbook.config import duckdb_text as patterns
from proofbook.config import durations, log_uri, time_zones
from proofbook.config.references import Reference
from proofbook.config.wanted import NAME
from proofbook.redaction import scrubbing

WRITTEN_SECRET = "written_secret"


def _pattern(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"expected a regular expression, got {value!r} ({error})") from None
    return value


def _log_pattern(value: str) -> str:
    problem = patterns.problem(value)
    if problem:
        raise ValueError(
            f"expected a regular expression (RE2's: no lookaround, no backreferences), got {value!r} ({problem})"
        )
    return value


def _mask_pattern(value: str) -> str:
    """A pattern for what is replaced: tables are scrubbed by RE2 and text by Python's `re`, so it must mean the same to both."""
    value = _pattern(_log_pattern(value))
    if re.search(value, ""):
        raise ValueError(f"expected a pattern that does not match empty text, got {value!r}")
    ours = next((word for word in scrubbing.OWN_WORDS if re.search(value, word)), None)
    if ours is not None:
        raise ValueError(
            f"expected a pattern for what must not be shown, got {value!r}, which matches {ours!r} in every report too; make it narrower"
        )
    return value


def _log_place(value: str) -> str:
    problem = log_uri.problem(value)
    if problem:
        raise ValueError(problem)
    return value


def _time_zone(value: str) -> str:
    problem = time_zones.problem(value)
    if problem:
        raise ValueError(problem)
    return value


def _jmespath(value: str) -> str:
    try:
        jmespath.compile(value)
    except jmespath.exceptions.JMESPathError as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(
            f"expected a JMESPath expression, got {value!r} ({reason}); a name with other signs than letters, digits and _ stands in quotation marks, such as '\"a-b\"'"
        ) from None
    return value


def _duration(value: str) -> str:
    if value:
        durations.seconds(value)
    return value


# Empty where none is stated.
Duration = Annotated[str, AfterValidator(_duration)]
JmesPath = Annotated[str, AfterValidator(_jmespath)]
Pattern = Annotated[str, AfterValidator(_log_pattern)]
TimeZone = Annotated[str, AfterValidator(_time_zone)]
MaskPattern = Annotated[str, AfterValidator(_mask_pattern)]


def _named(value: Any) -> Any:
    if not isinstance(value, dict | Reference):
        # An error of its own, by whose type the value is known not to be shown: it is a secret.
        raise PydanticCustomError(
            WRITTEN_SECRET,
            'secrets must be references: { env = "NAME" } or { file = "path" }; the written value is not used, and not shown',
        )
    return value


# Of a secret; what is written where it should be named stands in no message.
SecretReference = Annotated[Reference, BeforeValidator(_named, json_schema_input_type=Reference)]


def is_secret(field: FieldInfo) -> bool:
    """Whether a field of settings is annotated as a SecretReference, alone or within another type."""
    return any(_is_named(item) for item in field.metadata) or _holds_secret(field.annotation)


def _holds_secret(annotation: Any) -> bool:
    parts = get_args(annotation)
    return any(_is_named(part) or _holds_secret(part) for part in parts) or any(
        _is_named(item) for item in getattr(annotation, "__metadata__", ())
    )


def _is_named(item: Any) -> bool:
    return isinstance(item, BeforeValidator) and item.func is _named


# A short name of `log_uri`.
ShortLog = Annotated[str, AfterValidator(_log_place)]
Name = Annotated[str, Field(pattern=NAME)]


def _check_url(url: Reference, schemes: tuple[str, ...]) -> None:
    if url.text is not None:
        check_url(url.text, schemes)


def check_url(url: str, schemes: tuple[str, ...]) -> str:
    """`url` itself if it has one of the schemes, a host and no impossible port; the message never shows user info."""
    if problem := address_problem(url):
        raise ValueError(f"expected {problem}, got {url.rsplit('@')[-1]!r}")
    parts = urlsplit(url)
    if parts.scheme not in schemes or not parts.hostname:
        raise ValueError(
            f"expected a URL that starts with {' or '.join(f'{scheme}://' for scheme in schemes)}, got {url.rsplit('@')[-1]!r}"
        )
    return url


def address_problem(url: str) -> str:
    """What an address would need to be read at all; empty where nothing is wrong.

    >>> address_problem("http://127.0.0.1:99999"), address_problem("http://[::1"), address_problem("http://127.0.0.1:8000")
    ('a port from 1 to 65535', 'an address in brackets such as http://[::1]:8000', '')
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return "an address in brackets such as http://[::1]:8000"
    try:
        return "" if parts.port != 0 else "a port from 1 to 65535"
    except ValueError:
        return "a port from 1 to 65535"
