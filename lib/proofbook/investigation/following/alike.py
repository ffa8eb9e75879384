"""Requests that went the same way as one, and the commonest way that differs from it by one step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import pandas as pd

from proofbook.config.duckdb_text import quoted
from proofbook.errors import UsageError
from proofbook.investigation.answers import FOUND, Answer
from proofbook.investigation.conditions import Condition
from proofbook.investigation.following import given
from proofbook.investigation.prepare import BRIEF
from proofbook.judge.findings import Exposure, Method
from proofbook.judge.view import stamp

if TYPE_CHECKING:
    from proofbook.investigation.look import Look
    from proofbook.investigation.records import Records

CLAIM = "requests that went the same way"
# Ways that are compared, the commonest first.
MOST_WAYS = 20_000
# Ways are made of the requests that begin within so many entries.
AT_ONCE = 250_000
# The kinds of its entries in their order, each by a digest.
Way: TypeAlias = tuple[int, ...]
_KIND = "coalesce(template, coalesce(http_method || ' ', '') || coalesce(path, '') || ' → ' || http_status, '(says nothing)')"
METHOD = Method(
    name="equality of the kinds of a request's entries in their order (messages by template, answers by method, path and status), what repeats at once counted once; one step added, left out or replaced",
    source="Levenshtein 1966",
)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Alike(Answer):
    """Requests that went the same way. same: a look at them. other: a look at those that differ by one step; None where there are none. steps: the way in words."""

    same: Look
    other: Look | None
    steps: tuple[str, ...]


def alike(x: Any, look: Look) -> Alike:
    """The requests of a log that went the way of the one that `x` belongs to.

    Raises:
        UnknownName, UsageError: as `follow`; or it belongs to no request.
    """
    read = look.records
    unit = _unit(given.of(x, read), read)
    _prepare(read)
    (way,) = _ways(read, f"unit = {unit}", table="walked")
    of_all, mine = (_counted(read, where) for where in ("true", f"steps = {_list(way)}"))
    near = next((other for other in _near(read, way) if is_one_step(way, other)), None)
    steps = _in_words(read, unit)
    rows = [_row("this way", steps, mine, of_all)]
    said = f"{mine['n']:,} of {of_all['n']:,} requests went this way ({mine['n'] / max(1, of_all['n']):.2%}): {' · '.join(steps)}"
    other_look = None
    if near is None:
        said += "; no other differs from it by one step"
    else:
        counted = _counted(read, f"steps = {_list(near)}")
        theirs = _in_words(read, int(counted["example"]))
        change = difference(steps, theirs)
        rows.append(_row(change, theirs, counted, of_all))
        said += f"; the commonest that differs by one step, {change}: {counted['n']:,}"
        other_look = _look(look, near, int(counted["example"]), step=f"like({unit}).other")
    return Alike(
        claim=CLAIM, answer=FOUND, statement=said, table=pd.DataFrame(rows), steps=steps, method=METHOD,
        same=_look(look, way, unit, step=f"like({unit}).same"), other=other_look,
        exposure=Exposure(n=int(of_all["n"]), unit="requests"), window=(stamp(of_all["first"]), stamp(of_all["last"])),
        not_established=("that a step which differs is why it ended otherwise", "what wrote no line"),
    )  # fmt: skip


def is_one_step(one: Sequence[object], other: Sequence[object]) -> bool:
    """Whether one step was added, left out or replaced.

    >>> is_one_step("abc", "ac"), is_one_step("abc", "axc"), is_one_step("abc", "abc"), is_one_step("abc", "ba")
    (True, True, False, False)
    """
    if abs(len(one) - len(other)) > 1 or one == other:
        return False
    first = _shared(one, other)
    rest = _shared(one[first:][::-1], other[first:][::-1])
    return max(len(one), len(other)) - first - rest == 1


def difference(steps: Sequence[str], other: Sequence[str]) -> str:
    """How another way differs from one, in words.

    >>> difference(["asked", "failed"], ["asked"]), difference(["asked", "failed"], ["asked", "well"])
    ('without “failed”', '“well” in place of “failed”')
    """
    first = _shared(steps, other)
    if len(other) < len(steps):
        return f"without “{steps[first]}”"
    if len(other) > len(steps):
        return f"with “{other[first]}” too"
    return f"“{other[first]}” in place of “{steps[first]}”"


def _shared(one: Sequence[object], other: Sequence[object]) -> int:
    """How many steps from the first on are the same."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(one), len(other)))


def _unit(asked: given.Given, read: Records) -> int:
    where = f"entry = {asked.entry}" if asked.entry is not None else f"trace_id = {quoted(asked.trace)}"
    found = read.ask(f"SELECT unit, of_request FROM {read.relation} WHERE {where} ORDER BY entry LIMIT 1")
    if found.empty or not found["of_request"].iloc[0]:
        raise UsageError(
            "expected an entry of a request, got one that belongs to none; .where(template=…) selects what is like it"
        )
    return int(found["unit"].iloc[0])


def _prepare(read: Records) -> None:
    """Makes the way of every request, once, for some of them at a time: to sort a log takes several times the memory of what comes of it."""
    engine = read.engine.cursor()
    if engine.execute("SELECT 1 FROM duckdb_tables() WHERE table_name = 'walked'").fetchall():
        return
    engine.execute("CREATE OR REPLACE TABLE walking (unit BIGINT, own BOOLEAN, began TIMESTAMPTZ, steps UBIGINT[])")  # fmt: skip
    for first in range(0, read.count, AT_ONCE):
        engine.execute(
            f"""INSERT INTO walking
            WITH placed AS (SELECT unit, entry, own, timestamp, hash({_KIND}) AS kind FROM {BRIEF} WHERE of_request AND unit BETWEEN {first} AND {first + AT_ONCE - 1}),
            moved AS (SELECT *, lag(kind) OVER (PARTITION BY unit ORDER BY entry) AS before FROM placed)
            SELECT unit, bool_or(own) AS own, min(timestamp) AS began, list(kind ORDER BY entry) FILTER (WHERE kind IS DISTINCT FROM before) AS steps FROM moved GROUP BY unit"""
        )
    # Only what is whole has the name.
    engine.execute("ALTER TABLE walking RENAME TO walked")
    read.give_back()


def _ways(read: Records, where: str, *, table: str, more: str = "") -> list[Way]:
    found = read.engine.cursor().execute(f"SELECT steps FROM {table} WHERE {where} {more}").fetchall()
    return [tuple(steps) for (steps,) in found]


def _near(read: Records, way: Way) -> list[Way]:
    """Ways of about the same length, the commonest first."""
    length = f"NOT own AND len(steps) BETWEEN {len(way) - 1} AND {len(way) + 1}"
    return _ways(
        read, length, table="walked", more=f"GROUP BY steps ORDER BY count(*) DESC, min(unit) LIMIT {MOST_WAYS}"
    )  # fmt: skip


def _counted(read: Records, where: str) -> pd.Series:
    return read.ask(
        f"SELECT count(*) AS n, min(began) AS first, max(began) AS last, min(unit) AS example FROM walked WHERE NOT own AND {where}"
    ).iloc[0]


def _list(way: Way) -> str:
    return f"[{', '.join(map(str, way))}]::UBIGINT[]"


def _look(look: Look, way: Way, unit: int, *, step: str) -> Look:
    """The look at the requests of a look that went a way."""
    condition = Condition(
        sql=f"(of_request AND NOT own AND unit IN (SELECT unit FROM walked WHERE steps = {_list(way)}))",
        in_words=f"the way of entry {unit}",
        about=("template", "status", "path"),
    )
    found = (*look.conditions, condition)
    return type(look)(look.records, span=look.stated_span, conditions=found, steps=(*look.steps, step))


def _in_words(read: Records, unit: int) -> tuple[str, ...]:
    found = read.ask(f"SELECT {_KIND} AS kind FROM {BRIEF} WHERE unit = {unit} ORDER BY entry")[
        "kind"
    ].tolist()
    return tuple(kind for place, kind in enumerate(found) if place == 0 or found[place - 1] != kind)


def _row(name: str, steps: Sequence[str], counted: pd.Series, of_all: pd.Series) -> dict[str, object]:
    return {
        "way": name, "requests": int(counted["n"]), "share": f"{counted['n'] / max(1, of_all['n']):.2%}", "first": counted["first"], "last": counted["last"],
        "steps": " · ".join(steps),
    }  # fmt: skip
