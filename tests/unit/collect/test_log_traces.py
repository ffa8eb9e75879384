"""Stack traces are one exception each, however a runtime took them apart."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
from builders import json_lines
from traces import TRACES, Trace

from proofbook.collect.logs.aggregates import HOLDS_TRACEBACK
from proofbook.config.sources import LogSource
from proofbook.judge.log_text.tracebacks import parse
from proofbook.notebook.quicklook import look_at_log

pytestmark = pytest.mark.slow


def found_in(folder: Path, text: str) -> list[tuple[str, str, int]]:
    """Kind, what and entries of each kind in a log."""
    (folder / "log").write_text(text)
    source = LogSource(name="log", file="log", utc_offset="+00:00")
    return [(row.kind, row.what, row.entries) for row in look_at_log(source, base=folder).kinds.itertuples()]


def exceptions(kinds: list[tuple[str, str, int]]) -> dict[str, int]:
    """Entries of each exception, its numbers left out."""
    return {re.sub(r"\d+", "#", what): entries for kind, what, entries in kinds if kind == "exception"}


def expected(*, times: int) -> dict[str, int]:
    """The same of a log that holds each trace so many times."""
    found = (parse(trace.written()) for trace in TRACES)
    return {re.sub(r"\d+", "#", item.raised.told): times for item in found if item is not None}


def per_line(text: str, header: Callable[[float], str], *, start_s: float) -> str:
    """Each line with a header of its own, a millisecond after the one before."""
    lines = text.split("\n")
    return "".join(f"{header(start_s + 0.001 * number)}{line}\n" for number, line in enumerate(lines))


def clock(seconds: float) -> str:
    return f"10:{int(seconds) // 60:02}:{seconds % 60:09.6f}"


def compose(seconds: float, name: str = "web-1") -> str:
    return f"{name}  | 2026-03-01T{clock(seconds)}Z "


HEADERS: dict[str, Callable[[float], str]] = {
    "compose": compose,
    "heroku": lambda seconds: f"2026-03-01T{clock(seconds)}+00:00 app[web.1]: ",
    "kubectl": lambda seconds: f"2026-03-01T{clock(seconds)}000Z ",
    "syslog": lambda seconds: f"Mar  1 {clock(seconds)[:8]} host shop[7]: ",
    "cri": lambda seconds: f"2026-03-01T{clock(seconds)}000Z stderr F ",
}
TICKS = ("basket opened", "basket closed", "customer came", "customer left")
# What some programs write before or after a trace is a message of its own where each line is an entry.
PREFACES = {"Request <*> failed", "while reading rules <*>"}


@pytest.mark.parametrize("how", HEADERS)
def test_traces_of_which_each_line_has_a_header_are_one_exception_each(how: str, tmp_path: Path) -> None:
    header, text = HEADERS[how], ""
    for number, trace in enumerate(TRACES * 2):
        text += "".join(per_line(TICKS[tick % 4], header, start_s=20 * number + tick) for tick in range(10))
        text += per_line(trace.written(number=20 + number), header, start_s=20 * number + 15)
    kinds = found_in(tmp_path, text)
    assert exceptions(kinds) == expected(times=2)
    assert {what for kind, what, _ in kinds if kind == "message"} - PREFACES == set(TICKS)


def in_whole(trace: Trace, number: int) -> str:
    entry = {
        "time": f"2026-03-01T10:{number:02}:15Z",
        "level": "error",
        "message": trace.written(number=20 + number),
    }
    return json.dumps(entry) + "\n"


def escaped(trace: Trace, number: int) -> str:
    text = trace.written(number=20 + number).replace("\n", "#012").replace("\t", "#011")
    return f"2026-03-01T10:{number:02}:15Z host shop[7]: {text}\n"


def line_by_line(trace: Trace, number: int) -> str:
    times = (f"2026-03-01T10:{number:02}:15.{n:03}Z" for n in range(1000))
    lines = trace.written(number=20 + number).split("\n")
    return json_lines(*({"log": f"{line}\n", "stream": "stderr", "time": time} for line, time in zip(lines, times, strict=False)))  # fmt: skip


def raw(trace: Trace, number: int) -> str:
    return f"2026-03-01T10:{number:02}:15Z ERROR request failed\n{trace.written(number=20 + number)}\n"


FORMS = {form.__name__: form for form in (in_whole, escaped, line_by_line, raw)}
OF_A_TICK: dict[str, Callable[[str], str]] = {
    "in_whole": lambda time: json.dumps({"time": time, "level": "info", "message": "tick"}) + "\n",
    "escaped": lambda time: f"{time} host shop[7]: tick\n",
    "line_by_line": lambda time: json.dumps({"log": "tick\n", "stream": "stdout", "time": time}) + "\n",
    "raw": lambda time: f"{time} INFO tick\n",
}


@pytest.mark.parametrize("how", FORMS)
def test_traces_in_any_other_form_are_one_exception_each(how: str, tmp_path: Path) -> None:
    text = ""
    for number, trace in enumerate(TRACES):
        ticks = (OF_A_TICK[how](f"2026-03-01T10:{number:02}:{second:02}Z") for second in range(10))
        text += "".join(ticks) + FORMS[how](trace, number)
    kinds = found_in(tmp_path, text)
    assert exceptions(kinds) == expected(times=1)
    said = {what for kind, what, _ in kinds if kind == "message"}
    assert said - PREFACES - {"request failed"} == {"tick"}


def test_traces_of_two_writers_that_write_at_once_are_not_mixed(tmp_path: Path) -> None:
    node = "TypeError: no {0}\n    at pay (/app/{0}.js:1:1)\n    at run (/app/{0}.js:2:1)"
    lines = []
    for number, name in enumerate(("web", "worker", "cache")):
        container = f"shop-{number}"
        for millisecond, line in enumerate(node.format(name).split("\n")):
            lines.append((0.001 * millisecond, f"{compose(5 + 0.001 * millisecond, container)}{line}\n"))
        lines += [(second, f"{compose(second, container)}tick\n") for second in range(10, 20)]
    kinds = found_in(tmp_path, "".join(line for _, line in sorted(lines, key=lambda item: item[0])))
    assert {what for kind, what, _ in kinds if kind == "exception"} == {
        f"TypeError: no {name} in pay (app/{name}.js)" for name in ("web", "worker", "cache")
    }


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("TypeError: no basket\n    at pay (/app/pay.js:1:1)", "RangeError: too far\n    at walk (/app/walk.js:1:1)"),
        ("java.io.IOException: a\n\tat com.example.A.run(A.java:1)", "java.io.EOFException: b\n\tat com.example.B.run(B.java:1)"),
        ("Traceback (most recent call last):\n  File \"/app/a.py\", line 1, in f\n    g()\nValueError: a", "Traceback (most recent call last):\n  File \"/app/b.py\", line 1, in f\n    g()\nKeyError: 'b'"),
        ("panic: a\n\ngoroutine 1 [running]:\nmain.a()\n\t/app/a.go:1", "panic: b\n\ngoroutine 1 [running]:\nmain.b()\n\t/app/b.go:1"),
        ("/app/a.rb:1:in 'a': x (KeyError)\n/app/m.rb:1:in 'm'", "/app/b.rb:1:in 'b': y (IOError)\n/app/m.rb:1:in 'm'"),
        ("PHP Fatal error:  Uncaught A: x in /a.php:1\nStack trace:\n#0 {main}\n  thrown in /a.php on line 1", "PHP Fatal error:  Uncaught B: y in /b.php:1\nStack trace:\n#0 {main}\n  thrown in /b.php on line 1"),
    ],
    ids=["node", "java", "python", "go", "ruby", "php"],
)  # fmt: skip
def test_two_exceptions_at_once_are_two(first: str, second: str, tmp_path: Path) -> None:
    header = HEADERS["kubectl"]
    ticks = "".join(per_line("tick", header, start_s=second) for second in range(30))
    text = ticks + per_line(f"{first}\n{second}", header, start_s=40)
    assert [kind for kind, _, _ in found_in(tmp_path, text)].count("exception") == 2


@pytest.mark.parametrize(
    "body",
    ["retrying at A.B(c)", "Error: 0 found", "panic button pressed", "todo:\n  at home\n  at work(later)", "list:\n    one\n    two",
     "servers:\n  at db.internal:5432", "SELECT 1\n  ↳ app/models/cart.rb:3:in `total'", "moved:\n  a.go:3\n  b.go:4"],
)  # fmt: skip
def test_an_entry_that_only_speaks_of_errors_is_a_message(body: str, tmp_path: Path) -> None:
    text = json_lines(
        *({"time": f"2026-03-01T10:00:{n:02}Z", "level": "info", "message": body} for n in range(3))
    )
    assert [(kind, entries) for kind, _, entries in found_in(tmp_path, text)] == [("message", 3)]


def test_what_holds_a_traceback_is_seen_by_every_engine() -> None:
    texts = [
        form(trace.written())
        for trace in TRACES
        for form in (str, lambda text: text.replace("\n", "\\n").replace("\t", "\\t"))
    ]
    with duckdb.connect() as engine:
        told = [
            engine.execute("SELECT regexp_matches(?, ?, 's')", [text, HOLDS_TRACEBACK]).fetchall()[0][0]
            for text in texts
        ]
    assert all(told) and all(re.search(HOLDS_TRACEBACK, text) for text in texts)
