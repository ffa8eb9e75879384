"""Whether anybody was ever let in: what failing tries to connect are worth."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pandas as pd

from proofbook.judge.checks.access import refused_by_name
from proofbook.judge.findings import Control
from proofbook.judge.view import View
from proofbook.protocol import TokenKind

# How an address without a WebSocket answers an upgrade: as a page, by sending elsewhere, or not found.
NOT_THERE = (*range(200, 400), 404, 410)
# There is one, and it did not see that an upgrade was asked for.
UPGRADE_LOST = 426


def credentials_proven(
    endpoint: str, *, shows_token: bool, issues_tokens: bool
) -> Callable[[View], Sequence[Control]]:
    """The positive control of "nobody comes in": somebody once did, at this address and with this token.

    Without it, who is refused by name may have shown a wrong token, and who gets the answer of an address without a
    WebSocket may have the wrong address. What neither explains (silence, 5xx, a crash) needs no such control.

    Args:
        shows_token: whether the environment names a token.
        issues_tokens: whether a login issues it, so that it is a good one.
    """

    def control(view: View) -> Sequence[Control]:
        rows, tried = _at(endpoint, view, "websocket"), _at(endpoint, view, "refusals")
        came_in = sum(
            view.once(_number_in, endpoint, name, phase)
            for name, phase in (
                ("websocket", "after"),
                ("refusals", "after"),
                ("shadow", "after"),
                ("websocket", "before"),
            )
        )
        answers = set(rows["http_status"].dropna())
        unknown = tried.loc[tried["token_kind"] == TokenKind.AT_UNKNOWN_PATH, "http_status"]
        alike = len(answers) == 1 and answers == set(unknown.dropna()) and answers != {UPGRADE_LOST}
        too = ", and a path that must not exist is answered alike" if alike else ""
        refused, code = bool(refused_by_name(rows).all()), ""
        nowhere = rows["http_status"].isin(NOT_THERE) | (alike & (rows["http_status"] < 500))
        wrong_address = alike if refused else bool(nowhere.fillna(False).all())
        if came_in:
            got = f"{came_in:,} connections"
        elif refused and not shows_token:
            got, code = "nobody, and the environment names no token", "no-token"
        elif refused and not issues_tokens:
            got, code = f"nobody{too}", "token-unproven"
        elif wrong_address:
            got, code = f"nobody{too or ', as where no WebSocket is'}", "no-endpoint"
        else:
            got = "nobody, which neither a wrong token nor a wrong address explains"
        return [
            Control(
                kind="positive",
                name="who was let in, now or before",
                guards=("fail",),
                expected="at least one, unless the answers have another cause",
                got=got,
                held=not code,
                code=code,
            )
        ]

    return control


def _at(endpoint: str, view: View, name: str, phase: str = "after") -> pd.DataFrame:
    return view.once(_rows_at, endpoint, name, phase)


def _rows_at(view: View, endpoint: str, name: str, phase: str) -> pd.DataFrame:
    rows = view.table(name, phase)
    if rows is None:
        return pd.DataFrame(columns=["token_kind", "upgraded", "http_status", "close_code"])
    return rows[rows["endpoint"] == endpoint]


def _number_in(view: View, endpoint: str, name: str, phase: str) -> int:
    """How many tries that should be let in were: all of a table, of `refusals` those with the good token."""
    rows = _at(endpoint, view, name, phase)
    good = rows[rows["token_kind"] == TokenKind.GOOD] if name == "refusals" else rows
    return int(_came_in(good).sum())


def _came_in(rows: pd.DataFrame) -> pd.Series:
    return rows["upgraded"].astype(bool) & ~refused_by_name(rows)
