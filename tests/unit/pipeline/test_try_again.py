"""A second `proofbook try` of a service begins from what held the first time, and says what differs."""

from __future__ import annotations

import asyncio
import itertools
import time
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web
from first_tries import WELL, attempt, page, serving, talk

from proofbook.errors import CouldNotLook
from proofbook.pipeline import try_again

pytestmark = [pytest.mark.waits, pytest.mark.slow]

HELLO = '{"type": "hello"}'


@dataclass
class Service:
    """What a service answers now."""

    url: str = ""
    greeting: str = HELLO
    health: str = WELL
    at: str = "/health"
    status: int = 200
    is_html: bool = False
    headers: dict[str, str] = field(default_factory=dict)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if request.path == "/ws":
            return await talk(request, self.greeting)
        if request.path != self.at:
            return page("not found", 404)
        kind = "text/html" if self.is_html else "application/json"
        return web.Response(text=self.health, status=self.status, content_type=kind)


@pytest.fixture
def service() -> Iterator[Service]:
    now = Service()
    with serving(now.answer) as url:
        now.url = url
        yield now


def test_a_server_that_greeted_and_says_nothing_now_is_broken_also_the_third_time(
    service: Service, tmp_path: Path
) -> None:
    first = attempt(service.url, base=tmp_path, ws="/ws")
    assert first.verdict == "pass", first.shown
    service.greeting = ""
    for _ in range(2):
        # No greeting comes: that is waited for as long as the pace says.
        again = attempt(service.url, base=tmp_path, ws="/ws", pace={"per_s": 1000.0, "concurrency": 60, "timeout_s": 0.4})  # fmt: skip
        assert again.verdict == "fail", again.shown
        assert 'WebSocket: greeting was {"type": "hello"}, is none; judged as last time' in again.shown
    assert 'greeting = { json = { type = "hello" } }' in again.files.environment.read_text()
    assert f"to start over, delete {again.files.environment}" in again.shown


def test_what_held_is_a_key_of_the_file_that_a_comment_does_not_change(
    service: Service, tmp_path: Path
) -> None:
    first = attempt(service.url, base=tmp_path, ws="/ws")
    text = first.files.environment.read_text()
    assert tomllib.loads(text)["held"] == ["health-service", "websocket-connection"]
    assert not any("health-service" in line for line in text.splitlines() if line.startswith("#"))
    # Words of a comment say nothing to the code.
    commented = text.replace("held = ", "# Held so far: ")
    (tmp_path / "other.toml").write_text(commented)
    last = try_again.last_time(tmp_path / "other.toml")
    assert last is not None and not last.held
    again = attempt(service.url, base=tmp_path, ws="/ws")
    assert again.verdict == "pass" and again.files.environment == first.files.environment
    assert again.files.environment.read_text() == text


@pytest.mark.usual_cases(4)
@pytest.mark.parametrize(
    ("then", "verdict", "sentence"),
    [
        ({"health": "<h1>Welcome</h1>", "is_html": True}, "fail", "last time /health saying status = ok, now /health;"),
        ({"health": '{"status": "DOWN"}'}, "fail", "now /health;"),
        ({"health": '{"status": "ok", "service": "billing"}'}, "pass", "now /health saying status = ok, service = billing; both"),
        # Another version says the same in another word.
        ({"health": '{"status": "UP"}'}, "pass", "now /health saying status = UP; both mean healthy"),
        # Whoever asks where it was, such as a load balancer, gets nothing.
        ({"at": "/status"}, "fail", "last time /health saying status = ok, now /status saying status = ok; judged"),
        ({"status": 503}, "fail", "now /health;"),
        ({}, "pass", ""),
    ],
    ids=["another page", "ill", "names itself", "another word", "elsewhere", "503", "the same"],
)  # fmt: skip
def test_health_of_the_last_time_is_what_health_is_judged_by(
    then: dict[str, object], verdict: str, sentence: str, service: Service, tmp_path: Path
) -> None:
    assert attempt(service.url, base=tmp_path).verdict == "pass"
    for name, value in then.items():
        setattr(service, name, value)
    again = attempt(service.url, base=tmp_path)
    assert again.verdict == verdict, again.shown
    assert sentence in again.shown and ("differs" in again.shown) is bool(sentence)


def test_another_product_at_the_same_address_is_not_healthy(service: Service, tmp_path: Path) -> None:
    service.health = '{"service": "chat", "status": "ok"}'
    assert attempt(service.url, base=tmp_path).verdict == "pass"
    service.health = '{"service": "billing", "status": "ok"}'
    again = attempt(service.url, base=tmp_path)
    assert again.verdict == "fail" and "now /health saying status = ok, service = billing" in again.shown
    # Nothing was released.
    assert "release" not in again.summary.advice and again.summary.advice.startswith("fix ")


def test_what_never_held_is_looked_at_anew(service: Service, tmp_path: Path) -> None:
    service.health, service.greeting = '{"status": "DOWN"}', ""
    assert attempt(service.url, base=tmp_path, ws="/ws").verdict == "fail"
    service.health, service.greeting, service.at = WELL, HELLO, "/status"
    again = attempt(service.url, base=tmp_path, ws="/ws")
    assert again.verdict == "pass", again.shown
    assert "health: " not in again.shown


def test_an_edited_file_is_left_alone_and_named(service: Service, tmp_path: Path) -> None:
    first = attempt(service.url, base=tmp_path)
    file = first.files.environment
    file.write_text(file.read_text().replace("/health", "/nowhere"))
    again = attempt(service.url, base=tmp_path)
    assert f"note · {file.stem} was edited and stays as it is (proofbook run {file.stem})" in again.shown
    assert "/nowhere" in file.read_text() and again.files.environment != file


def test_the_time_that_is_given_is_a_hard_end_and_what_was_seen_by_then_counts(tmp_path: Path) -> None:
    number = itertools.count()

    async def slows_down(request: web.Request) -> web.StreamResponse:
        if request.path == "/ws":
            # The first look is quick; what comes then never answers in time.
            await asyncio.sleep(0.0 if next(number) < 3 else 30.0)
            return await talk(request)
        return page(WELL) if request.path == "/health" else page("not found", 404)

    pace = {"per_s": 1000.0, "concurrency": 2, "timeout_s": 5.0}
    with serving(slows_down) as url:
        began = time.monotonic()
        tried = attempt(url, base=tmp_path, ws="/ws", within_s=4.0, pace=pace)
        assert time.monotonic() - began < 60
    assert tried.verdict == "inconclusive", tried.shown
    assert any("the time limit is over, so this is left out: ws: up to" in line for line in tried.said)


def test_a_service_that_cannot_be_looked_at_in_the_time_that_is_given_is_one_sentence(tmp_path: Path) -> None:
    async def silent(_: web.Request) -> web.StreamResponse:
        await asyncio.sleep(30)
        return page(WELL)

    with serving(silent) as url, pytest.raises(CouldNotLook) as caught:
        attempt(url, base=tmp_path, within_s=1.0)
    assert str(caught.value).endswith("could not be looked at within 1 s; give it more time with --within")
