"""Log exports are read to the last entry, nothing vanishes uncounted, and coverage says what a log is worth."""

from __future__ import annotations

import functools
import json
import os
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from builders import examples, json_lines, log_entry, read_log, view, write
from hypothesis import example, given
from hypothesis import strategies as st

from proofbook.collect.logs import engines, recorder
from proofbook.collect.logs.entries import NOTHING, connect
from proofbook.collect.logs.reader import read_logs
from proofbook.collect.logs.recorder import record
from proofbook.config.case import Indicator
from proofbook.config.fixes import Symptom
from proofbook.config.sources import LogSource
from proofbook.evidence import store
from proofbook.evidence.log_tables import ANY_LINE
from proofbook.evidence.merge import tables_of
from proofbook.evidence.schema import STANDSTILLS
from proofbook.judge.check import Check, Recipe
from proofbook.judge.checks.log_coverage import cover
from proofbook.judge.checks.log_covers import covers
from proofbook.judge.checks.log_error_rate import error_rate
from proofbook.judge.checks.log_gone import gone
from proofbook.judge.checks.log_novelty import no_new_errors
from proofbook.judge.checks.log_present import present
from proofbook.judge.findings import Finding, Verdict
from proofbook.judge.settle import settle
from proofbook.judge.view import View, view_of
from proofbook.judge.window import Windows

pytestmark = pytest.mark.slow

START = pd.Timestamp("2026-01-01T12:00:00Z")


def entry(
    at_s: float, body: str = "[INFO] all well", *, trace: int | None = None, **more: Any
) -> dict[str, Any]:
    given = "" if trace is None else f"{trace:032x}"
    return log_entry(START + pd.Timedelta(seconds=at_s), body, trace=given, **more)


def small(entries: list[dict[str, Any]], *patterns: str) -> dict[str, pd.DataFrame]:
    """The small tables that judges see."""
    return small_of(json_lines(*entries), patterns)


@functools.cache
def small_of(text: str, patterns: tuple[str, ...]) -> dict[str, pd.DataFrame]:
    """The small tables of a file; once, since many tests begin with the same before."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if text:
            read_log(folder, text)
        else:
            with connect() as engine:
                engine.execute(f"COPY ({NOTHING}) TO '{folder / 'read.parquet'}' (FORMAT parquet)")
        return recorder.summarise(folder / "read.parquet", patterns)


def test_json_lines_array_and_wrapped_give_the_same_entries(tmp_path: Path) -> None:
    entries = [entry(index) for index in range(5)]
    for text in (
        json_lines(*entries),
        json.dumps(entries),
        json.dumps({"logs": {"INFO": entries[:2], "ERROR": entries[2:]}}),
    ):
        reading = read_log(tmp_path, text)
        assert (reading.read, len(reading.entries), reading.unparsed) == (5, 5, 0)
        assert reading.entries["service_version"].tolist() == ["r-1"] * 5


def test_text_lines_keep_their_traceback_and_need_a_zone(tmp_path: Path) -> None:
    text = "2026-01-01 12:00:00,123 ERROR app: broken\nTraceback (most recent call last):\n  File x\nValueError: y\n2026-01-01 12:00:01,000 INFO app: fine\n"
    refused = read_log(tmp_path, text)
    assert "state no time zone" in refused.problem
    reading = read_log(tmp_path, text, utc_offset="+02:00")
    assert len(reading.entries) == 2
    assert reading.entries["timestamp"].iloc[0] == pd.Timestamp("2026-01-01T10:00:00.123Z")
    assert "ValueError: y" in reading.entries["body"].iloc[0]
    assert reading.entries["severity_text"].tolist() == ["ERROR", "INFO"]


def test_a_file_cut_in_the_middle_of_a_line_loses_only_that_line_and_counts_it(tmp_path: Path) -> None:
    whole = json_lines(*[entry(index) for index in range(4)])
    reading = read_log(tmp_path, whole[:-20])
    assert (len(reading.entries), reading.unparsed) == (3, 1)
    array = json.dumps([entry(index) for index in range(4)])
    cut = read_log(tmp_path, array[:-20])
    assert (len(cut.entries), cut.unparsed) == (3, 1)


def test_bytes_that_are_not_utf8_do_not_lose_the_entry(tmp_path: Path) -> None:
    reading = read_log(tmp_path, json_lines(entry(0, "caf\u00e9")).encode().replace(b"\\u00e9", b"\xe9"))
    assert len(reading.entries) == 1 and "caf" in reading.entries["body"].iloc[0]


def test_duplicates_are_counted_once(tmp_path: Path) -> None:
    reading = read_log(tmp_path, json_lines(entry(0), entry(0), entry(1)))
    assert (reading.read, len(reading.entries), reading.duplicates) == (3, 2, 1)


@pytest.mark.parametrize(
    ("text", "problem"), [("", "is empty"), ("\n\n", "is empty"), ("not json at all", "could be parsed")]
)
def test_a_log_that_holds_nothing_is_a_problem_and_no_crash(tmp_path: Path, text: str, problem: str) -> None:
    assert problem in read_log(tmp_path, text).problem


def test_a_log_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert (
        read_logs(
            LogSource(name="log", file="nowhere.jsonl"), base=tmp_path, to=tmp_path / "read.parquet"
        ).problem
        == "expected a file at nowhere.jsonl, but it cannot be read (No such file or directory)"
    )
    assert (
        "is not installed"
        in read_logs(
            LogSource(name="log", command=["no-such-program-anywhere"]),
            base=tmp_path,
            to=tmp_path / "read.parquet",
        ).problem
    )
    assert (
        "exit code 1"
        in read_logs(
            LogSource(name="log", command=["false"]), base=tmp_path, to=tmp_path / "read.parquet"
        ).problem
    )


def test_ansi_codes_and_secrets_are_taken_out(tmp_path: Path) -> None:
    token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"
    body = (
        read_log(tmp_path, json_lines(entry(0, f"\x1b[31mred\x1b[0m \x00 token {token}")))
        .entries["body"]
        .iloc[0]
    )
    assert body == "red  token [redacted]"


@pytest.mark.parametrize(
    ("stated", "body", "wanted"),
    [
        (None, "[ERROR] x", "ERROR"),
        (None, "2026-01-01 12:00:00 WARN x", "WARNING"),
        (None, 'level="error" x', "ERROR"),
        (None, "no errors here", None),
        ("INFO", "[ERROR] x", "INFO"),
        ("DEFAULT", "CRITICAL: x", "CRITICAL"),
    ],
)
def test_severity_comes_from_the_entry_else_from_the_text(
    stated: str | None, body: str, wanted: str | None, tmp_path: Path
) -> None:
    more = {} if stated is None else {"severity": stated}
    found = read_log(tmp_path, json_lines(entry(0, body, **more))).entries.iloc[0]
    assert (None if pd.isna(found["severity_text"]) else found["severity_text"]) == wanted
    assert (None if pd.isna(found["severity_source"]) else found["severity_source"]) == (
        None if wanted is None else "entry" if stated == wanted else "text"
    )


@examples(30)
@example(data=b'[[null,null,null,null,"   \\"\\"                  \\u0008\\u0080"],{"textPayload":null}')
@given(
    data=st.binary(max_size=300)
    | st.text(max_size=300).map(str.encode)
    | st.lists(
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.text(),
            lambda inner: (
                st.lists(inner)
                | st.dictionaries(
                    st.sampled_from(
                        [
                            "timestamp",
                            "textPayload",
                            "jsonPayload",
                            "httpRequest",
                            "severity",
                            "trace",
                            "resource",
                            "latency",
                        ]
                    ),
                    inner,
                )
            ),
        )
    ).map(lambda value: json.dumps(value).encode())
)
def test_no_input_crashes_the_reader_and_no_line_vanishes(
    data: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("fuzz")
    reading = read_log(folder, data)
    assert reading.problem or len(reading.entries) > 0
    held = int(reading.entries["lines"].sum()) if reading.path else 0
    assert held + reading.duplicates + reading.unparsed == reading.lines
    assert reading.lines or any(
        word in reading.problem for word in ("is empty", "holds no entries", "a binary file")
    )


# Coverage ------------------------------------------------------------------------------------------------------------


def frame(entries: list[dict[str, Any]]) -> pd.DataFrame:
    return small(entries)["log_rhythm"]


def span(first_s: float, last_s: float) -> tuple[pd.Timestamp, pd.Timestamp]:
    return START + pd.Timedelta(seconds=first_s), START + pd.Timedelta(seconds=last_s)


def test_a_full_window_is_covered() -> None:
    assert cover(frame([entry(second) for second in range(100)]), span(0, 100)).held


@pytest.mark.parametrize(
    ("seconds", "window", "code"),
    [
        ([], (0, 100), "log-silent"),
        (list(range(60, 100)), (0, 100), "log-starts-late"),
        (list(range(40)), (0, 100), "log-ends-early"),
        (
            [second / 10 for second in range(200)] + [80 + second / 10 for second in range(200)],
            (0, 100),
            "log-gap",
        ),
    ],
)
def test_a_window_that_is_not_covered_says_why(
    seconds: list[float], window: tuple[float, float], code: str
) -> None:
    assert code in [
        reason for reason, _ in cover(frame([entry(second) for second in seconds]), span(*window)).reasons
    ]


def test_an_export_that_stopped_at_a_limit_is_called_cut() -> None:
    entries = frame([entry(90 + index / 100) for index in range(1000)])
    found = cover(entries, span(0, 100), read=1000)
    assert found.reasons[0][0] == "log-cut" and "exactly 1,000 entries" in found.reasons[0][1]


def test_a_log_with_empty_bodies_covers_nothing() -> None:
    found = cover(frame([entry(second, "") for second in range(100)]), span(0, 99))
    assert [code for code, _ in found.reasons] == ["log-empty-bodies"]


# Signatures ----------------------------------------------------------------------------------------------------------


def judged(
    before: list[dict[str, Any]],
    after: list[dict[str, Any]],
    *,
    pattern: str = "RecursionError",
    settled_s: float = 200,
    **windowed: Any,
) -> Finding:
    tables = {
        (phase, name): table
        for phase, entries in (("before", before), ("after", after))
        for name, table in small(entries, pattern).items()
    }
    windows = Windows(
        before=span(0, 100),
        after=span(200, 300),
        deployed_at=span(200, 200)[0],
        old_revision="r-1",
        new_revision="r-2",
        settled_at=span(settled_s, settled_s)[0],
        **windowed,
    )
    seen = view(tables, windows)
    recipe = gone(Symptom(log=pattern, examples=[pattern]), source="log", absent_rate=0.01)
    return settle(Check(id="log-gone", kind="fix", claim="gone", group="logs", recipe=recipe), seen)


def traffic(first_s: int, revision: str | None, *, crash_every: int = 0) -> list[dict[str, Any]]:
    entries = []
    for index in range(300):
        at = first_s + index / 3
        entries.append(entry(at, status=200, revision=revision, trace=index))
        entries.append(entry(at + 0.02, f"[INFO] served {index}", revision=revision, trace=index))
        if crash_every and index % crash_every == 0:
            entries.append(
                entry(at + 0.01, "[ERROR] RecursionError: maximum", revision=revision, trace=index)
            )
    return entries


def test_seen_before_and_silent_after_in_a_covered_log_is_gone() -> None:
    found = judged(traffic(0, "r-1", crash_every=5), traffic(200, "r-2"))
    assert found.verdict is Verdict.PASS, found.statement
    assert found.severity is not None and found.severity > 0.95


def test_one_match_on_the_new_revision_fails_even_in_a_cut_log() -> None:
    found = judged(traffic(0, "r-1", crash_every=5), [entry(290, "RecursionError", revision="r-2")])
    assert found.verdict is Verdict.FAIL


def test_a_match_of_the_old_revision_while_it_drains_does_not_fail() -> None:
    found = judged(
        traffic(0, "r-1", crash_every=5),
        [*traffic(200, "r-2"), entry(201, "RecursionError", revision="r-1")],
    )
    assert found.verdict is Verdict.PASS, found.statement


@pytest.mark.parametrize(("at_s", "verdict"), [(201, Verdict.PASS), (250, Verdict.FAIL)])
def test_a_match_that_names_no_revision_counts_once_the_old_one_is_gone(
    at_s: float, verdict: Verdict
) -> None:
    found = judged(
        traffic(0, None, crash_every=5),
        [*traffic(200, None), entry(at_s, "RecursionError", revision=None)],
        settled_s=240,
    )
    assert found.verdict is verdict, found.statement


def test_a_match_that_names_no_revision_is_nobodys_while_the_old_one_still_answers_elsewhere() -> None:
    after = [*traffic(200, None), entry(250, "RecursionError", revision=None)]
    found = judged(traffic(0, None, crash_every=5), after, alongside=True)
    assert (found.verdict, found.reason) == (Verdict.INCONCLUSIVE, "control-comparability"), found.statement
    named = [*traffic(200, None), entry(250, "RecursionError", revision="r-2")]
    assert judged(traffic(0, None, crash_every=5), named, alongside=True).verdict is Verdict.FAIL


def test_silence_in_a_silent_log_is_inconclusive() -> None:
    found = judged(traffic(0, "r-1", crash_every=5), [])
    assert found.verdict is Verdict.INCONCLUSIVE
    quiet = judged(traffic(0, "r-1", crash_every=5), traffic(200, "r-2")[-60:])
    assert quiet.verdict is Verdict.INCONCLUSIVE


def test_a_pattern_that_never_matched_proves_nothing() -> None:
    found = judged(traffic(0, "r-1"), traffic(200, "r-2"))
    assert (found.verdict, found.reason) == (Verdict.INCONCLUSIVE, "never-seen")


def test_a_log_that_lost_its_messages_and_kept_its_requests_shows_no_silence() -> None:
    requests = [item for item in traffic(200, "r-2") if "httpRequest" in item]
    found = judged(traffic(0, "r-1", crash_every=5), requests)
    assert (found.verdict, found.reason) == (Verdict.INCONCLUSIVE, "log-no-messages")
    assert "not one message" in found.statement


@pytest.mark.parametrize(
    ("pattern", "examples", "verdict", "reason"),
    [
        ("served \\d+", [], Verdict.PASS, ""),
        ("authenticated", ["[INFO] authenticated"], Verdict.FAIL, "indicator-absent"),
        ("RecursionError", [], Verdict.FAIL, "indicator-absent"),
        # A pattern with a typing mistake is never written either.
        ("servd \\d+", [], Verdict.INCONCLUSIVE, "control-positive"),
    ],
)  # fmt: skip
def test_a_sign_of_health_is_absent_only_if_its_pattern_can_match(
    pattern: str, examples: list[str], verdict: Verdict, reason: str
) -> None:
    before = small(traffic(0, "r-1", crash_every=5), pattern)
    after = small(traffic(200, "r-2"), pattern)
    tables = {"before": before, "after": after}
    windows = Windows(before=span(0, 100), after=span(200, 300), deployed_at=span(200, 200)[0], new_revision="r-2")  # fmt: skip
    recipe = present(Indicator(id="sign", title="A sign", log=pattern, examples=examples), source="log")
    check = Check(id="log-sign-present", kind="guard", claim="written", group="logs", recipe=recipe)
    found = settle(check, View(tables=lambda name, phase: tables[phase].get(name), windows=windows))
    assert (found.verdict, found.reason) == (verdict, reason), found.statement


def history(hours: int, *, crash_every_h: int) -> list[dict[str, Any]]:
    """A log that goes back for hours, an entry and a request each minute, and a burst of crashes every few hours."""
    entries = []
    for minute in range(60 * hours):
        entries.append(entry(60 * minute, status=200, trace=minute))
        entries.append(entry(60 * minute + 1, f"[INFO] minute {minute}", trace=minute))
        if minute % (60 * crash_every_h) == 30:
            entries += [entry(60 * minute + n / 10, "[ERROR] RecursionError", trace=10**6 + minute + n) for n in range(10)]  # fmt: skip
    return entries


@pytest.mark.parametrize(("crash_every_h", "verdict"), [(1, Verdict.PASS), (4, Verdict.INCONCLUSIVE)])
def test_bursts_are_held_against_windows_of_before_that_were_silent_too(
    crash_every_h: int, verdict: Verdict
) -> None:
    hours = 40
    end = 3600 * hours
    after = [entry(end + 60 * minute + 1, f"[INFO] minute {minute}", revision="r-2", trace=minute) for minute in range(90)]  # fmt: skip
    after += [entry(end + 60 * minute, status=200, revision="r-2", trace=minute) for minute in range(90)]
    tables = {
        (phase, name): table
        for phase, entries in (("before", history(hours, crash_every_h=crash_every_h)), ("after", after))
        for name, table in small(entries, "RecursionError").items()
    }
    windows = Windows(before=span(0, end), after=span(end, end + 5400), deployed_at=span(end, end)[0], new_revision="r-2")  # fmt: skip
    seen = view(tables, windows)
    recipe = gone(Symptom(log="RecursionError"), source="log", absent_rate=0.01)
    found = settle(Check(id="log-gone", kind="fix", claim="gone", group="logs", recipe=recipe), seen)
    assert found.method is not None and "26 placebo windows" in found.method.name
    assert found.verdict is verdict, found.statement


def test_one_crash_before_is_too_early() -> None:
    found = judged(traffic(0, "r-1", crash_every=1000), traffic(200, "r-2"))
    assert (found.verdict, found.reason) == (Verdict.INCONCLUSIVE, "too-early")
    assert found.needed is not None


def test_one_log_that_holds_both_revisions_is_its_own_before() -> None:
    found_tables = small([*traffic(0, "r-1", crash_every=5), *traffic(100, "r-2")], "RecursionError")
    tables = {("after", name): table for name, table in found_tables.items()}
    seen = view_of(lambda name, phase: tables.get((phase, name)), phases={})
    recipe = gone(Symptom(log="RecursionError"), source="log", absent_rate=0.01)
    found = settle(Check(id="log-gone", kind="fix", claim="gone", group="logs", recipe=recipe), seen)
    assert found.verdict is Verdict.PASS, found.statement
    [before] = [control for control in found.controls if control.kind == "before"]
    assert before.held and before.got.startswith("fail")


# Lines that were not read ------------------------------------------------------------------------------------------


# What a log holds beside the lines of its format: raw text, an entry without a time, a time without a zone.
UNREAD = {
    "a raw traceback": 'Traceback (most recent call last):\n  File "/app/a.py", line 3, in walk\nRecursionError: too deep',
    "an entry without a time": '{"severity": "ERROR", "textPayload": "RecursionError: too deep"}',
    "another writer's line": "01.01.2026 12:04:10 FATAL RecursionError: too deep",
}


def with_lines(entries: list[dict[str, Any]], text: str, *, at: int) -> str:
    """The entries as a file, with that text before the one of that number."""
    return json_lines(*entries[:at]) + (text + "\n" if text else "") + json_lines(*entries[at:])


@functools.cache
def tables_of_file(text: str, patterns: tuple[str, ...]) -> dict[str, pd.DataFrame]:
    """A file recorded as a run records it; once, since many tests begin with the same before."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "log").write_text(text)
        found, problems = record([LogSource(name="log", file="log")], patterns, base=folder, folder=folder)
    assert not problems
    return {name: table for name, table in found.items() if isinstance(table, pd.DataFrame)}


def view_of_files(before: str, after: str, *patterns: str) -> View:
    """Both files recorded as a run records them; the deployment lies between them."""
    tables = {
        (phase, name): table
        for phase, text in (("before", before), ("after", after))
        if text
        for name, table in tables_of_file(text, patterns).items()
    }
    deployed_at = span(200, 200)[0]
    windows = Windows(
        before=span(0, 100) if before else None, after=span(200, 300), deployed_at=deployed_at,
        old_revision="r-1", new_revision="r-2", settled_at=deployed_at,
    )  # fmt: skip
    return View(tables=lambda name, phase: tables.get((phase, name)), windows=windows)


def claimed(view: View, recipe: Recipe | None = None, *, kind: str = "fix") -> Finding:
    recipe = recipe or gone(Symptom(log="RecursionError", examples=["RecursionError"]), source="log", absent_rate=0.01)  # fmt: skip
    return settle(Check(id="x", kind=kind, claim="gone", group="logs", recipe=recipe), view)


@pytest.mark.usual_cases(4)
@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize("shape", UNREAD)
def test_an_unread_line_refutes_gone_where_the_entries_around_it_are_from_after(
    shape: str, newest_first: bool
) -> None:
    before, after = traffic(0, "r-1", crash_every=5), traffic(200, "r-2")
    if newest_first:
        before, after = before[::-1], after[::-1]
    view = view_of_files(json_lines(*before), with_lines(after, UNREAD[shape], at=300), "RecursionError")
    found = claimed(view)
    assert (found.verdict, found.reason) == (Verdict.FAIL, "still-there"), found.statement
    assert "1 line holds it without a readable time, such as “" in found.statement
    assert "RecursionError: too deep" in found.statement and "not read" in found.statement


@pytest.mark.usual_cases(2)
@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize("shape", UNREAD)
def test_an_unread_line_of_no_known_time_makes_gone_inconclusive(shape: str, newest_first: bool) -> None:
    before, after = traffic(0, "r-1", crash_every=5), traffic(200, "r-2")
    if newest_first:
        before, after = before[::-1], after[::-1]
    # What stands at the old end of the export may have been written at any time before.
    text = with_lines(after, UNREAD[shape], at=len(after) if newest_first else 0)
    found = claimed(view_of_files(json_lines(*before), text, "RecursionError"))
    assert (found.verdict, found.reason) == (Verdict.INCONCLUSIVE, "log-unread"), found.statement
    assert "nothing says whether they are from after the fix" in found.statement
    assert found.needed is not None and "format of these lines" in found.needed.what


@pytest.mark.parametrize(
    ("count", "verdict", "words"),
    [
        (0, Verdict.PASS, ""),
        (3, Verdict.PASS, "3 of 603 lines (0.4975%) were not read"),
        # As many as the symptom wrote before: it may be gone, or be in them.
        (60, Verdict.INCONCLUSIVE, "60 of 660 lines (9.091%) were not read"),
        (200, Verdict.INCONCLUSIVE, "200 of 800 lines (25%) were not read"),
    ],
)
def test_gone_holds_only_if_it_would_hold_with_every_unread_line_against_it(
    count: int, verdict: Verdict, words: str
) -> None:
    text = with_lines(traffic(200, "r-2"), "\n".join(["something else"] * count), at=300)
    found = claimed(view_of_files(json_lines(*traffic(0, "r-1", crash_every=5)), text, "RecursionError"))
    assert (found.verdict, found.reason) == (verdict, "" if verdict is Verdict.PASS else "log-unread"), found.statement  # fmt: skip
    assert words in found.statement
    assert any(item.code == "log-unread" for item in found.controls) is (count > 0)


@pytest.mark.parametrize(
    ("stood", "hit_s", "verdict", "reason"),
    [
        (False, None, Verdict.INCONCLUSIVE, "log-gap"),
        (True, None, Verdict.PASS, ""),
        # Whatever explains a silence, what is written refutes.
        (True, 290, Verdict.FAIL, "still-there"),
    ],
)
def test_gone_holds_over_a_silence_if_the_machine_stood_still_then(
    stood: bool, hit_s: int | None, verdict: Verdict, reason: str
) -> None:
    first, last = span(230, 245)
    after = [item for item in traffic(200, "r-2") if not first < pd.Timestamp(item["timestamp"]) < last]
    if hit_s is not None:
        after.append(entry(hit_s, "[ERROR] RecursionError: maximum", revision="r-2"))
    view = view_of_files(json_lines(*traffic(0, "r-1", crash_every=5)), json_lines(*after), "RecursionError")
    stills = STANDSTILLS.frame([span(230.2, 244.9)]) if stood else None
    tables = view.tables
    found = claimed(replace(view, tables=lambda name, phase: stills if (name, phase) == (STANDSTILLS.name, "after") else tables(name, phase)))  # fmt: skip
    assert (found.verdict, found.reason) == (verdict, reason), found.statement
    assert ("nothing was written while the machine stood still" in found.statement) is (verdict is Verdict.PASS)  # fmt: skip


@pytest.mark.parametrize(("count", "verdict"), [(0, Verdict.PASS), (1, Verdict.PASS), (20, Verdict.INCONCLUSIVE)])  # fmt: skip
def test_absent_bounds_the_rate_only_in_what_was_read(count: int, verdict: Verdict) -> None:
    after = [entry(200 + index / 10, status=200, revision="r-2", trace=index) for index in range(999)]
    text = with_lines(after, "\n".join(["something else"] * count), at=300)
    found = claimed(view_of_files("", text, "RecursionError"))
    assert (found.verdict, found.reason) == (verdict, "absent" if verdict is Verdict.PASS else "log-unread"), found.statement  # fmt: skip


def test_300_lines_in_another_format_before_good_ones_are_not_gone() -> None:
    corrupt = "\n".join(["01.01.2026 12:03:20 FATAL ledger corrupt"] * 300)
    crashed = [entry(second, "[ERROR] ledger corrupt", trace=second) for second in range(100)]
    text = with_lines(traffic(200, "r-2"), corrupt, at=0)
    recipe = gone(Symptom(log="ledger corrupt"), source="log", absent_rate=0.01)
    found = claimed(view_of_files(json_lines(*traffic(0, "r-1"), *crashed), text, "ledger corrupt"), recipe)  # fmt: skip
    assert (found.verdict, found.reason) == (Verdict.INCONCLUSIVE, "log-unread"), found.statement
    assert "300 lines hold it" in found.statement


def test_evidence_from_before_unread_lines_were_looked_at_counts_them_against_the_claim() -> None:
    text = with_lines(traffic(200, "r-2"), "\n".join(["something else"] * 60), at=300)
    view = view_of_files(json_lines(*traffic(0, "r-1", crash_every=5)), text, "RecursionError")
    older = replace(view, tables=lambda name, phase: None if name == "log_unread" else view.tables(name, phase))  # fmt: skip
    assert claimed(older).reason == "log-unread"


def test_other_claims_from_a_log_weigh_its_unread_lines_too() -> None:
    crash = "\n".join([UNREAD["a raw traceback"], "[INFO] ready"])
    text = with_lines(traffic(200, "r-2"), crash, at=300)
    view = view_of_files(json_lines(*traffic(0, "r-1")), text, "ready", "RecursionError")
    sign = present(Indicator(id="sign", title="A sign", log="ready", examples=["ready"]), source="log")
    found = claimed(view, sign, kind="guard")
    assert (found.verdict, found.reason) == (Verdict.INCONCLUSIVE, "log-unread"), found.statement
    news = claimed(view, no_new_errors("log"), kind="guard")
    assert (news.verdict, news.reason) == (Verdict.INCONCLUSIVE, "log-unread"), news.statement
    # Four lines in 300 requests could be the one in a hundred that is allowed; hardly any of them in 2 %.
    for most, verdict in ((0.01, Verdict.INCONCLUSIVE), (0.05, Verdict.PASS)):
        rate = claimed(view, error_rate(source="log", most=most), kind="guard")
        assert rate.verdict is verdict, rate.statement
    coverage = claimed(view, covers("log", fixes=True), kind="guard")
    assert "4 of 604 lines (0.6623%) were not read, such as 'Traceback" in coverage.statement


def test_what_was_assumed_of_a_log_is_said_not_to_be_established(tmp_path: Path) -> None:
    text = "".join(f"01/02/2026 12:00:{second:02} INFO app: tick\n" for second in range(60))
    (tmp_path / "log").write_text(text)
    tables, _ = record([LogSource(name="log", file="log", utc_offset="+00:00")], [], base=tmp_path, folder=tmp_path)  # fmt: skip
    seen = View(
        tables=lambda name, phase: tables.get(name) if phase == "after" else None,
        windows=Windows(before=None, after=None),
        live=False,
    )
    coverage = claimed(seen, covers("log", fixes=False), kind="guard")
    assert any("01/02/2026 12:00:00 is 2026-02-01" in words for words in coverage.not_established)


# How a symptom may stand in a log of text whose other lines are in one form.
IN_ANOTHER_FORM = {
    "another date": "01.01.2026 12:04:10 FATAL RecursionError: too deep",
    "no zone": "2026-01-01 12:04:10 FATAL RecursionError: too deep",
    "a form that nobody knows": "12h04m10 FATAL RecursionError: too deep",
    "no time": "worker: RecursionError: too deep",
    "a traceback": 'Traceback (most recent call last):\n  File "/app/a.py", line 3, in walk\nRecursionError: too deep',
    "indented": "    RecursionError: too deep",
    "an object": '{"level": "error", "msg": "RecursionError: too deep"}',
    "an object behind a name": 'web-1  | {"level": "error", "msg": "RecursionError: too deep"}',
    "colours": "\x1b[31m2026-01-01T12:04:10Z\x1b[0m ERROR RecursionError: too deep",
    "a level alone": "ERROR: RecursionError: too deep",
    "another year": "Jan  1 12:04:10 host app[7]: RecursionError: too deep",
    "a date in the text": "restored backup of 2025-03-01 00:00:00 UTC: RecursionError: too deep",
}


def lines_of(first_s: int, *, crash_every: int = 0) -> list[str]:
    """A log of text: ten lines a second for a hundred seconds."""
    found = []
    for index in range(1000):
        at = START + pd.Timedelta(milliseconds=1000 * first_s + 100 * index)
        crashes = crash_every and index % crash_every == 0
        found.append(
            f"{at:%Y-%m-%dT%H:%M:%S.%f}Z {'ERROR RecursionError: too deep' if crashes else 'INFO served'}\n"
        )
    return found


@pytest.mark.usual_cases(4)
@pytest.mark.parametrize("share", [1, 40])
@pytest.mark.parametrize("form", IN_ANOTHER_FORM)
def test_a_symptom_that_goes_on_in_another_form_is_never_gone(form: str, share: int) -> None:
    before, after = lines_of(0, crash_every=20), lines_of(200)
    for number in range(share):
        after.insert(100 + 20 * number, IN_ANOTHER_FORM[form] + "\n")
    found = claimed(view_of_files("".join(before), "".join(after), "RecursionError"))
    assert found.verdict is not Verdict.PASS, found.statement


def test_a_symptom_that_goes_on_in_no_form_is_gone() -> None:
    before, after = lines_of(0, crash_every=20), lines_of(200)
    found = claimed(view_of_files("".join(before), "".join(after), "RecursionError"))
    assert found.verdict is Verdict.PASS, found.statement


def told(first_s: int, form: str, *, error_every: int = 0) -> str:
    """A log of which some entries say beside their message what went wrong."""
    rows = []
    for index in range(1000):
        at = START + pd.Timedelta(milliseconds=1000 * first_s + 100 * index)
        is_error = error_every and index % error_every == 0
        wrong = "RecursionError: too deep" if is_error else ""
        rows.append((at.isoformat(), "error" if is_error else "info", "pay", wrong))
    if form == "columns":
        return "time,level,message,error\n" + "".join(",".join(row) + "\n" for row in rows)
    keys = ("time", "level", "msg", form)
    return json_lines(*(dict(zip(keys, row if row[3] else row[:3], strict=False)) for row in rows))


@pytest.mark.usual_cases(2)
@pytest.mark.parametrize("form", ["error", "err", "exception", "error.message", "columns"])
def test_what_an_entry_says_of_its_error_beside_its_message_is_found(form: str) -> None:
    before = told(0, form, error_every=20)
    assert claimed(view_of_files(before, told(200, form, error_every=100), "RecursionError")).verdict is Verdict.FAIL  # fmt: skip
    assert claimed(view_of_files(before, told(200, form), "RecursionError")).verdict is Verdict.PASS


def answered(first_s: int, *, error_every: int = 0) -> str:
    """What pino-http writes of ten requests a second."""
    entries = []
    for index in range(1000):
        at = START + pd.Timedelta(milliseconds=1000 * first_s + 100 * index)
        said: dict[str, Any] = {"level": 30, "msg": "request completed", "res": {"statusCode": 200}}
        if error_every and index % error_every == 0:
            stack = "TypeError: basket is undefined\n    at pay (/srv/app/pay.js:7:1)"
            said = {"level": 50, "msg": "request errored", "res": {"statusCode": 500}, "err": {"type": "TypeError", "stack": stack}}  # fmt: skip
        entries.append({"time": int(at.timestamp() * 1000), **said})
    return json_lines(*entries)


@pytest.mark.parametrize(("error_every", "verdict"), [(0, Verdict.PASS), (7, Verdict.FAIL)])
def test_new_errors_that_note_the_status_they_led_to_are_new_errors(
    error_every: int, verdict: Verdict
) -> None:
    found = claimed(view_of_files(answered(0), answered(200, error_every=error_every)), no_new_errors("log"), kind="guard")  # fmt: skip
    assert found.verdict is verdict, found.statement
    assert ("TypeError: basket is undefined" in found.statement) is (verdict is Verdict.FAIL)


def test_rows_of_an_engine_without_a_time_are_unread_lines(tmp_path: Path) -> None:
    times = [START + pd.Timedelta(seconds=n) for n in range(30)]
    rows = pd.DataFrame({"at": [*times, None, None], "said": ["tick"] * 30 + ["RecursionError", "tock"], "level": "INFO"})  # fmt: skip
    rows.astype({"at": "datetime64[us, UTC]"}).to_parquet(tmp_path / "rows.parquet")
    columns = {"timestamp": "at", "body": "said", "severity_text": "level"}
    source = LogSource.model_validate({"name": "log", "engine": "duckdb://", "table": "rows.parquet", "columns": columns})  # fmt: skip
    tables, problems = record([source], ["RecursionError"], base=tmp_path, folder=tmp_path / "to")
    assert not problems
    about, lost = tables["log_sources"], tables["log_unread"]
    assert isinstance(about, pd.DataFrame) and isinstance(lost, pd.DataFrame)
    assert about[["lines", "read", "unparsed"]].to_numpy().tolist() == [[32, 30, 2]]
    assert dict(zip(lost["pattern"], lost["lines"], strict=True)) == {ANY_LINE: 2, "RecursionError": 1}
    assert lost["first"].isna().all() and lost["last"].isna().all()


@pytest.mark.parametrize("nothing", [0, "-", "000"])
def test_rows_of_an_engine_that_were_not_answered_have_no_status(nothing: int | str, tmp_path: Path) -> None:
    statuses = [type(nothing)(502), nothing]
    pd.DataFrame({"at": START, "said": "", "status": statuses}).to_parquet(tmp_path / "rows.parquet")
    source = LogSource.model_validate({"name": "log", "engine": "duckdb://", "table": "rows.parquet", "columns": {"timestamp": "at", "body": "said", "http_status": "status"}})  # fmt: skip
    found = engines.rows(source, base=tmp_path).http_status.to_pyarrow().to_pylist()
    assert found == [502, None]


def test_the_same_unread_lines_in_two_exports_count_once(tmp_path: Path) -> None:
    text = with_lines(traffic(200, "r-2"), UNREAD["a raw traceback"], at=300)
    table = view_of_files("", text, "RecursionError").need("log_unread")
    write(tmp_path / "round", {"log_unread": table}, at=START)
    rounds = [(number, store.read(tmp_path / "round")) for number in range(2)]
    merged = tables_of(rounds, planned=2, every_s=300.0)["log_unread"]
    assert merged.equals(table.sort_values(["source", "pattern", "bucket"], ignore_index=True))


# Real exports --------------------------------------------------------------------------------------------------------

REAL = os.environ.get("PROOFBOOK_REAL_LOGS")
needs_real_logs = pytest.mark.skipif(
    not REAL, reason="PROOFBOOK_REAL_LOGS does not name the folder of real exports"
)


@needs_real_logs
@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("cloud-logging-2025-09-07", 2002),
        ("cloud-logging-2025-09-16-last-hour", 1000),
        ("wrapped-by-severity-2025-09-15", 162),
        ("jwt-rejections-2025-09-07", 20),
    ],
)
def test_real_exports_are_read_to_the_last_entry(name: str, count: int, tmp_path: Path) -> None:
    reading = read_logs(
        LogSource(name="real", file=f"netra-staging/{name}.json"),
        base=Path(str(REAL)),
        to=tmp_path / "read.parquet",
    )
    assert (reading.read, reading.unparsed, reading.duplicates) == (count, 0, 0)
    assert reading.kept + reading.joined == count
    assert int(reading.entries["lines"].sum()) == count


@needs_real_logs
@pytest.mark.parametrize("covers_s", [None, 3600.0])
def test_the_export_named_last_hour_is_called_what_it_is(covers_s: float | None, tmp_path: Path) -> None:
    source = LogSource(
        name="real", file="netra-staging/cloud-logging-2025-09-16-last-hour.json", covers_s=covers_s
    )
    recorded, problems = record([source], [], base=Path(str(REAL)), folder=tmp_path)
    assert not problems
    tables = {("after", name): table for name, table in recorded.items() if isinstance(table, pd.DataFrame)}
    seen = View(
        tables=lambda name, phase: tables.get((phase, name)),
        windows=Windows(before=None, after=None),
        live=False,
    )
    found = settle(
        Check(
            id="log-coverage",
            kind="guard",
            claim="covered",
            group="logs",
            recipe=covers("real", fixes=False),
        ),
        seen,
    )
    assert (found.verdict, found.reason) == (Verdict.INCONCLUSIVE, "log-cut")
    assert "exactly 1,000 entries" in found.statement and "spanning 106.9 s" in found.statement
