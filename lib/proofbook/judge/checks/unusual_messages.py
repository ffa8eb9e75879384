"""Messages of other lengths and characters than ordinary ones: they are answered, or refused by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from proofbook.evidence.asked import ASKED, Asks, Reply
from proofbook.judge.check import Mutant, Recipe
from proofbook.judge.checks import asked_words, comparison
from proofbook.judge.findings import Control, Exposure, Judgement, Needed, Verdict
from proofbook.judge.view import InsufficientEvidence, View
from proofbook.protocol import TURNED_DOWN_CODES

# By these it ends a connection without saying that anything went wrong.
_POLITE = (1000, 1001, 1003)


def answered(endpoint: str, asks: Asks) -> Recipe:
    """A recipe for "messages of other lengths, or of other characters, are answered as ordinary ones are"."""
    it = _Answered(endpoint=endpoint, asks=asks)
    return Recipe(
        judge=it.judge,
        mutants=(
            Mutant(name="no answer to the last of them", change=it.mutant({"reply": Reply.NONE.value})),
            Mutant(
                name="the last of them altered",
                change=it.mutant({"reply": Reply.ALTERED.value, "echoed": False}),
            ),
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cell:
    """Tries of one message, made in one way, beside ordinary messages in the same way."""

    name: str
    offered: bool
    rows: pd.DataFrame
    ordinary: pd.DataFrame

    @property
    def good(self) -> pd.Series:
        return self.rows["reply"] == Reply.AS_EXPECTED

    @property
    def well(self) -> tuple[int, int]:
        """How many of the ordinary messages were answered, of how many."""
        return int((self.ordinary["reply"] == Reply.AS_EXPECTED).sum()), len(self.ordinary)

    @property
    def refused(self) -> bool:
        """Whether the server said by a code that it will not have it; who is still sending may not hear that each time."""
        return bool(
            not self.good.any() and self.rows["close_code"].isin(TURNED_DOWN_CODES).fillna(False).any()
        )

    @property
    def in_own_words(self) -> bool:
        """Whether it was answered by something that carries nothing of ours, or by a goodbye."""
        polite = self.rows["close_code"].isin(_POLITE).fillna(False).astype(bool)
        own = (self.rows["reply"] == Reply.OTHER) | polite
        return bool(not self.good.any() and own.any())

    @property
    def failures(self) -> int:
        return 0 if self.refused or self.in_own_words else int((~self.good).sum())

    def is_proven(self, *, alpha: float) -> bool:
        """Whether ordinary messages in the same way fare better, by more than chance."""
        well, count = self.well
        return comparison.fails_more((self.failures, len(self.rows)), (count - well, count), alpha=alpha)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answered:
    """The rows of one endpoint that ask for lengths, or for characters."""

    endpoint: str
    asks: Asks

    def mine(self, rows: pd.DataFrame) -> pd.Series:
        return (rows["endpoint"] == self.endpoint) & (rows["asks"] == self.asks)

    def cells(self, view: View) -> list[_Cell]:
        rows = view.need(ASKED)
        here, ordinary = (
            rows[self.mine(rows)],
            rows[(rows["endpoint"] == self.endpoint) & (rows["asks"] == Asks.ORDINARY)],
        )
        if here.empty:
            raise InsufficientEvidence(
                "no-samples",
                f"no ordinary message to {self.endpoint} was answered, so none of {self._them()} was sent",
                repair="see why ordinary messages are not answered",
            )
        return [
            _Cell(name=str(name), offered=bool(offered), rows=part, ordinary=ordinary[ordinary["offered"] == offered])
            for (name, offered), part in here.groupby(["detail", "offered"], sort=False)
        ]  # fmt: skip

    def _them(self) -> str:
        return "another length" if self.asks is Asks.SIZE else "other characters"

    def judge(self, view: View) -> Judgement:
        cells = self.cells(view)
        proven = [cell for cell in cells if cell.is_proven(alpha=view.alpha_fail)]
        open_ = [cell for cell in cells if cell.failures]
        own = [cell for cell in cells if cell.in_own_words or (cell.refused and self.asks is not Asks.SIZE)]
        unseen = [] if self.asks is Asks.SIZE else [cell for cell in cells if not _echoed(cell)]
        if proven:
            verdict, reason, told = Verdict.FAIL, "unusual-message", self._failed(proven, cells)
        elif open_:
            verdict, reason, told = Verdict.INCONCLUSIVE, "too-early", self._failed(open_, cells)
        elif own:
            verdict, reason, told = Verdict.INCONCLUSIVE, "own-words", self._failed(own, cells)
        elif unseen:
            verdict, reason = Verdict.INCONCLUSIVE, "not-echoed"
            told = f"{_number(cells)} messages were answered, and no reply carries our text back, so whether it is kept does not show"
        else:
            verdict, reason, told = Verdict.PASS, "", self._passed(cells)
        return Judgement(
            verdict=verdict,
            reason=reason,
            statement=told,
            method=comparison.method(
                "each length or kind of character beside ordinary messages in the same way", view=view
            ),
            threshold="answered, or refused by name" if self.asks is Asks.SIZE else "answered and kept",
            exposure=Exposure(n=sum(len(cell.rows) for cell in cells), unit="messages"),
            controls=self._controls(cells),
            needed=Needed(what="ask again; see whether it is so each time")
            if reason == "too-early"
            else None,
            not_established=(f"whether longer messages than {_longest(cells):,} bytes are answered",)
            if self.asks is Asks.SIZE
            else (),
        )

    def _controls(self, cells: Sequence[_Cell]) -> tuple[Control, ...]:
        """Ordinary messages are answered in the same way: else nothing is said of others."""
        well = sum(cell.well[0] for cell in _one_of_each_way(cells))
        count = sum(cell.well[1] for cell in _one_of_each_way(cells))
        got = f"{well:,} of {count:,}"
        return (
            comparison.beside(
                "ordinary messages on the same connections", expected="answered", got=got, held=well > 0
            ),
        )

    def _passed(self, cells: Sequence[_Cell]) -> str:
        if self.asks is not Asks.SIZE:
            kinds = list(dict.fromkeys(cell.name for cell in cells))
            return f"{_number(cells)} messages with characters of {', '.join(kinds)} in UTF-8 were answered and kept{_ways(cells)}"
        refused = [cell for cell in cells if cell.refused]
        good = [int(cell.rows.loc[cell.good, "bytes"].max()) for cell in cells if cell.good.any()]
        up_to = (
            f"messages of up to {max(good):,} bytes were answered"
            if good
            else "ordinary messages were answered"
        )
        if not refused:
            return f"{up_to}{_ways(cells)}"
        smallest = min(int(cell.rows["bytes"].min()) for cell in refused)
        return f"{up_to}, and those of {smallest:,} and more were refused with {_codes(refused)}, which is a limit"

    def _failed(self, failed: Sequence[_Cell], cells: Sequence[_Cell]) -> str:
        """What was not answered, in which way, how it ended, and what was answered."""
        told = []
        for cell in failed:
            what = (
                f"messages of {int(cell.rows['bytes'].max()):,} bytes"
                if self.asks is Asks.SIZE
                else f"messages with characters of {cell.name} in UTF-8"
            )
            well, count = cell.well
            told.append(
                f"{int(cell.good.sum())} of {len(cell.rows)} {what} were answered{_way(cell, cells)}, {asked_words.endings(cell.rows[~cell.good])}, and {well} of {count} ordinary ones"
            )
        return "; ".join(told)

    def mutant(self, change: Mapping[str, Any]) -> Callable[[View], View | None]:
        def changed(view: View) -> View | None:
            rows = view.need(ASKED).copy()
            last = rows.index[self.mine(rows) & (rows["reply"] == Reply.AS_EXPECTED)][-1:]
            if not len(last):
                return None
            for column, value in change.items():
                rows.loc[last, column] = value
            return view.exchange(ASKED, rows)

        return changed


def _echoed(cell: _Cell) -> bool:
    return bool(cell.rows.loc[cell.good, "echoed"].fillna(False).astype(bool).all())


def _one_of_each_way(cells: Sequence[_Cell]) -> list[_Cell]:
    return list({cell.offered: cell for cell in cells}.values())


def _number(cells: Sequence[_Cell]) -> str:
    return f"{sum(int(cell.good.sum()) for cell in cells):,}"


def _longest(cells: Sequence[_Cell]) -> int:
    return max(int(cell.rows["bytes"].max()) for cell in cells)


def _codes(cells: Sequence[_Cell]) -> str:
    codes = {
        int(code) for cell in cells for code in cell.rows["close_code"].dropna() if code in TURNED_DOWN_CODES
    }
    return ", ".join(str(code) for code in sorted(codes))


def _ways(cells: Sequence[_Cell]) -> str:
    """With and without compression, where both were tried."""
    return ", with and without permessage-deflate" if len(_one_of_each_way(cells)) > 1 else ""


def _way(cell: _Cell, cells: Sequence[_Cell]) -> str:
    if not cell.rows["deflate"].fillna(False).any() and len(_one_of_each_way(cells)) == 1:
        return ""
    return f" {'with' if cell.offered else 'without'} permessage-deflate"
