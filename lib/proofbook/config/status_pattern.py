"""Patterns of requests in logs: what was answered with a status, at a path. Beside regular expressions of text, they are what symptoms look for."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from proofbook.config.duckdb_text import literal

# Begins as no regular expression can, so that none is taken for it.
_WRITTEN = re.compile(r'\(\?http_status (\d{3})(?: to (\d{3}))?(?: at ("(?:[^"\\]|\\.)*"))?\)')


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusPattern:
    """Requests that were answered with a status from `least` to `most`. path: without its query, `*` for anything; empty: any path."""

    least: int
    most: int
    path: str = ""

    def __str__(self) -> str:
        """The pattern as one text, by which evidence names what was looked for.

        >>> str(StatusPattern(least=403, most=403, path="/ws"))
        '(?http_status 403 at "/ws")'
        """
        upto = f" to {self.most}" if self.most != self.least else ""
        return f"(?http_status {self.least}{upto}{f' at {json.dumps(self.path)}' if self.path else ''})"

    @property
    def of_path(self) -> str:
        """A regular expression for whole paths."""
        return "^" + ".*".join(map(literal, self.path.split("*"))) + "$" if self.path else ""

    @property
    def in_text(self) -> str:
        """A regular expression for lines that were not read and may tell of such a request."""
        first = r"\b[45]\d\d\b" if self.most != self.least else rf"\b{self.least}\b"
        path = ".*".join(map(literal, self.path.split("*")))
        return f"{path}.*{first}|{first}.*{path}" if path else first

    @property
    def of_any_refusal(self) -> StatusPattern:
        """The same requests, answered with any error."""
        return StatusPattern(least=400, most=599, path=self.path)


def of(text: str) -> StatusPattern | None:
    """The status pattern that a text names; None where it is a regular expression.

    >>> of('(?http_status 400 to 599 at "/ws")'), of("RecursionError")
    (StatusPattern(least=400, most=599, path='/ws'), None)
    """
    found = _WRITTEN.fullmatch(text)
    if found is None:
        return None
    least = int(found[1])
    return StatusPattern(
        least=least, most=int(found[2] or least), path=json.loads(found[3]) if found[3] else ""
    )
