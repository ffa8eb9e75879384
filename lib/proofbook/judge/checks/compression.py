"""Connections with permessage-deflate and without fare alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from proofbook.evidence.schema import SHADOW, WEBSOCKET
from proofbook.judge import failure_summary
from proofbook.judge.check import Mutant, Recipe
from proofbook.judge.checks import comparison
from proofbook.judge.checks.success_rate import Rows
from proofbook.judge.findings import Control, Exposure, Judgement, Verdict
from proofbook.judge.view import InsufficientEvidence, View
from proofbook.protocol import TokenKind


def works_both_ways(endpoint: str, ok: Rows) -> Recipe:
    """A recipe for "connections with permessage-deflate and without fare alike". ok: which rows of `websocket` went well."""
    it = _BothWays(endpoint=endpoint, ok=ok)
    return Recipe(judge=it.judge, mutants=(Mutant(name="all without it broken", change=it.broken),))


@dataclass(frozen=True, slots=True, kw_only=True)
class _BothWays:
    """The connections of one endpoint on which compression was agreed, and those that did not offer it."""

    endpoint: str
    ok: Rows

    def upgraded(self, view: View, name: str) -> pd.DataFrame:
        """Those that were upgraded: who is refused without an offer is a matter of who is let in."""
        rows = view.need(name)
        if "deflate" not in rows:
            raise InsufficientEvidence(
                "no-evidence",
                "it was recorded before compression was noted",
                repair="record the phase again",
            )
        return rows[(rows["endpoint"] == self.endpoint) & rows["upgraded"].astype(bool)]

    def judge(self, view: View) -> Judgement:
        probes, unmarked = (self.upgraded(view, table.name) for table in (WEBSOCKET, SHADOW))
        plain = unmarked[unmarked["token_kind"] == TokenKind.UNCOMPRESSED]
        others = unmarked[unmarked["token_kind"] != TokenKind.UNCOMPRESSED]
        agreed = pd.concat([_agreed(probes), _agreed(others)])
        if plain.empty:
            raise InsufficientEvidence(
                "no-samples",
                f"{self.endpoint} upgraded no connection that offers no compression",
                repair="see websocket-connection",
            )
        without, with_it = self.failures(plain), self.failures(agreed)
        # Beside those that send what it sends, and offer compression.
        worse_without = comparison.fails_more(without, self.failures(others), alpha=view.alpha_fail)
        worse_with = comparison.fails_more(with_it, without, alpha=view.alpha_fail)
        verdict, reason = (
            (Verdict.FAIL, "compression")
            if worse_without or worse_with
            else (Verdict.INCONCLUSIVE, "too-early")
            if without[0]
            else (Verdict.PASS, "")
        )
        return Judgement(
            verdict=verdict,
            reason=reason,
            statement=self.in_words(agreed, plain),
            method=comparison.method("connections of the same make with and without it", view=view),
            threshold="neither way worse",
            exposure=Exposure(n=len(agreed) + len(plain), unit="connections"),
            controls=(
                Control(
                    kind="liveness",
                    name="connections of one way or the other that went well",
                    guards=("pass", "fail"),
                    expected="at least 1",
                    got=f"{with_it[1] - with_it[0]:,} with it, {without[1] - without[0]:,} without",
                    held=with_it[1] - with_it[0] + without[1] - without[0] > 0,
                ),
            ),
        )

    def failures(self, rows: pd.DataFrame) -> comparison.Failed:
        """How many did not go well, of how many."""
        good = pd.Series(self.ok(rows)).fillna(False).astype(bool)
        return int((~good).sum()), len(good)

    def in_words(self, agreed: pd.DataFrame, plain: pd.DataFrame) -> str:
        """How many of each way went well, and how the others ended."""
        told = [self._told(plain, "without permessage-deflate")]
        if agreed.empty:
            return f"{told[0]}; the server agrees to none with it"
        return f"{self._told(agreed, 'with permessage-deflate')}; {told[0]}"

    def _told(self, rows: pd.DataFrame, way: str) -> str:
        good = pd.Series(self.ok(rows)).fillna(False).astype(bool)
        ended = "" if good.all() else f", {failure_summary.in_words(rows[~good])}"
        return f"{int(good.sum()):,} of {len(good):,} connections {way} went well{ended}"

    @property
    def broken(self) -> Callable[[View], View | None]:
        def changed(view: View) -> View:
            rows = view.need(SHADOW).copy()
            plain = (rows["endpoint"] == self.endpoint) & (rows["token_kind"] == TokenKind.UNCOMPRESSED)
            rows.loc[plain, "greeted"] = False
            rows.loc[plain, "reply_ok"] = False
            return view.exchange(SHADOW, rows)

        return changed


def _agreed(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[rows["deflate"].fillna(False).astype(bool)]
