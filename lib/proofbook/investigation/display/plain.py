"""A look as text: sentences, lanes as bars of letters, kinds of error."""

from __future__ import annotations

import pandas as pd

from proofbook.investigation import answers, moments
from proofbook.investigation.display import overview
from proofbook.investigation.display.gesture import between
from proofbook.investigation.display.lanes import Lane
from proofbook.investigation.display.overview import Overview
from proofbook.investigation.met import Met
from proofbook.report.finding_html import duration

_BARS = " ▁▂▃▄▅▆▇█"
# Of letters; a lane has at most so many.
_WIDE, _TITLE = 60, 38


def as_text(shown: Overview) -> str:
    """The overview for a terminal."""
    out = [f"{shown.source}: {shown.selection}", *facts(shown)]
    out += [f"  ■ {of_probes(item)}" for item in shown.met]
    for change in shown.changes:
        out += [f"  ▲ {change.statement}", f"    {change.who}"]
    out += [f"  {overview.in_words(group)}" for group in shown.groups] or [f"  {nothing(shown)}"]
    if shown.lanes:
        wide = max(len(cut(lane.title, _TITLE)) for lane in shown.lanes)
        out += [f"  {cut(lane.title, _TITLE).ljust(wide)} {_bars(lane)} {most(lane)}" for lane in shown.lanes]
        letters = len(_bars(shown.lanes[0]))
        out.append(f"  {''.ljust(wide)} {shown.span[0]:%H:%M:%S}{f'{shown.span[1]:%H:%M:%S}'.rjust(letters - 8)}")  # fmt: skip
    out += [f"  {at:%H:%M:%S} {what}" for at, what in shown.events]
    if len(shown.kinds):
        out += ["Errors by message", answers.as_text(shown.kinds)]
    return "\n".join(out)


def facts(shown: Overview) -> list[str]:
    """What was read, and what is not known of it."""
    length = (shown.span[1] - shown.span[0]).total_seconds()
    said = [
        f"{shown.entries:,} entries, {_requests(shown)}, {moments.shown(shown.span)} ({duration(length)})"
    ]
    if shown.own:
        said.append(f"{shown.own:,} more requests are of our own probes: shown apart, counted nowhere")
    if shown.longest_unknown is not None:
        began, gap_s = shown.longest_unknown
        said.append(f"nothing was written for {duration(gap_s)} from {began:%H:%M:%S} on: what happened then is not known")  # fmt: skip
    return [*said, *shown.problems]


def _requests(shown: Overview) -> str:
    """How many requests there are; of a log that writes none of them but traces, how many those are."""
    counted = shown.facets
    if shown.requests or counted.word != "requests":
        return f"{shown.requests:,} requests"
    return f"{counted.count:,} requests that are known by their traces alone"


def nothing(shown: Overview) -> str:
    """What is said where no group of answers is shown."""
    if shown.is_selection:
        return "no requests among these"
    found = shown.facets
    others = f"; {found.wrong:,} {found.word} went wrong by what was written of them" if found.wrong else ""
    return f"no answer among these that went wrong{others}"


def of_probes(met: Met) -> str:
    """What our own probes met, said as such."""
    return f"our probes: {met.statement}"


def when(met: Met, shown: Overview) -> str:
    """What selects the time in which probes met something, in whole seconds; empty where it has none."""
    if met.span is None:
        return ""
    first, last = met.span[0].floor("s"), met.span[1].floor("s") + pd.Timedelta(seconds=1)
    return f"look{between((first, last), within=shown.span)}"


def most(lane: Lane) -> str:
    """The largest value of a lane, as it stands beside it."""
    if lane.kind == "latency":
        return f"{lane.most:.3g} s" if lane.most >= 1 else f"{1000 * lane.most:.3g} ms"
    return f"{lane.most:,.0f}"


def clock(at: pd.Timestamp) -> str:
    """A time of day to the millisecond."""
    return f"{at:%H:%M:%S}.{at.microsecond // 1000:03}"


def cut(title: str, wide: int) -> str:
    """A title of at most so many letters."""
    return title if len(title) <= wide else title[: wide - 1] + "…"


def _bars(lane: Lane) -> str:
    """Values as bars of text, some buckets each."""
    each = -(-len(lane.values) // _WIDE)
    parts = [[value or 0 for value in lane.values[start : start + each]] for start in range(0, len(lane.values), each)]  # fmt: skip
    heights = [max(part) if lane.kind == "latency" else sum(part) for part in parts]
    highest = max(*heights, 1e-12)
    return "".join(_BARS[0 if not height else 1 + int(height * (len(_BARS) - 2) / highest)] for height in heights)  # fmt: skip
