"""The lanes over one time axis as SVG: one drawing a lane, so that words keep their size on a narrow screen."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from proofbook.investigation.display.lanes import Lane
from proofbook.investigation.display.overview import Overview
from proofbook.investigation.display.plain import most
from proofbook.report.finding_html import escape

_HIGH, _TICKS = 28, 5
# Readable on white and on dark paper; a page names its own.
COLOURS = {
    "load": "var(--pb-load, #7b8794)",
    "own": "var(--pb-inconclusive, #a86e0b)",
    "latency": "var(--pb-load, #7b8794)",
    "wrong": "var(--pb-fail, #d1434a)",
}


def as_svg(shown: Overview) -> str:
    """The lanes, what happened at one moment as lines through all of them, and where nothing is known in grey."""
    if not shown.lanes:
        return ""
    behind = _unknown(shown)
    before = "".join(f"<path d='M{shown.axis.place(at):.2f} 0V{_HIGH}' stroke='currentColor' stroke-dasharray='3 3' vector-effect='non-scaling-stroke' fill='none'/>" for at, _ in shown.events)  # fmt: skip
    rows = "".join(_row(lane, buckets=shown.axis.buckets, behind=behind, before=before) for lane in shown.lanes)  # fmt: skip
    return f"<div class='pb-lanes'>{rows}{_times(shown)}</div>{_legend(shown)}"


def _row(lane: Lane, *, buckets: int, behind: str, before: str) -> str:
    count = f"most {most(lane)}" if lane.kind == "latency" else f"{lane.total:,.0f}, most {most(lane)}"
    drawn = _lines(lane) if lane.kind == "latency" else _bars(lane)
    return (
        f"<div class='pb-lane'><div class='pb-name'><span title='{escape(lane.title)}'>{escape(lane.title)}</span> <small>{count}</small></div>"
        f"<svg role='img' aria-label='{escape(f'{lane.title}: {count}')}' viewBox='0 0 {buckets} {_HIGH}' width='100%' height='{_HIGH}' preserveAspectRatio='none'>"
        f"{behind}{drawn}<path d='M0 {_HIGH - 0.5}H{buckets}' stroke='currentColor' stroke-opacity='.35' vector-effect='non-scaling-stroke'/>{before}</svg></div>"
    )


def _bars(lane: Lane) -> str:
    high = _HIGH - 3
    steps = "".join(
        f"M{bucket} {_HIGH}v-{max(1.5, high * value / lane.most):.3g}h1V{_HIGH}z"
        for bucket, value in enumerate(lane.values)
        if value
    )
    return f"<path d='{steps}' fill='{COLOURS[lane.kind]}'/>"


def _lines(lane: Lane) -> str:
    median = f"<path d='{_line(lane.values, lane.most)}' fill='none' stroke='currentColor' stroke-width='1.5' vector-effect='non-scaling-stroke'/>"
    return f"{median}<path d='{_line(lane.second, lane.most)}' fill='none' stroke='currentColor' stroke-dasharray='2 2' vector-effect='non-scaling-stroke'/>"


def _line(values: Sequence[float | None], highest: float) -> str:
    """A path through the middle of each bucket that has a value, begun anew after one that has none."""
    steps, pen = [], "M"
    for bucket, value in enumerate(values):
        if value is None:
            pen = "M"
            continue
        steps.append(f"{pen}{bucket + 0.5:g} {_HIGH - (_HIGH - 3) * value / highest:.1f}")
        pen = "L"
    return "".join(steps)


def _unknown(shown: Overview) -> str:
    return "".join(
        f"<path d='M{began:.2f} 0H{ended:.2f}V{_HIGH}H{began:.2f}z' fill='currentColor' fill-opacity='.18'/>"
        for began, ended in shown.unknown
    )


def _times(shown: Overview) -> str:
    """The hours below the lanes."""
    axis = shown.axis
    days = shown.span[0].date() != shown.span[1].date()
    ticks = [axis.at(axis.buckets * tick / (_TICKS - 1)) for tick in range(_TICKS)]
    texts = "".join(f"<span>{tick:{'%m-%d %H:%M' if days else '%H:%M:%S'}}</span>" for tick in ticks)
    return f"<div class='pb-lane'><div class='pb-name'><small>UTC; a bar is {_length(axis.width_ms)}</small></div><div class='pb-times'>{texts}</div></div>"


def _length(width_ms: int) -> str:
    for size, unit in ((86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1000, "s")):
        if width_ms >= size and width_ms % size == 0:
            return f"{width_ms // size} {unit}"
    return f"{width_ms} ms"


def _legend(shown: Overview) -> str:
    """What the lines through all lanes are, and what the grey is."""
    said = [f"┊ {_moment(at, shown)} {what}" for at, what in shown.events]
    if shown.unknown:
        spans = [f"{shown.axis.at(began):%H:%M:%S} to {shown.axis.at(ended):%H:%M:%S}" for began, ended in shown.unknown[:4]]  # fmt: skip
        more = f" and {len(shown.unknown) - 4} more" if len(shown.unknown) > 4 else ""
        said.append(f"grey: nothing was written, so nothing is known ({', '.join(spans)}{more})")
    return "".join(f"<div class='pb-event'>{escape(text)}</div>" for text in said)


def _moment(at: pd.Timestamp, shown: Overview) -> str:
    return f"{at:%H:%M:%S}" if shown.span[0].date() == shown.span[1].date() else f"{at:%m-%d %H:%M:%S}"
