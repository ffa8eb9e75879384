"""A run that ended, as news sees it: without what somebody accepted."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from urllib.parse import quote

from proofbook.errors import CouldNotLook
from proofbook.judge import verdict as verdicts
from proofbook.judge.findings import Finding, Verdict
from proofbook.notify.news import Ended
from proofbook.notify.notice import KNOWN, TROUBLE
from proofbook.redaction.scrubbing import for_others
from proofbook.runs import known_issues
from proofbook.runs.record import RunRecord

LONGEST = 400


def of(run: RunRecord, folder: Path, *, link: str) -> Ended:
    """A run that ended.

    Args:
        link: where the outputs are served; empty: nowhere.
    """
    began, at = _time(run.started, folder), _time(run.ended or run.started, folder)
    verdict, left = _without_accepted(run, _accepted(run, folder, day=at.date()))
    said = _said(run, verdict, left) if verdict in TROUBLE else {}
    sentences = [*said.values()] or [for_others(run.sentence)[:LONGEST]]
    return Ended(
        environment=folder.parent.name,
        case=run.case,
        run_id=folder.name,
        verdict=verdict,
        began=began,
        at=at,
        sentence=sentences[0],
        others=len(sentences) - 1,
        findings=tuple(said.items()),
        report=_report(folder, link),
    )


def lost(environment: str, case: str, error: CouldNotLook, *, now: dt.datetime) -> Ended:
    """A run that could not even be noted, such as on a full disk."""
    return Ended(
        environment=environment, case=case, run_id="", verdict="error", began=now, at=now,
        sentence=for_others(str(error))[:LONGEST], others=0, report="",
    )  # fmt: skip


def _said(run: RunRecord, verdict: str, left: list[Finding]) -> dict[str, str]:
    """What each finding says that carries the verdict, by its id: first those of the summary, in its words.

    A fact without a finding, such as a notebook that broke, is told where no finding is.
    """
    words = {item.id: f"{item.claim}: {item.statement}" for item in left if item.verdict.value == verdict}
    facts = {
        fact.finding: fact.text
        for fact in (run.summary.facts if run.summary else ())
        if fact.verdict == verdict
    }
    words = words or {"": run.sentence}
    first = {name: text for name, text in facts.items() if name in words}
    others = [(name, text) for name, text in words.items() if name not in first]
    return {name: for_others(text)[:LONGEST] for name, text in [*first.items(), *others]}


def _accepted(run: RunRecord, folder: Path, *, day: dt.date) -> set[str]:
    return {item.finding for item in known_issues.read(folder.parent, case=run.case) if item.lasts(day)}


def _without_accepted(run: RunRecord, accepted: set[str]) -> tuple[str, list[Finding]]:
    """The verdict without what was accepted, `known` where nothing else stood in the way of a pass, and the findings that are left."""
    found = list(run.findings)
    left = [item for item in found if item.id not in accepted]
    if len(left) == len(found) or run.verdict is Verdict.PASS:
        return run.verdict.value, found
    broken = {item.name: item.problem for item in run.notebooks if item.problem}
    whole = verdicts.overall(found, broken=broken)
    if (whole.verdict, whole.reason) != (run.verdict, run.reason):
        # It rests on more than its findings, such as a check that nobody judged, which nobody accepted.
        return run.verdict.value, left
    rest = verdicts.overall(left, broken=broken).verdict if left else Verdict.PASS
    return (KNOWN if rest is Verdict.PASS else rest.value), left


def _report(folder: Path, link: str) -> str:
    page = folder / "report.html"
    if link:
        return f"{link.rstrip('/')}/{quote(folder.parent.name)}/{quote(folder.name)}/report.html"
    return str(page if page.is_file() else folder)


def _time(text: str, folder: Path) -> dt.datetime:
    """A time of a run, from its id where it says none that can be read."""
    try:
        found = dt.datetime.fromisoformat(text)
        return found if found.tzinfo else found.replace(tzinfo=dt.UTC)
    except ValueError:
        written = (folder / "run.json").stat().st_mtime
        return dt.datetime.fromtimestamp(written, dt.UTC)
