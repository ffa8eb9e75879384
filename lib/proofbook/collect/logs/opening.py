"""A log file opened: its format found, and the ways to read it."""

from __future__ import annotations

import contextlib
import datetime as dt
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa

from proofbook.collect.logs import columns as in_columns
from proofbook.collect.logs import documents, lines, rows, times, typed_objects
from proofbook.collect.logs import files as log_files
from proofbook.collect.logs.columns import Columns
from proofbook.collect.logs.entries import DISABLED, table
from proofbook.collect.logs.formats import usable
from proofbook.collect.logs.shape import Stated, of_columns, of_source, with_stated
from proofbook.collect.logs.sql import entries_sql
from proofbook.config.duckdb_text import error_text, quoted
from proofbook.config.log_formats import PLACE_OF, ColumnFormat
from proofbook.config.sources import LogSource
from proofbook.errors import CouldNotLook
from proofbook.redaction.scrubbing import rules, scrub

SAMPLE_LINES = 2000
SMALL_BYTES = 1024 * 1024
# Arrow would read up to a gigabyte ahead of DuckDB. It waits for so much to be taken; no longer than that, since others may
# hold as much.
AHEAD_BYTES, WAIT_S = 1 << 26, 2.0
_LINES = "lines_of_text"
# Of DuckDB's optimizers, those that look at every expression and win time for each row.
_FOR_LARGE = ("expression_rewriter", "common_subexpressions")


def ask(
    opened: Opened, *, question: Callable[[str], str], holding: Sequence[str] | None = None
) -> pd.DataFrame:
    """The answer to a question about the entries of a file.

    Args:
        question: SQL from SQL for the entries. holding: only lines with one of these texts are wanted, where lines are entries.
    Raises:
        CouldNotLook: the file cannot be read.
    """
    why, engine = "", opened.engine
    with _at_once(opened.path, engine):
        for entries in opened.attempts(holding=holding):
            try:
                return table(engine, question(entries))
            # DuckDB cuts its messages by bytes, and one cut within a character is no duckdb.Error.
            except (duckdb.Error, UnicodeDecodeError) as error:
                if opened.problem is not None:
                    raise opened.problem from None
                why = scrub(error_text(error))[:200]
    raise CouldNotLook(f"file {opened.shown} cannot be read as {opened.shape.in_words}: {why}")


@contextlib.contextmanager
def _at_once(path: Path, engine: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """For a small file, of which it takes longer to plan the reading than to read it: one thread, since each compiles every pattern for itself, and no search for a better plan."""
    if path.stat().st_size > SMALL_BYTES:
        yield
        return
    engine.execute("SET threads = 1")
    engine.execute(f"SET disabled_optimizers = '{','.join([*DISABLED, *_FOR_LARGE])}'")
    try:
        yield
    finally:
        engine.execute("RESET threads")
        engine.execute(f"SET disabled_optimizers = '{','.join(DISABLED)}'")


class Opened:
    """A file whose shape was found, and the ways to read it, the faster one first.

    Args:
        work: a folder that is not there yet, for what must be written on the way.
    Raises:
        CouldNotLook: the file is absent, empty or cannot be read.
    """

    def __init__(
        self,
        path: Path,
        shown: str,
        *,
        source: LogSource,
        engine: duckdb.DuckDBPyConnection,
        work: Path,
        now: dt.datetime,
    ) -> None:
        work.mkdir()
        self.path, self.shown, self.source = path, shown, source
        self.engine, self.work, self.now = engine, work, now
        self.problem: CouldNotLook | None = None
        self._strays: list[pa.Array] = []
        head = log_files.head_of(path, shown)
        whole = len(head) < log_files.HEAD_BYTES
        text = lines.plain(head).decode("utf-8", "replace").lstrip("\ufeff")
        self._stated = _stated(source)
        columns = _columns(self._stated, text)
        self.document = "" if columns else documents.kind_of(text, whole=whole)
        in_array = self.document == "array"
        sample = documents.sample(text) if in_array else _sample(text, whole=whole)
        self.shape = (
            with_stated(of_columns(columns, text), self._stated)
            if columns
            else of_source(self._stated, sample)
        )
        self._check_stated(source)

    def _check_stated(self, source: LogSource) -> None:
        """Raises CouldNotLook where what is stated fits nothing that is there."""
        if self._stated.is_in_columns and self.shape.columns is None:
            raise CouldNotLook(
                f"expected columns in {self.shown}, as format {source.format_name} has them, but no first line names them"
            )
        names = self.shape.columns.names if self.shape.columns else self.shape.keys
        kind = "columns" if self.shape.columns else "keys"
        for key in source.columns.values() if names else ():
            if key not in names and key.partition(".")[0] not in names:
                raise CouldNotLook(
                    f"expected {key} among the {kind} of {self.shown}, found {', '.join(names)}"
                )

    @property
    def strays(self) -> pa.ChunkedArray:
        """Numbers of the lines that stand alone, of what was read so far."""
        return pa.chunked_array(self._strays, pa.int64())

    def attempts(self, *, holding: Sequence[str] | None = None) -> Iterator[str]:
        """SQL for the entries, one way after the other; the next is for when the one before failed."""
        with self.path.open("rb") as file:
            magic = file.read(1024)
        as_it_is = log_files.packing(magic[:6]) == "none" and not log_files.utf16_of(magic)
        typed = self.shape.may_be_typed and self.document in ("", "array") and as_it_is
        if typed and holding is None:
            yield self._query(
                typed_objects.relation(self.shape, path=str(self.path), array=self.document == "array"),
                typed=True,
                may_repeat=False,
            )
        if holding is not None and self.shape.is_objects and not self.document and as_it_is:
            # DuckDB's own reader uses every core, and fails where a line is no object.
            objects = f"SELECT json::VARCHAR AS text, NULL::BIGINT AS line, 1 AS lines FROM read_ndjson_objects({quoted(str(self.path))})"
            held = self._with_one_of(holding, f"({objects})")
            # Each pattern of a time is compiled for each thread, which takes as long as to read 50 MB.
            for only_zulu in (True, False) if self.shape.zones == ("Z",) else (False,):
                yield self._query(held, only_bodies=True, only_zulu=only_zulu)
        path = self.path
        if self.document:
            path = self.work / "entries.jsonl"
            with log_files.opened(self.path) as stream:
                documents.write_lines(stream, self.document, to=path)
            self.shape = of_source(self._stated, _sample(_head_text(path), whole=False))
        # Few objects have a name twice, and to look for that takes a while.
        for may_repeat in (False, True) if holding is None else (True,):
            self._strays = []
            with log_files.opened(path) as stream:
                self.engine.register(_LINES, self._lines(stream))
                try:
                    yield self._query(
                        self._wanted(holding), only_bodies=holding is not None, may_repeat=may_repeat
                    )
                finally:
                    self.engine.unregister(_LINES)

    def _lines(self, stream: documents.Bytes) -> pa.RecordBatchReader:
        """Lines as they are where each is an entry, else entries of text."""

        columns = self.shape.columns
        held = pa.total_allocated_bytes()

        def batches() -> Iterator[pa.RecordBatch]:
            found = rows.rows(stream, columns) if columns else lines.entries(stream, rule=self.shape.rule)
            try:
                for batch in found:
                    self._strays.append(batch["line"].filter(batch["stray"]))
                    yield batch
                    _wait_until_taken(held + AHEAD_BYTES)
            except CouldNotLook as error:
                # What asks for them says only that something went wrong.
                self.problem = error
                raise

        schema = rows.schema_of(columns) if columns else lines.SCHEMA
        return pa.RecordBatchReader.from_batches(schema, batches())

    def _wanted(self, holding: Sequence[str] | None) -> str:
        columns = self.shape.columns
        if columns is not None:
            return f"SELECT {columns.text} AS text, line, lines, cells FROM {_LINES}"
        if holding is None:
            return f"SELECT text, line, lines FROM {_LINES}"
        return self._with_one_of(holding, _LINES)

    def _with_one_of(self, holding: Sequence[str], lines: str) -> str:
        # A line in which characters are escaped may hold anything.
        may = " OR ".join(f"contains(text, {quoted(text)})" for text in (*holding, "\\u00"))
        return f"SELECT text, line, lines FROM {lines} WHERE {may}"

    def _query(
        self,
        relation: str,
        *,
        typed: bool = False,
        only_bodies: bool = False,
        may_repeat: bool = True,
        only_zulu: bool = False,
    ) -> str:
        return entries_sql(
            self.shape,
            lines=relation,
            source=self.source.name,
            service=self.source.service,
            file=self.shown,
            zone=self.source.zone,
            now=self.now,
            rules=rules(),
            typed=typed,
            only_bodies=only_bodies,
            may_repeat=may_repeat,
            only_zulu=only_zulu,
        )


def _wait_until_taken(most_bytes: int) -> None:
    until = time.monotonic() + WAIT_S
    while pa.total_allocated_bytes() > most_bytes and time.monotonic() < until:
        time.sleep(0.002)


def _stated(source: LogSource) -> Stated:
    return Stated(
        format=source.format_name,
        pattern=source.pattern or "",
        time=times.stated(source.time_form) if source.time_form else None,
        levels={word.upper(): name for word, name in source.levels.items()},
        begins=source.begins or "",
        places={PLACE_OF[column]: key for column, key in source.columns.items()},
    )


def _columns(stated: Stated, text: str) -> Columns | None:
    """The columns of a file that begins with this text, unless it is stated to be something else."""
    is_in_columns = stated.is_in_columns
    if is_in_columns is False:
        return None
    known = {name: item for name, item in usable()[0].items() if isinstance(item, ColumnFormat)}
    forced = stated.format if is_in_columns else ""
    return in_columns.recognise(text, known, stated=stated.places, time=stated.time, forced=forced)


def _sample(text: str, *, whole: bool) -> list[str]:
    """The first lines of a text, less one that may be cut."""
    lines = text.splitlines()
    return (lines if whole or len(lines) < 2 else lines[:-1])[:SAMPLE_LINES]


def _head_text(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(log_files.HEAD_BYTES).decode("utf-8", "replace")
