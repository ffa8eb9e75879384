"""What differs between two runs: verdicts, and estimates by more than chance would move them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from proofbook.errors import CouldNotLook
from proofbook.judge.findings import Estimate, Finding
from proofbook.runs import newest, record
from proofbook.runs.record import RunRecord
from proofbook.stats import proportions
from proofbook.stats.proportions import Interval

ABSENT = "not judged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One finding in two runs. `was` and `now` are verdicts, or `not judged`.

    difference: the later estimate less the earlier, with its interval; None where either lacks an interval or units differ.
    """

    id: str
    claim: str
    was: str
    now: str
    earlier: Finding | None
    later: Finding | None
    difference: Interval | None

    @property
    def verdict_changed(self) -> bool:
        return self.was != self.now

    @property
    def beyond_noise(self) -> bool:
        """Whether the interval of the difference leaves zero out."""
        return self.difference is not None and not self.difference.low <= 0 <= self.difference.high


def between(earlier: Iterable[Finding], later: Iterable[Finding]) -> list[Change]:
    """Every finding of either run: changed verdicts first, then changed estimates, then the rest in the later run's order."""
    old, new = ({item.id: item for item in items} for items in (earlier, later))
    found = []
    for name in dict.fromkeys([*new, *old]):
        was, now = old.get(name), new.get(name)
        shown = now or was
        assert shown is not None
        found.append(
            Change(
                id=name,
                claim=shown.claim,
                was=was.verdict.value if was else ABSENT,
                now=now.verdict.value if now else ABSENT,
                earlier=was,
                later=now,
                difference=_difference(was, now),
            )
        )
    return sorted(found, key=lambda item: (not item.verdict_changed, not item.beyond_noise))


def in_words(changes: Sequence[Change], *, most: int = 3) -> str:
    """The changes in one sentence.

    >>> in_words([])
    'no change'
    """
    verdicts = [f"{item.id} {item.was} → {item.now}" for item in changes if item.verdict_changed]
    moved = [item.id for item in changes if item.beyond_noise and not item.verdict_changed]
    words = verdicts[:most]
    if len(verdicts) > most:
        words.append(f"{len(verdicts) - most} more verdicts")
    if moved:
        words.append(f"same verdict but another value: {', '.join(moved[:most])}" + (f" and {len(moved) - most} more" if len(moved) > most else ""))  # fmt: skip
    return "; ".join(words) or "no change"


def last_before(folder: Path, *, case: str) -> RunRecord | None:
    """The last finished run before this one, of the same environment and case; None without one."""
    earlier = (
        (path for path in folder.parent.iterdir() if path.name < folder.name)
        if folder.parent.is_dir()
        else ()
    )
    for path in sorted(earlier, reverse=True):
        try:
            found = record.read(path)
            if found.ended and found.case == case and found.findings and _has_times(found):
                return found
        except (CouldNotLook, ValueError):
            continue  # of another version, damaged, or no run at all
    return None


def _has_times(run: RunRecord) -> bool:
    """Yes, where the times that it tells later runs can be read.

    Raises:
        ValueError: one cannot.
    """
    told = [item.at for item in run.summary.last_held] if run.summary else []
    return all(map(newest.time, [run.ended or run.started, *told]))


def _difference(was: Finding | None, now: Finding | None) -> Interval | None:
    if was is None or now is None or was.estimate is None or now.estimate is None:
        return None
    if was.estimate.unit != now.estimate.unit:
        return None
    before, after = _interval(was, was.estimate), _interval(now, now.estimate)
    if before is None or after is None:
        return None
    if before.low == before.high and after.low == after.high:
        # Read off and not sampled: nothing says how much chance would move it.
        return None
    return proportions.difference(before, after)


def _interval(item: Finding, estimate: Estimate) -> Interval | None:
    if estimate.value is None or (estimate.low is None and estimate.high is None):
        return None
    return Interval(
        value=estimate.value,
        low=-math.inf if estimate.low is None else estimate.low,
        high=math.inf if estimate.high is None else estimate.high,
        confidence=(item.method.confidence if item.method else None) or 0.95,
    )
