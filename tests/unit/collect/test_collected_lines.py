"""Lines that a collector took from a program: what the program wrote counts as if it stood alone, and what the collector says of it is kept."""

from __future__ import annotations

import datetime as dt
import functools
import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from builders import column_of, json_lines, read_log

from proofbook.collect.logs.counts import per_minute
from proofbook.collect.logs.entries import Reading
from proofbook.config.sources import LogSource

NOW = dt.datetime(2026, 3, 20, tzinfo=dt.UTC)
read = functools.partial(read_log, now=NOW)
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
GOOGLE = "logging.googleapis.com"
REQUEST = {
    "requestMethod": "GET",
    "requestUrl": "https://shop.test/cart",
    "status": 503,
    "latency": "0.25s",
    "userAgent": "curl/8",
    "remoteIp": "10.0.0.9",
    "responseSize": "120",
}


def at(second: int) -> str:
    return f"2026-03-01T10:00:{second:02d}.500Z"


def told(reading: Reading) -> list[tuple[str | None, str]]:
    """Severity and message of each entry, all of them of that minute."""
    found = reading.entries
    assert set(found["timestamp"].dt.floor("min")) == {pd.Timestamp("2026-03-01T10:00Z")}, reading.problem
    levels = [None if pd.isna(item) else str(item) for item in found["severity_text"]]
    return list(zip(levels, found["body"], strict=True))


def held(reading: Reading, *names: str) -> list[Any]:
    """What the first entry has."""
    return [reading.entries[name].iloc[0] for name in names]


# What a program writes for a service ----------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["time", "timestamp"])
@pytest.mark.parametrize(("level", "message"), [("severity", "message"), ("level", "msg")])
def test_what_a_program_writes_for_cloud_logging_is_no_entry_of_it_yet(
    key: str, level: str, message: str, tmp_path: Path
) -> None:
    entries = [
        {
            level: "ERROR",
            message: "boom",
            key: at(second),
            "httpRequest": REQUEST,
            f"{GOOGLE}/trace": f"projects/p/traces/{TRACE}",
            f"{GOOGLE}/spanId": SPAN,
            f"{GOOGLE}/labels": {"user": "u1"},
            f"{GOOGLE}/sourceLocation": {"file": "cart.py", "line": "3"},
        }
        for second in range(3)
    ]
    reading = read(tmp_path, json_lines(*entries))
    assert told(reading) == [("ERROR", "boom")] * 3
    assert held(reading, "trace_id", "span_id", "http_method", "http_url", "http_status", "http_latency_s", "http_user_agent", "http_remote_ip", "http_response_bytes") == [
        TRACE, SPAN, "GET", "https://shop.test/cart", 503, 0.25, "curl/8", "10.0.0.9", 120,
    ]  # fmt: skip
    assert column_of(reading, "fields")[0] == {
        f"{GOOGLE}/labels.user": "u1",
        f"{GOOGLE}/sourceLocation.file": "cart.py",
        f"{GOOGLE}/sourceLocation.line": "3",
    }


@pytest.mark.parametrize("payload", [{"level": "error"}, {"level": 50}, {"levelname": "ERROR"}])
@pytest.mark.parametrize("stated", [{}, {"severity": "DEFAULT"}])
def test_where_a_service_states_no_severity_the_program_does(
    payload: dict[str, Any], stated: dict[str, str], tmp_path: Path
) -> None:
    entry = {"timestamp": at(0), "insertId": "a", "logName": "b", "jsonPayload": {"message": "boom", **payload}, **stated}  # fmt: skip
    assert told(read(tmp_path, json_lines(entry))) == [("ERROR", "boom")]


def test_a_severity_that_a_service_states_stays(tmp_path: Path) -> None:
    entry = {"timestamp": at(0), "insertId": "a", "severity": "WARNING", "jsonPayload": {"message": "m", "level": "error"}}  # fmt: skip
    assert told(read(tmp_path, json_lines(entry))) == [("WARNING", "m")]


# An object in the text of a message -----------------------------------------------------------------------------------


def written(second: int) -> str:
    """What a program wrote."""
    return json.dumps({"level": "error", "msg": f'no "{second}"', "ts": at(second), "trace_id": TRACE, "user": "u1", "status": 503, "method": "GET", "path": "/cart"})  # fmt: skip


COLLECTED = {
    "its own key": lambda n: {"timestamp": at(n), "level": "info", "msg": written(n)},
    "cloudwatch": lambda n: {"timestamp": 1772359200500 + 1000 * n, "ingestionTime": 1772359209000, "message": written(n)},
    "filebeat": lambda n: {"@timestamp": at(n), "message": written(n), "stream": "stderr", "log": {"offset": n, "file": {"path": "/var/log/x"}}, "kubernetes": {"pod": {"name": "p-1"}}},
    "logcli": lambda n: {"labels": {"app": "shop", "pod": "p-1"}, "line": written(n), "timestamp": at(n)},
    "cloud logging": lambda n: {"timestamp": at(n), "severity": "DEFAULT", "insertId": str(n), "logName": "x", "textPayload": written(n)},
    "journald": lambda n: {"__REALTIME_TIMESTAMP": str(1772359200500000 + 1_000_000 * n), "MESSAGE": written(n), "PRIORITY": "6", "_SYSTEMD_UNIT": "shop.service"},
    "fluent bit": lambda n: {"time": at(n), "log": written(n) + "\n", "stream": "stdout", "kubernetes": {"pod_name": "p-1", "container_name": "shop"}},
}  # fmt: skip


@pytest.mark.parametrize("name", COLLECTED)
def test_an_object_in_the_text_of_a_message_is_what_the_program_wrote(name: str, tmp_path: Path) -> None:
    reading = read(tmp_path, json_lines(*(COLLECTED[name](second) for second in range(4))))
    assert told(reading) == [("ERROR", f'no "{second}"') for second in range(4)]
    assert held(reading, "trace_id", "http_method", "http_url", "http_status") == [TRACE, "GET", "/cart", 503]
    fields = column_of(reading, "fields")[0]
    assert isinstance(fields, dict) and fields["user"] == "u1"


def test_what_a_collector_says_of_such_an_entry_is_kept(tmp_path: Path) -> None:
    reading = {name: read(tmp_path / name, json_lines(*map(COLLECTED[name], range(4)))) for name in COLLECTED}
    assert held(reading["journald"], "service_name") == ["shop.service"]
    assert held(reading["fluent bit"], "service_name", "service_instance_id") == ["shop", "p-1"]
    assert held(reading["filebeat"], "service_instance_id") == ["p-1"]
    assert column_of(reading["filebeat"], "fields")[0]["log.file.path"] == "/var/log/x"
    assert column_of(reading["logcli"], "fields")[0]["labels.app"] == "shop"


def test_messages_of_text_among_such_objects_and_broken_ones_stay_as_they_are(tmp_path: Path) -> None:
    messages = ['{"level": "error", "msg": "boom"}', "WARN plain", '{"level": "error", broken', '{"level": "info", "msg": "fine"}']  # fmt: skip
    reading = read(tmp_path, json_lines(*({"timestamp": at(second), "message": text} for second, text in enumerate(messages))))  # fmt: skip
    assert told(reading) == [("ERROR", "boom"), ("WARNING", "WARN plain"), (None, messages[2]), ("INFO", "fine")]  # fmt: skip


def test_an_object_that_says_nothing_in_words_is_its_own_message(tmp_path: Path) -> None:
    messages = ['{"method": "GET", "path": "/cart", "status": 503}', '{"level": "error", "msg": "boom"}']
    reading = read(tmp_path, json_lines(*({"timestamp": at(second), "level": "info", "message": text} for second, text in enumerate(messages))))  # fmt: skip
    assert told(reading) == [("INFO", messages[0]), ("ERROR", "boom")]
    assert held(reading, "http_url", "http_status") == ["/cart", 503]


@pytest.mark.parametrize("pattern", ['no "[13]"', "no ", '"level": "error"', "[^\\x00-\\x7f]"])
@pytest.mark.parametrize("name", COLLECTED)
def test_it_is_counted_as_it_is_read(name: str, pattern: str, tmp_path: Path) -> None:
    reading = read(tmp_path, json_lines(*map(COLLECTED[name], range(4))))
    counted = per_minute(LogSource(name="log", file="log"), [pattern], base=tmp_path)
    assert counted[pattern].sum() == sum(bool(re.search(pattern, body)) for _, body in told(reading))


def test_a_key_that_is_stated_to_hold_the_message_holds_it(tmp_path: Path) -> None:
    entries = [{"timestamp": at(second), "message": '{"level": "error", "msg": "boom"}'} for second in range(3)]  # fmt: skip
    reading = read(tmp_path, json_lines(*entries), columns={"body": "message"})
    assert [body for _, body in told(reading)] == ['{"level": "error", "msg": "boom"}'] * 3


# Text in an object ----------------------------------------------------------------------------------------------------


def test_whose_lines_of_text_they_are_is_kept(tmp_path: Path) -> None:
    entries = [
        {
            "time": at(second),
            "log": "ERROR boom\n",
            "stream": "stderr",
            "kubernetes": {"pod_name": f"p-{second}", "container_name": "shop", "labels": {"app.kubernetes.io/part-of": "mall"}},
        }
        for second in range(3)
    ]  # fmt: skip
    reading = read(tmp_path, json_lines(*entries))
    assert told(reading) == [("ERROR", "boom")] * 3
    assert column_of(reading, "service_instance_id") == ["p-0", "p-1", "p-2"]
    assert column_of(reading, "service_name") == ["shop"] * 3
    assert column_of(reading, "fields")[0] == {"kubernetes.labels.app.kubernetes.io/part-of": "mall"}


SAID = '{"level": "error", "msg": "boom", "time": "%s"}'
PREFIXED = {
    "kubectl --prefix": "[pod/shop-{n}/app] " + SAID,
    "kubectl --prefix --timestamps": "[pod/shop-{n}/app] {at} " + SAID,
    "kubectl --prefix, text": "[pod/shop-{n}/app] {at} ERROR boom",
    "stern": "shop-{n} app " + SAID,
    "stern in colour": "shop-{n} › app " + SAID,
    "compose": "shop-{n}  | " + SAID,
    "compose, text": "shop-{n}  | {at} ERROR boom",
    "syslog": "Mar  1 10:00:0{s} shop-{n} app[12]: " + SAID,
    "syslog, text": "<11>Mar  1 10:00:0{s} shop-{n} app[12]: boom",
    "RFC 5424": "<14>1 {at} shop-{n} app 12 - - " + SAID,
    "RFC 5424 with data": '<14>1 {at} shop-{n} app 12 m [a@1 b="c"] ' + SAID,
    "journalctl -o short-iso": "2026-03-01T10:00:00+0000 shop-{n} app[12]: " + SAID,
    "Heroku": "{at} app[shop-{n}]: ERROR boom",
}
UNNAMED = {"stern", "stern in colour"}


@pytest.mark.parametrize("name", PREFIXED)
def test_an_object_behind_the_names_of_pod_and_container_is_read(name: str, tmp_path: Path) -> None:
    lines = [
        PREFIXED[name].replace("%s", at(second)).replace("{at}", at(second)).replace("{s}", str(second // 3)).replace("{n}", str(second % 2))
        for second in range(20)
    ]  # fmt: skip
    reading = read(tmp_path, "\n".join(lines) + "\n", utc_offset="+00:00")
    assert told(reading) == [("ERROR", "boom")] * 20
    assert column_of(reading, "service_instance_id") == [None] * 20 if name in UNNAMED else ["shop-0", "shop-1"] * 10  # fmt: skip
    assert set(column_of(reading, "service_name")) == ({None} if name in UNNAMED or "compose" in name else {"app"})  # fmt: skip


@pytest.mark.parametrize("line", ["Mar  1 10:00:00 ERROR app: boom", f"{at(0)} ERROR app[12]: boom", "alpha-1 - | boom"])  # fmt: skip
def test_a_level_is_no_instance(line: str, tmp_path: Path) -> None:
    reading = read(tmp_path, f"{line}\n" * 5 if "10:" in line else f"{at(0)} {line}\n" * 5, utc_offset="+00:00")  # fmt: skip
    assert column_of(reading, "service_instance_id") == [None] * 5


@pytest.mark.parametrize(
    "more",
    [
        {"log": "app", "stream": "orders"},
        {"log": {"offset": 3}, "stream": "stdout"},
        {"record": {"id": 5}},
        {"event": {"action": "login"}},
        {"insertId": "x"},
        {"httpRequest": {"status": 200}},
    ],
    ids=str,
)
def test_a_key_that_others_use_too_takes_no_message_away(more: dict[str, Any], tmp_path: Path) -> None:
    entries = [{"time": at(second), "level": "error", "message": "boom", **more} for second in range(3)]
    assert told(read(tmp_path, json_lines(*entries))) == [("ERROR", "boom")] * 3


# Documents ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("indent", [None, 1])
def test_what_loki_answers_is_read_as_a_file(indent: int | None, tmp_path: Path) -> None:
    streams = [
        {"stream": {"app": "shop", "pod": pod}, "values": [[str(1772359200500000000 + second * 10**9), written(second)] for second in (1, 0)]}
        for pod in ("p-1", "p-2")
    ]  # fmt: skip
    answer = {"status": "success", "data": {"resultType": "streams", "result": streams, "stats": {"summary": {"bytes": 3}}}}  # fmt: skip
    reading = read(tmp_path, json.dumps(answer, indent=indent))
    assert sorted(told(reading)) == [("ERROR", 'no "0"')] * 2 + [("ERROR", 'no "1"')] * 2
    assert sorted(column_of(reading, "service_instance_id")) == ["p-1", "p-1", "p-2", "p-2"]


@pytest.mark.parametrize("values", [3, None, "a", {}, [3, ["1"]]])
def test_a_stream_that_holds_no_lines_breaks_nothing(values: object, tmp_path: Path) -> None:
    assert read(tmp_path, json.dumps([{"stream": "stdout", "values": values}])).read == 0


def test_what_gcloud_prints_by_itself_is_read(tmp_path: Path) -> None:
    """Without --format it is YAML."""
    entry = "---\ninsertId: a%d\nlabels:\n  instanceId: i-1\nlogName: projects/p/logs/x\nseverity: ERROR\ntextPayload: |-\n  Traceback (most recent call last):\n    File \"a.py\", line 1, in f\n  KeyError: 1\ntimestamp: '%s'\n"
    reading = read(tmp_path, "".join(entry % (second, at(second)) for second in (2, 1, 0)))
    trace = 'Traceback (most recent call last):\n  File "a.py", line 1, in f\nKeyError: 1'
    assert told(reading) == [("ERROR", trace)] * 3 and held(reading, "service_instance_id") == ["i-1"]


def test_text_between_lines_of_dashes_is_no_yaml(tmp_path: Path) -> None:
    text = "".join(
        f"---\nStarted: {at(second)} INFO request\nwith a note: of two lines\n" for second in range(5)
    )
    assert read(tmp_path, text).shape == "text"


def test_what_splunk_exports_is_read(tmp_path: Path) -> None:
    entries = [{"preview": False, "result": {"_time": at(second), "_raw": written(second), "host": "web-1"}} for second in range(3)]  # fmt: skip
    reading = read(tmp_path, json_lines(*entries))
    assert told(reading) == [("ERROR", f'no "{second}"') for second in range(3)]
    assert held(reading, "service_instance_id", "http_status") == ["web-1", 503]


def test_attributes_of_otlp_are_fields(tmp_path: Path) -> None:
    def pair(name: str, value: str) -> dict[str, Any]:
        return {"key": name, "value": {"stringValue": value}}

    record = {"timeUnixNano": "1772359200500000000", "severityNumber": 17, "body": {"stringValue": "boom"}, "attributes": [pair("user.id", "u1"), pair("http.status_code", "503")]}  # fmt: skip
    resource = {"attributes": [pair("service.name", "shop"), pair("k8s.pod.name", "p-1"), pair("cloud.zone", "a")]}  # fmt: skip
    document = {"resourceLogs": [{"resource": resource, "scopeLogs": [{"logRecords": [record]}]}]}
    reading = read(tmp_path, json.dumps(document))
    assert told(reading) == [("ERROR", "boom")]
    assert held(reading, "service_name", "service_instance_id", "http_status") == ["shop", "p-1", 503]
    fields = column_of(reading, "fields")[0]
    assert fields["attributes.user.id"] == "u1" and fields["resource.cloud.zone"] == "a"


# Keys of any form -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ['a"b', "a\\b", 'a\\"b', "a*b", "*", "", "$", "a'b", "a.b", "a[0]", "a\nb", "a/b", "a~1b", "ключ"])  # fmt: skip
def test_an_object_is_read_whatever_its_keys_are(key: str, tmp_path: Path) -> None:
    entries = [{"time": at(second), "message": "boom", key: {"k": "v", "in": {"z": "w"}}} for second in range(3)]  # fmt: skip
    reading = read(tmp_path, json_lines(*entries))
    assert [body for _, body in told(reading)] == ["boom"] * 3
    assert column_of(reading, "fields")[0] == {f"{key}.k": "v", f"{key}.in.z": "w"}


@pytest.mark.parametrize("key", ['ti"me', "ti\\me", "*time", "ti.me", "@.time"])
def test_a_time_is_found_whatever_signs_stand_in_its_key(key: str, tmp_path: Path) -> None:
    entries = [{key: at(second), "message": "boom"} for second in range(3)]
    assert [body for _, body in told(read(tmp_path, json_lines(*entries)))] == ["boom"] * 3


def test_a_name_with_a_dot_is_found_at_any_depth(tmp_path: Path) -> None:
    entry = {"timestamp": at(0), "severityText": "ERROR", "body": "boom", "resource": {"attributes": {"service.name": "shop", "host.kind": "vm"}}}  # fmt: skip
    reading = read(tmp_path, json_lines(entry))
    assert told(reading) == [("ERROR", "boom")] and held(reading, "service_name") == ["shop"]
    assert column_of(reading, "fields")[0] == {"resource.attributes.host.kind": "vm"}
