"""Exceptions are grouped by what they are, and what a deployment changed in a log is found without being named."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import builders
import numpy as np
import pandas as pd
import pytest
from builders import json_lines, log_entry
from conftest import proofbook
from scipy import stats

import proofbook as pb
from proofbook.collect.logs import recorder
from proofbook.config.sources import LogSource
from proofbook.judge.check import Check
from proofbook.judge.checks import log_novelty
from proofbook.judge.findings import Finding, Verdict
from proofbook.judge.log_text.tracebacks import parse
from proofbook.judge.settle import settle
from proofbook.judge.view import View
from proofbook.judge.window import Windows
from proofbook.notebook import figures
from proofbook.notebook.quicklook import look_at_log
from proofbook.stats.events import holm, rates_differ

pytestmark = pytest.mark.slow

START = pd.Timestamp("2026-01-01T12:00:00Z")

PYTHON = """[ERROR] request 17 failed
Traceback (most recent call last):
  File "/app/orders.py", line {line}, in place
    stock.take(order)
  File "/usr/lib/python3.11/site-packages/stock/client.py", line 8, in take
    raise KeyError(order)
KeyError: 'order-{line}'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/app/orders.py", line {line}, in retry
    return place(order)
RuntimeError: order {line} could not be placed"""
JAVA = """2026-01-01 ERROR Checkout - failed
com.example.CheckoutException: cart 7 is gone
\tat com.example.Checkout.pay(Checkout.java:{line})
\tat org.springframework.web.Dispatcher.run(Dispatcher.java:88)
\tat java.base/java.lang.Thread.run(Thread.java:840)
Caused by: java.sql.SQLTimeoutException: after 30 s
\tat com.example.Store.load(Store.java:{line})
\t... 3 more"""
NODE = """TypeError: Cannot read properties of undefined (reading 'id')
    at handler (/app/src/cart.js:{line}:17)
    at async /app/src/server.js:9:3
    at node:internal/process/task_queues:95:5"""
GO = """panic: runtime error: index out of range [{line}] with length 3

goroutine 1 [running]:
main.total(0xc000012345, {line})
\t/app/main.go:{line} +0x1d
main.main()
\t/app/main.go:9 +0x2f
exit status 2"""
DOTNET = """Unhandled exception. System.InvalidOperationException: order {line}
   at Shop.Orders.Place(Order order) in /src/Orders.cs:line {line}
   at Microsoft.AspNetCore.Mvc.Invoke(Object state)"""


@pytest.mark.parametrize(
    ("text", "language", "kind", "where", "causes"),
    [
        (PYTHON, "python", "RuntimeError", "retry (app/orders.py)", ["KeyError"]),
        (JAVA, "java", "com.example.CheckoutException", "com.example.Checkout.pay (com.example.Checkout)", ["java.sql.SQLTimeoutException"]),
        (NODE, "node", "TypeError", "handler (src/cart.js)", []),
        (GO, "go", "panic", "main.total (app/main.go)", []),
        (DOTNET, "dotnet", "System.InvalidOperationException", "Shop.Orders.Place (src/Orders.cs)", []),
    ],
)  # fmt: skip
def test_tracebacks_of_five_languages_are_understood(
    text: str, language: str, kind: str, where: str, causes: list[str]
) -> None:
    found = parse(text.replace("{line}", "12"))
    assert found is not None
    assert (found.language, found.raised.type, str(found.raised.where)) == (language, kind, where)
    assert [item.type for item in found.chain[:-1]] == causes
    moved = parse(text.replace("{line}", "77"))
    assert moved is not None and moved.fingerprint == found.fingerprint
    other = parse(text.replace("{line}", "12").replace("place", "put").replace("Checkout.pay", "Checkout.refund").replace("handler", "guard").replace("total", "sum").replace("Orders.Place", "Orders.Ship"))  # fmt: skip
    assert other is not None and other.fingerprint != found.fingerprint


def test_text_without_a_traceback_is_none() -> None:
    for text in ("", "ValueError: x", "look at this", "    at home", "Traceback (most recent call last):"):
        assert parse(text) is None, text


def recursion(depth: int, entered: str) -> str:
    cycle = ["a", "b", "c"]
    first = cycle.index(entered)
    frames = [
        f'  File "/app/loop.py", line {10 + n % 3}, in {cycle[(first + n) % 3]}\n    go()'
        for n in range(depth)
    ]
    return "\n".join(
        ["Traceback (most recent call last):", *frames, "RecursionError: maximum recursion depth exceeded"]
    )


def test_a_recursion_is_known_by_its_cycle_whatever_its_depth_and_entry() -> None:
    found = [parse(recursion(depth, entered)) for depth, entered in ((60, "a"), (95, "b"), (301, "c"))]
    assert all(item is not None for item in found)
    assert len({item.fingerprint for item in found if item}) == 1
    assert found[0] is not None and len(found[0].raised.cycle) == 3
    straight = 'Traceback (most recent call last):\n  File "/app/s.py", line 3, in f\n    f()\n  File "/app/s.py", line 3, in f\n    f()\n  File "/app/s.py", line 3, in f\n    f()\n  [Previous line repeated 993 more times]\nRecursionError: maximum recursion depth exceeded'
    repeated = parse(straight)
    assert repeated is not None and [frame.function for frame in repeated.raised.cycle] == ["f"]
    other = parse(straight.replace("993", "17"))
    assert other is not None and other.fingerprint == repeated.fingerprint


def test_p_values_are_those_of_scipy_and_holm_keeps_the_order() -> None:
    for before, after in ((0, 5), (3, 9), (20, 2)):
        [p] = rates_differ([before], [after], share_after=0.3)
        tails = [
            stats.binomtest(after, before + after, 0.3, alternative=side).pvalue
            for side in ("less", "greater")
        ]
        assert p == pytest.approx(min(1.0, 2 * min(tails)))
    p_values = np.array([0.001, 0.02, 0.03, 0.5])
    adjusted = holm(p_values)
    assert adjusted.tolist() == pytest.approx([0.004, 0.06, 0.06, 0.5])


# What changed --------------------------------------------------------------------------------------------------------


def entry(at_s: float, body: str, *, severity: str = "INFO", **more: Any) -> dict[str, Any]:
    return log_entry(START + pd.Timedelta(seconds=at_s), body, severity=severity, logName="l", **more)


def system(first_s: int, revision: str, *, seconds: int = 300) -> list[dict[str, Any]]:
    """A quiet system: two requests and a message a second, and a known error now and then."""
    found = []
    for second in range(seconds):
        at = first_s + second
        found += [entry(at + n / 10, f"r{n}", revision=revision, status=200) for n in range(2)]
        found.append(entry(at + 0.3, f"[INFO] served request {second}", revision=revision))
        if second % 10 == 0:
            found.append(entry(at + 0.4, f"[ERROR] slow query {second}", revision=revision, severity="ERROR"))
    return found


def judged(before: list[dict[str, Any]], after: list[dict[str, Any]], folder: Path) -> tuple[Finding, pd.DataFrame, View]:  # fmt: skip
    tables = {}
    for phase, entries in (("before", before), ("after", after)):
        (folder / phase).mkdir()
        (folder / phase / "log").write_text(json_lines(*entries))
        recorded, problems = recorder.record([LogSource(name="log", file="log")], [], base=folder / phase, folder=folder / phase)  # fmt: skip
        assert not problems
        tables |= {(phase, name): table for name, table in recorded.items()}
    windows = Windows(
        before=(START, START + pd.Timedelta(seconds=300)),
        after=(START + pd.Timedelta(seconds=400), START + pd.Timedelta(seconds=700)),
        deployed_at=START + pd.Timedelta(seconds=400),
        old_revision="r-1",
        new_revision="r-2",
    )
    view = builders.view(tables, windows, alpha_fail_once=0.05 / 20)
    check = Check(
        id="log-new-errors", kind="guard", claim="none", group="logs", recipe=log_novelty.no_new_errors("log")
    )
    return settle(check, view), log_novelty.changes(view), view


def test_a_deployment_that_changed_nothing_is_said_to_have_changed_nothing(tmp_path: Path) -> None:
    finding, changes, _ = judged(system(0, "r-1"), system(400, "r-2"), tmp_path)
    assert finding.verdict is Verdict.PASS, finding.statement
    assert finding.severity is None and finding.sensitivity == 1.0
    assert set(changes["change"]) == {"same"}


def test_a_new_exception_is_found_and_comes_first(tmp_path: Path) -> None:
    crashes = [entry(400 + second, PYTHON.replace("{line}", str(second)), revision="r-2", severity="ERROR") for second in range(0, 300, 10)]  # fmt: skip
    finding, changes, view = judged(system(0, "r-1"), system(400, "r-2") + crashes, tmp_path)
    assert (finding.verdict, finding.reason) == (Verdict.FAIL, "new-error")
    assert "RuntimeError" in finding.statement and "30 times after, never before" in finding.statement
    first = changes.iloc[0]
    assert (first["change"], first["kind"], first["before"], first["after"]) == ("new", "exception", 0, 30)
    [group] = log_novelty.exceptions(view).to_dict("records")
    assert (group["type"], group["caused by"], group["revisions"]) == ("RuntimeError", "KeyError", "r-2")


def test_one_new_error_is_too_seldom_to_be_called_new(tmp_path: Path) -> None:
    once = [entry(500, "[ERROR] disk failed", revision="r-2", severity="ERROR")]
    finding, _, _ = judged(system(0, "r-1"), system(400, "r-2") + once, tmp_path)
    assert (finding.verdict, finding.reason) == (Verdict.INCONCLUSIVE, "too-early")
    assert "disk failed" in finding.statement and finding.needed is not None


def test_what_is_gone_more_and_less_is_told_apart_from_noise(tmp_path: Path) -> None:
    before = system(0, "r-1") + [entry(second + 0.5, f"[WARNING] retry {second}", revision="r-1", severity="WARNING") for second in range(0, 300, 5)]  # fmt: skip
    after = system(400, "r-2") + [entry(400 + n / 2 + 0.25, f"[ERROR] slow query {n}", revision="r-2", severity="ERROR") for n in range(600)]  # fmt: skip
    _, changes, _ = judged(before, after, tmp_path)
    told = dict(zip(changes["what"], changes["change"], strict=True))
    assert told == {
        "[WARNING] retry <*>": "gone",
        "[ERROR] slow query <*>": "more",
        "[INFO] served request <*>": "same",
    }


@pytest.mark.parametrize(
    ("known", "seen"),
    [
        ("connection to db-1 refused", "connection to db-1 reset"),
        ("startup of the index succeeded", "startup of the index failed"),
        ("payment declined by the bank", "payment declined by the customer"),
        ("reason: disk full", "reason: quota full"),
    ],
)
def test_an_error_that_differs_in_one_word_that_says_something_is_new(
    known: str, seen: str, tmp_path: Path
) -> None:
    before = [entry(second + 0.5, f"[ERROR] {known}", revision="r-1", severity="ERROR") for second in range(0, 300, 10)]  # fmt: skip
    after = [entry(400 + second + 0.5, f"[ERROR] {seen}", revision="r-2", severity="ERROR") for second in range(0, 300, 10)]  # fmt: skip
    finding, changes, _ = judged(system(0, "r-1") + before, system(400, "r-2") + after, tmp_path)
    assert (finding.verdict, finding.reason) == (Verdict.FAIL, "new-error")
    assert changes.iloc[0]["sample"] == f"[ERROR] {seen}" and changes.iloc[0]["change"] == "new"


@pytest.mark.parametrize(
    ("known", "seen"),
    [
        ("login failed for user ann from 10.0.0.1", "login failed for user bob from 10.0.0.2"),
        ("lookup of db.example.org failed", "lookup of cache.example.net failed"),
        ("cannot write /var/spool/orders", "cannot write /tmp/x"),
        ("no backup since Tue Mar 3 10:00:00", "no backup since Fri Nov 6 10:00:00"),
    ],
)
def test_an_error_with_another_value_is_not_new(known: str, seen: str, tmp_path: Path) -> None:
    before = [entry(second + 0.5, f"[ERROR] {known}", revision="r-1", severity="ERROR") for second in range(0, 300, 10)]  # fmt: skip
    after = [entry(400 + second + 0.5, f"[ERROR] {seen}", revision="r-2", severity="ERROR") for second in range(0, 300, 10)]  # fmt: skip
    finding, changes, _ = judged(system(0, "r-1") + before, system(400, "r-2") + after, tmp_path)
    assert finding.verdict is Verdict.PASS, finding.statement
    assert set(changes["change"]) == {"same"}


def test_our_own_probes_and_the_old_revision_bring_nothing_new(tmp_path: Path) -> None:
    ours = [entry(450 + n, "[ERROR] bad token", revision="r-2", severity="ERROR", trace=f"70726f6f66{n:022x}") for n in range(60)]  # fmt: skip
    draining = [entry(400 + n / 10, "[ERROR] draining", revision="r-1", severity="ERROR") for n in range(60)]
    finding, changes, _ = judged(system(0, "r-1"), system(400, "r-2") + ours + draining, tmp_path)
    assert finding.verdict is Verdict.PASS, finding.statement
    assert not changes["what"].str.contains("bad token|draining").any()


def test_a_burst_is_not_evidence_of_a_rate(tmp_path: Path) -> None:
    burst = [entry(500 + n / 100, f"[ERROR] storm {n}", revision="r-2", severity="ERROR") for n in range(90)]
    finding, changes, _ = judged(system(0, "r-1"), system(400, "r-2") + burst, tmp_path)
    assert finding.verdict is Verdict.INCONCLUSIVE
    assert changes.set_index("what").loc["[ERROR] storm <*>", "change"] == "unsure"


# The command line and the real pair ---------------------------------------------------------------------------------------


def test_the_command_line_shows_a_log_and_what_changed(tmp_path: Path, workspace: Path) -> None:
    crashes = [entry(400 + second, PYTHON.replace("{line}", str(second)), revision="r-2", severity="ERROR") for second in range(0, 300, 10)]  # fmt: skip
    for name, entries in (("old.jsonl", system(0, "r-1")), ("new.jsonl", system(400, "r-2") + crashes)):
        (tmp_path / name).write_text(json_lines(*entries) + "not json\n")
    done = proofbook("logs", "new.jsonl", "--before", "old.jsonl", "--pattern", "could not be placed", cwd=tmp_path, workspace=workspace)  # fmt: skip
    assert done.returncode == 0, done.stderr
    for words in ("format     cloud-logging", "960 read", "1 of 961 lines (0.1041%) was not read", "'not json'", "What changed", "RuntimeError", "could not be placed"):  # fmt: skip
        assert words in done.stdout, done.stdout
    told = json.loads(proofbook("logs", "new.jsonl", "--json", cwd=tmp_path, workspace=workspace).stdout)
    assert (told["read"], told["unparsed"], told["kinds"][0]["kind"]) == (960, 1, "exception")


def test_the_command_line_searches_the_lines_that_it_could_not_read(tmp_path: Path, workspace: Path) -> None:
    entries = [json.dumps(entry(n, "[INFO] tick", revision="r-1")) for n in range(20)]
    entries.insert(
        10, 'Traceback (most recent call last):\n  File "/app/a.py", line 3, in walk\nRecursionError: deep'
    )
    (tmp_path / "log").write_text("\n".join(entries))
    done = proofbook(
        "logs", "log", "--pattern", "RecursionError", cwd=tmp_path, workspace=workspace, COLUMNS="200"
    )
    assert done.returncode == 0, done.stderr
    assert "no gaps found" not in done.stdout and "3 of 23 lines (13.04%) were not read" in done.stdout
    told = json.loads(
        proofbook(
            "logs", "log", "--pattern", "RecursionError", "--json", cwd=tmp_path, workspace=workspace
        ).stdout
    )
    assert told["coverage"]["reasons"][0][0] == "log-unread"
    assert round(told["coverage"]["unread_share"], 3) == 0.13
    assert told["patterns"][0]["lines without a time after"] == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere.jsonl"], "expected a file at nowhere.jsonl, but it cannot be read (No such file or directory)"),
        (["."], "expected a file at ., got a folder; name its files"),
        (["log", "--since", "yesterday"], "--since: not a time: 'yesterday'; use 2026-11-24T09:40:00Z, 09:40, or a duration before the end of the log such as 3h"),
        (["log", "--until", "25:00"], "--until: not a time of day: '25:00'; use 09:40 or 09:40:30"),
        (["log", "--pattern", "(a"], "expected a regular expression (RE2's: no lookaround, no backreferences), got '(a' (missing ): (a)"),
        (["log", "--line-pattern", "x"], "expected pattern to name the group timestamp"),
        (["log", "--format", "xml"], "--format: expected auto, cloud-logging, otlp"),
        (["log", "--shape", "jsno"], "--format: expected auto, cloud-logging, otlp"),
        (["lokl:x"], "got 'lokl:x'; did you mean loki:?"),
    ],
)  # fmt: skip
def test_bad_arguments_get_one_sentence(
    arguments: list[str], words: str, tmp_path: Path, workspace: Path
) -> None:
    (tmp_path / "log").write_text("2026-01-01T00:00:00Z INFO x\n")
    done = proofbook("logs", *arguments, cwd=tmp_path, workspace=workspace)
    assert done.returncode == 2
    assert words in done.stderr and "Traceback" not in done.stderr and len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("since", "until", "entries"),
    [("10m", "", 11), ("09:50", "", 11), ("", "2020-01-05T09:09Z", 10), ("20m", "10m", 11), ("", "", 61)],
)
def test_a_window_of_a_log_is_told_from_its_end_as_in_a_look(
    since: str, until: str, entries: int, tmp_path: Path
) -> None:
    lines = [f"2020-01-05T{9 + minute // 60:02}:{minute % 60:02}:00Z INFO beat" for minute in range(61)]
    (tmp_path / "log").write_text("\n".join(lines))
    looked = look_at_log(LogSource(name="log", file="log"), base=tmp_path, since=since, until=until)
    assert looked.reading.kept == entries
    # A look leaves out the moment that it goes up to.
    assert len(pb.look(tmp_path / "log", since=since or None, until=until or None)) == entries - bool(until)


REAL = os.environ.get("PROOFBOOK_REAL_LOGS")


@pytest.mark.skipif(not REAL, reason="PROOFBOOK_REAL_LOGS does not name the folder of real exports")
def test_on_the_real_pair_the_crash_loop_and_its_exception_come_first() -> None:
    folder = Path(str(REAL)) / "netra-staging"
    looked = look_at_log(
        LogSource(name="log", file="cloud-logging-2025-09-16-last-hour.json"),
        before=LogSource(name="log", file="cloud-logging-2025-09-07.json"),
        patterns=["ModuleNotFoundError.*monitoring"],
        base=folder,
    )
    assert looked.changes is not None
    first = looked.changes.iloc[0]
    assert (first["change"], first["kind"], first["after"]) == ("new", "exception", 15)
    assert "monitoring" in first["what"] and "setup_middleware" in first["what"]
    leading = " ".join(looked.changes.head(8)["what"])
    assert "Worker failed to boot" in leading and "ModuleNotFoundError" in leading
    assert [code for code, _ in looked.coverage.reasons] == ["log-cut"]
    assert int(looked.patterns["affected after"].iloc[0]) > 0 and int(looked.patterns["affected before"].iloc[0]) == 0  # fmt: skip


def test_log_text_is_no_markup_in_the_chart_of_changes(tmp_path: Path) -> None:
    hostile = '<a href="javascript:alert(1)">click</a>'
    crashes = [entry(400 + second, hostile, revision="r-2", severity="ERROR") for second in range(0, 300, 5)]
    _, _, view = judged(system(0, "r-1"), system(400, "r-2") + crashes, tmp_path)
    drawn = figures.changes(view).to_json()
    assert "click" in drawn and "<a href" not in drawn.replace("\\u003c", "<")


def test_requests_that_failed_are_in_the_summary_of_an_access_log(tmp_path: Path, workspace: Path) -> None:
    lines = [
        f'10.0.0.9 - - [01/Mar/2026:10:00:{n:02} +0000] "GET /cart/{n}?id={n} HTTP/1.1" {(200, 200, 404, 502)[n % 4]} 12'
        for n in range(40)
    ]
    (tmp_path / "log").write_text("\n".join(lines))
    done = proofbook("logs", "log", cwd=tmp_path, workspace=workspace, COLUMNS="200")
    said = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert "requests 40 answered: 20 with 200, 10 with 404, 10 with 502" in said
    start = said.index("Requests answered with 4xx or 5xx")
    assert said[start + 2 : start + 4] == [
        "502 GET /cart/<*> 10 10:00:03 10:00:39",
        "404 GET /cart/<*> 10 10:00:02 10:00:38",
    ]
    assert "No exceptions and no errors" not in done.stdout
    (tmp_path / "log").write_text(
        "\n".join(line.replace(" 404 ", " 200 ").replace(" 502 ", " 200 ") for line in lines)
    )
    done = proofbook("logs", "log", cwd=tmp_path, workspace=workspace)
    assert "No exceptions and no errors" in done.stdout and "4xx" not in done.stdout
