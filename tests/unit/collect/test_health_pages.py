"""Health pages in the words of many frameworks: found, described, asked and judged, against a server on loopback."""

from __future__ import annotations

import asyncio
import http
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve

from proofbook.collect import discovery
from proofbook.collect.services import health, health_page
from proofbook.collect.services.health_page import Word
from proofbook.collect.session import Session
from proofbook.config.case import Case
from proofbook.config.environment import Environment
from proofbook.judge import catalogue
from proofbook.judge.findings import Finding, Verdict
from proofbook.judge.settle import settle
from proofbook.judge.view import View
from proofbook.judge.window import Windows

Page = tuple[int, str]
DOWN = '{"status": "DOWN", "components": {"db": {"status": "DOWN"}, "diskSpace": {"status": "UP"}}}'


def looked_at(
    pages: dict[str, Page],
    *,
    then: dict[str, Page] | None = None,
    html: bool = False,
    samples: int = 72,
    **headers: str,
) -> tuple[discovery.Health, Finding]:
    """What a first look finds of a service with these pages, and the finding about its health; `then`: how they are after the look."""
    served = dict(pages)

    def page(connection: ServerConnection, request: Any) -> Any:
        status, text = served.get(request.path, (404, "not found"))
        answer = connection.respond(http.HTTPStatus(status), text)
        del answer.headers["Content-Type"]
        answer.headers["Content-Type"] = "text/html" if html else "text/plain"
        for name, value in headers.items():
            answer.headers[name] = value
        return answer

    async def go() -> tuple[discovery.Health, Finding]:
        async with serve(lambda _: asyncio.sleep(0), "127.0.0.1", 0, process_request=page) as server:
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            pace = {"per_s": 1000, "concurrency": 10, "timeout_s": 5}
            first = Environment.model_validate({"pace": pace, "service": [{"name": "a", "url": url}]})
            session = Session(first, base=Path())
            found = await discovery.find_health(first.services[0], discovery.HEALTH_PATHS, session=session)
            served.update(then or {})
            described = {"name": "a", "url": url, "health": found.path, **found.settings}
            where = Environment.model_validate({"pace": pace, "service": [described]})
            table = await health.probe_health(
                where.services[0],
                session=Session(where, base=Path()),
                checkpoints=(samples,),
                decided=lambda *_: True,
            )
            what = Case.model_validate({"title": "t", "targets": {"health": 0.95}})
            windows = Windows(before=None, after=None)
            view = View(tables=lambda name, phase: {("health", "after"): table}.get((name, phase)), windows=windows)  # fmt: skip
            return found, settle(catalogue.declare(where, what)["health-a"], view)

    return asyncio.run(go())


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        ('{"healthy": false, "db": "down"}', "healthy = false"),
        ('{"ok": false}', "ok = false"),
        ('{"ok": 0}', "ok = 0"),
        ('{"Status": "Unhealthy", "entries": {"db": {"status": "Healthy"}}}', "Status = Unhealthy"),
        (DOWN, "status = DOWN"),
        ('{"status": "NOT_SERVING"}', "status = NOT_SERVING"),
        ('{"status": "not ok"}', "status = not ok"),
        ('{"status": "out of service"}', "status = out of service"),
        ('{"status": "fail", "checks": {"db": [{"status": "pass"}]}}', "status = fail"),
        ('{"status": "ok", "healthy": false}', "healthy = false"),
        ('{"status": 503}', "status = 503"),
        ('{"state": "dead"}', "state = dead"),
        ('{"data": {"status": "DOWN"}}', "data.status = DOWN"),
        ('{"db": "down", "version": "1.2"}', "db = down"),
        ("false", "false"),
        ("Unhealthy", "Unhealthy"),
        ("Not ready: no database", "Not ready: no database"),
        ("status: DOWN", "status: DOWN"),
    ],
)
def test_a_page_that_calls_itself_ill_is_a_failure_with_its_own_words(body: str, shown: str) -> None:
    found, finding = looked_at({"/health": (200, body)}, samples=12)
    assert found.path == "/health" and "health_expect" not in found.settings
    assert finding.verdict is Verdict.FAIL and f"with the page says {shown}" in finding.statement


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('{"status": "ok"}', {"status": "ok"}),
        ('{"status": "UP", "components": {"db": {"status": "DOWN"}}}', {"status": "UP"}),
        ('{"status": "success"}', {"status": "success"}),
        ('{"status": "SERVING"}', {"status": "SERVING"}),
        ('{"Status": "Healthy"}', {"Status": "Healthy"}),
        ('{"healthy": true, "debug": false}', {"healthy": True}),
        ('{"status": "pass", "maintenance": false, "log_level": "error"}', {"status": "pass"}),
        ('{"data": {"status": "online"}}', {"data.status": "online"}),
        ("OK", None),
        ("pong", None),
        # Nothing in these says anything.
        ('{"version": "1.2"}', None),
        ('{"status": "splendid"}', None),
        ("<h1>Down under: a travel guide</h1>", None),
    ],
)
def test_a_page_that_is_well_passes_and_is_expected_to_say_at_its_top_what_it_said(
    body: str, expected: dict[str, Any] | None
) -> None:
    found, finding = looked_at({"/health": (200, body)}, html=body.startswith("<"))
    assert found.settings.get("health_expect") == ({"json": expected} if expected else None)
    assert finding.verdict is Verdict.PASS, finding.statement


def test_what_was_expected_at_the_top_is_not_found_further_down() -> None:
    well = '{"status": "UP", "components": {"db": {"status": "UP"}}}'
    _, finding = looked_at({"/health": (200, well)}, then={"/health": (200, DOWN)})
    assert finding.verdict is Verdict.FAIL and "the page says status = DOWN" in finding.statement


@pytest.mark.parametrize(
    "body", ['{"status": "Degraded"}', "Degraded", '{"status": "warn"}', '{"status": "ok", "db": "down"}']
)
def test_a_page_between_well_and_ill_is_neither_a_pass_nor_a_failure(body: str) -> None:
    _, finding = looked_at({"/health": (200, body)})
    assert (finding.verdict, finding.reason) == (Verdict.INCONCLUSIVE, "half-well"), finding.statement


@pytest.mark.parametrize("status", [500, 502, 503])
@pytest.mark.parametrize("path", ["/health", "/readyz", "/actuator/health"])
def test_a_known_path_that_answers_5xx_is_the_health_page_whatever_another_page_says(
    path: str, status: int
) -> None:
    found, finding = looked_at({path: (status, '{"status": "UP"}'), "/": (200, "welcome")}, samples=12)
    assert found.path == path and found.remarks == (f"it answers {status}",)
    assert finding.verdict is Verdict.FAIL and f"12 ended with HTTP {status}" in finding.statement


@pytest.mark.parametrize(
    ("path", "status"), [("/health", 401), ("/ping", 403), ("/healthz", 405), ("/status", 400)]
)
def test_a_page_that_was_never_shown_to_us_is_named_and_not_called_broken(path: str, status: int) -> None:
    found, finding = looked_at({path: (status, "who are you?")})
    assert found.path == path and any(
        remark.startswith(f"{path} answers {status}") for remark in found.remarks
    )
    assert finding.verdict is not Verdict.PASS
    if status != 400:
        assert (finding.verdict, finding.reason) == (Verdict.INCONCLUSIVE, "no-endpoint"), finding.statement


def test_no_content_is_health_where_it_is_what_was_seen() -> None:
    found, finding = looked_at({"/ping": (204, "")})
    assert (found.path, found.settings) == ("/ping", {"health_status": [204]})
    assert finding.verdict is Verdict.PASS, finding.statement


def test_a_path_that_wants_a_slash_at_its_end_is_asked_there() -> None:
    pages = {"/health": (307, ""), "/health/": (200, '{"status": "ok"}')}
    found, finding = looked_at(pages, Location="/health/")
    assert found.path == "/health/" and finding.verdict is Verdict.PASS, finding.statement


@pytest.mark.parametrize("text", ["", "[]", "null", "12", "[" * 200_000, "<html>", "Hello world", '{"status": null}', "{", "\x00"])  # fmt: skip
def test_what_says_nothing_of_itself_says_nothing(text: str) -> None:
    said = health_page.read(text)
    assert said is None or said.word is Word.UNKNOWN
