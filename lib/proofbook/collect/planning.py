"""The plan of a phase: its steps in their order, in words, in seconds, and as work."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from proofbook.collect import registry, steps
from proofbook.collect.registry import Step, Task
from proofbook.collect.websocket import probes
from proofbook.config.case import Case
from proofbook.config.environment import Environment

LATENCY_COUNT = 600
LOOK = "look"
LOOK_COUNT = 20
LOOK_TRIES = 1
LOOK_LATENCY_COUNT = 40
BEFORE_JOURNEYS = 60

# Steps that are done side by side.
Stage = Sequence[Step]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a phase does.

    Args:
        first: stages in their order, then a wait until `warm_up_s` is over. steady: stages after that, while `meanwhile`
            goes on, which ends with `over`; then a wait until `observe_s` is over.
        probes: what collectors of other packages do, after `first`.
        timed: whether the plan says how long it takes.
    """

    first: Sequence[Stage] = ()
    warm_up_s: float = 0.0
    steady: Sequence[Stage] = ()
    meanwhile: Stage = ()
    over: asyncio.Event = field(default_factory=asyncio.Event)
    observe_s: float = 0.0
    probes: Sequence[Task] = ()
    timed: bool = False

    def lines(self, environment: Environment, *, reads: bool = True) -> list[str]:
        """The plan in words, a line for each step."""
        lines = [step.says for stage in self.first for step in stage]
        lines += [line for task in self.probes for line in registry.lines_of(task)]
        lines += [step.says for stage in (*self.steady, self.meanwhile) for step in stage]
        if reads:
            lines += [f"log {item.name}: read once" for item in environment.logs]
            lines += ["revisions: read once"] if environment.deployments is not None else []
        if environment.services or self.probes:
            pace = environment.pace
            lines.append(
                f"pace: at most {pace.per_s:g} requests a second, {pace.concurrency} at once"
                + (f"; {self.shortest_s(pace.per_s):,.0f} s if nothing fails" if self.timed else "")
            )
        return lines

    def shortest_s(self, per_s: float) -> float:
        """How long it takes where nothing fails and answers come quickly."""
        first = _shortest_s(self.first, per_s) + registry.shortest_s(self.probes)
        return max(first, self.warm_up_s) + max(_shortest_s(self.steady, per_s), self.observe_s)


def _shortest_s(stages: Iterable[Stage], per_s: float) -> float:
    """The sum of the stages; the steps of each share the pace, and wait beside each other."""
    return sum(
        max(sum(step.requests for step in stage) / per_s, *(step.seconds for step in stage))
        for stage in stages
        if stage
    )


def plan_of(
    environment: Environment, case: Case, phase: str, *, during: Awaitable[Any] | None = None
) -> Plan:
    """The plan of a phase: `before`, `rollout`, `after`, or LOOK, a round of a watch."""
    if phase == "rollout":
        return Plan(first=[[steps.rollout_step(environment, during)]])
    tasks = [
        Task(
            probe=probe,
            environment=environment,
            case=case,
            phase="before" if phase == "before" else "after",
            is_round=phase == LOOK,
        )
        for probe in environment.probes
    ]
    return {"before": _before, "after": _after, LOOK: _look}[phase](environment, case, tasks)


def _before(environment: Environment, case: Case, tasks: Sequence[Task]) -> Plan:
    return Plan(
        first=[
            *_settled(environment, case),
            *_alone(steps.latency_steps(environment, count=LATENCY_COUNT)),
            *_alone(steps.journey_steps(environment, count=BEFORE_JOURNEYS)),
        ],
        warm_up_s=environment.observe_s,
        probes=tasks,
    )


def _after(environment: Environment, case: Case, tasks: Sequence[Task]) -> Plan:
    over = asyncio.Event()
    return Plan(
        # First what loads the service most: what it takes for that, it gives back while the rest is asked.
        first=[
            *_alone(steps.decided_journey_steps(environment, case)),
            *_settled(environment, case),
            *_alone(steps.token_steps(environment, bad=probes.BAD_TRIES)),
            *_alone(steps.unmarked_steps(environment, count=probes.UNMARKED_JOURNEYS)),
            *_alone(steps.page_stranger_steps(environment, count=probes.TRIES)),
        ],
        warm_up_s=environment.warm_up_s,
        # Memory is watched under steady load only: many connections at once make a step that looks like growth.
        steady=_alone(steps.latency_steps(environment, count=LATENCY_COUNT)),
        meanwhile=list(steps.metrics_steps(environment, over)),
        over=over,
        observe_s=environment.observe_s,
        probes=tasks,
        timed=True,
    )


def _look(environment: Environment, case: Case, tasks: Sequence[Task]) -> Plan:
    """A little of everything that `_after` does: how often is decided by the watch."""
    over = asyncio.Event()
    return Plan(
        first=[
            *_settled(environment, case, count=LOOK_COUNT, tries=LOOK_TRIES),
            *_alone(steps.token_steps(environment, bad=LOOK_TRIES)),
            *_alone(steps.unmarked_steps(environment, count=LOOK_TRIES)),
            *_alone(steps.page_stranger_steps(environment, count=LOOK_TRIES)),
        ],
        steady=[
            *_alone(steps.journey_steps(environment, count=LOOK_COUNT)),
            *_alone(steps.latency_steps(environment, count=LOOK_LATENCY_COUNT)),
        ],
        meanwhile=list(steps.metrics_steps(environment, over)),
        over=over,
        probes=tasks,
    )


def _settled(
    environment: Environment, case: Case, *, count: int | None = None, tries: int = probes.TRIES
) -> list[Stage]:
    """What a cold start does not distort: health, certificates, API definitions, and user ids."""
    return [
        steps.health_steps(environment, case, count=count),
        *_alone(steps.document_steps(environment)),
        *_alone(steps.identity_steps(environment, case, tries=tries)),
    ]


def _alone(some: Iterable[Step]) -> list[Stage]:
    """Each step a stage of its own."""
    return [[step] for step in some]


def describe_plan(environment: Environment, case: Case, phase: str) -> list[str]:
    """What a phase will do, in sentences, before it does it."""
    return plan_of(environment, case, phase).lines(environment, reads=phase != "rollout")


def shortest_s(environment: Environment, case: Case) -> float:
    """How long `after` takes where nothing fails and answers come quickly, in seconds."""
    return plan_of(environment, case, "after").shortest_s(environment.pace.per_s)
