"""Recorded messages fit their JSON Schema."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import jmespath

from proofbook.config.json_schema import schema_error
from proofbook.evidence.schema import MESSAGES
from proofbook.files import parse_json
from proofbook.judge.check import Mutant, Recipe
from proofbook.judge.findings import Control, Estimate, Exposure, Judgement, Method, Verdict
from proofbook.judge.view import InsufficientEvidence, View
from proofbook.stats import proportions


def messages_valid(
    schema: Mapping[str, Any], *, when: Mapping[str, Any], endpoint: str | None, what: str
) -> Recipe:
    """A recipe for "every received message of this kind fits its JSON Schema"."""
    it = _MessagesValid(schema=schema, when=when, endpoint=endpoint, what=what)
    return Recipe(
        judge=it.judge,
        mutants=(
            Mutant(name="a required field dropped", change=it.mutant(it.drop)),
            Mutant(name="a field's type changed", change=it.mutant(it.retype)),
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _MessagesValid:
    """Messages of one kind against their JSON Schema."""

    schema: Mapping[str, Any]
    when: Mapping[str, Any]
    endpoint: str | None
    what: str
    # What became of each body: the same ones are judged again on every mutant.
    known: dict[str, str | None] = field(default_factory=dict, compare=False, repr=False)

    @property
    def required(self) -> list[str]:
        """Fields that a message must have and that do not tell its kind."""
        return [name for name in self.schema.get("required", []) if name not in self.when]

    def error(self, body: str) -> str | None:
        """Why a body does not fit; empty where it does, None where it is no message of this kind."""
        if body not in self.known:
            try:
                message = parse_json(body)
            except ValueError:
                self.known[body] = None
                return None
            of_kind = all(jmespath.search(path, message) == wanted for path, wanted in self.when.items())
            self.known[body] = schema_error(self.schema, message) if of_kind else None
        return self.known[body]

    def chosen(self, view: View) -> list[tuple[Any, str, str]]:
        """Index, body and error of every message of this kind."""
        rows = view.need(MESSAGES)
        rows = rows[rows["endpoint"] == self.endpoint] if self.endpoint else rows
        found = [
            (index, body, error)
            for index, body in rows["body"].items()
            if (error := self.error(body)) is not None
        ]
        if not found:
            raise InsufficientEvidence(
                "no-messages",
                f"no {self.what} message was received",
                repair="see whether anything connects, and the case's `when`",
            )
        return found

    def judge(self, view: View) -> Judgement:
        messages = self.chosen(view)
        errors = [error for _, _, error in messages if error]
        bounds = proportions.proportion(
            len(messages) - len(errors), len(messages), confidence=view.confidence
        )
        example = f", such as {min(errors)}" if errors else ""
        return Judgement(
            verdict=Verdict.FAIL if errors else Verdict.PASS,
            reason="schema" if errors else "",
            statement=f"{len(messages) - len(errors):,} of {len(messages):,} different {self.what} messages fit their schema{example}",
            estimate=Estimate.of(bounds, unit="fraction"),
            method=self.method(view),
            threshold="all",
            exposure=Exposure(n=len(messages), unit="different messages"),
            controls=self.controls(messages),
        )

    def method(self, view: View) -> Method:
        """How it is judged."""
        return Method(
            name="JSON Schema, every different message received",
            confidence=view.confidence,
            side="one-sided",
            null_hypothesis="messages do not fit",
            source="JSON Schema 2020-12",
        )

    def controls(self, messages: list[tuple[Any, str, str]]) -> tuple[Control, ...]:
        """Messages were received, and the schema can refuse."""
        return (
            Control(
                kind="liveness",
                name="messages of this kind were received",
                guards=("pass",),
                expected="at least 1",
                got=f"{len(messages):,}",
                held=True,
            ),
        )

    def mutant(self, change: Callable[[dict[str, Any]], bool]) -> Callable[[View], View | None]:
        def applied(view: View) -> View | None:
            index, body, _ = self.chosen(view)[0]
            message = parse_json(body)
            if not isinstance(message, dict) or not change(message):
                return None
            rows = view.need(MESSAGES).copy()
            rows.loc[index, "body"] = json.dumps(message)
            return view.exchange(MESSAGES, rows)

        return applied

    def drop(self, message: dict[str, Any]) -> bool:
        return bool(self.required) and message.pop(self.required[0], None) is not None

    def retype(self, message: dict[str, Any]) -> bool:
        if not self.required:
            return False
        message[self.required[0]] = 17 if not isinstance(message.get(self.required[0]), int) else "seventeen"
        return True
