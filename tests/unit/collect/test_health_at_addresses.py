"""Every address of a service's name is asked for its health."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from first_tries import WELL, attempt, page, serving

from proofbook.collect.services import addresses
from proofbook.collect.session import Session
from proofbook.config.case import Case
from proofbook.config.environment import Environment
from proofbook.config.services import Service
from proofbook.judge import catalogue
from proofbook.judge.findings import Finding
from proofbook.judge.settle import settle
from proofbook.judge.view import View
from proofbook.judge.window import Windows

pytestmark = pytest.mark.waits

CHECK = "health-addresses-api"
GOOD, OTHER, NOBODY, FAR = "127.0.0.1", "127.0.0.2", "127.0.0.3", "2001:db8::1"


def found(names: list[str], *, host: str = "api.test", other: str = WELL) -> tuple[Finding, list[str]]:
    """What is found of a name that stands for these addresses, and the hosts that were asked for; `other` is said at OTHER."""
    hosts: list[str] = []

    async def go() -> Finding:
        async def answer(request: web.Request) -> web.StreamResponse:
            hosts.append(request.headers["Host"])
            assert request.transport is not None
            here = request.transport.get_extra_info("sockname")[0]
            return page(WELL if here == GOOD else other, 200 if request.path == "/health" else 404)

        runner = web.ServerRunner(web.Server(answer), access_log=None)  # type: ignore[arg-type]  # aiohttp states BaseRequest, and gives a Request
        async with contextlib.AsyncExitStack() as stack:
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            await web.TCPSite(runner, GOOD, 0).start()
            port = runner.addresses[0][1]
            await web.TCPSite(runner, OTHER, port).start()
            stated = {
                "name": "api",
                "url": f"http://{host}:{port}",
                "health_expect": {"json": {"status": "ok"}},
            }
            where = Environment.model_validate(
                {"service": [stated], "pace": {"per_s": 1000, "timeout_s": 1.0}}
            )

            async def resolve(service: Service, url: str) -> list[Any]:
                families = (socket.AF_INET6 if ":" in name else socket.AF_INET for name in names)
                return [(family, socket.SOCK_STREAM, 6, "", (name, port)) for family, name in zip(families, names, strict=True)]  # fmt: skip

            table = await addresses.ask(
                where.services[0], session=Session(where, base=Path()), resolve=resolve
            )
        windows = Windows(before=None, after=None)
        view = View(tables=lambda name, phase: {("asked", "after"): table}.get((name, phase)), windows=windows)  # fmt: skip
        return settle(catalogue.declare(where, Case.model_validate({"title": "t"}))[CHECK], view)

    return asyncio.run(go()), hosts


def told(finding: Finding) -> tuple[str, str]:
    return finding.verdict.value, finding.reason


def test_addresses_that_all_answer_as_healthy_pass_and_are_asked_by_the_name() -> None:
    finding, hosts = found([GOOD, OTHER])
    assert told(finding) == ("pass", ""), finding.statement
    assert hosts == ["api.test"] * 2 * addresses.TRIES
    assert f"2 of 2 addresses of its name: {GOOD}, {OTHER}" in finding.statement


@pytest.mark.parametrize("other", ['{"status": "DOWN"}', "<html>Welcome</html>"])
def test_an_address_with_another_answer_fails(other: str) -> None:
    finding, _ = found([GOOD, OTHER], other=other)
    assert told(finding) == ("fail", "address"), finding.statement
    assert f"{OTHER}: 6 of 6 failed, 6 by HTTP 200" in finding.statement


def test_an_address_at_which_nobody_listens_fails_and_is_nothing_where_it_is_this_machine() -> None:
    finding, _ = found([NOBODY, GOOD])
    assert told(finding) == ("fail", "address"), finding.statement
    assert f"{NOBODY}: nothing listens there" in finding.statement
    local, _ = found([NOBODY, GOOD], host="localhost")
    assert told(local) == ("pass", ""), local.statement


@pytest.mark.slow
def test_an_address_without_a_way_from_here_is_not_held_against_the_service() -> None:
    finding, _ = found([GOOD, FAR])
    assert told(finding) == ("inconclusive", "no-way"), finding.statement


def test_where_no_address_is_well_it_is_another_claim_that_fails() -> None:
    finding, _ = found([NOBODY])
    assert told(finding) == ("inconclusive", "no-samples"), finding.statement


@pytest.mark.slow
def test_a_first_try_of_a_name_asks_its_addresses_and_of_an_address_nothing_more(tmp_path: Path) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        return page(WELL) if request.path == "/health" else page("no", 404)

    with serving(answer) as url:
        by_name = attempt(url.replace("127.0.0.1", "localhost"), base=tmp_path / "a")
        by_address = attempt(url, base=tmp_path / "b")
    assert by_name.verdict == by_address.verdict == "pass", by_name.shown
    assert told(by_name.findings["health-addresses-service"]) == ("pass", "")
    assert "health-addresses-service" not in by_address.findings
    assert "2 health requests to each of up to 8 addresses of its host name" in by_name.shown
