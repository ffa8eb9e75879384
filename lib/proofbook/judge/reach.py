"""How far a verdict reaches: what was asked, what was not, and how surely a fault would have shown in what was."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import pandas as pd

from proofbook.config.case import Case
from proofbook.config.environment import Environment
from proofbook.config.fixes import Symptom
from proofbook.evidence.asked import ASKED, Asks, Reply
from proofbook.evidence.schema import HEALTH, SHADOW, WEBSOCKET
from proofbook.judge.checks.log_met import Place, met
from proofbook.judge.checks.log_rows import matching, others_of_new, served, silence_of
from proofbook.judge.checks.log_serving import serving
from proofbook.judge.checks.log_unread import unread_in
from proofbook.judge.findings import Finding, Verdict
from proofbook.judge.groups.logs import log_source
from proofbook.judge.view import InsufficientEvidence, View
from proofbook.judge.window import Span

# What users do and servers meet: a proxy ends what is idle for a minute, a frame states its length otherwise from 64 KiB on.
USUAL_IDLE_S, USUAL_BYTES, USUAL_AT_ONCE, USUAL_WATCH_S = 60.0, 65_536, 100, 3600.0
DAY_S = 86_400.0
# A place of the symptom that had less of its traffic than this, against that of all, was hardly asked.
HARDLY = 0.2


class Unasked(StrEnum):
    """What was not asked, or in part; of two that were asked as little, the first would tell more."""

    TRAFFIC = "traffic"
    PLACE = "place"
    LINES = "lines"
    HOURS = "hours"
    MESSAGES = "messages"
    IDLE = "idle"
    LENGTH = "length"
    CHARACTERS = "characters"
    AT_ONCE = "at-once"
    TIME = "time"


@dataclass(frozen=True, slots=True, kw_only=True)
class NotAsked:
    """One limit of what was asked. share: what of it was asked, against all, or against what is usual. what: which part was not."""

    kind: Unasked
    share: float
    what: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What probes asked. began, ended: of the first and the last of them.

    sockets: connections of endpoints. open_s, idle_s: how long these stayed open after the last word, and without any; None where
    there were none. carries_text: whether a message can hold another text. message_bytes: of the longest that was answered; None: not known. characters: whether others than ASCII were answered.
    clients: from how many addresses was asked. share: of the answers that named a revision, those that named the judged one; None: nothing was deployed.
    """

    began: pd.Timestamp
    ended: pd.Timestamp
    sockets: int
    open_s: float | None
    idle_s: float | None
    messages: int
    carries_text: bool
    message_bytes: int | None
    characters: bool
    at_once: int
    clients: int = 1
    revision: str | None = None
    share: float | None = None

    @property
    def seconds(self) -> float:
        return float((self.ended - self.began).total_seconds())


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """What a log was asked of the time after.

    number: in `unit`, of what users did. revision: which is judged, None where none is named; share: what of the traffic at the end
    it served. places: where the symptom was met before. unread: share of the lines. hours: of the day (UTC) in which the symptom was
    met before, where that is longer than a day; met_hours: those of them that lie in the window.
    """

    window: Span
    number: int
    unit: str
    revision: str | None = None
    share: float = 1.0
    others: tuple[str, ...] = ()
    places: tuple[Place, ...] = ()
    ratio: float = 1.0
    unread: float = 0.0
    hours: frozenset[int] = frozenset()
    met_hours: frozenset[int] = frozenset()

    @property
    def seconds(self) -> float:
        return float((self.window[1] - self.window[0]).total_seconds())

    @property
    def unmet(self) -> tuple[Place, ...]:
        """Places that had little of their traffic after."""
        return tuple(item for item in self.places if item.after < HARDLY * self.ratio * item.before)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sureness:
    """How surely a fault would have shown: the least severity of the required claims that passed.

    least: None where none has one; of: the claim that has it. numbered: how many have one, of so many; without: those that have none.
    """

    least: float | None
    of: str
    numbered: int
    claims: int
    without: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """What was asked, by probes and of logs; what was not, the least asked first; and how surely a fault would have shown."""

    probes: Asked | None
    logs: tuple[Log, ...]
    not_asked: tuple[NotAsked, ...]
    sureness: Sureness

    @property
    def extends(self) -> NotAsked | None:
        """What would extend it most; None where nothing is known to be left."""
        return self.not_asked[0] if self.not_asked else None


def reach_of(view: View, environment: Environment, case: Case, findings: Iterable[Finding]) -> Reach:
    """The reach of the findings that passed over this evidence."""
    found = [item for item in findings if item.required and item.verdict is Verdict.PASS]
    probes = _probes(view, environment)
    logs = tuple(_logs(view, environment, case, {item.id for item in found}))
    order = list(Unasked)
    left = [*_not_probed(probes), *(item for log in logs for item in _not_in_log(log, alone=probes is None))]
    return Reach(
        probes=probes,
        logs=logs,
        not_asked=tuple(sorted(left, key=lambda item: (item.share, order.index(item.kind)))),
        sureness=sureness_of(found),
    )


def sureness_of(found: Iterable[Finding]) -> Sureness:
    """The least severity among findings. One without severity is not covered by it, and mutants that were caught are none."""
    claims = list(found)
    numbered = [(item.severity, item.id) for item in claims if item.severity is not None]
    least, of = min(numbered, default=(None, ""))
    without = tuple(item.id for item in claims if item.severity is None)
    return Sureness(least=least, of=of, numbered=len(numbered), claims=len(claims), without=without)


def _probes(view: View, environment: Environment) -> Asked | None:
    """What probes asked; None where nothing was probed."""
    tables = [table for name in (HEALTH, WEBSOCKET, SHADOW, ASKED) if (table := view.table(name)) is not None]
    times = pd.concat([table["timestamp"] for table in tables if len(table)]) if tables else pd.Series()
    if times.empty:
        return None
    asked, sockets = view.table(ASKED), view.table(WEBSOCKET)
    sockets = WEBSOCKET.frame([]) if sockets is None else sockets
    answered = None if asked is None else asked[asked["reply"] == Reply.AS_EXPECTED]
    return Asked(
        began=times.min(),
        ended=max([times.max(), *_closed(asked)]),
        sockets=len(sockets),
        open_s=_dwelt(sockets),
        idle_s=None if asked is None else _idle(asked),
        messages=int(sockets["sent"].sum()),
        carries_text=any(item.carries_text for item in environment.websockets if environment.delivers(item)),
        message_bytes=_longest(answered, sockets, environment),
        characters=answered is not None
        and _endpoints(sockets) <= set(answered.loc[answered["asks"] == Asks.CHARACTERS, "endpoint"]),
        at_once=environment.pace.concurrency if asked is None else _together(asked, environment),
        revision=view.windows.new_revision,
        share=_share(view),
    )


def _closed(asked: pd.DataFrame | None) -> Iterator[pd.Timestamp]:
    """When the last of the connections ended that were held beside the rest."""
    if asked is not None and len(asked):
        yield (asked["timestamp"] + pd.to_timedelta(asked["open_s"].fillna(0.0), unit="s")).max()


def _share(view: View) -> float | None:
    """Which share of the answers came from the judged revision; None where health does not name that, or nothing was deployed."""
    health, new = view.table(HEALTH), view.windows.new_revision
    if health is None or new is None or view.windows.deployed_at is None:
        return None
    named = health.dropna(subset=["revision"])
    # Other services have revisions of their own.
    deployed = named.loc[named["revision"] == new, "service"].unique()
    named = named[named["service"].isin(deployed)]
    return float((named["revision"] == new).mean()) if len(named) else None


def _dwelt(sockets: pd.DataFrame) -> float | None:
    """How long the shortest connection was listened to that the probe itself ended."""
    ended = sockets.loc[sockets["closed_by"] == "probe", "dwell_s"].dropna()
    return float(ended.min()) if len(ended) else None


def _idle(asked: pd.DataFrame) -> float | None:
    """How long idle connections stayed open; None where none was held, or one was ended."""
    held = asked[(asked["asks"] == Asks.HELD) & asked["let_in"].fillna(False).astype(bool)]
    if held.empty or held["close_code"].notna().any():
        return None
    return float(held["open_s"].min())


def _endpoints(sockets: pd.DataFrame) -> set[str]:
    """Those that messages were sent to."""
    return set(sockets.loc[sockets["sent"] > 0, "endpoint"])


def _together(asked: pd.DataFrame, environment: Environment) -> int:
    """How many connections were open beside each other, at the endpoint that had the fewest."""
    most = asked[asked["asks"] == Asks.AT_ONCE].groupby("endpoint")["at_once"].max()
    return int(most.min()) if len(most) else environment.pace.concurrency


def _longest(answered: pd.DataFrame | None, sockets: pd.DataFrame, environment: Environment) -> int | None:
    """The length of the longest message that was answered, at the endpoint where it is shortest; None where it is not known."""
    if answered is not None:
        longest = answered.dropna(subset=["bytes"]).groupby("endpoint")["bytes"].max()
        if len(longest) and _endpoints(sockets) <= set(longest.index):
            return int(longest.min())
    stated = [item.long_message_chars for item in environment.websockets if environment.delivers(item)]
    return min(stated) or None if stated else None


def _not_probed(asked: Asked | None) -> Iterator[NotAsked]:
    """What of the usual probes did not ask, or less."""
    if asked is None:
        return
    parts = [NotAsked(kind=Unasked.TIME, share=asked.seconds / USUAL_WATCH_S)]
    if asked.share is not None:
        parts.append(NotAsked(kind=Unasked.TRAFFIC, share=asked.share))
    if asked.sockets:
        parts.append(NotAsked(kind=Unasked.IDLE, share=(asked.idle_s or asked.open_s or 0.0) / USUAL_IDLE_S))
        parts.append(NotAsked(kind=Unasked.AT_ONCE, share=asked.at_once / USUAL_AT_ONCE))
        if not asked.messages:
            parts.append(NotAsked(kind=Unasked.MESSAGES, share=0.0))
        elif asked.carries_text:
            parts.append(NotAsked(kind=Unasked.LENGTH, share=(asked.message_bytes or 0) / USUAL_BYTES))
            parts.append(NotAsked(kind=Unasked.CHARACTERS, share=float(asked.characters)))
    yield from (item for item in parts if item.share < 1)


def _logs(view: View, environment: Environment, case: Case, passed: set[str]) -> Iterator[Log]:
    """What logs were asked: of each symptom that is gone from one, and where there is none of each source."""
    symptoms = [item for fix in case.fixes for item in fix.symptoms if item.log and item.check_id in passed]
    sources = {log_source(environment, item.source) for item in symptoms}
    asked: list[tuple[str | None, Symptom | None]] = [
        *((log_source(environment, item.source), item) for item in symptoms),
        *((item.name, None) for item in environment.logs if not sources & {item.name, None}),
    ]
    for source, symptom in asked:
        try:
            yield _log(view, source, symptom)
        except InsufficientEvidence:
            # What was not recorded was not asked, and no claim rests on it.
            continue


def _log(view: View, source: str | None, symptom: Symptom | None) -> Log:
    rows = others_of_new(view, source=source)
    window = silence_of(view, source=source)
    if window is None or rows.empty:
        raise InsufficientEvidence("no-evidence", "nothing was written after", repair="see log-coverage")
    requests = served(rows)
    read = unread_in(view, "after", source=source, entries=rows)
    basis = Log(
        window=window,
        number=requests or int(rows["entries"].sum()),
        unit="requests" if requests else "entries",
        revision=view.windows.new_revision,
        unread=read.share,
    )
    return basis if symptom is None else _of_symptom(view, source, symptom.pattern, basis)


def _of_symptom(view: View, source: str | None, pattern: str, basis: Log) -> Log:
    who, where = serving(view, pattern, source=source), met(view, pattern, source=source)
    hours, met_hours = _hours(view, pattern, source, basis.window)
    return Log(
        window=basis.window,
        number=where.there[1] if where.place else basis.number,
        unit="requests" if where.place else basis.unit,
        revision=who.revision if who is not None else basis.revision,
        share=who.share if who is not None else 1.0,
        others=tuple(who.others) if who is not None else (),
        places=where.places,
        ratio=where.requests[1] / where.requests[0] if where.requests[0] else 1.0,
        unread=basis.unread,
        hours=hours,
        met_hours=met_hours,
    )


def _hours(
    view: View, pattern: str, source: str | None, window: Span
) -> tuple[frozenset[int], frozenset[int]]:
    """The hours of the day in which the symptom was met before, and those of them in the window; none where before is shorter than a day."""
    before = view.windows.before
    if before is None or (before[1] - before[0]).total_seconds() < DAY_S:
        return frozenset(), frozenset()
    hits = matching(view, "before", pattern, source=source)
    loud = frozenset(int(hour) for hour in hits["first"].dt.hour.unique())
    hours = int(np.ceil((window[1] - window[0]).total_seconds() / 3600)) + 1
    seen = {
        time.hour
        for number in range(min(hours, 25))
        if (time := min(window[0] + pd.Timedelta(hours=number), window[1])) <= window[1]
    }
    return loud, loud & frozenset(seen)


def _not_in_log(log: Log, *, alone: bool) -> Iterator[NotAsked]:
    """What of a log was not asked. alone: nothing else says at which time was looked."""
    if log.share < 1:
        yield NotAsked(kind=Unasked.TRAFFIC, share=log.share, what=", ".join(log.others[:2]))
    for place in log.unmet:
        yield NotAsked(kind=Unasked.PLACE, share=place.after / (log.ratio * place.before), what=place.name)
    if log.unread:
        yield NotAsked(kind=Unasked.LINES, share=1 - log.unread)
    if log.hours - log.met_hours:
        missing = ", ".join(f"{hour:02}" for hour in sorted(log.hours - log.met_hours)[:3])
        yield NotAsked(kind=Unasked.HOURS, share=len(log.met_hours) / len(log.hours), what=missing)
    elif alone and not log.hours and log.seconds < DAY_S:
        yield NotAsked(kind=Unasked.HOURS, share=log.seconds / DAY_S)
