"""Forms of time in the letters of `strptime`, as a log source states them."""

from __future__ import annotations

import re

# What may stand for each letter.
LETTERS = {
    "Y": r"(?P<year>\d{4})",
    "y": r"(?P<short_year>\d\d)",
    "m": r"(?P<month>\d{1,2})",
    "b": r"(?P<month_name>(?i:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec))",
    "B": r"(?P<month_name>(?i:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec))[a-z]{0,6}",
    "d": r"(?P<day>[ \d]?\d)",
    "e": r"(?P<day>[ \d]?\d)",
    "j": r"(?P<day_of_year>\d{3})",
    "H": r"(?P<hour>[ \d]?\d)",
    "I": r"(?P<hour>[ \d]?\d)",
    "M": r"(?P<minute>\d\d)",
    "S": r"(?P<second>\d\d)",
    "f": r"(?P<fraction>\d{1,9})",
    "g": r"(?P<fraction>\d{1,9})",
    "n": r"(?P<fraction>\d{1,9})",
    "p": r"(?P<half>[AaPp]\.?[Mm]\.?)",
    "z": r"(?P<zone>Z|[+-]\d\d(?::?\d\d)?)",
    "Z": r"(?P<zone>[A-Z]{1,5}(?:[+-]\d{1,2})?)",
    "a": r"[A-Z][a-z]{2}",
    "A": r"[A-Z][a-z]{2,8}",
    "s": r"(?P<epoch>1\d{9}(?:\d{3}){0,3}(?:\.\d{1,9})?)",
    "%": "%",
}


def pattern_of(form: str) -> str:
    """The pattern of a time in that form, in a dialect that Python's `re` and RE2 share; its groups are the parts of a time.

    Raises:
        ValueError: it holds an unknown letter or one twice, or says no day.

    >>> re.fullmatch(pattern_of("%d.%m.%Y %H:%M"), "01.03.2026 10:05").groupdict()
    {'day': '01', 'month': '03', 'year': '2026', 'hour': '10', 'minute': '05'}
    """
    pieces = re.findall(r"%-?(.)|([^%])", form)
    unknown = [letter for letter, _ in pieces if letter and letter not in LETTERS]
    if unknown or form.endswith("%"):
        known = ", ".join(f"%{letter}" for letter in LETTERS)
        raise ValueError(f"expected a form of time of {known}, got {form!r}")
    pattern = "".join(LETTERS[letter] if letter else re.escape(text) for letter, text in pieces)
    parts = re.findall(r"\(\?P<(\w+)>", pattern)
    if len(set(parts)) < len(parts):
        raise ValueError(f"expected a form of time that names each part once, got {form!r}")
    has_day = {"day_of_year", "epoch"} & set(parts) or (
        "day" in parts and {"month", "month_name"} & set(parts)
    )
    if not has_day or not {"hour", "epoch"} & set(parts):
        raise ValueError(
            f"expected a form of time with a day, a month and an hour, such as %d.%m.%Y %H:%M:%S, got {form!r}"
        )
    return pattern


def checked_time_form(form: str) -> str:
    """The form itself.

    Raises:
        ValueError: as `pattern_of`.
    """
    pattern_of(form)
    return form
