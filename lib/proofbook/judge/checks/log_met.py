"""How often users could meet a symptom: requests at the places where it was met, those of health checks left out."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from proofbook.evidence.log_tables import ANY_LINE, LOG_PLACES
from proofbook.judge.checks.log_rows import on_new_revision, others_in, others_of_new, rows_in, without_probes
from proofbook.judge.findings import Needed
from proofbook.judge.view import View

# Where fewer of the affected requests have a known place, nothing is said of places.
LEAST_PLACED = 0.5
# Of the busiest places at most 100 are recorded: with so many, others may be left out.
MANY_PLACES = 90
# A symptom is one client's where that client met nearly all of it, and did not ask for nearly everything.
OF_ONE_CLIENT, BUSY_CLIENT, MIN_HITS = 0.9, 0.6, 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A place where the symptom was met before: requests there before and after, and how many of those of before met it."""

    name: str
    before: int
    after: int
    affected: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Met:
    """Requests of before and after in which the symptom could be met, at its places where these are known.

    ratio: what of the exposure of before came after, each place weighed by how often the symptom was met there.
    place: where it was met most, in words; empty: anywhere. there: requests at its places, before and after. places: each of them,
        the one where it was met most first.
    """

    requests: tuple[int, int]
    ratio: float
    place: str = ""
    there: tuple[int, int] = (0, 0)
    places: tuple[Place, ...] = ()

    @property
    def in_words(self) -> str:
        return f"it was met at {self.place}, which had {self.there[0]:,} requests before and {self.there[1]:,} after"

    @property
    def needed(self) -> Needed:
        """What would settle it."""
        more = max(1, round(self.there[0] * 0.6) - self.there[1])
        return Needed(
            what=f"about {more:,} more requests at {self.place}, to the fixed revision, without it", n=more
        )


def met(view: View, pattern: str, *, source: str | None) -> Met:
    """The exposure of a symptom, by the place that changed most between before and after."""
    rows = others_in(view, "before", source=source), others_of_new(view, source=source)
    requests = _asked(rows[0]), _asked(rows[1])
    found = [Met(requests=requests, ratio=requests[1] / requests[0] if requests[0] else 0.0)]
    if min(requests) > 0 or requests[0] > 0:
        found += [
            item for place in ("endpoint", "client") if (item := _at(view, place, pattern, source, requests))
        ]
    # Where its endpoint is known, what was asked elsewhere says nothing.
    return min(found[1:], key=lambda item: item.ratio, default=found[0])


def _asked(rows: pd.DataFrame) -> int:
    """How many requests users made."""
    checks = int(rows["health_checks"].fillna(0).sum()) if "health_checks" in rows else 0
    return int(rows["requests"].sum()) - checks


def _at(view: View, place: str, pattern: str, source: str | None, requests: tuple[int, int]) -> Met | None:
    """The exposure by places of one kind; None where they are not known, or the symptom is not theirs."""
    if view.recorded(LOG_PLACES.name, "after") is None:
        return None
    before = _places(view, "before", place, pattern, source)
    after = _after(view, place, pattern, source)
    if after is None:
        return None
    by_value = (
        before.groupby("value")[["requests", "affected"]].sum().sort_values("affected", ascending=False)
    )
    hits = int(by_value["affected"].sum())
    if not hits or (place == "endpoint" and hits < LEAST_PLACED * _affected(view, pattern, source)):
        return None
    if place == "client":
        first = by_value.iloc[0]
        if (
            hits < MIN_HITS
            or first["affected"] < OF_ONE_CLIENT * hits
            or first["requests"] > BUSY_CLIENT * requests[0]
        ):
            return None
        by_value = by_value.head(1)
    there = after.groupby("value")["requests"].sum().reindex(by_value.index).fillna(0)
    rates = by_value["affected"] / by_value["requests"]
    names = ", ".join(str(name) for name in by_value.index[by_value["affected"] > 0][:3])
    return Met(
        requests=requests,
        ratio=float((rates * there).sum() / by_value["affected"].sum()),
        place=names if place == "endpoint" else f"one client, {names}",
        there=(int(by_value["requests"].sum()), int(there.sum())),
        places=_places_met(by_value, there),
    )


def _places_met(by_value: pd.DataFrame, there: pd.Series) -> tuple[Place, ...]:
    """The places where it was met before, with their requests after."""
    rows = by_value.assign(after=there)[by_value["affected"] > 0]
    return tuple(
        Place(name=str(name), before=int(before), after=int(after), affected=int(hit))
        for name, before, after, hit in zip(
            rows.index, rows["requests"], rows["after"], rows["affected"], strict=True
        )
    )


def _after(view: View, place: str, pattern: str, source: str | None) -> pd.DataFrame | None:
    """The rows of after; None where they hold the busiest places alone, and not all there were."""
    entries = others_in(view, "after", source=source)
    found = on_new_revision(view, _places(view, "after", place, pattern, source), entries)
    if view.recorded(LOG_PLACES.name, "before") is None:
        # One reading of one log: where the pattern was met in it, everything is counted.
        return found
    whole = _places(view, "after", place, ANY_LINE, source)
    # Their buckets are wide: one that reaches into the time of the fixed revision alone counts.
    whole = on_new_revision(view, whole.assign(first=whole["last"]), entries)
    whole = whole[~whole["value"].isin(found["value"])]
    return None if whole["value"].nunique() >= MANY_PLACES else pd.concat([found, whole])


def _places(view: View, which: str, place: str, pattern: str, source: str | None) -> pd.DataFrame:
    rows = without_probes(rows_in(view, LOG_PLACES.name, which, source=source))
    return rows[(rows["pattern"] == pattern) & (rows["place"] == place)]


def _affected(view: View, pattern: str, source: str | None) -> int:
    """How many requests met it before, at known places or not."""
    rows = without_probes(rows_in(view, "log_matches", "before", source=source))
    return int(rows.loc[rows["pattern"] == pattern, "affected"].sum())
