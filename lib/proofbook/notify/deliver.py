"""Tells the receivers of an environment what is news, and notes for each what it has been told.

Only one process tells of an environment at a time. Nothing here ends a run: what goes wrong is said, and tried again.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from proofbook import paths
from proofbook.concurrency import locks
from proofbook.config.durations import seconds
from proofbook.config.environment import Environment
from proofbook.config.unattended import Alertmanager, Command, Mail, Notify, Webhook
from proofbook.errors import CouldNotLook, ProofbookError
from proofbook.notify import alertmanager, command, ended, mail, news, state, webhook
from proofbook.notify.news import Ended
from proofbook.notify.notice import OVERDUE, TROUBLE, NotDelivered, Notice
from proofbook.notify.state import State
from proofbook.runs import record
from proofbook.runs.due import Due
from proofbook.runs.folders import id_at
from proofbook.runs.json_reader import JsonObject
from proofbook.runs.newest import CLOCKS_DIFFER_S, is_news
from proofbook.runs.provenance import rfc3339

Receiver = Webhook | Mail | Alertmanager | Command
Say = Callable[[str], None]
# How long to wait for another process that tells of the same environment; it waits for receivers itself.
PATIENCE_S = 60.0
# An alert that nobody repeats lasts for so many times the time between two runs.
RUNS_AN_ALERT_LASTS = 4
ALERT_LASTS_S = 7 * 86400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Where notices of one environment are written, and to whom they go."""

    environment: Environment
    policy: Notify
    base: Path
    say: Say

    @property
    def folder(self) -> Path:
        return paths.outputs(self.base) / self.environment.name

    @property
    def names(self) -> list[str]:
        return [item.name for item in self.policy.receivers]


def desk(environment: Environment, *, base: Path, say: Say) -> Desk | None:
    """The desk of an environment; None where it names nobody to tell."""
    policy = environment.notify
    if policy is None or not policy.receivers:
        return None
    return Desk(environment=environment, policy=policy, base=base, say=say)


def of_run(at: Desk, run_id: str, *, now: dt.datetime) -> None:
    """Tells what is news after a run that just ended, and after those before it that nobody told of."""
    with _opened(at) as found:
        noted = _note_runs(at, found, record.read(at.folder / run_id).case, run_id, now=now)
        _send(at, noted, now=now, repeat=True)


def of_lost(at: Desk, lost: Ended, *, now: dt.datetime) -> None:
    """Tells of a run that left nothing behind, and of those before it that nobody told of."""
    with _opened(at) as found:
        found = _note_runs(at, found, lost.case, id_at(now), now=now)
        _send(at, _note_run(at, found, lost, finished=False), now=now, repeat=True)


def of_due(at: Desk, due: Due) -> None:
    """Tells that no run came, once, and again when it is time for a reminder."""
    with _opened(at) as found:
        silence, notice = news.of_due(found.silence, due, at.policy)
        found = replace(found, silence=silence)
        _send(at, _noted(at, found, notice), now=due.at, repeat=due.is_overdue)


def retry(at: Desk, *, now: dt.datetime) -> int:
    """The number of notices that are still not delivered, after trying them all again."""
    if not (at.folder / state.FILE).exists():
        return 0
    with _opened(at) as found:
        left = _send(at, found.only_for(at.names), now=now, repeat=False)
    return sum(map(len, left.pending.values()))


def test(at: Desk, *, now: dt.datetime) -> dict[str, str]:
    """What came of a test message to each receiver: empty where it was taken, else why it was not."""
    notice = Notice(kind="test", environment=at.environment.name, at=rfc3339(now))
    return {item.name: _told(at, item, notice, now=now) for item in at.policy.receivers}


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What was told of an environment, by case, and how many notices each receiver has yet to get."""

    environment: str
    told: dict[str, str]
    overdue_since: str
    waits: dict[str, int]

    def to_json(self) -> JsonObject:
        return asdict(self)

    def lines(self) -> list[str]:
        """The same in plain text."""
        told = [f"{case}: {verdict}" for case, verdict in self.told.items()]
        silent = [f"overdue since {record.moment(self.overdue_since)}"] if self.overdue_since else []
        return [
            f"{self.environment}: told: {', '.join([*silent, *told]) or 'nothing yet'}",
            *(f"  {name}: {count} notices wait" for name, count in self.waits.items()),
        ]


def standing(at: Desk) -> Standing:
    """What was told of an environment so far, and what waits."""
    found, problem = state.read(at.folder)
    if problem:
        at.say(problem)
    return Standing(
        environment=at.environment.name,
        told={case: told.verdict for case, told in found.cases.items() if told.verdict},
        overdue_since=found.silence.since,
        waits={name: len(found.pending[name]) for name in at.names if found.pending.get(name)},
    )


@contextmanager
def _opened(at: Desk) -> Iterator[State]:
    try:
        at.folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        # Nothing was told of an environment without a folder, and nothing can be noted.
        yield State()
        return
    with locks.held(at.folder, patience_s=PATIENCE_S):
        found, problem = state.read(at.folder)
        if problem:
            at.say(problem)
        yield found


def _note_runs(at: Desk, found: State, case: str, run_id: str, *, now: dt.datetime) -> State:
    found = _in_order(at, found, case, run_id, now=now)
    for folder, run in _untold(at, found, case, run_id):
        seen = ended.of(run, folder, link=at.policy.link)
        found = _note_run(at, found, seen, finished=bool(run.ended))
    return found


def _in_order(at: Desk, found: State, case: str, run_id: str, *, now: dt.datetime) -> State:
    """The state in which the last run that was looked at lies before this one, also where the clock was set back since.

    Whether it was wrong then or is now, nobody knows: what is there with later ids has been looked at, whatever comes later has not.
    """
    told = found.of(case)
    ahead = f"{now + dt.timedelta(seconds=CLOCKS_DIFFER_S):%Y%m%dT%H%M%SZ}"
    if not told.handled or told.handled < ahead:
        return found
    later = tuple(sorted(path.name for path in at.folder.iterdir() if path.name > run_id and path.is_dir()))
    return found.with_case(case, replace(told, handled="", later=later))


def _note_run(at: Desk, found: State, run: Ended, *, finished: bool) -> State:
    if finished:
        silence, notice = news.resumed(found.silence, run)
        found = _with(at, replace(found, silence=silence), notice)
    told, notice = news.of_run(found.of(run.case), run, at.policy)
    return _noted(at, found.with_case(run.case, told), notice)


def _untold(at: Desk, found: State, case: str, run_id: str) -> Iterator[tuple[Path, record.RunRecord]]:
    """The runs of a case that are to be looked at: this one, and those since the last that was; oldest first."""
    told = found.of(case)
    if told.handled and run_id <= told.handled:
        return
    names = (
        (path.name for path in at.folder.iterdir() if told.handled < path.name < run_id)
        if told.handled
        else ()
    )
    for name in [*sorted(set(names) - set(told.later)), run_id]:
        try:
            run = record.read(at.folder / name)
        except CouldNotLook:
            # No run, or a damaged one, which the page of all runs shows.
            continue
        if run.case == case and is_news(run):
            yield at.folder / name, run


def _with(at: Desk, found: State, notice: Notice | None) -> State:
    return found if notice is None else found.with_notice(notice, at.names)


def _noted(at: Desk, found: State, notice: Notice | None) -> State:
    """The state with a notice, written down before anybody is told."""
    found = _with(at, found, notice).only_for(at.names)
    try:
        state.write(found, at.folder)
    except OSError as error:
        # People are told all the same: twice is better than never.
        at.say(f"notify: what is told cannot be noted in {paths.shown(at.folder)} ({error.strerror}), so it may be told again")  # fmt: skip
    return found


def _send(at: Desk, found: State, *, now: dt.datetime, repeat: bool) -> State:
    """The state after every receiver was told what it waited for, each in order and independent of the others.

    Args:
        repeat: whether what lasts is also repeated to those that forget.
    """
    for item in at.policy.receivers:
        problem = ""
        while not problem and found.pending.get(item.name):
            problem = _told(at, item, found.pending[item.name][0], now=now)
            if not problem:
                found = found.delivered(item.name)
                # It is shorter than what was noted, so it fits, or that was already said not to.
                with suppress(OSError):
                    state.write(found, at.folder)
        if problem:
            count = len(found.pending[item.name])
            more = f" ({count} notices wait)" if count > 1 else ""
            at.say(f"notify: {item.name} was not told: {problem}{more}; it is tried again with the next run, or now: proofbook notify {at.environment.name} --retry")  # fmt: skip
        elif repeat and isinstance(item, Alertmanager):
            for notice in _lasting(at, found, now=now):
                if problem := _told(at, item, notice, now=now):
                    at.say(f"notify: {item.name} was not reminded of what lasts: {problem}")
                    break
    return found


def _lasting(at: Desk, found: State, *, now: dt.datetime) -> Iterator[Notice]:
    name = at.environment.name
    for case, told in found.cases.items():
        if told.verdict in TROUBLE:
            yield news.lasting(told, name, case, now=now)
    if found.silence.since:
        yield Notice(
            kind="overdue", environment=name, now=OVERDUE, since=found.silence.since, at=rfc3339(now)
        )


def _told(at: Desk, receiver: Receiver, notice: Notice, *, now: dt.datetime) -> str:
    """Why a receiver could not be told; empty where it was."""
    home, where = paths.home(at.base), f"{at.environment.name}: notify.{receiver.name}"
    try:
        if isinstance(receiver, Webhook):
            webhook.tell(notice, receiver, url=receiver.url.read_secret(base=home, where=where).reveal())
        elif isinstance(receiver, Mail):
            secret = receiver.password.read_secret(base=home, where=where) if receiver.password else None
            ca_file = str(home / receiver.ca_file) if receiver.ca_file else None
            mail.tell(notice, receiver, password=secret, ca_file=ca_file)
        elif isinstance(receiver, Alertmanager):
            token = receiver.token.read_secret(base=home, where=where) if receiver.token else None
            url = receiver.url.read(base=home, where=where)
            alertmanager.tell(notice, receiver, url=url, token=token, lasts_s=_lasts_s(at), now=now)
        else:
            command.tell(notice, receiver, home=home)
    except mail.PartlyRefused as error:
        at.say(f"notify: {receiver.name}: {error}")
    except (NotDelivered, ProofbookError) as error:
        return str(error)
    return ""


def _lasts_s(at: Desk) -> float:
    every = at.environment.every
    return RUNS_AN_ALERT_LASTS * seconds(every) if every else ALERT_LASTS_S
