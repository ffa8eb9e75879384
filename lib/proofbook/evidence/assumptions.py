"""What the reader of a log took to be true because no line says it: as values, as the text of a column, and in words."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumption:
    """One thing that was assumed. written: what stands in the log; taken: what it was taken for.

    >>> Assumption(about="date", written="03/04/2026 10:00:00", taken="2026-04-03").in_words
    '03/04/2026 10:00:00 is 2026-04-03, since no line shows the order of day and month'
    """

    about: Literal["date", "hour", "level", "year"]
    written: str
    taken: str

    @property
    def in_words(self) -> str:
        match self.about:
            case "date":
                return f"{self.written} is {self.taken}, since no line shows the order of day and month"
            case "hour":
                return f"the hour from {self.written} on, which comes twice: {self.taken}, since no line shows the clock going back"
            case "level":
                return f"severity {self.written} is {self.taken}, since nothing says what its numbers mean"
            case "year":
                return f"the year {self.taken}, which no line names"


def as_text(assumptions: Iterable[Assumption]) -> str:
    """The assumptions as JSON; empty without any."""
    rows = [asdict(item) for item in assumptions]
    return json.dumps(rows, ensure_ascii=False) if rows else ""


def of_text(text: str) -> tuple[Assumption, ...]:
    """The assumptions that `as_text` wrote.

    >>> of_text(as_text([Assumption(about="year", written="", taken="2026")]))[0].taken
    '2026'
    """
    return tuple(Assumption(**row) for row in json.loads(text)) if text else ()
