"""Stack traces of all the usual languages are exceptions with a type, a message and a place; nothing else is."""

from __future__ import annotations

import time

import pytest
from traces import TRACES, Trace

from proofbook.judge.log_text.tracebacks import parse

every_trace = pytest.mark.parametrize("trace", TRACES, ids=lambda trace: trace.name)


@every_trace
def test_a_trace_tells_its_type_its_message_and_the_place_in_the_application(trace: Trace) -> None:
    found = parse(trace.written())
    assert found is not None
    raised = found.raised
    assert (found.language, raised.type, raised.message) == (trace.language, trace.type, trace.message)
    assert str(raised.where) == trace.where
    assert tuple(item.type for item in found.chain[:-1]) == trace.causes


@every_trace
def test_one_fault_has_one_fingerprint_whatever_its_numbers_and_another_has_another(trace: Trace) -> None:
    first, again = parse(trace.written()), parse(trace.written(number=345, id_="fedcba9876543210"))
    word, instead = trace.other
    other = parse(trace.written().replace(word, instead))
    assert first is not None and again is not None and other is not None
    assert first.fingerprint == again.fingerprint != other.fingerprint


@every_trace
@pytest.mark.parametrize(("newline", "tab"), [("#012", "#011"), ("\\n", "\\t"), ("\r\n", "\t")])
def test_a_trace_with_its_ends_of_line_escaped_is_the_same(newline: str, tab: str, trace: Trace) -> None:
    text = trace.written()
    found, plain = parse(text.replace("\n", newline).replace("\t", tab)), parse(text)
    assert found is not None and plain is not None
    assert found.fingerprint == plain.fingerprint and found.raised.where == plain.raised.where


def test_a_trace_in_an_object_within_a_line_is_found() -> None:
    found = parse(
        'got {"err":{"type":"TypeError","stack":"TypeError: no basket\\n    at pay (/app/pay.js:7:1)"},"pid":3}'
    )
    assert found is not None and found.raised.told == "TypeError: no basket in pay (app/pay.js)"


@pytest.mark.parametrize(
    "text",
    [
        "retrying at A.B(c)",
        "Error: 0 found",
        "panic button pressed",
        "todo:\n  at home\n  at work (later)\n  at 10:00:00",
        "nodes:\n   at db.internal:5432\n   at cache.internal:6379",
        "steps:\n   at A.B(c)\n   at C.D(e)",
        "list:\n    one\n    two\n  - three",
        "#0 first\n#1 second",
        "see app/cart.rb:3 in 'total'",
        "SELECT 1\n  ↳ app/models/cart.rb:3:in `total'",
        "Completed 500 (ActiveRecord: 1.0ms):",
        "** (warning) nothing",
        "the worker panicked at noon",
        "Caused by: rain",
        "Stack trace: off",
        "exceptions: 0, errors: 0\nUncaught: none",
        "goroutine pool grew to 12",
        "moved main.go:3 to other.go:4",
        '"main" #1 prio=5 tid=0x1\n   java.lang.Thread.State: RUNNABLE\n\tat com.example.Cart.pay(Cart.java:3)',
        "caught TypeError: x is null, going on",
        "PHP Warning:  Undefined variable $x in /srv/a.php on line 3",
    ],
)
def test_text_that_only_speaks_of_errors_is_no_exception(text: str) -> None:
    assert parse(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "\n" * 1_000_000,
        " \n" * 500_000,
        "    at " * 140_000,
        "x\n    at a (b:1:1)\n" * 45_000,
        "a" * 1_000_000 + "\n    at a (b:1:1)",
        "Traceback (most recent call last):\n" * 28_000,
        "AError: " * 125_000 + "\n    at a (/b:1:1)",
        "(((((((((" * 110_000 + "\n    at x((((:1:1)",
        '  File "' * 100_000,
        "#0 a(1): b\n" * 90_000 + "Stack trace:",
        "Uncaught A: b in /c:1\n" * 45_000,
        " in a" * 200_000 + "\nUncaught A: b" + " in a" * 200,
        "** (A) b\n" * 110_000,
        "thread 'a' panicked at '" + "', a" * 250_000,
        "goroutine 1 [running]:\n" + "a.b(\n\t/a.go:1\n" * 60_000,
        "a.rb:1:in 'a': b (C)\n" * 45_000,
        "[a] " * 250_000 + "\nA::B (c):",
        "<<<<<<<<" * 120_000 + "\n   at A.<<<<<<<<<<.b() in c:line 1",
        " ---> " * 160_000 + "\n   at A.B() in c:line 1",
        "#012" * 250_000,
        "\\n    at a" * 90_000,
    ],
    ids=range(21),
)  # fmt: skip
def test_text_that_is_no_trace_takes_no_longer_than_its_length(text: str) -> None:
    began = time.process_time()
    parse(text[:200_000] + text[-2000:])
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    ("text", "language", "told"),
    [
        ("Uncaught TypeError: no basket\n    at pay (https://shop.example/static/pay-3fa9c1d2.js:1:9)", "node", "TypeError: no basket in pay (static/pay.js)"),
        ('Uncaught PHP Exception App\\Lost: "cart 3" at /srv/app/Cart.php line 3', "php", 'App\\Lost: "cart 3" in app/Cart.php'),
        ('Exception in thread "main" com.example.Lost: gone', "java", "com.example.Lost: gone"),
        ('Exception in thread "main" com.example.LostException: gone', "java", "com.example.LostException: gone"),
        ("panic: no basket", "go", "panic: no basket"),
        ("ActiveRecord::RecordNotFound (no cart 3):", "ruby", "ActiveRecord::RecordNotFound: no cart 3"),
        ("System.Exception: no\r\n   at A.B()\r\n", "dotnet", "System.Exception: no in A.B (A)"),
        ("save failed\n    at save (/app/cart.js:1:1)", "node", "error: save failed in save (app/cart.js)"),
    ],
)  # fmt: skip
def test_a_trace_in_another_form_is_told_too(text: str, language: str, told: str) -> None:
    found = parse(text)
    assert (found and found.language, found and found.raised.told) == (
        (language, told) if told else (None, None)
    )
