"""How something lies over time in a few words: a burst, or again and again; first and last alone look alike for both."""

from __future__ import annotations

import numpy as np

from proofbook.investigation.columns import Numbers

# Fewer have no rhythm. Pauses that differ by less than this beside their mean are regular.
LEAST, REGULAR = 5, 0.25
# A burst holds so many of them, in a time this short beside the whole.
MOST_OF_THEM, SHORT = 0.8, 0.25


def of(at_s: Numbers, *, length_s: float) -> str:
    """The rhythm of moments in the order of time, in a log of that length; empty where there is none to speak of.

    >>> of(np.arange(6) * 121.0, length_s=900), of(np.array([0.0, 1, 2, 4, 5, 8, 600]), length_s=900), of(np.array([0.0, 60.0]), length_s=900)
    ('every 2 min', '6 of 7 within 8 s', '')
    >>> of(np.array([0.0, 1, 2, 4, 5, 100]), length_s=900), of(np.array([0.0, 100, 110, 400, 500, 900]), length_s=900)
    ('5 of 6 within 5 s', '')
    """
    n = len(at_s)
    if n < LEAST or at_s[-1] <= at_s[0]:
        return ""
    pauses = np.diff(at_s)
    if float(pauses.std()) < REGULAR * float(pauses.mean()):
        return f"every {_short(float(np.median(pauses)))}"
    held = int(np.ceil(MOST_OF_THEM * n))
    spans = at_s[held - 1 :] - at_s[: n - held + 1]
    first = int(spans.argmin())
    if float(spans[first]) > SHORT * length_s:
        return ""
    # As many as the same time holds without growing by more than a tenth.
    within = int(np.searchsorted(at_s, at_s[first] + 1.1 * float(spans[first]), side="right")) - first
    share = "all" if within == n else f"{within:,} of {n:,}"
    return f"{share} within {_short(float(at_s[first + within - 1] - at_s[first]))}"


def _short(seconds: float) -> str:
    for size, unit, most in ((1, "s", 90), (60, "min", 90 * 60), (3600, "h", 72 * 3600)):
        if seconds <= most:
            return f"{max(seconds / size, 1):.0f} {unit}"
    return f"{seconds / 86400:.0f} days"
