"""What a command prints to: its reader may have gone, or never have been there."""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


def prepare() -> None:
    """Makes standard output and standard error such that a command ends in the same way whether or not anybody reads them.

    What is printed to a pipe whose reader has ended, such as `head`, is dropped. Ending by it would give an exit code that depends on
    how much a pipe holds, where it says a verdict, and would cut a validation short whose progress alone nobody reads.
    """
    _occupy()
    sys.stdout = _for_any_reader(sys.stdout, number=1, errors="replace")
    sys.stderr = _for_any_reader(sys.stderr, number=2, errors="replace")


def _occupy() -> None:
    """Opens what was closed on purpose, as by `>&-`: the next file that is opened would get its number, and with it what children print."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
            os.set_inheritable(number, True)


def _for_any_reader(stream: TextIO | None, *, number: int, errors: str) -> TextIO:
    """The same stream, of which nothing is raised once its reader has gone. errors: a terminal that lacks a sign shows another one."""
    if stream is None:
        return open(number, "w", encoding="utf-8", errors=errors, closefd=False)
    if not isinstance(stream, io.TextIOWrapper):
        return stream
    raw = getattr(stream.buffer, "raw", stream.buffer)
    if type(raw) is not io.FileIO:
        stream.reconfigure(errors=errors)
        return stream
    kept = _Kept(number, "wb", closefd=False)
    # As Python itself does where it was told not to buffer.
    held = io.BufferedWriter(kept) if stream.buffer is not raw else kept
    return io.TextIOWrapper(held, encoding=stream.encoding, errors=errors, line_buffering=stream.line_buffering, write_through=stream.write_through)  # fmt: skip


class _Kept(io.FileIO):
    """A file that takes what nobody reads any more, and drops it."""

    def write(self, data: ReadableBuffer, /) -> int:
        try:
            return super().write(data)
        except ConnectionError:
            # Children print there too, and would end by it.
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)
            return memoryview(data).nbytes
