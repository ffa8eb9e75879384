"""The severity of a check: the chance that it does not pass where the defect that it is for is there, of a stated size.

Source: Mayo 2018; the probabilities are exact.
"""

from __future__ import annotations

import math

from scipy import special

from proofbook.stats import plans
from proofbook.stats.proportions import proportion
from proofbook.stats.sequential import Wald

# Of Wald's test, so many failures are followed: who passes with more has failed at its target for most of the way.
_MOST_FAILURES = 40


def of_tries(tries: int, *, rate: float, allowed: int = 0) -> float:
    """The chance that more than `allowed` of the tries fail, where each fails with that rate.

    >>> round(of_tries(5, rate=0.1), 2), round(of_tries(60, rate=0.05), 2)
    (0.41, 0.95)
    """
    return float(special.bdtrc(allowed, tries, rate)) if tries > allowed else 0.0


def of_share(count: int, *, most: float, confidence: float, rate: float | None = None) -> float:
    """The chance that the upper bound of a failing share lies above `most`, where the share is `rate` (`most` itself, unless stated).

    >>> of_share(300, most=0.01, confidence=0.95) == of_tries(300, rate=0.01), of_share(10, most=0.01, confidence=0.95)
    (True, 1.0)
    """
    allowed = allowed_failures(count, most=most, confidence=confidence)
    return 1.0 if allowed is None else of_tries(count, rate=most if rate is None else rate, allowed=allowed)


def allowed_failures(count: int, *, most: float, confidence: float) -> int | None:
    """With how many failures of so many the upper bound of the share lies at or under `most`; None: with none.

    >>> [allowed_failures(count, most=0.01, confidence=0.95) for count in (298, 299, 473)]
    [None, 0, 1]
    """
    low, high = -1, count
    while low < high:
        middle = (low + high + 1) // 2
        # As judges decide it, to the last digit.
        if proportion(count - middle, count, confidence=confidence).low >= 1 - most:
            low = middle
        else:
            high = middle - 1
    return low if low >= 0 else None


def of_plan(plan: plans.Plan) -> float:
    """The chance that a service which fails exactly as often as its target allows it not to passes at none of the looks.

    >>> round(of_plan(plans.plan_for(0.99)), 3)
    0.95
    """
    return 1 - plans.false_pass(plan.looks, rate=1 - plan.target)


def of_watch(test: Wald) -> float:
    """The chance that Wald's test never reaches a pass, however long it is asked, where the service fails at `bad`.

    >>> round(of_watch(Wald(good=0.001, bad=0.01)), 3)
    0.948
    """
    looks = tuple(
        (failures + test.more_clean_needed(failures=failures, count=failures), failures)
        for failures in range(_MOST_FAILURES)
    )
    return 1 - plans.false_pass(looks, rate=test.bad)


def of_silence(events: int, *, ratio: float, confidence: float = 0.95) -> float:
    """The chance of an event in `ratio` times the exposure in which so many were counted, by the lower bound of their rate.

    >>> round(of_silence(20, ratio=1.0), 5), round(of_silence(20, ratio=0.1), 2), of_silence(0, ratio=1.0)
    (1.0, 0.73, 0.0)
    """
    if events <= 0:
        return 0.0
    least = float(special.gammaincinv(events, 1 - confidence))
    return 1 - math.exp(-least * ratio)


def of_windows(loud: int, count: int, *, windows: int = 1, confidence: float = 0.95) -> float:
    """The chance that one of so many windows is loud, by the lower bound of how many were.

    >>> round(of_windows(5, 5, windows=5), 3), round(of_windows(24, 24), 3), of_windows(0, 24)
    (0.981, 0.883, 0.0)
    """
    if count <= 0:
        return 0.0
    return of_tries(windows, rate=proportion(loud, count, confidence=confidence).low)
