"""Whether our own probes were answered otherwise than before: each outcome's share, after against before, by an exact test."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from proofbook.evidence.store import Evidence
from proofbook.investigation import met, probed, tries
from proofbook.investigation.answers import FOUND, NOTHING, UNSURE, Answer
from proofbook.judge.findings import Exposure, Method, Needed
from proofbook.stats import events, hypergeometric

CLAIM = "what changed in the answers to our own probes"
ALPHA = 0.05
# Of what they met the sentences that a card begins with.
MOST_SAID = 2
METHOD = Method(
    name="exact test of each outcome's share, before against after, by Holm over all of them",
    confidence=1 - ALPHA,
    side="two-sided",
    null_hypothesis="probes were answered alike before and after",
    source="Fisher 1935; Holm 1979",
)
_NONE = pd.DataFrame(columns=["probe", "outcome", "before", "after", "called", "p"]).astype(
    {"called": bool, "p": float}
)


def judge(evidence: Evidence) -> Answer:
    """The answer to `Look.probes`: what a first display says of probes, with every outcome beside it."""
    rows = tries.outcomes(evidence)
    said = [met.in_words(fact) for fact in probed.facts(evidence)]
    before, after = (rows[rows["phase"] == phase] for phase in ("before", "after"))
    compared = _compared(before, after)
    with_before = (rows["phase"] == "after") & rows["probe"].isin(before["probe"])
    lost = _lost(rows[~with_before & (rows["phase"] != "before")])
    called, differ = compared[compared["called"]], compared["p"] <= ALPHA
    table = pd.concat([part for part in (compared[differ], lost) if len(part)] or [called], ignore_index=True)
    found = Answer(
        claim=CLAIM, answer=FOUND if len(called) else NOTHING, statement=_statement(said, called), table=_shown(table), method=METHOD,
        exposure=Exposure(n=len(rows), unit="probes"), notes=tuple(said[MOST_SAID:]), more={"As often as before": _shown(compared[~differ])},
        not_established=("why they were answered otherwise", "that probes of one phase do not depend on each other"),
    )  # fmt: skip
    if len(compared):
        return found
    return replace(
        found,
        answer=UNSURE,
        reason="no-evidence",
        statement=found.statement if said else "nothing to compare",
        needed=Needed(what="a run that records before and after"),
    )


def _shown(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.drop(columns="p")


def _statement(said: list[str], called: pd.DataFrame) -> str:
    """What they met; where that is nothing, the surest change, which may be for the better."""
    told = [f"{row['probe']}: {row['outcome']}, {row['before']} before, {row['after']} after" for row in called.head(1).to_dict("records")]  # fmt: skip
    return "; ".join(said[:MOST_SAID] or told) or "answered as before"


def _compared(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """Each outcome of probes that were sent in both phases, the surest change first."""
    both = set(before["probe"]) & set(after["probe"])
    first, second = (part[part["probe"].isin(both)] for part in (before, after))
    counts = pd.DataFrame({
        f"{what}_{phase}": part.groupby(["probe", "outcome"])["weight"].agg(how)
        for phase, part in (("before", first), ("after", second)) for what, how in (("hits", "size"), ("alone", "sum"))
    }).fillna(0).reset_index()  # fmt: skip
    counts = counts[counts["outcome"] != tries.IN_TIME]
    if counts.empty:
        return _NONE
    of_before, of_after = (counts["probe"].map(part["probe"].value_counts()) for part in (first, second))
    alone_before, alone_after = (np.floor(counts[f"alone_{phase}"].to_numpy(dtype=float) + 1e-9) for phase in ("before", "after"))  # fmt: skip
    whole, having = of_before + of_after, alone_before + alone_after
    more = hypergeometric.tails(alone_after, of=whole, having=having, size=of_after)
    fewer = hypergeometric.tails(alone_before, of=whole, having=having, size=of_before)
    p = np.minimum(1.0, 2 * 10.0 ** -np.maximum(more, fewer))
    found = pd.DataFrame({
        "probe": counts["probe"], "outcome": counts["outcome"],
        "before": [f"{hits:,.0f} of {n:,}" for hits, n in zip(counts["hits_before"], of_before, strict=True)],
        "after": [f"{hits:,.0f} of {n:,}" for hits, n in zip(counts["hits_after"], of_after, strict=True)],
        "called": events.holm(p) <= ALPHA, "p": p, "strength": np.maximum(more, fewer).round(6),
    })  # fmt: skip
    # What is new is told before what is gone, of two that are as sure.
    found = found.assign(lost=fewer > more).sort_values(["strength", "lost", "probe", "outcome"], ascending=[False, True, True, True], ignore_index=True)  # fmt: skip
    return found.drop(columns=["strength", "lost"])


def _lost(rows: pd.DataFrame) -> pd.DataFrame:
    """What did not go well among probes that nothing before is to be held against, the greatest share first."""
    wrong = rows[rows["well"].eq(False).fillna(False).astype(bool)].groupby(["probe", "outcome"]).size().rename("hits").reset_index()  # fmt: skip
    if wrong.empty:
        return _NONE
    of = wrong["probe"].map(rows["probe"].value_counts())
    told = pd.DataFrame({
        "probe": wrong["probe"], "outcome": wrong["outcome"], "before": "not sent", "after": [f"{hits:,} of {n:,}" for hits, n in zip(wrong["hits"], of, strict=True)],
        "called": False, "p": 1.0,
    })  # fmt: skip
    return told.iloc[np.argsort(-(wrong["hits"] / of).to_numpy(dtype=float), kind="stable")]
