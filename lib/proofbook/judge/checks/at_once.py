"""Connections that are open at once are answered as those are that are open alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pandas as pd

from proofbook.evidence.asked import ASKED, Asks
from proofbook.evidence.schema import WEBSOCKET
from proofbook.judge.check import Mutant, Recipe
from proofbook.judge.checks import asked_words, comparison
from proofbook.judge.checks.success_rate import Rows
from proofbook.judge.findings import Exposure, Judgement, Verdict
from proofbook.judge.view import InsufficientEvidence, View
from proofbook.protocol import FULL_CODES, FULL_STATUS, TURNED_DOWN_CODES

# An application may allow so many of a user, and say so by a code of its own.
_TURNED_AWAY = (*FULL_CODES, *TURNED_DOWN_CODES)


def served_at_once(endpoint: str, ok: Rows, *, normal: Sequence[int]) -> Recipe:
    """A recipe for "so many connections at once are each answered".

    Args:
        ok: which rows of `websocket` went well. normal: close codes that do not speak against a connection that was answered, as they
            do not where it is open alone.
    """
    it = _AtOnce(endpoint=endpoint, ok=ok, normal=tuple(normal))
    return Recipe(judge=it.judge, mutants=(Mutant(name="all but one are silent", change=it.silenced),))


@dataclass(frozen=True, slots=True, kw_only=True)
class _AtOnce:
    """The connections of one endpoint that were open at once, beside those that were not."""

    endpoint: str
    ok: Rows
    normal: tuple[int, ...]

    def mine(self, rows: pd.DataFrame) -> pd.Series:
        return (rows["endpoint"] == self.endpoint) & (rows["asks"] == Asks.AT_ONCE)

    def ordinary(self, view: View, alone: pd.DataFrame) -> tuple[int, int]:
        """How many ordinary connections went well, of how many."""
        rows = view.table(WEBSOCKET)
        well, count = int(comparison.well(alone, normal=self.normal).sum()), len(alone)
        if rows is None:
            return well, count
        good = pd.Series(self.ok(rows[rows["endpoint"] == self.endpoint])).fillna(False)
        return well + int(good.sum()), count + len(good)

    def judge(self, view: View) -> Judgement:
        rows = view.need(ASKED)
        rows = rows[self.mine(rows)]
        together, alone = rows[rows["at_once"] > 1], rows[rows["at_once"] == 1]
        if together.empty:
            raise InsufficientEvidence(
                "no-samples", "no connections were opened at once", repair="record the phase again"
            )
        good = comparison.well(together, normal=self.normal)
        full = together["http_status"].isin(FULL_STATUS) | together["close_code"].isin(_TURNED_AWAY)
        full = full.fillna(False).astype(bool) & ~good
        failed = together[~good & ~full]
        well, count = self.ordinary(view, alone)
        tried = len(together) - int(full.sum())
        is_proven = comparison.fails_more((len(failed), tried), (count - well, count), alpha=view.alpha_fail)
        at_once = int(together["at_once"].max())
        told = f"{int(good.sum()):,} of {len(together):,} connections open at once were answered"
        if not failed.empty:
            told += f", {asked_words.endings(failed)}, and {well:,} of {count:,} ordinary ones"
        elif full.any():
            told += f", the others were turned away as too many, {asked_words.endings(together[full])}"
        verdict, reason = _verdict(
            is_proven=is_proven, some_failed=not failed.empty, is_full=bool(full.any())
        )
        return Judgement(
            verdict=verdict,
            reason=reason,
            statement=told,
            method=comparison.method("those that are open at once beside ordinary ones", view=view),
            threshold="each answered",
            exposure=Exposure(n=len(together), unit="connections"),
            controls=(
                comparison.beside(
                    "ordinary connections", expected="answered", got=f"{well:,} of {count:,}", held=well > 0
                ),
            ),
            not_established=(f"whether more than {at_once:,} at once are answered",),
        )

    @property
    def silenced(self) -> Callable[[View], View | None]:
        def changed(view: View) -> View | None:
            rows = view.need(ASKED).copy()
            several = rows.index[self.mine(rows) & (rows["at_once"] > 1)]
            if len(several) < 2:
                return None
            rows.loc[several[1:], "let_in"] = False
            return view.exchange(ASKED, rows)

        return changed


def _verdict(*, is_proven: bool, some_failed: bool, is_full: bool) -> tuple[Verdict, str]:
    """The verdict with its reason, the worst first."""
    if is_proven:
        return Verdict.FAIL, "at-once"
    if some_failed:
        return Verdict.INCONCLUSIVE, "too-early"
    return (Verdict.INCONCLUSIVE, "too-many-at-once") if is_full else (Verdict.PASS, "")
