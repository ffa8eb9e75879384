"""The lines of a log as Arrow batches of entries: an entry is the line that begins it and those that go on with it.

A file is read in blocks. What a block holds is looked at where it lies: neither lines nor entries are copied one by one.
"""

from __future__ import annotations

import codecs
import io
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from proofbook.collect.logs import formats
from proofbook.collect.logs.documents import Bytes

BLOCK_BYTES = 1 << 22
# Longer lines are parted into such pieces, where there is a space no more than MAX_WORD_CHARS before the end; of a text in an
# object so much is kept then. A line of which more bytes come than MAX_LINE_BYTES ends there.
MAX_LINE_CHARS, MAX_TEXT_CHARS, MAX_WORD_CHARS = 400_000, 100_000, 1_000
MAX_LINE_BYTES = 1 << 28
# An entry of more lines goes on as another.
MAX_ENTRY_BYTES = 1 << 24
# text: without its last end of line. line: of its first line, from 1. lines: that are not blank. stray: it neither begins an
# entry nor goes on with one.
SCHEMA = pa.schema(
    [("text", pa.string()), ("line", pa.int64()), ("lines", pa.int32()), ("stray", pa.bool_())]
)
_BLANK = (ord(" "), ord("\t"))
_NEWLINE = 10
# Colours, which would stand before what a line begins with.
_ANSI = re.compile(formats.ANSI.encode())


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """How lines of text become entries, as RE2's patterns of a line.

    begins: it begins an entry. goes_on: if it does not, it goes on with the entry before it, as every line does that is
    indented or follows an indented one; None: as every line does. What neither begins nor goes on stands alone.
    """

    begins: str
    goes_on: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pieces:
    """How a container runtime cuts long lines: each line is an entry, or a piece of one.

    is_open: RE2's pattern of a line that the next one of its stream goes on with. hints: one of these stands in every such line.
    split: a line's stream, and what it adds to the pieces before it. join: the line so far and what is added to it, as one.
    """

    is_open: str
    hints: tuple[bytes, ...]
    split: Callable[[str], tuple[str, str]]
    join: Callable[[str, str], str]


def plain(data: bytes) -> bytes:
    """The data without colours."""
    return _ANSI.sub(b"", data) if b"\x1b" in data else data


def entries(file: Bytes, *, rule: Rule | Pieces | None) -> Iterator[pa.RecordBatch]:
    """The entries of a file, as batches of SCHEMA; each line is one where there is no rule. Blank lines are counted and left out.

    Bytes that are not UTF-8 become �. Memory holds a block and the longest line or entry.
    """
    open_, line, begun = b"", 1, False
    for data, is_last in blocks(file):
        block = _Block(open_ + data, first_line=line)
        # The last entry may go on in the next block.
        done = block.split(rule, begun=begun, keep_open=not is_last)
        if done.batch is not None:
            yield done.batch
        open_, line, begun = done.rest, done.next_line, done.begun


def blocks(file: Bytes) -> Iterator[tuple[bytes, bool]]:
    """Whole lines in UTF-8 that end in a newline, and whether they are the last."""
    decode = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder("utf-8")("replace"), translate=True)
    whole_lines = decode.getstate()
    pending: list[bytes] = []
    size = dropped = 0
    chunk, is_first = file.read(BLOCK_BYTES), True
    while True:
        following = file.read(BLOCK_BYTES) if chunk else b""
        is_last = not following
        if (
            chunk.isascii()
            and b"\r" not in chunk
            and b"\x00" not in chunk
            and decode.getstate() == whole_lines
        ):
            # Most is as it should be.
            data = chunk
        else:
            text = decode.decode(chunk, final=is_last)
            data = (text.removeprefix("\ufeff") if is_first else text).replace("\x00", "").encode()
        cut = len(data) if is_last else data.rfind(b"\n") + 1
        if cut or is_last:
            more = f" [{dropped:,} more bytes]".encode() if dropped else b""
            whole = plain(b"".join([*pending, more, data[:cut]]))
            pending, size, dropped = [data[cut:]], len(data) - cut, 0
            yield _shortened(whole if whole.endswith(b"\n") else whole + b"\n"), is_last
        elif size < MAX_LINE_BYTES:
            pending.append(data)
            size += len(data)
        else:
            dropped += len(data)
        if is_last:
            return
        chunk, is_first = following, False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Done:
    """What was taken from a block, what is left of it, the number of the line after it, and whether an entry has begun."""

    batch: pa.RecordBatch | None
    rest: bytes
    next_line: int
    begun: bool


class _Block:
    """Whole lines."""

    def __init__(self, data: bytes, *, first_line: int) -> None:
        self._data, self._first_line = data, first_line
        ends = np.flatnonzero(np.frombuffer(data, np.uint8) == _NEWLINE).astype(np.int32) + 1
        # Where each line begins, and the last one ends.
        self._places = np.concatenate([np.zeros(1, np.int32), ends])

    def split(self, rule: Rule | Pieces | None, *, begun: bool, keep_open: bool) -> _Done:
        """The entries; `keep_open` leaves the last one, which may go on. begun: whether the block begins with an entry."""
        count = len(self._places) - 1
        filled = np.flatnonzero(np.diff(self._places) > 1)
        lines = texts(self._data, self._places)
        text = lines if len(filled) == count else lines.take(pa.array(filled))
        if isinstance(rule, Pieces):
            return self._put_together(text, filled, rule, keep_open=keep_open)
        if rule is None:
            begins = is_head = np.ones(len(text), bool)
            keep_open = False
        else:
            begins, goes_on = self._told_apart(text, filled, rule)
            if rule.goes_on is None and not begun:
                # Nothing stands before the first entry that a line could go on with.
                goes_on &= np.cumsum(begins) > 0
            is_head = begins | ~goes_on
            is_head[:1] = True
            begun = begun or bool(begins.any())
        heads = np.flatnonzero(is_head)
        last = count
        if keep_open and len(heads):
            place = int(filled[heads[-1]])
            if len(self._data) - int(self._places[place]) < MAX_ENTRY_BYTES:
                last, heads = place, heads[:-1]
        batch = None
        if len(heads):
            edges = np.append(heads, np.searchsorted(filled, last))
            batch = pa.RecordBatch.from_arrays(
                [
                    pc.ascii_rtrim(_joined(text, edges), characters="\n"),
                    pa.array(self._first_line + filled[heads]),
                    pa.array(np.diff(edges).astype(np.int32)),
                    pa.array(~begins[heads]),
                ],
                schema=SCHEMA,
            )
        rest = self._data[self._places[last] :]
        return _Done(batch=batch, rest=rest, next_line=self._first_line + last, begun=begun)

    def _put_together(
        self, text: pa.StringArray, filled: npt.NDArray[np.int64], rule: Pieces, *, keep_open: bool
    ) -> _Done:
        """Lines that were cut as one each. What is still open at the end is left for the next block."""
        may_be_open = any(hint in self._data for hint in rule.hints)
        is_open = _matches(text, rule.is_open) if may_be_open else np.zeros(len(text), bool)
        if not is_open.any():
            return self.split(None, begun=True, keep_open=False)
        found: list[list[Any]] = []  # text, place of its first line, lines
        pending: dict[str, list[Any]] = {}
        for place, (line, more) in enumerate(zip(text.to_pylist(), is_open.tolist(), strict=True)):
            stream, added = rule.split(line.removesuffix("\n"))
            entry = pending.pop(stream, None)
            if entry is None:
                entry = [line.removesuffix("\n"), place, 1]
                found.append(entry)
            else:
                entry[0], entry[2] = rule.join(entry[0], added), entry[2] + 1
            if more and len(entry[0]) < MAX_ENTRY_BYTES:
                pending[stream] = entry
        first_open = (
            min((entry[1] for entry in pending.values()), default=len(text)) if keep_open else len(text)
        )
        if len(self._data) > MAX_ENTRY_BYTES:
            first_open = len(text)
        done = [entry for entry in found if entry[1] < first_open]
        last = int(filled[first_open]) if first_open < len(text) else len(self._places) - 1
        batch = pa.RecordBatch.from_arrays(
            [
                pa.array([entry[0] for entry in done], pa.string()),
                pa.array([self._first_line + int(filled[entry[1]]) for entry in done], pa.int64()),
                pa.array([entry[2] for entry in done], pa.int32()),
                pa.array([False] * len(done), pa.bool_()),
            ],
            schema=SCHEMA,
        )
        rest = self._data[self._places[last] :]
        return _Done(batch=batch if done else None, rest=rest, next_line=self._first_line + last, begun=True)

    def _told_apart(
        self, text: pa.StringArray, filled: npt.NDArray[np.int64], rule: Rule
    ) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
        """Which lines begin an entry, and which of the others go on with one."""
        begins = _matches(text, rule.begins)
        if rule.goes_on is None:
            return begins, ~begins
        data = np.frombuffer(self._data, np.uint8)
        first, last = data[self._places[filled]], data[self._places[filled + 1] - 2]
        indented = np.isin(first, _BLANK)
        goes_on = indented.copy()
        # What ends a traceback is not indented.
        goes_on[1:] |= indented[:-1]
        others = np.flatnonzero(~begins & ~goes_on)
        goes_on[others] = _matches(text.take(pa.array(others)), rule.goes_on)
        # An object is whole, so nothing goes on with it.
        goes_on[1:] &= ~(begins & (first == ord("{")) & (last == ord("}")))[:-1]
        return begins, goes_on & ~begins


def _matches(text: pa.StringArray, pattern: str) -> npt.NDArray[np.bool_]:
    # By lines, since each still has its end.
    found: npt.NDArray[np.bool_] = pc.match_substring_regex(text, f"(?m){pattern}").to_numpy(zero_copy_only=False)  # fmt: skip
    return np.array(found, bool)


def texts(data: bytes, places: npt.NDArray[np.int32]) -> pa.StringArray:
    """The pieces of the data between these places, where they lie."""
    return pa.StringArray.from_buffers(len(places) - 1, pa.py_buffer(places), pa.py_buffer(data))


def _joined(text: pa.StringArray, edges: npt.NDArray[np.int64]) -> pa.StringArray:
    """Neighbouring texts as one, each from one edge to the next."""
    _, places, data = text.buffers()
    own = np.frombuffer(places, np.int32)[text.offset :][: len(text) + 1]
    return pa.StringArray.from_buffers(len(edges) - 1, pa.py_buffer(own[edges]), data)


def _shortened(data: bytes) -> bytes:
    """Lines as they are, or those of megabytes as several: what an object has no room for follows it."""
    if len(data) <= MAX_LINE_CHARS:
        return data
    # No line is longer than two pieces that both hold an end of line.
    piece = MAX_LINE_CHARS // 2
    if all(data.find(b"\n", start, start + piece) >= 0 for start in range(0, len(data), piece)):
        return data
    return b"".join(part + b"\n" for line in data[:-1].split(b"\n") for part in _parts(line))


def _parts(line: bytes) -> list[bytes]:
    """A line, or what is kept of it as lines: nothing is lost, since a pattern may be of any part."""
    if len(line) <= MAX_LINE_CHARS:
        return [line]
    text = line.decode()
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return [part.encode() for part in _pieces(text)]
    rest: list[str] = []
    short = json.dumps(_cut_within(found, rest), ensure_ascii=False)
    if len(short) > MAX_LINE_CHARS:
        return [part.encode() for part in _pieces(text)]
    return [short.encode(), *(part.encode() for more in rest for part in _pieces(more))]


def _cut_within(value: Any, rest: list[str]) -> Any:
    """The value with its longest texts cut, saying by how much; what is cut is added to `rest`, each in one line."""
    if isinstance(value, str):
        left = len(value) - MAX_TEXT_CHARS
        if left <= 0:
            return value
        rest.append(" ".join(value[MAX_TEXT_CHARS:].splitlines()))
        return f"{value[:MAX_TEXT_CHARS]} [{left:,} more characters]"
    if isinstance(value, dict):
        return {key: _cut_within(item, rest) for key, item in value.items()}
    return [_cut_within(item, rest) for item in value] if isinstance(value, list) else value


def _pieces(text: str) -> Iterator[str]:
    """A text in pieces of MAX_LINE_CHARS at most, parted between words where there are any."""
    start = 0
    while len(text) - start > MAX_LINE_CHARS:
        end = start + MAX_LINE_CHARS
        space = text.rfind(" ", end - MAX_WORD_CHARS, end)
        end = space + 1 if space >= 0 else end
        yield text[start:end]
        start = end
    yield text[start:]
