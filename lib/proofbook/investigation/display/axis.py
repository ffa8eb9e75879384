"""One time axis in buckets of a length that reads well: seconds, minutes, hours, days."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from proofbook.investigation.moments import Span

MOST_BUCKETS = 400
_DAY_MS = 86_400_000
WIDTHS_MS = (
    1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 15_000, 30_000, 60_000, 120_000, 300_000, 600_000, 900_000,
    1_800_000, 3_600_000, 7_200_000, 10_800_000, 21_600_000, 43_200_000, _DAY_MS,
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """Buckets of `width_ms` from `first_ms` (since 1970) on."""

    first_ms: int
    width_ms: int
    buckets: int

    @property
    def bucket(self) -> str:
        """SQL for the bucket of an entry."""
        return f"((epoch_ms(timestamp) - {self.first_ms}) // {self.width_ms})"

    @property
    def width_s(self) -> float:
        """The length of a bucket."""
        return self.width_ms / 1000

    def at(self, bucket: float) -> pd.Timestamp:
        """When a bucket begins."""
        return pd.Timestamp(self.first_ms + round(bucket * self.width_ms), unit="ms", tz="UTC")

    def place(self, moment: pd.Timestamp) -> float:
        """Where a moment lies, in buckets."""
        return (moment.timestamp() * 1000 - self.first_ms) / self.width_ms


def over(span: Span) -> Axis:
    """The axis of a span, both ends on it.

    >>> day = (pd.Timestamp("2026-01-05T08:00:10Z"), pd.Timestamp("2026-01-05T13:59:59Z"))
    >>> over(day)
    Axis(first_ms=1767600000000, width_ms=60000, buckets=360)
    """
    begins, ends = (int(moment.timestamp() * 1000) for moment in span)
    width = next((width for width in WIDTHS_MS if _count(begins, ends, width) <= MOST_BUCKETS), 0)
    if not width:
        width = _DAY_MS * -(-(ends - begins) // (_DAY_MS * (MOST_BUCKETS - 1)))
    return Axis(first_ms=begins // width * width, width_ms=width, buckets=_count(begins, ends, width))


def _count(begins: int, ends: int, width: int) -> int:
    return ends // width - begins // width + 1


def written(moment: pd.Timestamp, *, within: Span) -> str:
    """A moment as `between` takes it: a time of day where the log lies within one.

    >>> day = (pd.Timestamp("2026-01-05T08:00:10Z"), pd.Timestamp("2026-01-05T13:59:59Z"))
    >>> written(pd.Timestamp("2026-01-05T09:00Z"), within=day), written(pd.Timestamp("2026-01-06T00:00Z"), within=day)
    ('09:00:00', '2026-01-06T00:00:00Z')
    """
    part = f"{moment.microsecond // 1000:03}".rstrip("0")
    clock = f"{moment:%H:%M:%S}{'.' + part if part else ''}"
    in_a_day = within[0].date() == within[1].date() == moment.date()
    return clock if in_a_day else f"{moment:%Y-%m-%d}T{clock}Z"
