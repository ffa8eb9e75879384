"""The formats that ship with Proofbook, and which of all formats can be used.

Patterns are in a dialect that Python's `re` and RE2 share.
"""

from __future__ import annotations

import re

from proofbook.collect.logs import keys
from proofbook.collect.logs.headers import LEVELS
from proofbook.collect.logs.layout import CHAINS, GO_TRACE, RUBY_FRAME
from proofbook.config import duckdb_text
from proofbook.config.log_formats import (
    GROUPS,
    LOG_FORMATS,
    PLACES,
    ColumnFormat,
    JsonFormat,
    LogFormat,
    TextFormat,
)
from proofbook.errors import ExtensionError
from proofbook.evidence.log_tables import LOGS
from proofbook.evidence.table import MAP, TIME

_DUCKDB = {
    "str": "VARCHAR",
    TIME: "TIMESTAMPTZ",
    "Int32": "INTEGER",
    "Int64": "BIGINT",
    "UInt64": "UBIGINT",
    "float64": "DOUBLE",
    MAP: "MAP(VARCHAR, VARCHAR)",
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
    "WRN": "WARNING",
    "ERR": "ERROR",
    "EROR": "ERROR",
    # Of four letters each, as Go's logrus writes them.
    "ERRO": "ERROR",
    "DEBU": "DEBUG",
    "PANI": "CRITICAL",
    "TRAC": "TRACE",
    "FAIL": "ERROR",
    "FAILURE": "ERROR",
    "SEVERE": "ERROR",
    "FATAL": "CRITICAL",
    "FATA": "CRITICAL",
    "FTL": "CRITICAL",
    "CRIT": "CRITICAL",
    "CRT": "CRITICAL",
    "PANIC": "CRITICAL",
    "DPANIC": "CRITICAL",
    "EMERG": "EMERGENCY",
    "INFORMATION": "INFO",
    "INFORMATIONAL": "INFO",
    "INF": "INFO",
    "SUCCESS": "INFO",
    "CONFIG": "INFO",
    # PostgreSQL and MySQL.
    "LOG": "INFO",
    "NOTE": "NOTICE",
    "VERBOSE": "DEBUG",
    "VRB": "DEBUG",
    "DBG": "DEBUG",
    "DBUG": "DEBUG",
    **{f"DEBUG{number}": "DEBUG" for number in range(1, 10)},
    **{f"D{number}": "DEBUG" for number in range(1, 6)},
    **{f"TRACE{number}": "TRACE" for number in range(1, 10)},
    "FINE": "DEBUG",
    "FINER": "DEBUG",
    "FINEST": "TRACE",
    "TRC": "TRACE",
    "TRCE": "TRACE",
    # klog writes one letter; pino and bunyan write tens.
    "I": "INFO",
    "W": "WARNING",
    "E": "ERROR",
    "F": "CRITICAL",
    "C": "CRITICAL",
    "A": "ALERT",
    "N": "NOTICE",
    "D": "DEBUG",
    "V": "DEBUG",
    "T": "TRACE",
    # CUPS and Murmur.
    "X": "CRITICAL",
    "10": "TRACE",
    "20": "DEBUG",
    "30": "INFO",
    "40": "WARNING",
    "50": "ERROR",
    "60": "CRITICAL",
}
_WORDS = "TRACE|DEBUG|INFO|NOTICE|WARNING|WARN|ERROR|ERR|CRITICAL|CRIT|FATAL|PANIC|ALERT|EMERGENCY|EMERG|SEVERE|SUCCESS"
_START = "trace|debug|info|notice|warning|warn|error|err|critical|crit|fatal|panic|alert|emergency|emerg|severe|fail"
# In brackets in any case, after the name of a module or not; as `level=`; as a field of its own in any case; as the first word
# before a colon; as a word of its own in capitals, or beside the name of a thread or process in brackets; as klog's first letter; as the mark behind the time of redis; as Cisco's number between a facility and a mnemonic;
# as PostgreSQL's LOG behind a prefix of any form.
SEVERITY_IN_TEXT = (
    rf"(?:[\[<] ?(?:[\w.-]*:)?(?i:({LEVELS})) *[\]>]"
    rf"|\b(?:(?i:level|lvl|severity)=\"?|at=)((?i:{LEVELS}))\b"
    rf"|(?:^|[\x01\s|\[\](:,-]|\[[\w .#:-]+/)({_WORDS})(?:[\s|\]):,-]|/[\w-]+\]|\[\d+\]|$)"
    rf"|(?:^|[\x01\t|,]|[\])] |\bPHP (?:(?:Parse|Core|Compile) )?|(?:^|\x01)[\w.()/<>-]{{1,60}}:) ?((?i:{_START})) ?(?:[\t|,:]|error:)"
    r"|(?:^|\x01)([IWEF])(?:\d{4}){1,2} \d\d:\d\d:\d\d|(?:^|\x01)\d+:[XCSM] \d\d [A-Z][a-z]{2} \d{4} [\d:.]+ ([.*#-])(?: |$)"
    r"|%[A-Z][A-Z0-9_-]*-([0-7])-[A-Z0-9_]+:|(?:^|[\x01\s:\]])(LOG):  \S)"
)
_ISO = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?: ?(?:Z|UTC|[+-]\d\d:?\d\d))?"
_SLASHED = r"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d(?:\.\d+)?"
_COMMON_LOG = r"\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}"
_SYSLOG = r"[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d"
_KLOG = r"[IWEF](?:\d{4}){1,2} \d\d:\d\d:\d\d\.\d+"
TIME_IN_TEXT = rf"({_ISO}|{_SLASHED}|{_COMMON_LOG}|^(?:<\d{{1,3}}>)?{_SYSLOG}|^{_KLOG})"
# The same at the beginning of a line.
TIME_FIRST = rf"^[\[(<\"]?({_ISO}|{_SLASHED}|{_COMMON_LOG}|(?:<\d{{1,3}}>)?{_SYSLOG}|{_KLOG})(?:[^0-9A-Za-z.,]|[.,](?:[^0-9]|$)|$)"
OBJECT_FIRST = r"^\{\""
# What Docker Compose, `kubectl logs --prefix`, stern and others put before each line of a container.
OBJECT_AFTER_NAME = r"^(?:\[pod/[\w./-]+\]|[\w.@/:-]+(?:\[\d+\])?|[a-z0-9][a-z0-9.-]*-[a-z0-9]+(?: ›)? [a-z0-9-]+)(?: +\||:)? +\{\""
# Behind what RFC 5424 puts before a message.
OBJECT_IN_SYSLOG = r"^(?:\d+ )?<\d{1,3}>1 (?:\S+ ){5}(?:-|\[[^\]]*\]) \{\""
# How a line of text begins that says whose it is: by `kubectl logs --prefix`, Docker Compose, Heroku and the forms of syslog.
WHOSE = (
    r"^\[pod/(?P<instance>[\w.-]+)/(?P<service>[\w.-]+)\] ",
    r"^(?P<instance>[A-Za-z][\w.-]*[-_]\d+) +\| ",
    r"^(?:\d+ )?<\d{1,3}>1 \S+ (?P<instance>\S+) (?P<service>\S+) ",
    rf"^(?:<\d{{1,3}}>)?{_SYSLOG} (?P<instance>[\w.:-]+) (?P<service>[\w./-]+)(?:\[\d+\])?: ",
    r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d) (?P<instance>[\w.:-]+) (?P<service>[\w./-]+)\[\d+\]: ",
    r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d) (?P<service>app|heroku)\[(?P<instance>[\w.-]+)\]: ",
)
CONTAINER = r"^(?:\[pod/[\w./-]+\] )?(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)) (?:std(?:out|err) [FP] )?"
ANSI = r"\x1b\[[0-9;?]*[ -/]*[@-~]"
CONTROL = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]"
# A body that goes on where the entry before it stopped: an indented frame, or one that need not be indented, or what joins two tracebacks.
CONTINUES = rf"^(?:[ \t]+\S|{CHAINS}|{GO_TRACE}|{RUBY_FRAME}|#[0-9]+ \S|at \S|(?:PHP )?Stack trace:|\[stacktrace\]|[Ss]tack (?:backtrace|traceback):|note: run with|(?:READ|WRITE) of size |Current thread 0x|\*\* \(|\S+\n?[ \t]+\S+\.go:[0-9])"

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
    "user_agent": ("httpRequest.userAgent",),
    "remote_ip": ("httpRequest.remoteIp",),
    "request_bytes": ("httpRequest.requestSize",),
    "response_bytes": ("httpRequest.responseSize",),
    "protocol": ("httpRequest.protocol",),
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
    "user_agent": ("httpRequest.userAgent", "http_request.user_agent"),
    "remote_ip": ("httpRequest.remoteIp", "http_request.remote_ip"),
    "request_bytes": ("httpRequest.requestSize", "http_request.request_size"),
    "response_bytes": ("httpRequest.responseSize", "http_request.response_size"),
    "protocol": ("httpRequest.protocol", "http_request.protocol"),
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
# What a program says of a level where the service that keeps its entries says none.
PAYLOAD_LEVEL = ("severity", "level", "levelname", "log.level", "loglevel", "lvl")
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
        "error.stack_trace", "@x", "errorVerbose", "error.message", "err.message", "error", "err",
    ),
    "service": ("service.name", "service_name", "service", "app", "_SYSTEMD_UNIT", "SYSLOG_IDENTIFIER"),
    "version": ("service.version", "service_version", "version", "revision"),
    "instance": ("service.instance.id", "instance", "hostname", "host", "_HOSTNAME"),
    "trace": ("trace_id", "traceId", "trace.id", "trace", "@tr"),
    "span": ("span_id", "spanId", "span.id", "@sp"),
    "method": ("http.method", "http.request.method", "req.method", "method", "RequestMethod"),
    "url": ("http.url", "url.full", "req.url", "url", "RequestPath"),
    "status": ("http.status_code", "http.response.status_code", "res.statusCode", "status_code", "status", "StatusCode"),
    # The rest of it is found by the names of its keys.
    "latency": ("httpRequest.latency",),
    "id": ("insertId", "insert_id", "__CURSOR", "logging.googleapis.com/insertId"),
}  # fmt: skip
# The formats, in no order: that of LOG_FORMATS counts.
CLOUD_LOGGING = JsonFormat(
    any_key=("textPayload", "jsonPayload", "httpRequest", "logName", "insertId", "insert_id", "protoPayload"),
    # What a program writes for the service that makes such an entry of it.
    no_key=("message", "msg", "time", "level"),
    places=_CLOUD_SNAKE,
    fewer_places=_CLOUD,
    alone=True,
    columns=True,
    utc=True,
)
# Its documents are written out with OpenTelemetry's names before.
OTLP = JsonFormat(any_key=("resourceLogs",))
# What has a message of its own was parsed before, or is no container's.
DOCKER_JSON = JsonFormat(all_keys=("log", "stream"), no_key=("message", "msg"), wraps=("log", "time"))
JOURNALD = JsonFormat(any_key=("__REALTIME_TIMESTAMP",), severities=keys.SYSLOG)
SERILOG = JsonFormat(any_key=("@t",))
LOGURU = JsonFormat(any_key=("record",))
PINO = JsonFormat(all_keys=("msg",), numbers=("level",))
ZAP = JsonFormat(all_keys=("msg",), numbers=("ts",))
STRUCTLOG = JsonFormat(all_keys=("event", "level"))
JSON = JsonFormat()
NGINX_ACCESS = TextFormat(recognised_by=rf"^\S+ \S+ \S+ \[{_COMMON_LOG}\] \"", severity_in="nowhere")
NGINX_ERROR = TextFormat(recognised_by=rf"^{_SLASHED} \[[a-z]+\] \d+#\d+: ")
GUNICORN = TextFormat(recognised_by=r"^\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4}\] \[\d+\] \[[A-Z]+\] ")
# As programs write it, as rsyslog forwards it, and behind its length, as it comes over TCP.
SYSLOG_5424 = TextFormat(recognised_by=r"^(?:\d+ )?<\d{1,3}>(?:\d )?\d{4}-\d\d-\d\dT", severity_in="priority")
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
CSV = ColumnFormat()
TSV = ColumnFormat(delimiter="\t")
# What names its columns in a comment: IIS, CloudFront, Zeek.
W3C = ColumnFormat(utc=True)
# PostgreSQL writes no header.
POSTGRES_CSV = ColumnFormat(
    names=(
        "log_time", "user_name", "database_name", "process_id", "connection_from", "session_id", "session_line_num", "command_tag",
        "session_start_time", "virtual_transaction_id", "transaction_id", "error_severity", "sql_state_code", "message", "detail",
        "hint", "internal_query", "internal_query_pos", "context", "query", "query_pos", "location", "application_name",
        "backend_type", "leader_pid", "query_id",
    ),
    delimiter=",",
)  # fmt: skip


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
    if isinstance(format, ColumnFormat):
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
