"""Checks of logs: coverage, error rate, new errors, healthy indicators."""

from __future__ import annotations

from collections.abc import Iterator

from proofbook.config.case import Case
from proofbook.config.environment import Environment
from proofbook.judge.check import Check
from proofbook.judge.checks import log_covers, log_error_rate, log_novelty, log_present
from proofbook.judge.registry import claims


@claims("logs", title="What do the logs say?")
def log_checks(environment: Environment, case: Case) -> Iterator[Check]:
    for source in environment.logs:
        suffix = f"-{source.name}" if len(environment.logs) > 1 else ""
        yield from _of_source(environment, case, source.name, suffix=suffix)
    for indicator in case.indicators:
        recipe = log_present.present(indicator, source=log_source(environment, indicator.source))
        yield Check(
            id=f"log-{indicator.id}-present",
            kind="guard",
            claim=f"{indicator.title or indicator.id}: “{indicator.log}” is written",
            recipe=recipe,
        )


def _of_source(environment: Environment, case: Case, source: str, *, suffix: str) -> Iterator[Check]:
    reads = any(symptom.pattern for fix in case.fixes for symptom in fix.symptoms)
    yield Check(
        id=f"log-coverage{suffix}",
        kind="guard",
        claim=f"the log {source} covers what is claimed from it",
        recipe=log_covers.covers(source, fixes=reads),
        required=reads or not environment.services,
    )
    few, most = f"few requests in the log {source} end in a server error", case.budgets.error_rate
    no_more = f"no more requests in the log {source} end in a server error than before"
    if environment.services or case.fixes:
        # Of a log alone nobody knows what is usual but the log itself.
        rate, claim = (
            (log_error_rate.error_rate, few)
            if environment.services
            else (log_error_rate.no_more_errors, no_more)
        )
        yield Check(
            id=f"log-error-rate{suffix}", kind="guard", claim=claim, recipe=rate(source=source, most=most)
        )
    if case.fixes:
        yield Check(
            id=f"log-new-errors{suffix}",
            kind="guard",
            claim=f"no kind of error in the log {source} is new since the deployment",
            recipe=log_novelty.no_new_errors(source),
        )


def log_source(environment: Environment, named: str | None) -> str | None:
    return named or (environment.logs[0].name if len(environment.logs) == 1 else None)
