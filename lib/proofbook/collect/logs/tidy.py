"""Entries deduplicated, and tracebacks that were split into several entries joined."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import duckdb

from proofbook.collect.logs.entries import Reading
from proofbook.collect.logs.formats import COLUMNS, CONTINUES
from proofbook.collect.logs.layout import CHAINS, GO_TRACE
from proofbook.config.duckdb_text import quoted

SUMMARY = f"""SELECT coalesce(sum(lines) FILTER (body IS NOT NULL), 0) AS lines, count(timestamp) AS read,
    coalesce(sum(lines) FILTER (body IS NOT NULL AND timestamp IS NULL), 0) AS unparsed,
    count(insert_hash) FILTER (timestamp IS NOT NULL) AS named,
    count(DISTINCT hash(insert_hash, timestamp)) FILTER (insert_hash IS NOT NULL AND timestamp IS NOT NULL) AS distinct_named,
    count(*) FILTER (timestamp IS NOT NULL AND regexp_matches(left(body, 60), {quoted(CONTINUES)})) AS continues,
    coalesce(nullif(corr(line, epoch(timestamp)), 'nan'), 0) AS slope
    FROM ({{entries}})"""


def rewrite(
    parts: str,
    reading: Reading,
    *,
    engine: duckdb.DuckDBPyConnection,
    to: Path,
    doubles: bool,
    joins: bool,
    span: tuple[dt.datetime | None, dt.datetime | None],
) -> None:
    """Writes the entries of `parts` within `span` as a Parquet file, duplicates left out and split tracebacks joined; `reading` counts both."""
    rows = f"SELECT * FROM ({parts}) WHERE body IS NOT NULL{_within(span)}"
    if doubles:
        rows = deduplicate(rows, reading, engine=engine)
    if joins:
        engine.execute(_SPLIT.format(rows=rows, order="DESC" if reading.newest_first else "ASC"))
        reading.joined = int(
            engine.execute("SELECT count(*) FILTER (NOT is_head) FROM split").fetchall()[0][0]
        )
        rows = f"""SELECT r.* REPLACE (coalesce(j.body, r.body) AS body, coalesce(j.lines, r.lines) AS lines,
            CASE WHEN j.severity_number > r.severity_number THEN j.severity_number ELSE r.severity_number END AS severity_number,
            CASE WHEN j.severity_number > r.severity_number THEN j.severity_text ELSE r.severity_text END AS severity_text,
            CASE WHEN j.severity_number > r.severity_number THEN j.severity_source ELSE r.severity_source END AS severity_source)
            FROM ({rows}) r LEFT JOIN (SELECT file, line FROM split WHERE NOT is_head) s USING (file, line)
            LEFT JOIN (SELECT any_value(file) FILTER (is_head) AS file, any_value(line) FILTER (is_head) AS line,
                string_agg(body, chr(10) ORDER BY place) AS body, sum(lines)::INTEGER AS lines, max(severity_number) AS severity_number,
                arg_max(severity_text, severity_number) AS severity_text, arg_max(severity_source, severity_number) AS severity_source
                FROM split GROUP BY instance, part HAVING count(*) > 1) j USING (file, line)
            WHERE s.line IS NULL"""
    names = ", ".join(COLUMNS)
    engine.execute(
        f"COPY (SELECT {names} FROM ({rows}) ORDER BY file, line) TO {quoted(str(to))} (FORMAT parquet)"
    )


def deduplicate(rows: str, reading: Reading, *, engine: duckdb.DuckDBPyConnection) -> str:
    """SQL for `rows` without repeated entries: the first of those with one id and time stays. Counts the others in `reading`."""
    # Only ids that occur twice are compared, so memory stays small.
    twice = f"SELECT insert_hash, timestamp, min(struct_pack(f := file, l := line)) AS first, count(*) - 1 AS more FROM ({rows}) WHERE insert_hash IS NOT NULL AND timestamp IS NOT NULL GROUP BY ALL HAVING count(*) > 1"
    engine.execute(f"CREATE OR REPLACE TEMP TABLE twice AS {twice}")
    reading.duplicates = int(engine.execute("SELECT coalesce(sum(more), 0) FROM twice").fetchall()[0][0])
    return f"SELECT r.* FROM ({rows}) r LEFT JOIN twice t ON r.insert_hash = t.insert_hash AND r.timestamp = t.timestamp WHERE t.first IS NULL OR (t.first.f = r.file AND t.first.l = r.line)"


def _within(span: tuple[dt.datetime | None, dt.datetime | None]) -> str:
    """SQL: the rest of a condition, that an entry with a time lies in the span."""
    bounds = [(sign, at) for sign, at in zip((">=", "<="), span, strict=True) if at is not None]
    return "".join(
        f" AND (timestamp IS NULL OR timestamp {sign} TIMESTAMPTZ {quoted(at.isoformat())})"
        for sign, at in bounds
    )


# What an entry is to a traceback. `tb` starts one, `in` is a part of one, `indented` may be, `chain` joins two, `exc` ends one; of Go's, `panic` starts one,
# `go` names a goroutine and `call` a function.
_KIND = r"""CASE WHEN regexp_matches(body, '^Traceback \(most recent call last\)') THEN 'tb'
    WHEN regexp_matches(body, '^[ \t]+(?:at |File "|from |in |#[0-9]|\.\.\. [0-9]+ |[0-9]+: |\S+\.\w+:[0-9]+)') THEN 'in'
    WHEN regexp_matches(body, '^[ \t]+\S') THEN 'indented'
    WHEN regexp_matches(body, '^(?:CHAINS)') THEN 'chain'
    WHEN regexp_matches(body, '^(?:panic: |\[signal )') THEN 'panic'
    WHEN regexp_matches(body, '^GO_TRACE') THEN 'go'
    WHEN regexp_matches(body, '^(?:created by |exit status [0-9]|[A-Za-z_][\w./*()-]*\.[\w.*()\[\]-]+\(.*\)$)') THEN 'call'
    WHEN regexp_matches(body, '^[A-Za-z_][\w.$]*(?:Error|Exception|Exit|Interrupt|Fault|Warning)(?::|$)') THEN 'exc'
    WHEN trim(body) = '' THEN 'blank' ELSE 'other' END""".replace("CHAINS", CHAINS).replace(
    "GO_TRACE", GO_TRACE
)

# Entries of one instance in the order of their times. One goes on with the entry before it when that was written at most
# a tenth of a second earlier and the two fit together; only seconds around such entries are looked at.
_SPLIT = f"""CREATE OR REPLACE TEMP TABLE split AS
WITH rows AS (SELECT file, line, coalesce(service_instance_id, file) AS instance, timestamp, body, lines, severity_number, severity_text, severity_source,
        {_KIND} AS kind, contains(body, 'Traceback (most recent call last)') OR regexp_matches(body, '\n\\s+at ') AS holds
    FROM ({{rows}}) WHERE timestamp IS NOT NULL AND http_status IS NULL),
near AS (SELECT DISTINCT instance, unnest([epoch(timestamp)::BIGINT - 1, epoch(timestamp)::BIGINT, epoch(timestamp)::BIGINT + 1]) AS second
    FROM rows WHERE kind IN ('in', 'chain', 'go')),
placed AS (SELECT rows.*, row_number() OVER w AS place, lag(kind) OVER w AS before, lag(holds) OVER w AS after_one,
        timestamp - lag(timestamp) OVER w AS gap
    FROM rows JOIN near ON rows.instance = near.instance AND epoch(rows.timestamp)::BIGINT = near.second
    WINDOW w AS (PARTITION BY rows.instance ORDER BY timestamp, line {{order}})),
linked AS (SELECT *, coalesce(gap <= INTERVAL 100 MILLISECOND AND CASE kind
        WHEN 'in' THEN before <> 'blank'
        WHEN 'indented' THEN before IN ('tb', 'in', 'indented', 'chain', 'go', 'call') OR after_one
        WHEN 'chain' THEN before IN ('tb', 'in', 'indented', 'exc', 'chain', 'blank') OR after_one
        WHEN 'tb' THEN before = 'chain'
        WHEN 'exc' THEN before IN ('in', 'indented')
        WHEN 'panic' THEN before = 'panic'
        WHEN 'go' THEN before IN ('panic', 'blank', 'call', 'in', 'go')
        WHEN 'call' THEN before IN ('go', 'in', 'call')
        WHEN 'blank' THEN before IN ('chain', 'exc', 'panic') OR after_one
        ELSE false END, false) AS goes_on FROM placed),
parts AS (SELECT *, count_if(NOT goes_on) OVER (PARTITION BY instance ORDER BY place ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS part FROM linked)
SELECT file, line, instance, place, part, body, lines, severity_number, severity_text, severity_source, NOT goes_on AS is_head FROM parts
QUALIFY count(*) OVER (PARTITION BY instance, part) > 1"""
