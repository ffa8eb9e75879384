"""What pages say of a service that is not well while they answer 200, and what only looks like that."""

from __future__ import annotations

import httpx
import pytest
from test_health_pages import looked_at

from proofbook.collect.answers import Answer
from proofbook.collect.services import health, health_page
from proofbook.collect.services.health_page import Word
from proofbook.config.services import Service
from proofbook.judge.findings import Verdict

METRICS = '# HELP up Whether it is up.\n# TYPE up gauge\nup{job="chat"} 0\n# TYPE memory_bytes gauge\nmemory_bytes 12\n'


@pytest.mark.parametrize(
    ("text", "word", "shown"),
    [
        # Wrappers that repeat a status, or say in words what is wrong.
        ('{"code": 500, "message": "database unreachable", "data": null}', Word.ILL, "code = 500"),
        ('{"statusCode": 503, "error": "Service Unavailable"}', Word.ILL, "statusCode = 503"),
        ('{"message": "could not connect to the database"}', Word.HALF, "message = could not connect to the database"),
        ('{"status": "ok", "error": "no pool left"}', Word.HALF, "error = no pool left"),
        # Parts at the page's own top.
        ('{"status": "ok", "database": "connection refused"}', Word.HALF, "database = connection refused"),
        ('{"status": "ok", "mq": "Error: connect ECONNREFUSED 10.0.0.3:5672"}', Word.HALF, "mq = Error: connect ECONNREFUSED 10.0.0.3:5672"),
        ('{"status": "ok", "redis": false}', Word.HALF, "redis = false"),
        ('{"status": "ok", "dbConnected": false}', Word.HALF, "dbConnected = false"),
        ('{"broker_reachable": false, "version": "3"}', Word.HALF, "broker_reachable = false"),
        # Flags that say that nobody is served.
        ('{"status": "ok", "maintenance": true}', Word.HALF, "maintenance = true"),
        ('{"status": "ok", "isDraining": true, "debug": true}', Word.HALF, "isDraining = true"),
        # JSON that is guarded against being a script, was written twice, or stands in lines.
        (")]}',\n{\"status\": \"DOWN\"}", Word.ILL, "status = DOWN"),
        ("for(;;);{\"status\": \"fail\"}", Word.ILL, "status = fail"),
        ('"{\\"status\\": \\"DOWN\\"}"', Word.ILL, "status = DOWN"),
        ('{"name": "a", "status": "UP"}\n{"name": "b", "status": "DOWN"}\n', Word.HALF, "[1].status = DOWN"),
        # JSON that breaks off, whatever its beginning says.
        ('{"status":"o', Word.HALF, "JSON that breaks off"),
        ('{"status": "ok", "db": {"status": "ok"}, "uptime', Word.HALF, "JSON that breaks off"),
        # Lists of parts in plain text.
        ("db: ok\nredis: FAIL\n", Word.HALF, "redis: FAIL"),
        ("db=ok, redis=down", Word.HALF, "redis=down"),
        ("database ........ OK\nmail ........ FAILED\n", Word.HALF, "mail ........ FAILED"),
        ('<?xml version="1.0"?><health status="DOWN" time="1"/>', Word.ILL, "status = DOWN"),
        # Metrics, whatever they say.
        ("up 0\n", Word.HALF, "metrics (up 0) and no word of health"),
        (METRICS, Word.HALF, "metrics (up 0) and no word of health"),
        ('requests_total{path="/ws",code="200"} 1.5e+03 1764355200000\nup 1\n', Word.HALF, "metrics and no word of health"),
        ("# TYPE a_seconds summary\na_seconds{quantile=\"0.5\"} NaN\na_seconds_count 0\n# EOF\n", Word.HALF, "metrics and no word of health"),
        # What a crash left.
        ("Traceback (most recent call last):\n  File \"a.py\", line 3\nOSError: refused", Word.ILL, "Traceback (most recent call last):"),
        ("<br />\n<b>Fatal error</b>:  Uncaught PDOException: refused in /a.php:12", Word.ILL, "Fatal error : Uncaught PDOException: refused in /a.php:12"),
        ("java.lang.IllegalStateException: no pool\n\tat a.B.c(B.java:7)", Word.ILL, "java.lang.IllegalStateException: no pool"),
        ("upstream connect error or disconnect/reset before headers", Word.ILL, "upstream connect error or disconnect/reset before headers"),
        ("<?xml version='1.0'?><s:Envelope><s:Body><s:Fault><faultstring>no pool</faultstring></s:Fault></s:Body></s:Envelope>", Word.ILL, "no pool"),
    ],
)  # fmt: skip
def test_what_a_page_with_200_says_that_is_wrong_is_read(text: str, word: Word, shown: str) -> None:
    said = health_page.read(text)
    assert said is not None and (said.word, said.shown()) == (word, shown)


@pytest.mark.parametrize(
    "heading",
    [
        "<title>Wartungsarbeiten</title>",
        "<title>Site en maintenance</title>",
        "<h1>Estamos</h1><h1>En mantenimiento</h1>",
        "<title>Just a moment...</title>",
        "<title>Attention Required! | Cloudflare</title>",
        "<title>Access Denied</title>",
        "<title>example.com is for sale</title>",
        "<title>Application error</title>",
        "<title>404 Not Found</title>",
        "<title>Error 503</title>",
        "<h1>Partial System Outage</h1>",
        "<h1>Some of our services are experiencing issues</h1>",
        "<title>We&#39;re sorry, but something went wrong (500)</title>",
        "<title>Acme</title><form><input name=user><input type=password></form>",
    ],
)
def test_a_page_of_a_proxy_a_login_or_a_challenge_is_not_the_health_of_a_service(heading: str) -> None:
    for text, is_html in ((f"<html>{heading}</html>", False), (heading, True)):
        said = health_page.read(text, is_html=is_html)
        assert said is not None and said.word in (Word.HALF, Word.CHALLENGE), said


@pytest.mark.parametrize(
    "text",
    [
        '{"status": "ok", "last_error": "connection refused", "last_error_at": "2025-01-01"}',
        '{"status": "ok", "errors": 3, "uptime_s": 12, "timeout": "timed out after 30 s"}',
        '{"status": "ok", "errors": [], "warnings": [], "failed": 0}',
        '{"status": "UP", "degraded": false, "maintenance": false, "down": [], "debug": false, "read_only": false}',
        '{"status": "ok", "features": {"search": false}, "cache": false, "tls": false}',
        '{"status": "ok", "db": {"error": null, "status": "ok"}, "error": null}',
        '{"code": 0, "message": "OK", "data": {}}',
        '{"code": 200, "message": "success"}',
        '{"message": "Connections are accepted", "description": "Tells whether the host is unreachable"}',
        '{"status": "UP", "components": {"mail": {"status": "DISABLED"}, "x": {"status": "UNKNOWN"}}}',
        "OK: 0 errors, 0 failures, nothing degraded",
        "db: ok\nredis: ok\n",
        "Name: api\nVersion: down-under\n",
        "healthy (load 0.34, 12 requests)",
        "{'status': 'ok', 'uptime': 3.5}",
        '{"status": "ok", "uptime": NaN}',
        "<html><title>Status</title><h1>All systems operational</h1><h2>Past incidents</h2><p>The API was down</p></html>",
        "<html><title>Error budgets explained</title></html>",
        "<html><title>Notes on Access Control</title><h1>Maintenance of cars</h1></html>",
    ],
)
def test_what_only_looks_like_trouble_is_none(text: str) -> None:
    said = health_page.read(text)
    assert said is None or (said.word in (Word.WELL, Word.UNKNOWN) and not said.beside), said
    assert said is None or said.word is Word.WELL or "{" in text


@pytest.mark.parametrize(
    ("body", "part"),
    [
        ('{"status": "Healthy", "results": {"sql": {"status": "Unhealthy"}}}', "results.sql.status = Unhealthy"),
        ('{"status": "ok", "checks": [{"name": "db", "passed": false}]}', "checks[0].passed = false"),
    ],
)  # fmt: skip
def test_a_part_that_is_ill_beside_a_good_word_is_named(body: str, part: str) -> None:
    _, finding = looked_at({"/health": (200, body)})
    assert finding.verdict is Verdict.PASS
    assert finding.seen.endswith(f"although 72 of them say {part}"), finding.seen


def test_what_a_page_said_later_of_a_part_is_named_beside_the_word_that_was_expected() -> None:
    _, finding = looked_at(
        {"/health": (200, '{"status": "ok", "db": "up"}')},
        then={"/health": (200, '{"status": "ok", "db": "down"}')},
    )
    assert finding.verdict is Verdict.PASS and "although 72 of them say db = down" in finding.seen


def test_a_login_at_the_path_of_health_is_not_known() -> None:
    _, finding = looked_at({"/health": (200, "<form><input type='password'></form>")}, html=True)
    assert (finding.verdict, finding.reason) == (Verdict.INCONCLUSIVE, "half-well"), finding.statement


def test_a_service_that_was_starting_is_asked_again_and_not_broken() -> None:
    pages = {"/health": (503, '{"status": "starting"}')}
    found, finding = looked_at(pages, then={"/health": (200, '{"status": "ok"}')}, then_after=12)
    assert found.path == "/health"
    assert (finding.verdict, finding.reason) == (Verdict.INCONCLUSIVE, "was-starting"), finding.statement


@pytest.mark.parametrize("text", [')]}\',\n{"status": "UP"}', '"{\\"status\\": \\"UP\\"}"'])
def test_a_page_that_is_well_in_a_wrapping_is_expected_to_say_nothing_that_cannot_be_looked_up(
    text: str,
) -> None:
    found, finding = looked_at({"/health": (200, text)}, samples=72)
    assert "health_expect" not in found.settings
    assert finding.verdict is Verdict.PASS, finding.statement


@pytest.mark.parametrize("text", ["OK 200", "up", "status 200\nuptime 3", "ready 1", "up 17 days"])
def test_what_is_no_metric_is_not_called_one(text: str) -> None:
    said = health_page.read(text)
    assert said is None or "metrics" not in said.shown()


@pytest.mark.parametrize("up", [0, 1])
def test_metrics_at_the_path_of_health_are_not_called_healthy(up: int) -> None:
    found, finding = looked_at({"/health": (200, f"# TYPE up gauge\nup {up}\n")})
    assert found.path == "/health" and found.remarks[0] == "/health is a page of metrics"
    assert (finding.verdict, finding.reason) == (Verdict.INCONCLUSIVE, "half-well"), finding.statement
    assert "and no word of health" in finding.statement


def test_metrics_at_another_usual_path_do_not_hide_the_health_page() -> None:
    found, finding = looked_at({"/healthz": (200, "ok"), "/status": (200, METRICS)})
    assert found.path == "/healthz" and finding.verdict is Verdict.PASS, finding.statement


@pytest.mark.parametrize(
    ("expected", "word", "well"),
    [
        ({"service": "chat"}, "ok", True),
        # Nobody said that this is well: the page's own word counts.
        ({"service": "chat"}, "down", False),
        ({"service": "chat", "version": "2"}, "down", False),
        ({"service": "chat", "status": "down"}, "down", True),
        ({"service": "other"}, "ok", False),
    ],
)
def test_an_expectation_of_the_product_alone_leaves_to_the_page_how_it_is(
    expected: dict[str, str], word: str, well: bool
) -> None:
    stated = {"name": "a", "url": "http://a", "health_expect": {"json": expected}}
    body = f'{{"service": "chat", "version": "2", "status": "{word}"}}'.encode()
    answer = Answer(status_code=200, headers=httpx.Headers(), body=body)
    assert health.is_well(answer, Service.model_validate(stated)) is well


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("Traceback (most recent call last):\n  File", "a page that says Traceback (most recent call last):"),
        # What an endpoint says in its own words is its own affair.
        ('{"error": "no such item"}', ""),
    ],
)
def test_the_text_of_a_crash_is_no_answer_of_an_endpoint_that_is_timed(text: str, error: str) -> None:
    answer = Answer(status_code=200, headers=httpx.Headers(), body=text.encode())
    row = health._told(answer, Service.model_validate({"name": "a", "url": "http://a"}), "timed")
    assert (row["ok"], row["error"]) == (not error, error)
