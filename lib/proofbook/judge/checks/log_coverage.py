"""Whether a log really covers a window: without that, zero matches are worth nothing."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pandas as pd

from proofbook.evidence.schema import LOG_CANARIES, LOG_RHYTHM, LOG_SOURCES
from proofbook.judge.check import Mutant, Recipe
from proofbook.judge.checks.log_unread import Unread, unread_in
from proofbook.judge.findings import Control, Estimate, Exposure, Judgement, Method, Needed, Verdict
from proofbook.judge.view import InsufficientEvidence, View
from proofbook.judge.window import Span

MAX_EMPTY = 0.5
# A log of which a tenth was not read covers nothing. What smaller shares can hide, each claim holds against what it excludes.
MAX_UNREAD = 0.1
ROUND_TOTALS = (50, 100, 200, 250, 500)
SHORTEST_GAP_S = 2.0
# Of a log that was only sampled, so many samples must lie in a window.
MIN_SLICES = 4
RHYTHM = LOG_RHYTHM.name
# Clocks of one cloud differ by less.
MAX_SKEW_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """What of a window a log covers. `reasons` are (code, sentence); empty means covered."""

    entries: int
    first: pd.Timestamp | None
    last: pd.Timestamp | None
    covered_s: float
    window_s: float
    longest_gap_s: float
    allowed_gap_s: float
    reasons: tuple[tuple[str, str], ...]
    unread: Unread

    @property
    def held(self) -> bool:
        return not self.reasons

    def control(self, name: str, *, guards: tuple[str, ...]) -> Control:
        """The liveness control that this coverage is."""
        span = f"{self.entries:,} entries over {self.covered_s:.0f} of {self.window_s:.0f} s"
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


def rows_in(view: View, name: str, which: str, *, source: str | None = None) -> pd.DataFrame:
    """The rows of a small table of logs that lie in the window `before` or `after` (all revisions), of one source or of all.

    What was written before comes from its own recording, else from the older part of the log read after.

    Raises:
        InsufficientEvidence: no log was recorded.
    """
    is_before = which == "before" or view.before_as_after
    window = view.windows.before if which == "before" else view.windows.after
    table = (
        view.table(name, "before") if is_before else view.need(name) if name == RHYTHM else view.table(name)
    )
    if table is None:
        table = view.recorded(name, "after")
    if table is None:
        raise InsufficientEvidence(
            "no-evidence",
            "no log was recorded before",
            repair="record it: proofbook collect ENV --phase before",
        )
    if source is not None:
        table = table[table["source"] == source]
    if window is None:
        return table.iloc[0:0] if is_before else table
    # A row is one bucket of time. One that holds the deployment counts as after, if it has something in it from after.
    began = table["first"] if is_before else table["last"]
    return table[(began >= window[0]) & (table["first"] <= window[1])]


def entries_in(view: View, which: str, *, source: str | None = None) -> pd.DataFrame:
    """How many entries of which severity and revision were written when: rows of `log_rhythm`."""
    return rows_in(view, RHYTHM, which, source=source)


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
    """
    count = int(entries["entries"].sum())
    lost = Unread(lines=unread, entries=count)
    if count == 0:
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
    first, last = entries["first"].min(), entries["last"].max()
    start, end = window if window is not None else (first, last)
    span = (last - first).total_seconds()
    window_s = (end - start).total_seconds()
    # Between the first entries of two slices nothing was read, so only a slice without any is a silence.
    allowed = allowed_gap(count, span, window_s) if sampled_s is None else 2 * sampled_s
    longest = longest_gap(entries)
    late, early = (first - start).total_seconds(), (end - last).total_seconds()
    whole = read if read is not None else count
    cut = _limit_hit(whole, limit, entries) if sampled_s is None else ""
    reasons = []
    if late > allowed:
        why = (
            f"{cut}, so what came before {_clock(first)} is cut"
            if cut
            else f"the first entry is {late:.0f} s after the window begins"
        )
        reasons.append(("log-cut" if cut else "log-starts-late", why))
    if early > allowed:
        reasons.append(("log-ends-early", f"the last entry is {early:.0f} s before the window ends"))
    if longest > allowed and not reasons:
        reasons.append(
            ("log-gap", f"nothing was written for {longest:.0f} s, while {allowed:.0f} s would be unusual")
        )
    if cut and not stated:
        order = ", newest first," if newest_first else ""
        reasons.append(
            ("log-cut", f"{cut}{order} and they span {span:,.1f} s: what lies outside was not exported")
        )
    if sampled_s is not None and window_s < MIN_SLICES * sampled_s:
        reasons.append(
            (
                "log-cut",
                f"there was too much to read it whole, and a few entries of every {sampled_s:,.0f} s cannot show what a window of {window_s:,.0f} s holds; narrow it with covers_s",
            )
        )
    plain = int(entries["plain"].sum())
    empty = float(entries["empty"].sum()) / plain if plain else 0.0
    if had_messages and plain == 0:
        reasons.append(
            (
                "log-no-messages",
                "it holds requests but not one message, so nothing that the service says would be seen",
            )
        )
    if empty > MAX_EMPTY:
        reasons.append(("log-empty-bodies", f"{empty:.0%} of the entries have no body"))
    if (
        revision is not None
        and entries["service_version"].notna().any()
        and not (entries["service_version"] == revision).any()
    ):
        reasons.append(("log-silent", f"revision {revision} wrote nothing"))
    if lost.share > MAX_UNREAD:
        reasons.append(("log-unread", f"{lost.in_words}, so zero matches speak only of the rest"))
    if canary and not reasons:
        reasons.append(("log-no-canary", canary))
    if ahead_s > MAX_SKEW_S:
        reasons.append(
            (
                "log-clock",
                f"the last entry is dated {ahead_s:,.0f} s after it was read, so the clocks disagree",
            )
        )
    return Coverage(
        entries=count,
        first=first,
        last=last,
        covered_s=max(0.0, span),
        window_s=window_s,
        longest_gap_s=longest,
        allowed_gap_s=allowed,
        reasons=tuple(reasons),
        unread=lost,
    )


def longest_gap(entries: pd.DataFrame) -> float:
    """The longest silence in seconds between rows of `log_rhythm`; what lies within one bucket is not looked at."""
    ordered = entries.sort_values("first")
    reached = ordered["last"].cummax().shift()
    gaps = (ordered["first"] - reached).dt.total_seconds().dropna()
    return max(0.0, float(gaps.max())) if len(gaps) else 0.0


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
    entries = entries_in(view, which, source=source)
    about = _about(view, source, which)
    window = view.windows.before if which == "before" else view.windows.after
    known = view.live or which == "before"
    reach_s = _stated(about, "covers_s")
    if not known and reach_s is not None and len(entries):
        last = entries["last"].max()
        window, known = (last - pd.Timedelta(seconds=reach_s), last), True
    limit = _stated(about, "limit")
    return cover(
        entries,
        window if known else None,
        read=None if about is None else int(about["read"]),
        newest_first=about is not None and bool(about["newest_first"]),
        limit=None if limit is None else int(limit),
        revision=view.windows.new_revision
        if which == "after" and view.windows.deployed_at is not None
        else None,
        stated=known,
        ahead_s=_stated(about, "ahead_s") or 0.0,
        had_messages=which == "after" and _had_messages(view, source),
        canary=_canary(view, source) if which == "after" else "",
        sampled_s=_stated(about, "sampled_s"),
        unread=unread_in(view, which, source=source, entries=entries).lines,
    )


def _canary(view: View, source: str | None) -> str:
    """What the probes' marks say against this log being alive and this system's; nothing where they need not be in it.

    They must be in it where the environment says so, else where those of before were.
    """
    found = _marks(view, source, "after")
    if found is None:
        return ""
    sent, unsent = found
    stated = _stated(_about(view, source, "after"), "canary")
    before = None if view.before_as_after else _marks(view, source, "before")
    if unsent:
        return f"a mark that nobody sent was found {unsent:,} times, so finding one proves nothing"
    if sent or (stated is None and not (before and before[0])) or stated == 0:
        return ""
    because = (
        f"those of before were found {before[0]:,} times"
        if before and before[0]
        else "the environment says that it holds them"
    )
    return f"not one of the marks that the probes sent is in it, though {because}: it is another system's log, or it lags"


def _marks(view: View, source: str | None, which: str) -> tuple[int, int] | None:
    """(entries with the canary that was sent, with one that nobody sent) in the log of a phase; None where none was sent."""
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


def covers(source: str, *, fixes: bool) -> Recipe:
    """A recipe for "this log covers the windows that the claims are about"."""
    it = _Covers(source=source, fixes=fixes)
    mutants = (
        Mutant(name="the older half cut away", change=_half_cut),
        Mutant(name="nothing after the first second", change=_silenced),
        Mutant(name="bodies emptied", change=_emptied),
        Mutant(name="the probes' marks taken out", change=_unmarked),
    )
    return Recipe(judge=it.judge, mutants=mutants)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Covers:
    """The windows of one log."""

    source: str
    fixes: bool

    def judge(self, view: View) -> Judgement:
        view.need(LOG_SOURCES)
        about = _about(view, self.source, "after")
        if about is None or about["problem"]:
            why = about["problem"] if about is not None else "it was not read"
            repair = "repair the log source in the environment file"
            raise InsufficientEvidence("no-log", f"log {self.source!r}: {why}", repair=repair)
        after = coverage_of(view, self.source, "after")
        parts = {"after": after}
        if self.fixes and view.windows.before is not None and not view.before_as_after:
            parts["before"] = coverage_of(view, self.source, "before")
        bad = [(which, code, sentence) for which, part in parts.items() for code, sentence in part.reasons]
        unread = Unread(lines=int(about["unparsed"]), entries=int(about["read"]))
        lost = f"{unread.aside}, such as {about['unparsed_sample']!r}" if unread.lines else ""
        note = str(about.get("note") or "")
        twice = f", {int(about['duplicates']):,} of them twice" if about.get("duplicates") else ""
        whole = (
            f"{int(about['read']):,} entries read ({about['shape']}){twice}, {after.entries:,} in the window, {_part(after)}, longest silence {after.longest_gap_s:.1f} s{lost}"
            + (f"; {note}" if note else "")
        )
        statement = "; ".join(f"{which}: {sentence}" for which, _, sentence in bad)
        return Judgement(
            verdict=Verdict.INCONCLUSIVE if bad else Verdict.PASS,
            reason=bad[0][1] if bad else "",
            statement=f"{statement} ({whole})" if bad else whole,
            estimate=Estimate(value=after.covered_s, unit="s covered"),
            method=Method(
                name="first and last entry, silences against the source's own rhythm, limits hit, empty bodies",
                null_hypothesis="the window is not covered",
            ),
            threshold=f"no silence over {after.allowed_gap_s:.1f} s",
            exposure=Exposure(n=after.entries, unit="entries"),
            controls=(
                Control(
                    kind="liveness",
                    name="entries were read",
                    guards=("pass",),
                    expected="at least 1",
                    got=f"{after.entries:,}",
                    held=after.entries > 0,
                ),
                *_canary_control(view, self.source),
            ),
            not_established=()
            if _carries(view, self.source)
            else ("whether it is this system's log: it holds no mark of a probe",),
            needed=Needed(
                what="an export of the whole window: raise its limit, page through it, or narrow the window"
            )
            if bad
            else None,
        )


def _about(view: View, source: str | None, which: str) -> pd.Series | None:
    """What was noted of a source when it was read; of before, from its own recording where there is one."""
    recorded = view.table(LOG_SOURCES, "before") if which == "before" else None
    sources = recorded if recorded is not None else view.table(LOG_SOURCES)
    rows = sources[sources["source"] == source] if sources is not None and source is not None else None
    return None if rows is None or rows.empty else rows.iloc[0]


def _stated(about: pd.Series | None, name: str) -> float | None:
    """A number that the environment states of a source, or None."""
    value = about.get(name) if about is not None else None
    return None if value is None or pd.isna(value) else float(value)


def _half_cut(view: View) -> View | None:
    entries = entries_in(view, "after")
    if view.windows.after is None or not view.live:
        return None
    middle = view.windows.after[0] + (view.windows.after[1] - view.windows.after[0]) / 2
    return view.exchange(RHYTHM, entries[entries["first"] > middle])


def _silenced(view: View) -> View | None:
    entries = entries_in(view, "after")
    if view.windows.after is None or not view.live:
        return None
    return view.exchange(RHYTHM, entries[entries["first"] < view.windows.after[0] + pd.Timedelta(seconds=1)])


def _carries(view: View, source: str | None) -> bool:
    found = _marks(view, source, "after")
    return found is not None and found[0] > 0


def _canary_control(view: View, source: str) -> tuple[Control, ...]:
    """Liveness, end to end: what the probes sent came through the service and into this log."""
    found = _marks(view, source, "after")
    if found is None or not (found[0] or _canary(view, source)):
        return ()
    return (
        Control(
            kind="liveness",
            name="a canary sent through the service",
            guards=("pass",),
            expected="found in the log, and one that nobody sent not",
            got=f"found in {found[0]:,} entries, the other in {found[1]:,}",
            held=found[0] > 0 and found[1] == 0,
        ),
    )


def _unmarked(view: View) -> View | None:
    """Only where they must be in it: because the environment says so, or because those of before were."""
    rows, before, about = (
        view.table(LOG_CANARIES), view.table(LOG_CANARIES, "before"), view.table(LOG_SOURCES)
    )  # fmt: skip
    must = (before is not None and before["entries"].any()) or (
        about is not None and about["canary"].eq(1).any()
    )
    if rows is None or not rows["entries"].any() or not must:
        return None
    return view.exchange(LOG_CANARIES, rows.assign(entries=0))


def _emptied(view: View) -> View | None:
    entries = entries_in(view, "after")
    if entries["plain"].sum() == 0:
        return None
    return view.exchange(RHYTHM, entries.assign(empty=entries["plain"]))


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


def _part(cover: Coverage) -> str:
    """Which part of the window the entries really cover."""
    if cover.first is None or cover.last is None:
        return "none of it covered"
    form = "%H:%M:%S" if cover.first.date() == cover.last.date() else "%Y-%m-%d %H:%M:%S"
    return f"covering {cover.first.strftime(form)} to {cover.last.strftime(form)} UTC, spanning {cover.covered_s:,.1f} s"


def _clock(time: pd.Timestamp) -> str:
    return time.strftime("%H:%M:%S UTC")
