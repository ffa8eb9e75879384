"""Checks of the deployment: revision, downtime, held sockets, image, limits, start-up."""

from __future__ import annotations

from collections.abc import Iterator

from proofbook.config.case import Case
from proofbook.config.environment import Environment
from proofbook.judge.check import Check
from proofbook.judge.checks import revisions, rollout
from proofbook.judge.registry import claims


@claims("deployment", title="How did the deployment go?")
def deployment_checks(environment: Environment, case: Case) -> Iterator[Check]:
    """The checks of a deployment; a case without a fix is about none."""
    if not case.fixes:
        return
    yield from _rollout_checks(environment, case)
    if environment.deployments is not None:
        yield from _platform_checks(case)


def _rollout_checks(environment: Environment, case: Case) -> Iterator[Check]:
    for item in environment.services:
        if item.revision_path:
            yield Check(
                id=f"deployment-revision-{item.name}",
                kind="guard",
                claim=f"a new revision of {item.name} serves, and no old one",
                recipe=revisions.new_one_serves(item.name, expected=case.deployment.revision),
                critical=item.critical,
            )
        if item.critical and environment.rollout.held_sockets and item.revision_path:
            yield Check(
                id=f"rollout-downtime-{item.name}",
                kind="guard",
                claim=f"{item.name} was not down during the rollout",
                recipe=rollout.no_downtime(item.name, budget_s=case.budgets.downtime_s),
            )
    for socket in environment.websockets:
        if environment.rollout.held_sockets:
            recipe = rollout.held_sockets(
                socket.name,
                target=case.targets.held_sockets,
                allowed=environment.rollout.allowed_close_codes,
                max_connection_s=environment.rollout.max_connection_s,
            )
            yield Check(
                id=f"rollout-held-{socket.name}",
                kind="guard",
                claim=f"sockets of {socket.name} held through the rollout were closed as allowed",
                recipe=recipe,
            )


def _platform_checks(case: Case) -> Iterator[Check]:
    budgets = case.budgets
    if budgets.image_ratio is not None:
        yield Check(
            id="deployment-image",
            kind="guard",
            claim="the image is smaller",
            recipe=revisions.shrunk(
                "image_bytes", ratio=budgets.image_ratio, what="image", unit_bytes=1e6, unit="MB"
            ),
            critical=False,
        )
    if budgets.memory_limit_ratio is not None:
        yield Check(
            id="deployment-memory-limit",
            kind="guard",
            claim="the memory limit is lower",
            recipe=revisions.shrunk(
                "memory_limit_bytes",
                ratio=budgets.memory_limit_ratio,
                what="memory limit",
                unit_bytes=2**20,
                unit="MiB",
            ),
            critical=False,
        )
    if budgets.start_up_s is not None and case.deployment.started_log:
        yield Check(
            id="deployment-start-up",
            kind="guard",
            claim="the new revision starts quickly",
            recipe=revisions.starts_within(case.deployment.started_log, budget_s=budgets.start_up_s),
            critical=False,
        )
