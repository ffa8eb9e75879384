"""What our own probes met, in sentences."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

from proofbook.investigation.moments import Span
from proofbook.investigation.probed import (
    Broken,
    Certificate,
    Fact,
    Failed,
    FieldsGone,
    Grown,
    LetIn,
    Restarted,
    Slower,
    Users,
)

# What each table of probes tries.
_TRIES = {
    "health": "requests for health of", "latency": "timed requests to", "latency_control": "requests for health of", "rollout": "requests for health of",
    "websocket": "conversations over", "shadow": "conversations without a mark over", "held": "held connections of",
}  # fmt: skip
MOST_NAMES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Met:
    """A fact as it is shown. span: when, where it has a time."""

    statement: str
    span: Span | None = None


def of(fact: Fact) -> Met:
    """A fact, told."""
    return Met(statement=in_words(fact), span=fact.span if isinstance(fact, Failed | LetIn) else None)


@functools.singledispatch
def in_words(fact: Fact) -> str:
    """A fact in a sentence."""
    raise TypeError(f"expected a fact about probes, got {fact!r}")


@in_words.register
def _(fact: Failed) -> str:
    was = "" if fact.before is None else f"; before: {fact.before[0]:,} of {fact.before[1]:,}"
    luck = " (no sure difference)" if fact.is_usual else ""
    return f"{fact.count:,} of {fact.of:,} {_TRIES[fact.table]} {fact.who} failed ({fact.phase}), {_when(fact.span)}: {fact.endings}{was}{luck}"


@in_words.register
def _(fact: LetIn) -> str:
    if not fact.kinds:
        return f"{fact.count:,} of {fact.of:,} tries with a good token at {fact.endpoint} were not let in"
    told = ", ".join(f"{count:,} {kind}" for kind, count in fact.kinds)
    return f"{fact.count:,} of {fact.of:,} tries with bad tokens at {fact.endpoint} were let in ({told})"


@in_words.register
def _(fact: Broken) -> str:
    more = f"; and {len(fact.changes) - MOST_NAMES} more" if len(fact.changes) > MOST_NAMES else ""
    return f"the API definition of {fact.service} breaks its clients: {'; '.join(fact.changes[:MOST_NAMES])}{more}"


@in_words.register
def _(fact: FieldsGone) -> str:
    come = f", and have {_some(fact.come)}, which they had not" if fact.come else ""
    return f"messages of {fact.endpoint} no longer have {_some(fact.gone)}{come}"


@in_words.register
def _(fact: Certificate) -> str:
    if fact.problem:
        return f"clients that check the certificate of {fact.service} refuse it: {fact.problem}"
    return f"the certificate of {fact.service} expires in {fact.days:.1f} days"


@in_words.register
def _(fact: Slower) -> str:
    medians = " → ".join(f"{1000 * median_s:.3g} ms" for median_s in fact.medians_s)
    return (
        f"{fact.who} takes {fact.ratio:.2f} times as long as before ({fact.low:.2f} at the least): {medians}"
    )


@in_words.register
def _(fact: Restarted) -> str:
    return f"processes of {fact.service} took another's place {fact.number} times while it was watched"


@in_words.register
def _(fact: Grown) -> str:
    first, last = map(_amount, fact.ends)
    return f"{fact.name} of {fact.service} grew all the while, from {first} to {last} in {fact.took_s:.0f} s"


@in_words.register
def _(fact: Users) -> str:
    said = "let in, and were refused before" if fact.let_in else "refused, and were let in before"
    return f"user ids that are {said}: {_some(fact.users)}"


def _when(span: Span) -> str:
    first, last = (f"{at:%H:%M:%S}.{at.microsecond // 100_000}" for at in span)
    return f"at {first}" if first == last else f"{first} to {last}"


def _amount(value: float) -> str:
    return f"{value / 1e6:,.0f} million" if value >= 1e7 else f"{value:,.3g}"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return f"{', '.join(names[:MOST_NAMES])}{more}"
