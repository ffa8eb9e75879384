"""A log file opened: its format found, and the ways to read it."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import duckdb
import pandas as pd

from proofbook.collect.logs import documents
from proofbook.collect.logs import files as log_files
from proofbook.collect.logs.entries import table
from proofbook.collect.logs.formats import Shape, shape_of
from proofbook.collect.logs.sql import entries_sql, objects_sql, starts_sql
from proofbook.config.duckdb_text import quoted
from proofbook.config.log_formats import TextFormat
from proofbook.config.sources import LogSource
from proofbook.errors import CouldNotLook
from proofbook.redaction.scrubbing import rules, scrub

SAMPLE_LINES = 2000
SMALL_BYTES = 1024 * 1024
# A field separator that no text holds: each line is one field.
_AS_LINES = f"columns={{'text': 'VARCHAR'}}, delim='\x02', quote='', escape='', header=false, auto_detect=false, compression='none', max_line_size={log_files.MAX_LINE_BYTES}"


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
) -> tuple[pd.DataFrame, Shape]:
    """The answer to a question about the entries of a file, and the file's shape.

    Args:
        question: SQL from SQL for the entries. holding: only lines with one of these texts are wanted, where lines are entries.
        work: a folder that is not there yet, for what must be written on the way.
    Raises:
        CouldNotLook: the file is absent, empty or cannot be read.
    """
    opened = _Opened(path, shown, source=source, engine=engine, work=work, now=now)
    why = ""
    with _threads_for(path, engine):
        for entries in opened.attempts(holding=holding):
            try:
                return table(engine, question(entries)), opened.shape
            # DuckDB cuts its messages by bytes, and one cut within a character is no duckdb.Error.
            except (duckdb.Error, UnicodeDecodeError) as error:
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


class _Opened:
    """A file whose shape was found, and the ways to read it: the fastest first, the most patient last."""

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
        head = log_files.head_of(path, shown)
        whole = len(head) < log_files.HEAD_BYTES
        text = head.decode("utf-8", "replace").lstrip("\ufeff")
        self.document = documents.kind_of(text, whole=whole)
        in_array = self.document == "array"
        sample = documents.sample(text) if in_array else _sample(text, whole=whole)
        self.shape = _shape(source, sample)

    def attempts(self, *, holding: Sequence[str] | None = None) -> Iterator[str]:
        """SQL for the entries, one way after the other; the next is for when the one before failed."""
        path = self.path
        with path.open("rb") as file:
            packed = log_files.packing(file.read(4)) != "none"
        if packed:
            # Unpacked here and not by DuckDB, which does not say when a packed file was cut.
            path = self.work / "unpacked"
            log_files.unpack(self.path, path)
        typed = self.shape.has_columns and self.document in ("", "array")
        if typed and holding is None:
            yield self._query(
                objects_sql(self.shape, path=str(path), array=self.document == "array"), typed=True
            )
        if self.document:
            document, path = path, self.work / "entries.jsonl"
            with log_files.opened(document) as stream:
                documents.write_lines(stream, self.document, to=path)
            self.shape = _shape(self.source, _sample(_head_text(path), whole=False))
        if not log_files.has_long_lines(path):
            with contextlib.suppress(duckdb.Error, UnicodeDecodeError):
                yield self._query(self._lines(path, holding=holding), only_bodies=holding is not None)
        # What DuckDB does not take: bytes that are not UTF-8, carriage returns, lines of megabytes.
        repaired = self.work / "repaired"
        log_files.repair(path, repaired)
        lines = self._lines(repaired, holding=holding)
        yield self._query(lines, only_bodies=holding is not None)

    def _lines(self, path: Path, *, holding: Sequence[str] | None = None) -> str:
        lines = (
            f"SELECT text, NULL::BIGINT AS line, 1 AS lines FROM read_csv({quoted(str(path))}, {_AS_LINES})"
        )
        if not self.shape.of_json and not self.shape.wrapper:
            return _joined_lines(lines, self.shape, engine=self.engine, work=self.work)
        # A line in which characters are escaped may hold anything.
        may = (
            " OR ".join(f"contains(text, {quoted(text)})" for text in (*holding, "\\u00")) if holding else ""
        )
        return f"{lines} WHERE {may}" if may else lines

    def _query(self, lines: str, *, typed: bool = False, only_bodies: bool = False) -> str:
        return entries_sql(
            self.shape,
            lines=lines,
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


def _joined_lines(lines: str, shape: Shape, *, engine: duckdb.DuckDBPyConnection, work: Path) -> str:
    """Lines of text as entries: a line that starts none goes on with the one before it."""
    numbered = work / "lines.parquet"
    engine.execute(
        f"COPY (SELECT text, {starts_sql(shape)} AS starts FROM ({lines})) TO {quoted(str(numbered))} (FORMAT parquet)"
    )
    # Counting the starts so far runs on one core: only text needs it.
    grouped = f"""(SELECT text, file_row_number + 1 AS line, starts,
        count_if(starts) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS entry
        FROM read_parquet({quoted(str(numbered))}, file_row_number=true) WHERE text IS NOT NULL)"""
    if engine.execute(
        f"SELECT bool_and(starts) FROM read_parquet({quoted(str(numbered))}) WHERE text IS NOT NULL"
    ).fetchall()[0][0]:
        return f"SELECT text, line, 1 AS lines FROM {grouped}"
    rest = work / "rest.parquet"
    engine.execute(f"""COPY (SELECT entry, string_agg(text, chr(10) ORDER BY line) AS more, count(*) AS n FROM {grouped}
        WHERE NOT starts AND entry > 0 GROUP BY entry) TO {quoted(str(rest))} (FORMAT parquet)""")
    return f"""SELECT CASE WHEN more IS NULL THEN text ELSE text || chr(10) || more END AS text, line, (1 + coalesce(n, 0))::INTEGER AS lines
        FROM {grouped} LEFT JOIN read_parquet({quoted(str(rest))}) USING (entry) WHERE starts OR entry = 0 ORDER BY line"""
