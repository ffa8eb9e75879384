"""The parts of the validation report, as HTML: all of it computed from findings, evidence and the case; it judges nothing."""

from __future__ import annotations

import datetime as dt
import re
import subprocess
from collections.abc import Sequence
from html import escape
from typing import Any

import pandas as pd

from proofbook import book as books
from proofbook import quick, workspace
from proofbook.case import Case, Fix, Risk
from proofbook.errors import UsageError
from proofbook.judge import watching
from proofbook.judge.checks import stamp
from proofbook.judge.findings import Finding, Verdict
from proofbook.redaction import scrub
from proofbook.report import cards
from proofbook.report.summary import Summary, findings_in, of_run

GROUP_TITLES = {
    "services": "Are the services healthy?",
    "websocket": "Does WebSocket work, and only for those who may?",
    "logs": "What do the logs say?",
    "stability": "Is it stable and quick enough?",
    "deployment": "How did the deployment go?",
    "contracts": "Did anything break for clients?",
    "own": "Further checks",
}
WORDS = {
    Verdict.PASS: "SUCCESS",
    Verdict.FAIL: "FAILURE",
    Verdict.INCONCLUSIVE: "INCONCLUSIVE",
    Verdict.ERROR: "ERROR",
}


class Report:
    """What `00-validation-report` shows, part by part."""

    def __init__(self, summary: Summary) -> None:
        self.summary = summary

    def __getattr__(self, name: str) -> Any:
        """Each part (`verdict`, `fixes`, `risks`, …) shows itself when called."""
        if name not in PARTS:
            raise AttributeError(f"the report has no part {name!r}; it has: {', '.join(PARTS)}")

        def show() -> None:
            from IPython import display

            display.display(display.HTML(PARTS[name](self.summary)))

        return show

    def __dir__(self) -> list[str]:
        return [*PARTS, "summary"]


def open_report(name: str, *, case: str = "", evidence: str = "") -> Report:
    """The report of a run, read from the executed notebooks that lie beside its evidence.

    Raises:
        UsageError: no evidence was named, or no executed notebook lies beside it.
    """
    quick.skip_iri_grammar()
    base = workspace.root()
    where, what = books.load(name, case, base=base)
    if not evidence:
        raise UsageError(
            "the report judges nothing: give it a run's evidence, or let the runner call it: proofbook run"
        )
    folder = books.evidence_folder(evidence, base=base)
    if not findings_in(folder.parent / "notebooks"):
        raise UsageError(
            f"expected executed notebooks beside {workspace.shown(folder)}, found none; run them first: proofbook run"
        )
    return Report(of_run(folder.parent, where, what, base=base))


def verdict(summary: Summary) -> str:
    """The first screen: the verdict in words, what carries it, how we could be wrong, what to do."""
    overall = summary.overall
    colour = cards.COLOURS[overall.verdict]
    lines = "".join(f"<li>{line}</li>" for line in _facts(summary))
    return (
        f'<section class="pb-verdict" data-verdict="{overall.verdict.value}" style="border-left:8px solid {colour};padding:.6em 1em">'
        f'<p style="font-size:1.5em;font-weight:700;margin:.2em 0;color:{colour}">{cards.MARKS[overall.verdict]} {escape(overall.sentence.partition(":")[0])}</p>'
        f"<p style='margin:.2em 0'>{escape(summary.environment.title or summary.environment.name)} · {escape(summary.case.title)} · {_time(summary.ended)}</p>"
        f"<ul>{lines}</ul>"
        f"<p><b>Could we be wrong?</b> {escape(_doubt(summary))}</p>"
        f"<p><b>Do:</b> {escape(_recommendations(summary)[0])} Next review {_time(summary.next_review)}.</p>"
        f"<p>VALIDATION RESULT: <b>{WORDS[overall.verdict]}</b></p></section>"
    )


def header(summary: Summary) -> str:
    """Who validated what, where and when."""
    recorded = summary.evidence.manifest.phases
    rows = [
        (
            "Environment",
            escape(f"{summary.environment.title or summary.environment.name} ({summary.environment.name})"),
        ),
        ("Mission", escape(summary.case.mission)),
        ("Validation team", escape(summary.case.team)),
        *[
            (f"Evidence {phase}", f"{_time(item.started)} to {_time(item.ended)}")
            for phase, item in recorded.items()
        ],
        ("Next review", _time(summary.next_review)),
        ("Not checked", escape("; ".join(summary.case.not_checked))),
    ]
    return _table(["", ""], [row for row in rows if row[1]], headed=False)


def fixes(summary: Summary) -> str:
    """Each fix: problem, solution, what was seen before and what after, with severity."""
    if not summary.case.fixes:
        return cards.note("The case names no fix: only guards were judged.")
    return "".join(_fix(fix, summary) for fix in summary.case.fixes)


def diffs(summary: Summary) -> str:
    """What each fix changed: in the architecture, in words, and in the code, as a diff."""
    parts = []
    for fix in summary.case.fixes:
        if fix.architecture:
            parts.append(f"<p><b>{escape(fix.title)}.</b> {escape(fix.architecture)}</p>")
        text = diff_of(fix, summary.case)
        if text:
            lines = "".join(
                f'<span class="{_diff_class(line)}">{escape(line)}</span>\n' for line in text.splitlines()
            )
            parts.append(
                f"<details><summary>{escape(fix.title)}: <code>{escape(fix.file)}</code></summary><pre class='pb-diff'>{lines}</pre></details>"
            )
    return "".join(parts) or cards.note("The case names no patch and no git range.")


def impact(summary: Summary) -> str:
    """Each business statement: supported, refuted or unproven."""
    rows = []
    for item in summary.case.impacts:
        rows.append((escape(item.statement), *_standing(item.findings, summary)))
    return (
        _table(["Statement", "Standing", "Because"], rows)
        if rows
        else cards.note("The case states no business impact.")
    )


def findings_table(summary: Summary) -> str:
    """Every finding, grouped by question."""
    parts = []
    for group in dict.fromkeys(item.group for item in summary.findings):
        rows = [
            (
                cards.badge(item),
                f'<a href="#finding-{escape(item.id)}">{cards.sentence(item.claim)}</a>',
                escape(item.statement),
                _could_fail(item),
            )
            for item in summary.findings
            if item.group == group
        ]
        parts.append(
            f"<h3>{escape(GROUP_TITLES.get(group, group))}</h3>{_table(['Verdict', 'Claim', 'What we saw', 'Severity'], rows)}"
        )
    return "".join(parts)


def deployment(summary: Summary) -> str:
    """The timeline of revisions, and what the platform says of each."""
    windows = summary.view.windows
    table = summary.evidence.table("revisions")
    lines = [
        f"<p>Before: revision <b>{escape(windows.old_revision or 'unknown')}</b>. Now: <b>{escape(windows.new_revision or 'unknown')}</b>{', since ' + _time(windows.deployed_at) if windows.deployed_at is not None else ''}.</p>"
    ]
    if table is not None and len(table):
        rows = [
            (
                f"<code>{escape(str(row['revision']))}</code>",
                _time(row["created"]) if pd.notna(row["created"]) else "",
                f"{row['image_bytes'] / 1e6:,.0f} MB" if pd.notna(row["image_bytes"]) else "",
                f"{row['memory_limit_bytes'] / 2**20:,.0f} MiB"
                if pd.notna(row["memory_limit_bytes"])
                else "",
            )
            for _, row in table.iterrows()
        ]
        lines.append(_table(["Revision", "Made", "Image", "Memory limit"], rows))
    return "".join(lines)


def risks(summary: Summary) -> str:
    """The risk register: what holds a resolved risk closed, who accepted a residual one and until when."""
    rows = [(escape(risk.title), *_risk(risk, summary), escape(risk.detail)) for risk in summary.case.risks]
    return (
        _table(["Risk", "Status", "Because", "Detail"], rows)
        if rows
        else cards.note("The case names no risk.")
    )


def contracts(summary: Summary) -> str:
    """Breaking changes, in one sentence each."""
    items = [item for item in summary.findings if item.group == "contracts"]
    rows = [(cards.badge(item), cards.sentence(item.claim), escape(item.statement)) for item in items]
    return (
        _table(["Verdict", "Contract", "What we saw"], rows)
        if rows
        else cards.note(
            "Not checked: the environment publishes no API definition and the case names no message schema."
        )
    )


def recommendations(summary: Summary) -> str:
    """What to do, derived from findings and open risks."""
    return "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in _recommendations(summary)) + "</ul>"


def watch(summary: Summary) -> str:
    """How a watch went: its looks, and where each success rate stands; nothing where nothing was watched."""
    words = watching.in_words(summary.view)
    if not words:
        return ""
    table = summary.path
    rows = []
    for _, part in table.groupby("check", sort=False):
        last = part.iloc[-1]
        crossed = part[(part["evidence"] >= part["pass_above"]) | (part["evidence"] <= part["fail_below"])]
        since = f"decided at look {crossed.iloc[0]['look']}, {_time(crossed.iloc[0]['at'])}" if len(crossed) else "not decided"  # fmt: skip
        rows.append((cards.sentence(str(last["claim"])), f"{last['failures']} of {last['count']} failed", f"{last['evidence']:.2f}; pass from {last['pass_above']:.2f}, fail from {last['fail_below']:.2f}", since))  # fmt: skip
    return f"<h2>While watching</h2><p>{escape(words[:1].upper() + words[1:])}.</p>" + _table(
        ["Claim", "So far", "Evidence", "Decision"], rows
    )


def readiness(summary: Summary) -> str:
    """Whether this may go on to production, as far as the findings carry."""
    overall = summary.overall
    words = {
        Verdict.PASS: "Ready, as far as these findings go.",
        Verdict.FAIL: "Not ready.",
        Verdict.INCONCLUSIVE: "Not known yet.",
        Verdict.ERROR: "Not known: we could not look.",
    }[overall.verdict]
    left = [*overall.blocking, *overall.beside]
    open_items = f" Open: {escape(', '.join(left))}." if left else ""
    unchecked = (
        f" Not checked: {escape(' '.join(summary.case.not_checked))}" if summary.case.not_checked else ""
    )
    return f"<p><b>{words}</b>{open_items}{unchecked} Next review {_time(summary.next_review)}.</p>"


def uncertainty(summary: Summary) -> str:
    """What is still needed, and what nobody established."""
    return f"<p>{escape(_doubt(summary))}</p>" + cards.needed(list(summary.findings))


def conclusion(summary: Summary) -> str:
    """Only what the findings support."""
    passed = sum(item.verdict is Verdict.PASS for item in summary.findings)
    return f"<p>{escape(summary.overall.sentence)}. {passed} of {len(summary.findings)} findings pass.</p>"


PARTS = {
    "verdict": verdict,
    "header": header,
    "impact": impact,
    "fixes": fixes,
    "findings": findings_table,
    "deployment": deployment,
    "contracts": contracts,
    "risks": risks,
    "recommendations": recommendations,
    "watch": watch,
    "readiness": readiness,
    "uncertainty": uncertainty,
    "diffs": diffs,
    "conclusion": conclusion,
}


def markdown(summary: Summary) -> str:
    """A summary for a pull request or a chat message."""
    overall = summary.overall
    lines = [
        f"## {cards.MARKS[overall.verdict]} {overall.verdict.value}: {summary.environment.name} · {summary.case.title}",
        "",
        scrub(overall.sentence),
        "",
    ]
    lines += ["| | claim | what we saw |", "|---|---|---|"]
    lines += [
        f"| {cards.MARKS[item.verdict]} {item.verdict.value} | {_cell(item.claim)} | {_cell(item.statement)} |"
        for item in summary.findings
    ]
    lines += ["", *(f"- {line}" for line in _recommendations(summary)), ""]
    return "\n".join(lines)


def diff_of(fix: Fix, case: Case) -> str:
    """The fix's diff from its patch file or git range; empty when it names neither or git cannot show it."""
    if fix.patch:
        return (case.folder / fix.patch).read_text(encoding="utf-8")
    if fix.git:
        try:
            done = subprocess.run(
                ["git", "diff", fix.git, "--", *([fix.file] if fix.file else [])],
                cwd=case.folder,
                capture_output=True,
                text=True,
                timeout=20,
            )
        except (OSError, subprocess.TimeoutExpired):
            return ""
        return done.stdout if done.returncode == 0 else ""
    return ""


def _facts(summary: Summary) -> list[str]:
    """The two or three facts that carry the verdict, as HTML."""
    overall = summary.overall
    by_id = {item.id: item for item in summary.findings}
    if overall.verdict is Verdict.PASS:
        symptoms = [symptom.check_id for fix in summary.case.fixes for symptom in fix.symptoms]
        carrying = [by_id[name] for name in symptoms if name in by_id]
        carrying = carrying or [item for item in summary.findings if item.required]
    else:
        carrying = [by_id[name] for name in overall.blocking if name in by_id]
    lines = [
        f"{cards.MARKS[item.verdict]} {cards.sentence(item.claim)}: {escape(_without_bound(item.statement))}"
        for item in carrying[:4]
    ]
    if len(carrying) > 4 and overall.verdict is not Verdict.PASS:
        lines.append(f"and {len(carrying) - 4} more: {escape(', '.join(item.id for item in carrying[4:]))}")
    if not lines:
        lines = [escape(overall.sentence)]
    guards = [item for item in summary.findings if item.kind == "guard"]
    good = sum(item.verdict is Verdict.PASS for item in guards)
    beside = f" Beside the verdict: {escape(', '.join(overall.beside))}." if overall.beside else ""
    unchecked = (
        f" Not checked: {escape(' '.join(summary.case.not_checked))}" if summary.case.not_checked else ""
    )
    lines.append(f"{good} of {len(guards)} other checks pass.{beside}{unchecked}")
    return lines


def _without_bound(statement: str) -> str:
    """A statement without its closing bracket of bounds: the first screen says what was seen, the tables how sure."""
    return re.sub(r" [(](?:at most|[0-9.]+%;)[^)]*[)]$", "", statement)


def _doubt(summary: Summary) -> str:
    """How the verdict could be wrong, from the weakest severity that it rests on."""
    if summary.overall.verdict is Verdict.FAIL:
        return f"Each claim of failure is wrong in fewer than {summary.view.alpha_fail:.2%} of such runs, or rests on an observed occurrence."
    if summary.overall.verdict is not Verdict.PASS:
        return "Yes, either way: what is needed to decide is listed."
    severities = [item.severity for item in summary.findings if item.required and item.severity is not None]
    return (
        f"Any one remaining fault of the size that we claim to see would have shown in at least {min(severities):.1%} of such runs."
        if severities
        else "No severity is known."
    )


def _recommendations(summary: Summary) -> list[str]:
    overall = summary.overall
    lines = []
    if overall.verdict is Verdict.FAIL:
        by_id = {item.id: item for item in summary.findings}
        for item in (by_id[name] for name in overall.blocking if name in by_id):
            lines.append(f"Hold the release: “{item.claim}” does not hold: {_without_bound(item.statement)}.")
    elif overall.verdict is Verdict.PASS:
        lines.append("Nothing blocks; go on.")
    else:
        lines += [
            f"{cards.in_words(item.needed)[0].upper()}{cards.in_words(item.needed)[1:]} ({item.id})."
            for item in summary.findings
            if item.id in overall.blocking and item.needed
        ]
        lines = lines or [f"{overall.sentence}."]
    lines += [
        f"Look at {item.id}: {item.statement}." for item in summary.findings if item.id in overall.beside
    ]
    lines += [
        f"Renew or end the waiver of {item.id}: {item.waived}." for item in summary.findings if item.waived
    ]
    for risk in summary.case.risks:
        if risk.status == "accepted" and risk.until is not None:
            over = summary.ended.date() > risk.until
            lines.append(
                f"{'Overdue: decide' if over else 'Decide'} on the accepted risk “{risk.title}” {'since' if over else 'by'} {risk.until.isoformat()} ({risk.owner})."
            )
        elif risk.status == "open":
            lines.append(f"Close the open risk “{risk.title}”.")
    return list(dict.fromkeys(lines))


def _fix(fix: Fix, summary: Summary) -> str:
    items = [item for item in summary.findings if item.fix == fix.id]
    rows = [
        (
            cards.badge(item),
            f'<a href="#finding-{escape(item.id)}">{cards.sentence(item.claim)}</a>',
            _before(item),
            _after(item),
            cards.severity(item),
            cards.estimate(item.estimate),
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
        f"{_table(['Verdict', 'Symptom', 'Before', 'After', 'Severity', 'Interval now', 'Controls'], rows)}</section>"
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


def _could_fail(item: Finding) -> str:
    """The severity, and the pair that shows it: a fix claim on the evidence from before, a guard on evidence broken on purpose."""
    words = [cards.severity(item)]
    for control in item.controls:
        if control.kind == "before":
            words.append(f"before: {escape(control.got.partition(':')[0])} → now: {item.verdict.value}")
        elif control.kind == "mutation":
            caught = escape(control.got.partition(" (")[0].removeprefix("caught "))
            words.append(f"{caught} mutants caught")
    return "; ".join(dict.fromkeys(word for word in words if word))


def _held(item: Finding) -> str:
    return f"{sum(control.held for control in item.controls)} of {len(item.controls)} held"


def _standing(patterns: Sequence[str], summary: Summary) -> tuple[str, str]:
    carried = summary.of(patterns)
    failed = [item for item in carried if item.verdict is Verdict.FAIL]
    unproven = [item.id for item in carried if item.verdict is not Verdict.PASS]
    unproven += [f"{pattern} (not judged)" for pattern in patterns if not summary.of([pattern])]
    if failed:
        return "<b>✘ refuted</b>", escape("; ".join(f"{item.id}: {item.statement}" for item in failed))
    if unproven:
        return "<b>? unproven</b>", escape(", ".join(unproven))
    return "<b>✔ supported</b>", escape(", ".join(item.id for item in carried))


def _risk(risk: Risk, summary: Summary) -> tuple[str, str]:
    if risk.status == "resolved":
        standing, because = _standing(risk.findings, summary)
        return ("✔ resolved" if "supported" in standing else "<b>✘ reopened</b>", because)
    if risk.status == "accepted":
        assert risk.until is not None
        over = summary.ended.date() > risk.until
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


def _time(time: dt.datetime) -> str:
    moment = pd.Timestamp(time)
    return f'<time datetime="{stamp(moment)}">{moment:%d %b %Y %H:%M} UTC</time>'


def _cell(text: str) -> str:
    return escape(scrub(text), quote=False).replace("|", "\\|").replace("\n", " ")


def _diff_class(line: str) -> str:
    return "pb-added" if line.startswith("+") else "pb-removed" if line.startswith("-") else ""
