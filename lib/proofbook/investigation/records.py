"""What is looked at: a log or the evidence of a run as one Parquet file of entries, each with its template and its request."""

from __future__ import annotations

import ctypes
import functools
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from proofbook import paths
from proofbook.collect.logs import reader as log_reader
from proofbook.collect.logs.entries import Reading, Stoppable, connect, entries_of, table
from proofbook.collect.traces.reader import read_spans
from proofbook.concurrency import scratch
from proofbook.concurrency.scratch import Folder
from proofbook.config import log_uri
from proofbook.config.duckdb_text import quoted
from proofbook.config.sources import LogSource
from proofbook.errors import EvidenceError, UnknownName, UsageError
from proofbook.evidence import store
from proofbook.investigation import conditions, live, mapped, practice, units
from proofbook.investigation.columns import Places
from proofbook.investigation.following import traffic
from proofbook.investigation.following.given import Row
from proofbook.investigation.following.traffic import Traffic
from proofbook.investigation.moments import Span
from proofbook.investigation.names import PROBES
from proofbook.investigation.prepare import BRIEF, RELATION, prepare, view_for
from proofbook.investigation.units import Units
from proofbook.runs import folders

# So many of its values are compared with a name that is not among them.
MOST_NAMES = 500
MOST_KEYS = 200
MEMORY_LIMIT = "400MB"
# How folders begin in which the files of a look lie.
PREFIX = "proofbook-looked-at-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where entries come from. files: Parquet files with the columns of `logs`, the latest first: of what two hold, the earlier part is taken from the older.

    shown: as it was named. reading: how a log was read; None of evidence. evidence: the run's; None of a log. spans: Parquet files with the columns of `spans`.
    live: the environment whose logs they are; empty of what is not written any more. note: what happened when they were kept.
    """

    files: tuple[Path, ...]
    shown: str
    reading: Reading | None = None
    evidence: store.Evidence | None = None
    spans: tuple[Path, ...] = ()
    live: str = ""
    note: str = ""


class Records:
    """The entries of a source, written once with what is derived from them, and an engine that answers about them.

    Columns beside those of the table `logs`: entry (number in the order of time), own (one of our probes caused it), path (values
    masked), user, socket, template (the message without its values; of an exception what was raised and where), unit (the request that it
    belongs to, else itself), of_request.
    """

    def __init__(self, source: Source, *, folder: Folder) -> None:
        self.source = source
        self.engine = connect()
        try:
            # Beside it there is a kernel with its libraries, and the values of the requests that are compared.
            self.give_back()
            with Stoppable(self.engine):
                self._prepared = prepare(self.engine, source.files, folder=folder.path)
        except BaseException:
            # A notebook keeps what was stopped until the next error, and with it all that an engine holds open.
            self.engine.close()
            raise
        # The files live as long as anything that looks at them.
        folder.remove_with(self)
        self.give_back()
        # The keys under which it stood who asked, and the templates that are exceptions.
        self.user_keys, self.exceptions = self._prepared.user_keys, self._prepared.exceptions
        # The keys of the map `fields`, the most frequent first.
        self.keys = self._prepared.keys[:MOST_KEYS]
        self.relation = RELATION

    def give_back(self) -> None:
        """Gives back to the system what was freed, which allocators keep else: the engine does so when it is told how much it may take."""
        self.engine.cursor().execute(f"SET memory_limit = '{MEMORY_LIMIT}'")
        pa.default_memory_pool().release_unused()
        mapped.leave()
        # Of glibc; other systems have no such call.
        if (trim := getattr(ctypes.CDLL(None), "malloc_trim", None)) is not None:
            trim(0)

    def ask(self, sql: str) -> pd.DataFrame:
        """The answer to a query of ours."""
        # A cursor of its own: a look may be shown while another is asked.
        return table(self.engine.cursor(), sql)

    def arrow(self, sql: str) -> pa.Table:
        """The same, in columns."""
        engine = self.engine.cursor()
        with Stoppable(engine):
            return engine.execute(sql).to_arrow_table()

    @functools.cached_property
    def span(self) -> Span:
        """From the first entry to the last."""
        first, last = self.ask(f"SELECT min(timestamp) a, max(timestamp) b FROM {BRIEF}").iloc[0]
        return pd.Timestamp(first), pd.Timestamp(last)

    @functools.cached_property
    def own_span(self) -> Span:
        """The same of the source itself, without what is from before."""
        first, last = self.ask(
            f"SELECT min(timestamp) a, max(timestamp) b FROM {entries_of(self._prepared.files[0])}"
        ).iloc[0]
        return pd.Timestamp(first), pd.Timestamp(last)

    @functools.cached_property
    def requests(self) -> Units:
        """The requests, counted."""
        self.give_back()
        found = units.of_records(self, of_requests=True)
        self.give_back()
        return found

    @functools.cached_property
    def others(self) -> Units:
        """The entries of no request, counted."""
        return units.of_records(self, of_requests=False)

    @functools.cached_property
    def traffic(self) -> Traffic:
        """When requests were open, by which lines without a trace are joined to them."""
        found = traffic.of(self)
        self.give_back()
        return found

    @property
    def files(self) -> tuple[Path, ...]:
        """The logs, kept for as long as these records."""
        return self._prepared.files

    @property
    def derived(self) -> Path:
        """The file of what is derived from each entry."""
        return self._prepared.derived

    @functools.cached_property
    def count(self) -> int:
        """How many entries there are."""
        return self._prepared.count

    def spans_of(self, trace: str) -> list[Row]:
        """The spans of a trace, where any were given or recorded."""
        files = self.source.spans
        held = f"FROM read_parquet([{', '.join(quoted(str(file)) for file in files)}]) WHERE trace_id = {quoted(trace)} ORDER BY started, span_id"
        rows = self.ask(f"SELECT * {held}").to_dict("records") if files else []
        return [{str(key): value for key, value in row.items()} for row in rows]

    @property
    def has_probes(self) -> bool:
        """Whether they are of a run, whose probes were recorded."""
        evidence = self.source.evidence
        return evidence is not None and any(phase != store.LOOK for phase in evidence.manifest.phases)

    @functools.cached_property
    def probes_without_traces(self) -> bool:
        """Whether probes were recorded before their trace ids were kept."""
        evidence = self.source.evidence
        files = (
            [evidence.file(name, phase) for phase in evidence.manifest.phases for name in PROBES]
            if evidence
            else []
        )
        return any("trace_id" not in pq.read_schema(file).names for file in files if file is not None)

    @functools.cached_property
    def times_us(self) -> Places:
        """When each entry was written, in microseconds since 1970: entries are numbered in the order of time."""
        found = self.arrow(f"SELECT epoch_us(timestamp) AS t FROM {BRIEF} ORDER BY entry")
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
        wrong = conditions.wrong(self.known).sql
        return self.arrow(
            f"SELECT entry, unit FROM {view_for(wrong)} WHERE NOT own AND {wrong} ORDER BY entry"
        )

    # Not kept: it holds these records, and two that hold each other stay, with their long arrays, until somebody looks for garbage.
    @property
    def known(self) -> conditions.Known:
        """What conditions can name."""
        return conditions.Known(
            keys=self.keys,
            values=self._values,
            socket_paths=self._socket_paths,
            exceptions=tuple(sorted(self.exceptions)),
        )

    @functools.cached_property
    def _socket_paths(self) -> tuple[str, ...]:
        upgraded = self.ask(
            f"SELECT DISTINCT path FROM {BRIEF} WHERE http_status = 101 AND path IS NOT NULL ORDER BY path LIMIT {MOST_NAMES}"
        )
        return tuple(upgraded["path"])

    def _values(self, sql: str, text: str) -> list[str]:
        found = self.ask(
            f"SELECT DISTINCT v FROM (SELECT {sql}::VARCHAR v FROM {view_for(sql)}) WHERE v = {quoted(text)} OR {conditions.like('v', text)} ORDER BY v <> {quoted(text)}, v LIMIT {MOST_NAMES}"
        )
        return [str(value) for value in found["v"]]


def opened(
    source: str | Path, *, base: Path, before: str | Path | None = None, spans: Sequence[str] = ()
) -> Records:
    """The records that a file, a short name or a run means, with those from before it and the spans of its requests.

    Raises:
        UnknownName: there is no such run. UsageError: there is nothing to read.
    """
    folder = scratch.new(PREFIX)
    try:
        found = find(source, base=base, folder=folder.path)
        if before is not None:
            (folder.path / "before").mkdir()
            earlier = find(before, base=base, folder=folder.path / "before")
            found = replace(found, files=(*found.files, *earlier.files))
        if spans:
            read_spans(spans, base=base, to=folder.path / "spans.parquet")
            found = replace(found, spans=(*found.spans, folder.path / "spans.parquet"))
        return Records(found, folder=folder)
    except BaseException:
        folder.remove()
        raise


def find(source: str | Path, *, base: Path, folder: Path) -> Source:
    """Where the entries are that a text means: an environment, whose logs are read now, a file, a short name, the folder of a run or of evidence, a run's id or its beginning, `last`; nothing means an incident made up for practice."""
    text = str(source)
    if text and live.is_environment(text, base=base):
        return find_live(text, base=base)
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
    try:
        return _of_evidence(store.read(folders.evidence(text, base=base)), text)
    except UnknownName as error:
        known = [*error.known, *paths.named("environments", base)]
        raise UnknownName("run or environment", text, known, where=error.where) from None


def find_live(environment: str, *, base: Path) -> Source:
    """Where the entries are that an environment's logs hold now."""
    kept, note = live.read(environment, base=base)
    found = _of_evidence(store.read(kept), paths.shown(kept.parent))
    return replace(found, live=environment, note=note)


def opened_again(earlier: Records, *, base: Path) -> Records:
    """The records of what the environment's logs hold now, and of what they held before and hold no more."""
    folder = scratch.new(PREFIX)
    try:
        found = find_live(earlier.source.live, base=base)
        # Those that were given lie where the earlier records do, and go with them.
        spans = tuple(Path(shutil.copy(file, folder.path / f"spans-{number}.parquet")) for number, file in enumerate(earlier.source.spans))  # fmt: skip
        return Records(replace(found, files=(*found.files, *earlier.files), spans=spans), folder=folder)
    except BaseException:
        folder.remove()
        raise


def _of_log(source: LogSource, shown: str, folder: Path) -> Source:
    to = folder / "read.parquet"
    reading = log_reader.read_logs(source, base=Path(), to=to)
    if reading.problem:
        raise UsageError(reading.problem)
    return Source(files=(to,), shown=shown, reading=reading)


def _of_evidence(evidence: store.Evidence, shown: str) -> Source:
    files = [
        file
        for phase in (store.LOOK, "after", "before")
        if (file := evidence.file("logs", phase)) is not None
    ]
    if not files:
        raise UsageError(
            f"expected a log in the evidence of {shown}, found none; name a log in the environment and record it again"
        )
    if altered := evidence.altered():
        raise EvidenceError(altered[0])
    spans = [
        file for phase in evidence.manifest.phases if (file := evidence.file("spans", phase)) is not None
    ]
    return Source(files=tuple(files), shown=shown, evidence=evidence, spans=tuple(spans))
