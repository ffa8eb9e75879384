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
from proofbook.stats import plans, proportions, severity

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
                repair="find out why connections fail; see websocket-connection",
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
                repair="find out why connections fail; see websocket-connection",
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
    it = _Counts(
        view=view, what=what, unit=unit, hits=hits, count=count, tolerated=tolerated_rate, absent=absent_rate
    )
    if it.shows:
        return it.still_there(example)
    if before is None or before[1] == 0:
        return it.only_absent()
    return it.never_seen(before) if before[0] == 0 else it.against(before)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Counts:
    """How often a symptom shows now: `hits` of `count`. tolerated: the rate that the case allows; absent: its budget without any before."""

    view: View
    what: str
    unit: str
    hits: int
    count: int
    tolerated: float
    absent: float

    @property
    def shows(self) -> bool:
        """Whether it shows, or shows in more than is tolerated."""
        if self.tolerated == 0:
            return self.hits > 0
        target, alpha = 1 - self.tolerated, self.view.alpha_fail
        return plans.too_many(failures=self.hits, count=self.count, target=target, alpha_fail=alpha)

    @property
    def bounds(self) -> proportions.Interval:
        return proportions.proportion(self.hits, self.count, confidence=self.view.confidence_once)

    @property
    def estimate(self) -> Estimate:
        return Estimate.of(self.bounds, unit=f"fraction of {self.unit}")

    @property
    def exposure(self) -> Exposure:
        return Exposure(n=self.count, unit=self.unit)

    @property
    def threshold(self) -> str:
        return "none" if self.tolerated == 0 else f"at most {self.tolerated:.2%}"

    @property
    def reached(self) -> Control:
        """Liveness: something got far enough to show the symptom."""
        return Control(
            kind="liveness",
            name=f"{self.unit} that could show it",
            guards=("pass", "fail"),
            expected="at least 1",
            got=f"{self.count:,}",
            held=self.count > 0,
        )

    def seen_before(self, before: tuple[int, int]) -> Control:
        """Positive: the symptom showed before."""
        return Control(
            kind="positive",
            name="the symptom was seen before",
            guards=("pass",),
            expected="at least 1",
            got=f"{before[0]:,} of {before[1]:,} {self.unit}",
            held=before[0] > 0,
        )

    def still_there(self, example: str) -> Judgement:
        """A failure: the symptom shows on the fixed revision."""
        once = "one occurrence on the fixed revision refutes “gone”"
        return Judgement(
            verdict=Verdict.FAIL,
            reason="still-there",
            statement=f"{self.hits:,} of {self.count:,} {self.unit} {self.what}{example}",
            estimate=self.estimate,
            method=Method(
                name=once if self.tolerated == 0 else "exact binomial tail",
                confidence=self.view.confidence_once,
                side="one-sided",
                source="Clopper and Pearson 1934",
            ),
            threshold=self.threshold,
            limits=True,
            exposure=self.exposure,
            controls=(self.reached,),
        )

    def never_seen(self, before: tuple[int, int]) -> Judgement:
        """Inconclusive: it did not show before either."""
        return Judgement(
            verdict=Verdict.INCONCLUSIVE,
            reason="never-seen",
            statement=f"0 of {before[1]:,} {self.unit} {self.what} before either, so its absence now proves nothing",
            estimate=self.estimate,
            exposure=self.exposure,
            controls=(self.reached, self.seen_before(before)),
            needed=Needed(what="evidence from before in which the symptom shows"),
        )

    def only_absent(self) -> Judgement:
        """Without any before: absent, never fixed."""
        confidence, high = self.view.confidence_once, self.bounds.high
        enough = self.hits == 0 and high <= self.absent
        wanted = math.ceil(math.log(1 - confidence) / math.log(1 - self.absent))
        seen = f"absent: {self.hits:,} of {self.count:,} {self.unit} {self.what}"
        return Judgement(
            verdict=Verdict.PASS if enough else Verdict.INCONCLUSIVE,
            reason="absent" if enough else "too-early",
            statement=f"{seen} (at most {high:.2%}); {UNSEEN_BEFORE}",
            seen=f"{seen}; {UNSEEN_BEFORE}",
            estimate=self.estimate,
            method=Method(
                name="Clopper-Pearson upper bound",
                confidence=confidence,
                side="one-sided",
                null_hypothesis=f"at least {self.absent:.1%} are affected",
                source="Clopper and Pearson 1934",
            ),
            threshold=f"at most {self.absent:.1%}",
            limits=True,
            severity=severity.of_tries(self.count, rate=self.absent),
            severity_at=f"{percent(self.absent)} of {self.unit} show it",
            exposure=self.exposure,
            controls=(self.reached,),
            needed=None if enough else self.more(wanted),
        )

    def against(self, before: tuple[int, int]) -> Judgement:
        """Seen before and not now: a pass where chance does not explain it, else too early."""
        confidence = self.view.confidence_once
        test = proportions.two_samples(before=before, after=(self.hits, self.count))
        rate = proportions.proportion(*before, confidence=confidence).low
        seen_again = self.chance_at(rate)
        passed = self.is_gone(p=test.p_value, seen_again=seen_again)
        seen = f"{before[0]:,} of {before[1]:,} {self.unit} {self.what} before → {self.hits:,} of {self.count:,} after"
        return Judgement(
            verdict=Verdict.PASS if passed else Verdict.INCONCLUSIVE,
            reason="" if passed else "too-early",
            statement=f"{seen} (at most {self.bounds.high:.2%} at {percent(confidence)} confidence)",
            seen=seen,
            estimate=self.estimate,
            method=Method(
                name=f"{test.name} (p = {test.p_value:.2g}); severity with the lower bound of the rate before",
                confidence=confidence,
                side="one-sided",
                null_hypothesis="the fault is as frequent as before",
                source=test.source,
            ),
            threshold=self.threshold,
            limits=True,
            severity=seen_again,
            severity_at=f"{percent(rate)} of {self.unit} show it, the lower bound of before",
            exposure=self.exposure,
            controls=(self.reached, self.seen_before(before)),
            needed=None if passed else self.more(self.enough(before)),
        )

    def chance_at(self, rate: float) -> float:
        """The chance that so many tries show more than is tolerated, where each shows it with that rate."""
        if self.tolerated == 0:
            return severity.of_tries(self.count, rate=rate)
        confidence = self.view.confidence
        return severity.of_share(self.count, most=self.tolerated, confidence=confidence, rate=rate)

    def is_gone(self, *, p: float, seen_again: float) -> bool:
        """Whether chance does not explain what was seen, and no more than what is tolerated can be left."""
        confidence = self.view.confidence_once
        # Silence decides once, however often one looks; a tolerated rate may be crossed at any look.
        tolerable = proportions.proportion(self.hits, self.count, confidence=self.view.confidence)
        return (
            self.count >= MIN_TRIALS
            and seen_again >= confidence
            and p < 1 - confidence
            and (self.tolerated == 0 or tolerable.high <= self.tolerated)
        )

    def enough(self, before: tuple[int, int]) -> int:
        """How many tries without the symptom would be convincing, by the lower bound of its rate before."""
        confidence = self.view.confidence_once
        low = proportions.proportion(*before, confidence=confidence).low
        wanted = math.ceil(math.log(1 - confidence) / math.log(1 - low)) if 0 < low < 1 else self.count
        return max(MIN_TRIALS, wanted)

    def more(self, wanted: int) -> Needed:
        """The further tries that make it `wanted`."""
        n = max(1, wanted - self.count)
        return Needed(what=f"{n:,} more {self.unit} without it", n=n)


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
