"""Controls of what probes see: that they are turned away for what they did themselves, which no single user does.

A server may let one client have one connection, end an older one for a newer, or keep an address out that asks too often. It says
so by a status or a close code of its own, and it depends on our other connections: on those beside it, or on those before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from proofbook.evidence import stand_ins
from proofbook.evidence.asked import ASKED
from proofbook.evidence.schema import REFUSALS, SHADOW, WEBSOCKET
from proofbook.judge.checks import comparison
from proofbook.judge.checks.success_rate import MoreControls, Rows
from proofbook.judge.findings import Control
from proofbook.judge.view import View
from proofbook.protocol import FULL_CODES, FULL_STATUS, TURNED_DOWN_CODES

# Statuses by which a server, or a firewall before it, turns away one client and not a request.
_KEPT_OUT = (401, 403, 406, 418, 429, 451)
# By chance at most once in so many runs, though several ways of counting are tried.
_ALPHA = 1e-5
# A server knows of the end of a connection a little later than the probe, and of a beginning a little earlier: by how much depends
# on how busy both are.
_ABOUT_S = (0.0, 0.02, 0.05, 0.15)
# Of those that nothing of ours explains so many may fail all the same, and of the others so many must: clocks are not exact, and
# least of all on a busy machine.
_OTHERWISE, _MOSTLY = 0.1, 0.6
# From so many refusals on, after so many that came in, it is a turn and no chance.
_LEAST_AFTER, _LEAST_BEFORE = 10, 5


def turned_away(rows: pd.DataFrame) -> pd.Series:
    """Whether each was turned away by a status or a close code that says that it is not wanted, and not that anything is broken."""
    by_code = rows["close_code"].isin((*FULL_CODES, *TURNED_DOWN_CODES))
    status = rows["http_status"]
    return (by_code | (status.between(400, 499) & status.ne(404)) | status.isin(set(FULL_STATUS) - {503})).fillna(False).astype(bool)  # fmt: skip


def _perhaps_full(rows: pd.DataFrame) -> pd.Series:
    """Whether each was turned away, or met a 503, as some proxies say that a client has too many open; whether it was that, only its company tells."""
    return turned_away(rows) | rows["http_status"].isin(FULL_STATUS).fillna(False).astype(bool)


def beside_our_own(endpoint: str, where: Rows, ok: Rows) -> MoreControls:
    """The comparability control of "it fails": that one is turned away does not depend on our other connections that are open then."""

    def control(view: View) -> Sequence[Control]:
        rows = view.need(WEBSOCKET)
        rows = rows[where(rows)]
        good = _good(rows, ok)
        if good.all() or not _perhaps_full(rows[~good]).all():
            return []
        lives = _lives(view, endpoint, ok)
        # Who is turned away by a close was open for a moment, which may count with the server or not.
        told = next(
            (
                told
                for about_s in _about_s(rows)
                for counted in (lives, replace(lives, came_in=lives.came_in & ~lives.failed))
                for depends in (_depends_on_those_open, _depends_on_those_after)
                if (told := depends(counted, about_s))
            ),
            "",
        )
        if not told:
            return []
        return [
            Control(
                kind="comparability",
                name="connections of our own beside those that were turned away",
                guards=("fail",),
                expected="make no difference",
                got=told,
                held=False,
                code="too-many-at-once",
            )
        ]

    return control


def _about_s(rows: pd.DataFrame) -> tuple[float, ...]:
    """The allowances to try: those of a machine with time, and as long as upgrades take where they take longer."""
    took_s = float(rows["upgrade_s"].astype(float).quantile(0.9))
    slow = (took_s, 2 * took_s)
    return (*_ABOUT_S, *(about_s for about_s in slow if about_s > _ABOUT_S[-1]))


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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lives:
    """Connections of ours to an endpoint: when each was asked for, decided on, and open until; seconds of one clock. came_in: it was open at all. tells: it is of
    a probe, or of unmarked probes of which some are let in; who has a bad token, or is unmarked, may be turned away for that, and is only open.
    """

    asked: np.ndarray
    began: np.ndarray
    ended: np.ndarray
    came_in: np.ndarray
    failed: np.ndarray
    tells: np.ndarray


def _lives(view: View, endpoint: str, ok: Rows) -> _Lives:
    """All of ours that were recorded, those turned away and those let in; bad tokens count only as far as they were open."""
    parts = []
    for name in (WEBSOCKET, SHADOW, REFUSALS):
        rows = view.table(name)
        if rows is not None and len(rows := rows[rows["endpoint"] == endpoint]):
            parts.append(
                _of_probes(
                    rows, ok, tells=name is WEBSOCKET or (name is SHADOW and _good(rows, ok).nunique() == 2)
                )
            )
    asked = view.table(ASKED)
    if asked is not None and len(asked := asked[asked["endpoint"] == endpoint]):
        parts.append(_of_asked(asked))
    both = pd.concat(parts)
    both = both[both["came_in"] | both["failed"]]
    return _Lives(
        **{name: both[name].to_numpy() for name in ("asked", "began", "ended", "came_in", "failed", "tells")}
    )


def _of_probes(rows: pd.DataFrame, ok: Rows, *, tells: bool) -> pd.DataFrame:
    parts = rows[["tcp_s", "tls_s", "upgrade_s", "greeting_s", "reply_s", "dwell_s"]].astype(float)
    # When somebody was refused is not recorded; the server takes about as long to decide that as to let in.
    parts["upgrade_s"] = parts["upgrade_s"].fillna(parts["upgrade_s"].median())
    parts = parts.fillna(0)
    asked = _seconds(rows) + parts["tcp_s"] + parts["tls_s"]
    began = asked + parts["upgrade_s"]
    return pd.DataFrame(
        {
            "asked": asked,
            "began": began,
            "ended": began + parts[["greeting_s", "reply_s", "dwell_s"]].sum(axis=1),
            "came_in": rows["upgraded"].astype(bool),
            "failed": ~_good(rows, ok) & _perhaps_full(rows) & tells,
            "tells": tells,
        }
    )


def _of_asked(rows: pd.DataFrame) -> pd.DataFrame:
    began = _seconds(rows)
    return pd.DataFrame(
        {
            "asked": began,
            "began": began,
            "ended": began + rows["open_s"].astype(float).fillna(0),
            "came_in": rows["let_in"].fillna(False).astype(bool),
            "failed": _perhaps_full(rows),
            "tells": True,
        }
    )


def _seconds(rows: pd.DataFrame) -> pd.Series:
    return (rows["timestamp"] - pd.Timestamp(0, tz="UTC")).dt.total_seconds()


def _depends_on_those_open(lives: _Lives, about_s: float) -> str:
    """That connections are refused where so many others are open, and not where fewer are; empty where it is not so."""
    # Of those that came in and were thrown out later another rule speaks.
    counts = lives.tells & ~(lives.failed & lives.came_in)
    moments = lives.began[:, None]
    open_then = (lives.began < moments + about_s) & (lives.ended > moments - about_s) & lives.came_in
    np.fill_diagonal(open_then, False)
    beside = open_then.sum(axis=1)
    for count in range(1, int(beside.max(initial=0)) + 1):
        if told := _told(
            lives.failed[counts], (beside >= count)[counts], f"{count} or more of ours were open"
        ):
            return told
    return ""


def _depends_on_those_after(lives: _Lives, about_s: float) -> str:
    """That connections are ended where another is made, and not where none is; empty where it is not so."""
    # The same allowance for those that stayed: else what is short would look as if it had been ended.
    until = lives.ended + about_s
    # The server ends the older one when the newer is asked for, and on a busy machine its answer to that is read much later.
    after = (lives.began > lives.began[:, None]) & (lives.asked <= until[:, None]) & lives.came_in
    counts = lives.came_in & lives.tells
    return _told(lives.failed[counts], after.any(axis=1)[counts], "another of ours was made")


def _told(failed: np.ndarray, exposed: np.ndarray, when: str) -> str:
    """How many were turned away with others of ours and without, where that is the whole difference."""
    with_, without = failed[exposed], failed[~exposed]
    if not len(with_) or not len(without) or without.mean() > _OTHERWISE or with_.mean() < _MOSTLY:
        return ""
    some, others = (int(with_.sum()), len(with_)), (int(without.sum()), len(without))
    if not comparison.fails_more(some, others, alpha=_ALPHA):
        return ""
    return f"{some[0]:,} of {some[1]:,} turned away while {when}, {others[0]:,} of {others[1]:,} while not"
