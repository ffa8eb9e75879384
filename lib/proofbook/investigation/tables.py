"""The views of a look: entries, requests, kinds, events and probes, in DuckDB over the files that were read."""

from __future__ import annotations

import re

import duckdb
import pandas as pd

from proofbook.investigation import events, probes
from proofbook.investigation.moments import Span
from proofbook.investigation.prepare import view_for
from proofbook.investigation.records import Records

SEVERITIES = "CASE WHEN max(severity_number) >= 17 THEN 0 WHEN max(severity_number) >= 13 THEN 1 ELSE 2 END"


def make_views(engine: duckdb.DuckDBPyConnection, read: Records, *, selected: str, span: Span) -> None:
    """Makes the views that mean the selected entries."""
    engine.execute(f"CREATE OR REPLACE TEMP VIEW entries AS SELECT * FROM {read.relation} WHERE {selected}")
    # Not for those who ask: what a display asks about the same entries.
    engine.execute(
        f"CREATE OR REPLACE TEMP VIEW entries_brief AS SELECT * FROM {view_for(selected)} WHERE {selected}"
    )
    engine.execute(
        """CREATE OR REPLACE TEMP VIEW requests AS
        SELECT unit AS request, min(timestamp) AS timestamp, bool_or(own) AS own,
            max(http_method) AS method, max(path) AS path, max(http_status) AS status, max(http_latency_s) AS latency_s,
            max(service_name) FILTER (WHERE http_status IS NOT NULL) AS service, max(service_version) AS revision, max(service_instance_id) AS instance,
            max("user") AS "user", max(http_remote_ip) AS address, max(http_user_agent) AS agent,
            count(*) AS entries, max(severity_number) AS severity_number, max(nullif(trace_id, '')) AS trace_id
        FROM entries WHERE of_request GROUP BY unit"""
    )
    engine.execute(
        f"""CREATE OR REPLACE TEMP VIEW kinds AS
        SELECT arg_max(severity_text, severity_number) AS severity, template AS what, count(*) AS entries,
            count(DISTINCT unit) FILTER (WHERE of_request) AS requests, min(timestamp) AS first, max(timestamp) AS last, min(body) AS sample
        FROM entries WHERE template IS NOT NULL GROUP BY template ORDER BY {SEVERITIES}, entries DESC, what"""
    )
    _make(engine, "events", events.of(read, span))
    if read.source.evidence is not None:
        _make(engine, "probes", probes.whole(read.source.evidence))


def _make(engine: duckdb.DuckDBPyConnection, name: str, rows: pd.DataFrame) -> None:
    engine.register(f"{name}_found", rows)
    engine.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS FROM {name}_found")
    engine.unregister(f"{name}_found")


def telling(found: pd.DataFrame) -> pd.DataFrame:
    """A table without the columns in which nothing stands, or the same everywhere that says nothing by itself; rows by the number of their entry."""
    dull = {"entry", "unit", "of_request", "observed_timestamp", "severity_number", "severity_source", "insert_hash", "fields_cut", "file", "line", "lines", "own", "header", "socket", "over_ws", "traced"}  # fmt: skip
    held = [
        name
        for name in found
        if name not in dull
        and not found[name].isna().all()
        and not (found[name].astype("object") == "").all()
    ]
    return found[held].set_axis(pd.Index(found["entry"], name="entry"), axis="index")


def missing_table(problem: str) -> str | None:
    """The table that a query names and that is not there, from what DuckDB says of it."""
    match = re.search(r"Table with name (\S+) does not exist", problem)
    return match[1] if match else None


def show_plainly() -> None:
    """Lets notebooks show the text of logs as it is: whole, and not typeset as mathematics."""
    pd.set_option("display.max_colwidth", 200)
    # MathJax takes `\\[…\\]` and `$…$` of a log for formulas.
    pd.set_option("display.html.use_mathjax", False)
