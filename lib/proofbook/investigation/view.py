"""A look as text and as HTML that needs no script and no kernel: sentences, lanes over one time axis, kinds of error."""

from __future__ import annotations

from proofbook.investigation import answers, moments, overview
from proofbook.investigation.overview import BUCKETS, Lane, Overview
from proofbook.report.finding_html import duration, escape

# A gap is worth a word if it is so long beside the mean time between entries, and a hundredth of the span.
LONG_GAP = 50
_BARS = " ▁▂▃▄▅▆▇█"
# Readable on white and on dark paper; a page of its own names others.
_COLOURS = {
    "load": "var(--pb-note, currentColor)",
    "wrong": "var(--pb-fail, #d1434a)",
    "own": "var(--pb-inconclusive, #b7791f)",
}
_LEFT, _WIDE, _HIGH = 250, 720, 24
_TITLE = 38


def as_text(shown: Overview) -> str:
    """The overview for a terminal."""
    lines = [f"{shown.source}: {shown.selection}", *_facts(shown)]
    lines += [f"  {overview.in_words(group)}" for group in shown.groups]
    if not shown.groups:
        lines.append(
            "  no answer among these that went wrong"
            if not shown.is_selection
            else "  no requests among these"
        )
    if shown.lanes:
        wide = max(len(_cut(lane.title)) for lane in shown.lanes)
        lines += [
            f"  {_cut(lane.title).ljust(wide)} {_bars(lane)} {max(lane.counts):,}" for lane in shown.lanes
        ]
        lines.append(
            f"  {''.ljust(wide)} {shown.span[0]:%H:%M:%S}{f'{shown.span[1]:%H:%M:%S}'.rjust(BUCKETS // 2 - 8)}"
        )
    lines += [f"  {at:%H:%M:%S} {what}" for at, what in shown.events]
    if len(shown.kinds):
        lines += ["Errors by message", answers.as_text(shown.kinds)]
    return "\n".join(lines)


def as_html(shown: Overview) -> str:
    """The overview for a notebook or a page; everything of the log is escaped, and left alone by MathJax."""
    head = f"<b>{escape(shown.source)}</b>: {escape(shown.selection)}"
    facts = "".join(f"<br><span class='pb-note'>{escape(text)}</span>" for text in _facts(shown))
    groups = "".join(f"<li>{escape(overview.in_words(group))}</li>" for group in shown.groups)
    nothing = (
        "No answer among these that went wrong." if not shown.is_selection else "No requests among these."
    )
    said = f"<ul>{groups}</ul>" if groups else f"<p>{nothing}</p>"
    kinds = f"<p><b>Errors by message</b></p>{answers.as_html(shown.kinds)}" if len(shown.kinds) else ""
    return (
        f"<div class='pb-look tex2jax_ignore mathjax_ignore'>{head}{facts}{said}{as_svg(shown)}{kinds}</div>"
    )


def _facts(shown: Overview) -> list[str]:
    length = (shown.span[1] - shown.span[0]).total_seconds()
    facts = [
        f"{shown.entries:,} entries, {shown.requests:,} requests, {moments.shown(shown.span)} ({duration(length)})"
    ]
    if shown.own:
        facts.append(f"{shown.own:,} more requests are of our own probes: shown apart, counted nowhere")
    if shown.gap_at is not None and shown.gap_s > max(
        length / 100, LONG_GAP * length / max(1, shown.entries)
    ):
        facts.append(
            f"nothing was written for {duration(shown.gap_s)} from {shown.gap_at:%H:%M:%S} on: what happened then is not known"
        )
    return [*facts, *shown.problems]


def _cut(title: str) -> str:
    return title if len(title) <= _TITLE else title[: _TITLE - 1] + "…"


def _bars(lane: Lane) -> str:
    """Counts as bars of text, two buckets each."""
    pairs = [first + second for first, second in zip(lane.counts[::2], lane.counts[1::2], strict=True)]
    most = max(max(pairs), 1)
    return "".join(_BARS[0 if not count else 1 + (count * (len(_BARS) - 2)) // most] for count in pairs)


def as_svg(shown: Overview) -> str:
    """The lanes over one time axis as a picture; each bar says its count and time to a pointer or a screen reader."""
    if not shown.lanes:
        return ""
    high = _HIGH * len(shown.lanes)
    first, last = shown.span
    step, bucket = _WIDE / BUCKETS, (last - first) / BUCKETS
    parts = []
    for place, lane in enumerate(shown.lanes):
        base, most = _HIGH * (place + 1) - 3, max(lane.counts)
        parts.append(
            f"<text x='0' y='{base - 4}' fill='currentColor'><title>{escape(lane.title)}</title>{escape(_cut(lane.title))}</text>"
        )
        for number, count in enumerate(lane.counts):
            if count:
                tall = max(1.5, (_HIGH - 6) * count / most)
                parts.append(
                    f"<rect x='{_LEFT + number * step:.1f}' y='{base - tall:.1f}' width='{step - 0.6:.1f}' height='{tall:.1f}' fill='{_COLOURS[lane.kind]}' opacity='{0.55 if lane.kind == 'load' else 0.95}'><title>{first + number * bucket:%H:%M:%S}: {count:,}</title></rect>"
                )
        parts.append(f"<text x='{_LEFT + _WIDE + 6}' y='{base - 4}' fill='currentColor'>{most:,}</text>")
        parts.append(
            f"<line x1='{_LEFT}' x2='{_LEFT + _WIDE}' y1='{base}' y2='{base}' stroke='currentColor' opacity='.3'/>"
        )
    for at, what in shown.events:
        x = _LEFT + _WIDE * (at - first) / (last - first) if last > first else _LEFT
        parts.append(
            f"<line x1='{x:.1f}' x2='{x:.1f}' y1='0' y2='{high}' stroke='currentColor' stroke-dasharray='3 3' opacity='.8'><title>{at:%H:%M:%S} {escape(what)}</title></line>"
        )
    for number in range(5):
        at, x = first + (last - first) * number / 4, _LEFT + _WIDE * number / 4
        anchor = "start" if number == 0 else "end" if number == 4 else "middle"
        parts.append(
            f"<text x='{x:.1f}' y='{high + 14}' text-anchor='{anchor}' fill='currentColor'>{at:%H:%M:%S}</text>"
        )
    described = escape("; ".join(overview.in_words(group) for group in shown.groups) or "counts over time")
    return (
        f"<svg role='img' aria-label='{described}' viewBox='0 0 {_LEFT + _WIDE + 60} {high + 20}' style='max-width:100%;height:auto' font-family='system-ui, sans-serif' font-size='12' xmlns='http://www.w3.org/2000/svg'>"
        f"{''.join(parts)}</svg>"
    )
