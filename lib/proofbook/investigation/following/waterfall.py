"""Steps as bars over one time axis: static HTML without a script, and text."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from proofbook.investigation.following.steps import Step
from proofbook.report.finding_html import escape

MOST_STEPS = 60
# As in the other displays: readable on white and on dark paper; a page of its own names others.
_COLOURS = {
    "probe": "var(--pb-inconclusive, #b7791f)",
    "close": "var(--pb-inconclusive, #b7791f)",
    "request": "var(--pb-note, currentColor)",
    "line": "var(--pb-note, currentColor)",
    "span": "var(--pb-note, currentColor)",
}
_ERROR = "var(--pb-fail, #d1434a)"
_WIDE, _TITLE, _LONGEST = 32, 64, 160


def short(seconds: float) -> str:
    """A duration in its unit.

    >>> short(0.0123), short(2.5), short(0.0), short(125.0)
    ('12.3 ms', '2.50 s', '0 ms', '125 s')
    """
    if seconds < 1:
        return f"{1000 * seconds:.3g} ms"
    return f"{seconds:.2f} s" if seconds < 100 else f"{seconds:.0f} s"


def as_html(steps: Sequence[Step]) -> str:
    """The steps as positioned bars, everything of the log escaped."""
    shown, begins, length = _scale(steps)
    rows = []
    for step in shown:
        left = 100 * (step.at - begins).total_seconds() / length
        wide = 100 * (step.took_s or 0.0) / length
        colour = _ERROR if step.is_error else _COLOURS[step.kind]
        edge = "" if step.certain else "opacity:.55;outline:1px dashed currentColor;"
        moment = f"+{short((step.at - begins).total_seconds())}"
        took = f", {short(step.took_s)}" if step.took_s is not None else ""
        sure = "" if step.certain else "possibly, "
        rows.append(
            "<div role='listitem' style='display:grid;grid-template-columns:minmax(0,3fr) minmax(0,2fr) 8em;gap:.8em;align-items:center'>"
            f"<span style='overflow-wrap:anywhere;padding-left:{step.depth}em' title='{escape(step.what)}'>{'✕ ' if step.is_error else ''}{escape(_cut(step.what, _LONGEST))}"
            f"<br><small style='opacity:.8'>{sure}{escape(step.joined)}</small></span>"
            f"<span style='position:relative;height:.8em;border-left:1px solid currentColor;border-right:1px solid currentColor'>"
            f"<span style='position:absolute;top:0;height:100%;left:{min(left, 99.2):.2f}%;width:{max(0.8, min(wide, 100 - left)):.2f}%;background:{colour};{edge}'></span></span>"
            f"<small>{moment}{took}</small></div>"
        )
    return f"<div class='pb-waterfall' role='list' style='margin:.6em 0'>{''.join(rows)}{_more(steps)}</div>"


def _more(steps: Sequence[Step]) -> str:
    return (
        f"<small>{len(steps) - MOST_STEPS} more steps: .steps has them</small>"
        if len(steps) > MOST_STEPS
        else ""
    )


def as_text(steps: Sequence[Step]) -> str:
    """The steps for a terminal."""
    shown, begins, length = _scale(steps)
    lines = []
    for step in shown:
        after = (step.at - begins).total_seconds()
        first = min(_WIDE - 1, int(_WIDE * after / length))
        many = max(1, min(_WIDE - first, round(_WIDE * (step.took_s or 0.0) / length)))
        bar = (" " * first + ("█" if step.took_s is not None else "▏") * many).ljust(_WIDE)
        what = f"{'  ' * step.depth}{'✕ ' if step.is_error else ''}{step.what}"
        what = _cut(what, _TITLE)
        sure = "" if step.certain else "possibly, "
        lines.append(f"  {'+' + short(after):>9} |{bar}| {what.ljust(_TITLE)} [{sure}{step.joined}]")
    if len(steps) > MOST_STEPS:
        lines.append(f"  … {len(steps) - MOST_STEPS} more steps: .steps has them")
    return "\n".join(lines)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _scale(steps: Sequence[Step]) -> tuple[Sequence[Step], pd.Timestamp, float]:
    shown = steps[:MOST_STEPS]
    begins = min(step.at for step in shown)
    ends = max((step.at - begins).total_seconds() + (step.took_s or 0.0) for step in shown)
    return shown, begins, max(ends, 1e-6)
