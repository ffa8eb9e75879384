"""Drafts of cases put to the test: an incident is collected from a rehearsal, a case drafted from a look at it, and judged over what came after."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from proofbook.errors import ProofbookError
from proofbook.evidence import store
from proofbook.investigation.look import Look, look
from proofbook.judge.findings import Finding, Verdict
from proofbook.judge.verdict import overall
from proofbook.selfcheck.trial import ENVIRONMENT, Trial
from proofbook.validation import Validation

# When someone looks, deployed again with the fault, and without it.
BEFORE, UNFIXED, FIXED = "before", "unfixed", "fixed"
# Of Proofbook's verdicts the worst counts.
_WORST = (Verdict.FAIL, Verdict.ERROR, Verdict.INCONCLUSIVE, Verdict.PASS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What became of the draft made of one fault.

    code: the selection that was pinned. symptoms: of the draft; needed: requests without any of them that it asks for. problem: why
    there is no draft, or why `proofbook check` refuses it. verdicts: of the draft's claims, by UNFIXED and FIXED; whole: of all checks of
    such a run. sees_before: whether over FIXED every claim is known to fail on what was recorded before. why: the claims' statements.
    """

    name: str
    code: str = ""
    symptoms: tuple[str, ...] = ()
    needed: int = 0
    problem: str = ""
    verdicts: dict[str, Verdict] | None = None
    whole: dict[str, Verdict] | None = None
    sees_before: bool = False
    why: tuple[str, ...] = ()

    @property
    def right(self) -> bool:
        """Whether the draft sees the incident, fails where its fault stays, and passes with the fix."""
        return self.sees_before and self.verdicts == {UNFIXED: Verdict.FAIL, FIXED: Verdict.PASS}

    @property
    def wrong(self) -> bool:
        """Whether it passes where the fault stays, or fails on the fix."""
        found = self.verdicts or {}
        return found.get(UNFIXED) is Verdict.PASS or found.get(FIXED) is Verdict.FAIL


async def collect(trial: Trial, fault: str, folder: Path, *, observe_s: float) -> None:
    """Records what a user would have: what was before, with the fault, and two deployments after it, of which the second has the fix."""
    await trial.stack.deploy("after", [fault])
    # A phase of its own: what is asked after a deployment only would stand in its first seconds alone.
    await trial.record("before", folder / BEFORE, observe_s=observe_s, small=True)
    for name, faults in ((UNFIXED, [fault]), (FIXED, [])):
        store.copy(folder / BEFORE, folder / name)
        await trial.stack.deploy("after", faults)
        await trial.record("after", folder / name, observe_s=observe_s, small=True)


def attempt(fault: str, folder: Path, base: Path) -> Tried:
    """The draft of a fault's incident, and how it judges. base: the workspace, which PROOFBOOK_WORKSPACE names; the draft is kept there."""
    try:
        bad = in_question(look(folder / BEFORE))
        bad.pin(f"seen since the deployment: {bad.conditions_in_words}", file=folder / "observations.toml")
        draft = bad.draft(fault)
        draft.save(replace=True)
        asked = Validation.load(ENVIRONMENT, fault, base=base)
    except ProofbookError as error:
        return Tried(name=fault, problem=str(error))
    judged = {name: asked.over(store.read(folder / name)).judge_all() for name in (UNFIXED, FIXED)}
    claims = {name: [item for item in found if item.kind == "fix"] for name, found in judged.items()}
    return Tried(
        name=fault,
        code=bad.code,
        symptoms=tuple(sign.in_words for sign in draft.signs),
        needed=draft.needed,
        verdicts={name: worst(found) for name, found in claims.items()},
        whole={name: overall(found).verdict for name, found in judged.items()},
        sees_before=all(_sees_before(item) for item in claims[FIXED]),
        why=tuple(f"{name}: {item.statement}" for name in (UNFIXED, FIXED) for item in claims[name]),
    )


def in_question(seen: Look) -> Look:
    """What an analyst selects who does not know the fault: what went wrong since the latest revision, else the message that is new with it."""
    began = seen.sql("SELECT max(timestamp) AS began FROM events WHERE kind = 'revision'")["began"].iloc[0]
    since = seen if pd.isna(began) else seen.between(began, seen.span[1] + pd.Timedelta(microseconds=1))
    bad = since.where("wrong")
    if bad.sql("SELECT count(*) AS n FROM entries WHERE NOT own")["n"].iloc[0]:
        return bad
    changed = since.changes().table
    new = [] if changed.empty else changed.loc[changed["change"].isin(["new", "more"]), "what"].tolist()
    new = new or _unheard(seen, since)
    return since.where(template=new[0]) if new else bad


def _unheard(seen: Look, since: Look) -> list[str]:
    """Warnings that were never written before, the most frequent first: of a log that is too short to say how often so much changes."""
    warnings = "SELECT template FROM entries WHERE NOT own AND severity_number >= 13 AND template IS NOT NULL"
    found = since.sql(f"{warnings} GROUP BY template ORDER BY count(*) DESC, template")["template"]
    known = seen.sql(f"{warnings} AND timestamp < '{since.span[0].isoformat()}'")["template"]
    return [template for template in found if template not in set(known)]


def worst(found: list[Finding]) -> Verdict:
    """What several claims come to."""
    there = {item.verdict for item in found}
    return next((verdict for verdict in _WORST if verdict in there), Verdict.INCONCLUSIVE)


def _sees_before(claim: Finding) -> bool:
    return any(control.kind == "before" and control.held for control in claim.controls)
