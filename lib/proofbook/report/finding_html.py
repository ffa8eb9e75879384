"""Findings as small pieces of HTML: readable without scripts, in a notebook and in the report. Everything is escaped."""

from __future__ import annotations

import datetime as dt
import html
import math
from collections.abc import Iterable

import pandas as pd

from proofbook.config import durations
from proofbook.judge.findings import MARKS, Control, EarlierRun, Estimate, Finding, Needed, Verdict, percent
from proofbook.judge.reasons import REASONS, situation
from proofbook.judge.view import stamp
from proofbook.redaction.unseen import visible

# Readable on white paper; a page of its own names others for the dark.
COLOURS = {
    Verdict.PASS: "var(--pb-pass, #1a7f4b)",
    Verdict.FAIL: "var(--pb-fail, #c0262d)",
    Verdict.INCONCLUSIVE: "var(--pb-inconclusive, #8a5c00)",
    Verdict.ERROR: "var(--pb-error, #7a3e9d)",
}


def escape(text: str) -> str:
    """Text from outside as HTML."""
    return html.escape(visible(text))


def badge(item: Finding) -> str:
    """The verdict with its sign, never by colour alone; an inconclusive says which kind it is."""
    words = item.verdict.value
    if item.verdict is Verdict.INCONCLUSIVE:
        words += f": {situation(item.reason)}"
    if item.waived:
        words += f", {item.waived}"
    style = f"color:{COLOURS[item.verdict]};border:1px solid currentColor;border-radius:4px;padding:0 .4em;font-weight:600"
    return f'<span class="pb-badge pb-{item.verdict.value}" style="{style}">{MARKS[item.verdict]}&nbsp;{escape(words)}</span>'


def finding(item: Finding) -> str:
    """One finding: verdict and claim, the statement, and behind a fold the estimate, the method, the controls, the evidence."""
    needs = (
        f'<br><span class="pb-needed"><b>Needed:</b> {escape(in_words(item.needed))}</span>'
        if item.needed
        else ""
    )
    proof = (
        f"<br><span class='pb-proof' style='font-size:.9em'>Could have failed: {could_fail(item)}</span>"
        if could_fail(item)
        else ""
    )
    required = "" if item.required else ' <small style="opacity:.8">(not required)</small>'
    return (
        f'<details class="pb-finding" id="finding-{escape(item.id)}" data-verdict="{item.verdict.value}" style="border-left:4px solid {COLOURS[item.verdict]};padding:.3em .8em;margin:.5em 0">'
        f"<summary>{badge(item)} <b>{sentence(item.claim)}</b>{required}<br><span class='pb-statement'>{escape(item.statement)}</span>{needs}{proof}</summary>"
        f"{facts(item)}{controls(item.controls)}"
        f"<p><a class='pb-link' href='#finding-{escape(item.id)}'>Link to this finding: <code>{escape(item.id)}</code></a></p></details>"
    )


def facts(item: Finding) -> str:
    """What a finding rests on, as a table; what it does not have is left out."""
    at = f": {escape(item.severity_at)}" if item.severity_at else ""
    powers = (
        f"{detection_power(item)}: how often this check would have failed, had the defect been there{at}"
        if item.severity is not None
        else "none: nothing gives the chance that this check would have failed"
        if item.verdict is Verdict.PASS
        else ""
    )
    reason = REASONS.get(item.reason)
    spans = (f"{name}: {span_in_words(*span)}" for name, span in item.window.items() if span)
    tables = (
        f"{escape(entry['name'])} <code>{escape(entry['sha256'][:12])}</code>" for entry in item.evidence
    )
    rows = [
        ("Estimate", estimate(item.estimate)),
        ("Required", escape(item.threshold)),
        ("Looked at", f"{item.exposure.n:,.0f} {escape(item.exposure.unit)}" if item.exposure else ""),
        (
            "Earlier runs",
            f"{item.history.runs:,}, since {escape(item.history.since)}, {item.history.days:,.1f} days before the deployment"
            if item.history
            else "",
        ),
        ("Detection power", powers),
        ("Before", escape(before_in_words(item.before_run)) if item.before_run else ""),
        ("Sensitivity", sensitivity(item)),
        ("Reason", f"<code>{escape(item.reason)}</code>: {escape(reason.means)}" if reason else ""),
        ("Method", escape(_method(item))),
        ("Window", escape("; ".join(spans))),
        ("Evidence", ", ".join(tables)),
        ("Not established", escape("; ".join(item.not_established))),
    ]
    table = "".join(
        f"<tr><th scope='row' style='text-align:left;vertical-align:top;padding-right:1em;white-space:nowrap'>{name}</th><td style='text-align:left'>{text}</td></tr>"
        for name, text in rows
        if text
    )
    return f"<table class='pb-facts'>{table}</table>"


def before_in_words(run: EarlierRun) -> str:
    """Where before is from, how old it is, and whether it was asked in the same way."""
    return f"run {run.run_id}, phase {run.phase}, {durations.in_words(run.age_s)} earlier, {run.asked}"


def line(item: Finding) -> str:
    """One finding in a line that leads to its card."""
    return f'<p class="pb-line" data-verdict="{item.verdict.value}" style="border-left:4px solid {COLOURS[item.verdict]};padding:.1em .8em;margin:.5em 0">{badge(item)} <a href="#finding-{escape(item.id)}"><b>{sentence(item.claim)}</b></a><br>{escape(item.statement)}</p>'


def detection_power(item: Finding) -> str:
    """How likely the check would have failed had the defect been there, never rounded up to certainty."""
    if item.severity is None:
        return ""
    return "over 99.9%" if item.severity > 0.999 else f"{item.severity:.1%}"


def sensitivity(item: Finding) -> str:
    """Which share of mutants the check noticed; empty where none were tried."""
    if item.sensitivity is None:
        return ""
    # Findings from before these were counted apart have no such numbers.
    caught = next((control.mutants for control in item.controls if control.mutants), "")
    return f"{caught or f'{item.sensitivity:.0%} of'} mutants caught"


def could_fail(item: Finding) -> str:
    """The detection power, and the pair that shows it: a fix claim on the evidence from before, a guard on evidence broken on purpose."""
    words = [f"detection power {detection_power(item)}" if item.severity is not None else ""]
    for control in item.controls:
        if control.kind == "before" and control.judged:
            words.append(f"before: {control.judged} → now: {item.verdict.value}")
        elif control.kind == "mutation":
            words.append(f"{control.mutants} mutants caught" if control.mutants else "")
    if not any(control.kind == "mutation" for control in item.controls):
        words.append(sensitivity(item))
    return "; ".join(dict.fromkeys(word for word in words if word))


def sentence(text: str) -> str:
    """Text that starts with a capital letter, escaped."""
    return escape(text[:1].upper() + text[1:])


def controls(items: Iterable[Control]) -> str:
    """The controls as a table: what was expected, what was got, which verdict hangs on it."""
    rows = "".join(
        f"<tr><td style='text-align:left'>{'✔' if item.held else '✘'} {escape(item.kind)}</td><td style='text-align:left'>{escape(item.name)}</td><td style='text-align:left'>{escape(item.expected)}</td><td style='text-align:left'>{escape(item.got)}</td><td style='text-align:left'>{escape(', '.join(item.guards))}</td></tr>"
        for item in items
    )
    if not rows:
        return ""
    return f"<div class='pb-scroll'><table class='pb-controls'><thead><tr><th style='text-align:left'>Control</th><th style='text-align:left'>What</th><th style='text-align:left'>Expected</th><th style='text-align:left'>Got</th><th style='text-align:left'>Guards</th></tr></thead><tbody>{rows}</tbody></table></div>"


def estimate(item: Estimate | None) -> str:
    """The value with its interval, in its unit."""
    if item is None or item.value is None:
        return ""
    low = "…" if item.low is None else number(item.low, item.unit)
    high = "…" if item.high is None else number(item.high, item.unit)
    unit = item.unit.removeprefix("fraction").removeprefix(" of").strip()
    return f"{number(item.value, item.unit)} [{low} to {high}] {escape(unit)}".strip()


def number(value: float, unit: str) -> str:
    """A number as people read it: fractions as per cent.

    >>> number(0.9918, "fraction"), number(0.957, "ratio"), number(1850.0, "MB")
    ('99.18%', '0.957', '1,850')
    """
    if not math.isfinite(value):
        return "…"
    if unit.startswith("fraction"):
        return f"{value:.2%}"
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"


def needed(items: list[Finding]) -> str:
    """What would settle what is open, and what nobody established."""
    open_items = [item for item in items if item.needed]
    gaps = [(item, gap) for item in items for gap in item.not_established]
    if not open_items and not gaps:
        return note("Nothing more is needed: every finding here is settled.")
    lines = [
        f"<li><code>{escape(item.id)}</code>: {escape(in_words(item.needed))}</li>"
        for item in open_items
        if item.needed
    ]
    lines += [
        f"<li>Not established (<code>{escape(item.id)}</code>): {escape(gap)}</li>" for item, gap in gaps
    ]
    return f"<ul>{''.join(lines)}</ul>"


def in_words(needed: Needed) -> str:
    """What is needed, with the time that it takes at the pace seen so far.

    >>> in_words(Needed(what="26 more tries", seconds=90.0, until="2026-01-01T00:01:30.000Z"))
    '26 more tries: about 90 s at this pace, 2026-01-01 00:01 UTC at the earliest'
    """
    if needed.seconds is None or needed.until is None:
        return needed.what
    return f"{needed.what}: about {duration(needed.seconds)} at this pace, {needed.until[:16].replace('T', ' ')} UTC at the earliest"


def duration(seconds: float) -> str:
    """A time in the unit that people would use.

    >>> duration(8.2), duration(200), duration(7200), duration(400_000)
    ('9 s', '4 min', '2 h', '5 days')
    """
    for size, unit, most in ((1, "s", 90), (60, "min", 90 * 60), (3600, "h", 72 * 3600)):
        if seconds <= most:
            return f"{math.ceil(seconds / size)} {unit}"
    return f"{math.ceil(seconds / 86400)} days"


def time(moment: dt.datetime | str) -> str:
    """A time in UTC that a page may also show in the reader's zone."""
    at = pd.Timestamp(moment)
    return f'<time datetime="{stamp(at)}">{at:%d %b %Y %H:%M} UTC</time>'


def span_in_words(start: str, end: str) -> str:
    """From when to when, to the second.

    >>> span_in_words("2026-01-05T09:40:12.345Z", "2026-01-05T09:41:00.000Z")
    '5 Jan 2026 09:40:12 to 09:41:00 UTC'
    """
    first, last = pd.Timestamp(start), pd.Timestamp(end)
    day = "" if first.date() == last.date() else f"{last:%-d %b %Y} "
    return f"{first:%-d %b %Y %H:%M:%S} to {day}{last:%H:%M:%S} UTC"


def note(text: str) -> str:
    """A sentence in passing."""
    return f'<p class="pb-note" style="opacity:.85">{escape(text)}</p>'


def nothing(text: str) -> str:
    """A sentence that says why there is nothing to show; a part of the report with nothing else is left out of the page."""
    return f'<p class="pb-nothing" style="opacity:.85">{escape(text)}</p>'


def _method(item: Finding) -> str:
    if item.method is None:
        return ""
    parts = [item.method.name]
    if item.method.confidence is not None:
        parts.append(
            f"{percent(item.method.confidence)} confidence{', ' + item.method.side if item.method.side else ''}"
        )
    if item.method.null_hypothesis:
        parts.append(f"to be rejected: “{item.method.null_hypothesis}”")
    if item.method.source:
        parts.append(item.method.source)
    return "; ".join(parts)
