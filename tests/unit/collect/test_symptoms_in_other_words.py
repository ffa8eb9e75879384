"""A symptom that goes on in lines of another make is never called gone, nor are errors that are new called none."""

from __future__ import annotations

import functools
import json
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from builders import json_lines, view

from proofbook.collect.logs.recorder import record
from proofbook.config.fixes import Symptom
from proofbook.config.sources import LogSource
from proofbook.judge.check import Check, Recipe
from proofbook.judge.checks.log_gone import gone
from proofbook.judge.checks.log_novelty import no_new_errors
from proofbook.judge.findings import Finding, Verdict
from proofbook.judge.settle import settle
from proofbook.judge.window import Windows

pytestmark = pytest.mark.slow

START = pd.Timestamp("2026-01-01T12:00:00Z")
SYMPTOM = "RecursionError"
GONE = gone(Symptom(log=SYMPTOM, examples=[SYMPTOM]), source="log", absent_rate=0.01)
COUNT = 600


@functools.cache
def tables_of(text: str) -> dict[str, pd.DataFrame]:
    """A log recorded as a run records it; once, since many tests begin with the same before."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "log").write_text(text)
        found, problems = record([LogSource(name="log", file="log")], [SYMPTOM], base=folder, folder=folder)
    assert not problems
    return {name: table for name, table in found.items() if isinstance(table, pd.DataFrame)}


def judged(recipe: Recipe, *, before: str, after: str, kind: str = "fix") -> Finding:
    """What a claim says of two logs; the deployment lies between them."""
    tables = {(phase, name): table for phase, text in (("before", before), ("after", after)) for name, table in tables_of(text).items()}  # fmt: skip
    begun, until, deployed_at, ended = (START + pd.Timedelta(seconds=at) for at in (0, 100, 200, 300))
    windows = Windows(before=(begun, until), after=(deployed_at, ended), deployed_at=deployed_at, settled_at=deployed_at)  # fmt: skip
    check = Check(id="log", kind=kind, claim="", group="logs", recipe=recipe)
    return settle(check, view(tables, windows))


def moment(index: int, *, first_s: int) -> pd.Timestamp:
    return START + pd.Timedelta(seconds=first_s) + pd.Timedelta(milliseconds=100_000 // COUNT * index)


def text_lines(first_s: int, *, crash_every: int = 0) -> list[str]:
    found = []
    for index in range(COUNT):
        at = moment(index, first_s=first_s)
        said = f"ERROR {SYMPTOM}: too deep" if crash_every and index % crash_every == 0 else "INFO served"
        found.append(f"{at:%Y-%m-%dT%H:%M:%S.%f}Z {said}\n")
    return found


def objects(first_s: int, *, crash_every: int = 0) -> list[str]:
    found = []
    for index in range(COUNT):
        at = moment(index, first_s=first_s).isoformat()
        crashes = crash_every and index % crash_every == 0
        level, said = ("error", f"{SYMPTOM}: too deep") if crashes else ("info", "served")
        found.append(json.dumps({"time": at, "level": level, "msg": said}) + "\n")
    return found


# Another writer of the file dates its lines in ways of its own.
DATED_OTHERWISE = {
    "a report of Erlang": "=ERROR REPORT==== 1-Jan-2026::12:04:10 ===\nRecursionError: too deep",
    "seconds with a comma": "1767269050,123 FATAL RecursionError: too deep",
    "words of Swedish": "torsdag 1 januari 2026 kl 12.04.10 RecursionError: too deep",
    "a week and its day": "2026-W01-4T12:04:10Z FATAL RecursionError: too deep",
    "signs of Japanese": "2026年01月01日 12時04分10秒 RecursionError: too deep",
    "a browser's": "[0101/120410.123456:FATAL:walk.cc(3)] RecursionError: too deep",
    "seconds since the machine began": "[  250.123456] app: RecursionError: too deep",
    "a clock without seconds": "12:04PM FTL RecursionError: too deep",
    "an element": '<event time="2026-01-01T12:04:10Z"><m>RecursionError: too deep</m></event>',
    "items of YAML": "- at: 2026-01-01T12:04:10Z\n  said: 'RecursionError: too deep'",
    "a second byte order mark": "\ufeff2026-01-01T12:04:10Z FATAL RecursionError: too deep",
    "a telephone's": "01-01 12:04:10.123  4711  4711 E App: RecursionError: too deep",
}

# The runtime itself writes what ended the program, between the objects of its logger.
RAW = {
    "Java": 'Exception in thread "main" java.lang.Error: RecursionError\n\tat shop.Walk.run(Walk.java:3)',
    "Go": "panic: RecursionError: too deep\n\ngoroutine 1 [running]:\nmain.walk(...)\n\t/srv/walk.go:3",
    "Node": "/srv/walk.js:3\n  throw e\n  ^\n\nError: RecursionError\n    at walk (/srv/walk.js:3:1)\n\nNode.js v20.1.0",
    "Rust": "thread 'main' panicked at src/walk.rs:3:1:\nRecursionError: too deep\nnote: run with `RUST_BACKTRACE=1`",
    "PHP": "PHP Fatal error:  Uncaught RecursionError: too deep in /srv/a.php:3\nStack trace:\n#0 {main}\n  thrown in /srv/a.php on line 3",
    "Ruby": "walk.rb:3:in `walk': too deep (RecursionError)\n\tfrom walk.rb:5:in `<main>'",
    "Elixir": "** (RecursionError) too deep\n    (shop 1.0.0) lib/walk.ex:3: Shop.walk/1",
    ".NET": "Unhandled exception. System.Exception: RecursionError\n   at Shop.Walk() in /srv/Walk.cs:line 3",
    "a group of exceptions": "  + Exception Group Traceback (most recent call last):\n  | ExceptionGroup: walks (1 sub-exception)\n  +-+---------------- 1 ----------------\n    | RecursionError: too deep\n    +------------------------------------",
    "C++": "terminate called after throwing an instance of 'RecursionError'\n  what():  too deep",
    "Python's fault handler": 'Fatal Python error: RecursionError\n\nCurrent thread 0x00007f (most recent call first):\n  File "/srv/a.py", line 3 in walk',
    "an object that was cut": '{"time": "2026-01-01T12:04:10Z", "level": "error", "msg": "RecursionError: too de',
}


@pytest.mark.usual_cases(6)
@pytest.mark.parametrize("form", DATED_OTHERWISE)
def test_a_symptom_in_lines_that_are_dated_otherwise_is_not_gone(form: str) -> None:
    after = text_lines(200)
    for number in range(40):
        after.insert(20 + 12 * number, DATED_OTHERWISE[form] + "\n")
    found = judged(GONE, before="".join(text_lines(0, crash_every=20)), after="".join(after))
    assert found.verdict is not Verdict.PASS, found.statement


@pytest.mark.usual_cases(6)
@pytest.mark.parametrize("runtime", RAW)
def test_a_symptom_that_the_runtime_writes_between_objects_is_not_gone(runtime: str) -> None:
    after = objects(200)
    for number in range(40):
        after.insert(20 + 12 * number, RAW[runtime] + "\n")
    found = judged(GONE, before="".join(objects(0, crash_every=20)), after="".join(after))
    assert found.verdict is not Verdict.PASS, found.statement


@pytest.mark.parametrize("lines", [text_lines, objects])
def test_a_symptom_that_no_line_holds_any_more_is_gone(lines: Any) -> None:
    found = judged(GONE, before="".join(lines(0, crash_every=20)), after="".join(lines(200)))
    assert found.verdict is Verdict.PASS, found.statement


STACK = "TypeError: basket is undefined\n    at pay (/srv/app/pay.js:7:1)"
WELL, FAILED = "info", "error"


def express_winston(level: str, at: str) -> dict[str, Any]:
    meta = {"res": {"statusCode": 200 if level == WELL else 500}, "req": {"method": "POST", "url": "/pay"}}
    more = {} if level == WELL else {"error": {"stack": STACK}}
    return {"timestamp": at, "level": level, "message": "HTTP POST /pay", "meta": meta | more}


def in_the_message(level: str, at: str) -> dict[str, Any]:
    said = {"msg": "paid", "status": 200} if level == WELL else {"msg": STACK, "status": 500}
    return {"time": at, "level": level, **said}


def bunyan(level: str, at: str) -> dict[str, Any]:
    said: dict[str, Any] = {"level": 30, "msg": "", "res": {"statusCode": 200}}
    if level != WELL:
        error = {"name": "TypeError", "message": "basket is undefined", "stack": STACK}
        said = {"level": 50, "msg": "", "res": {"statusCode": 500}, "err": error}
    return {"name": "shop", "hostname": "web", "pid": 1, "v": 0, "time": at, **said}


def serilog(level: str, at: str) -> dict[str, Any]:
    said: dict[str, Any] = {"@m": "HTTP POST /pay responded", "StatusCode": 200 if level == WELL else 500}
    return {"@t": at, **said, **({} if level == WELL else {"@l": "Error", "@x": STACK})}


def logback(level: str, at: str) -> dict[str, Any]:
    status = {"response_code": 200 if level == WELL else 500}
    return {"@timestamp": at, "level": level.upper(), "message": "POST /pay", **status, **({} if level == WELL else {"stack_trace": STACK})}  # fmt: skip


def elastic(level: str, at: str) -> dict[str, Any]:
    said = {"http": {"response": {"status_code": 200 if level == WELL else 500}}, "message": "POST /pay"}
    return {"@timestamp": at, "log.level": level, **said, **({} if level == WELL else {"error": {"stack_trace": STACK}})}  # fmt: skip


def cloud_logging(level: str, at: str) -> dict[str, Any]:
    request = {"requestMethod": "POST", "requestUrl": "/pay", "status": 200 if level == WELL else 500}
    payload = {"message": "paid"} if level == WELL else {"message": "failed", "stack_trace": STACK}
    return {"timestamp": at, "severity": level.upper(), "httpRequest": request, "jsonPayload": payload}


def datadog(level: str, at: str) -> dict[str, Any]:
    error = {} if level == WELL else {"error": {"kind": "TypeError", "message": "basket is undefined", "stack": STACK}}  # fmt: skip
    return {"timestamp": at, "status": level, "message": "POST /pay", "http": {"status_code": 200 if level == WELL else 500}, **error}  # fmt: skip


def python_json_logger(level: str, at: str) -> dict[str, Any]:
    raised = {} if level == WELL else {"exc_info": STACK}
    return {"asctime": at, "levelname": level.upper(), "message": "POST /pay", "status_code": 200 if level == WELL else 500, **raised}  # fmt: skip


def zap(level: str, at: str) -> dict[str, Any]:
    error = {} if level == WELL else {"error": "TypeError: basket is undefined", "stacktrace": "main.pay\n\t/srv/pay.go:7"}  # fmt: skip
    return {"ts": at, "level": level, "msg": "handled request", "status": 200 if level == WELL else 502, **error}  # fmt: skip


LOGGERS = (express_winston, in_the_message, bunyan, serilog, logback, elastic, cloud_logging, datadog, python_json_logger, zap)  # fmt: skip


def logged(logger: Any, first_s: int, *, error_every: int = 0) -> str:
    times = [moment(index, first_s=first_s).isoformat() for index in range(COUNT)]
    return json_lines(*(logger(FAILED if error_every and index % error_every == 0 else WELL, at) for index, at in enumerate(times)))  # fmt: skip


@pytest.mark.usual_cases(5)
@pytest.mark.parametrize("logger", LOGGERS)
def test_errors_that_are_new_are_told_however_a_logger_notes_the_status(logger: Any) -> None:
    found = judged(no_new_errors("log"), before=logged(logger, 0), after=logged(logger, 200, error_every=7), kind="guard")  # fmt: skip
    assert found.verdict is Verdict.FAIL, found.statement
    assert ("main.pay" if logger is zap else "basket is undefined") in found.statement


@pytest.mark.parametrize("logger", [zap, elastic])
def test_a_logger_that_logs_no_error_has_no_new_one(logger: Any) -> None:
    found = judged(no_new_errors("log"), before=logged(logger, 0), after=logged(logger, 200), kind="guard")
    assert found.verdict is Verdict.PASS, found.statement
