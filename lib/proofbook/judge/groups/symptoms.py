"""Fix claims: each symptom of the case is gone."""

from __future__ import annotations

from collections.abc import Iterator

from proofbook.config.case import Case
from proofbook.config.environment import Environment
from proofbook.config.fixes import Symptom
from proofbook.judge.check import Check, Recipe
from proofbook.judge.checks import log_gone, symptoms
from proofbook.judge.groups.logs import log_source
from proofbook.judge.registry import claims


@claims("symptoms", title="Are the symptoms gone?")
def symptom_checks(environment: Environment, case: Case) -> Iterator[Check]:
    most = case.budgets.absent_rate
    for fix in case.fixes:
        for symptom in fix.symptoms:
            claim, group, recipe = _symptom(environment, symptom, most)
            yield Check(
                id=symptom.check_id,
                kind="fix",
                claim=claim,
                group=group,
                recipe=recipe,
                required=True,
                fix=fix.id,
            )


def _symptom(environment: Environment, symptom: Symptom, most: float) -> tuple[str, str, Recipe]:
    if symptom.close_code is not None:
        sends = all(
            environment.delivers(socket)
            for socket in environment.websockets
            if symptom.websocket in (None, socket.name)
        )
        recipe = symptoms.close_code_gone(
            symptom.close_code,
            endpoint=symptom.websocket,
            sends=sends,
            tolerated_rate=symptom.tolerated_rate,
            absent_rate=most,
        )
        return f"connections no longer close with {symptom.close_code}", "websocket", recipe
    if symptom.refused_user is not None:
        return (
            f"{symptom.refused_user} is no longer refused",
            "websocket",
            symptoms.refusal_gone(symptom.refused_user, absent_rate=most),
        )
    place = f" for {symptom.path}" if symptom.path else ""
    return (
        f"requests{place} are no longer answered with {symptom.http_status}"
        if symptom.http_status is not None
        else f"“{symptom.log}” is gone from the log",
        "logs",
        log_gone.gone(symptom, source=log_source(environment, symptom.source), absent_rate=most),
    )
