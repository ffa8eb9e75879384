"""What is looked at: a log or the evidence of a run as one Parquet file of entries, each with its template and its request."""

from __future__ import annotations

import functools
import shutil
import tempfile
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import duckdb
import ibis
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from ibis.backends.sql.datatypes import DuckDBType

from proofbook import paths
from proofbook.collect.logs import aggregates, places
from proofbook.collect.logs import reader as log_reader
from proofbook.collect.logs.entries import Reading, connect, entries_of, stoppable, table
from proofbook.collect.logs.formats import COLUMNS
from proofbook.config import log_uri
from proofbook.config.duckdb_text import quoted
from proofbook.config.sources import LogSource
from proofbook.errors import EvidenceError, UsageError
from proofbook.evidence import store
from proofbook.investigation import conditions, practice, units
from proofbook.investigation.moments import Span
from proofbook.investigation.names import USER_KEYS
from proofbook.investigation.units import Places, Units
from proofbook.judge.log_text import templates, tracebacks
from proofbook.probe_marks import PROBE_TRACE, USER_AGENT
from proofbook.runs import folders

# So many of its values are compared with a name that is not among them.
MOST_NAMES = 500
MOST_KEYS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where entries come from. files: Parquet files with the columns of `logs`, the latest first: of what two hold, the earlier part is taken from the older.

    shown: as it was named. reading: how a log was read; None of evidence. evidence: the run's; None of a log.
    """

    files: tuple[Path, ...]
    shown: str
    reading: Reading | None = None
    evidence: store.Evidence | None = None


class Records:
    """The entries of a source, written once with what is derived from them, and an engine that answers about them.

    Columns beside those of the table `logs`: entry (number in the order of time), own (one of our probes caused it), path (values
    masked), user, template (the message without its values; of an exception what was raised and where), unit (the request that it
    belongs to, else itself), of_request.
    """

    def __init__(self, source: Source, *, folder: Path) -> None:
        self.source = source
        # The files live as long as anything that looks at them.
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        self.file = folder / "entries.parquet"
        self.engine = connect()
        self.user_keys = _write(self.engine, source.files, self.file)
        self.relation = f"read_parquet({quoted(str(self.file))})"

    def ask(self, sql: str) -> pd.DataFrame:
        """The answer to a query of ours."""
        # A cursor of its own: a look may be shown while another is asked.
        return table(self.engine.cursor(), sql)

    def arrow(self, sql: str) -> pa.Table:
        """The same, in columns."""
        with stoppable():
            return self.engine.cursor().execute(sql).to_arrow_table()

    @functools.cached_property
    def span(self) -> Span:
        """From the first entry to the last."""
        first, last = self.ask(f"SELECT min(timestamp) a, max(timestamp) b FROM {self.relation}").iloc[0]
        return pd.Timestamp(first), pd.Timestamp(last)

    @functools.cached_property
    def own_span(self) -> Span:
        """The same of the source itself, without what is from before."""
        first, last = self.ask(
            f"SELECT min(timestamp) a, max(timestamp) b FROM read_parquet({quoted(str(self.source.files[0]))})"
        ).iloc[0]
        return pd.Timestamp(first), pd.Timestamp(last)

    @functools.cached_property
    def keys(self) -> tuple[str, ...]:
        """The keys of the map `fields`, the most frequent first."""
        found = self.ask(
            f"SELECT k, count(*) n FROM (SELECT unnest(map_keys(fields)) k FROM {self.relation}) GROUP BY k ORDER BY n DESC, k LIMIT {MOST_KEYS}"
        )
        return tuple(found["k"])

    @functools.cached_property
    def requests(self) -> Units:
        """The requests, counted."""
        return units.of_records(self, of_requests=True)

    @functools.cached_property
    def others(self) -> Units:
        """The entries of no request, counted."""
        return units.of_records(self, of_requests=False)

    @functools.cached_property
    def times_us(self) -> Places:
        """When each entry was written, in microseconds since 1970: entries are numbered in the order of time."""
        found = self.arrow(f"SELECT epoch_us(timestamp) AS t FROM {self.relation} ORDER BY entry")
        return np.asarray(found["t"].to_numpy(), dtype=np.int64)

    @functools.cached_property
    def wrong_entries(self) -> Places:
        """The numbers of the entries that went wrong by themselves, in their order."""
        return np.asarray(self._wrong["entry"].to_numpy(), dtype=np.int64)

    @functools.cached_property
    def wrong_units(self) -> Places:
        """The units of those."""
        return np.unique(self._wrong["unit"].to_numpy())

    @functools.cached_property
    def _wrong(self) -> pa.Table:
        return self.arrow(
            f"SELECT entry, unit FROM {self.relation} WHERE NOT own AND {conditions.wrong(self.known).sql} ORDER BY entry"
        )

    @functools.cached_property
    def known(self) -> conditions.Known:
        """What conditions can name."""
        upgraded = self.ask(
            f"SELECT DISTINCT path FROM {self.relation} WHERE http_status = 101 AND path IS NOT NULL ORDER BY path LIMIT {MOST_NAMES}"
        )
        return conditions.Known(keys=self.keys, values=self._values, socket_paths=tuple(upgraded["path"]))

    def _values(self, sql: str, text: str) -> list[str]:
        found = self.ask(
            f"SELECT DISTINCT v FROM (SELECT {sql}::VARCHAR v FROM {self.relation}) WHERE v = {quoted(text)} OR {conditions.like('v', text)} ORDER BY v <> {quoted(text)}, v LIMIT {MOST_NAMES}"
        )
        return [str(value) for value in found["v"]]


def opened(source: str | Path, *, base: Path, before: str | Path | None = None) -> Records:
    """The records that a file, a short name or a run means, with those from before it.

    Raises:
        UnknownName: there is no such run. UsageError: there is nothing to read.
    """
    folder = Path(tempfile.mkdtemp(prefix="proofbook-look-"))
    try:
        found = find(source, base=base, folder=folder)
        if before is not None:
            (folder / "before").mkdir()
            earlier = find(before, base=base, folder=folder / "before")
            found = replace(found, files=(*found.files, *earlier.files))
        return Records(found, folder=folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def find(source: str | Path, *, base: Path, folder: Path) -> Source:
    """Where the entries are that a text means: a file, a short name, the folder of a run or of evidence, a run's id or its beginning, `last`; nothing means an incident made up for practice."""
    text = str(source)
    if not text:
        file = practice.incident(folder / "practice.json")
        return _of_log(LogSource(name="log", file=str(file)), "an incident made up for practice", folder)
    path = Path(text).expanduser()
    if paths.is_file(path):
        if path.suffix == ".parquet":
            return Source(files=(path.resolve(),), shown=paths.shown(path))
        return _of_log(LogSource(name="log", file=str(path.resolve())), paths.shown(path), folder)
    if not log_uri.is_file(text):
        return _of_log(LogSource(name="log", source=text), text, folder)
    if path.suffix and not path.exists():
        raise UsageError(
            f"expected a log, a run's folder, a run's id or `last`, got {text}, and there is no such file"
        )
    return _of_evidence(store.read(folders.evidence(text, base=base)), text)


def _of_log(source: LogSource, shown: str, folder: Path) -> Source:
    to = folder / "read.parquet"
    reading = log_reader.read_logs(source, base=Path(), to=to)
    if reading.problem:
        raise UsageError(reading.problem)
    return Source(files=(to,), shown=shown, reading=reading)


def _of_evidence(evidence: store.Evidence, shown: str) -> Source:
    files = [file for phase in ("after", "before") if (file := evidence.file("logs", phase)) is not None]
    if not files:
        raise UsageError(
            f"expected a log in the evidence of {shown}, found none; name a log in the environment and record it again"
        )
    if altered := evidence.altered():
        raise EvidenceError(altered[0])
    return Source(files=tuple(files), shown=shown, evidence=evidence)


# Preparing ----------------------------------------------------------------------------------------------------------

_RAW = {name: DuckDBType.from_string(kind) for name, kind in COLUMNS.items()}


def _write(engine: duckdb.DuckDBPyConnection, files: Sequence[Path], to: Path) -> list[str]:
    """Writes the entries with what is derived from them; gives the keys under which it stood who asked."""
    _check_columns(files)
    latest, *older = map(entries_of, files)
    # The log of before may reach into that of after; what both hold is counted once.
    edges = f"(SELECT min(timestamp) FROM {latest}) AND (SELECT max(timestamp) FROM {latest})"
    parts = [f"FROM {latest}", *(f"FROM {part} WHERE timestamp NOT BETWEEN {edges}" for part in older)]
    engine.execute(
        f"CREATE OR REPLACE TEMP VIEW raw AS {' UNION ALL BY NAME '.join(f'({part})' for part in parts)}"
    )
    user_keys = _user_keys(engine)
    derived = str(ibis.to_sql(_derived(ibis.table(_RAW, name="raw"), user_keys), dialect="duckdb"))
    first = to.with_name("derived.parquet")
    engine.execute(f"COPY ({derived}) TO {quoted(str(first))} (FORMAT parquet)")
    read = f"read_parquet({quoted(str(first))})"
    _name_kinds(engine, read)
    number = "row_number() OVER (ORDER BY timestamp, source, file, line) - 1"
    numbered = f"SELECT {number} AS entry, e.* EXCLUDE (said, holds_traceback), k.template FROM {read} e LEFT JOIN kinds k ON e.said = k.said"
    unit = "CASE WHEN trace_id <> '' THEN min(entry) OVER (PARTITION BY coalesce(nullif(trace_id, ''), entry::VARCHAR)) ELSE entry END"
    asked = "coalesce(trace_id <> '', false) OR http_status IS NOT NULL"
    engine.execute(
        f"COPY (SELECT *, {unit} AS unit, {asked} AS of_request FROM ({numbered}) ORDER BY entry) TO {quoted(str(to))} (FORMAT parquet)"
    )
    engine.execute("DROP TABLE kinds")
    engine.execute("DROP VIEW raw")
    first.unlink()
    return user_keys


def _check_columns(files: Sequence[Path]) -> None:
    """Raises UsageError where a Parquet file holds no entries."""
    for file in files:
        names = set(pq.read_schema(file).names)
        if missing := {"timestamp", "body"} - names:
            raise UsageError(
                f"{paths.shown(file)}: expected entries with the columns of the table logs, got none called {min(missing)!r}; give the log itself"
            )


def _user_keys(engine: duckdb.DuckDBPyConnection) -> list[str]:
    """The keys of entries under which it stands who asked, the surest first."""
    found = engine.execute("SELECT DISTINCT unnest(map_keys(fields)) FROM raw").fetchall()
    named = [
        (USER_KEYS.index(wanted), key)
        for (key,) in found
        for wanted in USER_KEYS
        if key == wanted or key.endswith(f".{wanted}")
    ]
    return list(dict.fromkeys(key for _, key in sorted(named)))


def _derived(raw: Any, user_keys: Sequence[str]) -> Any:
    """Entries with what one of them says by itself."""
    body = raw.body.fill_null("")
    holds = body.re_search(aggregates.HOLDS_TRACEBACK)
    said = ibis.ifelse(holds, body.re_replace("[0-9]+", "#"), aggregates.masked(body))
    own = raw.trace_id.fill_null("").startswith(PROBE_TRACE) | raw.http_user_agent.fill_null("").startswith(
        USER_AGENT
    )
    users = [raw.fields.get(key) for key in user_keys] or [ibis.null("string")]
    return raw.mutate(
        own=own,
        path=places.value_of(raw, "endpoint"),
        user=ibis.coalesce(*users).nullif(""),
        holds_traceback=holds,
        said=ibis.ifelse(body.strip().isin(aggregates.EMPTY), ibis.null("string"), said),
    )


def _name_kinds(engine: duckdb.DuckDBPyConnection, read: str) -> None:
    """Makes the table `kinds`: of every text with its values masked the template."""
    found = table(
        engine,
        f"SELECT said, any_value(holds_traceback) AS held, min(body) AS sample FROM {read} WHERE said IS NOT NULL GROUP BY said ORDER BY count(*) DESC, said LIMIT {aggregates.MAX_KINDS}",
    )
    raised = {
        said: parsed.raised.told
        for said, held, sample in found.itertuples(index=False)
        if held and (parsed := tracebacks.parse(sample))
    }
    shared = templates.merge(said for said in found["said"] if said not in raised)
    kinds = pd.DataFrame(
        {"said": found["said"], "template": [raised.get(said) or shared[said] for said in found["said"]]}
    ).astype("object")
    engine.register(
        "kinds_found",
        pa.Table.from_pandas(
            kinds, schema=pa.schema({"said": pa.string(), "template": pa.string()}), preserve_index=False
        ),
    )
    engine.execute("CREATE OR REPLACE TEMP TABLE kinds AS FROM kinds_found")
    engine.unregister("kinds_found")
