"""Whether some tries fail more often than ordinary ones do that were made beside them: Fisher's exact test, and how it is named."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from proofbook.evidence.asked import Reply
from proofbook.judge.findings import Control, Method
from proofbook.judge.view import View
from proofbook.stats import proportions

# How many failed, of how many.
Failed = tuple[int, int]


def fails_more(some: Failed, ordinary: Failed, *, alpha: float) -> bool:
    """Whether some fail more often than ordinary ones, by more than chance; not where nothing ordinary went well."""
    if not some[0] or ordinary[0] == ordinary[1]:
        return False
    return proportions.fisher(before=some, after=ordinary) <= alpha


def method(compared: str, *, view: View) -> Method:
    """How it was compared. compared: what, beside what."""
    return Method(
        name=f"{compared}, Fisher's exact test",
        confidence=1 - view.alpha_fail,
        side="one-sided",
        null_hypothesis="they fail no more often",
        source="Fisher 1935",
    )


def beside(name: str, *, expected: str, got: str, held: bool) -> Control:
    """The control that what was asked beside it went well: where that fails too, it is another fault."""
    return Control(kind="positive", name=name, guards=("pass", "fail"), expected=expected, got=got, held=held)


def answered(rows: pd.DataFrame) -> pd.Series:
    """Which rows of `asked` were let in, and answered where they spoke."""
    let_in = rows["let_in"].fillna(False).astype(bool)
    return let_in & rows["reply"].isin((Reply.AS_EXPECTED, Reply.NOT_ASKED))


def well(rows: pd.DataFrame, *, normal: Sequence[int]) -> pd.Series:
    """Which rows of `asked` were let in, answered where they spoke, and left open or ended with a close code that is normal."""
    left = rows["close_code"].isna() | rows["close_code"].isin(list(normal)).fillna(False)
    return answered(rows) & left.astype(bool)
