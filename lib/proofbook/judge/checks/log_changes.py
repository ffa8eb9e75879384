"""What became of each kind of message and exception between two spans of a log: new, gone, more or less."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from proofbook.judge.view import InsufficientEvidence
from proofbook.stats import events
from proofbook.stats.proportions import Floats

Counts: TypeAlias = NDArray[np.int64]

ERROR = 17
# A rate must change by half to be called more or less: with many entries any change is significant.
MIN_RATIO = 1.5
COLUMNS = ("change", "kind", "severity", "what", "before", "after", "ratio", "p", "first", "last", "revisions", "sample", "key")  # fmt: skip
_TITLES = ((21, "CRITICAL"), (17, "ERROR"), (13, "WARNING"), (9, "INFO"), (1, "DEBUG"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """Entries per key in one span: `entries`, `first`, `last`, `revisions`, and `squares`, which sums n² per second, from which the size of bursts follows.

    requests: those of the span. buckets: its seconds in which anything was written.
    """

    table: pd.DataFrame
    requests: int
    buckets: int


def compare(before: Counted, after: Counted, about: pd.DataFrame, *, alpha: float) -> pd.DataFrame:
    """Every kind with what became of it, the most telling first: the columns COLUMNS.

    Args:
        about: by key its kind, what, sample and severity_number. alpha: below which p is a change.
    Raises:
        InsufficientEvidence: nothing was written in one of the spans.
    """
    exposure = exposures(before, after)
    if min(exposure) <= 0:
        raise InsufficientEvidence(
            "no-evidence",
            "the log holds no entries from before"
            if exposure[0] <= 0
            else "the log holds no entries from after",
            repair="a log that reaches back to before the deployment",
        )
    names = sorted(set(before.table.index) | set(after.table.index))
    rows = about.reindex(pd.Index(names, name="key"))
    for which, table in (("before", before.table), ("after", after.table)):
        rows[which] = table["entries"].reindex(rows.index).fillna(0).astype("int64")
        rows[f"{which}_squares"] = table["squares"].reindex(rows.index).fillna(0).astype("int64")
    counts = rows["before"].to_numpy(), rows["after"].to_numpy()
    squares = (rows["before_squares"] + rows["after_squares"]).to_numpy()
    rows["p"] = events.holm(p_values(*counts, squares, exposure))
    rates = rows["before"] / exposure[0], rows["after"] / exposure[1]
    rows["ratio"] = rates[1] / rates[0].replace(0, np.nan)
    rows["change"] = [
        _change(*row, alpha)
        for row in zip(
            counts[0].tolist(), counts[1].tolist(), rows["p"].tolist(), rows["ratio"].tolist(), strict=True
        )
    ]
    seen = pd.concat([before.table, after.table]).groupby(level=0)
    rows["first"], rows["last"] = seen["first"].min(), seen["last"].max()
    rows["revisions"] = seen["revisions"].agg(lambda names: ", ".join(sorted({part for name in names for part in name.split(", ") if part})))  # fmt: skip
    rows["severity"] = [title(number) for number in rows["severity_number"]]
    return _ranked(rows)


def exposures(before: Counted, after: Counted) -> tuple[float, float]:
    """What rates are per: requests where both spans have any, else seconds in which anything was written."""
    if min(before.requests, after.requests) > 0:
        return float(before.requests), float(after.requests)
    return float(before.buckets), float(after.buckets)


def p_values(before: Counts, after: Counts, squares: Counts, exposure: tuple[float, float]) -> Floats:
    """Two-sided, by the exact conditional test; entries that come in bursts count as that many fewer."""
    total = np.maximum(before + after, 1)
    burst = np.maximum(squares / total, 1.0)
    first, second = (np.ceil(count / burst).astype(int) for count in (before, after))
    return events.rates_differ(first, second, share_after=exposure[1] / (exposure[0] + exposure[1]))


def title(number: float) -> str:
    """The name of a severity by its number; empty where there is none."""
    return next((name for least, name in _TITLES if number >= least), "")


def _change(before: int, after: int, p: float, ratio: float, alpha: float) -> str:
    if p < alpha:
        if before == 0:
            return "new"
        if after == 0:
            return "gone"
        if ratio >= MIN_RATIO:
            return "more"
        if ratio <= 1 / MIN_RATIO:
            return "less"
    return "unsure" if before == 0 or after == 0 else "same"


def _ranked(rows: pd.DataFrame) -> pd.DataFrame:
    """New before more before gone before less; exceptions and errors first; then the surest, then the most frequent."""
    order = {"new": 0, "more": 1, "gone": 2, "less": 3, "unsure": 4, "same": 5}
    weight = np.where(rows["kind"] == "exception", 0, np.where(rows["severity_number"] >= ERROR, 1, 2))
    ranked = rows.assign(
        _change=rows["change"].map(order), _weight=weight, _most=-(rows["before"] + rows["after"])
    )
    ranked = ranked.reset_index().sort_values(["_change", "_weight", "p", "_most", "key"], ignore_index=True)
    return ranked[list(COLUMNS)]
