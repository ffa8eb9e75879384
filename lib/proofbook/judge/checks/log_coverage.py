"""How much of a window a log really covers: without that, zero matches are worth nothing."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from proofbook.config.durations import in_words
from proofbook.evidence.log_tables import LOG_CANARIES, LOG_SOURCES
from proofbook.judge.checks.log_rows import RHYTHM, entries_in
from proofbook.judge.checks.log_standstills import Gaps, gaps, spans
from proofbook.judge.checks.log_unread import Unread, unread_in
from proofbook.judge.findings import Control
from proofbook.judge.view import View
from proofbook.judge.window import Span

MAX_EMPTY = 0.5
# A log of which a tenth was not read covers nothing. What smaller shares can hide, each claim holds against what it excludes.
MAX_UNREAD = 0.1
ROUND_TOTALS = (50, 100, 200, 250, 500)
SHORTEST_GAP_S = 2.0
# Of a log that was only sampled, so many samples must lie in a window.
MIN_SLICES = 4
# Clocks of one cloud differ by less.
MAX_SKEW_S = 60.0


# Why a log does not cover a window: a code of `reasons`, and a sentence.
Why = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """What of a window a log covers. `reasons` are (code, sentence); empty means covered. stood_s: the longest silence in which the machine stood still."""

    entries: int
    first: pd.Timestamp | None
    last: pd.Timestamp | None
    covered_s: float
    window_s: float
    longest_gap_s: float
    allowed_gap_s: float
    reasons: tuple[Why, ...]
    unread: Unread
    stood_s: float = 0.0

    @property
    def held(self) -> bool:
        return not self.reasons

    @property
    def aside(self) -> str:
        """The words for a silence that the machine explains; nothing where there is none."""
        stood = in_words(self.stood_s, decimals=1)
        return f"; for {stood} nothing was written while the machine stood still" if self.stood_s else ""

    def control(self, name: str, *, guards: tuple[str, ...]) -> Control:
        """The liveness control that this coverage is."""
        span = f"{self.entries:,} entries over {in_words(self.covered_s)} of {in_words(self.window_s)}{self.aside}"
        got = span if self.held else f"{span}; {'; '.join(sentence for _, sentence in self.reasons)}"
        return Control(
            kind="liveness",
            name=name,
            guards=guards,
            expected="the window covered by a live log",
            got=got,
            held=self.held,
            code=self.reasons[0][0] if self.reasons else "",
        )


def cover(
    entries: pd.DataFrame,
    window: Span | None,
    *,
    read: int | None = None,
    newest_first: bool = False,
    limit: int | None = None,
    revision: str | None = None,
    stated: bool = True,
    ahead_s: float = 0.0,
    had_messages: bool = False,
    canary: str = "",
    sampled_s: float | None = None,
    unread: int = 0,
    stills: Sequence[Span] = (),
) -> Coverage:
    """How much of `window` the entries cover.

    Args:
        entries: the source's rows of `log_rhythm` in the window.
        window: (start, end); None takes the entries' own span, and then a limit that was hit counts against it.
        read: how many entries the source gave in all.
        limit: a limit that the export is known to have.
        revision: one that must have written something.
        stated: whether the window was known independently of the entries.
        ahead_s: how far the last entry lies after the moment at which it was read.
        had_messages: whether the log held more than requests before.
        canary: what is wrong with the probes' marks in it, in words.
        sampled_s: only some entries were read of every slice of this length.
        unread: how many lines may lie in the window that gave no entry with a time.
        stills: when the process that collected stood still.
    """
    lost = Unread(lines=unread, entries=int(entries["entries"].sum()))
    if lost.entries == 0:
        return _silent(window, lost)
    return _Reading(
        entries=entries,
        window=window or (entries["first"].min(), entries["last"].max()),
        read=read if read is not None else lost.entries,
        newest_first=newest_first,
        limit=limit,
        revision=revision,
        stated=stated,
        ahead_s=ahead_s,
        had_messages=had_messages,
        canary=canary,
        sampled_s=sampled_s,
        unread=lost,
        stills=stills,
    ).coverage()


def _silent(window: Span | None, lost: Unread) -> Coverage:
    """The coverage of a window in which nothing was written."""
    seconds = (window[1] - window[0]).total_seconds() if window else 0.0
    return Coverage(
        entries=0,
        first=None,
        last=None,
        covered_s=0.0,
        window_s=seconds,
        longest_gap_s=seconds,
        allowed_gap_s=0.0,
        reasons=(("log-silent", f"nothing was written in the window{lost.aside}"),),
        unread=lost,
    )


@dataclass(frozen=True, kw_only=True)
class _Reading:
    """Entries of a log in a window, at least one, and what `cover` is told of how they were read."""

    entries: pd.DataFrame
    window: Span
    read: int
    newest_first: bool
    limit: int | None
    revision: str | None
    stated: bool
    ahead_s: float
    had_messages: bool
    canary: str
    sampled_s: float | None
    unread: Unread
    stills: Sequence[Span]

    @cached_property
    def first(self) -> pd.Timestamp:
        return pd.Timestamp(self.entries["first"].min())

    @cached_property
    def last(self) -> pd.Timestamp:
        return pd.Timestamp(self.entries["last"].max())

    @property
    def span_s(self) -> float:
        return float((self.last - self.first).total_seconds())

    @property
    def window_s(self) -> float:
        return float((self.window[1] - self.window[0]).total_seconds())

    @cached_property
    def gaps(self) -> Gaps:
        return gaps(self.entries, self.stills)

    @property
    def allowed_s(self) -> float:
        """The longest silence that is usual; between the first entries of two samples nothing was read."""
        if self.sampled_s is not None:
            return 2 * self.sampled_s
        return allowed_gap(self.unread.entries, self.span_s, self.window_s)

    @cached_property
    def cut(self) -> str:
        """Words for a limit that was hit, or nothing."""
        return _limit_hit(self.read, self.limit, self.entries) if self.sampled_s is None else ""

    def coverage(self) -> Coverage:
        """What the entries cover, with every reason against it."""
        return Coverage(
            entries=self.unread.entries,
            first=self.first,
            last=self.last,
            covered_s=max(0.0, self.span_s),
            window_s=self.window_s,
            longest_gap_s=self.gaps.longest_s,
            allowed_gap_s=self.allowed_s,
            reasons=tuple(self.reasons()),
            unread=self.unread,
            stood_s=self.gaps.stood_s,
        )

    def reasons(self) -> list[Why]:
        """Why the window is not covered, the first the most telling; empty where it is."""
        found = [*self.missing_edges()]
        found = [*(found or self.gap()), *self.cut_export(), *self.missing_content()]
        found += self.few()
        if self.canary and not found:
            found.append(("log-no-canary", self.canary))
        if self.ahead_s > MAX_SKEW_S:
            ahead = f"the last entry is dated {in_words(self.ahead_s)} after it was read"
            found.append(("log-clock", f"{ahead}, so the clocks disagree"))
        return found

    def missing_edges(self) -> Iterator[Why]:
        """Whether the beginning or the end of the window is not in the log."""
        late = (self.first - self.window[0]).total_seconds()
        early = (self.window[1] - self.last).total_seconds()
        if late > self.allowed_s:
            if self.cut:
                yield ("log-cut", f"{self.cut}, so what came before {_clock(self.first)} is cut")
            else:
                yield ("log-starts-late", f"the first entry is {late:.0f} s after the window begins")
        if early > self.allowed_s:
            yield ("log-ends-early", f"the last entry is {early:.0f} s before the window ends")

    def gap(self) -> Iterator[Why]:
        """Whether a silence is unusual for this log."""
        if self.gaps.longest_s > self.allowed_s:
            usual = f"while {in_words(self.allowed_s)} would be unusual"
            yield ("log-gap", f"nothing was written for {in_words(self.gaps.longest_s)}, {usual}")

    def few(self) -> Iterator[Why]:
        """Whether so little was written that any silence would be usual."""
        if not self.stated and self.sampled_s is None and self.allowed_s >= self.window_s:
            few = "entry is" if self.unread.entries == 1 else "entries are"
            yield ("log-few", f"{self.unread.entries:,} {few} too few to tell whether some are missing")

    def cut_export(self) -> Iterator[Why]:
        """Whether more was there than was read."""
        if self.cut and not self.stated:
            order = ", newest first," if self.newest_first else ""
            span = f"they span {in_words(self.span_s, decimals=1)}: what lies outside was not exported"
            yield ("log-cut", f"{self.cut}{order} and {span}")
        if self.sampled_s is not None and self.window_s < MIN_SLICES * self.sampled_s:
            few = f"a few entries of every {in_words(self.sampled_s)} cannot show what a window of {in_words(self.window_s)} holds"
            yield ("log-cut", f"there was too much to read it whole, and {few}; narrow it with covers_s")

    def missing_content(self) -> Iterator[Why]:
        """Whether messages, bodies, the new revision or many lines are missing."""
        plain = int(self.entries["plain"].sum())
        empty = float(self.entries["empty"].sum()) / plain if plain else 0.0
        if self.had_messages and plain == 0:
            unseen = "so nothing that the service says would be seen"
            yield ("log-no-messages", f"it holds requests but not one message, {unseen}")
        if empty > MAX_EMPTY:
            yield ("log-empty-bodies", f"{empty:.0%} of the entries have no body")
        versions = self.entries["service_version"]
        if self.revision is not None and versions.notna().any() and not (versions == self.revision).any():
            yield ("log-silent", f"revision {self.revision} wrote nothing")
        if self.unread.share > MAX_UNREAD:
            yield ("log-unread", f"{self.unread.in_words}, so zero matches speak only of the rest")


def allowed_gap(count: int, span_s: float, window_s: float) -> float:
    """The longest silence that a live source of this rhythm shows once in a thousand windows, never under 2 s.

    Under a Poisson rhythm of rate r the chance of a gap over x among n is about n·exp(−r·x); bursts get a factor of 3.

    >>> round(allowed_gap(1000, 1000.0, 1000.0), 1)
    41.4
    """
    if count < 2 or span_s <= 0:
        return SHORTEST_GAP_S
    rate = count / span_s
    return max(SHORTEST_GAP_S, min(3 * math.log(max(count, 2) / 0.001) / rate, window_s))


def coverage_of(view: View, source: str | None, which: str) -> Coverage:
    """The coverage of the before or after window by one source.

    The window of a live run is known independently of the log. A log alone is its own window, unless its source states
    how long it should reach back; before a deployment found in it, it is taken as it is.
    """
    return view.once(_coverage_of, source, which)


def _coverage_of(view: View, source: str | None, which: str) -> Coverage:
    entries = entries_in(view, which, source=source)
    about = source_row(view, source, which)
    window = view.windows.before if which == "before" else view.windows.after
    known = view.live or which == "before"
    reach_s = stated_number(about, "covers_s")
    if not known and reach_s is not None and len(entries):
        last = entries["last"].max()
        window, known = (last - pd.Timedelta(seconds=reach_s), last), True
    limit = stated_number(about, "limit")
    covered = functools.partial(
        cover,
        entries,
        window if known else None,
        read=None if about is None else int(about["read"]),
        newest_first=about is not None and bool(about["newest_first"]),
        limit=None if limit is None else int(limit),
        revision=view.windows.new_revision
        if which == "after" and view.windows.deployed_at is not None
        else None,
        stated=known,
        ahead_s=stated_number(about, "ahead_s") or 0.0,
        had_messages=which == "after" and _had_messages(view, source),
        canary=canary_problem(view, source) if which == "after" else "",
        sampled_s=stated_number(about, "sampled_s"),
        unread=unread_in(view, which, source=source, entries=entries).lines,
    )
    found = covered()
    # Only a silence that nothing explains yet asks for more evidence.
    stills = spans(view, which) if any(code == "log-gap" for code, _ in found.reasons) else ()
    return covered(stills=stills) if stills else found


def canary_problem(view: View, source: str | None) -> str:
    """What the probes' marks say against this log being alive and this system's; nothing where they need not be in it.

    They must be in it where the environment says so, else where those of before were.
    """
    found = canary_counts(view, source, "after")
    if found is None:
        return ""
    sent, unsent = found
    stated = stated_number(source_row(view, source, "after"), "canary")
    before = None if view.before_as_after else canary_counts(view, source, "before")
    if unsent:
        return f"a mark that nobody sent was found {unsent:,} times, so finding one proves nothing"
    if sent or (stated is None and not (before and before[0])) or stated == 0:
        return ""
    because = (
        f"{before[0]:,} entries before held one"
        if before and before[0]
        else "the environment says that it holds them"
    )
    return f"none of this run's trace ids is in the log ({because}): it is the wrong log source, or it is not delivered yet"


def canary_counts(view: View, source: str | None, which: str) -> tuple[int, int] | None:
    """(entries with the canary that was sent, with one that nobody sent) in the log of a phase; None where none was sent."""
    return view.once(_canary_counts, source, which)


def _canary_counts(view: View, source: str | None, which: str) -> tuple[int, int] | None:
    rows = view.table(LOG_CANARIES, which)
    if rows is None:
        return None
    rows = rows if source is None else rows[rows["source"] == source]
    if rows.empty:
        return None
    sent = rows["sent"].astype(bool)
    return int(rows.loc[sent, "entries"].sum()), int(rows.loc[~sent, "entries"].sum())


def _had_messages(view: View, source: str | None) -> bool:
    if view.before_as_after or (view.windows.before is None and not view.has_before(RHYTHM)):
        return False
    return bool(entries_in(view, "before", source=source)["plain"].sum())


def source_row(view: View, source: str | None, which: str) -> pd.Series | None:
    """What was noted of a source when it was read; of before, from its own recording where there is one."""
    recorded = view.table(LOG_SOURCES, "before") if which == "before" else None
    sources = recorded if recorded is not None else view.table(LOG_SOURCES)
    rows = sources[sources["source"] == source] if sources is not None and source is not None else None
    return None if rows is None or rows.empty else rows.iloc[0]


def stated_number(about: pd.Series | None, name: str) -> float | None:
    """A number that the environment states of a source, or None."""
    value = about.get(name) if about is not None else None
    return None if value is None or pd.isna(value) else float(value)


def _limit_hit(read: int, limit: int | None, entries: pd.DataFrame) -> str:
    """Words for a limit that was hit, or nothing."""
    if limit is not None and read >= limit:
        return f"the export stopped at its limit of {limit:,} entries"
    if read in ROUND_TOTALS or (read and read % 1000 == 0):
        return f"the export holds exactly {read:,} entries"
    counts = entries.dropna(subset=["severity_text"]).groupby("severity_text")["entries"].sum()
    same = [
        (int(number), int((counts == number).sum()))
        for number in ROUND_TOTALS
        if (counts == number).sum() >= 2
    ]
    return f"{same[0][1]} severities hold exactly {same[0][0]} entries each" if same else ""


def _clock(time: pd.Timestamp) -> str:
    return time.strftime("%H:%M:%S UTC")
