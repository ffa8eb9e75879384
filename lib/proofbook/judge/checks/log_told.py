"""Whether a log would still tell of a symptom: what else was written beside it, at its level and below, before and after."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from proofbook.config import duckdb_text, status_pattern
from proofbook.evidence.log_tables import LOG_PLACES
from proofbook.judge.checks.log_novelty import changes, new_and_about, shares_traced, strange
from proofbook.judge.checks.log_rows import (
    matching,
    on_new_revision,
    others_in,
    others_of_new,
    rows_in,
    served,
    without_probes,
)
from proofbook.judge.findings import Control, Needed
from proofbook.judge.view import InsufficientEvidence, View

# So many messages must have been expected before their silence says anything.
MIN_EXPECTED = 5.0
MIN_OF_A_KIND = 10.0
# A log that lost less than half of its messages is not taken for another one: a release may say less.
THINNED = 0.5
# A message belongs to requests if this share of its entries names a trace.
MOST_TRACED = 0.95
_LEVELS = {"CRITICAL": 21, "ERROR": 17, "WARNING": 13, "INFO": 9, "DEBUG": 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """How far a log still tells what it told before.

    level: at which the symptom was written. expected: messages at that level and below that should have come after. got:
    those that came. share: what of the messages of before is still written, at most 1. instead: what is new and as frequent.
    """

    level: str = ""
    expected: float = 0.0
    got: int = 0
    share: float = 1.0
    instead: str = ""

    @property
    def silent(self) -> bool:
        """Whether nothing more is written at the level of the symptom and below."""
        return self.expected >= MIN_EXPECTED and self.got == 0

    @property
    def thinned(self) -> float:
        """The share of messages that is still written, where it is small; else 1."""
        return self.share if self.share < THINNED else 1.0

    @property
    def at_level(self) -> str:
        return f"at {self.level} or below" if self.level else "of any level"

    @property
    def in_words(self) -> str:
        """How much is still written, beside the symptom."""
        return f"{self.got:,} other messages {self.at_level} after, {self.expected:,.0f} expected by what was written before"


def told(view: View, pattern: str, *, source: str | None, ratio: float, hits: float) -> Told:
    """What a log tells after, as against before. ratio: exposure of after, in that of before. hits: affected before."""
    try:
        table = changes(view, source=source)
    except InsufficientEvidence:
        return Told()
    if table.empty:
        return Told()
    samples = [str(text) for text in table["sample"]]
    # Messages are no requests: none of them is what a status names.
    is_request = status_pattern.of(pattern) is not None
    hit = [False] * len(samples) if is_request else duckdb_text.found_in(pattern, samples)
    is_it = pd.Series(hit, index=table.index, dtype=bool)
    number = table["severity"].map(_LEVELS).fillna(0).astype(int)
    own = table[is_it & (table["before"] > 0)]
    most = own.groupby(number[own.index])["before"].sum() if len(own) else pd.Series(dtype="int64")
    level = int(str(most.idxmax())) if len(most) else max(_LEVELS.values())
    beside = table[~is_it & (number <= level)]
    expected = beside["before"] * ratio
    common = beside[expected >= MIN_OF_A_KIND]
    of_kinds = float((common["after"] / expected[common.index]).median()) if len(common) else 0.0
    whole = float(beside["after"].sum() / expected.sum()) if expected.sum() > 0 else 1.0
    enough = expected.sum() >= MIN_OF_A_KIND
    names = {value: name for name, value in _LEVELS.items()}
    return Told(
        level=names.get(level, "") if len(most) else "",
        expected=float(expected.sum()),
        got=int(beside["after"].sum()),
        share=min(1.0, max(of_kinds, whole)) if enough else 1.0,
        instead=new_and_about(
            table[
                ~is_it
                & ~_of_no_request(view, table, is_it, pattern=pattern, source=source)
                & (strange(view, table) == "")
            ],
            expected=hits * ratio,
        ),
    )


def _of_no_request(
    view: View, table: pd.DataFrame, is_it: pd.Series, *, pattern: str, source: str | None
) -> pd.Series:
    """For each row of `changes` whether it is written in no request, where the symptom was written in requests: another part of the program."""
    traced = shares_traced(view, table)
    of_symptom = traced[is_it & (table["before"] > 0)]
    in_requests = bool((of_symptom >= MOST_TRACED).all()) and len(of_symptom) > 0
    if in_requests or (of_symptom.empty and _met_by_requests(view, pattern, source=source)):
        return traced == 0
    return pd.Series(False, index=table.index)


def _met_by_requests(view: View, pattern: str, *, source: str | None) -> bool:
    """Whether what matched before belonged to requests whose endpoint is known: a pattern may match a few lines of a kind, and not its sample."""
    try:
        places = without_probes(rows_in(view, LOG_PLACES.name, "before", source=source))
        hits = int(matching(view, "before", pattern, source=source)["affected"].sum())
    except InsufficientEvidence:
        return False
    of_it = places[(places["pattern"] == pattern) & (places["place"] == "endpoint")]
    return hits > 0 and int(of_it["affected"].sum()) >= MOST_TRACED * hits


def errors_control(view: View, *, source: str | None, hits: int) -> Control | None:
    """Comparability: requests that ended in a server error as often as the symptom was met must have become fewer. None where the two were not alike."""
    rows = others_in(view, "before", source=source), others_of_new(view, source=source)
    errors = [int(part["server_errors"].sum()) for part in rows]
    asked = [served(part) for part in rows]
    if min(asked) == 0 or not 0.5 * hits <= errors[0] <= 2 * hits:
        return None
    # Less than half of what it was: the symptom made at least half of them.
    held = errors[1] < 3 or errors[1] / asked[1] < 0.5 * errors[0] / asked[0]
    return Control(
        kind="comparability",
        name="server errors went with it",
        guards=("pass",),
        expected="fewer requests that end with 500 or more, since as many did as met it",
        got=f"{errors[0]:,} of {asked[0]:,} requests before, {errors[1]:,} of {asked[1]:,} after ended with 500 or more",
        held=held,
        code="errors-remain",
    )


def refusals_control(view: View, hits: pd.DataFrame, *, pattern: str, source: str | None) -> Control | None:
    """Comparability: other errors must not have come in the place of the status that a symptom names. None of a symptom that names no status.

    hits: rows of `log_matches` of before.
    """
    named = status_pattern.of(pattern)
    if named is None:
        return None
    anything = str(named.of_any_refusal)
    before = matching(view, "before", anything, source=source)
    after = on_new_revision(
        view, matching(view, "after", anything, source=source), others_in(view, "after", source=source)
    )
    asked = served(others_in(view, "before", source=source)), served(others_of_new(view, source=source))
    mine, all_before, rest = (int(rows["affected"].sum()) for rows in (hits, before, after))
    other = max(0, all_before - mine) if named.least >= 400 else all_before
    # As often as half of what is gone, beyond what there was beside it.
    held = rest < 3 or rest / max(asked[1], 1) < (other + 0.5 * mine) / max(asked[0], 1)
    place = f" for {named.path}" if named.path else ""
    return Control(
        kind="comparability",
        name="no other error came in its place",
        guards=("pass",),
        expected=f"requests{place} that end with another error not more often than before",
        got=f"{other:,} of {asked[0]:,} requests before, {rest:,} of {asked[1]:,} after ended with another error{place}",
        held=held,
        code="errors-remain",
    )


def told_needed(pattern_level: str) -> Needed:
    """What would settle whether a log still tells."""
    level = f" {pattern_level}" if pattern_level else ""
    return Needed(
        what=f"a log after that is written at the level{level} and with the share of lines of before"
    )
