"""Makes the entries of logs ready to be asked: what is derived from each is written beside the log, which stays as it is."""

from __future__ import annotations

import os
import re
import shutil
import string
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from proofbook import paths
from proofbook.collect.logs import aggregates, places
from proofbook.collect.logs.entries import entries_of, rows_of, table
from proofbook.collect.logs.formats import COLUMNS
from proofbook.config.duckdb_text import quoted
from proofbook.errors import UsageError
from proofbook.evidence.store import MASK
from proofbook.investigation.names import USER_KEYS
from proofbook.judge.log_text import templates, tracebacks
from proofbook.probe_marks import PROBE_TRACE, USER_AGENT

# The view that holds every entry with what is derived from it.
RELATION = "written"
# The view without what is wide, which most questions never read: no join, and a tenth of the bytes.
BRIEF = "brief"
_BRIEF = (
    "timestamp", "severity_text", "severity_number", "service_name", "service_version", "service_instance_id", "http_method", "http_status", "http_latency_s",
    "http_remote_ip", "http_user_agent", "http_protocol", "http_request_bytes", "http_response_bytes", "source",
)  # fmt: skip
# Names that the brief view does not know, wherever they stand in a query: at worst a word of a text sends it to the whole.
_WIDE = re.compile(rf"\b(?:{'|'.join(name for name in COLUMNS if name not in _BRIEF)})\b")
_SOCKET = r"\b\d{1,3}(?:\.\d{1,3}){3}:\d{2,5}\b|\[[0-9a-f:]{3,39}\]:\d{2,5}\b"
# It lives as long as the look: what is quick to write and read is worth more than a small file. Rows are held until a group of them is whole.
_FORM = "FORMAT parquet, COMPRESSION uncompressed, ROW_GROUP_SIZE 30720"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What was made ready. files: the logs, where they stay for as long as they are asked. derived: the file of the view BRIEF. count: of entries. keys: of the map `fields`, the most frequent first. user_keys: those under which it stood who asked. exceptions: the templates that are one."""

    files: tuple[Path, ...]
    derived: Path
    count: int
    keys: tuple[str, ...]
    user_keys: tuple[str, ...]
    exceptions: frozenset[str]


def prepare(engine: duckdb.DuckDBPyConnection, files: Sequence[Path], *, folder: Path) -> Prepared:
    """Makes the view RELATION over logs: their columns, and entry, own, path, user, socket, template, unit, of_request, traced and over_ws; and the view BRIEF.

    files: with the columns of `logs`, the latest first. To write the wide columns once more would take several times as long as all else.

    Raises:
        UsageError: a file holds no entries.
    """
    _check_columns(files)
    kept = tuple(_kept(file, folder / f"log-{number}.parquet") for number, file in enumerate(files))
    engine.execute(f"CREATE OR REPLACE VIEW raw AS {_raw(kept)}")
    found = engine.execute(
        "SELECT k FROM (SELECT unnest(map_keys(fields)) AS k FROM raw) GROUP BY k ORDER BY count(*) DESC, k"
    ).fetchall()
    keys = tuple(str(key) for (key,) in found)
    user_keys = _user_keys(keys)
    alone, derived = folder / "alone.parquet", folder / "derived.parquet"
    in_order = _is_in_order(engine)
    # In whatever order: the number of its row says where an entry stands, and what need not wait is not held.
    engine.execute("SET preserve_insertion_order = false")
    engine.execute(f"COPY ({_alone(user_keys)}) TO {quoted(str(alone))} ({_FORM})")  # fmt: skip
    exceptions = _name_kinds(engine, f"read_parquet({quoted(str(alone))})")
    _place(engine, f"read_parquet({quoted(str(alone))})", derived, in_order=in_order)
    engine.execute("SET preserve_insertion_order = true")
    alone.unlink()
    read = f"read_parquet({quoted(str(derived))})"
    engine.execute(f"CREATE OR REPLACE VIEW {BRIEF} AS SELECT * EXCLUDE (row) FROM {read}")
    added = "entry, own, path, user, socket, template, unit, of_request, traced, over_ws"
    engine.execute(
        f"CREATE OR REPLACE VIEW {RELATION} AS SELECT r.* EXCLUDE (row), {', '.join(f'd.{name}' for name in added.split(', '))} FROM raw r JOIN {read} d ON r.row = d.row"
    )
    count = int(pq.read_metadata(derived).num_rows)
    return Prepared(
        files=kept,
        derived=derived,
        count=count,
        keys=keys,
        user_keys=tuple(user_keys),
        exceptions=exceptions,
    )


def _is_in_order(engine: duckdb.DuckDBPyConnection) -> bool:
    """Whether entries stand in the order of time, none left out, so that the number of its row is the place of each."""
    (found,) = engine.execute(
        "SELECT count(*) = max(row) + 1 AND bool_and(timestamp >= before) FROM (SELECT row, timestamp, lag(timestamp, 1, timestamp) OVER () AS before FROM raw)"
    ).fetchall()[0]
    return bool(found)


def _place(engine: duckdb.DuckDBPyConnection, alone: str, derived: Path, *, in_order: bool) -> None:
    """Writes the file of what is derived: what entries say by themselves, with their places among the others and their templates."""
    entry, placed = "e.row", f"{alone} e"
    # Of what is sorted and joined only numbers are held, a digest in place of a trace id.
    if not in_order:
        engine.execute(
            f"CREATE TEMP TABLE ranked AS SELECT row, row_number() OVER (ORDER BY timestamp, row) - 1 AS entry FROM {alone}"
        )
        entry, placed = "r.entry", f"{alone} e JOIN ranked r ON e.row = r.row"
    engine.execute(
        f"CREATE TEMP TABLE firsts AS SELECT trace, min({entry}) AS unit FROM {placed} WHERE traced GROUP BY trace"
    )
    engine.execute(
        f"""COPY (SELECT e.* EXCLUDE (trace, said, holds_traceback), {entry} AS entry, CASE WHEN e.traced THEN f.unit ELSE {entry} END AS unit, k.template
        FROM {placed} LEFT JOIN firsts f ON e.trace = f.trace LEFT JOIN kinds k ON e.said = k.said) TO {quoted(str(derived))} ({_FORM})"""
    )
    for name in ("kinds", "firsts", "ranked"):
        engine.execute(f"DROP TABLE IF EXISTS {name}")


def view_for(*conditions: str) -> str:
    """The view over which conditions can be asked: the brief one where they need no more."""
    return RELATION if any(_WIDE.search(text) for text in conditions) else BRIEF


def _check_columns(files: Sequence[Path]) -> None:
    """Raises UsageError where a Parquet file holds no entries."""
    for file in files:
        names = set(pq.read_schema(file).names)
        if missing := {"timestamp", "body"} - names:
            raise UsageError(
                f"{paths.shown(file)}: expected entries with the columns of the table logs, got none called {min(missing)!r}; give the log itself"
            )


def _kept(file: Path, to: Path) -> Path:
    """The file under a name of its own: it stays when evidence is removed meanwhile."""
    try:
        os.link(file, to)
    except OSError:
        # Another file system, or one without links.
        shutil.copyfile(file, to)
    return to


def _raw(files: Sequence[Path]) -> str:
    """SQL for the entries of all files, each with the number of its row. What two logs hold is counted once: the log of before may reach into that of after."""
    parts: list[str] = []
    overlap, passed = "", 0
    for file in files:
        rows = rows_of(file, more=[f"file_row_number + {passed} AS row"])
        parts.append(f"(SELECT * FROM {rows} WHERE timestamp IS NOT NULL{overlap})")
        held = entries_of(file)
        overlap += f" AND timestamp NOT BETWEEN (SELECT min(timestamp) FROM {held}) AND (SELECT max(timestamp) FROM {held})"
        passed += pq.read_metadata(file).num_rows
    return " UNION ALL BY NAME ".join(parts)


def _user_keys(keys: Sequence[str]) -> list[str]:
    """The keys of entries under which it stands who asked, the surest first."""
    named = [
        (USER_KEYS.index(wanted), key)
        for key in keys
        for wanted in USER_KEYS
        if key == wanted or key.endswith(f".{wanted}")
    ]
    return list(dict.fromkeys(key for _, key in sorted(named)))


def _alone(user_keys: Sequence[str]) -> str:
    """SQL: of each row what it says by itself, its text without what is a value, and the socket that it names."""
    nothing = ", ".join(map(quoted, aggregates.EMPTY))
    users = (
        ", ".join(f"list_extract(element_at(fields, {quoted(key)}), 1)" for key in user_keys)
        or "NULL::VARCHAR"
    )
    # Each in a column of its own, and of the text as it lies in the file: so it is found once for a text that comes again and again.
    return f"""SELECT * EXCLUDE (trace_of, named, holds, bare, masked, body), hash(trace_of) AS trace, nullif(named, '') AS socket, coalesce(holds, false) AS holds_traceback,
        CASE WHEN bare IS NULL OR bare IN ({nothing}) THEN NULL WHEN holds THEN regexp_replace(body, '[0-9]+', '#', 'g') ELSE masked END AS said FROM (
        SELECT {", ".join(_BRIEF)}, row, nullif(trace_id, '') AS trace_of, trace_of IS NOT NULL AS traced, traced OR http_status IS NOT NULL AS of_request,
            starts_with(coalesce(trace_of, ''), {quoted(PROBE_TRACE)}) OR starts_with(coalesce(http_user_agent, ''), {quoted(USER_AGENT)}) AS own,
            {replaced("http_url", places.TO_ENDPOINT)} AS path, nullif(coalesce({users}), '') AS "user", starts_with(http_url, 'ws') AS over_ws,
            regexp_extract(body, {quoted(_SOCKET)}) AS named, regexp_matches(body, {quoted(aggregates.HOLDS_TRACEBACK)}) AS holds,
            trim(body, {quoted(string.whitespace)}) AS bare, {replaced(f"substring(body, 1, {aggregates.MAX_MESSAGE_CHARS})", [(aggregates.VALUE, MASK)])} AS masked, body
        FROM raw)"""


def replaced(text: str, pairs: Iterable[tuple[str, str]]) -> str:
    """SQL for a text in which everything of some patterns is replaced."""
    for pattern, by in pairs:
        text = f"regexp_replace({text}, {quoted(pattern)}, {quoted(by)}, 'g')"
    return text


def _name_kinds(engine: duckdb.DuckDBPyConnection, read: str) -> frozenset[str]:
    """Makes the table `kinds`: of every text with its values masked the template; gives those that are exceptions."""
    found = table(
        engine,
        f"SELECT said, bool_or(holds_traceback) AS held, min(row) AS sample FROM {read} WHERE said IS NOT NULL GROUP BY said ORDER BY count(*) DESC, said LIMIT {aggregates.MAX_KINDS}",
    )
    held = found[found["held"]].set_index("sample")["said"]
    bodies = table(
        engine,
        f"SELECT row, body FROM raw WHERE row IN ({', '.join(map(str, held.index)) or -1}) ORDER BY row",
    )
    raised = {
        held[row]: parsed.raised.told
        for row, body in bodies.itertuples(index=False)
        if (parsed := tracebacks.parse(body))
    }
    shared = templates.merge(said for said in found["said"] if said not in raised)
    kinds = pd.DataFrame(
        {"said": found["said"], "template": [raised.get(said) or shared[said] for said in found["said"]]}
    ).astype("object")
    engine.register(
        "kinds_found",
        pa.Table.from_pandas(
            kinds,
            schema=pa.schema({"said": pa.string(), "template": pa.string()}),
            preserve_index=False,
        ),
    )
    engine.execute("CREATE OR REPLACE TEMP TABLE kinds AS FROM kinds_found")
    engine.unregister("kinds_found")
    return frozenset(raised.values())
