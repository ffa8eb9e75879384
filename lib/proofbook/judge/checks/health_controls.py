"""Controls of health: the page is of now."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from proofbook.evidence.page_times import means_now
from proofbook.evidence.schema import HEALTH
from proofbook.judge.checks.success_rate import MoreControls
from proofbook.judge.findings import Control
from proofbook.judge.view import View, stamp

# Of so many answers the first and the last quarter are compared.
_QUARTERS = 4


def written_now(service: str, *, most_s: float) -> MoreControls:
    """The comparability control of health: by the time that it names as its own, the page was not written long ago.

    A time that goes on between answers is that of a clock, whatever it shows. One that stands still counts where its name says
    that it is the time of the page, or where it went on before.
    """

    def control(view: View) -> Sequence[Control]:
        rows = _dated(view, service)
        if rows.empty:
            return []
        named = rows["dated_in"].map(means_now).astype(bool)
        if not named.any() and not _goes_on(rows):
            return []
        told = rows[named] if named.any() else rows
        old = told[told["dated_age_s"] > most_s]
        held = old.empty or _goes_on(old)
        got = f"{len(rows):,} answers, none of them too old"
        if not held:
            worst = old.loc[old["dated_age_s"].idxmax()]
            got = f"{worst['dated_in']} is {stamp(worst['dated'].floor('s'))}, {worst['dated_age_s']:,.0f} s before the answer, in {len(old):,} of {len(rows):,}"
        return [
            Control(
                kind="comparability",
                name="the time that the health page names as its own",
                guards=("pass",),
                expected=f"at most {most_s:g} s before the answer, or going on",
                got=got,
                held=bool(held),
                code="" if held else "stale-page",
            )
        ]

    return control


def _dated(view: View, service: str) -> pd.DataFrame:
    """The answers that name a time as their own, in order; older evidence holds none."""
    rows = view.table(HEALTH)
    if rows is None or "dated_age_s" not in rows:
        return pd.DataFrame()
    rows = rows[(rows["service"] == service) & (rows["kind"] == "health") & rows["dated_age_s"].notna()]
    return rows.sort_values("timestamp", kind="stable")


def _goes_on(rows: pd.DataFrame) -> bool:
    """Whether the time went on from the first answers to the last; instances that each stand still take turns, and do not."""
    each = max(1, len(rows) // _QUARTERS)
    first, last = rows["dated"].iloc[:each], rows["dated"].iloc[-each:]
    never_back = first.min() <= last.min() and first.max() <= last.max()
    return bool(never_back and (first.min() < last.min() or first.max() < last.max()))
