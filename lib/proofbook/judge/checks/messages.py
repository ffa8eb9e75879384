"""Recorded messages fit their JSON Schema."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import jmespath
import pandas as pd

from proofbook.config.json_schema import schema_error
from proofbook.evidence.schema import MESSAGES
from proofbook.files import parse_json
from proofbook.judge.check import SEEN_SHARE, Mutant, Recipe
from proofbook.judge.findings import Control, Estimate, Exposure, Judgement, Method, Verdict
from proofbook.judge.view import InsufficientEvidence, View
from proofbook.stats import proportions, severity


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

    def chosen(self, view: View) -> pd.DataFrame:
        """The rows of every message of this kind, each with its error."""
        rows = view.need(MESSAGES)
        rows = rows[rows["endpoint"] == self.endpoint] if self.endpoint else rows
        found = rows.assign(error=rows["body"].map(self.error)).dropna(subset=["error"])
        if found.empty:
            raise InsufficientEvidence(
                "no-messages",
                f"no {self.what} message was received",
                repair="see whether anything connects, and the case's `when`",
            )
        return found

    def judge(self, view: View) -> Judgement:
        messages = self.chosen(view)
        different = messages.drop_duplicates("body")
        errors = [error for error in different["error"] if error]
        example = f", such as {min(errors)}" if errors else ""
        told = f"{len(different) - len(errors):,} of {len(different):,} different {self.what} messages"
        connections = _connections(messages)
        on = (
            ""
            if connections is None
            else f", received on {len(connections):,} connection{'s' * (len(connections) != 1)}"
        )
        unit = "different messages" if connections is None else "connections"
        return Judgement(
            verdict=Verdict.FAIL if errors else Verdict.PASS,
            reason="schema" if errors else "",
            statement=f"{told}{on} fit their schema{example}",
            # Messages of one connection hang together: only connections are tries of their own.
            estimate=Estimate(value=1 - len(errors) / len(different), unit="fraction of different messages")
            if connections is None
            else Estimate.of(
                proportions.proportion(int(connections.sum()), len(connections), confidence=view.confidence),
                unit="fraction of connections",
            ),
            method=self.method(view),
            threshold="all",
            severity=None if connections is None else severity.of_tries(len(connections), rate=SEEN_SHARE),
            severity_at=f"on 1 of {1 / SEEN_SHARE:.0f} connections one does not fit",
            exposure=Exposure(n=len(different) if connections is None else len(connections), unit=unit),
            controls=self.controls(len(different)),
            not_established=()
            if connections is not None
            else ("on how many connections they were received, so that no bound is known",),
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

    def controls(self, different: int) -> tuple[Control, ...]:
        """Messages were received, and the schema can refuse."""
        return (
            Control(
                kind="liveness",
                name="messages of this kind were received",
                guards=("pass",),
                expected="at least 1",
                got=f"{different:,}",
                held=True,
            ),
        )

    def mutant(self, change: Callable[[dict[str, Any]], bool]) -> Callable[[View], View | None]:
        def applied(view: View) -> View | None:
            first = self.chosen(view).iloc[0]
            message = parse_json(first["body"])
            if not isinstance(message, dict) or not change(message):
                return None
            rows = view.need(MESSAGES).copy()
            rows.loc[first.name, "body"] = json.dumps(message)
            return view.exchange(MESSAGES, rows)

        return applied

    def drop(self, message: dict[str, Any]) -> bool:
        return bool(self.required) and message.pop(self.required[0], None) is not None

    def retype(self, message: dict[str, Any]) -> bool:
        if not self.required:
            return False
        message[self.required[0]] = 17 if not isinstance(message.get(self.required[0]), int) else "seventeen"
        return True


def _connections(messages: pd.DataFrame) -> pd.Series | None:
    """Whether all messages of each connection fit; None in older evidence, which does not say on which they came."""
    if "connected" not in messages or messages["connected"].isna().any():
        return None
    return (messages["error"] == "").groupby([messages["endpoint"], messages["connected"]]).all()
