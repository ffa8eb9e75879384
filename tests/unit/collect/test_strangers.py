"""Who does not say that it is a probe is let in as probes are: browsers, clients without compression, clients without an agent."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from aiohttp import web
from first_tries import attempt, page, serving, talk, with_socket

from proofbook.judge.findings import Verdict

pytestmark = pytest.mark.slow

CONNECTION = "websocket-connection"


def sends(request: web.Request, name: str, part: str = "") -> bool:
    return part in request.headers.get(name, "") and name in request.headers


@pytest.mark.parametrize(
    ("name", "part", "wanted", "status", "kind"),
    [
        # Every browser is refused by each of these.
        ("Origin", "", False, 403, "as a browser"),
        ("Cookie", "", False, 500, "as a browser"),
        ("User-Agent", "Mozilla", False, 500, "as a browser"),
        ("Accept-Language", "", False, 400, "as a browser"),
        # And this one whoever offers no compression.
        ("Sec-WebSocket-Extensions", "permessage-deflate", True, 500, "offers no compression"),
    ],
)
def test_a_server_that_lets_in_nobody_but_probes_is_not_healthy(
    name: str, part: str, wanted: bool, status: int, kind: str, tmp_path: Path
) -> None:
    async def picky(request: web.Request) -> web.StreamResponse:
        return await talk(request) if sends(request, name, part) is wanted else page("no way", status)

    with serving(with_socket(picky)) as url:
        tried = attempt(url, base=tmp_path, ws="/ws")
    found = tried.findings[CONNECTION]
    assert (found.verdict, found.reason) == (Verdict.INCONCLUSIVE, "stranger-refused"), found.statement
    assert f"{kind}" in found.seen and f"0 of 10, 10 ended with HTTP {status} (no way)" in found.seen


def test_a_firewall_that_wants_an_agent_refuses_no_user(tmp_path: Path) -> None:
    async def walled(request: web.Request) -> web.StreamResponse:
        return await talk(request) if sends(request, "User-Agent") else page("denied", 403)

    with serving(with_socket(walled)) as url:
        found = attempt(url, base=tmp_path, ws="/ws").findings[CONNECTION]
    assert found.verdict is Verdict.PASS, found.statement
    assert "0 of 10, refused for naming no agent" in [control.got for control in found.controls]


def test_a_server_that_crashes_where_no_agent_is_named_is_not_healthy(tmp_path: Path) -> None:
    async def crashes(request: web.Request) -> web.StreamResponse:
        return await talk(request) if sends(request, "User-Agent") else page("KeyError", 500)

    with serving(with_socket(crashes)) as url:
        found = attempt(url, base=tmp_path, ws="/ws").findings[CONNECTION]
    assert (found.verdict, found.reason) == (Verdict.INCONCLUSIVE, "control-comparability"), found.statement


def test_an_origin_that_is_wanted_is_found_out_and_kept(tmp_path: Path) -> None:
    async def strict(request: web.Request) -> web.StreamResponse:
        own = request.headers.get("Origin") == f"http://{request.host}"
        return await talk(request) if own else page("Request origin not allowed", 403)

    with serving(with_socket(strict)) as url:
        tried = attempt(url, base=tmp_path, ws="/ws")
    assert f"it wants the Origin {url}" in tried.shown
    assert tried.verdict == "pass", tried.shown
    assert f'Origin = "{url}"' in tried.files.environment.read_text()


def test_a_greeting_that_names_an_instance_is_expected_of_no_other_instance(tmp_path: Path) -> None:
    # Four instances of five are called alpha, as a first look of a few connections meets alone half of the time.
    names = iter(["alpha"] * 8 + ["alpha", "beta", "alpha", "alpha"] * 100)

    async def greets(request: web.Request) -> web.StreamResponse:
        return await talk(request, f'{{"type": "hello", "node": "{next(names)}"}}')

    with serving(with_socket(greets)) as url:
        tried = attempt(url, base=tmp_path, ws="/ws")
    assert tried.verdict == "pass", tried.shown
    assert 'greeting = { json = { type = "hello" } }' in tried.files.environment.read_text()


def test_what_differs_between_two_answers_is_no_revision_whatever_it_is_called(tmp_path: Path) -> None:
    names = itertools.cycle(["blue-7", "green-7"])

    async def answer(request: web.Request) -> web.StreamResponse:
        is_health = request.path == "/health"
        return (
            page(f'{{"status": "ok", "build": "{next(names)}", "version": "1.2"}}')
            if is_health
            else page("no", 404)
        )

    with serving(answer) as url:
        tried = attempt(url, base=tmp_path)
    assert tried.verdict == "pass", tried.shown
    assert 'revision_path = "version"' in tried.files.environment.read_text()
