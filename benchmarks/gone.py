"""How often “gone” is said of a defect that is still there, and how often of one that is gone: simulated, by the whole rule.

    python benchmarks/gone.py [--runs 100] [--seed 1]

Each row is a history of which nothing was fixed (or, below, one that was): small tables as a log of it gives them, judged as a
user's are. A defect that shows after is a `fail`; what counts as wrong is a silent one that is called gone.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from proofbook.config.case import Symptom
from proofbook.evidence import schema
from proofbook.judge.check import Check
from proofbook.judge.checks.log_gone import gone
from proofbook.judge.settle import settle
from proofbook.judge.view import view_of
from proofbook.stats.proportions import proportion

START = pd.Timestamp("2026-01-01T00:00:00Z")
DAY = 1440
Random = np.random.Generator


@dataclass(kw_only=True)
class Minutes:
    """A log by the minute. before, after: how many; load, hits: per minute; said: share of messages that are kept; old: requests of the old revision."""

    before: int
    after: int
    load: np.ndarray
    hits: np.ndarray
    said: np.ndarray | None = None
    old: np.ndarray | None = None

    def verdict(self) -> str:
        """What is said of it."""
        tables = self.tables()
        view = view_of(lambda name, phase: tables.get(name) if phase == "after" else None, phases={})
        recipe = gone(Symptom(log="boom", examples=["boom"]), source="log", absent_rate=0.01)
        return settle(
            Check(id="log-boom-gone", kind="fix", claim="gone", group="logs", recipe=recipe), view
        ).verdict.value

    def tables(self) -> dict[str, pd.DataFrame]:
        """The small tables that a reading would give."""
        total = self.before + self.after
        said = np.ones(total) if self.said is None else self.said
        kinds = [("text", "served <*>", 9, "served 1"), ("text", "boom", 17, "boom")]
        rhythm, hit, times = [], [], []
        for minute in range(total):
            of_old = 0 if self.old is None else int(self.old[minute])
            new = "r-1" if minute < self.before else "r-2"
            for revision, load in ((new, int(self.load[minute])), ("r-1" if new == "r-2" else "", of_old)):
                hits = int(self.hits[minute]) if (revision == "r-1" or self.old is None) and revision else 0
                plain = round(load * said[minute])
                if load + hits == 0:
                    continue
                at = self._at(minute, revision)
                rhythm.append({**at, "severity_text": "INFO", "entries": load + plain + hits, "requests": load, "server_errors": 0, "plain": plain + hits, "empty": 0, "health_checks": 0})  # fmt: skip
                times += [{**at, "kind_id": 0, "entries": plain}] * (plain > 0)
                shown = round(hits * said[minute]) if said[minute] > 0.5 else 0
                if shown:
                    times.append({**at, "kind_id": 1, "entries": shown})
                    hit.append({**at, "pattern": "boom", "lines": shown, "affected": shown, "longest_s": 0.0, "sample": "boom", "severity_number": 17})  # fmt: skip
        return {
            "log_rhythm": schema.LOG_RHYTHM.typed(pd.DataFrame(rhythm)),
            "log_matches": schema.LOG_MATCHES.frame(hit),
            "log_patterns": schema.LOG_PATTERNS.frame([("boom",)]),
            "log_kinds": schema.LOG_KINDS.frame(
                [(n, "message", text, 1, number, sample) for n, (_, text, number, sample) in enumerate(kinds)]
            ),
            "log_kind_times": schema.LOG_KIND_TIMES.typed(pd.DataFrame(times)),
        }

    def _at(self, minute: int, revision: str) -> dict[str, Any]:
        first = START + pd.Timedelta(minutes=minute)
        return {"source": "log", "bucket": int(first.timestamp()), "service_name": "s", "service_version": revision, "own": False, "first": first, "last": first + pd.Timedelta(seconds=59)}  # fmt: skip


def steady(random: Random, expected: float, *, size: int = 1) -> Minutes:
    """Hits at random, `size` within a minute; `expected` such occurrences in the window after."""
    before, after = 400, 300
    hits = size * random.poisson(expected / after, before + after)
    return Minutes(before=before, after=after, load=random.poisson(5, before + after), hits=hits)


def bursts(random: Random, expected: float) -> Minutes:
    """Bursts of ten."""
    return steady(random, expected, size=10)


def job(random: Random, expected: float) -> Minutes:
    """A job that fails each hour, on the hour; the window after holds `expected` of its runs, the deployment lies anywhere."""
    before, after = 1000, max(20, int(60 * expected))
    begin = int(random.integers(0, 60))
    hits = np.where((np.arange(before + after) + begin) % 60 == 0, 5, 0)
    return Minutes(before=before, after=after, load=random.poisson(3, before + after), hits=hits)


def idle(random: Random, expected: float) -> Minutes:
    """One request in twenty meets it; after the deployment hardly anybody comes."""
    before, after = 400, 300
    load = np.concatenate([random.poisson(5, before), random.poisson(20 * expected / after, after)])
    return Minutes(before=before, after=after, load=load, hits=random.binomial(load, 0.05))


def vanishing(random: Random, expected: float) -> Minutes:
    """Its rate halves again and again, deployment or not; at the end it would show `expected` times after."""
    before, after = 400, 300
    rate = expected / after * 2.0 ** ((before - np.arange(before + after)) / 80)
    return Minutes(before=before, after=after, load=random.poisson(5, before + after), hits=random.poisson(np.minimum(rate, 3)))  # fmt: skip


def unsaid(random: Random, share: float) -> Minutes:
    """It goes on, but only a share of messages (in tenths) is written after, and none of these is it."""
    before, after = 400, 300
    load = random.poisson(20, before + after)
    said = np.where(np.arange(before + after) < before, 1.0, share / 10)
    return Minutes(before=before, after=after, load=load, hits=random.binomial(load, 0.02), said=said)


def mixed(random: Random, share: float) -> Minutes:
    """The new revision does not meet it; a share of users stays on the old one, which does."""
    before, after = 400, 300
    late = np.arange(before + after) >= before
    old = np.where(late, random.poisson(20 * share / 10, before + after), 0)
    load = np.where(
        late, random.poisson(20 * (1 - share / 10), before + after), random.poisson(20, before + after)
    )
    hits = random.binomial(np.where(late, old, load), 0.02)
    return Minutes(before=before, after=after, load=load, hits=hits, old=old)


def mended(random: Random, expected: float) -> Minutes:
    """Gone indeed; it would have shown `expected` times."""
    made = steady(random, expected)
    made.hits[made.before :] = 0
    return made


def mended_busier(random: Random, expected: float) -> Minutes:
    """Gone indeed, and six times as many requests after."""
    made = mended(random, expected)
    made.load[made.before :] = random.poisson(30, made.after)
    return made


BROKEN: dict[Callable[[Random, float], Minutes], tuple[float, ...]] = {
    steady: (1, 2, 3, 4), bursts: (1, 2, 3, 4), job: (0.5, 0.9, 1.5), idle: (1, 2, 3), vanishing: (0.5, 1, 2),
    unsaid: (0.3, 1, 3), mixed: (1, 3, 9),
}  # fmt: skip
WELL: dict[Callable[[Random, float], Minutes], tuple[float, ...]] = {
    mended: (5, 10, 20, 40),
    mended_busier: (5, 20),
}


def main(arguments: Iterable[str] | None = None) -> None:
    """Prints a row per history and number: how many of the runs were called gone."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args(None if arguments is None else list(arguments))
    print(
        "| history | number | called gone | at most (95 %) | not known | still there |\n|---|---|---|---|---|---|"
    )
    for make, numbers in (BROKEN | WELL).items():
        for number in numbers:
            random = np.random.default_rng(given.seed)
            said = Counter(make(random, number).verdict() for _ in range(given.runs))
            upper = proportion(said["pass"], given.runs).high
            shares = [said[name] / given.runs for name in ("inconclusive", "fail")]
            print(f"| {make.__name__} | {number:g} | {said['pass'] / given.runs:.1%} | {upper:.1%} | {shares[0]:.1%} | {shares[1]:.1%} |", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
