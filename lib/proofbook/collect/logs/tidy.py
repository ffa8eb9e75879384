"""Entries deduplicated, and tracebacks that were split into several entries joined."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import duckdb

from proofbook.collect.logs.entries import Reading
from proofbook.collect.logs.formats import COLUMNS, CONTINUES
from proofbook.collect.logs.layout import CHAINS, CONTAINER_NAME, GO_TRACE, RUBY_FRAME
from proofbook.collect.logs.layout import GOES_ON as GOES_ON_IN_TEXT
from proofbook.config.duckdb_text import quoted

# To cut every body takes longer than to look at its beginning.
GOES_ON = (
    f"regexp_matches(body, {quoted(CONTINUES)}) AND regexp_matches(left(body, 200), {quoted(CONTINUES)})"
)
SUMMARY = f"""SELECT coalesce(sum(lines) FILTER (body IS NOT NULL), 0) AS lines, count(timestamp) AS read, min(timestamp) AS first, max(timestamp) AS last,
    coalesce(sum(lines) FILTER (body IS NOT NULL AND timestamp IS NULL), 0) AS unparsed,
    count(insert_hash) FILTER (timestamp IS NOT NULL) AS named,
    count(DISTINCT hash(insert_hash, timestamp)) FILTER (insert_hash IS NOT NULL AND timestamp IS NOT NULL) AS distinct_named,
    count(*) FILTER (timestamp IS NOT NULL AND (({GOES_ON}) OR contains(body, ' panicked at '))) AS continues,
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
        order = "DESC" if reading.newest_first else "ASC"
        engine.execute(_SPLIT.replace("{rows}", rows).replace("{order}", order))
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
                FROM split GROUP BY instance, writer, part HAVING count(*) > 1) j USING (file, line)
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


_EXCEPTION = (
    r"(?:[A-Za-z_]\w*[.$:]+)*(?:[A-Z]\w*|[\w$]*(?:Error|Exception|Exit|Interrupt|Fault|Warning))(?::|$)"
)
_FUNCTION = r"[A-Za-z_][\w./*()~@-]*\.[\w.*()\[\]-]+"
# What an entry is to a traceback, the more special first. `tb` starts one of Python, `ruby` one of Ruby, `source` one of Node and `head` any other; `in` is a
# part of any, `file` one of Python's, `indented` may be, `chain` and `inner` join two; `exc` names an exception; `more` stands between a head and its
# frames or after them, and `close` at the end; `console` is the line that .NET's writes before each message; of Go's, `panic` starts one, `go` names a goroutine, `call` a function with its arguments and `function`
# one without.
_KINDS = (
    ("tb", r"^(?:\s*\+ Exception Group )?Traceback \(most recent call last\)"),
    ("ruby", r"^\S+:[0-9]+:in [\x60'].*\([A-Z][\w:]*\)$"),
    ("source", r"^(?:/|file:|node:|[A-Z]:)\S*\.[mc]?[jt]s:[0-9]+$"),
    ("head", r"^(?:thread '.*' .*panicked at |(?:\[[\w.:-]+\] )?[A-Z]\w*(?:::\w+)* \(.*\):$|PHP (?:Fatal|Parse) error: |Fatal Python error: |==[0-9]+==ERROR: |terminate called )"),
    ("file", r'^[ \t]+(?:[|+] *)*File "'),
    ("in", r"^[ \t]+(?:at |from |in |#[0-9]|\.\.\. [0-9]+ |[0-9]+: |\S+\.\w+:[0-9]+|\([a-z]\w*(?: [0-9][^)]*)?\) \S|\*\* \(|thrown in |what\(\): )"),
    ("in", rf"^(?:#[0-9]+ (?:\S+\([0-9]+\)|\{{main\}}|\[internal)|{RUBY_FRAME}|at \S+.*(?:\(.*\)|:[0-9]+)$|\S+\.go:[0-9]+(?: \+0x| \(0x|$))"),
    ("in", r"^(?:(?:PHP )?Stack trace:|\[stacktrace\]|[Ss]tack (?:backtrace|traceback):|note: (?:run with|[Ss]ome details))"),
    ("inner", r"^[ \t]*---> "),
    ("chain", rf"^(?:{CHAINS})"),
    ("panic", r"^(?:[ \t]*panic: |fatal error: |\[signal )"),
    ("indented", r"^[ \t]+\S"),
    ("go", rf"^{GO_TRACE}"),
    ("call", rf"^(?:created by |exit status [0-9]|(?:panic|{_FUNCTION})\(.*\)$)"),
    ("elixir", r"^\*\* \((?:EXIT|exit|throw|stop|:?[A-Z])"),
    ("more", r"^(?:(?:Last message(?: \(from [^)]*\))?|State|Server|Request): |(?:READ|WRITE) of size |(?:freed|previously allocated) by thread |(?:Current thread|Thread) 0x)"),
    ("close", r"^(?:[\]})\"'^]+[;,]?|Node\.js v[0-9].*)$"),
    ("console", r"^(?:trce|dbug|info|warn|fail|crit): [A-Za-z_][^ \t\n]*\[-?[0-9]+\]$"),
    ("exc", r"^(?:[A-Za-z_]\w*[.$])+[A-Z]\w*(?:Error|Exception|Throwable|Fault)(?:\n|$)"),
    ("function", rf"^{_FUNCTION}(?:\n|$)"),
    ("exc", rf"^{_EXCEPTION}"),
)  # fmt: skip


def _kind_of(text: str) -> str:
    """SQL: the kind of a text by its first line."""
    cases = " ".join(
        f"WHEN regexp_matches({text}, {quoted(pattern)}) THEN '{name}'" for name, pattern in _KINDS
    )
    return f"CASE {cases} WHEN regexp_matches({text}, {quoted(f'^{_BLANK}$')}) THEN 'blank' ELSE 'other' END"


# A line that says nothing but a tag, such as the id of a request.
_BLANK = r"(?:\[[\w.:-]+\])?[ \t]*"
_BLANK_LINES = quoted(rf"^(?:{_BLANK}\n)+")
_FILLED = f"CASE WHEN regexp_matches(body, {_BLANK_LINES}) THEN regexp_replace(body, {_BLANK_LINES}, '') ELSE body END"
# A line that the next one goes on with, whatever that says.
_AWAITS = r"(?:panicked at [^\n]*:[0-9]+|panic recovered):$"
_BEFORE_INDENTED = "('tb', 'ruby', 'source', 'head', 'file', 'in', 'chain', 'inner', 'go', 'call', 'close', 'elixir', 'console')"
# After which kinds one goes on, blank lines between them left out; `root` is the kind of the last one that is not indented. `held`: the entry before holds a traceback already.
_AFTER = {
    "in": "before NOT IN ('function', 'close') OR contains(body, '.go:')",
    "file": "before IN ('tb', 'file', 'indented', 'in', 'more') OR held",
    # Messages may begin with a space too.
    "indented": f"before IN {_BEFORE_INDENTED} OR held OR (before = 'indented' AND root IN {_BEFORE_INDENTED})",
    "chain": "before IN ('tb', 'file', 'in', 'indented', 'exc', 'chain', 'close') OR held",
    "inner": "true",
    "tb": "before = 'chain'",
    "ruby": "before = 'in' AND regexp_matches(said, '(?:^|\n)[ \t]*from [^\n]*$')",
    "exc": "before = 'file' OR (before = 'indented' AND root IN ('file', 'source'))",
    "elixir": "before = 'more' OR regexp_matches(said, '(?:terminating| terminated|raised:)$')",
    "more": "before IN ('head', 'in', 'indented', 'more', 'elixir') OR regexp_matches(said, '(?:terminating| terminated)$')",
    "close": "before IN ('in', 'indented', 'close')",
    "panic": "before = 'panic'",
    "go": "before IN ('panic', 'call', 'in', 'go') OR contains(said, 'panic')",
    "call": "before IN ('go', 'in', 'call')",
    "function": "contains(body, '.go:') OR (after = 'in' AND contains(following, '.go:'))",
    "blank": "true",
}
# After these a blank line is one of the traceback.
_MAY_BE_FOLLOWED_BY_A_BLANK_LINE = "before NOT IN ('other', 'function', 'more') OR held"
# Who wrote an entry, by its header: what stands before the time of day, and the name and number of a process after it. The rest may be lacking in
# lines that go on, so the longer must begin with the shorter.
_CLOCK = r"[0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?(?:[.,:][0-9]+)?|[0-9]{6}[.,][0-9]+|[0-9]{9,}(?:[.,][0-9]+)?"
# A line that has the name of its container and no time.
_NAMED = f"coalesce(regexp_full_match(header, {quoted(CONTAINER_NAME)}), false)"
_CONTAINER = f"nullif(regexp_extract(header, {quoted(f'^{CONTAINER_NAME}')}), '')"
_BEFORE_TIME = rf"regexp_extract(coalesce(header, ''), {quoted(f'^(.*?)(?:{_CLOCK})')}, 1)"
_AFTER_TIME = rf"CASE WHEN {_NAMED} THEN '' ELSE regexp_replace(coalesce(header, ''), {quoted(f'^.*?(?:{_CLOCK})')}, '') END"
# As where no container is named, after a line with a time: what is indented, what follows that, and what a traceback is made of.
_GOES_ON_BY_ITSELF = f"is_named AND timed_before AND (regexp_matches(body, '^[ \\t]') OR before IN ('indented', 'in', 'file') OR regexp_matches(body, {quoted(GOES_ON_IN_TEXT)}))"
_PROCESS = r"[\w./()@~+-]+\[[\w.:-]{1,40}\]"

# Entries of one writer in the order of their times. One goes on with the entry before it when that was written at most a tenth of a second earlier, or a
# second where times have no fractions, and the two fit together; only seconds around such entries are looked at.
_SPLIT = f"""CREATE OR REPLACE TEMP TABLE split AS
WITH rows AS (SELECT file, line, coalesce(service_instance_id, file) AS instance, timestamp, body, lines, severity_number, severity_text, severity_source,
        header, {_kind_of("filled")} AS kind, contains(body, 'Traceback (most recent call last)') OR regexp_matches(body, '\n\\s+at ') AS holds
    FROM (SELECT *, left({_FILLED}, 1000) AS filled FROM ({{rows}}) WHERE timestamp IS NOT NULL AND http_status IS NULL)),
near AS (SELECT DISTINCT instance, unnest([epoch(timestamp)::BIGINT - 1, epoch(timestamp)::BIGINT, epoch(timestamp)::BIGINT + 1]) AS second
    FROM rows WHERE kind NOT IN ('other', 'blank', 'exc', 'function') OR contains(body, ' panicked at ') OR (kind = 'function' AND contains(body, '.go:'))),
headed AS (SELECT rows.*, CASE WHEN lines > 1 THEN {_kind_of("split_part(body, chr(10), -1)")} ELSE kind END AS ends, CASE WHEN header IS NOT NULL THEN coalesce({_CONTAINER}, {_BEFORE_TIME} || regexp_extract({_AFTER_TIME}, {quoted(_PROCESS)})) END AS wrote, {_NAMED} AS is_named,
        regexp_replace({_AFTER_TIME}, {quoted(_CLOCK)}, '', 'g') AS rest FROM rows JOIN near ON rows.instance = near.instance AND epoch(rows.timestamp)::BIGINT = near.second),
written AS (SELECT *, coalesce(wrote, last_value(wrote IGNORE NULLS) OVER (PARTITION BY instance ORDER BY line ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW), '') AS writer
    FROM headed),
placed AS (SELECT *, row_number() OVER w AS place, lag(kind) OVER w AS just_before, lead(kind) OVER w AS after, lead(body) OVER w AS following,
        last_value(filled IGNORE NULLS) OVER up AS last, coalesce(bool_or(NOT is_named) OVER up, false) AS timed_before,
        last_value(CASE WHEN kind NOT IN ('blank', 'indented') THEN CASE ends WHEN 'indented' THEN kind ELSE ends END END IGNORE NULLS) OVER up AS root, timestamp - lag(timestamp) OVER w AS gap
    FROM (SELECT *, CASE WHEN kind <> 'blank' THEN {{'kind': ends, 'body': right(body, 400), 'holds': holds, 'header': header, 'rest': rest}} END AS filled FROM written)
    WINDOW w AS (PARTITION BY instance, writer ORDER BY timestamp, line {{order}}),
        up AS (PARTITION BY instance, writer ORDER BY timestamp, line {{order}} ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)),
seen AS (SELECT *, last.kind AS before, last.body AS said, coalesce(last.holds, false) AS held FROM placed),
linked AS (SELECT *, coalesce((gap <= INTERVAL 100 MILLISECOND OR (gap <= INTERVAL 1 SECOND AND epoch_us(timestamp) % 1000000 = 0 AND epoch_us(gap) = 1000000))
        AND (header IS NULL OR last.header IS NULL OR starts_with(rest, last.rest) OR starts_with(last.rest, rest))
        AND ('blank' NOT IN (kind, just_before) OR {_MAY_BE_FOLLOWED_BY_A_BLANK_LINE})
        AND (regexp_matches(said, {quoted(_AWAITS)}) OR ({_GOES_ON_BY_ITSELF})
            OR CASE kind {" ".join(f"WHEN '{kind}' THEN {when}" for kind, when in _AFTER.items())} ELSE false END), false) AS goes_on FROM seen),
parts AS (SELECT *, count_if(NOT goes_on) OVER (PARTITION BY instance, writer ORDER BY place ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS part FROM linked)
SELECT file, line, instance, writer, place, part, body, lines, severity_number, severity_text, severity_source, NOT goes_on AS is_head FROM parts
QUALIFY count(*) OVER (PARTITION BY instance, writer, part) > 1"""
