"""The shapes that logs come in: how each is recognised, and where it keeps what OpenTelemetry has names for.

Patterns are in a dialect that Python's `re` and RE2 share.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from proofbook.evidence.schema import LOGS
from proofbook.evidence.table import TIME

_DUCKDB = {
    "str": "VARCHAR",
    TIME: "TIMESTAMPTZ",
    "Int32": "INTEGER",
    "Int64": "BIGINT",
    "UInt64": "UBIGINT",
    "float64": "DOUBLE",
}
# Columns of the table of entries, with their DuckDB types.
COLUMNS = {column.name: _DUCKDB[column.dtype] for column in LOGS.columns}
SEVERITY_NUMBERS = {
    "TRACE": 1,
    "DEBUG": 5,
    "INFO": 9,
    "NOTICE": 10,
    "WARNING": 13,
    "ERROR": 17,
    "CRITICAL": 21,
    "ALERT": 22,
    "EMERGENCY": 24,
}
SAME_SEVERITY = {
    "WARN": "WARNING",
    "ERR": "ERROR",
    "FATAL": "CRITICAL",
    "CRIT": "CRITICAL",
    "PANIC": "CRITICAL",
    "DPANIC": "CRITICAL",
    "EMERG": "EMERGENCY",
    "INFORMATION": "INFO",
    "INFORMATIONAL": "INFO",
    "SUCCESS": "INFO",
    "VERBOSE": "DEBUG",
    "FINE": "DEBUG",
    "SEVERE": "ERROR",
    # klog writes one letter; pino and bunyan write tens; syslog and journald write 0 to 7.
    "I": "INFO",
    "W": "WARNING",
    "E": "ERROR",
    "F": "CRITICAL",
    "10": "TRACE",
    "20": "DEBUG",
    "30": "INFO",
    "40": "WARNING",
    "50": "ERROR",
    "60": "CRITICAL",
    "0": "EMERGENCY",
    "1": "ALERT",
    "2": "CRITICAL",
    "3": "ERROR",
    "4": "WARNING",
    "5": "NOTICE",
    "6": "INFO",
    "7": "DEBUG",
}
_WORDS = "TRACE|DEBUG|INFO|NOTICE|WARNING|WARN|ERROR|ERR|CRITICAL|CRIT|FATAL|PANIC|ALERT|EMERGENCY|EMERG|SEVERE|SUCCESS"
# In brackets in any case; as `level=`; as a word of its own in capitals; as klog's first letter.
SEVERITY_IN_TEXT = (
    rf"(?:\[(?i:({_WORDS}))\]"
    rf"|(?i:\b(?:level|lvl|severity)=\"?)([A-Za-z]+)"
    rf"|(?:^|[\s|\[(:-])({_WORDS})(?:[\s|\]):,-]|$)"
    r"|^([IWEF])\d{4} \d\d:\d\d:\d\d)"
)
_ISO = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?: ?(?:Z|UTC|[+-]\d\d:?\d\d))?"
_SLASHED = r"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d(?:\.\d+)?"
_COMMON_LOG = r"\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}"
_SYSLOG = r"[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d"
_KLOG = r"[IWEF]\d{4} \d\d:\d\d:\d\d\.\d+"
TIME_IN_TEXT = rf"({_ISO}|{_SLASHED}|{_COMMON_LOG}|^(?:<\d{{1,3}}>)?{_SYSLOG}|^{_KLOG})"
REQUEST = r'"(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS|TRACE|CONNECT) (\S+) HTTP/[\d.]+" (\d{3})'
CONTAINER = r"^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)) (?:std(?:out|err) [FP] )?"
ANSI = r"\x1b\[[0-9;?]*[ -/]*[@-~]"
CONTROL = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]"
# A body that goes on where the entry before it stopped: an indented frame, or what joins two tracebacks.
CHAINS = "During handling of the above exception|The above exception was the direct cause|Caused by: |Suppressed: |--- End of "
CONTINUES = rf"^(?:[ \t]+\S|{CHAINS})"

# The shapes of text lines, the more special first. The names are what users see and may state.
TEXT_SHAPES = {
    "nginx-access": rf"^\S+ \S+ \S+ \[{_COMMON_LOG}\] \"",
    "nginx-error": rf"^{_SLASHED} \[[a-z]+\] \d+#\d+: ",
    "gunicorn": r"^\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4}\] \[\d+\] \[[A-Z]+\] ",
    "syslog-5424": r"^<\d{1,3}>\d \d{4}-\d\d-\d\dT",
    "syslog-3164": rf"^(?:<\d{{1,3}}>)?{_SYSLOG} \S",
    "klog": rf"^{_KLOG}",
    "container": CONTAINER,
    "logfmt": r"^(?:\S+=(?:\"[^\"]*\"|\S*) ){2,}",
    "python-logging": r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:,\d{3})? ",
    "uvicorn": r"^(?:TRACE|DEBUG|INFO|WARNING|ERROR|CRITICAL): {1,9}\S",
    "text": TIME_IN_TEXT,
}
JSON_SHAPES = (
    "cloud-logging",
    "otlp",
    "docker-json",
    "journald",
    "serilog",
    "loguru",
    "pino",
    "zap",
    "structlog",
    "json",
)
SHAPES = (*JSON_SHAPES, *TEXT_SHAPES)
# Where JSON entries keep things, the more special first. A path is looked up once per entry, whatever its depth.
CLOUD: dict[str, tuple[str, ...]] = {
    "time": ("timestamp", "receiveTimestamp"),
    "observed": ("receiveTimestamp",),
    "severity": ("severity",),
    "text": ("textPayload",),
    "payload": ("jsonPayload", "protoPayload"),
    "service": ("resource.labels.service_name", "resource.labels.container_name"),
    "version": ("resource.labels.revision_name",),
    "instance": ("labels.instanceId", "resource.labels.pod_name"),
    "trace": ("trace",),
    "span": ("spanId",),
    "method": ("httpRequest.requestMethod",),
    "url": ("httpRequest.requestUrl",),
    "status": ("httpRequest.status",),
    "latency": ("httpRequest.latency",),
    "id": ("insertId",),
}
# As client libraries write the same entries.
CLOUD_SNAKE: dict[str, tuple[str, ...]] = CLOUD | {
    "time": ("timestamp", "receiveTimestamp", "receive_timestamp"),
    "observed": ("receiveTimestamp", "receive_timestamp"),
    "text": ("textPayload", "text_payload"),
    "payload": ("jsonPayload", "json_payload", "payload", "protoPayload", "proto_payload"),
    "span": ("spanId", "span_id"),
    "method": ("httpRequest.requestMethod", "http_request.request_method", "http_request.requestMethod"),
    "url": ("httpRequest.requestUrl", "http_request.request_url", "http_request.requestUrl"),
    "status": ("httpRequest.status", "http_request.status"),
    "latency": ("httpRequest.latency", "http_request.latency"),
    "id": ("insertId", "insert_id"),
}
PAYLOAD_TEXT = ("message", "msg", "event", "text", "textPayload")
PAYLOAD_STACK = (
    "exception",
    "stack_trace",
    "stacktrace",
    "exc_info",
    "stack",
    "error.stack",
    "error.traceback",
)
STRUCTURED: dict[str, tuple[str, ...]] = {
    "time": (
        "timestamp", "@timestamp", "@t", "time", "ts", "record.time.timestamp", "asctime", "datetime", "date",
        "eventTime", "__REALTIME_TIMESTAMP", "_SOURCE_REALTIME_TIMESTAMP",
    ),
    "observed": ("observed_timestamp",),
    "severity": (
        "severity", "severity_text", "severityText", "level", "levelname", "log.level", "@l", "record.level.name", "lvl",
        "loglevel", "PRIORITY",
    ),
    "text": ("message", "msg", "event", "record.message", "@m", "@mt", "MESSAGE", "body", "log", "text"),
    "payload": (),
    "stack": (
        "exception", "record.exception", "exc_info", "stack_trace", "stacktrace", "stack", "err.stack", "error.stack",
        "error.stack_trace", "@x", "errorVerbose",
    ),
    "service": ("service.name", "service_name", "service", "app", "_SYSTEMD_UNIT", "SYSLOG_IDENTIFIER"),
    "version": ("service.version", "service_version", "version", "revision"),
    "instance": ("service.instance.id", "instance", "hostname", "host", "_HOSTNAME"),
    "trace": ("trace_id", "traceId", "trace.id", "trace", "@tr"),
    "span": ("span_id", "spanId", "span.id", "@sp"),
    "method": ("http.method", "http.request.method", "req.method", "method", "RequestMethod"),
    "url": ("http.url", "url.full", "req.url", "url", "RequestPath"),
    "status": ("http.status_code", "http.response.status_code", "res.statusCode", "status_code", "status", "StatusCode"),
    "latency": (),
    "id": ("insertId", "insert_id", "__CURSOR"),
}  # fmt: skip
_KEYS_OF = {
    "cloud-logging": {"textPayload", "jsonPayload", "httpRequest", "logName", "insertId", "insert_id", "protoPayload"},
    "docker-json": {"log", "stream"},
    "journald": {"__REALTIME_TIMESTAMP"},
    "serilog": {"@t"},
    "loguru": {"record"},
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What a source's lines are. `wrapper` is what a container runtime put around each of them.

    snake: whether keys of Cloud Logging may be written in snake_case; looking for both takes longer.
    """

    name: str
    of_json: bool
    wrapper: str = ""
    pattern: str = ""
    snake: bool = True

    @property
    def in_words(self) -> str:
        return f"{self.name} in {self.wrapper}" if self.wrapper else self.name


def shape_of(lines: Sequence[str]) -> Shape:
    """The shape of a sample of lines, by what most of them are."""
    objects = [item for item in map(_object, lines) if item is not None]
    if not objects and len(lines) == 1 and lines[0].startswith('{"'):
        # One entry that is longer than the sample: its first keys must do.
        objects = [dict.fromkeys(re.findall(r'"([\w@.]+)": ?', lines[0][:4000]), "")]
    if objects and 2 * len(objects) >= len(lines):
        name = json_shape(objects)
        if name == "docker-json":
            inner = shape_of([str(item.get("log", "")).rstrip("\n") for item in objects])
            return Shape(name=inner.name, of_json=inner.of_json, wrapper="docker-json")
        return Shape(name=name, of_json=True, snake=any("_" in key for item in objects for key in item))
    written = [line for line in lines if line.strip() and not line[:1].isspace()]
    name = text_shape(written)
    if name == "container":
        prefix = re.compile(CONTAINER)
        inner = shape_of([prefix.sub("", line) for line in written])
        return Shape(name=inner.name, of_json=inner.of_json, wrapper="container")
    return Shape(name=name, of_json=False)


def json_shape(objects: Sequence[dict[str, Any]]) -> str:
    """The name of the shape that most of these entries have."""
    votes: dict[str, int] = {}
    for item in objects:
        name = _json_shape_of_one(item)
        votes[name] = votes.get(name, 0) + 1
    return max(votes, key=lambda name: (votes[name], -JSON_SHAPES.index(name)), default="json")


def _json_shape_of_one(item: dict[str, Any]) -> str:
    keys = item.keys()
    if "resourceLogs" in keys:
        return "otlp"
    for name, wanted in _KEYS_OF.items():
        if (wanted <= keys) if name == "docker-json" else (wanted & keys):
            return name
    if "msg" in keys and isinstance(item.get("level"), int | float):
        return "pino"
    if "msg" in keys and isinstance(item.get("ts"), int | float):
        return "zap"
    if "event" in keys and "level" in keys:
        return "structlog"
    return "json"


def text_shape(lines: Sequence[str]) -> str:
    """The name of the shape of text that most of these lines have."""
    for name, pattern in TEXT_SHAPES.items():
        compiled = re.compile(pattern)
        if lines and 2 * sum(bool(compiled.search(line[:300])) for line in lines) >= len(lines):
            return name
    return "text"


def _object(line: str) -> dict[str, Any] | None:
    if not line.lstrip().startswith("{"):
        return None
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
