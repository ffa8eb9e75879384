"""The sections of the validation report, as HTML: all of it computed from findings, evidence and the case; it judges nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import pandas as pd

from proofbook.config.case import Risk
from proofbook.config.fixes import Fix
from proofbook.judge import sequential_path
from proofbook.judge.findings import MARKS, Finding, Verdict
from proofbook.judge.registry import group_titles
from proofbook.report import finding_html
from proofbook.report import summary as summaries
from proofbook.report.finding_html import escape
from proofbook.report.result import Result
from proofbook.report.section_registry import Nothing, Part, Section, section
from proofbook.runs.record import Fact, Summary


class Standing(Enum):
    """Where a statement stands that rests on findings."""

    SUPPORTED = "supported"
    REFUTED = "refuted"
    UNPROVEN = "unproven"


STANDINGS = {
    Standing.SUPPORTED: "<b>✔ supported</b>",
    Standing.REFUTED: "<b>✘ refuted</b>",
    Standing.UNPROVEN: "<b>? unproven</b>",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """Where a statement stands, and because of which findings, as plain text."""

    standing: Standing
    because: str


@section()
def verdict(result: Result) -> Part:
    """The summary: the verdict in words, what carries it, how we could be wrong, what to do, what changed."""
    return Section(summary_html(summaries.of(result)))


def summary_html(summary: Summary, *, links: bool = True) -> str:
    """The summary as HTML; without links where the findings are not on the same page."""
    verdict = Verdict(summary.verdict)
    colour = finding_html.COLOURS[verdict]
    facts = "".join(
        f"<li>{MARKS[Verdict(fact.verdict)]} {_link(fact) if links else escape(fact.text)}</li>"
        for fact in summary.facts
    )
    return (
        f'<section class="pb-verdict" data-verdict="{verdict.value}" style="border-left:8px solid {colour};padding:.6em 1em">'
        f'<p class="pb-words" style="font-size:1.6em;font-weight:700;margin:.2em 0;color:{colour}">{MARKS[verdict]} {escape(summary.words)}</p>'
        f"<p class='pb-where' style='margin:.2em 0'>{escape(summary.environment)} · {escape(summary.case)} · {finding_html.time(summary.at)}</p>"
        f"<ul style='list-style:none;padding-left:0'>{facts}</ul>"
        + (f"<p>{escape(summary.beside)}</p>" if summary.beside else "")
        + f"<p><b>Could we be wrong?</b> {escape(summary.doubt)}</p>"
        f"<p><b>Do:</b> {escape(summary.advice)} Next review {finding_html.time(summary.next_review)}.</p>"
        + (f"<pre class='pb-command'>{escape(summary.command)}</pre>" if summary.command else "")
        + (f"<p class='pb-since'>{escape(summary.since)}</p>" if summary.since else "")
        + f"<p>VALIDATION RESULT: <b>{summary.result}</b></p></section>"
    )


def _link(fact: Fact) -> str:
    text = escape(fact.text)
    return (
        f'{text} <a href="#finding-{escape(fact.finding)}" aria-label="How we know: {escape(fact.finding)}">How we know</a>'
        if fact.finding
        else text
    )


@section()
def header(result: Result) -> Part:
    """Who validated what, where and when."""
    recorded = result.evidence.manifest.phases
    rows = [
        (
            "Environment",
            escape(f"{result.environment.title or result.environment.name} ({result.environment.name})"),
        ),
        ("Mission", escape(result.case.mission)),
        ("Validation team", escape(result.case.team)),
        *[
            (f"Evidence {phase}", f"{finding_html.time(item.started)} to {finding_html.time(item.ended)}")
            for phase, item in recorded.items()
        ],
        ("Next review", finding_html.time(result.next_review)),
        ("Not checked", escape("; ".join(result.not_checked))),
    ]
    return Section(_table(["", ""], [row for row in rows if row[1]], headed=False))


@section()
def fixes(result: Result) -> Part:
    """Each fix: problem, solution, what was seen before and what after, with the detection power."""
    if not result.case.fixes:
        return Nothing("The case states no fix, so only regression checks were judged.")
    return Section("".join(_fix(fix, result) for fix in result.case.fixes))


@section()
def diffs(result: Result) -> Part:
    """What each fix changed: in the architecture, in words, and in the code, as a diff."""
    told = "".join(_diff(fix, result) for fix in result.case.fixes)
    return Section(told) if told else Nothing("The case names no patch and no git range.")


def _diff(fix: Fix, result: Result) -> str:
    told = f"<p><b>{escape(fix.title)}.</b> {escape(fix.architecture)}</p>" if fix.architecture else ""
    text = result.diffs.get(fix.id, "")
    if fix.git and not text:
        told += finding_html.nothing(f"{fix.title}: no diff of {fix.git} was recorded when the run was made.")
    if text:
        lines = "".join(
            f'<span class="{_diff_class(line)}">{escape(line)}</span>\n' for line in text.splitlines()
        )
        told += f"<details><summary>{escape(fix.title)}: <code>{escape(fix.file)}</code></summary><pre class='pb-diff'>{lines}</pre></details>"
    return told


@section()
def impact(result: Result) -> Part:
    """Each business statement: supported, refuted or unproven."""
    if not result.case.impacts:
        return Nothing("The case states no business impact.")
    rows = []
    for item in result.case.impacts:
        carried = _carried(item.findings, result)
        rows.append((escape(item.statement), STANDINGS[carried.standing], escape(carried.because)))
    return Section(_table(["Statement", "Standing", "Because"], rows))


@section()
def findings(result: Result) -> Part:
    """Every finding as a card that opens, grouped by question."""
    parts = []
    titles = group_titles()
    for group in dict.fromkeys(item.group for item in result.findings):
        items = [item for item in result.findings if item.group == group]
        counts = ", ".join(
            f"{MARKS[verdict]} {count} {verdict.value}"
            for verdict in Verdict
            if (count := sum(item.verdict is verdict for item in items))
        )
        title = (
            f"<h3 id='group-{escape(group)}'>{escape(titles.get(group, group))} <small>{counts}</small></h3>"
        )
        parts.append(
            f"<section class='pb-group'>{title}{''.join(map(finding_html.finding, items))}</section>"
        )
    return Section("".join(parts), findings=tuple(item.id for item in result.findings))


@section()
def deployment(result: Result) -> Part:
    """The timeline of revisions, and what the platform says of each."""
    windows = result.view.windows
    table = result.evidence.table("revisions")
    lines = [
        f"<p>Before: revision <b>{escape(windows.old_revision or 'unknown')}</b>. Now: <b>{escape(windows.new_revision or 'unknown')}</b>{', since ' + finding_html.time(windows.deployed_at) if windows.deployed_at is not None else ''}.</p>"
    ]
    if table is not None and len(table):
        rows = [
            (
                f"<code>{escape(str(row['revision']))}</code>",
                finding_html.time(row["created"]) if pd.notna(row["created"]) else "",
                f"{row['image_bytes'] / 1e6:,.0f} MB" if pd.notna(row["image_bytes"]) else "",
                f"{row['memory_limit_bytes'] / 2**20:,.0f} MiB"
                if pd.notna(row["memory_limit_bytes"])
                else "",
            )
            for _, row in table.iterrows()
        ]
        lines.append(_table(["Revision", "Made", "Image", "Memory limit"], rows))
    return Section("".join(lines))


@section()
def risks(result: Result) -> Part:
    """The risk register: what holds a resolved risk closed, who accepted a residual one and until when."""
    rows = [(escape(risk.title), *_risk(risk, result), escape(risk.detail)) for risk in result.case.risks]
    return (
        Section(_table(["Risk", "Status", "Because", "Detail"], rows))
        if rows
        else Nothing("The case names no risk.")
    )


@section()
def contracts(result: Result) -> Part:
    """Breaking changes, in one sentence each."""
    items = [item for item in result.findings if item.group == "contracts"]
    rows = [
        (finding_html.badge(item), finding_html.sentence(item.claim), escape(item.statement))
        for item in items
    ]
    return (
        Section(_table(["Verdict", "Contract", "What we saw"], rows))
        if rows
        else Nothing(
            "Not checked: the environment publishes no API definition and the case names no message schema."
        )
    )


@section()
def recommendations(result: Result) -> Part:
    """What to do, derived from findings and open risks."""
    lines = (line[:1].upper() + line[1:] for line in summaries.recommendations(result))
    return Section(f"<ul>{''.join(f'<li>{escape(line)}</li>' for line in lines)}</ul>")


@section()
def watch(result: Result) -> Part:
    """How a watch went: its looks, and where each success rate stands; nothing where nothing was watched."""
    words = sequential_path.in_words(result.view)
    if not words:
        return Section("")
    table = result.path
    rows = []
    for _, part in table.groupby("check", sort=False):
        last = part.iloc[-1]
        crossed = part[(part["evidence"] >= part["pass_above"]) | (part["evidence"] <= part["fail_below"])]
        since = f"decided in round {crossed.iloc[0]['look']}, {finding_html.time(crossed.iloc[0]['at'])}" if len(crossed) else "not decided"  # fmt: skip
        rows.append((finding_html.sentence(str(last["claim"])), f"{last['failures']} of {last['count']} failed", f"{last['evidence']:.2f}; pass from {last['pass_above']:.2f}, fail from {last['fail_below']:.2f}", since))  # fmt: skip
    heading = f"<h2>While watching</h2><p>{finding_html.sentence(words)}.</p>"
    return Section(heading + _table(["Claim", "So far", "Evidence", "Decision"], rows))


@section()
def readiness(result: Result) -> Part:
    """Whether this may go on to production, as far as the findings carry."""
    overall = result.overall
    words = {
        Verdict.PASS: "Ready, as far as these findings go.",
        Verdict.FAIL: "Not ready.",
        Verdict.INCONCLUSIVE: "Not known yet.",
        Verdict.ERROR: "Not known: we could not look.",
    }[overall.verdict]
    left = [*overall.blocking, *overall.beside]
    open_items = f" Open: {escape(', '.join(left))}." if left else ""
    unchecked = f" Not checked: {escape(' '.join(result.not_checked))}" if result.not_checked else ""
    return Section(
        f"<p><b>{words}</b>{open_items}{unchecked} Next review {finding_html.time(result.next_review)}.</p>"
    )


@section()
def uncertainty(result: Result) -> Part:
    """What is still needed, and what nobody established."""
    needed = finding_html.needed(list(result.findings))
    return Section(f"<p>{escape(summaries.doubt(result))}</p>{_sureness(result)}{needed}")


def _sureness(result: Result) -> str:
    """Which required claim is the least sure, at which size of a fault; and which have no number."""
    if result.overall.verdict is not Verdict.PASS:
        return ""
    found = result.reach.sureness
    item = next((item for item in result.findings if item.id == found.of), None)
    least = f"The least sure is {found.of}: {finding_html.detection_power(item)}, if {item.severity_at}." if item is not None else ""  # fmt: skip
    without = f"Without such a number: {', '.join(found.without)}." if found.without else ""
    return f"<p>{escape(' '.join(part for part in (least, without) if part))}</p>" if least or without else ""


@section()
def conclusion(result: Result) -> Part:
    """Only what the findings support."""
    passed = sum(item.verdict is Verdict.PASS for item in result.findings)
    return Section(
        f"<p>{escape(result.overall.sentence)}. {passed} of {len(result.findings)} findings pass.</p>"
    )


def _fix(fix: Fix, result: Result) -> str:
    items = [item for item in result.findings if item.fix == fix.id]
    rows = [
        (
            finding_html.badge(item),
            f'<a href="#finding-{escape(item.id)}">{finding_html.sentence(item.claim)}</a>',
            _before(item),
            _after(item),
            finding_html.detection_power(item),
            finding_html.estimate(item.estimate),
            _held(item),
        )
        for item in items
    ]
    standing = (
        "seen before, gone after"
        if items and all(item.verdict is Verdict.PASS and item.reason != "absent" for item in items)
        else "absent: never recorded before"
        if items and all(item.reason == "absent" for item in items)
        else "NOT shown to be fixed"
    )
    return (
        f'<section class="pb-fix" id="fix-{escape(fix.id)}"><h3>{escape(fix.title)}: {standing}</h3>'
        f"<p><code>{escape(fix.file)}</code></p><p><b>Problem.</b> {escape(fix.problem)}</p><p><b>Solution.</b> {escape(fix.solution)}</p>"
        f"{_table(['Verdict', 'Symptom', 'Before', 'After', 'Detection power', 'Interval now', 'Controls'], rows)}</section>"
    )


def _before(item: Finding) -> str:
    control = next((control for control in item.controls if control.kind == "positive"), None)
    return (
        f"seen: {escape(control.got)}"
        if control and control.held
        else "not seen"
        if control
        else "not recorded"
    )


def _after(item: Finding) -> str:
    if item.exposure is None or item.estimate is None or item.estimate.value is None:
        return "could not see"
    return (
        "gone"
        if item.verdict is Verdict.PASS
        else "still there"
        if item.verdict is Verdict.FAIL
        else "not decided"
    ) + f": {item.exposure.n:,.0f} {escape(item.exposure.unit)} looked at"


def _held(item: Finding) -> str:
    return f"{sum(control.held for control in item.controls)} of {len(item.controls)} held"


def _carried(patterns: Sequence[str], result: Result) -> Carried:
    """Where a statement stands that rests on the findings which match the patterns."""
    carried = result.of(patterns)
    failed = [item for item in carried if item.verdict is Verdict.FAIL]
    unproven = [item.id for item in carried if item.verdict is not Verdict.PASS]
    unproven += [f"{pattern} (not judged)" for pattern in patterns if not result.of([pattern])]
    if failed:
        because = "; ".join(f"{item.id}: {item.statement}" for item in failed)
        return Carried(standing=Standing.REFUTED, because=because)
    if unproven:
        return Carried(standing=Standing.UNPROVEN, because=", ".join(unproven))
    return Carried(standing=Standing.SUPPORTED, because=", ".join(item.id for item in carried))


def _risk(risk: Risk, result: Result) -> tuple[str, str]:
    if risk.status == "resolved":
        carried = _carried(risk.findings, result)
        holds = carried.standing is Standing.SUPPORTED
        return ("<b>✔ resolved</b>" if holds else "<b>✘ reopened</b>", escape(carried.because))
    if risk.status == "accepted":
        assert risk.until is not None
        over = result.ended.date() > risk.until
        return (
            "<b>! acceptance expired</b>" if over else "accepted",
            escape(f"{risk.owner}, until {risk.until.isoformat()}"),
        )
    return "<b>? open</b>", escape(f"voids {', '.join(risk.voids)}" if risk.voids else "")


def _table(head: list[str], rows: Sequence[tuple[str, ...]], *, headed: bool = True) -> str:
    top = f"<thead><tr>{''.join(f'<th>{escape(name)}</th>' for name in head)}</tr></thead>" if headed else ""
    body = "".join(
        "<tr>" + "".join(f"<td style='text-align:left'>{cell}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<div class='pb-scroll'><table class='pb-table'>{top}<tbody>{body}</tbody></table></div>"


def _diff_class(line: str) -> str:
    return "pb-added" if line.startswith("+") else "pb-removed" if line.startswith("-") else ""
