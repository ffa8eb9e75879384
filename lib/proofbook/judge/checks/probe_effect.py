"""Controls of what probes see: that they are turned away for what they did themselves, which no single user does.

A server may let one client have one connection, end an older one for a newer, or keep an address out that asks too often. It says
so by a status or a close code of its own, and it depends on our other connections: on those beside it, or on those before.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from proofbook import connections
from proofbook.config.services import WebSocket
from proofbook.evidence import stand_ins
from proofbook.evidence.asked import ASKED, Asks
from proofbook.evidence.schema import WEBSOCKET
from proofbook.judge.checks import comparison
from proofbook.judge.checks.success_rate import MoreControls, Rows
from proofbook.judge.findings import Control
from proofbook.judge.view import View

# Statuses by which a server, or a firewall before it, turns away one client and not a request.
_KEPT_OUT = (401, 403, 406, 418, 429, 451)
# Of one way of counting; a server that refuses by chance would also have to spare nearly all that are alone.
_ALPHA = 0.005
# Of those that nothing of ours explains so many may fail all the same, and of the others so many must: a server may notice late that
# a connection is over.
_OTHERWISE, _MOSTLY = 0.1, 0.6
# From so many refusals on, after so many that came in, it is a turn and no chance.
_LEAST_AFTER, _LEAST_BEFORE = 10, 5


def beside_our_own(socket: WebSocket, where: Rows, ok: Rows) -> MoreControls:
    """The comparability control of "it fails": that one is turned away does not depend on our other connections that are open then.

    However it is turned away, where the address names one client for all of ours; else by name.
    """
    named = connections.client_named_by(socket)

    def control(view: View) -> Sequence[Control]:
        rows = view.need(WEBSOCKET)
        rows = rows[where(rows)]
        good = _good(rows, ok)
        asked = view.table(ASKED)
        by_name = connections.perhaps_full(rows[~good]).all()
        if good.all() or asked is None or not (named or by_name):
            return []
        asked = asked[(asked["endpoint"] == socket.name) & (asked["asks"] == Asks.IN_TURN)]
        told = _depends_on_others(
            asked.sort_values("timestamp", kind="stable"), connections.normal_codes(socket)
        )
        if not told:
            return []
        return [
            Control(
                kind="comparability",
                name=f"connections of our own{f' with the same {named} in the address' if named else ''}, beside those that were rejected",
                guards=("fail",),
                expected="make no difference",
                got=told,
                held=False,
                code="same-client" if named else "too-many-at-once",
            )
        ]

    return control


def not_challenged(where: Rows, ok: Rows) -> MoreControls:
    """The comparability control of "it fails": upgrades are not answered with a page that wants to know whether a person asks."""

    def control(view: View) -> Sequence[Control]:
        rows = view.need(WEBSOCKET)
        rows = rows[where(rows)]
        failed = rows[~_good(rows, ok)]
        asked = (
            failed["http_body"].astype(str).map(lambda body: stand_ins.is_challenge(stand_ins.named_in(body)))
        )
        if failed.empty or not asked.all():
            return []
        return [
            Control(
                kind="comparability",
                name="answers that want to know whether a person asks",
                guards=("fail",),
                expected="none",
                got=f"{len(failed):,} of {len(rows):,}",
                held=False,
                code="challenged",
            )
        ]

    return control


def not_kept_out(where: Rows, ok: Rows, *, table: str = "websocket") -> MoreControls:
    """The comparability control of "it fails": we are not kept out from one moment on, having come in until then.

    A firewall that has seen enough of one address does that, and so does a token that ends.
    """

    def control(view: View) -> Sequence[Control]:
        rows = view.need(table)
        rows = rows[where(rows)].sort_values("timestamp", kind="stable")
        good = _good(rows, ok).to_numpy()
        status = rows.iloc[-1][_status_of(rows)] if len(rows) else pd.NA
        if not good.any() or good.all() or good[-1]:
            return []
        last = int(np.flatnonzero(good)[-1])
        after, before = len(good) - 1 - last, int(good.sum())
        failed = rows[~good]
        # An upgrade that is answered as a page is not made either.
        told = (*_KEPT_OUT, 200) if table == WEBSOCKET.name else _KEPT_OUT
        kept_out = bool(failed[_status_of(rows)].isin(told).fillna(False).all())
        # Those that were under way at that moment are among the last that came in.
        mixed = int((~good[: last + 1]).sum())
        if not kept_out or after < _LEAST_AFTER or before < _LEAST_BEFORE or mixed > _OTHERWISE * len(good):
            return []
        return [
            Control(
                kind="comparability",
                name="from one moment on every request was refused",
                guards=("fail",),
                expected="refusals among those that are let in",
                got=f"{before:,} let in first, then {after:,} refused with HTTP {status}, one after the other",
                held=False,
                code="kept-out",
            )
        ]

    return control


def _status_of(rows: pd.DataFrame) -> str:
    return "http_status" if "http_status" in rows else "status"


def _good(rows: pd.DataFrame, ok: Rows) -> pd.Series:
    return pd.Series(ok(rows), index=rows.index).fillna(False).astype(bool)


def _depends_on_others(rows: pd.DataFrame, normal: Sequence[int]) -> str:
    """That connections are rejected where others of ours are open, or made after them, and not where none is; empty where it is not so."""
    if rows.empty:
        return ""
    well = comparison.well(rows, normal=normal)
    turn = (rows["connection"] == 0).cumsum()
    came_in = rows["let_in"].fillna(False).astype(bool)
    before = _before(well, turn).to_numpy()
    after = _before(came_in[::-1], turn[::-1])[::-1].to_numpy()
    failed = ~well.to_numpy()
    # The allowance that fits best.
    counts = sorted(range(1, int(before.max()) + 1), key=lambda count: _differ(failed, before >= count))
    for count in reversed(counts):
        if told := _told(failed, before >= count, f"{count} or more of ours were open"):
            return told
    # Whom a later one is to have ended came in.
    stood = came_in.to_numpy()
    return _told(failed[stood], after[stood] > 0, "another of ours was made")


def _differ(failed: np.ndarray, exposed: np.ndarray) -> float:
    """By how much the shares of those that failed differ."""
    return float(failed[exposed].mean() - failed[~exposed].mean())


def _before(counted: pd.Series, turn: pd.Series) -> pd.Series:
    """How many are counted before each one, of its turn."""
    return counted.astype(int).groupby(turn).cumsum() - counted.astype(int)


def _told(failed: np.ndarray, exposed: np.ndarray, when: str) -> str:
    """How many were rejected with others of ours and without, where that is the whole difference."""
    with_, without = failed[exposed], failed[~exposed]
    if not len(with_) or not len(without) or without.mean() > _OTHERWISE or with_.mean() < _MOSTLY:
        return ""
    some, others = (int(with_.sum()), len(with_)), (int(without.sum()), len(without))
    if not comparison.fails_more(some, others, alpha=_ALPHA):
        return ""
    return f"{some[0]:,} of {some[1]:,} rejected while {when}, {others[0]:,} of {others[1]:,} while not"
