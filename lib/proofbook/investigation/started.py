"""Since when: the moment at which the rate of what is selected rose, with its interval, and whether it rose at all."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from proofbook.investigation import mapped
from proofbook.investigation.answers import FOUND, NOTHING, UNSURE, Answer
from proofbook.investigation.moments import of_seconds
from proofbook.judge.findings import Control, Estimate, Exposure, Method, Needed
from proofbook.judge.view import stamp
from proofbook.stats import steps
from proofbook.stats.proportions import Floats
from proofbook.stats.steps import Step

CLAIM = "since when"
# A rise that lasts and one that ended are two ways to be wrong.
CALLED = 0.025
MOST_BUCKETS = 600
WIDTHS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600)
LEAST_EVENTS, LEAST_BUCKETS = 5, 12
# A block is ten minutes, or a twentieth of the log where that is shorter.
BLOCK_S, BLOCKS = 600.0, 20
SEED = 20260105
METHOD = Method(
    name="two segments of Poisson counts with overdispersion; the interval from series drawn with such a step; the chance from blocks of the same log in other orders",
    confidence=0.95,
    side="one-sided",
    null_hypothesis="the rate did not rise",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """What is selected by bucket. begins_s: of the first bucket, since 1970. exposure: units in each, or its seconds where there are no requests. unit: what that is."""

    begins_s: float
    width_s: float
    counts: NDArray[np.int64]
    exposure: Floats
    unit: str

    def at(self, bucket: float) -> pd.Timestamp:
        """When a bucket begins."""
        return of_seconds(self.begins_s + bucket * self.width_s)


def series(at_s: Floats, selected: NDArray[np.bool_], *, span_s: tuple[float, float], unit: str, among: NDArray[np.bool_] | None = None) -> Series:  # fmt: skip
    """The selected units of a span by bucket, all of them (or those among some) as its exposure; of what is no request each second that is covered."""
    length = span_s[1] - span_s[0]
    width = next((float(width) for width in WIDTHS_S if length / width <= MOST_BUCKETS), float(WIDTHS_S[-1]))
    number = max(1, int(np.ceil(length / width)))
    everything, counts = np.zeros(number, dtype=np.int64), np.zeros(number, dtype=np.int64)
    for part in mapped.parts(len(at_s)):
        place = np.floor((at_s[part] - span_s[0]) / width).astype(np.int64)
        inside = (place >= 0) & (place < number) & (at_s[part] < span_s[1])
        if among is not None:
            inside &= among[part]
        everything += np.bincount(place[inside], minlength=number)
        counts += np.bincount(place[inside & selected[part]], minlength=number)
    return Series(
        begins_s=span_s[0],
        width_s=width,
        counts=counts,
        exposure=everything.astype(np.float64) if unit == "requests" else np.full(number, width),
        unit="requests" if unit == "requests" else "seconds",
    )


def judge(of: Series, *, in_words: str) -> Answer:
    """The answer."""
    events = int(of.counts.sum())
    window = (stamp(of.at(0)), stamp(of.at(len(of.counts))))
    blank = Answer(
        claim=CLAIM, answer=UNSURE, statement="", table=pd.DataFrame(), method=METHOD, window=window,
        exposure=Exposure(n=float(of.exposure.sum()), unit=of.unit),
        not_established=("why it rose: what came shortly before is a fact, that it is the cause is not established", "rises before this log begins"),
    )  # fmt: skip
    if events < LEAST_EVENTS or len(of.counts) < LEAST_BUCKETS:
        return replace(
            blank, reason="too-few-samples", needed=Needed(what=f"at least {LEAST_EVENTS} of them in at least {LEAST_BUCKETS} buckets of time"),
            statement=f"{in_words}: {events:,} in {len(of.counts):,} buckets of {of.width_s:g} s are too few to say since when",
        )  # fmt: skip
    rng = np.random.default_rng(SEED)
    found = steps.rise(of.counts, of.exposure, rng=rng)
    if found is None:
        return replace(blank, answer=NOTHING, statement=f"{in_words}: the rate never rises in this log")
    block = max(1, round(min(BLOCK_S, len(of.counts) * of.width_s / BLOCKS) / of.width_s))
    if found.ended is None and len(of.counts) - found.at < block:
        return replace(
            blank, reason="too-early", needed=Needed(what=f"log until {of.at(found.at + block):%H:%M:%S} at least"),
            statement=f"{in_words}: the strongest rise ({_when(of, found)}) is in the last {block * of.width_s / 60:.3g} min, too short to be told from a burst",
        )  # fmt: skip
    return _held_against_luck(of, found, blank, block=block, rng=rng, in_words=in_words)


def _held_against_luck(
    of: Series, found: Step, blank: Answer, *, block: int, rng: np.random.Generator, in_words: str
) -> Answer:
    """The answer where there is a rise: a start only if the same log in other orders hardly ever shows as strong a one."""
    by_luck = steps.chance(of.counts, of.exposure, found, block=block, rng=rng)
    shuffled = round(by_luck * (steps.SHUFFLES + 1)) - 1
    called = by_luck <= CALLED
    control = Control(
        kind="comparability", name=f"the same log in blocks of {block * of.width_s / 60:.3g} min in other orders", guards=("found",),
        expected=f"a rise as strong in at most {CALLED:.1%}", got=f"{shuffled} of {steps.SHUFFLES}", held=called,
    )  # fmt: skip
    return replace(
        blank,
        answer=FOUND if called else NOTHING,
        statement=f"{in_words}: {_when(of, found)}, {_rates(of, found)}; as strong in {shuffled} of {steps.SHUFFLES} reshuffled orders"
        if called
        else f"{in_words}: no start: the strongest rise ({_when(of, found)}) is as strong in {shuffled} of {steps.SHUFFLES} reshuffled orders of the same log",
        table=_table(of, found) if called else pd.DataFrame(),
        estimate=Estimate(
            value=found.after / found.before if found.before > 0 else None, unit="times the rate before"
        ),
        controls=(control,),
    )


def _when(of: Series, found: Step) -> str:
    if found.ramp is not None:
        first, last = (of.at(bucket) for bucket in found.ramp)
        return f"grew from {first:%H:%M:%S} to {last:%H:%M:%S}"
    ended = f", and fell back at {of.at(found.ended):%H:%M:%S}" if found.ended is not None else ""
    return f"{of.at(found.at):%Y-%m-%d %H:%M:%S} UTC (between {of.at(found.low):%H:%M:%S} and {of.at(found.high + 1):%H:%M:%S}){ended}"


def _rates(of: Series, found: Step) -> str:
    if of.unit == "requests":
        return f"{found.before:.2%} → {found.after:.2%} of requests"
    return f"{60 * found.before:.3g} → {60 * found.after:.3g} a minute"


def _table(of: Series, found: Step) -> pd.DataFrame:
    form = "growing" if found.ramp is not None else "a step"
    ended = of.at(found.ended) if found.ended is not None else pd.NaT
    return pd.DataFrame({
        "how": [form], "started": [of.at(found.at)], "not before": [of.at(found.low)], "not after": [of.at(found.high + 1)],
        "ended": [ended], "rate before": [found.before], "rate after": [found.after], "per": [of.unit.removesuffix("s")],
    })  # fmt: skip
