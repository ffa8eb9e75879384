"""A named pattern in a log is gone after the fix: seen before, silent after, counted with its exposure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from proofbook.config.fixes import LogPattern
from proofbook.judge.check import Recipe
from proofbook.judge.checks.log_controls import (
    after_fix_control,
    comparable_load,
    judge_unread_lines,
    near_miss_control,
)
from proofbook.judge.checks.log_coverage import Coverage, Why, coverage_of
from proofbook.judge.checks.log_doubts import Silence, silence
from proofbook.judge.checks.log_past import past
from proofbook.judge.checks.log_rows import (
    RHYTHM,
    affected,
    matching,
    on_new_revision,
    others_in,
    others_of_new,
    served,
)
from proofbook.judge.checks.log_ties import untied
from proofbook.judge.checks.log_unread import Unread, lines_in
from proofbook.judge.findings import Control, Estimate, Exposure, Judgement, Method, Needed, Verdict, percent
from proofbook.judge.view import View
from proofbook.stats import events, proportions, severity


def gone(signature: LogPattern, *, source: str | None, absent_rate: float) -> Recipe:
    """A recipe for "this pattern is gone": seen before, silent after, in a log that covers both."""
    it = _Gone(signature=signature, source=source, absent_rate=absent_rate)
    return Recipe(judge=it.judge)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Gone:
    """A pattern of one log before and after."""

    signature: LogPattern
    source: str | None
    absent_rate: float

    @property
    def pattern(self) -> str:
        return self.signature.pattern

    def seen_before(self, view: View) -> pd.DataFrame | None:
        """What matched before; None where nobody looked, or before stands in the place of after."""
        if view.before_as_after or (view.windows.before is None and not view.has_before(RHYTHM)):
            return None
        return matching(view, "before", self.pattern, source=self.source)

    def judge(self, view: View) -> Judgement:
        everything = others_in(view, "after", source=self.source)
        after = others_of_new(view, source=self.source)
        hits_after = on_new_revision(
            view, matching(view, "after", self.pattern, source=self.source), everything
        )
        cover_after = coverage_of(view, self.source, "after")
        tried = near_miss_control(self.signature)
        if len(hits_after):
            loose = untied(view, hits_after, self.seen_before(view))
            if loose is not None:
                return replace(loose, controls=tried)
            unknown = view.windows.deployed_at is None and not view.live and not view.before_as_after
            return _still_there(
                hits_after, after, (*tried, after_fix_control(view, hits_after)), unknown=unknown
            )
        found = lines_in(view, "after", self.pattern, source=self.source)
        if found is not None and len(found):
            return judge_unread_lines(view, found, cover_after, tried)
        before = (
            others_in(view, "before", source=self.source)
            if view.windows.before is not None or view.has_before(RHYTHM)
            else None
        )
        if before is None:
            return _absent(self.signature, after, cover_after, self.absent_rate, view, tried)
        hits_before = matching(view, "before", self.pattern, source=self.source)
        cover_before = coverage_of(view, self.source, "before")
        controls = [
            *tried,
            cover_after.control("the log after", guards=("pass",)),
            cover_before.control("the log before", guards=("pass",)),
        ]
        earlier = past(view, self.pattern, source=self.source)
        if hits_before.empty and earlier is None:
            held = _matched_before(0)
            if unseen := _unseen((cover_before, cover_after)):
                return _could_not_see(unseen, (*controls, held))
            return Judgement(
                verdict=Verdict.INCONCLUSIVE,
                reason="never-seen",
                statement="the pattern matched nothing before either, so its silence now proves nothing",
                controls=(*controls, held),
                needed=Needed(
                    what="a log from before in which the pattern matches, or an example line that proves the pattern"
                ),
            )
        covers = cover_before, cover_after
        silent = silence(
            view, before, after, hits_before, covers, pattern=self.pattern, source=self.source, past=earlier
        )
        return _compare(view, silent, tuple(controls), covers)


def _still_there(
    hits: pd.DataFrame, after: pd.DataFrame, controls: tuple[Control, ...], *, unknown: bool
) -> Judgement:
    """It shows after. unknown: nothing says when the fix was deployed, so that all of the log counts as after."""
    number, total = affected(hits), max(served(after), affected(hits))
    bounds = proportions.proportion(number, total)
    sample = hits.sort_values(["first", "sample"]).iloc[0]["sample"].strip().rpartition("\n")[2][:160]
    since = "; nothing says when the fix was deployed, so all of the log counts as after" if unknown else ""
    return Judgement(
        verdict=Verdict.FAIL,
        reason="still-there",
        statement=f"{number:,} request{'s' * (number != 1)} wrote it, such as “{sample}”{since}",
        estimate=Estimate.of(bounds, unit="fraction of requests"),
        method=Method(
            name="one occurrence on the fixed revision refutes “gone”",
            confidence=0.95,
            side="one-sided",
            source="Clopper and Pearson 1934",
        ),
        threshold="none",
        limits=True,
        exposure=Exposure(n=total, unit="requests"),
        controls=(
            *controls,
            Control(
                kind="positive",
                name="the pattern matches",
                guards=("fail",),
                expected="at least 1 request",
                got=f"{number:,}",
                held=True,
            ),
        ),
    )


def _could_not_see(why: Why, controls: tuple[Control, ...]) -> Judgement:
    code, sentence = why
    return Judgement(
        verdict=Verdict.INCONCLUSIVE,
        reason=code,
        statement=f"could not see: {sentence}",
        controls=controls,
        needed=Needed(
            what="an export that covers the window: raise its limit, page through it, or narrow the window"
        ),
    )


def _unseen(covers: Sequence[Coverage]) -> Why | None:
    """The first reason why a window is not covered; None where all are."""
    return next((reason for cover in covers for reason in cover.reasons), None)


def _absent(
    signature: LogPattern,
    after: pd.DataFrame,
    cover: Coverage,
    most: float,
    view: View,
    tried: tuple[Control, ...],
) -> Judgement:
    """Without any before: absent, never fixed."""
    requests = served(after)
    proven = bool(signature.examples)
    controls = (
        *tried,
        cover.control("the log after", guards=("pass",)),
        Control(
            kind="positive",
            name="an injected line matches",
            guards=("pass",),
            expected="a match",
            got=f"{len(signature.examples)} example lines matched" if proven else "the case gives no example",
            held=proven,
        ),
    )
    if not cover.held:
        return _could_not_see(cover.reasons[0], controls)
    upper = proportions.proportion(0, requests, confidence=view.confidence_once).high if requests else 1.0
    enough = upper <= most
    unread = cover.unread.lines
    worst = (
        proportions.proportion(min(unread, requests), requests, confidence=view.confidence_once).high
        if requests
        else 1.0
    )
    more = int(np.ceil(np.log(1 - view.confidence_once) / np.log(1 - most)))
    seen = f"absent: in none of {requests:,} requests"
    unseen = f"nothing recorded from before says that it was ever there{cover.unread.aside}"
    return Judgement(
        verdict=Verdict.PASS if enough else Verdict.INCONCLUSIVE,
        reason="absent" if enough else "too-early",
        statement=f"{seen} (at most {upper:.2%}); {unseen}",
        seen=f"{seen}; {unseen}",
        estimate=Estimate(value=0.0, low=0.0, high=upper, unit="fraction of requests"),
        method=Method(
            name="Clopper-Pearson upper bound",
            confidence=view.confidence_once,
            side="one-sided",
            null_hypothesis=f"at least {most:.1%} of requests are affected",
            source="Clopper and Pearson 1934",
        ),
        threshold=f"at most {most:.1%} of requests",
        limits=True,
        severity=severity.of_tries(requests, rate=most),
        severity_at=f"{percent(most)} of requests show it",
        exposure=Exposure(n=requests, unit="requests"),
        controls=(*controls, *cover.unread.control(harmless=worst <= most)),
        needed=None if enough else Needed(what=f"{more:,} requests without it in all", n=more),
    )


def _compare(
    view: View,
    silent: Silence,
    controls: tuple[Control, ...],
    covers: tuple[Coverage, Coverage],
) -> Judgement:
    """Seen before, silent after: gone where neither luck explains that nor anything that could hide it."""
    k0, unit, exposure = silent.affected, silent.unit, silent.exposure
    clusters = silent.by_blocks(silent.ratio)
    luck = silent.luck(silent.ratio, hits=silent.recent.hits, share=silent.recent.share)
    p = silent.p_value if all(control.held for control in controls) else silent.p(silent.counted_ratio)
    doubts = silent.doubts()
    unread = covers[1].unread
    aside = unread.aside + covers[1].aside
    # Where there is nothing to see by, that is why; and then only what could hide it.
    seeing = all(control.held for control in controls)
    doubt = next((item for item in doubts if seeing or item.code in ("old-serves", "not-met")), None)
    upper = events.event_rate_upper(0, exposure=max(exposure[1], 1e-12), confidence=view.confidence_once)
    by = "of earlier runs" if silent.alone else "before"
    seen = f"{k0:,} affected in {_amount(exposure[0], unit)} {by} → 0 in {_amount(exposure[1], unit)} after"
    earlier = f"; held against {silent.past.in_words}, as well" if silent.past else ""
    held = p < silent.alpha and doubt is None
    # To wait for more silence does not help where the log does not cover what there was.
    blind = None if held or doubt else _unseen(covers)
    why = f"; but {doubt.why}" if doubt else f"; but {blind[1]}" if blind else ""
    # What to do about a log that does not cover its window is said with the reason.
    needed = doubt.needed if doubt else None if blind else silent.more
    return Judgement(
        verdict=Verdict.PASS if held else Verdict.INCONCLUSIVE,
        reason="" if held else doubt.code if doubt else blind[0] if blind else "too-early",
        seen=f"{seen}{why}{earlier}{aside}",
        statement=f"{seen}; luck alone gives that silence with p = {p:.2g}{why}{earlier}{aside}",
        estimate=Estimate(value=0.0, low=0.0, high=upper, unit=f"affected per {unit.removesuffix('s')}"),
        method=Method(
            name=f"exact conditional Poisson on {unit} (p = {luck:.2g}) and {clusters.test}; the larger counts",
            confidence=view.confidence_once,
            side="one-sided",
            null_hypothesis="the rate is what it was before",
            source="; ".join(item for item in ("Przyborowski and Wilenski 1940", clusters.source) if item),
        ),
        # What could hide it, no number of requests overcomes.
        threshold="" if doubt else f"p below {1 - view.confidence_once:.2g}",
        severity=silent.severity,
        severity_at="it goes on as often as the lower bound of before says",
        exposure=Exposure(n=exposure[1], unit=unit),
        controls=(
            *controls,
            _matched_before(k0),
            *silent.controls(),
            comparable_load(silent.met.requests, covers),
            *_unread_control(k0, exposure, unread, view, cluster=silent.recent.cluster),
        ),
        needed=None if held else needed,
        history=silent.past.history if silent.past else None,
    )


def _amount(exposure: float, unit: str) -> str:
    """An exposure in the unit that people would use.

    >>> _amount(28977.1, "minutes"), _amount(90, "minutes"), _amount(2001, "requests")
    ('20.1 days', '90.0 minutes', '2,001 requests')
    """
    if unit != "minutes" or exposure < 600:
        return f"{exposure:,.0f} {unit}" if unit == "requests" else f"{exposure:,.1f} {unit}"
    hours = exposure / 60
    return f"{hours:,.1f} hours" if hours < 72 else f"{hours / 24:,.1f} days"


def _matched_before(requests: int) -> Control:
    """Positive: the pattern matched before."""
    return Control(
        kind="positive",
        name="the pattern matched before",
        guards=("pass",),
        expected="at least 1 request",
        got=f"{requests:,} requests" if requests else "0",
        held=requests > 0,
    )


def _unread_control(
    events_before: int, exposure: tuple[float, float], unread: Unread, view: View, *, cluster: float
) -> tuple[Control, ...]:
    """Liveness: silence would be no luck either, if every line that was not read held the pattern. What comes together counts once."""
    worst = events.fewer_by_luck(
        before_events=int(events_before / cluster),
        before_exposure=exposure[0],
        after_events=int(np.ceil(unread.lines / cluster)),
        after_exposure=max(exposure[1], 1e-12),
    )
    return unread.control(harmless=worst < 1 - view.confidence_once)
