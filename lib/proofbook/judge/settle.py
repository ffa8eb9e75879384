"""From a judgement to a finding: the controls of every check applied."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import pandas as pd

from proofbook.evidence.schema import OF_WEBSOCKETS
from proofbook.judge.check import NOT_SAID, Check, Recipe, _reaches_before, _read
from proofbook.judge.findings import Control, Finding, Judgement, Needed, Verdict
from proofbook.judge.reasons import REASONS
from proofbook.judge.registry import extension_error
from proofbook.judge.view import InsufficientEvidence, View, stamp
from proofbook.judge.window import Windows


def settle(check: Check, view: View, *, digests: Mapping[str, str] | None = None) -> Finding:
    """The finding: the judgement, less every verdict whose control did not hold.

    Args:
        digests: `<phase>/<table>` to sha256 of what was recorded; the finding names those that judging and its controls read.
    """
    view = replace(view, reads={})
    judgement, controls = _judged(check, view)
    outcome = _outcome(check, judgement, controls)
    verdict, reason = outcome.verdict, outcome.reason
    passed = verdict is Verdict.PASS
    windows = view.windows
    return Finding(
        id=check.id,
        kind=check.kind,
        claim=check.claim,
        fix=check.fix,
        required=check.required,
        critical=check.critical,
        group=check.group,
        verdict=verdict,
        reason=reason,
        statement=outcome.statement,
        seen=outcome.seen,
        estimate=judgement.estimate,
        method=judgement.method,
        threshold=judgement.threshold,
        limits=judgement.limits,
        severity=judgement.severity if passed else None,
        severity_at=judgement.severity_at if passed and judgement.severity is not None else "",
        sensitivity=_share_caught(controls) if passed else None,
        exposure=judgement.exposure,
        window={"before": _shown(windows.before), "after": _shown(windows.after)},
        controls=tuple(controls),
        needed=_needed(judgement, outcome.broken, reason, windows)
        if verdict is Verdict.INCONCLUSIVE
        else None,
        evidence=_read(view, digests or {}),
        not_established=judgement.not_established,
        waived=_waiver(check, view),
        history=judgement.history,
        before_run=view.before_run if _tables_of_before(view) else None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outcome:
    """A verdict with its reason and sentences. broken: the control that took the verdict of the judge away."""

    verdict: Verdict
    reason: str
    statement: str
    seen: str
    broken: Control | None = None

    def not_known(self, *, reason: str, why: str, seen: str = "", broken: Control | None = None) -> _Outcome:
        """The same where nothing is known, and why; `seen` is shorter, where that is too long for a summary."""
        return _Outcome(
            verdict=Verdict.INCONCLUSIVE,
            reason=reason,
            statement=f"{self.statement}; but {why}",
            seen=f"{self.seen}; but {seen or why}",
            broken=broken,
        )


def _outcome(check: Check, judgement: Judgement, controls: list[Control]) -> _Outcome:
    """The verdict that the controls leave, and that no open risk voids."""
    outcome = _Outcome(
        verdict=judgement.verdict,
        reason=judgement.reason,
        statement=judgement.statement,
        seen=judgement.seen or judgement.statement,
    )
    verdict = judgement.verdict
    for broken in controls:
        if not broken.held and verdict.value in broken.guards:
            return outcome.not_known(
                reason=broken.code or f"control-{broken.kind}",
                why=f"the {broken.kind} control “{broken.name}” did not hold: expected {broken.expected}, got {broken.got}",
                seen=f"{broken.name}: {broken.got}",
                broken=broken,
            )
    if verdict is Verdict.PASS and not any(item.held and "pass" in item.guards for item in controls):
        return outcome.not_known(reason="no-control", why="nothing shows that this check could have failed")
    if verdict is Verdict.PASS and check.voided_by:
        return outcome.not_known(reason="voided", why=f"the open risk “{check.voided_by}” voids it")
    return outcome


def _judged(check: Check, view: View) -> tuple[Judgement, list[Control]]:
    """The judgement of a check with all its controls; an error where a recipe of another package raises."""
    try:
        judgement = _judge(check.recipe, view)
        controls = [
            *judgement.controls,
            *_deployed(check, view, judgement),
            *_right_before(check, view),
            *_proofs(check, view, judgement),
            *_asked_alike(check, view),
        ]
    # Whatever a recipe of somebody else raises; one of ours is a defect, and is told as one.
    except Exception as error:
        if not check.extension:
            raise
        sentence = f"{check.extension}: judging {check.id} raised {type(error).__name__}: {error}"
        return extension_error(sentence), []
    return judgement, controls


def _judge(recipe: Recipe, view: View) -> Judgement:
    try:
        if view.windows.problem:
            raise InsufficientEvidence(
                view.windows.problem.reason,
                view.windows.problem.sentence,
                repair="see the clocks, and [deployment] time in the case",
            )
        return recipe.judge(view)
    except InsufficientEvidence as error:
        return Judgement(
            verdict=Verdict.INCONCLUSIVE,
            reason=error.reason,
            statement=error.statement,
            needed=Needed(what=error.repair),
        )


def _proofs(check: Check, view: View, judgement: Judgement) -> list[Control]:
    """The controls that every check gets: a fix claim is judged on before, a guard on its mutants."""
    if judgement.verdict is not Verdict.PASS:
        return []
    return _on_before(check, view) if check.kind == "fix" else _on_mutants(check, view)


def _on_before(check: Check, view: View) -> list[Control]:
    """The same check on the evidence from before, which has to fail; none where that does not reach back."""
    if not _reaches_before(view):
        return []
    there = _judge(check.recipe, view.as_before())
    return [
        Control(
            kind="before",
            name="the same check on the evidence from before",
            guards=("pass",),
            expected="not pass",
            got=f"{there.verdict.value}: {there.statement}",
            held=there.verdict is not Verdict.PASS,
            judged=there.verdict.value,
        )
    ]


def _on_mutants(check: Check, view: View) -> list[Control]:
    """The same check on evidence that was broken on purpose, which has to fail each time; none where nothing could be broken."""
    changed = [(mutant.name, mutant.change(view)) for mutant in check.recipe.mutants]
    tried = [
        (name, _judge(check.recipe, replace(mutant, verdict_only=True)))
        for name, mutant in changed
        if mutant is not None
    ]
    if not tried:
        return []
    missed = [name for name, there in tried if there.verdict is Verdict.PASS]
    caught = [f"{name}: {there.verdict.value}" for name, there in tried if there.verdict is not Verdict.PASS]
    got = (
        f"caught {len(caught)} of {len(tried)} ({'; '.join(caught + [f'{name}: MISSED' for name in missed])})"
    )
    return [
        Control(
            kind="mutation",
            name="the same check on evidence broken on purpose",
            guards=("pass",),
            expected=f"caught {len(tried)} of {len(tried)}",
            got=got,
            held=not missed,
            caught=len(caught),
            tried=len(tried),
        )
    ]


def _share_caught(controls: list[Control]) -> float | None:
    for control in controls:
        if control.caught is not None and control.tried:
            return control.caught / control.tried
    return None


def _deployed(check: Check, view: View, judgement: Judgement) -> list[Control]:
    """Comparability: something was deployed between before and after; without that, nothing says what made a symptom go."""
    if check.kind != "fix" or judgement.verdict is not Verdict.PASS or judgement.reason == "absent":
        return []
    windows = view.windows
    old, new = windows.old_revision, windows.new_revision
    known = windows.deployed_at is not None or windows.alongside or (old is not None and new is not None)
    return [
        Control(
            kind="comparability",
            name="another revision serves than before",
            guards=("pass",),
            expected="a new revision, or a time that the case states",
            got=f"{old or 'unknown'} → {new or 'unknown'}"
            + (f", since {stamp(windows.deployed_at)}" if windows.deployed_at is not None else "")
            + (", at another address, which the environment names" if windows.alongside else ""),
            held=known and (old is None or new is None or old != new),
            code="no-deployment",
        )
    ]


def _right_before(check: Check, view: View) -> list[Control]:
    """Comparability: where a window of before was found to be no such thing, nothing is compared with it."""
    problem = view.windows.before_problem
    if problem is None or not (check.kind == "fix" or check.recipe.compares):
        return []
    return [
        Control(
            kind="comparability",
            name="the window of before",
            guards=("pass",) if check.kind == "fix" else ("pass", "fail"),
            expected="over before the deployment",
            got=problem.sentence,
            held=False,
            code="no-before-window",
        )
    ]


def _tables_of_before(view: View) -> frozenset[str]:
    """The tables of before that were read so far and are there."""
    return frozenset(name for phase, name in view.reads if phase == "before" and view.has_before(name))


def _asked_alike(check: Check, view: View) -> list[Control]:
    """Comparability: the earlier run that before was taken from asked in the same way; none where this run recorded it.

    What a log says depends on nobody who asked. Where nobody knows how was asked, it is said and not held against the claim.
    """
    if view.before_run is None or not (check.kind == "fix" or check.recipe.compares):
        return []
    read = {name for name in _tables_of_before(view) if not name.startswith("log")}
    if not read:
        return []
    parts = {"websocket" if name in OF_WEBSOCKETS else "service" for name in read}
    differs = view.asked_otherwise(*sorted(parts))
    return [
        Control(
            kind="comparability",
            name="how the run was asked that before is from",
            guards=("pass",) if check.kind == "fix" else ("pass", "fail"),
            expected="as now",
            got=f"otherwise in {', '.join(differs)}" if differs else view.before_run.asked,
            held=not differs,
            code="other-settings" if differs else "",
        )
    ]


def _needed(judgement: Judgement, broken: Control | None, reason: str, windows: Windows) -> Needed:
    """What would settle it: in samples where the judge says so, and then in time at the pace of this evidence too."""
    needed = judgement.needed
    if broken is not None:
        if broken.code in REASONS:
            return Needed(what=REASONS[broken.code].do)
        return Needed(what=f"repair what the {broken.kind} control “{broken.name}” shows, then run again")
    if needed is None:
        # A check of one's own may give a reason of its own, or none.
        return Needed(what=REASONS[reason].do if reason in REASONS else NOT_SAID)
    exposure, after = judgement.exposure, windows.after
    if needed.n is None or exposure is None or exposure.n <= 0 or after is None:
        return needed
    seconds = needed.n * (after[1] - after[0]).total_seconds() / exposure.n
    until = stamp((after[1] + pd.Timedelta(seconds=seconds)).ceil("s"))
    return replace(needed, seconds=round(seconds, 1), until=until)


def _waiver(check: Check, view: View) -> str:
    """The waiver in words while it lasts; its end is compared with the evidence, since judging knows no clock."""
    after = view.windows.after
    if (
        not check.waived_by
        or check.waived_until is None
        or after is None
        or after[1].date() > check.waived_until
    ):
        return ""
    return f"waived by {check.waived_by} until {check.waived_until.isoformat()}"


def _shown(window: tuple[pd.Timestamp, pd.Timestamp] | None) -> tuple[str, str] | None:
    return None if window is None else (stamp(window[0]), stamp(window[1]))
