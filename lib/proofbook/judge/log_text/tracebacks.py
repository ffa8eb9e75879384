"""Exceptions in log text as values: which language wrote a traceback, and what it says."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TypeAlias

from proofbook.judge.log_text.frames import Raised, Traceback
from proofbook.judge.log_text.languages import calls_at, elixir, go, native, php, python, ruby, rust

# What lies beyond so many characters of a line is no part of a frame or a type.
MAX_LINE_CHARS = 1000
# How ends of lines and tabs are written where a line must hold a whole message. A backslash and a letter may be part of a name.
_ESCAPES = (
    (re.compile("#012"), (("#015", ""), ("#012", "\n"), ("#011", "\t"))),
    (re.compile(r"\\n(?![a-z])|[^\w\\]\\n"), (("\\r", ""), ("\\n", "\n"), ("\\t", "\t"))),
)
_IN_OBJECT, _NEXT_KEY = re.compile(r"\":\s?\""), re.compile(r"\\?\"[,}].*$", re.MULTILINE)
# Name, whether a line is a mark of it, and its reader: languages whose marks nothing else has, and those whose marks stand in others too.
_Language: TypeAlias = tuple[str, Callable[[str], bool], Callable[[Sequence[str]], list[Raised]]]
_LANGUAGES: tuple[_Language, ...] = (
    ("python", python.is_one, python.read),
    ("go", go.has_goroutine, go.read),
    ("rust", rust.is_panic, rust.read),
    ("php", php.is_one, php.read),
    ("elixir", elixir.is_header, elixir.read),
    ("c++", native.is_one, native.read),
)
_LESS_SURE: tuple[_Language, ...] = (
    ("ruby", ruby.is_one, ruby.read),
    ("go", go.is_one, go.read),
    ("rust", rust.is_causes, rust.read),
)


def parse(text: str) -> Traceback | None:
    """The traceback in a log body, or None.

    >>> found = parse('Traceback (most recent call last):\\n  File "/app/a.py", line 3, in f\\n    g()\\nValueError: no')
    >>> found.language, found.raised.type, found.raised.message, str(found.raised.where)
    ('python', 'ValueError', 'no', 'f (app/a.py)')
    """
    for written in (_unescaped(text), text):
        if written is not None and (
            found := _parse([line[:MAX_LINE_CHARS] for line in written.splitlines()])
        ):
            return found
    return None


def is_cut(text: str) -> bool:
    """Whether a text is what is left of a traceback that cannot be read.

    >>> is_cut("Traceback (most recent call last):"), is_cut("at noon")
    (True, False)
    """
    return python.is_one(text)


def _unescaped(text: str) -> str | None:
    """The text with ends of line and tabs that are escaped in it as such; None where none are."""
    for mark, escapes in _ESCAPES:
        if mark.search(text):
            for escaped, instead in escapes:
                text = text.replace(escaped, instead)
            first, newline, rest = text.partition("\n")
            # Where an object was written into the line, its next key follows.
            return first + newline + (_NEXT_KEY.sub("", rest) if _IN_OBJECT.search(first) else rest)
    return None


def _parse(lines: Sequence[str]) -> Traceback | None:
    written = [line for line in lines if line and not line.isspace()]
    for language, is_of, read in _LANGUAGES:
        if any(map(is_of, written)) and (chain := read(lines)):
            return Traceback(language=language, chain=tuple(chain))
    if any(map(calls_at.is_one, written)):
        language, chain = calls_at.read(lines)
        if chain:
            return Traceback(language=language, chain=tuple(chain))
    for language, is_of, read in _LESS_SURE:
        if any(map(is_of, written)) and (chain := read(lines)):
            return Traceback(language=language, chain=tuple(chain))
    return None
