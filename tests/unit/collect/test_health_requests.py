"""How health is asked for: by POST where gRPC speaks JSON, and with the token where it wants one."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from aiohttp import web
from first_tries import WELL, Answers, attempt, described, page, serving

from proofbook.collect import discovery
from proofbook.errors import ConfigurationError
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


@pytest.mark.slow
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


# A page that wants the token -------------------------------------------------------------------------------------------

TOKEN = "good-token-of-a-user"


def wanting(scheme: str, *, status: int = 401, everywhere: bool = False) -> Answers:
    """Healthy for who shows the token so; everything else is not there, or refused as well."""

    async def answer(request: web.Request) -> web.StreamResponse:
        is_known = request.headers.get("Authorization") == f"{scheme} {TOKEN}"
        if not is_known and (everywhere or request.path == "/health"):
            return page("", status)
        return page(WELL) if request.path == "/health" else page("not found", 404)

    return answer


@pytest.mark.parametrize(("status", "everywhere"), [(401, False), (403, False), (401, True)])
def test_a_health_page_that_wants_the_token_is_asked_with_it(
    status: int, everywhere: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_TOKEN", TOKEN)
    with serving(wanting("Bearer", status=status, everywhere=everywhere)) as url:
        tried = attempt(url, base=tmp_path, token=TOKEN, token_env="A_TOKEN")
    assert tried.verdict == "pass", tried.shown
    assert f"it needs the token, and answers {status} without" in tried.shown
    assert "with the token if it is refused without" in tried.said[0]
    text = tried.files.environment.read_text()
    assert "sends_token = true" in text and TOKEN not in text + tried.shown


def test_where_a_token_is_of_no_use_the_option_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_TOKEN", TOKEN)
    with serving(wanting("Basic")) as url:
        with_token = attempt(url, base=tmp_path, token=TOKEN, token_env="A_TOKEN")
        without = attempt(url, base=tmp_path / "2")
    option = "name what it wants with --header NAME=env:VARIABLE"
    assert f"/health answers 401 also to the token as Authorization: Bearer: {option}" in with_token.shown
    assert "/health answers 401: name a token with --token-env NAME, or what it wants with --header" in without.shown  # fmt: skip
    assert with_token.verdict == without.verdict == "inconclusive"
    assert "sends_token" not in with_token.files.environment.read_text()


def test_a_token_that_is_not_wanted_is_not_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_TOKEN", TOKEN)
    sent: list[str] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        sent.extend(request.headers.getall("Authorization", []))
        return page(WELL) if request.path == "/health" else page("not found", 404)

    with serving(answer) as url:
        assert attempt(url, base=tmp_path, token=TOKEN, token_env="A_TOKEN").verdict == "pass"
    assert not sent


def test_who_sends_a_token_has_one(tmp_path: Path) -> None:
    stated = '[[service]]\nname = "service"\nurl = "http://127.0.0.1:9"\nsends_token = true\n'
    with pytest.raises(ConfigurationError, match=r"expected .login. or a token because service 'service'"):
        described(stated, base=tmp_path)


def test_a_name_and_a_password_in_the_address_are_sent_and_written_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    password = "correct-horse-battery"
    basic = f"Basic {base64.b64encode(f'probe:{password}'.encode()).decode()}"

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.headers.get("Authorization") != basic:
            return page("who are you?", 401, **{"WWW-Authenticate": "Basic"})
        return page(WELL) if request.path == "/health" else page("not found", 404)

    with serving(answer) as url:
        monkeypatch.setenv("AN_ADDRESS", url.replace("//", f"//probe:{password}@"))
        stated = '[[service]]\nname = "service"\nurl = { env = "AN_ADDRESS" }\n'
        tried = described(stated, base=tmp_path)
    assert tried.findings[HEALTH].verdict is Verdict.PASS, tried.shown
    kept = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    assert password not in tried.shown and password.encode() not in kept and basic[6:].encode() not in kept


def test_a_first_page_that_sends_to_a_login_is_named_and_not_taken_for_health(tmp_path: Path) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        if request.path == "/login":
            return page("<form><input type=password></form>", **{"Content-Type": "text/html"})
        return page("", 302, Location="/login") if request.path == "/" else page("no", 404)

    with serving(answer) as url:
        tried = attempt(url, base=tmp_path)
    assert tried.verdict == "inconclusive", tried.shown
    assert "/ answers 302 to /login" in tried.shown
