"""The code that a gesture stands for: what a brush or a click selects, as one would type it."""

from __future__ import annotations

import keyword
from collections.abc import Sequence

from proofbook.investigation.display import axis
from proofbook.investigation.moments import Span

# A value longer than this is not to be typed.
MOST_CHARS = 300


def between(span: Span, *, within: Span) -> str:
    """The call that selects a window.

    >>> import pandas as pd
    >>> at = [pd.Timestamp(f"2026-01-05T{hour}:00Z") for hour in ("08", "16")]
    >>> between((at[0], at[1]), within=(at[0], at[1]))
    '.between("08:00:00", "16:00:00")'
    """
    first, last = (axis.written(moment, within=within) for moment in span)
    return f'.between("{first}", "{last}")'


def where(name: str, value: str) -> str:
    """The call that selects a value of a name; without a name, a condition.

    >>> where("status", "500"), where("region", "eu"), where("labels.x-y", "1"), where("", "status>=500")
    ('.where(status=500)', '.where(region="eu")', '.where(fields={"labels.x-y": "1"})', '.where("status>=500")')
    """
    if not name:
        return f".where({quoted(value)})"
    if name == "status" and value.isascii() and value.isdigit():
        return f".where(status={value})"
    if name.isidentifier() and not keyword.iskeyword(name):
        return f".where({name}={quoted(value)})"
    return f".where(fields={{{quoted(name)}: {quoted(value)}}})"


def quoted(text: str) -> str:
    """A text as Python writes it, between double quotes; nothing in it ends the text or the line."""
    inside = repr("'" + text)[
        2:-1
    ]  # with a single quote in it, Python takes double quotes, unless there are both
    return f'"{inside}"' if '"' not in text else repr(text)


def chain(calls: Sequence[str], *, name: str = "look") -> str:
    """The calls one after another, on a look of that name."""
    return name + "".join(calls)
