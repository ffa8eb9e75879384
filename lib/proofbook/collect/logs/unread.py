"""Lines of a log that gave no entry with a time: how many, between which entries, and which patterns they match."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import duckdb
import pandas as pd

from proofbook.collect.logs import aggregates
from proofbook.collect.logs.formats import SEVERITY_NUMBERS
from proofbook.config import status_pattern
from proofbook.config.duckdb_text import quoted
from proofbook.evidence.schema import ANY_LINE, ERROR_LINE, LOG_UNREAD

# So many lines that follow each other are searched as one text too, since a traceback is one.
MAX_RUN = 500
_LOOKS_LIKE_AN_ERROR = rf"(?:{aggregates.HOLDS_TRACEBACK})|\b(?:ERROR|FATAL|CRITICAL|SEVERE|PANIC)\b|^\s*[A-Za-z_][\w.$]*(?:Error|Exception)\b"


def find(
    engine: duckdb.DuckDBPyConnection,
    rows: str,
    patterns: Iterable[str],
    *,
    newest_first: Mapping[str, bool],
) -> pd.DataFrame:
    """The table `log_unread` (see its schema).

    Args:
        rows: SQL for every line, those without a time too, with the columns of `proofbook.collect.logs.formats.COLUMNS`.
        newest_first: source to whether its entries stand in that order.
    """
    (count,) = engine.execute(f"SELECT count(*) FILTER (timestamp IS NULL AND body IS NOT NULL) FROM {rows}").fetchall()[0]  # fmt: skip
    if not count:
        return LOG_UNREAD.frame([])
    backwards = ", ".join(quoted(name) for name, is_so in newest_first.items() if is_so) or "NULL"
    engine.execute(_RUNS.format(rows=rows, backwards=backwards, width=_width(engine, rows), most=MAX_RUN))
    wanted = [(ANY_LINE, None), (ERROR_LINE, _LOOKS_LIKE_AN_ERROR), *((item, item) for item in sorted(set(patterns)))]  # fmt: skip
    parts = [_matching(engine, name, pattern) for name, pattern in wanted]
    engine.execute("DROP TABLE unread_lines; DROP TABLE unread_runs")
    return LOG_UNREAD.cast(pd.concat([part for part in parts if len(part)], ignore_index=True))


def _width(engine: duckdb.DuckDBPyConnection, rows: str) -> int:
    (span,) = engine.execute(f"SELECT coalesce(epoch(max(timestamp)) - epoch(min(timestamp)), 0) FROM {rows}").fetchall()[0]  # fmt: skip
    return aggregates.bucket_s(float(span))


def _matching(engine: duckdb.DuckDBPyConnection, name: str, pattern: str | None) -> pd.DataFrame:
    """Rows of one pattern: the lines that match, and one for a run of lines that matches only as a whole."""
    if pattern is not None and (requests := status_pattern.of(pattern)) is not None:
        pattern = requests.in_text
    hit = "true" if pattern is None else f"regexp_matches(body, {quoted(pattern)}, 's')"
    if name == ERROR_LINE:
        hit = f"({hit} OR severity_number >= {SEVERITY_NUMBERS['ERROR']})"
    whole = "false" if pattern is None else f"regexp_matches(text, {quoted(pattern)}, 's')"
    found: pd.DataFrame = (
        engine.execute(f"""WITH by_line AS (SELECT source, file, run, sum(lines) FILTER ({hit}) AS lines,
                min(left(body, 200)) FILTER ({hit}) AS sample FROM unread_lines GROUP BY ALL),
            found AS (SELECT r.*, CASE WHEN coalesce(l.lines, 0) > 0 THEN l.lines WHEN {whole} THEN 1 ELSE 0 END AS lines,
                coalesce(l.sample, left(r.text, 200)) AS sample FROM unread_runs r JOIN by_line l USING (source, file, run))
        SELECT source, {quoted(name)} AS pattern, bucket, sum(lines)::BIGINT AS lines, min(first) AS first,
            CASE WHEN count(last) = count(*) THEN max(last) END AS last, min(sample) AS sample
        FROM found WHERE lines > 0 GROUP BY source, bucket ORDER BY source, bucket""")
        .to_arrow_table()
        .to_pandas()
    )
    return found


# A run is what stands between two entries of a file. The older of the two was written before it, the other after it.
_RUNS = """CREATE OR REPLACE TEMP TABLE unread_lines AS
WITH placed AS (SELECT source, file, line, body, severity_number, coalesce(lines, 1) AS lines, timestamp IS NULL AS unread,
        count(timestamp) OVER up AS run, last_value(timestamp IGNORE NULLS) OVER up AS above,
        first_value(timestamp IGNORE NULLS) OVER (PARTITION BY source, file ORDER BY line ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) AS below
    FROM {rows} WHERE body IS NOT NULL
    WINDOW up AS (PARTITION BY source, file ORDER BY line ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW))
SELECT source, file, line, run, body, severity_number, lines, coalesce(source IN ({backwards}), false) AS backwards, above, below,
    row_number() OVER (PARTITION BY source, file, run ORDER BY line) AS nth
FROM placed WHERE unread;
CREATE OR REPLACE TEMP TABLE unread_runs AS
WITH ends AS (SELECT source, file, run, string_agg(body, chr(10) ORDER BY line) FILTER (nth <= {most}) AS text,
        any_value(CASE WHEN backwards THEN below ELSE above END) AS older, any_value(CASE WHEN backwards THEN above ELSE below END) AS newer
    FROM unread_lines GROUP BY ALL)
SELECT source, file, run, text, CASE WHEN older IS NOT NULL THEN least(older, newer) END AS first,
    CASE WHEN newer IS NOT NULL THEN greatest(older, newer) END AS last,
    epoch(CASE WHEN older IS NOT NULL THEN least(older, newer) END)::BIGINT // {width} * {width} AS bucket FROM ends"""
