"""Checks of stability: latency, memory, restarts, reply times."""

from __future__ import annotations

import re
from collections.abc import Iterator

from proofbook.config.case import Budgets, Case
from proofbook.config.environment import Environment
from proofbook.config.services import Service, WebSocket
from proofbook.judge.check import Check
from proofbook.judge.checks import latency, memory, restarts
from proofbook.judge.checks.credentials import proven_at
from proofbook.judge.checks.success_rate import Rows, success_rate
from proofbook.judge.registry import claims


@claims("stability", title="Is it stable and quick enough?")
def stability_checks(environment: Environment, case: Case) -> Iterator[Check]:
    """The checks of every service and of every endpoint that answers messages."""
    for item in environment.services:
        yield from _latency_checks(item, case.budgets)
        if item.metrics:
            yield from _memory_checks(item, case.budgets)
    for socket in environment.websockets:
        if environment.delivers(socket):
            yield _reply_time(socket, environment, case.budgets)


def _latency_checks(item: Service, budgets: Budgets) -> Iterator[Check]:
    for path in item.timed:
        recipe = latency.not_slower(item.name, path, ratio=budgets.latency_ratio)
        yield Check(
            id=f"latency-{item.name}-{slug(path)}",
            kind="guard",
            claim=f"{path} of {item.name} is not slower than before",
            recipe=recipe,
            critical=item.critical,
        )
        yield Check(
            id=f"latency-tail-{item.name}-{slug(path)}",
            kind="guard",
            claim=f"few requests to {path} of {item.name} take much longer than they used to",
            recipe=latency.tail_kept(item.name, path, times=budgets.slow_times, share=budgets.slow_share),
            critical=item.critical,
        )


def _memory_checks(item: Service, budgets: Budgets) -> Iterator[Check]:
    recipe = memory.stable(
        item.name,
        budget_mb=budgets.memory_growth_mb,
        horizon_min=budgets.memory_horizon_min,
        summed=item.memory_series == "sum",
    )
    yield Check(
        id=f"memory-{item.name}",
        kind="guard",
        claim=f"{item.name} does not leak memory",
        recipe=recipe,
        critical=item.critical,
    )
    yield Check(
        id=f"restarts-{item.name}",
        kind="guard",
        claim=f"processes of {item.name} stay up",
        recipe=restarts.few(item.name, allowed=budgets.restarts),
        critical=item.critical,
    )


def _reply_time(socket: WebSocket, environment: Environment, budgets: Budgets) -> Check:
    suffix = f"-{socket.name}" if len(environment.websockets) > 1 else ""
    recipe = success_rate(
        "websocket",
        lambda rows: rows["reply_s"] <= budgets.reply_s,
        where=_sent_to(socket.name),
        target=0.95,
        fails_on={"reply_s": budgets.reply_s * 2},
        unit="first replies",
        what=f"came within {budgets.reply_s:g} s",
        controls=proven_at(socket, environment),
    )
    return Check(
        id=f"websocket-reply-time{suffix}",
        kind="guard",
        claim=f"{socket.name} replies within {budgets.reply_s:g} s",
        recipe=recipe,
        critical=environment.service(socket.service).critical,
    )


def _sent_to(endpoint: str) -> Rows:
    return lambda rows: (rows["endpoint"] == endpoint) & (rows["sent"] > 0)


def slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
