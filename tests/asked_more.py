"""What endpoints on loopback are asked beyond ordinary messages, and what is found; nothing else is recorded."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from websockets.asyncio.server import ServerConnection, serve

from proofbook.collect import asked_steps
from proofbook.collect.phases import _joined
from proofbook.collect.registry import Recorded
from proofbook.collect.session import Session
from proofbook.config.case import Case
from proofbook.config.environment import Environment
from proofbook.judge import catalogue
from proofbook.judge.findings import Finding
from proofbook.judge.settle import settle
from proofbook.judge.view import View
from proofbook.judge.window import Windows

Handler = Callable[[ServerConnection], Awaitable[None]]
ECHO = {"send_json": {"id": "{id}", "text": "{text}"}, "expect": {"json": {"id": "{id}", "text": "{text}"}}}
# A run of the usual size has so many checks, which share the chance of a false failure.
CHECKS = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The findings by id, the recorded tables, how many connections were made, and the lines of the plan."""

    findings: dict[str, Finding]
    tables: Recorded
    connections: int
    plan: list[str]

    def told(self, check: str) -> tuple[str, str]:
        return self.findings[check].verdict.value, self.findings[check].reason


def environment(url: str, *, timeout_s: float = 3.0, concurrency: int = 20, **socket: Any) -> Environment:
    """An environment with one endpoint."""
    stated = {"url": url, "token": {"in": "none"}, "dwell_s": 0.1, **socket}
    return Environment.model_validate(
        {
            "writes": True,
            "service": [{"name": "service", "url": url.replace("ws", "http", 1), "ws": stated}],
            "pace": {"per_s": 1000, "concurrency": concurrency, "timeout_s": timeout_s},
        }
    )


def ask(handler: Handler, *, asks: dict[str, Any] | None = None, server: dict[str, Any] | None = None, host: str = "127.0.0.1", held_s: float = 0.0, **stated: Any) -> Asked:  # fmt: skip
    """What is found of a server whose connections are handled so."""

    async def go() -> Asked:
        async with serve(handler, "127.0.0.1", 0, **(server or {})) as serving:
            port = serving.sockets[0].getsockname()[1]
            where = environment(f"ws://{host}:{port}/ws", **{**ECHO, **stated})
            return await ask_at(where, asks, held_s=held_s)

    return asyncio.run(go())


async def ask_at(where: Environment, asks: dict[str, Any] | None = None, *, held_s: float = 0.0) -> Asked:
    """What is found of a server that is there already; held_s: how long the rest takes, where connections are held beside it."""
    # What is held is held beside the rest, and asked for where a test is about it.
    case = Case.model_validate({"title": "t", "asks": {"held": False, **(asks or {})}})
    session, over = Session(where, base=Path()), asyncio.Event()
    beside = list(asked_steps.held_steps(where, case, over, held_s=case.asks.held_s))
    steps = list(asked_steps.asked_steps(where, case))
    held = asyncio.gather(*(step.run(session) for step in beside))
    parts = [await step.run(session) for step in steps]
    if beside:
        await asyncio.sleep(held_s)
    over.set()
    tables = _joined([*parts, *await held])
    return Asked(
        findings=judge(where, case, tables),
        tables=tables,
        connections=session.done["websocket connections"],
        plan=[step.says for step in (*beside, *steps)],
    )


def judge(
    where: Environment, case: Case, tables: dict[str, pd.DataFrame], *, only: str = ""
) -> dict[str, Finding]:
    """Every finding over these tables of after, or one alone."""
    view = View(
        tables=lambda name, phase: tables.get(name) if phase == "after" else None,
        windows=Windows(before=None, after=None),
        alpha_fail_once=0.05 / CHECKS,
    )
    declared = catalogue.declare(where, case)
    return {name: settle(check, view) for name, check in declared.items() if only in ("", name)}


async def echo(connection: ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)


def read(message: str | bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(message)
    return found
