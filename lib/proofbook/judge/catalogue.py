"""The checks that an environment and a case declare between them, and which of them a run must judge."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from proofbook.config import consistency
from proofbook.config.case import Case
from proofbook.config.environment import Environment
from proofbook.errors import UnknownName
from proofbook.judge.check import Check
from proofbook.judge.registry import declared_by_all, is_unusable


def check_files(environment: Environment, case: Case) -> None:
    """Everything that can be wrong between an environment and a case, found before anything is touched.

    Raises:
        ConfigurationError, UnknownName: as `declare`, and for message schemas that are none.
    """
    declare(environment, case)
    consistency.check_schemas(case)


def declare(environment: Environment, case: Case) -> dict[str, Check]:
    """Every check of this environment and case by id, with what the case says about each.

    Raises:
        ConfigurationError: the case speaks of a log source, a service or an endpoint that the environment does not have.
        UnknownName: the case's [checks] names one that does not exist.
    """
    consistency.check_names(environment, case)
    checks = declared_by_all(environment, case)
    # Which checks an extension that cannot be used would have declared is not known.
    complete = not any(is_unusable(check) for check in checks.values())
    for check_id, said in case.checks.items():
        if check_id not in checks and said.claim is None and complete:
            raise UnknownName(
                "check",
                check_id,
                checks,
                where=f"[checks] of case {case.name}; one of your own needs a claim there",
            )
    checks = {check_id: as_the_case_says(check, case) for check_id, check in checks.items()}
    own = [check_id for check_id in case.checks if check_id not in checks]
    consistency.check_findings(case, [*checks, *own])
    return checks


def not_measured(environment: Environment, case: Case) -> list[str]:
    """What nobody should take for checked: what the case says, and what the environment leaves out, in sentences."""
    found = list(case.not_checked)
    for item in environment.services:
        if not item.health:
            found.append(f"Health of {item.name} is not measured: it has no health page.")
    for socket in environment.websockets:
        secret = next((name for name, value in socket.query.items() if value.text is None), "")
        if secret and environment.login is None:
            found.append(
                f"Whether {socket.name} refuses another {secret} is not tried: if it is the token, name its variable with --token-env too, or state it as token."
            )
        if socket.expect is None:
            found.append(f"Delivery over {socket.name} is not measured: state send and expect.")
        elif not environment.delivers(socket):
            found.append(f"Delivery over {socket.name} is not measured: writes = true would allow it.")
    return found


def expected_ids(case: Case, declared: Iterable[str]) -> set[str]:
    """The ids that a run must judge: the declared ones, and the case's own."""
    return {*declared, *case.checks}


def as_the_case_says(check: Check, case: Case) -> Check:
    """A check with the claim, the waiver and the weight that the case's [checks] gives it, and with what voids it."""
    said = case.checks.get(check.id)
    if said is not None:
        check = replace(
            check,
            claim=said.claim or check.claim,
            required=check.required if said.required is None else said.required,
            waived_by=said.waived.by if said.waived else "",
            waived_until=said.waived.until if said.waived else None,
        )
    void = next(
        (risk.title for risk in case.risks if risk.status != "resolved" and check.id in risk.voids), ""
    )
    return replace(check, voided_by=void) if void else check
