"""`proofbook try` in this process against an application on loopback: what it found, and how it is judged, without notebooks."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiohttp import WSMsgType, web

from proofbook.collect import phases
from proofbook.concurrency import sync
from proofbook.judge.findings import Finding
from proofbook.pipeline import quickstart, steps, try_discovery, try_options
from proofbook.runs.record import Summary
from proofbook.validation import Validation

Answers = Callable[[web.Request], Awaitable[web.StreamResponse]]
PACE = {"per_s": 1000.0, "concurrency": 40, "timeout_s": 5.0}
WELL = '{"status": "ok"}'


@contextlib.contextmanager
def serving(answer: Answers, **site: Any) -> Iterator[str]:
    """The address of a server that answers so, in a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    def done(work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, loop).result(timeout=60)

    async def begin() -> web.ServerRunner:
        runner = web.ServerRunner(web.Server(answer), access_log=None, shutdown_timeout=0.1)  # type: ignore[arg-type]  # aiohttp states BaseRequest, and gives a Request
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, **site).start()
        return runner

    try:
        runner = done(begin())
        yield f"{'https' if site else 'http'}://127.0.0.1:{runner.addresses[0][1]}"
        done(runner.cleanup())
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def page(text: str, status: int = 200, **headers: str) -> web.Response:
    """A short answer."""
    return web.Response(text=text, status=status, headers=headers)


async def talk(request: web.Request, greeting: str = '{"type": "hello"}') -> web.WebSocketResponse:
    """A WebSocket that greets and sends back what it is sent."""
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    if greeting:
        await socket.send_str(greeting)
    async for message in socket:
        if message.type == WSMsgType.TEXT:
            await socket.send_str(message.data)
    return socket


def with_socket(socket: Answers, health: str = WELL) -> Answers:
    """An application that is healthy at /health, and has a WebSocket at /ws."""

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.path == "/ws":
            return await socket(request)
        return page(health) if request.path == "/health" else page("not found", 404)

    return answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What a first try said while it looked, the findings by their ids, and the summary."""

    said: list[str]
    findings: dict[str, Finding]
    summary: Summary
    files: quickstart.Files

    @property
    def verdict(self) -> str:
        return self.summary.verdict

    @property
    def shown(self) -> str:
        """What a person reads."""
        facts = [fact.text for fact in self.summary.facts]
        return "\n".join([*self.said, self.summary.words, *facts, self.summary.advice])


def attempt(url: str, *, base: Path, token: str = "", pace: dict[str, float] = PACE, **options: Any) -> Tried:
    """A first try of a service, at a pace that a test can wait for."""
    wanted = try_options.Options(url=url, **options)
    said: list[str] = []
    until = None if wanted.within_s is None else time.monotonic() + wanted.within_s
    usual, try_discovery.LOOPBACK_PACE = try_discovery.LOOPBACK_PACE, pace
    try:
        try_options.check(wanted, token=token, now=dt.datetime.now(dt.UTC))
        files = quickstart.prepare(wanted, base=base, say=said.append)
    finally:
        try_discovery.LOOPBACK_PACE = usual
    asked = Validation.load(str(files.environment), str(files.case), base=base)
    return judged(asked, files=files, said=said, until=until)


def attempt_with(token: str, url: str, *, base: Path, **options: Any) -> Tried:
    """A first try that shows a token; none where it is empty."""
    if not token:
        return attempt(url, base=base, **options)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("A_TOKEN", token)
        return attempt(url, base=base, token=token, token_env="A_TOKEN", **options)


def judged(
    asked: Validation, *, files: quickstart.Files, said: list[str], until: float | None = None
) -> Tried:
    """What an environment and a case lead to."""
    runs = asked.base / "outputs" / asked.environment.name
    folder = runs / f"run-{len(list(runs.glob('*')))}"
    folder.mkdir(parents=True)
    sync.run(
        phases.record(
            asked.environment,
            asked.case,
            "after",
            folder=folder / "evidence",
            base=asked.base,
            say=said.append,
            until=until,
        )
    )
    found, summary = steps.first_findings(folder, asked)
    quickstart.note_held(files, found)
    return Tried(said=said, findings={item.id: item for item in found}, summary=summary, files=files)


def described(environment: str, *, base: Path, case: str = 'title = "t"\n[targets]\nconnection = 0.95\nhealth = 0.95\n') -> Tried:  # fmt: skip
    """What an environment that a person wrote leads to; its pace is stated here, if not there."""
    files = quickstart.Files(environment=base / "environments" / "e.toml", case=base / "c.toml", target=0.95)
    files.environment.parent.mkdir(parents=True, exist_ok=True)
    pace = "\n".join(["[pace]", *(f"{key} = {value}" for key, value in PACE.items())])
    paced = environment if "[pace]" in environment else f"{pace}\n{environment}"
    files.environment.write_text(paced)
    files.case.write_text(case)
    asked = Validation.load(str(files.environment), str(files.case), base=base)
    return judged(asked, files=files, said=[])
