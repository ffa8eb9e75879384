"""Lengths of time as people write them: `90s`, `5m`, `24h`, `7d`, `2w`."""

from __future__ import annotations

import re

UNITS_S = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0, "w": 7 * 86400.0}
# Longer than anything that anybody waits for, and dates would end before it does.
LONGEST_S = 100 * 365 * 86400.0
FORM = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)\s*(s|m|min|h|d|w)")
_WORDS = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))


def seconds(text: str) -> float:
    """A length of time in seconds.

    Raises:
        ValueError: the text is none.

    >>> seconds("10m"), seconds("1.5 h")
    (600.0, 5400.0)
    """
    found = FORM.fullmatch(text.strip())
    if found is None or not 0 < float(found[1]) * UNITS_S[found[2]] <= LONGEST_S:
        raise ValueError(f"expected a duration, a number and a unit such as 90s, 5m, 24h or 7d, got {text!r}")
    return float(found[1]) * UNITS_S[found[2]]


def in_words(length_s: float, *, decimals: int = 0) -> str:
    """A length of time in its two largest units; in seconds with so many decimals below two minutes.

    >>> in_words(3.0), in_words(7500), in_words(86400 * 3 + 60)
    ('3 s', '2 h 5 min', '3 d')
    >>> in_words(2.94, decimals=1), in_words(119.96, decimals=1), in_words(200.4, decimals=1)
    ('2.9 s', '120.0 s', '3 min 20 s')
    """
    if decimals and length_s < 120:
        return f"{length_s:.{decimals}f} s"
    left, parts = round(length_s), list[tuple[int, str]]()
    for word, unit in _WORDS:
        count, left = divmod(left, unit)
        if count or parts:
            parts.append((count, word))
    shown = [f"{count} {word}" for count, word in parts[:2] if count]
    return " ".join(shown) or "0 s"
