"""How health is asked for: by POST where gRPC speaks JSON."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiohttp import web
from first_tries import WELL, Answers, attempt, described, page, serving

from proofbook.collect import discovery
from proofbook.judge.findings import Verdict

HEALTH = "health-service"


def grpc_over_json(status: str, *, elsewhere: int = 404, well_elsewhere: bool = False) -> Answers:
    async def answer(request: web.Request) -> web.StreamResponse:
        if request.method == "POST" and (request.path == discovery.POSTED or well_elsewhere):
            is_json = request.content_type == "application/json" and await request.json() == {}
            return page(f'{{"status": "{status}"}}') if is_json else page("no JSON", 415)
        return page('{"code": 5, "message": "Not Found"}', elsewhere)

    return answer


@pytest.mark.parametrize(
    ("status", "verdict"), [("SERVING", Verdict.PASS), ("NOT_SERVING", Verdict.FAIL), ("SERVICE_UNKNOWN", Verdict.INCONCLUSIVE)]
)  # fmt: skip
@pytest.mark.parametrize("elsewhere", [404, 405, 501])
def test_health_by_grpc_over_json_is_found_and_judged(
    status: str, verdict: Verdict, elsewhere: int, tmp_path: Path
) -> None:
    with serving(grpc_over_json(status, elsewhere=elsewhere)) as url:
        tried = attempt(url, base=tmp_path)
    found = tried.findings[HEALTH]
    assert f"health at {discovery.POSTED}" in tried.shown
    assert found.verdict is verdict, found.statement
    text = tried.files.environment.read_text()
    assert f'health = "{discovery.POSTED}"' in text and 'health_method = "POST"' in text
    # It was counted before it was sent.
    assert tried.said[0].startswith("plan · first look · up to ")
    assert tried.said[0].endswith(f"by POST at {discovery.POSTED}")


def test_a_server_that_answers_every_post_alike_has_no_health_there(tmp_path: Path) -> None:
    with serving(grpc_over_json("SERVING", well_elsewhere=True)) as url:
        tried = attempt(url, base=tmp_path)
    assert discovery.POSTED not in tried.files.environment.read_text()
    assert tried.verdict != "pass", tried.shown


def test_where_a_page_is_found_nothing_is_posted(tmp_path: Path) -> None:
    posted: list[str] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.method == "POST":
            posted.append(request.path)
        return page(WELL) if request.path == "/health" else page("no", 404)

    with serving(answer) as url:
        assert attempt(url, base=tmp_path).verdict == "pass"
    assert not posted


def test_the_body_that_is_posted_can_be_stated(tmp_path: Path) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        if request.path != "/check" or await request.json() != {"service": "chat"}:
            return page('{"code": "not_found"}', 404)
        return page('{"status": "SERVING"}')

    with serving(answer) as url:
        stated = f'[[service]]\nname = "service"\nurl = "{url}"\nhealth = "/check"\nhealth_method = "POST"\n'
        tried = described(stated + 'health_body = { service = "chat" }\n', base=tmp_path)
    assert tried.findings[HEALTH].verdict is Verdict.PASS, tried.shown
