"""What is news: from what was told and a run that ended, what is to be told now. Knows no clock, file or receiver."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from proofbook.config.durations import seconds
from proofbook.config.unattended import Notify
from proofbook.notify.notice import KNOWN, OVERDUE, TROUBLE, Kind, Notice
from proofbook.runs.due import Due
from proofbook.runs.provenance import rfc3339

WRONG = ("fail", "error")
# Of the time between two reminders: runs do not end to the second, and who waits for a day would wait for two where a daily run was quick.
EARLY = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A run that ended, as news sees it.

    verdict: `known` where it rests on accepted findings alone. at: when it ended; began: when it began. run_id: empty where it left
    nothing behind. findings: the id of each that carries a verdict that is trouble, and what it says. The rest as in a notice.
    """

    environment: str
    case: str
    run_id: str
    verdict: str
    began: dt.datetime
    at: dt.datetime
    sentence: str
    others: int
    report: str
    findings: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What was told of a case, and what has been seen since.

    handled: the last run that was looked at. verdict: what was told last, empty before the first. since: when that began.
    run_id, sentence, others, report: of the last run with that verdict. current, current_since: the verdict of the last run, and
    when it began. apart: runs in a row that were not as told; wrong: how many of these failed or ended in an error.
    findings: which were told since that began. fresh: others of that verdict, and in how many runs in a row.
    later: runs with ids after `handled` that were handled too, before the clock was set back.
    """

    handled: str = ""
    verdict: str = ""
    since: str = ""
    said_at: str = ""
    run_id: str = ""
    sentence: str = ""
    others: int = 0
    report: str = ""
    current: str = ""
    current_since: str = ""
    apart: int = 0
    wrong: int = 0
    findings: tuple[str, ...] = ()
    fresh: Mapping[str, int] = field(default_factory=dict)
    later: tuple[str, ...] = ()


def of_run(told: Told, run: Ended, policy: Notify) -> tuple[Told, Notice | None]:
    """What counts as told after a run, and the notice that it gives rise to; None where it is no news.

    A verdict is news once enough runs in a row differ from what was told: one for pass, `after` that failed or ended in an
    error, `inconclusive_after` of any kind for inconclusive.
    """
    handled = run.run_id or told.handled
    told = replace(told, handled=handled, later=tuple(name for name in told.later if name > handled))
    if any(window.holds(run.began) for window in policy.maintenance):
        return told, None
    if run.verdict != told.current:
        told = replace(told, current=run.verdict, current_since=rfc3339(run.at))
    if run.verdict == told.verdict:
        told, more = _more(replace(_of(told, run), apart=0, wrong=0), run, policy)
        if more is not None:
            return told, more
        return reminded(told, run.environment, run.case, policy, now=run.at)
    told = replace(told, apart=told.apart + 1, wrong=told.wrong + (run.verdict in WRONG))
    return _changed(told, run) if _is_enough(told, run, policy) else (told, None)


def _is_enough(told: Told, run: Ended, policy: Notify) -> bool:
    if run.verdict in WRONG:
        return told.wrong >= policy.after
    if run.verdict == "inconclusive":
        return told.apart >= policy.inconclusive_after
    return True


def _changed(told: Told, run: Ended) -> tuple[Told, Notice | None]:
    """A verdict that is as good as told from now on; a notice of it, unless nobody waits for one."""
    was, was_since = told.verdict, told.since
    told = replace(
        _of(told, run), verdict=run.verdict, since=told.current_since, said_at=rfc3339(run.at), apart=0, wrong=0,
        findings=tuple(name for name, _ in run.findings), fresh={},
    )  # fmt: skip
    if run.verdict not in TROUBLE and was not in TROUBLE:
        return told, None
    kind: Kind = "changed"
    if run.verdict not in TROUBLE:
        kind = "accepted" if run.verdict == KNOWN else "recovered"
    return told, Notice(
        kind=kind, environment=run.environment, case=run.case, was=was, now=run.verdict, since=told.since, was_since=was_since,
        run_id=run.run_id, at=rfc3339(run.at), sentence=run.sentence, others=run.others, report=run.report,
    )  # fmt: skip


def _more(told: Told, run: Ended, policy: Notify) -> tuple[Told, Notice | None]:
    """What counts as told after a run with the verdict that was told, and the notice of findings that came to it and last.

    Each is told once while the verdict lasts, also where it comes and goes.
    """
    if not told.findings:
        # Told by an older version, or of a run that broke: what it rests on now is as good as told.
        return replace(told, findings=tuple(name for name, _ in run.findings if name)), None
    said = {name: text for name, text in run.findings if name and name not in told.findings}
    fresh = {name: told.fresh.get(name, 0) + 1 for name in said}
    enough = policy.inconclusive_after if run.verdict == "inconclusive" else policy.after
    lasts = [name for name, count in fresh.items() if count >= enough]
    if run.verdict not in TROUBLE or not lasts:
        return replace(told, fresh=fresh), None
    left = {name: count for name, count in fresh.items() if name not in lasts}
    told = replace(told, findings=(*told.findings, *lasts), fresh=left, said_at=rfc3339(run.at))
    return told, Notice(
        kind="more", environment=run.environment, case=run.case, was=run.verdict, now=run.verdict, since=told.since, was_since=told.since,
        run_id=run.run_id, at=rfc3339(run.at), sentence=said[lasts[0]], others=len(lasts) - 1, report=run.report,
    )  # fmt: skip


def _of(told: Told, run: Ended) -> Told:
    return replace(told, run_id=run.run_id, sentence=run.sentence, others=run.others, report=run.report)


def reminded(
    told: Told, environment: str, case: str, policy: Notify, *, now: dt.datetime
) -> tuple[Told, Notice | None]:
    """A reminder of what lasts, where it is time for one."""
    if told.verdict not in TROUBLE or not _is_time(told.said_at, policy, now):
        return told, None
    return replace(told, said_at=rfc3339(now)), lasting(told, environment, case, now=now)


def lasting(told: Told, environment: str, case: str, *, now: dt.datetime) -> Notice:
    """The notice that what was told still holds."""
    return Notice(
        kind="reminder", environment=environment, case=case, was=told.verdict, now=told.verdict, since=told.since, was_since=told.since,
        run_id=told.run_id, at=rfc3339(now), sentence=told.sentence, others=told.others, report=told.report,
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """That no run came was told: since when, and when that was last said; both empty while runs come."""

    since: str = ""
    said_at: str = ""


def of_due(silence: Silence, due: Due, policy: Notify) -> tuple[Silence, Notice | None]:
    """What counts as told after asking whether a run came, and the notice that this gives rise to."""
    if not due.is_overdue or any(window.holds(due.at) for window in policy.maintenance):
        return silence, None
    if silence.since and not _is_time(silence.said_at, policy, due.at):
        return silence, None
    since = silence.since or rfc3339(due.by or due.at)
    return replace(silence, since=since, said_at=rfc3339(due.at)), Notice(
        kind="overdue", environment=due.environment, now=OVERDUE, since=since,
        run_id=due.last.run_id if due.last else "", at=rfc3339(due.at), sentence=due.in_words(),
    )  # fmt: skip


def resumed(silence: Silence, run: Ended) -> tuple[Silence, Notice | None]:
    """What counts as told after a finished run, and the notice that runs come again where somebody waits for one."""
    if not silence.since:
        return silence, None
    now = "pass" if run.verdict == KNOWN else run.verdict
    return Silence(), Notice(
        kind="resumed", environment=run.environment, case=run.case, was=OVERDUE, now=now, since=rfc3339(run.at),
        was_since=silence.since, run_id=run.run_id, at=rfc3339(run.at), sentence=run.sentence, report=run.report,
    )  # fmt: skip


def _is_time(said_at: str, policy: Notify, now: dt.datetime) -> bool:
    if not policy.remind_every or not said_at:
        return False
    waited_s, every_s = (
        (now - dt.datetime.fromisoformat(said_at)).total_seconds(),
        seconds(policy.remind_every),
    )
    # A clock that was set back would otherwise keep quiet for as long.
    return waited_s >= every_s * (1 - EARLY) or waited_s < -every_s
