"""Wald's sequential probability-ratio test."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Wald:
    """A sequential test of a failure rate: may be asked after every sample. Between `good` and `bad` lies the zone of indifference.

    alpha: the chance to pass a service that fails at `bad`. beta: the chance to fail one that fails at `good`.
    Source: Wald 1945.
    """

    good: float
    bad: float
    alpha: float = 0.05
    beta: float = 0.05

    @property
    def pass_above(self) -> float:
        return math.log((1 - self.beta) / self.alpha)

    @property
    def fail_below(self) -> float:
        return math.log(self.beta / (1 - self.alpha))

    def evidence(self, *, failures: int, count: int) -> float:
        """The log-likelihood ratio of `good` against `bad`."""
        return failures * math.log(self.good / self.bad) + (count - failures) * math.log(
            (1 - self.good) / (1 - self.bad)
        )

    def more_clean_needed(self, *, failures: int, count: int) -> int:
        """How many further samples without a failure reach the boundary of a pass.

        >>> Wald(good=0.001, bad=0.01).more_clean_needed(failures=0, count=0)
        326
        """
        missing = self.pass_above - self.evidence(failures=failures, count=count)
        return max(0, math.ceil(missing / math.log((1 - self.good) / (1 - self.bad))))
