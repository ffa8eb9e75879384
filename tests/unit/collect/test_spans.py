"""Spans and measurements are read from the forms that others export, or refused with a sentence."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pandas as pd
import pytest

from proofbook.collect.logs import entries
from proofbook.collect.traces import reader
from proofbook.errors import UsageError
from proofbook.evidence import schema

AT_NS = 1_700_000_000_123_456_789
OTLP = {
    "resourceSpans": [
        {
            "resource": {
                "attributes": [
                    {"key": "service.name", "value": {"stringValue": "cart"}},
                    {"key": "k8s.pod.name", "value": {"stringValue": "cart-6d4b75cb6d-hs9xk"}},
                ]
            },
            "scopeSpans": [
                {
                    "spans": [
                        {
                            "traceId": "t1", "spanId": "a", "name": "add", "startTimeUnixNano": str(AT_NS),
                            "endTimeUnixNano": str(AT_NS + 5_000_000), "status": {"code": 2},
                        },
                        {
                            "traceId": "t1", "spanId": "b", "parentSpanId": "a", "name": "save", "startTimeUnixNano": AT_NS,
                            "endTimeUnixNano": AT_NS + 2_000_000, "status": {},
                        },
                    ]
                }
            ],
        }
    ]
}  # fmt: skip
JAEGER = {
    "data": [
        {
            "traceID": "t1",
            "processes": {"p1": {"serviceName": "cart", "tags": [{"key": "hostname", "value": "cart-6d4b75cb6d-hs9xk"}]}},
            "spans": [
                {
                    "traceID": "t1", "spanID": "a", "operationName": "add", "references": [], "startTime": AT_NS // 1000, "duration": 5000,
                    "processID": "p1", "tags": [{"key": "error", "type": "bool", "value": True}],
                },
                {
                    "traceID": "t1", "spanID": "b", "operationName": "save", "startTime": AT_NS // 1000, "duration": 2000, "processID": "p1",
                    "references": [{"refType": "CHILD_OF", "traceID": "t1", "spanID": "a"}],
                },
            ],
        }
    ]
}  # fmt: skip
ZIPKIN = [
    {
        "traceId": "t1", "id": "a", "name": "add", "timestamp": AT_NS // 1000, "duration": 5000, "localEndpoint": {"serviceName": "cart"},
        "tags": {"error": "no such item"},
    },
    {"traceId": "t1", "id": "b", "parentId": "a", "name": "save", "timestamp": AT_NS // 1000, "duration": 2000, "localEndpoint": {"serviceName": "cart"}},
]  # fmt: skip
CSV = "TraceID,SpanID,ParentID,PodName,OperationName,StartTimeUnixNano,EndTimeUnixNano,Status\n" + "".join(
    f"t1,{span},{parent},cart-6d4b75cb6d-hs9xk,{name},{AT_NS},{AT_NS + took},{status}\n"
    for span, parent, name, took, status in (("a", "root", "add", 5_000_000, "ERROR"), ("b", "a", "save", 2_000_000, ""))
)  # fmt: skip
OTHER_CSV = "trace_id;id;parent;service;name;timestamp;duration_ms;error\n" + "".join(
    f"t1;{span};{parent};cart;{name};2023-11-14T22:13:20.123456Z;{took};{error}\n"
    for span, parent, name, took, error in (("a", "", "add", 5, "true"), ("b", "a", "save", 2, "false"))
)
FORMS = {
    "OTLP JSON": json.dumps(OTLP),
    "Jaeger JSON": json.dumps(JAEGER),
    "Zipkin JSON": json.dumps(ZIPKIN),
    "CSV": CSV,
    "CSV with other names": OTHER_CSV,
    "JSON lines": json.dumps(OTLP) + "\n" + json.dumps({"resourceSpans": []}) + "\n",
}


def read(path: Path) -> tuple[reader.Read, pd.DataFrame]:
    to = path.with_suffix(".parquet")
    done = reader.read_spans([path.name], base=path.parent, to=to)
    return done, pd.read_parquet(to)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("packed", [False, True])
def test_spans_of_each_form_are_the_same_table(tmp_path: Path, form: str, packed: bool) -> None:
    path = tmp_path / ("spans.gz" if packed else "spans.txt")
    path.write_bytes(gzip.compress(FORMS[form].encode()) if packed else FORMS[form].encode())
    done, table = read(path)
    assert (done.rows, done.duplicates, done.unread) == (2, 0, 0)
    found = table.set_index("span_id")
    assert found["operation"].to_dict() == {"a": "add", "b": "save"}
    assert set(found["service"]) == {"cart"}
    assert found["took_s"].round(6).to_dict() == {"a": 0.005, "b": 0.002}
    assert found.loc["b", "parent_id"] == "a" and pd.isna(found.loc["a", "parent_id"])
    assert found.loc["a", "status"] == "error" and found.loc["b", "status"] != "error"
    assert abs(found.loc["a", "started"] - pd.Timestamp(AT_NS, tz="UTC")) < pd.Timedelta("2us")
    assert list(table.columns) == [column.name for column in schema.known("spans").columns]


def test_a_span_that_was_recorded_twice_is_one(tmp_path: Path) -> None:
    path = tmp_path / "spans.csv"
    path.write_text(CSV + CSV.splitlines()[1] + "\n", encoding="utf-8")
    done, table = read(path)
    assert (done.rows, done.duplicates, len(table)) == (2, 1, 2)


def test_rows_without_time_or_ids_are_counted_and_left_out(tmp_path: Path) -> None:
    path = tmp_path / "spans.csv"
    path.write_text(CSV + f"t1,,a,cart,x,{AT_NS},{AT_NS},\nt1,d,a,cart,x,soon,later,\n", encoding="utf-8")
    assert read(path)[0].unread == 2


def test_a_shared_span_of_zipkin_is_one_of_the_caller_and_one_of_the_callee(tmp_path: Path) -> None:
    spans = [
        {"traceId": "t", "id": "a", "name": "get", "timestamp": 1700000000000000, "duration": 9000, "kind": "CLIENT", "localEndpoint": {"serviceName": "front"}},
        {"traceId": "t", "id": "a", "name": "get", "timestamp": 1700000000001000, "duration": 5000, "kind": "SERVER", "shared": True, "localEndpoint": {"serviceName": "cart"}},
        {"traceId": "t", "id": "b", "parentId": "a", "name": "save", "timestamp": 1700000000002000, "duration": 1000, "localEndpoint": {"serviceName": "cart"}},
    ]  # fmt: skip
    path = tmp_path / "spans.json"
    path.write_text(json.dumps(spans), encoding="utf-8")
    found = read(path)[1].set_index("span_id")
    assert dict(found["parent_id"].dropna()) == {"a/server": "a", "b": "a/server"}


REFUSED = {
    "": "expected spans in spans, got an empty file",
    "hello\nworld\n": "expected spans in spans as CSV with a header; got a file that begins 'hello'",
    '{"a": 1}': "expected spans in spans as OTLP JSON, Jaeger JSON, Zipkin JSON, or CSV with a header; got JSON that begins '{\"a\": 1}'",
    "a,b\n1,2\n": "expected spans in spans with a column for each of trace_id, span_id, operation, started, service or instance, got the columns a, b; rename those that hold them",
    "trace_id,span_id,service,name,start\nt,a,s,n,1\n": "expected spans in spans with a column for each of ended or took, got the columns trace_id, span_id, service, name, start; rename those that hold them",
    "trace_id,span_id,service,name,start,end\nt,a,s,n,x,y\n": "expected times in the column start of spans, such as 2026-01-31T08:00:00Z or nanoseconds since 1970, got 'x'",
    '{"resourceSpans": []}': "expected spans in spans, got 0 rows of which none has ids, a service, a start and a duration",
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_holds_no_spans_is_refused_with_one_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "spans").write_text(text, encoding="utf-8")
    with pytest.raises(UsageError) as error:
        read(tmp_path / "spans")
    assert str(error.value) == REFUSED[text]


def test_an_absent_file_a_folder_and_a_binary_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "binary").write_bytes(b"\x00\x01\x02")
    for name, said in (("nothing", "there is none"), ("folder", "got a folder"), ("binary", "a binary file")):
        with pytest.raises(UsageError, match=said):
            reader.read_spans([name], base=tmp_path, to=tmp_path / "x.parquet")


def test_measurements_are_read_in_long_form(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text(
        "timestamp,pod,metric,value\n2026-01-01T00:00:00Z,cart-6d4b75cb6d-hs9xk,cpu,1.5\n2026-01-01T00:01:00Z,cart-6d4b75cb6d-hs9xk,cpu,NaN\n",
        encoding="utf-8",
    )
    done = reader.read_measurements(["*.csv"], base=tmp_path, to=tmp_path / "m.parquet")
    table = pd.read_parquet(tmp_path / "m.parquet")
    assert (done.rows, done.unread) == (1, 1)
    assert table[["service", "name", "value"]].to_numpy().tolist() == [["cart", "cpu", 1.5]]
    assert list(table.columns) == [column.name for column in schema.known("measurements").columns]


def test_measurements_in_wide_form_are_refused(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text("timestamp,cpu,memory\n2026-01-01T00:00:00Z,1,2\n", encoding="utf-8")
    with pytest.raises(UsageError, match="a column for each of name, value, service or instance, got the columns timestamp, cpu, memory"):  # fmt: skip
        reader.read_measurements(["m.csv"], base=tmp_path, to=tmp_path / "m.parquet")


def test_spans_are_read_within_the_memory_that_a_log_gets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "spans.csv").write_text("trace_id,span_id,service,operation,startTime,duration\nt,s,a,b,1700000000000000,5\n")  # fmt: skip
    monkeypatch.setattr(entries, "MEMORY_LIMIT", "1MB")
    with pytest.raises(UsageError, match="Out of Memory"):
        reader.read_spans(["spans.csv"], base=tmp_path, to=tmp_path / "spans.parquet")
