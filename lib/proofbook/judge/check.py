"""A check is a recipe, never a table: so it can be judged again on the evidence from before, and on mutants."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pandas as pd

from proofbook.judge.findings import Judgement
from proofbook.judge.view import View

# Of what must never happen, and of which the case states no rate, this share of tries is what a pass must have been able to show:
# as where one instance of twenty behaves otherwise than the rest.
SEEN_SHARE = 0.05
NOT_SAID = "read the statement: this check does not say what would settle it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """A way to break the evidence that the check must notice. `change` gives None where it cannot apply."""

    name: str
    change: Callable[[View], View | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How to judge: a function of a view.

    compares: after with before, so that nothing can be said without. trials: when each was made (timestamp) and whether it
    was ok, for a success rate with that target.
    """

    judge: Callable[[View], Judgement]
    mutants: tuple[Mutant, ...] = ()
    compares: bool = False
    trials: Callable[[View], pd.DataFrame] | None = None
    target: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One claim and its recipe.

    kind: `fix` or `guard`. group: of the report; that of `claims` where it is empty. critical: whether a failure fails the run.
    extension: module and package that declared it; empty for checks that ship with Proofbook and for those of a notebook.
    """

    id: str
    kind: str
    claim: str
    group: str = ""
    recipe: Recipe
    required: bool = False
    critical: bool = True
    fix: str | None = None
    waived_by: str = ""
    waived_until: dt.date | None = None
    voided_by: str = ""
    extension: str = ""


def _read(view: View, digests: Mapping[str, str]) -> tuple[dict[str, str], ...]:
    """Name and digest of each recorded table that was handed out."""
    names = {f"{phase}/{name}" for phase, name in view.reads}
    return tuple({"name": name, "sha256": sha256} for name, sha256 in digests.items() if name in names)


def _reaches_before(view: View) -> bool:
    """Whether any table that was read so far has something in it from before."""
    names = {name for _, name in view.reads}
    if "log_rhythm" in names and view.windows.before is not None:
        return True
    recorded = (view.tables(name, "before") for name in names)
    return any(table is not None and not table.empty for table in recorded)
