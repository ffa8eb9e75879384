"""What a phase will do before it does it: requests, samples, time."""

from __future__ import annotations

from collections.abc import Sequence

from proofbook import connections
from proofbook.collect.services import health as service
from proofbook.collect.websocket import probes
from proofbook.collect.websocket.journey import Journey, frame
from proofbook.config.case import Case
from proofbook.config.environment import Environment
from proofbook.config.services import WebSocket
from proofbook.stats import plans as sampling

LATENCY_COUNT = 600
LOOK = "look"
LOOK_COUNT = 20
LOOK_TRIES = 1
LOOK_LATENCY_COUNT = 40
CONTROL_EVERY = 4
BEFORE_JOURNEYS = 60
# The part of α that collecting may spend on stopping early for a failure; judging uses its own, from the case.
ALPHA_STOP = 0.05 / 20
QUICK_ANSWER_S = 0.1


def describe_plan(environment: Environment, case: Case, phase: str) -> list[str]:
    """What a phase will do, in sentences, before it does it."""
    if phase == LOOK:
        return _describe_look(environment)
    lines = []
    for item in environment.services:
        if phase == "rollout":
            continue
        plan = sampling.plan_for(case.targets.health)
        lines.append(
            f"{item.name}: up to {plan.most} health requests and 5 to a path that must not exist; {plan.describe()}"
        )
        lines += [
            f"{item.name}: {LATENCY_COUNT} timed requests to {path}, and {LATENCY_COUNT // CONTROL_EVERY} to {item.health} in between"
            for path in item.timed
        ]
    for socket in environment.websockets:
        if phase == "before":
            lines.append(
                f"{socket.name}: {BEFORE_JOURNEYS} connections, each with {socket.messages if environment.delivers(socket) else 0} messages and {socket.dwell_s:g} s of dwelling"
            )
        elif phase == "after":
            plan = sampling.plan_for(case.targets.connection)
            lines.append(
                f"{socket.name}: up to {plan.most} connections, each with {socket.messages if environment.delivers(socket) else 0} messages and {socket.dwell_s:g} s of dwelling; {plan.describe()}"
            )
            lines.append(
                f"{socket.name}: {probes.SHADOW_JOURNEYS} more that do not say that they are probes, and carry no header that only tests send"
            )
            if environment.login and environment.login.bad_tokens:
                speaks = socket.token.is_message and environment.delivers(socket)
                lines.append(
                    f"{socket.name}: bad tokens, 5 tries each, beside the good one"
                    + (
                        ", each followed by a message, since only a reply tells who is let in"
                        if speaks
                        else ""
                    )
                )
        elif environment.rollout.held_sockets:
            lines.append(f"{socket.name}: {environment.rollout.held_sockets} sockets held open")
    if phase == "rollout":
        lines.append(
            f"health of the critical services at {environment.rollout.per_s:g} requests a second, on new connections, until the deployment is over"
        )
    else:
        lines += [f"log {item.name}: read once" for item in environment.logs]
    if environment.services:
        lines.append(
            f"pace: at most {environment.pace.per_s:g} requests a second, {environment.pace.concurrency} at once"
            + (f"; {shortest_s(environment, case):,.0f} s if nothing fails" if phase == "after" else "")
        )
    return lines


def shortest_s(environment: Environment, case: Case) -> float:
    """How long `after` takes where nothing fails and answers come quickly, in seconds."""
    pace = environment.pace
    least = sampling.plan_for(case.targets.health).looks[0][0]
    requests = sum(
        max(60, least)
        + service.UNKNOWN_TRIES
        + len(item.timed) * (LATENCY_COUNT + LATENCY_COUNT // CONTROL_EVERY)
        for item in environment.services
    )
    seconds = requests / pace.per_s
    for socket in environment.websockets:
        plans = plans_of(socket, environment, case).values()
        journeys = max(plan.looks[0][0] for plan in plans) + probes.SHADOW_JOURNEYS
        each_s = (socket.dwell_s or 0.0) + QUICK_ANSWER_S
        seconds += journeys * max(1 / pace.per_s, each_s / pace.concurrency)
        if environment.login is not None and environment.login.bad_tokens and socket.token.place != "none":
            seconds += 5 * 4 / pace.per_s
    return max(seconds, environment.warm_up_s) + environment.observe_s


def _describe_look(environment: Environment) -> list[str]:
    lines = [f"{item.name}: {LOOK_COUNT} health requests" for item in environment.services]
    lines += [
        f"{item.name}: {LOOK_LATENCY_COUNT} timed requests to {path}, and {LOOK_LATENCY_COUNT // CONTROL_EVERY} to {item.health} in between"
        for item in environment.services
        for path in item.timed
    ]
    lines += [
        f"{socket.name}: {LOOK_COUNT} connections, each with {socket.messages if environment.delivers(socket) else 0} messages; every bad token once"
        for socket in environment.websockets
    ]
    return [*lines, *(f"log {item.name}: read once" for item in environment.logs)]


def checkpoints_of(socket: WebSocket, environment: Environment, case: Case) -> Sequence[int]:
    """60 to see a plain failure early, then every look of the plans."""
    looks = [n for plan in plans_of(socket, environment, case).values() for n, _ in plan.looks]
    return sorted({min(60, *looks), *looks})


def is_decided(socket: WebSocket, environment: Environment, case: Case, seen: Sequence[Journey]) -> bool:
    failures = {
        "connection": int(
            (
                ~connections.connected(
                    frame(seen), socket, max_connection_s=environment.rollout.max_connection_s
                )
            ).sum()
        ),
        "delivery": sum(journey.reply_ok is not True for journey in seen),
    }
    plans = plans_of(socket, environment, case)
    if any(failures[claim] == len(seen) for claim in plans):
        # Where everything fails, more of it says nothing more, and does the service no good.
        return True
    return all(
        sampling.decided(plan, failures=failures[claim], count=len(seen), alpha_fail=ALPHA_STOP)
        for claim, plan in plans.items()
    )


def plans_of(socket: WebSocket, environment: Environment, case: Case) -> dict[str, sampling.Plan]:
    plans = {"connection": sampling.plan_for(case.targets.connection)}
    if environment.delivers(socket):
        plans["delivery"] = sampling.plan_for(case.targets.delivery)
    return plans
