"""Idle connections stay open as long as they must, still answer then, and have somebody at the other end."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pandas as pd

from proofbook.config.services import WebSocket
from proofbook.evidence.asked import ASKED, Asks, Reply
from proofbook.evidence.schema import WEBSOCKET
from proofbook.judge.check import Mutant, Recipe
from proofbook.judge.checks import asked_words, comparison
from proofbook.judge.checks.success_rate import MoreControls, Rows
from proofbook.judge.findings import Control, Exposure, Judgement, Method, Verdict
from proofbook.judge.view import InsufficientEvidence, View
from proofbook.protocol import CLOSED_WITHIN_S

# An intermediary that cuts by age is not exact to the millisecond.
_NEARLY = 0.95
# What ends an idle connection sooner is no rule of a proxy: none has one by default.
_SHORT_S = 30.0
# Ends that no server means: none at all, and those by which it says that something broke.
_FAULTS = (1002, 1006, 1007, 1011, 1014)
_OF_IDLENESS = re.compile(r"idle|inactiv|time|ping|keep.?alive|heartbeat", re.IGNORECASE)


def stays_open(socket: WebSocket, ok: Rows, *, held_s: float, max_connection_s: float | None) -> Recipe:
    """A recipe for "connections stay open".

    Args:
        ok: which rows of `websocket` went well. held_s: how long they must stay open; 0: nobody has said. max_connection_s: the
            age at which the platform ends every connection.
    """
    it = _Held(socket=socket, ok=ok, held_s=held_s, max_connection_s=max_connection_s)
    return Recipe(
        judge=it.judge,
        mutants=(
            Mutant(name="all ended at once", change=it.mutant({"close_code": 1006, "open_s": 0.01})),
            Mutant(name="all silent at the end", change=it.mutant({"reply": Reply.NONE.value})),
        ),
    )


def not_cut_short(
    socket: WebSocket, ok: Rows, *, held_s: float, max_connection_s: float | None
) -> MoreControls:
    """The comparability control of "connections are made": those that were held did not all break off soon.

    A close that speaks of idleness, or by a code of the application, is a rule of the server, and a figure beside the verdict.
    """
    it = _Held(socket=socket, ok=ok, held_s=held_s, max_connection_s=max_connection_s)

    def control(view: View) -> Sequence[Control]:
        rows = view.table(ASKED)
        rows = rows[it.mine(rows)] if rows is not None else pd.DataFrame()
        if rows.empty:
            return []
        open_ = rows[rows["let_in"].fillna(False).astype(bool)]
        broke = open_["close_code"].isin(_FAULTS).fillna(False).astype(bool) & (open_["open_s"] < _SHORT_S)
        broke &= ~open_["heard"].astype(str).str.contains(_OF_IDLENESS) & ~it.is_normal(open_)
        if open_.empty or not broke.all():
            return []
        return [
            Control(
                kind="comparability",
                name="idle connections",
                guards=("pass",),
                expected=f"open, or ended in a way that the server means, or after {_SHORT_S:g} s",
                got=_told(open_, open_[~broke], open_[broke], open_[:0]),
                held=False,
                code="idle-end",
            )
        ]

    return control


def heard_at_all(where: Rows) -> MoreControls:
    """The comparability control of connections on which nothing is waited for: somebody is at the other end.

    Whoever takes an upgrade and reads nothing says nothing either when the probe closes, which RFC 6455 wants to be answered.
    """

    def control(view: View) -> Sequence[Control]:
        rows = view.need("websocket")
        rows = rows[where(rows) & rows["upgraded"].astype(bool)]
        if rows.empty or "close_s" not in rows or rows["greeted"].notna().any() or rows["replied"].any():
            return []
        silent = ~rows["clean"].fillna(False).astype(bool) & (rows["close_s"] >= _NEARLY * CLOSED_WITHIN_S)
        if not silent.any():
            return []
        return [
            Control(
                kind="comparability",
                name="connections on which the server was heard, if only when they were closed",
                guards=("pass",),
                expected="some",
                got=f"{len(rows) - int(silent.sum()):,} of {len(rows):,}",
                held=not silent.all(),
                code="never-heard" if silent.all() else "",
            )
        ]

    return control


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    """The connections to one endpoint that were held."""

    socket: WebSocket
    ok: Rows
    held_s: float
    max_connection_s: float | None

    def mine(self, rows: pd.DataFrame) -> pd.Series:
        return (rows["endpoint"] == self.socket.name) & (rows["asks"] == Asks.HELD)

    def judge(self, view: View) -> Judgement:
        rows = view.need(ASKED)
        rows = rows[self.mine(rows)]
        open_ = rows[rows["let_in"].fillna(False).astype(bool)]
        if open_.empty:
            raise InsufficientEvidence(
                "no-samples", "no connection that was to be held was made", repair="see websocket-connection"
            )
        ended = open_[open_["close_code"].notna()]
        early = ended[~self.is_normal(ended)]
        stayed = open_[open_["close_code"].isna()]
        silent = stayed[~stayed["reply"].isin((Reply.AS_EXPECTED, Reply.NOT_ASKED))]
        verdict, reason = _verdict(
            count=len(open_),
            early=len(early),
            is_stated=self.held_s > 0,
            is_dead=bool(len(silent)) and self.is_proven(view, silent=len(silent), count=len(open_)),
            is_open=silent.empty and not (stayed["open_s"] < self.held_s).any(),
        )
        return Judgement(
            verdict=verdict,
            reason=reason,
            statement=_told(open_, stayed, ended, silent),
            method=Method(name="each stays open as long as it must, and answers then"),
            threshold=f"open for {self.held_s:g} s" if self.held_s else "open as long as it was held",
            exposure=Exposure(n=len(open_), unit="connections"),
            controls=(
                Control(
                    kind="liveness",
                    name="connections were held",
                    guards=("pass", "fail"),
                    expected="at least 1",
                    got=f"{len(open_)} for up to {open_['open_s'].max():.1f} s",
                    held=True,
                ),
            ),
            not_established=(f"whether they stay open for longer than {open_['open_s'].max():.0f} s",),
        )

    def is_normal(self, ended: pd.DataFrame) -> pd.Series:
        """Which ends the environment or the case allows."""
        normal = ended["close_code"].isin(self.socket.normal_close_codes or ())
        if self.held_s:
            normal |= ended["open_s"] >= self.held_s
        if self.max_connection_s is not None:
            normal |= ended["open_s"] >= _NEARLY * self.max_connection_s
        return normal.fillna(False).astype(bool)

    def is_proven(self, view: View, *, silent: int, count: int) -> bool:
        """Whether ordinary connections are answered more often than those that were held, by more than chance."""
        rows = view.table(WEBSOCKET)
        if rows is None:
            return False
        good = pd.Series(self.ok(rows[rows["endpoint"] == self.socket.name])).fillna(False).astype(bool)
        return comparison.fails_more((silent, count), (int((~good).sum()), len(good)), alpha=view.alpha_fail)

    def mutant(self, change: dict[str, object]) -> Callable[[View], View | None]:
        def changed(view: View) -> View | None:
            rows = view.need(ASKED)
            mine = self.mine(rows)
            if not mine.any() or ("reply" in change and (rows.loc[mine, "reply"] == Reply.NOT_ASKED).all()):
                return None
            new = {column: rows[column].mask(mine, value) for column, value in change.items()}
            return view.exchange(ASKED, rows.assign(**new))

        return changed


def _verdict(*, count: int, early: int, is_stated: bool, is_dead: bool, is_open: bool) -> tuple[Verdict, str]:
    """Verdict and reason: `early` of so many ended before their time; is_stated: somebody says how long they must live."""
    if early and not is_stated:
        # How long a connection may be idle is for the server to choose, unless somebody says otherwise.
        return Verdict.INCONCLUSIVE, "idle-end"
    if early == count or is_dead:
        return Verdict.FAIL, "held"
    return (Verdict.INCONCLUSIVE, "too-early") if early or not is_open else (Verdict.PASS, "")


def _told(rows: pd.DataFrame, stayed: pd.DataFrame, ended: pd.DataFrame, silent: pd.DataFrame) -> str:
    told = []
    if not stayed.empty:
        spoke = (stayed["reply"] != Reply.NOT_ASKED).any()
        answers = f", and {len(stayed) - len(silent)} of them answered then" if spoke else ""
        told.append(
            f"{len(stayed)} of {len(rows)} idle connections were open after {stayed['open_s'].min():.1f} s{answers}"
        )
    if not ended.empty:
        ages = sorted(ended["open_s"])
        span = (
            f"{ages[0]:.1f}" if f"{ages[0]:.1f}" == f"{ages[-1]:.1f}" else f"{ages[0]:.1f} to {ages[-1]:.1f}"
        )
        told.append(
            f"{len(ended)} of {len(rows)} idle connections were ended after {span} s, {asked_words.endings(ended)}"
        )
    return "; ".join(told)
