"""Formats of logs: how each is recognised, and where it keeps what OpenTelemetry has names for.

A format is one object in LOG_FORMATS, to which other packages add theirs. Patterns are in a dialect that Python's `re` and
RE2 share.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from proofbook.registry import Registry

AUTO = "auto"
# Columns of the table of entries by what they hold, as a log source may state where a file keeps it.
COLUMN_OF = {
    "timestamp": "timestamp", "severity": "severity_text", "body": "body", "service": "service_name", "version": "service_version",
    "instance": "service_instance_id", "trace": "trace_id", "span": "span_id", "method": "http_method", "url": "http_url",
    "status": "http_status", "observed": "observed_timestamp", "user_agent": "http_user_agent", "remote_ip": "http_remote_ip",
    "request_bytes": "http_request_bytes", "response_bytes": "http_response_bytes", "protocol": "http_protocol",
}  # fmt: skip
PLACE_OF = {column: place for place, column in COLUMN_OF.items()}
# What a named group of a text pattern may hold, and what a JSON format may say the place of.
GROUPS = (
    "timestamp", "severity", "body", "service", "version", "instance", "trace", "span", "method", "url", "status",
)  # fmt: skip
Severity = Literal["TRACE", "DEBUG", "INFO", "NOTICE", "WARNING", "ERROR", "CRITICAL", "ALERT", "EMERGENCY"]
# Of a request.
DETAILS = ("user_agent", "remote_ip", "request_bytes", "response_bytes", "protocol")
PLACES = (*GROUPS, "observed", "payload", "stack", "latency", "id", *DETAILS)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFormat:
    """What JSON and text have in common.

    Args:
        time_form: how times are written, in DuckDB's letters for `strptime`, such as `%d.%m.%Y %H:%M:%S.%g`; empty for any
            of the usual forms. It may leave out the year.
        has_year: whether times name their year. utc: whether times that name no zone are UTC.
        severities: this format's own words or numbers for severities, such as {"1": "INFO"}; the usual ones are known.
    """

    time_form: str = ""
    has_year: bool = True
    utc: bool = False
    severities: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonFormat(LogFormat):
    """Entries that are JSON objects.

    It is recognised by its keys: one of `any_key`, all of `all_keys`, and a number in each of `numbers`; where none of these
    is stated, it must be named. An entry with one of `no_key` is another format's.

    Args:
        places: where it keeps each of PLACES, as paths such as `fields.message`, the first that is there; the usual places
            come after them, unless `alone`.
        wraps: where a line of another format lies in an entry, and its time: what a container runtime puts around lines.
        columns: whether a file that holds nothing else is read by DuckDB's own reader for JSON, which is the fastest.
        fewer_places: what suffices where no key has an underscore.
    """

    any_key: tuple[str, ...] = ()
    no_key: tuple[str, ...] = ()
    all_keys: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    places: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    alone: bool = False
    wraps: tuple[str, str] | None = None
    columns: bool = False
    fewer_places: Mapping[str, tuple[str, ...]] | None = None

    def recognises(self, entry: Mapping[str, object]) -> bool:
        """Whether an entry has its keys.

        >>> JsonFormat(all_keys=("msg",), numbers=("level",)).recognises({"msg": "served", "level": 30})
        True
        """
        if not (self.any_key or self.all_keys or self.numbers):
            return False
        return (
            (not self.any_key or any(key in entry for key in self.any_key))
            and not any(key in entry for key in self.no_key)
            and all(key in entry for key in self.all_keys)
            and all(isinstance(entry.get(key), int | float) for key in self.numbers)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TextFormat(LogFormat):
    """Entries that are lines of text.

    Args:
        pattern: a line that begins an entry, with named groups of GROUPS, at least `timestamp`; lines that it does not match
            go on with the entry before them. Empty: times, severities and requests are found by their usual forms.
        recognised_by: what half of a sample's lines must match; left out, the pattern. begins: what a line that begins an
            entry holds, where that is no time and there is no pattern.
        severity_in: where a severity is looked for that no group holds: its `words` in the text, the `priority` of syslog
            and then its words, or `nowhere`.
        has_time: whether its lines state a time at all.
        wraps: whether the pattern is what a container runtime puts before lines of another format; its first group is the time.
    """

    pattern: str = ""
    recognised_by: str = ""
    begins: str = ""
    severity_in: Literal["words", "priority", "nowhere"] = "words"
    has_time: bool = True
    wraps: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnFormat(LogFormat):
    """Entries that are rows of columns, which a header names, or a comment.

    It is recognised by its names, and by what stands under them.

    Args:
        names: of the columns, where the file does not name them. delimiter: between cells, where it is not found out.
        places: the column of each of PLACES; left out, found by its name and by what stands in it.
    """

    names: tuple[str, ...] = ()
    delimiter: str = ""
    places: Mapping[str, str] = field(default_factory=dict)


_OURS = "proofbook.collect.logs.formats"
# The more special first: a line is of the first format that recognises it.
LOG_FORMATS = Registry(
    "log format",
    group="proofbook.log_formats",
    own={
        "cloud-logging": f"{_OURS}:CLOUD_LOGGING",
        "otlp": f"{_OURS}:OTLP",
        "docker-json": f"{_OURS}:DOCKER_JSON",
        "journald": f"{_OURS}:JOURNALD",
        "serilog": f"{_OURS}:SERILOG",
        "loguru": f"{_OURS}:LOGURU",
        "pino": f"{_OURS}:PINO",
        "zap": f"{_OURS}:ZAP",
        "structlog": f"{_OURS}:STRUCTLOG",
        "json": f"{_OURS}:JSON",
        "postgres-csv": f"{_OURS}:POSTGRES_CSV",
        "w3c": f"{_OURS}:W3C",
        "csv": f"{_OURS}:CSV",
        "tsv": f"{_OURS}:TSV",
        "nginx-access": f"{_OURS}:NGINX_ACCESS",
        "nginx-error": f"{_OURS}:NGINX_ERROR",
        "gunicorn": f"{_OURS}:GUNICORN",
        "syslog-5424": f"{_OURS}:SYSLOG_5424",
        "syslog-3164": f"{_OURS}:SYSLOG_3164",
        "klog": f"{_OURS}:KLOG",
        "container": f"{_OURS}:CONTAINER_LINES",
        "logfmt": f"{_OURS}:LOGFMT",
        "python-logging": f"{_OURS}:PYTHON_LOGGING",
        "uvicorn": f"{_OURS}:UVICORN",
        "text": f"{_OURS}:TEXT",
    },
    wanted=LogFormat,
)


def checked_name(name: str) -> str:
    """The name of a format itself, or `auto`.

    Raises:
        ValueError: there is none of that name.
    """
    known = [AUTO, *LOG_FORMATS.names()]
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        raise ValueError(
            f"expected {', '.join(known)}, got {name!r}" + (f"; did you mean {near[0]}?" if near else "")
        )
    return name


def name_schema() -> dict[str, object]:
    """The JSON Schema of a format's name: ours to choose from, others by their form."""
    return {
        "anyOf": [
            {"enum": [AUTO, *LOG_FORMATS.own_names()]},
            {"type": "string", "pattern": "^[a-z0-9][a-z0-9-]*$"},
        ]
    }
