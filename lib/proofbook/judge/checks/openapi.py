"""Nothing that clients rely on was taken away: the OpenAPI documents of a service, before and after."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from proofbook.evidence.schema import OPENAPI
from proofbook.files import parse_json
from proofbook.judge.check import Mutant, Recipe
from proofbook.judge.checks import openapi_mutants
from proofbook.judge.contracts import words
from proofbook.judge.contracts.api import read_api
from proofbook.judge.contracts.compare import Change, changes
from proofbook.judge.contracts.document import Unread, read
from proofbook.judge.contracts.operations import Api
from proofbook.judge.findings import Control, Estimate, Exposure, Judgement, Method, Verdict
from proofbook.judge.view import InsufficientEvidence, View


def openapi_kept(service: str) -> Recipe:
    """A recipe for "no client of the old definition breaks"."""
    it = _OpenApiKept(service=service)
    mutants = tuple(
        Mutant(name=name, change=it.mutant(change)) for name, change in openapi_mutants.CHANGES.items()
    )
    return Recipe(judge=it.judge, mutants=mutants, compares=True)


def definition(view: View, service: str, phase: str) -> tuple[Any, dt.date | None]:
    """The recorded definition of a service, and the day on which it was.

    Raises:
        InsufficientEvidence: there is none.
    """
    rows = view.need(OPENAPI, phase)
    row = rows[rows["service"] == service]
    if row.empty or not row.iloc[0]["document"]:
        why = f": {row.iloc[0]['error'] or row.iloc[0]['status']}" if len(row) else ""
        raise InsufficientEvidence(
            "no-definition",
            f"{service} gave no OpenAPI document {phase}{why}",
            repair="see the service's openapi path",
        )
    try:
        found = parse_json(row.iloc[0]["document"])
    except ValueError as error:
        raise InsufficientEvidence(
            "no-definition",
            f"{service} gave an OpenAPI document {phase} that cannot be read: {error}",
            repair="see the service's openapi path",
        ) from None
    recorded = row.iloc[0]["timestamp"]
    return found, None if recorded is None or recorded != recorded else recorded.date()


@dataclass(frozen=True, slots=True, kw_only=True)
class _OpenApiKept:
    """The OpenAPI documents of one service before and after."""

    service: str

    def judge(self, view: View) -> Judgement:
        before, _ = definition(view, self.service, "before")
        after, today = definition(view, self.service, "after")
        found = changes(before, after, today=today)
        broken = [item for item in found if item.sure]
        old, new = _api(before), _api(after)
        operations = 0 if old is None else len(old.operations) + len(old.webhooks)
        verdict = (
            Verdict.FAIL if broken else Verdict.INCONCLUSIVE if found or not operations else Verdict.PASS
        )
        return Judgement(
            verdict=verdict,
            reason={
                Verdict.PASS: "",
                Verdict.FAIL: "breaking-change",
                Verdict.INCONCLUSIVE: "not-decidable",
            }[verdict],
            statement=_statement(found, old, new, operations),
            estimate=Estimate(
                value=float(len(broken)),
                low=float(len(broken)),
                high=None if len(found) > len(broken) else float(len(broken)),
                unit="breaking changes",
            ),
            method=Method(
                name="parameters, bodies, answers, headers, security and calls of every operation compared; of their schemas, whether one is contained in the other",
                null_hypothesis="something that clients use was taken away",
                source="OpenAPI 3.1, 3.0 and Swagger 2.0",
            ),
            threshold="none",
            limits=True,
            exposure=Exposure(n=operations, unit="operations"),
            controls=_controls(operations),
        )

    def mutant(self, change: openapi_mutants.Break) -> Any:
        def applied(view: View) -> View | None:
            broken = openapi_mutants.applied(change, definition(view, self.service, "before")[0])
            if broken is None:
                return None
            changed = view
            for phase, document in zip(("before", "after"), broken, strict=True):
                rows = view.need(OPENAPI, phase).copy()
                rows.loc[rows["service"] == self.service, "document"] = json.dumps(document)
                changed = changed.exchange(OPENAPI, rows, phase)
            return changed

        return applied


def _api(document: Any) -> Api | None:
    try:
        return read_api(read(document))
    except (Unread, RecursionError):
        return None


def _statement(found: Sequence[Change], old: Api | None, new: Api | None, operations: int) -> str:
    if found or old is None or new is None:
        return words.summary(found, operations=operations)
    added = sorted(item.name for key, item in new.operations.items() if key not in old.operations)
    told = f"; new: {', '.join(added[:4])}" + (f" and {len(added) - 4} more" if len(added) > 4 else "")
    return f"all {operations} operations of before are kept" + (told if added else "")


def _controls(operations: int) -> tuple[Control, ...]:
    """The definition describes something."""
    return (
        Control(
            kind="liveness",
            name="the definition describes operations",
            guards=("pass",),
            expected="at least 1",
            got=str(operations),
            held=operations > 0,
        ),
    )
