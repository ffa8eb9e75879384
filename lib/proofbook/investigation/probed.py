"""What our own probes met, as sentences: what failed, how connections ended, what a definition breaks. Where a log is silent, they are not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from proofbook.evidence.schema import CERTIFICATES, IDENTITIES, LATENCY, MESSAGES, METRICS, OPENAPI
from proofbook.evidence.store import STARTED, Evidence
from proofbook.files import parse_json
from proofbook.investigation import probes
from proofbook.investigation.moments import Span
from proofbook.judge import failure_summary
from proofbook.judge.checks import access
from proofbook.judge.checks.restarts import restarts
from proofbook.judge.contracts import compare, words
from proofbook.protocol import GOOD_KINDS
from proofbook.stats import bootstrap, trends

# What each table of probes tries.
_TRIES = {
    "health": "requests for health of", "latency": "timed requests to", "latency_control": "requests for health of", "rollout": "requests for health of",
    "websocket": "conversations over", "shadow": "conversations without a mark over", "refusals": "tries at", "held": "held connections of",
}  # fmt: skip
# What a connection spends its time with.
_PARTS = ("resolve_s", "tcp_s", "tls_s", "upgrade_s", "greeting_s", "reply_s", "dwell_s")
# A certificate that ends sooner is worth a word; medians that are not higher by this are not; fewer times say nothing of a median.
SOON_DAYS, SLOWER, LEAST_TIMES = 14.0, 1.2, 30
# Of what is there: less growth is how processes begin.
GROWN = 0.1
MOST, MOST_NAMES = 6, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Met:
    """One thing that probes met. span: when, where it has a time. share: of the tries that failed, by which it is ranked."""

    statement: str
    share: float
    span: Span | None = None


def met(evidence: Evidence, within: Span | None = None) -> tuple[Met, ...]:
    """What went wrong for our probes in and after a deployment, and what is otherwise than before; the most first.

    within: only what was tried then; what has no time is left out.
    """
    found = [*_failed(evidence, within)]
    if within is None:
        found += [*_definitions(evidence), *_messages(evidence), *_certificates(evidence), *_slower(evidence), *_restarted(evidence), *_grown(evidence), *_users(evidence)]  # fmt: skip
    return tuple(sorted(found, key=lambda item: -item.share))[:MOST]


def _failed(evidence: Evidence, within: Span | None) -> Iterator[Met]:
    """Tries that failed, by table and by whom they asked."""
    before = {(name, who): rows for phase, name, rows in _tried(evidence, None) for who, rows in _by_place(rows) if phase == "before"}  # fmt: skip
    phases = set(evidence.manifest.phases) - {"before"} or {"before"}
    for phase, name, rows in _tried(evidence, within):
        for who, part in _by_place(rows) if phase in phases and name in _TRIES else ():
            failed = part[part["well"].eq(False)]
            if failed.empty:
                continue
            earlier = before.get((name, who))
            was = "" if earlier is None or phase == "before" else f"; before: {int(earlier['well'].eq(False).sum()):,} of {len(earlier):,}"  # fmt: skip
            span = failed["ended"].min(), failed["ended"].max()
            ended = failure_summary.in_words(failed)
            told = f"{len(failed):,} of {len(part):,} {_TRIES[name]} {who} failed ({phase}), {_when(span)}: {ended}{was}"
            yield Met(statement=told if name != "refusals" else _let_in(who, part), share=len(failed) / len(part), span=span)  # fmt: skip


def _tried(evidence: Evidence, within: Span | None) -> Iterator[tuple[str, str, pd.DataFrame]]:
    for phase, name, rows in probes.tables(evidence):
        tried = rows.assign(well=probes.went_well(name, rows), ended=_ended(rows))
        yield phase, name, tried if within is None else tried[tried["ended"].between(*within)]


def _ended(rows: pd.DataFrame) -> pd.Series:
    """When each was over: a held connection begins long before it is lost."""
    took_s = rows[[name for name in (*_PARTS, "total_s") if name in rows]].fillna(0.0).sum(axis="columns")
    return rows["timestamp"] + pd.to_timedelta(took_s, unit="s")


def _by_place(rows: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    if "endpoint" in rows:
        yield from ((str(name), part) for name, part in rows.groupby("endpoint"))
    elif "path" in rows and "kind" not in rows:
        yield from (
            (f"{service} {path}", part) for (service, path), part in rows.groupby(["service", "path"])
        )
    else:
        yield from ((str(name), part) for name, part in rows.groupby("service"))


def _let_in(endpoint: str, rows: pd.DataFrame) -> str:
    """What became of tokens that should, and of those that should not be taken."""
    wrong = rows[rows["well"].eq(False)]
    bad = ~rows["token_kind"].isin(GOOD_KINDS)
    kinds = wrong["token_kind"][bad].value_counts().sort_index()
    if kinds.empty:
        return (
            f"{len(wrong):,} of {int((~bad).sum()):,} tries with a good token at {endpoint} were not let in"
        )
    told = ", ".join(f"{count:,} {kind}" for kind, count in kinds.items())
    return (
        f"{int(kinds.sum()):,} of {int(bad.sum()):,} tries with bad tokens at {endpoint} were let in ({told})"
    )


def _when(span: Span) -> str:
    first, last = (f"{at:%H:%M:%S}.{at.microsecond // 100_000}" for at in span)
    return f"at {first}" if first == last else f"{first} to {last}"


def _definitions(evidence: Evidence) -> Iterator[Met]:
    """What an API definition took from its clients."""
    for service, (old, new) in _before_and_after(evidence, OPENAPI.name, "document"):
        try:
            documents = parse_json(old), parse_json(new)
        except ValueError:
            continue
        broken = [change for change in compare.changes(*documents) if change.sure]
        if broken:
            told = "; ".join(words.sentence(change) for change in broken[:MOST_NAMES])
            more = f"; and {len(broken) - MOST_NAMES} more" if len(broken) > MOST_NAMES else ""
            yield Met(
                statement=f"the API definition of {service} breaks its clients: {told}{more}", share=1.0
            )


def _before_and_after(evidence: Evidence, table: str, column: str) -> Iterator[tuple[str, tuple[str, str]]]:
    found = [evidence.table(table, phase) for phase in ("before", "after")]
    if any(rows is None for rows in found):
        return
    old, new = (rows.drop_duplicates("service", keep="last").set_index("service")[column] for rows in found if rows is not None)  # fmt: skip
    yield from ((str(service), (str(old[service]), str(new[service]))) for service in old.index.intersection(new.index))  # fmt: skip


def _messages(evidence: Evidence) -> Iterator[Met]:
    """Fields that messages over a WebSocket had before, and have no more."""
    old, new = (evidence.table(MESSAGES.name, phase) for phase in ("before", "after"))
    if old is None or new is None:
        return
    for endpoint, rows in new.groupby("endpoint"):
        had, has = (_fields(part["body"]) for part in (old[old["endpoint"] == endpoint], rows))
        gone, come = ([name for name in sorted(one - other) if name.rpartition(".")[0] not in one - other] for one, other in ((had, has), (has, had)))  # fmt: skip
        if gone:
            beside = [name for name in come if name.rpartition(".")[0] in {name.rpartition(".")[0] for name in gone}]  # fmt: skip
            told = f", and have {_some(beside)}, which they had not" if beside else ""
            yield Met(statement=f"messages of {endpoint} no longer have {_some(gone)}{told}", share=1.0)


def _fields(bodies: Iterable[str]) -> set[str]:
    """The places of fields in messages, such as `data.user_id`."""
    found: set[str] = set()

    def add(value: object, place: str) -> None:
        if isinstance(value, dict):
            for key, inner in value.items():
                found.add(f"{place}{key}")
                add(inner, f"{place}{key}.")

    for body in bodies:
        try:
            add(parse_json(body), "")
        except ValueError:
            continue
    return found


def _certificates(evidence: Evidence) -> Iterator[Met]:
    rows = evidence.table(CERTIFICATES.name, "after")
    for row in [] if rows is None else rows[rows["reached"]].to_dict("records"):
        if not row["verified"]:
            yield Met(statement=f"clients that check the certificate of {row['service']} refuse it: {row['problem']}", share=1.0)  # fmt: skip
        elif row["days"] < SOON_DAYS:
            yield Met(statement=f"the certificate of {row['service']} expires in {row['days']:.1f} days", share=0.5)  # fmt: skip


def _slower(evidence: Evidence) -> Iterator[Met]:
    """Paths whose median latency rose for certain."""
    found = [evidence.table(LATENCY.name, phase) for phase in ("before", "after")]
    if any(rows is None for rows in found):
        return
    old, new = ({place: rows["total_s"].to_numpy(dtype=np.float64) for place, rows in _by_place(rows[rows["ok"]])} for rows in found if rows is not None)  # fmt: skip
    for place in sorted(old.keys() & new.keys()):
        if min(len(old[place]), len(new[place])) < LEAST_TIMES:
            continue
        ratio = bootstrap.median_ratio(old[place], new[place])
        if ratio.low > SLOWER:
            medians = [f"{1000 * np.median(values):.3g} ms" for values in (old[place], new[place])]
            yield Met(statement=f"{place} takes {ratio.value:.2f} times as long as before ({ratio.low:.2f} at the least): {' → '.join(medians)}", share=0.5)  # fmt: skip


def _restarted(evidence: Evidence) -> Iterator[Met]:
    rows = evidence.table(METRICS.name, "after")
    rows = rows[rows["name"] == STARTED] if rows is not None else None
    for service, part in [] if rows is None else rows.sort_values("timestamp").groupby("service"):
        number, _ = restarts(part)
        if number:
            yield Met(statement=f"processes of {service} took another's place {number} times while it was watched", share=0.5)  # fmt: skip


def _grown(evidence: Evidence) -> Iterator[Met]:
    """Readings that grew all the while, for certain and by more than a tenth."""
    rows = evidence.table(METRICS.name, "after")
    if rows is None or "at_s" not in rows:
        return
    for (service, name), part in rows[rows["name"] != STARTED].groupby(["service", "name"]):
        apart = [(one["at_s"].to_numpy(dtype=np.float64), one["value"].to_numpy(dtype=np.float64)) for _, one in part.groupby("instance")]  # fmt: skip
        slope, took_s = trends.batch_slope(apart), float(np.ptp(part["at_s"]))
        if slope is not None and slope.low * took_s > GROWN * float(part["value"].median()):
            ends = [float(part.sort_values("at_s")["value"].iloc[place]) for place in (0, -1)]
            yield Met(statement=f"{name} of {service} grew all the while, from {_amount(ends[0])} to {_amount(ends[1])} in {took_s:.0f} s", share=0.5)  # fmt: skip


def _amount(value: float) -> str:
    return f"{value / 1e6:,.0f} million" if value >= 1e7 else f"{value:,.3g}"


def _users(evidence: Evidence) -> Iterator[Met]:
    """User ids that are answered otherwise than before, in every try by name; a time-out is neither."""
    old, new = (evidence.table(IDENTITIES.name, phase) for phase in ("before", "after"))
    if old is None or new is None:
        return
    entered, refused = _always(access.accepted(old), old), _always(access.explicitly_refused(old), old)
    enters, refuses = _always(access.accepted(new), new), _always(access.explicitly_refused(new), new)
    for said, chosen in (
        ("refused, and were let in before", refuses & entered),
        ("let in, and were refused before", enters & refused),
    ):
        if chosen:
            yield Met(statement=f"user ids that are {said}: {_some(sorted(chosen))}", share=0.0)


def _always(holds: pd.Series, rows: pd.DataFrame) -> set[str]:
    """The user ids for which it holds in every try."""
    every = holds.groupby(rows["user"]).all()
    return set(map(str, every[every].index))


def _some(names: list[str]) -> str:
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return f"{', '.join(names[:MOST_NAMES])}{more}"
