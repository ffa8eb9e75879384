"""The first screen says where the rest is that it has no room for."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiohttp import web
from first_tries import described, page, serving, talk, with_socket

TOKEN = "good-token-of-a-user"
ENVIRONMENT = """
[[service]]
name = "s"
url = "{url}"
token = {{ env = "A_TOKEN" }}
[service.ws]
path = "/ws"
greeting = {{ json = {{ type = "hello" }} }}
send_json = {{ id = "{{id}}" }}
expect = {{ json = {{ id = "{{id}}" }} }}
harmless = true
dwell_s = 0.05
"""


async def guarded(request: web.Request) -> web.StreamResponse:
    if request.headers.get("Authorization") != f"Bearer {TOKEN}":
        return page("who are you?", 401)
    return await talk(request)


def test_what_has_no_room_on_it_is_in_the_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_TOKEN", TOKEN)
    with serving(with_socket(guarded)) as url:
        tried = described(ENVIRONMENT.format(url=url), base=tmp_path)
    assert tried.verdict == "pass", tried.shown
    facts = [fact.text for fact in tried.opening.facts]
    assert len(facts) == 4 and facts[-1] == "and 1 more, in the report"
