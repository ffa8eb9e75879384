"""What is under-represented among some units against others, and how often that little is when nothing is wrong.

The same as what is over-represented, told from the other side: a value that others have and these hardly. It is calibrated by itself, by the
same quiet windows.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from proofbook.investigation.columns import Numbers
from proofbook.investigation.contrast import (
    LEAST_SCALE,
    SCALE_QUANTILE,
    Contrast,
    Counts,
    Suspect,
)
from proofbook.investigation.tested import LEAST, LEAST_POOL, MIN_HOLDS, MIN_RATIO, Tested
from proofbook.stats.hypergeometric import tails


def missing(counted: Mapping[str, Counts], *, called: tuple[Suspect, ...] = ()) -> tuple[Suspect, ...]:
    """The values that selected units of window 0 have less often than the others of it, the least usual first.

    called: suspects by what is over-represented: where more are of one value, fewer are of the others of its field, which says nothing more.
    """
    strengths = {name: lacks(counts) for name, counts in counted.items()}
    best = {name: values.max(axis=1, initial=0.0) for name, values in strengths.items()}
    scales: dict[tuple[str, ...], float] = {
        (name,): max(LEAST_SCALE, float(np.quantile(values, SCALE_QUANTILE))) for name, values in best.items()
    }
    if not best:
        return ()
    scored = np.max([values / scales[(name,)] for name, values in best.items()], axis=0)
    found = Contrast(suspects=(), best=scored[1:], scales=scales)
    named = {name for item in called for name in item.tested.names}
    suspects = [
        found.judged(_tested(name, value, counted[name], values))
        for name, values in strengths.items()
        if name not in named
        for value in np.flatnonzero(values[0]).tolist()
    ]
    return tuple(sorted(suspects, key=lambda item: (-item.score, -item.tested.strength, item.tested.parts)))


def lacks(counts: Counts) -> Numbers:
    """−log10 p that so few selected units have a value, by window and value: against the others, and against what is selected in other windows; 0 of what is not of interest."""
    x, y, of_x, of_y = counts.selected, counts.others, counts.of_selected[:, None], counts.of_others[:, None]
    against = tails(y, of=of_x + of_y, having=x + y, size=of_y)
    pool, of_pool = x.sum(axis=0) - x, of_x.sum() - of_x
    usual = tails(pool, of=of_x + of_pool, having=x + pool, size=of_pool)
    found = np.where(of_pool >= LEAST_POOL, np.minimum(against, usual), against)
    share, of_these = y / np.maximum(of_y, 1), np.maximum(x, 0.5) / np.maximum(of_x, 1)
    is_telling = (y >= LEAST) & (share >= MIN_HOLDS) & (share >= MIN_RATIO * of_these) & (of_x >= LEAST)
    return np.where(is_telling, found, 0.0)


def _tested(name: str, value: int, counts: Counts, strengths: Numbers) -> Tested:
    return Tested(
        parts=((name, value),),
        selected=int(counts.selected[0, value]), others=int(counts.others[0, value]),
        of_selected=int(counts.of_selected[0]), of_others=int(counts.of_others[0]), strength=float(strengths[0, value]),
    )  # fmt: skip
