"""What a service answers is what its API definition says: the health page, and the paths that are timed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from proofbook.evidence.schema import ANSWERS, HEALTH
from proofbook.files import parse_json
from proofbook.judge.check import Mutant, Recipe
from proofbook.judge.checks.openapi import definition
from proofbook.judge.contracts.answers import NO_BODY, Answers, Fit, Held
from proofbook.judge.contracts.api import read_api
from proofbook.judge.contracts.document import Unread, read
from proofbook.judge.findings import Control, Estimate, Exposure, Judgement, Method, Verdict
from proofbook.judge.view import InsufficientEvidence, View

MOST_SHOWN = 3
# A status that no definition names.
_ODD_STATUS = 299
# The check is for a GET alone: that is what probes of HTTP send.
_TABLES = (ANSWERS, HEALTH)


def as_defined(service: str) -> Recipe:
    """A recipe for "the service answers as its API definition says"."""
    it = _AsDefined(service=service)
    return Recipe(
        judge=it.judge,
        mutants=(
            Mutant(name="a field's value of another type", change=it.mutant(it.retyped)),
            Mutant(name="a status that is not described", change=it.mutant(it.of_odd_status)),
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """One answer as recorded. table, row: where."""

    table: Any
    row: Any
    path: str
    status: int
    media: str
    body: Any

    def held(self, answers: Answers) -> Held:
        return answers.held(self.path, self.status, media=self.media, body=self.body)


@dataclass(frozen=True, slots=True, kw_only=True)
class _AsDefined:
    """The recorded answers of one service, and its definition."""

    service: str

    def answers(self, view: View) -> Answers:
        found, _ = definition(view, self.service, "after")
        try:
            return Answers(read_api(read(found)))
        except (Unread, RecursionError) as error:
            why = error.why if isinstance(error, Unread) else "too many levels"
            raise InsufficientEvidence(
                "no-definition",
                f"the OpenAPI document of {self.service} is not understood: {why}",
                repair="see the service's openapi path",
            ) from None

    def seen(self, view: View) -> list[_Seen]:
        """Different answers, each once."""
        found: dict[tuple[str, int, str], _Seen] = {}
        for table in _TABLES:
            rows = view.table(table)
            if rows is None:
                continue
            rows = rows[(rows["service"] == self.service) & rows["status"].notna()]
            # A path that must not exist is described nowhere.
            rows = rows[rows["kind"] == "health"] if "kind" in rows else rows
            for row, path, status, text in zip(
                rows.index, rows["path"], rows["status"], rows["body"], strict=True
            ):
                media = str(rows.loc[row, "content_type"] or "") if "content_type" in rows else ""
                seen = _Seen(
                    table=table, row=row, path=path, status=int(status), media=media, body=_parsed(text)
                )
                found.setdefault((path, int(status), str(text)), seen)
        return [found[key] for key in sorted(found)]

    def judge(self, view: View) -> Judgement:
        answers = self.answers(view)
        held = [(item, item.held(answers)) for item in self.seen(view)]
        differing = [(item, found) for item, found in held if found.fit is Fit.DIFFERS]
        unclear = [(item, found) for item, found in held if found.fit is Fit.UNCLEAR]
        fitting = sum(found.fit is Fit.FITS for _, found in held)
        described = fitting + len(differing) + len(unclear)
        if not described:
            raise InsufficientEvidence(
                "not-described",
                f"none of {len(held)} different answers that {self.service} gave is described with a body in its OpenAPI document",
                repair="describe the health page, or name described paths in `timed` of the service",
            )
        verdict = Verdict.FAIL if differing else Verdict.INCONCLUSIVE if unclear else Verdict.PASS
        told = [_sentence(item, found) for item, found in [*differing, *unclear]]
        more = len(told) - MOST_SHOWN
        return Judgement(
            verdict=verdict,
            reason={Verdict.PASS: "", Verdict.FAIL: "answer-differs", Verdict.INCONCLUSIVE: "not-decidable"}[
                verdict
            ],
            statement=f"{fitting} of {described} different answers are as the definition says"
            + ("".join(f"; {words}" for words in told[:MOST_SHOWN]))
            + (f"; and {more} more" if more > 0 else ""),
            estimate=Estimate(
                value=float(len(differing)),
                low=float(len(differing)),
                high=None if unclear else float(len(differing)),
                unit="answers that differ",
            ),
            method=Method(
                name="status, media type and body of every different answer to a GET held against the definition",
                null_hypothesis="answers are not as the definition says",
                source="OpenAPI 3.1, 3.0 and Swagger 2.0",
            ),
            threshold="none",
            limits=True,
            exposure=Exposure(n=described, unit="different answers"),
            controls=(_liveness(described),),
            not_established=("what other requests than the recorded GETs are answered with",),
        )

    def mutant(self, change: Callable[[_Seen, Answers], _Seen | None]) -> Callable[[View], View | None]:
        def applied(view: View) -> View | None:
            answers = self.answers(view)
            for item in self.seen(view):
                changed = change(item, answers) if item.held(answers).fit is Fit.FITS else None
                if changed is not None:
                    rows = view.need(item.table).copy()
                    rows.loc[item.row, "status"] = changed.status
                    rows.loc[item.row, "body"] = json.dumps(changed.body)
                    return view.exchange(item.table, rows)
            return None

        return applied

    def retyped(self, item: _Seen, answers: Answers) -> _Seen | None:
        """The answer with one value of another type, where the definition says of one which it is."""
        if not isinstance(item.body, dict):
            return None
        for name, value in item.body.items():
            # Only what the definition does not allow is broken: it may say nothing of this field.
            for other in (17, "seventeen", ["seventeen"], None):
                changed = replace(item, body={**item.body, name: other})
                if type(other) is not type(value) and changed.held(answers).fit is Fit.DIFFERS:
                    return changed
        return None

    def of_odd_status(self, item: _Seen, answers: Answers) -> _Seen | None:
        changed = replace(item, status=_ODD_STATUS)
        return changed if changed.held(answers).fit is Fit.DIFFERS else None


def _parsed(text: Any) -> Any:
    """A recorded body; none where it was cut, or is no JSON."""
    try:
        return parse_json(text) if isinstance(text, str) and text else NO_BODY
    except ValueError:
        return NO_BODY


def _sentence(item: _Seen, found: Held) -> str:
    name = found.operation or f"GET {item.path}"
    if found.fit is Fit.UNCLEAR:
        return f"{name}: what {item.status} holds cannot be decided by the definition"
    said = ", ".join(found.said[:4]) or "nothing"
    if found.what == "status":
        return f"{name} answered {item.status}, described are {said}"
    if found.what == "media":
        return f"{name} answered {item.status} as {item.media[:60]}, described is {said}"
    where = found.place.removeprefix(".") or "the whole body"
    return f"{name} answered {item.status} with a body that the definition does not allow: see {where[:80]}"


def _liveness(described: int) -> Control:
    return Control(
        kind="liveness",
        name="answers that the definition describes were recorded",
        guards=("pass",),
        expected="at least 1",
        got=str(described),
        held=described > 0,
    )
