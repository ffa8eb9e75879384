"""Symptoms that live probes see: a close code, a refused user. Gone means seen before and not after."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import pandas as pd

from proofbook.evidence.schema import IDENTITIES, SHADOW, WEBSOCKET
from proofbook.judge.check import Recipe
from proofbook.judge.checks.access import accepted, explicitly_refused
from proofbook.judge.findings import Control, Estimate, Exposure, Judgement, Method, Needed, Verdict, percent
from proofbook.judge.view import InsufficientEvidence, View
from proofbook.stats import events, plans, proportions

# After a symptom that showed every time, one clean try would be convincing by the numbers; but tries this few hang together.
MIN_TRIALS = 3
UNSEEN_BEFORE = "nothing recorded from before says that they ever did"


def close_code_gone(
    code: int, *, endpoint: str | None, sends: bool, tolerated_rate: float, absent_rate: float
) -> Recipe:
    """A recipe for "connections no longer close with this code".

    Only connections that got as far as sending (or as the greeting, where nothing is sent) count: where nothing
    connected, nothing could close.
    """
    it = _CloseCodeGone(
        code=code, endpoint=endpoint, sends=sends, tolerated_rate=tolerated_rate, absent_rate=absent_rate
    )
    return Recipe(judge=it.judge)


@dataclass(frozen=True, slots=True, kw_only=True)
class _CloseCodeGone:
    """Connections that end with one close code."""

    code: int
    endpoint: str | None
    sends: bool
    tolerated_rate: float
    absent_rate: float

    def reached(self, rows: pd.DataFrame) -> pd.DataFrame:
        rows = rows[rows["endpoint"] == self.endpoint] if self.endpoint is not None else rows
        return rows[(rows["sent"] > 0) if self.sends else rows["upgraded"]]

    def judge(self, view: View) -> Judgement:
        after = self.reached(_with_shadows(view))
        if after.empty:
            raise InsufficientEvidence(
                "nothing-connected",
                "no connection got as far as a message, so that none closed proves nothing",
                repair="find out why nothing connects; see websocket-connection",
            )
        hits = after[after["close_code"] == self.code].sort_values("timestamp")
        before = self.reached(view.need(WEBSOCKET, "before")) if view.has_before(WEBSOCKET) else None
        seen = (int((before["close_code"] == self.code).sum()), len(before)) if before is not None else None
        example = (
            f", such as in {hits.iloc[0]['closed_in']} after {_seconds(hits.iloc[0])} (reason “{hits.iloc[0]['close_reason']}”)"
            if len(hits)
            else ""
        )
        judged = compare(
            view,
            what=f"closed with {self.code}",
            unit="connections",
            hits=len(hits),
            count=len(after),
            before=seen,
            example=example,
            tolerated_rate=self.tolerated_rate,
            absent_rate=self.absent_rate,
        )
        unsaid = (
            () if self.sends else ("no message was sent: a close at the first message would not have shown",)
        )
        return replace(judged, not_established=unsaid)


def refusal_gone(user: str, *, absent_rate: float) -> Recipe:
    """A recipe for "this user id is no longer refused". A try without an answer counts for neither side."""
    it = _RefusalGone(user=user, absent_rate=absent_rate)
    return Recipe(judge=it.judge)


@dataclass(frozen=True, slots=True, kw_only=True)
class _RefusalGone:
    """Tries of one user that are refused."""

    user: str
    absent_rate: float

    def judge(self, view: View) -> Judgement:
        after = _tries(view.need(IDENTITIES), self.user)
        refused = explicitly_refused(after)
        unclear = int((~refused & ~accepted(after)).sum())
        before = _tries(view.need(IDENTITIES, "before"), self.user) if view.has_before(IDENTITIES) else None
        seen = (int(explicitly_refused(before).sum()), len(before)) if before is not None else None
        if unclear and not refused.any():
            raise InsufficientEvidence(
                "no-answer",
                f"{unclear} of {len(after)} tries as {self.user} got neither a greeting nor a named refusal",
                repair="find out why nothing connects; see websocket-connection",
            )
        return compare(
            view,
            what=f"as {self.user} were refused",
            unit="tries",
            hits=int(refused.sum()),
            count=len(after),
            before=seen,
            example="",
            tolerated_rate=0.0,
            absent_rate=self.absent_rate,
        )


def compare(
    view: View,
    *,
    what: str,
    unit: str,
    hits: int,
    count: int,
    before: tuple[int, int] | None,
    example: str,
    tolerated_rate: float,
    absent_rate: float,
) -> Judgement:
    """Gone, still there, absent or too early, for `hits` of `count` now and `before` = (seen, count)."""
    bounds = proportions.proportion(hits, count, confidence=view.confidence_once)
    estimate = Estimate.of(bounds, unit=f"fraction of {unit}")
    exposure = Exposure(n=count, unit=unit)
    reached = Control(
        kind="liveness",
        name=f"{unit} that could show it",
        guards=("pass", "fail"),
        expected="at least 1",
        got=f"{count:,}",
        held=count > 0,
    )
    still = (
        hits > 0
        if tolerated_rate == 0
        else plans.too_many(failures=hits, count=count, target=1 - tolerated_rate, alpha_fail=view.alpha_fail)
    )
    if still:
        return Judgement(
            verdict=Verdict.FAIL,
            reason="still-there",
            statement=f"{hits:,} of {count:,} {unit} {what}{example}",
            estimate=estimate,
            method=Method(
                name="one occurrence on the fixed revision refutes “gone”"
                if tolerated_rate == 0
                else "exact binomial tail",
                confidence=view.confidence_once,
                side="one-sided",
                source="Clopper and Pearson 1934",
            ),
            threshold="none" if tolerated_rate == 0 else f"at most {tolerated_rate:.2%}",
            limits=True,
            exposure=exposure,
            controls=(reached,),
        )
    if before is None or before[1] == 0:
        return _absent(
            view,
            what=what,
            unit=unit,
            hits=hits,
            count=count,
            estimate=estimate,
            exposure=exposure,
            reached=reached,
            absent_rate=absent_rate,
            high=bounds.high,
        )
    seen, before_count = before
    positive = Control(
        kind="positive",
        name="the symptom was seen before",
        guards=("pass",),
        expected="at least 1",
        got=f"{seen:,} of {before_count:,} {unit}",
        held=seen > 0,
    )
    if seen == 0:
        return Judgement(
            verdict=Verdict.INCONCLUSIVE,
            reason="never-seen",
            statement=f"0 of {before_count:,} {unit} {what} before either, so its absence now proves nothing",
            estimate=estimate,
            exposure=exposure,
            controls=(reached, positive),
            needed=Needed(what="evidence from before in which the symptom shows"),
        )
    severity = events.gone_severity(
        seen_before=seen, count_before=before_count, count_after=count, confidence=view.confidence_once
    )
    p = proportions.two_samples(before=before, after=(hits, count))
    # Silence decides once, however often one looks; a tolerated rate may be crossed at any look.
    tolerable = proportions.proportion(hits, count, confidence=view.confidence)
    passed = (
        count >= MIN_TRIALS
        and severity >= view.confidence_once
        and p < 1 - view.confidence_once
        and (tolerated_rate == 0 or tolerable.high <= tolerated_rate)
    )
    low = proportions.proportion(seen, before_count, confidence=view.confidence_once).low
    enough = math.ceil(math.log(1 - view.confidence_once) / math.log(1 - low)) if 0 < low < 1 else count
    wanted = max(MIN_TRIALS, enough)
    told = f"{seen:,} of {before_count:,} {unit} {what} before → {hits:,} of {count:,} after"
    return Judgement(
        verdict=Verdict.PASS if passed else Verdict.INCONCLUSIVE,
        reason="" if passed else "too-early",
        seen=told,
        statement=f"{told} (at most {bounds.high:.2%} at {percent(view.confidence_once)} confidence)",
        estimate=estimate,
        method=Method(
            name=f"Boschloo's exact test (p = {p:.2g}); severity 1 − (1 − q)ⁿ with the lower bound of q before",
            confidence=view.confidence_once,
            side="one-sided",
            null_hypothesis="the fault is as frequent as before",
            source="Boschloo 1970",
        ),
        threshold="none" if tolerated_rate == 0 else f"at most {tolerated_rate:.2%}",
        limits=True,
        severity=severity if passed else None,
        exposure=exposure,
        controls=(reached, positive),
        needed=None
        if passed
        else Needed(what=f"{max(1, wanted - count):,} more {unit} without it", n=max(1, wanted - count)),
    )


def _absent(
    view: View,
    *,
    what: str,
    unit: str,
    hits: int,
    count: int,
    estimate: Estimate,
    exposure: Exposure,
    reached: Control,
    absent_rate: float,
    high: float,
) -> Judgement:
    enough = hits == 0 and high <= absent_rate
    wanted = math.ceil(math.log(1 - view.confidence_once) / math.log(1 - absent_rate))
    told = f"absent: {hits:,} of {count:,} {unit} {what}"
    return Judgement(
        verdict=Verdict.PASS if enough else Verdict.INCONCLUSIVE,
        reason="absent" if enough else "too-early",
        statement=f"{told} (at most {high:.2%}); {UNSEEN_BEFORE}",
        seen=f"{told}; {UNSEEN_BEFORE}",
        estimate=estimate,
        method=Method(
            name="Clopper-Pearson upper bound",
            confidence=view.confidence_once,
            side="one-sided",
            null_hypothesis=f"at least {absent_rate:.1%} are affected",
            source="Clopper and Pearson 1934",
        ),
        threshold=f"at most {absent_rate:.1%}",
        limits=True,
        severity=1 - (1 - absent_rate) ** count if enough else None,
        exposure=exposure,
        controls=(reached,),
        needed=None
        if enough
        else Needed(what=f"{max(1, wanted - count):,} more {unit} without it", n=max(1, wanted - count)),
    )


def _with_shadows(view: View) -> pd.DataFrame:
    """Every journey, those too that did not say that they are probes."""
    rows, more = view.need(WEBSOCKET), view.table(SHADOW)
    return rows if more is None or more.empty else pd.concat([rows, more], ignore_index=True)


def _tries(rows: pd.DataFrame, user: str) -> pd.DataFrame:
    tries = rows[rows["user"] == user]
    if tries.empty:
        raise InsufficientEvidence(
            "not-tried",
            f"nobody tried to connect as {user}",
            repair="give the environment a [login] that issues tokens for any user",
        )
    return tries


def _seconds(row: pd.Series) -> str:
    return f"{row['dwell_s']:.2f} s of dwelling" if row["dwell_s"] else "the message"
