"""Who asks for a page and does not say that it is a probe is answered as probes are: browsers, and clients with no header of ours."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiohttp import web
from first_tries import WELL, Tried, attempt, described, page, serving

from proofbook.evidence import store
from proofbook.judge.findings import Verdict
from proofbook.protocol import UNMARKED_PAGE_KINDS

HEALTH = "health-service"
ENVIRONMENT = '[[service]]\nname = "service"\nurl = "{url}"\ntimed = ["/api/items"]\n'


def tried(folder: Path, name: str, part: str, *, refuses: bool, status: int = 403, path: str = "/health") -> Tried:  # fmt: skip
    """What is found of a service that refuses whoever sends that part of a header at a path, or whoever does not."""

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.path not in ("/health", "/api/items"):
            return page("not found", 404)
        sends = name in request.headers and part in request.headers[name]
        return page("no way", status) if request.path == path and sends is refuses else page(WELL)

    with serving(answer) as url:
        if path == "/health":
            return attempt(url, base=folder)
        return described(ENVIRONMENT.format(url=url), base=folder)


@pytest.mark.parametrize(
    ("name", "part", "status"),
    [("User-Agent", "Mozilla", 403), ("Cookie", "", 500), ("Accept-Language", "", 400)],
)
def test_a_health_page_that_refuses_browsers_is_not_healthy(
    name: str, part: str, status: int, tmp_path: Path
) -> None:
    found = tried(tmp_path, name, part, refuses=True, status=status).findings[HEALTH]
    assert (found.verdict, found.reason) == (Verdict.INCONCLUSIVE, "stranger-refused"), found.statement
    assert f"/health as a browser: 0 of 5, 5 ended with HTTP {status}" in found.seen


@pytest.mark.slow
def test_a_page_of_an_api_that_refuses_browsers_is_noticed(tmp_path: Path) -> None:
    found = tried(tmp_path, "User-Agent", "Mozilla", refuses=True, path="/api/items").findings[HEALTH]
    assert (found.verdict, found.reason) == (Verdict.INCONCLUSIVE, "stranger-refused"), found.statement
    assert "/api/items as a browser: 0 of 5, 5 ended with HTTP 403 (no way)" in found.seen


def test_a_page_that_only_tests_can_read_is_not_healthy(tmp_path: Path) -> None:
    # Every probe of ours carries a trace context.
    found = tried(tmp_path, "Traceparent", "", refuses=False, status=500).findings[HEALTH]
    assert (found.verdict, found.reason) == (Verdict.INCONCLUSIVE, "stranger-refused"), found.statement
    assert "/health with no header of ours: 0 of 5" in found.seen


@pytest.mark.parametrize("status", [403, 500])
def test_a_firewall_that_wants_an_agent_refuses_no_user_and_a_crash_does(status: int, tmp_path: Path) -> None:
    found = tried(tmp_path, "User-Agent", "", refuses=False, status=status).findings[HEALTH]
    assert found.verdict is (Verdict.PASS if status == 403 else Verdict.INCONCLUSIVE), found.statement
    told = "0 of 5, refused for naming no agent" if status == 403 else "0 of 5, 5 ended with HTTP 500"
    assert any(control.got.startswith(told) for control in found.controls)


def test_a_firewall_against_probes_is_no_fault_of_the_service(tmp_path: Path) -> None:
    found = tried(tmp_path, "User-Agent", "proofbook-probe", refuses=True).findings[HEALTH]
    assert (found.verdict, found.reason) == (Verdict.INCONCLUSIVE, "probes-refused"), found.statement
    assert "as a browser, 5 of 5 answered as healthy, and 60 of 60 refused" in found.seen


@pytest.mark.slow
def test_what_refuses_everybody_or_nobody_is_judged_as_before(tmp_path: Path) -> None:
    everybody = tried(tmp_path, "Host", "", refuses=True, status=503)
    assert everybody.findings[HEALTH].verdict is Verdict.FAIL, everybody.shown
    nobody = tried(tmp_path / "2", "X-None", "", refuses=True)
    assert nobody.verdict == "pass", nobody.shown
    plan = "service: 10 unmarked requests to /health: 5 without our headers, 5 as a browser"
    assert any(plan in line for line in nobody.said)


def test_who_is_no_probe_sends_no_sign_of_one_and_what_is_stated(tmp_path: Path) -> None:
    met: list[dict[str, str]] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.path == "/health" and "proofbook-probe" not in request.headers.get("User-Agent", ""):
            met.append({name.lower(): value for name, value in request.headers.items()})
        return page(WELL) if request.path == "/health" else page("no", 404)

    with serving(answer) as url:
        stated = f'[[service]]\nname = "service"\nurl = "{url}"\nheaders = {{ X-Team = "a" }}\n'
        assert described(stated, base=tmp_path).verdict == "pass"
    bare = [headers for headers in met if "user-agent" not in headers]
    assert len(met) == 10 and len(bare) == 5
    assert all(headers["x-team"] == "a" and "traceparent" not in headers for headers in met)
    assert set(bare[0]) == {"host", "x-team", "accept-encoding"}


@pytest.mark.slow
def test_another_page_is_not_expected_to_say_what_the_health_page_says(tmp_path: Path) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        return page('{"status": "ok"}' if request.path == "/health" else '[{"id": 1}]')

    with serving(answer) as url:
        described(
            ENVIRONMENT.format(url=url) + 'health_expect = { json = { status = "ok" } }\n', base=tmp_path
        )
    rows = store.read(next(tmp_path.rglob("evidence"))).table("health")
    assert rows is not None
    asked = rows[rows["kind"].isin(UNMARKED_PAGE_KINDS)]
    assert asked.groupby("path")["ok"].mean().to_dict() == {"/health": 1.0, "/api/items": 1.0}
