"""What could hide a symptom that is silent: another revision at work, a place nobody came to, a log that tells less, an hour at which it never shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pandas as pd

from proofbook.judge.checks.log_coverage import Coverage
from proofbook.judge.checks.log_met import Met, met
from proofbook.judge.checks.log_past import Past, together
from proofbook.judge.checks.log_rows import others_in, served, silence_of
from proofbook.judge.checks.log_serving import Serving, serving
from proofbook.judge.checks.log_silence import (
    BLOCKS_AFTER,
    BLOCKS_BEFORE,
    Gaps,
    Phase,
    Placebos,
    Recent,
    blocks_needed,
    gaps,
    hits_per_block,
    phases,
    placebo_windows,
    recent,
)
from proofbook.judge.checks.log_told import Told, errors_control, refusals_control, told, told_needed
from proofbook.judge.findings import Control, Needed
from proofbook.judge.view import View, stamp
from proofbook.judge.window import Span
from proofbook.stats import events, severity

# With less of what came before in as much time, a silent window is called idle.
LEAST_LOAD = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """Why a silence is no proof: a code of `reasons`, in words, and what would settle it."""

    code: str
    why: str
    needed: Needed


@dataclass(frozen=True, slots=True, kw_only=True)
class Clusters:
    """A silent window held against windows of before, since hits come in clusters: p and severity, and what says so."""

    p: float
    severity: float
    test: str
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """A silent window after, and all that weighs it.

    hits: rows of `log_matches` of before. exposure: before and after in `unit`, as counted. ratio: what of the exposure of
    before really came after: at the symptom's places, and as far as the log still tells. recent: the end of before.
    after: the window after, from when on only the new revision wrote.
    past: what earlier runs saw, None without; alone: whether only they saw the symptom, so that they are what counts as before.
    """

    view: View
    hits: pd.DataFrame
    unit: str
    exposure: tuple[float, float]
    met: Met
    told: Told
    serving: Serving | None
    errors: Control | None
    phases: tuple[Phase, ...]
    gaps: Gaps
    after: Span | None
    placebos: Placebos | None
    recent: Recent
    past: Past | None = None
    alone: bool = False

    @property
    def affected(self) -> int:
        return int(self.hits["affected"].sum())

    @property
    def counted_ratio(self) -> float:
        """The exposure of after in that of before, as counted."""
        return self.exposure[1] / self.exposure[0] if self.exposure[0] > 0 else 0.0

    @property
    def met_ratio(self) -> float:
        return self.met.ratio if self.met.place else self.counted_ratio

    @property
    def ratio(self) -> float:
        return self.met_ratio * self.told.thinned

    @property
    def alpha(self) -> float:
        return 1 - self.view.confidence_once

    @property
    def own_share(self) -> float:
        """What of before this log holds, by time."""
        windows = self.view.windows.before, self.before
        own, whole = ((item[1] - item[0]).total_seconds() if item else 0.0 for item in windows)
        return own / whole if whole > 0 else 1.0

    def luck(self, ratio: float, *, hits: int, share: float = 1.0) -> float:
        """The chance of silence over that exposure, had the rate of before (of its last `share`) stayed."""
        if self.exposure[0] <= 0:
            return 1.0
        return events.silence_by_luck(
            before_events=hits,
            before_exposure=share * self.exposure[0],
            after_exposure=max(ratio * self.exposure[0], 1e-12),
        )

    @property
    def windows(self) -> tuple[Span | None, Span | None]:
        """Before, and after from when on only the new revision wrote."""
        return self.before, self.after

    def by_blocks(self, ratio: float) -> Clusters:
        """The chance of a silent window as long as the one after, where hits come in clusters; of a loud one; and the test."""
        confidence = self.view.confidence_once
        if self.placebos is not None:
            return Clusters(
                p=self.placebos.p,
                severity=self.placebos.severity(confidence=confidence),
                test=self.placebos.in_words,
            )
        blocks = hits_per_block(self.hits, *self.windows, ratio=ratio)
        # So few blocks are silent together as often as one of them is.
        if blocks is None or len(blocks[1]) < BLOCKS_AFTER:
            return Clusters(
                p=1.0, severity=0.0, test=f"fewer than {BLOCKS_AFTER} blocks longer than the clusters seen"
            )
        loud = sum(number > 0 for number in blocks[0])
        p = events.silent_blocks(before=blocks[0], after=blocks[1])
        return Clusters(
            p=p,
            severity=severity.of_windows(loud, len(blocks[0]), windows=len(blocks[1]), confidence=confidence),
            test=f"Fisher's exact test on silent blocks longer than the clusters seen (p = {p:.2g})",
            source="Fisher 1935",
        )

    @property
    def severity(self) -> float:
        """The chance that this window had shown the symptom, had it stayed as often as the lower bound of before says."""
        of_rate = severity.of_silence(
            self.recent.hits,
            ratio=self.ratio / self.recent.share,
            confidence=self.view.confidence_once,
        )
        return min(of_rate, self.by_blocks(self.ratio).severity)

    @property
    def before(self) -> Span | None:
        """The time that counts as before."""
        own = self.view.windows.before
        return (self.past.since, own[1]) if self.past and self.alone and own else own

    @property
    def blocks(self) -> int:
        """How many silent blocks would be convincing."""
        counted = hits_per_block(self.hits, *self.windows)
        loud = sum(number > 0 for number in counted[0]) if counted else BLOCKS_BEFORE
        return blocks_needed(loud, confidence=self.view.confidence_once)

    @property
    def time_ratio(self) -> float:
        """How long after is, in that of before."""
        seconds = [(item[1] - item[0]).total_seconds() if item else 0.0 for item in self.windows]
        return seconds[1] / seconds[0] if seconds[0] > 0 else 0.0

    def p(self, ratio: float, *, hits: int | None = None, share: float = 1.0) -> float:
        """The larger of both."""
        found = self.luck(ratio, hits=self.affected if hits is None else hits, share=share)
        return max(found, self.by_blocks(ratio).p)

    @property
    def p_value(self) -> float:
        """The chance of this silence by luck, with all that weakens it."""
        found = self.p(self.ratio, hits=self.recent.hits, share=self.recent.share)
        return max(found, self.recent.by_blocks(self.ratio))

    def doubts(self) -> list[Doubt]:
        """What keeps the silence from being a proof, the most telling first; empty where it is one."""
        found = []
        if self.serving is not None and not self.serving.held:
            found.append(Doubt(code="old-serves", why=self.serving.in_words, needed=self.serving.needed))
        if self.told.silent:
            found.append(
                Doubt(code="level-silent", why=self.told.in_words, needed=told_needed(self.told.level))
            )
        if self.alone and self.luck(self.own_share, hits=self.affected) < self.alpha:
            why = "this log does not hold it before the deployment either, where by what earlier runs saw it should have shown"
            needed = Needed(
                what="a log that holds it right before the deployment, else nothing says that the deployment ended it"
            )
            found.append(Doubt(code="never-seen", why=why, needed=needed))
        if self.told.instead:
            needed = Needed(
                what="a look at what is new: if it is the same defect in other words, add it as a symptom"
            )
            found.append(Doubt(code="replaced", why=f"new since then: {self.told.instead}", needed=needed))
        if self.errors is not None and not self.errors.held:
            needed = Needed(what="a look at the requests that ended so: what made them, if not the symptom")
            found.append(Doubt(code="errors-remain", why=self.errors.got, needed=needed))
        return [*found, *self._by_luck(), *self._by_time()]

    def _by_luck(self) -> list[Doubt]:
        """The first of what weakens it that makes the silence no surprise."""
        there = self.met.place and not self.met.there[1]
        if not there and self.p(self.counted_ratio) >= self.alpha:
            few = self.counted_ratio < LEAST_LOAD * self.time_ratio and self.p(self.time_ratio) < self.alpha
            why = f"{self.exposure[1]:,.0f} {self.unit} are {self.counted_ratio / max(self.time_ratio, 1e-9):.0%} of what came before in as much time"
            needed = self.later(Needed(what="a window after in which as many users come as before"))
            return [Doubt(code="little-met", why=why, needed=needed)] if few else []
        if self.p(self.met_ratio) >= self.alpha:
            return [Doubt(code="not-met", why=self.met.in_words, needed=self.met.needed)]
        if self.p(self.ratio) >= self.alpha:
            words = f"{self.told.in_words} ({self.told.share:.0%})"
            if self.unit == "requests":
                return [Doubt(code="log-thinned", why=words, needed=told_needed(self.told.level))]
            needed = self.later(Needed(what="a window after in which as much is written as before"))
            return [
                Doubt(
                    code="little-met",
                    why=f"so little went on that it may not have been met: {words}",
                    needed=needed,
                )
            ]
        if self.p_value >= self.alpha:
            why = f"it was vanishing already: the last {self.recent.share:.0%} of before hold {self.recent.hits:,} of {self.affected:,}"
            return [Doubt(code="vanishing", why=why, needed=self.later(Needed(what="a longer silence, by the rate of the end of before")))]  # fmt: skip
        return []

    def _by_time(self) -> list[Doubt]:
        found = []
        bad = [item for item in self.phases if not item.held]
        if bad:
            item = max(bad, key=lambda item: item.silent / item.windows)
            until = stamp(item.loud_at.ceil("s")) if item.loud_at is not None else None
            window = self.view.windows.after
            seconds = (
                (item.loud_at - window[1]).total_seconds() if window and item.loud_at is not None else None
            )
            needed = Needed(
                what=f"a window that holds a time at which it showed {item.name} earlier",
                seconds=seconds,
                until=until,
            )
            found.append(Doubt(code="quiet-phase", why=item.in_words, needed=needed))
        if not self.gaps.held:
            why = f"silent for {self.gaps.now:,.0f} {self.unit_of_gaps} so far, and for up to {self.gaps.longest:,.0f} before"
            found.append(Doubt(code="shorter-silence", why=why, needed=self.later(Needed(what="a longer silence than any of before"))))  # fmt: skip
        return found

    @property
    def unit_of_gaps(self) -> str:
        return "requests" if self.unit == "requests" else "entries"

    @property
    def wanted(self) -> float:
        """The exposure, in that of before, whose silence would be convincing: by the rate, by blocks, and by the silences of before."""
        of_rate = self.recent.share * (self.alpha ** (-1 / self.recent.hits) - 1) if self.recent.hits else 1.0
        of_gaps = self.ratio + (max(0.0, self.gaps.longest - self.gaps.now) + 1) / max(self.gaps.whole, 1.0)
        return max(of_rate, self.blocks / BLOCKS_BEFORE, 0.0 if self.gaps.held else of_gaps)

    @property
    def more(self) -> Needed:
        """The further exposure that would be convincing."""
        whole = self.exposure[0]
        more = max(0.0, self.wanted - self.ratio) * whole
        blocks = f"in at least {self.blocks} blocks of {whole / BLOCKS_BEFORE:,.0f}"
        return self.later(Needed(what=f"{more:,.0f} more {self.unit} without it, {blocks}"))

    def later(self, needed: Needed) -> Needed:
        """The same with the earliest time at which it can be decided, if what came after goes on as it did."""
        window = self.after
        if window is None or self.ratio <= 0:
            return needed
        end = window[0] + (window[1] - window[0]) * (self.wanted / self.ratio)
        if end <= window[1]:
            return needed
        seconds = round(float((end - window[1]).total_seconds()), 1)
        return replace(needed, seconds=seconds, until=stamp(end.ceil("s")))

    def controls(self) -> tuple[Control, ...]:
        """The same as controls of the finding: each of these could have hidden the symptom."""
        found = []
        if self.serving is not None:
            found.append(_control("the fixed revision serves", "nearly all of what is done at the end", self.serving.in_words, held=self.serving.held, code="old-serves"))  # fmt: skip
        if self.told.expected:
            found.append(_control("the log still tells", "other messages at the symptom's level or below", self.told.in_words, held=not self.told.silent, code="level-silent", kind="liveness"))  # fmt: skip
        found.append(_control("nothing takes its place", "no new warning or error about as frequent", self.told.instead or "none", held=not self.told.instead, code="replaced"))  # fmt: skip
        if self.errors is not None:
            found.append(self.errors)
        if self.met.place:
            held = self.p(self.met_ratio) < self.alpha or self.p(self.counted_ratio) >= self.alpha
            found.append(_control("users came where it was met", "enough requests there to show it", self.met.in_words, held=held, code="not-met"))  # fmt: skip
        found += [_control(f"the same phase of earlier {item.name}", "loud more often than silent", item.in_words, held=item.held, code="quiet-phase") for item in self.phases]  # fmt: skip
        got = f"{self.gaps.now:,.0f} {self.unit_of_gaps}; up to {self.gaps.longest:,.0f} before"
        found.append(_control("a longer silence than any before", "more than passed between two of before", got, held=self.gaps.held, code="shorter-silence"))  # fmt: skip
        return tuple(found)


def _control(
    name: str, expected: str, got: str, *, held: bool, code: str, kind: str = "comparability"
) -> Control:
    return Control(kind=kind, name=name, guards=("pass",), expected=expected, got=got, held=held, code=code)


def silence(
    view: View,
    before: pd.DataFrame,
    after: pd.DataFrame,
    hits: pd.DataFrame,
    covers: tuple[Coverage, Coverage],
    *,
    pattern: str,
    source: str | None,
    past: Past | None = None,
) -> Silence:
    """All that weighs a silent window. before, after: rows of `log_rhythm`; hits: rows of `log_matches` of before.

    past: what earlier runs saw. Where this log holds no match from before, they are what counts as before.
    """
    windows = view.windows
    alone = past is not None and hits.empty
    there = met(view, pattern, source=source)
    own_ratio = there.ratio
    if past is not None and alone:
        hits, before = past.hits, pd.concat([past.entries, before], ignore_index=True)
        asked = int(past.entries["requests"].sum()) + there.requests[0]
        there = Met(requests=(asked, there.requests[1]), ratio=there.requests[1] / max(asked, 1))
    if min(there.requests) > 0 or (not alone and min(served(before), served(after)) > 0):
        unit, exposure = "requests", (float(there.requests[0]), float(there.requests[1]))
    else:
        minutes = _minutes(spans_of(past, windows.before)) if alone else covers[0].window_s / 60
        unit, exposure = "minutes", (minutes, covers[1].window_s / 60)
    ratio = exposure[1] / exposure[0] if exposure[0] > 0 else 0.0
    affected = int(hits["affected"].sum())
    # What else is written is compared with this log's own window before.
    written = (own_ratio or covers[1].window_s / max(covers[0].window_s, 1e-9)) if alone else ratio
    said = told(
        view, pattern, source=source, ratio=written, hits=affected * ratio / written if written else 0
    )
    column = "requests" if unit == "requests" else "entries"
    silent = silence_of(view, source=source)
    return Silence(
        view=view,
        hits=hits,
        unit=unit,
        exposure=exposure,
        met=there,
        told=said,
        serving=serving(view, pattern, source=source),
        errors=None
        if alone
        else refusals_control(view, hits, pattern=pattern, source=source)
        or errors_control(view, source=source, hits=affected),
        phases=tuple(_phases(view, hits, past, silent)),
        after=silent,
        gaps=gaps(before, hits, column=column, after=float(after[column].sum())),
        placebos=_placebos(view, others_in(view, "before", source=source), hits, past, silent, alone=alone),
        recent=recent(before, hits, column=column),
        past=past,
        alone=alone,
    )


def _phases(view: View, hits: pd.DataFrame, past: Past | None, after: Span | None) -> list[Phase]:
    """The same phase of earlier hours, days and weeks, as far as this log and those of earlier runs reach back."""
    before = view.windows.before
    if past is None or before is None:
        return phases(hits, before, after)
    both = hits if hits is past.hits else pd.concat([past.hits, hits], ignore_index=True)
    return phases(both, (past.since, before[1]), after, spans=spans_of(past, before))


def _placebos(
    view: View,
    entries: pd.DataFrame,
    hits: pd.DataFrame,
    past: Past | None,
    after: Span | None,
    *,
    alone: bool,
) -> Placebos | None:
    """Windows of before as long as the one after, of earlier runs too; None with too little history."""
    own = view.windows.before
    if past is None or own is None:
        return placebo_windows(entries, hits, own, after)
    counted = hits_per_block(hits, own, after)
    # Where this log shows the symptom in a few blocks only, it cannot decide by them.
    few = alone or counted is None or sum(number > 0 for number in counted[0]) < BLOCKS_AFTER
    return placebo_windows(
        pd.concat([past.entries, entries]),
        hits if alone else pd.concat([past.hits, hits]),
        (past.since, own[1]),
        after,
        spans=spans_of(past, own),
        shorter=few,
    )


def spans_of(past: Past | None, own: Span | None) -> tuple[Span, ...]:
    """The times of before that this log and those of earlier runs cover."""
    return together([*(past.spans if past else ()), *([own] if own else [])])


def _minutes(spans: Sequence[Span]) -> float:
    return sum((span[1] - span[0]).total_seconds() for span in spans) / 60
