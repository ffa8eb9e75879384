"""The SQL for severities: from words and numbers, in a place of their own or in a text, to the names that OpenTelemetry has."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from proofbook.collect.logs import formats, keys
from proofbook.collect.logs.headers import MARKS, USUAL_LEVELS
from proofbook.collect.logs.shape import Shape
from proofbook.config.duckdb_text import quoted
from proofbook.config.log_formats import TextFormat

_SLOG = {"DEBUG": "DEBUG", "INFO": "INFO", "WARN": "WARNING", "ERROR": "ERROR"}


def named(word: str, own: Mapping[str, str] = MappingProxyType({})) -> str:
    """SQL: one of the names in SEVERITY_NUMBERS, or NULL. own: a format's own words for them, and for none of them."""
    if own:
        said = " ".join(f"WHEN {quoted(a.upper())} THEN {quoted(b) if b else 'NULL'}" for a, b in own.items())
        return f"CASE upper({word}) {said} ELSE {named(word)} END"
    # Each WHEN costs a pass over the rows that are left: most end at the first two.
    cases = " ".join(f"WHEN '{a}' THEN '{b}'" for a, b in formats.SAME_SEVERITY.items())
    names = ", ".join(map(quoted, formats.SEVERITY_NUMBERS))
    # Go's slog adds how far a level is above a usual one.
    above = " ".join(f"WHEN '{name}' THEN '{same}'" for name, same in _SLOG.items())
    slog = f"WHEN regexp_full_match({word}, '[A-Z]+[+-][0-9]{{1,3}}') THEN CASE regexp_extract({word}, '[A-Z]+') {above} END"
    return f"CASE WHEN {word} IS NULL THEN NULL WHEN {word} IN ({names}) THEN {word} WHEN upper({word}) IN ({names}) THEN upper({word}) {slog} ELSE CASE upper({word}) {cases} END END"


def own_word(shape: Shape) -> str:
    """SQL: the first of a format's own words for severities in a line of text; NULL where there is none."""
    words = [re.escape(word) for word in shape.format.severities if not word.isdigit()]
    if not words or shape.of_json:
        return "NULL"
    pattern = rf"(?i)(?:^|[^\w])({'|'.join(sorted(words, key=len, reverse=True))})(?:[^\w]|$)"
    return (
        f"CASE WHEN NOT is_json THEN nullif(regexp_extract(left(first, 200), {quoted(pattern)}, 1), '') END"
    )


def words_of(body: str, shape: Shape) -> str:
    """SQL: a struct of the words of a message that may be its severity, each empty where it is absent."""
    if _severity_in(shape) == "nowhere":
        return "NULL::STRUCT(a VARCHAR, b VARCHAR, c VARCHAR, d VARCHAR, e VARCHAR, mark VARCHAR, number VARCHAR, f VARCHAR)"
    return f"regexp_extract(left({body}, 200), {quoted(formats.SEVERITY_IN_TEXT)}, ['a', 'b', 'c', 'd', 'e', 'mark', 'number', 'f'])"


def first_word() -> str:
    """SQL: the first of those words, or what a mark stands for; NULL where there is none."""
    words = ", ".join(f"nullif(w.{name}, '')" for name in "abcdef")
    numbers = " ".join(f"WHEN '{number}' THEN '{name}'" for number, name in keys.SYSLOG.items())
    return f"coalesce({words}, {of_mark('w.mark')}, CASE w.number {numbers} END)"


def in_a_cell(line: str) -> str:
    """SQL: a level that is all of what stands between two tabs, wherever in a line; NULL where none is."""
    words = "|".join((*USUAL_LEVELS, "FINE", "FINER", "FINEST", "SEVERE"))
    return f"CASE WHEN contains({line}, chr(9)) THEN nullif(regexp_extract({line}, '\\t({words})\\t', 1), '') END"


def of_mark(mark: str) -> str:
    """SQL: the severity that a mark stands for, or NULL."""
    return f"CASE trim({mark}) {' '.join(f'WHEN {quoted(a)} THEN {quoted(b)}' for a, b in MARKS.items())} END"


def by_text(line: str, shape: Shape) -> str:
    """SQL: the severity by the `word` that was found in a message, or by the priority of syslog; or NULL.

    What a message says of its level by name is the program's own, and the priority may be that of all it writes.
    """
    words = named("word", shape.format.severities)
    if _severity_in(shape) != "priority":
        return words
    by_name = named("nullif(w.b, '')", shape.format.severities)
    priority = (
        f"try_cast(nullif(regexp_extract({line}, '^(?:[0-9]+ )?<([0-9]{{1,3}})>', 1), '') AS INTEGER) % 8"
    )
    return f"coalesce({by_name}, {named(f'({priority})::VARCHAR', keys.SYSLOG)}, {words})"


def _severity_in(shape: Shape) -> str:
    return shape.format.severity_in if isinstance(shape.format, TextFormat) else "words"


def number_of(name: str) -> str:
    """SQL: OpenTelemetry's number of a severity; 0 where there is none."""
    return f"CASE {name} " + " ".join(f"WHEN '{a}' THEN {b}" for a, b in formats.SEVERITY_NUMBERS.items()) + " ELSE 0 END"  # fmt: skip
