"""The tables of logs: their entries, and what is counted of them."""

from __future__ import annotations

from proofbook.evidence.table import MAP, OLDER, TIME, Column, Merge, Table

_SOURCE = Column("source", "str", "name of the log source in the environment")
_BUCKET = Column("bucket", "int64", "beginning of the bucket, since 1970", "s")
_ENTRIES = Column("entries", "int64", "how many entries", "entries")
_FIRST = Column("first", TIME, "time of the first of them")
_LAST = Column("last", TIME, "time of the last of them")
_SAMPLE = Column("sample", "str", "one of them")
_PATTERN = Column("pattern", "str", "the regular expression")
# What entries are counted by.
GROUPED = (
    _SOURCE,
    _BUCKET,
    Column("service_name", "str", "service that wrote it; missing: not stated"),
    Column("service_version", "str", "its revision; missing: not stated"),
    Column("own", "bool", "whether a probe of ours caused it"),
)

LOGS = Table(
    "logs",
    row="one line of a log that is a file: an entry where it has a timestamp, else blank or not parsed",
    merge=Merge.NOT_MERGED,
    columns=(
        Column("timestamp", TIME, "when it happened; missing: not an entry"),
        Column("observed_timestamp", TIME, "when it was collected"),
        Column("severity_text", "str", "severity in capitals"),
        Column("severity_number", "Int32", "severity as in OpenTelemetry"),
        Column("severity_source", "str", "where the severity was found"),
        Column("body", "str", "the message"),
        Column("header", "str", "what stands before the message in a line of text", optional=OLDER),
        Column("service_name", "str", "service that wrote it"),
        Column("service_version", "str", "its revision"),
        Column("service_instance_id", "str", "its instance"),
        Column("trace_id", "str", "the request that it belongs to"),
        Column("span_id", "str", "the part of the request"),
        Column("http_method", "str", "of a request"),
        Column("http_url", "str", "of a request"),
        Column(
            "http_status",
            "Int32",
            "of a request, 100 to 599; missing: not the entry of a request, or of one that was not answered",
        ),
        Column("http_latency_s", "float64", "of a request", "s"),
        Column("http_user_agent", "str", "program that asked, of a request", optional=OLDER),
        Column("http_remote_ip", "str", "who asked, of a request", optional=OLDER),
        Column("http_request_bytes", "Int64", "of a request", "bytes", optional=OLDER),
        Column("http_response_bytes", "Int64", "of a request", "bytes", optional=OLDER),
        Column("http_protocol", "str", "of a request", optional=OLDER),
        Column("insert_hash", "UInt64", "digest of the id that its source gave it"),
        Column("fields", MAP, "what else it holds, by name; missing: nothing", optional=OLDER),
        Column("fields_cut", "Int32", "names that `fields` has no room for", "fields", optional=OLDER),
        _SOURCE,
        Column("file", "str", "the file of the source"),
        Column("line", "Int64", "number of its first line; missing: the number of the row"),
        Column("lines", "Int32", "lines that it takes", "lines"),
    ),
)
LOG_SOURCES = Table(
    "log_sources",
    row="one log source",
    merge=Merge.LOG_TOTALS,
    columns=(
        _SOURCE,
        Column("shape", "str", "format that was recognised"),
        Column("lines", "int64", "lines that are not blank", "lines"),
        Column("read", "int64", "entries read", "entries"),
        Column("kept", "int64", "entries kept, duplicates and joined ones left out", "entries"),
        Column("duplicates", "int64", "entries that were there already", "entries"),
        Column("joined", "int64", "entries that were parts of the traceback before them", "entries"),
        Column("unparsed", "int64", "lines that could not be parsed", "lines"),
        Column("unparsed_sample", "str", "some of those"),
        Column("fields_cut", "float64", "fields left out, since an entry holds too many", "fields", optional=OLDER),
        Column("untimed", "float64", "entries without a time of their own", "entries", optional=OLDER),
        Column("empty_bodies", "int64", "entries that say nothing", "entries"),
        Column("newest_first", "bool", "whether it is written newest first"),
        Column("ahead_s", "float64", "how far the last entry lies after the reading", "s"),
        Column("delay_s", "float64", "from writing an entry to its arrival", "s"),
        Column("problem", "str", "why nothing was read, else empty"),
        Column("note", "str", "what went wrong while the rest was read, else empty", optional=OLDER),
        Column("assumed", "str", "JSON list of what was assumed because no line says it, each with about, written and taken; else empty", optional=OLDER),
        Column("sampled_s", "float64", "length of slices of which only some entries were read; missing: all were", "s", optional=OLDER),
        Column("limit", "float64", "most entries that are read, as the environment states", "entries"),
        Column("covers_s", "float64", "how far back it reaches, as the environment states", "s"),
        Column("canary", "float64", "1: the environment says that probes show in it, 0: that they do not"),
        Column("severities", "str", "entries of each severity, in words"),
    ),
)  # fmt: skip
LOG_RHYTHM = Table(
    "log_rhythm", row="the entries of one bucket, service, revision and severity", merge=Merge.LOG_BUCKETS,
    columns=(
        *GROUPED,
        Column("severity_text", "str", "severity in capitals; missing: none"),
        _ENTRIES,
        _FIRST,
        _LAST,
        Column("requests", "int64", "those of a request", "entries"),
        Column("server_errors", "int64", "requests answered with 500 or more", "entries"),
        Column("plain", "int64", "those of no request", "entries"),
        Column("empty", "int64", "those of no request that say nothing", "entries"),
        Column("health_checks", "int64", "requests of what checks health, by path or agent", "entries", optional=OLDER),
    ),
)  # fmt: skip
LOG_PATTERNS = Table(
    "log_patterns", row="one pattern that was looked for", merge=Merge.LOG_TOTALS, columns=(_PATTERN,)
)
LOG_MATCHES = Table(
    "log_matches", row="the entries of one bucket, service and revision that match a pattern", merge=Merge.LOG_BUCKETS,
    columns=(
        _PATTERN,
        *GROUPED,
        Column("lines", "int64", "entries that match", "entries"),
        Column("affected", "int64", "requests first hit in this bucket, and entries of no request", "requests"),
        Column("longest_s", "float64", "how long the longest of these requests went on being hit", "s"),
        _FIRST,
        _LAST,
        _SAMPLE,
        Column("severity_number", "int64", "highest severity as in OpenTelemetry; 0: none", optional=OLDER),
    ),
)  # fmt: skip
LOG_PLACES = Table(
    "log_places", row="the requests of one bucket, service and revision at a place where a pattern was met; under an empty pattern those at the busiest places", merge=Merge.LOG_BUCKETS,
    columns=(
        _PATTERN,
        Column("place", "str", "`endpoint`: a path, values masked; `client`: who asked"),
        Column("value", "str", "which one"), *GROUPED,
        Column("requests", "int64", "requests there", "requests"),
        Column("affected", "int64", "those of them that met the pattern", "requests"), _FIRST, _LAST,
    ),
)  # fmt: skip
LOG_KINDS = Table(
    "log_kinds", row="one kind of message or exception, values masked", merge=Merge.LOG_TOTALS,
    columns=(
        Column("kind_id", "int64", "its number in this phase"),
        Column("kind", "str", "`message` or `exception`"),
        Column("text", "str", "the text with its values masked"),
        _ENTRIES,
        Column("severity_number", "int64", "highest severity as in OpenTelemetry; 0: none"),
        _SAMPLE,
        Column("traced", "int64", "entries that name a trace", "entries", optional=OLDER),
        Column("of_requests", "int64", "of an error: traces with a request that wrote it", "requests", optional=OLDER),
        Column("of_users", "int64", "those of them that were not refused (400 to 499), or whose client or path got something else at another time", "requests", optional=OLDER),
    ),
)  # fmt: skip
LOG_KIND_TIMES = Table(
    "log_kind_times", row="the entries of one kind in one bucket, service and revision", merge=Merge.LOG_BUCKETS,
    columns=(Column("kind_id", "int64", "number in `log_kinds`"), *GROUPED, _ENTRIES, _FIRST, _LAST),
)  # fmt: skip
LOG_CANARIES = Table(
    "log_canaries", row="one canary and one log source", merge=Merge.LOG_TOTALS,
    columns=(
        Column("canary", "str", "trace id that probes sent, or one that nobody sent"),
        _SOURCE,
        Column("sent", "bool", "whether it was sent"),
        _ENTRIES, _FIRST, _LAST,
    ),
)  # fmt: skip
# Of `log_unread.pattern`; no pattern of a case: an empty one is refused there, and RE2 knows no lookahead.
ANY_LINE = ""
ERROR_LINE = "(?!error)"
LOG_UNREAD = Table(
    "log_unread", row="the lines of one bucket that gave no entry with a time, and match a pattern", merge=Merge.LOG_LINES,
    columns=(
        _SOURCE,
        Column("pattern", "str", "the regular expression; empty: any line; `(?!error)`: what looks like an error"),
        Column("bucket", "float64", "second of the entry before them, since 1970; missing: there is none", "s"),
        Column("lines", "int64", "how many lines", "lines"),
        Column("first", TIME, "written after; missing: no entry says it"), Column("last", TIME, "written before; missing: no entry says it"), _SAMPLE,
    ),
)  # fmt: skip
LOG_PAST = Table(
    "log_past", row="what an earlier run read of a log in a minute, or in ten or sixty where there are many, of one service and revision",
    merge=Merge.LATEST,
    columns=(
        Column("run", "str", "which one"), _SOURCE, _PATTERN,
        Column("service_name", "str", "service that wrote it; missing: not stated"),
        Column("service_version", "str", "its revision; missing: not stated"),
        _FIRST, _LAST,
        Column("entries", "int64", "entries that no probe of ours caused", "entries"),
        Column("requests", "int64", "those of a request, without health checks", "entries"),
        Column("affected", "int64", "requests first hit by the pattern, and entries of no request", "requests"),
    ),
)  # fmt: skip
LOG_TABLES = (
    LOGS, LOG_SOURCES, LOG_RHYTHM, LOG_PATTERNS, LOG_MATCHES, LOG_PLACES, LOG_KINDS, LOG_KIND_TIMES, LOG_CANARIES, LOG_UNREAD, LOG_PAST,
)  # fmt: skip
