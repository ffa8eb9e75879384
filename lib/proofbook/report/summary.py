"""The summary of a run: the verdict in words, what carries it, how we could be wrong, what to do, what changed.

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
from proofbook.report.result import Result
from proofbook.runs import diff, newest
from proofbook.runs.record import Fact, LastHeld, RunRecord, Summary, moment

WORDS = {
    Verdict.PASS: "SUCCESS",
    Verdict.FAIL: "FAILURE",
    Verdict.INCONCLUSIVE: "INCONCLUSIVE",
    Verdict.ERROR: "ERROR",
}
MOST_FACTS = 3
HEADS = {
    Verdict.FAIL: "Failed",
    Verdict.INCONCLUSIVE: "Inconclusive",
    Verdict.ERROR: "Error",
    Verdict.PASS: "Passed",
}
# What may be harmless, and only who reads it can tell.
SHOWN_BESIDE = ("not-tied", "more-errors")


def of(result: Result) -> Summary:
    """The summary of a run."""
    overall = result.overall
    return Summary(
        verdict=overall.verdict.value,
        words=overall.headline,
        result=WORDS[overall.verdict],
        environment=result.environment.title or result.environment.name,
        case=result.case.title,
        at=stamp(pd.Timestamp(result.ended)),
        facts=tuple(_facts(result)),
        beside=_beside(result),
        doubt=doubt(result),
        advice=recommendations(result)[0],
        next_review=stamp(pd.Timestamp(result.next_review)),
        since=_since(result),
        command=command(result),
        last_held=result.last_held,
    )


def of_run(run: RunRecord) -> Summary:
    """The summary that run.json carries; made of its sentence where it carries none, since an older version wrote it."""
    return run.summary or _of_sentence(run)


def doubt(result: Result) -> str:
    """How the verdict could be wrong; over a pass, what alone was asked."""
    if result.overall.verdict is Verdict.FAIL:
        hardly = f"Hardly: fewer than {_of_hundred(result.view.alpha_fail)} runs of a healthy system look like this; where none is allowed, one occurrence is proof."
        return " ".join(filter(None, [hardly, _no_mistake_of_ours(result)]))
    if result.overall.verdict is Verdict.ERROR:
        return "We could not look, so this says nothing about the system."
    if result.overall.verdict is not Verdict.PASS:
        return "Nothing is decided yet; below is what would decide it."
    return doubts.in_words(result.reach)


def _no_mistake_of_ours(result: Result) -> str:
    """On which earlier run it rests that a failure is none of how was asked; empty where it rests on none."""
    runs = (
        control.earlier_run
        for item in result.findings
        if item.id in result.overall.blocking and item.verdict is Verdict.FAIL
        for control in item.controls
        if control.held and control.earlier_run is not None
    )
    run = next(runs, None)
    if run is None:
        return ""
    return f"Run {run.run_id}, {durations.in_words(run.age_s)} earlier, sent the same and was let in, so it is no mistake of this run."


def recommendations(result: Result) -> list[str]:
    """What to do, the most urgent first, derived from findings and open risks."""
    overall = result.overall
    lines = [
        *_what_decides(result),
        *(
            f"Look at {item.id}: {item.statement}."
            for item in result.findings
            if item.id in overall.beside and item.id not in result.accepted
        ),
        *_about_known(result),
        *(f"Renew or end the waiver of {item.id}: {item.waived}." for item in result.findings if item.waived),
        *_about_risks(result),
    ]
    if overall.verdict is Verdict.PASS:
        later = f"nothing at once; for later, see Recommendations ({len(lines)})." if lines else "nothing."
        lines.insert(0, later)
    return list(dict.fromkeys(lines))


def _what_decides(result: Result) -> list[str]:
    """What to do about that which kept the run from passing."""
    overall = result.overall
    by_id = {item.id: item for item in result.findings}
    blocking = [by_id[name] for name in overall.blocking if name in by_id]
    if overall.verdict is Verdict.PASS:
        return []
    if overall.verdict is Verdict.FAIL:
        windows = result.view.windows
        new = windows.new_revision
        makes = [f"fix {item.id}: {seen(item)}." for item in blocking]
        # Of a system that was looked at for its own sake nothing was released.
        is_release = windows.before is not None or windows.deployed_at is not None or windows.alongside
        return [f"hold the release{f' of {new}' if new else ''}.", *makes] if is_release else makes
    needs = [f"{finding_html.in_words(item.needed)} ({item.id})." for item in blocking if item.needed]
    return needs or [f"{_small(overall.detail)}."]


def _about_known(result: Result) -> list[str]:
    """Until when nothing is to be done about accepted findings that have not passed, or that the time is over."""
    unsettled = {item.id for item in result.findings if item.verdict is not Verdict.PASS}
    return [
        f"Nothing before {item.until} on {item.finding}: {item.in_words()}."
        if item.finding in result.accepted
        else f"Decide again on {item.finding}: its acceptance by {item.by} ended on {item.until} ({item.why})."
        for item in result.known
        if item.finding in unsettled
    ]


def _about_risks(result: Result) -> list[str]:
    """What the risks of the case ask for."""
    lines = []
    for risk in result.case.risks:
        if risk.status == "accepted" and risk.until is not None:
            over = result.ended.date() > risk.until
            lines.append(
                f"{'Overdue: decide' if over else 'Decide'} on the accepted risk “{risk.title}” {'since' if over else 'by'} {risk.until.isoformat()} ({risk.owner})."
            )
        elif risk.status == "open":
            lines.append(f"Close the open risk “{risk.title}”.")
    return lines


def seen(item: Finding) -> str:
    """What was seen, without its bounds: the summary says that, the details how sure. All of it in findings of old."""
    return item.seen or item.statement


def _of_sentence(run: RunRecord) -> Summary:
    words = WORDS[run.verdict]
    return Summary(
        verdict=run.verdict.value,
        words=words,
        result=words,
        environment=run.environment,
        case=run.case or "no case",
        at=run.ended or run.started,
        facts=(Fact(verdict=run.verdict.value, text=run.sentence),),
        beside="",
        doubt="The run does not say.",
        advice="See below.",
        next_review=run.next_review or run.started,
        since="",
    )


def _facts(result: Result) -> list[Fact]:
    overall = result.overall
    by_id = {item.id: item for item in result.findings}
    if overall.verdict is Verdict.PASS:
        return _carrying(result)
    blocking = [by_id[name] for name in overall.blocking if name in by_id]
    facts = [Fact(verdict=item.verdict.value, text=_against(item), finding=item.id) for item in _distinct(blocking)[:MOST_FACTS]]  # fmt: skip
    if len(blocking) > len(facts) and facts:
        facts.append(
            Fact(verdict=overall.verdict.value, text=f"and {len(blocking) - len(facts)} more, in the report")
        )
    return facts or [Fact(verdict=overall.verdict.value, text=overall.detail)]


def command(result: Result) -> str:
    """What to type next where the verdict is not known yet, or what failed can be looked at in its own log; empty in any other case.

    Silence in a log decides once, however often one looks: an occurrence ends it. So it may be asked again later. What probes
    must show is not asked until it passes: it is watched, by tests that allow for it, and with samples that add up.
    """
    overall = result.overall
    log = result.evidence.file("logs", "after")
    if overall.verdict is Verdict.FAIL and result.run_id and log is not None and log.exists():
        return f"proofbook look {result.run_id} --html look.html    # what is different about what failed"
    first = next((item for item in result.findings if item.id in overall.blocking), None)
    if overall.verdict is not Verdict.INCONCLUSIVE or first is None:
        return ""
    asked = f"{result.environment.name}{f' --case {result.case.name}' if result.case.name else ''}"
    earlier = f" --before {result.run_id}" if "before" in result.evidence.manifest.phases else ""
    kind = situation(first.reason)
    if kind == NEVER_SEEN:
        return f"proofbook run {asked} --evidence {result.run_id}    # after adding examples to the case"
    if kind == TOO_EARLY and first.group == "deployment":
        # No round of a watch sees a deployment that is over.
        return f'proofbook collect {asked} --phase rollout --during "your deploy command"    # at the next deployment'
    if kind == TOO_EARLY and not (first.kind == "fix" and first.group == "logs"):
        return f"proofbook watch {asked}{earlier} --every 5m --for 1h"
    return f"proofbook run {asked}{earlier}"


def _carrying(result: Result) -> list[Fact]:
    """For each fix the symptom that the case names first; without a fix, the required findings."""
    facts = []
    by_id = {item.id: item for item in result.findings}
    for fix in result.case.fixes:
        items = [by_id[symptom.check_id] for symptom in fix.symptoms if symptom.check_id in by_id]
        if items:
            told = items[0]
            facts.append(Fact(verdict=told.verdict.value, text=f"{fix.title}: {seen(told)}.", finding=told.id))  # fmt: skip
    required = [item for item in result.findings if item.required]
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
    head = HEADS[item.verdict]
    return f"{head}: {item.claim}. {_capital(seen(item))}.{required}"


def _beside(result: Result) -> str:
    guards = [item for item in result.findings if item.kind == "guard"]
    good = sum(item.verdict is Verdict.PASS for item in guards)
    fell = sum(item.verdict is Verdict.FAIL for item in guards)
    has_fixes = bool(result.case.fixes)
    if guards and good == len(guards):
        words = [
            f"Nothing {'else ' if has_fixes else ''}broke in {len(guards)} {'check' if len(guards) == 1 else 'checks'}."
        ]
    elif guards:
        open_ones = len(guards) - good - fell
        counts = f"{good} pass, {fell} fail" + (f", {open_ones} inconclusive" if open_ones else "")
        words = [
            f"{len(guards)} {'regression ' if has_fixes else ''}{'check' if len(guards) == 1 else 'checks'}: {counts}."
        ]
    else:
        words = []
    words += _fixes_that_hold(result)
    beside = [name for name in result.overall.beside if name not in result.accepted]
    if beside:
        # Of what passed nobody looks further; so what is not known beside it is said here.
        passed = result.overall.verdict is Verdict.PASS
        shown_as = {item.id: _told_beside(item, passed=passed) for item in result.findings}
        words.append(f"Not required, did not pass: {'; '.join(shown_as.get(name, name) for name in beside)}.")
    shown = [
        item for item in result.findings if item.id in result.accepted and item.verdict is not Verdict.PASS
    ]
    if shown:
        words.append(
            "Known: "
            + "; ".join(f"{item.id} ({result.accepted[item.id].in_words()})" for item in shown)
            + "."
        )
    if result.not_checked:
        words.append(f"Not checked: {' '.join(result.not_checked)}")
    return " ".join(words)


def _fixes_that_hold(result: Result) -> list[str]:
    """How many fixes hold, where something else is not known; of a pass the facts say it."""
    if result.overall.verdict is not Verdict.INCONCLUSIVE:
        return []
    verdicts = {item.id: item.verdict for item in result.findings}
    fixes = [[verdicts.get(symptom.check_id) for symptom in fix.symptoms] for fix in result.case.fixes]
    held = sum(set(found) == {Verdict.PASS} for found in fixes)
    if not held:
        return []
    if held < len(fixes):
        return [f"{held} of {len(fixes)} fixes {'holds' if held == 1 else 'hold'}."]
    return [{1: "The fix holds.", 2: "Both fixes hold."}.get(held, f"All {held} fixes hold.")]


def _told_beside(item: Finding, *, passed: bool) -> str:
    """A finding that did not decide: with what was seen, where the run passed or somebody has to look at that."""
    return f"{item.id}: {seen(item)}" if passed or item.reason in SHOWN_BESIDE else item.id


def _since(result: Result) -> str:
    last = result.previous
    before = result.view.before_run
    taken = [f"Before: {finding_html.before_in_words(before)}."] if before else []
    if last is None:
        return " ".join(["First run of this case here.", *taken])
    when = moment(last.ended or last.started)
    found = diff.between(last.findings, result.findings)
    news = [item for item in found if item.id not in result.accepted or item.now == Verdict.PASS.value]
    now = result.overall.verdict
    head = f"{last.verdict.value} → {now.value}; " if last.verdict is not now else ""
    changed = f"Since the last run ({when}): {head}{diff.in_words(news)}."
    return " ".join([changed, *taken, *_all_held(result.last_held[:MOST_FACTS], result.ended)])


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
