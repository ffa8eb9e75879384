"""The check that a log covers the windows that the claims are about."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from proofbook.config.durations import in_words
from proofbook.evidence.assumptions import of_text
from proofbook.evidence.log_tables import LOG_CANARIES, LOG_SOURCES
from proofbook.judge.check import Mutant, Recipe
from proofbook.judge.checks.log_coverage import (
    Coverage,
    canary_counts,
    canary_problem,
    coverage_of,
    source_row,
)
from proofbook.judge.checks.log_rows import RHYTHM, entries_in
from proofbook.judge.checks.log_unread import Unread
from proofbook.judge.findings import Control, Estimate, Exposure, Judgement, Method, Needed, Verdict
from proofbook.judge.view import InsufficientEvidence, View


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
        about = source_row(view, self.source, "after")
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
        assumed = of_text(str(about.get("assumed") or ""))
        twice = f", {int(about['duplicates']):,} of them twice" if about.get("duplicates") else ""
        whole = (
            f"{int(about['read']):,} entries read ({about['shape']}){twice}, {after.entries:,} in the window, {_part(after)}, longest silence {in_words(after.longest_gap_s, decimals=1)}{after.aside}{lost}"
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
            threshold=f"no silence over {in_words(after.allowed_gap_s, decimals=1)}",
            exposure=Exposure(n=after.entries, unit="entries"),
            controls=self.controls(view, after),
            not_established=(
                *(
                    ()
                    if _carries(view, self.source)
                    else ("whether it is this system's log: it holds no mark of a probe",)
                ),
                *(f"whether this was assumed rightly: {item.in_words}" for item in assumed),
            ),
            needed=Needed(
                what="an export of the whole window: raise its limit, page through it, or narrow the window"
            )
            if bad
            else None,
        )

    def controls(self, view: View, after: Coverage) -> tuple[Control, ...]:
        """Entries were read, and the probes found in them where they must be."""
        return (
            Control(
                kind="liveness",
                name="entries were read",
                guards=("pass",),
                expected="at least 1",
                got=f"{after.entries:,}",
                held=after.entries > 0,
            ),
            *_canary_control(view, self.source),
        )


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


def _emptied(view: View) -> View | None:
    entries = entries_in(view, "after")
    if entries["plain"].sum() == 0:
        return None
    return view.exchange(RHYTHM, entries.assign(empty=entries["plain"]))


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


def _carries(view: View, source: str | None) -> bool:
    found = canary_counts(view, source, "after")
    return found is not None and found[0] > 0


def _canary_control(view: View, source: str) -> tuple[Control, ...]:
    """Liveness, end to end: what the probes sent came through the service and into this log."""
    found = canary_counts(view, source, "after")
    if found is None or not (found[0] or canary_problem(view, source)):
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


def _part(cover: Coverage) -> str:
    """Which part of the window the entries really cover."""
    if cover.first is None or cover.last is None:
        return "none of it covered"
    form = "%H:%M:%S" if cover.first.date() == cover.last.date() else "%Y-%m-%d %H:%M:%S"
    return f"covering {cover.first.strftime(form)} to {cover.last.strftime(form)} UTC, spanning {in_words(cover.covered_s, decimals=1)}"
