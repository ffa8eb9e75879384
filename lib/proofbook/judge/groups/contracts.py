"""Checks of contracts: OpenAPI documents, the answers held against them, and message schemas."""

from __future__ import annotations

from collections.abc import Iterator

from proofbook.config.case import Case
from proofbook.config.environment import Environment
from proofbook.judge.check import Check
from proofbook.judge.checks import answers, messages, openapi
from proofbook.judge.registry import claims


@claims("contracts", title="Did anything break for clients?")
def contract_checks(environment: Environment, case: Case) -> Iterator[Check]:
    for item in environment.services:
        if item.openapi and case.fixes:
            yield Check(
                id=f"contract-{item.name}-openapi",
                kind="guard",
                claim=f"clients of {item.name}'s old API still work",
                recipe=openapi.openapi_kept(item.name),
                critical=item.critical,
            )
        if item.openapi:
            yield Check(
                id=f"contract-{item.name}-answers",
                kind="guard",
                claim=f"{item.name} answers as its API definition says",
                recipe=answers.as_defined(item.name),
                # A definition that was never exact is no reason to hold a release.
                critical=False,
            )
    for message in case.messages:
        recipe = messages.messages_valid(
            case.schemas[message.json_schema], when=message.when, endpoint=message.websocket, what=message.id
        )
        yield Check(
            id=f"contract-message-{message.id}",
            kind="guard",
            claim=f"{message.id} messages fit their schema",
            recipe=recipe,
        )
