"""One request is followed by its trace, and without one only by rules whose hit rate on this very log is known and said."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import builders
import numpy as np
import pandas as pd
import pytest

import proofbook as pb
from proofbook.collect.logs.reader import read_logs
from proofbook.config.sources import LogSource
from proofbook.errors import ProofbookError
from proofbook.evidence import schema, store
from proofbook.evidence.store import Phase
from proofbook.evidence.traces import SPANS
from proofbook.investigation.following.joins import Lines, Open, Requests, Rule, measured
from proofbook.investigation.look import Look

BEGINS = pd.Timestamp("2026-01-05T09:00:00Z")
TRACE = "0af7651916cd43dd8448eb211c80319c"


def entry(
    at_s: float, *, trace: str = "", instance: str = "i-1", service: str = "api", **more: object
) -> str:
    """One entry, as Cloud Logging exports it."""
    at = (BEGINS + pd.Timedelta(seconds=at_s)).isoformat(timespec="microseconds").replace("+00:00", "Z")
    held: dict[str, object] = {
        "timestamp": at, "insertId": f"{at_s}{instance}{more}", "resource": {"type": "cloud_run_revision", "labels": {"service_name": service}},
        "labels": {"instanceId": instance}, **({"trace": f"projects/p/traces/{trace}"} if trace else {}),
    }  # fmt: skip
    return json.dumps(held | more)


def request(at_s: float, took_s: float = 0.05, *, status: int = 200, path: str = "/api", **more: str) -> str:
    asked = {"requestMethod": "GET", "requestUrl": f"https://api.example.com{path}", "status": status, "latency": f"{took_s}s"}  # fmt: skip
    return entry(at_s, httpRequest=asked, **more)


def said(at_s: float, text: str, *, severity: str = "INFO", **more: str) -> str:
    return entry(at_s, textPayload=text, severity=severity, **more)


def numbered(number: int) -> str:
    return f"{number + 1:032x}"


def one_by_one(count: int) -> list[str]:
    """Requests that never overlap, each with a line of its trace."""
    lines = []
    for number in range(count):
        lines += [request(number, trace=numbered(number), service="edge"), said(number + 0.01, f"took order {number}", trace=numbered(number), service="edge")]  # fmt: skip
    return lines


def all_at_once(count: int) -> list[str]:
    """Requests of which several are always open on the same instance, each with a line of its trace."""
    lines = []
    for number in range(count):
        at = number * 0.01
        lines += [request(at, 0.5, trace=numbered(number), service="edge"), said(at + 0.3, f"took order {number}", trace=numbered(number), service="edge")]  # fmt: skip
    return lines


@pytest.fixture
def look_at(tmp_path: Path) -> Callable[[Sequence[str]], Look]:
    def looked(lines: Sequence[str]) -> Look:
        file = tmp_path / "export.json"
        file.write_text("\n".join(lines))
        return pb.look(file)

    return looked


LookAt = Callable[[Sequence[str]], Look]


@pytest.mark.slow
def test_an_entry_leads_to_everything_of_its_trace_and_to_what_names_it(look_at: LookAt) -> None:
    look = look_at([
        request(0, 0.2, status=500, trace=TRACE), said(0.1, "Decode failed", severity="ERROR", trace=TRACE),
        said(0.15, f"rolled back {TRACE}", service="db", instance="d-1"), said(3, "a tick of the clock", service="db", instance="d-1"),
    ])  # fmt: skip
    for given in (look.examples(1), look.where(severity="ERROR").entries().iloc[0], 1, TRACE):
        found = look.follow(given)
        assert [step.what for step in found.steps] == [
            "GET /api → 500",
            "ERROR Decode failed",
            f"INFO rolled back {TRACE}",
        ]
        assert found.steps[2].rule is Rule.IN_TEXT
        assert found.answer == "found" and found.trace_id == TRACE
    assert "GET /api → 500 after 200 ms; 2 lines of the log" in repr(look.follow(TRACE))


def test_a_line_without_a_trace_belongs_to_the_only_request_that_was_open_and_the_rate_of_that_is_said(
    look_at: LookAt,
) -> None:
    look = look_at(
        [*one_by_one(60), request(100, status=503), said(100.02, "pool is empty", severity="ERROR")]
    )
    found = look.follow(look.where(severity="ERROR").examples(1))
    assert [(step.what, step.rule, step.certain) for step in found.steps] == [
        ("GET /api → 503", Rule.ONLY, True),
        ("ERROR pool is empty", Rule.GIVEN, True),
    ]
    (control,) = (control for control in found.controls if Rule.ONLY in control.name)
    assert control.held and "right for 60 of 60 lines whose trace was hidden (100.0%, " in control.got
    # From the other end it is the same request.
    assert [step.what for step in look.follow(look.where(status=503).examples(1)).steps] == [
        step.what for step in found.steps
    ]


def test_what_cannot_be_measured_is_possible_at_most(look_at: LookAt) -> None:
    look = look_at(
        [request(0, status=503), said(0.02, "pool is empty"), request(5), request(5.01), said(5.02, "which?")]
    )
    found = look.follow(1)
    assert [step.certain for step in found.steps] == [False, True]
    assert found.answer == "inconclusive" and "possibly" in repr(found)
    unclear = look.follow(4)
    assert [step.what for step in unclear.steps] == ["INFO which?"]
    assert any("“near in time”, not measured" in note for note in unclear.notes)


def test_a_rule_that_is_often_wrong_here_is_not_used_and_that_is_said(look_at: LookAt) -> None:
    look = look_at([*all_at_once(200), *(request(10 + number * 0.01, 0.5) for number in range(20)), said(10.3, "pool is empty", severity="ERROR")])  # fmt: skip
    found = look.follow(look.where(severity="ERROR").examples(1))
    rule = look.records.traffic.rule(Rule.NEAR)
    assert rule.rate is not None and rule.rate < 0.5
    assert [step.rule for step in found.steps] == [Rule.GIVEN]
    assert any("Its request is not shown" in note and f"({rule.rate:.1%}, " in note for note in found.notes)


def test_where_lines_name_their_request_one_that_names_none_belongs_to_none(look_at: LookAt) -> None:
    look = look_at([*one_by_one(60), said(30.02, "sweeping sessions", service="edge")])
    found = look.follow(look.where(template="sweeping sessions").entries().iloc[0])
    assert [step.rule for step in found.steps] == [Rule.GIVEN]
    assert any("98% of the lines of edge do: it belongs to none" in note for note in found.notes)
    beside = look.follow(look.where(trace_id=numbered(30)).entries().iloc[0])
    assert [step.what for step in beside.steps] == ["GET /api → 200", "INFO took order 30"]
    assert any(note.startswith("1 lines of the same time name no request") for note in beside.notes)


def test_lines_of_one_socket_belong_together(look_at: LookAt) -> None:
    socket = '169.254.169.126:55804 - "WebSocket /ws"'
    look = look_at([said(0, f"{socket} [accepted]"), said(90, f"{socket} closed", severity="ERROR"), said(90, f"{socket} closed", instance="i-2")])  # fmt: skip
    found = look.follow(1)
    assert [(step.entry, step.rule, step.certain) for step in found.steps] == [
        (0, Rule.SOCKET, False),
        (1, Rule.GIVEN, True),
    ]


def test_the_rate_that_is_stated_is_the_rate_that_holds(look_at: LookAt) -> None:
    rng = np.random.default_rng(7)
    count = 4000
    at_s, took_s = np.sort(rng.uniform(0, 400, count)), rng.exponential(0.1, count)
    place = rng.integers(0, 3, count)
    requests = Open(Requests(at_s=at_s, took_s=took_s, place=place, unit=np.arange(count)))
    lines = Lines(at_s=at_s + took_s * rng.random(count), place=place, unit=np.arange(count))

    def rates(rows: slice) -> dict[Rule, float]:
        some = Lines(at_s=lines.at_s[rows], place=lines.place[rows], unit=lines.unit[rows])
        return {rule: found.rate or 0.0 for rule, found in measured(requests, some).items()}

    stated, true = rates(slice(0, None, 4)), rates(slice(None))
    assert all(abs(stated[rule] - true[rule]) <= 0.03 for rule in true), (stated, true)
    assert true[Rule.ONLY] > 0.95 > 0.8 > true[Rule.NEAR]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (TRACE[:-1] + "d", f"there is no trace '{TRACE[:-1]}d' in"),
        (99, "expected the number of an entry, 0 to 1, got 99"),
        (None, "expected a row of .examples(), .entries() or a table of probes, the number of an entry, or a trace id, got NoneType"),
        (pd.DataFrame({"a": [1, 2]}), "got a table of 2 rows; take one, such as .iloc[0]"),
        (pd.Series({"status": 500}), "got a row with status"),
    ],
)  # fmt: skip
def test_what_cannot_be_followed_is_refused_in_one_sentence(
    given: object, says: str, look_at: LookAt
) -> None:
    look = look_at([request(0, trace=TRACE), said(0.01, "well", trace=TRACE)])
    with pytest.raises(ProofbookError) as raised:
        look.follow(given)
    assert says in str(raised.value)
    if isinstance(given, str):
        assert f"did you mean '{TRACE}'?" in str(raised.value)


def test_html_holds_nothing_of_the_log_unescaped_and_works_without_a_script(look_at: LookAt) -> None:
    html = look_at([request(0, trace=TRACE), said(0.01, "<script>alert(1)</script> \\[x\\]", trace=TRACE)]).follow(TRACE)._repr_html_()  # fmt: skip
    assert "<script" not in html and "&lt;script&gt;" in html
    assert html.count("role='listitem'") == 2 and "position:absolute" in html
    assert "mathjax_ignore" in html


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Look]:
    """A run with the log of one connection, and the tables of probes that are given."""

    def looked(**tables: pd.DataFrame) -> Look:
        export, logs = tmp_path / "export.json", tmp_path / "logs.parquet"
        export.write_text("\n".join([
            request(0.02, 0.001, status=101, path="/ws", trace=TRACE), said(0.03, "WebSocket authenticated", trace=TRACE),
            said(0.5, "handler failed", severity="ERROR", trace=TRACE),
        ]))  # fmt: skip
        read_logs(LogSource(name="log", file=str(export)), base=Path(), to=logs)
        store.write_phase(
            tmp_path / "evidence", environment="e", phase="after", tables={"logs": logs, **tables},
            recorded=Phase(started=BEGINS.to_pydatetime(), ended=BEGINS.to_pydatetime() + dt.timedelta(seconds=9)),
        )  # fmt: skip
        return pb.look(tmp_path / "evidence")

    return looked


CONNECTION = {"timestamp": BEGINS, "resolve_s": 0.001, "tcp_s": 0.002, "upgrade_s": 0.02, "greeting_s": 0.1, "reply_s": 0.3, "dwell_s": 0.1, "close_code": 1011, "closed_by": "server", "clean": True}  # fmt: skip


def test_a_probe_leads_through_the_log_to_its_close_code(run: Callable[..., Look]) -> None:
    look = run(websocket=builders.connections(schema.WEBSOCKET, {**CONNECTION, "trace_id": TRACE}))
    row = look.sql("SELECT * FROM probes WHERE close_code = 1011").iloc[0]
    for given in (row, TRACE, look.where(severity="ERROR").examples(1)):
        found = look.follow(given)
        assert [step.what for step in found.steps] == [
            "probe: resolve the name", "probe: connect", "probe: upgrade", "GET /ws → 101", "probe: wait for the greeting",
            "INFO WebSocket authenticated", "probe: wait for the first reply", "probe: listen", "ERROR handler failed", "probe: closed with 1011 by the server",
        ]  # fmt: skip
        assert found.statement.endswith("6 timings of the probe; closed with 1011 by the server")
    assert any("clocks of the probe and of the log" in gap for gap in found.not_established)


def test_a_close_while_a_reply_was_waited_for_has_no_moment_of_its_own(run: Callable[..., Look]) -> None:
    broken = {**CONNECTION, "reply_s": None, "dwell_s": 0.0, "closed_in": "reply", "trace_id": TRACE}
    look = run(websocket=builders.connections(schema.WEBSOCKET, broken))
    (end,) = (step for step in look.follow(TRACE).steps if step.kind == "close")
    assert end.what == "probe: closed with 1011 by the server, at the earliest then"
    # The view of all probes does not say who closed, so nor does this.
    alone = look.sql("SELECT * EXCLUDE (trace_id) FROM probes").iloc[0]
    assert [step.what for step in look.follow(alone).steps] == ["probe: closed with 1011"]


def test_a_probe_of_older_evidence_is_shown_alone_and_why_is_said(run: Callable[..., Look]) -> None:
    older = builders.connections(schema.WEBSOCKET, CONNECTION).drop(columns="trace_id")
    look = run(websocket=older)
    found = look.follow(look.sql("SELECT * FROM probes").iloc[0])
    assert {step.kind for step in found.steps} == {"close"}
    whole = look.follow(older.iloc[0])
    assert {step.kind for step in whole.steps} == {"probe", "close"}
    assert any("without a trace id, or recorded before it was kept" in note for note in whole.notes)
    line = look.follow(TRACE)
    assert any("recorded before trace ids were kept" in note for note in line.notes)


def test_spans_of_a_file_stand_beside_the_lines_of_their_trace(tmp_path: Path) -> None:
    log, spans = tmp_path / "export.json", tmp_path / "spans.csv"
    log.write_text(said(0.05, "charged order 7", trace=TRACE))
    spans.write_text(f"trace_id,span_id,parent_id,service,operation,start_time,duration_ms\n{TRACE},a,,shop,POST /orders,{BEGINS.isoformat()},80\n")  # fmt: skip
    found = pb.look(log, spans=spans).follow(TRACE)
    assert [(step.kind, step.what) for step in found.steps] == [("span", "shop POST /orders"), ("line", "INFO charged order 7")]  # fmt: skip
    # The span is the request: none is looked for by time.
    assert found.notes == () and found.answer == "found"


def test_spans_of_the_trace_stand_in_their_order_of_calls(run: Callable[..., Look]) -> None:
    begins = BEGINS + pd.Timedelta(milliseconds=20)
    spans = SPANS.frame([
        {"trace_id": TRACE, "span_id": "a", "parent_id": None, "service": "api", "instance": None, "operation": "GET /ws", "started": begins, "took_s": 0.4, "status": "ok"},
        {"trace_id": TRACE, "span_id": "b", "parent_id": "a", "service": "db", "instance": None, "operation": "SELECT", "started": begins + pd.Timedelta(milliseconds=5), "took_s": 0.1, "status": "error"},
    ])  # fmt: skip
    found = run(spans=spans).follow(TRACE)
    assert [(step.what, step.depth, step.is_error) for step in found.steps if step.kind == "span"] == [
        ("api GET /ws", 0, False),
        ("db SELECT", 1, True),
    ]
