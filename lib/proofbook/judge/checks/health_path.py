"""Whether there ever was a health page: what an address without one is worth."""

from __future__ import annotations

from collections.abc import Sequence

from proofbook.evidence.access import ENDPOINT, PAGE
from proofbook.judge.checks import earlier_access
from proofbook.judge.checks.earlier_access import ControlResult
from proofbook.judge.checks.probe_controls import ASKED_WRONGLY, NO_PAGE, asked_for
from proofbook.judge.checks.success_rate import MoreControls
from proofbook.judge.findings import Control
from proofbook.judge.view import View


def health_path_known(service: str, *, endpoints: Sequence[str] = ()) -> MoreControls:
    """The positive control of "it is not healthy": something answered there once.

    Without it, who asks for a page that is not there, or not for everybody, may have the wrong address. What that does not
    explain (silence, 5xx, a page that says something else) needs no such control.

    Args:
        endpoints: the WebSocket endpoints that lie on the service.
    """

    def control(view: View) -> Sequence[Control]:
        answer = _answer(view, service, endpoints=endpoints)
        return [answer.as_control("something at this address", expected="a page, or health before")]

    return control


def _answer(view: View, service: str, *, endpoints: Sequence[str]) -> ControlResult:
    """What was got at the address, and the code of what may be our mistake; empty where it is not."""
    answers = set(asked_for(view, service, kind="health")["status"])
    elsewhere = set(asked_for(view, service, kind="unknown-path")["status"])
    well_before = int(asked_for(view, service, kind="health", phase="before")["ok"].sum())
    if view.asked_otherwise(f"service {service}", address=True):
        # Who was asked otherwise before proves nothing of how is asked now.
        well_before = 0
    nowhere = bool(answers) and answers <= set(NO_PAGE)
    wrongly = bool(answers) and answers == elsewhere and answers <= set(ASKED_WRONGLY)
    if well_before > 0 or not (nowhere or wrongly):
        now = "no page for us" if nowhere else "an answer of its own"
        return ControlResult(got=f"{well_before:,} well before; now {now}", code="")
    missing = "every request is called wrong, and nothing shows that it was ever well" if wrongly else "not seen, now or before"  # fmt: skip
    answer = ControlResult(got=missing, code="no-endpoint" if nowhere else "asked-wrongly")
    known = earlier_access.of(view, PAGE, service, service=service)
    if known is not None and known.then is not None:
        answer = ControlResult(got="not seen now", code=answer.code)
    reached = any(_is_let_in(view, name) for name in endpoints)
    return earlier_access.gone(known, answer, statuses=answers, reached=reached)


def _is_let_in(view: View, endpoint: str) -> bool:
    """Whether somebody was let in at an endpoint now."""
    known = earlier_access.of(view, ENDPOINT, endpoint, service="")
    return known is not None and bool(known.now["let_in"])
