"""A log file opened: its format found, and the ways to read it."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa

from proofbook.collect.logs import documents, lines
from proofbook.collect.logs import files as log_files
from proofbook.collect.logs.entries import table
from proofbook.collect.logs.shape import Shape, shape_of
from proofbook.collect.logs.sql import entries_sql, objects_sql
from proofbook.config.duckdb_text import quoted
from proofbook.config.log_formats import TextFormat
from proofbook.config.sources import LogSource
from proofbook.errors import CouldNotLook
from proofbook.redaction.scrubbing import rules, scrub

SAMPLE_LINES = 2000
SMALL_BYTES = 1024 * 1024
_LINES = "lines_of_text"


def ask(
    path: Path,
    shown: str,
    *,
    question: Callable[[str], str],
    source: LogSource,
    engine: duckdb.DuckDBPyConnection,
    work: Path,
    now: dt.datetime,
    holding: Sequence[str] | None = None,
) -> tuple[pd.DataFrame, Opened]:
    """The answer to a question about the entries of a file, and what was found out about the file.

    Args:
        question: SQL from SQL for the entries. holding: only lines with one of these texts are wanted, where lines are entries.
        work: a folder that is not there yet, for what must be written on the way.
    Raises:
        CouldNotLook: the file is absent, empty or cannot be read.
    """
    opened = Opened(path, shown, source=source, engine=engine, work=work, now=now)
    why = ""
    with _threads_for(path, engine):
        for entries in opened.attempts(holding=holding):
            try:
                return table(engine, question(entries)), opened
            # DuckDB cuts its messages by bytes, and one cut within a character is no duckdb.Error.
            except (duckdb.Error, UnicodeDecodeError) as error:
                if opened.problem is not None:
                    raise opened.problem from None
                why = scrub(str(error).splitlines()[0])[:200]
    raise CouldNotLook(f"file {shown} cannot be read as {opened.shape.in_words}: {why}")


@contextlib.contextmanager
def _threads_for(path: Path, engine: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """One thread for a small file: each compiles every pattern for itself, which takes longer than to read the file."""
    if path.stat().st_size > SMALL_BYTES:
        yield
        return
    engine.execute("SET threads = 1")
    try:
        yield
    finally:
        engine.execute("RESET threads")


class Opened:
    """A file whose shape was found, and the ways to read it, the faster one first. strays: numbers of the lines that stand alone, as they are read."""

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
        self.strays: list[int] = []
        head = log_files.head_of(path, shown)
        whole = len(head) < log_files.HEAD_BYTES
        text = lines.plain(head).decode("utf-8", "replace").lstrip("\ufeff")
        self.document = documents.kind_of(text, whole=whole)
        in_array = self.document == "array"
        sample = documents.sample(text) if in_array else _sample(text, whole=whole)
        self.shape = _shape(source, sample)

    def attempts(self, *, holding: Sequence[str] | None = None) -> Iterator[str]:
        """SQL for the entries, one way after the other; the next is for when the one before failed."""
        with self.path.open("rb") as file:
            magic = file.read(1024)
        as_it_is = log_files.packing(magic[:4]) == "none" and not log_files.utf16_of(magic)
        typed = self.shape.has_columns and self.document in ("", "array") and as_it_is
        if typed and holding is None:
            yield self._query(
                objects_sql(self.shape, path=str(self.path), array=self.document == "array"), typed=True
            )
        path = self.path
        if self.document:
            path = self.work / "entries.jsonl"
            with log_files.opened(self.path) as stream:
                documents.write_lines(stream, self.document, to=path)
            self.shape = _shape(self.source, _sample(_head_text(path), whole=False))
        with log_files.opened(path) as stream:
            self.engine.register(_LINES, self._lines(stream))
            try:
                yield self._query(self._wanted(holding), only_bodies=holding is not None)
            finally:
                self.engine.unregister(_LINES)

    def _lines(self, stream: documents.Bytes) -> pa.RecordBatchReader:
        """Lines as they are where each is an entry, else entries of text."""

        def batches() -> Iterator[pa.RecordBatch]:
            try:
                for batch in lines.entries(stream, rule=self.shape.rule):
                    self.strays += batch["line"].filter(batch["stray"]).to_pylist()
                    yield batch
            except CouldNotLook as error:
                # What asks for them says only that something went wrong.
                self.problem = error
                raise

        return pa.RecordBatchReader.from_batches(lines.SCHEMA, batches())

    def _wanted(self, holding: Sequence[str] | None) -> str:
        # A line in which characters are escaped may hold anything.
        may = (
            " OR ".join(f"contains(text, {quoted(text)})" for text in (*holding, "\\u00")) if holding else ""
        )
        return f"SELECT text, line, lines FROM {_LINES}" + (f" WHERE {may}" if may else "")

    def _query(self, relation: str, *, typed: bool = False, only_bodies: bool = False) -> str:
        return entries_sql(
            self.shape,
            lines=relation,
            source=self.source.name,
            service=self.source.service,
            file=self.shown,
            zone=self.source.utc_offset,
            now=self.now,
            rules=rules(),
            typed=typed,
            only_bodies=only_bodies,
        )


def _sample(text: str, *, whole: bool) -> list[str]:
    """The first lines of a text, less one that may be cut."""
    lines = text.splitlines()
    return (lines if whole or len(lines) < 2 else lines[:-1])[:SAMPLE_LINES]


def _head_text(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(log_files.HEAD_BYTES).decode("utf-8", "replace")


def _shape(source: LogSource, sample: Sequence[str]) -> Shape:
    if source.pattern is not None:
        return Shape(name="pattern", format=TextFormat(pattern=source.pattern))
    return shape_of(sample, stated=source.format_name)
