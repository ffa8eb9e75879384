"""How often “gone” is said of a defect that is still there, and how often of one that is gone: simulated, by the whole rule.

    python benchmarks/gone.py [--runs 120] [--seed 1] [--only bursts,idle]

Each row is a history of which nothing was fixed (or, below, one that was): small tables as a reading of its log gives them, judged
as a user's are. What counts as wrong is a silent history that is called gone; one that shows the defect after is “still there” and
is not judged, since one occurrence refutes the claim. `number` is how many occurrences the window after would hold by the rate at its
beginning. Two names are both at once.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from proofbook.config.fixes import Symptom
from proofbook.evidence import log_tables
from proofbook.judge.check import Check
from proofbook.judge.checks.log_gone import gone
from proofbook.judge.settle import settle
from proofbook.judge.view import view_of
from proofbook.stats.proportions import proportion

START = pd.Timestamp("2026-01-01T00:00:00Z")
LOAD = 20.0
Floats = NDArray[np.float64]
Random = np.random.Generator
CHECK = Check(
    id="log-boom-gone", kind="fix", claim="gone", group="logs",
    recipe=gone(Symptom(log="boom", examples=["boom"]), source="log", absent_rate=0.01),
)  # fmt: skip


@dataclass(kw_only=True)
class History:
    """What is expected of a log, per bucket of `step` minutes, of which the first `before` are of the old revision.

    rate: occurrences, by the users that there usually are. load: requests, in those that there usually are. size: of an occurrence,
    in a bucket or over several (`lasts`). said, tells: shares of messages, and of those of the symptom, that are written. unread: share
    of lines after that cannot be read, all of the symptom among them. old: share of users on the old revision after. mended: the new
    revision does not meet it.
    """

    random: Random
    before: int = 400
    after: int = 300
    step: int = 1
    stretch: int = 1
    number: float = 1.0
    size: int = 1
    lasts: int = 1
    unread: float = 0.0
    old: float = 0.0
    level: int = 17
    mended: bool = False
    rate: Floats = field(default_factory=lambda: np.ones(1))
    load: Floats = field(default_factory=lambda: np.ones(1))
    said: Floats = field(default_factory=lambda: np.ones(1))
    tells: Floats = field(default_factory=lambda: np.ones(1))
    job: bool = False

    def __post_init__(self) -> None:
        self.rate = np.full(self.total, self.number / self.after)
        self.load, self.said, self.tells = (np.ones(self.total) for _ in range(3))

    @property
    def total(self) -> int:
        return self.before + self.after

    @property
    def late(self) -> NDArray[np.bool_]:
        """Which buckets lie after the deployment."""
        return np.arange(self.total) >= self.before

    def drawn(self) -> tuple[NDArray[np.int64], NDArray[np.int64], dict[str, NDArray[np.int64]]]:
        """Requests to the new revision (before: to the only one) and to the old one beside it; and lines of the symptom of either."""
        requests = self.random.poisson(LOAD * self.load * np.where(self.late, 1 - self.old, 1.0))
        beside = self.random.poisson(np.where(self.late, LOAD * self.load * self.old, 0.0))
        rate = self.rate if self.job else self.rate * self.load
        begun = self.random.poisson(rate) if not self.job else (rate > 0).astype(int)
        lines = np.zeros(self.total, dtype="int64")
        for later in range(self.lasts):
            lines[later:] += np.concatenate([begun[: self.total - later]]) * self.size
        lines = self.random.binomial(lines, np.where(self.tells > 0, 1.0, 0.0))
        of_new = np.where(self.late & (self.mended | (self.old > 0)), 0, lines)
        of_old = np.where(self.late & (self.old > 0), lines, 0)
        if self.unread:
            of_new = np.where(self.late, 0, of_new)
        return requests, beside, {"new": of_new, "old": of_old}

    def verdict(self) -> str:
        """What is said of it; `fail` where the new revision shows it."""
        requests, beside, lines = self.drawn()
        if lines["new"][self.late].any():
            return "fail"
        tables = self.tables(requests, beside, lines)
        view = view_of(lambda name, phase: tables.get(name) if phase == "after" else None, phases={})
        return settle(CHECK, view).verdict.value

    def tables(self, requests: NDArray[np.int64], beside: NDArray[np.int64], lines: dict[str, NDArray[np.int64]]) -> dict[str, pd.DataFrame]:  # fmt: skip
        """The small tables that a reading would give."""
        new = np.where(self.late, "r-2", "r-1")
        parts = [self._part(new, requests, lines["new"])]
        if self.old:
            parts.append(self._part(np.full(self.total, "r-1"), beside, lines["old"]))
        rows = pd.concat(parts, ignore_index=True)
        rows = rows[(rows["requests"] > 0) | (rows["lines"] > 0)]
        rhythm = rows.assign(severity_text="INFO", entries=rows["requests"] + rows["plain"] + rows["lines"], server_errors=0, empty=0, health_checks=0)  # fmt: skip
        rhythm["plain"] += rhythm.pop("lines")
        hits = rows[rows["lines"] > 0]
        matches = hits.assign(pattern="boom", affected=hits["lines"], longest_s=0.0, sample="boom", severity_number=self.level)  # fmt: skip
        times = [
            rows[rows["plain"] > 0].assign(kind_id=0, entries=rows["plain"]),
            hits.assign(kind_id=1, entries=hits["lines"]),
        ]
        kinds = [
            (0, "message", "served <*>", 1, 9, "served 1", 1, 0, 0),
            (1, "message", "boom", 1, self.level, "boom", 1, 0, 0),
        ]
        return {
            "log_rhythm": log_tables.LOG_RHYTHM.typed(rhythm),
            "log_matches": log_tables.LOG_MATCHES.typed(matches.drop(columns=["requests", "plain"]).reset_index(drop=True)),
            "log_patterns": log_tables.LOG_PATTERNS.frame([("boom",)]),
            "log_kinds": log_tables.LOG_KINDS.frame(kinds),
            "log_kind_times": log_tables.LOG_KIND_TIMES.typed(pd.concat(times)[list(log_tables.LOG_KIND_TIMES.frame([]).columns)]),
            **({"log_unread": self._unread(int(rhythm.loc[self._is_after(rhythm), "entries"].sum()))} if self.unread else {}),
        }  # fmt: skip

    def _part(
        self, revision: NDArray[Any], requests: NDArray[np.int64], lines: NDArray[np.int64]
    ) -> pd.DataFrame:
        first = START + pd.to_timedelta(np.arange(self.total) * self.step, unit="min")
        plain = self.random.binomial(requests, self.said)
        return pd.DataFrame({"source": "log", "bucket": int(START.timestamp()) + 60 * self.step * np.arange(self.total), "service_name": "s", "service_version": revision, "own": False, "first": first, "last": first + pd.Timedelta(seconds=59), "requests": requests, "plain": plain, "lines": lines})  # fmt: skip

    def _is_after(self, rows: pd.DataFrame) -> pd.Series:
        return rows["first"] >= START + pd.Timedelta(minutes=self.before * self.step)

    def _unread(self, entries: int) -> pd.DataFrame:
        begin = START + pd.Timedelta(minutes=self.before * self.step)
        lines = round(entries * self.unread / (1 - self.unread))
        return log_tables.LOG_UNREAD.frame([("log", log_tables.ANY_LINE, begin.timestamp(), lines, begin, START + pd.Timedelta(minutes=self.total * self.step), "�")])  # fmt: skip


def steady(it: History) -> None:
    """At random."""


def bursts(it: History) -> None:
    """Ten at once."""
    it.size = 10


def storms(it: History) -> None:
    """Each lasts a twentieth of the time before."""
    it.size, it.lasts = 3, it.before // 20


def weeks(it: History) -> None:
    """Four weeks of history, on working days alone; the two days after begin at any time."""
    it.before, it.after, it.step = 28 * 24, 48 * it.stretch, 60
    it.__post_init__()
    day = (np.arange(it.total) + int(it.random.integers(0, 7 * 24))) // 24 % 7
    it.rate *= day < 5


def job(it: History) -> None:
    """A job that fails each hour; the window after holds `number` of its runs, and the deployment lies anywhere."""
    it.before, it.after = 1000, max(20, int(60 * it.number))
    it.__post_init__()
    begin = int(it.random.integers(0, 60))
    it.rate *= (np.arange(it.total) + begin) % 60 == 0
    it.size, it.job = 5 * it.size, True


def idle(it: History) -> None:
    """Hardly anybody comes after the deployment: `number` is what the few would meet."""
    it.rate *= 8
    it.load = np.where(it.late, it.load / 8, it.load)


def vanishing(it: History) -> None:
    """Its rate halves five times before the deployment and goes on so."""
    it.rate *= np.minimum(2.0 ** (5 * (it.before - np.arange(it.total)) / it.before), 64)


def unsaid(it: History) -> None:
    """Three per cent of messages are written after, and none of these is it."""
    it.said, it.tells = np.where(it.late, 0.03, it.said), np.where(it.late, 0.0, it.tells)


def silent_level(it: History) -> None:
    """A warning; after the deployment errors alone are written."""
    it.level = 13
    it.said, it.tells = np.where(it.late, 0.0, it.said), np.where(it.late, 0.0, it.tells)


def unread(it: History) -> None:
    """Five per cent of lines after cannot be read, all of it among them."""
    it.unread = 0.05


def mixed(it: History) -> None:
    """The new revision does not meet it; a tenth of users stays on the old one, which does."""
    it.old = 0.1
    it.rate = np.where(it.late, it.rate * it.old, it.rate)


def longer(it: History) -> None:
    """Ten times as long after."""
    it.stretch = 10
    it.after *= it.stretch
    it.__post_init__()


def mended(it: History) -> None:
    """Gone indeed."""
    it.mended = True


def busier(it: History) -> None:
    """Six times as many users after."""
    it.load = np.where(it.late, 6 * it.load, it.load)


Effect = Callable[[History], None]
# Those that set how long a history is come first where two meet.
SHOWS: tuple[Effect, ...] = (weeks, job, steady, bursts, storms, idle, vanishing)
# With these it never shows after, whatever its rate; the more there was of it before, the surer a wrong rule would be.
HIDES: tuple[Effect, ...] = (unsaid, silent_level, unread, mixed)
WELL: tuple[tuple[Effect, ...], ...] = (
    (mended,), (bursts, mended), (storms, mended), (busier, mended), (idle, mended), (longer, idle, mended), (longer, weeks, mended),
    (longer, vanishing, mended),
)  # fmt: skip
EITHER: tuple[set[Effect], ...] = ({weeks, job}, {bursts, storms}, {unsaid, silent_level})


def cases() -> Iterable[tuple[tuple[Effect, ...], tuple[float, ...]]]:
    """Each effect, each pair that can be, and what is well; with the numbers at which they are tried."""
    yield from (((effect,), (1.0, 2.0, 4.0)) for effect in SHOWS)
    yield from (((effect,), (3.0, 10.0)) for effect in HIDES)
    for pair in combinations((effect for effect in (*SHOWS, *HIDES) if effect is not steady), 2):
        if not any(set(pair) <= one for one in EITHER):
            yield pair, (10.0,) if set(pair) & set(HIDES) else (1.0, 2.0)
    yield from ((effects, (5.0, 10.0, 20.0)) for effects in WELL)


def tried(effects: tuple[Effect, ...], number: float, *, runs: int, seed: int) -> Counter[str]:
    """How often each verdict came."""
    random = np.random.default_rng(seed)
    found: Counter[str] = Counter()
    for _ in range(runs):
        history = History(random=random, number=number)
        for effect in effects:
            effect(history)
        found[history.verdict()] += 1
    return found


def main(arguments: Iterable[str] | None = None) -> None:
    """Prints a row per history and number: how many of the runs were called gone."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=120)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="effects, separated by commas")
    given = parser.parse_args(None if arguments is None else list(arguments))
    if given.runs < 1:
        parser.error(f"argument --runs: expected 1 or more, got {given.runs}")
    only = set(given.only.split(",")) - {""}
    print(
        "| history | number | called gone | at most (95 %) | not known | still there |\n|---|---|---|---|---|---|"
    )
    for effects, numbers in cases():
        names = [effect.__name__.replace("_", " ") for effect in effects]
        if only and not only >= set(names):
            continue
        # All of these are silent, and so are judged.
        silent = effects in WELL or (len(effects) > 1 and set(effects) & set(HIDES))
        runs = -(-given.runs // 2) if silent else given.runs
        for number in numbers:
            said = tried(effects, number, runs=runs, seed=given.seed)
            upper = proportion(said["pass"], runs).high
            shares = [said[name] / runs for name in ("inconclusive", "fail")]
            print(f"| {', '.join(names)} | {number:g} | {said['pass']} of {runs} | {upper:.1%} | {shares[0]:.1%} | {shares[1]:.1%} |", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
