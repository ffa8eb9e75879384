"""The bytes of a log before anything is read in them: files, globs, commands, packed files, and what DuckDB does not take."""

from __future__ import annotations

import bz2
import codecs
import contextlib
import datetime as dt
import gzip
import lzma
import math
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from proofbook.concurrency import subprocesses
from proofbook.config import log_uri
from proofbook.config.references import fill_python
from proofbook.config.sources import LogSource
from proofbook.errors import CouldNotLook

HEAD_BYTES = 1 << 20
A_DAY_S = 86400.0
# A packed file may be so many times as large when it is unpacked, and at least so large: logs pack twenty to a hundred times.
UNPACKED_TIMES, UNPACKED_BYTES = 300, 1 << 30
# Control characters that no line of text holds, whatever wrote it.
_IN_NO_TEXT = (*range(7), *range(14, 21))
_PACKINGS = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"BZh": "bzip2", b"\xfd7zXZ\x00": "xz"}


def read_source_text(file: str | None, command: list[str] | None, *, base: Path) -> tuple[str, str]:
    """The text behind a file or a command, with the words that name it. Bytes that are not UTF-8 are kept as �.

    Raises:
        CouldNotLook: the file is absent or the command failed.
    """
    if file is not None:
        try:
            return (base / file).read_bytes().decode("utf-8", "replace"), f"file {file}"
        except OSError as error:
            raise _absent(file, error) from None
    assert command is not None
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "output"
        filled = fill_python(command)
        subprocesses.run(filled, base=base, to=path, timeout_s=subprocesses.TIMEOUT_S)
        return path.read_bytes().decode("utf-8", "replace"), subprocesses.shown(filled)


def files_of(source: LogSource, *, base: Path, work: Path, now: dt.datetime) -> list[tuple[Path, str]]:
    """(path, name to show) of every file of a source; a command's output becomes one."""
    if source.command is not None:
        since = now - dt.timedelta(seconds=source.covers_s or A_DAY_S)
        times = {"{since}": f"{since:%Y-%m-%dT%H:%M:%SZ}", "{until}": f"{now:%Y-%m-%dT%H:%M:%SZ}"}
        filled = [_fill(part, times) for part in fill_python(source.command)]
        path = work / "output"
        subprocesses.run(filled, base=base, to=path, timeout_s=source.timeout_s)
        if path.stat().st_size == 0:
            raise CouldNotLook(f"{subprocesses.shown(filled)} printed nothing")
        return [(path, Path(filled[0]).name)]
    place = log_uri.parse(source.source) if source.source is not None else None
    if place is not None and place.scheme == "-":
        path = work / "standard-input"
        with path.open("wb") as out:
            shutil.copyfileobj(sys.stdin.buffer, out)
        return [(path, "standard input")]
    file = source.file if place is None else place.parts["path"]
    assert file is not None
    if not re.search(r"[*?\[]", file):
        return [(base / file, file)]
    folder, pattern = (Path("/"), file.lstrip("/")) if Path(file).is_absolute() else (base, file)
    found = sorted(path for path in folder.glob(pattern) if path.is_file())
    if not found:
        raise CouldNotLook(f"expected files at {file}, found none")
    return [(path, str(path.relative_to(folder))) for path in found]


def _fill(part: str, times: dict[str, str]) -> str:
    for name, value in times.items():
        part = part.replace(name, value)
    return part


def _absent(shown: str, error: OSError) -> CouldNotLook:
    return CouldNotLook(f"expected a file at {shown}, but it cannot be read ({error.strerror})")


@contextlib.contextmanager
def opened(path: Path) -> Iterator[_Stream]:
    """A file's bytes, unpacked where gzip, zstd, bzip2 or xz packed them, and as UTF-8 where they are UTF-16.

    Raises:
        CouldNotLook: while reading, where it unpacks to far more than a log does.
    """
    with path.open("rb") as file:
        packed = packing(file.read(6))
        file.seek(0)
        most = max(UNPACKED_BYTES, UNPACKED_TIMES * path.stat().st_size)
        if packed == "gzip":
            yield _Stream(gzip.GzipFile(fileobj=file), most=most)
        elif packed == "zstd":
            yield _Stream(pa.CompressedInputStream(pa.PythonFile(file), "zstd"), most=most)
        elif packed == "bzip2":
            yield _Stream(bz2.BZ2File(file), most=most)
        elif packed == "xz":
            yield _Stream(lzma.LZMAFile(file), most=most)  # noqa: SIM115  (it holds the file that is closed here)
        else:
            yield _Stream(file)


class _Stream:
    """Bytes of a file up to where it can be read; a packed file that was cut ends in a line that says so."""

    def __init__(self, file: Any, *, most: float = math.inf) -> None:
        self._file = file
        self._left, self._most = most, most
        self._ended = False
        self._begun = False
        self._decoder: codecs.IncrementalDecoder | None = None

    def read(self, size: int) -> bytes:
        """So many bytes, or fewer at the end; of UTF-16, what so many bytes say."""
        found = self._read(size)
        if not self._begun:
            self._begun = True
            if name := utf16_of(found[:1024]):
                self._decoder = codecs.getincrementaldecoder(name)("replace")
        return self._decoder.decode(found, final=self._ended).encode() if self._decoder else found

    def _read(self, size: int) -> bytes:
        found: list[bytes] = []
        wanted = size
        while wanted > 0 and not self._ended:
            try:
                # Small pieces: those before the place where a packed file is cut are kept.
                piece = self._file.read(min(wanted, 1 << 16))
            except (OSError, EOFError, lzma.LZMAError):
                piece, self._ended = b"\n(the packed file is cut or broken here)\n", True
            self._ended = self._ended or not piece
            self._left -= len(piece)
            if self._left < 0:
                raise CouldNotLook(
                    f"expected a packed log, got a file that unpacks to more than {self._most / 1e9:.1f} GB, which no log of its size does; unpack it yourself if it is one"
                )
            found.append(piece)
            wanted -= len(piece)
        return b"".join(found)


def utf16_of(head: bytes) -> str:
    """`utf-16`, `utf-16-le` or `utf-16-be` where a text is so written, as PowerShell does; else empty."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    # Of text in Latin letters every other byte is 0.
    for name, place in (("utf-16-le", 1), ("utf-16-be", 0)):
        high, low = head[place::2], head[1 - place :: 2]
        if len(head) >= 8 and high.count(0) > 0.9 * len(high) and low.count(0) < 0.1 * len(low):
            return name
    return ""


def packing(magic: bytes) -> str:
    """`gzip`, `zstd`, `bzip2`, `xz` or `none`, by the first six bytes of a file."""
    return next((name for begins, name in _PACKINGS.items() if magic.startswith(begins)), "none")


def head_of(path: Path, shown: str) -> bytes:
    """The first megabyte of a file, unpacked.

    Raises:
        CouldNotLook: it is absent, a folder, empty, or no text.
    """
    try:
        if path.is_dir():
            raise CouldNotLook(
                f"expected a file at {shown}, got a folder; name its files, such as {shown.rstrip('/')}/*.json"
            )
        with opened(path) as file:
            head = file.read(HEAD_BYTES)
    except OSError as error:
        raise _absent(shown, error) from None
    if not head.strip():
        raise CouldNotLook(f"file {shown} is empty")
    begun = head[:65536]
    strange = {byte: count for byte in _IN_NO_TEXT if (count := begun.count(byte))}
    # What is packed or encrypted holds each of them, and few of each.
    if sum(strange.values()) > (0.1 if len(strange) < len(_IN_NO_TEXT) / 2 else 0.03) * len(begun):
        raise CouldNotLook(f"expected a log in text at {shown}, got a binary file")
    return head
