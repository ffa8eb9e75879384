"""Text for DuckDB: quoted literals, RE2 patterns, and names of time zones.

It is loaded when it is first asked: most files hold no pattern, and `proofbook due` reads many of them.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb


def problem(pattern: str) -> str:
    """Why a pattern cannot be used, or nothing.

    >>> problem("x(?!y)")
    'invalid perl operator: (?!'
    """
    import duckdb

    try:
        _engine().execute("SELECT regexp_matches('', $1)", [pattern]).fetchall()
    except duckdb.Error as error:
        return error_text(error)
    return ""


def error_text(error: BaseException) -> str:
    """The first line of what an engine says of an error, without its kind; the kind of one that says nothing.

    DuckDB cuts long messages by bytes, and of one that is cut within a character nothing is left on some Pythons.

    >>> error_text(ValueError("Invalid Input Error: no such form")), error_text(ValueError(""))
    ('no such form', 'ValueError')
    """
    said = str(error).strip().split("\n")[0]
    return re.sub(r"^\w+(?: \w+)? Error: ", "", said).strip() or type(error).__name__


def literal(text: str) -> str:
    """A regular expression that matches just this text.

    >>> literal("a.b (c)")
    'a\\\\.b \\\\(c\\\\)'
    """
    return re.sub(r"[\\.+*?()|\[\]{}^$]", lambda match: "\\" + match[0], text)


def found_in(pattern: str, texts: Sequence[str]) -> list[bool]:
    """For each text, whether it holds the pattern.

    >>> found_in("a+b", ["xaab", "ba"])
    [True, False]
    """
    rows = _engine().execute("SELECT regexp_matches(unnest($1::VARCHAR[]), $2)", [list(texts), pattern])
    return [bool(hit) for (hit,) in rows.fetchall()]


def time_form_problem(form: str) -> str:
    """Why a form of time cannot be used, or nothing.

    >>> time_form_problem("%d.%m.%Y %H:%M"), bool(time_form_problem("%Q"))
    ('', True)
    """
    import duckdb

    try:
        _engine().execute(f"SELECT try_strptime('', {quoted(form)})").fetchall()
    except duckdb.Error as error:
        return error_text(error)
    return ""


def time_zones() -> frozenset[str]:
    """The names of time zones that DuckDB knows."""
    return frozenset(
        str(name) for (name,) in _engine().execute("SELECT name FROM pg_timezone_names()").fetchall()
    )


@functools.cache
def _engine() -> duckdb.DuckDBPyConnection:
    import duckdb

    return duckdb.connect(config={"threads": 1, "autoinstall_known_extensions": False})


def quoted(text: str) -> str:
    """A SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def json_pointer(steps: Sequence[str]) -> str:
    """The JSON Pointer of RFC 6901 through these keys, whatever they are; not quoted.

    >>> json_pointer(["labels", "example.com/user"])
    '/labels/example.com~1user'
    """
    return "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in steps)
