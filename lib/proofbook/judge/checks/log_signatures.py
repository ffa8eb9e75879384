"""Named patterns in logs: gone after the fix, or present as a sign of health; counted with their exposure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from proofbook.config import duckdb_text
from proofbook.config.case import Signature
from proofbook.evidence.schema import LOG_MATCHES, LOG_PATTERNS
from proofbook.judge.check import Mutant, Recipe
from proofbook.judge.checks.log_coverage import RHYTHM, Coverage, coverage_of, entries_in, rows_in
from proofbook.judge.checks.log_unread import certainly_after, lines_in
from proofbook.judge.checks.success_rate import judge_rate
from proofbook.judge.findings import Control, Estimate, Exposure, Judgement, Method, Needed, Verdict
from proofbook.judge.view import InsufficientEvidence, View, stamp
from proofbook.judge.window import Span
from proofbook.stats import events, proportions

BLOCKS_BEFORE = 5
# With fewer windows of history, placebos cannot give a p-value under 0.05.
MIN_PLACEBOS = 19


def without_probes(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of what our own probes did not cause."""
    return rows[~rows["own"].astype(bool)]


def matching(view: View, which: str, pattern: str, *, source: str | None) -> pd.DataFrame:
    """The rows of `log_matches` of a pattern in a window, without what our own probes caused.

    Raises:
        InsufficientEvidence: the pattern was not looked for when the log was read.
    """
    phase = (
        "before"
        if (which == "before" or view.before_as_after) and view.table(LOG_PATTERNS, "before") is not None
        else "after"
    )
    tried = view.recorded("log_patterns", phase)
    if tried is None or pattern not in set(tried["pattern"]):
        raise InsufficientEvidence(
            "no-evidence",
            f"“{pattern}” was not looked for when the log was read",
            repair="record the log again with this case",
        )
    rows = rows_in(view, "log_matches", which, source=source)
    return without_probes(rows[rows["pattern"] == pattern])


def affected(hits: pd.DataFrame) -> int:
    """How many requests were hit: lines of one trace count once, since crashes come in bursts of lines."""
    return int(hits["affected"].sum())


def served(entries: pd.DataFrame) -> int:
    """How many requests the platform logged."""
    return int(entries["requests"].sum())


def exposed(view: View, which: str, pattern: str) -> dict[str, float]:
    """Affected requests in a window, per minute too, with the minutes and the requests in which they could have been."""
    entries = without_probes(entries_in(view, which))
    hits = matching(view, which, pattern, source=None)
    if which == "after":
        hits, entries = on_new_revision(view, hits, entries), on_new_revision(view, entries, entries)
    window = view.windows.before if which == "before" else view.windows.after
    minutes = (window[1] - window[0]).total_seconds() / 60 if window else 0.0
    unread = lines_in(view, which, pattern, source=None)
    found = (
        {}
        if unread is None or unread.empty
        else {f"lines without a time {which}": int(unread["lines"].sum())}
    )
    return {
        f"affected {which}": affected(hits),
        **found,
        f"per minute {which}": affected(hits) / minutes if minutes else float("nan"),
        f"minutes {which}": minutes,
        f"requests {which}": served(entries),
    }


def gone(signature: Signature, *, source: str | None, absent_rate: float) -> Recipe:
    """A recipe for "this pattern is gone": seen before, silent after, in a log that covers both."""
    pattern = signature.log or ""

    def judge(view: View) -> Judgement:
        everything = without_probes(entries_in(view, "after", source=source))
        after = on_new_revision(view, everything, everything)
        hits_after = on_new_revision(view, matching(view, "after", pattern, source=source), everything)
        cover_after = coverage_of(view, source, "after")
        tried = _tried(signature)
        if len(hits_after):
            return _still_there(hits_after, after, (*tried, _of_the_fix(view, hits_after)))
        found = lines_in(view, "after", pattern, source=source)
        if found is not None and len(found):
            return _in_unread_lines(view, found, cover_after, tried)
        before = (
            without_probes(entries_in(view, "before", source=source))
            if view.windows.before is not None or view.has_before(RHYTHM)
            else None
        )
        if before is None:
            return _absent(signature, after, cover_after, absent_rate, view, tried)
        hits_before = matching(view, "before", pattern, source=source)
        cover_before = coverage_of(view, source, "before")
        controls = [
            *tried,
            cover_after.control("the log after", guards=("pass",)),
            cover_before.control("the log before", guards=("pass",)),
        ]
        if hits_before.empty:
            held = Control(
                kind="positive",
                name="the pattern matched before",
                guards=("pass",),
                expected="at least 1 request",
                got="0",
                held=False,
            )
            if not cover_before.held or not cover_after.held:
                return _could_not_see((cover_before, cover_after), (*controls, held))
            return Judgement(
                verdict=Verdict.INCONCLUSIVE,
                reason="never-seen",
                statement="the pattern matched nothing before either, so its silence now proves nothing",
                controls=(*controls, held),
                needed=Needed(
                    what="a log from before in which the pattern matches, or an example line that proves the pattern"
                ),
            )
        return _compare(view, before, after, hits_before, tuple(controls), (cover_before, cover_after))

    return Recipe(judge=judge)


def present(signature: Signature, *, source: str | None) -> Recipe:
    """A recipe for "this line of a healthy system is written"."""
    pattern = signature.log or ""

    def judge(view: View) -> Judgement:
        everything = without_probes(entries_in(view, "after", source=source))
        after = on_new_revision(view, everything, everything)
        hits = on_new_revision(view, matching(view, "after", pattern, source=source), everything)
        cover = coverage_of(view, source, "after")
        number = affected(hits)
        found = lines_in(view, "after", pattern, source=source)
        if not number and found is not None and len(found):
            return _in_unread_lines(view, found, cover, _tried(signature), refutes=False)
        minutes = max(cover.window_s / 60, 1e-9)
        controls = (
            *_tried(signature),
            cover.control("the log after", guards=("fail",)),
            _can_match(view, signature),
        )
        return Judgement(
            verdict=Verdict.PASS if number else Verdict.FAIL,
            reason="" if number else "indicator-absent",
            statement=f"written for {number:,} requests in {minutes:.1f} min"
            if number
            else f"never written in {minutes:.1f} min",
            estimate=Estimate(
                value=number / minutes,
                low=None,
                high=None if number else events.event_rate_upper(0, exposure=minutes),
                unit="requests per minute",
            ),
            method=Method(name="count of affected requests", null_hypothesis="it is not written"),
            threshold="at least 1",
            exposure=Exposure(n=int(after["entries"].sum()), unit="entries"),
            controls=controls,
        )

    def removed(view: View) -> View:
        rows = view.need(LOG_MATCHES)
        return view.exchange(LOG_MATCHES, rows[rows["pattern"] != pattern])

    return Recipe(
        judge=judge,
        mutants=(Mutant(name="its lines removed", change=removed),),
    )


def error_rate(*, source: str | None, most: float) -> Recipe:
    """A recipe for "few requests in the log end in a server error"."""

    def judge(view: View) -> Judgement:
        everything = without_probes(entries_in(view, "after", source=source))
        rows = on_new_revision(view, everything, everything)
        if served(rows) == 0:
            raise InsufficientEvidence(
                "no-requests",
                "the log holds no request entries of the new revision",
                repair="name a log source with request entries",
            )
        cover = coverage_of(view, source, "after")
        return judge_rate(
            count=served(rows),
            failures=int(rows["server_errors"].sum()),
            target=1 - most,
            planned=False,
            view=view,
            unit="logged requests",
            what="ended without a server error",
            controls=(
                cover.control("the log after", guards=("pass",)),
                *cover.unread.control(
                    harmless=proportions.proportion(
                        served(rows) - int(rows["server_errors"].sum()), served(rows) + cover.unread.lines, confidence=view.confidence
                    ).low
                    >= 1 - most
                ),
            ),
        )  # fmt: skip

    def broken(view: View) -> View:
        rows = view.need(RHYTHM)
        return view.exchange(
            RHYTHM, rows.assign(server_errors=np.ceil(2 * most * rows["requests"]).astype("int64"))
        )

    return Recipe(
        judge=judge,
        mutants=(Mutant(name=f"{2 * most:.0%} server errors", change=broken),),
    )


def on_new_revision(view: View, rows: pd.DataFrame, entries: pd.DataFrame) -> pd.DataFrame:
    """The rows less those of other revisions of the service that was deployed; other services stay.

    A row that names no revision may be of either until the old one is gone.
    """
    revision, settled_at = view.windows.new_revision, view.windows.settled_at
    if view.before_as_after:
        return rows
    named = rows["service_version"].notna()
    deployed = entries.loc[entries["service_version"] == revision, "service_name"].dropna().unique()
    service = rows["service_name"]
    same = service.isin(deployed) if len(deployed) else pd.Series(True, index=rows.index)
    gone = pd.Series(False, index=rows.index)
    if revision is not None:
        gone |= named & same & (rows["service_version"] != revision)
    if settled_at is not None:
        gone |= ~named & (same | service.isna()) & (rows["first"] < settled_at)
    return rows[~gone]


def _tried(signature: Signature) -> tuple[Control, ...]:
    """Negative: lines that look alike must not match; tried again here, not only when the case was loaded."""
    if not signature.near_misses:
        return ()
    hits = duckdb_text.found_in(signature.log or "", signature.near_misses)
    matched = [line for line, hit in zip(signature.near_misses, hits, strict=True) if hit]
    return (
        Control(
            kind="negative",
            name="near-misses do not match the pattern",
            guards=("pass", "fail"),
            expected="no match",
            got=f"{len(matched)} of {len(signature.near_misses)} matched",
            held=not matched,
        ),
    )


def _can_match(view: View, signature: Signature) -> Control:
    """Positive: a pattern with a slip of the pen is never written either."""
    found = [
        table for phase in ("before", "after") if (table := view.recorded("log_matches", phase)) is not None
    ]
    matched = any((table["pattern"] == signature.log).any() for table in found)
    proof = f"{len(signature.examples)} example lines" if signature.examples else "a line of this log"
    return Control(
        kind="positive",
        name="the pattern can match",
        guards=("fail",),
        expected="an example line in the case, or a line of the log at any time",
        got=proof if signature.examples or matched else "neither",
        held=bool(signature.examples) or matched,
    )


def _of_the_fix(view: View, hits: pd.DataFrame) -> Control:
    """Comparability: without probes and without a deployment, a log is of no known side of the fix; nor are lines of anyone while the old revision still answers."""
    windows = view.windows
    of_anyone = windows.alongside and bool(hits["service_version"].isna().all())
    if of_anyone:
        got = "lines that name no revision, while the old one still answers elsewhere"
    elif windows.settled_at is not None:
        got = f"since {stamp(windows.settled_at)}"
    else:
        got = windows.new_revision or "neither"
    return Control(
        kind="comparability",
        name="the log is from after the fix",
        guards=("fail",),
        expected="lines that name a revision, or a time from which on only the new one wrote",
        got=got,
        held=not of_anyone and got != "neither",
        code="" if of_anyone else "no-deployment",
    )


def _still_there(hits: pd.DataFrame, after: pd.DataFrame, controls: tuple[Control, ...]) -> Judgement:
    number, total = affected(hits), max(served(after), affected(hits))
    bounds = proportions.proportion(number, total)
    sample = hits.sort_values(["first", "sample"]).iloc[0]["sample"].strip().rpartition("\n")[2][:160]
    return Judgement(
        verdict=Verdict.FAIL,
        reason="still-there",
        statement=f"{number:,} request{'s' * (number != 1)} wrote it, such as “{sample}”",
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


def _in_unread_lines(
    view: View, found: pd.DataFrame, cover: Coverage, controls: tuple[Control, ...], *, refutes: bool = True
) -> Judgement:
    """The pattern stands in lines without a readable time: that refutes “gone” only where something says that they are from after."""
    placed = found[certainly_after(view, found)] if refutes else found.iloc[0:0]
    rows = found if placed.empty else placed
    number = int(rows["lines"].sum())
    sample = rows.sort_values("sample").iloc[0]["sample"].strip().rpartition("\n")[2][:160]
    holds = f"{number:,} line{'s hold' if number != 1 else ' holds'} it without a readable time, such as “{sample}”"
    if placed.empty:
        unsure = ", and nothing says whether they are from after the fix" if refutes else ""
        return Judgement(
            verdict=Verdict.INCONCLUSIVE,
            reason="log-unread",
            statement=f"{holds}{unsure}{cover.unread.aside}",
            controls=controls,
        )
    nobody = rows.assign(service_version=None)
    return Judgement(
        verdict=Verdict.FAIL,
        reason="still-there",
        statement=f"{holds}, after an entry of {stamp(placed['first'].min())}{cover.unread.aside}",
        estimate=Estimate(value=float(number), unit="lines"),
        method=Method(name="one occurrence on the fixed revision refutes “gone”; a line was written after the entry before it"),
        threshold="none",
        limits=True,
        exposure=Exposure(n=cover.unread.lines, unit="lines that were not read"),
        controls=(*controls, _of_the_fix(view, nobody)),
    )  # fmt: skip


def _could_not_see(covers: Sequence[Coverage], controls: tuple[Control, ...]) -> Judgement:
    code, sentence = next(reason for cover in covers for reason in cover.reasons)
    return Judgement(
        verdict=Verdict.INCONCLUSIVE,
        reason=code,
        statement=f"could not see: {sentence}",
        controls=controls,
        needed=Needed(
            what="an export that covers the window: raise its limit, page through it, or narrow the window"
        ),
    )


def _absent(
    signature: Signature,
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
        return _could_not_see((cover,), controls)
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
        severity=1 - (1 - most) ** requests if enough else None,
        exposure=Exposure(n=requests, unit="requests"),
        controls=(*controls, *cover.unread.control(harmless=worst <= most)),
        needed=None if enough else Needed(what=f"{more:,} requests without it in all", n=more),
    )


def _compare(
    view: View,
    before: pd.DataFrame,
    after: pd.DataFrame,
    hits_before: pd.DataFrame,
    controls: tuple[Control, ...],
    covers: tuple[Coverage, Coverage],
) -> Judgement:
    """Seen before, silent after: the chance of that by luck, by exposure and by blocks, the larger counts."""
    k0 = affected(hits_before)
    requests = served(before), served(after)
    by_requests = min(requests) > 0
    exposure = (
        (float(requests[0]), float(requests[1]))
        if by_requests
        else (covers[0].window_s / 60, covers[1].window_s / 60)
    )
    unit, shown = ("requests", ",.0f") if by_requests else ("minutes", ",.1f")
    luck = (
        events.silence_by_luck(
            before_events=k0, before_exposure=exposure[0], after_exposure=max(exposure[1], 1e-12)
        )
        if exposure[0] > 0
        else 1.0
    )
    placebos = _placebos(before, hits_before, view.windows.before, view.windows.after)
    blocks = _blocks(hits_before, view.windows.before, view.windows.after)
    if placebos is not None:
        second, test = placebos.p, placebos.in_words
    else:
        second = events.silent_blocks(before=blocks[0], after=blocks[1]) if blocks else 1.0
        test = f"Fisher's test on silent blocks longer than the clusters seen (p = {second:.2g})"
    p = max(luck, second)
    passed = p < 1 - view.confidence_once
    unread = covers[1].unread
    worst = proportions.fewer_by_luck(
        before_events=k0, before_exposure=exposure[0], after_events=unread.lines, after_exposure=max(exposure[1], 1e-12)
    )  # fmt: skip
    upper = events.event_rate_upper(0, exposure=max(exposure[1], 1e-12), confidence=view.confidence_once)
    seen = f"{k0:,} affected in {exposure[0]:{shown}} {unit} before → 0 in {exposure[1]:{shown}} {unit} after"
    return Judgement(
        verdict=Verdict.PASS if passed else Verdict.INCONCLUSIVE,
        reason="" if passed else "too-early",
        seen=f"{seen}{unread.aside}",
        statement=f"{seen}; luck alone gives that silence with p = {p:.2g}{unread.aside}",
        estimate=Estimate(value=0.0, low=0.0, high=upper, unit=f"affected per {unit.removesuffix('s')}"),
        method=Method(
            name=f"exact conditional Poisson on {unit} (p = {luck:.2g}) and {test}; the larger counts",
            confidence=view.confidence_once,
            side="one-sided",
            null_hypothesis="the rate is what it was before",
            source="Przyborowski and Wilenski 1940; Fisher 1935",
        ),
        threshold=f"p below {1 - view.confidence_once:.2g}",
        severity=1 - p if passed else None,
        exposure=Exposure(n=exposure[1], unit=unit),
        controls=(
            *controls,
            Control(
                kind="positive",
                name="the pattern matched before",
                guards=("pass",),
                expected="at least 1 request",
                got=f"{k0:,} requests",
                held=True,
            ),
            comparable_load(requests, covers),
            *unread.control(harmless=worst < 1 - view.confidence_once),
        ),
        needed=None if passed else Needed(what=_more(k0, exposure, unit, view.confidence_once)),
    )


def comparable_load(requests: tuple[int, int], covers: tuple[Coverage, Coverage]) -> Control:
    """Comparability: a tenth of the requests would show a tenth of the errors. `requests` and `covers` of before and after."""
    rates = [number / max(cover.window_s, 1e-9) for number, cover in zip(requests, covers, strict=True)]
    ratio = rates[1] / rates[0] if min(requests) > 0 else 1.0
    return Control(
        kind="comparability",
        name="comparable load",
        guards=("pass",),
        expected="0.2 to 5 times the requests per second of before",
        got=f"{ratio:.2f} times" if min(requests) > 0 else "the log holds no requests of both",
        held=0.2 <= ratio <= 5,
    )


def _more(k0: int, exposure: tuple[float, float], unit: str, confidence: float) -> str:
    """The exposure after which silence would be convincing."""
    wanted = exposure[0] * ((1 - confidence) ** (-1 / k0) - 1)
    return f"{max(0.0, wanted - exposure[1]):,.0f} more {unit} without it, in at least 4 blocks"


def _blocks(
    hits: pd.DataFrame, before: Span | None, after: Span | None
) -> tuple[list[int], list[int]] | None:
    """Hits per block of equal length; None when clusters are longer than a block."""
    if before is None or after is None:
        return None
    length = (before[1] - before[0]).total_seconds() / BLOCKS_BEFORE
    longest = float(hits["longest_s"].max()) if len(hits) else 0.0
    if length <= longest or length <= 0:
        return None
    index = ((hits["first"] - before[0]).dt.total_seconds() // length).clip(0, BLOCKS_BEFORE - 1).astype(int)
    counts = [int((index == block).sum()) for block in range(BLOCKS_BEFORE)]
    return counts, [0] * int((after[1] - after[0]).total_seconds() // length)


@dataclass(frozen=True, slots=True, kw_only=True)
class Placebos:
    """Windows of before, as long as the one after, and how many of them were silent too."""

    windows: int
    silent: int

    @property
    def p(self) -> float:
        """How often a window as long as this is silent with nothing fixed."""
        return (1 + self.silent) / (1 + self.windows)

    @property
    def in_words(self) -> str:
        return f"{self.windows} placebo windows of before, {self.silent} of them silent (p = {self.p:.2g})"


def _placebos(
    entries: pd.DataFrame, hits: pd.DataFrame, before: Span | None, after: Span | None
) -> Placebos | None:
    """Disjoint windows of before of the length of after in which something was logged; None with too little history."""
    if before is None or after is None or after[1] <= after[0]:
        return None
    length = (after[1] - after[0]).total_seconds()
    count = int((before[1] - before[0]).total_seconds() // length)
    if count < MIN_PLACEBOS:
        return None

    def windows(rows: pd.DataFrame) -> set[int]:
        # Counted back from the deployment, so that the rest which does not fill a window is the oldest.
        index = ((before[1] - rows["first"]).dt.total_seconds() // length).astype(int)
        return set(index[index < count])

    alive, loud = windows(entries), windows(hits)
    return Placebos(windows=len(alive), silent=len(alive - loud)) if len(alive) >= MIN_PLACEBOS else None
