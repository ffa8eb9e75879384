"""What health pages say in sentences, tables, lines, XML and pictures, as services that somebody else wrote do, and what only looks like it."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from test_health_pages import looked_at

from proofbook.collect.services import health_page
from proofbook.collect.services.health_page import Word
from proofbook.judge.findings import Verdict

TABLE = "<html><title>Health Checks</title><table><tr><td>db</td><td>{}</td></tr><tr><td>mail</td><td>Healthy</td></tr></table>"
MULTI = '<?xml version="1.0"?><D:multistatus xmlns:D="DAV:"><D:response><D:status>HTTP/1.1 {}</D:status></D:response></D:multistatus>'


@pytest.mark.parametrize(
    ("text", "word"),
    [
        # Sentences.
        ("Service is in maintenance mode", Word.HALF),
        ("Temporarily unavailable, please try again later", Word.HALF),
        ("no healthy upstream", Word.HALF),
        ("The shop is currently closed. Come back soon!", Word.HALF),
        ('{"message": "We are performing scheduled maintenance. Please try again later."}', Word.HALF),
        ('{"detail": "The database is not available"}', Word.HALF),
        # A code beside what went wrong.
        ('{"code": 1001, "msg": "database error", "data": null}', Word.HALF),
        ('{"errcode": 40001, "errmsg": "request failed"}', Word.HALF),
        ('{"ret": -1, "msg": "backend timeout"}', Word.HALF),
        # The states of .NET as numbers.
        ('{"status": 0, "totalDuration": "00:00:00.01", "entries": {}}', Word.ILL),
        ('{"Status": 1, "TotalDuration": "00:00:00.01"}', Word.HALF),
        ('{"initialized": true, "sealed": true}', Word.HALF),
        # YAML, INI, tables.
        ("service: chat\nstatus: DOWN\n", Word.ILL),
        ("---\n# of the chat\nversion: 1.2\nparts:\n  - name: db\n    state: up\n  - name: mail\n    state: failed\n", Word.HALF),
        ("[app]\nname=chat\nstatus=down\n", Word.HALF),
        ("# pxname,svname,status\napp,web1,UP\napp,web2,DOWN\n", Word.HALF),
        ("host\tstate\na\tup\nb\tunhealthy\n", Word.HALF),
        ("1790000000 12:00:00 cluster-a red 3 3 10 5 0 0 2 0 - 71.4%\n", Word.HALF),
        # Pictures.
        ("❌ database", Word.ILL),
        ("✅ web\n❌ database\n", Word.HALF),
        ('{"database": "🔴"}', Word.ILL),
        # XML.
        ('<report><component name="db" ok="false"/><component name="web" ok="true"/></report>', Word.HALF),
        ("<parts><part><status>UP</status></part><part><status>DOWN</status></part></parts>", Word.HALF),
        (MULTI.format("503 Service Unavailable"), Word.ILL),
        # Scripts.
        ('callback({"status": "DOWN"});', Word.ILL),
        ('/**/ app.health({"status": "fail"})', Word.ILL),
        # Pages for people.
        (TABLE.format("Unhealthy"), Word.HALF),
        (TABLE.format("<b>DOWN</b>"), Word.HALF),
        ("<html><body><h1>Status: DOWN</h1></body></html>", Word.HALF),
        ("<html><h2>Application is not available</h2></html>", Word.HALF),
        ("<html><title>Account Suspended</title></html>", Word.HALF),
        ("<html><h1>Error establishing a database connection</h1></html>", Word.HALF),
        ("<html><h1>Whitelabel Error Page</h1></html>", Word.HALF),
        ("<html><title>Site under maintenance | Shop</title></html>", Word.HALF),
        ("<br />\n<b>Warning</b>:  mysqli_connect(): refused in <b>/a.php</b> on line <b>3</b><br />\nOK", Word.HALF),
    ],
)  # fmt: skip
def test_what_is_not_well_is_read_in_whatever_form_it_is_said(text: str, word: Word) -> None:
    said = health_page.read(text, is_html=text.startswith("<br"))
    assert said is not None and said.word is word, said


@pytest.mark.parametrize(
    "text",
    [
        "No maintenance is scheduled",
        "Maintenance will be on Sunday at 02:00",
        "Try this if it is temporarily unavailable",
        '{"status": "ok", "message": "Scheduled maintenance on Sunday"}',
        '{"status": "ok", "notice": "The old API is not available"}',
        '{"code": 0, "msg": "no error"}',
        '{"code": 200, "msg": "0 requests failed"}',
        '{"code": 1, "message": "error rate 0"}',
        '{"status": 2, "totalDuration": "00:00:00.01", "entries": {}}',
        '{"status": 0, "name": "chat"}',
        '{"initialized": true, "sealed": false}',
        "service: chat\nstatus: UP\n",
        "version: 1.2\nparts:\n  db: up\n  mail: up\n",
        "host\tstate\na\tup\nb\tup\n",
        "1790000000 12:00:00 cluster-a green 3 3 10 5 0 0 2 0 - 100.0%\n",
        "✅ OK",
        "✅ web\n🟢 database\n",
        '<report><component name="db" ok="true"/></report>',
        "<parts><part><status>UP</status></part><part><status>UP</status></part></parts>",
        MULTI.format("200 OK"),
        'callback({"status": "UP"});',
        TABLE.format("Healthy"),
        "<html><title>Shop</title><table><tr><td>Down</td><td>Up</td></tr></table></html>",
        "<html><h1>Status: UP</h1></html>",
        "<html><h1>Why a site is temporarily unavailable</h1></html>",
        "<html><title>Maintenance | Garages of Leeds</title></html>".replace("Maintenance |", "Car maintenance |"),
        "<html><title>How to suspend an account</title></html>",
    ],
)  # fmt: skip
def test_what_is_well_is_not_taken_for_ill_by_its_words(text: str) -> None:
    said = health_page.read(text)
    assert said is None or (said.word in (Word.WELL, Word.UNKNOWN) and not said.beside), said


def test_a_page_that_is_kept_with_the_date_of_its_answer_says_nothing_of_now() -> None:
    old = "Mon, 03 Aug 2026 10:00:00 GMT"
    _, finding = looked_at({"/health": (200, '{"status": "ok"}')}, Date=old)
    assert (finding.verdict, finding.reason) == (Verdict.INCONCLUSIVE, "stale-page"), finding.statement
    stamp = "2026-08-03T10:00:00Z"
    _, finding = looked_at({"/health": (200, f'{{"status": "ok", "timestamp": "{stamp}"}}')}, Date=old)
    assert finding.reason == "stale-page", finding.statement
    now = format(dt.datetime.now(dt.UTC), "%a, %d %b %Y %H:%M:%S GMT")
    _, finding = looked_at({"/health": (200, '{"status": "ok"}')}, Date=now)
    assert finding.verdict is Verdict.PASS, finding.statement


@pytest.mark.parametrize("encoding", ["br", "zstd", "compress"])
def test_an_answer_that_is_packed_in_a_way_that_is_not_read_here_is_not_called_broken(encoding: str) -> None:
    headers: dict[str, Any] = {"Content-Encoding": encoding}
    _, finding = looked_at({"/health": (200, "\x0b\x07\x80")}, **headers)
    assert (finding.verdict, finding.reason) == (Verdict.INCONCLUSIVE, "unknown-word"), finding.statement
    assert f"packed as '{encoding}'" in finding.statement
    _, finding = looked_at({"/health": (503, "\x0b\x07\x80")}, **headers)
    assert finding.verdict is Verdict.FAIL, finding.statement
