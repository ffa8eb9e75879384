"""Characters that a reader does not see, or that turn the reading order round or steer a terminal, shown by their numbers."""

from __future__ import annotations

import re

_UNSEEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
_SURROGATES = re.compile("[\ud800-\udfff]")


def visible(text: str) -> str:
    """Text in which nothing is invisible or turns the reading order round.

    >>> visible("a\u202eb")
    'a⟨U+202E⟩b'
    """
    return _UNSEEN.sub(_by_number, text)


def encodable(text: str) -> str:
    """Text without lone surrogates, which no encoding can hold."""
    return _SURROGATES.sub(_by_number, text)


def _by_number(found: re.Match[str]) -> str:
    return f"⟨U+{ord(found.group()):04X}⟩"
