"""Sentences for what a look at services found; made here alone, from facts."""

from __future__ import annotations

from proofbook.investigation.services.suspects import Measure, Ranking, Sign, Suspect

# Longer names are cut in a sentence.
LONGEST = 120


def of_suspect(suspect: Suspect) -> str:
    """What carries a suspect, in one sentence."""
    said = of_sign(suspect.signs[0])
    return f"{said}; where {suspect.explained_by} shows nothing odd, neither does it" if suspect.explained_by else said  # fmt: skip


def of_sign(sign: Sign) -> str:
    """What differs, with its two figures.

    >>> of_sign(Sign(measure=Measure.RESOURCES, service="cart", seen_at="cart", operation="", what="cpu_usage", kind="",
    ...     before=2.5, after=441.3, of_before=15, of_after=2, z=9.0, score=7.0))
    'cpu_usage of cart: 2.5 → 441 (15 and 2 measurements)'
    """
    if sign.measure is Measure.RESOURCES:
        return f"{sign.what} of {sign.service}: {_number(sign.before)} → {_number(sign.after)} ({sign.of_before} and {sign.of_after} measurements)"
    if sign.measure is Measure.OWN_TIME:
        return f"{_operation(sign)} takes {_seconds(sign.before)} → {_seconds(sign.after)} by itself ({sign.of_before} and {sign.of_after} traces)"
    if sign.measure is Measure.CALL_TIME:
        return f"{_operation(sign)} spends {_seconds(sign.before)} → {_seconds(sign.after)} outside the callee ({sign.of_before} and {sign.of_after} traces)"
    counts = f"{_count(sign.before, sign.of_before)} → {_count(sign.after, sign.of_after)} traces"
    what = {
        "call": f"{'calls' if sign.after > sign.before else 'no longer calls'} {_short(sign.what)}",
        "line": f"{'writes' if sign.after > sign.before else 'no longer writes'} {_short(sign.what)}",
        "error line": f"{'writes' if sign.after > sign.before else 'no longer writes'} the error {_short(sign.what)}",
        "error": "ends with an error that none of its callees had"
        if sign.after > sign.before
        else "no longer ends with an error",
        "answer": f"gets no answer from {sign.what}",
    }[sign.kind]
    return f"{_operation(sign)} {what}: {counts}"


def of_chance(ranking: Ranking) -> str:
    """How far the ranking is more than chance, and what would settle it where that is not known."""
    called = [suspect for suspect in ranking.suspects if suspect.called]
    looked = f"the same search in {ranking.placebos} quiet windows of {_length(ranking.window_s)}"
    if ranking.placebos < ranking.needed:
        return f"Nobody is called: too little history. {ranking.placebos} quiet windows of {_length(ranking.window_s)} were recorded, {ranking.needed} are needed; {_length(ranking.missing_s)} more of quiet time would settle it."
    if not called:
        best = ranking.suspects[0].chance if ranking.suspects else None
        if best is None:
            return f"Nobody is called: {looked} has no measurements to compare with."
        named = round(best * (ranking.placebos + 1)) - 1
        return f"Nobody is called: {looked} finds as much in {named} of them."
    first = called[0]
    named = round((first.chance or 0) * (ranking.placebos + 1)) - 1
    return f"Called: {', '.join(suspect.service for suspect in called)}; {looked} finds as much as for {first.service} in {named} of them."


def of_extent(ranking: Ranking) -> str:
    """What was compared with what."""
    begun = "stated" if ranking.since_is_stated else "where most differs"
    return f"{ranking.services} services, {ranking.traces:,} traces looked at and {ranking.quiet_traces:,} quiet ones; since {ranking.since:%Y-%m-%d %H:%M:%S} UTC ({begun})."


def _operation(sign: Sign) -> str:
    return f"{sign.seen_at} {_short(sign.operation)}"


def _short(text: str) -> str:
    """A name as one line that is not too long; of a path of operations the end tells most.

    >>> _short("a" * 200)[:3], len(_short("a" * 200))
    ('…aa', 120)
    """
    line = " ".join(text.split())
    return line if len(line) <= LONGEST else f"…{line[1 - LONGEST :]}"


def _count(share: float, of: int) -> str:
    return f"{round(share * of):,} of {of:,}"


def _seconds(value: float) -> str:
    """
    >>> _seconds(0.00347), _seconds(2.004), _seconds(0.25)
    ('3.5 ms', '2.0 s', '250 ms')
    """
    if value >= 1:
        return f"{value:.1f} s"
    return f"{value * 1000:.0f} ms" if value >= 0.01 else f"{value * 1000:.1f} ms"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2g}"


def _length(seconds: float) -> str:
    """
    >>> _length(90), _length(5400), _length(10 * 3600)
    ('90 s', '90 min', '10 h')
    """
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 3 * 3600 else f"{seconds / 3600:.0f} h"
