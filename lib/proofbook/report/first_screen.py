"""What a reader sees first: the verdict in words, what carries it, how we could be wrong, what to do, what changed.

A value of plain text, so that the page, a mail, a chat message and the terminal say the same.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import replace

import pandas as pd

from proofbook.config import durations
from proofbook.judge.findings import Finding, Verdict
from proofbook.judge.reasons import NEVER_SEEN, TOO_EARLY, situation
from proofbook.judge.view import stamp
from proofbook.report import doubt as doubts
from proofbook.report import finding_html
from proofbook.report.summary import Summary
from proofbook.runs import diff, newest
from proofbook.runs.record import Fact, LastHeld, Opening, RunRecord, moment

WORDS = {
    Verdict.PASS: "SUCCESS",
    Verdict.FAIL: "FAILURE",
    Verdict.INCONCLUSIVE: "INCONCLUSIVE",
    Verdict.ERROR: "ERROR",
}
MOST_FACTS = 3
# What may be harmless, and only who reads it can tell.
SHOWN_BESIDE = ("not-tied", "more-errors")


def of(summary: Summary) -> Opening:
    """The first screen of a run."""
    overall = summary.overall
    return Opening(
        verdict=overall.verdict.value,
        words=overall.headline,
        result=WORDS[overall.verdict],
        environment=summary.environment.title or summary.environment.name,
        case=summary.case.title,
        at=stamp(pd.Timestamp(summary.ended)),
        facts=tuple(_facts(summary)),
        beside=_beside(summary),
        doubt=doubt(summary),
        advice=recommendations(summary)[0],
        next_review=stamp(pd.Timestamp(summary.next_review)),
        since=_since(summary),
        command=command(summary),
        last_held=summary.last_held,
    )


def of_run(run: RunRecord) -> Opening:
    """The first screen that run.json carries; made of its sentence where it carries none, since an older version wrote it."""
    return run.opening or _of_sentence(run)


def doubt(summary: Summary) -> str:
    """How the verdict could be wrong; over a pass, what alone was asked."""
    if summary.overall.verdict is Verdict.FAIL:
        hardly = f"Hardly: fewer than {_of_hundred(summary.view.alpha_fail)} runs of a sound system look like this; what must never happen is proved by one occurrence."
        return " ".join(filter(None, [hardly, _not_our_slip(summary)]))
    if summary.overall.verdict is Verdict.ERROR:
        return "We could not look, so this says nothing about the system."
    if summary.overall.verdict is not Verdict.PASS:
        return "Nothing is decided yet; below is what would decide it."
    return doubts.in_words(summary.reach)


def _not_our_slip(summary: Summary) -> str:
    """On which earlier run it rests that a failure is none of how was asked; empty where it rests on none."""
    runs = (
        control.earlier_run
        for item in summary.findings
        if item.id in summary.overall.blocking and item.verdict is Verdict.FAIL
        for control in item.controls
        if control.held and control.earlier_run is not None
    )
    run = next(runs, None)
    if run is None:
        return ""
    return f"That it is no slip in how is asked rests on run {run.run_id}, {durations.in_words(run.age_s)} earlier, which sent the very same."


def recommendations(summary: Summary) -> list[str]:
    """What to do, the most urgent first, derived from findings and open risks."""
    overall = summary.overall
    lines = [
        *_what_decides(summary),
        *(
            f"Look at {item.id}: {item.statement}."
            for item in summary.findings
            if item.id in overall.beside and item.id not in summary.accepted
        ),
        *_about_known(summary),
        *(
            f"Renew or end the waiver of {item.id}: {item.waived}."
            for item in summary.findings
            if item.waived
        ),
        *_about_risks(summary),
    ]
    if overall.verdict is Verdict.PASS:
        later = f"nothing at once; for later, see Recommendations ({len(lines)})." if lines else "nothing."
        lines.insert(0, later)
    return list(dict.fromkeys(lines))


def _what_decides(summary: Summary) -> list[str]:
    """What to do about that which kept the run from passing."""
    overall = summary.overall
    by_id = {item.id: item for item in summary.findings}
    blocking = [by_id[name] for name in overall.blocking if name in by_id]
    if overall.verdict is Verdict.PASS:
        return []
    if overall.verdict is Verdict.FAIL:
        windows = summary.view.windows
        new = windows.new_revision
        makes = [f"make this hold: {item.claim}." for item in blocking]
        # Of a system that was looked at for its own sake nothing was released.
        is_release = windows.before is not None or windows.deployed_at is not None or windows.alongside
        return [f"hold the release{f' of {new}' if new else ''}.", *makes] if is_release else makes
    needs = [f"{finding_html.in_words(item.needed)} ({item.id})." for item in blocking if item.needed]
    return needs or [f"{_small(overall.detail)}."]


def _about_known(summary: Summary) -> list[str]:
    """Until when nothing is to be done about accepted findings that have not passed, or that the time is over."""
    unsettled = {item.id for item in summary.findings if item.verdict is not Verdict.PASS}
    return [
        f"Nothing before {item.until} on {item.finding}: {item.in_words()}."
        if item.finding in summary.accepted
        else f"Decide again on {item.finding}: accepted by {item.by} until {item.until}, which is over ({item.why})."
        for item in summary.known
        if item.finding in unsettled
    ]


def _about_risks(summary: Summary) -> list[str]:
    """What the risks of the case ask for."""
    lines = []
    for risk in summary.case.risks:
        if risk.status == "accepted" and risk.until is not None:
            over = summary.ended.date() > risk.until
            lines.append(
                f"{'Overdue: decide' if over else 'Decide'} on the accepted risk “{risk.title}” {'since' if over else 'by'} {risk.until.isoformat()} ({risk.owner})."
            )
        elif risk.status == "open":
            lines.append(f"Close the open risk “{risk.title}”.")
    return lines


def seen(item: Finding) -> str:
    """What was seen, without its bounds: the first screen says that, the details how sure. All of it in findings of old."""
    return item.seen or item.statement


def _of_sentence(run: RunRecord) -> Opening:
    words = WORDS[run.verdict]
    return Opening(
        verdict=run.verdict.value,
        words=words,
        result=words,
        environment=run.environment,
        case=run.case or "no case",
        at=run.ended or run.started,
        facts=(Fact(verdict=run.verdict.value, text=run.sentence),),
        beside="",
        doubt="Nothing that would answer this is in the run.",
        advice="See what the run says of itself below.",
        next_review=run.next_review or run.started,
        since="",
    )


def _facts(summary: Summary) -> list[Fact]:
    overall = summary.overall
    by_id = {item.id: item for item in summary.findings}
    if overall.verdict is Verdict.PASS:
        return _carrying(summary)
    blocking = [by_id[name] for name in overall.blocking if name in by_id]
    facts = [Fact(verdict=item.verdict.value, text=_against(item), finding=item.id) for item in _distinct(blocking)[:MOST_FACTS]]  # fmt: skip
    if len(blocking) > len(facts) and facts:
        facts.append(
            Fact(verdict=overall.verdict.value, text=f"and {len(blocking) - len(facts)} more, in the report")
        )
    return facts or [Fact(verdict=overall.verdict.value, text=overall.detail)]


def command(summary: Summary) -> str:
    """What to type next where the verdict is not known yet, or what failed can be looked at in its own log; empty in any other case.

    Silence in a log decides once, however often one looks: an occurrence ends it. So it may be asked again later. What probes
    must show is not asked until it passes: it is watched, by tests that allow for it, and with samples that add up.
    """
    overall = summary.overall
    log = summary.evidence.file("logs", "after")
    if overall.verdict is Verdict.FAIL and summary.run_id and log is not None and log.exists():
        return f"proofbook look {summary.run_id} --html look.html    # what is different about what failed"
    first = next((item for item in summary.findings if item.id in overall.blocking), None)
    if overall.verdict is not Verdict.INCONCLUSIVE or first is None:
        return ""
    asked = f"{summary.environment.name}{f' --case {summary.case.name}' if summary.case.name else ''}"
    earlier = f" --before {summary.run_id}" if "before" in summary.evidence.manifest.phases else ""
    kind = situation(first.reason)
    if kind == NEVER_SEEN:
        return f"proofbook run {asked} --evidence {summary.run_id}    # after adding examples to the case"
    if kind == TOO_EARLY and first.group == "deployment":
        # No round of a watch sees a deployment that is over.
        return f'proofbook collect {asked} --phase rollout --during "your deploy command"    # at the next deployment'
    if kind == TOO_EARLY and not (first.kind == "fix" and first.group == "logs"):
        return f"proofbook watch {asked}{earlier} --every 5m --for 1h"
    return f"proofbook run {asked}{earlier}"


def _carrying(summary: Summary) -> list[Fact]:
    """For each fix the symptom that the case names first; without a fix, the required findings."""
    facts = []
    by_id = {item.id: item for item in summary.findings}
    for fix in summary.case.fixes:
        items = [by_id[symptom.check_id] for symptom in fix.symptoms if symptom.check_id in by_id]
        if items:
            told = items[0]
            facts.append(Fact(verdict=told.verdict.value, text=f"{fix.title}: {seen(told)}.", finding=told.id))  # fmt: skip
    required = [item for item in summary.findings if item.required]
    facts = facts or [
        Fact(
            verdict=item.verdict.value,
            text=f"{_capital(item.claim)}: {seen(item)}.",
            finding=item.id,
        )
        for item in required
    ]
    more = len(facts) - MOST_FACTS
    return facts[:MOST_FACTS] + (
        [Fact(verdict="pass", text=f"and {more} more, in the report")] if more > 0 else []
    )


def _distinct(items: Sequence[Finding]) -> list[Finding]:
    """One of each fix first, then the others: three lines should not tell one fix three times."""
    first = {item.fix or item.id: item for item in reversed(items)}
    return sorted(items, key=lambda item: first[item.fix or item.id] is not item)


def _against(item: Finding) -> str:
    """The claim, what was seen, and what was required."""
    word = "Allowed" if item.limits else "Required"
    required = f" {word}: {item.threshold}." if item.threshold and item.verdict is not Verdict.ERROR else ""
    head = "Not so" if item.verdict is Verdict.FAIL else "Not known" if item.verdict is Verdict.INCONCLUSIVE else "Not seen"  # fmt: skip
    return f"{head}: {item.claim}. {_capital(seen(item))}.{required}"


def _beside(summary: Summary) -> str:
    guards = [item for item in summary.findings if item.kind == "guard"]
    good = sum(item.verdict is Verdict.PASS for item in guards)
    fell = sum(item.verdict is Verdict.FAIL for item in guards)
    has_fixes = bool(summary.case.fixes)
    if guards and good == len(guards):
        words = [
            f"Nothing {'else ' if has_fixes else ''}broke in {len(guards)} {'check' if len(guards) == 1 else 'checks'}."
        ]
    elif guards:
        open_ones = len(guards) - good - fell
        told = f"{good} pass, {fell} fail" + (f", {open_ones} not known" if open_ones else "")
        words = [
            f"{'Beside the fixes, of' if has_fixes else 'Of'} {len(guards)} {'check' if len(guards) == 1 else 'checks'}: {told}."
        ]
    else:
        words = []
    words += _fixes_that_hold(summary)
    beside = [name for name in summary.overall.beside if name not in summary.accepted]
    if beside:
        # Of what passed nobody looks further; so what is not known beside it is said here.
        passed = summary.overall.verdict is Verdict.PASS
        shown_as = {item.id: _told_beside(item, passed=passed) for item in summary.findings}
        words.append(f"Beside the verdict: {'; '.join(shown_as.get(name, name) for name in beside)}.")
    shown = [
        item for item in summary.findings if item.id in summary.accepted and item.verdict is not Verdict.PASS
    ]
    if shown:
        words.append(
            "Known: "
            + "; ".join(f"{item.id} ({summary.accepted[item.id].in_words()})" for item in shown)
            + "."
        )
    if summary.not_checked:
        words.append(f"Not checked: {' '.join(summary.not_checked)}")
    return " ".join(words)


def _fixes_that_hold(summary: Summary) -> list[str]:
    """How many fixes hold, where something else is not known; of a pass the facts say it."""
    if summary.overall.verdict is not Verdict.INCONCLUSIVE:
        return []
    verdicts = {item.id: item.verdict for item in summary.findings}
    fixes = [[verdicts.get(symptom.check_id) for symptom in fix.symptoms] for fix in summary.case.fixes]
    held = sum(set(found) == {Verdict.PASS} for found in fixes)
    if not held:
        return []
    if held < len(fixes):
        return [f"{held} of {len(fixes)} fixes {'holds' if held == 1 else 'hold'}."]
    return [{1: "The fix holds.", 2: "Both fixes hold."}.get(held, f"All {held} fixes hold.")]


def _told_beside(item: Finding, *, passed: bool) -> str:
    """A finding that did not decide: with what was seen, where the run passed or somebody has to look at that."""
    return f"{item.id}: {seen(item)}" if passed or item.reason in SHOWN_BESIDE else item.id


def _since(summary: Summary) -> str:
    last = summary.previous
    before = summary.view.before_run
    taken = [f"Before is {finding_html.before_in_words(before)}."] if before else []
    if last is None:
        return " ".join(["First run of this case here.", *taken])
    when = moment(last.ended or last.started)
    found = diff.between(last.findings, summary.findings)
    news = [item for item in found if item.id not in summary.accepted or item.now == Verdict.PASS.value]
    now = summary.overall.verdict
    head = f"{last.verdict.value} → {now.value}; " if last.verdict is not now else ""
    changed = f"Since the last run ({when}): {head}{diff.in_words(news)}."
    return " ".join([changed, *taken, *_all_held(summary.last_held[:MOST_FACTS], summary.ended)])


def _all_held(items: Iterable[LastHeld], now: dt.datetime) -> list[str]:
    """When checks held last, a sentence for each run in which some did."""
    runs: dict[LastHeld, list[str]] = {}
    for item in items:
        runs.setdefault(replace(item, finding=""), []).append(item.finding)
    return [_held(replace(run, finding=_listed(names)), now) for run, names in runs.items()]


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]


def _held(item: LastHeld, now: dt.datetime) -> str:
    """When a check held last, how long before this run, and whether it was asked in the same way."""
    ago_s = (now - newest.time(item.at)).total_seconds()
    # Evidence that is judged again may be older than that run.
    ago = f", {durations.in_words(ago_s)} earlier" if ago_s > 0 else ""
    same = ", with the same settings" if item.same_settings else ""
    since = f"; {item.runs_since:,} run{'s' * (item.runs_since != 1)} since did not show it" if item.runs_since else ""  # fmt: skip
    return f"{item.finding} last held in run {item.run_id} ({moment(item.at)}{ago}{same}){since}."


def _of_hundred(share: float) -> str:
    """A small share as people read it.

    >>> _of_hundred(0.05), _of_hundred(0.0014)
    ('5 of 100', '2 of 1,000')
    """
    for total in (100, 1000, 10_000, 100_000):
        if share * total >= 1:
            return f"{-int(-share * total // 1):,} of {total:,}"
    return "1 of 100,000"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _small(text: str) -> str:
    return text[:1].lower() + text[1:]
