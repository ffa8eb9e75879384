"""The small tables that findings about logs are judged by, drawn from entries on any engine that Ibis speaks to.

Counting happens where the entries are; what comes back grows with time and kinds, not with entries. DuckDB, Spark and the
others get the same expressions, so the same entries give the same tables.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import duckdb
import ibis
import pandas as pd
from ibis import _

from proofbook.collect.logs import places, requests, strangers
from proofbook.collect.logs.formats import SEVERITY_NUMBERS
from proofbook.config import status_pattern
from proofbook.evidence import log_tables
from proofbook.evidence.merge import GROUP, joined
from proofbook.evidence.store import MASK
from proofbook.evidence.table import Table
from proofbook.probe_marks import PROBE_TRACE

# A bucket is one second while that makes no more than this many.
MAX_BUCKETS = 100_000
WIDTHS_S = (1, 10, 30, 60, 600, 3600)
# Of a log longer than this, kinds and places have a row a minute: each second of three days would give millions.
LONG_S, WIDE_S = 12 * 3600, 60
# The rarest beyond this many kinds of message are counted, but not kept apart.
MAX_KINDS = 20_000
MAX_MESSAGE_CHARS = 1000
# What a body is that says nothing: a text, or a payload of which only the brackets are left.
EMPTY = ("", "{}", "[]", "null")
# A token that holds a digit is a value: numbers, ids, addresses, times, versions. So is one with a sign at its middle: mail
# addresses are too many to be kept apart. What else is a value is for judges to find (`judge.log_text`): they may learn better.
_IN_TOKEN = r"""[^\s=:,;()\[\]{}"'|<>/]"""
VALUE = rf"{_IN_TOKEN}*(?:[0-9]|{_IN_TOKEN}@{_IN_TOKEN}){_IN_TOKEN}*"
# The beginning of a line, also where a body is one line in which ends of line and tabs are escaped.
_LINE = r"(?:^|\n|#012|\\n)(?:[ \t]|#011|\\t)*"
# What may hold the traceback of an exception, in any language that `judge.log_text` reads; that decides.
HOLDS_TRACEBACK = (
    r"Traceback \(most recent call last\)|Exception in thread|panicked at |exception (?:error|exit|throw): "
    r"|PHP (?:Fatal|Parse|Recoverable fatal) error: |Uncaught (?:PHP Exception |exception ')?[A-Z\\]|\[object\] \("
    # At the beginning of a line alone: an engine that tries each part at each character has less to do.
    rf"|^panic: |^fatal error: |{_LINE}(?:at \S+[(:. ]|goroutine [0-9]+ \[|\*\* \([A-Za-z:]|Caused by:(?:\n|#012|\\n)|\S+\.go:[0-9]+"
    r"|terminate called after throwing|==[0-9#]+==(?:ERROR|WARNING): \w+Sanitizer: |Fatal Python error: "
    r"|(?:from |[\w-]+ \([0-9.]+\) |\[[\w.:-]+\] )?(?:[\w./<(~@+][^\s:]*(?::[\w./]+>)?:[0-9]+:in [\x60']"
    r"|(?:[A-Z]\w*::[A-Z][\w:]*|[A-Z]\w*(?:Error|Exception)) \([^\n]*\):(?:\s|$|#012|\\n)))"
)
_ENTRY = {
    "timestamp": "timestamp('UTC')", "trace_id": "string", "source": "string", "service_name": "string",
    "service_version": "string", "severity_text": "string", "severity_number": "int64", "http_method": "string", "http_url": "string", "http_status": "int32",
    "http_user_agent": "string", "http_remote_ip": "string", "body": "string", "header": "string",
}  # fmt: skip


# Gives the rows of a query, a function of this module that makes an Ibis expression from entries and arguments.
Ask: TypeAlias = Callable[..., pd.DataFrame]


def in_engine(entries: Any) -> Ask:
    """Answers from an Ibis table with the columns of `log_tables.LOGS`, on whatever engine it lies."""
    return lambda query, *arguments: frame(query(entries, *arguments))


def in_duckdb(engine: duckdb.DuckDBPyConnection, entries: str) -> Ask:
    """Answers from a relation of entries in DuckDB, its SQL in parentheses. A query is compiled once in a process: that takes longer than most answers."""
    engine.execute(f"CREATE OR REPLACE TEMP VIEW entries AS FROM {entries}")

    def ask(query: Callable[..., Any], *arguments: Any) -> pd.DataFrame:
        sql, types = _compiled(query, *arguments)
        found: pd.DataFrame = engine.execute(sql).to_arrow_table().cast(types).to_pandas()
        return found

    return ask


@functools.lru_cache(maxsize=256)
def _compiled(query: Callable[..., Any], *arguments: Any) -> tuple[str, Any]:
    """The SQL of a query for DuckDB and the Arrow types of its answer."""
    found = query(ibis.table(_ENTRY, name="entries"), *arguments)
    return str(ibis.to_sql(found, dialect="duckdb")), found.schema().to_pyarrow()


def summarise(ask: Ask, patterns: Iterable[str], *, canaries: Iterable[str] = ()) -> dict[str, pd.DataFrame]:
    """The small tables of logs.

    log_rhythm: per GROUP and severity_text: entries, first, last, requests, server_errors, plain (not requests), empty (of these), health_checks (of the requests).
    log_patterns: the patterns that were looked for, since one without a match has no row elsewhere.
    log_matches: per pattern and GROUP: lines, affected (requests first hit in this bucket, and lines of none), longest_s
        (how long the longest of these requests went on being hit), first, last, sample, severity_number (the highest).
    log_places: per pattern, place, value and GROUP: requests, affected (of these), first, last; only where the pattern was met.
    log_kinds: per kind_id: kind (`message` or `exception`), text (values masked), severity_number, entries, sample: what is
        written at two severities is two kinds; of_requests, of_users as of `strangers.of_errors`.
    log_kind_times: per kind_id and GROUP: entries, first, last.
    log_canaries: per canary and source in which it was found: entries, first, last.
    """
    span_s = _span_of(ask)
    width_s = bucket_s(span_s)
    wide_s = max(width_s, WIDE_S) if span_s > LONG_S else width_s
    return {
        "log_rhythm": _rhythm(ask, width_s),
        **_and_everywhere(_looked_for(ask, patterns, width_s, wide_s), ask, width_s),
        **_kinds(ask, wide_s),
        "log_canaries": _canaries(ask, canaries),
    }


def look_for(ask: Ask, patterns: Iterable[str]) -> dict[str, pd.DataFrame]:
    """log_patterns and log_matches alone: for a pattern that was not thought of when the others were drawn."""
    span_s = _span_of(ask)
    width_s = bucket_s(span_s)
    return _looked_for(ask, patterns, width_s, max(width_s, WIDE_S) if span_s > LONG_S else width_s)


def _span_of(ask: Ask) -> float:
    span = ask(_span).iloc[0]
    return 0.0 if pd.isna(span["a"]) else float((span["b"] - span["a"]).total_seconds())


def _span(entries: Any) -> Any:
    return entries.aggregate(a=_.timestamp.min(), b=_.timestamp.max())


def _placed(entries: Any, width_s: int) -> Any:
    return entries.mutate(
        bucket=(entries.timestamp.epoch_seconds() // width_s * width_s).cast("int64"),
        own=entries.trace_id.fill_null("").startswith(PROBE_TRACE),
    )


def bucket_s(span_s: float) -> int:
    """The width of a bucket in seconds.

    >>> bucket_s(3600), bucket_s(30 * 86400)
    (1, 30)
    """
    return next((width for width in WIDTHS_S if span_s / width <= MAX_BUCKETS), WIDTHS_S[-1])


def _rhythm(ask: Ask, width_s: int) -> pd.DataFrame:
    keys = [*GROUP, "severity_text"]
    return _counted(log_tables.LOG_RHYTHM, ask(_entries_per_bucket, width_s)).sort_values(
        keys, ignore_index=True
    )


def _entries_per_bucket(entries: Any, width_s: int) -> Any:
    plain = _.http_status.isnull()
    return (
        _placed(entries, width_s)
        .group_by([*GROUP, "severity_text"])
        .aggregate(
            entries=_.count(),
            first=_.timestamp.min(),
            last=_.timestamp.max(),
            requests=_.http_status.count(),
            server_errors=(_.http_status >= 500).fill_null(False).cast("int64").sum(),
            plain=plain.cast("int64").sum(),
            empty=(plain & _.body.strip().isin(EMPTY)).fill_null(False).cast("int64").sum(),
            health_checks=(~plain & places.checks_health(_)).fill_null(False).cast("int64").sum(),
        )
    )


def _looked_for(ask: Ask, patterns: Iterable[str], width_s: int, wide_s: int) -> dict[str, pd.DataFrame]:
    wanted = sorted(set(patterns))
    tables = []
    for pattern in wanted:
        lines, traces = ask(_lines_hit, pattern, width_s), ask(_traces_hit, pattern, width_s)
        both = lines.merge(traces, on=list(GROUP), how="left")
        both["affected"] = (both["untraced"] + both["traces"].fillna(0)).astype("int64")
        both["pattern"] = pattern
        tables.append(both)
    columns = [column.name for column in log_tables.LOG_MATCHES.columns]
    found = joined(tables)[columns] if tables else pd.DataFrame(columns=columns)
    matches = found.sort_values(["pattern", *GROUP], ignore_index=True)
    return {
        "log_patterns": log_tables.LOG_PATTERNS.frame([(pattern,) for pattern in wanted]),
        "log_matches": _counted(
            log_tables.LOG_MATCHES,
            matches.assign(longest_s=matches["longest_s"].astype("float64").fillna(0.0)),
        ),
        "log_places": _counted(log_tables.LOG_PLACES, _where(ask, wanted, wide_s)),
    }


def _and_everywhere(found: dict[str, pd.DataFrame], ask: Ask, width_s: int) -> dict[str, pd.DataFrame]:
    """The tables, with the busiest places under no pattern: what was met in another recording is asked for here."""
    wide = max(width_s, places.WIDE_S)
    rows = [
        ask(_busiest, place, wide).assign(pattern=log_tables.ANY_LINE, place=place, affected=0)
        for place in places.KINDS
    ]
    table = _counted(log_tables.LOG_PLACES, joined([found["log_places"], *rows]))
    keys = ["pattern", "place", "value", *GROUP]
    return {**found, "log_places": table.sort_values(keys, ignore_index=True)}


def _busiest(entries: Any, place: str, width_s: int) -> Any:
    asked = _placed(entries, width_s)
    asked = asked.filter(asked.http_status.notnull() & ~places.checks_health(asked).fill_null(False))
    asked = asked.mutate(value=places.value_of(asked, place)).filter(_.value.notnull())
    most = (
        asked.group_by("value")
        .aggregate(n=_.count())
        .order_by([ibis.desc("n"), "value"])
        .limit(places.BUSIEST)
    )
    return (
        asked.semi_join(most, "value")
        .group_by(["value", *GROUP])
        .aggregate(requests=_.count(), first=_.timestamp.min(), last=_.timestamp.max())
    )


def _where(ask: Ask, patterns: Iterable[str], width_s: int) -> pd.DataFrame:
    """The rows of `log_places`; nothing is asked of places where a pattern was not met."""
    keys = ["pattern", "place", "value", *GROUP]
    tables = [pd.DataFrame(columns=[*keys, "requests", "affected", "first", "last"])]
    for pattern in patterns:
        for place in places.KINDS:
            met = tuple(ask(_places_met, pattern, place, width_s)["value"].dropna())
            if met:
                rows = ask(_asked_there, pattern, place, met, width_s)
                tables.append(rows.assign(pattern=pattern, place=place))
    return joined(tables).sort_values(keys, ignore_index=True)


def _asked(entries: Any, pattern: str, place: str, width_s: int) -> Any:
    """Every request with its place, and whether it or what belongs to its trace holds the pattern."""
    hit = _hits(entries, pattern, width_s).filter(_.trace_id.notnull()).select("trace_id").distinct()
    hit = hit.mutate(met=ibis.literal(True)).rename(hit_trace="trace_id")
    asked = _placed(entries, width_s).filter(
        _.http_status.notnull() & ~places.checks_health(_).fill_null(False)
    )
    asked = asked.mutate(value=places.value_of(asked, place), itself=_holds(asked, pattern))
    found = asked.filter(_.value.notnull()).left_join(hit, asked.trace_id == hit.hit_trace)
    return found.mutate(affected=(_.met.fill_null(False) | _.itself.fill_null(False)).cast("int64"))


def _places_met(entries: Any, pattern: str, place: str, width_s: int) -> Any:
    found = _asked(entries, pattern, place, width_s).group_by("value").aggregate(affected=_.affected.sum())
    most = [ibis.desc("affected"), "value"]
    return found.filter(_.affected > 0).order_by(most).limit(places.MOST).select("value")


def _asked_there(entries: Any, pattern: str, place: str, values: tuple[str, ...], width_s: int) -> Any:
    return (
        _asked(entries, pattern, place, width_s)
        .filter(_.value.isin(values))
        .group_by(["value", *GROUP])
        .aggregate(
            requests=_.count(), affected=_.affected.sum(), first=_.timestamp.min(), last=_.timestamp.max()
        )
    )


def _hits(entries: Any, pattern: str, width_s: int) -> Any:
    found = _placed(entries, width_s).filter(_holds(entries, pattern))
    if status_pattern.of(pattern) is not None:
        asked = found.http_method.fill_null("") + " " + found.http_url.fill_null("")
        found = found.mutate(body=(asked + " " + found.http_status.cast("string")).strip())
    return found.select(*GROUP, "timestamp", "trace_id", "body", "severity_number")


def _holds(entries: Any, pattern: str) -> Any:
    """Whether an entry holds a pattern."""
    requests = status_pattern.of(pattern)
    if requests is None:
        # As it is written: a pattern may name what stands before the message.
        return (entries.header.fill_null("") + entries.body.fill_null("")).re_search(pattern)
    found = entries.http_status.between(requests.least, requests.most).fill_null(False)
    return (
        found & places.path_of(entries).fill_null("").re_search(requests.of_path) if requests.path else found
    )


def _lines_hit(entries: Any, pattern: str, width_s: int) -> Any:
    return (
        _hits(entries, pattern, width_s)
        .group_by(list(GROUP))
        .aggregate(
            lines=_.count(),
            untraced=_.trace_id.isnull().cast("int64").sum(),
            first=_.timestamp.min(),
            last=_.timestamp.max(),
            sample=_.body.min(),
            severity_number=_.severity_number.max(),
        )
    )


def _traces_hit(entries: Any, pattern: str, width_s: int) -> Any:
    keys = [name for name in GROUP if name != "bucket"]
    # A request counts once, when it was first hit: crashes come in bursts of lines.
    return (
        _hits(entries, pattern, width_s)
        .filter(_.trace_id.notnull())
        .group_by([*keys, "trace_id"])
        .aggregate(bucket=_.bucket.min(), a=_.timestamp.min(), b=_.timestamp.max())
        .mutate(went_on=(_.b.epoch_seconds() - _.a.epoch_seconds()).cast("float64"))
        .group_by(list(GROUP))
        .aggregate(traces=_.count(), longest_s=_.went_on.max())
    )


def _kinds(ask: Ask, width_s: int) -> dict[str, pd.DataFrame]:
    kinds_table = joined([ask(_most_frequent, part) for part in _PARTS])
    kinds_table = kinds_table.sort_values(_A_KIND, ignore_index=True)
    kinds_table.insert(0, "kind_id", range(len(kinds_table)))
    whose = joined([ask(strangers.of_errors, part) for part in _PARTS])
    kinds_table = kinds_table.merge(whose, on=_A_KIND, how="left")
    when = joined([ask(_when, part, width_s) for part in _PARTS])
    when = when.merge(kinds_table[["kind_id", *_A_KIND]], on=_A_KIND)
    return {
        "log_kinds": _counted(log_tables.LOG_KINDS, kinds_table),
        "log_kind_times": _counted(
            log_tables.LOG_KIND_TIMES, when.sort_values(["kind_id", *GROUP], ignore_index=True)
        ),
    }


_A_KIND = ["kind", "text", "severity_number"]


def _said(entries: Any) -> Any:
    """What says something beside which request was answered how: an error that notes the status it led to does."""
    body, severity = entries.body, entries.severity_number.fill_null(0)
    is_request = (
        body.re_search(requests.ANSWERED)
        | ((severity < SEVERITY_NUMBERS["WARNING"]) & body.re_search(requests.ASKED))
        | ((severity == 0) & body.re_search(requests.NAMED))
    )
    return entries.filter(~(entries.http_status.notnull() & is_request) & body.strip().notin(EMPTY))


def _exceptions(entries: Any) -> Any:
    return (
        _said(entries)
        .filter(_.body.re_search(HOLDS_TRACEBACK))
        .mutate(kind=ibis.literal("exception"), text=_.body.re_replace("[0-9]+", "#"))
    )


def _messages(entries: Any) -> Any:
    return (
        _said(entries)
        .filter(~_.body.re_search(HOLDS_TRACEBACK))
        .mutate(kind=ibis.literal("message"), text=masked(_.body))
    )


def masked(body: Any) -> Any:
    """The text of a message with a MASK for each value that shows by one token alone."""
    return body.substr(0, MAX_MESSAGE_CHARS).re_replace(VALUE, MASK)


_PARTS = (_exceptions, _messages)


def _most_frequent(entries: Any, part: Callable[[Any], Any]) -> Any:
    found = (
        part(entries)
        .group_by(_A_KIND)
        .aggregate(entries=_.count(), sample=_.body.min(), traced=_.trace_id.nullif("").count())
    )
    return found.order_by([ibis.desc("entries"), "text", "severity_number"]).limit(MAX_KINDS)


def _when(entries: Any, part: Callable[[Any], Any], width_s: int) -> Any:
    return (
        part(_placed(entries, width_s))
        .group_by([*_A_KIND, *GROUP])
        .aggregate(entries=_.count(), first=_.timestamp.min(), last=_.timestamp.max())
    )


def _canaries(ask: Ask, canaries: Iterable[str]) -> pd.DataFrame:
    columns = ["canary", "source", "entries", "first", "last"]
    tables = [
        pd.DataFrame(columns=columns),
        *(ask(_holding, canary).assign(canary=canary) for canary in sorted(set(canaries))),
    ]
    found = joined(tables)[columns].sort_values(columns[:2], ignore_index=True)
    return _counted(log_tables.LOG_CANARIES, found)


def _holding(entries: Any, canary: str) -> Any:
    # Logs keep the trace id, or else the address; some keep both only in the text.
    holds = (
        entries.trace_id.fill_null("").contains(canary)
        | entries.http_url.fill_null("").contains(canary)
        | entries.body.fill_null("").contains(canary)
    )
    return (
        entries.filter(holds)
        .group_by("source")
        .aggregate(entries=_.count(), first=_.timestamp.min(), last=_.timestamp.max())
    )


def _counted(table: Table, found: pd.DataFrame) -> pd.DataFrame:
    """The same types from every engine, and no count missing."""
    counts = [column.name for column in table.columns if column.dtype == "int64" and column.name in found]
    return table.cast(found.assign(**{name: found[name].fillna(0) for name in counts}))


def frame(found: Any) -> pd.DataFrame:
    """The rows, through Arrow, which keeps types where an engine's own way to pandas does not."""
    backend = found.get_backend()
    if backend.name == "pyspark":
        from pyspark.sql import SparkSession

        # Spark's way through pandas is for pandas 2.
        table: pd.DataFrame = SparkSession.active().sql(backend.compile(found)).toArrow().to_pandas()
    else:
        table = found.to_pyarrow().to_pandas()
    return table
