"""What our own probes met, as facts: what failed, what is otherwise than before, and whether by more than luck. Where a log is silent, they are not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pandas as pd

from proofbook.evidence.schema import CERTIFICATES, IDENTITIES, LATENCY, MESSAGES, METRICS, OPENAPI
from proofbook.evidence.store import STARTED, Evidence
from proofbook.files import parse_json
from proofbook.investigation import tries
from proofbook.investigation.moments import Span
from proofbook.investigation.tries import by_place
from proofbook.judge import failure_summary
from proofbook.judge.checks import access
from proofbook.judge.checks.restarts import restarts
from proofbook.judge.contracts import compare, words
from proofbook.protocol import GOOD_KINDS
from proofbook.stats import bootstrap, hypergeometric, trends

# A certificate that ends sooner is worth a word; medians that are not higher by this are not; fewer times say nothing of a median.
SOON_DAYS, SLOWER, LEAST_TIMES = 14.0, 1.2, 30
# Of what is there: less growth is how processes begin.
GROWN = 0.1
MOST, ALPHA = 6, 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """Tries of one table that failed. before: how many of how many failed before; None where nothing is to be held against. p: how often by luck as many more do."""

    phase: str
    table: str
    who: str
    count: int
    of: int
    span: Span
    endings: str
    before: tuple[int, int] | None
    p: float | None

    @property
    def share(self) -> float:
        """By which it is ranked."""
        return self.count / self.of

    @property
    def is_usual(self) -> bool:
        """Whether as many more come up by luck."""
        return self.p is not None and self.p > ALPHA


@dataclass(frozen=True, slots=True, kw_only=True)
class LetIn:
    """Tokens with another outcome than they should have. kinds: of bad ones that were let in how many; empty where good ones were not."""

    endpoint: str
    kinds: tuple[tuple[str, int], ...]
    count: int
    of: int
    share: float
    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """What an API definition took from its clients, in sentences."""

    service: str
    changes: tuple[str, ...]
    share: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldsGone:
    """Fields that messages of an endpoint had before, and those beside them that they have now."""

    endpoint: str
    gone: tuple[str, ...]
    come: tuple[str, ...]
    share: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """A certificate that clients refuse, or that ends soon. problem: empty where they take it."""

    service: str
    problem: str
    days: float
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Slower:
    """A path whose median latency rose for certain. ratio, low: of the medians, and its lower bound."""

    who: str
    ratio: float
    low: float
    medians_s: tuple[float, float]
    share: float = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Restarted:
    """How often processes of a service took another's place."""

    service: str
    number: int
    share: float = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Grown:
    """A reading that grew all the while, for certain."""

    service: str
    name: str
    ends: tuple[float, float]
    took_s: float
    share: float = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Users:
    """User ids that are answered otherwise than before, in every try."""

    let_in: bool
    users: tuple[str, ...]
    share: float = 0.0


Fact: TypeAlias = Failed | LetIn | Broken | FieldsGone | Certificate | Slower | Restarted | Grown | Users


def facts(evidence: Evidence, within: Span | None = None) -> tuple[Fact, ...]:
    """What went wrong for our probes in and after a deployment, and what is otherwise than before; the most first.

    within: only what was tried then; what has no time is left out.
    """
    found: list[Fact] = [*_failed(evidence, within)]
    if within is None:
        found += [*_definitions(evidence), *_messages(evidence), *_certificates(evidence), *_slower(evidence), *_restarted(evidence), *_grown(evidence), *_users(evidence)]  # fmt: skip
    return tuple(sorted(found, key=lambda fact: -fact.share))[:MOST]


def _failed(evidence: Evidence, within: Span | None) -> Iterator[Fact]:
    """Tries that failed, by table and by whom they asked."""
    before = {(name, who): rows for phase, name, rows in tries.tables(evidence) for who, rows in by_place(rows) if phase == "before"}  # fmt: skip
    phases = set(evidence.manifest.phases) - {"before"} or {"before"}
    for phase, name, rows in tries.tables(evidence, within):
        for who, part in by_place(rows) if phase in phases else ():
            failed = part[part["well"].eq(False)]
            if failed.empty:
                continue
            earlier = before.get((name, who)) if phase != "before" else None
            was = None if earlier is None else (int(earlier["well"].eq(False).sum()), len(earlier))
            span = failed["ended"].min(), failed["ended"].max()
            if name == "refusals":
                yield _let_in(who, part, span)
            else:
                # During a rollout some may fail that need not before and after.
                p = None if was is None or phase != "after" else _by_luck((len(failed), len(part)), was)
                yield Failed(phase=phase, table=name, who=who, count=len(failed), of=len(part), span=span, endings=failure_summary.in_words(failed), before=was, p=p)  # fmt: skip


def _by_luck(now: tuple[int, int], before: tuple[int, int]) -> float:
    """How often as many of these fail where they fail as before: Fisher's exact test, one-sided."""
    hits, of, having, size = (np.array([number]) for number in (now[0], now[1] + before[1], now[0] + before[0], now[1]))  # fmt: skip
    return float(10.0 ** -hypergeometric.tails(hits, of=of, having=having, size=size)[0])


def _let_in(endpoint: str, rows: pd.DataFrame, span: Span) -> LetIn:
    """What became of tokens that should, and of those that should not be taken."""
    wrong = rows[rows["well"].eq(False)]
    bad = ~rows["token_kind"].isin(GOOD_KINDS)
    kinds = wrong["token_kind"][bad].value_counts().sort_index()
    count, of = (int(kinds.sum()), int(bad.sum())) if len(kinds) else (len(wrong), int((~bad).sum()))
    told = tuple((str(kind), int(number)) for kind, number in kinds.items())
    return LetIn(endpoint=endpoint, kinds=told, count=count, of=of, share=len(wrong) / len(rows), span=span)


def _definitions(evidence: Evidence) -> Iterator[Broken]:
    """What an API definition took from its clients."""
    for service, (old, new) in _before_and_after(evidence, OPENAPI.name, "document"):
        try:
            documents = parse_json(old), parse_json(new)
        except ValueError:
            continue
        broken = tuple(words.sentence(change) for change in compare.changes(*documents) if change.sure)
        if broken:
            yield Broken(service=service, changes=broken)


def _before_and_after(evidence: Evidence, table: str, column: str) -> Iterator[tuple[str, tuple[str, str]]]:
    found = [evidence.table(table, phase) for phase in ("before", "after")]
    if any(rows is None for rows in found):
        return
    old, new = (rows.drop_duplicates("service", keep="last").set_index("service")[column] for rows in found if rows is not None)  # fmt: skip
    yield from ((str(service), (str(old[service]), str(new[service]))) for service in old.index.intersection(new.index))  # fmt: skip


def _messages(evidence: Evidence) -> Iterator[FieldsGone]:
    """Fields that messages over a WebSocket had before, and have no more."""
    old, new = (evidence.table(MESSAGES.name, phase) for phase in ("before", "after"))
    if old is None or new is None:
        return
    for endpoint, rows in new.groupby("endpoint"):
        had, has = (set().union(*(tries.fields(body) or () for body in part["body"])) for part in (old[old["endpoint"] == endpoint], rows))  # fmt: skip
        gone, come = ([name for name in sorted(one - other) if name.rpartition(".")[0] not in one - other] for one, other in ((had, has), (has, had)))  # fmt: skip
        if gone:
            beside = [name for name in come if name.rpartition(".")[0] in {name.rpartition(".")[0] for name in gone}]  # fmt: skip
            yield FieldsGone(endpoint=str(endpoint), gone=tuple(gone), come=tuple(beside))


def _certificates(evidence: Evidence) -> Iterator[Certificate]:
    rows = evidence.table(CERTIFICATES.name, "after")
    for row in [] if rows is None else rows[rows["reached"]].to_dict("records"):
        if not row["verified"]:
            yield Certificate(service=str(row["service"]), problem=str(row["problem"]), days=float(row["days"]), share=1.0)  # fmt: skip
        elif row["days"] < SOON_DAYS:
            yield Certificate(service=str(row["service"]), problem="", days=float(row["days"]), share=0.5)


def _slower(evidence: Evidence) -> Iterator[Slower]:
    """Paths whose median latency rose for certain."""
    found = [evidence.table(LATENCY.name, phase) for phase in ("before", "after")]
    if any(rows is None for rows in found):
        return
    old, new = ({place: rows["total_s"].to_numpy(dtype=np.float64) for place, rows in by_place(rows[rows["ok"]])} for rows in found if rows is not None)  # fmt: skip
    for place in sorted(old.keys() & new.keys()):
        if min(len(old[place]), len(new[place])) < LEAST_TIMES:
            continue
        ratio = bootstrap.median_ratio(old[place], new[place])
        if ratio.low > SLOWER:
            medians = float(np.median(old[place])), float(np.median(new[place]))
            yield Slower(who=place, ratio=ratio.value, low=ratio.low, medians_s=medians)


def _restarted(evidence: Evidence) -> Iterator[Restarted]:
    rows = evidence.table(METRICS.name, "after")
    rows = rows[rows["name"] == STARTED] if rows is not None else None
    for service, part in [] if rows is None else rows.sort_values("timestamp").groupby("service"):
        number, _ = restarts(part)
        if number:
            yield Restarted(service=str(service), number=number)


def _grown(evidence: Evidence) -> Iterator[Grown]:
    """Readings that grew all the while, for certain and by more than a tenth."""
    rows = evidence.table(METRICS.name, "after")
    if rows is None or "at_s" not in rows:
        return
    for (service, name), part in rows[rows["name"] != STARTED].groupby(["service", "name"]):
        apart = [(one["at_s"].to_numpy(dtype=np.float64), one["value"].to_numpy(dtype=np.float64)) for _, one in part.groupby("instance")]  # fmt: skip
        slope, took_s = trends.batch_slope(apart), float(np.ptp(part["at_s"]))
        if slope is not None and slope.low * took_s > GROWN * float(part["value"].median()):
            first, last = (float(part.sort_values("at_s")["value"].iloc[place]) for place in (0, -1))
            yield Grown(service=str(service), name=str(name), ends=(first, last), took_s=took_s)


def _users(evidence: Evidence) -> Iterator[Users]:
    """User ids that are answered otherwise than before, in every try by name; a time-out is neither."""
    old, new = (evidence.table(IDENTITIES.name, phase) for phase in ("before", "after"))
    if old is None or new is None:
        return
    entered, refused = _always(access.accepted(old), old), _always(access.explicitly_refused(old), old)
    enters, refuses = _always(access.accepted(new), new), _always(access.explicitly_refused(new), new)
    for let_in, chosen in ((False, refuses & entered), (True, enters & refused)):
        if chosen:
            yield Users(let_in=let_in, users=tuple(sorted(chosen)))


def _always(holds: pd.Series, rows: pd.DataFrame) -> set[str]:
    """The user ids for which it holds in every try."""
    every = holds.groupby(rows["user"]).all()
    return set(map(str, every[every].index))
