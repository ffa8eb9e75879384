"""What earlier runs say of who was let in, where nobody is now: whether it may be a mistake of ours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from proofbook.config import asked_alike, durations
from proofbook.evidence.access import ACCESS, ENDPOINT, ISSUED, NO_TOKEN, STATED
from proofbook.judge.findings import Control, EarlierRun
from proofbook.judge.view import View

# Not there, and nothing else: neither turned away, nor sent elsewhere, nor shown another page.
GONE = (404, 410)


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlResult:
    """What a control says: what was got, and the code of what may be our mistake; empty where it is not. run: the earlier one that it rests on."""

    got: str
    code: str
    run: EarlierRun | None = None

    def as_control(self, name: str, *, expected: str) -> Control:
        """The positive control of a failure: it holds where nothing may be our mistake."""
        return Control(
            kind="positive",
            name=name,
            guards=("fail",),
            expected=expected,
            got=self.got,
            held=not self.code,
            code=self.code,
            earlier_run=self.run,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How an endpoint or a page was asked now, and by the newest earlier run in which somebody was let in, if any: rows of `access`."""

    kind: str
    name: str
    service: str
    now: pd.Series
    then: pd.Series | None

    def same(self, column: str) -> bool | None:
        """Whether a fingerprint is the same; None where one of them is missing."""
        if self.then is None or not self.now[column] or not self.then[column]:
            return None
        return bool(self.now[column] == self.then[column])

    @property
    def expired(self) -> bool:
        """Whether the token says itself that its time was over at the last try."""
        return bool(pd.notna(self.now["expires"]) and self.now["expires"] <= self.now["timestamp"])

    @property
    def differs(self) -> tuple[str, ...] | None:
        """The settings by which it is asked otherwise now, its address among them; None where they are not known."""
        if self.then is None or pd.isna(self.then["differs"]):
            return None
        part = "websocket" if self.kind == ENDPOINT else "service"
        parts = (f"{part} {self.name}", f"service {self.service}")
        return asked_alike.concerning(filter(None, self.then["differs"].split(", ")), *parts, address=True)

    @property
    def run(self) -> EarlierRun | None:
        """The earlier run as fields of a control."""
        if self.then is None:
            return None
        age_s = (self.now["timestamp"] - self.then["timestamp"]).total_seconds()
        return EarlierRun(run_id=str(self.then["run"]), phase="after", age_s=age_s, differs=self.differs)

    @property
    def once(self) -> str:
        """Who was let in then, in words."""
        assert self.then is not None
        run = self.run
        assert run is not None
        well = "let in" if self.kind == ENDPOINT else "well"
        return f"{self.then['let_in']:,} of {self.then['tries']:,} were {well} in run {run.run_id}, {durations.in_words(max(0.0, run.age_s))} earlier"


def of(view: View, kind: str, name: str, *, service: str) -> Access | None:
    """What is known of an endpoint or a page; None in evidence that says nothing of how was asked."""
    rows = None if view.before_as_after else view.recorded(ACCESS.name, "after")
    if rows is None:
        return None
    rows = rows[(rows["kind"] == kind) & (rows["name"] == name)]
    now, then = rows[~rows["earlier"]], rows[rows["earlier"]]
    if now.empty:
        return None
    return Access(kind=kind, name=name, service=service, now=now.iloc[-1], then=then.iloc[-1] if len(then) else None)  # fmt: skip


def refused(known: Access | None, answer: ControlResult) -> ControlResult:
    """The answer where everybody is refused by name with a token that somebody stated.

    Never more than not known: a token that was good may have ended since, or been revoked, as it should be.
    """
    if known is None or known.now["token_from"] != STATED:
        return answer
    if known.expired:
        return ControlResult(got=f"{answer.got}; the token ended at {known.now['expires']:%Y-%m-%d %H:%M} UTC, as it says itself", code="token-expired", run=known.run)  # fmt: skip
    same = known.same("token")
    if same is None:
        return ControlResult(got=_with(answer.got, known), code=answer.code, run=known.run)
    words = "with this very token" if same else "with another token"
    return ControlResult(got=f"{answer.got}; {known.once}, {words}", code="token-worked" if same else "token-changed", run=known.run)  # fmt: skip


def gone(known: Access | None, answer: ControlResult, *, statuses: set[Any], reached: bool) -> ControlResult:
    """The answer where everybody gets that of an address at which nothing is.

    It is no mistake of ours where an earlier run was let in that sent the very same from the same place, each answer is that
    nothing is there, and the token cannot be why.

    Args:
        statuses: of all tries now, those with bad tokens among them. reached: whether the same service answers well elsewhere.
    """
    if known is None or known.then is None:
        return answer
    differs, same = known.differs, known.same("settings")
    if differs:
        return ControlResult(got=f"{_with(answer.got, known)}, asked otherwise: {', '.join(differs)}", code="settings-changed", run=known.run)  # fmt: skip
    if same is False:
        return ControlResult(got=f"{_with(answer.got, known)}, with another value of a variable, another certificate or another version of Proofbook", code="settings-changed", run=known.run)  # fmt: skip
    doubt = (
        _doubt(known, statuses, reached=reached)
        if same
        else "and nothing shows that all of it was sent alike"
    )
    if doubt:
        return ControlResult(got=f"{_with(answer.got, known)}, {doubt}", code=answer.code, run=known.run)
    return ControlResult(
        got=f"{_with(answer.got, known)}, asked in the very same way", code="", run=known.run
    )


def _doubt(known: Access, statuses: set[Any], *, reached: bool) -> str:
    """What could explain it all the same, in words; empty where nothing does."""
    assert known.then is not None
    if not statuses or not statuses <= set(GONE):
        return "and such an answer may be meant for who asks"
    token = known.now["token_from"]
    # Who showed no good token was refused by name, so one that has ended would be as well.
    if token not in (NO_TOKEN, ISSUED) and not known.then["refused"]:
        return "and a token that ended may be answered so"
    if not reached and not known.same("place"):
        return "and nothing shows that it was asked from the same place"
    return ""


def _with(got: str, known: Access) -> str:
    return got if known.then is None else f"{got}; {known.once}"
