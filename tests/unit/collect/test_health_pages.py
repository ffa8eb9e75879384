"""Health pages in the words of many frameworks: found, described, asked and judged, against a server on loopback."""

from __future__ import annotations

import asyncio
import datetime as dt
import http
import itertools
import json
from collections.abc import Sequence
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
UP = '{"status": "UP"}'
DOWN = '{"status": "DOWN", "components": {"db": {"status": "DOWN"}, "diskSpace": {"status": "UP"}}}'


def looked_at(
    pages: dict[str, Page],
    *,
    then: dict[str, Page] | None = None,
    html: bool = False,
    samples: int = 72,
    blocks: str = "nobody",
    stated: dict[str, Any] | None = None,
    drops: Sequence[int] = (),
    then_after: int = 0,
    **headers: str,
) -> tuple[discovery.Health, Finding]:
    """What a first look finds of a service with these pages, and the finding about its health; `then`: how they are after the look.

    blocks: what a firewall looks for in agents. stated: keys of the service that a person added. drops: which requests for a page
    that is there, by number, have no answer at all. then_after: after how many more requests for a page of `then` it is so.
    """
    served = dict(pages)
    asked = itertools.count()
    later: dict[str, Page] = {}
    waits = itertools.count()

    def page(connection: ServerConnection, request: Any) -> Any:
        if request.path in later and next(waits) >= then_after:
            served.update(later)
        status, text = served.get(request.path.partition("?")[0], (404, "not found"))
        if blocks in request.headers.get("User-Agent", ""):
            status, text = 403, "blocked by rule 7"
        if request.path in served and next(asked) in drops:
            connection.transport.abort()
            return None
        answer = connection.respond(http.HTTPStatus(status), text)
        del answer.headers["Content-Type"]
        answer.headers["Content-Type"] = "text/html" if html else "text/plain"
        for name, value in headers.items():
            if name in answer.headers:
                del answer.headers[name]
            answer.headers[name] = value
        return answer

    async def go() -> tuple[discovery.Health, Finding]:
        async with serve(lambda _: asyncio.sleep(0), "127.0.0.1", 0, process_request=page) as server:
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            pace = {"per_s": 1000, "concurrency": 10, "timeout_s": 5}
            first = Environment.model_validate({"pace": pace, "service": [{"name": "a", "url": url}]})
            session = Session(first, base=Path())
            found = await discovery.find_health(first.services[0], discovery.HEALTH_PATHS, session=session)
            later.update(then or {})
            if not then_after:
                served.update(later)
            described = {"name": "a", "url": url, "health": found.path, **found.settings, **(stated or {})}
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
    assert finding.verdict is Verdict.FAIL and f"with a page that says {shown}" in finding.statement


@pytest.mark.usual_cases(4)
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
    assert finding.verdict is Verdict.FAIL and "a page that says status = DOWN" in finding.statement


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
    found, finding = looked_at({path: (status, UP), "/": (200, "welcome")}, samples=12)
    assert found.path == path and found.remarks == (f"it answers {status} “{UP}”",)
    assert finding.verdict is Verdict.FAIL and f"12 ended with HTTP {status} ({UP})" in finding.statement


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


@pytest.mark.parametrize("text", ["", "[]", "null", "12", "[" * 200_000, "<html>", "Hello world", "This is fine art", "The vault is sealed", '{"status": null}', "{", "\x00"])  # fmt: skip
def test_what_says_nothing_of_itself_says_nothing(text: str) -> None:
    said = health_page.read(text)
    assert said is None or said.word is Word.UNKNOWN


# Words and shapes of frameworks --------------------------------------------------------------------------------------

CHECKS = "[+]ping ok\n[{}]etcd {}\nreadyz check {}\n"


@pytest.mark.parametrize(
    ("text", "word", "shown"),
    [
        (CHECKS.format("-", "failed: reason withheld", "failed"), Word.ILL, "[-]etcd failed: reason withheld"),
        (CHECKS.format("+", "ok", "passed"), Word.WELL, "readyz check passed"),
        ('{"isHealthy": false}', Word.ILL, "isHealthy = false"),
        ('{"overall_status": "Unhealthy"}', Word.ILL, "overall_status = Unhealthy"),
        ('{"servingStatus": "NOT_SERVING"}', Word.ILL, "servingStatus = NOT_SERVING"),
        ('{"status": "SERVICE_UNKNOWN"}', Word.HALF, "status = SERVICE_UNKNOWN"),
        ('{"DatabaseBackend": "unavailable: no connection"}', Word.ILL, "DatabaseBackend = unavailable: no connection"),
        ("<health><status>DOWN</status></health>", Word.ILL, "status = DOWN"),
        # Without a word of its own at the top a part that is ill makes nothing certain.
        ('{"components": {"db": {"status": "DOWN"}, "disk": {"status": "UP"}}}', Word.HALF, "components.db.status = DOWN"),
        ('{"checks": [{"name": "db", "status": "critical"}]}', Word.HALF, "checks[0].status = critical"),
        ('[{"Node": "a", "Status": "passing"}, {"Node": "b", "Status": "critical"}]', Word.HALF, "[1].Status = critical"),
        ('{"status": "ok?", "parts": {"db": "down"}}', Word.HALF, "parts.db = down"),
        ('{"errors": ["no database"]}', Word.HALF, "errors = ['no database']"),
        ('{"status": "UP", "components": {"db": {"status": "DOWN"}}, "errors": []}', Word.WELL, "status = UP"),
        # Sentences in plain text.
        ("Prometheus Server is Healthy.\n", Word.WELL, "Prometheus Server is Healthy."),
        ("All systems are operational.", Word.WELL, "All systems are operational."),
        ("The server is up and running!", Word.WELL, "The server is up and running!"),
        ("Alertmanager is not yet ready", Word.ILL, "Alertmanager is not yet ready"),
        ("The API is down: no database", Word.ILL, "The API is down: no database"),
        ("The store is running, degraded", Word.HALF, "The store is running, degraded"),
    ],
)  # fmt: skip
def test_words_and_shapes_of_frameworks_are_known(text: str, word: Word, shown: str) -> None:
    said = health_page.read(text)
    assert said is not None and (said.word, said.shown()) == (word, shown)


@pytest.mark.parametrize(
    ("heading", "stands_in"),
    [
        ("<title>Maintenance</title>", True),
        ("<h1>We'll be right back</h1>", True),
        ("<h1>Down for <b>scheduled</b> maintenance</h1>", True),
        ("<title>503 Service Temporarily Unavailable</title>", True),
        ("<title>502 Bad Gateway</title>", True),
        ("<title>Car maintenance in Leeds</title>", False),
        ("<title>Welcome</title>", False),
    ],
)
def test_a_page_that_stands_in_for_a_service_is_not_its_health(heading: str, stands_in: bool) -> None:
    said = health_page.read(f"<html>{heading}<p>…</p></html>", is_html=True)
    assert (said is not None and said.word is Word.HALF) is stands_in


def test_a_maintenance_page_at_a_known_path_is_not_healthy() -> None:
    found, finding = looked_at({"/health": (200, "<html><title>Maintenance</title></html>")}, html=True)
    assert found.remarks == ("it says 'Maintenance'",)
    assert (finding.verdict, finding.reason) == (Verdict.INCONCLUSIVE, "half-well"), finding.statement


@pytest.mark.parametrize("body", ['{"version": "1.2"}', "<h1>Welcome to nginx!</h1>"])
def test_where_any_200_counts_the_summary_says_so(body: str) -> None:
    _, finding = looked_at({"/health": (200, body)}, html=body.startswith("<"))
    assert finding.verdict is Verdict.PASS
    assert finding.seen.endswith("any 200 counts, since the page does not state its health")


@pytest.mark.parametrize("word", ["splendid", "brownout", "leader", "v2"])
def test_a_word_that_nobody_here_knows_makes_nothing_certain_and_can_be_stated(word: str) -> None:
    found, finding = looked_at({"/health": (200, f'{{"status": "{word}"}}')})
    assert found.remarks == (f"it says 'status = {word}', an unknown word",)
    assert (finding.verdict, finding.reason) == (Verdict.INCONCLUSIVE, "unknown-word"), finding.statement
    assert f'72 of 72: {{"status": "{word}"}}' in finding.statement
    _, stated = looked_at({"/health": (200, f'{{"status": "{word}"}}')}, stated={"health_expect": {"json": {"status": word}}})  # fmt: skip
    assert stated.verdict is Verdict.PASS, stated.statement


@pytest.mark.parametrize(
    "word", ["impaired", "partial_outage", "Degraded Performance", "under-maintenance", "read-only"]
)
def test_words_between_well_and_ill_make_nothing_certain(word: str) -> None:
    said = health_page.read(f'{{"status": "{word}"}}')
    assert said is not None and said.word is Word.HALF


def test_of_two_that_are_well_the_one_that_says_whether_it_is_ready_is_asked() -> None:
    found, _ = looked_at({"/livez": (200, "ok"), "/readyz": (200, "ok")}, samples=1)
    assert found.path == "/readyz"


@pytest.mark.parametrize("ill", [(503, "no database"), (200, CHECKS.format("-", "failed", "failed"))])
def test_who_is_alive_and_not_ready_is_not_well(ill: Page) -> None:
    found, finding = looked_at({"/livez": (200, "ok"), "/readyz": ill}, samples=12)
    assert found.path == "/readyz" and finding.verdict is Verdict.FAIL, finding.statement


def test_a_server_that_answers_5xx_wherever_nothing_is_has_its_health_where_it_answers() -> None:
    pages = dict.fromkeys((*discovery.HEALTH_PATHS, "/proofbook-no-such-path"), (503, "no such backend"))
    found, _ = looked_at({**pages, "/api/health": (200, '{"status": "ok"}')}, samples=1)
    assert found.path == "/api/health"


# What is not this service's own answer -------------------------------------------------------------------------------


def test_a_stored_copy_says_nothing_of_now() -> None:
    found, finding = looked_at({"/health": (200, '{"status": "ok"}')}, Age="86400")
    assert found.remarks == ("it is a cached copy, 86,400 s old",)
    assert (finding.verdict, finding.reason) == (Verdict.INCONCLUSIVE, "stale-copy"), finding.statement
    assert "72 of 72, up to 86,400 s old" in finding.statement
    _, fresh = looked_at({"/health": (200, '{"status": "ok"}')}, Age="0")
    assert fresh.verdict is Verdict.PASS


LONG_AGO = "2026-01-03T10:00:00+00:00"


@pytest.mark.parametrize("dated", [f'"timestamp": "{LONG_AGO}"', '"checkedAt": 1767434400000', '"generated_at": 1767434400.0', f'"Last-Checked": "{LONG_AGO}"'])  # fmt: skip
def test_a_page_that_was_made_long_ago_says_nothing_of_now(dated: str) -> None:
    found, finding = looked_at(
        {"/health": (200, f'{{"status": "ok", {dated}}}')}, Date="Sun, 04 Jan 2026 10:00:00 GMT"
    )
    assert found.remarks[0].endswith("86,400 s old and does not change, so the page is stale")
    assert (finding.verdict, finding.reason) == (Verdict.INCONCLUSIVE, "stale-page"), finding.statement


@pytest.mark.parametrize(
    "dated",
    [
        '"timestamp": "NOW"',
        f'"started": "{LONG_AGO}", "build": {{"time": "{LONG_AGO}"}}',  # of something else
        '"time": 0.004, "timestamp": "10:00:00", "now": null, "asOf": true',  # no time that tells
    ],
    ids=["of now", "of something else", "no time that tells"],
)
def test_a_page_of_now_or_with_a_time_of_something_else_is_well(dated: str) -> None:
    dated = dated.replace("NOW", dt.datetime.now(dt.UTC).isoformat())
    _, finding = looked_at({"/health": (200, f'{{"status": "ok", {dated}}}')})
    assert finding.verdict is Verdict.PASS, finding.statement


@pytest.mark.slow
def test_a_time_that_is_expected_to_be_what_it_is_dates_nothing() -> None:
    fields = {"status": "ok", "timestamp": LONG_AGO}
    _, finding = looked_at({"/health": (200, json.dumps(fields))}, stated={"health_expect": {"json": fields}})
    assert finding.verdict is Verdict.PASS, finding.statement


@pytest.mark.slow
def test_a_page_that_is_not_answered_at_times_is_found_and_judged_by_that() -> None:
    drops = [0, 2, *range(10, 60, 3)]
    found, finding = looked_at({"/status": (200, '{"status": "ok"}')}, drops=drops)
    assert found.path == "/status" and found.settings == {"health_expect": {"json": {"status": "ok"}}}
    assert finding.verdict is Verdict.FAIL, finding.statement
    # Never answered, where every other path is: that is where health is asked.
    found, finding = looked_at({"/status": (200, "ok")}, drops=range(1000))
    assert found.path == "/status" and any(
        remark.startswith("/status gives no answer") for remark in found.remarks
    )
    assert finding.verdict is Verdict.FAIL, finding.statement


def test_a_page_that_calls_itself_another_product_later_is_another_answer() -> None:
    chat, billing = '{"service": "chat", "status": "ok"}', '{"service": "billing", "status": "ok"}'
    found, finding = looked_at({"/health": (200, chat)}, then={"/health": (200, billing)}, samples=12)
    assert found.remarks == ("it calls itself service = chat",)
    assert finding.verdict is Verdict.FAIL, finding.statement
    # What is another for each instance is none.
    found, _ = looked_at({"/health": (200, '{"service": "chat-7f9c4d2e", "status": "ok"}')}, samples=1)
    assert found.settings == {"health_expect": {"json": {"status": "ok"}}}


@pytest.mark.slow
def test_an_application_of_one_page_is_asked_where_its_pages_are() -> None:
    everywhere = dict.fromkeys(discovery.HEALTH_PATHS, (200, "<title>Shop</title>"))
    everywhere["/proofbook-no-such-path"] = (200, "<title>Shop</title> another nonce")
    found, finding = looked_at({**everywhere, "/api/health": (200, '{"status": "ok"}')}, html=True)
    assert (found.path, found.settings["unknown_path"]) == ("/api/health", "/api/proofbook-no-such-path")
    assert finding.verdict is Verdict.PASS, finding.statement
    found, finding = looked_at(everywhere, html=True)
    assert found.remarks[-1] == "give the address of the health page: proofbook try URL/path"
    assert finding.verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    ("elsewhere", "verdict"),
    [('{"nowhere": [false, "ERR"]}', Verdict.PASS), ('{"PING": [true, "PONG"]}', Verdict.INCONCLUSIVE)],
)
def test_who_answers_200_to_all_is_well_where_only_the_page_for_health_says_what_is_expected(
    elsewhere: str, verdict: Verdict
) -> None:
    pages = {"/health": (200, '{"PING": [true, "PONG"]}'), "/proofbook-no-such-path": (200, elsewhere)}
    _, finding = looked_at(pages, stated={"health_expect": {"json": {"PING[1]": "PONG"}}})
    assert finding.verdict is verdict, finding.statement


def test_a_firewall_against_probes_is_told_from_a_login() -> None:
    found, _ = looked_at({"/health": (403, "blocked by rule 7")}, samples=1)
    assert found.remarks[-1] == (
        "/health says “blocked by rule 7”: name a token with --token-env NAME, or what it wants with --header NAME=env:VARIABLE"
    )
    found, _ = looked_at({"/health": (200, "ok")}, samples=1, blocks="proofbook-probe")
    assert found.remarks[-1].startswith(
        "/health answers 200 to a browser, and 403 “blocked by rule 7” to a probe"
    )


@pytest.mark.parametrize(
    ("status", "said", "reason"),
    [
        (400, "<title>400 No required SSL certificate was sent</title>", "client-certificate"),
        (400, "Client sent an HTTP request to an HTTPS server.", "other-protocol"),
        (400, "Invalid HTTP_HOST header", "asked-wrongly"),
        (421, "Misdirected Request", "asked-wrongly"),
    ],
)
def test_a_server_that_takes_no_request_of_ours_is_not_called_broken(
    status: int, said: str, reason: str
) -> None:
    everywhere = dict.fromkeys((*discovery.HEALTH_PATHS, "/proofbook-no-such-path"), (status, said))
    _, finding = looked_at(everywhere, samples=12, html=said.startswith("<"))
    assert (finding.verdict, finding.reason) == (Verdict.INCONCLUSIVE, reason), finding.statement


def test_one_page_that_answers_400_is_broken() -> None:
    _, finding = looked_at({"/health": (400, "no such thing")}, samples=12)
    assert finding.verdict is Verdict.FAIL, finding.statement


@pytest.mark.parametrize("drops", [range(6, 1000), [6], [7]], ids=["all", "the first", "another"])
def test_requests_without_any_answer_are_judged_with_those_that_have_one(drops: Sequence[int]) -> None:
    # The first look asks six times at most: once to find it, and again where that was dropped.
    found, finding = looked_at({"/health": (200, "ok")}, drops=drops, samples=72)
    assert found.path == "/health"
    assert finding.verdict is not Verdict.ERROR and finding.reason != "internal", finding.statement
