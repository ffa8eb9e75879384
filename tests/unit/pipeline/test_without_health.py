"""A server that has a WebSocket and no page for health at any usual path: it is not held against it, and not claimed."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiohttp import web
from first_tries import attempt, page, serving, talk

pytestmark = pytest.mark.waits


def at_root(answer: web.Response | None, *, socket: bool = True) -> object:
    """An application whose root answers so, and any other path with 404."""

    async def handle(request: web.Request) -> web.StreamResponse:
        if request.path == "/ws" and socket:
            return await talk(request)
        if request.path == "/" and answer is not None:
            return page(answer.text or "", answer.status, **dict(answer.headers))
        return page("404: Not Found", 404)

    return handle


@pytest.mark.slow
@pytest.mark.parametrize(
    ("root", "why"),
    [
        (None, "/ answers 404"),
        (page("", 302, Location="/onboarding.html"), "/ answers 302 to /onboarding.html"),
        (page("gone", 410), "/ answers 410"),
    ],
)
def test_where_no_path_is_a_page_the_websocket_alone_is_judged(
    root: web.Response | None, why: str, tmp_path: Path
) -> None:
    with serving(at_root(root)) as url:  # type: ignore[arg-type]  # a handler
        tried = attempt(url, base=tmp_path, ws="/ws")
    assert tried.verdict == "pass", tried.shown
    assert 'health = ""' in tried.files.environment.read_text() and "health-service" not in tried.findings
    assert "no health page, so health is not measured" in tried.shown and why in tried.shown


@pytest.mark.slow
@pytest.mark.parametrize(
    ("root", "path", "socket"),
    [
        # A login that is there, a path that somebody named, and a WebSocket that is not there either.
        (page("who are you?", 401), "", True),
        (None, "/api/", True),
        (None, "", False),
    ],
)
def test_where_there_may_be_a_page_health_stays_unknown(
    root: web.Response | None, path: str, socket: bool, tmp_path: Path
) -> None:
    with serving(at_root(root, socket=socket)) as url:  # type: ignore[arg-type]  # a handler
        tried = attempt(url + path, base=tmp_path, ws="/ws")
    assert tried.verdict == "inconclusive", tried.shown
    health = tried.findings["health-service"]
    assert health.verdict.value == "inconclusive"
    assert "but something at this address: not seen, now or before" in health.seen
