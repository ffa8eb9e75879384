"""The formats that ship with Proofbook, and which of all formats a log is in.

Patterns are in a dialect that Python's `re` and RE2 share.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from proofbook.config import duckdb_text
from proofbook.config.log_formats import AUTO, GROUPS, LOG_FORMATS, PLACES, JsonFormat, LogFormat, TextFormat
from proofbook.errors import ExtensionError
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

# Where JSON entries keep things, the more special first. A path is looked up once per entry, whatever its depth.
_CLOUD: dict[str, tuple[str, ...]] = {
    "timestamp": ("timestamp", "receiveTimestamp"),
    "observed": ("receiveTimestamp",),
    "severity": ("severity",),
    "body": ("textPayload",),
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
_CLOUD_SNAKE: dict[str, tuple[str, ...]] = _CLOUD | {
    "timestamp": ("timestamp", "receiveTimestamp", "receive_timestamp"),
    "observed": ("receiveTimestamp", "receive_timestamp"),
    "body": ("textPayload", "text_payload"),
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
    "timestamp": (
        "timestamp", "@timestamp", "@t", "time", "ts", "record.time.timestamp", "asctime", "datetime", "date",
        "eventTime", "__REALTIME_TIMESTAMP", "_SOURCE_REALTIME_TIMESTAMP",
    ),
    "observed": ("observed_timestamp",),
    "severity": (
        "severity", "severity_text", "severityText", "level", "levelname", "log.level", "@l", "record.level.name", "lvl",
        "loglevel", "PRIORITY",
    ),
    "body": ("message", "msg", "event", "record.message", "@m", "@mt", "MESSAGE", "body", "log", "text"),
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
# The formats, in no order: that of LOG_FORMATS counts.
CLOUD_LOGGING = JsonFormat(
    any_key=("textPayload", "jsonPayload", "httpRequest", "logName", "insertId", "insert_id", "protoPayload"),
    places=_CLOUD_SNAKE,
    fewer_places=_CLOUD,
    alone=True,
    columns=True,
    utc=True,
)
# Its documents are written out with OpenTelemetry's names before.
OTLP = JsonFormat(any_key=("resourceLogs",))
DOCKER_JSON = JsonFormat(all_keys=("log", "stream"), wraps=("log", "time"))
JOURNALD = JsonFormat(any_key=("__REALTIME_TIMESTAMP",))
SERILOG = JsonFormat(any_key=("@t",))
LOGURU = JsonFormat(any_key=("record",))
PINO = JsonFormat(all_keys=("msg",), numbers=("level",))
ZAP = JsonFormat(all_keys=("msg",), numbers=("ts",))
STRUCTLOG = JsonFormat(all_keys=("event", "level"))
JSON = JsonFormat()
NGINX_ACCESS = TextFormat(recognised_by=rf"^\S+ \S+ \S+ \[{_COMMON_LOG}\] \"", severity_in="nowhere")
NGINX_ERROR = TextFormat(recognised_by=rf"^{_SLASHED} \[[a-z]+\] \d+#\d+: ")
GUNICORN = TextFormat(recognised_by=r"^\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4}\] \[\d+\] \[[A-Z]+\] ")
SYSLOG_5424 = TextFormat(recognised_by=r"^<\d{1,3}>\d \d{4}-\d\d-\d\dT", severity_in="priority")
SYSLOG_3164 = TextFormat(
    recognised_by=rf"^(?:<\d{{1,3}}>)?{_SYSLOG} \S", severity_in="priority", has_year=False
)
KLOG = TextFormat(recognised_by=rf"^{_KLOG}", has_year=False)
CONTAINER_LINES = TextFormat(pattern=CONTAINER, wraps=True)
LOGFMT = TextFormat(recognised_by=r"^(?:\S+=(?:\"[^\"]*\"|\S*) ){2,}")
PYTHON_LOGGING = TextFormat(recognised_by=r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:,\d{3})? ")
_LEVEL_FIRST = r"^(?:TRACE|DEBUG|INFO|WARNING|ERROR|CRITICAL): {1,9}\S"
UVICORN = TextFormat(recognised_by=_LEVEL_FIRST, begins=_LEVEL_FIRST, has_time=False)
TEXT = TextFormat(recognised_by=TIME_IN_TEXT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What a source's lines are: a format, and the format that a container runtime put around each of them.

    snake: whether keys may be written in snake_case; looking for both takes longer.
    """

    name: str
    format: LogFormat
    wrapper: str = ""
    snake: bool = True

    @property
    def in_words(self) -> str:
        return f"{self.name} in {self.wrapper}" if self.wrapper else self.name

    @property
    def of_json(self) -> bool:
        return isinstance(self.format, JsonFormat)

    @property
    def pattern(self) -> str:
        """The pattern with named groups by which its lines are taken apart; empty without one."""
        return self.format.pattern if isinstance(self.format, TextFormat) else ""

    @property
    def has_time(self) -> bool:
        return not isinstance(self.format, TextFormat) or self.format.has_time

    @property
    def has_columns(self) -> bool:
        """Whether DuckDB's own reader for JSON can read a file of it."""
        return isinstance(self.format, JsonFormat) and self.format.columns and not self.wrapper

    @property
    def places(self) -> Mapping[str, tuple[str, ...]]:
        """Where a JSON object in it keeps things: in the format's own places, then in the usual ones."""
        if not isinstance(self.format, JsonFormat):
            return STRUCTURED
        fewer = self.format.fewer_places
        own = self.format.places if self.snake or fewer is None else fewer
        if self.format.alone:
            return own
        return {name: (*own.get(name, ()), *STRUCTURED[name]) for name in STRUCTURED}


def shape_of(lines: Sequence[str], *, stated: str = AUTO) -> Shape:
    """The shape of a sample of lines, by what most of them are, or by the name of a format.

    Raises:
        ExtensionError: the format of that name, of another package, cannot be used.
    """
    if stated != AUTO:
        return _of(stated, checked(stated), lines)
    objects = [item for item in map(_object, lines) if item is not None]
    if not objects and len(lines) == 1 and lines[0].startswith('{"'):
        # One entry that is longer than the sample: its first keys must do.
        objects = [dict.fromkeys(re.findall(r'"([\w@.]+)": ?', lines[0][:4000]), "")]
    known, _ = usable()
    if objects and 2 * len(objects) >= len(lines):
        name = _json_format(objects, known)
        snake = any("_" in key for item in objects for key in item)
        return _of(name, known[name], lines, objects=objects, snake=snake)
    written = [line for line in lines if line.strip() and not line[:1].isspace()]
    name = _text_format(written, known)
    return _of(name, known[name], written)


def _of(
    name: str,
    format: LogFormat,
    lines: Sequence[str],
    *,
    objects: Sequence[dict[str, Any]] | None = None,
    snake: bool = True,
) -> Shape:
    """A shape of that format; of one that wraps lines, the shape of what it wraps."""
    if isinstance(format, JsonFormat) and format.wraps is not None:
        if objects is None:
            objects = [item for item in map(_object, lines) if item is not None]
        inner = shape_of([str(item.get(format.wraps[0], "")).rstrip("\n") for item in objects])
    elif isinstance(format, TextFormat) and format.wraps:
        inner = shape_of([re.sub(format.pattern, "", line) for line in lines])
    else:
        return Shape(name=name, format=format, snake=snake)
    # What is wrapped twice is read as text.
    return Shape(name=inner.name, format=inner.format, wrapper=name)


def usable() -> tuple[dict[str, LogFormat], list[ExtensionError]]:
    """The formats that can be recognised, those of other packages first, since they are of programs that ours do not name.

    And why the others cannot be used.
    """
    found: dict[str, LogFormat] = {}
    own: dict[str, LogFormat] = {}
    problems = LOG_FORMATS.doubles()
    for name in LOG_FORMATS.names():
        try:
            (own if LOG_FORMATS.is_ours(name) else found)[name] = checked(name)
        except ExtensionError as error:
            problems.append(error)
    return {**found, **own}, problems


def checked(name: str) -> LogFormat:
    """The format of that name.

    Raises:
        ExtensionError: it cannot be used.
    """
    format = LOG_FORMATS.get(name)
    # Ours are held by tests.
    problem = "" if LOG_FORMATS.is_ours(name) else _problem_of(format)
    if problem:
        raise LOG_FORMATS.failed(name, problem)
    return format


def _problem_of(format: LogFormat) -> str:
    """Why a format cannot be used; empty where it can."""
    unknown = {name for name in format.severities.values() if name not in SEVERITY_NUMBERS}
    if unknown:
        return f"expected severities of {', '.join(SEVERITY_NUMBERS)}, got {', '.join(sorted(unknown))}"
    if format.time_form and (problem := duckdb_text.time_form_problem(format.time_form)):
        return f"expected a form of time for strptime, got {format.time_form!r} ({problem})"
    if isinstance(format, JsonFormat):
        others = format.places.keys() - set(PLACES)
        return f"expected places of {', '.join(PLACES)}, got {', '.join(sorted(others))}" if others else ""
    assert isinstance(format, TextFormat)
    for pattern in filter(None, (format.pattern, format.recognised_by, format.begins)):
        if problem := duckdb_text.problem(pattern) or _not_python(pattern):
            return f"expected a regular expression (RE2's: no lookaround, no backreferences), got {pattern!r} ({problem})"
    groups = groups_of(format.pattern)
    if format.pattern and not format.wraps and ("timestamp" not in groups or set(groups) - set(GROUPS)):
        return f"expected a pattern with the group timestamp, and others only of {', '.join(GROUPS[1:])}, got {', '.join(groups) or 'none'}"
    return "" if format.pattern or format.recognised_by else "expected a pattern, got none"


def _not_python(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        return str(error)
    return ""


def groups_of(pattern: str) -> list[str]:
    """The names of the groups of a pattern, in their order."""
    return re.findall(r"\(\?P<([a-z_]+)>", pattern)


def _json_format(objects: Sequence[dict[str, Any]], known: Mapping[str, LogFormat]) -> str:
    """The name of the format that most of these entries have."""
    formats = {name: item for name, item in known.items() if isinstance(item, JsonFormat)}
    votes = dict.fromkeys(formats, 0)
    for entry in objects:
        votes[next((name for name, item in formats.items() if item.recognises(entry)), "json")] += 1
    # Of two that have as many, the more special one.
    return max(votes, key=lambda name: votes[name])


def _text_format(lines: Sequence[str], known: Mapping[str, LogFormat]) -> str:
    """The name of the format of text that most of these lines have."""
    for name, item in known.items():
        if lines and isinstance(item, TextFormat):
            found = re.compile(item.recognised_by or item.pattern).search
            if 2 * sum(bool(found(line[:300])) for line in lines) >= len(lines):
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
