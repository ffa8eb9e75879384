"""The plan of a phase: its steps in their order, in words, in seconds, and as work."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from proofbook.collect import registry, steps
from proofbook.collect.asked_steps import asked_steps, held_steps, in_turn_followups
from proofbook.collect.registry import Followup, Step, Task
from proofbook.collect.websocket import probes
from proofbook.config.case import Case
from proofbook.config.environment import Environment

# A round of a watch, planned as a small phase `after`.
ROUND = "round"
BEFORE_JOURNEYS = 60

# Steps that are done side by side.
Stage = Sequence[Step]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How often a phase asks.

    Args:
        latency: requests to each timed endpoint. tries: with each user id, and for each page as each kind of unmarked probe.
        bad_tokens: tries with tokens that must be refused, over all their kinds. unmarked: connections of each kind of unmarked probe.
    """

    latency: int = 600
    tries: int = probes.TRIES
    bad_tokens: int = probes.BAD_TRIES
    unmarked: int = probes.UNMARKED_JOURNEYS


FULL_SIZES = Sizes()
# Of a watch, which has many rounds and decides by them all.
ROUND_SIZES = Sizes(latency=40, tries=1, bad_tokens=1, unmarked=1)
# Its health requests and connections, which in `after` are as many as the plans of their targets want.
ROUND_COUNT = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a phase does.

    Args:
        first: stages in their order, then a wait until `warm_up_s` is over. steady: stages after that, while `meanwhile`
            goes on, which ends with `over`; then a wait until `observe_s` is over.
        beside: what goes on from the beginning until `over`. last: what is asked after all of it, where what came back wants it.
        probes: what collectors of other packages do, after `first`.
        timed: whether the plan says how long it takes.
    """

    first: Sequence[Stage] = ()
    warm_up_s: float = 0.0
    steady: Sequence[Stage] = ()
    meanwhile: Stage = ()
    beside: Stage = ()
    last: Sequence[Followup] = ()
    over: asyncio.Event = field(default_factory=asyncio.Event)
    observe_s: float = 0.0
    probes: Sequence[Task] = ()
    timed: bool = False

    def lines(self, environment: Environment, *, reads: bool = True) -> list[str]:
        """The plan in words, a line for each step."""
        lines = [step.says for stage in (self.beside, *self.first) for step in stage]
        lines += [line for task in self.probes for line in registry.lines_of(task)]
        lines += [step.says for stage in (*self.steady, self.meanwhile) for step in stage]
        lines += [followup.says for followup in self.last]
        lines = [line for line in lines if line]
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
        asked = max(first, self.warm_up_s) + max(_shortest_s(self.steady, per_s), self.observe_s)
        return max(asked, *(step.seconds for step in self.beside), 0.0)


def _shortest_s(stages: Iterable[Stage], per_s: float) -> float:
    """The sum of the stages; the steps of each share the pace, and wait beside each other."""
    return sum(
        max(sum(step.requests for step in stage) / per_s, *(step.seconds for step in stage))
        for stage in stages
        if stage
    )


def plan_of(
    environment: Environment,
    case: Case,
    phase: str,
    *,
    during: Awaitable[Any] | None = None,
    sizes: Sizes | None = None,
) -> Plan:
    """The plan of a phase: `before`, `rollout`, `after`, or ROUND, a round of a watch.

    sizes: how often to ask; None for FULL_SIZES, and for ROUND_SIZES in a round of a watch.
    """
    if phase == "rollout":
        return Plan(first=[[steps.rollout_step(environment, during)]])
    tasks = [
        Task(
            probe=probe,
            environment=environment,
            case=case,
            phase="before" if phase == "before" else "after",
            is_round=phase == ROUND,
        )
        for probe in environment.probes
    ]
    if phase == ROUND:
        return _round(environment, case, tasks, sizes or ROUND_SIZES)
    make = {"before": _before, "after": _after}[phase]
    return make(environment, case, tasks, sizes or FULL_SIZES)


def _before(environment: Environment, case: Case, tasks: Sequence[Task], sizes: Sizes) -> Plan:
    return Plan(
        first=[
            *_settled(environment, case, sizes),
            *_alone(steps.latency_steps(environment, count=sizes.latency)),
            *_alone(steps.journey_steps(environment, count=BEFORE_JOURNEYS)),
        ],
        warm_up_s=environment.observe_s,
        probes=tasks,
    )


def _after(environment: Environment, case: Case, tasks: Sequence[Task], sizes: Sizes) -> Plan:
    over = asyncio.Event()
    return Plan(
        # First what loads the service most: what it takes for that, it gives back while the rest is asked.
        first=[
            *_alone(steps.decided_journey_steps(environment, case)),
            *_settled(environment, case, sizes),
            *_let_in(environment, sizes),
            # Last of what connects: whoever breaks by this was seen well before.
            *_alone(asked_steps(environment, case)),
        ],
        warm_up_s=environment.warm_up_s,
        # Memory is watched under steady load only: many connections at once make a step that looks like growth.
        steady=_alone(steps.latency_steps(environment, count=sizes.latency)),
        meanwhile=list(steps.metrics_steps(environment, over)),
        beside=list(held_steps(environment, case, over, held_s=case.asks.held_s)),
        last=list(in_turn_followups(environment)),
        over=over,
        observe_s=environment.observe_s,
        probes=tasks,
        timed=True,
    )


def _round(environment: Environment, case: Case, tasks: Sequence[Task], sizes: Sizes) -> Plan:
    """A little of everything that `_after` does."""
    over = asyncio.Event()
    return Plan(
        first=[
            *_settled(environment, case, sizes, count=ROUND_COUNT),
            *_let_in(environment, sizes),
            *_alone(asked_steps(environment, case)),
        ],
        steady=[
            *_alone(steps.journey_steps(environment, count=ROUND_COUNT)),
            *_alone(steps.latency_steps(environment, count=sizes.latency)),
        ],
        meanwhile=list(steps.metrics_steps(environment, over)),
        # As long as a round takes: the next is not to wait.
        beside=list(held_steps(environment, case, over, held_s=0.0)),
        last=list(in_turn_followups(environment)),
        over=over,
        probes=tasks,
    )


def _let_in(environment: Environment, sizes: Sizes) -> list[Stage]:
    """Who is let in that should not be, and who is not that should be."""
    return [
        *_alone(steps.token_steps(environment, bad=sizes.bad_tokens)),
        *_alone(steps.unmarked_steps(environment, count=sizes.unmarked)),
        *_alone(steps.unmarked_page_steps(environment, count=sizes.tries)),
    ]


def _settled(environment: Environment, case: Case, sizes: Sizes, *, count: int | None = None) -> list[Stage]:
    """What a cold start does not distort: health, certificates, API definitions, and user ids."""
    return [
        steps.health_steps(environment, case, count=count),
        *_alone(steps.document_steps(environment)),
        *_alone(steps.identity_steps(environment, case, tries=sizes.tries)),
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
