"""Whether anybody was ever let in: what failing tries to connect are worth."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pandas as pd

from proofbook.config.environment import Environment
from proofbook.config.services import WebSocket
from proofbook.evidence.access import ENDPOINT
from proofbook.evidence.schema import HEALTH, MESSAGES
from proofbook.judge.checks import earlier_access
from proofbook.judge.checks.access import refused_by_name
from proofbook.judge.checks.earlier_access import ControlResult
from proofbook.judge.checks.probe_controls import all_of, transport_known
from proofbook.judge.checks.success_rate import MoreControls
from proofbook.judge.findings import Control
from proofbook.judge.view import View
from proofbook.protocol import UPGRADE_UNSEEN, TokenKind

# How an address without a WebSocket answers an upgrade: as a page, by sending elsewhere, or not found.
NOT_THERE = (*range(200, 400), 404, 410)
# There is one, and it did not see that an upgrade was asked for.
UPGRADE_LOST = 426
# Of requests that are at fault by HTTP's own words, those that say nothing of it: too slow, an upgrade that was lost, too many.
_ANOTHER_CAUSE = (408, UPGRADE_LOST, 429, 499)
# What was tried that should be let in.
_TRIED = ("websocket", "refusals", "shadow")
# A close that says that the protocol, or a rule of the application, was not kept; or with no code, as of a server that does not go on.
NO_CODE = 1005
_RULES = (1002, 1003, NO_CODE, 1007, 1010, *range(3000, 5000))


def proven_at(socket: WebSocket, environment: Environment) -> MoreControls:
    """The controls of what fails at an endpoint: somebody was let in there, or the failing has another cause than our mistake."""
    login = environment.login
    proven = credentials_proven(
        socket.name,
        service=socket.service if socket.path is not None else "",
        shows_token=socket.token.place != "none",
        issues_tokens=login is not None and login.url is not None,
    )
    # What lies elsewhere may be spoken to in another way.
    return proven if socket.path is None else all_of(transport_known(socket.service), proven)


def credentials_proven(
    endpoint: str, *, service: str = "", shows_token: bool, issues_tokens: bool
) -> Callable[[View], Sequence[Control]]:
    """The positive control of "nobody comes in": somebody once did, at this address and with this token.

    Without it, who is refused by name may have shown a wrong token, and who gets the answer of an address without a
    WebSocket may have the wrong address. What neither explains (silence, 5xx, a crash) needs no such control.

    Args:
        service: on which the endpoint lies; empty where it lies elsewhere.
        shows_token: whether the environment names a token.
        issues_tokens: whether a login issues it, so that it is a good one.
    """

    def control(view: View) -> Sequence[Control]:
        came_in = sum(view.once(_number_in, endpoint, name, "after") for name in _TRIED)
        # Who was asked otherwise before proves nothing of how is asked now.
        otherwise = view.asked_otherwise(f"websocket {endpoint}", f"service {service}", address=True)
        before = 0 if otherwise else view.once(_number_in, endpoint, "websocket", "before")
        if came_in or before:
            answer = ControlResult(got=f"{came_in + before:,} connections", code="")
            if not came_in:
                answer = _unless_expired(endpoint, view, answer)
        else:
            got, code = _why_nobody(endpoint, view, shows_token=shows_token, issues_tokens=issues_tokens)
            answer = _with_earlier_runs(endpoint, view, ControlResult(got=got, code=code), service=service)
        expected = "at least one, unless the answers have another cause"
        return [answer.as_control("who was let in, now or before", expected=expected)]

    return control


def _unless_expired(endpoint: str, view: View, answer: ControlResult) -> ControlResult:
    """That somebody came in before; but the token may have ended since."""
    known = earlier_access.of(view, ENDPOINT, endpoint, service="")
    if known is None or not known.expired or not refused_by_name(_at(endpoint, view, "websocket")).all():
        return answer
    return earlier_access.refused(known, answer)


def _with_earlier_runs(endpoint: str, view: View, answer: ControlResult, *, service: str) -> ControlResult:
    """Why nobody came in, by what earlier runs say too."""
    if answer.code not in ("token-unproven", "no-endpoint", "not-understood"):
        return answer
    known = earlier_access.of(view, ENDPOINT, endpoint, service=service)
    if answer.code == "token-unproven":
        return earlier_access.refused(known, answer)
    tried = _at(endpoint, view, "refusals")
    statuses = set(_at(endpoint, view, "websocket")["http_status"]) | set(
        tried[tried["token_kind"] != TokenKind.AT_UNKNOWN_PATH]["http_status"]
    )
    return earlier_access.gone(known, answer, statuses=statuses, reached=_is_well(view, service))


def _is_well(view: View, service: str) -> bool:
    """Whether the health page of a service was well, so that it was reached."""
    rows = view.table(HEALTH)
    if rows is None or not service:
        return False
    return bool(rows.loc[(rows["service"] == service) & (rows["kind"] == "health"), "ok"].any())


def _why_nobody(endpoint: str, view: View, *, shows_token: bool, issues_tokens: bool) -> tuple[str, str]:
    """Why nobody came in, in words, and the code of what may be our own mistake; empty where it is not."""
    rows, tried = _at(endpoint, view, "websocket"), _at(endpoint, view, "refusals")
    answers = set(rows["http_status"].dropna())
    unknown = tried[tried["token_kind"] == TokenKind.AT_UNKNOWN_PATH]
    same = answers == set(unknown["http_status"].dropna())
    alike = len(answers) == 1 and same and answers != {UPGRADE_LOST}
    # Where another path was not tried, nothing shows that there is an endpoint at this one.
    alike |= bool(_hung_up(rows).all() and len(rows) and _hung_up(unknown).all())
    too = ", and a path that must not exist is answered alike" if alike and len(unknown) else ""
    refused = bool(refused_by_name(rows).all())
    by_rule = bool((against_a_rule(rows) | refused_by_name(rows)).all())
    # Who was told something and then left without a word asked rightly.
    by_rule &= not (
        rows["close_code"].eq(NO_CODE).fillna(False).any() and _was_told_something(endpoint, view)
    )
    nowhere = rows["http_status"].isin(NOT_THERE) | (alike & ~(rows["http_status"] >= 500).fillna(False))
    wrong_address = alike if refused else bool(nowhere.fillna(False).all())
    if refused and not shows_token:
        return "nobody, and the environment names no token", "no-token"
    if refused and not issues_tokens:
        return f"nobody{too}", "token-unproven"
    if wrong_address:
        return f"nobody{too or ', as where no WebSocket is'}", "no-endpoint"
    if by_rule and not refused:
        return "nobody, and each was turned away as a request that lacks something is", "not-understood"
    return "nobody, which neither a wrong token nor a wrong address explains", ""


def _was_told_something(endpoint: str, view: View) -> bool:
    """Whether any message was received from an endpoint."""
    messages = view.table(MESSAGES)
    return messages is not None and bool((messages["endpoint"] == endpoint).any())


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
    return rows["upgraded"].astype(bool) & ~refused_by_name(rows) & ~against_a_rule(rows)


def _hung_up(rows: pd.DataFrame) -> pd.Series:
    """Whether each try was connected, and the connection ended before any answer to the upgrade came.

    Frameworks hang up so where no WebSocket is, and so do those who take nobody without a login. A wrong answer is an answer.
    """
    if "closed_in" not in rows or "closed_by" not in rows:
        return pd.Series(data=False, index=rows.index)
    ended = rows["closed_in"].eq("upgrade") & rows["closed_by"].eq("server")
    return rows["http_status"].isna() & ended.fillna(False)


def against_a_rule(rows: pd.DataFrame) -> pd.Series:
    """Whether each try was turned away for how it was made: by a status that blames the request, a close before anything was said, or words of another dialect.

    Such an answer to everybody is as likely our mistake (a subprotocol, a query or a header that is not stated) as the server's.
    """
    status = rows["http_status"]
    unseen = (
        rows["http_body"].fillna("").str.contains(UPGRADE_UNSEEN, case=False)
        if "http_body" in rows
        else False
    )
    blamed = status.between(400, 499).fillna(False) & ~status.isin(_ANOTHER_CAUSE) & ~unseen
    if "closed_in" not in rows or "closed_by" not in rows:
        return blamed.astype(bool)
    early = (
        rows["closed_in"].isin(("greeting", "dwell")) & rows["closed_by"].eq("server") & (rows["sent"] == 0)
    )
    ruled = (
        rows["close_code"].isin(_RULES).fillna(False) & early & ~rows["greeted"].fillna(False).astype(bool)
    )
    return (blamed | ruled | _spoken_to_in_another_way(rows)).astype(bool)


def _spoken_to_in_another_way(rows: pd.DataFrame) -> pd.Series:
    """Whether each try heard something, and nothing of what is waited for: it may speak another dialect than the one that is stated."""
    if "understood" not in rows or "heard" not in rows:
        # Older evidence holds neither.
        return pd.Series(data=False, index=rows.index)
    return rows["understood"].eq(False).fillna(False) & rows["heard"].fillna("").ne("")
